#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
# What the service manager is told, in which order.
. "$(dirname "$0")/lib.sh"

mkdir "$T/www"
printf 'hello\n' >"$T/www/index.html"
config <<EOF
workers = 1
worker_connections = 1000
server "site" {
    listen = { "127.0.0.1:0" }
    location "/" { root = "$T/www" }
}
EOF

spawn manager perl -MSocket -e '$| = 1;
	socket(my $s, AF_UNIX, SOCK_DGRAM, 0) or die; bind($s, sockaddr_un($ARGV[0])) or die;
	while (defined recv($s, my $text, 4096, 0)) { $text =~ s/\n/ /g; print "$text\n" }' "$T/notify"
manager=$PID
wait_for 10 test -S "$T/notify" || die 'the manager listens'
export NOTIFY_SOCKET=$T/notify WATCHDOG_USEC=400000

told() {
	grep -q "$1" "$T/manager.out"
}

expect_told() {
	if wait_for 10 told "$1"; then pass "told: $2"; else fail "told: $2" "$(cat "$T/manager.out")"; fi
}

start_drover
expect_told "^READY=1 STATUS=generation 1, 1 of 1 workers ready MAINPID=$DROVER_PID" 'ready'
watchdogs() {
	[ "$(grep -c '^WATCHDOG=1' "$T/manager.out")" -ge 3 ]
}
ok 'the watchdog is fed' wait_for 5 watchdogs
ok 'reload' ctl reload
expect_told '^RELOADING=1 MONOTONIC_USEC=[1-9][0-9]* ' 'reloading'
expect_told '^READY=1 STATUS=generation 2' 'ready again'
stop_drover
expect_told '^STOPPING=1' 'stopping'
is "$(grep -o '^[A-Z]*' "$T/manager.out" | grep -v -e WATCHDOG -e STATUS | tr '\n' ' ')" 'READY RELOADING READY STOPPING ' \
	'in this order'
kill "$manager"
finish "$manager"
done_testing
