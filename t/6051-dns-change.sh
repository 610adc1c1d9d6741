#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
# A name that gets another address: new connections go there, idle ones to the old address are not used again, requests under way
# are answered, and none fails. No reload.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/http.sh"
. "$(dirname "$0")/dns.sh"

start_peers 127.0.0.1 127.0.0.2
zone <<<'api.example A 127.0.0.1 1'
start_dns
PEER=peer.api/api.example:$PEERS
start_drover <<EOF
workers = 2
resolve { servers = { "$DNS" }  min = 200ms }
upstream "api" {
    peer "api.example:$PEERS" { max_fails = 0 }
    keepalive { conns = 8 }
}
server "s" {
    listen = { "127.0.0.1:0" }
    location "/" { proxy = "api" }
}
EOF
got 'the first address' /name 200 1
ok 'it is on the board' wait_for 5 address_is "127.0.0.1:$PEERS"
ok 'asked again when its time is over' wait_for 10 asked_more_than api.example $(($(questions api.example) + 1))

# Requests without end: each line is who answered, and the status.
requests() {
	while [ ! -e "$T/enough" ]; do
		curl -sS -m 60 -w ' %{http_code}\n' "http://127.0.0.1:$PORT/name" "http://127.0.0.1:$PORT/name"
	done
}
answered() {
	[ "$(grep -c "^$1 200" "$T/answers")" -gt "$2" ]
}
requests >"$T/answers" 2>&1 &
CLIENT=$!
PIDS+=("$CLIENT")
ok 'requests are answered' wait_for 10 answered 1 20
curl -sS -m 60 -o "$T/slow.out" -w '%{http_code}' "http://127.0.0.1:$PORT/sleep/1500" >"$T/slow.status" &
SLOW=$!
PIDS+=("$SLOW")
ok 'one of them takes its time' wait_for 5 grep -q 'sleep/1500' "$T/peer1.out"
zone <<<'api.example A 127.0.0.2 1'
ok 'the change is seen' wait_for 10 address_is "127.0.0.2:$PEERS"
like "$(cat "$T/stderr")" "is 127.0.0.2:$PEERS now, and was 127.0.0.1:$PEERS" 'and said'
lines=$(wc -l <"$T/answers")
ok 'the second address answers' wait_for 10 answered 2 20
: >"$T/enough"
finish "$CLIENT"
is "$(grep -vc ' 200$' "$T/answers")" 0 'no request failed'
is "$(tail -n +$((lines + 4)) "$T/answers" | grep -c '^1 ')" 0 'no connection to the first is used again'
finish "$SLOW"
is "$(cat "$T/slow.status")" 200 'what was under way has been answered'
is_stat master.reloads 0 'nothing was reloaded'
is_stat "$PEER.connect_failures" 0 'no connection failed'
expect_stat "$PEER.address_changes" -ge 1
stop_drover
end_helpers
done_testing
