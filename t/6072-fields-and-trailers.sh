#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
# What a peer is told of where a request came from, who this proxy is, and trailers in both directions.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/http.sh"
. "$(dirname "$0")/peers.sh"

peer one 127.0.0.1:0
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
    location "/append/" { proxy = "one"  rewrite = "/"  forwarded = append  forwarded_form = rfc7239 }
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
fds_check 2
kill "$PID_one"; finish "$PID_one"
done_testing
