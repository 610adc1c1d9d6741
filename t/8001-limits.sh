#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
# Crowds and shortages: ten thousand clients within seconds, a thousand that trickle, twenty descriptors.
. "$(dirname "$0")/lib.sh"

mkdir "$T/www"
head -c 1024 /dev/zero | tr '\0' x >"$T/www/1k"
CROWD=10000
case $BUILD in *asan* | *ubsan* | *tsan*) CROWD=3000 ;; esac
[ "$(ulimit -Hn)" -ge $((CROWD + 1000)) ] || ulimit -Hn $((CROWD + 1000)) 2>/dev/null || CROWD=$(($(ulimit -Hn) - 1000))
ulimit -Sn "$(ulimit -Hn)"
start_drover <<EOF
workers = 2
server "s" {
    listen = { "127.0.0.1:0" }
    deadlines { header = 60s }
    location "/" { root = "$T/www" }
}
server "hasty" {
    listen = { "127.0.0.1:0" }
    deadlines { header = 2s }
    location "/" { root = "$T/www" }
}
EOF
fds_mark

spawn crowd "$BUILD/herd" -c "$CROWD" -n "$CROWD" -k $((CROWD / 4)) -t 30000 -p /1k "127.0.0.1:$PORT"
finish "$PID" 60
is "$STATUS" 0 "$CROWD clients that connect and request within five seconds are all served" || diag "$(cat "$T/crowd.out")"
is_stat responses_2xx "$CROWD" 'each with 200'
expect_stat conns -eq 0
expect_stat buffers -eq 0

# Slow-loris: a byte every second from each of a thousand connections, beside clients that notice nothing.
spawn well "$BUILD/herd" -Z -c 50 -r 500 -d 8 -t $((1000 * WAIT_FACTOR)) -p /1k "127.0.0.1:$PORT"
WELL=$PID
before=$(stat_of expired_header)
spawn loris "$BUILD/slow" -c 1000 -i 1000 -d 20 "127.0.0.1:$(port_of 2)"
finish "$PID" 40
like "$(cat "$T/loris.out")" 'status_408 1000' 'a thousand slow heads are told 408'
cmp_ok "$(awk '$1 == "last_close_ms" { print $2 }' "$T/loris.out")" -lt $((4000 * WAIT_FACTOR)) 'by the header deadline'
is_stat expired_header $((before + 1000)) 'counted'
finish "$WELL"
is "$STATUS" 0 'the others noticed nothing' || diag "$(cat "$T/well.out")"
expect_stat conns -eq 0
expect_stat buffers -eq 0
fds_check 2
stop_drover

# Twenty descriptors. The master keeps what it was given (its log, listener, board and channels), workers the rest.
cat >"$T/drover.conf" <<EOF
workers = 1
worker_connections = 64
file_cache = 4
server "s" {
    listen = { "127.0.0.1:0" }
    location "/" { root = "$T/www" }
}
EOF
allow_log 'RLIMIT_NOFILE|descriptors|Too many open files'
# Without CAP_SYS_RESOURCE the limit cannot be raised again.
if [ "$(id -u)" -eq 0 ]; then lower=(setpriv --bounding-set=-sys_resource --inh-caps=-sys_resource); else lower=(); fi
launch() {
	ulimit -n 20
	exec "${lower[@]}" "$BUILD/drover" -F -c "$T/drover.conf" -r "$RUN" </dev/null 2>>"$T/stderr" 9<&-
}
rm -rf "$RUN"
mkdir -p "$RUN"
launch &
DROVER_PID=$!
PIDS+=("$DROVER_PID")
wait_for 10 drover_is_ready || die 'drover starts with 20 descriptors' "$(tail -20 "$T/stderr")"
PORT=$(port_of 1)
pass 'drover starts with 20 descriptors'
WORKER=$(worker_pids)

# More clients than descriptors, each of which keeps its connection for three seconds.
spawn hold "$BUILD/herd" -c 40 -n 40 -i 3 -t 20000 -w "$T/held" -p /1k "127.0.0.1:$PORT"
HOLD=$PID
expect_stat accept_no_fds -ge 1
ticks() {
	local stat
	read -r stat <"/proc/$WORKER/stat"
	stat=${stat##*) }
	set -- $stat
	echo $((${12} + ${13}))
}
start=$(ticks)
expect_stat accept_pauses -ge 3
finish "$HOLD" 60
cmp_ok $(($(ticks) - start)) -lt 100 'the worker does not spin meanwhile'
is "$(curl -s -m 10 -o /dev/null -w '%{http_code}' "http://127.0.0.1:$PORT/1k")" 200 'it serves as soon as descriptors are free'
is "$(worker_pids)" "$WORKER" 'the worker is still the same'
is_stat master.worker_deaths 0 'none died'
done_testing
