#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
# Rebalancing: idle connections move from a worker with many to others, and clients notice nothing; a drain that begins
# meanwhile, or a death, does not mind; unasked where the configuration says so.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/takeover.sh"

make_site
WORKERS=3 site
start_drover
expect_standbys

# spread: the fewest and the most connections of a worker.
spread() {
	ctl workers -H | awk -F '\t' '$4 == "ready" { print $6 }' | sort -n | sed -n '1p;$p' | tr '\n' ' '
}

is_even() {
	local fewest most
	read -r fewest most <<<"$(spread)"
	[ $(((most - fewest) * 10)) -le "$most" ] || [ $((most - fewest)) -lt 16 ]
}

workers_are() {
	[ "$(stat_of master.workers_wanted)" -eq "$1" ] && [ "$(processes worker | wc -l)" -eq "$1" ]
}

# crowd: all connections to one worker.
crowd() {
	kill -TTOU "$DROVER_PID"
	wait_for 10 workers_are 2 || fail 'two workers'
	kill -TTOU "$DROVER_PID"
	wait_for 10 workers_are 1 || fail 'one worker'
	kill -TTIN "$DROVER_PID"
	wait_for 10 workers_are 2 || fail 'two workers again'
	kill -TTIN "$DROVER_PID"
	wait_for 10 workers_are 3 || fail 'three workers again'
}

spawn idle "$BUILD/herd" -Z -c 600 -n 600 -i 3600 -p /1k -w "$T/ready" "127.0.0.1:$PORT"
idle=$PID
wait_for 20 test -e "$T/ready" || die 'idle connections'
fds_mark
crowd
is "$(spread)" '0 600 ' 'all connections are with one worker'
moved=$(stat_of moved_in)
ok 'rebalance' ctl rebalance
like "$(cat "$T/.ok")" '^rebalanced: 400 connections moved' 'it says how many'
is "$(spread)" '200 200 ' 'all workers have the same number'
is_stat master.rebalances 1 'counted'
is_stat master.rebalanced 400 'with the connections'
is "$(ctl stat -H master.rebalance_result | cut -f 2)" ok 'the result on the board'
is_stat moved_in $((moved + 400)) 'the takers count them'
ok 'once more' ctl rebalance
like "$(cat "$T/.ok")" '^rebalanced: 0 connections moved' 'there is nothing to do'
is "$(ctl -j rebalance | sed -n 's/.*"result":"\([a-z]*\)".*"moved":\([0-9]*\).*/\1 \2/p')" 'ok 0' 'as JSON'
expect_standbys

# The connections are good: each serves on, busy ones included, while it goes to and fro.
# Answers in several parts do not move.
live all -n 2 -k idle,fresh,head,length,chunked,behind,download,range,queue,old,linger
crowd
spawn load "$BUILD/herd" -Z -c 90 -r 900 -d 3600 -p /1k -x "@$T/www/1k" -w "$T/ready2" "127.0.0.1:$PORT"
load=$PID
wait_for 20 test -e "$T/ready2"
ok 'rebalance under load' ctl rebalance
say all step
ok 'the workers are even' is_even
diag "spread $(spread)"
crowd
ok 'rebalance once more' ctl rebalance
ok 'the workers are even' is_even
say all step
kill -TERM "$load"
finish "$load" 30
is "$STATUS" 0 "the load notices nothing: $(fates_of load)"

# A reload in the middle of it, and a taker that does not answer for a while.
crowd
kill -RTMIN "$DROVER_PID"
ok 'a reload together with it' ctl reload
ends all 'connections of every kind are served on'
ok 'and again' ctl rebalance
ok 'the workers are even' is_even
crowd
kill -STOP "$(pid_of 1)"
kill -RTMIN "$DROVER_PID"
count=$(stat_of master.rebalances)
kill -CONT "$(pid_of 1)"
wait_stat master.rebalances -gt "$count"
expect_standbys
kill -INT "$idle"
finish "$idle"
is "$(count_of idle closed_idle)" 0 'no idle connection was closed, or noticed anything'
expect_stat conns -eq 0

# Unasked.
sed -i '1i rebalance = true' "$T/drover.conf"
ok 'reload' ctl reload
spawn idle2 "$BUILD/herd" -Z -c 300 -n 300 -i 3600 -p /1k -w "$T/ready3" "127.0.0.1:$PORT"
idle=$PID
wait_for 20 test -e "$T/ready3"
crowd
ok 'rebalance = true: even before long' wait_for 15 is_even
kill -INT "$idle"
finish "$idle"
is "$(count_of idle2 closed_idle)" 0 'unnoticed, too'
is_stat master.gossip 0 'nobody talked nonsense'

# A board of a program that does not know it.
sed 's/rebalances/rebalancez/g' "$RUN/drover.board" >"$T/other.board"
"$BUILD/droverctl" --board "$T/other.board" rebalance >"$T/out" 2>&1
is "$?" 2 'a master of another version is not signalled'
like "$(cat "$T/out")" 'cannot do it' 'and droverctl says why'
done_testing
