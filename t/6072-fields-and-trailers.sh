#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
# What a peer is told of where a request came from, who this proxy is, and trailers in both directions.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/http.sh"
. "$(dirname "$0")/peers.sh"

peer one 127.0.0.1:0
# bad NAME RESPONSE: a peer that answers so, a byte in a segment.
bad() {
	spawn "$1" perl "$ROOT/t/tools/badserver.pl" "$2" "$3"
	eval "PID_$1=$PID"
	wait_for 10 grep -qs '^[0-9]' "$T/$1.out" || die "peer $1"
	eval "PEER_$1=127.0.0.1:$(cat "$T/$1.out")"
}
CHUNKED='HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n'
bad slow dribble "${CHUNKED}X-Sum: 42\\r\\nX-Other:  43 \\r\\nHost: a\\r\\nSet-Cookie: b\\r\\n\\r\\n"
bad fold raw "${CHUNKED}X-Sum: 42\\r\\n folded\\r\\n\\r\\n"
bad long raw "${CHUNKED}X-Sum: $(printf '%09000d' 0)\\r\\n\\r\\n"
bad name dribble "${CHUNKED}X Sum: 42\\r\\n\\r\\n"
bad empty raw 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nX-Sum: 0\r\n\r\n'
allow_log 'peer .* of upstream'
start_drover <<EOF
workers = 1
upstream "one" { peer "$PEER_one" { max_fails = 0 } }
server "site" {
    listen = { "127.0.0.1:0", "[::1]:0", "unix:$T/site.sock" }
    trust = { "127.0.0.2" }
    location "/" { proxy = "one"  forwarded_form = both }
    location "/only/" { proxy = "one"  rewrite = "/"  forwarded_form = rfc7239  via = edge-1 }
    location "/x/" { proxy = "one"  rewrite = "/"  via = false }
    location "/off/" { proxy = "one"  rewrite = "/"  forwarded = off  forwarded_form = both }
    location "/slow" { proxy = "$PEER_slow" }
    location "/fold" { proxy = "$PEER_fold" }
    location "/long" { proxy = "$PEER_long" }
    location "/bad-name" { proxy = "$PEER_name" }
    location "/empty" { proxy = "$PEER_empty" }
    location "/append/" { proxy = "one"  rewrite = "/"  forwarded = append  forwarded_form = rfc7239 }
}
server "big" {
    listen = { "127.0.0.1:0" }
    limits { max_header = 60k }
    location "/" { proxy = "one" }
    location "/more/" { proxy = "one"  rewrite = "/"  request_header "X-More" { value = "$(printf '%08000d' 0)" } }
}
EOF
fds_mark

# Forwarded.
get /echo -H 'Forwarded: for=9.9.9.9'
is "$(said Forwarded "$T/body")" "for=127.0.0.1;by=\"127.0.0.1:$PORT\";host=\"127.0.0.1:$PORT\";proto=http" 'what is not believed is replaced'
is "$(said X-Forwarded-For "$T/body")" '127.0.0.1' 'beside X-Forwarded-For'
get /echo -H 'Forwarded: for=9.9.9.9;proto=https' --interface 127.0.0.2
like "$(said Forwarded "$T/body")" '^for=9.9.9.9;proto=https, for=127.0.0.2;by=' 'what is believed is appended to'
AT="[::1]:$(port_of 2)" get /echo
is "$(said Forwarded "$T/body")" "for=\"[::1]\";by=\"[::1]:$(port_of 2)\";host=\"[::1]:$(port_of 2)\";proto=http" 'IPv6 stands in brackets and quotes'
get /echo --unix-socket "$T/site.sock"
like "$(said Forwarded "$T/body")" '^for=unknown;host=' 'a unix socket has no address'
get /only/echo -H 'X-Forwarded-For: 9.9.9.9' -H 'X-Real-IP: 9.9.9.9' --interface 127.0.0.2
unlike "$(cat "$T/body")" '9\.9\.9\.9' 'with rfc7239 alone, the other fields are removed'
like "$(said Forwarded "$T/body")" '^for=127.0.0.2;by=' 'and Forwarded is there'
get /append/echo -H 'Forwarded: for="_a;b", for="[2001:db8::1]:80"'
like "$(said Forwarded "$T/body")" '^for="_a;b", for="\[2001:db8::1\]:80", for=127.0.0.1;by=' 'append appends to anything'
get /append/echo -H 'Forwarded: for="open'
like "$(said Forwarded "$T/body")" '^for=127.0.0.1;by=' 'but not to what would swallow it'
get /off/echo -H 'Forwarded: for=9.9.9.9'
unlike "$(cat "$T/body")" 'orwarded' 'off removes them'
get /x/echo
unlike "$(cat "$T/body")" '^Forwarded' 'none by default'
# Via.
unlike "$(cat "$T/body")$HEAD" 'Via:' 'no Via where there is to be none'
get /only/echo -H 'Via: 1.1 before'
is "$(sed -n 's/^Via: //Ip' "$T/body" | tr '\n' ' ')$(field Via)" '1.1 before 1.1 edge-1 1.1 edge-1' 'Via with a name of its own, both ways'
# Trailers of answers. curl -i would not show them: as they came.
raw_of() {
	ask "GET $1 HTTP/1.1\\r\\nHost: x\\r\\nConnection: close\\r\\n\\r\\n"
}
raw_of /trailers
is "$(sed '1,/^$/d' <<<"$REPLY")" '5
hello
0
X-Sum: 42' 'trailers pass, without those that frame'
like "$REPLY" 'Trailer: X-Sum' 'and are announced as the peer did'
for path in slow trailers slow; do
	raw_of /$path
	like "$REPLY" 'X-Sum: 42' "$path: trailers"
done
is "$(sed '1,/^0$/d' <<<"$(raw_of /slow; cat "$T/reply" | tr -d '\r')")" 'X-Sum: 42
X-Other: 43' 'that come a byte at a time, and only what may be one'
raw_of /empty
is "$(sed '1,/^$/d' <<<"$REPLY")" '0
X-Sum: 0' 'behind a body of nothing'
ask 'GET /trailers HTTP/1.0\r\nHost: x\r\n\r\n'
is "$(sed '1,/^$/d' <<<"$REPLY")" 'hello' 'a client of HTTP/1.0 gets none'
got 'folded' /fold 502 -
got 'too long' /long 502 -
get /bad-name
like "$STATUS" '^(502|curl (18|56))$' 'a name that is none does not pass'
for k in 1 2 3; do got "kept connections go on $k" /trailers 200 hello; done
# Trailers of requests.
post() {
	ask "POST /trailed HTTP/1.1\\r\\nHost: x\\r\\nConnection: close\\r\\nTransfer-Encoding: chunked\\r\\n\\r\\n$1" "${@:2}"
}
post '5\r\nhello\r\n0\r\nX-Sum: 7\r\nContent-Length: 9\r\nX-Last: 8\r\n\r\n'
is "$(sed '1,/^$/d' <<<"$REPLY")" 'X-Sum: 7
X-Last: 8

hello' 'trailers of a request'
post '5\r\nhello\r\n0\r\nX-Sum: 7\r\nContent-Length: 9\r\nX-Last: 8\r\n\r\n' -b
is "$(sed '1,/^$/d' <<<"$REPLY")" 'X-Sum: 7
X-Last: 8

hello' 'a byte at a time'
post '0\r\nX-Sum: 7\r\n\r\n'
is "$(sed '1,/^$/d' <<<"$REPLY")" 'X-Sum: 7' 'behind a body of nothing'
post '5\r\nhello\r\n0\r\n\r\n'
is "$(sed '1,/^$/d' <<<"$REPLY" | tr -d '\n')" 'hello' 'none'
post '5\r\nhello\r\n0\r\nX Sum: 7\r\n\r\n'
like "$REPLY" '^HTTP/1.1 400 ' 'malformed: 400'
post "5\\r\\nhello\\r\\n0\\r\\nX-Sum: $(printf '%09000d' 0)\\r\\n\\r\\n"
like "$REPLY" '^HTTP/1.1 400 ' 'too long: 400'
# Heads as large as they may come.
AT="127.0.0.1:$(port_of 4)"
get /echo -H "X-Big: $(printf '%055000d' 0)"
is "$STATUS $(said X-Big "$T/body" | wc -c)" '200 55001' 'a head of 55,000 bytes'
get /more/echo -H "X-Big: $(printf '%045000d' 0)"
is "$STATUS $(said X-More "$T/body" | wc -c)" '200 8001' 'with 8,000 more'
got 'with more than may be' /more/echo 431 - -H "X-Big: $(printf '%059000d' 0)"
AT=
fds_check 2
for p in $PID_one $PID_slow $PID_fold $PID_long $PID_name $PID_empty; do kill "$p"; finish "$p"; done
done_testing
