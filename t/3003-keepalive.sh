#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
# Keep-alive limits and limits of connections: requests, max_age, per address, per worker.
. "$(dirname "$0")/lib.sh"

mkdir "$T/www"
printf 'hello\n' >"$T/www/a.txt"
start_drover <<EOF
workers = 1
worker_connections = 32
max_conns_per_address = 10
server "few" {
    listen = { "127.0.0.1:0" }
    keepalive { requests = 3 }
    location "/" { root = "$T/www" }
}
server "young" {
    listen = { "127.0.0.2:0" }
    keepalive { max_age = 600ms }
    location "/" { root = "$T/www" }
}
server "unix" {
    listen = { "unix:$T/sock" }
    location "/" { root = "$T/www" }
}
EOF
YOUNG=127.0.0.2:$(port_of 2)
G='GET /a.txt HTTP/1.1\r\nHost: x\r\n\r\n'

REPLY=$(printf "$G$G$G$G" | perl "$ROOT/t/tools/raw.pl" "127.0.0.1:$PORT")
is "$?" 0 'the connection ends in order'
is "$(grep -c '^HTTP/1.1 200' <<<"$REPLY")" 3 'keepalive.requests = 3: three answers'
is "$(grep -c '^Connection: close' <<<"$REPLY")" 1 'the last one says so'
is_stat close_request_limit 1 'and the reason is counted'

ok 'a herd goes on over the limit: every close is announced' \
	"$BUILD/herd" -Z -c 5 -n 500 -p /a.txt "127.0.0.1:$PORT"

printf "$G" | perl "$ROOT/t/tools/raw.pl" -w 5 "$YOUNG" >"$T/out"
is "$?" 0 'an idle connection ends when max_age is over'
is_stat expired_max_age 1 'max_age is counted'
is_stat close_max_age 1 'as the reason, too'
spawn busy "$BUILD/herd" -c 4 -d 120 -r 400 -p /a.txt "$YOUNG"
expect_stat expired_max_age -ge 9 # one of them was that above
kill "$PID"
finish "$PID"
busy() {
	awk -v name="$1" '$1 == name { print $2 }' "$T/busy.out"
}
is "$STATUS" 0 'busy connections end with an announced response at max_age' || diag "$(cat "$T/busy.out" "$T/busy.err")"
# Where the client itself stood still, it was not busy.
if [ "$(busy gap_us)" -ge 900000 ]; then diag "the client stood still for $(busy gap_us) us"; else
	is "$(busy closed_idle)" 0 'and in no other way'
	cmp_ok "$(busy answered_close)" -ge 8 'several times'
fi
expect_stat conns -eq 0

# The eleventh connection of an address is told 503; another address is served.
spawn hold "$BUILD/herd" -c 10 -n 10 -i 30 -w "$T/held" -p /a.txt "127.0.0.1:$PORT"
HOLD=$PID
expect_file "$T/held"
like "$(printf "$G" | perl "$ROOT/t/tools/raw.pl" "$YOUNG")" '^HTTP/1.1 503 .*Retry-After: 1' \
	'max_conns_per_address: 503'
cmp_stat close_address_limit -ge 1 'counted'
is "$(curl -s --interface 127.0.0.9 "http://$YOUNG/a.txt")" hello 'another address is served'
kill "$HOLD"
finish "$HOLD"
expect_stat conns -eq 0
is "$(curl -s --unix-socket "$T/sock" http://x/a.txt)" hello 'a unix socket is served'
is "$(curl -s "http://$YOUNG/a.txt")" hello 'and so is the address again'

# worker_connections reached: those idle for more than a second make room, the others wait in the queue.
spawn crowd "$BUILD/herd" -c 60 -s 8 -n 60 -t 20000 -p /a.txt "127.0.0.1:$PORT"
finish "$PID" 40
is "$STATUS" 0 '60 clients over 32 records: all are served' || diag "$(cat "$T/crowd.out")"
cmp_stat accept_no_records -ge 1 'the shortage is counted'
expect_stat conns -eq 0
expect_stat listener."127.0.0.1:$PORT".conns -eq 0
stop_drover

# Of many workers that wait, a client wakes one, and not the herd.
start_drover <<EOF
workers = 8
worker_connections = 32
server "s" {
    listen = { "127.0.0.1:0" }
    location "/" { root = "$T/www" }
}
EOF
# How often workers have gone to sleep.
sleeps() {
	awk '$1 == "voluntary_ctxt_switches:" { n += $2 } END { print n }' $(worker_pids | sed 's,.*,/proc/&/status,')
}
before=$(sleeps)
ok '500 clients, one after the other' "$BUILD/herd" -c 1 -1 -n 500 -p /a.txt "127.0.0.1:$PORT"
cmp_ok $((($(sleeps) - before) / 500)) -lt 5 'each wakes about one worker'
done_testing
