#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
# USR1: logs are opened anew, by all workers; one that cannot be opened keeps its old descriptor, and that is said.
. "$(dirname "$0")/lib.sh"

mkdir "$T/www" "$T/log"
printf 'hello\n' >"$T/www/index.html"
watch_log "$T/log/error.log"
watch_log "$T/log/error.1"
watch_log "$T/log/error.2"
start_drover <<EOF
workers = 2
worker_connections = 1000
error_log = "$T/log/error.log"
log_level = info
server "site" {
    listen = { "127.0.0.1:0" }
    access_log = "$T/log/access.log"
    location "/" { root = "$T/www" }
}
server "other" {
    listen = { "127.0.0.1:0" }
    access_log = "$T/log/other.log"
    log_format = json
    location "/" { root = "$T/www" }
}
EOF

lines() {
	if [ -e "$1" ]; then wc -l <"$1"; else echo 0; fi
}

has_lines() {
	[ "$(lines "$1")" -ge "$2" ]
}

get() {
	curl -sS -m $((5 * WAIT_FACTOR)) "http://127.0.0.1:$PORT/$1" >/dev/null
}

for _ in {1..10}; do get before; done
ok 'ten lines' wait_for 10 has_lines "$T/log/access.log" 10
for log in access error; do mv "$T/log/$log.log" "$T/log/$log.1"; done
ok 'droverctl reopen' ctl reopen
is_stat master.reopens 1 'counted'
is "$(ctl stat -H master.reopen_result | cut -f 2)" ok 'the result on the board'
is "$(stat -c %a "$T/log/access.log")" 640 'the new log is there'
for _ in {1..10}; do get after; done
ok 'ten lines in the new one' wait_for 10 has_lines "$T/log/access.log" 10
is "$(lines "$T/log/access.1")" 10 'and no more in the old one'
is "$(grep -c /before "$T/log/access.1")" 10 'each where it belongs'
ok 'the error log of the master is new' wait_for 5 grep -q 'logs reopened' "$T/log/error.log"
mapfile -t all < <(worker_pids)
is "$(readlink "/proc/${all[0]}"/fd/* "/proc/${all[1]}"/fd/* | grep -c "$T/log/.*\.1\$")" 0 'no worker holds an old log'
is "$(readlink "/proc/$DROVER_PID"/fd/* | grep -c "$T/log/.*\.1\$")" 0 'nor does the master'

# One that cannot be opened.
allow_log "reopening: cannot open the access log"
mv "$T/log/access.log" "$T/log/access.2"
mkdir "$T/log/access.log"
fails 'droverctl says that it failed' ctl reopen
is "$(ctl stat -H master.reopen_result | cut -f 2)" failed 'the board, too'
is_stat master.reopens 2 'counted'
ok 'the log says why' wait_for 5 grep -q "error .*reopening: cannot open the access log '$T/log/access.log'" "$T/log/error.log"
for _ in {1..5}; do get kept; done
ok 'lines go on into the old one' wait_for 10 has_lines "$T/log/access.2" 15
is_stat log_lines_lost 0 'no line was lost'
rmdir "$T/log/access.log"
for _ in 1 2 3; do kill -USR1 "$DROVER_PID"; done
ok 'and reopened again' ctl reopen
get last
ok 'a new log' wait_for 10 has_lines "$T/log/access.log" 1

# A worker that does not answer is not waited for without end.
kill -STOP "${all[0]}"
fails 'a worker that stands still cannot take its logs' ctl reopen
kill -CONT "${all[0]}"
ok 'and can later' ctl reopen

# Of workers that were started while others had the same logs, too: they would keep what is rotated away.
ok 'reload' ctl reload
ok 'the old ones are gone' wait_for 10 drover_is_ready
ok 'once more' ctl reopen
mv "$T/log/error.log" "$T/log/error.2"
ok 'and after it is moved' ctl reopen
for pid in $(worker_pids); do
	unlike "$(readlink "/proc/$pid/fd/"*)" '/log/[a-z]*\.([0-9]|log \(deleted\))' "process $pid has no old log"
done

done_testing
