#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
# The master is killed under load: its workers serve on, and a new drover with the same run directory takes listeners and
# connections over from them: no request fails, no connection ends, no orphan is left. ROUNDS: how often; CONNECTIONS and RATE:
# of the herd beside them.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/live.sh"

ROUNDS=${ROUNDS:-4} CONNECTIONS=${CONNECTIONS:-300} RATE=${RATE:-1000}

FOUND='found [0-9]* workers of a master that died'
found_more() {
	[ "$(grep -c "$FOUND" "$T/stderr")" -gt "$1" ]
}

# crash: the master dies, and nobody else.
crash() {
	kill -KILL "$DROVER_PID"
	{ wait "$DROVER_PID"; } 2>/dev/null
}

runs() {
	[ "$(stat_of master.pid 2>/dev/null)" = "$DROVER_PID" ] &&
		[ "$(ctl stat -H master.state | cut -f 2)" = running ]
}

runs_or_gone() {
	runs || is_gone "$DROVER_PID"
}

# again TITLE [ARGS]: a new master, and those that the old one left are gone.
again() {
	local title=$1 old start
	shift
	mapfile -t old < <(worker_pids)
	start=$(now_ms)
	launch_drover "$@"
	wait_for 10 runs_or_gone
	took=$(($(now_ms) - start))
	runs || die "$title" "$(tail -n 20 "$T/stderr")"
	if wait_for 10 all_gone "${old[@]}"; then pass "$title"; else fail "$title: no orphan is left" "$(ctl workers)"; fi
}

totals() {
	ctl stat -H requests accepts bytes_in bytes_out moved_in close_moved responses_2xx server.site.requests |
		awk '{ sum[$1] += $2 } END { for (k in sum) printf "%s %.0f\n", k, sum[k] }' | sort
}

never_down() {
	local before=$TOTALS
	TOTALS=$(totals)
	paste -d ' ' <(printf '%s\n' "$before") <(printf '%s\n' "$TOTALS") | awk '$4 < $2 || NF != 4 { print; bad = 1 } END { exit bad }'
}

two_and_two() {
	[ "$(children_of "$DROVER_PID" | wc -l)" -eq 4 ]
}

REUSED=$(free_port)
live_site
sed -i "s|^    listen = .*|    listen = { \"127.0.0.1:$REUSED\", \"127.0.0.1:0\", \"unix:$T/socket\" }\n    reuseport = true|
	s/^worker_connections = .*/worker_connections = $((CONNECTIONS + 4000))/" "$T/drover.conf"
start_drover
PORT=$(ctl listeners -H | awk -F '[:\t]' -v other="$REUSED" '$1 == "127.0.0.1" && $2 != other { print $2 }')
TO=("127.0.0.1:$PORT" "unix:$T/socket" "127.0.0.1:$REUSED")
TOTALS=$(totals)
is "$(find "$RUN" -name 'worker.*' -perm 0600 | wc -l)" 2 'each worker has a socket in the run directory'

spawn herd "$BUILD/herd" -Z -c "$CONNECTIONS" -k 5000 -r "$RATE" -d 1500 -w "$T/herd.ready" -p /1k "127.0.0.1:$PORT,127.0.0.1:$REUSED"
HERD=$PID
wait_for 60 test -e "$T/herd.ready" || die "$CONNECTIONS connections" "$(cat "$T/herd.err")"
live all -k "$KINDS"
for ((round = 1; round <= ROUNDS; round++)); do
	crash
	[ $((round % 2)) -eq 0 ] || say all step
	again "new master $round"
	cmp_ok "$took" -lt $((1500 * WAIT_FACTOR)) "it was there after $took ms"
	ok 'totals never go down' never_down
	ok 'two workers and their standbys' wait_for 10 two_and_two
done
is "$(find "$RUN" -name 'worker.*' | wc -l)" 2 'two sockets'
is_stat master.generation $((ROUNDS + 1)) 'each is a generation'
ok 'a reload goes on from there' ctl reload
say all step

# Two kills in a row: the second before the first new master is done.
crash
launch_drover
crash
again 'after two kills'
ok 'two workers and their standbys' wait_for 10 two_and_two
# And one that had begun to take over.
found=$(grep -c "$FOUND" "$T/stderr")
crash
launch_drover
ok 'it has begun' wait_for 5 found_more "$found"
crash
again 'after one that had begun'
say all step
ok 'totals never go down' never_down

# A configuration that cannot be started with leaves the orphans as they are.
allow_log 'Address already in use'
allow_log 'cannot start'
crash
cp "$T/drover.conf" "$T/kept.conf"
spawn blocker perl -MIO::Socket::INET -e '$| = 1;
	my $s = IO::Socket::INET->new(LocalAddr => "127.0.0.1", Listen => 1) or die; print $s->sockport, "\n"; sleep 1000'
blocker=$PID
wait_for 10 test -s "$T/blocker.out" || die 'the port is taken'
sed "s|listen = {|listen = { \"127.0.0.1:$(cat "$T/blocker.out")\",|" "$T/kept.conf" >"$T/drover.conf"
launch_drover
finish "$DROVER_PID" 10
is "$STATUS" 1 'an address in use: it does not start'
kill "$blocker"
finish "$blocker"
say all step
# Another one, that has more.
sed "s/^workers = .*/workers = 3/; s|listen = {|listen = { \"unix:$T/more\",|; s/^worker_connections = .*/worker_connections = $((CONNECTIONS + 5000))/" \
	"$T/kept.conf" >"$T/drover.conf"
again 'with another configuration'
is "$(worker_pids | wc -l)" 3 'three workers'
is "$(curl -sS --unix-socket "$T/more" http://site/ok)" ok 'the new address serves'
ok 'totals never go down, on another board' never_down
crash
cp "$T/kept.conf" "$T/drover.conf"
again 'and back'
ok 'the address is gone' test ! -e "$T/more"
ends all 'every answer was right, and no connection ended'
kill -TERM "$HERD"
finish "$HERD" 120
[ "$ROUNDS" -le 4 ] || diag "$(cat "$T/herd.out")"
is "$STATUS" 0 'the herd: no request failed, no connection was closed' || diag "$(cat "$T/herd.out" "$T/herd.err")"
for name in drained_idle drained_finished drained_forced close_drain close_forced moved_refused; do is_stat $name 0 "$name is 0"; done
expect_stat conns -eq 0

# One that is stopped does not hold the start up; its standby answers for it.
allow_log 'does not answer; killing it'
live idle -n 1 -k idle,fresh,download
mapfile -t pids < <(worker_pids)
kill -STOP "${pids[0]}"
crash
again 'beside a worker that is stopped'
cmp_ok "$took" -lt $((3500 * WAIT_FACTOR)) "it was there after $took ms"
ok 'that one was killed' grep -q "error .*(pid ${pids[0]}) of the former master does not answer; killing it" "$T/stderr"
ends idle 'its connections live on in its standby'

# TERM ends an orphan politely.
mapfile -t pids < <(worker_pids)
crash
are_orphans() {
	[ "$(grep -c -E "warn (${pids[0]}|${pids[1]}) .*the master is gone" "$T/stderr")" -eq 2 ]
}
ok 'orphans know that they are' wait_for 5 are_orphans
kill -TERM "${pids[@]}"
ok 'orphans end when they are told to' wait_for 10 all_gone "${pids[@]}"
DROVER_PID=
start_drover
is_stat master.generation 1 'a start without orphans begins anew'
done_testing
