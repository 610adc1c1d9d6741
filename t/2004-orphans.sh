#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
# The master dies: its workers serve on for a while, and the board can be read, also when all are dead.
. "$(dirname "$0")/lib.sh"

mkdir "$T/www"
printf 'hello\n' >"$T/www/index.html"
# One that nobody else is given while no drover has it.
port=$(free_port)
start_drover <<EOF
workers = 2
worker_connections = 1000
orphan = 6s
drain = 2s
server "site" {
    listen = { "127.0.0.1:$port" }
    location "/" { root = "$T/www" }
}
EOF
mapfile -t all < <(worker_pids)
curl -sS "http://127.0.0.1:$PORT/" >/dev/null
expect_stat requests -eq 1

kill -KILL "$DROVER_PID"
{ wait "$DROVER_PID"; } 2>/dev/null
master=$DROVER_PID
DROVER_PID=
is "$(curl -sS -m $((5 * WAIT_FACTOR)) "http://127.0.0.1:$PORT/")" hello 'orphans serve'
is_stat requests 2 'the board is readable, and counts on'
fails 'droverctl reload finds no master' ctl reload
expect_gone "${all[0]}" 20
expect_gone "${all[1]}" 20

# A new start is not held up by what the old one left.
start_drover
isnt "$DROVER_PID" "$master" 'a new master'
is "$(curl -sS -m $((5 * WAIT_FACTOR)) "http://127.0.0.1:$port/")" hello 'serves at the same address'
is "$("$BUILD/droverctl" --board "$RUN/drover.board.prev" stat -H requests | cut -f 2)" 2 'the board of before is kept and readable'

# All at once.
expect_stat requests -eq 1
mapfile -t all < <(worker_pids)
kill_family # standbys too
{ wait "$DROVER_PID"; } 2>/dev/null
DROVER_PID=
expect_gone "${all[0]}"
expect_gone "${all[1]}"
is_stat requests 1 'the board is readable when all are dead'
ok 'workers' ctl workers -a
ok 'connections' ctl conns
done_testing
