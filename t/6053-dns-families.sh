#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
# Names with addresses of both families or of one: the other family is tried when the first refuses. The hosts file.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/http.sh"
. "$(dirname "$0")/dns.sh"

[ -e /proc/net/if_inet6 ] && grep -q ' lo$' /proc/net/if_inet6 || skip_all 'no IPv6 here'
start_peers 127.0.0.1
spawn peer6 "$PYTHON" "$ROOT/t/tools/backend.py" '::1:0' 6
HELPERS+=("$PID")
wait_for 10 grep -qs '^listening' "$T/peer6.out" || die 'peer 6' "$(cat "$T/peer6.err")"
PORT6=$(awk '$1 == "listening" { sub(/.*:/, "", $2); print $2 }' "$T/peer6.out")
zone <<EOF
both.example A 127.0.0.1 30
both.example AAAA ::1 30
only4.example A 127.0.0.1 30
only6.example AAAA ::1 30
EOF
printf '127.0.0.1 hosted.example\n' >"$T/hosts"
export CARES_HOSTS=$T/hosts
start_dns
allow_log 'peer .* of upstream'
start_drover <<EOF
workers = 1
resolve { servers = { "$DNS" }  min = 200ms  max = 1s }
upstream "both4" { peer "both.example:$PEERS" { max_fails = 0 } }
upstream "both6" { peer "both.example:$PORT6" { max_fails = 0 } }
upstream "only4" { peer "only4.example:$PEERS" { max_fails = 0 } }
upstream "only6" { peer "only6.example:$PORT6" { max_fails = 0 } }
upstream "wrong" { peer "only6.example:$PEERS" { max_fails = 0 } }
upstream "hosted" { peer "hosted.example:$PEERS" { max_fails = 0 } }
server "s" {
    listen = { "127.0.0.1:0" }
    location "/both4/" { proxy = "both4"  rewrite = "/" }
    location "/both6/" { proxy = "both6"  rewrite = "/" }
    location "/only4/" { proxy = "only4"  rewrite = "/" }
    location "/only6/" { proxy = "only6"  rewrite = "/" }
    location "/wrong/" { proxy = "wrong"  rewrite = "/" }
    location "/hosted/" { proxy = "hosted"  rewrite = "/" }
}
EOF
fds_mark
got 'both, IPv4 alone listens' /both4/name 200 1
got 'both, IPv6 alone listens' /both6/name 200 6
got 'A alone' /only4/name 200 1
got 'AAAA alone' /only6/name 200 6
got 'no other family' /wrong/name 502 -
is_stat "peer.both4/both.example:$PEERS.connect_failures" 0 'what the other family takes is no failure'
is_stat "peer.both6/both.example:$PORT6.connect_failures" 0 'either way'
is_stat "peer.wrong/only6.example:$PEERS.connect_failures" 2 'a refusal without another family is one'
got 'again, over a kept connection' /both4/name 200 1
cmp_stat "peer.both4/both.example:$PEERS.reused" -ge 1 'to the other address as well'

got 'the hosts file' /hosted/name 200 1
is "$(questions hosted.example)" 0 'what it has is asked of nobody'
lookups=$(stat_of "peer.hosted/hosted.example:$PEERS.lookups")
ok 'it is looked at again' wait_stat "peer.hosted/hosted.example:$PEERS.lookups" -gt "$lookups"
is "$(questions hosted.example)" 0 'and again nobody is asked'
fds_check 8
stop_drover
end_helpers
done_testing
