#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
# Ghost requests: work that is begun for a client that has given up. Clients go away, and requests run out of time, while they wait
# for peers that hang, are slow, refuse, and do not take connections; none is given to a peer after that, and what a peer has in
# hand is cancelled at once. When a request began is what the kernel of its peer's machine says.
. "$(dirname "$0")/lib.sh"
. "$ROOT/t/faults.sh"

RATE=${RATE:-200}
FOR=${FOR:-5}
# How long it takes a client's close, or the time's passing, to reach drover's loop, on a machine that does other things, too.
SLACK=$((25 * WAIT_FACTOR))
faulty well well
faulty hangs hang
faulty slow 'slow:30 slow:250'
faulty fails 'drop half garbage shut'
allow_log 'peer .* of upstream'
# A peer that takes no connection: its backlog is full, and nobody accepts.
spawn full "$PYTHON" -c '
import socket, time
s = socket.socket()
s.bind(("127.0.0.1", 0))
s.listen(0)
fill = [socket.socket() for _ in range(4)]
for f in fill:
    f.setblocking(False)
    f.connect_ex(s.getsockname())
print("listening 127.0.0.1:%d" % s.getsockname()[1], flush=True)
time.sleep(100000)'
FULL=$PID
wait_for 10 grep -qs '^listening' "$T/full.out" || die 'a peer without room'
start_drover <<EOF
workers = 2
worker_connections = 2000
upstream "pool" {
    retries = 4
    deadlines { connect = 80ms  response = 150ms }
    peer "${PEER_AT[well]}" { max_fails = 0 }
    peer "${PEER_AT[hangs]}" { max_fails = 0 }
    peer "${PEER_AT[slow]}" { max_fails = 0 }
    peer "${PEER_AT[fails]}" { max_fails = 0 }
    peer "$(sed -n 's/^listening //p' "$T/full.out")" { max_fails = 0 }
}
server "gone" { listen = { "127.0.0.1:0" } location "/" { proxy = "pool" } }
server "late" { listen = { "127.0.0.1:0" } deadlines { request = 200ms } location "/" { proxy = "pool" } }
EOF
audit_mark
spawn clients "$PYTHON" "$ROOT/t/tools/ghosts.py" go "127.0.0.1:$PORT" "127.0.0.1:$(port_of 2)" "$T/clients.record" "$FOR" "$RATE" 200
finish "$PID" $((FOR + 30))
is "$STATUS" 0 'clients with little patience' || diag "$(cat "$T/clients.err")"
expect_stat conns -eq 0
# What was sent and is still on its way.
quiet() {
	local before after
	before=$(cat "$T"/*.record | wc -l)
	read -r -t 0.2 -u 9
	after=$(cat "$T"/*.record | wc -l)
	[ "$before" = "$after" ]
}
wait_for 5 quiet
ok 'no request begins after its deadline, and what is cancelled is so at once' "$PYTHON" "$ROOT/t/tools/ghosts.py" count "$SLACK" \
	"$T/clients.record" "$T/well.record" "$T/hangs.record" "$T/slow.record" "$T/fails.record"
diag "$(cat "$T/.ok")"
cmp_stat up_cancelled -gt 50 'many were cancelled'
# Each that a peer had in hand when its client left, or its time was up, is closed there: nobody works for nobody.
is_stat peer.pool/"${PEER_AT[hangs]}".active 0 'the peer that hangs has nothing left in hand'
cmp_stat expired_request -gt 10 'many ran out of time'
audit 'after all'
ok 'reload' ctl reload
same_stats up_conns up_idle 'connections to peers are idle'
kill "$FULL"
finish "$FULL"
for name in well hangs slow fails; do end_peer "$name"; done
done_testing
