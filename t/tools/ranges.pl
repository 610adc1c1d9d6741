#!/usr/bin/perl
# SPDX-License-Identifier: BSD-2-Clause
#
# Asks for ranges of a file and compares the answers with the file byte for byte: head, parts, boundaries, closing line, end.
#   ranges.pl [-n TIMES] [-g FILE] [-b BYTES] ADDR:PORT PATH FILE TYPE RANGES
#   -n  so many requests at once (1), the last of which asks to close   -g  read nothing before this file exists
#   -b  a receive buffer of so many bytes, from which not more is read at once
# RANGES is as in the field: 0-9,-5. One that is satisfied is to be answered alone, several as multipart/byteranges with
# parts of type TYPE, in the order asked for. Status 0: all as it must be.
use strict;
use warnings;
use Getopt::Std;
use IO::Socket::INET;
use Socket qw(SOL_SOCKET SO_RCVBUF);

my %o = (n => 1);
getopts('n:g:b:', \%o) && @ARGV == 5 or die "usage\n";
my ($to, $path, $file, $type, $ranges) = @ARGV;
my $size = -s $file;
open my $f, '<:raw', $file or die "$file: $!\n";

# [first, last] of those that are satisfied.
my @want;
for (split /,/, $ranges) {
	/^(\d*)-(\d*)$/ or die "range $_\n";
	my ($first, $last) = $1 eq '' ? ($size > $2 ? $size - $2 : 0, $size - 1) : ($1, $2 eq '' ? $size - 1 : $2);
	$last = $size - 1 if $last >= $size;
	push @want, [$first, $last] if $first <= $last;
}

sub piece {
	my ($first, $last) = @{ $_[0] };
	sysseek $f, $first, 0 or die "$file: $!\n";
	my $n = sysread $f, my $bytes, $last - $first + 1;
	die "$file: short\n" if $n != $last - $first + 1;
	return $bytes;
}

my $s = IO::Socket::INET->new(Proto => 'tcp') or die "$!\n";
$s->setsockopt(SOL_SOCKET, SO_RCVBUF, $o{b}) if $o{b};
my ($host, $port) = $to =~ /(.*):(\d+)$/ or die "address $to\n";
connect $s, sockaddr_in($port, inet_aton($host)) or die "$to: $!\n";
my $ask = "GET $path HTTP/1.1\r\nHost: x\r\nRange: bytes=$ranges\r\n";
my $all = "$ask\r\n" x ($o{n} - 1) . "${ask}Connection: close\r\n\r\n";
while (length $all) { substr($all, 0, syswrite($s, $all) // die "write: $!\n") = '' }
if ($o{g}) { select undef, undef, undef, 0.01 until -e $o{g} }

my $in = '';

sub take {
	my $n = shift;
	while (length $in < $n) {
		my $r = sysread $s, $in, $o{b} // 65536, length $in;
		die "read: $!\n" if !defined $r;
		die "the connection ended early, with " . length($in) . " of $n bytes\n" if $r == 0;
	}
	return substr $in, 0, $n, '';
}

sub head {
	my $end;
	while (($end = index $in, "\r\n\r\n") < 0) { my $n = length $in; $in = take($n + 1) . $in }
	return take($end + 4);
}

for my $nth (1 .. $o{n}) {
	my $head = head();
	die "response $nth: $head" if $head !~ /^HTTP\/1\.1 206 /;
	my ($length) = $head =~ /^Content-Length: (\d+)\r$/m or die "response $nth has no length: $head";
	my $want = '';
	if (@want == 1) {
		my ($first, $last) = @{ $want[0] };
		$want = piece($want[0]);
		die "response $nth: $head" if $head !~ /^Content-Range: bytes $first-$last\/$size\r$/m
			|| $head !~ /^Content-Type: \Q$type\E\r$/m;
	} else {
		my ($mark) = $head =~ /^Content-Type: multipart\/byteranges; boundary=([0-9A-Za-z]{1,70})\r$/m
			or die "response $nth has no boundary: $head";
		die "response $nth has a range of the whole: $head" if $head =~ /^Content-Range:/m;
		$want .= "\r\n--$mark\r\nContent-Type: $type\r\nContent-Range: bytes $_->[0]-$_->[1]/$size\r\n\r\n" . piece($_)
			for @want;
		$want .= "\r\n--$mark--\r\n";
		$want =~ s/^\r\n//;
	}
	die "response $nth: length $length and not " . length($want) . "\n" if $length != length $want;
	my $got = take($length);
	next if $got eq $want;
	my $at = 0;
	$at++ while substr($got, $at, 1) eq substr($want, $at, 1);
	die "response $nth differs at byte $at\n";
}
my $r = sysread $s, $in, 1, length $in;
die "more than there may be\n" if length $in;
die "the end: $!\n" if !defined $r;
