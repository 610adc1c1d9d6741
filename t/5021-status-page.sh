#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
# The status page and its JSON: self-contained, by its policy too; the figures are those of the board; for this machine alone;
# what must not be shown is not; hanging workers, failed reloads and bad configurations are told of.
. "$(dirname "$0")/lib.sh"

mkdir "$T/www"
printf 'hello\n' >"$T/www/a.txt"
start_drover <<EOF
workers = 2
worker_connections = 500
hang = 60s
deadlines { body = 10m  min_rate = 0 }
server "a <b>" {
    listen = { "127.0.0.1:0" }
    location "/" { root = "$T/www" }
    location "= /status" { status = true }
    location "/below/" { status = true }
    location "= /others" { status = true  allow = { "192.0.2.0/24" } }
    location "= /sink" { status = 201 }
    location "= /teapot" { status = 418 }
}
EOF
URL=http://127.0.0.1:$PORT/status
get() {
	curl -sS --max-time $((10 * WAIT_FACTOR)) "$@" 9<&-
}
# json PERL: an expression of \$j, the last JSON read.
json() {
	perl -MJSON::PP -e '
		my $j = decode_json(do { local (@ARGV, $/) = shift; <> });
		my $v = eval shift;
		die $@ if $@;
		print $v // "null", "\n"' "$T/json" "$1"
}
look() {
	get "$URL?json" >"$T/json"
}
shows() {
	look && [ "$(json "$1")" = "$2" ]
}

# The page.
get -D "$T/head" "$URL" >"$T/page"
HEAD=$(tr -d '\r' <"$T/head")
like "$HEAD" $'^HTTP/1.1 200 OK\n.*Content-Type: text/html; charset=utf-8\nCache-Control: no-store\n' 'the page'
cmp_ok "$(wc -c <"$T/page")" -eq "$(wc -c <"$ROOT/worker/http/status_page.html")" 'whole'
like "$HEAD" $'X-Content-Type-Options: nosniff\n' 'no guessing of types'
like "$HEAD" "Content-Security-Policy: default-src 'none'; .*connect-src 'self'; .*frame-ancestors 'none'" 'its policy'
unlike "$HEAD" 'unsafe' 'without exceptions'
perl -0777 -MDigest::SHA=sha256_base64 -ne '
	for my $what (qw(script style)) {
		my ($text) = /<$what>(.*?)<\/$what>/s or die;
		my $hash = sha256_base64($text);
		$hash .= "=" while length($hash) % 4;
		print "$what sha256-$hash\n";
	}' "$T/page" >"$T/hashes"
while read -r what hash; do
	like "$HEAD" "$what-src '$(printf '%s' "$hash" | sed 's/[+]/[+]/g')'" "the policy has the hash of the $what, or status_page.h must say $hash"
done <"$T/hashes"
is "$(grep -c '<script' "$T/page") $(grep -c '<style' "$T/page")" '1 1' 'one script, one style'
is "$(grep -oE 'https?://[^ "'"'"']*' "$T/page" | sort -u)" 'http://www.w3.org/2000/svg' 'nothing from outside'
is "$(grep -cE 'innerHTML|outerHTML|insertAdjacent|document\.write|eval\(' "$T/page")" 0 'nothing is put in as markup'
is "$(get "http://127.0.0.1:$PORT/below/it" | cksum)" "$(cksum <"$T/page")" 'below a prefix, too'

# Which of the two.
for accept in 'text/html' '*/*' 'text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8' 'application/json;q=0.5, text/html' 'application/jsonx'; do
	like "$(get -o /dev/null -D - -H "Accept: $accept" "$URL")" 'Content-Type: text/html' "Accept: $accept"
done
like "$(get -o /dev/null -D - -H 'Accept: application/json' "$URL" | tr -d '\r')" $'Content-Type: application/json\nCache-Control: no-store' 'JSON for who asks for it'
like "$(get -o /dev/null -D - "$URL?json")" 'Content-Type: application/json' '?json'
like "$(get -o /dev/null -D - "$URL?jso")" 'Content-Type: text/html' '?jso'

# Methods, and who may.
is "$(get -o /dev/null -w '%{http_code}' -d x "$URL")" 405 'POST'
get -I "$URL" >"$T/head"
like "$(tr -d '\r' <"$T/head")" "Content-Length: $(wc -c <"$T/page")" 'HEAD'
like "$(get -I "$URL?json")" 'Content-Length: [0-9]{4}' 'HEAD of the JSON'
is "$(get -o /dev/null -w '%{http_code}' "http://127.0.0.1:$PORT/others")" 403 'others only'
is "$(get -o /dev/null -w '%{http_code}' "http://127.0.0.1:$PORT/others?json")" 403 'neither the JSON'

# The figures are those of the board.
for _ in 1 2 3; do get -o /dev/null "http://127.0.0.1:$PORT/none"; done
expect_stat responses_4xx -eq 6
ok 'three were not found, one was not allowed, two were forbidden' wait_for 5 shows '$j->{counters}{responses_4xx}' 6
is "$(json '$j->{schema}')" drover-status/1 'its schema'
is "$(json '$j->{master}{pid}')" "$DROVER_PID" 'the master'
is "$(json 'join " ", map { $_->{pid} } @{$j->{workers}}')" "$(worker_pids | tr '\n' ' ' | sed 's/ $//')" 'the workers'
is "$(json 'join " ", map { "$_->{life} $_->{state}" } @{$j->{workers}}')" 'alive ready alive ready' 'how they are'
is "$(json '$j->{conns_max}')" 1000 'the limit'
is "$(json '$j->{servers}[0]{name}')" 'a <b>' 'a server'
is "$(json '$j->{listeners}[0]{name}')" "127.0.0.1:$PORT" 'a listener'
# One that is counted just then may be in one of the two only.
ok 'the histogram' wait_for 5 shows 'my $n = 0; $n += $_ for @{$j->{latency}{counts}}; $n == $j->{counters}{requests} ? 1 : 0' 1
ok 'connections by state' wait_for 5 shows 'my $n = 0; $n += $_ for values %{$j->{states}}; $n == $j->{conns} ? 1 : 0' 1

# A slow request is seen; its query and its header fields are not.
spawn slow perl -MIO::Socket::INET -e '
	my $s = IO::Socket::INET->new(PeerAddr => shift) or die;
	print $s "POST /sink?token=hidden HTTP/1.1\r\nHost: x\r\nCookie: sesame\r\nContent-Length: 10\r\n\r\nabc";
	$s->flush;
	select undef, undef, undef, 1000' "127.0.0.1:$PORT"
SLOW=$PID
ok 'a slow request' wait_for 5 shows '$j->{slowest}[0]{request}' 'POST /sink'
is "$(json 'join " ", map { $j->{slowest}[0]{$_} } qw(state peer server)')" 'body 127.0.0.1 a <b>' 'with what is known of it'
ok 'it grows old' wait_for 5 shows '$j->{slowest}[0]{age_ms} > 1000 ? 1 : 0' 1
unlike "$(cat "$T/json")" 'hidden|sesame|token' 'no queries, no header fields'
is "$(json '$j->{slowest_complete} ? 1 : 0')" 1 'all were looked at'
kill "$SLOW"

# A hundred readers cost no more than one: within a second the answer is the same.
same() {
	get "$URL?json" --next -sS "$URL?json" >"$T/twice" && [ "$(sed 's/,"now_unix.*//' "$T/twice" | sort -u | wc -l)" -eq 1 ]
}
ok 'made once a second' wait_for 5 same

# A reload that failed, and one that did not.
cp "$T/drover.conf" "$T/good.conf"
sed -i 's/^workers.*/wokers = <2>/' "$T/drover.conf"
allow_log "no such option 'wokers'"
fails 'a reload with an error' ctl reload
ok 'is told of' wait_for 5 shows '$j->{reload}{result}' failed
like "$(json '$j->{reload}{error}')" "drover.conf:1: .*'wokers'" 'with file, line and reason'
cp "$T/good.conf" "$T/drover.conf"
ok 'reload' ctl reload
ok 'is told of, too' wait_for 5 shows '"$j->{reload}{result} $j->{reload}{count} $j->{master}{generation}"' 'ok 2 2'

# One worker stopped: the other one tells.
mapfile -t workers < <(worker_pids)
kill -STOP "${workers[0]}"
hung() {
	# Who asks the stopped one waits in vain: a new connection may find the other.
	curl -sS --max-time 1 "$URL?json" >"$T/json" 2>/dev/null && [ "$(json 'join " ", map { $_->{life} } @{$j->{workers}}')" = 'hung alive' ]
}
ok 'a worker that hangs is seen' wait_for 20 hung
cmp_ok "$(json '$j->{workers}[0]{beat_age_ms}')" -ge 3000 'with the age of its heartbeat'
kill -CONT "${workers[0]}"
ok 'and alive again' wait_for 10 shows 'join " ", map { $_->{life} } @{$j->{workers}}' 'alive alive'

# What makes no sense.
refused() {
	printf 'server "x" {\n listen = { "127.0.0.1:0" }\n location "/a" {\n%b\n}\n}\n' "$1" >"$T/bad.conf"
	OUT=$("$BUILD/drover" -t -c "$T/bad.conf" 2>&1)
	[ $? -ne 0 ]
}
while IFS='|' read -r conf error; do
	ok "refused: $conf" refused "$conf"
	like "$OUT" "bad.conf:$error" 'with line and reason'
done <<EOF
status = true\nredirect = "/x"|5: error: a location has one purpose: '(redirect' and 'status|status' and 'redirect)' \(.*:4\)
status = true\ntext = "x"|5: error: 'text' goes with a status to answer with, not with the status page
status = true\nmetrics = true|5: error: a location has one purpose: 'metrics' and 'status'
metrics = true\nhealth = true|5: error: a location has one purpose: 'health' and 'metrics'
status = maybe|4: error: status: 'maybe' is neither a status \(write 200 to 599\) nor true
status = 1|4: error: status: 1 is less than 200
status = false|3: error: location "/a" has no purpose
metrics = false|3: error: location "/a" has no purpose
metrics = 5|4: error: metrics: '5' is neither true nor false
EOF
done_testing
