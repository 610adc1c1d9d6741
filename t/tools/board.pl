#!/usr/bin/perl
# SPDX-License-Identifier: BSD-2-Clause
#
# board.pl FILE [TABLE.ROW.FIELD[=NUMBER]]...: prints or changes numbers in a board's file, found by the description in it. A
# reader of its own, so that droverctl is not tested against itself alone. Without names it prints all tables with their fields.
use strict;
use warnings;

my $path = shift or die "usage: board.pl FILE [TABLE.ROW.FIELD[=NUMBER]]...\n";
open my $file, (grep { /=/ } @ARGV) ? '+<' : '<', $path or die "$path: $!\n";
binmode $file;

sub bytes {
	my ($offset, $length) = @_;
	seek $file, $offset, 0 or die "$path: $!\n";
	my $bytes;
	my $got = read $file, $bytes, $length;
	die "$path: too short\n" if ($got // 0) != $length;
	return $bytes;
}

my ($magic, $layout, $header_bytes, $ready, $tables, $fields, $enums, $table_stride, $field_stride, $enum_stride, $spare,
	$tables_off, $fields_off, $enums_off) = unpack 'a8 L10 Q3', bytes(0, 72);
die "$path: no board\n" if $magic ne "DROVERB\0" || $layout != 1 || $ready != 1;

my %table;
for my $i (0 .. $tables - 1) {
	my ($name, $offset, $stride, $rows, $first, $count) = unpack 'Z24 Q L4', bytes($tables_off + $i * $table_stride, 48);
	my %field;
	for my $k ($first .. $first + $count - 1) {
		my ($field, $unit, $kind, $level, $elem, $elems, $at) = unpack 'Z40 Z16 C C S L L',
			bytes($fields_off + $k * $field_stride, 68);
		$field{$field} = { elem => $elem, at => $at };
	}
	$table{$name} = { offset => $offset, stride => $stride, rows => $rows, field => \%field };
}

my %code = (1 => 'C', 2 => 'S', 4 => 'L', 8 => 'Q');
for my $asked (@ARGV) {
	my ($name, $row, $field, $value) = $asked =~ /^(\w+)\.(\d+)\.(\w+)(?:=(\d+))?$/ or die "$asked: not TABLE.ROW.FIELD[=NUMBER]\n";
	my $t = $table{$name} or die "no table $name\n";
	my $f = $t->{field}{$field} or die "no field $name.$field\n";
	die "no row $row\n" if $row >= $t->{rows};
	my $at = $t->{offset} + $row * $t->{stride} + $f->{at};
	if (defined $value) {
		seek $file, $at, 0 or die "$path: $!\n";
		print $file pack $code{ $f->{elem} }, $value;
	} else {
		printf "%s\t%s\n", $asked, unpack $code{ $f->{elem} }, bytes($at, $f->{elem});
	}
}
if (!@ARGV) {
	for my $name (sort keys %table) { printf "%s\t%s\n", $name, join ' ', sort keys %{ $table{$name}{field} } }
}
close $file or die "$path: $!\n";
