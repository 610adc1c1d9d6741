#!/usr/bin/perl
# SPDX-License-Identifier: BSD-2-Clause
#
# A small HTTP server that misbehaves in one chosen way, to prove that herd counts each fate as what it is.
# badserver.pl MODE [RESPONSE]: prints its port on 127.0.0.1, then serves until it is ended or its parent is gone.
# Modes: answer, close-idle (answers, then closes unannounced), close-announced (answers with Connection: close, closes),
# no-close (announces it and does not), close-in-flight, reset, reset-idle, late (never answers), truncated, garbage,
# unasked (a second answer that nobody asked for), raw (sends RESPONSE, where \r \n \xHH mean those bytes, and keeps the
# connection), dribble (the same, a byte in a segment).
use strict;
use warnings;
use IO::Select;
use IO::Socket::INET;
use POSIX ();
use Socket qw(SOL_SOCKET SO_LINGER IPPROTO_TCP TCP_NODELAY);

my ($mode, $raw) = @ARGV;
my $body   = "hello\n";
my $answer = "HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\n$body";
my $closes = "HTTP/1.1 200 OK\r\nContent-Length: 6\r\nConnection: close\r\n\r\n$body";
if (defined $raw) {
	$raw =~ s/\\x([0-9a-fA-F]{2})|\\r|\\n/defined $1 ? chr hex $1 : $& eq '\r' ? "\r" : "\n"/ge;
}

my $dribble = sub {
	my ($conn) = @_;
	for my $byte (split //, $raw) {
		syswrite $conn, $byte;
		select undef, undef, undef, 0.0005;
	}
	return 1;
};

# What a mode does with a whole request; returns whether the connection stays.
my %serve = (
	'answer'          => sub { syswrite $_[0], $answer },
	'close-idle'      => sub { syswrite $_[0], $answer; 0 },
	'close-announced' => sub { syswrite $_[0], $closes; 0 },
	'no-close'        => sub { syswrite $_[0], $closes },
	'close-in-flight' => sub { 0 },
	'reset'           => sub { $_[0]->sockopt(SO_LINGER, pack('ii', 1, 0)); 0 },
	'reset-idle'      => sub { syswrite $_[0], $answer; 1 },
	'late'            => sub { 1 },
	'truncated'       => sub { syswrite $_[0], "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n$body"; 0 },
	'garbage'         => sub { syswrite $_[0], "220 mail.example.org ESMTP\r\n"; 1 },
	'unasked'         => sub { syswrite $_[0], $answer x 2 },
	'raw'             => sub { syswrite $_[0], $raw },
	'dribble'         => $dribble,
);
my $serve = defined $mode ? $serve{$mode} : undef;
die "usage: badserver.pl MODE [RESPONSE]; modes: @{[sort keys %serve]}\n" unless $serve;

my $listen = IO::Socket::INET->new(LocalAddr => '127.0.0.1', Listen => 1024) or die "listen: $@\n";
my $select = IO::Select->new($listen);
my $parent = getppid;
my (%head, %idle);

$| = 1;
$SIG{PIPE} = 'IGNORE';
print $listen->sockport, "\n";
close STDOUT;

sub bury {
	my ($conn) = @_;
	$select->remove($conn);
	delete $head{$conn};
	delete $idle{$conn};
	close $conn;
}

sub serve_bytes {
	my ($conn) = @_;
	my $n = sysread $conn, $head{$conn}, 65536, length $head{$conn};
	return bury($conn) unless $n;
	while ($head{$conn} =~ s/^.*?\r\n\r\n//s) {
		return bury($conn) unless $serve->($conn);
		$idle{$conn} = $conn if $mode eq 'reset-idle';
	}
}

while (getppid == $parent) {
	for my $ready ($select->can_read($mode eq 'reset-idle' ? 0.05 : 1)) {
		if ($ready == $listen) {
			my $conn = $listen->accept or next;
			$conn->setsockopt(IPPROTO_TCP, TCP_NODELAY, 1);
			$head{$conn} = '';
			$select->add($conn);
			next;
		}
		serve_bytes($ready);
	}
	for my $conn (values %idle) {
		$conn->sockopt(SO_LINGER, pack('ii', 1, 0));
		bury($conn);
	}
}
