#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
# For a machine that has time, outside of make check: kill -9 of a random worker every 200 ms for 20 s, under 10,000
# keep-alive connections with 2,000 requests a second in all. It says what it measured.
. "$(dirname "$0")/../lib.sh"
. "$(dirname "$0")/../takeover.sh"

[ "$(ulimit -Hn)" = unlimited ] || [ "$(ulimit -Hn)" -ge 12000 ] || skip_all 'too few descriptors'
ulimit -n "$(ulimit -Hn)"
allow_log 'worker [0-9]+ \(pid [0-9]+, generation 1\) killed by signal 9 \(KILL\); its standby goes on'
make_site
CONNECTIONS=12000 site
start_drover
learn_waiting
expect_standbys
spawn load "$BUILD/herd" -Z -c 10000 -r 2000 -d 30 -p /1k -x "@$T/www/1k" -w "$T/ready" -t 20000 "127.0.0.1:$PORT"
load=$PID
wait_for 60 test -e "$T/ready" || die '10,000 connections'

pss() {
	awk '$1 == "Pss:" { print $2 * 1024 }' "/proc/$1/smaps_rollup"
}
diag "with $(stat_of conns) connections: PSS of worker 0 $(pss "$(pid_of 0)"), of its standby $(pss "$(standby_of 0)") bytes"
kills=0 down=
counters >"$T/counters.0"
began=$(now_ms)
while [ $(($(now_ms) - began)) -lt 20000 ]; do
	end=$(($(now_ms) + 200))
	pid=$(pid_of $((RANDOM % 2)))
	if [ -n "$pid" ] && ! is_gone "$pid" && kill -KILL "$pid"; then kills=$((kills + 1)); fi
	counters >"$T/counters.1"
	down+=$(went_down "$T/counters.0" "$T/counters.1")
	mv "$T/counters.1" "$T/counters.0"
	while [ "$(now_ms)" -lt "$end" ]; do read -r -t 0.01 -u 9; done
done
finish "$load" 120
expect_stat takeovers -eq "$kills"
lost=$(lost_by load)
diag "$kills kills: $(fates_of load); p99 $(count_of load p99_us) us, longest $(count_of load max_us) us"
cmp_ok "$kills" -ge 60 'workers were killed'
cmp_ok "$lost" -le "$kills" 'one connection for each kill at most'
is "$(count_of load closed_idle)" 0 'none that was idle'
is "$(count_of load bad)" 0 'every answer is right'
is "$down" '' 'no counter ever went down'
expect_standbys 'after them'
is_stat master.worker_starts 2 'nobody was started anew'
expect_stat conns -eq 0
done_testing
