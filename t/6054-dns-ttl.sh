#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
# How often name servers are asked, and which of several addresses is used: TTLs and their bounds, aliases, answers that need TCP.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/http.sh"
. "$(dirname "$0")/dns.sh"

start_peers 127.0.0.1 127.0.0.2
zone <<EOF
zero.example A 127.0.0.1 0
long.example A 127.0.0.1 86400
alias.example CNAME target.example 0
target.example A 127.0.0.1 86400
many.example A 127.0.0.1 1
large.example truncate
large.example A 127.0.0.1 30
EOF
start_dns
START=$(now_ms)
start_drover <<EOF
workers = 1
resolve { servers = { "$DNS" }  min = 500ms  max = 5m  timeout = 20s }
upstream "zero" { peer "zero.example:$PEERS" { } }
upstream "long" { peer "long.example:$PEERS" { } }
upstream "alias" { peer "alias.example:$PEERS" { } }
upstream "many" { peer "many.example:$PEERS" { } }
upstream "large" { peer "large.example:$PEERS" { } }
server "s" {
    listen = { "127.0.0.1:0" }
    location "/zero/" { proxy = "zero"  rewrite = "/" }
    location "/long/" { proxy = "long"  rewrite = "/" }
    location "/alias/" { proxy = "alias"  rewrite = "/" }
    location "/many/" { proxy = "many"  rewrite = "/" }
    location "/large/" { proxy = "large"  rewrite = "/" }
}
EOF
for name in zero long alias many large; do got "$name" "/$name/name" 200 1; done
like "$(cat "$T/dns.out")" 'question large.example A tcp' 'a truncated answer is asked for by TCP'

# A second address comes, and in front: the first is still good. Then it is not.
zone <<EOF
zero.example A 127.0.0.1 0
alias.example CNAME target.example 0
target.example A 127.0.0.1 86400
many.example A 127.0.0.2 1
many.example A 127.0.0.1 1
EOF
n=$(questions many.example)
ok 'asked again' wait_for 10 asked_more_than many.example $((n + 1))
got 'the address in use stays while it is one of them' /many/name 200 1
zone <<EOF
zero.example A 127.0.0.1 0
alias.example CNAME target.example 0
target.example A 127.0.0.1 86400
many.example A 127.0.0.2 1
EOF
ok 'else another one takes its place' wait_for 10 now_is /many/name 200 2

ok 'a TTL of 0 is asked again' wait_for 10 asked_more_than zero.example 5
zero=$(questions zero.example) alias=$(questions alias.example) long=$(questions long.example)
elapsed=$(($(now_ms) - START))
# One by the master and one by the prober at the start; each later one has waited for 500 ms.
cmp_ok "$zero" -le $((2 + elapsed / 500)) 'but not before min is over'
cmp_ok "$alias" -ge 3 'the TTL of an alias counts'
is "$long" 2 'a long TTL is not'
stop_drover
end_helpers
done_testing
