#!/usr/bin/perl
# SPDX-License-Identifier: BSD-2-Clause
#
# Sends standard input as it is to ADDR:PORT or unix:PATH and prints what comes back until the server closes.
#   raw.pl [-b] [-i MS] [-h] [-w SECONDS] [-n RESPONSES] ADDR:PORT
#   -b  one byte a write   -i  pause after each write of a line or byte   -h  half-close after sending
#   -w  give up after so many seconds (10)   -n  end when so many final responses with Content-Length have come
# Status: 0 closed by the server, 3 reset, 4 still open when the time was over, 5 enough responses.
use strict;
use warnings;
use Getopt::Std;
use IO::Select;
use IO::Socket::INET;
use IO::Socket::UNIX;
use Socket qw(IPPROTO_TCP TCP_NODELAY);
use Time::HiRes qw(time);

$SIG{PIPE} = 'IGNORE';
my %o = (w => 10);
getopts('bi:hw:n:', \%o) or exit 2;
my $to = shift // exit 2;
binmode STDIN;
binmode STDOUT;
# Before it connects: a connection without a request has a deadline.
my $in = do { local $/; <STDIN> } // '';
my $s = $to =~ /^unix:(.*)/ ? IO::Socket::UNIX->new(Peer => $1) : IO::Socket::INET->new(PeerAddr => $to);
$s or die "raw: $to: $!\n";
$s->setsockopt(IPPROTO_TCP, TCP_NODELAY, 1) if $to !~ /^unix:/;
my @pieces = $o{b} ? split(//, $in) : defined $o{i} ? split(/(?<=\n)/, $in) : ($in);
my $end = time + $o{w};
my $sel = IO::Select->new($s);
my $out = '';

sub enough {
	my ($rest, $n) = ($out, 0);
	while ($rest =~ s/^HTTP\/1\.1 (\d+)[^\r]*\r\n(.*?)\r\n\r\n//s) {
		my ($status, $head) = ($1, $2);
		next if $status < 200;
		my $len = $head =~ /^content-length: (\d+)/mi && $status != 304 ? $1 : 0;
		return 0 if length $rest < $len;
		substr($rest, 0, $len) = '';
		return 1 if ++$n >= $o{n};
	}
	return 0;
}

sub take {
	my $r = sysread $s, my $buf, 65536;
	if (!defined $r) { print $out; exit($!{ECONNRESET} ? 3 : 1) }
	if ($r == 0) { print $out; exit 0 }
	$out .= $buf;
	if (defined $o{n} && enough()) { print $out; exit 5 }
}

for my $p (@pieces) {
	my $off = 0;
	while ($off < length $p) {
		my $w = syswrite $s, $p, length($p) - $off, $off;
		last if !defined $w;
		$off += $w;
	}
	take() if $sel->can_read(($o{i} // 0) / 1000);
}
shutdown $s, 1 if $o{h};
while (time < $end) {
	take() if $sel->can_read($end - time);
}
# What came while this process did not run.
take() while $sel->can_read(0);
print $out;
exit 4;
