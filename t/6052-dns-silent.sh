#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
# The last good address of a name stays in use whatever the name servers do, over reloads, over an upgrade to a program with another
# board, and when the prober dies.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/http.sh"
. "$(dirname "$0")/dns.sh"

NEXT=$BUILD/next/drover
[ -x "$NEXT" ] || skip_all 'make tools builds the other program'
mkdir "$T/bin"
cp "$BUILD/drover" "$T/bin/drover"
cp "$BUILD/droverctl" "$T/bin/droverctl"
BUILD=$T/bin

start_peers 127.0.0.1
zone <<<'api.example A 127.0.0.1 1'
start_dns
PEER=peer.api/api.example:$PEERS
allow_log 'the prober .* was killed'
start_drover <<EOF
workers = 1
resolve { servers = { "$DNS" }  min = 200ms  max = 1s  timeout = 200ms }
upstream "api" {
    peer "api.example:$PEERS" { }
}
server "s" {
    listen = { "127.0.0.1:0" }
    location "/" { proxy = "api" }
}
EOF
ok 'the address' wait_for 10 now_is /name 200 1
ok 'it is on the board' wait_for 5 address_is "127.0.0.1:$PEERS"

failures() {
	stat_of "$PEER.lookup_failures"
}
for how in servfail nxdomain garbage silent; do
	zone <<<"api.example $how"
	before=$(failures)
	ok "$how: lookups fail" wait_stat "$PEER.lookup_failures" -gt $((before + 1)) 20
	got "$how" /name 200 1
	ok "$how: the address stays" address_is "127.0.0.1:$PEERS"
done
# It has failed before, and been well again, where the machine stood still for longer than lookups may take.
before=$(grep -c 'can be resolved again' "$T/stderr")
is "$(grep -c 'cannot be resolved .* going on with 127.0.0.1' "$T/stderr")" $((before + 1)) 'the first failure is said, and no other'
like "$(ctl upstreams -j)" '"resolve_error":"[^"]' 'droverctl upstreams says why'

before=$(now_ms)
ok 'reload while they are silent' ctl reload
cmp_ok $(($(now_ms) - before)) -lt $((5000 * WAIT_FACTOR)) 'is not held up'
got 'after it' /name 200 1
prober=$(stat_of master.prober_pid)
kill -KILL "$prober"
ok 'the prober dies, and another one comes' wait_stat master.prober_deaths -eq 1
ok 'of which there is one' wait_stat master.prober_pid -gt 0
got 'after it' /name 200 1
ok 'the address stays' address_is "127.0.0.1:$PEERS"

# Another program, another board.
cp "$NEXT" "$T/bin/new" && mv "$T/bin/new" "$T/bin/drover"
ok 'upgrade while they are silent' ctl upgrade
got 'after it' /name 200 1
ok 'the address has moved to the other board' address_is "127.0.0.1:$PEERS"
before=$(failures)
ok 'there is a prober' wait_stat "$PEER.lookup_failures" -gt "$before" 20
got 'and then' /name 200 1

zone <<<'api.example A 127.0.0.1 1'
ok 'it can be resolved again' wait_for 20 log_has 'can be resolved again'
stop_drover
end_helpers
done_testing
