#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
# The command line: what starts drover, what only checks, what is refused and how; pid file, board and process titles.
. "$(dirname "$0")/lib.sh"

mkdir "$T/www"
printf 'hello\n' >"$T/www/index.html"
config <<EOF
workers = 2
worker_connections = 1000
server "site" {
    listen = { "127.0.0.1:0" }
    location "/" { root = "$T/www" }
}
EOF

# run_drover ARGS: to its end; OUT, ERR and STATUS are what came of it.
run_drover() {
	timeout 20 "$BUILD/drover" "$@" >"$T/one.out" 2>"$T/one.err" 9<&-
	STATUS=$?
	OUT=$(cat "$T/one.out")
	ERR=$(cat "$T/one.err")
}

run_drover -V
is "$STATUS" 0 '-V ends with status 0'
like "$OUT" '^drover [0-9]' '-V prints the version'
run_drover -h
is "$STATUS" 0 '-h ends with status 0'
like "$OUT" 'usage: drover' '-h prints the usage'
run_drover --help
like "$STATUS$OUT" '^0usage: drover' 'as --help does'
run_drover --version
like "$STATUS$OUT" '^0drover [0-9]' 'and --version the version'

usage() {
	local name=$1 text=$2
	shift 2
	run_drover "$@"
	is "$STATUS" 2 "$name: status 2"
	like "$ERR" "$text" "$name: says so"
}
usage 'an unknown option' 'there is no option -x' -x
usage 'an unknown long option' 'there is no option --daemon' --daemon
usage '-c without a file' 'option -c needs an argument' -c
usage '-c and a folder' 'either a configuration \(-c\) or a folder' -c "$T/drover.conf" "$T/www"
usage 'two folders' 'only one folder' "$T/www" "$T"
usage '-l without a folder' '-l needs a folder' -l 127.0.0.1:0

run_drover -t -c "$T/drover.conf"
is "$STATUS" 0 '-t finds nothing wrong'
like "$OUT" 'drover.conf: the configuration is good' '-t says so'
run_drover -T -c "$T/drover.conf"
is "$STATUS" 0 '-T ends with status 0'
printf '%s\n' "$OUT" >"$T/full.conf"
like "$OUT" 'drain = 30s' '-T prints defaults'
run_drover -t -c "$T/full.conf"
is "$STATUS" 0 'what -T prints is a configuration'
printf 'workers = 0\nnonsense = 1\n' >"$T/bad.conf"
for option in -t -T -F; do
	run_drover "$option" -c "$T/bad.conf" -r "$T/other"
	is "$STATUS" 1 "$option: a wrong configuration is status 1"
	like "$ERR" 'bad.conf:[12]: ' "$option: with its place"
done
run_drover -t -c "$T/none.conf"
is "$STATUS" 1 'no such file is status 1'
like "$ERR" 'none.conf' 'and is named'
cd "$T" || exit 99
run_drover -t -c drover.conf
is "$STATUS" 0 'a relative path is found'
cd "$ROOT" || exit 99

start_drover
is "$(cat "$RUN/drover.pid")" "$DROVER_PID" 'the pid file has the pid of the master'
is "$(curl -sS "http://127.0.0.1:$PORT/")" hello 'a file is served'
like "$(tr '\0' ' ' <"/proc/$DROVER_PID/cmdline")" "^drover: master $T/drover.conf" 'the title of the master'
worker=$(worker_pids | head -n 1)
like "$(tr '\0' ' ' <"/proc/$worker/cmdline")" '^drover: worker [01] gen 1' 'the title of a worker'
like "$(cat "/proc/$worker/comm")" '^drover-w[01]$' 'the name of a worker'
is_stat master.worker_starts 2 'two workers were started'
is "$(stat -c %a "$RUN/drover.board")" 640 'the mode of the board'
expect_stat master.beat_us -gt 0
like "$(ctl status)" '2 of 2 ready' 'droverctl sees it'

run_drover -F -c "$T/drover.conf" -r "$RUN"
is "$STATUS" 1 'a second start is refused'
like "$ERR" "already running \\(pid $DROVER_PID\\)" 'it says who runs'
is "$(cat "$RUN/drover.pid")" "$DROVER_PID" 'the pid file is as it was'
sed "s,^workers,pid_file = \"$T/second.pid\"\\nworkers," "$T/drover.conf" >"$T/second.conf"
run_drover -F -c "$T/second.conf" -r "$RUN"
is "$STATUS" 1 'with another pid file in the same run directory, too'
like "$ERR" 'already running' 'it says so'
is "$(ctl status >/dev/null 2>&1; echo $?)" 0 'the board of the first is as it was'

# What a worker holds: nothing of the master's but its own sockets, logs, board and channel.
is "$(readlink /proc/"$worker"/fd/* | grep -c 'drover\.pid\|signalfd')" 0 'a worker holds neither pid file nor signals'
stop_drover
is "$(ls "$RUN")" drover.board 'pid file gone, board left'
like "$(ctl status 2>&1)" 'stopped' 'the board says that drover stopped'

# Without a configuration.
rm "$T/drover.conf"
start_drover -l 127.0.0.1:0 "$T/www"
is "$(curl -sS "http://127.0.0.1:$PORT/")" hello 'a folder is served without a configuration'
# After it serves.
ok 'what to look at is printed' wait_for 10 grep -q "droverctl -r $RUN status" "$T/stdout"
like "$(cat "$T/stdout")" "http://127.0.0.1:$PORT/" 'and the address'
is "$(ls "$RUN" | grep -v -e "^worker" -e "^ctl" | tr '\n' ' ')" 'drover.board drover.board.prev drover.pid ' 'the board of before is kept'
ok 'reload without a configuration' ctl reload
stop_drover INT
start_drover -l "unix:$T/socket" "$T/www"
is "$(curl -sS --unix-socket "$T/socket" http://x/)" hello 'by a unix socket'
ok 'its address is printed, which is no URL' wait_for 10 grep -q "serves $T/www at unix:$T/socket\$" "$T/stdout"
stop_drover INT
run_drover -l nonsense "$T/www" -r "$RUN"
is "$STATUS" 2 'options come before the folder'
run_drover -r "$RUN" -l nonsense "$T/www"
is "$STATUS" 1 'an address that is none is refused'

mkdir -m 777 "$T/open"
run_drover -r "$T/open" "$T/www"
is "$STATUS" 1 'a run directory that everybody may write is refused'
like "$ERR" 'others may write' 'it says so'
run_drover -r "$T/none/run" "$T/www"
is "$STATUS" 1 'a run directory that cannot be made'
like "$ERR" 'cannot make the run directory' 'it says so'
done_testing
