#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
# Peers that fail requests are left alone, longer each time; so are those with too many errors; a third of the pool is kept; who
# comes back begins slowly.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/http.sh"
. "$(dirname "$0")/health.sh"

moody a
moody b
moody c
allow_log 'peer .* of upstream'
start_drover <<EOT
workers = 2
upstream "rows" {
    retries = 1
    eject_max = 8s
    peer "$PEER_a" { max_fails = 1  fail_time = 2s }
    peer "$PEER_b" { max_fails = 1  fail_time = 2s }
    peer "$PEER_c" { max_fails = 1  fail_time = 2s }
}
upstream "rate" {
    error_rate = 50  error_window = 60s  error_requests = 10
    peer "$PEER_a" { fail_time = 1h }
    peer "$PEER_b" { fail_time = 1h }
}
upstream "slow" {
    slow_start = 1h
    peer "$PEER_a" { max_fails = 1  fail_time = 100ms }
    peer "$PEER_b" { max_fails = 1  fail_time = 100ms }
}
upstream "long" {
    retries = 1
    peer "$PEER_a" { max_fails = 1  fail_time = 1h }
    peer "$PEER_b" { max_fails = 1  fail_time = 1h }
    peer "$PEER_c" { max_fails = 1  fail_time = 1h }
}
upstream "last" {
    retries = 1
    peer "$PEER_a" { max_fails = 1  fail_time = 1h }
    peer "$PEER_b" { max_fails = 1  fail_time = 1h }
    peer "$PEER_c" { max_fails = 1  fail_time = 1h }
}
server "site" {
    listen = { "127.0.0.1:0" }
    location "/" { proxy = "rows" }
    location "/rate/" { proxy = "rate" }
    location "/slow/" { proxy = "slow" }
    location "/long/" { proxy = "long" }
    location "/last/" { proxy = "last" }
}
EOT

others_serve() { answers /long/ 3 >/dev/null; state_is long "$PEER_c" ejected; }

# Failures in a row.
feels a serve drop
is "$(answers / 30 | grep -o 'a:' | wc -l)" 0 'each request finds a peer that is well'
ROW="peer.rows/$PEER_a"
# Requests come all the time: when it is back, one finds it before it has been well for long.
spawn press "$BUILD/herd" -c 2 -r 50 -d 3600 -p / "127.0.0.1:$PORT"
PRESS=$PID
ok 'it is left alone' wait_stat "$ROW.ejections" -ge 1
ok 'and again' wait_stat "$ROW.ejections" -ge 2
ok 'and again' wait_stat "$ROW.ejections" -ge 3
kill "$PRESS"
finish "$PRESS"
is "$(grep "peer $PEER_a of upstream .*rows.* is left alone for" "$T/stderr" | sed 's/.* for \([0-9]*\) ms: .*/\1/' | head -3 | tr '\n' ' ')" \
	'2000 4000 8000 ' 'twice as long each time'
cmp_stat "$ROW.eject_series" -ge 3 'the series is on the board'
ok 'droverctl peer up forgives' ctl peer rows "$PEER_a" up
is "$(stat_of "$ROW.eject_series") $(stat_of "$ROW.fails")" '0 0' 'all of it'
feels a serve
is "$(answers / 30)" 'a:10 b:10 c:10' 'all peers serve again'

# Everything fails: a third is kept, and each request is answered at once.
for peer in a b c; do feels "$peer" serve drop; done
answers / 60 >/dev/null
gone=$(ctl upstreams -H | awk -F '\t' '$1 == "rows" && $3 == "ejected"' | wc -l)
cmp_ok "$gone" -le 2 'at least one of three is kept'
for peer in a b c; do feels "$peer" serve; done

# Two have been left alone, and the last one fails.
for peer in a b; do feels "$peer" serve drop; done
answers /last/ 12 >/dev/null
answers /long/ 12 >/dev/null
since=${EPOCHREALTIME/./}
for peer in a b; do
	eval "address=\$PEER_$peer"
	expect_state last "$address" ejected
	expect_state long "$address" ejected
	feels "$peer" serve
done
is "$(answers /last/ 12)" 'c:12' 'they are left alone'
feels c serve drop
like "$(answers /last/ 1)" '^[ab]:1$' 'a request that the last one fails goes to one of them'
# Those that have failed in the last second do not come back yet, others do.
long_enough() { [ $((${EPOCHREALTIME/./} - since)) -gt 1100000 ]; }
wait_for 10 long_enough
wait_for 10 others_serve
is "$(answers /long/ 12)" 'a:6 b:6' 'which take its place'
expect_state long "$PEER_c" ejected
feels c serve

# By rate: 503s of the peer itself.
feels a serve status 503
rate_ejected() { answers /rate/ 10 >/dev/null; state_is rate "$PEER_a" ejected; }
ok 'too many errors among its requests' wait_for 10 rate_ejected
like "$(cat "$T/stderr")" "peer $PEER_a of upstream .*rate.* too many errors among its requests" 'is said'
is "$(answers /rate/ 10)" b:10 'the other one serves'
feels b serve status 503
answers /rate/ 40 >/dev/null
isnt "$(state_of rate "$PEER_b")" ejected 'the last one is kept'
feels a serve
feels b serve

# Slow start: after an ejection, and for one that is new in a reload.
is "$(answers /slow/ 20)" 'a:10 b:10' 'at the start nobody is slow'
feels a serve drop
slow_ejected() { answers /slow/ 4 >/dev/null; stat_is "peer.slow/$PEER_a.ejections" -ge 1; }
ok 'one of them is left alone' wait_for 10 slow_ejected
feels a serve
ok 'and back' wait_for 10 state_is slow "$PEER_a" up
few() { # of 110 requests one in eleven, since a tenth of the weight competes with a whole one
	local n
	n=$(answers /slow/ 110 | tr ' ' '\n' | sed -n "s/^$1://p")
	cmp_ok "${n:-0}" -ge 5 "$2: it gets requests"
	cmp_ok "${n:-0}" -le 15 "$2: but few"
}
few a 'after an ejection'
sed -i "s,slow_start = 1h,& peer \"$PEER_c\" { }," "$T/drover.conf"
ok 'reload' ctl reload
few c 'new in a reload'
ok 'down' ctl peer slow "$PEER_b" down
ok 'up' ctl peer slow "$PEER_b" up
n=$(answers /slow/ 120 | tr ' ' '\n' | sed -n 's/^b://p')
cmp_ok "${n:-0}" -le 60 'up by droverctl: all three are slow alike'
stop_drover
end_peers
done_testing
