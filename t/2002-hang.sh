#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
# A worker whose heartbeat stops is ended and replaced; a master that was held up itself blames nobody.
. "$(dirname "$0")/lib.sh"

mkdir "$T/www"
printf 'hello\n' >"$T/www/index.html"
start_drover <<EOF
standby = false
workers = 2
worker_connections = 1000
hang = 2s
server "site" {
    listen = { "127.0.0.1:0" }
    location "/" { root = "$T/www" }
}
EOF

pid_of() {
	ctl workers -H | awk -F '\t' -v slot="$1" '$1 == slot && $4 == "ready" { print $3 }'
}

new_pid() {
	local pid
	pid=$(pid_of "$1")
	[ -n "$pid" ] && [ "$pid" != "$2" ]
}

# The master stands still for longer than the limit, and so do both workers: whoever looks at the heartbeats alone would
# end them when it goes on.
mapfile -t all < <(worker_pids)
kill -STOP "$DROVER_PID" "${all[@]}"
held=$(now_ms)
long_ago() {
	[ $(($(now_ms) - held)) -ge 3500 ]
}
wait_for 20 long_ago
kill -CONT "$DROVER_PID"
late() {
	grep -q 'warn .*the master itself was held up' "$T/stderr"
}
ok 'the master notices that it was held up' wait_for 5 late
kill -CONT "${all[@]}"
beat=$(stat_of master.beat_us)
expect_stat master.beat_us -gt $((beat + 2500000))
is_stat master.worker_hangs 0 'nobody is said to hang'
is "$(worker_pids | sort | tr '\n' ' ')" "$(printf '%s\n' "${all[@]}" | sort | tr '\n' ' ')" 'both workers are still there'

# One worker alone stands still.
victim=$(pid_of 1)
kill -STOP "$victim"
allow_log "worker 1 \\(pid $victim\\) hangs: no heartbeat for [2-9][0-9]{3} ms; ending it with ABRT"
allow_log "worker 1 \\(pid $victim, generation 1\\) killed by signal (6|9) \\([A-Z]+\\)(, core dumped)?, as it hung"
expect_stat master.worker_hangs -eq 1 15
ok 'it is replaced' wait_for 15 new_pid 1 "$victim"
expect_gone "$victim"
expect_stat master.worker_deaths -eq 1
for _ in {1..10}; do
	[ "$(curl -sS -m $((5 * WAIT_FACTOR)) "http://127.0.0.1:$PORT/")" = hello ] || fail 'served after the hang'
done
pass 'it serves'
is "$(ctl workers -a -H | awk -F '\t' -v pid="$victim" '$3 == pid { print $4 }')" dead 'its row says that it is dead'
stop_drover

# Everybody stands still, for longer than hang and too short for the master to call itself late: none of them hangs.
sed -i 's/^hang = .*/hang = 500ms/' "$T/drover.conf"
start_drover
mapfile -t all < <(worker_pids)
for round in 1 2 3; do
	kill -STOP "$DROVER_PID" "${all[@]}"
	held=$(now_ms)
	standstill() {
		[ $(($(now_ms) - held)) -ge 800 ]
	}
	wait_for 10 standstill
	kill -CONT "$DROVER_PID" "${all[@]}"
	beat=$(stat_of master.beat_us)
	expect_stat master.beat_us -gt $((beat + 900000))
	is_stat master.worker_hangs 0 "a standstill of all: nobody is said to hang ($round)"
done
is "$(worker_pids | sort | tr '\n' ' ')" "$(printf '%s\n' "${all[@]}" | sort | tr '\n' ' ')" 'both workers are still there'
done_testing
