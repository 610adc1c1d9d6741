#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
# What a peer says, or its end, on a connection that is kept while the worker has not looked yet: the next request does not go out on
# it, though it is the first thing that the worker sees.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/http.sh"
. "$(dirname "$0")/takeover.sh"

cat >"$T/peer.pl" <<'PERL'
use strict; use warnings; use IO::Socket::INET; use IO::Select;
my $listener = IO::Socket::INET->new(LocalAddr => '127.0.0.1', Listen => 10) or die;
$| = 1;
open my $say, '<', $ARGV[0] or die;
my $all = IO::Select->new($listener, $say);
my $count = 0;
print $listener->sockport, "\n";
while (1) {
	for my $s ($all->can_read) {
		if ($s == $listener) { $all->add(scalar $listener->accept); $count++; next }
		if ($s == $say) {
			sysread($say, my $what, 100) or exit 0;
			for my $c (grep { $_ != $listener && $_ != $say } $all->handles) {
				if ($what =~ /end/) { $all->remove($c); close $c } else { syswrite $c, "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nwrong" }
			}
			print "done\n";
			next;
		}
		if (!sysread $s, my $got, 65536) { $all->remove($s); close $s; next }
		syswrite $s, "HTTP/1.1 200 OK\r\nContent-Length: " . length($count) . "\r\n\r\n$count";
	}
}
PERL
mkfifo "$T/say"
exec 7<>"$T/say"
spawn peer perl "$T/peer.pl" "$T/say"
peer=$PID
wait_for 10 test -s "$T/peer.out" || die 'the peer'
start_drover <<EOF
workers = 1
upstream "one" { peer "127.0.0.1:$(head -n 1 "$T/peer.out")" { max_fails = 0 } }
server "site" {
    listen = { "127.0.0.1:0" }
    location "/" { proxy = "one" }
}
EOF
learn_waiting
worker=$(pid_of 0)

# said COUNT: the peer has done what it was told, so often.
said() {
	[ "$(grep -c done "$T/peer.out")" -eq "$1" ]
}
# The request lies in the socket of the stopped worker, of which it hears first.
asks() {
	printf '%s /x HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 0\r\n\r\n' "$1" >&6
	ok "$1: the request has come" wait_for 10 arrived
}
arrived() {
	awk -v port="$(printf ':%04X' "$PORT")" '$2 ~ port "$" && $4 == "01" && $5 !~ /:00000000$/ { found = 1 } END { exit !found }' /proc/net/tcp
}

got 'a connection is made and kept' /x 200 1
expect_stat up_idle -eq 1
number=0
for what in answer end; do
	for method in GET POST; do
		number=$((number + 1))
		exec 6<>"/dev/tcp/127.0.0.1/$PORT"
		expect_stat conns -eq 1
		wait_for 10 catch_waiting "$worker" || fail 'the worker comes to rest'
		asks $method
		printf '%s\n' "$what" >&7
		ok "$method: the peer says: $what" wait_for 10 said $number
		kill -CONT "$worker"
		is "$(timeout 20 cat <&6 | tr -d '\r' | tail -n 1)" $((number + 1)) "$method: the answer is that of a new connection"
		exec 6>&-
		expect_stat conns -eq 0
		expect_stat up_idle -eq 1
	done
done
is_stat up_retries 0 'none had to be asked for twice'
stop_drover
kill "$peer"
finish "$peer"
exec 7>&-
done_testing
