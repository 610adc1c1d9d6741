#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
# What workers give up: user, groups, capabilities, and the way back.
. "$(dirname "$0")/lib.sh"

mkdir "$T/www"
printf 'hello\n' >"$T/www/index.html"

# proc PID NAME: a line of its status, blanks as one.
proc() {
	awk -v name="$2:" '$1 == name { $1 = ""; sub(/^ /, ""); print }' "/proc/$1/status"
}

site() {
	config <<EOF
workers = 1
worker_connections = 1000
$1
server "site" {
    listen = { "127.0.0.1:0" }
    access_log = "$T/access.log"
    location "/" { root = "$T/www" }
}
EOF
}

site ''
start_drover
worker=$(worker_pids)
is "$(proc "$worker" NoNewPrivs)" 1 'no_new_privs, whatever the user'
is "$(proc "$worker" Uid)" "$(proc "$DROVER_PID" Uid)" 'without a user it stays who it is'
is "$(proc "$worker" SigBlk)" 0000000000000000 'no signal is blocked'
stop_drover

if [ "$(id -u)" -ne 0 ]; then
	is "$(proc "$$" CapEff)" 0000000000000000 'not root: no capability to begin with'
	skip 'the user is changed' 'not root'
	done_testing
fi

rm -f "$T/access.log"
site 'user = "nobody"'
start_drover
worker=$(worker_pids)
uid=$(id -u nobody) gid=$(id -g nobody)
is "$(proc "$worker" Uid)" "$uid $uid $uid $uid" 'user'
is "$(proc "$worker" Gid)" "$gid $gid $gid $gid" 'group'
is "$(proc "$worker" Groups)" "$(id -G nobody)" 'groups'
for set in CapInh CapPrm CapEff CapBnd CapAmb; do
	is "$(proc "$worker" $set)" 0000000000000000 "$set is empty"
done
is "$(proc "$worker" NoNewPrivs)" 1 'no_new_privs'
is "$(stat -c %u "/proc/$worker/fd")" 0 'not dumpable: its memory is root'\''s to read'
is "$(proc "$DROVER_PID" Uid)" '0 0 0 0' 'the master stays root'
is "$(curl -sS "http://127.0.0.1:$PORT/")" hello 'it serves'
is "$(stat -c %U "$T/access.log")" root 'it writes to a log that is not its own'
expect_file "$T/access.log"
kill -KILL "$worker"
allow_log "worker 0 \\(pid $worker, generation 1\\) killed by signal 9"
is_another() {
	drover_is_ready && [ "$(worker_pids)" != "$worker" ]
}
wait_for 10 is_another || die 'a new worker is ready'
is "$(proc "$(worker_pids)" Uid)" "$uid $uid $uid $uid" 'the next worker, too'
stop_drover

site 'user = "no-such-user-here"'
launch_drover
finish "$DROVER_PID" 20
is "$STATUS" 1 'an unknown user is refused'
like "$(cat "$T/stderr")" 'drover.conf:3: .*no-such-user-here' 'with file and line'
DROVER_PID=
done_testing
