#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
# Retries: how many there may be of all requests, which requests are repeated and which are not.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/http.sh"
. "$(dirname "$0")/peers.sh"

peer one 127.0.0.1:0
peer two "127.0.0.1:$(free_port)" # it comes back to it
DEAD=127.0.0.1:$(free_port)
allow_log 'peer .* of upstream'
start_drover <<EOF
workers = 4
upstream "broken" {
    retries = 1
    retry_budget { percent = 10  min = 0 }
    peer "$PEER_one" { max_fails = 0 }
}
upstream "few" {
    retries = 5
    retry_budget { percent = 0  min = 2 }
    peer "$DEAD" { max_fails = 0 }
    peer "127.0.0.2:${DEAD#*:}" { max_fails = 0 }
}
upstream "none" {
    retries = 5
    retry_budget { percent = 0  min = 0 }
    peer "unix:$T/nobody.sock" { max_fails = 0 }
    peer "unix:$T/nobody2.sock" { max_fails = 0 }
}
upstream "kept" {
    retry_budget { percent = 0  min = 0 }
    peer "$PEER_one" { max_fails = 0 }
}
upstream "restarted" {
    retries = 0
    peer "$PEER_two" { max_fails = 0 }
}
upstream "half" {
    peer "$DEAD" { max_fails = 0 }
    peer "$PEER_one" { max_fails = 0 }
}
server "site" {
    listen = { "127.0.0.1:0" }
    location "/" { proxy = "broken" }
    location "/few/" { proxy = "few"  rewrite = "/" }
    location "/none/" { proxy = "none"  rewrite = "/" }
    location "/kept/" { proxy = "kept"  rewrite = "/" }
    location "/restarted/" { proxy = "restarted"  rewrite = "/" }
    location "/half/" { proxy = "half"  rewrite = "/" }
}
EOF
fds_mark

# of UPSTREAM FIELD: of the board, over all its peers.
of() {
	ctl upstreams -j | perl -MJSON::PP -0777 -ne '
		for my $u (@{decode_json($_)->{upstreams}}) {
			next if $u->{name} ne "'"$1"'";
			my $n = $u->{"'"$2"'"} // 0;
			$n += $_->{"'"$2"'"} // 0 for @{$u->{peers}};
			print "$n\n";
		}'
}

# A peer that fails every request, 600 of them over 4 workers: 50 retries may be made at once, and one for ten requests.
spawn load "$BUILD/herd" -c 8 -n 600 -p /garbage "127.0.0.1:$PORT"
LOAD=$PID
finish "$LOAD" 60
count=$(asked one 'GET /garbage')
cmp_ok "$count" -ge 640 'requests are tried again'
cmp_ok "$count" -le 711 'but not more than the budget allows'
is "$(of broken retries)" $((count - 600)) 'each is counted'
is "$(of broken retry_budget_exhausted)" $((1200 - count)) 'and each that was not made'
like "$(ctl upstreams | tail -n 1)" '^broken: [0-9]* requests were not tried again' 'droverctl upstreams says so'
# What is allowed anyway.
start=$(now_ms)
for k in 1 2 3 4 5 6; do got "nobody is there $k" /few/name 502 -; done
cmp_ok "$(of few retries)" -ge 2 'so many a second are made in any case'
cmp_ok "$(of few retries)" -le $((2 + 2 * ($(now_ms) - start) / 1000)) 'and not more'
for k in 1 2 3; do got "not even a socket $k" /none/name 502 -; done
is "$(of none retry_budget_exhausted)" 3 'attempts that fail at once count, too'
# A kept connection that was closed: that is nobody's failure.
for k in 1 2 3 4 5 6; do got "closed when it is used again $k" /kept/once 200 once; done
is "$(of kept retry_budget_exhausted)" 0 'does not count'
before=$(stat_of up_reused)
is "$(curl -sS -o /dev/null -w '%{http_code} ' "http://127.0.0.1:$PORT/kept/name" -o /dev/null "http://127.0.0.1:$PORT/kept/drop/2500")" \
	'200 502 ' 'one that is closed long after it got the request'
expect_stat up_reused -eq $((before + 1))
is "$(asked one 'GET /drop/2500')" 1 'is not asked again for nothing'
is "$(of kept retry_budget_exhausted)" 1 'but as after any failure'
# Only what may be repeated is.
before=$(asked one 'POST /drop')
got 'POST' /half/drop 502 - -X POST -d x
got 'POST again' /half/drop 502 - -X POST -d x
is $(($(asked one 'POST /drop') - before)) 2 'what is not idempotent is sent once'
for k in 1 2 3 4; do got "POST of which nothing was sent $k" /half/sink 200 - -X POST -d x; done
before=$(asked one 'PUT /drop')
got 'PUT with a body that has been sent' /drop 502 - -X PUT -d x
is $(($(asked one 'PUT /drop') - before)) 1 'is not sent again, either'
fds_check 2
# What cannot be sent twice is not sent on a kept connection that its peer has closed in the same turn: the request lies there
# first, then the peer is gone and comes back.
cat >"$T/put.pl" <<'EOP'
use strict; use warnings; use IO::Socket::INET;
$| = 1;
my $s = IO::Socket::INET->new(PeerAddr => $ARGV[0]) or die "connect: $!\n";
sub answer { my $in = ''; while ($in !~ /\r\n\r\n.*$_[0]/s) { sysread $s, $in, 4096, length $in or last } $in }
print $s "GET /restarted/name HTTP/1.1\r\nHost: x\r\n\r\n";
answer 'two';
print "ready\n";
open my $go, '<', $ARGV[1] or die;
<$go>;
print $s "PUT /restarted/echo HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhello";
print "sent\n";
print substr(answer('hello'), 0, 12), "\n";
EOP
mkfifo "$T/go"
exec 6<>"$T/go"
spawn put perl "$T/put.pl" "127.0.0.1:$PORT" "$T/go"
PUT=$PID
wait_for 10 grep -q '^ready' "$T/put.out"
mapfile -t all < <(worker_pids)
kill -STOP "${all[@]}"
printf 'go\n' >&6
wait_for 10 grep -q '^sent' "$T/put.out"
kill "$PID_two"
finish "$PID_two"
peer two "$PEER_two"
kill -CONT "${all[@]}"
finish "$PUT"
exec 6>&-
like "$(cat "$T/put.out")" 'HTTP/1.1 200' 'a PUT beside a closed connection'
kill "$PID_two"
finish "$PID_two"

kill "$PID_one"; finish "$PID_one"
done_testing
