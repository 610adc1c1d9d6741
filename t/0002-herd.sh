#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
#
# herd and slow against a server that misbehaves in one known way at a time: each fate is counted as what it is, and as
# nothing else.
. "$(dirname "$0")/lib.sh"

servers=0

# serve MODE [RESPONSE]: starts a server; sets PORT.
serve() {
	servers=$((servers + 1))
	[ -z "${SERVER:-}" ] || kill "$SERVER"
	spawn "server$servers" perl "$ROOT/t/tools/badserver.pl" "$@"
	SERVER=$PID
	wait_for 10 test -s "$T/server$servers.out" || die "server $1 starts" "$(cat "$T/server$servers.err")"
	PORT=$(cat "$T/server$servers.out")
}

herd() {
	"$BUILD/herd" "$@" "127.0.0.1:$PORT" >"$T/herd.out" 2>"$T/herd.err" 9<&-
	STATUS=$?
}

slow() {
	"$BUILD/slow" "$@" "127.0.0.1:$PORT" >"$T/herd.out" 2>"$T/herd.err" 9<&-
	STATUS=$?
}

# count NAME: of the last run.
count() {
	awk -v name="$1" '$1 == name { print $2 }' "$T/herd.out"
}

# All fates of the last run but the good one, without those that nobody met.
fates() {
	awk '$2 > 0 && $1 ~ /^(connect_failed|answered_close|closed_idle|closed_in_flight|reset|late|bad|truncated)$/ {
		printf "%s%s=%s", sep, $1, $2; sep = " " }' "$T/herd.out"
}

# fate NAME STATUS FATES: what the last run came to.
fate() {
	is "$STATUS $(fates)" "$2 $3" "$1"
}

serve answer
herd -c 4 -n 20
fate "answered" 0 ""
is "$(count answered) $(count requests) $(count status_2xx)" "20 20 20" "each request counts once"
is "$(count connects) $(count held) $(count reconnects)" "4 4 0" "connections are kept"
is "$(count failed)" 0 "nothing failed"
cmp_ok "$(count p50_us)" -le "$(count p99_us)" "percentiles are in order"
cmp_ok "$(count p99_us)" -le "$(count max_us)" "up to the maximum"

herd -c 3 -r 200 -n 203
cmp_ok "$(count duration_us)" -ge 950000 "a rate is not exceeded"
# What a standstill has left is made up for.
cmp_ok "$(count duration_us)" -lt $((900000 + 1000000 * WAIT_FACTOR)) "and reached"
herd -c 3 -r 200 -d 0.5
cmp_ok "$(count requests)" -le $((200 * $(count duration_us) / 1000000 + 3)) "a rate is not exceeded in a given time"
is "$(count requests)" "$(count answered)" "what is in flight at the end is waited for"

herd -c 5 -n 5 -s 3 -j
is "$(perl -MJSON::PP -0777 -ne 'print decode_json($_)->{answered}' "$T/herd.out")" 5 "-j prints JSON"

serve close-idle
herd -c 4 -n 4 -i 1
fate "closed while idle: no failure" 0 "closed_idle=4"
herd -c 4 -n 4 -i 1 -Z
fate "closed while idle: a failure with -Z" 1 "closed_idle=4"

serve close-announced
herd -c 2 -n 8
fate "closed as announced" 0 "answered_close=8"
cmp_ok "$(count reconnects)" -ge 6 "a lost connection is made anew"
herd -1 -c 2 -n 8
fate "a connection for each request" 0 "answered_close=8"
is "$(count connects)" 8 "is made for each"

serve no-close
herd -c 2 -n 2 -t 300
fate "announced and not closed" 1 "late=2"

serve close-in-flight
herd -c 2 -n 2
fate "closed with a request in flight" 1 "closed_in_flight=2"
is "$(count failed) $(count answered)" "2 0" "which is a failure, and no answer"

serve reset
herd -c 2 -n 2
fate "reset with a request in flight" 1 "reset=2"

serve reset-idle
herd -c 2 -n 2 -i 1
fate "reset while idle" 1 "reset=2"

serve late
herd -c 2 -n 2 -t 300
fate "no answer in time" 1 "late=2"

serve truncated
herd -c 2 -n 2
fate "truncated" 1 "truncated=2"

serve garbage
herd -c 2 -n 2
fate "not HTTP" 1 "bad=2"

serve unasked
herd -c 2 -n 2 -i 1
fate "an answer that nobody asked for" 1 "bad=2"

kill "$SERVER"
finish "$SERVER"
SERVER=
PORT=$(free_port)
herd -c 2 -n 2 -d 0.1
is "$STATUS" 1 "no server: a failure"
cmp_ok "$(count connect_failed)" -ge 2 "counted as connect_failed"

# What is an answer and what is not.
try() {
	local mode=$1 want=$2 response=$3
	shift 3
	serve "$mode" "$response"
	herd -c 1 -n 2 -t 10000 "$@"
	if [ "$want" = good ]; then fate "good: $response" 0 ""; else
		is "$STATUS $(count answered) $(count bad)" "1 0 2" "bad: $response"
	fi
}
ok200='HTTP/1.1 200 OK\r\n'
try raw good "${ok200}Content-Length: 0\r\n\r\n"
try raw good "${ok200}content-length:\x09 3 \r\nX:\r\n\r\nabc"
try dribble good "${ok200}Content-Length: 3\r\n\r\nabc"
try raw good "${ok200}Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0A;x=y\r\n0123456789\r\n0\r\n\r\n" -x 13:9440e847
try dribble good "${ok200}Transfer-Encoding: Chunked\r\n\r\n3\r\nabc\r\n0\r\nX-Sum: 1\r\nY: 2\r\n\r\n" -x 3:352441c2
try raw good 'HTTP/1.1 100 Continue\r\n\r\n'"${ok200}Content-Length: 1\r\n\r\na"
try raw good 'HTTP/1.1 204 No Content\r\n\r\n'
try raw good 'HTTP/1.1 304 Not Modified\r\nContent-Length: 99\r\n\r\n'
try raw good "${ok200}Content-Length: 99\r\n\r\n" -m HEAD
try raw good 'HTTP/1.0 200 OK\r\nConnection: foo, Keep-Alive\r\nContent-Length: 1\r\n\r\na'
for response in \
	"${ok200}\r\n" \
	"${ok200}Connection: close\r\n\r\nabc" \
	"${ok200}Content-Length: 3\r\n\r\nabcd" \
	"${ok200}Content-Length: 3\r\nContent-Length: 3\r\n\r\nabc" \
	"${ok200}Content-Length: +3\r\n\r\nabc" \
	"${ok200}Content-Length:\r\n\r\n" \
	"${ok200}Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" \
	"${ok200}Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n" \
	"${ok200}Transfer-Encoding: chunked\r\n\r\nx\r\n" \
	"${ok200}Transfer-Encoding: chunked\r\n\r\n\r\n" \
	"${ok200}Transfer-Encoding: chunked\r\n\r\n3\nabc\r\n0\r\n\r\n" \
	"${ok200}Transfer-Encoding: chunked\r\n\r\n3\r\nabcd\r\n0\r\n\r\n" \
	"${ok200}Transfer-Encoding: chunked\r\n\r\n0\r\n\r\nx" \
	"${ok200}Transfer-Encoding: chunked\r\n\r\n0\r\n folded\r\n\r\n" \
	"${ok200}Content-Length : 0\r\n\r\n" \
	"${ok200}: 0\r\n\r\n" \
	"${ok200}no colon\r\nContent-Length: 0\r\n\r\n" \
	"${ok200}X: a\r\n folded\r\nContent-Length: 0\r\n\r\n" \
	"${ok200}X: a\x01b\r\nContent-Length: 0\r\n\r\n" \
	"${ok200}X: a\nContent-Length: 0\r\n\r\n" \
	"HTTP/1.1 200\r\nContent-Length: 0\r\n\r\n" \
	"HTTP/1.1 2x0 OK\r\nContent-Length: 0\r\n\r\n" \
	"HTTP/1.1 600 OK\r\nContent-Length: 0\r\n\r\n" \
	"HTTP/1.1  200 OK\r\nContent-Length: 0\r\n\r\n" \
	"HTTP/2.0 200 OK\r\nContent-Length: 0\r\n\r\n" \
	"HTTP/1.1 101 Switching\r\nUpgrade: x\r\n\r\n" \
	"HTTP/1.1 204 No Content\r\nContent-Length: 0\r\n\r\n" \
	"\r\n${ok200}Content-Length: 0\r\n\r\n"; do
	try raw bad "$response"
done
try raw bad "${ok200}Content-Length: 3\r\n\r\nabc" -x 3:352441c3
try raw bad "${ok200}Content-Length: 3\r\n\r\nabc" -x 4:352441c2
printf abc >"$T/abc"
try raw good "${ok200}Content-Length: 3\r\n\r\nabc" -x "@$T/abc"

# Classes of status.
serve raw 'HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n'
herd -c 1 -n 3
is "$STATUS $(count status_4xx) $(count status_2xx)" "0 3 0" "a status is not a failure, but counted by its class"

# A held herd says when it is ready, uses its source addresses, and ends when asked.
serve answer
spawn held "$BUILD/herd" -c 100 -n 100 -s 2 -i 100 -w "$T/ready" "127.0.0.1:$PORT"
held=$PID
expect_file "$T/ready"
is "$(awk -v port="$(printf ':%04X' "$PORT")" '$3 ~ port "$" && $4 == "01" { sub(/:.*/, "", $2); print $2 }' /proc/net/tcp |
	sort | uniq -c | awk '{ printf "%s*%d ", $2, $1 }')" "0200007F*50 0300007F*50 " "two source addresses share the connections"
kill "$held"
finish "$held" 10
cp "$T/held.out" "$T/herd.out"
fate "ended by a signal" 0 ""
is "$(count held) $(count answered)" "100 100" "with a summary"

# Control mode.
coproc CONTROL { exec "$BUILD/herd" -C -c 4 "127.0.0.1:$PORT" 2>&1; }
control=$CONTROL_PID
exec {in}>&"${CONTROL[1]}" {out}<&"${CONTROL[0]}"
read -r -t 10 -u "$out" line
is "$line" ready "control: ready"
for round in 1 2; do
	echo "go 100" >&"$in"
	read -r -t 10 -u "$out" line
	like "$line" '^requests [1-9][0-9]* us [1-9][0-9]{5,} failed 0$' "control: load $round"
done
exec {in}>&- {out}<&-
eval "exec ${CONTROL[1]:-8}>&-"
expect_gone "$control"

# The slow reader takes its time.
serve raw "${ok200}Content-Length: 40000\r\n\r\n$(head -c 40000 /dev/zero | tr '\0' a)"
herd -c 2 -n 2 -b 80000 -t 20000
fate "a slow reader" 0 ""
cmp_ok "$(count p50_us)" -ge 350000 "reads slowly"

slow -e -c 1 -r -n 5 -i 10 -d 60
is "$(count status_200) $(count still_open)" "1 1" "slow: reads slowly"
cmp_ok "$(count bytes_in)" -le $(($(count duration_ms) / 10 * 5)) "slow: as slowly as told"
slow -c 2 -r -d 0.2
is "$(count bytes_in)" 0 "slow: never reads"

# slow
serve answer
slow -e -c 3 -i 5 -d 60 -s $'GET / HTTP/1.1\r\nHost: a\r\n\r\n'
is "$(count connected) $(count status_200) $(count still_open)" "3 3 3" "slow: a request byte by byte"
slow -c 3 -i 10 -d 0.2
is "$(count closed) $(count reset) $(count still_open)" "0 0 3" "slow: a head that never ends"
slow -c 1 -i 10 -d 0.5
cmp_ok "$(count duration_ms)" -ge 500 "slow: keeps sending"
is "$(count bytes_out)" $((1 + $(count duration_ms) / 10)) "slow: a byte an interval"
slow -c 3 -a -d 0.2
is "$(count bytes_out) $(count bytes_in) $(count still_open)" "0 0 3" "slow: says nothing"
serve close-in-flight
slow -c 3 -i 10 -d 60 -s $'GET / HTTP/1.1\r\nHost: a\r\n\r\n'
is "$(count closed) $(count reset) $(count still_open)" "3 0 0" "slow: closed"
cmp_ok "$(count first_close_ms)" -ge 250 "slow: tells when the first was closed"
cmp_ok "$(count last_close_ms)" -ge "$(count first_close_ms)" "slow: and the last"
serve reset
slow -c 3 -i 1 -d 60 -s $'GET / HTTP/1.1\r\nHost: a\r\n\r\n'
is "$(count closed) $(count reset) $(count still_open)" "0 3 0" "slow: reset"
kill "$SERVER"
finish "$SERVER"
PORT=$(free_port)
slow -c 3 -d 5
is "$(count connected) $(count connect_failed)" "0 3" "slow: no server"

done_testing
