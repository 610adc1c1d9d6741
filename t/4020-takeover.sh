#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
# Workers are killed with -9: their standbys go on where they stopped. Connections of every kind that nobody was working
# on lose nothing; under load each kill costs one connection at most, and none that was idle.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/takeover.sh"

allow_log 'worker [01] \(pid [0-9]+, generation 1\) killed by signal 9 \(KILL\); its standby goes on'
make_site
site "access_log = \"$T/access.log\""
start_drover
sockets() {
	local pid n=0
	for pid in $(processes worker); do
		n=$((n + $(find "/proc/$pid/fd" -lname 'socket:*' 2>/dev/null | wc -l)))
	done
	printf '%s' "$n"
}
learn_waiting
expect_standbys
sockets=$(sockets)
curl -sS -o "$T/one" "http://127.0.0.1:$PORT/one"
fds_mark

# Quiet connections: idle, in the middle of heads, bodies, downloads, ranges, refused ones that linger.
live all -n 3
for round in 1 2 3; do
	for slot in 0 1; do quiet_kill KILL $slot; done
	say all step
done
ends all 'connections of every kind do not notice six kills'
is_stat takeovers 6 'six takeovers'
is_stat close_lost 0 'nothing was lost'
is_stat master.worker_deaths 6 'six deaths'
is_stat master.worker_starts 2 'nobody was started anew'
expect_standbys 'after six kills'
expect_stat conns -eq 0
expect_stat buffers -eq 0

# Under load, and with downloads under way: a random worker every 200 ms.
spawn load "$BUILD/herd" -Z -c 400 -r 1500 -d 6 -p /1k -x "@$T/www/1k" -w "$T/ready" -t 10000 "127.0.0.1:$PORT"
load=$PID
head -c 40000000 /dev/urandom >"$T/www/huge"
for n in 1 2 3 4; do
	spawn "download$n" curl -sS -m 60 --limit-rate 6M -o "$T/got.$n" "http://127.0.0.1:$PORT/huge"
	downloads[n]=$PID
done
wait_for 20 test -e "$T/ready" || die 'the load is there'
before=$(stat_of takeovers)
kills=0
down=
counters >"$T/counters.0"
for n in {1..20}; do
	end=$(($(now_ms) + 200))
	wait_for 5 guarded
	pid=$(pid_of $((RANDOM % 2)))
	if [ -n "$pid" ] && ! is_gone "$pid" && kill -KILL "$pid"; then kills=$((kills + 1)); fi
	counters >"$T/counters.1"
	down+=$(went_down "$T/counters.0" "$T/counters.1")
	mv "$T/counters.1" "$T/counters.0"
	while [ "$(now_ms)" -lt "$end" ]; do read -r -t 0.01 -u 9; done
done
finish "$load" 60
broken=0 wrong=0
for n in 1 2 3 4; do
	if ! finish "${downloads[n]}" 60; then broken=$((broken + 1)); elif ! cmp -s "$T/got.$n" "$T/www/huge"; then wrong=$((wrong + 1)); fi
done
expect_stat takeovers -eq $((before + kills))
is "$down" '' 'no counter ever went down'
lost=$(($(lost_by load) + broken))
diag "$kills kills: load $(fates_of load); $broken of 4 downloads broken"
cmp_ok "$kills" -ge 15 'workers were killed'
cmp_ok "$lost" -le "$kills" 'one connection for each kill at most'
is "$(count_of load closed_idle)" 0 'none that was idle'
is "$(count_of load bad) $wrong" '0 0' 'every answer and every download is right'
expect_standbys 'after them'
is_stat master.worker_starts 2 'nobody was started anew'

# What is left when all is over.
expect_stat conns -eq 0
expect_stat conns_idle -eq 0
expect_stat buffers -eq 0
all_ended() {
	[ "$(($(stat_of accepts) + $(stat_of moved_in)))" = "$(ctl stat -a -H | awk -F '\t' '$1 ~ /^close_/ { n += $2 } END { print n }')" ]
}
ok 'every connection has an end' wait_for 5 all_ended
fds_check 4
as_before() { [ "$(sockets)" = "$sockets" ]; }
wait_for 5 as_before
is "$(sockets)" "$sockets" 'no socket is left but those of the beginning'
done_testing
