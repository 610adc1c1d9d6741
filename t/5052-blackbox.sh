#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
# The black box: what each process was doing when it died, hung, or was stopped; from the log, and from the board alone.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/takeover.sh"

make_site
head -c 30000000 /dev/zero >"$T/www/large"
# Nobody who is held comes to a deadline.
patient_site() {
	site "$@"
	sed -i 's/send = 300s/send = 1h  idle = 1h/' "$T/drover.conf"
}
# hold N: so many clients that ask for a large file and read none of it, one every 20 ms; then some that are idle.
hold() {
	spawn "hold$1" perl -MIO::Socket::INET -e '
		my ($to, $n) = @ARGV; my @all;
		for (1 .. $n) {
			my $s = IO::Socket::INET->new(PeerAddr => $to) or die;
			print {$s} "GET /large?secret=$_ HTTP/1.1\r\nHost: x\r\n\r\n"; $s->flush; sysread $s, my $in, 1; push @all, $s; select undef, undef, undef, 0.02 }
		for (1 .. 3) {
			my $s = IO::Socket::INET->new(PeerAddr => $to) or die;
			print {$s} "GET /one HTTP/1.1\r\nHost: x\r\n\r\n"; $s->flush; sysread $s, my $in, 4096; push @all, $s }
		sleep 3600' "127.0.0.1:$PORT" "$1"
	HOLD=$PID
	wait_for 20 holds "$1" || fail "$1 requests are in flight" "$(ctl conns)"
}
holds() {
	[ "$(ctl conns -H state=send | wc -l)" -eq "$1" ] && [ "$(ctl conns -H state=idle | wc -l)" -eq 3 ]
}
in_flight() {
	grep "in flight when process $1 of slot 0 died" "$T/stderr"
}
allow_log 'worker [01] \(pid [0-9]+, generation [0-9]+\) killed by signal [0-9]+'
allow_log 'hangs: no heartbeat'

# A standby goes on at once, and says what it found.
WORKERS=1 patient_site
start_drover
expect_standbys
hold 25
mapfile -t ids < <(ctl conns -H state=send -s id | cut -f 12)
pid=$(pid_of 0)
kill -KILL "$pid"
expect_stat takeovers -eq 1
told() { [ "$(in_flight "$1" | wc -l)" -ge 10 ]; }
ok 'the ten slowest in flight are in the log' wait_for 5 told "$pid"
is "$(in_flight "$pid" | wc -l)" 10 'ten, not more'
like "$(in_flight "$pid" | head -n 1)" "1 of 25: conn=[0-9]+ from 127\\.0\\.0\\.1:[0-9]+ req=${ids[0]} trace=${ids[0]}, send for [0-9.]+ s, request for [0-9.]+ s, [0-9.]+ s left, \"GET /large\"" \
	'the longest first: ids, peer, state, ages, deadline, request'
is "$(in_flight "$pid" | sed 's/.* req=\([0-9a-f]*\) .*/\1/' | tr '\n' ' ')" "$(printf '%s ' "${ids[@]:0:10}")" 'in their order'
is "$(grep -c secret "$T/stderr")" 0 'no query'
like "$(cat "$T/stderr")" "worker 0 \\(pid $pid, generation 1\\) killed by signal 9 \\(KILL\\)" 'the signal, slot, process and generation'
is "$(ctl conns -H state=send -s id | cut -f 12 | tr '\n' ' ')" "$(printf '%s ' "${ids[@]}")" 'they go on, with their ids'

# Stopped: the board tells of it as of one that hangs.
expect_standbys
pid=$(pid_of 0)
kill -STOP "$pid"
hung() { ctl status -H | grep -q "^last seen.*slot 0 (process $pid, generation 1) was ready, is hung"; }
ok 'a worker that is stopped is said to hang, and what it was doing' wait_for 20 hung
like "$(ctl status -H | grep '^last seen')" 'slot 0 had in flight 25, the longest connection [0-9]+ from 127\.0\.0\.1:[0-9]+ in state send, request '"${ids[0]}"' for .*: GET /large' 'and the slowest'
kill -CONT "$pid"

# All dead: the board alone.
kill_family
DROVER_PID=
wait_for 10 no_family
board=$T/run/drover.board
ctl() { "$BUILD/droverctl" --board "$board" "$@" 9<&-; }
like "$(ctl status -H | grep '^last seen')" "slot 0 \\(process $pid, generation 1\\) was ready, is dead, last beat .* ago: was serving nobody" 'status names the process'
like "$(ctl status -H | grep '^last seen')" 'slot 0 held 3 idle, 25 send' 'its connections by state'
like "$(ctl status -H | grep '^last seen')" "slot 0 had in flight 25, the longest .* request ${ids[0]} for" 'and the slowest'
ok 'in JSON, too' perl -MJSON::PP -e '
	my $d = decode_json(join "", <STDIN>)->{doing}; die "rows" if @$d != 1;
	die "in flight" if $d->[0]{in_flight} != 25; die "states" if $d->[0]{states}{send} != 25; die "life" if $d->[0]{life} ne "dead"' < <(ctl status -j)
ages() { ctl conns -H -s id | cut -f 1,5,6; }
first=$(ages)
is "$(printf '%s\n' "$first" | wc -l)" 28 'conns lists them all'
now=$(now_ms)
later() { [ $(($(now_ms) - now)) -ge 300 ]; }
wait_for 5 later
is "$(ages)" "$first" 'with ages that do not grow any more'
is "$(ctl conns -H state=send -s id | cut -f 12 | tr '\n' ' ')" "$(printf '%s ' "${ids[@]}")" 'and their ids'

# Without a standby the master says it; a worker that dies at work has its request named.
unset -f ctl
ctl() { "$BUILD/droverctl" -r "$RUN" "$@" 9<&-; }
WORKERS=1 patient_site 'standby = false'
start_drover
hold 12
pid=$(pid_of 0)
kill -KILL "$pid"
ok 'without a standby the master says it' wait_for 10 told "$pid"
is "$(in_flight "$pid" | awk '{ print $4 }' | sort -u)" '[-]' 'in its own name'
wait_for 10 drover_is_ready
kill "$HOLD"
finish "$HOLD"
done_testing
