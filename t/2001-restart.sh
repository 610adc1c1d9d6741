#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
# A worker that dies is replaced, at once the first time and with patience when it goes on dying; all of it is counted and said.
. "$(dirname "$0")/lib.sh"

mkdir "$T/www"
printf 'hello\n' >"$T/www/index.html"
start_drover <<EOF
standby = false
workers = 2
worker_connections = 1000
server "site" {
    listen = { "127.0.0.1:0" }
    location "/" { root = "$T/www" }
}
EOF

log_says() {
	grep -q -E "$1" "$T/stderr"
}

# pid_of SLOT: of its ready worker.
pid_of() {
	ctl_plain workers -H | awk -F '\t' -v slot="$1" '$1 == slot && $4 == "ready" { print $3 }'
}

# new_pid SLOT OLD: another one is ready there.
new_pid() {
	local pid
	pid=$(pid_of "$1")
	[ -n "$pid" ] && [ "$pid" != "$2" ]
}

is "$(ctl workers -H | awk -F '\t' '{ print $1 }' | tr '\n' ' ')" '0 1 ' 'one worker in each slot'
curl -sS "http://127.0.0.1:$PORT/" >/dev/null
expect_stat requests -eq 1
fds_before=$(ls "/proc/$DROVER_PID/fd" | wc -l)

victim=$(pid_of 0) other=$(pid_of 1)
kill -SEGV "$victim"
allow_log "worker 0 \\(pid $victim, generation 1\\) killed by signal 11 \\(SEGV\\)"
ok 'it is replaced at once' wait_for 5 new_pid 0 "$victim"
is "$(pid_of 1)" "$other" 'the other one is not touched'
expect_stat master.worker_deaths -eq 1
is_stat master.worker_starts 3 'three starts'
is_stat requests 1 'counters outlive the worker'
ok 'the log says what it died of' log_says "error .*worker 0 \\(pid $victim, generation 1\\) killed by signal 11 \\(SEGV\\)"
is "$(curl -sS "http://127.0.0.1:$PORT/")" hello 'it serves on'
is "$(ctl workers -a -H | awk -F '\t' -v pid="$victim" '$3 == pid { print $4 }')" dead 'its row says that it is dead'

# The second death in a row, and the third, cost patience: one second, then two.
second=$(pid_of 0)
allow_log 'worker 0 \(pid [0-9]+, generation 1\) killed by signal 9'
before=$(now_ms)
kill -KILL "$second"
ok 'it is replaced again' wait_for 10 new_pid 0 "$second"
cmp_ok $(($(now_ms) - before)) -ge 900 'but not within a second'
ok 'the log says why' log_says 'warn .*worker 0 died 2 times in a row: starting it again in 1 s'
is "$(curl -sS "http://127.0.0.1:$PORT/")" hello 'the other one serves meanwhile'
third=$(pid_of 0)
before=$(now_ms)
kill -KILL "$third"
ok 'and again' wait_for 10 new_pid 0 "$third"
cmp_ok $(($(now_ms) - before)) -ge 1900 'after two seconds'

# A reload forgives.
ok 'reload' ctl reload
wait_for 10 drover_is_ready # the old ones have heard of it
fourth=$(pid_of 0)
allow_log 'generation 2\) killed by signal 9'
before=$(now_ms)
kill -KILL "$fourth"
ok 'after a reload it is replaced at once' wait_for 5 new_pid 0 "$fourth"
unlike "$(tail -n 5 "$T/stderr")" 'generation 2.*in a row' 'without patience'

# All of them at once.
allow_log 'worker [01] \(pid [0-9]+, generation 2\) killed by signal 9'
mapfile -t all < <(worker_pids)
kill -KILL "${all[@]}"
none_of_them() {
	drover_is_ready && ! worker_pids | grep -q -x -e "${all[0]}" -e "${all[1]}"
}
ok 'both are replaced' wait_for 15 none_of_them
is "$(curl -sS "http://127.0.0.1:$PORT/")" hello 'it serves'
expect_stat master.worker_deaths -eq 6
is_stat master.worker_hangs 0 'no hang was seen'
fds_now() {
	[ "$(ls "/proc/$DROVER_PID/fd" | wc -l)" -eq "$fds_before" ]
}
ok 'the master leaked no descriptor' wait_for 5 fds_now
done_testing
