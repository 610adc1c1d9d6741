#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
# Errors that drover answers with have the pages and the headers of the location that was asked, whatever the error is: also
# those of a proxy, and those that are found before anybody looks for a location.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/http.sh"
. "$(dirname "$0")/peers.sh"

peer one 127.0.0.1:0
echo server >"$T/server.html"
echo api >"$T/api.html"
mkdir "$T/www"
allow_log 'peer .* of upstream'
# server NAME DEADLINES
server() {
	cat <<-EOC
		server "$1" {
		    listen = { "127.0.0.1:0" }
		    $2
		    limits { max_body = 10 }
		    header "X-Always" { value = "yes"  always = true }
		    header "X-Good"   { value = "yes" }
		    error_page "400 404 405 411 413 414 502 503 504" { file = "server.html" }
		    location "/"      { root = "www" }
		    location "/one/"  { proxy = "one"  rewrite = "/" }
		    location "/api/"  { proxy = "none"  error_page "502" { file = "api.html" } }
		    location "/down/" { proxy = "down" }
		    location "/php/"  { fastcgi = "127.0.0.1:1"  root = "www" }
		}
	EOC
}
start_drover <<EOF
workers = 1
worker_connections = 1000
upstream "one"  { peer "$PEER_one" { } }
upstream "none" { peer "127.0.0.1:$(free_port)" { } }
upstream "down" { peer "127.0.0.1:1" { down = true } }
$(server site '')
$(server hasty 'deadlines { request = 500ms }') # nothing is asked of it but what is to be late
EOF

# page NAME PATH STATUS PAGE [OPTIONS of curl]
page() {
	got "$@"
	is "$(field X-Always)$(field X-Good)" yes "$1: the headers of errors"
}
page 'no such file' /nothing 404 server
page 'no peer can be reached' /one/../api/x 502 api
page 'nor for FastCGI' /php/x.php 502 server
page 'no peer takes requests' /down/x 503 server
AT=127.0.0.1:$(port_of 2) page 'a peer is too late' '/one/hang' 504 server
page 'a body is too large' /one/x 413 server -d 12345678901
page 'and another one, in chunks' /one/x 413 server -H 'Transfer-Encoding: chunked' -d 12345678901
page 'FastCGI without a length' /php/x.php 411 server -H 'Transfer-Encoding: chunked' -d 1
page 'no path' '/%zz' 400 server
page 'no method for it' / 405 server -X TRACE
page 'a field that is none' / 400 server -H 'bad name: x'
page 'a target that is too long' "/$(printf '%09000d' 0)" 414 server
got 'what a peer answers passes as it is' /one/status/502 502 status
kill "$PID_one"
finish "$PID_one"
done_testing
