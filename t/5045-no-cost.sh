#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
# Twenty readers, ten looks a second each: no worker makes a system call for them that it would not make anyway, none wakes
# up, and none waits. (What it costs in time a request: make bench BENCH=readers.)
. "$(dirname "$0")/lib.sh"

strace -qq -o /dev/null true 2>/dev/null || skip_all 'no strace, or it may not trace'
mkdir "$T/www"
start_drover <<EOF
workers = 1
deadlines { idle = 1h }
server "s" { listen = { "127.0.0.1:0" } location "/" { root = "$T/www" } }
EOF
spawn holder "$BUILD/herd" -c 50 -n 50 -i 3600 -p /none "127.0.0.1:$PORT"
HOLDER=$PID
expect_stat conns -eq 50
WORKER=$(worker_pids)
turned() {
	[ "$(stat_of turns)" -ge "$1" ]
}
# calls NAME: the system calls that the idle worker makes in five of its turns, which come once a second.
calls() {
	local tracer
	strace -qq -f -p "$WORKER" -o "$T/$1.trace" 9<&- &
	tracer=$!
	wait_for 5 test -e "$T/$1.trace"
	wait_for 20 turned $(($(stat_of turns) + 5)) || fail "$1: the worker turns"
	kill "$tracer"
	wait "$tracer" 2>/dev/null
	sed 's/^[0-9]* *//; s/(.*//' "$T/$1.trace" | grep -v '^[+-]\|^strace\|resumed' | sort | uniq -c | awk '{ print $2, $1 }' >"$T/$1.calls"
}
calls alone
[ -s "$T/alone.calls" ] || fail 'strace sees the worker'
READERS=()
for i in $(seq 20); do
	spawn "reader$i" "$BUILD/droverctl" -r "$RUN" stat -i 100ms
	READERS+=("$PID")
done
reading() {
	[ "$(wc -l <"$T/reader20.out")" -gt 200 ]
}
ok 'twenty readers read' wait_for 20 reading
switches=$(awk '/^voluntary/ { print $2 }' "/proc/$WORKER/status")
calls read
diag "alone: $(tr '\n' ' ' <"$T/alone.calls")"
diag "read: $(tr '\n' ' ' <"$T/read.calls")"
is "$(cut -d ' ' -f 1 "$T/read.calls")" "$(cut -d ' ' -f 1 "$T/alone.calls")" 'the same system calls'
# A turn more or less at either end; twenty readers would be a thousand.
sum() {
	awk '{ n += $2 } END { print n + 0 }' "$T/$1.calls"
}
cmp_ok "$(sum read)" -le $(($(sum alone) * 3 / 2 + 6)) 'no more of them'
cmp_ok $(($(awk '/^voluntary/ { print $2 }' "/proc/$WORKER/status") - switches)) -lt 200 'it was not woken'
kill "${READERS[@]}" "$HOLDER"
for pid in "${READERS[@]}" "$HOLDER"; do finish "$pid"; done
done_testing
