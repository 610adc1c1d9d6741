#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
# What the counters say is what clients say; rates and percentiles are plausible; nothing that counts ever goes down, over
# the death of a worker and over reloads.
. "$(dirname "$0")/lib.sh"

mkdir "$T/www"
printf 'hello\n' >"$T/www/a.txt"
start_drover <<EOF
workers = 2
worker_connections = 4000
rebalance = false
server "first" {
    listen = { "127.0.0.1:0" }
    location "/" { root = "$T/www" }
    location "= /sink" { status = 200 }
    location "/old/" { redirect = "/a.txt"  status = 301 }
}
server "second" {
    listen = { "127.0.0.1:0" }
    location "/" { root = "$T/www" }
}
EOF
SECOND=$(port_of 2)

# between LOW VALUE HIGH NAME
between() {
	if [ "$1" -le "$2" ] && [ "$2" -le "$3" ]; then pass "$4"; else fail "$4" "got $2, want $1 to $3"; fi
}

# A request whose time is known: the last byte of its body is sent a while after the board has told of it.
start=$(now_ms)
spawn slow perl -MIO::Socket::INET -e '
	my $s = IO::Socket::INET->new(PeerAddr => $ARGV[0]) or die;
	syswrite $s, "POST /sink HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 2\r\n\r\na";
	select undef, undef, undef, 0.02 until -e $ARGV[1];
	syswrite $s, "b";
	local $/;
	print scalar <$s>' "127.0.0.1:$PORT" "$T/go"
wait_stat conns_body -eq 1
seen=$(now_ms)
a_while() {
	[ $(($(now_ms) - seen)) -ge 360 ]
}
wait_for 10 a_while
least=$((($(now_ms) - seen) * 1000))
: >"$T/go"
finish "$PID"
took=$((($(now_ms) - start) * 1000))
is_stat latency.count 1 'latency.count'
for figure in p50 p90 p99 p999; do
	between $((least * 3 / 4)) "$(stat_of latency.$figure)" $((took * 5 / 4)) "latency.$figure of one slow request"
done

# Clients and counters agree. told NAME: the account of the last herd.
told() {
	awk -v name="$1" '$1 == name { print $2 }' "$T/herd.out"
}
NAMES='requests requests_started responses_2xx responses_3xx responses_4xx responses_5xx accepts bytes_in bytes_out latency.count'
NAMES+=" server.first.requests server.first.responses_2xx server.first.bytes_in server.first.bytes_out server.second.requests"
NAMES+=" listener.127.0.0.1:$PORT.accepts listener.127.0.0.1:$SECOND.accepts"
declare -A BEFORE GREW
mark() {
	local name value
	# shellcheck disable=SC2086
	while read -r name value; do BEFORE[$name]=$value; done < <(ctl stat -H $NAMES)
}
herd() {
	local name value
	expect_stat conns -eq 0
	mark
	spawn herd "$BUILD/herd" "$@"
	finish "$PID"
	expect_stat conns -eq 0
	# shellcheck disable=SC2086
	while read -r name value; do GREW[$name]=$((value - BEFORE[$name])); done < <(ctl stat -H $NAMES)
}
herd -c 20 -n 5000 -p /a.txt "127.0.0.1:$PORT"
is "$STATUS" 0 'five thousand requests'
for name in requests requests_started responses_2xx latency.count server.first.requests server.first.responses_2xx; do
	is "${GREW[$name]}" 5000 "$name"
done
is "${GREW[accepts]} ${GREW[listener.127.0.0.1:$PORT.accepts]}" '20 20' 'accepts'
is "${GREW[bytes_out]} ${GREW[server.first.bytes_out]}" "$(told bytes_in) $(told bytes_in)" 'bytes_out: what the clients read'
is "${GREW[bytes_in]}" "${GREW[server.first.bytes_in]}" 'bytes_in: the server'\''s'
is "${GREW[responses_4xx]}${GREW[responses_5xx]}${GREW[server.second.requests]}" 000 'and nothing else'
# The clients' times hold ours: a quantile may be off by a quarter.
for figure in p50 p90 p99; do
	between 1 "$(ctl stat -H latency.$figure | cut -f 2)" $(($(told "${figure}_us") * 3 / 2 + 200)) "latency.$figure"
done
cmp_ok "$(stat_of latency.p50)" -le "$(stat_of latency.p99)" 'percentiles in their order'
herd -c 5 -n 300 -1 -p /none "127.0.0.1:$PORT"
is "${GREW[requests]} ${GREW[responses_4xx]} ${GREW[responses_2xx]} ${GREW[accepts]}" "300 300 0 $(told connects)" '404, a connection each'
herd -c 5 -n 300 -m HEAD -p /old/ "127.0.0.1:$SECOND"
is "${GREW[requests]} ${GREW[server.second.requests]} ${GREW[server.first.requests]} ${GREW[listener.127.0.0.1:$SECOND.accepts]}" \
	'300 300 0 5' 'the other server'
herd -c 5 -n 300 -p /old/x "127.0.0.1:$PORT"
is "${GREW[responses_3xx]} $(told status_3xx)" '300 300' 'redirects'

# Rates.
spawn steady "$BUILD/herd" -c 20 -r 400 -d 3600 -p /a.txt "127.0.0.1:$PORT"
STEADY=$PID
wait_stat conns -eq 20
# figure NAME: the last one.
figure() {
	awk -F '\t' -v name="$1" '$1 == name { n = $2 } END { printf "%.0f", n }' "$T/rates"
}
is_near() {
	[ "$(figure "$1")" -ge 200 ] && [ "$(figure "$1")" -le 800 ]
}
# What a machine that stood still for a moment has not asked, it asks at once when it goes on: that interval is not looked at.
steady() {
	ctl stat -H -i 1 -n 2 requests latency.count conns 'server.first.responses_2xx' >"$T/rates" || return 1
	is_near requests && is_near server.first.responses_2xx && is_near latency.count
}
ok 'stat -i: requests a second, in all and of the server, and values in the interval' wait_for 15 steady || diag "$(cat "$T/rates")"
is "$(wc -l <"$T/rates")" 8 'twice, each name'
is "$(figure conns)" 20 'a gauge is no rate'
steady_json() {
	ctl stat -j -i 500ms -n 2 requests >"$T/rates" && [ "$(wc -l <"$T/rates")" -eq 2 ] && perl -MJSON::PP -ne '
		my $j = decode_json($_);
		exit 1 if $j->{interval_s} <= 0 || $j->{rates}{requests} < 100 || $j->{rates}{requests} > 1600' "$T/rates"
}
ok 'as JSON, a line each' wait_for 15 steady_json || diag "$(cat "$T/rates")"
kill "$STEADY"
finish "$STEADY"

# Nothing goes down.
loaded=$(stat_of requests)
spawn load "$BUILD/herd" -c 50 -r 2000 -d 600 -p /a.txt "127.0.0.1:$PORT,127.0.0.1:$SECOND"
LOAD=$PID
wait_stat conns -eq 50
spawn watch bash -c '
	for ((i = 0; ; i++)); do
		[ ! -e "$3/enough" ] || exit 0
		printf "look\t%d\n" $i
		"$1" -r "$2" stat -a -H || exit 1
		read -r -t 0.02 -u 9
	done 9<> <(:)' - "$BUILD/droverctl" "$RUN" "$T"
WATCH=$PID
wait_for 10 guarded
victim=$(worker_pids | head -n 1)
kill -KILL "$victim"
allow_log "worker [01] \\(pid $victim, generation 1\\) killed by signal 9"
wait_stat master.worker_deaths -eq 1
ok 'another worker takes its place' wait_for 15 drover_is_ready
before=$(stat_of requests)
expect_stat requests -gt $((before + 500))
ok 'reload' ctl reload
sed -i 's/workers = 2/workers = 1/; s/server "second"/server "renamed"/' "$T/drover.conf"
ok 'reload with fewer workers' ctl reload
sed -i 's/workers = 1/workers = 3/; s/server "renamed"/server "second"/' "$T/drover.conf"
ok 'reload with more' ctl reload
ok 'they are ready' wait_for 15 drover_is_ready
kill "$LOAD"
finish "$LOAD"
expect_stat conns -eq 0
looked() {
	[ "$(grep -c '^look' "$T/watch.out")" -ge 20 ]
}
wait_for 30 looked
: >"$T/enough"
finish "$WATCH"
is "$STATUS" 0 'a reader saw it all'
cmp_ok "$(grep -c '^look' "$T/watch.out")" -ge 20 'many times'
ctl stat -l -H >"$T/fields"
ok 'no counter ever went down' perl -e '
	my ($dir, %kind, %last, $look, $seen) = @ARGV;
	open my $f, "<", "$dir/fields" or die;
	while (<$f>) { my ($name, $kind) = split /\t/; $kind{$name} = $kind }
	open $f, "<", "$dir/watch.out" or die;
	while (<$f>) {
		chomp;
		my ($name, $value) = split /\t/;
		if ($name eq "look") { $look = $value; next }
		my $field = $name =~ s/^(listener|server)\..*\.(\w+)$/$1.*.$2/r;
		next if ($kind{$field} // "") ne "counter" && $name !~ /\.count$/;
		die "$name fell from $last{$name} to $value at look $look\n" if ($last{$name} // 0) > $value;
		$last{$name} = $value;
		$seen++;
	}
	die "only $seen values\n" if $seen < 2000' "$T"
answered=$(awk '$1 == "answered" { print $2 }' "$T/load.out")
total=$(($(stat_of server.first.requests) + $(stat_of server.second.requests) + $(ctl stat -a -H server.renamed.requests | cut -f 2)))
# The worker that was killed may have answered one that it did not come to count: that is the connection that was lost with it.
lost=$(stat_of close_lost)
requests=$(stat_of requests)
cmp_ok "$lost" -le 1 'one connection was lost at most'
between $((requests - lost)) "$total" $((requests + lost)) 'the requests of all servers are those of all workers'
between $((answered - lost)) $((total - loaded)) "$(awk '$1 == "requests" { print $2 }' "$T/load.out")" \
	'at least as many as were answered, at most as many as were sent'
is_stat responses_5xx 0 'no failure'
stop_drover
cmp_stat requests -ge "$total" 'the last word is still there'
done_testing
