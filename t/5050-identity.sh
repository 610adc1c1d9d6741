#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
# Who a request is: the same id in the response, the access log, the error log and on the board; traces kept or made; ids
# that are never the same, over workers, reloads, crashes and restarts, and that stay with a response which moves.
. "$(dirname "$0")/lib.sh"

mkdir "$T/www"
printf 'hello\n' >"$T/www/a.txt"
head -c 30000000 /dev/zero >"$T/www/large"
config <<EOC
workers = 3
log_level = info
access_log = "$T/access.log"
log_format = json
request_id = true
trust_request_id = { "127.0.0.7" }
server "s" {
    listen = { "127.0.0.1:0" }
    keepalive { requests = 0 }
    deadlines { send = 60s  min_rate = 0 }
    location "/" { root = "$T/www" }
    location "= /sink" { status = 200 }
}
server "quiet" {
    listen = { "127.0.0.3:0" }
    request_id = false
    access_log = off
    location "/" { root = "$T/www" }
}
EOC
start_drover
QUIET=127.0.0.3:$(port_of 2)

# header NAME [CURL OPTIONS]: of the response.
header() {
	local name=$1
	shift
	curl -s -m $((20 * WAIT_FACTOR)) -o /dev/null -D - "$@" "http://127.0.0.1:$PORT/a.txt" | tr -d '\r' |
		awk -v name="$name:" 'tolower($1) == tolower(name) { print $2 }'
}
# line_of FIELD VALUE WANTED: a field of the lines in which another has that value.
line_of() {
	perl -MJSON::PP -e '
		my ($log, $field, $value, $wanted) = @ARGV;
		open my $f, "<", $log or die;
		for (<$f>) { next if index($_, $value) < 0; my $l = decode_json($_); print "$l->{$wanted}\n" if $l->{$field} eq $value }' \
		"$T/access.log" "$@"
}
logged() {
	grep -q -F -- "$1" "$T/access.log"
}
expect_logged() {
	wait_for 10 logged "$1" || fail "$1 is in the access log"
}

id=$(header X-Request-Id)
like "$id" '^[0-9a-f]{32}$' 'the response names its request'
expect_logged "$id"
is "$(line_of id "$id" trace)" "$id" 'so does the access log, and the trace that was made is that of the id'
like "$(line_of id "$id" span)" '^[0-9a-f]{16}$' 'with a span of its own'
is "$(line_of id "$id" listener) $(line_of id "$id" protocol)" '127.0.0.1:0 HTTP/1.1' 'with the listener and the protocol'
is "$(curl -s -m $((20 * WAIT_FACTOR)) -o /dev/null -D - "http://$QUIET/a.txt" | grep -ci x-request-id)" 0 'not where it is off'

# Traces.
TRACE=4bf92f3577b34da6a3ce929d0e0e4736
id=$(header X-Request-Id -H "traceparent: 00-$TRACE-00f067aa0ba902b7-01")
expect_logged "$id"
is "$(line_of id "$id" trace)" "$TRACE" 'a traceparent is kept'
isnt "$(line_of id "$id" span)" 00f067aa0ba902b7 'the span is our own'
id=$(header X-Request-Id -H "traceparent: 00-${TRACE^^}-00f067aa0ba902b7-01")
expect_logged "$id"
is "$(line_of id "$id" trace)" "$id" 'one that is malformed is not'

# Ids of others.
for sent in f81d4fae-7dec-11d0-a765-00a0c91e6bf6 0123456789abcdef0123456789abcdef short-one Root=1-67891233-abcdef012345678912345678; do
	is "$(header X-Request-Id --interface 127.0.0.7 -H "X-Request-Id: $sent")" "$sent" "kept from whom we trust: $sent"
	expect_logged "\"id\":\"$sent\""
	isnt "$(header X-Request-Id -H "X-Request-Id: $sent")" "$sent" 'and from nobody else'
done
is "$(grep -c '"id":"short-one"' "$T/access.log")" 1 'logged once'
for sent in 'two words' 'a"b' '<script>' "$(printf '%065d' 1)"; do
	like "$(header X-Request-Id --interface 127.0.0.7 -H "X-Request-Id: $sent")" '^[0-9a-f]{32}$' "not what may not be one: ${sent:0:20}"
done

# The error log.
printf 'GET /a.txt HTTP/1.1\r\nHost: x\r\nbad field: y\r\n\r\n' | perl "$ROOT/t/tools/raw.pl" "127.0.0.1:$PORT" >"$T/bad" 2>&1
id=$(tr -d '\r' <"$T/bad" | awk '$1 == "X-Request-Id:" { print $2 }')
like "$id" '^[0-9a-f]{32}$' 'a refused request has an id'
expect_logged "$id"
like "$(grep -F "req=$id" "$T/stderr")" "info [0-9]+ \\[[0-2]\\] conn=$(line_of id "$id" conn) req=$id request refused: field_name \\(400\\)" \
	'and the error log names it, with its connection'
is "$(line_of id "$id" by) $(line_of id "$id" in) $(line_of id "$id" ended)" 'server head refused' \
	'the access log says who ended it, in which state and why'

# Whatever bytes clients send, a line is JSON.
perl -MIO::Socket::INET -e '
	srand 42;
	for (1 .. 300) {
		my $s = IO::Socket::INET->new(PeerAddr => $ARGV[0]) or die;
		my $any = sub { join "", map { my $c = int rand 256; $c == 10 || $c == 13 || $c == 0 ? "\xff" : chr $c } 1 .. rand 400 };
		my $visible = join "", map { chr 33 + int rand 94 } 1 .. rand 100;
		print {$s} "GET /?$visible HTTP/1.1\r\nHost: x\r\nUser-Agent: " . $any->() . "\r\nReferer: \xc3\xa4\\\"" . $any->() .
			"\r\nX-Request-Id: " . $any->() . "\r\ntraceparent: " . $any->() . "\r\nConnection: close\r\n\r\n";
		$s->flush; 1 while sysread $s, my $in, 65536;
	}' "127.0.0.1:$PORT"
many() { [ "$(wc -l <"$T/access.log")" -ge 300 ]; }
wait_for 10 many
ok 'whatever bytes clients send, each line is one JSON object' perl -MJSON::PP -ne '
	my $l = decode_json($_); die $_ if ref $l ne "HASH" || $l->{id} !~ m{^[\w.~:+/=-]+$} || $l->{trace} !~ /^[0-9a-f]{32}$/' "$T/access.log"

# Cut in the middle of a body.
perl -MIO::Socket::INET -e '
	my $s = IO::Socket::INET->new(PeerAddr => shift) or die;
	print {$s} "POST /sink HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\nten bytes."; $s->flush;
	select undef, undef, undef, 0.7; close $s' "127.0.0.1:$PORT"
expect_stat requests_cut -eq 1
expect_logged '"target":"/sink"'
is "$(line_of target /sink status) $(line_of target /sink by) $(line_of target /sink in) $(line_of target /sink ended)" \
	'0 client body client_abort' 'a request that is cut is logged: by whom and where'
ok 'its time was spent on the body' perl -e 'exit !(shift() > 0.2)' "$(line_of target /sink body)"
like "$(grep -F "req=$(line_of target /sink id)" "$T/stderr")" 'request cut: client_abort' 'and in the error log'

# A response that moves, by a reload and by a crash, keeps its identity.
cat >"$T/slow.pl" <<'EOP'
use strict; use warnings; use IO::Socket::INET;
my ($to, $go) = @ARGV;
my $s = IO::Socket::INET->new(PeerAddr => $to) or die;
print {$s} "GET /large HTTP/1.1\r\nHost: x\r\ntraceparent: 00-11111111111111111111111111111111-2222222222222222-01\r\nConnection: close\r\n\r\n";
$s->flush;
my ($got, $head) = (0, "");
sysread $s, $head, 1000;
STDOUT->autoflush(1);
print $head =~ /X-Request-Id: (\S+)/ ? "$1\n" : "none\n";
open my $f, "<", $go or die; <$f>;
$got = length $head;
while (my $n = sysread $s, my $in, 1 << 20) { $got += $n }
print $got - index($head, "\r\n\r\n") - 4, "\n";
EOP
mkfifo "$T/go"
spawn slow perl "$T/slow.pl" "127.0.0.1:$PORT" "$T/go"
slow=$PID
wait_for 10 test -s "$T/slow.out"
id=$(head -n 1 "$T/slow.out")
on_board() {
	ctl conns -H state=send "request_id=$id" | cut -f 12,13
}
stands() {
	[ "$(on_board)" = "$id	11111111111111111111111111111111" ]
}
ok 'the board names the request under way' wait_for 10 stands
is "$(ctl conns -j "trace_id=11111*" | perl -MJSON::PP -e 'print decode_json(join "", <>)->{conns}[0]{request_id}')" "$id" 'it is found by its trace'
like "$(ctl status -H | grep '^slowest now')" "request $id for .*: GET /large" 'status names it as the slowest'
ok 'a reload moves it' ctl reload
ok 'with its identity' wait_for 10 stands
slot=$(ctl conns -H "request_id=$id" | cut -f 2)
# The one of before may not have left yet.
pid=$(ctl workers -H | awk -F '\t' -v slot="$slot" '$1 == slot && $4 ~ /^ready/ { print $3 }')
allow_log "worker $slot \\(pid $pid, generation 2\\) killed by signal 9 \\(KILL\\)"
wait_for 10 guarded
kill -KILL "$pid"
expect_stat takeovers -eq 1
ok 'so does a crash' wait_for 10 stands
echo go >"$T/go"
finish "$slow"
is "$(tail -n 1 "$T/slow.out")" 30000000 'it arrives whole'
expect_logged "\"id\":\"$id\""
is "$(line_of id "$id" trace) $(line_of id "$id" in)" '11111111111111111111111111111111 send' 'and is logged under it'

# Never the same: 100,000 requests, and more, on three workers, over reloads, crashes and a restart.
allow_log 'worker [0-2] \(pid [0-9]+, generation [0-9]+\) killed by signal 9 \(KILL\)'
spawn herd "$BUILD/herd" -c 30 -n 80000 -d 3600 -p /a.txt "127.0.0.1:$PORT"
herd=$PID
expect_stat requests -ge 10000 20
ok 'reload' ctl reload
wait_for 10 guarded
kill -KILL "$(worker_pids | head -n 1)"
expect_stat takeovers -eq 2
finish "$herd" 300
stop_drover
mv "$RUN/drover.board" "$T/" 2>/dev/null
start_drover
ok 'requests after a restart' "$BUILD/herd" -c 30 -n 30000 -d 3600 -p /a.txt "127.0.0.1:$PORT"
stop_drover
cmp_ok "$(wc -l <"$T/access.log")" -ge 100000 'more than 100,000 requests were logged'
ok 'no id and no span comes twice, lines are JSON, the phases are the whole' perl -MJSON::PP -e '
	my (%id, %span, $n); my $json = JSON::PP->new;
	while (<>) {
		my ($id) = /"id":"([^"]+)"/ or die "no id: $_"; my ($span) = /"span":"([0-9a-f]{16})"/ or die "no span: $_";
		die "twice: $_" if $id{$id}++ || $span{$span}++;
		next if $n++ % 100;
		my $l = $json->decode($_);
		die "phases: $_" if abs($l->{head} + $l->{body} + $l->{respond} + $l->{send} - $l->{duration}) > 1e-9;
		die "keys: $_" for grep !defined $l->{$_}, qw(time id trace span listener peer port conn request method target protocol host
			server status bytes bytes_out bytes_in duration head body respond send referer user_agent ended by in);
	}' "$T/access.log"
done_testing
