#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
# How long a proxied request may take: what is configured and what a believed client asks for, what a peer is told of it, and
# that nothing is given to a peer, or goes on there, of which nobody waits for the answer.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/http.sh"
. "$(dirname "$0")/peers.sh"

# A peer that cannot be reached before it gets SIGUSR1: its backlog is full. Then it records what comes.
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
peer two 127.0.0.1:0
peer late 127.0.0.1:0 "$T/late.py"
peer later 127.0.0.1:0 "$T/late.py"
allow_log 'peer .* of upstream'
start_drover <<EOF
workers = 1
upstream "one" { peer "$PEER_one" { max_fails = 0 } }
upstream "late" { retries = 0  deadlines { connect = 30s }  peer "$PEER_late" { max_fails = 0 } }
upstream "later" { retries = 0  deadlines { connect = 30s }  peer "$PEER_later" { max_fails = 0 } }
upstream "both" {
    retries = 9
    deadlines { response = 400ms }
    peer "$PEER_one" { max_fails = 0 }
    peer "$PEER_two" { max_fails = 0 }
}
server "site" {
    listen = { "127.0.0.1:0" }
    deadlines { body = 20s  min_rate = 0 }
    limits { max_body = 0 }
    trust = { "127.0.0.2" }
    location "/" { proxy = "one" }
    location "/late/" { proxy = "late" }
    location "/later/" { proxy = "later" }
    location "/both/" { proxy = "both"  rewrite = "/" }
    location "/named/" { proxy = "one"  rewrite = "/"  timeout_header = "X-Left" }
}
server "short" {
    listen = { "127.0.0.1:0" }
    deadlines { request = 20s }
    location "/" { proxy = "one"  trust = { "127.0.0.2" } }
}
EOF
fds_mark
SHORT=127.0.0.1:$(port_of 2)
TRUSTED=(--interface 127.0.0.2)

# asks MS [OPTIONS of curl]: /echo is asked for, and told how much?
left() {
	said "$1" "$T/body"
}

# What a peer is told.
get /echo -H 'X-Request-Timeout-Ms: 50000' -H 'grpc-timeout: 50S'
is "$STATUS $(left X-Request-Timeout-Ms) $(left grpc-timeout)" '200  ' 'who is not believed has no limit, and its word is not passed on'
get /echo "${TRUSTED[@]}" -H 'X-Request-Timeout-Ms: 50000'
cmp_ok "$(left X-Request-Timeout-Ms)" -le 50000 'what a believed client asks for goes on'
cmp_ok "$(left X-Request-Timeout-Ms)" -ge 30000 'less what has passed'
is "$(left grpc-timeout)" '' 'there is no grpc-timeout where there was none'
get /echo "${TRUSTED[@]}" -H 'X-Request-Timeout-Ms: 90000' -H 'grpc-timeout: 70S'
cmp_ok "$(left X-Request-Timeout-Ms)" -le 70000 'the smaller of the two counts'
like "$(left grpc-timeout)" '^[1-7][0-9][0-9][0-9][0-9]m$' 'and grpc-timeout says what is left'
for bad in '-5' '5x' '' '99999999999999999999999' '1.5'; do
	get /echo "${TRUSTED[@]}" -H "X-Request-Timeout-Ms: $bad" -H "grpc-timeout: $bad"
	is "$STATUS $(left X-Request-Timeout-Ms) $(left grpc-timeout)" '200  ' "malformed: '$bad' counts for nothing and is not passed on"
done
get /named/echo "${TRUSTED[@]}" -H 'X-Left: 40000' -H 'X-Request-Timeout-Ms: 1'
is "$STATUS" 200 'a name of its own'
cmp_ok "$(left X-Left)" -le 40000 'is what it is called'
AT=$SHORT get /echo -H 'grpc-timeout: 1H' -H 'X-Request-Timeout-Ms: 1'
cmp_ok "$(left X-Request-Timeout-Ms)" -gt 1 'the server'"'"'s own limit takes the place of what is not believed'
like "$(left grpc-timeout)" '^(1?[0-9]{1,4}|20000)m$' 'in grpc-timeout, too'
AT=$SHORT get /echo "${TRUSTED[@]}" -H 'X-Request-Timeout-Ms: 60000'
cmp_ok "$(left X-Request-Timeout-Ms)" -le 20000 'nobody gets more than the server gives'

# The time is over: while the peer works.
expired=$(stat_of expired_request)
cancelled=$(stat_of up_cancelled)
start=$(now_ms)
got 'a peer that is too slow' /sleep/60000 504 - "${TRUSTED[@]}" -H 'X-Request-Timeout-Ms: 800'
cmp_ok $(($(now_ms) - start)) -lt $((2000 * WAIT_FACTOR)) 'when the time is over'
start=$(now_ms)
ok 'the peer is told' wait_for 10 grep -q '^gone GET /sleep/60000' "$T/one.out"
cmp_ok $(($(now_ms) - start)) -lt $((3000 * WAIT_FACTOR)) 'at once'
is_stat expired_request $((expired + 1)) 'counted as expired'
is_stat up_cancelled $((cancelled + 1)) 'and cancelled'
# While the body is on its way.
printf 'POST /echo HTTP/1.1\r\nHost: x\r\nX-Request-Timeout-Ms: 800\r\nContent-Length: 10\r\n\r\nhalf' >"$T/half"
cat >"$T/half.pl" <<'EOP'
use IO::Socket::INET;
my $s = IO::Socket::INET->new(PeerAddr => $ARGV[0], LocalAddr => '127.0.0.2') or die "connect: $!\n";
open my $f, '<', $ARGV[1] or die;
print $s do { local $/; <$f> };
$s->flush;
sysread $s, my $b, 65536;
print $b;
EOP
like "$(perl "$T/half.pl" "127.0.0.1:$PORT" "$T/half" 2>&1)" '^HTTP/1.1 504 ' 'a body that does not come in time'
ok 'of which the peer is told' wait_for 10 grep -q '^gone POST /echo' "$T/one.out"
# While the connection is being opened: the peer never gets the request.
got 'a peer that cannot be reached' /late/ghost 504 - "${TRUSTED[@]}" -H 'X-Request-Timeout-Ms: 300'
kill -USR1 "$PID_late"
ok 'which can be reached again' now_is /late/after 200 late
unlike "$(cat "$T/late.out")" 'ghost' 'and never got what was over'
# What is left is told as it is when the connection is open.
spawn slow curl -sS --path-as-is -m 60 -o /dev/null --interface 127.0.0.2 -H 'X-Request-Timeout-Ms: 30000' "http://127.0.0.1:$PORT/later/x"
SLOW=$PID
ok 'a connection that hangs' wait_for 10 is_connecting "$PEER_later"
kill -USR1 "$PID_later"
finish "$SLOW" 30
ok 'the peer got the request' wait_for 10 grep -q '^got GET /later/x' "$T/later.out"
cmp_ok "$(said X-Request-Timeout-Ms "$T/later.out")" -lt 29900 'with what was left when its connection was open'
# While it is tried again: of ten attempts, the eighth would come too late, and more of them where the machine stands still.
got 'attempts that take longer than there is time' /both/sleep/30000 504 - "${TRUSTED[@]}" -H 'X-Request-Timeout-Ms: 2500'
tries=$(($(stat_of "peer.both/$PEER_one.requests") + $(stat_of "peer.both/$PEER_two.requests")))
cmp_ok "$tries" -ge 2 'several are made'
cmp_ok "$tries" -le 7 'while there is time'
ok 'all of which are told' wait_for 10 eval '[ "$(cat "$T/one.out" "$T/two.out" | grep -c "^gone GET /sleep/30000")" -eq $tries ]'
# In droverctl, a limit is a deadline.
spawn held curl -sS -m 90 -o /dev/null --interface 127.0.0.2 -H 'X-Request-Timeout-Ms: 90000' "http://127.0.0.1:$PORT/sleep/80000"
HELD=$PID
wait_for 10 grep -q '^request GET /sleep/80000' "$T/one.out"
like "$(ctl conns -j | perl -MJSON::PP -0777 -ne 'for (@{decode_json($_)->{conns}}) { print "$_->{left_ms}\n" if $_->{request} =~ /80000/ }')" '^[1-8][0-9][0-9][0-9][0-9]$' 'shown as a deadline'
# A client that goes away: the peer sees it at once.
cancelled=$(stat_of up_cancelled)
start=$(now_ms)
kill "$HELD"
ok 'the client goes away' wait_for 10 grep -q '^gone GET /sleep/80000' "$T/one.out"
cmp_ok $(($(now_ms) - start)) -lt $((3000 * WAIT_FACTOR)) 'and the peer is told at once'
ok 'counted as cancelled' wait_stat up_cancelled -eq $((cancelled + 1))
finish "$HELD"
expect_stat conns -eq 0
ok 'reload' ctl reload
expect_stat up_conns -eq 0
fds_check 2
for p in $PID_one $PID_two $PID_late $PID_later; do kill "$p"; finish "$p"; done
done_testing
