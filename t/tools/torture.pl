#!/usr/bin/perl
# SPDX-License-Identifier: BSD-2-Clause
#
# Tortures an HTTP server with streams of mixed, valid, pipelined requests, cut at random places, read in random bites through
# small buffers and segments, and compares every byte of the answers with what the same requests got on a calm connection
# (but for Date and multipart boundaries). Some clients leave in the middle, by a reset, a close or a half-close.
#   torture.pl [-s SEED] [-t SECONDS] [-m STREAMS] [-n STREAMS] [-c CLIENTS] [-a PERCENT] ROOT ADDRESS...
#   -s  of the random numbers (time)   -t  begin no new stream after so many seconds (5), -m  but of the first so many
#   -n  nor after so many streams
#   -c  at the same time (12)   -a  how many of a hundred streams are left in the middle (0)
#   ROOT: the served folder, with the files that the scenario makes; ADDRESS: HOST:PORT or unix:PATH
# Prints "name number" lines of what it did; with -a 0 the server's counters must agree with them. Status 1: a difference, told.
use strict;
use warnings;
use Errno qw(EAGAIN EINTR EINPROGRESS);
use Getopt::Std;
use IO::Poll qw(POLLIN POLLOUT POLLHUP POLLERR);
use IO::Socket::INET;
use IO::Socket::UNIX;
use Socket qw(IPPROTO_TCP TCP_NODELAY TCP_MAXSEG SOL_SOCKET SO_RCVBUF SO_LINGER SOCK_STREAM inet_aton pack_sockaddr_in pack_sockaddr_un);
use Time::HiRes qw(time sleep);

$SIG{PIPE} = 'IGNORE';
my %o = (s => int(time) % 1000000, t => 5, m => 0, n => 1e9, c => 12, a => 0);
getopts('s:t:m:n:c:a:', \%o) or exit 2;
my ($root, @to) = @ARGV;
@to or die "torture: no address\n";
my $PATIENCE = 30 * ($ENV{WAIT_FACTOR} // 1); # seconds without progress
my (%file, %ref, %count);
my @FILES = qw(empty one 1k 5k 64k 300k 3m);
for my $f (@FILES) {
	open my $h, '<:raw', "$root/$f" or die "torture: $root/$f: $!\n";
	local $/;
	$file{$f} = <$h> // '';
}

sub any { return $_[rand @_] }
sub upto { return int rand($_[0] + 1) }

# A body that would be understood as requests if a server lost its place in the stream.
sub body {
	my $len = shift;
	my $text = "GET /smuggled HTTP/1.1\r\nHost: x\r\n\r\n0\r\n\r\n";
	return substr($text x (1 + $len / length $text), 0, $len);
}

sub chunked {
	my $rest = shift;
	my $out = '';
	while (length $rest) {
		my $n = 1 + upto(rand() < .5 ? 10 : 20000);
		my $piece = substr $rest, 0, $n, '';
		$out .= sprintf('%s%s%s', rand() < .2 ? '00' : '', any(sprintf('%x', length $piece), sprintf('%X', length $piece)),
			any('', '', '', ';a=b', ';q="x y\\"z"')) . "\r\n$piece\r\n";
	}
	return $out . "0\r\n" . any('', '', "Trailer-Of: mine\r\n") . "\r\n";
}

sub head {
	my ($method, $target, $version, @fields) = @_;
	push @fields, 'X-Filler: ' . 'f' x upto(3000) if rand() < .1;
	return any('', '', '', "\r\n") . join("\r\n", "$method $target HTTP/1.$version", 'Host: x', @fields) . "\r\n\r\n";
}

# A request: text, key of its reference, whether an interim response may come first, whether it ends the connection.
sub req { my %r = @_; return \%r }

sub with_body {
	my ($target, $key, $expect) = @_;
	my $data = body(rand() < .7 ? upto(300) : upto(100000));
	my @f = $expect ? ('Expect: 100-continue') : ();
	my $text = rand() < .5 ? head('POST', $target, 1, 'Content-Length: ' . length $data, @f) . $data
		: head('POST', $target, 1, 'Transfer-Encoding: chunked', @f) . chunked($data);
	return req(text => $text, key => $key, interim => $expect);
}

my @KINDS = (
	(sub { my $f = any(@FILES[0 .. 4]); req(text => head('GET', "/$f", 1), key => "get $f") }) x 6,
	sub { my $f = any('300k', '300k', '300k', '3m'); req(text => head('GET', "/$f", 1), key => "get $f") },
	sub { my $f = any(@FILES); req(text => head('HEAD', "/$f", 1), key => "head $f", head => 1) },
	sub { my $f = any(@FILES[0 .. 5]); req(text => head('GET', "/$f", 0, 'Connection: keep-alive'), key => "old $f") },
	sub { my $f = any('5k', '300k'); req(text => head('GET', "/$f", 1, 'Range: bytes=100-4099'), key => "range $f") },
	sub { my $f = any('5k', '300k'); req(text => head('GET', "/$f", 1, 'Range: bytes=0-0,10-2009,-3'), key => "ranges $f") },
	sub { req(text => head('GET', '/5k', 1, 'Range: bytes=99999-'), key => 'unsatisfiable') },
	sub { req(text => head('GET', '/300k', 1, "If-None-Match: $ref{'get 300k'}{etag}"), key => 'same') },
	sub { req(text => head('GET', '/none', 1), key => 'missing') },
	sub { req(text => head('HEAD', '/none', 1), key => 'head missing', head => 1) },
	sub { req(text => head('GET', '/old/x?y', 1), key => 'redirect') },
	sub { req(text => head('GET', '/gone', 1), key => 'gone') },
	sub { req(text => head('OPTIONS', '*', 1), key => 'options') },
	sub { req(text => head('GET', '/healthz', 1), key => 'health') },
	(sub { with_body('/gone', 'gone', 0) }) x 3,
	sub { with_body('/gone', 'gone', 1) },
	sub { with_body('/one', 'not allowed', 0) },
	sub { my $b = body(upto(500)); req(text => head('GET', '/1k', 1, 'Content-Length: ' . length $b) . $b, key => 'get 1k') },
);
# The last two are refused at a byte before the end: what follows it is no part of a request.
my @LAST = (
	sub { my $f = any(@FILES[0 .. 5]); req(text => head('GET', "/$f", 1, 'Connection: close'), key => "close $f", last => 1) },
	sub { my $f = any(@FILES[0 .. 5]); req(text => head('GET', "/$f", 0), key => "close $f", last => 1) },
	sub { req(text => head('POST', '/gone', 1, 'Content-Length: 999999999'), key => 'too large', last => 1) },
	sub { req(text => head('POST', '/none', 1, 'Content-Length: 5', 'Expect: 100-continue'), key => 'close not allowed', last => 1) },
	sub { req(text => head('GET', '/a', 1, 'Bad name: x'), key => 'bad', last => 1) },
	sub { req(text => head('POST', '/gone', 1, 'Transfer-Encoding: chunked') . "3\r\nabcde", key => 'bad chunk', last => 1) },
);

sub difference {
	my ($c, $why, $got, $want) = @_;
	my ($at) = grep { substr($got, $_, 1) ne substr($want, $_, 1) } 0 .. length($got) - 1 if defined $want;
	print "seed $o{s} stream $c->{number}: $why\n";
	print "at byte $at of:\n" if defined $at;
	for my $text (grep { defined } $got, $want) {
		(my $shown = substr $text, ($at // 0) > 100 ? $at - 100 : 0, 600) =~ s/([^\x20-\x7e\n])/sprintf '\\x%02x', ord $1/ge;
		print "| $_\n" for split /\n/, $shown;
		print "--\n";
	}
	print 'the stream: ', join(', ', @{$c->{keys}}), "\n";
	exit 1;
}

sub dial {
	my ($to, %p) = @_;
	my ($s, $addr);
	if ($to =~ /^unix:(.*)/) {
		socket $s, Socket::AF_UNIX, SOCK_STREAM, 0 or die "torture: socket: $!\n";
		$addr = pack_sockaddr_un($1);
	} else {
		my ($host, $port) = split /:/, $to;
		socket $s, Socket::AF_INET, SOCK_STREAM, 0 or die "torture: socket: $!\n";
		setsockopt $s, SOL_SOCKET, SO_RCVBUF, $p{rcvbuf} if $p{rcvbuf};
		setsockopt $s, IPPROTO_TCP, TCP_MAXSEG, $p{mss} if $p{mss};
		setsockopt $s, IPPROTO_TCP, TCP_NODELAY, 1;
		$addr = pack_sockaddr_in($port, inet_aton($host));
	}
	connect $s, $addr or die "torture: $to: $!\n";
	return $s;
}

# Splits a head off what has come. Date and boundary become what they are in every reference.
sub take_head {
	my $c = shift;
	my $end = index $c->{in}, "\r\n\r\n";
	return if $end < 0;
	my $head = substr $c->{in}, 0, $end + 4, '';
	$head =~ s/^Date: \w{3}, \d\d \w{3} \d{4} \d\d:\d\d:\d\d GMT\r\n/Date\r\n/m;
	$c->{boundary} = $head =~ s/boundary=([0-9a-f]{24})\r/boundary=B\r/ ? $1 : '';
	return $head;
}

# What the server answers on a calm connection; close: asked by the request, so that the end is the server's.
sub refer {
	my ($r, $status, $body) = @_;
	my $s = dial($to[0]);
	my %c = (number => 'reference', keys => [$r->{key}], in => '');
	syswrite $s, $r->{text};
	shutdown $s, 1;
	local $/;
	$c{in} = <$s> // '';
	$count{requests}++;
	$count{sent} += length $r->{text};
	$count{received} += length $c{in};
	my $head = take_head(\%c) // '';
	my ($len) = $head =~ /^Content-Length: (\d+)\r/m;
	difference(\%c, "the reference is not $status", $head) if $head !~ /^HTTP\/1\.1 $status .*\r\n\r\n$/s;
	difference(\%c, "the reference's length is wrong", $head)
		if !$r->{head} && $status != 204 && $status != 304 && length $c{in} != $len;
	$c{in} =~ s/$c{boundary}/B/g if $c{boundary};
	difference(\%c, "the reference's body is wrong", $c{in}, $body) if defined $body && $c{in} ne $body;
	$ref{$r->{key}} = {head => $head, body => $c{in}, etag => $head =~ /^ETag: (.*)\r/m ? $1 : ''};
}

sub refer_all {
	my $plain = sub { join("\r\n", "$_[0] $_[1] HTTP/1.$_[2]", 'Host: x', @_[3 .. $#_]) . "\r\n\r\n" };
	for my $f (@FILES) {
		refer(req(text => $plain->('GET', "/$f", 1), key => "get $f"), 200, $file{$f});
		refer(req(text => $plain->('HEAD', "/$f", 1), key => "head $f", head => 1), 200, '');
		refer(req(text => $plain->('GET', "/$f", 0, 'Connection: keep-alive'), key => "old $f"), 200, $file{$f});
		refer(req(text => $plain->('GET', "/$f", 1, 'Connection: close'), key => "close $f"), 200, $file{$f});
		$ref{"get $f"}{head} eq $ref{"head $f"}{head} or die "torture: HEAD $f differs from GET\n";
	}
	for my $f ('5k', '300k') {
		refer(req(text => $plain->('GET', "/$f", 1, 'Range: bytes=100-4099'), key => "range $f"), 206, substr $file{$f}, 100, 4000);
		my $n = length $file{$f};
		refer(req(text => $plain->('GET', "/$f", 1, 'Range: bytes=0-0,10-2009,-3'), key => "ranges $f"), 206);
		my $want = join '', map { quotemeta(substr $file{$f}, $_->[0], $_->[1]) . "\r\n--B(?:\r\n.*?\r\n\r\n|--\r\n\$)" }
			[0, 1], [10, 2000], [$n - 3, 3];
		$ref{"ranges $f"}{body} =~ /^--B\r\n.*?\r\n\r\n$want/s or die "torture: the parts of $f are wrong\n";
	}
	refer(req(text => $plain->('GET', '/5k', 1, 'Range: bytes=99999-'), key => 'unsatisfiable'), 416);
	refer(req(text => $plain->('GET', '/300k', 1, "If-None-Match: $ref{'get 300k'}{etag}"), key => 'same'), 304, '');
	refer(req(text => $plain->('GET', '/none', 1), key => 'missing'), 404);
	refer(req(text => $plain->('HEAD', '/none', 1), key => 'head missing', head => 1), 404, '');
	refer(req(text => $plain->('GET', '/old/x?y', 1), key => 'redirect'), 301);
	refer(req(text => $plain->('GET', '/gone', 1), key => 'gone'), 410, 'gone');
	refer(req(text => $plain->('OPTIONS', '*', 1), key => 'options'), 204, '');
	refer(req(text => $plain->('GET', '/healthz', 1), key => 'health'), 200, "ok\n");
	refer(req(text => $plain->('POST', '/one', 1, 'Content-Length: 3') . 'abc', key => 'not allowed'), 405);
	refer(req(text => $plain->('POST', '/gone', 1, 'Content-Length: 999999999'), key => 'too large'), 413);
	refer(req(text => $plain->('POST', '/none', 1, 'Content-Length: 5', 'Expect: 100-continue'), key => 'close not allowed'), 405);
	return if !$o{a};
	refer(req(text => $plain->('GET', '/a', 1, 'Bad name: x'), key => 'bad'), 400);
	refer(req(text => $plain->('POST', '/gone', 1, 'Transfer-Encoding: chunked') . "3\r\nabcde", key => 'bad chunk'), 400);
}

sub begin {
	my $number = shift;
	srand($o{s} * 100003 + $number);
	my @reqs = map { any(@KINDS)->() } 1 .. upto(rand() < .1 ? 80 : 10);
	push @reqs, any($o{a} ? @LAST : @LAST[0 .. $#LAST - 2])->() if !@reqs || rand() < .4;
	my $text = join '', map { $_->{text} } @reqs;
	my %c = (
		number => $number, keys => [map { $_->{key} } @reqs], reqs => [@reqs], in => '', last => $reqs[-1]{last},
		bite => any(7, 300, 3000, 65536, 65536), lazy => rand() < .3 ? 20 : 0, moved => time, read_at => 0, write_at => 0,
		half => !$reqs[-1]{last} && rand() < .5,
	);
	# What is written at once: all, pieces of any size, or single bytes.
	my $most = any(1, 50, 1000, 30000, 1e9);
	$most = 1 + int(length($text) / 300) if length($text) / $most > 600;
	push @{$c{out}}, substr $text, 0, 1 + upto($most - 1), '' while length $text;
	my $total = 0;
	$total += length($ref{$_->{key}}{head}) + length($ref{$_->{key}}{body}) for @reqs;
	if (rand(100) < $o{a}) {
		$c{leave_how} = any('reset', 'reset', 'close', 'half');
		$c{leave_at} = upto(rand() < .3 ? 0 : $total);
		$c{leave_unsent} = rand() < .5 ? upto(scalar @{$c{out}}) : 0;
	}
	# The smaller the bites, the shorter the stream: each has its end within moments.
	$c{bite} = 1 + int($total / 400) if $total / $c{bite} > 400;
	my @small = $total < 50000 ? ([88, 1], [200, 2000], [536, 4000]) : $total < 500000 ? ([536, 4000], [1400, 9000]) : ([8000, 60000]);
	my ($mss, $rcvbuf) = @{any(@small)};
	$c{s} = dial(any(@to), rand() < .6 ? (mss => $mss, rcvbuf => $rcvbuf) : ());
	$c{s}->blocking(0);
	return \%c;
}

sub check {
	my $c = shift;
	for (;;) {
		if (!defined $c->{body}) {
			my $r = $c->{reqs}[0];
			return if $c->{in} eq '';
			difference($c, 'more than was asked for', $c->{in}) if !$r;
			my $head = take_head($c);
			if (!defined $head) {
				difference($c, 'a head without end', $c->{in}) if length $c->{in} > 8192;
				return;
			}
			if ($head eq "HTTP/1.1 100 Continue\r\n\r\n" && $r->{interim}) {
				$r->{interim} = 0;
				next;
			}
			my $want = $ref{$r->{key}};
			difference($c, "head of $r->{key}", $head, $want->{head}) if $head ne $want->{head};
			($c->{body} = $want->{body}) =~ s/--\KB(?=\r\n|--\r\n)/$c->{boundary}/g if $c->{boundary};
			$c->{body} //= $want->{body};
			$c->{at} = 0;
			shift @{$c->{reqs}};
		}
		my $n = length($c->{body}) - $c->{at};
		$n = length $c->{in} if length $c->{in} < $n;
		my ($got, $want) = (substr($c->{in}, 0, $n, ''), substr($c->{body}, $c->{at}, $n));
		difference($c, "body at $c->{at}", $got, $want) if $got ne $want;
		$c->{at} += $n;
		return if $c->{at} < length $c->{body};
		$c->{body} = undef;
		$count{requests}++;
	}
}

# The end of a stream: nothing may be missing.
sub whole { my $c = shift; return !@{$c->{reqs}} && !defined $c->{body} && $c->{in} eq '' }

sub leave {
	my $c = shift;
	setsockopt $c->{s}, SOL_SOCKET, SO_LINGER, pack('ii', 1, 0) if $c->{leave_how} eq 'reset';
	shutdown $c->{s}, 1 if $c->{leave_how} eq 'half';
	$count{left}++;
	return close $c->{s};
}

sub put {
	my $c = shift;
	my $n = syswrite $c->{s}, $c->{out}[0];
	if (!defined $n) {
		return 1 if $! == EAGAIN || $! == EINTR;
		# A refused request ends the connection before all of it was sent.
		return 1 if $c->{last} && (@{$c->{out}} = (), 1);
		difference($c, "write: $!", $c->{in});
	}
	$count{sent} += $n;
	$c->{moved} = time;
	substr($c->{out}[0], 0, $n) = '';
	shift @{$c->{out}} if $c->{out}[0] eq '';
	$c->{write_at} = time + rand() * .003 if rand() < .05;
	shutdown $c->{s}, 1 if !@{$c->{out}} && $c->{half};
	return 1;
}

# False when the stream is over.
sub get {
	my $c = shift;
	my $n = sysread $c->{s}, $c->{in}, 1 + upto($c->{bite} - 1), length $c->{in};
	if (!defined $n) {
		return 1 if $! == EAGAIN || $! == EINTR;
		difference($c, "read: $!, " . @{$c->{reqs}} . ' answers missing', $c->{in});
	}
	if ($n == 0) {
		difference($c, 'closed with ' . @{$c->{reqs}} . ' answers missing', $c->{in}) if !whole($c);
		difference($c, 'closed without being asked', '') if !$c->{last} && !$c->{half};
		return 0;
	}
	$count{received} += $n;
	$c->{got} += $n;
	$c->{moved} = time;
	$c->{read_at} = time + rand() * .004 if rand(100) < $c->{lazy};
	check($c);
	return $c->{last} || $c->{half} || !whole($c) || @{$c->{out}};
}

$| = 1;
$count{$_} = 0 for qw(requests sent received streams left);
refer_all();
my ($number, $end, %conns) = (0, time + $o{t});
for (;;) {
	while (keys %conns < $o{c} && (time < $end || $number < $o{m}) && $number < $o{n}) {
		my $c = begin(++$number);
		$conns{fileno $c->{s}} = $c;
	}
	last if !%conns;
	my $poll = IO::Poll->new;
	my ($now, $wait) = (time, .1);
	for my $c (values %conns) {
		my $mask = 0;
		for (['read_at', POLLIN, 1], ['write_at', POLLOUT, scalar @{$c->{out}}]) {
			my ($at, $bit, $wanted) = @$_;
			next if !$wanted;
			if ($c->{$at} <= $now) { $mask |= $bit } elsif ($c->{$at} - $now < $wait) { $wait = $c->{$at} - $now }
		}
		$poll->mask($c->{s}, $mask) if $mask;
	}
	$poll->handles ? $poll->poll($wait) : sleep $wait;
	for my $fd (keys %conns) {
		my $c = $conns{$fd};
		my $e = $poll->handles ? $poll->events($c->{s}) : 0;
		my $goes_on = 1;
		put($c) if @{$c->{out}} && $e & POLLOUT;
		if (defined $c->{leave_at} && ($c->{got} // 0) >= $c->{leave_at} && @{$c->{out}} <= $c->{leave_unsent}) {
			leave($c);
			$goes_on = 0;
		} elsif ($e & (POLLIN | POLLHUP | POLLERR) && $c->{read_at} <= time) {
			$goes_on = get($c);
		}
		difference($c, "no progress for $PATIENCE s, " . @{$c->{reqs}} . ' answers missing', $c->{in}) if time - $c->{moved} > $PATIENCE;
		next if $goes_on;
		$count{streams}++;
		close $c->{s};
		delete $conns{$fd};
	}
}
print "$_ $count{$_}\n" for sort keys %count;
