#!/usr/bin/perl
# SPDX-License-Identifier: BSD-2-Clause
#
# Holds live connections of every kind to each ADDRESS while the server changes its workers, and compares every byte of the answers.
#   live.pl [-n TIMES] [-k KIND,...] [-v SERVER] SAY ROOT ADDRESS...
#   -n  connections of each kind to each address (2)   -k  only these kinds   -v  the host asked for (site)
#   -m  the end may come, announced or between two requests, but never within one
# SAY is a FIFO with one word a line. "step": each connection goes on by a little, its next request piece, its next bite of
# what is to be read; "end": all of it, then one more request each, on the same connection, behind it. After each word it
# prints "done NUMBER"; "opened COUNT" comes first. ROOT is the served folder with one, 1k, 64k and big; the server answers
# POST /ok with 200 "ok". Status 1: a difference, told.
use strict;
use warnings;
use Errno qw(EAGAIN ECONNRESET EPIPE);
use Getopt::Std;
use IO::Poll qw(POLLIN POLLOUT POLLHUP POLLERR);
use IO::Socket::INET;
use IO::Socket::UNIX;
use Socket qw(SOL_SOCKET SO_RCVBUF IPPROTO_TCP TCP_NODELAY);
use Time::HiRes qw(time);

$| = 1;
$SIG{PIPE} = 'IGNORE';
my %o = (n => 2, v => 'site');
getopts('n:k:v:m', \%o) && @ARGV >= 3 or die "usage\n";
my ($say, $root, @to) = @ARGV;
my $patience = 60 * ($ENV{WAIT_FACTOR} // 1);
my %file;
for my $name (qw(one 1k 64k big)) {
	open my $f, '<:raw', "$root/$name" or die "$root/$name: $!\n";
	local $/;
	$file{$name} = <$f>;
}

sub head {
	my ($method, $path, @fields) = @_;
	return join("\r\n", "$method $path HTTP/1.1", "Host: $o{v}", @fields, '', '');
}

# What is sent: one piece at once, one at each step, the rest at the end. What is read: so many bytes at each step (0: all that
# is there). Wanted: [status, body, or undef for none].
my $body = join '', map { chr 97 + $_ % 26 } 0 .. 2999;
my $chunked = join '', map { sprintf "%x;n=\"v\"\r\n%s\r\n", length, $_ } unpack '(a700)*', $body;
$chunked .= "0\r\nTrailer: t\r\n\r\n";
my $get = head('GET', '/1k');
my %kinds = (
	idle => sub { {out => [$get], want => [[200, $file{'1k'}]]} },
	fresh => sub { {out => ['', $get], want => [[200, $file{'1k'}]]} },
	head => sub { {out => [cut(head('GET', '/1k', 'X: ' . 'y' x 3000), 20, 900, 2000)], want => [[200, $file{'1k'}]]} },
	length => sub { {out => [cut(head('POST', '/ok', 'Content-Length: 3000') . $body, 200, 900, 1500)], want => [[200, 'ok']]} },
	chunked => sub {
		my $text = head('POST', '/ok', 'Transfer-Encoding: chunked');
		my $at = length $text;
		# In the middle of a size, of an extension, of data, between CR and LF, of the trailer.
		return {out => [cut($text . $chunked, $at + 1, $at + 6, $at + 300, $at + 711, $at + length($chunked) - 9)],
			want => [[200, 'ok']]};
	},
	# More than one body in a piece, and a request behind it that waits with it.
	behind => sub {
		my $text = head('POST', '/ok', 'Content-Length: 3000') . $body;
		return {out => [cut($text . $get . $text, 2500, length($text) + 10)], want => [[200, 'ok'], [200, $file{'1k'}], [200, 'ok']]};
	},
	download => sub { {out => [head('GET', '/big')], bite => 100_000, buffer => 20_000, want => [[200, $file{big}]]} },
	range => sub { {out => [head('GET', '/big', 'Range: bytes=1000000-')], bite => 30_000, buffer => 20_000, want => [[206, substr $file{big}, 1_000_000]]} },
	# What the sockets do not take ends somewhere in the heads.
	heads => sub { {out => [head('HEAD', '/1k') x 20_000], bite => 50_000, buffer => 4000, want => [([200, undef]) x 20_000]} },
	waiting => sub { {out => [join '', map { head('GET', $_) } ('/1k', '/64k', '/one') x 150], bite => 50_000, buffer => 4000,
			want => [([200, $file{'1k'}], [200, $file{'64k'}], [200, $file{one}]) x 150]} },
	# Large, and behind it one that waits.
	queue => sub { {out => [head('GET', '/big') . $get], bite => 60_000, buffer => 9000, want => [[200, $file{big}], [200, $file{'1k'}]]} },
	old => sub { {out => ["GET /one HTTP/1.0\r\nConnection: keep-alive\r\n\r\n", "GET /1k HTTP/1.0\r\nConnection: keep-alive\r\n\r\n"],
			want => [[200, $file{one}], [200, $file{'1k'}]]} },
	parts => sub { {out => [head('GET', '/big', 'Range: bytes=0-2000000,2500000-2500010,3000000-5999999')], bite => 50_000, buffer => 9000,
			want => [[206, qr/^\r?\n?--/]]} },
	# Refused, and the client does not close: the server waits for it.
	linger => sub { {out => ["GET /one HTTP/1.1\r\nNo colon\r\n\r\n"], want => [[400, qr/./]], last => 1} },
);

sub cut {
	my ($text, @at) = @_;
	my ($from, @pieces) = 0;
	for my $at (@at, length $text) {
		push @pieces, substr $text, $from, $at - $from;
		$from = $at;
	}
	return @pieces;
}

sub dial {
	my ($to, $buffer) = @_;
	my $s;
	if ($to =~ /^unix:(.*)/) {
		$s = IO::Socket::UNIX->new(Peer => $1) or die "$to: $!\n";
	} else {
		my ($host, $port) = $to =~ /^(.*):(\d+)$/ or die "$to?\n";
		$s = IO::Socket::INET->new(Proto => 'tcp') or die "socket: $!\n";
		setsockopt $s, SOL_SOCKET, SO_RCVBUF, pack 'i', $buffer if $buffer;
		connect $s, Socket::pack_sockaddr_in($port, Socket::inet_aton($host)) or die "$to: $!\n";
		setsockopt $s, IPPROTO_TCP, TCP_NODELAY, 1;
	}
	$s->blocking(0);
	return $s;
}

sub difference {
	my ($c, $what) = @_;
	printf "difference: %s to %s: %s\n", $c->{kind}, $c->{to}, $what;
	exit 1;
}

sub take_bytes {
	my ($c, $most) = @_;
	my $n = sysread $c->{s}, $c->{in}, $most, length $c->{in};
	return 0 if !defined $n && $! == EAGAIN;
	# It closed between two requests, and ours was on its way.
	$n = 0 if !defined $n && $! == ECONNRESET && $c->{between};
	difference($c, "read: $!") if !defined $n;
	$c->{eof} = 1 if $n == 0;
	return $n;
}

sub give_bytes {
	my $c = shift;
	return if $c->{pending} eq '';
	my $n = syswrite $c->{s}, $c->{pending};
	if (!defined $n) {
		return if $! == EAGAIN;
		return $c->{pending} = '' if $! == EPIPE && $c->{between};
		difference($c, "write: $!");
	}
	substr($c->{pending}, 0, $n) = '';
}

# Takes the answers that are whole off the input.
sub parse {
	my $c = shift;
	while (@{$c->{want}}) {
		my ($status, $body) = @{$c->{want}[0]};
		my $end = index $c->{in}, "\r\n\r\n", $c->{at};
		return if $end < 0;
		my $head = substr $c->{in}, $c->{at}, $end + 2 - $c->{at};
		difference($c, "wanted $status, got: " . substr $head, 0, 100) if $head !~ /^HTTP\/1\.1 $status /;
		my $len = defined $body && $head =~ /^Content-Length: (\d+)\r/mi ? $1 : 0;
		return if length($c->{in}) - $end - 4 < $len;
		my $got = substr $c->{in}, $end + 4, $len;
		difference($c, "the body of answer $c->{answers} differs") if defined $body && (ref $body ? $got !~ $body : $got ne $body);
		check_parts($c, $head, $got) if $status == 206 && ref $body;
		$c->{closing} = 1 if $head =~ /^Connection: close\r/mi;
		$c->{at} = $end + 4 + $len;
		$c->{answers}++;
		shift @{$c->{want}};
		if ($c->{at} > 1_000_000) {
			substr($c->{in}, 0, $c->{at}) = '';
			$c->{at} = 0;
		}
	}
	difference($c, 'bytes that nobody asked for: ' . substr $c->{in}, $c->{at}, 50) if length $c->{in} > $c->{at};
}

sub check_parts {
	my ($c, $head, $got) = @_;
	my ($boundary) = $head =~ /boundary="?([^"\r]+)/ or difference($c, 'no boundary');
	my @parts = split /\r?\n?--\Q$boundary\E(?:--)?\r\n/, $got;
	shift @parts;
	difference($c, 'parts are missing') if @parts != 3;
	for my $part (@parts) {
		my ($h, $data) = $part =~ /^(.*?)\r\n\r\n(.*)$/s or difference($c, 'a part without a head');
		my ($from, $to) = $h =~ /Content-Range: bytes (\d+)-(\d+)\// or difference($c, 'a part without a range');
		difference($c, 'a part differs') if $data ne substr $file{big}, $from, $to - $from + 1;
	}
}

# Until nothing is left to send, and for so many bytes, or all that is wanted.
sub go_on {
	my ($c, $all) = @_;
	my $end = time + $patience;
	my $left = $all ? 1e15 : $c->{bite} // 1e15;
	while ($c->{pending} ne '' || $left > 0) {
		last if $c->{eof} || !@{$c->{want}} && $c->{pending} eq '';
		last if !$all && !$c->{bite} && $c->{pending} eq '' && $c->{answers} >= $c->{due};
		# One that reads little may never get all of it sent before the end.
		last if !$all && $c->{bite} && $left <= 0;
		my $poll = IO::Poll->new;
		$poll->mask($c->{s} => POLLIN | ($c->{pending} ne '' ? POLLOUT : 0));
		if ($poll->poll(.2) <= 0) {
			last if !$all && $c->{pending} eq '' && $c->{bite};
			difference($c, 'no answer in time') if time > $end;
			next if $all || !$c->{bite};
			last;
		}
		give_bytes($c);
		$left -= take_bytes($c, $left < 65536 ? $left : 65536) if $left > 0;
		parse($c);
	}
}

# So many answers must be there before its next piece is sent: all that has been asked for as a whole.
sub next_piece {
	my $c = shift;
	$c->{pending} .= shift @{$c->{out}} if @{$c->{out}};
	$c->{due} = @{$c->{out}} ? 0 : $c->{total};
}

my @conns;
for my $to (@to) {
	for my $kind (defined $o{k} ? split(/,/, $o{k}) : sort keys %kinds) {
		for (1 .. $o{n}) {
			my $c = ($kinds{$kind} // die "no kind $kind\n")->();
			$c->{s} = dial($to, $c->{buffer});
			$c->{total} = @{$c->{want}};
			%$c = (%$c, kind => $kind, to => $to, in => '', at => 0, pending => '', answers => 0);
			push @conns, $c;
			next_piece($c);
			go_on($c, 0);
		}
	}
}
printf "opened %d\n", scalar @conns;
open my $words, '<', $say or die "$say: $!\n";
my $number = 0;
while (my $word = <$words>) {
	chomp $word;
	if ($word eq 'step') {
		for my $c (@conns) {
			next_piece($c);
			go_on($c, 0);
		}
	} elsif ($word eq 'end') {
		last;
	}
	printf "done %d\n", ++$number;
}
my ($closed, $kept) = (0, 0);
for my $c (@conns) {
	# One that has asked for nothing, or has had its answer, has but a moment to ask once more.
	my $quiet = $c->{pending} eq '' && @{$c->{out}} == 1 && $c->{out}[0] =~ /^GET / && length $c->{in} == $c->{at};
	$c->{between} = $o{m} && $quiet;
	next_piece($c) while @{$c->{out}};
	go_on($c, 1);
	my $between = $o{m} && ($quiet || $c->{closing}) && length $c->{in} == $c->{at};
	difference($c, sprintf '%d answers of %d, then the end', $c->{answers}, $c->{total}) if @{$c->{want}} && !$between;
	difference($c, 'closed, which nobody announced') if $c->{eof} && !$c->{closing} && !$o{m};
	if ($c->{closing} || $c->{eof}) {
		difference($c, 'the end was announced without need') if !$c->{last} && !$o{m};
		$closed++;
		next;
	}
	# It lives, and is at the right place.
	$c->{between} = $o{m};
	$c->{pending} = head('GET', '/one');
	$c->{want} = [[200, $file{one}]];
	$c->{total}++;
	go_on($c, 1);
	difference($c, 'no answer to one more request') if @{$c->{want}} && !($o{m} && $c->{eof});
	if ($c->{closing} || $c->{eof}) { $closed++ } else { $kept++ }
}
# Whether the announced ends are ends.
for my $c (grep { $_->{closing} } @conns) {
	my $end = time + $patience;
	while (!$c->{eof}) {
		my $poll = IO::Poll->new;
		$poll->mask($c->{s} => POLLIN);
		difference($c, 'not closed, as was announced') if $poll->poll(.5) <= 0 && time > $end;
		take_bytes($c, 1000);
	}
}
printf "kept %d\nclosed %d\n", $kept, $closed;
