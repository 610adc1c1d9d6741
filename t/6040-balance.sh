#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
# Each way of spreading requests against its definition: 10,000 requests by 16 connections to 4 workers, and what each peer got.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/counts.sh"

MANY=10000
start_peers 4
start_drover <<EOC
workers = 4
upstream "weights" {
    peer "${PEER[0]}" { weight = 1 }
    peer "${PEER[1]}" { weight = 2 }
    peer "${PEER[2]}" { weight = 5 }
    peer "${PEER[3]}" { backup = true }
}
upstream "least" {
    balance = least_conn
    peer "${PEER[0]}" { }
    peer "${PEER[1]}" { }
    peer "${PEER[2]}" { }
    peer "${PEER[3]}" { backup = true }
}
upstream "time" {
    balance = least_time
    peer "${PEER[0]}" { }
    peer "${PEER[1]}" { }
    peer "${PEER[2]}" { }
}
upstream "one" {
    balance = least_time
    peer "${PEER[0]}" { max_fails = 0 }
    peer "127.0.0.1:1" { down = true }
}
server "s" {
    listen = { "127.0.0.1:0" }
    keepalive { requests = 0 }
    location "/weights/" { proxy = "weights"  rewrite = "/" }
    location "/least/" { proxy = "least"  rewrite = "/" }
    location "/time/" { proxy = "time"  rewrite = "/" }
    location "/one/" { proxy = "one"  rewrite = "/" }
}
EOC

# requests_of UPSTREAM: as the board says, of its peers, on one line.
requests_of() {
	ctl upstreams -H | awk -F '\t' -v u="$1" '$1 == u { printf "%s%s", (n++ ? " " : ""), $8 } END { print "" }'
}

# Weighted round robin: exact, since each turn of a round is taken once; one round is 8 turns.
ok 'weighted round robin' asked $MANY /weights/x
is "$(statuses)" "200=$MANY" 'all answered'
is "$(counts)" '1250 2500 6250 0' 'by weight, to the request'
is "$(requests_of weights)" '1250 2500 6250 0' 'and so says the board'
asked 16 /weights/x -c 1
is "$(cut -f 2 "$T/answers" | tr -d '\n')" "$(cut -f 2 "$T/answers" | head -n 8 | tr -d '\n' | sed 's/.*/&&/')" 'each round is like the one before'
unlike "$(cut -f 2 "$T/answers" | tr -d '\n')" '2222' 'and the turns of a heavy peer do not come in a row'

# Least connections, one request at a time: to the request. Beside a peer that has something in hand the others take turns.
tell_peers reset >/dev/null
ok 'one at a time' asked 300 /least/x -q
is "$(counts)" '100 100 100 0' 'equal peers take turns'
spawn busy curl -sS -m 600 -o /dev/null "http://127.0.0.1:$PORT/least/for/600000"
BUSY=$PID
in_hand() { [ "$(counts 3 | tr -d ' 0')" = "$1" ]; }
ok 'one is busy' wait_for 10 in_hand 1
tell_peers reset >/dev/null
ok 'one at a time' asked 300 /least/x -q
is "$(counts | tr ' ' '\n' | sort -n | tr '\n' ' ')" '0 0 150 150 ' 'the others take turns'
kill "$BUSY"
ok 'none is busy' wait_for 10 in_hand ''
# Many at a time: equal peers share, though not evenly, as one whose answers a worker that stands still has not taken is busy meanwhile; one
# that takes a second longer has as many in hand as others, which are soon a small part.
tell_peers reset >/dev/null
ok 'least connections' asked $MANY /least/x
is "$(statuses)" "200=$MANY" 'all answered'
for n in $(counts | cut -d ' ' -f 1-3); do cmp_ok "$n" -gt $((MANY / 10)) "a good part each: $n"; done
is "$(counts | cut -d ' ' -f 4)" 0 'nothing for the backup'
tell_peers reset >/dev/null
tell_peers delay/1/1000 >/dev/null
ok 'with a slow peer' asked $MANY /least/x
read -r a b c d < <(counts)
cmp_ok "$b" -lt $((MANY / 10)) "it gets little: $a $b $c"
cmp_ok $((a < c ? a : c)) -gt $((MANY / 5)) 'the others share'
is "$d" 0 'nothing for the backup'
cmp_ok "$(counts 4 | cut -d ' ' -f 2)" -le 8 'no more in its hands than in those of others'

# Least time: the slow one gets less than by connections, and recovers when it is fast again.
tell_peers delay/1/300 >/dev/null
tell_peers reset >/dev/null
ok 'least time' asked $MANY /time/x
is "$(statuses)" "200=$MANY" 'all answered'
read -r a b c d < <(counts)
cmp_ok "$b" -lt $((MANY / 50)) "the slow one gets hardly any: $a $b $c"
cmp_ok "$b" -gt 0 'but it is tried'
# Not before the answers for which the machine stood still are forgotten.
share() {
	tell_peers reset >/dev/null
	asked 2000 /time/x
	read -r a b c d < <(counts)
	[ $((a < c ? a : c)) -gt 400 ]
}
ok 'the others share' wait_for 20 share || diag "$a $b $c"
tell_peers delay/1/0 >/dev/null
tell_peers reset >/dev/null
recovered() {
	asked 1000 /time/x
	[ "$(counts | cut -d ' ' -f 2)" -gt 300 ]
}
ok 'it recovers' wait_for 20 recovered
# One that has never answered gets one request, not all: here by clients that give up.
tell_peers delay/0/300 >/dev/null
asked 20 /one/x -c 20
is "$(statuses)" '200=20' 'the only peer gets all'
tell_peers delay/0/0 >/dev/null

stop_drover
stop_peers
done_testing
