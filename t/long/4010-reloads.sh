#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
# Not part of the ordinary run: ten thousand keep-alive connections at two thousand requests a second, a hundred reloads.
#   BUILD=build t/long/4010-reloads.sh [CONNECTIONS [RATE [RELOADS]]]
# It prints figures: the longest answer before and during the reloads, and how long old workers stayed.
. "$(dirname "$0")/../lib.sh"
. "$(dirname "$0")/../live.sh"

CONNECTIONS=${1:-10000} RATE=${2:-2000} RELOADS=${3:-100}
ulimit -Sn "$(ulimit -Hn)"
live_site 2
sed -i "s/^worker_connections = .*/worker_connections = $((CONNECTIONS + 1000))/" "$T/drover.conf"
start_drover
TO=("127.0.0.1:$PORT")
allow_log 'RLIMIT_NOFILE'
fds_mark

herd() {
	spawn "$1" "$BUILD/herd" -Z -c "$CONNECTIONS" -k 5000 -r "$RATE" -d "$2" -t 10000 -w "$T/$1.ready" -p /1k "127.0.0.1:$PORT"
	HERD=$PID
	wait_for 60 test -e "$T/$1.ready" || die "$1: $CONNECTIONS connections" "$(cat "$T/$1.err")"
}

figure() {
	awk -v name="$2" '$1 == name { print $2 }' "$T/$1.out"
}

herd calm 20
finish "$HERD" 60
is "$STATUS" 0 'without a reload: nothing failed' || diag "$(cat "$T/calm.out")"
expect_stat conns -eq 0

herd storm 600
live all -n 2 -k "$KINDS"
longest=0 total=0
for ((round = 1; round <= RELOADS; round++)); do
	mapfile -t old < <(worker_pids)
	start=$(now_ms)
	ctl reload >"$T/reload.out" 2>&1 || fail "reload $round" "$(cat "$T/reload.out")"
	done_ms=$(now_ms)
	wait_for 10 all_gone "${old[@]}" || fail "reload $round: the old workers are gone" "$(ctl status)"
	took=$(($(now_ms) - done_ms))
	total=$((total + done_ms - start))
	[ $took -le $longest ] || longest=$took
	[ $((round % 5)) -ne 0 ] || say all step
	wait_for 1 false
done
cmp_ok "$longest" -le 1000 "old workers are gone within a second of each of $RELOADS reloads (at most $longest ms; a reload took $((total / RELOADS)) ms)"
ends all 'connections of every kind lived through all of them, every answer was right'
kill -TERM "$HERD"
finish "$HERD" 60
is "$STATUS" 0 "$CONNECTIONS connections, $RATE requests a second: no request failed, no connection was closed"
calm=$(figure calm max_us) storm=$(figure storm max_us)
cmp_ok $((storm - calm)) -lt 100000 "the longest answer took less than 100 ms more ($storm us, without reloads $calm us)"
diag "without reloads:"
diag "$(cat "$T/calm.out")"
diag "with reloads:"
diag "$(cat "$T/storm.out" "$T/storm.err")"
diag "$(ctl stat moved_in close_moved moved_refused drained_idle drained_finished drained_forced)"
is_stat moved_refused 0 'none was refused'
expect_stat conns -eq 0
fds_check 4
done_testing
