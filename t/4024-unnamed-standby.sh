#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
# A worker is killed between the birth of its standby and the word of it: the standby takes over, but the master knows of none and
# begins the slot anew. The one that nobody knows drains, at once and not when it gives up waiting for a new master.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/takeover.sh"

strace -qq -o /dev/null true 2>/dev/null || skip_all 'no strace, or it may not trace'
allow_log 'worker 0 \(pid [0-9]+, generation 1\) killed by signal 9 \(KILL\)'
allow_log 'the master lives and does not know this worker: draining'
allow_log 'the master is gone: serving on for 300 s, then draining'
make_site
WORKERS=1 site 'orphan = 300s'
start_drover
expect_standbys
worker=$(pid_of 0)
standby=$(standby_of 0)

# It is held back in its clone for as long as this takes.
strace -qq -p "$standby" -e trace=clone,clone3 -e inject=clone,clone3:delay_exit=60000000 -o "$T/trace" 9<&- 2>"$T/strace" &
STRACE=$!
is_traced() {
	grep -q "^TracerPid:[[:space:]]*$STRACE\$" "/proc/$standby/status"
}
wait_for 10 is_traced || die 'strace holds the standby' "$(cat "$T/strace")"
kill -KILL "$worker"
born() {
	UNKNOWN=$(standby_of 0)
	[ -n "$UNKNOWN" ] && [ "$UNKNOWN" != "$standby" ]
}
ok 'a standby of the standby is born' wait_for 20 born
kill -KILL "$standby"
kill -KILL "$STRACE" # which would hold on to it
wait "$STRACE" 2>/dev/null
# Should it speak before the master has buried the one that it comes from, it is the worker.
known() {
	[ "$(pid_of 0)" = "$UNKNOWN" ] && log_has "worker 0 goes on in its standby \\(pid $UNKNOWN\\)"
}
log_has() {
	grep -qE "$1" "$T/stderr"
}
settled() {
	is_gone "$UNKNOWN" || known
}
ok 'it drains and goes, or is the worker' wait_for 30 settled
if is_gone "$UNKNOWN"; then ok 'and says why' log_has 'the master lives and does not know this worker: draining'; fi
expect_standbys 'in the end'
is "$(curl -sS -m 10 "http://127.0.0.1:$PORT/1k" | wc -c)" 1024 'its successor serves'
stop_drover
done_testing
