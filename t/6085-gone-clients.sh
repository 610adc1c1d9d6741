#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
# Clients that send a whole request and go away: their end is there before anybody has looked at all that they sent. No peer is given
# such a request any more, be it one with a body, one that waits in the queue, or one whose connection to the peer is not open yet.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/http.sh"
. "$(dirname "$0")/peers.sh"
. "$(dirname "$0")/takeover.sh"

# A peer that cannot be reached before it gets SIGUSR1: its backlog is full. Then it says what comes.
cat >"$T/late.py" <<'EOP'
import signal, socket

signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGUSR1])
s = socket.socket()
s.bind(("127.0.0.1", 0))
s.listen(0)
fill = socket.create_connection(s.getsockname())
print("listening %s:%d" % s.getsockname(), flush=True)
signal.sigwait([signal.SIGUSR1])
fill.close()
while True:
    c, _ = s.accept()
    c.settimeout(10)
    data = c.recv(65536)
    print("got", data.decode("latin-1"), flush=True)
    if data:
        c.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nConnection: close\r\n\r\nlate\n")
    c.close()
EOP
peer one 127.0.0.1:0
peer late 127.0.0.1:0 "$T/late.py"
allow_log 'peer .* of upstream|request cut'
start_drover <<EOF
workers = 1
upstream "one" { peer "$PEER_one" { max_fails = 0 } }
upstream "late" { retries = 0  deadlines { connect = 5m }  peer "$PEER_late" { max_fails = 0 } }
upstream "full" {
    queue { size = 5  wait = 5m }
    peer "$PEER_one" { max_fails = 0  max_conns = 1 }
}
server "site" {
    listen = { "127.0.0.1:0" }
    access_log = "$T/access.log"
    log_format = "logfmt"
    deadlines { body = 5m  min_rate = 0 }
    location "/" { proxy = "one" }
    location "/late/" { proxy = "late" }
    location "/full/" { proxy = "full"  rewrite = "/" }
}
EOF
learn_waiting
fds_mark
POST='Host: x\r\nContent-Length: 5\r\n\r\nhello'

# asks NAME TEXT: a client that sends this and waits, until it is killed: CLIENT.
cat >"$T/client.pl" <<'EOP'
use IO::Socket::INET;
my $s = IO::Socket::INET->new(PeerAddr => $ARGV[0]) or die "connect: $!\n";
(my $text = $ARGV[1]) =~ s/\\r\\n/\r\n/g;
syswrite $s, $text;
sleep 600;
EOP
asks() {
	spawn "$1" perl "$T/client.pl" "127.0.0.1:$PORT" "$2"
	CLIENT=$PID
}
goes() {
	kill "$CLIENT"
	finish "$CLIENT"
}

# While it waits for a peer with room.
spawn holder curl -sS -m 600 -o /dev/null "http://127.0.0.1:$PORT/full/sleep/600000"
HOLDER=$PID
wait_for 10 grep -q '^request GET /sleep/600000' "$T/one.out" || fail 'the peer is full'
asks waiter "POST /full/queued HTTP/1.1\\r\\n$POST"
ok 'a request with a body waits' wait_stat upstream.full.queued -eq 1
goes
ok 'its client goes: its place is free' wait_stat upstream.full.queued -eq 0
is_stat upstream.full.queue_left 1 'and that is counted'
kill "$HOLDER"
finish "$HOLDER"
got 'the peer has room' /full/name 200 one
is "$(asked one 'POST /queued')" 0 'it was not asked'

# While the connection to the peer is being opened.
cancelled=$(stat_of up_cancelled)
asks ghost "POST /late/ghost HTTP/1.1\\r\\n$POST"
ok 'a connection that hangs' wait_for 10 is_connecting "$PEER_late"
goes
ok 'its client goes: it is given up' wait_stat up_cancelled -eq $((cancelled + 1))
kill -USR1 "$PID_late"
ok 'the peer can be reached' now_is /late/after 200 late
unlike "$(cat "$T/late.out")" ghost 'it was not asked'

# Request and end in one: the worker sees both at once, and has a connection to the peer at hand.
at_once() {
	local cut line
	cut=$(stat_of requests_cut)
	exec 6<>"/dev/tcp/127.0.0.1/$PORT"
	printf 'GET /name HTTP/1.1\r\nHost: x\r\n\r\n' >&6
	# What is not read would make a reset of its end.
	while IFS= read -r -t 20 line <&6 && [ "$line" != $'\r' ]; do :; done
	IFS= read -r -t 20 -N 3 line <&6
	expect_stat up_idle -ge 1
	expect_stat conns_idle -eq 1
	wait_for 10 catch_waiting "$(pid_of 0)" || fail 'the worker comes to rest'
	printf '%b' "$1" >&6
	exec 6>&-
	kill -CONT "$(pid_of 0)"
	expect_stat conns -eq 0
	is_stat requests_cut $((cut + 1)) "$2: it is cut off"
}
at_once 'GET /at-once HTTP/1.1\r\nHost: x\r\n\r\n' 'a request and its end'
at_once "POST /at-once HTTP/1.1\\r\\n$POST" 'a body and its end'
got 'the peer is asked' /name 200 one
is "$(grep -c '^request .* /at-once' "$T/one.out")" 0 'and was not before'
logged() {
	[ "$(grep -c 'target="*/at-once' "$T/access.log")" -eq 2 ]
}
ok 'but both are in the log' wait_for 5 logged
is_stat upstream.full.queue_left 1 'nobody else left the queue'
for p in $PID_one $PID_late; do kill "$p"; finish "$p"; done
expect_stat up_conns -eq 0
fds_check 2
done_testing
