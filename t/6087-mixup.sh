#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
# Requests and answers by chance (t/tools/mixup.py), for MIXUP_SECONDS (5): no part of a request becomes another one, and no
# answer another request's.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/peers.sh"

SECONDS_LONG=${MIXUP_SECONDS:-5}
spawn mixup "$PYTHON" "$ROOT/t/tools/mixup.py" "$T/place" "$SECONDS_LONG" ${MIXUP_SEED:+"$MIXUP_SEED"}
MIXUP=$PID
wait_for 10 grep -qs '^listening' "$T/mixup.out" || die 'mixup.py' "$(cat "$T/mixup.err")"
read -r _ PEER <"$T/mixup.out"
allow_log 'peer .* of upstream|retry budget|request cut'
start_drover <<EOC
workers = 2
worker_connections = 200
upstream "one" { keepalive { conns = 4 }  peer "$PEER" { max_fails = 0 } }
server "site" {
    listen     = { "127.0.0.1:0" }
    access_log = "$T/access.log"
    limits { max_body = 0 }
    location "/" { proxy = "one" }
}
EOC
fds_mark
echo "127.0.0.1:$PORT" >"$T/place.new"
mv "$T/place.new" "$T/place"
finish "$MIXUP" $((SECONDS_LONG + 60))
is "$STATUS" 0 'it went on to its end' || diag "$(tail -n 20 "$T/mixup.err")"
is "$(grep '^wrong' "$T/mixup.out")" '' 'nothing was taken for something else' || diag "$(grep '^seed' "$T/mixup.out")"
cmp_ok "$(sed -n 's/^answers of the peer: //p' "$T/mixup.out")" -gt 100 'answers there were'
is "$(stat_of master.worker_deaths)" 0 'no worker has died'
expect_stat conns -eq 0
expect_stat buffers -eq 0
fds_check 8
done_testing
