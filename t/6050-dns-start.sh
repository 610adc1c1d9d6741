#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
# Names of peers: name servers that are silent do not keep drover from starting, nor from reloading; a name that can be looked
# up later is used as soon as it can.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/http.sh"
. "$(dirname "$0")/dns.sh"

conf() {
	config <<-EOT
		workers = 2
		resolve { servers = { "$DNS" }  min = 200ms  max = 1s  timeout = 300ms }
		upstream "named" { peer "one.example:$PEERS" { } $1 }
		upstream "plain" { peer "127.0.0.1:$PEERS" { } }
		server "s" {
		    listen = { "127.0.0.1:0" }
		    location "/" { proxy = "named" }
		    location "/plain/" { proxy = "plain"  rewrite = "/" }
		}
	EOT
}

start_peers 127.0.0.1 127.0.0.2
zone <<<'* silent'
start_dns
conf ''
before=$(now_ms)
start_drover
cmp_ok $(($(now_ms) - before)) -lt $((8000 * WAIT_FACTOR)) 'it starts while the name servers are silent'
like "$(cat "$T/stderr")" "'one.example:$PEERS' cannot be resolved" 'and says which name it lacks'
got 'other peers' /plain/name 200 1
got 'nobody to ask' /name 503 -
is "$(ctl upstreams -H | awk -F '\t' '$1 == "named" { print $3 }')" unresolved 'the peer is unresolved'
ok 'lookups fail' wait_stat "peer.named/one.example:$PEERS.lookup_failures" -gt 0

# A reload meanwhile is not held up for long, and the master goes on watching.
conf 'peer "two.example:'"$PEERS"'" { }'
before=$(now_ms)
ok 'reload' ctl reload
cmp_ok $(($(now_ms) - before)) -lt $((6000 * WAIT_FACTOR)) 'is not held up by silent name servers'
got 'other peers after it' /plain/name 200 1

# The name appears.
zone <<<"one.example A 127.0.0.1 30"
ok 'the name is resolved' wait_for 10 log_has "'one.example:$PEERS' of upstream .named. is 127.0.0.1:$PEERS"
ok 'and its peer used, without a reload' wait_for 5 now_is /name 200 1
is "$(ctl upstreams -H | awk -F '\t' '/one.example/ { print $3 }')" up 'it is up'
is "$(ctl upstreams -H | awk -F '\t' '/two.example/ { print $3 }')" unresolved 'the other name still is not'
like "$(ctl upstreams)" "one.example:$PEERS [(]127.0.0.1[)]" 'droverctl upstreams has the address'
zone <<<'two.example A 127.0.0.2 30
one.example A 127.0.0.1 30'
ok 'nor kept waiting for' wait_for 10 now_is /name 200 2
cmp_ok "$(grep -c 'cannot be resolved' "$T/stderr")" -le 4 'each is complained of once a load'
stop_drover
end_helpers
done_testing
