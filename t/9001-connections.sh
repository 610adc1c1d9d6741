#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
# Connections that once were treated wrongly: told to go on unasked, cut for what lay in the queue, forgotten by a drain,
# expired before they were heard.
. "$(dirname "$0")/lib.sh"

mkdir "$T/www"
head -c 20000 /dev/zero >"$T/www/medium"
head -c 30000000 /dev/zero >"$T/www/large"
printf 'hello\n' >"$T/www/a.txt"
start_drover <<EOF
workers = 1
worker_connections = 4096
server "calm" {
    listen = { "127.0.0.2:0" }
    access_log = "$T/access.log"
    location "/" { root = "$T/www" }
    location "= /sink" { status = 200 }
}
server "steady" {
    listen = { "127.0.0.1:0" }
    deadlines { min_rate = 1000  min_rate_after = 1s }
    location "/" { root = "$T/www" }
}
server "hasty" {
    listen = { "127.0.0.1:0" }
    deadlines { idle = 6s  header = 6s }
    location "/" { root = "$T/www" }
}
EOF
CALM=127.0.0.2:$PORT
STEADY=127.0.0.1:$(port_of 2)
HASTY=127.0.0.1:$(port_of 3)
TO=$CALM

# client SCRIPT: perl with a connected socket in $s, which counts the bytes that it drops with drop(SECONDS or 0).
client() {
	perl -MIO::Socket::INET -MIO::Select -MSocket=IPPROTO_TCP,TCP_MAXSEG -MTime::HiRes=time,sleep -e '
		my $small = 0 + ($ENV{SMALL} // 0);
		my ($host, $port) = split /:/, shift;
		my $s;
		sub fresh {
			$s = IO::Socket::INET->new(Proto => "tcp") or die;
			# A segment is to fit into the window, or it waits for the probe of a timer.
			if ($small) { $s->setsockopt(SOL_SOCKET, SO_RCVBUF, $small); $s->setsockopt(IPPROTO_TCP, TCP_MAXSEG, 1400) }
			connect $s, pack_sockaddr_in($port, inet_aton($host)) or die;
		}
		fresh();
		$| = 1;
		sub heard { my $out = ""; my $sel = IO::Select->new($s);
			while ($sel->can_read($_[0])) { sysread($s, $out, 65536, length $out) or last } return $out }
		# heard_of RE: all that comes, until it is in it.
		sub heard_of { my $out = ""; alarm 60; until ($out =~ $_[0]) { sysread($s, $out, 65536, length $out) or last } return $out }
		'"$1" "$TO"
}

# The body came with the head: the leave to send it is not kept for the next request.
REPLY=$(client '
	syswrite $s, "POST /sink HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\nabc";
	sysread $s, my $first, 65536;
	$first .= heard(.2);
	syswrite $s, "POST /sink HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\n";
	print heard(.2), "|";
	syswrite $s, "abc";
	print heard_of(qr/200 /)')
unlike "$REPLY" '100 Continue' 'no leave to send a body to a client that did not ask'
like "$REPLY" '^\|HTTP/1.1 200 ' 'the request is answered'

# Nine hundred answers are asked for at once and read at 200 kB/s, in the end faster: for seconds nothing of the last ones leaves, while what
# lies in the queue before them does. A reader that finds that it stood still itself was not steady, and begins anew.
read -r GOT ANEW < <(TO=$STEADY SMALL=20000 client '
	my ($got, $anew) = (0, 0);
	for (;;) {
		syswrite $s, "GET /medium HTTP/1.1\r\nHost: x\r\n\r\n" x 900;
		my ($begun, $last, $late) = (time, time, 0);
		for ($got = 0; $got < 900 * 20000;) {
			my $n = sysread $s, my $buf, time - $begun < 5 ? 4000 : 100000;
			last if !$n;
			$got += $n;
			sleep .02 if time - $begun < 5;
			$late = 1 if time - $last > .6;
			$last = time;
		}
		last if $got >= 900 * 20000 || !$late || $anew >= 5;
		$anew++;
		fresh();
	}
	print "$got $anew\n"')
cmp_ok "$GOT" -ge 18000000 'a slow but steady reader of pipelined answers gets them all'
is_stat expired_min_rate "$ANEW" 'and is not called too slow'

# Behind the end of a body with a large head come more requests than fit into a buffer with it.
REPLY=$(WORKER=$(worker_pids) client '
	my $pad = "x" x 1000;
	my $get = "GET /a.txt?$pad HTTP/1.1\r\nHost: x\r\n\r\n";
	syswrite $s, "POST /sink HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 3\r\n" . "Pad: $pad\r\n" x 15 . "\r\n";
	print heard_of(qr/100 Continue\r\n\r\n/);
	kill STOP => $ENV{WORKER};
	syswrite $s, "abc" . $get x 58 . "GET /a.txt HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
	kill CONT => $ENV{WORKER};
	print heard_of(qr/never/)')
is "$(grep -c '^HTTP/1.1 200 ' <<<"$REPLY")" 60 'requests behind a body whose head is large are answered, all of them'

# The socket takes nothing when a client waits for our leave: it gets it later.
REPLY=$(SMALL=20000 client '
	syswrite $s, "GET /large HTTP/1.1\r\nHost: x\r\n\r\nPOST /sink HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\n";
	my ($got, $tail) = (0, "");
	while ($tail !~ /100 Continue\r\n\r\n/) {
		my $n = sysread $s, $tail, 100000, length $tail;
		last if !$n;
		substr($tail, 0, -2000) = "" if length $tail > 2000;
	}
	syswrite $s, "abc";
	print "left " if $tail =~ /100 Continue/;
	print heard_of(qr/200 /)')
like "$REPLY" '^left HTTP/1.1 200 ' 'the leave to send a body comes behind a large answer'

# The worker stands still for longer than the deadlines while more requests come than it sees in a turn.
WORKER=$(worker_pids)
before=$(stat_of responses_2xx)
spawn many perl -MIO::Socket::INET -e '
	my $ask = "GET /a.txt HTTP/1.1\r\nHost: x\r\n\r\n";
	my @s = map { my $s = IO::Socket::INET->new(PeerAddr => $ARGV[0]) // die; syswrite $s, $ask; $s } 1 .. 900;
	for (@s) { sysread $_, my $buf, 1000 or die }
	$| = 1;
	print "ready\n";
	<STDIN>;
	kill STOP => $ARGV[1];
	syswrite $_, $ask for @s;
	select undef, undef, undef, 7;
	kill CONT => $ARGV[1];
	my $ok = 0;
	for (@s) { my $buf = ""; sysread $_, $buf, 1000; $ok += $buf =~ /^HTTP\/1.1 200 / }
	print "answered $ok\n"' "$HASTY" "$WORKER"
finish "$PID" 40
is "$(tail -n 1 "$T/many.out")" 'answered 900' 'requests that came while the worker stood still are answered'
is_stat responses_2xx $((before + 1800)) 'each with 200'

# An answer under way when the drain begins could not say that it is the last: its connection is closed soon after it.
spawn reader perl -MIO::Socket::INET -e '
	my $s = IO::Socket::INET->new(PeerAddr => $ARGV[0]) // die;
	syswrite $s, "GET /large HTTP/1.1\r\nHost: x\r\n\r\n";
	$| = 1;
	sysread $s, my $buf, 1000;
	print "begun\n";
	select undef, undef, undef, 1;
	my $got = 1000;
	while (my $n = sysread $s, $buf, 1 << 20) { $got += $n }
	print "closed after $got\n"' "$CALM"
READER=$PID
expect_file "$T/reader.out"
start=$(now_ms)
stop_drover TERM
cmp_ok $(($(now_ms) - start)) -lt $((6000 * WAIT_FACTOR)) 'a drain does not wait for a connection that has been answered'
finish "$READER"
like "$(cat "$T/reader.out")" 'closed after 300' 'the answer is whole'
done_testing
