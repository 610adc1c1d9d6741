#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
# In the background: the caller gets its prompt when drover serves, and the reason when it does not.
. "$(dirname "$0")/lib.sh"

mkdir "$T/www"
printf 'hello\n' >"$T/www/index.html"
watch_log "$T/error.log"

# background: starts drover as a daemon; what it said is in SAID, its status in STATUS.
background() {
	# A descriptor left open by the daemon would keep this pipe, and the scenario would end here by its time limit.
	SAID=$(timeout 30 "$BUILD/drover" -c "$T/drover.conf" -r "$RUN" 2>&1 9<&-)
	STATUS=$?
}

config <<EOF
workers = 2
worker_connections = 1000
error_log = "$T/error.log"
server "site" {
    listen = { "127.0.0.1:0" }
    access_log = "$T/access.log"
    location "/" { root = "$T/www" }
}
EOF
mkdir "$RUN"
background
is "$STATUS" 0 'the caller sees status 0'
unlike "$SAID" 'already|cannot' 'and nothing to worry about'
pid=$(cat "$RUN/drover.pid")
is_stat master.pid "$pid" 'pid file and board agree'
is "$(worker_pids | wc -l)" 2 'it serves already'
is "$(curl -sS "http://127.0.0.1:$(port_of 1)/")" hello 'a file is served'
is "$(ps -o sid= -p "$pid" | tr -d ' ')" "$pid" 'a session of its own'
is "$(readlink "/proc/$pid/fd/0" "/proc/$pid/fd/1" "/proc/$pid/fd/2" | sort -u)" /dev/null 'streams lead nowhere'
is "$(readlink "/proc/$pid/cwd" "/proc/$(worker_pids | head -n 1)/cwd" | sort -u)" / 'it stands in no directory that may have to go'
is "$(stat -c %a "$T/error.log" "$T/access.log" | sort -u)" 640 'mode of the logs'
ok 'the log says that it serves' wait_for 10 grep -q ' serves: generation 1, 2 of 2 workers ready' "$T/error.log"

background
is "$STATUS" 1 'a second start fails'
like "$SAID" "already running \\(pid $pid\\)" 'and says why'

ok 'reload' ctl reload
ok 'droverctl stops it' ctl stop
expect_gone "$pid"
ok 'the pid file is gone' test ! -e "$RUN/drover.pid"

# Relative paths are those of whoever started it.
(cd "$T" && timeout 30 "$BUILD/drover" -c drover.conf -r run 9<&-) >"$T/said" 2>&1
is "$?" 0 'started with relative paths'
pid=$(cat "$RUN/drover.pid")
ok 'it finds its configuration again' ctl reload
is "$(curl -sS "http://127.0.0.1:$(port_of 1)/")" hello 'and serves'
ok 'droverctl stops it' ctl stop
expect_gone "$pid"

# Whoever starts it may have closed what it has no use for.
(exec "$BUILD/drover" -c "$T/drover.conf" -r "$RUN" 0<&- 1>&- 2>&- 9<&-)
is $? 0 'with all streams closed it starts'
pid=$(cat "$RUN/drover.pid")
is "$(stat_of master.pid)" "$pid" 'the pid file is written'
is "$(readlink "/proc/$pid/fd/0" "/proc/$pid/fd/1" "/proc/$pid/fd/2" | sort -u)" /dev/null 'streams lead nowhere'
background
like "$SAID" "already running \\(pid $pid\\)" 'and the pid file is locked'
ok 'upgrade' ctl upgrade
is "$(readlink "/proc/$pid/fd/0" "/proc/$pid/fd/1" "/proc/$pid/fd/2" | sort -u)" /dev/null 'streams lead nowhere still'
ok 'droverctl stops it' ctl stop
expect_gone "$pid"

# Failures of every step come back to the caller.
sed "s,$T/access.log,$T/none/access.log," "$T/drover.conf" >"$T/new.conf"
cp "$T/drover.conf" "$T/good.conf"
mv "$T/new.conf" "$T/drover.conf"
background
is "$STATUS" 1 'a log that cannot be opened is status 1'
like "$SAID" "drover.conf:6: cannot open the access log '$T/none/access.log': No such file" 'and says so, with file and line'

# So do the other files that it names.
sed "s,^error_log.*,error_log = \"$T/none/error.log\"," "$T/good.conf" >"$T/drover.conf"
background
is "$STATUS" 1 'an error log that cannot be opened is status 1'
like "$SAID" "drover.conf:3: cannot open the error log '$T/none/error.log': No such file" 'with file and line'
sed "s,^error_log.*,pid_file = \"$T/none/pid\"," "$T/good.conf" >"$T/drover.conf"
background
is "$STATUS" 1 'a pid file that cannot be opened, too'
like "$SAID" "drover.conf:3: cannot open the pid file $T/none/pid: No such file" 'with file and line'

spawn blocker perl -MIO::Socket::INET -e '$| = 1;
	my $s = IO::Socket::INET->new(LocalAddr => "127.0.0.1", Listen => 1) or die;
	print $s->sockport, "\n"; sleep 1000'
blocker=$PID
wait_for 10 test -s "$T/blocker.out" || die 'the port is taken'
port=$(cat "$T/blocker.out")
sed "s,127.0.0.1:0,127.0.0.1:$port," "$T/good.conf" >"$T/drover.conf"
background
is "$STATUS" 1 'an address in use is status 1'
like "$SAID" "drover.conf:5: cannot listen on 127.0.0.1:$port: Address already in use" 'with file and line'
kill "$blocker"
finish "$blocker"

# A worker that cannot start: there is memory enough for the master, and too little for a worker's arena.
cp "$T/good.conf" "$T/drover.conf"
case $BUILD in
*san*) skip 'a worker that cannot start' 'sanitizers need more memory than could be limited' ;;
*)
	background
	pid=$(cat "$RUN/drover.pid")
	master_kb=$(awk '/^VmSize/ { print $2 }' "/proc/$pid/status")
	worker_kb=$(awk '/^VmSize/ { print $2 }' "/proc/$(worker_pids | head -n 1)/status")
	kill -TERM "$pid"
	expect_gone "$pid"
	allow_log 'worker cannot start'
	allow_log 'exited with status 1 before it was ready'
	allow_log 'cannot start: worker'
	SAID=$(ulimit -v $(((master_kb + worker_kb) / 2)); timeout 30 "$BUILD/drover" -c "$T/drover.conf" -r "$RUN" 2>&1 9<&-)
	is "$?" 1 'a worker that cannot start is status 1'
	like "$SAID" 'worker [01] \(pid [0-9]+, generation 1\) exited with status 1 before it was ready' 'and its end is told'
	ok 'no pid file is left' test ! -e "$RUN/drover.pid"
	;;
esac

# A stale pid file is no obstacle.
printf '1' >"$RUN/drover.pid"
background
is "$STATUS" 0 'a stale pid file is no obstacle'
pid=$(cat "$RUN/drover.pid")
kill -TERM "$pid"
expect_gone "$pid"
done_testing
