#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
# Not part of the ordinary run: fifty downloads of 50 MB at limited speed, beside a thousand keep-alive connections, over reloads.
#   BUILD=build t/long/4011-downloads.sh [DOWNLOADS [MEGABYTES [RELOADS]]]
. "$(dirname "$0")/../lib.sh"
. "$(dirname "$0")/../live.sh"

DOWNLOADS=${1:-50} MEGABYTES=${2:-50} RELOADS=${3:-15}
ulimit -Sn "$(ulimit -Hn)"
make_site
perl -e 'srand 7; my $b = join "", map { chr rand 256 } 1 .. 1048576; print pack("N", $_), substr $b, 4 for 1 .. shift' "$MEGABYTES" >"$T/www/large"
live_site 2
start_drover
fds_mark

spawn herd "$BUILD/herd" -Z -c 1000 -r 1000 -d 60 -p /1k "127.0.0.1:$PORT"
HERD=$PID
# All of it in about twenty seconds.
command -v curl >/dev/null || skip_all 'there is no curl'
WANT=$(sha1sum <"$T/www/large")
GETS=()
for ((n = 1; n <= DOWNLOADS; n++)); do
	spawn "get$n" sh -c 'curl -sS --limit-rate "$1" "$2" | sha1sum' - $((MEGABYTES * 1048576 / 20)) "http://127.0.0.1:$PORT/large"
	GETS+=("$PID")
done
sending() {
	[ "$(ctl conns -H | awk -F '\t' '$3 == "send" { n++ } END { print n + 0 }')" -ge "$DOWNLOADS" ]
}
ok "$DOWNLOADS downloads are under way" wait_for 20 sending
longest=0 under_way=0
for ((round = 1; round <= RELOADS; round++)); do
	mapfile -t old < <(worker_pids)
	ctl reload >"$T/reload.out" 2>&1 || fail "reload $round" "$(cat "$T/reload.out")"
	start=$(now_ms)
	wait_for 10 all_gone "${old[@]}" || fail "reload $round: the old workers are gone" "$(ctl status)"
	took=$(($(now_ms) - start))
	[ $took -le $longest ] || longest=$took
	! sending || under_way=$((under_way + 1))
	wait_for 1 false
done
cmp_ok "$longest" -le 1000 "old workers are gone within a second of each reload (at most $longest ms)"
cmp_ok "$under_way" -ge $((RELOADS < 5 ? RELOADS : 5)) "$under_way of $RELOADS reloads came while all downloads were under way"
right=0
for ((n = 1; n <= DOWNLOADS; n++)); do
	finish "${GETS[n - 1]}" 120
	[ "$(cat "$T/get$n.out")" != "$WANT" ] || right=$((right + 1))
done
is "$right" "$DOWNLOADS" 'every file arrived complete and right' || diag "$(cat "$T"/get*.err)"
finish "$HERD" 90
is "$STATUS" 0 'the herd beside them: no request failed, no connection was closed'
diag "$(cat "$T/herd.out")"
is_stat moved_refused 0 'none was refused'
expect_stat conns -eq 0
fds_check 4
done_testing
