#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
# TTIN adds a worker, TTOU retires one, WINCH all of them, and HUP brings back what is configured. No client notices.
. "$(dirname "$0")/lib.sh"

mkdir "$T/www"
printf 'hello\n' >"$T/www/index.html"

site() {
	config <<EOF
standby = false
workers = 2
worker_connections = 1000
server "site" {
    listen = { "127.0.0.1:0" }
    reuseport = $1
    location "/" { root = "$T/www" }
}
EOF
}

workers_are() {
	[ "$(worker_pids | wc -l)" -eq "$1" ] && [ "$(stat_of master.workers_wanted)" -eq "$1" ] &&
		[ "$(children_of "$DROVER_PID" | wc -l)" -eq "$1" ]
}

expect_workers() {
	if wait_for 10 workers_are "$1"; then pass "$1 workers${2:-}"; else
		fail "$1 workers${2:-}" "$(ctl workers)"
	fi
}

# Every socket of a group has somebody who accepts: the kernel spreads connections over all of them.
expect_served() {
	local good=0
	for _ in {1..30}; do [ "$(curl -sS -m $((5 * WAIT_FACTOR)) "http://127.0.0.1:$PORT/")" != hello ] || good=$((good + 1)); done
	is "$good" 30 "$1: everybody is served"
}

queued() {
	[ "$(ctl listeners -H | cut -f 2)" -ge 1 ]
}

refusals=0
for group in false true; do
	site $group
	start_drover
	mapfile -t first < <(worker_pids | sort)
	kill -TTIN "$DROVER_PID"
	expect_workers 3 ' after TTIN'
	is "$(worker_pids | sort | grep -c -x -e "${first[0]}" -e "${first[1]}")" 2 'the first two are the same'
	expect_served 'three workers'
	kill -TTOU "$DROVER_PID"
	expect_workers 2 ' after TTOU'
	expect_served 'two workers'
	kill -TTOU "$DROVER_PID"
	expect_workers 1 ' after TTOU'
	expect_served 'one worker'
	kill -TTOU "$DROVER_PID"
	refusals=$((refusals + 1))
	said() { # once for each of these rounds
		[ "$(grep -c 'the number of workers stays between 1 and' "$T/stderr")" -eq $refusals ]
	}
	ok 'the last one stays' wait_for 5 said
	expect_workers 1 ' still'

	# Whoever connects while there is no worker waits in the queue.
	kill -WINCH "$DROVER_PID"
	expect_workers 0 ' after WINCH'
	spawn client curl -sS -m $((20 * WAIT_FACTOR)) "http://127.0.0.1:$PORT/"
	client=$PID
	ok 'it waits in the queue' wait_for 10 queued
	kill -TTIN "$DROVER_PID"
	finish "$client"
	is "$(cat "$T/client.out")" hello 'who came meanwhile is served after TTIN'
	expect_workers 1 ' after TTIN'
	kill -WINCH "$DROVER_PID"
	expect_workers 0 ' after WINCH'
	ok 'HUP' ctl reload
	expect_workers 2 ', as configured, after HUP'
	expect_served 'after HUP'
	is_stat master.worker_deaths 0 'nobody died of it'
	stop_drover
done
done_testing
