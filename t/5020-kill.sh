#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
# droverctl kill: ends the connections that are named or found, and no others; by the workers, and without them when they are
# stopped; never for somebody who may not.
. "$(dirname "$0")/lib.sh"

mkdir "$T/www"
printf 'hello\n' >"$T/www/a.txt"
head -c 48000000 /dev/zero >"$T/www/large"
start_drover <<EOF
workers = 2
worker_connections = 4000
rebalance = false
hang = 60s
orphan = 30s
deadlines { header = 300s  body = 300s  send = 300s  idle = 300s  min_rate = 0 }
server "one" {
    listen = { "127.0.0.1:0", "unix:$T/sock" }
    access_log = "$T/access.log"
    log_format = json
    location "/" { root = "$T/www" }
    location "= /sink" { status = 200 }
}
server "two" {
    listen = { "127.0.0.1:0" }
    location "/" { root = "$T/www" }
}
EOF
PORT2=$(port_of 3)

# Sends TEXT, waits for the file GO, if one is named, then reads to the end and tells how it came.
cat >"$T/client.pl" <<'END'
use strict;
use warnings;
use Errno qw(ECONNRESET);
use IO::Socket::INET;
use IO::Socket::UNIX;
my ($to, $text, $go) = @ARGV;
$SIG{PIPE} = 'IGNORE';
$| = 1;
my $s = $to =~ m{^/} ? IO::Socket::UNIX->new(Peer => $to) : IO::Socket::INET->new(PeerAddr => $to);
$s or die "$to: $@\n";
printf "port %d\n", $s->can('sockport') ? $s->sockport : 0;
$text =~ s/\|/\r\n/g;
syswrite $s, $text if $text ne '';
select undef, undef, undef, 0.02 while defined $go && !-e $go;
my $bytes = 0;
while (1) {
	my $n = sysread $s, my $in, 1 << 20;
	if (!defined $n) { printf "end %s %d\n", $! == ECONNRESET ? 'reset' : "error $!", $bytes; last }
	if ($n == 0) { printf "end eof %d\n", $bytes; last }
	$bytes += $n;
	print "answer\n" if $bytes == $n;
}
END

# client NAME TEXT [TO] [GO]: a connection, whose number is then in ID[NAME].
declare -A ID PORTOF
client() {
	local name=$1
	spawn "$name" perl "$T/client.pl" "${3:-127.0.0.1:$PORT}" "$2" ${4:+"$4"}
	wait_for 10 grep -qs port "$T/$name.out" || die "client $name connects" "$(cat "$T/$name.err")"
	PORTOF[$name]=$(awk '/port/ { print $2 }' "$T/$name.out")
	wait_for 10 seen "$name" || die "client $name is on the board"
}
seen() {
	ID[$1]=$(ctl conns -H port="${PORTOF[$1]}" | cut -f 1)
	[ -n "${ID[$1]}" ]
}
# state_is ID STATE
state_is() {
	[ "$(ctl conns -H id="$1" | cut -f 3)" = "$2" ]
}
ended() {
	grep -q '^end' "$T/$1.out"
}
# By the workers, unless one has no time for it within a second: then droverctl does it, as it does for those that stand still, and the
# client sees the end of the connection however it stood. What was asked last took so long?
SILENCE_MS=1000
# ends NAME HOW TEST
ends() {
	local how=$2
	[ "$how" != reset ] || [ "$TOOK" -lt $SILENCE_MS ] || how='(reset|eof)'
	set -- "$1" "$how" "$3"
	if wait_for 10 ended "$1"; then
		like "$(grep '^end' "$T/$1.out")" "^end $2 " "$3"
	else
		fail "$3" "$1 goes on: $(cat "$T/$1.out")"
	fi
}
# kill_it ARGS: $STATUS, $OUT, $ERR, and how long it took in $TOOK ms.
kill_it() {
	local start
	start=$(now_ms)
	ctl kill "$@" >"$T/out" 2>"$T/err"
	STATUS=$?
	TOOK=$(($(now_ms) - start))
	OUT=$(cat "$T/out") ERR=$(cat "$T/err")
}
get='GET /a.txt HTTP/1.1|Host: x||'

# One that is idle; the others stay.
client other "$get"
client idle "$get"
wait_for 10 state_is "${ID[idle]}" idle
kill_it "${ID[idle]}"
is "$STATUS $OUT $ERR" '0 1 connection ended ' 'an idle one'
ends idle eof 'its client sees the end'
expect_stat close_killed -eq 1
is "$(ctl conns -H | wc -l)" 1 'the other one is there'
kill_it "${ID[idle]}"
is "$STATUS $OUT" '0 0 connections ended, 1 was gone already' 'once more: gone already'
kill_it 1 2 "${ID[idle]}" 18446744073709551615
is "$STATUS $OUT" '0 0 connections ended, 4 were gone already' 'numbers that never were'
is "$(ctl conns -H | wc -l)" 1 'the other one is there'

# In the middle of a download, of an upload, of a head; one on a unix socket; one that was told twice.
client send 'GET /large HTTP/1.1|Host: x||' "127.0.0.1:$PORT" "$T/go"
client body 'POST /sink HTTP/1.1|Host: x|Content-Length: 10||abc'
client head 'GET /a.txt HTTP/1.1|Host: x|'
client unix "$get" "$T/sock"
wait_for 10 state_is "${ID[send]}" send
wait_for 10 state_is "${ID[body]}" body
kill_it -v "${ID[send]}" "${ID[body]}" "${ID[head]}" "${ID[unix]}" "${ID[send]}"
is "$STATUS $ERR" '0 ' 'four at once'
like "$OUT" 'ended +'"${ID[send]}"' +[01] +send +127\.0\.0\.1:[0-9]+ +one +GET /large' '-v tells of each'
like "$OUT" '4 connections ended$' 'and how many'
: >"$T/go"
ends send reset 'the download: the client sees that something is missing'
cmp_ok "$(awk '/^end/ { print $3 }' "$T/send.out")" -lt 48000000 'and something is'
ends body reset 'the upload'
ends head eof 'the head'
ends unix eof 'the unix socket'
rm "$T/go"
expect_stat close_killed -eq 5
told() {
	[ "$(grep -c '"ended":"killed"' "$T/access.log")" -eq "$1" ]
}
ok 'the access log tells of both requests under way' wait_for 10 told 2
like "$(grep killed "$T/access.log")" '/large' 'of the download'
like "$(grep killed "$T/access.log")" '/sink' 'of the upload'
is_stat responses_5xx 0 'no answer is counted for it'

# By filter.
for n in 1 2 3; do client "f$n" "$get"; done
client g1 "$get" "127.0.0.1:$PORT2"
client h1 'GET /a.txt HTTP/1.1|Host: x|'
for n in f1 f2 f3 g1; do wait_for 10 state_is "${ID[$n]}" idle; done
wait_for 10 state_is "${ID[h1]}" head
kill_it --filter
is "$STATUS $OUT" '2 ' 'no filter: refused'
like "$ERR" "^droverctl: no filter: 'kill --filter' would end every connection" 'and told why'
kill_it
is "$STATUS $OUT" '2 ' 'nothing at all: refused'
kill_it state=idle
is "$STATUS $OUT" '2 ' 'a filter without --filter: refused'
like "$ERR" "'state=idle' is no number.*kill --filter state=idle" 'and told how'
kill_it -n 2 17
is "$STATUS" 2 '-n without --filter: refused'
kill_it --filter stat=idle
like "$STATUS $ERR" "^2 .*did you mean 'state'" 'a misspelt filter: refused'
is "$(ctl conns -H | wc -l)" 6 'nothing of that ended any'
kill_it --filter peer=192.0.2.0/24
is "$STATUS $OUT" '0 0 connections ended' 'a filter that finds none'
kill_it --filter 'age>1h'
is "$STATUS $OUT" '0 0 connections ended' 'by age: none is so old'
kill_it --dry-run --filter server=two
is "$STATUS" 0 '--dry-run'
like "$OUT" 'found +'"${ID[g1]}"' .*1 connection would be ended' '--dry-run tells which'
is "$(ctl conns -H | wc -l)" 6 '--dry-run ends none'
kill_it -j --filter server=two state=idle peer=127.0.0.0/8 'age>0s' 'bytes<1m'
is "$STATUS" 0 'by server, state, peer, age and bytes'
ok '-j' perl -MJSON::PP -e '
	my $j = decode_json(do { local (@ARGV, $/) = shift; <> });
	my $c = $j->{conns}[0];
	my $by = $ARGV[1] ? "(worker|droverctl)" : "worker";
	$j->{command} eq "kill" && $j->{ended} == 1 && $j->{gone} == 0 && $j->{failed} == 0 && @{$j->{conns}} == 1 &&
		$c->{id} == shift && $c->{result} eq "ended" && $c->{by} =~ /^$by$/ && $c->{state} eq "idle" or die' "$T/out" "${ID[g1]}" $((TOOK >= SILENCE_MS))
ends g1 eof 'it has ended'
kill_it -H --filter -s age -n 1 state=idle listener="127.0.0.1:$PORT"
is "$STATUS $(cut -f 1,2 "$T/out")" "0 ended	${ID[other]}" '-s age -n 1: the oldest of them'
kill_it --filter state=idle
is "$STATUS $OUT" '0 3 connections ended' 'by state'
for n in 1 2 3; do ends "f$n" eof "idle client $n"; done
kill_it --filter 'age>=1ms'
is "$STATUS $OUT" '0 1 connection ended' 'by age'
expect_stat conns -eq 0

# Old numbers never hit those that came into their rows.
spawn first "$BUILD/herd" -c 300 -n 300 -i 600 -w "$T/ready1" -p /a.txt "127.0.0.1:$PORT"
FIRST=$PID
expect_file "$T/ready1" 30
ctl conns -H | cut -f 1 >"$T/old"
kill "$FIRST"
finish "$FIRST"
expect_stat conns -eq 0
spawn second "$BUILD/herd" -c 300 -n 300 -i 600 -w "$T/ready2" -p /a.txt "127.0.0.1:$PORT"
SECOND=$PID
expect_file "$T/ready2" 30
mapfile -t new < <(ctl conns -H | cut -f 1 | sort)
mapfile -t old <"$T/old"
kill_it "${old[@]}"
is "$STATUS $OUT" '0 0 connections ended, 300 were gone already' 'three hundred old numbers'
is "$(ctl conns -H | cut -f 1 | sort)" "$(printf '%s\n' "${new[@]}")" 'all three hundred new ones are there'
before=$(stat_of close_killed)
kill_it "${new[@]}" "${old[@]}"
is "$STATUS $OUT" '0 300 connections ended, 300 were gone already' 'and end by their own'
expect_stat close_killed -eq $((before + 300))
kill "$SECOND"
finish "$SECOND"

# Nonsense on the sockets: counted, and harmless.
expect_stat conns -eq 0
client survivor "$get"
wait_for 10 state_is "${ID[survivor]}" idle
is "$(stat -c %a "$RUN"/ctl.* | sort -u)" 600 'the sockets are for their owner alone'
cat >"$T/nonsense.pl" <<'END'
use strict;
use warnings;
use Socket qw(AF_UNIX SOCK_DGRAM pack_sockaddr_un SOL_SOCKET SO_SNDBUF);
my ($dir, $slot, $half, $row, $id) = @ARGV;
socket my $s, AF_UNIX, SOCK_DGRAM, 0 or die $!;
setsockopt $s, SOL_SOCKET, SO_SNDBUF, 1 << 20;
chdir $dir or die;
my $to = pack_sockaddr_un("ctl.$slot.$half");
my $sent = 0;
sub say_it { send $s, $_[0], 0, $to or ($_[0] eq '' or die "$!\n"); $sent++ }
sub message {
	my ($magic, $version, $worker, $count, @ids) = @_;
	return pack('L4Q', $magic, $version, $worker, $count, 7) . join '', map { pack 'QLL', $_, 0, 0 } @ids;
}
my ($m, $v) = (0x6b647276, 1);
say_it('');
say_it('x');
say_it(message($m, $v, $row, 1, $id) =~ s/.$//sr);
say_it(message($m, $v, $row, 1, $id) . 'x');
say_it(message($m, $v, $row, 0));
say_it(message($m, $v, $row, 2, $id));
say_it(message($m, $v, $row, 257, ($id) x 257));
say_it(message($m, $v, $row, 0xffffffff, $id));
say_it(message($m + 1, $v, $row, 1, $id));
say_it(message($m, $v + 1, $row, 1, $id));
say_it(message($m, $v, $row + 1, 1, $id));
say_it('x' x 100000);
say_it(join '', map { chr int rand 256 } 1 .. 200) for 1 .. 50;
# Whole, but for rows that are none; and nobody listens for the answer.
send $s, message($m, $v, $row, 1, $id) =~ s/.{8}$/pack 'LL', 0xffffffff, 0/esr, 0, $to or die;
# And for all rows, by a number that was never in them.
for my $first (map { $_ * 200 } 0 .. 19) {
	my $all = pack 'L4Q', $m, $v, $row, 200, 7;
	$all .= pack 'QLL', $id + 1000000, $first + $_, 0 for 0 .. 199;
	send $s, $all, 0, $to or die;
}
print $sent;
END
row=$(ctl workers -H | awk -F '\t' -v slot="$(ctl conns -H id="${ID[survivor]}" | cut -f 2)" \
	'$4 == "ready" && $1 == slot { print $1, $2; exit }')
slot=${row% *} half=${row#* }
sent=$(perl "$T/nonsense.pl" "$RUN" "$slot" "$half" $((slot * 2 + half)) "${ID[survivor]}")
cmp_ok "${sent:-0}" -gt 50 'nonsense was sent'
expect_stat gossip -eq "${sent:-0}"
ok 'the connection is there' state_is "${ID[survivor]}" idle
is_stat master.worker_deaths 0 'no worker died of it'
like "$(cat "$T/stderr")" "a message to this worker's socket was" 'and the log says so'

# Somebody else.
if [ "$(id -u)" = 0 ] && command -v setpriv >/dev/null; then
	cp "$BUILD/droverctl" "$T/droverctl"
	as_nobody() {
		(cd / && setpriv --reuid=65534 --regid=65534 --clear-groups "$T/droverctl" -r "$RUN" "$@" 9<&-) >"$T/out" 2>"$T/err"
	}
	chmod o+rx "$RUN"
	chmod o+r "$RUN/drover.board"
	as_nobody kill "${ID[survivor]}"
	is "$? $(cat "$T/out")" '2 ' 'another user: refused'
	like "$(cat "$T/err")" '^droverctl: only root and the user that started drover may end connections' 'and told why'
	chmod o-r "$RUN/drover.board"
	as_nobody kill "${ID[survivor]}"
	is "$? $(cat "$T/out")" '2 ' 'another user who may not read the board: refused'
	like "$(cat "$T/err")" 'Permission denied' 'and told why'
else
	skip 'another user' 'needs root and setpriv'
fi
ok 'the connection is there' state_is "${ID[survivor]}" idle

# While reloads move everything to and fro.
spawn herd "$BUILD/herd" -c 400 -n 400 -i 600 -w "$T/ready3" -p /a.txt "127.0.0.1:$PORT"
HERD=$PID
expect_file "$T/ready3" 30
mapfile -t ids < <(ctl conns -H "id!=${ID[survivor]}" | cut -f 1)
is "${#ids[@]}" 400 'four hundred connections'
before=$(stat_of close_killed)
# shellcheck disable=SC2016
spawn reloads bash -c 'for n in 1 2 3 4 5 6; do "$0" -r "$1" reload || exit 1; done' "$BUILD/droverctl" "$RUN"
RELOADS=$PID
bad=
for ((n = 0; n < 400; n += 20)); do
	kill_it "${ids[@]:n:20}"
	[ "$STATUS $OUT" = '0 20 connections ended' ] || bad+="$STATUS $OUT $ERR;"
done
is "$bad" '' 'each of them was found and ended, wherever it was'
finish "$RELOADS"
is "$STATUS" 0 'the reloads went well'
is "$(ctl conns -H | cut -f 1)" "${ID[survivor]}" 'only the one that nobody named is left'
expect_stat close_killed -gt "$before"
kill "$HERD"
finish "$HERD"
expect_stat conns -eq 1

# All stopped: droverctl does it itself, where it may.
before=$(stat_of close_killed)
client frozen "$get"
client download 'GET /large HTTP/1.1|Host: x||' "127.0.0.1:$PORT" "$T/go"
wait_for 10 state_is "${ID[frozen]}" idle
wait_for 10 state_is "${ID[download]}" send
wait_for 10 grep -q answer "$T/frozen.out"
mapfile -t workers < <(worker_pids)
stopped() {
	local pid
	for pid in "$DROVER_PID" "${workers[@]}"; do
		[ "$(awk '$1 == "State:" { print $2 }' "/proc/$pid/status")" = T ] || return 1
	done
}
kill -STOP "$DROVER_PID" "${workers[@]}"
wait_for 10 stopped
kill_it -j "${ID[frozen]}"
if [ "$STATUS" -eq 0 ]; then
	like "$OUT" '"by": ?"droverctl"' 'all stopped: by the descriptor'
	ends frozen eof 'the client sees the end while all are stopped'
	cmp_ok "$TOOK" -lt $((2500 * WAIT_FACTOR)) 'in little more than a second'
	kill_it "${old[0]}" "${new[0]}"
	is "$STATUS $OUT" '0 0 connections ended, 2 were gone already' 'all stopped: old numbers hit nothing'
	ok 'the other one is there' state_is "${ID[survivor]}" idle
else
	like "$ERR" 'its worker does not answer, and its descriptor cannot be taken: .*CAP_SYS_PTRACE' \
		'all stopped, and no right to take descriptors: says so'
fi
if [ "$(id -u)" = 0 ] && command -v setpriv >/dev/null; then
	setpriv --bounding-set=-sys_ptrace --inh-caps=-sys_ptrace "$BUILD/droverctl" -r "$RUN" kill "${ID[survivor]}" \
		>"$T/out" 2>"$T/err" 9<&-
	is "$? $(cat "$T/out")" '1 0 connections ended' 'all stopped, without CAP_SYS_PTRACE: status 1'
	like "$(cat "$T/err")" '1 connection could not be ended: its worker does not answer, .*CAP_SYS_PTRACE' 'and told why'
	if ended survivor; then fail 'and nothing was done'; else pass 'and nothing was done'; fi
fi
kill -CONT "$DROVER_PID" "${workers[@]}"
# What was asked for meanwhile was not forgotten, and is counted as what it is.
[ "$(id -u)" != 0 ] || ends survivor eof 'going on, the workers do what they were asked'
ends frozen eof 'the same for the one that was ended without them'
expect_stat close_killed -gt "$before"

# Orphans; then nobody.
client orphaned "$get"
kill -KILL "$DROVER_PID"
finish "$DROVER_PID"
DROVER_PID=
kill_it "${ID[orphaned]}"
is "$STATUS $OUT" '0 1 connection ended' 'with the master dead: its workers do'
ends orphaned eof 'the client sees it'
kill_family
ok 'all are dead' wait_for 10 no_family
kill_it "${ID[download]}"
is "$STATUS $OUT" '2 ' 'all dead: refused'
like "$ERR" 'no drover runs here: no worker of .* lives; nothing was done' 'and told why'
kill_it --filter state=idle
is "$STATUS" 2 'all dead: by filter, too'
"$BUILD/droverctl" --board "$RUN/drover.board" kill 1 >"$T/out" 2>"$T/err" 9<&-
is "$?" 2 'a board that is a file: refused'
like "$(cat "$T/err")" 'may be a copy: name the run directory' 'and told why'
done_testing
