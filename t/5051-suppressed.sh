#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
# A flood of the same: the error log says the first few, with connection and request, and sums up the rest; other messages
# come through; nothing goes uncounted.
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
summed() {
	grep -o 'suppressed [0-9,]* similar: request refused' "$T/stderr" | tr -d , | awk '{ n += $2 } END { print n + 0 }'
}
is_summed() {
	[ "$(summed)" -eq "$1" ]
}
flood 1214
is "$(said 'conn=[0-9]* req=[0-9a-f]* request refused')" 10 'the first ten are said'
expect_stat errlog_suppressed -eq 1204
ok 'the rest is summed up, by itself' wait_for 20 is_summed 1204
like "$(cat "$T/stderr")" 'info [0-9]+ \[0\] suppressed 1,204 similar: request refused: field_name \(400\)' 'in these words'
# Something else in the middle of it.
flood 50
perl -MIO::Socket::INET -e '
	my $s = IO::Socket::INET->new(PeerAddr => shift) or die;
	print {$s} "POST /a.txt HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\nshort"; $s->flush; close $s' "127.0.0.1:$PORT"
expect_stat requests_cut -eq 1
flood 50
like "$(cat "$T/stderr")" 'info [0-9]+ \[0\] conn=[0-9]+ req=[0-9a-f]{32} request cut: client_abort' 'another message is said at once'
is "$(said 'conn=.* request refused')" 10 'and the flood is not'
expect_stat errlog_suppressed -eq 1304
stop_drover
is "$(summed)" 1304 'what was not summed up yet is, at the end'
done_testing
