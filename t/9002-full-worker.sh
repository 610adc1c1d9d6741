#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
# A worker without room for another connection, and not the others, used to be woken for a client, which then waited for nothing.
. "$(dirname "$0")/lib.sh"

mkdir "$T/www"
echo hello >"$T/www/index.html"
start_drover <<EOF
workers = 3
worker_connections = 1
server "s" {
    listen = { "127.0.0.1:0" }
    deadlines { header = 10m }
    location "/" { root = "$T/www" }
}
EOF

# Two of three are full, whichever they are.
for fd in 5 6; do
	eval "exec $fd<>/dev/tcp/127.0.0.1/$PORT"
	printf 'GET / HTTP/1.1\r\n' >&$fd
done
expect_stat conns -eq 2
served=0
for _ in {1..30}; do
	curl -sS -m $((10 * WAIT_FACTOR)) -o /dev/null "http://127.0.0.1:$PORT/" || break
	served=$((served + 1))
done
is "$served" 30 'the third one serves all that come'

# All are full: who comes now waits, which is counted, and is served as soon as there is room.
exec 7<>"/dev/tcp/127.0.0.1/$PORT"
printf 'GET / HTTP/1.1\r\n' >&7
expect_stat conns -eq 3
before=$(stat_of accept_no_records)
spawn waits bash -c "exec 5<&- 6<&- 7<&-; exec curl -sS -m 60 http://127.0.0.1:$PORT/"
WAITS=$PID
expect_stat accept_no_records -gt "$before"
fails 'it waits' is_gone "$WAITS"
exec 6<&-
finish "$WAITS"
is "$(cat "$T/waits.out")" hello 'it is served'
exec 5<&- 7<&-
expect_stat conns -eq 0
done_testing
