#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
# Metrics: droverctl and the location say the same, in both formats, in a form that promtool and a strict reader take; the
# figures are right; they are for this machine alone; scrapes survive reloads, deaths and hanging workers, and cost little.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/promtool.sh"

mkdir "$T/www"
printf 'hello\n' >"$T/www/a.txt"
DEAD=127.0.0.1:$(free_port)
many=
for ((i = 0; i < 240; i++)); do many+="server \"many$i\" { listen = { \"unix:$T/s\" } names = { \"m$i.example\" } location \"/\" { status = 204 } }
"; done
conf() {
	cat <<EOC
workers = 2
worker_connections = 500
hang = 60s
drain = 5m
deadlines { header = 10m  send = 10m  idle = 10m  min_rate = 0 }
server "odd \\"name\\\\ ü \\xff" {
    listen = { "127.0.0.1:0" }
    location "/" { root = "$T/www" }
    location "= /metrics" { metrics = true }
    location "= /others" { metrics = true  allow = { "192.0.2.0/24" } }
    location "= /all" { metrics = true  allow = { "all" } }
    location "= /nobody" { metrics = true  deny = { "127.0.0.1" } }
    location "= /500" { status = 500 }
    location "/api/" { proxy = "api"  rewrite = "/" }
}
upstream "api" {
    keepalive { conns = 0 }
    peer "$DEAD" { max_fails = 1  fail_time = 10m  weight = 3 }
    peer "unix:$T/s" { }
    peer "127.0.0.1:9" { down = true }
}
server "unix" {
    listen = { "unix:$T/s" }
    allow = { "all" }
    location "= /metrics" { metrics = true }
}
EOC
}
start_drover <<EOF
$(conf)
EOF
URL=http://127.0.0.1:$PORT/metrics
get() {
	curl -sS --max-time $((10 * WAIT_FACTOR)) "$@" 9<&-
}
read_text() {
	perl "$ROOT/t/tools/metrics.pl" "$@"
}
# value SERIES: of what was last read into $T/now.
value() {
	SERIES=$1 awk -F '\t' '$1 == ENVIRON["SERIES"] { print $2 }' "$T/now"
}
look() {
	ctl metrics | read_text -v >"$T/now"
}
holds() {
	look && test "$(value "$1")" "$2" "$3"
}

# Some traffic, with known ends.
for _ in 1 2 3 4 5 6 7; do get -o "$T/out" "http://127.0.0.1:$PORT/a.txt"; done
for _ in 1 2 3; do get -o "$T/out" "http://127.0.0.1:$PORT/none"; done
get -o "$T/out" "http://127.0.0.1:$PORT/500"
expect_stat requests -eq 11

# Both formats, from both.
OM='Accept: application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75,text/plain;version=0.0.4;q=0.5,*/*;q=0.1'
ok 'droverctl metrics' ctl metrics
cp "$T/.ok" "$T/cli"
ok 'droverctl metrics -o' ctl metrics -o
cp "$T/.ok" "$T/cli.om"
get -D "$T/head" "$URL" >"$T/http"
like "$(tr -d '\r' <"$T/head")" $'^HTTP/1.1 200 OK\n.*Content-Type: text/plain; version=0.0.4; charset=utf-8\nCache-Control: no-store\n' 'over HTTP'
get -D "$T/head" -H "$OM" "$URL" >"$T/http.om"
like "$(tr -d '\r' <"$T/head")" 'Content-Type: application/openmetrics-text; version=1.0.0; charset=utf-8' 'OpenMetrics for who asks for it'
for source in cli http; do
	promtool_ok "promtool check metrics: $source" "$T/$source" check metrics
	ok "$source: a strict reader takes it" read_text "$T/$source"
	cp "$T/.ok" "$T/$source.series"
	ok "$source: OpenMetrics too" read_text -o "$T/$source.om"
	is "$(diff "$T/.ok" "$T/$source.series")" '' "$source: the same series"
done
is "$(diff "$T/cli.series" "$T/http.series")" '' 'droverctl and the worker say the same'
if /usr/bin/python3 -c 'import prometheus_client' 2>/dev/null; then
	ok 'so does the reader of the Prometheus project' /usr/bin/python3 -c '
import sys
from prometheus_client.openmetrics.parser import text_string_to_metric_families
assert len(list(text_string_to_metric_families(open(sys.argv[1]).read()))) > 50' "$T/http.om"
fi
for accept in 'text/plain' '*/*' 'application/openmetrics-text;q=0' 'text/plain, application/openmetrics-text;q=0.4' 'application/openmetrics-textual'; do
	get -D "$T/head" -o "$T/out" -H "Accept: $accept" "$URL"
	like "$(cat "$T/head")" 'Content-Type: text/plain' "Accept: $accept"
done
ok 'as JSON' perl -MJSON::PP -e 'my $j = decode_json(`$ARGV[0] -r $ARGV[1] metrics -j`);
	die if $j->{schema} ne "drover/1" || $j->{text} !~ /^# HELP drover_build_info/' "$BUILD/droverctl" "$RUN"

# The figures.
expect_stat conns -eq 0
look
read -r requests < <(stat_of requests)
odd='odd \"name\\ ü '$'\xef\xbf\xbd'
is "$(value 'drover_requests_total{}')" "$requests" 'requests'
is "$(value 'drover_responses_total{class="4xx"}') $(value 'drover_responses_total{class="5xx"}')" '3 1' 'by class'
is "$(value "drover_server_responses_total{server=\"$odd\",class=\"4xx\"}")" 3 'by server, whose name is escaped'
is "$(value 'drover_request_duration_seconds_count{}')" "$requests" 'the histogram has them all'
ok 'their time together is plausible' perl -e 'exit !($ARGV[0] > 0 && $ARGV[0] < 20)' "$(value 'drover_request_duration_seconds_sum{}')"
is "$(awk -F '\t' '/^drover_worker_requests_total/ { n += $2 } END { print n }' "$T/now")" "$requests" 'slots add up to it'
is "$(value 'drover_worker_up{slot="0"}')$(value 'drover_worker_up{slot="1"}')$(value 'drover_master_up{}')" 111 'all are up'
is "$(value 'drover_workers{state="ready"}')" 2 'two are ready'
is "$(value "drover_listener_queue_max{listener=\"127.0.0.1:$PORT\"}")" 4096 'a listener'
is "$(value 'drover_master_reload_result{result="none"}')" 1 'no reload yet'
ok 'bounds of the histogram do not depend on what is in it' grep -q 'drover_request_duration_seconds_bucket{le="0.262144"}' "$T/now"

# Peers: one is not there, one is well, one is not to be used.
for _ in 1 2 3 4 5 6; do get -f -o "$T/out" "http://127.0.0.1:$PORT/api/metrics" || fail 'a request to the peer that is well'; done
expect_stat conns -eq 0
look
dead="upstream=\"api\",peer=\"$DEAD\"" well="upstream=\"api\",peer=\"unix:$T/s\"" down='upstream="api",peer="127.0.0.1:9"'
is "$(value "drover_peer_responses_total{$well,class=\"2xx\"}")" 6 'what a peer answered, by class'
is "$(value "drover_peer_request_duration_seconds_count{$well}")" 6 'and how long that took'
is "$(value "drover_peer_connect_failures_total{$dead}") $(value "drover_peer_ejected{$dead}")" '1 1' 'one that is not there is ejected'
is "$(for p in "$dead" "$well" "$down"; do value "drover_peer_up{$p}"; done | tr '\n' ' ')" '0 1 0 ' 'which ones requests may go to'
is "$(for p in "$dead" "$well" "$down"; do value "drover_peer_troubled{$p}"; done | tr '\n' ' ')" '1 0 0 ' 'and which of the others somebody meant so'
is "$(value "drover_peer_weight{$dead}") $(value "drover_peer_down{$down}")" '3 1' 'settings'
like "$(ctl status -H)" "peers	1 of 3 take requests; not: api $DEAD \\(ejected\\)" 'droverctl status tells it in a line'
promtool_ok 'promtool check metrics: peers' <(ctl metrics) check metrics
ok 'a strict reader takes them' read_text -o <(ctl metrics -o)

# Connections by state.
HOLD=()
hold() {
	spawn "hold${#HOLD[@]}" perl -MIO::Socket::INET -e '
		my $s = IO::Socket::INET->new(PeerAddr => shift) or die;
		print $s shift =~ s/\|/\r\n/gr;
		$s->flush;
		select undef, undef, undef, 1000' "127.0.0.1:$PORT" "$1"
	HOLD+=("$PID")
}
hold 'GET /a.txt HTTP/1.1|Host: x||'
hold 'GET /a.txt HTTP/1.1|Host: x||'
hold 'GET /a.txt?token=secret HTTP/1.1|Host: x|'
ok 'two are idle' wait_for 10 holds 'drover_connections{state="idle"}' -eq 2
ok 'one sends its head' wait_for 10 holds 'drover_connections{state="head"}' -eq 1
is "$(awk -F '\t' '/^drover_connections\{/ { n += $2 } END { print n }' "$T/now")" "$(value 'drover_connections_open{}')" 'states add up to all'
kill "${HOLD[@]}"
ok 'gone again' wait_for 10 holds 'drover_connections_open{}' -eq 0
is "$(awk -F '\t' '/^drover_connections\{/ { n += $2 } END { print n }' "$T/now")" 0 'in every state'

# Methods, and who may.
is "$(get -o "$T/out" -w '%{http_code}' -X POST -d x "$URL")" 405 'POST'
like "$(get -X DELETE -D - -o /dev/null "$URL" | tr -d '\r')" 'Allow: GET, HEAD, OPTIONS' 'DELETE: what is allowed'
get -I "$URL" >"$T/head"
like "$(tr -d '\r' <"$T/head")" $'^HTTP/1.1 200 OK\n.*Content-Length: [0-9]{4,}' 'HEAD'
is "$(get -o "$T/out" -w '%{http_code}' -X OPTIONS "$URL")" 204 'OPTIONS'
is "$(get -o "$T/out" -w '%{http_code}' "http://127.0.0.1:$PORT/others")" 403 'an allow for others only'
is "$(get -o "$T/out" -w '%{http_code}' "http://127.0.0.1:$PORT/nobody")" 403 'a deny holds'
is "$(get -o "$T/out" -w '%{http_code}' "http://127.0.0.1:$PORT/all")" 200 'an allow for all'
is "$(get -o "$T/out" -w '%{http_code}' --interface 127.0.0.9 "$URL")" 200 'any loopback address'
is "$(get -o "$T/out" -w '%{http_code}' --unix-socket "$T/s" http://x/metrics)" 200 'a unix socket'
"$BUILD/drover" -T -c "$T/drover.conf" >"$T/full.conf" 2>"$T/err"
is "$(grep -A 4 'location "= /metrics"' "$T/full.conf" | grep -c 'allow = { "::1/128", "127.0.0.0/8" }')" 2 \
	'this machine alone, whatever the server allows'
ok 'what -T prints means the same' "$BUILD/drover" -t -c "$T/full.conf"

# At most one rendering a second: two answers in one breath are the same, the age of the heartbeat included.
twice() {
	get "$URL" --next -sS "$URL" >"$T/twice" && [ "$(grep -c '^drover_master_heartbeat_age_seconds' "$T/twice")" -eq 2 ] &&
		[ "$(grep '^drover_master_heartbeat_age_seconds' "$T/twice" | sort -u | wc -l)" -eq 1 ]
}
ok 'a second one within a second costs nothing' wait_for 5 twice
differs() {
	get "$URL" >"$T/later"
	! cmp -s "$T/first" "$T/later"
}
get "$URL" >"$T/first"
ok 'but after a second there is news' wait_for 5 differs

# Scrapes that are under way while their worker is replaced, then killed: large, a hundred at once, and not read for now.
{ conf && printf '%s' "$many"; } >"$T/drover.conf"
ok 'reload: many servers' ctl reload
slow() {
	rm -f "$T/go"
	spawn slow perl -MSocket -MIO::Socket::INET -e '
		socket(my $s, PF_INET, SOCK_STREAM, 0) or die;
		setsockopt($s, SOL_SOCKET, SO_RCVBUF, pack("i", 2048)) or die;
		connect($s, sockaddr_in($ARGV[0], inet_aton("127.0.0.1"))) or die;
		syswrite $s, "GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n" x 99 . "GET /metrics HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
		select undef, undef, undef, .01 until -e $ARGV[1];
		local $/;
		print scalar <$s>' "$PORT" "$T/go"
	SLOW=$PID
	ok "$1: a scrape is under way" wait_for 10 sends
}
sends() {
	[ -n "$(ctl conns -H state=send 'request=GET /metrics')" ]
}
whole() {
	: >"$T/go"
	finish "$SLOW"
	ok "$1: all hundred are whole" perl -e '
		my ($all, $n) = (do { local (@ARGV, $/) = "$ARGV[0]/slow.out"; <> }, 0);
		while ($all =~ s/^(HTTP\/1\.1 200 .*?\r\n\r\n)//s) {
			my ($length) = $1 =~ /Content-Length: (\d+)/ or die;
			open my $f, ">", "$ARGV[0]/body" or die;
			print $f substr($all, 0, $length, "");
			close $f;
			die "short\n" if -s "$ARGV[0]/body" != $length;
			system($^X, "$ARGV[1]/t/tools/metrics.pl", "$ARGV[0]/body") == 0 or die if $n++ % 33 == 0;
		}
		die "$n came, then $all\n" if $n != 100 || $all ne ""' "$T" "$ROOT"
}
look
grep -E '_total(\{|	)' "$T/now" >"$T/before"
slow reload
ok 'reload' ctl reload
whole reload
slow death
victim=$(ctl conns -H state=send | cut -f 2)
victim=$(ctl workers -H | awk -F '\t' -v slot="$victim" '$1 == slot && $4 ~ /^ready/ { print $3 }')
allow_log "\\(pid $victim, generation 3\\) killed by signal 9"
wait_for 10 guarded
kill -KILL "$victim"
expect_stat takeovers -eq 1
whole death
look
ok 'no total ever went down' perl -e '
	my %now;
	open my $f, "<", "$ARGV[0]/now" or die;
	while (<$f>) { chomp; my ($s, $v) = split /\t/; $now{$s} = $v }
	open $f, "<", "$ARGV[0]/before" or die;
	my $n;
	while (<$f>) { chomp; my ($s, $v) = split /\t/; $n++; die "$s: $v, then $now{$s}\n" if $now{$s} < $v }
	die if $n < 80' "$T"
is "$(value 'drover_takeovers_total{}')" 1 'the takeover is counted'
ok 'descriptors of pages nobody asks for are closed' wait_for 10 stat_is fds -le 4

# Everything stands still.
mapfile -t workers < <(worker_pids)
kill -STOP "${workers[@]}"
hung() {
	look && [ "$(value 'drover_worker_up{slot="0"}')$(value 'drover_worker_up{slot="1"}')" = 00 ] &&
		[ "$(value 'drover_workers{state="hung"}')" = 2 ]
}
ok 'with all workers stopped, droverctl tells that they hang' wait_for 15 hung
is "$(value 'drover_master_up{}')" 1 'and that the master does not'
promtool_ok 'promtool check metrics: hung' <(ctl metrics) check metrics
kill -CONT "${workers[@]}"
ok 'they go on' wait_for 15 holds 'drover_workers{state="ready"}' -eq 2

# Rules and dashboard.
for file in recording alerts; do
	promtool_ok "promtool check rules: $file" /dev/null check rules "$ROOT/etc/prometheus/drover-$file.yml"
done
promtool_ok 'promtool test rules' /dev/null test rules "$ROOT/etc/prometheus/drover-alerts-test.yml"
ok 'every metric that rules and dashboard name exists, and every alert has its test' perl -MJSON::PP -e '
	my ($etc, $now) = @ARGV;
	local $/;
	my %file = map { open my $f, "<", "$etc/$_" or die "$_: $!"; $_ => scalar <$f> }
	    qw(prometheus/drover-recording.yml prometheus/drover-alerts.yml prometheus/drover-alerts-test.yml grafana/drover.json);
	open my $f, "<", $now or die;
	my %have = map { /^(\w+)/ ? ($1 => 1) : () } split /\n/, <$f>;
	my ($n, $text, @exprs) = (0);
	$have{$1} = 1 while $file{"prometheus/drover-recording.yml"} =~ /record: (\S+)/g;
	my $find; $find = sub {
		my $x = shift;
		if (ref $x eq "HASH") { for (sort keys %$x) { push @exprs, $x->{$_} if $_ eq "expr"; $find->($x->{$_}) } }
		elsif (ref $x eq "ARRAY") { $find->($_) for @$x }
	};
	$find->(decode_json($file{"grafana/drover.json"}));
	die "panels" if @exprs < 25;
	for (@exprs, $file{"prometheus/drover-recording.yml"} =~ s/^.*record:.*$//mgr, $file{"prometheus/drover-alerts.yml"} =~ s/^ *(alert|name|summary): .*$|^#.*$|drover-\w+//mgr,
	    $file{"prometheus/drover-alerts-test.yml"} =~ s/^#.*$|drover-\S+//mgr) {
		while (/((?:\w+:)?\bdrover_\w+(?::\w+)?)/g) { $n++; die "$1 does not exist\n" if !$have{$1} }
	}
	die "only $n names" if $n < 150;
	my @alerts = $file{"prometheus/drover-alerts.yml"} =~ /alert: (\w+)/g;
	die "alerts" if @alerts < 20;
	for (@alerts) {
		$file{"prometheus/drover-alerts-test.yml"} =~ /name: $_\n(.*?)(?=\n  - name|\z)/s or die "$_ has no test\n";
		my $test = $1;
		$test =~ /exp_samples: \[\]/ && $test =~ /alertname="$_"/ or die "$_: test\n";
	}' "$ROOT/etc" "$T/now"
done_testing
