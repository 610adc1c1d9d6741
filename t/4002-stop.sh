#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
# Stopping: politely, with requests under way finished; at once; and the second time.
. "$(dirname "$0")/lib.sh"

mkdir "$T/www"
printf 'hello\n' >"$T/www/index.html"

site() {
	config <<EOF
workers = ${WORKERS:-3}
worker_connections = 1000
$1
server "site" {
    listen = { "127.0.0.1:0", "unix:$T/s" }
    ${2:-}
    location "/" { root = "$T/www" }
    location "= /healthz" { health = true }
    deadlines { header = 5m }
}
EOF
}

# half FD: a connection with half a request.
half() {
	eval "exec $1<>/dev/tcp/127.0.0.1/$PORT"
	printf 'GET / HTTP/1.1\r\nHost: si' >&"$1"
}

state_is() {
	[ "$(ctl stat -H master.state | cut -f 2)" = "$1" ]
}

not_running() {
	! state_is running
}

# By the kernel: who is let into the queue of a socket at which nobody accepts would wait for the end of the drain.
refused() {
	curl -sS -m 2 "${1:-http://127.0.0.1:$PORT/}" "${@:2}" >/dev/null 2>&1
	[ $? -eq 7 ]
}

for signal in TERM QUIT; do
	site 'drain = 10s'
	start_drover
	half 5
	half 6
	expect_stat conns -eq 2
	pid=$DROVER_PID
	DROVER_PID=
	kill -$signal "$pid"
	ok "$signal: stopping" wait_for 5 state_is stopping
	ok "$signal: nobody is let in any more" wait_for 10 refused
	ok "$signal: nor by the unix socket" refused http://site/ --unix-socket "$T/s"
	ok "$signal: but it is still there" kill -0 "$pid"
	printf 'te\r\n\r\n' >&5
	like "$(timeout 10 cat <&5)" $'Connection: close\r\n.*hello$' "$signal: a request under way is answered"
	printf 'te\r\n\r\n' >&6
	like "$(timeout 10 cat <&6)" $'Connection: close\r\n.*hello$' "$signal: so is the other one"
	exec 5>&- 6>&-
	finish "$pid" 10
	is "$STATUS" 0 "$signal: status 0"
	ok "$signal: the unix socket is gone" test ! -e "$T/s"
	ok "$signal: the pid file is gone" test ! -e "$RUN/drover.pid"
	ok "$signal: the board says stopped" state_is stopped
	is_stat drained_forced 0 "$signal: nothing was cut"
	is_stat master.worker_deaths 0 "$signal: nobody died"
done

# What does not finish is cut at the end of the drain, and counted.
site 'drain = 1s'
start_drover
half 5
expect_stat conns -eq 1
before=$(now_ms)
stop_drover TERM 10
took=$(($(now_ms) - before))
cmp_ok $took -ge 900 'the drain is waited for'
cmp_ok $took -lt $((4000 * WAIT_FACTOR)) 'and not much longer'
is_stat drained_forced 1 'one connection was cut'
exec 5>&-

# At once, and the second time.
for signals in INT 'TERM TERM' 'TERM INT'; do
	site 'drain = 60s'
	start_drover
	half 5
	expect_stat conns -eq 1
	pid=$DROVER_PID
	DROVER_PID=
	before=$(now_ms)
	for signal in $signals; do
		kill -"$signal" "$pid"
		[ "$signals" = INT ] || wait_for 5 not_running
	done
	finish "$pid" 10
	is "$STATUS" 0 "$signals: status 0"
	cmp_ok $(($(now_ms) - before)) -lt $((5000 * WAIT_FACTOR)) "$signals: at once"
	exec 5>&-
done

# A worker that does not listen is killed.
site 'drain = 60s'
start_drover
mapfile -t all < <(worker_pids)
kill -STOP "${all[@]}"
is "$(ctl stat -H master.state | cut -f 2)" running 'the board is readable while all workers are stopped'
stop_drover INT 10
for pid in "${all[@]}"; do expect_gone "$pid"; done

# Lame duck: health says so, everything else is still served.
site 'lame_duck = 60s'
start_drover
is "$(curl -sS -o /dev/null -w '%{http_code}' "http://127.0.0.1:$PORT/healthz")" 200 'healthy'
kill -TERM "$DROVER_PID"
lame() {
	[ "$(curl -sS -m 2 -o /dev/null -w '%{http_code}' "http://127.0.0.1:$PORT/healthz")" = 503 ]
}
ok 'lame duck: health says 503' wait_for 10 lame
is "$(curl -sS "http://127.0.0.1:$PORT/")" hello 'lame duck: it still serves'
like "$(curl -sS -i "http://127.0.0.1:$PORT/")" $'Connection: close\r' 'lame duck: connections are not kept'
stop_drover INT
# Its time comes to an end.
site 'lame_duck = 1s'
start_drover
before=$(now_ms)
stop_drover
cmp_ok $(($(now_ms) - before)) -ge 900 'lame duck: it ends when its time is over, and not before'

# droverctl, and a group of sockets.
site 'drain = 10s' 'reuseport = true'
start_drover
half 5
expect_stat conns -eq 1
spawn stop "$BUILD/droverctl" -r "$RUN" stop
STOP=$PID
ok 'a group of sockets: nobody is let in any more' wait_for 10 refused
printf 'te\r\n\r\n' >&5
like "$(timeout 10 cat <&5)" $'Connection: close\r\n.*hello$' 'a request under way is answered'
exec 5>&-
finish "$STOP"
is "$STATUS" 0 'droverctl stop'
finish "$DROVER_PID"
is "$STATUS" 0 'status 0'
DROVER_PID=

# Of a group, the one that drains first has no socket any more, so that all who come are served by the others.
site 'drain = 60s' 'reuseport = true'
start_drover
spawn halves perl -MIO::Socket::INET -e '
	my @s = map { my $s = IO::Socket::INET->new(PeerAddr => $ARGV[0]) // die; syswrite $s, "GET / HTTP/1.1\r\n"; $s } 1 .. 40;
	select undef, undef, undef, 1000' "127.0.0.1:$PORT"
HALVES=$PID
expect_stat conns -eq 40
kill -TERM "$DROVER_PID"
one_drains() {
	[ "$(worker_pids draining | wc -l)" -eq 1 ]
}
ok 'one worker of a group drains' wait_for 10 one_drains
ok 'clients are served by the others' "$BUILD/herd" -1 -c 4 -n 400 -t 10000 "127.0.0.1:$PORT"
ok 'while it drains' one_drains
stop_drover INT
kill "$HALVES"
finish "$HALVES"

# A worker that dies meanwhile: its standby goes on with what there is, and listens no more either.
WORKERS=1 site 'drain = 60s'
start_drover
wait_for 10 guarded || die 'the worker has a standby'
half 5
expect_stat conns -eq 1
pid=$DROVER_PID worker=$(worker_pids)
DROVER_PID=
kill -TERM "$pid"
ok 'nobody is let in any more' wait_for 10 refused
allow_log "worker 0 \\(pid $worker, generation 1\\) killed by signal 9"
kill -KILL "$worker"
expect_stat takeovers -eq 1
ok 'nor by the standby' refused
printf 'te\r\n\r\n' >&5
like "$(timeout 10 cat <&5)" $'Connection: close\r\n.*hello$' 'which answers the request under way'
exec 5>&-
finish "$pid" 10
is "$STATUS" 0 'status 0'

# While reloading: the reload is given up and says so. An old worker that stands still keeps its half of the slot, so that the
# next reload has to wait for it.
site 'drain = 30s'
start_drover
kill -STOP "$(worker_pids | head -n 1)"
ok 'one reload' ctl reload
kill -HUP "$DROVER_PID"
ok 'the next one is under way' wait_for 5 state_is reloading
allow_log 'reload failed, generation 2 serves on: drover was told to stop'
pid=$DROVER_PID
DROVER_PID=
kill -INT "$pid"
finish "$pid" 10
is "$STATUS" 0 'stopped while reloading'
like "$(ctl stat -H master.reload_error)" 'drover was told to stop' 'the board says what became of the reload'
done_testing
