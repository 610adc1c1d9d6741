#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
# droverctl doctor: each trouble is provoked for real and named, with who, why and what to do; a daemon that is well is
# called well, also under load; and it all works while every worker is stopped, and from the board of the dead.
. "$(dirname "$0")/lib.sh"

mkdir "$T/www"
printf 'hello\n' >"$T/www/a.txt"
head -c 24000000 /dev/zero >"$T/www/large"
site() {
	config <<EOF
workers = 2
worker_connections = 400
hang = 600s
rebalance = false
${2:-}
server "s" {
    listen = { "127.0.0.1:0", "[::1]:0", "unix:$T/sock" }
    deadlines { header = 300s  body = 300s  send = 300s  idle = 300s  min_rate = 0 $1 }
    keepalive { requests = 0 }
    location "/" { root = "$T/www" }
}
server "small" {
    listen = { "127.0.0.1:0" }
    names = { "small" }
    backlog = 16
    deadlines { idle = 300s  header = 300s }
    location "/" { root = "$T/www" }
}
EOF
}
perl -MIO::Socket::IP -e 'IO::Socket::IP->new(LocalHost => "::1", Listen => 1) or exit 1' || skip_all 'no IPv6'
site ''
start_drover
SMALL=$(port_of 4)
mapfile -t workers < <(worker_pids)
TCP=1
ldd "$BUILD/droverctl" | grep -q libmnl || TCP=0

# doctor [ARGS]: its findings in OUT, a line each, and its status in STATUS.
doctor() {
	OUT=$(ctl -H doctor "$@")
	STATUS=$?
}
# severity CHECK, of its worst finding; text CHECK
severity() { awk -F '\t' -v check="$1" '$2 == check { print $1; exit }' <<<"$OUT"; }
text() { grep -P "^\w+\t$1\t" <<<"$OUT"; }
# found CHECK SEVERITY [REGEX] [ARGS]: doctor says so.
found() {
	local check=$1 want=$2 regex=$3
	shift 3
	doctor -i 0.2 "$@"
	[ "$(severity "$check")" = "$want" ] && grep -qE "$regex" <<<"$(text "$check")"
}
# expect CHECK SEVERITY REGEX NAME: within the time.
expect() {
	if wait_for 15 found "$1" "$2" "$3"; then pass "$4"; else fail "$4" "$OUT"; fi
}
# expect_status STATUS CHECK SEVERITY REGEX NAME: the same, and that is the worst of it. A machine with other things to do makes loops
# late for a moment, which is then worse.
found_status() {
	found "$2" "$3" "$4" && [ "$STATUS" -eq "$1" ]
}
expect_status() {
	if wait_for 15 found_status "$1" "$2" "$3" "$4"; then pass "$5: status $1"; else fail "$5: status $1" "status $STATUS: $OUT"; fi
}
tcp() {
	if [ $TCP -eq 1 ]; then "$@"; else skip "$4" 'built without libmnl'; fi
}

# Clients that do as they are told: "open N PORT", "ask", "send PATH", "shut", "close", "end".
cat >"$T/clients.pl" <<'END'
use strict;
use warnings;
use IO::Socket::INET;
use Socket qw(SOL_SOCKET SO_RCVBUF);
my (@s, $n);
$| = 1;
open my $say, '<', shift or die;
while (my $line = <$say>) {
	my ($what, $arg, $port) = split ' ', $line;
	if ($what eq 'open') {
		push @s, IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => $port, Timeout => 5) || die "open: $@" for 1 .. $arg;
	} elsif ($what eq 'syn') { # without waiting for an answer
		push @s, IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => $port, Blocking => 0) || die "syn: $@" for 1 .. $arg;
	} elsif ($what eq 'ask') {
		for my $s (@s) {
			syswrite $s, "GET /a.txt HTTP/1.1\r\nHost: x\r\n\r\n";
			my $in = '';
			sysread $s, $in, 65536, length $in or die "ask: $!\n" until $in =~ /hello\n/;
		}
	} elsif ($what eq 'send') {
		syswrite $_, "GET $arg HTTP/1.1\r\nHost: x\r\n\r\n" for @s;
	} elsif ($what eq 'close') {
		@s = ();
	} elsif ($what eq 'end') {
		exit 0;
	}
	print "done ", ++$n, "\n";
}
END
said=0
mkfifo "$T/say"
spawn clients perl "$T/clients.pl" "$T/say"
CLIENTS=$PID
exec 8<>"$T/say"
heard() {
	is_gone "$CLIENTS" || grep -q "^done $said\$" "$T/clients.out"
}
say() {
	printf '%s\n' "$*" >&8
	said=$((said + 1))
	wait_for 30 heard && ! is_gone "$CLIENTS" || die "clients: $*" "$(cat "$T/clients.err")"
}

# All is well.
well() {
	doctor -i 0.2
	[ $STATUS -eq 0 ]
}
ok 'a daemon that is well' wait_for 10 well || diag "$OUT"
called_well() { ctl doctor -i 0.1 | grep -q '^All is well'; }
ok 'is called well' wait_for 10 called_well
no_complaint() { ! ctl doctor -i 0.1 -a -H | grep -qP '^(warning|critical)\t'; }
ok 'no check complains' wait_for 10 no_complaint
checks=$(ctl doctor -i 0.1 -a -H | cut -f 2 | sort -u | wc -l)
is "$checks" 20 'all checks were made'
is "$(ctl doctor -a -i 0.1 | awk 'length > 80' | wc -l)" 0 'no line is longer than 80 columns'
fine_json() {
	ctl doctor -i 0.1 -j >"$T/json"
	SAID=$(perl -MJSON::PP -0777 -ne '
		my $d = decode_json($_);
		print join " ", $d->{command}, $d->{severity}, scalar(grep { defined $_->{check} && defined $_->{do} } @{$d->{findings}}) >= 20 ? "all" : "few"' \
		"$T/json")
	[ "$SAID" = 'doctor fine all' ]
}
ok 'JSON' wait_for 10 fine_json || diag "$SAID"
fails 'an argument that is none is refused' ctl doctor nonsense
fails 'and so is an upstream without a port' ctl doctor upstream=127.0.0.1

# And under load.
spawn herd "$BUILD/herd" -c 64 -r 1000 -d 600 -p /a.txt "127.0.0.1:$PORT"
HERD=$PID
wait_stat requests -gt 500
alarms=
for round in 1 2 3 4 5 6 7 8; do
	doctor -i 0.5
	case $STATUS in 0) ;; *) alarms+="$round: $OUT"$'\n' ;; esac
done
# A machine with other things to do makes loops late: that is then so.
alarms=$(grep -vP '^$|\tloop_lag\t' <<<"$alarms" | grep -P '^([0-9]: )?(warning|critical)')
is "$alarms" '' 'no false alarm under load'
kill "$HERD"
finish "$HERD"
expect_stat conns -eq 0

# Nobody closes: workers that stand still, of clients accepted and of others not yet.
say open 20 "$PORT"
say ask
kill -STOP "${workers[@]}"
say open 10 "$PORT"
say send /a.txt
say close
tcp expect close_wait warning '30 connections are in CLOSE_WAIT.*workers that stand still, slot [01] \(process [0-9]+, stopped\).*10 wait in the accept queue' \
	'CLOSE_WAIT: who does not close'
[ $TCP -eq 0 ] || like "$(text close_wait)" 'kill -CONT' 'CLOSE_WAIT: what to do'
hung() {
	found workers critical 'slot 0 \(process [0-9]+, stopped by a signal'
}
ok 'workers that hang are critical' wait_for 15 hung || diag "$OUT"
is "$STATUS" 4 'the exit status of what is critical'
is "$(ctl doctor -i 0.1 -j | perl -MJSON::PP -0777 -ne 'print decode_json($_)->{severity}')" critical 'and its JSON'
like "$(ctl doctor -i 0.1)" 'CRITICAL.*workers.*seen.*means.*do .*Critical: clients suffer now' 'and its text'

# The accept queue of 16 is full.
say syn 17 "$SMALL"
expect accept_queue critical "127.0.0.1:$SMALL 1[67] of 16.*all workers stand still" 'accept queue near its limit, and why'
say close
kill -CONT "${workers[@]}"
ok 'and all is well again' wait_for 30 well || diag "$OUT"
expect_stat conns -eq 0
is "$(severity accept_queue)$(severity close_wait)" '' 'no queue, no CLOSE_WAIT'

# One worker has all connections, and is nearly full.
kill -STOP "${workers[1]}"
say open 330 "$PORT"
expect connections warning 'Slot [01] holds 330 of 400 connections.*: 82 %.*330 head.*(330|3[0-2][0-9]) of all 330 come from 127\.0\.0\.1' \
	'near worker_connections, what they are, and whose'
kill -CONT "${workers[1]}"
balance='Of 330 connections, slot [01] holds 330; the least loaded of 2 workers 0.*rebalance'
expect balance warning "$balance" 'workers out of balance'
expect_status 1 balance warning "$balance" 'warnings'
say ask
ok 'rebalance' ctl rebalance
ok 'is the cure' wait_for 10 well || diag "$OUT"
say close
expect_stat conns -eq 0

# asleep PID: doctor is between its looks, in clock_nanosleep.
NANOSLEEP=$(perl -MPOSIX -e 'print {x86_64 => 230, aarch64 => 115, riscv64 => 115}->{(POSIX::uname())[4]} // 0')
asleep() {
	local number
	read -r number _ <"/proc/$1/syscall" && [ "$number" = "$NANOSLEEP" ]
}
# between_looks CMD...: runs a command while doctor sleeps, and sleeps on until it is done; its findings are in OUT then.
between_looks() {
	spawn doctor "$BUILD/droverctl" -r "$RUN" -H doctor -i 3
	local pid=$PID
	wait_for 10 asleep "$pid"
	kill -STOP "$pid"
	"$@"
	kill -CONT "$pid"
	finish "$pid"
	OUT=$(cat "$T/doctor.out")
}
if [ "$NANOSLEEP" -ne 0 ] && read -r _ <"/proc/$$/syscall"; then
	grow() {
		say open 300 "$PORT"
		wait_stat conns -eq 300
	}
	between_looks grow
	like "$(text growth)" '^warning.*grew from [0-9]+ to 300 in [0-9.]+ s; 300 were accepted and 0 requests answered.*flood' 'sudden growth'
	say close
	expect_stat conns -eq 0
else
	skip 'sudden growth' 'no /proc/PID/syscall'
fi

# A loop that is late.
late() {
	kill -STOP "${workers[0]}"
	wait_for 10 beat_is_late
	doctor -i 0.1
	kill -CONT "${workers[0]}"
	[ "$(severity loop_lag)" = warning ]
}
beat_is_late() {
	local age
	age=$(ctl workers -H | awk -F '\t' -v pid="${workers[0]}" '$3 == pid { print $8 }')
	[ "$age" -gt 1600 ]
}
ok 'loop lag' wait_for 60 late || diag "$OUT"
like "$(text loop_lag)" "Slot [01] \\(process ${workers[0]}, stopped" 'of whom, and why'
ok 'it goes on' wait_for 30 well

# A client that does not read.
say open 1 "$PORT"
say send /large
window='1 of 1 connections have bytes for a peer whose window is zero.*127\.0\.0\.1:[0-9]+ has read nothing for'
tcp expect zero_window notice "$window" 'a closed window, and whose'
[ $TCP -eq 0 ] || expect_status 0 zero_window notice "$window" 'a notice alone is no alarm'
say close
expect_stat conns -eq 0

# A leak: a descriptor of a connection that no record knows of. Its client closes, and nobody else ever will.
say open 1 "$PORT"
say ask
leaker=${workers[$(ctl conns -H | cut -f 2)]}
# The highest socket is the connection's.
newest_socket() {
	local link
	for link in "/proc/$1/fd"/*; do
		[[ $(readlink "$link") != socket:* ]] || printf '%s\n' "${link##*/}"
	done | sort -n | tail -n 1
}
leak() {
	"$BUILD/leak" "$leaker" "$(newest_socket "$leaker")" 1 2>"$T/leak.err"
	local status=$?
	[ $status -eq 0 ] || [ $status -eq 77 ] && LEAKED=$status
}
wait_for 5 leak
if [ "${LEAKED:-77}" -eq 0 ] && [ $TCP -eq 1 ]; then
	expect leak warning "no record on the board claims, at both looks: slot [01] \\(process $leaker\\) 1\\." 'a leak, and whose'
	say close
	expect close_wait warning "nobody ever, no record claims them: slot [01] \\(process $leaker\\) 1" 'its CLOSE_WAIT'
	ok 'reload' ctl reload
	ok 'is the cure' wait_for 30 well || diag "$OUT"
else
	skip 'a leak' "$(cat "$T/leak.err")"
	say close
fi
mapfile -t workers < <(worker_pids)

# Who closes first: more often than at each tenth request, of which there have been many on a slow machine.
"$BUILD/herd" -1 -c 8 -n $((1500 + $(stat_of requests) / 5)) -d 600 -p /a.txt "127.0.0.1:$SMALL" >"$T/out"
tcp expect time_wait notice '[0-9]+ connections are in TIME_WAIT.*drover closed first [0-9]+ times.*because the requests asked for it.*Who closes first waits: here it is drover' \
	'TIME_WAIT: who closes first'

# Connections to an upstream, and what they cost in ports.
to=$(ctl listeners -H | sed -n 1p | cut -f 1)
say open 40 "$PORT"
ports() {
	doctor -a -i 0.1 "upstream=$to"
	[[ $(text ports) =~ Connections\ to\ $to\ use\ ([0-9]+)\ of\ [0-9]+\ local\ ports ]] && [ "${BASH_REMATCH[1]}" -ge 40 ]
}
if [ $TCP -eq 1 ]; then ok 'ports towards an upstream' wait_for 10 ports || diag "$OUT"; fi
say close

# What the configuration says, and the log.
site 'request = 5s' 'access_log = "/dev/full"'
"$BUILD/drover" -t -c "$T/drover.conf" >"$T/out" 2>&1
like "$(cat "$T/out")" 'request \(5000ms\) is shorter than header \(300000ms\), which it ends' 'drover -t warns of deadlines'
allow_log '/dev/full|access log'
ok 'reload' ctl reload
expect deadlines warning 'Server "s": request \(5000ms\) is shorter than header \(300000ms\), which it ends' 'and so does doctor'
mapfile -t workers < <(worker_pids)
"$BUILD/herd" -c 8 -n 4000 -d 600 -p /a.txt "127.0.0.1:$SMALL" >"$T/out"
wait_stat log_lines_lost -gt 0
lost() {
	doctor -i 0.1
	[[ $(severity log) =~ notice|warning ]]
}
ok 'log lines that were lost' wait_for 10 lost || diag "$OUT"
printf 'x = \n' >>"$T/drover.conf"
allow_log 'drover.conf'
fails 'a reload that fails' ctl reload
expect master warning 'The last reload failed: .*drover.conf:[0-9]+' 'is told'
site ''
ok 'reload' ctl reload

# What the dead left.
say open 30 "$PORT"
mapfile -t workers < <(worker_pids)
pids=("$DROVER_PID" $(children_of "$DROVER_PID"))
kill -STOP "${pids[@]}"
pids=("$DROVER_PID" $(children_of "$DROVER_PID"))
{
	kill -KILL "${pids[@]}"
	finish "$DROVER_PID"
} 2>/dev/null
for pid in "${pids[@]}"; do expect_gone "$pid"; done
DEAD=$DROVER_PID
DROVER_PID=
say close
doctor -a
is "$STATUS" 4 'from the board of the dead: status 4'
like "$(text master)" "critical.*Process $DEAD is dead, last heard of" 'the master is dead'
like "$(text close_wait)" 'not_looked_at.*the daemon does not run' 'no socket is there to be looked at'
like "$(text connections)" 'when it died' 'figures are those of its end'

# A board of rubbish is refused or read, and never the end of us.
cat >"$T/spoil.pl" <<'END'
my ($from, $to, $seed) = @ARGV;
srand $seed;
open my $in, '<:raw', $from or die;
open my $out, '>:raw', $to or die;
my $head;
sysread $in, $head, 400000;
substr $head, 200 + int(rand(length($head) - 200)), 1, chr int rand 256 for 1 .. 2000;
syswrite $out, $head;
truncate $out, -s $from;
END
died=
for seed in $(seq 1 40); do
	perl "$T/spoil.pl" "$RUN/drover.board" "$T/spoiled" "$seed"
	timeout $((20 * WAIT_FACTOR)) "$BUILD/droverctl" --board "$T/spoiled" doctor -a -i 0.05 >"$T/out" 2>"$T/err" 9<&-
	status=$?
	[ $status -le 4 ] || died+=" $seed:$status"
done
is "$died" '' 'rubbish'
printf 'end\n' >&8
finish "$CLIENTS"
done_testing
