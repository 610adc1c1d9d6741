# SPDX-License-Identifier: BSD-2-Clause
# shellcheck shell=bash disable=SC2034
#
# What the scenarios of takeovers share, besides lib.sh and live.sh: a configuration, ways to kill workers, the sum of what a
# herd lost, and a look at who is there.

# shellcheck source=t/live.sh
. "$(dirname "${BASH_SOURCE[0]}")/live.sh"

# site [MORE]: the configuration, with MORE at its global level.
site() {
	config <<EOF
workers = ${WORKERS:-2}
worker_connections = ${CONNECTIONS:-2000}
drain = 20s
${1:-}
server "site" {
    listen = { ${LISTEN:-\"127.0.0.1:0\"} }
    deadlines { header = 300s  body = 300s  send = 300s  linger = 300s  min_rate = 0 }
    keepalive { requests = 0 }
    ${SERVER_MORE:-}
    location "/" { root = "$T/www" }
    location "= /ok" { status = 200  text = "ok" }
    location "= /healthz" { health = true }
    ${LOCATIONS:-}
}
EOF
}

# count_of NAME WHAT: of herd's account in $T/NAME.out.
count_of() {
	awk -v name="$2" '$1 == name { print $2 }' "$T/$1.out"
}

# lost_by NAME: connections that a herd lost, of whatever state.
lost_by() {
	awk '$1 ~ /^(closed_idle|closed_in_flight|reset|late|bad|truncated|connect_failed)$/ { n += $2 } END { print n + 0 }' "$T/$1.out"
}

fates_of() {
	awk '$2 > 0 && $1 ~ /^(connect_failed|answered_close|closed_idle|closed_in_flight|reset|late|bad|truncated|answered|status_.xx)$/ {
		printf "%s=%s ", $1, $2 }' "$T/$1.out"
}

# Workers, standbys: by what they say that they are.
processes() {
	local pid
	for pid in $(children_of "$DROVER_PID"); do
		tr '\0' '\n' 2>/dev/null <"/proc/$pid/cmdline" | grep -q "drover: $1" && printf '%s\n' "$pid"
	done
}

standby_of() {
	local pid
	for pid in $(processes "standby $1"); do printf '%s\n' "$pid"; done
}

one_standby_each() {
	local slot workers standbys
	workers=$(processes worker | wc -l)
	standbys=$(processes standby | wc -l)
	[ "$workers" -eq "$(stat_of master.workers_wanted)" ] && [ "$standbys" -eq "$workers" ] || return 1
	for slot in $(ctl workers -H | cut -f 1); do
		[ "$(standby_of "$slot" | wc -l)" -eq 1 ] || return 1
	done
}

expect_standbys() {
	if wait_for 15 one_standby_each; then pass "one standby for each worker${1:+ $1}"; else
		fail "one standby for each worker${1:+ $1}" "$(ps -o pid,ppid,stat,args --ppid "$DROVER_PID")"
	fi
}

pid_of() {
	ctl workers -H | awk -F '\t' -v slot="$1" '$1 == slot && $4 ~ /^ready/ { print $3; exit }'
}

# The number of the system call that a process sits in.
syscall_of() {
	local number
	{ read -r number _ <"/proc/$1/syscall"; } 2>/dev/null && printf '%s' "$number"
}

# catch_waiting PID: stops the process where it waits for events, so that it is not working on any connection.
catch_waiting() {
	: "${WAITING:?}"
	kill -STOP "$1"
	wait_for 5 is_stopped "$1" || return 1
	[ "$(syscall_of "$1")" != "$WAITING" ] || return 0
	kill -CONT "$1"
	return 1
}

is_stopped() {
	local stat
	{ read -r stat <"/proc/$1/stat"; } 2>/dev/null || return 1
	stat=${stat##*) }
	[ "${stat%% *}" = T ]
}

# sits PID: in the same system call at each of several looks, not in one that it happens to make; the number is then in WAITING.
sits() {
	local look
	WAITING=$(syscall_of "$1")
	[ "${WAITING:--1}" -ge 0 ] 2>/dev/null || return 1
	for look in 1 2 3 4 5; do
		read -r -t 0.02 -u 9
		[ "$(syscall_of "$1")" = "$WAITING" ] || return 1
	done
}

# learn_waiting: what a worker without connections sits in.
learn_waiting() {
	wait_for 10 sits "$(pid_of 0)" || skip_all 'this system does not show what a process waits in'
}

# kill_worker SIGNAL SLOT: and waits until its standby is the worker. quiet_kill SIGNAL SLOT: while it is not working on
# any connection.
kill_worker() {
	local before pid
	before=$(stat_of takeovers)
	wait_for 10 guarded
	pid=$(pid_of "$2")
	[ -n "$pid" ] || die "slot $2 has a worker"
	if [ -n "${3:-}" ]; then
		wait_for 10 catch_waiting "$pid" || fail "worker $pid comes to rest"
	fi
	kill -"$1" "$pid"
	kill -CONT "$pid" 2>/dev/null # one that is stopped dies of KILL alone
	if ! wait_stat takeovers -gt "$before" 15 || ! wait_for 15 new_worker "$2" "$pid"; then
		fail "the standby of slot $2 takes over" "$(tail -n 5 "$T/stderr")"
	fi
}

quiet_kill() {
	kill_worker "$1" "$2" quietly
}

new_worker() {
	local pid
	pid=$(pid_of "$1")
	[ -n "$pid" ] && [ "$pid" != "$2" ]
}

# sum_of_counters: counters that must never go down, one a line.
counters() {
	ctl stat -a -H 2>/dev/null | awk -F '\t' '$1 ~ /^(accepts|requests|requests_started|responses_2xx|bytes_in|bytes_out|takeovers|close_client|close_lost|log_lines|latency.count|turns|events|master.worker_deaths)$/ { print $1, $2 }'
}

# went_down BEFORE AFTER: the names of counters that did.
went_down() {
	awk 'NR == FNR { was[$1] = $2; next } ($1 in was) && $2 + 0 < was[$1] + 0 { print $1, was[$1], $2 }' "$1" "$2"
}
