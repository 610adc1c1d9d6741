#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
# Proxied exchanges of every kind - relays, slow downloads and uploads in both framings, answers that are waited for - go on
# from where they stood while reloads, an upgrade, a new master, rebalancing and the death of workers change who serves them.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/takeover.sh"

PYTHON=/usr/bin/python3
[ -x "$PYTHON" ] || skip_all 'no python3 for the peer'
allow_log 'worker [0-9]+ \(pid [0-9]+, generation [0-9]+\) killed by signal 9 \(KILL\); its standby goes on'

spawn peer "$PYTHON" "$ROOT/t/tools/backend.py" 127.0.0.1:0 peer
PEER_PID=$PID
wait_for 10 grep -q '^listening' "$T/peer.out" || die 'the peer listens' "$(cat "$T/peer.err")"
start_drover <<EOF
workers = 2
worker_connections = 1000
rebalance = false
drain = 20s
upstream "pool" {
    deadlines { response = 5m  between = 5m }
    peer "$(awk '$1 == "listening" { print $2 }' "$T/peer.out")" { max_fails = 0 }
    keepalive { conns = 8 }
}
server "site" {
    listen = { "127.0.0.1:0" }
    deadlines { header = 5m  body = 5m  send = 5m  idle = 5m  min_rate = 0 }
    limits { max_body = 0 }
    location "/" { proxy = "pool" }
}
EOF
learn_waiting
fds_mark

# live NAME OPTIONS
live() {
	local name=$1
	shift
	hold "$name" "$PYTHON" "$ROOT/t/tools/exchanges.py" "127.0.0.1:$PORT" "$T/$name.say" "$@"
}

# goes_on WHAT: each of them.
goes_on() {
	say all step
	is "$(grep '^lost' "$T/all.out")" '' "exchanges go on after $1" || diag "$(tail -n 5 "$T/stderr")"
}

# moves WHAT CMD...: the workers are others after it, and all went with them.
moves() {
	local what=$1 old
	shift
	mapfile -t old < <(worker_pids)
	ok "$what" "$@"
	if ! wait_for 10 all_gone "${old[@]}"; then fail "$what: the old workers are gone" "$(ctl status)"; fi
	goes_on "$what"
}

workers_are() {
	[ "$(stat_of master.workers_wanted)" -eq "$1" ] && [ "$(processes worker | wc -l)" -eq "$1" ] &&
		[ "$(worker_pids | wc -l)" -eq "$1" ]
}

new_master() {
	kill -KILL "$DROVER_PID"
	{ wait "$DROVER_PID"; } 2>/dev/null
	launch_drover
	wait_for 15 drover_is_ready
}


live all -n 2
say all step
moves 'reload' ctl reload
moves 'another reload' ctl reload
moves 'upgrade' ctl upgrade
moves 'a new master' new_master
kill -TTOU "$DROVER_PID"
ok 'one worker' wait_for 10 workers_are 1
goes_on 'the end of a worker'
kill -TTIN "$DROVER_PID"
ok 'two workers' wait_for 10 workers_are 2
quiet_kill KILL 0
goes_on 'the death of a worker at rest'
quiet_kill KILL 1
goes_on 'the death of the other'
quiet_kill KILL 0
say all more
goes_on 'one more'
is_stat close_lost 0 'none was lost by the workers'\'' own count'
is_stat moved_refused 0 'none was refused'
ends all 'every answer and every body is right to its end'
expect_stat conns -eq 0
same_stats up_conns up_idle 'connections to the peer are idle'
is "$(ctl upstreams -H | awk -F '\t' '{ n += $5 } END { print n + 0 }')" 0 'no request is in hand'

# Relays are spread like idle connections.
kill -TTOU "$DROVER_PID"
ok 'one worker' wait_for 10 workers_are 1
live all -n 40 -k relay
kill -TTIN "$DROVER_PID"
ok 'two workers' wait_for 10 workers_are 2
ok 'rebalance' ctl rebalance
like "$(cat "$T/.ok")" '^rebalanced: 20 connections moved' 'half of the relays moved'
goes_on 'that'
ends all 'relays echo to their end'

expect_stat conns -eq 0
kill -TERM "$PEER_PID"
finish "$PEER_PID"
expect_stat up_conns -eq 0
fds_check 4
done_testing
