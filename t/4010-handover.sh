#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
# Handover: connections of every kind live through reloads and changes of the number of workers, beside a herd of which no
# request fails and no connection is closed; the old workers are gone at once, and nothing is left over.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/live.sh"

GONE_MS=1000 # after a reload, for the old workers
slowest=0
# reload TITLE: all workers are new, and the old ones gone.
reload() {
	local old start took
	mapfile -t old < <(worker_pids)
	if ! ctl reload >"$T/reload.out" 2>&1; then
		fail "$1" "$(cat "$T/reload.out")"
		return
	fi
	start=$(now_ms)
	wait_for 10 all_gone "${old[@]}" || fail "$1: old workers are gone" "$(ctl status)"
	took=$(($(now_ms) - start))
	[ "$took" -le "$slowest" ] || slowest=$took
}

# Totals, with a space behind each name.
totals() {
	ctl stat -H requests accepts bytes_in bytes_out moved_in close_moved responses_2xx |
		awk '{ sum[$1] += $2 } END { for (k in sum) printf "%s %.0f\n", k, sum[k] }' | sort
}

never_down() {
	local before=$TOTALS
	TOTALS=$(totals)
	paste -d ' ' <(printf '%s\n' "$before") <(printf '%s\n' "$TOTALS") | awk '$4 < $2 || NF != 4 { print; bad = 1 } END { exit bad }'
}

live_site
REUSED=$(free_port)
sed -i "s|^    listen = .*|    listen = { \"127.0.0.1:$REUSED\", \"127.0.0.1:0\", \"unix:$T/socket\" }\n    reuseport = true|" "$T/drover.conf"
start_drover
PORT=$(ctl listeners -H | awk -F '[:\t]' -v other="$REUSED" '$1 == "127.0.0.1" && $2 != other { print $2 }')
TO=("127.0.0.1:$PORT" "unix:$T/socket" "127.0.0.1:$REUSED")
fds_mark
TOTALS=$(totals)

# Reloads with everything alive.
spawn herd "$BUILD/herd" -Z -c 400 -r 1500 -d 3600 -p /1k "127.0.0.1:$PORT,127.0.0.1:$REUSED"
HERD=$PID
live all -k "$KINDS"
is "$(awk '$1 == "opened" { print $2 }' "$T/all.out")" 78 'thirteen kinds, two of each to each of three listeners'
like "$(ctl conns -H | cut -f 3 | sed 's,(torn),,' | sort -u | tr '\n' ' ')" 'body head idle linger (respond )?send' 'in every state that there is'
# One of them, looked at closely.
watched=$(ctl conns -H | awk -F '\t' '$11 == "GET /one" { print $1; exit }')
row() {
	ctl conns -H | awk -F '\t' -v id="$watched" '$1 == id { print $2, $3, $5, $7, $8 }'
}
read -r _ _ age requests in < <(row)
for round in 1 2 3 4 5 6 7 8; do
	reload "reload $round"
	[ $((round % 2)) -eq 0 ] || say all step
	never_down || fail 'totals never go down'
done
cmp_ok "$slowest" -le $((GONE_MS * WAIT_FACTOR)) "after each of 8 reloads the old workers were gone within a second (at most $slowest ms)"
read -r slot _ age2 requests2 in2 < <(row)
ok 'a connection keeps its number' test -n "${slot:-}"
cmp_ok "${age2:-0}" -gt "$age" 'its age goes on'
cmp_ok "${requests2:-0}" -ge "$requests" 'its count of requests too'
cmp_ok "${in2:-0}" -ge "$in" 'and its bytes'
ends all 'every answer was right, and no connection ended'
like "$(cat "$T/all.out")" 'kept 72' 'all but the refused ones served one more request'
cmp_stat moved_in -gt 2000 'connections moved'
same_stats moved_in close_moved 'as many as came in went out'
is_stat moved_refused 0 'none was refused'
for name in drained_idle drained_finished drained_forced close_drain close_forced; do is_stat $name 0 "$name is 0"; done
ok 'totals never go down' never_down

# The number of workers: four, one, and four again.
live all -k "$KINDS"
workers() {
	sed -i "s/^workers = .*/workers = $1/" "$T/drover.conf"
}
ready() {
	ctl workers -H | awk -F '\t' '$4 == "ready" { ready++ } $4 == "draining" { draining++ } END { print ready + 0, draining + 0 }'
}
ready_are() {
	[ "$(ready)" = "$1 0" ] && stat_is master.workers_wanted -eq "$1"
}
# becomes TITLE WORKERS: so many are ready, and none drains.
becomes() {
	if wait_for 10 ready_are "$2"; then pass "$1"; else fail "$1" "$(ctl workers; ctl status)"; fi
}
workers 4
reload 'reload to four workers'
becomes 'four workers' 4
say all step
for n in 3 2 1; do
	kill -TTOU "$DROVER_PID"
	becomes "down to $n" $n
done
has_all() {
	[ "$(ctl conns -H | awk -F '\t' '$2 == 0' | wc -l)" = "$(stat_of conns)" ]
}
ok 'the last one has all connections' wait_for 5 has_all
say all step
for n in 2 3 4; do
	kill -TTIN "$DROVER_PID"
	becomes "up to $n" $n
done
workers 1
reload 'reload to one worker'
becomes 'one worker by reload' 1
say all step
workers 2
reload 'reload to two'
ends all 'every answer was right while workers came and went'
kill -TERM "$HERD"
finish "$HERD" 120
is "$STATUS" 0 'the herd: no request failed, no connection was closed' || diag "$(cat "$T/herd.out" "$T/herd.err")"
is_stat moved_refused 0 'still none was refused'

# Several parts: that connection moves when the answer is whole.
live parts -k parts,idle
mapfile -t old < <(worker_pids)
ok 'reload with multipart answers under way' ctl reload
like "$(ctl status | tr -s ' \n' ' ')" 'draining for [^,]*, holds [0-9]* connections: [0-9]* send' 'status says what keeps the old workers'
ends parts 'the parts were right, and the connections lived on'
ok 'then the old workers are gone' wait_for 5 all_gone "${old[@]}"

# One after another: nothing is left over.
live all -n 1 -k "$KINDS"
rss() {
	awk '/^VmRSS/ { print $2 }' "/proc/$DROVER_PID/status"
}
slowest=0
reload 'the first of thirty'
settled() {
	[ "$(children_of "$DROVER_PID" | wc -l)" -eq 4 ]
}
wait_for 10 settled
before=$(rss) own=$(find "/proc/$DROVER_PID/fd" | wc -l) held=$(stat_of fds)
for ((round = 2; round <= 30; round++)); do reload "reload $round of thirty"; done
cmp_ok "$slowest" -le $((GONE_MS * WAIT_FACTOR)) "all old workers were gone within a second (at most $slowest ms)"
wait_for 10 settled
is "$(find "/proc/$DROVER_PID/fd" | wc -l)" "$own" 'the master holds as many descriptors as before'
cmp_ok "$(stat_of fds)" -le "$held" 'the workers too'
# A sanitizer keeps what was freed.
[[ $BUILD == *san* ]] || cmp_ok "$(($(rss) - before))" -lt 2000 'the master has not grown by 2 MB'
ok 'two workers on the board' wait_for 5 ready_are 2
is "$(ctl conns -H | wc -l)" 39 'as many rows as connections'
ends all 'every answer was right after thirty reloads'
expect_stat conns -eq 0
expect_stat buffers -eq 0
fds_check 4
is_stat drained_forced 0 'nothing was cut'
is_stat master.worker_deaths 0 'nobody died'
is_stat master.gossip 0 'nobody talked nonsense'
ok 'totals never go down' never_down
done_testing
