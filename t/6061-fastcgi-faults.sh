#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
# FastCGI beside the proxy's rules: what a responder is told, what it may send and what it must not, when an answer is whole,
# connections that are kept, deadlines, clients that go away.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/http.sh"

PYTHON=/usr/bin/python3
[ -x "$PYTHON" ] || skip_all 'no python3 for the peers'

# peer NAME ADDRESS: starts one, its address is in PEER_NAME.
peer() {
	spawn "$1" "$PYTHON" "$ROOT/t/tools/fcgi.py" "$2" "$1"
	eval "PID_$1=$PID"
	wait_for 10 grep -q '^listening' "$T/$1.out" || die "peer $1" "$(cat "$T/$1.err")"
	eval "PEER_$1=$(awk '$1 == "listening" { print $2 }' "$T/$1.out")"
}

peer one 127.0.0.1:0
peer two "unix:$T/two.sock"
allow_log 'peer .* of upstream'
head -c 300000 /dev/zero | tr '\0' 'b' >"$T/body.bin"
start_drover <<EOC
workers = 1
worker_connections = 1000
log_level = info
upstream "one" {
    retries = 0
    keepalive { conns = 8 }
    peer "$PEER_one" { max_fails = 0 }
}
# Nothing that is to be answered goes here.
upstream "hasty" {
    retries = 0
    deadlines { connect = 1s  response = 1s  between = 1s }
    peer "$PEER_one" { max_fails = 0 }
}
upstream "two" { peer "$PEER_two" { max_fails = 0 } }
upstream "both" {
    retries = 1
    peer "$PEER_one" { max_fails = 0 }
    peer "$PEER_two" { max_fails = 0 }
}
server "site" {
    listen = { "127.0.0.1:0" }
    limits { max_body = 0 }
    location "/" {
        fastcgi = "one"
        root    = "/srv/elsewhere"
        script  = "/front.php"
        param "APP_ENV" { value = "test" }
        param "SERVER_SOFTWARE" { value = "mine" }
        remove_response = { "x-a" }
        header "X-Added" { value = "1" }
    }
    location "= /hang" { fastcgi = "hasty"  root = "/srv"  script = "/front.php" }
    location "= /held" { fastcgi = "hasty"  root = "/srv"  script = "/front.php" }
    location "/two/" { fastcgi = "two"  root = "/srv"  script = "/front.php" }
    location "/both/" { fastcgi = "both"  root = "/srv"  script = "/front.php" }
    location "/little/" { fastcgi = "one"  root = "/srv"  script = "/front.php"  max_body = 1k }
    location "/none/" { fastcgi = "one"  root = "/srv"  index = { } }
    location "/all/" { fastcgi = "one"  root = "/"  script = "/f.php"  split_path = "" }
    location "= /status/298" { fastcgi = "one"  root = "/srv"  script = "/f.php"  remove_response = { } }
}
server "short" {
    listen = { "127.0.0.1:0" }
    deadlines { request = 700ms }
    location "/" { fastcgi = "one"  root = "/srv"  script = "/f.php" }
}
server "limited" {
    listen = { "127.0.0.1:0" }
    deadlines { request = 90s }
    location "/" { fastcgi = "one"  root = "/srv"  script = "/f.php" }
}
EOC
fds_mark

# told NAME: a variable as the application got it, of the last /params.
told() {
	sed -n "s/^$1=//p" "$T/body"
}

# What an application is told.
get '/params/x.php/in%20fo/?a=b&c=%20' -H 'Host: Example.org:81' -H 'X-A: 1' -H 'x-a: 2' -H 'Cookie: a=1' -H 'Cookie: b=2' \
	-H 'X_A: evil' -H 'X.A: evil' -H 'Proxy: evil' -H 'Connection: X-Hop' -H 'X-Hop: 1' -H 'Authorization: Basic eDp5' -H 'X-Forwarded-For: 9.9.9.9'
is "$STATUS" 200 'the variables'
is "$(told SCRIPT_FILENAME) $(told SCRIPT_NAME)" '/srv/elsewhere/params/x.php /params/x.php' 'the script'
is "$(told PATH_INFO) $(told PATH_TRANSLATED)" '/in fo/ /srv/elsewhere/in fo/' 'what follows it'
is "$(told DOCUMENT_ROOT) $(told DOCUMENT_URI)" '/srv/elsewhere /params/x.php/in fo/' 'the document'
is "$(told REQUEST_URI) $(told QUERY_STRING)" '/params/x.php/in%20fo/?a=b&c=%20 a=b&c=%20' 'the target as it came'
is "$(told REQUEST_METHOD) $(told SERVER_PROTOCOL) $(told GATEWAY_INTERFACE) $(told REDIRECT_STATUS)" 'GET HTTP/1.1 CGI/1.1 200' 'the request'
is "$(told SERVER_NAME) $(told SERVER_ADDR):$(told SERVER_PORT)" "Example.org 127.0.0.1:$PORT" 'the server'
is "$(told REMOTE_ADDR)" 127.0.0.1 'the client'
like "$(told REMOTE_PORT)" '^[1-9][0-9]*$' 'and its port'
is "$(told CONTENT_LENGTH)$(told CONTENT_TYPE)" '' 'no body'
is "$(told HTTP_HOST) $(told HTTP_X_A) $(told HTTP_COOKIE)" 'Example.org:81 1, 2 a=1; b=2' 'fields, repeated ones joined'
is "$(told HTTP_AUTHORIZATION)" 'Basic eDp5' 'authorization'
is "$(told HTTP_X_FORWARDED_FOR)" 127.0.0.1 'who came is what we see'
unlike "$(cat "$T/body")" '(evil|HTTP_X_HOP|HTTP_CONNECTION|HTTP_PROXY)' 'fields of one hop, and names that would become others, are left out'
is "$(told APP_ENV) $(told SERVER_SOFTWARE)" 'test mine' 'variables of the configuration go before'
like "$(told HTTP_X_REQUEST_ID)" '^[0-9a-f]{32}$' 'the id of the request'
get '/params' -d 'a=b'
is "$(told SCRIPT_NAME)$(told PATH_INFO) $(told CONTENT_LENGTH) $(told CONTENT_TYPE)" '/front.php 3 application/x-www-form-urlencoded' 'the front controller, a form'
get '/params/a/../x.php'
is "$(told SCRIPT_NAME)" '/params/x.php' 'the path in its normal form'
get '/params/.hidden/x.php'
is "$(told SCRIPT_NAME)" /front.php 'hidden names are no scripts'
got 'climbing' '/params/../../x.php' 400 -
got 'NUL' '/params/x.php%00.jpg' 400 -
get '/params' -0 -H 'Host:'
is "$(told SERVER_NAME) $(told SERVER_PROTOCOL)" '127.0.0.1 HTTP/1.0' 'without Host'
got 'no script' /none/x 404 -
got 'a script' /none/params.php 404 $'what?'
got 'a folder, without an index' /none/ 404 -
got 'no suffix' /all/x.php 404 $'what?'
AT=127.0.0.1:$(port_of 3) get /params
like "$(told HTTP_X_REQUEST_TIMEOUT_MS)" '^([1-8][0-9]{4}|90000)$' 'how much time is left'

# What comes back.
got 'Status' /status/404 404 status
like "$HEAD" '^HTTP/1.1 404 Not Found' 'with a reason'
got 'another' /status/298 298 status
got 'Location' /location 302 ''
got 'lines that end in LF' /lf 200 lf
got 'in both' /mixed 200 mixed
is "$(field X-A) $(field X-Added)" ' 1' 'fields are removed and added'
got 'a length' /length 200 length
is "$(field Content-Length)$(field Transfer-Encoding)" 7 'passes'
got 'no length' /name 200 one
is "$(field Content-Length)$(field Transfer-Encoding)" chunked 'chunks'
got 'HTTP/1.0' /name 200 one -0
is "$(field Content-Length)$(field Transfer-Encoding) $(field Connection)" ' close' 'ends with the connection'
got 'HEAD' /length 200 - -I
is "$(field Content-Length)" 7 'has the length'
got 'HEAD without length' /size/3000000 200 - -I
is "$(field Content-Length)$(field Transfer-Encoding)" '' 'has none'
got '204' /nocontent 204 ''
got '304' /notmodified 304 ''
got 'byte by byte' /bytes 201 bytes
for n in 0 1 255; do got "padding $n" /padding/$n 200 padding; done
got 'unknown records' /unknown 200 unknown
get /many/20000
is "$STATUS $(wc -c <"$T/body")" '200 20000' 'records of one byte'
for size in 1 100 70000 3000000; do
	get /size/$size
	is "$STATUS $(wc -c <"$T/body")" "200 $size" "$size bytes"
done
get /size/30000000 --limit-rate 60M
is "$STATUS $(wc -c <"$T/body")" '200 30000000' 'to a slower client'
# Bodies of requests.
got 'a body' /body 200 '300000 29400000' --data-binary "@$T/body.bin"
got 'expect 100' /status/200 200 status --data-binary "@$T/body.bin" -H 'Expect: 100-continue'
before=$(stat_of refused_length_required)
got 'in chunks' /body 411 - --data-binary "@$T/body.bin" -H 'Transfer-Encoding: chunked'
is_stat refused_length_required $((before + 1)) 'is counted'
got 'too large' /little/body 413 - --data-binary "@$T/body.bin"
got 'answered early' /early 413 'too much' --data-binary "@$T/body.bin"
# What a responder must not do.
before=$(stat_of up_bad_responses)
count=0
for path in version id type endlength nohead empty junk folded coding twice 1xx large long short refused/1 refused/2 refused/3 refused/9; do
	got "$path" "/$path" 502 -
	count=$((count + 1))
done
is_stat up_bad_responses $((before + count)) 'each is counted'
got 'nothing' /drop 502 -
for path in over noend noendlength cut longer short/1; do
	get "/$path"
	like "$STATUS" '^(502|curl (18|56|52|92))$' "$path: what is not whole does not pass as whole"
done
got 'a head that is not ended' /noendhead 502 -
get /held
like "$STATUS" '^curl ' 'a length without an end is not whole'
got 'a record behind the end' /after 200 after
got 'after it' /name 200 one
# What the application complains of.
got 'errors' /errors/300 200 errors
ok 'are logged' wait_for 5 grep -q 'says: line 0 of ..*31m errors$' "$T/stderr"
ok 'escaped' wait_for 5 grep -qF 'line 1 of \x1b[31m errors' "$T/stderr"
cmp_stat up_error_lines -ge 300 'all of them counted'
cmp_ok "$(grep -c 'says: line' "$T/stderr")" -le 40 'but not logged'
got 'a status of its own' /app 200 app
ok 'is logged' wait_for 5 grep -q 'application ended with status 3' "$T/stderr"
# Connections are kept, if that is asked for.
got 'keep' /keep 200 1
got 'kept connections' /count 200 -
first=$(cut -d ' ' -f 1 "$T/body")
got 'kept connections' /count 200 "$first $(($(cut -d ' ' -f 2 "$T/body") + 1))"
got 'not by default' /two/keep 404 'what?'
like "$(ctl upstreams)" "two.sock" 'peers are shown as those of a proxy'
like "$(ctl upstreams -j)" 'two.sock"[^}]*"requests":1[,}]' 'with what they were asked'
for round in 1 2 3 4; do got "one that is closed in the moment of its use $round" /first 200 first; done
# Failures are another's to mend.
for round in 1 2; do got "asked of the other $round" /both/name 404 'what?'; done
# Deadlines, and clients that go away.
start=$(now_ms)
got 'one that hangs' /hang 504 -
cmp_ok $(($(now_ms) - start)) -lt $((2500 * WAIT_FACTOR)) 'within its deadline'
ok 'is told' wait_for 5 grep -q '^gone GET /hang' "$T/one.out"
AT=127.0.0.1:$(port_of 2) got 'the request deadline' '/hang?2' 504 -
ok 'is told' wait_for 5 grep -q '^gone GET /hang?2' "$T/one.out"
# goes TARGET: a client that asks for it, and goes once the peer has the request; /slow, once it has some of its answer.
goes() {
	spawn goes curl -sSN -m 600 "http://127.0.0.1:$PORT$1"
	wait_for 20 grep -qF "request GET $1" "$T/one.out" || fail "the peer is asked for $1"
	[ "$1" != /slow ] || wait_for 10 test -s "$T/goes.out" || fail "some of $1 comes"
	kill "$PID"
	finish "$PID"
}
before=$(stat_of up_cancelled)
goes '/waits?3'
ok 'a client that goes away' wait_for 10 grep -q '^gone GET /waits?3' "$T/one.out"
is_stat up_cancelled $((before + 1)) 'counted as cancelled'
goes /slow
ok 'in the middle' wait_for 10 grep -q '^gone GET /slow' "$T/one.out"
cmp_ok "$(stat_of buffers_resident)" -lt 4000000 'buffers stay few'
expect_stat conns -eq 0
ok 'reload' ctl reload
expect_stat up_conns -eq 0
fds_check 2
for p in $PID_one $PID_two; do kill "$p"; finish "$p"; done
done_testing
