#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
# The reverse proxy: what goes to a peer and what comes back, what a peer must not do, bodies in both directions, deadlines,
# clients that go away, peers that fail.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/http.sh"

PYTHON=/usr/bin/python3
[ -x "$PYTHON" ] || skip_all 'no python3 for the peers'

# peer NAME ADDRESS: starts one, its address is in PEER_NAME.
peer() {
	spawn "$1" "$PYTHON" "$ROOT/t/tools/backend.py" "$2" "$1"
	eval "PID_$1=$PID"
	wait_for 10 grep -q '^listening' "$T/$1.out" || die "peer $1" "$(cat "$T/$1.err")"
	eval "PEER_$1=$(awk '$1 == "listening" { print $2 }' "$T/$1.out")"
}

peer one 127.0.0.1:0
peer two "unix:$T/two.sock"
DEAD=127.0.0.1:$(free_port)
for ((k = 0; k < 3000; k++)); do printf 'line %d of a body that is sent to a peer\n' "$k"; done >"$T/body.txt"
allow_log 'peer .* of upstream'
start_drover <<EOF
workers = 2
worker_connections = 1000
upstream "one" {
    peer "$PEER_one" { max_fails = 0 }
    keepalive { conns = 8 }
}
upstream "impatient" {
    retries = 0
    deadlines { response = 2s }
    peer "$PEER_one" { max_fails = 0 }
}
upstream "two" { peer "$PEER_two" { max_fails = 0 } }
upstream "both" {
    retries = 1
    peer "$PEER_one" { max_fails = 0 }
    peer "$PEER_two" { max_fails = 0 }
}
upstream "half" {
    peer "$DEAD" { max_fails = 2  fail_time = 1m }
    peer "$PEER_two" { }
}
upstream "dead" { peer "$DEAD" { max_fails = 0 } }
upstream "spare" {
    peer "$DEAD" { }
    peer "$PEER_one" { backup = true }
}
server "site" {
    listen = { "127.0.0.1:0" }
    names  = { "site.example" }
    limits { max_body = 0 }
    location "/" { proxy = "one" }
    location "/two/" { proxy = "two"  rewrite = "/" }
    location "/both/" { proxy = "both"  rewrite = "/" }
    location "/half/" { proxy = "half"  rewrite = "/" }
    location "/dead/" { proxy = "dead"  rewrite = "/" }
    location "/spare/" { proxy = "spare"  rewrite = "/" }
    location "/little/" { proxy = "one"  rewrite = "/"  max_body = 1k }
    location "/new/prefix/" { proxy = "one"  rewrite = "/echo/" }
    location "/impatient/" { proxy = "impatient"  rewrite = "/" }
}
server "short" {
    listen = { "127.0.0.1:0" }
    deadlines { request = 2500ms }
    location "/" { proxy = "one" }
}
server "long" {
    listen = { "127.0.0.1:0" }
    deadlines { request = 100s }
    location "/" { proxy = "one" }
}
server "traced" {
    listen = { "127.0.0.1:0" }
    access_log = "$T/traced.log"
    log_format = "logfmt"
    request_id = true
    location "/" { proxy = "one" }
}
trust_request_id = { "127.0.0.2/32" }
EOF
fds_mark

# Requests that come to their deadlines, beside all that follows; what came of them is looked at under "Deadlines".
late() {
	spawn "$1" curl -sS -m $((20 * WAIT_FACTOR)) -o /dev/null -w '%{http_code} %{time_total}' "$2"
	eval "PID_$1=$PID"
}
late hang "http://127.0.0.1:$PORT/impatient/hang"
late short "http://127.0.0.1:$(port_of 2)/sleep/600000"

# What a peer is told.
got 'echo' /echo 200 -
like "$(cat "$T/body")" "^GET /echo HTTP/1.1" 'the request line'
like "$(cat "$T/body")" "Host: 127.0.0.1:$PORT" 'Host is the client'"'"'s'
like "$(cat "$T/body")" 'X-Forwarded-For: 127.0.0.1' 'X-Forwarded-For'
like "$(cat "$T/body")" 'Via: 1.1 drover' 'Via'
get /echo -H 'Connection: close, X-Secret' -H 'X-Secret: 1' -H 'X-Kept: 2' -H 'Keep-Alive: 5' -H 'TE: gzip' -H 'Proxy-Authorization: x' -H 'X-Forwarded-For: 9.9.9.9'
unlike "$(cat "$T/body")" '(X-Secret|Keep-Alive|Proxy-Authorization|9\.9\.9\.9|TE:)' 'fields of one hop, and what is not believed, stay behind'
like "$(cat "$T/body")" 'X-Kept: 2' 'others pass'
got 'rewrite' '/new/prefix/a%20b?x=1' 200 -
like "$(cat "$T/body")" '^GET /echo/a%20b\?x=1 HTTP' 'the prefix is replaced'
got 'unix socket' /two/name 200 two
# What comes back.
get /hop
unlike "$HEAD" '(X-Private|Keep-Alive|Proxy-Authenticate|Upgrade)' 'fields of one hop stay there'
is "$(field Set-Cookie)" $'a=1\nb=2' 'repeated fields keep their order'
is "$(field X-Kept)" 1 'others pass'
got 'HEAD' /size/5000 200 - -I
is "$(field Content-Length)" 5000 'HEAD has the length'
got '204' /status/204 204 ''
got '304' /status/304 304 ''
got '500 passes' /status/500 500 'status'
get /103
like "$HEAD" '^HTTP/1.1 103 ' 'early hints pass'
is "$STATUS" 200 'and the answer after them'
for size in 0 1 100 70000 3000000; do
	for how in size chunked close; do
		get /$how/$size
		is "$STATUS $(wc -c <"$T/body")" "200 $size" "$how of $size bytes"
	done
	get /chunked/$size -0
	is "$STATUS $(wc -c <"$T/body")" "200 $size" "chunks of $size bytes to an HTTP/1.0 client"
	unlike "$HEAD" 'chunked' 'which are none there'
done
# Bodies of requests.
got 'a body with its length' /echo 200 - --data-binary "@$T/body.txt"
ok 'arrives whole' test "$(tail -c "$(wc -c <"$T/body.txt")" "$T/body" | cksum)" = "$(cksum <"$T/body.txt")"
got 'a body in chunks' /echo 200 - --data-binary "@$T/body.txt" -H 'Transfer-Encoding: chunked'
ok 'arrives whole' test "$(tail -c "$(wc -c <"$T/body.txt")" "$T/body" | cksum)" = "$(cksum <"$T/body.txt")"
like "$(head -20 "$T/body")" 'Transfer-Encoding: chunked' 'in chunks'
got 'expect 100' /echo 200 - --data-binary "@$T/body.txt" -H 'Expect: 100-continue'
got 'too large' /little/echo 413 - --data-binary "@$T/body.txt"
got 'too large, in chunks' /little/echo 413 - --data-binary "@$T/body.txt" -H 'Transfer-Encoding: chunked'
got 'answered early' /early 413 'too much' --data-binary "@$T/body.txt"
# What a peer must not do.
for path in garbage both drop 101; do got "$path" /$path 502 -; done
for path in short cut; do
	get /$path
	like "$STATUS" '^curl (18|56)$' "$path: a truncated answer does not pass as whole"
done
for round in 1 2 3; do
	got "junk $round" /junk 200 proper
	got "after junk $round" /name 200 one
done
for round in 1 2 3 4 5 6; do got "a kept connection that is closed $round" /once 200 once; done
# Who a request is: the peer, the client, the log and the board name it alike.
cat >"$T/held.pl" <<'EOP'
use IO::Socket::INET;
my $s = IO::Socket::INET->new(PeerAddr => $ARGV[0]) or die "connect: $!\n";
print $s "GET /echo HTTP/1.1\r\nHost: x\r\n\r\n";
$| = 1;
while (sysread $s, my $b, 65536) { print $b }
EOP
TRACED=127.0.0.1:$(port_of 4)
# said FIELD FILE: a field's value, from a head. logged KEY: from the last line of the log.
said() {
	sed -n "s/^$1: \\([^\r]*\\)\r*\$/\\1/Ip" "$2" | tail -n 1
}
logged() {
	tail -n 1 "$T/traced.log" | sed -n "s/.* $1=\"*\\([^ \"]*\\).*/\\1/p"
}
logs() {
	[ "$(wc -l <"$T/traced.log")" -ge "$1" ]
}
spawn held perl "$T/held.pl" "$TRACED"
HELD=$PID
# The peer's answer ends with an empty line that has no CR.
whole() {
	[ "$(tail -c 2 "$T/held.out" | od -An -c | tr -d ' ')" = '\n\n' ]
}
ok 'a request that is answered and kept' wait_for 10 whole
ok 'it is logged' wait_for 10 logs 1
# Twice in what came: in the head for the client, and in the body as the peer got it.
is "$(grep -ci '^x-request-id' "$T/held.out")" 2 'one id for the client, one for the peer'
is "$(sed -n 's/^x-request-id: \([^\r]*\)\r*$/\1/Ip' "$T/held.out" | sort -u)" "$(logged id)" 'both are the one in the log'
is "$(said traceparent "$T/held.out")" "00-$(logged trace)-$(logged span)-01" 'the trace, too'
is "$(ctl conns -H "request_id=$(logged id)" | cut -f 12,13)" "$(logged id)	$(logged trace)" 'and the board says the same'
kill "$HELD"
finish "$HELD"
PARENT=00-0123456789abcdef0123456789abcdef-00f067aa0ba902b7-01
LONG=$(printf 'long-%.0s' 1 2 3 4 5 6 7 8 9 10)
AT=$TRACED get /echo -H 'X-Request-Id: mine' -H "traceparent: $PARENT" -H 'tracestate: a=b'
ok 'the next line' wait_for 10 logs 2
is "$(said X-Request-Id "$T/body")" "$(logged id)" 'an id that is not believed is replaced'
is "$(said traceparent "$T/body")" "00-0123456789abcdef0123456789abcdef-$(logged span)-01" 'a trace goes on, with our span'
is "$(grep -ci '^traceparent' "$T/body")" 1 'there is one traceparent'
is "$(said tracestate "$T/body")" 'a=b' 'with its state'
AT=$TRACED get /echo -H "X-Request-Id: $LONG" -H 'traceparent: nonsense' -H 'tracestate: a=b' --interface 127.0.0.2
ok 'and the next' wait_for 10 logs 3
is "$(said X-Request-Id "$T/body")" "$LONG" 'an id that is believed goes on, however long'
is "$(logged id)" "$LONG" 'and is logged'
is "$(said traceparent "$T/body")" "00-$(logged trace)-$(logged span)-01" 'a broken traceparent is replaced'
is "$(said tracestate "$T/body")" '' 'and its state left out'
AT=$TRACED get /sleep/250
ok 'a slow peer' wait_for 10 logs 4
ok 'waiting for it is in respond' awk -v s="$(logged respond)" 'BEGIN { exit !(s >= 0.2) }'
ok 'not in send' awk -v all="$(logged duration)" -v s="$(logged send)" 'BEGIN { exit !(s != "" && s <= all - 0.2) }'
# Deadlines.
# in_time NAME LEAST WHAT: it got 504, no sooner than after so many ms, and before long.
in_time() {
	local status seconds
	eval "finish \"\$PID_$1\""
	read -r status seconds <"$T/$1.out"
	is "$status" 504 "$3: 504"
	ok "$3: at its deadline ($seconds s)" awk -v s="${seconds:-0}" -v least="$2" -v factor="$WAIT_FACTOR" \
		'BEGIN { exit !(s * 1000 >= least && s * 1000 < 2 * least * factor) }'
}
in_time hang 2000 'a peer that hangs'
in_time short 2500 'the request deadline counts, too'
ok 'and the peer is told' wait_for 10 grep -q '^gone GET /sleep/600000' "$T/one.out"
AT=127.0.0.1:$(port_of 3) get /echo
left=$(said X-Request-Timeout-Ms "$T/body")
cmp_ok "${left:-0}" -gt 0 'the peer knows that there is time left'
cmp_ok "${left:-0}" -le 100000 'and how much at most'
# A client that goes away.
before=$(stat_of up_cancelled)
spawn leaver curl -sS -m 60 -o /dev/null "http://127.0.0.1:$PORT/sleep/60000"
wait_for 10 grep -q '^request GET /sleep/60000$' "$T/one.out"
kill "$PID"
finish "$PID"
ok 'the peer is told at once that its client is gone' wait_for 10 grep -q '^gone GET /sleep/60000$' "$T/one.out"
is_stat up_cancelled $((before + 1)) 'counted as cancelled'
# Peers that fail.
for round in 1 2 3 4; do got "one of two is dead $round" /half/name 200 two; done
got 'none is there' /dead/name 502 -
got 'the backup' /spare/name 200 one
got 'garbage from one is asked of the other' /both/status/200 200 -
# Upgrade.
cat >"$T/ws.pl" <<'EOP'
use strict; use warnings; use IO::Socket::INET;
my ($to, $rounds) = @ARGV;
my $s = IO::Socket::INET->new(PeerAddr => $to) or die "connect: $!\n";
$s->autoflush(1);
alarm 60 * ($ENV{WAIT_FACTOR} // 1);
print $s "GET /ws HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n";
my $head = '';
while ($head !~ /\r\n\r\n/) { sysread $s, my $b, 1 or die "no head\n"; $head .= $b }
$head =~ m{^HTTP/1.1 101 } or die "not upgraded: $head\n";
for my $n (1 .. $rounds) {
	my $text = "message $n " . ("x" x ($n % 5000));
	print $s $text;
	my $back = '';
	while (length $back < length $text) { sysread $s, my $b, 65536 or die "closed\n"; $back .= $b }
	$back eq $text or die "not what was sent\n";
}
print "echoed $rounds\n";
EOP
export WAIT_FACTOR
is "$(perl "$T/ws.pl" "127.0.0.1:$PORT" 1000 2>&1)" 'echoed 1000' 'an upgraded connection'
# What came behind the upgrade's head, before the answer to it, whether or not the head is kept for a log line.
cat >"$T/early.pl" <<'EOP'
use IO::Socket::INET;
my $s = IO::Socket::INET->new(PeerAddr => $ARGV[0]) or die "connect: $!\n";
alarm 60 * ($ENV{WAIT_FACTOR} // 1);
print $s "GET /ws HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\nearly bytes";
$s->flush;
my $got = '';
while ($got !~ /\r\n\r\nearly bytes$/) { sysread $s, my $b, 65536 or die "closed: $got\n"; $got .= $b }
print "echoed\n";
EOP
for at in "127.0.0.1:$PORT" "$TRACED"; do
	is "$(perl "$T/early.pl" "$at" 2>&1)" echoed "bytes that came before the 101: $at"
done
# Many at once, and large ones: memory stays flat.
spawn load "$BUILD/herd" -Z -c 50 -r 500 -d 5 -p /size/1024 "127.0.0.1:$PORT"
HERD=$PID
get /sink -X POST -T /dev/zero --max-time 2 -H 'Expect:'
head -c 100000000 /dev/zero >"$T/large"
got 'a large upload' /sink 200 '100000000 0' -T "$T/large" -X POST
get /size/100000000
is "$STATUS $(wc -c <"$T/body")" '200 100000000' 'a large download'
rm -f "$T/large"
finish "$HERD" 60
is "$STATUS" 0 'requests beside it' || diag "$(cat "$T/load.out")"
expect_stat conns -eq 0
cmp_stat buffers_resident -lt 4000000 'buffers stay few'
ok 'reload' ctl reload
same_stats up_conns up_idle 'connections to peers are idle'
for p in $PID_one $PID_two; do kill "$p"; finish "$p"; done
expect_stat up_conns -eq 0
fds_check 2
done_testing
