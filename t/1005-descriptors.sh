#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
# The limit of descriptors: raised without a word where it can be, and a clear complaint where it cannot.
. "$(dirname "$0")/lib.sh"

mkdir "$T/www"
printf 'hello\n' >"$T/www/index.html"
config <<EOF
workers = 1
worker_connections = 300
file_cache = 100
server "site" {
    listen = { "127.0.0.1:0" }
    location "/" { root = "$T/www" }
}
EOF
[ "$(ulimit -Hn)" = unlimited ] || [ "$(ulimit -Hn)" -ge 1000 ] || skip_all 'the hard limit is too low'

ulimit -Sn 200
start_drover
is "$(ctl -j stat fds_max 2>/dev/null | grep -c .)" 1 'fds_max is on the board'
cmp_stat fds_max -ge 464 'the soft limit is raised to what is needed'
is_stat conns_max 300 'worker_connections as configured'
unlike "$(cat "$T/stderr")" 'worker_connections' 'nothing to complain about'
stop_drover

# Connections to peers have descriptors of their own.
cp "$T/drover.conf" "$T/files.conf"
sed -i 's|root = .*|proxy = "127.0.0.1:1" }|' "$T/drover.conf"
ulimit -Sn 200
start_drover
cmp_stat fds_max -ge 764 'with a proxy it is raised to what connections to peers need as well'
is_stat conns_max 300 'worker_connections as configured'
stop_drover
mv "$T/files.conf" "$T/drover.conf"

# Lower the hard limit where it cannot be raised again: as root it can, unless a capability is missing.
ulimit -Hn 200
if (ulimit -Hn 300) 2>/dev/null; then
	start_drover
	cmp_stat fds_max -ge 464 'root raises the hard limit'
	stop_drover
else
	start_drover
	is_stat conns_max 100 'connections are limited to what fits'
	like "$(cat "$T/stderr")" 'worker_connections = 300 needs 4[67][0-9] descriptors.* is 200 and cannot be raised.*100 connections' \
		'the complaint says how many are needed, how many there are, and what comes of it'
	is "$(curl -sS "http://127.0.0.1:$PORT/")" hello 'it serves'
	stop_drover
fi
done_testing
