#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
# What an idle keep-alive connection costs: a record, and no buffer. Memory is that of all processes of the daemon.
. "$(dirname "$0")/lib.sh"

case $BUILD in *san* | *tsan* | *cover*) skip_all 'memory is that of a sanitizer' ;; esac
CONNS=5000
[ "$(ulimit -Hn)" -ge $((CONNS + 1000)) ] || skip_all 'the hard limit of descriptors is too low'
ulimit -Sn "$(ulimit -Hn)"
mkdir "$T/www"
head -c 1024 /dev/zero | tr '\0' x >"$T/www/1k"
start_drover <<EOF
workers = 2
server "s" {
    listen = { "127.0.0.1:0" }
    deadlines { idle = 5m }
    location "/" { root = "$T/www" }
}
EOF
wait_for 10 guarded || die 'the workers have standbys'

memory() {
	perl "$ROOT/t/tools/pss.pl" "$DROVER_PID" 0 | cut -d ' ' -f 2
}

# All that a daemon needs once: the file, buffers, the first rows.
ok 'a few requests' "$BUILD/herd" -c 50 -n 1000 -p /1k "127.0.0.1:$PORT"
expect_stat conns -eq 0
expect_stat buffers_resident -eq 0
before=$(memory)
spawn idle "$BUILD/herd" -c "$CONNS" -n "$CONNS" -k 5000 -t 20000 -i 600 -w "$T/held" -p /1k "127.0.0.1:$PORT"
HERD=$PID
ok "$CONNS connections have had an answer" wait_for 60 test -e "$T/held"
expect_stat conns_idle -eq "$CONNS"
expect_stat buffers -eq 0
expect_stat buffers_resident -eq 0
after=$(memory)
each=$(((after - before) * 1024 / CONNS))
diag "$before KiB before, $after KiB with $CONNS idle connections: $each bytes each"
cmp_ok "$each" -le 512 'an idle connection costs at most 512 bytes'
kill "$HERD"
finish "$HERD"
expect_stat conns -eq 0
done_testing
