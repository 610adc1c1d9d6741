#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
# The file system of the run directory is full: the board is a sparse file there, and nobody dies of a page that there is no room
# for. Who would need one is refused, counted and said; when there is room again, all goes on.
. "$(dirname "$0")/lib.sh"

mkdir -p "$RUN" "$T/www"
mount -t tmpfs -o size=4m,mode=755 none "$RUN" 2>/dev/null || skip_all 'no leave to mount'
trap 'ended=$?; umount -l "$RUN" 2>/dev/null; (exit "$ended"); at_exit' EXIT
echo hello >"$T/www/index.html"
allow_log 'no more than [0-9]+ connections for now: no room for their rows in the run directory'

fill() {
	dd if=/dev/zero of="$RUN/filler" bs=4k 2>/dev/null
	[ "$(df --output=avail "$RUN" | tail -n 1)" -eq 0 ]
}

config <<EOF
workers = 2
worker_connections = 8000
server "s" {
    listen = { "127.0.0.1:0" }
    location "/" { root = "$T/www" }
    location "/metrics" { metrics = true }
    location "/status" { status = true }
}
EOF

# No room at the start.
ok 'it is full' fill
truncate -s -8192 "$RUN/filler" # the pid file has room
launch_drover
finish "$DROVER_PID" 10
isnt "$STATUS" 0 'it does not start'
like "$(cat "$T/stderr")" 'cannot make the board in .*No space left on device' 'and says why'
rm "$RUN/filler"

# None later.
start_drover
ok 'it is full' fill
pids=$(worker_pids | sort)
spawn crowd "$BUILD/herd" -c 2000 -n 2000 -t 3000 -i 2 -p / "127.0.0.1:$PORT"
finish "$PID" 60
cmp_ok "$(stat_of accept_no_records)" -gt 0 'there is no room for so many connections'
like "$(cat "$T/stderr")" 'no more than [0-9]+ connections for now: no room for their rows' 'which is said'
expect_stat conns -eq 0
ok 'who comes after them is served' wait_for 10 curl -sSf -m 20 -o /dev/null "http://127.0.0.1:$PORT/"
ok 'metrics' curl -sSf -m 20 -o "$T/metrics" "http://127.0.0.1:$PORT/metrics"
like "$(cat "$T/metrics")" 'drover_responses_total' 'are whole'
ok 'the status page' curl -sSf -m 20 -o /dev/null "http://127.0.0.1:$PORT/status?format=json"
ok 'droverctl status' ctl status
is "$(worker_pids | sort)" "$pids" 'nobody has died'

# A worker that cannot have its rows does not serve, and the old ones go on.
allow_log 'worker cannot start: room for its rows in the run directory'
allow_log 'before it was ready|reload failed'
fails 'a reload, whose workers need rows of their own' ctl reload
is "$(worker_pids | sort)" "$pids" 'leaves the workers as they are'
ok 'who serve' curl -sSf -m 20 -o /dev/null "http://127.0.0.1:$PORT/"

# Room again.
rm "$RUN/filler"
spawn crowd "$BUILD/herd" -c 2000 -n 2000 -t $((10000 * WAIT_FACTOR)) -p / "127.0.0.1:$PORT"
finish "$PID" 60
is "$STATUS" 0 'with room all are served' || diag "$(cat "$T/crowd.out")"
ok 'the reload' ctl reload
stop_drover
done_testing
