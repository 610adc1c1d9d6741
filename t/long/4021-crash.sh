#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
# Not part of the ordinary run: ten requests that kill the worker serving them and ten workers stopped, one every six
# seconds (a third within ten would empty the slot), beside ten thousand keep-alive connections with two thousand requests a second in all.
#   make debug && BUILD=build/debug t/long/4021-crash.sh
. "$(dirname "$0")/../lib.sh"
. "$(dirname "$0")/../takeover.sh"

[ "$(ulimit -Hn)" = unlimited ] || [ "$(ulimit -Hn)" -ge 12000 ] || skip_all 'too few descriptors'
ulimit -n "$(ulimit -Hn)"
allow_log 'worker [01] \(pid [0-9]+, generation 1\) killed by signal [0-9]+ \([A-Z]+\)(, as it hung)?; its standby goes on'
allow_log 'hangs: no heartbeat'
make_site
LOCATIONS='location "= /crash" { crash = true }' CONNECTIONS=12000 site 'hang = 1s'
"$BUILD/drover" -t -c "$T/drover.conf" >/dev/null 2>&1 || skip_all 'only a build for tests has a location that crashes'
start_drover
learn_waiting
expect_standbys
spawn load "$BUILD/herd" -Z -c 10000 -r 2000 -d 600 -p /1k -x "@$T/www/1k" -w "$T/ready" -t 20000 "127.0.0.1:$PORT"
load=$PID
wait_for 60 test -e "$T/ready" || die '10,000 connections'
counters >"$T/counters.0"
slowest=0
for ((round = 1; round <= 10; round++)); do
	taken=$(stat_of takeovers)
	curl -s -m 5 "http://127.0.0.1:$PORT/crash" >/dev/null
	wait_stat takeovers -gt "$taken" || fail "crash $round: its standby takes over" "$(tail -n 5 "$T/stderr")"
	wait_for 6 false
	taken=$(stat_of takeovers) start=$(now_ms)
	kill -STOP "$(pid_of $((round % 2)))"
	wait_stat takeovers -gt "$taken" || fail "stop $round: its standby takes over" "$(tail -n 5 "$T/stderr")"
	took=$(($(now_ms) - start))
	[ $took -le $slowest ] || slowest=$took
	wait_for 6 false
done
counters >"$T/counters.1"
kill -TERM "$load"
finish "$load" 120
diag "$(fates_of load); p99 $(count_of load p99_us) us, longest $(count_of load max_us) us"
is_stat takeovers 20 'each had a standby that went on'
is "$(grep -c -E 'it was serving connection [0-9]+ from 127.0.0.1: "GET /crash"' "$T/stderr")" 10 'each request that kills is named'
cmp_ok "$slowest" -le 2000 "a stopped worker is taken over within hang (1 s) and one second (at most $slowest ms)"
is "$(count_of load closed_idle)" 0 'no idle connection was lost'
# A worker may be stopped in the middle of a request; one that crashes takes its own only.
cmp_ok "$(lost_by load)" -le 10 'of the others at most the one in hand when a worker was stopped'
cmp_ok "$(stat_of close_lost)" -le 20 'the board says the same'
is "$(count_of load bad)" 0 'every answer is right'
is "$(went_down "$T/counters.0" "$T/counters.1")" '' 'no counter went down'
expect_standbys 'after them'
expect_stat conns -eq 0
done_testing
