#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
# How long connections to peers are kept idle, how old they may be and for how many requests they are used; how long an upgraded
# connection may be silent.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/http.sh"
. "$(dirname "$0")/peers.sh"

peer one 127.0.0.1:0
MANY=() HELD=()
for k in 1 2 3 4 5 6 7 8; do MANY+=("many$k"); done
many() {
	local name
	for name in "${MANY[@]}"; do printf "$1\n" "$name" "$name"; done
}
start_drover <<EOF
workers = 1
upstream_connections = 8
$(many "upstream \"%s\" { peer \"$PEER_one\" { max_fails = 0 } } # %s")
upstream "stays" { keepalive { idle = 10m }  peer "$PEER_one" { max_fails = 0 } }
upstream "idle" { keepalive { idle = 300ms }  peer "$PEER_one" { max_fails = 0 } }
upstream "aged" { keepalive { idle = 10m  max_age = 700ms }  peer "$PEER_one" { max_fails = 0 } }
upstream "both" { keepalive { idle = 300ms  max_age = 10m }  peer "$PEER_one" { max_fails = 0 } }
upstream "few" { keepalive { requests = 3 }  peer "$PEER_one" { max_fails = 0 } }
upstream "none" { keepalive { conns = 0 }  peer "$PEER_one" { max_fails = 0 } }
server "site" {
    listen = { "127.0.0.1:0" }
    deadlines { relay_idle = 10m }
    location "/stays/" { proxy = "stays"  rewrite = "/" }
    location "/idle/" { proxy = "idle"  rewrite = "/" }
    location "/aged/" { proxy = "aged"  rewrite = "/" }
    location "/both/" { proxy = "both"  rewrite = "/" }
    location "/few/" { proxy = "few"  rewrite = "/" }
    location "/none/" { proxy = "none"  rewrite = "/" }
    $(many 'location "/%s/" { proxy = "%s"  rewrite = "/" }')
}
server "hasty" {
    listen = { "127.0.0.1:0" }
    deadlines { relay_idle = 3s }
    location "/" { proxy = "stays" }
}
EOF
fds_mark
# row UPSTREAM FIELD: of its one peer.
row() {
	printf 'peer.%s/%s.%s' "$1" "$PEER_one" "$2"
}

# That which stays is the older one each time: what is not, was not only waited for.
got 'one that stays' /stays/name 200 one
is_stat "$(row stays idle)" 1 'is kept'
for pool in idle aged both; do
	got "$pool" /$pool/name 200 one
	ok "$pool: it is closed when its time is over" wait_stat "$(row $pool open)" -eq 0
	is_stat "$(row $pool idle)" 0 "$pool: and no longer kept"
	is_stat "$(row stays idle)" 1 "$pool: the other one is"
done
# Used without a pause, a connection grows old, too.
grows_old() {
	get /aged/name
	[ "$STATUS" = 200 ] && stat_is "$(row aged connects)" -ge 4
}
ok 'one that is used all the time is not used for ever' wait_for 10 grows_old
for _ in 1 2 3 4 5 6 7; do got 'a few' /few/name 200 one; done
is_stat "$(row few connects)" 3 'three requests for each connection'
for _ in 1 2 3; do got 'none' /none/name 200 one; done
is_stat "$(row none connects)" 3 'a connection for each request'
is_stat "$(row none idle)" 0 'none is kept'
is_stat "$(row stays connects)" 1 'the one that stays has stayed'

# As many as there may be are idle: one of them gives way.
for pool in "${MANY[@]}"; do got "$pool" "/$pool/name" 200 one; done
is_stat up_idle 8 'all are kept but those that are too many'
is_stat "$(row many8 idle)" 1 'not the last ones'
for k in 1 2 3 4 5 6 7 8; do
	spawn "held$k" curl -sS -m 60 -o /dev/null "http://127.0.0.1:$PORT/many1/sleep/60000"
	HELD[k]=$PID
done
ok 'all are used' wait_stat "$(row many1 active)" -eq 8
got 'and then there is no other' /many8/name 503 -
for pid in "${HELD[@]}"; do kill "$pid"; finish "$pid"; done

# Upgraded connections.
cat >"$T/ws.pl" <<'EOP'
use strict; use warnings; use IO::Socket::INET; use Time::HiRes qw(time);
my ($to, $path, $messages, $pause) = @ARGV;
$| = 1;
my $s = IO::Socket::INET->new(PeerAddr => $to) or die "connect: $!\n";
syswrite $s, "GET $path HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n";
my $head = '';
while ($head !~ /\r\n\r\n/) { sysread $s, $head, 1, length $head or die "no head\n" }
print "open\n";
for (1 .. $messages) {
	select undef, undef, undef, $pause / 1000;
	syswrite $s, 'x';
	sysread $s, my $back, 1 or die "closed at message $_\n";
}
print "echoed\n";
sysread $s, my $more, 1 and die "said something\n";
print "closed\n";
EOP
spawn patient perl "$T/ws.pl" "127.0.0.1:$PORT" /stays/ws 0 0
PATIENT=$PID
wait_for 10 grep -q open "$T/patient.out" || fail 'a relay that may be silent' "$(cat "$T/patient.err")"
# For longer than its time, in pieces that are much shorter.
spawn hasty perl "$T/ws.pl" "127.0.0.1:$(port_of 2)" /ws 6 600
HASTY=$PID
finish "$HASTY" 30
is "$(tr '\n' ' ' <"$T/hasty.out")" 'open echoed closed ' 'one that says something lives on, and silent ends' || diag "$(cat "$T/hasty.err")"
is_stat expired_relay_idle 1 'counted'
is_stat conns_relay 1 'the other one is as silent, and lives'
is "$(tr '\n' ' ' <"$T/patient.out")" 'open echoed ' 'for all that its client sees'
kill "$PATIENT"
finish "$PATIENT"
expect_stat conns -eq 0
kill "$PID_one"; finish "$PID_one"
expect_stat up_conns -eq 0
fds_check
done_testing
