#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
# What else a standby takes over: log lines not yet written, logs that were reopened, unix sockets, sockets of its own
# (reuseport), few descriptors, given up privileges, an orphan's time.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/takeover.sh"

allow_log 'worker [0-9]+ \(pid [0-9]+, generation [0-9]+\) killed by signal 9 \(KILL\)'
make_site
WORKERS=1 LISTEN="\"127.0.0.1:0\", \"unix:$T/sock\"" SERVER_MORE='reuseport = true' site "access_log = \"$T/access.log\""
start_drover
learn_waiting
expect_standbys

# Lines are written once a second: those of the last second lie in the arena when the worker is killed.
get_all() {
	local n urls=()
	for n in $(seq "$1" "$2"); do urls+=("http://127.0.0.1:$PORT/1k?n=$n."); done
	curl -sS -o /dev/null "${urls[@]/%/}" >/dev/null
}
lines() {
	grep -o '?n=[0-9]*\.' "$1" 2>/dev/null | sort -u | wc -l
}
has_lines() {
	[ "$(lines "$T/access.log")" -ge "$1" ]
}
for round in 0 1 2; do
	get_all $((round * 40 + 1)) $((round * 40 + 40))
	quiet_kill KILL 0
	wait_for 5 has_lines $((round * 40 + 40))
	is "$(lines "$T/access.log")" $((round * 40 + 40)) "round $round: the standby writes what was pending"
done
is_stat log_lines 120 'each line counts'
is_stat log_lines_lost 0 'none is lost'
is "$(wc -l <"$T/access.log")" 120 'and none stands there twice'

# A takeover after reopening: the descriptors are those of the new files.
mv "$T/access.log" "$T/access.old"
ok 'reopen' ctl reopen
quiet_kill KILL 0
get_all 200 219
quiet_kill KILL 0
wait_for 5 has_lines 20
is "$(lines "$T/access.log")" 20 'after reopening lines go to the new file'
is "$(wc -l <"$T/access.old")" 120 'and not to the old one'

# Both kinds of socket, with connections of all kinds.
TO=("unix:$T/sock")
live all -n 2
for _ in 1 2; do
	quiet_kill KILL 0
	say all step
done
ends all 'connections by a unix socket do not notice'
is "$(curl -sS --unix-socket "$T/sock" http://site/one)" one 'new ones come in'
for _ in {1..10}; do
	[ "$(curl -sS -m $((5 * WAIT_FACTOR)) "http://127.0.0.1:$PORT/one")" = one ] || fail 'served by the socket of its own'
done
pass 'new ones come in by a socket of its own'
expect_standbys

# The lame duck does not forget that it is one.
sed -i '1i lame_duck = 60s' "$T/drover.conf"
ok 'reload' ctl reload
is "$(curl -sS -o /dev/null -w '%{http_code}' "http://127.0.0.1:$PORT/healthz")" 200 'healthy'
kill -TERM "$DROVER_PID"
lame() { [ "$(curl -sS -o /dev/null -w '%{http_code}' "http://127.0.0.1:$PORT/healthz")" = 503 ]; }
ok 'about to stop' wait_for 10 lame
quiet_kill KILL 0
is "$(curl -sS -o /dev/null -w '%{http_code}' "http://127.0.0.1:$PORT/healthz")" 503 'its standby says so too'
stop_drover INT

# Few descriptors: nothing of the old worker's keeps any.
rm "$T/drover.conf"
WORKERS=1 CONNECTIONS=60 site 'file_cache = 20'
(
	ulimit -n 256
	exec "$BUILD/drover" -F -c "$T/drover.conf" -r "$RUN" </dev/null >>"$T/stdout" 2>>"$T/stderr" 9<&-
) &
DROVER_PID=$!
PIDS+=("$DROVER_PID")
wait_for 10 drover_is_ready || die 'drover starts with few descriptors'
PORT=$(port_of 1)
learn_waiting
expect_standbys
spawn idle "$BUILD/herd" -Z -c 50 -n 50 -i 3600 -p /1k -w "$T/ready" "127.0.0.1:$PORT"
wait_for 10 test -e "$T/ready"
held=$(find "/proc/$(pid_of 0)/fd" | wc -l)
for _ in {1..8}; do
	get_all 1 3
	quiet_kill KILL 0
done
is_stat conns_idle 50 'eight kills with few descriptors: all idle connections are there'
cmp_ok "$(find "/proc/$(pid_of 0)/fd" | wc -l)" -le $((held + 3)) 'and no more descriptors than before'
is_stat accept_no_fds 0 'there was always one'
kill -INT "$PID"
finish "$PID"

# An orphan that dies is an orphan still.
sed -i '1i orphan = 8s' "$T/drover.conf"
ok 'reload' ctl reload
expect_standbys
worker=$(pid_of 0)
kill -KILL "$DROVER_PID"
wait "$DROVER_PID" 2>/dev/null
DROVER_PID=
orphan() { grep -q "warn $worker .*the master is gone" "$T/stderr"; }
ok 'the master is gone' wait_for 10 orphan
kill -KILL "$worker"
ok 'the standby of an orphan takes over' wait_for 10 new_worker 0 "$worker"
is "$(curl -sS -m $((5 * WAIT_FACTOR)) "http://127.0.0.1:$PORT/one")" one 'it serves'
ok 'and ends when the time of orphans is over' wait_for 20 no_family

# Started as root: the standby is nobody, too.
if [ "$(id -u)" -ne 0 ]; then
	skip 'a standby has given up what the worker has' 'not root'
	done_testing
fi
chmod 755 "$T/www"
WORKERS=1 site 'user = "nobody"'
start_drover
expect_standbys
identity() {
	awk '/^(Uid|Gid|Groups|Cap|NoNewPrivs|SigBlk|SigIgn)/' "/proc/$1/status"
}
is "$(identity "$(standby_of 0)")" "$(identity "$(pid_of 0)")" 'a standby is who the worker is'
like "$(identity "$(standby_of 0)")" "Uid:.$(id -u nobody)" 'nobody'
like "$(identity "$(standby_of 0)")" 'NoNewPrivs:.1' 'for good'
kill_worker KILL 0
is "$(curl -sS "http://127.0.0.1:$PORT/one")" one 'it serves'
expect_standbys
is "$(identity "$(standby_of 0)")" "$(identity "$(pid_of 0)")" 'so is the next one'
done_testing
