#!/usr/bin/env perl
# SPDX-License-Identifier: BSD-2-Clause
#
# Is each field of shm/fields.h written by the master or a worker, and documented in drover-counters(7)?
#
#     t/fields.pl DROVERCTL CC [CPPFLAGS...]
#
# The compiler knows what is a use of which row's field: the sources are read by it with every field declared deprecated, and
# each warning is looked at where it stands: is it a write? Counters of close reasons, deadlines and refusals are written by
# index: of those, the enum's constant must be used. One field more, which nobody writes, shows that a field can be missed.
use strict;
use warnings;
use File::Basename;
use File::Path qw(make_path remove_tree);
use File::Temp qw(tempdir);
use JSON::PP;

my ($droverctl, @cc) = @ARGV;
@cc or die "usage: t/fields.pl DROVERCTL CC [CPPFLAGS...]\n";
my $probe = 'nobody_writes_this';
my %indexed = (close => 'CLOSE', expired => 'DEADLINE', refused => 'HTTP_REFUSED');
my @sources = ('shm/active.c', grep { $_ ne 'master/main.c' } glob '{master,worker,worker/*}/*.c');
@sources > 40 or die "fields: run it in the folder of the GNUmakefile\n";

sub slurp {
	my ($path) = @_;
	open my $f, '<', $path or die "$path: $!\n";
	local $/;
	return scalar <$f>;
}

sub spew {
	my ($path, $text) = @_;
	make_path(dirname($path));
	open my $f, '>', $path or die "$path: $!\n";
	print $f $text;
	close $f or die "$path: $!\n";
}

# Headers in which each field is deprecated, and there is one more.
sub make_headers {
	my ($dir) = @_;
	my $fields = slurp('shm/fields.h');
	my $board = slurp('shm/board.h');
	$fields =~ s/^#define WORKER_FIELDS\(X\)\s*\\\n\K/\tX(COUNTER, uint64_t, $probe, , "", DEBUG, "", "") \\\n/m
		or die "fields: no WORKER_FIELDS\n";
	my $tables = $board =~ s~^struct (\w+)_row [{]\n\t(\w+)\(BOARD_MEMBER\)~
		"#define PROBE_$1(kind, type, name, dim, ...) type name dim __attribute__((deprecated(\"$1.\" #name)));\n" .
		"struct $1_row {\n\t$2(PROBE_$1)"~gem;
	$tables >= 7 or die "fields: no structs in shm/board.h\n";
	spew("$dir/shm/fields.h", $fields);
	spew("$dir/shm/board.h", $board);
}

# The statement at a place, which the compiler names within it only roughly.
sub statement {
	my ($lines, $line, $column) = @_;
	my $head = substr $lines->[$line - 1], 0, $column - 1;
	my $tail = substr $lines->[$line - 1], $column - 1;
	for (my $n = $line - 1; $head !~ /[;{}]/ && $n > 0; $n--) { $head = "$lines->[$n - 1] $head" }
	for (my $n = $line; $tail !~ /[;{]/ && $n < @$lines; $n++) { $tail .= " $lines->[$n]" }
	return ($head =~ s/.*[;{}]//sr) . ($tail =~ s/[;{].*/;/sr);
}

# A use is a write if something is assigned to it, or if its address, or the array, is given to a function that does not read,
# or to whoever called.
sub is_write {
	my ($statement, $name, $kind) = @_;
	while ($statement =~ /(?:->|\.)\Q$name\E\b/g) {
		my ($head, $tail) = ($`, $');
		$tail =~ s/^\s*\[(?:[^][]|\[[^][]*\])*\]//;
		return 1 if $tail =~ /^\s*(?:[-+|&]?=(?!=)|\+\+|--)/;
		return 1 if $kind eq 'text' && $head =~ /^\s*return\b/ && $tail =~ /^\s*;/;
		next if $head =~ /(?:__atomic_load_n|offsetof|sizeof)\s*\([^()]*$/;
		return 1 if $head =~ /&\s*\(?[\w.>-]*(?:\([^()]*\)[\w.>-]*)?$/;
		return 1 if $head =~ /\b(?:strlcpy|memcpy|memset|snprintf|\w*(?:copy|write|put|set)\w*)\s*\([\w\s.>()-]*$/;
	}
	return 0;
}

sub uses {
	my ($dir, $source) = @_;
	my @command = ($cc[0], "-I$dir", @cc[1 .. $#cc], qw(-std=gnu17 -ftabstop=1 -fsyntax-only -fno-diagnostics-show-caret -Wdeprecated-declarations), $source);
	open my $out, '-|', join(' ', map { s/'/'\\''/gr =~ s/.*/'$&'/sr } @command) . ' 2>&1' or die "$cc[0]: $!\n";
	my (@found, @rest);
	while (<$out>) {
		if (/^\Q$source\E:(\d+):(\d+): warning: .*deprecated: (\w+)\.(\w+)/) { push @found, [$1, $2, $3, $4] }
		elsif (/\berror:/) { push @rest, $_ }
	}
	close $out or die "fields: $source does not compile\n", @rest;
	return @found;
}

my $dir = tempdir(CLEANUP => 1);
$ENV{DROVER_RUN_DIR} = "$dir/none";
my $list = decode_json(`'$droverctl' stat -l -j`)->{fields};
my $manual = `'$droverctl' stat -l --mdoc`;
my %kind = map { ("$_->{table}." . $_->{name} =~ s/^.*\.//r) => $_->{kind} } @$list;
make_headers($dir);
my (%written, $seen);
my $all_code = '';
for my $source (@sources) {
	my $code = slurp($source) =~ s{/\*.*?\*/}{$& =~ s/[^\n]/ /gr}gser;
	my @lines = split /\n/, $code;
	$all_code .= $code;
	for my $use (uses($dir, $source)) {
		my ($line, $column, $table, $name) = @$use;
		$seen++;
		$written{"$table.$name"}++ if is_write(statement(\@lines, $line, $column), $name, $kind{"$table.$name"} // '');
	}
}

# The base of an indexed family is written; its members are, if the constant occurs in the code.
for my $prefix (keys %indexed) {
	while ($all_code =~ /\b$indexed{$prefix}_([A-Z_0-9]+)\b/g) {
		$written{"worker.${prefix}_" . lc $1}++;
		$written{'server.deadline_' . lc($1) . '_ms'}++ if $prefix eq 'expired' && $written{'server.deadline_handshake_ms'};
	}
}

# The gauges of the states are written through a table of them.
while ($all_code =~ /\bGAUGE\([A-Z]+, (\w+)\)/g) { $written{"worker.conns_$1"}++ }

my @bad;
for my $field (@$list, { table => 'worker', name => $probe }) {
	my $name = $field->{name} =~ s/^.*\.//r;
	$field->{written} = $written{"$field->{table}.$name"};
	next if $name eq $probe;
	push @bad, "$field->{table}.$name is never written" if !$field->{written};
	push @bad, "$field->{name} is not in drover-counters(7)" if $manual !~ /^\.It Sy \Q$field->{name}\E Pq /m;
}
push @bad, 'a field that nobody writes passes for written' if $written{"worker.$probe"};
push @bad, "only $seen uses of fields were found" if $seen < 200 || @$list < 150;
print STDERR map { "fields: $_\n" } @bad;
exit 1 if @bad;
printf "fields: each of %d is written and documented\n", scalar @$list;
