#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
# Exchanges in which client and peer act at the same time, or one acts and the other does not: what is whose fault, and what
# never becomes a part of something else.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/http.sh"
. "$(dirname "$0")/peers.sh"

spawn ends "$PYTHON" "$ROOT/t/tools/overlap.py" "$T/places"
ENDS=$PID
wait_for 10 grep -qs '^listening' "$T/ends.out" || die 'both ends' "$(cat "$T/ends.err")"
read -r _ PEER DEAF <"$T/ends.out"
allow_log 'peer .* of upstream|request cut'
start_drover <<EOC
workers = 1
worker_connections = 100
upstream "one" { keepalive { conns = 0 }  peer "$PEER" { max_fails = 0 } }
upstream "hasty" { deadlines { response = 2500ms  between = 2500ms }  keepalive { conns = 0 }  peer "$PEER" { max_fails = 0 } }
upstream "patient" { peer "$PEER" { max_fails = 0 } }
upstream "next" {
    deadlines { connect = 1s }
    keepalive { conns = 0 }
    retries = 1
    peer "$DEAF" { max_fails = 0 }
    peer "$PEER" { backup = true }
}
upstream "kept" { peer "$PEER" { max_fails = 0 } }
server "site" {
    listen = { "127.0.0.1:0" }
    limits { max_body = 0 }
    location "/" { proxy = "one" }
    location "/hasty/" { proxy = "hasty" }
    location "/kept/" { proxy = "kept" }
    location "/set/" { proxy = "one"  remove_request = { "X-Gone" }  request_header "X-User" { value = "mine" } }
    location "/half" { proxy = "one"  rewrite = "/v1/" }
    location "/denied/" { proxy = "one"  deny = { "all" } }
}
server "hasty" {
    listen = { "127.0.0.1:0" }
    limits { max_body = 0 }
    deadlines { min_rate_after = 600ms }
    location "/" { proxy = "one" }
    location "/next/" { proxy = "next" }
}
server "steady" {
    listen = { "127.0.0.1:0" }
    limits { max_body = 0 }
    deadlines { min_rate_after = 1500ms }
    location "/hasty/" { proxy = "hasty" }
    location "/patient/" { proxy = "patient" }
}
EOC
fds_mark

# A look at what a request is refused for is counted once, however often it is taken.
before=$(stat_of refused_path)
got 'no path' '/a%00b' 400 -
got 'no path, with a body' '/a%00b' 400 - -d body
got 'no path, for a body that waits' '/a%00b' 400 - -d body -H 'Expect: 100-continue'
is "$(stat_of refused_path)" $((before + 3)) 'each is counted once'
before=$(stat_of access_denied)
got 'denied' /denied/ 403 -
got 'denied, with a body' /denied/ 403 - -d body
got 'denied, for a body that waits' /denied/ 403 - -d body -H 'Expect: 100-continue'
is "$(stat_of access_denied)" $((before + 3)) 'each is counted once, too'
# The folder "/half" is at "/v1/" there, and nothing beside it.
for path in /half../secret '/half..;/secret' /halfway; do got "$path is not below /half" "$path" 404 -; done

printf '%s\n' "127.0.0.1:$PORT" "127.0.0.1:$(port_of 2)" "127.0.0.1:$(port_of 3)" >"$T/places.new"
mv "$T/places.new" "$T/places"
finish "$ENDS" 120
while read -r what name; do
	case $what in
	pass) pass "$name" ;;
	fail) fail "${name%%: *}" "${name#*: }" ;;
	esac
done <"$T/ends.out"
is "$(grep -c '^pass' "$T/ends.out")" 9 'all of them'
is "$STATUS" 0 'both ends are through' || diag "$(cat "$T/ends.err")"
is "$(stat_of master.worker_deaths)" 0 'no worker has died'
expect_stat conns -eq 0
expect_stat up_conns -eq 0
expect_stat buffers -eq 0
fds_check
done_testing
