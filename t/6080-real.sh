#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
# Real servers behind the proxy, and real clients in front: Node, Python and nginx; curl, a browser, a WebSocket client. Large
# bodies both ways with memory flat. MIB is their size (50); t/long has a GiB.
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
. "$ROOT/t/http.sh"

MIB=${MIB:-50}
PYTHON=/usr/bin/python3
PATH=$PATH:/usr/sbin
[ -x "$PYTHON" ] || skip_all 'no python3'
command -v sha256sum >/dev/null || skip_all 'no sha256sum'

# Files that all three serve.
mkdir -p "$T/www/assets" "$T/nginx"
chmod 755 "$T/www" "$T/www/assets"
head -c 65536 /dev/urandom >"$T/www/block"
head -c 300000 /dev/urandom >"$T/www/file"
cat >"$T/www/index.html" <<'EOF'
<!doctype html><html><head><meta charset="utf-8"><title>app</title><link rel="stylesheet" href="/assets/style.css"></head>
<body><p id="socket">waiting</p><img src="/assets/image.svg" alt="" onload="document.body.dataset.image = 'loaded'">
<script src="/assets/script.js"></script><img src="/until" alt=""></body></html>
EOF
printf 'body { color: rgb(1, 2, 3) }\n' >"$T/www/assets/style.css"
printf '<svg xmlns="http://www.w3.org/2000/svg" width="4" height="4"><rect width="4" height="4"/></svg>\n' >"$T/www/assets/image.svg"
cat >"$T/www/assets/script.js" <<'EOF'
document.body.dataset.style = getComputedStyle(document.body).color;
const ws = new WebSocket(`ws://${location.host}/ws`);
const large = 'ü'.repeat(100000);
let got = 0;
ws.onopen = () => { ws.send('hello'); ws.send(large); };
ws.onmessage = (m) => {
	if (++got === 1 && m.data !== 'hello' || got === 2 && m.data !== large) document.body.dataset.wrong = got;
	if (got === 2) ws.send('done');
	if (got === 3) document.getElementById('socket').textContent = 'echoed ' + m.data;
	if (got === 3) ws.close(1000);
};
ws.onerror = () => { document.getElementById('socket').textContent = 'error'; };
// The page counts as loaded once /until has come: what it looks like then is what the browser prints.
ws.onclose = async (e) => {
	document.body.dataset.closed = e.code + ' ' + e.wasClean;
	const echo = await fetch('/echo', { method: 'POST', body: 'from the browser' });
	document.body.dataset.echo = (await echo.text()).includes('body 16 ');
	await fetch('/release');
};
EOF

# serve NAME CMD...: starts a server that says where it listens: AT_NAME.
serve() {
	local name=$1
	spawn "$@"
	eval "PID_$name=$PID"
	wait_for 20 grep -qs '^listening' "$T/$name.out" || die "$name starts" "$(cat "$T/$name.err")"
	eval "AT_$name=$(awk '$1 == "listening" { print $2 }' "$T/$name.out")"
}
KINDS=(python)
serve python "$PYTHON" "$ROOT/t/tools/app.py" 127.0.0.1:0 "$T/www"
AT_node=$AT_python AT_nginx=$AT_python
NODE=$(command -v node || command -v nodejs) || NODE=
[ -z "$NODE" ] || {
	serve node "$NODE" "$ROOT/t/tools/app.js" "unix:$T/node.sock" "$T/www"
	KINDS+=(node)
}
nginx_answers() {
	curl -sf -o /dev/null --unix-socket "$T/nginx/sock" http://x/file
}
NGINX=$(command -v nginx || PATH=$ROOT/build command -v nginx) || NGINX=
if [ -n "$NGINX" ]; then
	temp=$(for k in client_body proxy fastcgi uwsgi scgi; do printf '%s_temp_path %s; ' "$k" "$T/nginx"; done)
	[ "$(id -u)" -ne 0 ] || user='user root;'
	cat >"$T/nginx/conf" <<EOF
daemon off; worker_processes 1; ${user:-} pid $T/nginx/pid; error_log $T/nginx/error.log warn;
events { worker_connections 200; }
http {
	$temp access_log off; client_max_body_size 0; large_client_header_buffers 4 64k;
	server {
		listen unix:$T/nginx/sock;
		root $T/www;
		location = /old { return 301 /new; }
		location = /new { return 200 "new\n"; }
		location = /cookies { add_header Set-Cookie "a=1; Path=/"; add_header Set-Cookie "b=2; Path=/; HttpOnly"; return 200 "\$http_cookie\n"; }
		location = /gzip { gzip on; gzip_min_length 1; gzip_types *; gzip_proxied any; alias $T/www/assets/script.js; }
	}
}
EOF
	spawn nginx "$NGINX" -e "$T/nginx/error.log" -c "$T/nginx/conf"
	PID_nginx=$PID
	wait_for 10 nginx_answers || die 'nginx starts' "$(cat "$T/nginx.err" "$T/nginx/error.log")"
	AT_nginx=unix:$T/nginx/sock
	KINDS+=(nginx)
fi
start_drover <<EOF
workers = 2
worker_connections = 1000
upstream "python" { peer "$AT_python" { } }
upstream "node" { peer "$AT_node" { } }
upstream "nginx" { peer "$AT_nginx" { } }
upstream "all" {
    retries = 2
    peer "$AT_python" { } peer "$AT_node" { } peer "$AT_nginx" { }
}
server "node" { listen = { "127.0.0.1:0" } limits { max_body = 0  max_header = 60k } deadlines { body = 10m } location "/" { proxy = "node" } }
server "python" { listen = { "127.0.0.1:0" } limits { max_body = 0  max_header = 60k } deadlines { body = 10m } location "/" { proxy = "python" } }
server "nginx" { listen = { "127.0.0.1:0" } limits { max_body = 0  max_header = 60k } location "/" { proxy = "nginx" } }
server "all" { listen = { "127.0.0.1:0" } location "/" { proxy = "all" } }
EOF
fds_mark
declare -A AT_OF=([node]=127.0.0.1:$(port_of 1) [python]=127.0.0.1:$(port_of 2) [nginx]=127.0.0.1:$(port_of 3) [all]=127.0.0.1:$(port_of 4))
sum_of() {
	sha256sum "$1" | cut -d ' ' -f 1
}
FILE_SUM=$(sum_of "$T/www/file")
# body_is: what /echo says of the body.
body_is() {
	sed -n 's/^body //p' "$T/body"
}

for kind in "${KINDS[@]}"; do
	AT=${AT_OF[$kind]}
	got "$kind: GET" /file 200 -
	is "$(sum_of "$T/body")" "$FILE_SUM" "$kind: whole"
	get /file -I
	is "$STATUS $(field Content-Length)" '200 300000' "$kind: HEAD"
	for range in 0-0 1000-99999 299000-; do
		get /file -r "$range"
		end=${range#*-}
		is "$STATUS $(sum_of "$T/body")" "206 $(head -c $((${end:-299999} + 1)) "$T/www/file" | tail -c +$((${range%-*} + 1)) | sha256sum | cut -d ' ' -f 1)" \
			"$kind: bytes $range"
	done
	got "$kind: a range beyond the end" /file 416 - -r 300000-
	got "$kind: a redirect" /old 301 -
	like "$(field Location)" '/new$' "$kind: and its Location"
	got "$kind: cookies" /cookies 200 'c=3; d=4' -b 'c=3; d=4'
	is "$(field Set-Cookie | tr '\n' '|')" 'a=1; Path=/|b=2; Path=/; HttpOnly|' "$kind: both that it sets"
	got "$kind: what there is not" /none 404 -
	got "$kind: a large head" /new 200 new -H "X-Large: $(head -c 30000 /dev/zero | tr '\0' a)"
	for _ in 1 2 3 4 5 6 7 8; do printf 'url = "http://%s/file"\noutput = "%s/many"\n' "$AT" "$T"; done >"$T/urls"
	is "$(curl -sS -K "$T/urls" -w '%{http_code} %{num_connects} %{size_download}\n' 9<&- | sort | uniq -c | tr -s ' ')" \
		$' 7 200 0 300000\n 1 200 1 300000' "$kind: eight on one connection"
done
for kind in "${KINDS[@]}"; do
	[ "$kind" != nginx ] || continue
	AT=${AT_OF[$kind]}
	got "$kind: POST" /echo 200 - --data-binary "@$T/www/file"
	is "$(body_is)" "300000 $FILE_SUM" "$kind: arrives whole"
	got "$kind: PUT" /echo 200 - -T "$T/www/file"
	like "$(cat "$T/body")" '^PUT /echo' "$kind: as PUT"
	is "$(body_is)" "300000 $FILE_SUM" "$kind: arrives whole"
	got "$kind: in chunks" /echo 200 - -X POST -T "$T/www/file" -H 'Transfer-Encoding: chunked'
	is "$(body_is)" "300000 $FILE_SUM" "$kind: arrives whole"
	got "$kind: expecting 100" /echo 200 - --data-binary "@$T/www/file" -H 'Expect: 100-continue'
	like "$HEAD" '^HTTP/1.1 100 ' "$kind: it is invited"
	is "$(body_is)" "300000 $FILE_SUM" "$kind: arrives whole"
	got "$kind: an empty body" /echo 200 - -X POST
	is "$(body_is | cut -d ' ' -f 1)" 0 "$kind: is empty"
	got "$kind: DELETE" /echo 200 - -X DELETE
	got "$kind: a large answer's head" /headers/14000 200 -
	is "$(field X-Large | tr -d '\n' | wc -c)" 14000 "$kind: whole"
	got "$kind: chunks to an HTTP/1.0 client" '/data/1000000?chunked' 200 - -0
	is "$(wc -c <"$T/body")" 1000000 "$kind: whole"
done
AT=${AT_OF[all]}
for _ in 1 2 3 4 5 6 7 8 9; do got 'all of them in turn' /new 200 new; done
if [ "$AT_nginx" != "$AT_python" ]; then
	AT=${AT_OF[nginx]} got 'nginx: gzip' /gzip 200 - --compressed
	like "$HEAD" 'Content-Encoding: gzip' 'nginx: is what it sent'
	is "$(sum_of "$T/body")" "$(sum_of "$T/www/assets/script.js")" 'nginx: the same unpacked'
fi

# A WebSocket client, and a browser.
if [ -n "$NODE" ]; then
	is "$(timeout $((30 * WAIT_FACTOR)) "$PYTHON" "$ROOT/t/tools/websocket.py" "${AT_OF[node]}" /ws 60 2>&1)" fine 'a WebSocket client'
	expect_stat conns_relay -eq 0
	CHROMIUM=$(command -v chromium || command -v chromium-browser || command -v google-chrome) || CHROMIUM=
	browse() {
		timeout -k 5 $((60 * WAIT_FACTOR)) "$CHROMIUM" --headless --no-sandbox --disable-gpu --disable-dev-shm-usage --no-first-run \
			--disable-background-networking --user-data-dir="$T/chromium" --timeout=$((30000 * WAIT_FACTOR)) --enable-logging=stderr \
			--dump-dom "http://${AT_OF[node]}/" >"$T/page.html" 2>"$T/page.log" 9<&-
	}
	if [ -n "$CHROMIUM" ]; then
		ok 'a browser shows the page' browse
		like "$(cat "$T/page.html")" '>echoed done<' 'its WebSocket echoed'
		like "$(cat "$T/page.html")" 'data-closed="1000 true"' 'and was closed in the proper way'
		unlike "$(cat "$T/page.html")" 'data-wrong' 'nothing was changed on the way'
		like "$(cat "$T/page.html")" 'data-style="rgb\(1, 2, 3\)"' 'the style was loaded'
		like "$(cat "$T/page.html")" 'data-image="loaded"' 'the picture, too'
		like "$(cat "$T/page.html")" 'data-echo="true"' 'a POST from the page'
	else
		skip 'a browser shows the page' 'no Chromium'
	fi
else
	skip 'WebSockets' 'no Node'
fi

# Large bodies, memory flat. What a client sent or got is summed up by both sides.
LARGE=$((MIB * 1048576))
for ((k = 0; k < 16; k++)); do cat "$T/www/block"; done >"$T/mib"
large() {
	local k
	for ((k = 0; k < MIB; k++)); do cat "$T/mib"; done
}
WANT_SUM=$(large | sha256sum | cut -d ' ' -f 1)
MOST=${PSS_MOST:-400}
case $BUILD in *san* | *cover*) MOST= ;; esac

# flat NAME CMD...: memory of all processes while CMD runs.
flat() {
	local name=$1 before watcher
	shift
	# What the last one left unused goes back within two seconds.
	wait_stat buffers_resident -le 65536 10
	before=$(perl "$ROOT/t/tools/pss.pl" "$DROVER_PID" 0 | cut -d ' ' -f 2)
	spawn pss perl "$ROOT/t/tools/pss.pl" "$DROVER_PID" 20
	watcher=$PID
	wait_for 5 grep -q watching "$T/pss.out"
	"$@"
	kill "$watcher"
	finish "$watcher"
	read -r _ _ _ max _ samples < <(tail -n 1 "$T/pss.out")
	diag "$name: at most $((max - before)) KiB more than $before KiB, $samples looks"
	if [ -z "$MOST" ]; then skip "$name: memory stays flat" 'memory is that of a sanitizer'; else
		cmp_ok $((max - before)) -le "$MOST" "$name: memory stays flat"
	fi
}
# download QUERY [OPTIONS of curl]; upload [OPTIONS]; both leave GOT.
download() {
	local query=$1
	shift
	GOT=$(curl -sS --fail -m 600 "$@" "http://$AT/data/$LARGE$query" 9<&- | sha256sum | cut -d ' ' -f 1)
}
upload() {
	GOT=$(large | curl -sS --fail -m 600 -X POST -T - -H 'Expect:' "$@" "http://$AT/echo" 9<&- | sed -n 's/^body //p')
}
for kind in "${KINDS[@]}"; do
	[ "$kind" != nginx ] || continue
	AT=${AT_OF[$kind]}
	download '' -r 0-0 # warm
	flat "$kind: $MIB MiB down" download ''
	is "$GOT" "$WANT_SUM" "$kind: whole"
	flat "$kind: $MIB MiB down in chunks" download '?chunked'
	is "$GOT" "$WANT_SUM" "$kind: whole"
	flat "$kind: $MIB MiB up in chunks" upload
	is "$GOT" "$LARGE $WANT_SUM" "$kind: whole"
	# curl must believe that it knows the length of what comes in a pipe.
	flat "$kind: $MIB MiB up with a length" upload -H 'Transfer-Encoding:' -H "Content-Length: $LARGE"
	is "$GOT" "$LARGE $WANT_SUM" "$kind: whole"
done
# A client that reads slowly holds its peer back, not memory; so does a peer that reads slowly, its client.
slow_client() {
	: >"$T/slow"
	curl -sS -m 2 --limit-rate 2M "http://$AT/data/100000000" -o "$T/slow" 2>"$T/curl.err" 9<&-
}
slow_upload() {
	head -c 100000000 /dev/zero | curl -sS -m 2 --limit-rate 2M -X POST -T - "http://$AT/echo" -o "$T/none" 2>"$T/curl.err" 9<&-
}
flat 'a slow client' slow_client
cmp_ok "$(stat -c %s "$T/slow")" -lt 50000000 'which was slow indeed'
flat 'a slow upload' slow_upload
expect_stat conns -eq 0
ok 'reload' ctl reload
same_stats up_conns up_idle 'connections to peers are idle'
stop_drover
for kind in "${KINDS[@]}"; do
	pid=PID_$kind
	kill "${!pid}"
	finish "${!pid}"
done
done_testing
