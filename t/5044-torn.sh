#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
# No reader ever sees a row whose words disagree: beside writers that do nothing else, and beside the workers of a drover under
# load. READS: how many (t/long: a million of each).
. "$(dirname "$0")/lib.sh"

READS=${READS:-50000}
figure() {
	sed "s/.*$1 \([0-9]*\).*/\1/" "$T/torn"
}
"$BUILD/torn" -w "$READS" >"$T/torn" 2>&1
is $? 0 "$READS reads beside writers: $(cat "$T/torn")"
is "$(figure wrong)" 0 'no row that was called whole was torn'
# Torn is an honest answer when a writer loses its processor in the middle.
cmp_ok "$(figure whole)" -gt $((READS / 2)) 'most were whole'
cmp_ok "$(figure changes)" -gt $((READS / 10)) 'and they changed all the time'

# Two sorts of requests; connections come and go, so that both use the same rows.
mkdir "$T/www"
A=$(printf 'a%.0s' {1..70}) B=$(printf 'b%.0s' {1..70})
printf 'hello\n' >"$T/www/$A"
start_drover <<EOF
workers = 2
worker_connections = 200
deadlines { header = 31s  idle = 47s }
keepalive { requests = 7 }
server "s" { listen = { "127.0.0.1:0" } location "/" { root = "$T/www" } }
EOF
spawn a "$BUILD/herd" -c 8 -d 600 -p "/$A" "127.0.0.1:$PORT"
HERD=$PID
spawn b "$BUILD/herd" -c 8 -d 600 -p "/$B" "127.0.0.1:$PORT"
ok 'both are at work' wait_stat responses_4xx -gt 100
before=$(stat_of requests)
"$BUILD/torn" -b "$RUN" -i 47 -h 31 "$READS" >"$T/torn" 2>&1
is $? 0 "$READS reads of live connections: $(cat "$T/torn")"
is "$(figure wrong)" 0 'state, stamps, request and status always agreed'
cmp_ok "$(figure whole)" -gt $((READS / 2)) 'most were whole'
cmp_ok $(($(stat_of requests) - before)) -gt $((READS / 50)) 'beside many requests'
kill "$HERD" "$PID"
finish "$HERD"
finish "$PID"
done_testing
