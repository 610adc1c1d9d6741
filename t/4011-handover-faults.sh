#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
# Handover when something is wrong: its place is gone from the new configuration, no descriptor is left, the successor stops or
# dies in the middle of it, the old worker dies. Nothing waits for ever, and what can live on does.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/live.sh"

# begin [WORKERS] [MORE]: a drover of its own for each case.
begin() {
	[ -z "$DROVER_PID" ] || stop_drover
	rm -rf "$RUN"
	live_site "${1:-1}" "${2:-drain = 20s}"
	start_drover
	TO=("127.0.0.1:$PORT")
}

logged() {
	grep -q -E "$1" "$T/stderr"
}

states() {
	ctl workers -H | cut -f 4 | sort | tr '\n' ' '
}

# The server is gone, the listener stays; then the listener too. Responses end, then the connections do.
for gone in server listener; do
	begin
	live all -m -n 1 -k chunked,length,head,download,idle,fresh,linger,old,queue,parts,behind
	say all step
	mapfile -t old < <(worker_pids)
	if [ $gone = server ]; then
		sed -i 's/^server "site"/server "other"/' "$T/drover.conf"
	else
		sed -i "s|127.0.0.1:0|unix:$T/socket|" "$T/drover.conf"
	fi
	ok "the $gone is gone: reload" ctl reload
	ends all "the $gone is gone: every response under way was whole and right"
	# The one with several parts may have been answered once more before it was tried to move it.
	like "$(cat "$T/all.out")" 'kept [01]' "the $gone is gone: then the connections end"
	ok "the $gone is gone: the old worker too" wait_for 10 all_gone "${old[@]}"
	is_stat drained_forced 0 "the $gone is gone: nothing was cut"
	cmp_stat moved_refused -ge 10 "the $gone is gone: refused by the new worker"
	ok "the $gone is gone: the log has the outcome" logged 'drained in [0-9]+ ms: 0 connections moved, .* 0 cut; [0-9]+ could not move'
done

# An idle one gets a moment for one more request, then it is closed.
begin
spawn often "$BUILD/herd" -c 1 -r 20 -d 600 -p /one -w "$T/often.ready" "127.0.0.1:$PORT"
OFTEN=$PID
expect_file "$T/often.ready"
exec 6<>"/dev/tcp/127.0.0.1/$PORT"
printf 'GET /one HTTP/1.1\r\nHost: site\r\n\r\n' >&6
expect_stat conns_idle -eq 2
mapfile -t old < <(worker_pids)
sed -i 's/^server "site"/server "other"/' "$T/drover.conf"
ok 'reload with two idle connections' ctl reload
unlike "$(timeout $((10 * WAIT_FACTOR)) cat <&6)" 'Connection: close' 'one says nothing and is closed when its moment is over'
exec 6>&-
ok 'the old worker is gone' wait_for 10 all_gone "${old[@]}"
kill "$OFTEN"
finish "$OFTEN"
is "$STATUS" 0 'the other asks often, and nothing fails'
often() {
	awk -v name="$1" '$1 == name { print $2 }' "$T/often.out"
}
# Where it stood still, its moment may have been over.
if [ "$(often gap_us)" -ge 900000 ]; then diag "it stood still for $(often gap_us) us"; else
	is "$(often answered_close) $(often closed_idle)" '1 0' 'it is told once that an answer was the last'
	is_stat drained_idle 1 'one was closed idle'
	is_stat drained_finished 1 'one after its answer'
fi

# frozen_reload: the successor stops as soon as it is ready, and the old worker sends to it what it has.
frozen_reload() {
	leaving=$(worker_pids)
	kill -STOP "$leaving"
	kill -HUP "$DROVER_PID"
	wait_for 10 new_is_ready || fail 'the new worker is ready' "$(ctl workers)"
	kill -STOP "$new"
	kill -CONT "$leaving"
	wait_for 10 all_in_flight || fail 'all is on its way' "$(ctl workers)"
}
new_is_ready() {
	new=$(ctl workers -H | awk -F '\t' -v old="$leaving" '$4 == "ready" && $3 != old { print $3 }')
	[ -n "$new" ]
}
# Whoever sends a connection away stops watching it: it no longer waits for the peer's end (EPOLLRDHUP).
all_in_flight() {
	[ "$(cat "/proc/$leaving"/fdinfo/* 2>/dev/null | grep -c 'events: *....2...')" -eq 0 ]
}

allow_log 'killed by signal|hangs|standby|successor|did not end'

# The successor is killed: what was on its way comes back and is served.
begin 1 'standby = false
drain = 20s'
live all -m -n 3 -k chunked,length,head,download,idle,fresh,old,queue,behind
frozen_reload
kill -KILL "$new"
ends all 'the successor was killed: every answer was right'
ok 'the old worker ends' wait_for 20 all_gone "$leaving"
is_stat drained_forced 0 'nothing was cut'
begin 1 'standby = true
drain = 20s'
live all -m -n 3 -k chunked,length,head,download,idle,fresh,old,queue,behind
frozen_reload
kill -KILL "$new"
ends all 'the same with a standby'
ok 'the old worker ends with it' wait_for 20 all_gone "$leaving"

# The old one is killed: what was on its way lives on with the successor, as if nothing had happened.
begin 1 'standby = false
drain = 20s'
live all -n 3 -k chunked,length,head,download,idle,fresh,old,queue,behind,linger,heads
frozen_reload
kill -KILL "$leaving"
wait_for 10 is_gone "$leaving"
kill -CONT "$new"
ends all 'the old worker was killed: every answer was right, and no connection ended'

# The successor stops: the drain ends all the same, and what was on its way lives on when it wakes.
begin 1 'standby = false
drain = 2s
hang = 60s'
live all -n 3 -k idle,head,length,chunked,download
frozen_reload
ok 'the successor stops: the old worker ends with its drain' wait_for 6 all_gone "$leaving"
is_stat drained_forced 0 'nothing was cut'
kill -CONT "$new"
ends all 'every answer was right when it woke, and no connection ended'

# It stops for good: it is ended as hung, and the connections come back.
begin 1 'standby = false
drain = 60s
hang = '"$((1 + WAIT_FACTOR))s"
live all -m -n 3 -k idle,head,length,chunked,download
frozen_reload
ok 'the successor hangs: it is ended' wait_for 10 is_gone "$new"
ends all 'every answer was right'

# Fifty descriptors, thirty connections.
begin 1 'standby = true
drain = 20s'
for pid in "$DROVER_PID" $(worker_pids); do prlimit --pid "$pid" --nofile=50:50 2>/dev/null; done
live all -m -n 10 -k idle,head,length
mapfile -t old < <(worker_pids)
ok 'fifty descriptors, thirty connections: reload' ctl reload
ends all 'every answer was right'
ok 'the old worker is gone' wait_for 20 all_gone "${old[@]}"
diag "$(ctl stat moved_in moved_refused drained_forced drained_idle)"
is_stat drained_forced 0 'nothing was cut'
expect_stat conns -eq 0
done_testing
