#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
# A flood of the same: the error log says the first few of each minute, with connection and request, and sums up the rest; other
# messages come through; nothing goes uncounted.
. "$(dirname "$0")/lib.sh"

mkdir "$T/www"
printf 'hello\n' >"$T/www/a.txt"
start_drover <<EOC
workers = 1
log_level = info
server "s" {
    listen = { "127.0.0.1:0" }
    keepalive { requests = 0 }
    location "/" { root = "$T/www" }
}
EOC

# flood N: so many malformed requests, each on a connection of its own.
flood() {
	perl -MIO::Socket::INET -e '
		my ($to, $n) = @ARGV;
		for (1 .. $n) {
			my $s = IO::Socket::INET->new(PeerAddr => $to) or die;
			print {$s} "GET /a.txt HTTP/1.1\r\nHost: x\r\nbad field: y\r\n\r\n"; $s->flush;
			1 while sysread $s, my $in, 65536;
		}' "127.0.0.1:$PORT" "$1"
}
said() {
	grep -c "$1" "$T/stderr"
}
# most_said: how many lines in the minute that had most, as drover counts: one begins with the first line after the one before.
# (Lines bear the time of their writing, which may come a moment late: hence five seconds less.)
most_said() {
	grep 'conn=[0-9]* req=[0-9a-f]* request refused' "$T/stderr" | perl -MTime::Local -ne '
		/^(\d+)-(\d+)-(\d+)T(\d+):(\d+):(\d+\.\d+)Z/ or die;
		my $t = timegm(0, $5, $4, $3, $2 - 1, $1) + $6;
		($begin, $n) = ($t, 0) if !defined $begin || $t - $begin > 55;
		$most = $n if ++$n > ($most // 0);
		END { print $most // 0 }'
}
# are_all N: so many were refused, and each was said or counted as left out.
are_all() {
	stat_is errlog_suppressed -eq $(($1 - $(said 'conn=[0-9]* req=[0-9a-f]* request refused')))
}
summed() {
	grep -o 'suppressed [0-9,]* similar: request refused' "$T/stderr" | tr -d , | awk '{ n += $2 } END { print n + 0 }'
}
is_summed() {
	[ "$(summed)" -eq "$1" ]
}
flood 1214
is "$(most_said)" 10 'the first ten of a minute are said'
ok 'the rest is counted' wait_for 10 are_all 1214
ok 'and summed up, by itself' wait_for 20 is_summed "$(stat_of errlog_suppressed)"
like "$(cat "$T/stderr")" 'info [0-9]+ \[0\] suppressed [1-9][0-9]{0,2}(,[0-9]{3})? similar: request refused: field_name \(400\)' 'in these words'
# Something else in the middle of it.
flood 50
perl -MIO::Socket::INET -e '
	my $s = IO::Socket::INET->new(PeerAddr => shift) or die;
	print {$s} "POST /a.txt HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\nshort"; $s->flush; close $s' "127.0.0.1:$PORT"
expect_stat requests_cut -eq 1
flood 50
like "$(cat "$T/stderr")" 'info [0-9]+ \[0\] conn=[0-9]+ req=[0-9a-f]{32} request cut: client_abort' 'another message is said at once'
ok 'all of the flood is counted' wait_for 10 are_all 1314
is "$(most_said)" 10 'and the flood is not'
suppressed=$(stat_of errlog_suppressed)
stop_drover
is "$(summed)" "$suppressed" 'what was not summed up yet is, at the end'
done_testing
