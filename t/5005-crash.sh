#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
# A worker that crashes at work: the log names slot, process, signal and the request that it was working on, and nothing of
# its query; the board keeps what it did; the others serve on.
. "$(dirname "$0")/lib.sh"

mkdir "$T/www"
printf 'hello\n' >"$T/www/victim.txt"
start_drover <<EOF
workers = 2
worker_connections = 1000
server "s" {
    listen = { "127.0.0.1:0" }
    keepalive { requests = 0 }
    location "/" { root = "$T/www" }
}
EOF
allow_log 'worker [01] \(pid [0-9]+, generation [0-9]+\) killed by signal 11 \(SEGV\)'

# Requests without end and without a pause, so that the workers hardly ever wait.
PRESS=()
press() {
	spawn press perl -MIO::Socket::INET -MIO::Select -e '
		$SIG{PIPE} = "IGNORE";
		my $s = IO::Socket::INET->new(PeerAddr => shift) or die;
		$s->blocking(0);
		my $one = "GET /victim.txt?SECRET HTTP/1.1\r\nHost: x\r\n\r\n";
		my ($all, $sent, $both) = ($one x 1000, 0, IO::Select->new($s));
		while (my ($read, $write) = IO::Select->select($both, $both)) {
			if (@$read) { sysread $s, my $in, 1 << 20 or exit 0 }
			if (@$write) { $sent = ($sent + (syswrite($s, $all, length($all) - $sent, $sent) // 0)) % length $all }
		}' "127.0.0.1:$PORT"
	PRESS+=("$PID")
}
worked_on() {
	grep -c 'killed by signal 11.*, was working on connection row [0-9]*: "GET /victim\.txt"' "$T/stderr"
}
for round in 1 2 3 4 5; do
	for _ in 1 2 3 4; do press; done
	before=$(stat_of requests)
	expect_stat requests -gt $((before + 20000)) 20
	mapfile -t pids < <(worker_pids)
	deaths=$(stat_of master.worker_deaths)
	kill -SEGV "${pids[@]}"
	expect_stat master.worker_deaths -eq $((deaths + 2))
	[ "$(worked_on)" -eq 0 ] || break
	wait_for 30 drover_is_ready
done
for slot in 0 1; do
	like "$(cat "$T/stderr")" "error [0-9]+ \\[-\\] worker $slot \\(pid ${pids[$slot]}, generation 1\\) killed by signal 11 \\(SEGV\\)" \
		"the log names slot $slot, its process and the signal"
done
cmp_ok "$(worked_on)" -ge 1 'and the request that it was working on'
is "$(grep -c SECRET "$T/stderr")" 0 'without its query'
dead=$(ctl conns -H | awk -F '\t' '$3 ~ /\(dead\)/ { print $11 }' | sort -u)
[ -z "$dead" ] || is "$dead" 'GET /victim.txt' 'what the dead held is on the board'
counted=$(stat_of requests)
ok 'both are replaced' wait_for 30 drover_is_ready
for pid in "${pids[@]}"; do expect_gone "$pid"; done
cmp_stat requests -ge "$counted" 'what they did still counts'
is "$(curl -s -m $((20 * WAIT_FACTOR)) "http://127.0.0.1:$PORT/victim.txt")" hello 'they serve'
is_stat master.worker_deaths $((2 * round)) 'the deaths are counted'
is_stat master.worker_hangs 0 'as no hang'
ok 'and all is well' ctl status
kill "${PRESS[@]}" 2>/dev/null
for pid in "${PRESS[@]}"; do finish "$pid"; done
expect_stat conns -eq 0
done_testing
