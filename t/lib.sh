# SPDX-License-Identifier: BSD-2-Clause
# shellcheck shell=bash disable=SC2034,SC2120
#
# The shell library of the scenarios, for bash:  . "$(dirname "$0")/lib.sh"  ...  done_testing
# It speaks TAP, gives each scenario a folder of its own ($T), starts and stops drover there, waits for conditions with a
# deadline and never by sleeping, and looks for leftovers at the end: processes, error lines in the log, reports of
# sanitizers. $BUILD names the folder with the programs (build). $WAIT_FACTOR stretches all deadlines (1; 5 under sanitizers).

# The scenario's shell becomes the reaper of its orphans, so that a worker whose master died is still found and ended.
if [ -z "${DROVER_REAPER:-}" ]; then
	export DROVER_REAPER=1
	exec perl -MPOSIX -e '
		my %prctl = (x86_64 => 157, aarch64 => 167, riscv64 => 167);
		my $nr = $prctl{(POSIX::uname())[4]};
		die "no reaper on this machine\n" if $nr && syscall($nr, 36, 1, 0, 0, 0) != 0;
		exec @ARGV or die "$ARGV[0]: $!\n"' -- "$BASH" "$0" "$@"
fi
unset DROVER_REAPER

# Without this file no_leftovers would find nothing, and pass.
if [ ! -r "/proc/$$/task/$$/children" ]; then
	printf 'Bail out! this kernel lists no children in /proc\n'
	exit 99
fi

set -u
LC_ALL=C
export LC_ALL
unset COLUMNS # droverctl fits its lines to it
unset PYTHONUNBUFFERED # a line that somebody waits for is to come as a whole, not word by word
ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
BUILD=${BUILD:-$ROOT/build}
case $BUILD in /*) ;; *) BUILD=$ROOT/$BUILD ;; esac
T=$(mktemp -d "${TMPDIR:-/tmp}/drover-t.XXXXXX") || exit 99
chmod 755 "$T"
RUN=$T/run     # drover's run directory
PIDS=()        # what spawn started
LOGS=()        # logs that no_leftovers reads
ALLOWED_LOG=() # regular expressions of the error lines that the scenario provokes
DROVER_PID=
START_SECONDS=10 # that start_drover waits for
PID=
STATUS=
test_count=0
test_failures=0
finished=
case $BUILD in *asan* | *ubsan* | *tsan* | *cover*) : "${WAIT_FACTOR:=5}" ;; esac
: "${WAIT_FACTOR:=1}"

# Input of our own: a here-document is then the only file or pipe on a function's standard input.
exec </dev/null
# Nothing is ever written to descriptor 9: reading it with a timeout is a pause without a process.
exec 9<> <(:)

diag() {
	local line
	printf '%s\n' "$*" | while IFS= read -r line; do printf '# %s\n' "$line"; done
}

pass() {
	test_count=$((test_count + 1))
	printf 'ok %d - %s\n' "$test_count" "$1"
}

# fail NAME [WHY]
fail() {
	test_count=$((test_count + 1))
	test_failures=$((test_failures + 1))
	printf 'not ok %d - %s\n' "$test_count" "$1"
	[ $# -lt 2 ] || diag "$2"
	return 1
}

# skip NAME WHY: for one test that cannot be made here.
skip() {
	test_count=$((test_count + 1))
	printf 'ok %d - %s # SKIP %s\n' "$test_count" "$1" "$2"
}

# skip_all WHY: for a whole scenario; must come before the first test.
skip_all() {
	finished=1
	printf '1..0 # SKIP %s\n' "$1"
	exit 0
}

# die WHY: the scenario makes no sense any more.
die() {
	fail "$1" "${2:-}"
	exit 1
}

# ok NAME CMD...: CMD succeeds. It runs in this shell; its output is shown if it fails.
ok() {
	local name=$1 status
	shift
	"$@" >"$T/.ok" 2>&1
	status=$?
	if [ $status -eq 0 ]; then pass "$name"; else fail "$name" "status $status of: $*
$(head -c 4000 "$T/.ok")"; fi
}

# fails NAME CMD...: CMD fails by an exit status of its own, not by a signal.
fails() {
	local name=$1 status
	shift
	"$@" >"$T/.ok" 2>&1
	status=$?
	if [ $status -gt 0 ] && [ $status -lt 126 ]; then pass "$name"; else fail "$name" "status $status of: $*
$(head -c 4000 "$T/.ok")"; fi
}

# is GOT WANT NAME
is() {
	if [ "$1" = "$2" ]; then pass "$3"; else fail "$3" "got:  $1
want: $2"; fi
}

isnt() {
	if [ "$1" != "$2" ]; then pass "$3"; else fail "$3" "got what must not be: $1"; fi
}

# like GOT REGEX NAME: an extended regular expression anywhere in GOT.
like() {
	if [[ $1 =~ $2 ]]; then pass "$3"; else fail "$3" "got:  $(printf '%s' "$1" | head -c 4000)
want: /$2/"; fi
}

unlike() {
	if ! [[ $1 =~ $2 ]]; then pass "$3"; else fail "$3" "got what must not match /$2/: $(printf '%s' "$1" | head -c 4000)"; fi
}

# cmp_ok GOT OP WANT NAME: integers, OP as in test(1): -eq -ne -lt -le -gt -ge.
cmp_ok() {
	if test "$1" "$2" "$3" 2>/dev/null; then pass "$4"; else fail "$4" "got '$1', want $2 $3"; fi
}

now_ms() {
	local us=${EPOCHREALTIME/./}
	printf '%s' $((us / 1000))
}

# wait_for SECONDS CMD...: tries CMD every 20 ms until it succeeds; fails when the time is over.
wait_for() {
	local end=$((${EPOCHREALTIME/./} + $1 * 1000000 * WAIT_FACTOR))
	shift
	until "$@"; do
		[ "${EPOCHREALTIME/./}" -lt "$end" ] || return 1
		read -r -t 0.02 -u 9
	done
	return 0
}

# Is the process gone, or dead and only not buried yet?
is_gone() {
	local stat
	{ read -r stat <"/proc/$1/stat"; } 2>/dev/null || return 0
	stat=${stat##*) }
	[ "${stat%% *}" = Z ]
}

# expect_gone PID [SECONDS]
expect_gone() {
	if wait_for "${2:-10}" is_gone "$1"; then pass "process $1 is gone"; else fail "process $1 is gone" \
		"$(ps -o pid,ppid,stat,etime,args -p "$1" 2>/dev/null)"; fi
}

# expect_file FILE [SECONDS]: it exists and is not empty.
expect_file() {
	if wait_for "${2:-10}" test -s "$1"; then pass "${1##*/} is there"; else fail "${1##*/} is there"; fi
}

# spawn NAME CMD...: in the background, output to $T/NAME.out and $T/NAME.err; sets PID. The files are there, and empty, when it
# returns: who waits for a line must not find that of a process before.
spawn() {
	local name=$1
	shift
	: >"$T/$name.out"
	: >"$T/$name.err"
	"$@" >"$T/$name.out" 2>"$T/$name.err" 9<&- &
	PID=$!
	PIDS+=("$PID")
}

# finish PID [SECONDS]: waits for the end of what spawn started; its status is returned and in STATUS; 124: still there.
finish() {
	STATUS=124
	wait_for "${2:-60}" is_gone "$1" || return 124
	wait "$1" 2>/dev/null
	STATUS=$?
	return $STATUS
}

# children_of PID: its child processes, one a line; without any process of its own.
children_of() {
	local task kids kid
	for task in "/proc/$1/task"/*; do
		{ read -r kids <"$task/children"; } 2>/dev/null
		for kid in ${kids:-}; do printf '%s\n' "$kid"; done
	done
}

# Puts all living descendants of this shell into the array FAMILY.
list_family() {
	local queue=($$) pid kid
	FAMILY=()
	while [ ${#queue[@]} -gt 0 ]; do
		pid=${queue[0]}
		queue=("${queue[@]:1}")
		children_of "$pid" >"$T/.family" 2>/dev/null
		while read -r kid; do
			is_gone "$kid" || FAMILY+=("$kid")
			queue+=("$kid")
		done <"$T/.family"
	done
}

no_family() {
	list_family
	[ ${#FAMILY[@]} -eq 0 ]
}

# kill_family: kill -9 of everything at once. One after the other would not do: a standby whose worker dies first has taken over,
# with a fresh standby beside it, before its own turn comes. So all are stopped first.
kill_family() {
	local before=
	list_family
	until [ "${FAMILY[*]}" = "$before" ]; do
		before="${FAMILY[*]}"
		kill -STOP "${FAMILY[@]}" 2>/dev/null
		list_family
	done
	kill -KILL "${FAMILY[@]}" 2>/dev/null
}

# Ends whatever this scenario started and did not end. New orphans come to us, hence the rounds.
end_family() {
	local round
	for round in 1 2 3 4 5 6 7 8 9 10; do
		no_family && return 0
		if [ "$round" -eq 1 ]; then
			kill -CONT "${FAMILY[@]}" 2>/dev/null
			kill -TERM "${FAMILY[@]}" 2>/dev/null
			wait_for 1 no_family && return 0
		fi
		kill_family
		wait_for 1 no_family && return 0
	done
	return 1
}

# config <<EOF: writes drover.conf.
config() {
	cat >"$T/drover.conf"
}

ctl() {
	"$BUILD/droverctl" -r "$RUN" "$@" 9<&-
}

# ctl_plain ARGS: droverctl for helpers that only wait, often and in many places. Under a sanitizer, where each start of a program
# costs so much that waiting would be most of what a run does, it is that of the plain build, if there is one.
CTL_PLAIN=$BUILD/droverctl
case $BUILD in
*build/asan | *build/ubsan | *build/tsan) [ ! -x "$ROOT/build/droverctl" ] || CTL_PLAIN=$ROOT/build/droverctl ;;
esac
ctl_plain() {
	"$CTL_PLAIN" -r "$RUN" "$@" 9<&-
}

# stat_of NAME: the sum of all rows of this name; nothing, and failure, if there is none.
stat_of() {
	ctl_plain stat -H "$1" 2>/dev/null | awk -v name="$1" \
		'$1 == name { sum += $2; n++ } END { if (n == 0) exit 1; printf "%.0f\n", sum }'
}

stat_is() {
	local got
	got=$(stat_of "$1") && test "$got" "$2" "$3" 2>/dev/null
}

# wait_stat NAME OP VALUE [SECONDS]: waits until it holds; no test of its own.
wait_stat() {
	wait_for "${4:-10}" stat_is "$1" "$2" "$3"
}

# expect_stat NAME OP VALUE [SECONDS]: becomes true within the time (10 s). OP as in test(1).
expect_stat() {
	if wait_stat "$@"; then pass "$1 $2 $3"; else fail "$1 $2 $3" "$1 is '$(stat_of "$1")'"; fi
}

# is_stat NAME WANT TEST, cmp_stat NAME OP WANT TEST, same_stats NAME NAME TEST: is and cmp_ok of what the board says, before long.
# A client has its answer a moment before it is counted, so that one look right after it would be a race.
is_stat() {
	if wait_stat "$1" = "$2"; then pass "$3"; else is "$(stat_of "$1")" "$2" "$3"; fi
}

cmp_stat() {
	if wait_stat "$1" "$2" "$3"; then pass "$4"; else cmp_ok "$(stat_of "$1")" "$2" "$3" "$4"; fi
}

stats_agree() {
	[ "$(stat_of "$1")" = "$(stat_of "$2")" ]
}

same_stats() {
	if wait_for 10 stats_agree "$1" "$2"; then pass "$3"; else is "$(stat_of "$1")" "$(stat_of "$2")" "$3"; fi
}

# free_port: one that nobody listens at, and that nobody else is given: not the kernel, as it is none of those that port 0 is, and no
# other scenario, as it stands in a folder that they share until this one ends.
PORTS=${TMPDIR:-/tmp}/drover-t.ports
free_port() {
	local low port
	read -r low _ </proc/sys/net/ipv4/ip_local_port_range
	[ "$low" -gt 12000 ] || low=32768
	while port=$((10000 + SRANDOM % (low - 10000))); do
		mkdir -p "$PORTS"
		mkdir "$PORTS/$port" 2>/dev/null || continue
		printf '%s\n' "$PORTS/$port" >>"$T/.ports"
		perl -MIO::Socket::INET -e 'exit !IO::Socket::INET->new(LocalAddr => "127.0.0.1", LocalPort => shift, Listen => 1, ReuseAddr => 1)' \
			"$port" && break
	done
	printf '%s\n' "$port"
}

give_ports_back() {
	local port
	[ -e "$T/.ports" ] || return 0
	while read -r port; do rmdir "$port"; done <"$T/.ports"
	rmdir "$PORTS" 2>/dev/null
}

# port_of [N]: the port that listener N (from 1) is bound to.
port_of() {
	local address
	address=$(ctl_plain listeners -H | awk -F '\t' -v n="${1:-1}" 'NR == n { print $1 }')
	[ -n "$address" ] && printf '%s\n' "${address##*:}"
}

# worker_pids [STATE]: of the workers in that state (ready).
worker_pids() {
	ctl_plain workers -H | awk -F '\t' -v state="${1:-ready}" '$4 == state && $3 > 0 { print $3 }'
}

drover_is_ready() {
	local wanted ready
	is_gone "$DROVER_PID" && return 1
	# Not the board that one before has left.
	[ "$(stat_of master.pid)" = "$DROVER_PID" ] && wanted=$(stat_of master.workers_wanted) || return 1
	ready=$(worker_pids 2>/dev/null | wc -l)
	[ "$wanted" -gt 0 ] && [ "$ready" -eq "$wanted" ]
}

drover_is_ready_or_gone() {
	drover_is_ready || is_gone "$DROVER_PID"
}

# guarded: each worker has its standby, by what they say that they are. A worker is ready before it has one, and one that dies so early
# is started anew: whoever kills workers waits for this first. guarded PID: has that one?
guarded() {
	local pid title workers=' ' standbys=' '
	for pid in $(children_of "$DROVER_PID"); do
		title=
		{ IFS= read -r -d '' title <"/proc/$pid/cmdline"; } 2>/dev/null
		title=${title% } # which libbsd adds to one that is as long as argv[0] was
		case $title in
		'drover: worker '*) [ -n "${1:-}" ] && [ "$1" != "$pid" ] || workers+="${title#*worker }, " ;;
		'drover: standby '*) standbys+="${title#*standby }, " ;;
		esac
	done
	[ "$workers" != ' ' ] || return 1
	while [ -n "${workers# }" ]; do
		workers=${workers# }
		[[ $standbys == *" ${workers%%,*},"* ]] || return 1
		workers=${workers#*,}
	done
}

# launch_drover [ARGS]: starts it without waiting for anything. A configuration may come on standard input.
launch_drover() {
	if [ -p /dev/stdin ] || [ -f /dev/stdin ]; then config; fi
	local conf=()
	[ ! -e "$T/drover.conf" ] || conf=(-c "$T/drover.conf")
	mkdir -p "$RUN"
	"$BUILD/drover" -F "${conf[@]}" -r "$RUN" "$@" </dev/null >>"$T/stdout" 2>>"$T/stderr" 9<&- &
	DROVER_PID=$!
	PIDS+=("$DROVER_PID")
}

# start_drover [ARGS]: starts it and returns when its workers are ready; sets DROVER_PID and PORT. If it does not start,
# the scenario ends.
start_drover() {
	launch_drover "$@"
	if ! wait_for "$START_SECONDS" drover_is_ready_or_gone || ! drover_is_ready; then
		die "drover starts" "$(tail -n 20 "$T/stderr")"
	fi
	PORT=$(port_of 1) || PORT=
}

# stop_drover [SIGNAL] [SECONDS]: drover ends with status 0.
stop_drover() {
	local pid=$DROVER_PID
	DROVER_PID=
	kill -"${1:-TERM}" "$pid" 2>/dev/null
	finish "$pid" "${2:-15}"
	is "$STATUS" 0 "drover stops with status 0"
}

# allow_log REGEX: error lines that match it are what the scenario wants.
allow_log() {
	ALLOWED_LOG+=("$1")
}

# watch_log FILE: a log besides standard error.
watch_log() {
	LOGS+=("$1")
}

# Lines of level error or alert: "TIME LEVEL PID SLOT MESSAGE".
error_lines() {
	local line regex
	awk '$2 == "error" || $2 == "alert"' "$@" 2>/dev/null | while IFS= read -r line; do
		for regex in ${ALLOWED_LOG[@]+"${ALLOWED_LOG[@]}"}; do
			[[ $line =~ $regex ]] && continue 2
		done
		printf '%s\n' "$line"
	done
}

# fds_mark: remembers how many descriptors the daemon holds, when idle. fds_check [MORE]: it holds at most MORE (0) more.
fds_mark() {
	FDS_MARK=$(stat_of fds)
}

fds_check() {
	if [ -z "${FDS_MARK:-}" ]; then
		fail "no descriptor leaked" "fds_mark found no gauge 'fds'"
		return 1
	fi
	if wait_stat fds -le $((FDS_MARK + ${1:-0})) 5; then pass "no descriptor leaked"; else
		fail "no descriptor leaked" "fds was $FDS_MARK, is $(stat_of fds)"
	fi
}

# no_leftovers: no process, no error line, no sanitizer report. done_testing calls it.
no_leftovers() {
	local found file
	if wait_for 10 no_family; then pass "no process is left"; else
		fail "no process is left" "$(ps -o pid,ppid,stat,etime,args -p "$(IFS=,; printf '%s' "${FAMILY[*]}")")"
	fi
	local logs=()
	for file in "$T/stderr" ${LOGS[@]+"${LOGS[@]}"}; do [ ! -e "$file" ] || logs+=("$file"); done
	[ ${#logs[@]} -gt 0 ] || return 0
	found=$(error_lines "${logs[@]}")
	is "$found" "" "no error in the log"
	found=$(grep -h -E -A 12 'ERROR: (Address|Leak|Thread)Sanitizer|WARNING: ThreadSanitizer|runtime error:' "${logs[@]}" |
		head -n 60)
	is "$found" "" "no report of a sanitizer"
}

# done_testing: the last line of every scenario.
done_testing() {
	[ -z "$DROVER_PID" ] || stop_drover
	[ "$test_count" -gt 0 ] || fail "something was tested"
	no_leftovers
	if [ "$test_failures" -gt 0 ] && [ -s "$T/stderr" ]; then
		diag "the last lines of the log:"
		diag "$(tail -n 20 "$T/stderr")"
	fi
	printf '1..%d\n' "$test_count"
	finished=1
	[ "$test_failures" -eq 0 ]
	exit
}

at_exit() {
	local status=$?
	trap - EXIT INT TERM HUP
	[ -n "$finished" ] || printf '# the scenario ended early, with status %d\n' "$status"
	end_family || printf '# processes could not be ended: %s\n' "${FAMILY[*]}"
	give_ports_back
	if [ -n "${KEEP:-}" ]; then diag "kept: $T"; else rm -rf "$T"; fi
	if [ -z "$finished" ] && [ "$status" -eq 0 ]; then status=98; fi
	exit "$status"
}
trap at_exit EXIT
trap 'exit 130' INT
trap 'printf "# SIGPIPE in line %s: %s\n" "$LINENO" "$BASH_COMMAND" >&2; exit 141' PIPE
trap 'exit 143' TERM
trap 'exit 129' HUP
