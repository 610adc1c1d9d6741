#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
# HTTP/1.1 on the wire: what is answered, what is refused and how, and which refusal is counted.
. "$(dirname "$0")/lib.sh"

mkdir "$T/www"
printf 'hello\n' >"$T/www/a.txt"
printf 'index\n' >"$T/www/index.html"
start_drover <<EOF
workers = 1
server "first" {
    listen = { "127.0.0.1:0" }
    names  = { "first.example", "*.wild.example" }
    deadlines { min_rate = 0 }
    limits { max_header = 2k  max_uri = 512  max_fields = 20  max_body = 1k }
    location "/"      { root = "$T/www" }
    location "/old/"  { redirect = "/new/"  status = 301 }
    location "= /gone" { status = 410  text = "gone" }
    location "= /healthz" { health = true }
    location "/secret/" { root = "$T/www"  deny = { "all" } }
}
EOF

# ask TEXT [OPTIONS of raw.pl]: TEXT with printf's escapes; the answer is in REPLY, raw.pl's status in STATUS.
ask() {
	local text=$1
	shift
	REPLY=$(printf '%b' "$text" | perl "$ROOT/t/tools/raw.pl" "$@" "127.0.0.1:$PORT" | tr -d '\000' ; exit "${PIPESTATUS[1]}")
	STATUS=$?
}

H='Host: first.example\r\n'
C='Connection: close\r\n'

# answered NAME STATUS TEXT: that status, and the server closes afterwards without a reset.
answered() {
	ask "$3"
	like "$REPLY" "^HTTP/1.1 $2 " "$1: $2"
	[ "$STATUS" -eq 0 ] || fail "$1: closed in order" "status $STATUS"
}

# refused COUNTER STATUS TEXT: as above, and the counter refused_COUNTER grew by one.
refused() {
	local before
	before=$(stat_of "refused_$1")
	answered "refused as $1" "$2" "$3"
	like "$REPLY" $'\r\nConnection: close\r\n' "refused as $1: says that it closes"
	is_stat "refused_$1" $((before + 1)) "refused as $1: counted"
}

answered 'plain GET' 200 "GET /a.txt HTTP/1.1\r\n$H$C\r\n"
like "$REPLY" 'hello$' 'the body is there'
answered 'HEAD' 200 "HEAD /a.txt HTTP/1.1\r\n$H$C\r\n"
unlike "$REPLY" 'hello' 'HEAD has no body'
like "$REPLY" 'Content-Length: 6' 'HEAD has the length'
answered 'OPTIONS' 204 "OPTIONS /a.txt HTTP/1.1\r\n$H$C\r\n"
like "$REPLY" 'Allow: GET, HEAD, OPTIONS' 'OPTIONS names the methods'
answered 'OPTIONS *' 204 "OPTIONS * HTTP/1.1\r\n$H$C\r\n"
answered 'POST to a file' 405 "POST /a.txt HTTP/1.1\r\n${H}Content-Length: 3\r\n$C\r\nabc"
answered 'an unknown method' 501 "BREW /a.txt HTTP/1.1\r\n$H\r\n"
answered 'CONNECT' 405 "CONNECT first.example:443 HTTP/1.1\r\n$H\r\n"
answered 'TRACE' 405 "TRACE / HTTP/1.1\r\n$H$C\r\n"
answered 'absolute-form' 200 "GET http://first.example/a.txt HTTP/1.1\r\n$H$C\r\n"
answered 'HTTP/1.0' 200 "GET /a.txt HTTP/1.0\r\n\r\n"
answered 'a leading empty line' 200 "\r\nGET /a.txt HTTP/1.1\r\n$H$C\r\n"
answered 'redirect' 301 "GET /old/x?q=1 HTTP/1.1\r\n$H$C\r\n"
like "$REPLY" $'\r\nLocation: /new/x\\?q=1\r\n' 'the rest of the path and the query come along'
answered 'status' 410 "GET /gone HTTP/1.1\r\n$H$C\r\n"
answered 'health' 200 "GET /healthz HTTP/1.1\r\n$H$C\r\n"
answered 'deny' 403 "GET /secret/a.txt HTTP/1.1\r\n$H$C\r\n"
answered 'not there' 404 "GET /nothing HTTP/1.1\r\n$H$C\r\n"
answered 'an unknown host is the default server' 200 "GET /a.txt HTTP/1.1\r\nHost: other\r\n$C\r\n"

ask "GET /a.txt HTTP/1.0\r\nConnection: keep-alive\r\n\r\nGET /a.txt HTTP/1.0\r\n\r\n"
like "$REPLY" 'Connection: keep-alive.*HTTP/1.1 200.*hello' 'HTTP/1.0 keep-alive: said, and a second request'

ask "GET /a.txt HTTP/1.1\r\n$H\r\nHEAD /a.txt HTTP/1.1\r\n$H\r\nGET /gone HTTP/1.1\r\n$H$C\r\n"
is "$(grep -c '^HTTP/1.1' <<<"$REPLY")" 3 'three pipelined requests, three answers'
like "$REPLY" 'HTTP/1.1 410.*gone$' 'in their order'

many=$(for ((i = 0; i < 100; i++)); do printf 'GET /a.txt HTTP/1.1\\r\\nHost: x\\r\\n\\r\\n'; done)
ask "${many}GET /gone HTTP/1.1\r\n$H$C\r\n"
is "$(grep -c '^HTTP/1.1 200' <<<"$REPLY")" 100 'a hundred pipelined requests'
like "$REPLY" 'gone$' 'and the last one after them'

ask "GET /a.txt HTTP/1.1\r\n$H$C\r\n" -b
like "$REPLY" 'hello$' 'a request a byte at a time'

ask "POST /a.txt HTTP/1.1\r\n${H}Transfer-Encoding: chunked\r\n\r\n3;x=y\r\nabc\r\n2\r\nde\r\n0\r\nT: v\r\n\r\nGET /gone HTTP/1.1\r\n$H$C\r\n"
like "$REPLY" 'HTTP/1.1 405.*HTTP/1.1 410' 'a chunked body is read and thrown away'
ask "POST /gone HTTP/1.1\r\n${H}Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\nGET /a.txt HTTP/1.1\r\n$H$C\r\n" -b
like "$REPLY" 'HTTP/1.1 410.*gone.*HTTP/1.1 200.*hello$' 'the same a byte at a time'
ask "POST /gone HTTP/1.1\r\n${H}Content-Length: 1024\r\n\r\n$(printf 'x%.0s' {1..1024})GET /a.txt HTTP/1.1\r\n$H$C\r\n" -i 5
like "$REPLY" 'HTTP/1.1 410.*HTTP/1.1 200.*hello$' 'a body by length'
cmp_stat body_bytes_discarded -ge 1024 'its bytes are counted'

ask "POST /gone HTTP/1.1\r\n${H}Content-Length: 3\r\nExpect: 100-continue\r\n\r\n" -n 1 -w 3
like "$REPLY" '^HTTP/1.1 100 Continue' 'Expect: 100-continue is answered'
is "$STATUS" 4 'and the body awaited'
ask "POST /a.txt HTTP/1.1\r\n${H}Content-Length: 3\r\nExpect: 100-continue\r\n\r\n"
like "$REPLY" '^HTTP/1.1 405 ' 'or the final answer given, where the body would change nothing'
ask "GET /a.txt HTTP/1.1\r\n$H\r\n" -h
like "$REPLY" 'hello$' 'a client that closes its half is answered'
is "$STATUS" 0 'and the connection closed'

refused method 400 "G@T / HTTP/1.1\r\n$H\r\n"
refused method 400 "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"
refused target 400 "GET /a#b HTTP/1.1\r\n$H\r\n"
refused version 400 "GET / HTTP/x\r\n$H\r\n"
refused version_unsupported 505 "GET / HTTP/2.0\r\n$H\r\n"
refused line 400 "GET / HTTP/1.1\nHost: x\n\n"
refused uri_too_long 414 "GET /$(printf 'a%.0s' {1..600}) HTTP/1.1\r\n$H\r\n"
refused head_too_large 431 "GET / HTTP/1.1\r\n${H}X: $(printf 'a%.0s' {1..3000})\r\n\r\n"
refused too_many_fields 431 "GET / HTTP/1.1\r\n$H$(for ((i = 0; i < 30; i++)); do printf 'X: y\\r\\n'; done)\r\n"
refused field_name 400 "GET / HTTP/1.1\r\n${H}A b: c\r\n\r\n"
refused field_name 400 "GET / HTTP/1.1\r\nHost : first.example\r\n\r\n"
refused field_value 400 "GET / HTTP/1.1\r\n${H}A: b\x01c\r\n\r\n"
refused folding 400 "GET / HTTP/1.1\r\n${H}A: b\r\n c\r\n\r\n"
refused host_missing 400 "GET / HTTP/1.1\r\nA: b\r\n\r\n"
refused host_several 400 "GET / HTTP/1.1\r\n$H$H\r\n"
refused host 400 "GET / HTTP/1.1\r\nHost: a/b\r\n\r\n"
refused length 400 "GET / HTTP/1.1\r\n${H}Content-Length: +3\r\n\r\nabc"
refused length 400 "GET / HTTP/1.1\r\n${H}Content-Length: 3\r\nContent-Length: 4\r\n\r\nabc"
refused framing 400 "POST / HTTP/1.1\r\n${H}Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"
refused transfer_coding 400 "POST / HTTP/1.1\r\n${H}Transfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n"
refused transfer_coding 400 "POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"
refused coding_unsupported 501 "POST / HTTP/1.1\r\n${H}Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n"
refused expect 417 "GET / HTTP/1.1\r\n${H}Expect: magic\r\n\r\n"
refused chunk 400 "POST /gone HTTP/1.1\r\n${H}Transfer-Encoding: chunked\r\n\r\nzz\r\n"
refused chunk 400 "POST /gone HTTP/1.1\r\n${H}Transfer-Encoding: chunked\r\n\r\n3\r\nabcX\r\n"
refused chunk_extra 400 "POST /gone HTTP/1.1\r\n${H}Transfer-Encoding: chunked\r\n\r\n1;a=$(printf 'b%.0s' {1..9000})\r\n"
refused body_too_large 413 "POST /gone HTTP/1.1\r\n${H}Content-Length: 1025\r\n\r\n"
refused body_too_large 413 "POST /gone HTTP/1.1\r\n${H}Transfer-Encoding: chunked\r\n\r\n500\r\n$(printf 'x%.0s' {1..1280})\r\n0\r\n\r\n"

before=$(stat_of refused_path)
answered 'a path that climbs' 400 "GET /../etc/passwd HTTP/1.1\r\n$H$C\r\n"
answered 'an encoded slash' 400 "GET /a%2fb HTTP/1.1\r\n$H$C\r\n"
answered 'an encoded NUL' 400 "GET /a%00b HTTP/1.1\r\n$H$C\r\n"
is_stat refused_path $((before + 3)) 'refused paths are counted'

cmp_stat responses_1xx -ge 1 'interim responses are counted'
expect_stat conns -eq 0
expect_stat buffers -eq 0
same_stats server.first.requests requests 'all requests are those of the one server'
done_testing
