#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
# Upgrade in place: the file of the program is replaced by another version with other record layouts and back, with
# connections of every kind alive; nothing is lost, the process stays the same. A program that cannot start, in whatever
# way, leaves the old one serving. ROUNDS: how many upgrades; CONNECTIONS and RATE: of the herd beside them.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/live.sh"

ROUNDS=${ROUNDS:-10} CONNECTIONS=${CONNECTIONS:-300} RATE=${RATE:-1000}
BIN=$T/bin
mkdir "$BIN"
NEXT=$BUILD/next/drover
THIS=$BUILD/drover
[ -x "$NEXT" ] || skip_all 'make tools builds the other program'

# put FILE: as a package manager does, under another name first.
put() {
	cp "$1" "$BIN/new" && mv "$BIN/new" "$BIN/drover"
}

version() {
	"$1" -V | cut -d ' ' -f 2
}

totals() {
	ctl stat -H requests accepts bytes_in bytes_out moved_in close_moved responses_2xx server.site.requests \
		master.worker_starts master.upgrades | awk '{ sum[$1] += $2 } END { for (k in sum) printf "%s %.0f\n", k, sum[k] }' | sort
}

never_down() {
	local before=$TOTALS
	TOTALS=$(totals)
	paste -d ' ' <(printf '%s\n' "$before") <(printf '%s\n' "$TOTALS") | awk '$4 < $2 || NF != 4 { print; bad = 1 } END { exit bad }'
}

# Old standbys, whose channels the master holds until they are gone, are gone too.
settled() {
	[ "$(children_of "$MASTER" | wc -l)" -eq 4 ]
}

own_fds() {
	find "/proc/$DROVER_PID/fd" -mindepth 1 | wc -l
}

# The memory of all processes together, in kB.
pss() {
	local pid
	for pid in "$MASTER" $(children_of "$MASTER"); do cat "/proc/$pid/smaps_rollup"; done | awk '$1 ~ /^Pss_(Anon|Shmem):/ { kb += $2 } END { print kb }'
}

fds_are() {
	[ "$(own_fds)" -eq "$1" ]
}

expect_fds() {
	if wait_for 5 fds_are "$1"; then pass 'the master holds as many descriptors as before'; else
		fail 'the master holds as many descriptors as before' "$1 before: $(ls -l "/proc/$DROVER_PID/fd")"
	fi
}

# upgrade TITLE FILE: it is done, and the old workers are gone.
upgrade() {
	local old
	put "$2"
	mapfile -t old < <(worker_pids)
	if ! ctl upgrade >"$T/upgrade.out" 2>&1; then
		fail "$1" "$(cat "$T/upgrade.out")"
		return
	fi
	wait_for 10 all_gone "${old[@]}" || fail "$1: old workers are gone" "$(ctl workers)"
	is "$(ctl stat -H master.version | cut -f 2)" "$(version "$2")" "$1"
}

# The programs of this scenario are those in $BIN.
live_site
sed -i "s|^    listen = .*|    listen = { \"127.0.0.1:0\", \"unix:$T/socket\" }\n    access_log = \"$T/access.log\"|
	s/^worker_connections = .*/worker_connections = $((CONNECTIONS + 4000))/" "$T/drover.conf"
put "$THIS"
for tool in droverctl herd; do ln -s "$BUILD/$tool" "$BIN/$tool"; done
PROGRAMS=$BUILD
BUILD=$BIN
export DROVER_TEST_FAIL=$T/how
start_drover
MASTER=$DROVER_PID
TO=("127.0.0.1:$PORT" "unix:$T/socket")
TOTALS=$(totals)

spawn herd "$BUILD/herd" -Z -c "$CONNECTIONS" -k 5000 -r "$RATE" -d 1500 -w "$T/herd.ready" -p /1k "127.0.0.1:$PORT"
HERD=$PID
wait_for 60 test -e "$T/herd.ready" || die "$CONNECTIONS connections" "$(cat "$T/herd.err")"
live all -k "$KINDS"
upgrade 'upgrade 1' "$NEXT"
like "$(cat "$T/upgrade.out")" '^upgraded: drover .* to .*-next, generation 2, 2 workers replaced in ' 'droverctl says so'
is "$(ctl stat -H master.upgrade_result | cut -f 2)" ok 'and the board'
ok 'totals never go down' never_down
say all step
upgrade 'upgrade 2' "$THIS"
wait_for 10 settled || fail 'two workers and their standbys'
before=$(own_fds) memory=$(pss)
for ((round = 3; round <= ROUNDS; round++)); do
	if [ $((round % 2)) -eq 1 ]; then upgrade "upgrade $round" "$NEXT"; else upgrade "upgrade $round" "$THIS"; fi
	never_down || fail 'totals never go down'
	[ $((round % 4)) -ne 0 ] || say all step
done
wait_for 10 settled
expect_fds "$before"
# What a sanitizer keeps is its own affair.
[[ $PROGRAMS == *san* ]] || cmp_ok "$(pss)" -lt $((memory + memory / 10 + 2000)) "all processes together have not grown (they had $memory kB)"
is_stat master.pid "$MASTER" 'the process is the same'
is_stat master.upgrades "$ROUNDS" 'upgrades are counted'
is_stat master.upgrade_failures 0 'none failed'
is "$(cat "$RUN/drover.pid")" "$MASTER" 'the pid file is still there'
ok 'two workers and their standbys' wait_for 10 settled
ok 'a reload goes on from there' ctl reload
ends all 'every answer was right, and no connection ended'
kill -TERM "$HERD"
finish "$HERD" 120
[ "$ROUNDS" -le 10 ] || diag "$(cat "$T/herd.out")"
is "$STATUS" 0 'the herd: no request failed, no connection was closed' || diag "$(cat "$T/herd.out" "$T/herd.err")"
for name in drained_idle drained_finished drained_forced close_drain close_forced moved_refused; do is_stat $name 0 "$name is 0"; done
same_stats moved_in close_moved 'as many as came in went out'
expect_stat conns -eq 0
logged() {
	[ "$(wc -l <"$T/access.log")" -eq "$(stat_of requests)" ]
}
ok 'a log line for each request' wait_for 5 logged

# What fails leaves everything as it is.
allow_log 'upgrade failed'
allow_log 'the new program says'
allow_log 'cannot start'
upgrade 'back to this version' "$THIS"
live all -n 1 -k "$KINDS"
spawn herd "$BUILD/herd" -Z -c 100 -r 500 -d 600 -p /1k "127.0.0.1:$PORT"
HERD=$PID

# fails_upgrade NAME REGEX
fails_upgrade() {
	local pids failures
	pids=$(worker_pids | sort) failures=$(stat_of master.upgrade_failures)
	ctl upgrade >"$T/upgrade.out" 2>"$T/upgrade.err"
	is "$?" 1 "$1: droverctl ends with status 1"
	like "$(tr -s ' \n' ' ' <"$T/upgrade.err")" "$2" "$1: droverctl says why"
	like "$(ctl stat -H master.upgrade_error)" "$2" "$1: the board says why"
	ok "$1: the log says why" grep -q -E "error .*upgrade failed, drover [^ ]* serves on: .*$2" "$T/stderr"
	is_stat master.upgrade_failures $((failures + 1)) "$1: counted"
	is_stat master.pid "$MASTER" "$1: the same master"
	is "$(ctl stat -H master.version | cut -f 2)" "$(version "$THIS")" "$1: the same version"
	same_workers() {
		[ "$(worker_pids | sort)" = "$pids" ]
	}
	ok "$1: the same workers" wait_for 10 same_workers
	say all step
	ok "$1: no process more" wait_for 10 settled
}

wait_for 10 settled || fail 'two workers and their standbys'
before=$(own_fds)
printf '\0\0\0\0' >"$T/rubbish"
put "$T/rubbish"
fails_upgrade 'not executable' 'cannot be executed: Permission denied'
chmod 755 "$BIN/drover"
fails_upgrade 'no program' 'cannot be executed: Exec format error'
printf '#!/bin/sh\nkill -SEGV $$\n' >"$BIN/drover"
fails_upgrade 'crashes at once' 'killed by signal 11 .SEGV'
printf '#!/bin/sh\nexit 0\n' >"$BIN/drover"
fails_upgrade 'another program' 'does not say that it can take over'
printf '#!/bin/sh\necho this is wrong >&2\nexit 3\n' >"$BIN/drover"
fails_upgrade 'refuses' 'ended with status 3: this is wrong'
rm "$BIN/drover"
fails_upgrade 'no file' 'cannot be executed: No such file'

put "$NEXT"
for how in crash abort exit hang workers; do
	printf '%s\n' "$how" >"$T/how"
	case $how in
	crash) text='crashed at its start: SEGV' ;;
	abort) text='crashed at its start: ABRT' ;;
	exit) text='ended at its start' ;;
	hang) text='did not serve in time' ;;
	workers) text='worker [01] .* exited with status 1 before it was ready' ;;
	esac
	fails_upgrade "the new program: $how" "$text"
done
allow_log 'exited with status 1 before it was ready'
rm "$T/how"

cp "$T/drover.conf" "$T/kept.conf"
sed -i 's/^worker_connections/worker_conections/' "$T/drover.conf"
fails_upgrade 'a configuration that is wrong' 'drover.conf:2: .*worker_conections'
spawn blocker perl -MIO::Socket::INET -e '$| = 1;
	my $s = IO::Socket::INET->new(LocalAddr => "127.0.0.1", Listen => 1) or die; print $s->sockport, "\n"; sleep 1000'
blocker=$PID
wait_for 10 test -s "$T/blocker.out" || die 'the port is taken'
sed "s|listen = {|listen = { \"127.0.0.1:$(cat "$T/blocker.out")\",|" "$T/kept.conf" >"$T/drover.conf"
fails_upgrade 'an address in use' 'Address already in use'
kill "$blocker"
finish "$blocker"
cp "$T/kept.conf" "$T/drover.conf"
expect_fds "$before"
upgrade 'and then it works' "$NEXT"
upgrade 'and back' "$THIS"
ends all 'every answer was right meanwhile'
kill -TERM "$HERD"
finish "$HERD" 120
is "$STATUS" 0 'the herd: no request failed, no connection was closed' || diag "$(cat "$T/herd.out" "$T/herd.err")"
expect_stat conns -eq 0

# More than the board has room for: an upgrade makes a larger one, with the counters.
requests=$(stat_of requests)
sed -i 's/^worker_connections = .*/worker_connections = '$((CONNECTIONS + 5000))'/' "$T/drover.conf"
fails 'a reload cannot make it larger' ctl reload
allow_log 'reload failed.* has room for'
upgrade 'with a larger board' "$THIS"
like "$(ctl status)" 'last reload *none, since the last upgrade \([0-9]* reloads, [1-9][0-9]* failed\)' 'and the reload that failed is past'
is_stat requests "$requests" 'counters are carried over'
is_stat conns_max $((2 * (CONNECTIONS + 5000))) 'the workers have more room'
kill -TTIN "$MASTER"
expect_stat master.workers_wanted -eq 3
upgrade 'with another worker' "$NEXT"
is_stat master.workers_wanted 3 'an upgrade keeps the number of workers'
is "$(worker_pids | wc -l)" 3 'three serve'
kill -USR2 "$MASTER"
stop_drover
ok 'no pid file is left' test ! -e "$RUN/drover.pid"
ok 'no socket is left' test ! -e "$T/socket"
done_testing
