#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
# The proof that proxied connections outlive the workers that serve them: WebSockets that echo and requests at a rate, through
# reload after reload; then through kill -9 of a worker every so often. It prints figures. How much of it:
#   WEBSOCKETS=1000 RATE=500 RELOADS=100 KILL_SECONDS=20 KILL_EVERY_MS=200 BUILD=build t/long/6020-relays.sh
# t/6020-relays.sh is the same with little of each.
. "$(dirname "${BASH_SOURCE[0]}")/../lib.sh"
. "$(dirname "${BASH_SOURCE[0]}")/../takeover.sh"

: "${WEBSOCKETS:=1000}" "${RATE:=500}" "${RELOADS:=100}" "${KILL_SECONDS:=20}" "${KILL_EVERY_MS:=200}"
REQUESTERS=$((RATE / 10 > 0 ? RATE / 10 : 1))
ulimit -Sn "$(ulimit -Hn)"

spawn wspeer "$BUILD/wspeer" 127.0.0.1:0
WSPEER=$PID
wait_for 10 grep -q '^listening' "$T/wspeer.out" || die 'the peer listens' "$(cat "$T/wspeer.err")"
PEER=$(awk '$1 == "listening" { print $2 }' "$T/wspeer.out")
perl -e 'print "0123456789abcdef" x 64' >"$T/1k"
allow_log 'worker [0-9]+ \(pid [0-9]+, generation [0-9]+\) killed by signal 9 \(KILL\); its standby goes on'
allow_log 'RLIMIT_NOFILE'
start_drover <<EOF
workers = 2
worker_connections = $((WEBSOCKETS * 2 + RATE + 1000))
drain = 20s
upstream "peers" {
    peer "$PEER" { max_fails = 0 }
    keepalive { conns = 64 }
}
server "site" {
    listen = { "127.0.0.1:0" }
    keepalive { requests = 0 }
    location "/" { proxy = "peers" }
}
EOF
learn_waiting

websockets() {
	local name=$1
	shift
	spawn "$name" "$BUILD/websocket" -c "$WEBSOCKETS" -i 500 -s 3000 -d 3600 -t 20000 -w "$T/$name.ready" "$@" "127.0.0.1:$PORT"
	WS=$PID
	wait_for 60 test -e "$T/$name.ready" || die "$name: $WEBSOCKETS WebSockets are open" "$(cat "$T/$name.out" "$T/$name.err")"
}

requests() {
	local name=$1
	shift
	spawn "$name" "$BUILD/herd" -c "$REQUESTERS" -r "$RATE" -d 3600 -t 20000 -p /1k -x "@$T/1k" -w "$T/$name.ready" "$@" "127.0.0.1:$PORT"
	HERD=$PID
	wait_for 60 test -e "$T/$name.ready" || die "$name: $REQUESTERS connections with requests" "$(cat "$T/$name.out" "$T/$name.err")"
}

# end_load NAME: both clients are told to end.
end_load() {
	kill -TERM "$WS" "$HERD"
	finish "$WS" 60
	WS_STATUS=$STATUS
	finish "$HERD" 60
	HERD_STATUS=$STATUS
	diag "$1: WebSockets: $(tr '\n' ' ' <"$T/$1-ws.out")"
	diag "$1: requests: $(fates_of "$1-load"), p99 $(count_of "$1-load" p99_us) us, longest $(count_of "$1-load" max_us) us"
}

# peer_says WHAT: by a connection of its own.
peer_says() {
	curl -s --noproxy '*' "http://$PEER/count" | tr ' ' '\n' | awk -v name="$1" 'before == name { print; exit } { before = $0 }'
}

all_are() {
	[ "$(stat_of conns_relay)" -eq "$WEBSOCKETS" ] && [ "$(stat_of up_conns)" -ge "$WEBSOCKETS" ]
}

in_hand() {
	ctl upstreams -H | awk -F '\t' '{ n += $5 } END { print n + 0 }'
}

# What the board says of connections to peers when nothing is under way.
exact_at_rest() {
	[ "$(stat_of up_conns)" -eq "$(stat_of up_idle)" ] && [ "$(stat_of conns)" -eq 0 ] && [ "$(in_hand)" -eq 0 ] &&
		[ "$(peer_says open)" -eq $(($(stat_of up_conns) + 1)) ]
}

board_is_exact() {
	if wait_for 10 exact_at_rest; then pass "$1"; else
		fail "$1" "$(ctl stat conns up_conns up_idle fds; ctl upstreams; printf 'the peer has %s' "$(peer_says open)")"
	fi
}

# Reloads.
fds_mark
websockets reloads-ws
requests reloads-load -Z
ok 'all WebSockets are relays' wait_for 10 all_are
ok 'connections to the peer are used again' wait_stat up_reused -ge "$RATE" 20
before=$(peer_says connections)
longest=0
for ((round = 1; round <= RELOADS; round++)); do
	mapfile -t old < <(worker_pids)
	start=$(now_ms)
	ctl reload >"$T/reload.out" 2>&1 || fail "reload $round" "$(cat "$T/reload.out")"
	for pid in "${old[@]}"; do wait_for 10 is_gone "$pid" || fail "reload $round: worker $pid is gone" "$(ctl status)"; done
	took=$(($(now_ms) - start))
	[ $took -le $longest ] || longest=$took
	read -r -t 0.2 -u 9
done
opened=$(($(peer_says connections) - before - 1))
ok 'all are relays still' wait_for 10 all_are
end_load reloads
is "$WS_STATUS" 0 "$RELOADS reloads: every WebSocket of $WEBSOCKETS lived and echoed"
is "$HERD_STATUS" 0 "$RELOADS reloads: no request of $RATE a second failed, no connection was closed"
is "$(count_of reloads-ws opened) $(count_of reloads-ws closed)" "$WEBSOCKETS $WEBSOCKETS" 'each ended when it was asked to'
is_stat moved_refused 0 'no worker refused any'
diag "the longest reload took $longest ms with the end of its old workers; $(stat_of moved_in) connections and $(stat_of up_moved) idle ones to the peer moved; it saw $opened new ones"
cmp_stat up_moved -gt 0 'idle connections to the peer moved, too'
board_is_exact 'the board is exact'

# Crashes.
websockets crashes-ws -k
requests crashes-load
kills=0
lost_before=$(stat_of close_lost)
began=$(now_ms)
enough=$((KILL_SECONDS * 1000 / KILL_EVERY_MS / 2))
# On a slow machine it takes longer until so many have been killed.
while [ $(($(now_ms) - began)) -lt $((KILL_SECONDS * 1000)) ] ||
	{ [ $kills -lt $enough ] && [ $(($(now_ms) - began)) -lt $((KILL_SECONDS * 20000 * WAIT_FACTOR)) ]; }; do
	end=$(($(now_ms) + KILL_EVERY_MS))
	wait_for 10 guarded
	pid=$(pid_of $((RANDOM % 2)))
	if [ -n "$pid" ] && ! is_gone "$pid" && kill -KILL "$pid"; then kills=$((kills + 1)); fi
	while [ "$(now_ms)" -lt "$end" ]; do read -r -t 0.01 -u 9; done
done
expect_stat takeovers -eq "$kills" 20
ok 'as many WebSockets as ever' wait_for 20 all_are
end_load crashes
lost=$(($(lost_by crashes-load) + $(count_of crashes-ws lost) + $(count_of crashes-ws refused) + $(count_of crashes-ws late)))
diag "$kills kills lost $lost connections; $(($(stat_of close_lost) - lost_before)) by the workers' own count"
cmp_ok "$kills" -ge "$enough" 'workers were killed'
cmp_ok "$lost" -le "$kills" 'one connection for each kill at most'
is "$(count_of crashes-ws wrong) $(count_of crashes-load bad)" '0 0' 'every echo and every answer is right'
board_is_exact 'the board is exact after crashes'
kill -TERM "$WSPEER"
finish "$WSPEER"
expect_stat up_conns -eq 0
fds_check 4
done_testing
