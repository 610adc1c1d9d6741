#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
# Standard output and error are a socket that nobody reads any more, as when a service manager's journal hangs: nobody waits for it.
. "$(dirname "$0")/lib.sh"

mkdir "$T/www"
echo hello >"$T/www/index.html"
config <<EOF
workers = 1
log_level = "debug"
server "s" {
    listen = { "127.0.0.1:0" }
    access_log = "stdout"
    location "/" { root = "$T/www" }
}
EOF
mkdir -p "$RUN"
# Full from the beginning; both ends stay open as long as drover lives.
perl -MSocket -MFcntl -e '
	$^F = 100;
	socketpair my $reader, my $writer, AF_UNIX, SOCK_STREAM, 0 or die "socketpair: $!\n";
	fcntl $writer, F_SETFL, O_NONBLOCK;
	1 while syswrite $writer, "x" x 1000;
	fcntl $writer, F_SETFL, 0;
	open STDOUT, ">&", $writer;
	open STDERR, ">&", $writer;
	exec @ARGV' "$BUILD/drover" -F -c "$T/drover.conf" -r "$RUN" </dev/null 9<&- &
DROVER_PID=$!
PIDS+=("$DROVER_PID")
ok 'it starts' wait_for 10 drover_is_ready
PORT=$(port_of 1)
is "$(curl -sS -m $((5 * WAIT_FACTOR)) "http://127.0.0.1:$PORT/")" hello 'it serves'
ok 'reload' ctl reload -t $((5 * WAIT_FACTOR))
wait_for 10 drover_is_ready # the old one has heard of it
wait_for 10 guarded || die 'the worker has a standby'
kill -KILL "$(worker_pids)"
expect_stat takeovers -eq 1
is "$(curl -sS -m $((5 * WAIT_FACTOR)) "http://127.0.0.1:$PORT/")" hello 'it serves after a crash'
expect_stat log_lines -eq 0
stop_drover
done_testing
