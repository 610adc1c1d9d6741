#!/usr/bin/perl
# SPDX-License-Identifier: BSD-2-Clause
#
# Reads Prometheus text, or with -o OpenMetrics text, and dies of the first thing that a strict reader would refuse: samples of
# a family apart, without HELP and TYPE in front, twice, with a suffix or a value that their type forbids, histograms that
# fall. Prints each series without its value, sorted, so that outputs can be compared; with -v "series<TAB>value".
use strict;
use warnings;

my %opt;
$opt{ substr(shift, 1) } = 1 while @ARGV && $ARGV[0] =~ /^-[ov]$/;
my $om   = $opt{o};
my $text = do { local $/; <> } // '';
my $line = 0;

sub bad { die "line $line: @_\n" }

utf8::decode(my $copy = $text) or die "not UTF-8\n";
$text =~ /\n\z/ or die "the last line has no end\n";
$om == ($text =~ /^# EOF$/m ? 1 : 0) or die "# EOF\n" if $om || $text =~ /^# EOF$/m;
$text =~ /^# EOF\n\z/m or die "something behind # EOF\n" if $om;

my ($family, %type, %help, %unit, %done, %seen, %value, $type, %hist);

# The suffixes that samples of a type have behind the family's name.
my %suffixes = (
	counter   => $om ? [qw(_total)] : [''],
	gauge     => [''],
	info      => [qw(_info)],
	histogram => [qw(_bucket _sum _count)],
);

sub end_family {
	return if !defined $family;
	$done{$family} = 1;
	$type{$family} // bad("$family has no TYPE");
	$help{$family} // bad("$family has no HELP");
	for my $key (keys %hist) {
		my ($h, $low, $last) = ($hist{$key}, -1, 0);
		for (@{ $h->{buckets} }) {
			$_->[0] > $low or bad("$family: le does not grow");
			$_->[1] >= $last or bad("$family: buckets fall");
			($low, $last) = @$_;
		}
		$low == 9**9**9 or bad("$family: no +Inf");
		defined $h->{count} && $h->{count} == $last or bad("$family: count is not that of +Inf");
		defined $h->{sum} or bad("$family: no sum");
	}
	%hist = ();
}

for (split /\n/, $text) {
	$line++;
	last if $om && $_ eq '# EOF';
	if (/^# (HELP|TYPE|UNIT) ([a-zA-Z_:][a-zA-Z0-9_:]*) (.*)$/) {
		my ($what, $name, $rest) = ($1, $2, $3);
		if (!defined $family || $name ne $family) {
			end_family();
			$family = $name;
			bad("$name again") if $done{$name};
		}
		my $of = { HELP => \%help, TYPE => \%type, UNIT => \%unit }->{$what};
		bad("$what of $name twice") if defined $of->{$name};
		bad("$what of $name behind its samples") if $seen{$name};
		bad("HELP of $name is empty") if $rest eq '';
		$of->{$name} = $rest;
		if ($what eq 'TYPE') {
			$suffixes{$rest} or bad("type '$rest'");
			$om || $rest ne 'info' or bad('infos are OpenMetrics');
			($name =~ /_total\z/) == (!$om && $rest eq 'counter') or bad("$name is a $rest");
		}
		$what ne 'UNIT' || $name =~ /_\Q$rest\E\z/ or bad("$name does not end in its unit $rest") if $om;
		$name !~ /_(us|ms|milliseconds|microseconds)(_|\z)/ or bad("$name: not the base unit");
		next;
	}
	/^([a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{((?:[a-zA-Z_][a-zA-Z0-9_]*="(?:[^"\\]|\\[\\n"])*",?)*)\})? (\S+)$/
	    or bad("what is this: $_");
	my ($name, $labels, $value) = ($1, $2 // '', $3);
	$labels !~ /,\z/ or bad('a comma without a label');
	$value =~ /^-?[0-9]+(\.[0-9]+)?\z/ or bad("value '$value'");
	defined $family && $name =~ /^\Q$family\E(_\w+)?\z/ or bad("$name is outside of its family");
	my $suffix = $1 // '';
	$type = $type{$family} // bad("$name before its TYPE");
	grep { $_ eq $suffix } @{ $suffixes{$type} } or bad("$name: suffix '$suffix' of a $type");
	$seen{$family} = 1;
	bad("$name\{$labels} twice") if exists $value{"$name\{$labels}"};
	$value{"$name\{$labels}"} = $value;
	bad("$name is below 0") if $value < 0;

	if ($type eq 'histogram') {
		my $le = $labels =~ s/,?le="([^"]*)"// ? $1 : undef;
		if ($suffix eq '_bucket') {
			push @{ $hist{$labels}{buckets} }, [ $le eq '+Inf' ? 9**9**9 : $le, $value ];
		} else {
			$hist{$labels}{ substr($suffix, 1) } = $value;
		}
	}
}
end_family();
%value or die "no samples\n";
print map { $opt{v} ? "$_\t$value{$_}\n" : "$_\n" } sort keys %value;
