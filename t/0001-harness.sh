#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
#
# The harness tests itself: small scenarios are run against a daemon that is made of shell, and those that ought to be red
# are seen red. Then run-units and run-scenarios likewise.
. "$(dirname "$0")/lib.sh"

mkdir -p "$T/build" "$T/tmp"

cat >"$T/build/drover" <<'EOS'
#!/bin/bash
# Ready at once; what it does wrong is said by FAKE.
while [ $# -gt 0 ]; do
	case $1 in -r) run=$2; shift ;; esac
	shift
done
log() { echo "2026-01-01T00:00:00.000Z $1 $$ - $2" >&2; }
[ "$FAKE" != dies ] || { log error "cannot"; exit 1; }
# All else before it looks ready: whoever sees that may end it at once.
case $FAKE in
bad_exit) trap 'exit 3' TERM ;;
deaf) trap '' TERM ;;
*) trap 'exit 0' TERM ;;
esac
[ "$FAKE" != error_line ] || log error "the disk is full"
[ "$FAKE" != sanitizer ] || echo "==1==ERROR: AddressSanitizer: heap-use-after-free" >&2
[ "$FAKE" != orphan ] || (setsid sleep 1000 & echo $! >"$run/orphan")
pid=$$ state=ready
[ "$FAKE" != before ] || pid=1
[ "$FAKE" != half ] || state=starting
printf '127.0.0.1:4711\t0\t128\t0\t0\n[::1]:4712\t0\t128\t0\t0\n' >"$run/listeners"
printf '0\t0\t11\tready\t1\t0\t0\t5\n1\t0\t12\t%s\t1\t0\t0\t5\n' "$state" >"$run/workers"
printf 'master.pid %d\nmaster.workers_wanted 2\nfds 12\nrequests 0\nserver.a.requests 4\n' "$pid" >"$run/stats"
while :; do read -r -t 0.05 <> <(:); done
EOS

cat >"$T/build/droverctl" <<'EOS'
#!/bin/bash
[ "$1" = -r ] || exit 2
run=$2 what=$3 name=${5:-}
case $what in
stat) grep "^$name " "$run/stats" ;;
workers | listeners) cat "$run/$what" ;;
esac
EOS
chmod +x "$T/build/drover" "$T/build/droverctl"

# scenario FAKE <<BODY: runs a scenario; its output is in TAP, its status in STATUS, what it left behind in LEFT.
scenario() {
	{
		printf '. "%s/t/lib.sh"\n' "$ROOT"
		cat
	} >"$T/sub.sh"
	FAKE=$1 BUILD=$T/build TMPDIR=$T/tmp WAIT_FACTOR=1 KEEP='' bash "$T/sub.sh" >"$T/sub.tap" 2>&1 9<&-
	STATUS=$?
	TAP=$(cat "$T/sub.tap")
	LEFT=$(ls "$T/tmp")
}

# green NAME FAKE <<BODY
green() {
	scenario "$2"
	if [ "$STATUS" -eq 0 ] && [[ $TAP =~ 1\.\.[1-9] ]] && ! [[ $TAP =~ "not ok" ]] && [ -z "$LEFT" ]; then
		pass "green: $1"
	else
		fail "green: $1" "status $STATUS, left: $LEFT
$TAP"
	fi
}

# red NAME FAKE REGEX <<BODY: it fails, by the line that REGEX describes, and leaves nothing behind.
red() {
	scenario "$2"
	if [ "$STATUS" -gt 0 ] && [[ $TAP =~ $3 ]] && [ -z "$LEFT" ]; then
		pass "red: $1"
	else
		fail "red: $1" "status $STATUS, left: $LEFT, wanted /$3/
$TAP"
	fi
}

green "the helpers that hold" ok <<'EOS'
ok "true" true
fails "false" false
is a a "is"
isnt a b "isnt"
like abc '^a.c$' "like"
unlike abc x "unlike"
cmp_ok 3 -lt 4 "cmp_ok"
skip "nothing" "no reason"
done_testing
EOS
like "$TAP" '^ok 1 - true' "tests are numbered"
like "$TAP" '1\.\.9$' "the plan counts the tests and the look for leftovers"

for line in 'ok a false' 'fails a true' 'fails a no-such-command' "fails a bash -c 'kill -9 \$\$'" 'is a b a' 'isnt a a a' \
	'like abc x a' 'unlike abc b a' 'cmp_ok 3 -gt 4 a' 'cmp_ok "" -eq 0 a' 'cmp_ok x -eq x a' 'fail a'; do
	red "$line" ok 'not ok 1 - a' <<<"$line
done_testing"
done

red "a scenario without done_testing" ok 'ended early' <<<'ok a true'
red "a scenario that dies" ok 'ended early' <<<'exit 0'
red "a scenario that tests nothing" ok 'not ok 1 - something was tested' <<<'done_testing'

green "a whole life" ok <<'EOS'
start_drover <<'EOC'
workers = 2
EOC
like "$(cat "$T/drover.conf")" 'workers = 2' "the configuration came from standard input"
is "$PORT" 4711 "PORT"
is "$(port_of 2)" 4712 "port_of 2"
is "$(stat_of server.a.requests)" 4 "stat_of"
fails "stat_of what is not there" stat_of nothing
is "$(worker_pids | wc -l)" 2 "worker_pids"
is "$(worker_pids draining | wc -l)" 0 "worker_pids of a state"
expect_stat requests -eq 0
(read -r -t 0.3 <> <(:); echo requests 3 >>"$RUN/stats") &
expect_stat requests -eq 3
fds_mark
fds_check
stop_drover
done_testing
EOS
unlike "$TAP" 'stops.*stops' "drover is stopped once"
green "done_testing stops drover" ok <<<'start_drover
done_testing'
like "$TAP" 'drover stops with status 0' "and looks at its status"

started=$(now_ms)
red "expect_stat that never holds" ok 'not ok 1 - requests -eq 3' <<<'start_drover
expect_stat requests -eq 3 1
done_testing'
cmp_ok $(($(now_ms) - started)) -ge 1000 "it waited for the whole time"
cmp_ok $(($(now_ms) - started)) -lt 8000 "and not much longer"
like "$TAP" "requests is '0'" "it says what the value was"
red "expect_stat of a counter that does not exist" ok 'not ok 1 - nothing -ge 0' <<<'start_drover
expect_stat nothing -ge 0 0
done_testing'
red "a daemon that does not start" dies 'not ok 1 - drover starts' <<<'start_drover
done_testing'
like "$TAP" 'error [0-9]+ - cannot' "its log is shown"
red "a worker that never becomes ready" half 'not ok 1 - drover starts' <<<'START_SECONDS=1
start_drover
done_testing'
red "a board that one before has left" before 'not ok 1 - drover starts' <<<'START_SECONDS=1
start_drover
done_testing'
red "a bad exit status" bad_exit 'not ok 1 - drover stops with status 0' <<<'start_drover
done_testing'
red "a daemon that does not stop" deaf 'not ok 1 - drover stops with status 0' <<<'start_drover
stop_drover TERM 1
done_testing'
red "a child that is left" ok 'not ok 2 - no process is left' <<<'start_drover
stop_drover
spawn sleeper sleep 1000
done_testing' 
red "an orphan that is left" orphan 'not ok 2 - no process is left' <<<'start_drover
cp "$RUN/orphan" /proc/self/fd/1 2>/dev/null
printf "# orphan %s\n" "$(cat "$RUN/orphan")"
done_testing'
orphan=$(sed -n 's/^# orphan //p' "$T/sub.tap")
cmp_ok "$orphan" -gt 1 "the orphan was a process"
ok "and was ended" is_gone "$orphan"
red "a leaked descriptor" ok 'not ok 1 - no descriptor leaked' <<<'start_drover
fds_mark
echo fds 1 >>"$RUN/stats"
fds_check
done_testing'
red "an error in the log" error_line 'not ok 3 - no error in the log' <<<'start_drover
done_testing'
red "an error in the log that differs from the allowed one" error_line 'no error in the log' <<<'allow_log "the moon is full"
start_drover
done_testing'
green "an error that is allowed" error_line <<<'allow_log "disk is full$"
start_drover
done_testing'
red "a report of a sanitizer" sanitizer 'not ok 4 - no report of a sanitizer' <<<'start_drover
done_testing'

green "finish tells the status" ok <<'EOS'
spawn three bash -c 'echo out; exit 3'
finish "$PID"
is "$STATUS" 3 "STATUS"
is "$(cat "$T/three.out")" out "the output"
spawn three sleep 1000
is "$(cat "$T/three.out")" '' "not that of one before"
# Before that it is a shell, which may lose a signal.
is_sleep() { [ "$(cat "/proc/$PID/comm")" = sleep ]; }
wait_for 5 is_sleep
finish "$PID" 0
is "$STATUS" 124 "still there"
kill "$PID"
expect_gone "$PID"
done_testing
EOS
red "a process that is not gone" ok 'not ok 1 - process' <<<'expect_gone $$ 0
done_testing'

# run-units
unit() {
	printf '#!/bin/sh\n%s\n' "$2" >"$T/$1"
	chmod +x "$T/$1"
}
unit good 'echo "100%: Checks: 5, Failures: 0, Errors: 0"'
unit bad 'echo "60%: Checks: 5, Failures: 1, Errors: 1"; exit 1'
unit none 'echo "100%: Checks: 0, Failures: 0, Errors: 0"'
unit silent 'exit 0'
unit crash 'echo "100%: Checks: 2, Failures: 0, Errors: 0"; kill -SEGV $$'
unit hangs 'sleep 1000'

is "$("$ROOT/t/run-units" "$T/good" "$T/good" | tail -n 1)" "units: 10 passed, 0 failed" "run-units adds up"
ok "run-units passes" "$ROOT/t/run-units" "$T/good"
for kind in bad none silent crash; do
	fails "run-units fails: $kind" "$ROOT/t/run-units" "$T/good" "$T/$kind"
done
is "$("$ROOT/t/run-units" "$T/good" "$T/bad" | tail -n 1)" "units: 8 passed, 2 failed" "run-units counts failures"
fails "run-units fails without programs" "$ROOT/t/run-units"
fails "run-units fails: a program that is not there" "$ROOT/t/run-units" "$T/absent"
UNIT_TIMEOUT=0.3 fails "run-units fails: hangs" "$ROOT/t/run-units" "$T/hangs"

# run-scenarios
printf '. "%s/t/lib.sh"\nok a true\ndone_testing\n' "$ROOT" >"$T/green.sh"
printf '. "%s/t/lib.sh"\nok a false\ndone_testing\n' "$ROOT" >"$T/red.sh"
printf '. "%s/t/lib.sh"\nok a true\nspawn s sleep 1000\necho $PID >&2\nfinish $PID 100\n' "$ROOT" >"$T/hangs.sh"
ok "run-scenarios passes" env BUILD="$T/build" "$ROOT/t/run-scenarios" "$T/green.sh"
fails "run-scenarios fails" env BUILD="$T/build" "$ROOT/t/run-scenarios" "$T/green.sh" "$T/red.sh"
fails "run-scenarios fails: a scenario that is not there" env BUILD="$T/build" "$ROOT/t/run-scenarios" "$T/absent.sh"
fails "run-scenarios fails: no build" env BUILD="$T/absent" "$ROOT/t/run-scenarios" "$T/green.sh"
fails "run-scenarios fails: a scenario that hangs" env BUILD="$T/build" SCENARIO_TIMEOUT=$((3 * WAIT_FACTOR)) "$ROOT/t/run-scenarios" \
	"$T/hangs.sh"
sleeper=$(grep -E -m 1 '^[0-9]+$' "$T/.ok")
cmp_ok "$sleeper" -gt 1 "the scenario that hung had a child"
ok "which was ended" is_gone "$sleeper"

done_testing
