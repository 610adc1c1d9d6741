#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
# Every state's deadline passes for real: what the client sees, which counter grows.
. "$(dirname "$0")/lib.sh"

mkdir "$T/www"
printf 'hello\n' >"$T/www/a.txt"
head -c 30000000 /dev/zero >"$T/www/large"
head -c 300000 /dev/zero >"$T/www/medium"
start_drover <<EOF
workers = 1
server "s" {
    listen = { "127.0.0.1:0" }
    access_log = "$T/access.log"
    log_format = combined
    deadlines { header = 400ms  body = 600ms  send = 1s  linger = 300ms  idle = 500ms  min_rate = 0 }
    location "/" { root = "$T/www" }
    location "= /sink" { status = 200 }
}
server "rate" {
    listen = { "127.0.0.2:0" }
    deadlines { header = 10s  body = 60s  send = 60s  min_rate = 1000  min_rate_after = 500ms }
    location "/" { root = "$T/www" }
    location "= /sink" { status = 200 }
}
server "whole" {
    listen = { "127.0.0.3:0" }
    deadlines { request = 700ms  min_rate = 0 }
    location "/" { root = "$T/www" }
    location "= /sink" { status = 200 }
}
# For what is to be served: nothing else of it is due so soon that a client which is held up would miss it.
server "calm" {
    listen = { "127.0.0.4:0" }
    deadlines { header = 30s  idle = 500ms  send = 60s  min_rate = 1000  min_rate_after = 2s }
    location "/" { root = "$T/www" }
}
EOF
RATE=127.0.0.2:$(port_of 2)
WHOLE=127.0.0.3:$(port_of 3)
CALM=127.0.0.4:$(port_of 4)
fds_mark

# ask ADDR:PORT TEXT [OPTIONS]: REPLY, STATUS and the time it took, TOOK, in ms.
ask() {
	local to=$1 text=$2 start
	shift 2
	start=$(now_ms)
	REPLY=$(printf '%b' "$text" | perl "$ROOT/t/tools/raw.pl" "$@" "$to" | head -c 100000 | tr -d '\000'; exit "${PIPESTATUS[1]}")
	STATUS=$?
	TOOK=$(($(now_ms) - start))
}

ask "127.0.0.1:$PORT" '' -w 5
like "$REPLY" '^HTTP/1.1 408 ' 'a connection that says nothing is told 408'
is "$STATUS" 0 'and closed in order'
cmp_ok "$TOOK" -ge 400 'not before the header deadline'
cmp_ok "$TOOK" -lt $((2500 * WAIT_FACTOR)) 'and soon after it'
is_stat expired_header 1 'the header deadline is counted'

ask "127.0.0.1:$PORT" 'GET /a.txt HTTP/1.1\r\nHost: x\r\n' -w 5
like "$REPLY" '^HTTP/1.1 408 ' 'half a head is told 408'
is_stat expired_header 2 'and counted'

printf 'GET /a.txt HTTP/1.1\r\nHost: x\r\nAccept: everything\r\nX: yes\r\n\r\n' |
	perl "$ROOT/t/tools/raw.pl" -b -i 50 "127.0.0.1:$PORT" >"$T/slow" 2>/dev/null
like "$(cat "$T/slow")" '^HTTP/1.1 408 ' 'the header deadline is wall clock: steady trickling does not stretch it'
is_stat expired_header 3 'and counted'

ask "$CALM" 'GET /a.txt HTTP/1.1\r\nHost: x\r\n\r\n' -w 5
like "$REPLY" '^HTTP/1.1 200 .*hello$' 'an idle connection is closed'
unlike "$REPLY" '408' 'quietly'
is_stat expired_idle 1 'and counted'

ask "127.0.0.1:$PORT" 'GET /a.txt HTTP/1.1\r\nHost: x\r\n\r\nGET /a' -w 5
like "$REPLY" '^HTTP/1.1 200 .*hello.?HTTP/1.1 408 ' 'the header deadline of a later request runs from its first byte'

ask "127.0.0.1:$PORT" 'POST /sink HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\nabc' -w 5
like "$REPLY" '^HTTP/1.1 408 ' 'a body that does not come is told 408'
is_stat expired_body 1 'and counted'
cmp_ok "$TOOK" -ge 600 'not before the body deadline'

spawn reader "$BUILD/slow" -c 1 -r -n 0 -p /large -d 8 "127.0.0.1:$PORT"
expect_stat expired_send -eq 1 8
finish "$PID"
like "$(cat "$T/reader.out")" 'reset 1' 'a client that reads nothing is reset, so that half a file cannot pass as whole'

ask "$RATE" "POST /sink HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n1\n2\n3\n4\n5\n6\n7\n8\n9\n" -i 200 -w 5
like "$REPLY" '^HTTP/1.1 408 ' 'a body slower than min_rate is told 408'
is_stat expired_min_rate 1 'and counted'
cmp_ok "$TOOK" -ge 500 'not before min_rate_after'

spawn trickle "$BUILD/slow" -c 1 -r -n 10 -i 100 -p /large -d 8 "$RATE"
expect_stat expired_min_rate -eq 2 8
finish "$PID"
like "$(cat "$T/trickle.out")" 'reset 1' 'a reader slower than min_rate is reset'

spawn steady "$BUILD/herd" -c 2 -n 2 -b 60000 -p /medium -t 60000 "$CALM"
finish "$PID" 60
is "$STATUS" 0 'a slow but steady reader is served whole'

ask "$WHOLE" 'POST /sink HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\nabc' -w 5
like "$REPLY" '^HTTP/1.1 408 ' 'the deadline of the whole request cuts that of its body'
is_stat expired_request 1 'and is counted as such'
spawn whole "$BUILD/slow" -c 1 -r -n 1000 -i 50 -p /large -d 8 "$WHOLE"
expect_stat expired_request -eq 2 8
finish "$PID"
like "$(cat "$T/whole.out")" 'reset 1' 'and a response that takes longer is cut'

ask "$WHOLE" 'GET /a.txt HTTP/1.1\r\nHost: x\r\n' -w 5
like "$REPLY" '^HTTP/1.1 408 ' 'and it cuts the wait for a head'
is_stat expired_request 3 'counted likewise'

# A client that does not close its side after ours.
ask "127.0.0.1:$PORT" "GET /a.txt HTTP/1.1\r\nHost: x\r\nG@T / HTTP/1.1\r\n\r\n" -w 3
expect_stat conns -eq 0
spawn deaf perl -MIO::Socket::INET -e '
	my $s = IO::Socket::INET->new(PeerAddr => shift) or die;
	print $s "BAD\x01\r\n\r\n";
	1 while sysread $s, my $x, 1000;
	select undef, undef, undef, 3' "127.0.0.1:$PORT"
expect_stat expired_linger -ge 1 5
expect_stat conns -eq 0
finish "$PID"

all_logged() {
	[ "$(grep -c '" 408 ' "$T/access.log")" -ge 5 ]
}
wait_for 5 all_logged
is "$(grep -c '" 408 ' "$T/access.log")" 5 'each 408 is in the access log' || diag "$(cat "$T/access.log")"
expect_stat buffers -eq 0
expect_stat conns -eq 0
# The cache keeps the large files open.
fds_check 6
done_testing
