#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
# Active checks: what is asked, what counts as well, fall and rise; all down is an honest 503; what a stopped prober knew grows old.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/http.sh"
. "$(dirname "$0")/health.sh"

moody a
moody b
moody c "unix:$T/c.sock"
DEAD=127.0.0.1:$(free_port)
allow_log 'peer .* of upstream'
start_drover <<EOF
workers = 2
hang = 0
upstream "http" {
    check { path = "/healthz"  interval = 100ms  timeout = 300ms  fall = 3  rise = 2 }
    peer "$PEER_a" { }
    peer "$PEER_b" { }
    peer "$PEER_c" { }
}
upstream "patient" {
    check { path = "/healthz"  interval = 100ms  timeout = 10s  fall = 3  rise = 2 }
    peer "$PEER_a" { }
    peer "$PEER_b" { }
    peer "$PEER_c" { }
}
upstream "text" {
    check { path = "/healthz"  host = "health.example"  status = { "200", "204" }  body = "all well"
            interval = 100ms  timeout = 300ms  fall = 1  rise = 1 }
    peer "$PEER_a" { }
}
upstream "tcp" {
    check { interval = 100ms  timeout = 300ms  fall = 2  rise = 1 }
    peer "$DEAD" { }
    peer "$PEER_b" { }
}
upstream "port" {
    check { interval = 100ms  timeout = 300ms  fall = 2  port = ${DEAD##*:} }
    peer "$PEER_a" { }
}
server "site" {
    listen = { "127.0.0.1:0" }
    location "/" { proxy = "http" }
    location "/patient/" { proxy = "patient" }
    location "/text/" { proxy = "text" }
    location "/tcp/" { proxy = "tcp" }
    location "/port/" { proxy = "port" }
}
EOF

ok 'there is a prober' wait_for 10 prober_runs
like "$(tr '\0' ' ' <"/proc/$(prober_pid)/cmdline")" 'drover: prober gen 1' 'it says so in ps'
expect_state http "$PEER_a" up
expect_stat "peer.patient/$PEER_a.checks" -ge 2
like "$(ctl stat -a "peer.patient/$PEER_a.check_state")" up 'and the checks say that it is'
expect_state tcp "$DEAD" 'down (check)'
expect_state tcp "$PEER_b" up
is "$(answers /tcp/ 10)" b:10 'a connection that is refused: no request goes there'
expect_state port "$PEER_a" 'down (check)'
pass 'a port of its own is asked'

# The body.
expect_state text "$PEER_a" 'down (check)'
for mood in 'text it is all well here' 'chunked and it is all well here' 'close ok: all well' 'hint all well'; do
	feels a health "$mood"
	expect_state text "$PEER_a" up
	feels a health text bad
	expect_state text "$PEER_a" 'down (check)'
done
like "$(ctl peer text "$PEER_a" -j)" '"check_reason":"body lacks the text"' 'why stands in JSON'
feels a health status 204
checks=$(stat_of "peer.text/$PEER_a.checks")
expect_stat "peer.text/$PEER_a.checks" -ge $((checks + 3))
# By then it would be up, and stay so.
ok 'a status of the range without the body is none' wait_for 10 state_is text "$PEER_a" 'down (check)'
feels a health

# Fall and rise; where a machine with other things to do does not make a check wait for too long.
falls() { # UPSTREAM PATH MOOD
	feels b health "$3"
	expect_state "$1" "$PEER_b" 'down (check)'
	is "$(answers "$2" 12 | tr ' ' '\n' | grep -c b)" 0 "$3: no request goes there"
	feels b health
	expect_state "$1" "$PEER_b" up
}
for mood in 'status 503' garbage drop; do falls patient /patient/ "$mood"; done
log() {
	grep "peer $PEER_b of upstream .*$1" "$T/stderr"
}
is "$(log 'patient.* failed a check: ' | wc -l)" 3 'the first of each row is warned of, once'
like "$(log patient)" 'is down: 3 checks failed in a row, the last one: unwanted status 503' 'why it fell'
like "$(log patient)" 'the last one: bad response: status line' 'garbage is told'
like "$(log patient)" 'the last one: closed early' 'a closed connection is told'
three_returns() {
	[ "$(log patient | grep -c 'is up again')" -eq 3 ]
}
ok 'it is told of each return' wait_for 10 three_returns
like "$(log patient)" 'is up again: 2 checks in a row were well' 'and why'
expect_stat "peer.patient/$PEER_b.check_falls" -eq 3
# Its peer may have been down in none or all of these, too.
expect_state http "$PEER_b" up
fell=$(stat_of "peer.http/$PEER_b.check_falls")
falls http / hang
like "$(log http)" 'the last one: no answer in time' 'a time-out is told'
cmp_stat "peer.http/$PEER_b.check_falls" -gt "$fell" 'and counted'

# All down.
for peer in a b c; do feels "$peer" health status 500; done
for peer in "$PEER_a" "$PEER_b" "$PEER_c"; do expect_state http "$peer" 'down (check)'; done
expect_state patient "$PEER_a" 'down (check)'
curl -s -m $((20 * WAIT_FACTOR)) -D "$T/head" -o /dev/null "http://127.0.0.1:$PORT/"
like "$(cat "$T/head")" '^HTTP/1.1 503 ' 'all peers down: 503'
like "$(cat "$T/head")" 'Retry-After: [1-9]' 'with Retry-After'
like "$(ctl doctor -i 0.1 2>&1)" 'Upstreams without a peer that takes requests: .*http' 'doctor knows'
like "$(ctl status -H)" 'of upstream http is down by its checks: unwanted status 500' 'status says it'
like "$(ctl doctor -i 0.1 2>&1)" 'down by their checks: .*unwanted status 500' 'and why'

# A prober that hangs: what it knew counts no longer than it says.
OLD=$(prober_pid)
kill -STOP "$OLD"
for peer in "$PEER_a" "$PEER_b" "$PEER_c"; do expect_state http "$peer" up; done
is "$(answers / 6)" 'a:2 b:2 c:2' 'what a stopped prober knew grows old: requests go there again'
kill -CONT "$OLD"
expect_state http "$PEER_a" 'down (check)'

# One that dies is started again, and goes on with what was known.
allow_log 'the prober \(pid'
kill -KILL "$OLD"
ok 'a prober that dies is replaced' wait_for 10 prober_runs "$OLD"
expect_stat master.prober_deaths -eq 1
# Of peers whose checks may take long, for long enough.
ok 'what it knew is gone on with' state_is patient "$PEER_a" 'down (check)'
for peer in a b c; do feels "$peer" health; done
for peer in "$PEER_a" "$PEER_b" "$PEER_c"; do expect_state http "$peer" up; done
stop_drover
end_peers
done_testing
