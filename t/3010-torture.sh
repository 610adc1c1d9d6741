#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
# Pipelined streams of all kinds of requests, cut and read at random; every byte of the answers is compared. Then the same with
# clients that leave in the middle. SEED repeats a run, EACH stretches its parts (seconds).
. "$(dirname "$0")/lib.sh"

SEED=${SEED:-$RANDOM}
EACH=${EACH:-6}
diag "seed $SEED"
mkdir "$T/www"
: >"$T/www/empty"
for file in one:1 1k:1024 5k:5000 64k:65536 300k:300000 3m:3000000; do
	perl -e 'srand 7; print map { chr rand 256 } 1 .. shift' "${file#*:}" >"$T/www/${file%:*}"
done
# So few cached files that they are opened and dropped all the time, also while they are sent.
start_drover <<EOF
workers = 1
file_cache = 6
server "s" {
    listen = { "127.0.0.1:0", "unix:$T/socket" }
    access_log = "$T/access.log"
    limits { max_body = 200k }
    keepalive { requests = 0 }
    location "/" { root = "$T/www" }
    location "/old/" { redirect = "/new/"  status = 301 }
    location "= /gone" { status = 410  text = "gone" }
    location "= /healthz" { health = true }
}
EOF
fds_mark
WORKER=$(worker_pids)

# torture NAME ARGS: values of its output in OUT[name].
declare -A OUT
torture() {
	local name=$1 key value
	shift
	export WAIT_FACTOR
	spawn torture perl "$ROOT/t/tools/torture.pl" -s "$SEED" -t "$EACH" "$@" "$T/www" "127.0.0.1:$PORT" "unix:$T/socket"
	finish "$PID" 60
	is "$STATUS" 0 "$name" || diag "$(head -c 3000 "$T/torture.out" "$T/torture.err")"
	while read -r key value; do OUT[$key]=$value; done <"$T/torture.out"
	diag "${OUT[streams]:-0} streams, ${OUT[left]:-0} left, ${OUT[requests]:-} requests, ${OUT[received]:-} bytes received"
	expect_stat conns -eq 0
	expect_stat conns_idle -eq 0
	expect_stat buffers -eq 0
}

torture 'every byte of the answers to whole streams' -m 50
cmp_ok "${OUT[streams]:-0}" -ge 50 'streams were served'
is_stat requests "${OUT[requests]:-}" 'as many requests are counted as were made'
is_stat requests_started "${OUT[requests]:-}" 'and as many begun'
is_stat server.s.requests "${OUT[requests]:-}" 'and as many of the server'
is_stat bytes_in "${OUT[sent]:-}" 'bytes read are the bytes sent'
is_stat bytes_out "${OUT[received]:-}" 'bytes written are the bytes received'
is_stat server.s.bytes_in "${OUT[sent]:-}" 'each byte is one of one request'
expect_stat log_lines -eq "${OUT[requests]:-}"
is "$(wc -l <"$T/access.log")" "${OUT[requests]:-}" 'a log line for each request'

torture 'every byte of the answers beside streams that are left' -a 60 -c 24 -m 160
cmp_ok "${OUT[left]:-0}" -ge 50 'streams were left'
expect_stat log_lines -eq $(($(stat_of requests) + $(stat_of requests_cut)))
is "$(wc -l <"$T/access.log")" $(($(stat_of requests) + $(stat_of requests_cut))) 'a log line for each request, also for those that were cut'
is "$(grep -c ' status=0 ' "$T/access.log")" "$(stat_of requests_cut)" 'and those say so'
is "$(worker_pids)" "$WORKER" 'the worker is still the same'
# The cache keeps files open, and their folder.
fds_check 7
done_testing
