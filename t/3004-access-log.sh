#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
# The access log in three formats; rotation; a full disk costs lines, never service.
. "$(dirname "$0")/lib.sh"

mkdir "$T/www"
printf 'hello\n' >"$T/www/a.txt"
start_drover <<EOF
workers = 2
access_log = "$T/combined.log"
log_format = combined
server "combined" {
    listen = { "127.0.0.1:0" }
    location "/" { root = "$T/www" }
}
server "json" {
    listen = { "127.0.0.2:0" }
    access_log = "$T/json.log"
    log_format = json
    location "/" { root = "$T/www" }
}
server "logfmt" {
    listen = { "127.0.0.3:0" }
    access_log = "$T/logfmt.log"
    log_format = logfmt
    location "/" { root = "$T/www" }
}
server "full" {
    listen = { "127.0.0.4:0" }
    access_log = "/dev/full"
    location "/" { root = "$T/www" }
}
EOF
JSON=127.0.0.2:$(port_of 2)
LOGFMT=127.0.0.3:$(port_of 3)
FULL=127.0.0.4:$(port_of 4)

curl -s -A 'agent "x"' -e 'http://ref/' "http://127.0.0.1:$PORT/a.txt?q=1" >/dev/null
wait_for 5 test -s "$T/combined.log"
like "$(cat "$T/combined.log")" '^127\.0\.0\.1 - - \[[0-9]{2}/[A-Z][a-z]{2}/20[0-9]{2}:[0-9:]{8} [+-][0-9]{4}\] "GET /a\.txt\?q=1 HTTP/1\.1" 200 6 "http://ref/" "agent \\x22x\\x22"$' \
	'combined'
printf 'GET /a.txt HTTP/1.1\r\nHost: x\r\nUser-Agent: \xffevil\x1b\r\n\r\n' | perl "$ROOT/t/tools/raw.pl" "127.0.0.1:$PORT" >/dev/null
printf 'GET /a.txt HTTP/1.1\r\nHost: x\r\nUser-Agent: \xffevil\r\nConnection: close\r\n\r\n' | perl "$ROOT/t/tools/raw.pl" "127.0.0.1:$PORT" >/dev/null
# Each worker writes its own lines.
wait_for 5 grep -q 'evil' "$T/combined.log"
wait_for 5 grep -q '"-" 400' "$T/combined.log"
like "$(cat "$T/combined.log")" '"-" 400 [0-9]+ "-" "-"' 'a refused request has no text'
like "$(cat "$T/combined.log")" '"\\xFFevil"' 'bytes that are not ASCII are escaped'

curl -s -A 'agent "x"' "http://$JSON/a.txt" >/dev/null
wait_for 5 test -s "$T/json.log"
ok 'json is JSON' perl -MJSON::PP -e '
	my $l = decode_json(do { local @ARGV = shift; <> });
	die "status" if $l->{status} != 200; die "agent" if $l->{user_agent} ne q(agent "x");
	die "target" if $l->{target} ne "/a.txt"; die "bytes" if $l->{bytes} != 6; die "server" if $l->{server} ne "json";
	die "duration" if $l->{duration} > 5; die "peer" if $l->{peer} ne "127.0.0.1"' "$T/json.log"
curl -s "http://$LOGFMT/a.txt" >/dev/null
wait_for 5 test -s "$T/logfmt.log"
like "$(cat "$T/logfmt.log")" 'status=200 .*bytes=6' 'logfmt'

# Rotation: nothing is lost, no line is cut, over both workers.
spawn herd "$BUILD/herd" -c 20 -r 2000 -d 3 -p /a.txt -H 'User-Agent: herd' "127.0.0.1:$PORT"
for n in 1 2 3; do
	wait_for 5 test -s "$T/combined.log"
	mv "$T/combined.log" "$T/combined.$n"
	ok "reopen $n" ctl reopen
	ok "the new log is there ($n)" test -e "$T/combined.log"
done
finish "$PID"
is "$STATUS" 0 'the herd was served meanwhile'
sent=$(awk '$1 == "answered" { print $2 }' "$T/herd.out")
all_logged() {
	test "$(cat "$T"/combined.* | grep -c '"herd"$')" -eq "$sent"
}
ok "all $sent lines are in the logs, old and new" wait_for 5 all_logged
is "$(cat "$T"/combined.* | grep -vcE '^127\.0\.0\.1 - - \[.*\] ".*" [0-9]{3} [0-9]+ ".*" ".*"$')" 0 'and each is whole'
is_stat log_lines_lost 0 'none was lost'

# A write for 64 KiB or a second of lines, and not for each.
writes() {
	awk '$1 == "syscw:" { n += $2 } END { print n }' $(worker_pids | sed 's,.*,/proc/&/io,')
}
all_accounted() {
	[ $(($(stat_of log_lines) + $(stat_of log_lines_lost))) -eq $(($(stat_of requests) + $(stat_of requests_cut))) ]
}
wait_for 10 all_accounted
lines=$(stat_of log_lines) before=$(writes) start=$(now_ms)
ok '20,000 requests' "$BUILD/herd" -c 8 -n 20000 -p /a.txt "127.0.0.1:$PORT"
is_stat log_lines $((lines + 20000)) 'are written before long'
cmp_ok $(($(writes) - before)) -lt $((100 + ($(now_ms) - start) / 100)) 'many lines at once'

# A full disk.
allow_log 'access log /dev/full cannot be written: No space left on device'
ok 'service goes on with a full disk' "$BUILD/herd" -c 4 -n 5000 -p /a.txt "$FULL"
cmp_stat log_lines_lost -ge 1000 'the lines are counted as lost'
is "$(awk '/cannot be written/ && !/ suppressed / && said[$3]++ { n++ } END { print n + 0 }' "$T/stderr")" 0 \
	'it is said once for each worker, not for each line'
ok 'reload with a full disk' ctl reload
ok 'what the old workers still had counts as lost, too' wait_for 10 all_accounted
stop_drover

# Standard output is a pipe that is full, and nobody reads it.
mkfifo "$T/pipe"
exec 7<>"$T/pipe"
perl -e 'use Fcntl; fcntl(STDOUT, F_SETFL, O_NONBLOCK); 1 while syswrite STDOUT, "x" x 4096' >&7
config <<EOF
workers = 1
access_log = "stdout"
server "piped" {
    listen = { "127.0.0.1:0" }
    location "/" { root = "$T/www" }
}
EOF
allow_log 'access log stdout cannot be written: Resource temporarily unavailable'
"$BUILD/drover" -F -c "$T/drover.conf" -r "$RUN" </dev/null >"$T/pipe" 2>>"$T/stderr" 7<&- &
DROVER_PID=$!
PIDS+=("$DROVER_PID")
wait_for 10 drover_is_ready || die 'drover starts'
ok 'service goes on with a log that nobody reads' "$BUILD/herd" -c 4 -n 5000 -p /a.txt "127.0.0.1:$(port_of 1)"
cmp_stat log_lines_lost -ge 1000 'its lines are counted as lost'
stop_drover
done_testing
