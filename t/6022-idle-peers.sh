#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
# Idle connections to peers outlive their worker: the peer sees no new one after a reload, an upgrade or a crash at rest. A
# configuration that drops a peer: exchanges with it end where they are, its idle connections are closed, and nobody else notices.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/http.sh"
. "$(dirname "$0")/takeover.sh"

allow_log 'worker [0-9]+ \(pid [0-9]+, generation [0-9]+\) killed by signal 9 \(KILL\); its standby goes on'

# peer NAME: its address is in PEER_NAME, its process in PID_NAME.
peer() {
	spawn "$1" "$BUILD/wspeer" 127.0.0.1:0
	eval "PID_$1=$PID"
	wait_for 10 grep -q '^listening' "$T/$1.out" || die "peer $1" "$(cat "$T/$1.err")"
	eval "PEER_$1=$(awk '$1 == "listening" { print $2 }' "$T/$1.out")"
}

# seen ADDRESS WHAT: by a peer, the connection of the question included.
seen() {
	curl -s --noproxy '*' "http://$1/count" | tr ' ' '\n' | awk -v name="$2" 'before == name { print; exit } { before = $0 }'
}

peer_has() {
	[ "$(seen "$1" open)" -le "$2" ]
}

# Nothing but what the WebSockets go over is open to the first peer.
only_relays() {
	peer_has "$PEER_one" 7
}

site() {
	config <<EOF
workers = 1
drain = 10m
upstream "one" {
    $1
    keepalive { conns = $2  idle = 10m }
}
upstream "two" { peer "$PEER_two" { max_fails = 0 }  keepalive { idle = 10m } }
server "site" {
    listen = { "127.0.0.1:0" }
    location "/" { proxy = "one" }
    location "/two/" { proxy = "two" }
    ${3:-}
}
EOF
}

# several NAME PATH CONNS: so many requests at the same time, once each.
several() {
	ok "$1" "$BUILD/herd" -c "$3" -n "$3" -p "$2" "127.0.0.1:$PORT"
}

gone() {
	local pid
	for pid; do is_gone "$pid" || return 1; done
}

peer one
peer two
site "peer \"$PEER_one\" { max_fails = 0 }" 16
start_drover
learn_waiting
fds_mark
# One after the other they would share one.
spawn slow "$BUILD/websocket" -c 6 -d 600 -w "$T/ws.ready" "127.0.0.1:$PORT"
WS=$PID
wait_for 10 test -e "$T/ws.ready" || die 'WebSockets'
several 'eight requests' /1k 8
several 'and four to the other' /two/x 4
# A client has its answer before its connection to the peer is idle.
all_idle() {
	kept=$(stat_of up_idle)
	[ "$kept" -ge 2 ] && [ "$(stat_of up_conns)" -eq $((kept + 6)) ]
}
ok 'connections are kept' wait_for 10 all_idle
before_one=$(seen "$PEER_one" connections) before_two=$(seen "$PEER_two" connections)

# asks WHAT: requests, one after the other, find their connections again; so many are there as before.
asks() {
	ok "$1: as many are idle" wait_for 10 idle_all
	for path in /a /two/b /c /two/d; do
		get "$path"
		[ "$STATUS" = 200 ] || fail "$1: $path" "$STATUS"
	done
	# The asking itself was one.
	is "$(seen "$PEER_one" connections) $(seen "$PEER_two" connections)" "$((before_one + 1)) $((before_two + 1))" "$1: the peers see no new connection"
	before_one=$((before_one + 1)) before_two=$((before_two + 1))
}

idle_all() {
	[ "$(stat_of up_idle)" -eq "$kept" ] && [ "$(stat_of up_conns)" -eq $((kept + 6)) ]
}

asks 'at first'
for round in 1 2 3; do
	mapfile -t old < <(worker_pids)
	ok "reload $round" ctl reload
	wait_for 10 gone "${old[@]}" || fail 'the old worker is gone'
	asks "reload $round"
done
is_stat up_moved $((kept * 3)) 'all of them moved, each time'
ok 'upgrade' ctl upgrade
asks 'upgrade'
quiet_kill KILL 0
asks 'a crash'
quiet_kill KILL 0
asks 'another crash'

# Fewer may be kept: those that are too many are closed, by the old worker and at the peer.
site "peer \"$PEER_one\" { max_fails = 0 }" 1
ok 'reload with fewer to be kept' ctl reload
ok 'fewer are kept' wait_stat up_idle -le 5
ok 'closed at the peer' wait_for 10 peer_has "$PEER_one" 8

# The peer is dropped while WebSockets go to it.
mapfile -t old < <(worker_pids)
site "peer \"$PEER_two\" { max_fails = 0 }" 16
ok 'reload without the peer' ctl reload
is_stat moved_refused 6 'its relays stay where they are'
ok 'its idle connections are closed' wait_for 10 only_relays
cmp_ok "$(ctl workers -H | grep -c draining)" -eq 1 'the old worker drains'
get /after
is "$STATUS" 200 'requests go to the new peer'
echoed=$(stat_of bytes_in)
ok 'the relays go on' wait_stat bytes_in -gt $((echoed + 5000))
kill -TERM "$WS"
finish "$WS"
is "$STATUS" 0 'the relays were good to their end' || diag "$(cat "$T/slow.out")"
ok 'then the old worker leaves' wait_for 10 gone "${old[@]}"
is_stat drained_forced 0 'nothing was cut'
expect_stat conns -eq 0
is "$(ctl upstreams -H | awk -F '\t' '{ n += $5 } END { print n + 0 }')" 0 'no request is in hand'
for p in $PID_one $PID_two; do kill -TERM "$p"; finish "$p"; done
expect_stat up_conns -eq 0
fds_check 4
done_testing
