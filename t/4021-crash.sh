#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
# Crashes, hangs, and deaths of standbys: the request that killed a worker is lost and named, the rest lives; a crash loop
# ends with an empty slot; without a standby a worker is started anew.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/takeover.sh"

# A build for tests has a location that the worker dies of; others are sent the signal.
make_site
LOCATIONS='location "= /crash" { crash = true }' site
if "$BUILD/drover" -t -c "$T/drover.conf" >/dev/null 2>&1; then
	debug=yes
else
	debug=
	fails 'a build that is not for tests knows no such location' "$BUILD/drover" -t -c "$T/drover.conf"
fi
allow_log 'worker [01] \(pid [0-9]+, generation [0-9]+\) killed by signal [0-9]+ \([A-Z]+\)'
allow_log 'third crash within ten seconds: the slot begins anew'
allow_log 'worker [01] \(pid [0-9]+, generation [0-9]+\) exited with status 1'
allow_log 'hangs: no heartbeat'
LOCATIONS=${debug:+'location "= /crash" { crash = true }'} WORKERS=1 site
start_drover
learn_waiting
expect_standbys

log_says() {
	grep -q -E "$1" "$T/stderr"
}

crash() {
	wait_for 10 guarded
	if [ -n "$debug" ]; then
		curl -s -m 5 "http://127.0.0.1:$PORT/crash" >/dev/null
	else
		kill -SEGV "$(pid_of 0)"
	fi
}

# A crash in the middle of all kinds of connections.
live all -n 2
if [ -n "$debug" ]; then
	crash
	expect_stat takeovers -eq 1
	like "$(grep 'took over' "$T/stderr")" 'it was serving connection [0-9]+ from 127.0.0.1: "GET /crash"' 'its request is named'
	is_stat close_lost 1 'its connection is lost, and no other'
else
	quiet_kill SEGV 0
	skip 'its request is named' 'not a build for tests'
	is_stat close_lost 0 'no connection is lost'
fi
say all step
quiet_kill ABRT 0
say all step
ends all 'connections of every kind live through two crashes'

# What the dead worker had been told by the kernel, and did not come to any more, its standby finds out anew: of requests
# that arrive together the first one kills.
cat >"$T/together.pl" <<'EOF'
use strict; use warnings; use IO::Socket::INET;
my ($port, $pid, $first) = @ARGV;
my $ask = sub { my ($s, $path) = @_; print {$s} "GET $path HTTP/1.1\r\nHost: site\r\n\r\n"; $s->flush };
my @all = map { IO::Socket::INET->new(PeerAddr => "127.0.0.1:$port") or die "connect: $!\n" } 1 .. 50;
$ask->($_, '/one') for @all;
my $answer;
for (@all) { sysread $_, $answer, 4096 or die "no answer to begin with\n" }
kill STOP => $pid;
select undef, undef, undef, 0.05;
my $killer = shift @all;
$ask->($killer, $first);
$ask->($_, '/one') for @all;
kill CONT => $pid;
alarm 20;
my $answered = 0;
for (@all) { $answered++ if sysread($_, $answer, 4096) && $answer =~ /^HTTP\/1.1 200 / }
print "$answered\n";
EOF
if [ -n "$debug" ]; then
	# Ten seconds after the last crash.
	now=$(now_ms)
	cooled() { [ $(($(now_ms) - now)) -ge 10500 ]; }
	WAIT_FACTOR=1 wait_for 15 cooled
	before=$(stat_of takeovers)
	is "$(perl "$T/together.pl" "$PORT" "$(pid_of 0)" /crash 2>&1)" 49 'all others of the same turn are answered'
	is_stat takeovers $((before + 1)) 'by the standby'
	is_stat close_lost 2 'one connection is lost'
	crash
	wait_stat takeovers -ge $((before + 2))
else
	skip 'all others of the same turn are answered' 'not a build for tests'
fi

# The third within ten seconds: what the arena holds may be what kills.
spawn idle "$BUILD/herd" -c 20 -n 20 -i 60 -p /1k -w "$T/ready" "127.0.0.1:$PORT"
idle=$PID
wait_for 10 test -e "$T/ready"
starts=$(stat_of master.worker_starts)
# Here it is the third; where those before it took longer, one more or two.
third() {
	local crashes
	crashes=$(stat_of takeovers)
	crash
	wait_for 5 crashed_on "$crashes"
	log_says 'third crash within ten seconds'
}
crashed_on() {
	log_says 'third crash within ten seconds' || stat_is takeovers -gt "$1"
}
ok 'the third crash is said' wait_for 10 third
expect_stat master.worker_starts -gt "$starts"
wait_for 15 drover_is_ready || fail 'a worker again'
is "$(curl -sS -m 5 "http://127.0.0.1:$PORT/one")" one 'the slot serves again'
is_stat conns 0 'with no connection of before'
expect_standbys 'after a crash loop'
kill "$idle"
finish "$idle"

# Killed by somebody, as often as he likes: that is no crash.
spawn idle2 "$BUILD/herd" -Z -c 20 -n 20 -i 3600 -p /1k -w "$T/ready2" "127.0.0.1:$PORT"
idle=$PID
wait_for 10 test -e "$T/ready2"
for _ in {1..5}; do quiet_kill KILL 0; done
is_stat conns_idle 20 'five kills: all idle connections are there'

# Stopped: it hangs, and is taken over within hang and a second.
sed -i '1i hang = 1s' "$T/drover.conf"
ok 'reload with a short hang' ctl reload
expect_standbys 'after a reload'
pid=$(pid_of 0)
before=$(stat_of takeovers)
began=$(now_ms)
kill -STOP "$pid"
wait_stat takeovers -gt "$before" 20
took=$(($(now_ms) - began))
diag "taken over $took ms after it was stopped, with hang = 1 s"
cmp_ok "$took" -ge 700 'not before it counts as hung'
cmp_ok "$took" -le $((2000 * WAIT_FACTOR)) 'within hang and one second'
expect_stat master.worker_hangs -eq 1
is_stat conns_idle 20 'all idle connections are there'
expect_standbys 'after a hang'
# Once it is well again, nobody hangs.
now=$(now_ms)
later() { [ $(($(now_ms) - now)) -ge 3000 ]; }
wait_for 10 later
is_stat master.worker_hangs 1 'an idle worker does not count as hung'
sed -i '1d' "$T/drover.conf"
ok 'reload with a long one' ctl reload
expect_standbys 'after another reload'

# The standby alone.
standby=$(standby_of 0)
worker=$(pid_of 0)
starts=$(stat_of master.worker_starts)
kill -KILL "$standby"
expect_gone "$standby"
expect_standbys 'after the death of one'
is "$(pid_of 0)" "$worker" 'the worker is the same'
is_stat master.worker_starts "$starts" 'nobody was started anew'
is_stat conns_idle 20 'all idle connections are there'

# One that is stopped does no harm: it is no standby until it goes on.
kill -STOP "$(standby_of 0)"
kill -KILL "$worker"
expect_gone "$worker"
kill -CONT "$(processes standby | head -n 1)"
ok 'a standby that was stopped takes over when it goes on' wait_for 10 new_worker 0 "$worker"
is_stat conns_idle 20 'all idle connections are there'
expect_standbys

# Both at the same moment.
worker=$(pid_of 0)
standby=$(standby_of 0)
kill -STOP "$standby"
wait_for 5 is_stopped "$standby"
kill -KILL "$worker" "$standby"
ok 'a new worker' wait_for 15 new_worker 0 "$worker"
expect_stat master.worker_starts -eq $((starts + 1))
is "$(curl -sS -m 5 "http://127.0.0.1:$PORT/one")" one 'the slot serves again'
expect_standbys 'after the death of both'
is_stat conns 0 'with no connection of before'
kill "$idle"
finish "$idle"
is_stat master.gossip 0 'nobody talked nonsense'
stop_drover

# Without standbys.
WORKERS=2 site 'standby = false'
start_drover
is "$(children_of "$DROVER_PID" | wc -l)" 2 'standby = false: none is there'
worker=$(pid_of 1)
kill -KILL "$worker"
ok 'a new worker' wait_for 15 new_worker 1 "$worker"
is_stat master.worker_starts 3 'started anew'
is_stat takeovers 0 'nobody took over'
sed -i 's/standby = false/standby = true/' "$T/drover.conf"
ok 'standbys come with a reload' ctl reload
expect_standbys 'after the reload'
sed -i 's/standby = true/standby = false/' "$T/drover.conf"
ok 'and go with one' ctl reload
none() { [ "$(children_of "$DROVER_PID" | wc -l)" -eq 2 ]; }
ok 'no standby is left' wait_for 10 none
done_testing
