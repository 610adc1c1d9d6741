#!/usr/bin/perl
# SPDX-License-Identifier: BSD-2-Clause
#
# Watches the memory of a process and all below it:  pss.pl PID [MS]  adds the memory of their own up (PSS without that of files, which others share) every so many milliseconds (50) until
# TERM, then prints "first KIB max KIB samples N". With MS 0 it looks once.
use strict;
use warnings;
use Time::HiRes qw(sleep);

my ($root, $ms) = (@ARGV, 50);

sub pss {
	my @pids = ($root);
	my $kib = 0;
	for (my $i = 0; $i < @pids; $i++) {
		for my $task (glob "/proc/$pids[$i]/task/*/children") {
			open my $f, '<', $task or next;
			push @pids, split ' ', (<$f> // '');
		}
		open my $f, '<', "/proc/$pids[$i]/smaps_rollup" or next;
		while (<$f>) { $kib += $1 if /^Pss_(?:Anon|Shmem):\s+(\d+)/ }
	}
	return $kib;
}

my ($first, $max, $n, $over) = (pss(), 0, 1, 0);
$SIG{TERM} = sub { $over = 1 };
$max = $first;
$| = 1;
print "watching\n" if $ms;
while ($ms && !$over) {
	my $now = pss();
	$max = $now if $now > $max;
	$n++;
	sleep $ms / 1000;
}
print "first $first max $max samples $n\n";
