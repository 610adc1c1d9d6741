#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
# Workers die while connections move between them: while they hand over, while they receive, while one takes over. No
# connection is served by two, and at most those in flight are lost.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/takeover.sh"

allow_log 'worker [0-9]+ \(pid [0-9]+, generation [0-9]+\) killed by signal 9 \(KILL\)'
make_site
site
start_drover
learn_waiting
expect_standbys
fds_mark

# pick DRAINING|READY: a worker of that kind, if there is one.
pick() {
	ctl workers -H 2>/dev/null | awk -F '\t' -v state="$1" '$3 > 0 && $4 ~ "^" state { print $3 }' | shuf -n 1
}

pause_ms() {
	local end=$(($(now_ms) + $1))
	while [ "$(now_ms)" -lt "$end" ]; do read -r -t 0.002 -u 9; done
}

spawn idle "$BUILD/herd" -Z -c 1500 -n 1500 -i 3600 -p /1k -w "$T/ready" "127.0.0.1:$PORT"
idle=$PID
wait_for 30 test -e "$T/ready" || die 'idle connections'
spawn load "$BUILD/herd" -Z -c 100 -r 500 -d 3600 -p /1k -x "@$T/www/1k" -t 20000 "127.0.0.1:$PORT"
load=$PID
expect_stat conns -eq 1600

kills=0 rounds=12
for n in $(seq $rounds); do
	ctl reload >"$T/reload.out" 2>&1 &
	reload=$!
	pause_ms $((RANDOM % 40))
	victim=$(pick draining)
	[ $((n % 2)) -eq 0 ] || victim=
	[ -n "$victim" ] || victim=$(pick ready)
	[ -z "$victim" ] || wait_for 2 guarded "$victim" || victim=
	if [ -n "$victim" ] && ! is_gone "$victim" && kill -KILL "$victim" 2>/dev/null; then kills=$((kills + 1)); fi
	wait "$reload" || fail "reload $n" "$(cat "$T/reload.out")"
done
diag "$kills kills in $rounds reloads; took over: $(stat_of takeovers)"
cmp_ok "$kills" -ge 6 'workers were killed in the middle of reloads'
only_two() { [ "$(processes worker | wc -l)" -eq 2 ]; }
ok 'the old workers are gone' wait_for 30 only_two
expect_standbys 'after them'
kill -INT "$idle" "$load"
finish "$idle"
finish "$load"
lost=$(($(lost_by idle) + $(lost_by load)))
diag "idle: $(fates_of idle); load: $(fates_of load); lost $lost"
cmp_ok "$lost" -le $((kills * 64)) 'at most those in flight are lost'
is "$(($(count_of idle bad) + $(count_of load bad)))" 0 'no connection is served by two'
expect_stat conns -eq 0
expect_stat buffers -eq 0
fds_check 4

# A worker dies, and a reload comes at once: while its standby takes over.
# Answers in several parts do not move: they end where they are.
live all -n 2 -k idle,fresh,head,length,chunked,behind,download,range,heads,waiting,queue,old,linger
for n in 1 2 3; do
	pid=$(pid_of $((n % 2)))
	learn=$(stat_of takeovers)
	wait_for 10 guarded
	wait_for 10 catch_waiting "$pid" || fail 'the worker comes to rest'
	kill -KILL "$pid"
	ok "reload $n, together with a death" ctl reload
	cmp_stat takeovers -gt "$learn" 'the standby had taken over'
	say all step
done
ends all 'connections of every kind live through both'
expect_standbys
is_stat drained_forced 0 'nothing was cut'

# The number of workers shrinks, and who leaves dies on the way; then all stop.
spawn idle "$BUILD/herd" -Z -c 300 -n 300 -i 3600 -p /1k -w "$T/ready3" "127.0.0.1:$PORT"
idle=$PID
wait_for 30 test -e "$T/ready3"
held=$(stat_of conns)
wait_for 10 guarded
kill -STOP "$(pid_of 0)" # whom connections are to move to
victim=$(pid_of 1)
kill -TTOU "$DROVER_PID"
draining() { [ -n "$(pick draining)" ]; }
ok 'a worker is to leave' wait_for 10 draining
kill -KILL "$victim"
kill -CONT "$(pid_of 0)"
ok 'it leaves, in its standby' wait_stat master.workers_wanted -eq 1
one() { [ "$(processes worker | wc -l)" -eq 1 ]; }
ok 'one worker is left' wait_for 20 one
# Who stood still has yet to read what was sent to it.
ok 'with all connections but those in flight' wait_stat conns -ge $((held - 64)) 10
diag "$((held - $(stat_of conns))) of $held connections were lost in flight"
kill -INT "$idle"
finish "$idle"
cmp_ok "$(count_of idle closed_idle)" -le 64 'the others never noticed'
done_testing
