#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
# droverctl -j: each command's output in every state of the daemon is what etc/droverctl.schema.json says, errors included; and
# each exit status of each command, with and without -j.
. "$(dirname "$0")/lib.sh"

python3 -c 'import jsonschema' 2>/dev/null || skip_all 'no python3-jsonschema'
SCHEMA=$ROOT/etc/droverctl.schema.json

# Each command in droverctl's table is in the schema.
ok 'the schema is one' python3 "$ROOT/t/tools/validate.py" "$SCHEMA"
cp "$T/.ok" "$T/defined"
"$BUILD/droverctl" words | awk -F '\t' '$1 == "command" { print $3 }' >"$T/commands"
cmp_ok "$(wc -l <"$T/commands")" -gt 10 'there are commands'
for command in $(cat "$T/commands") words; do
	ok "the schema defines '$command'" grep -qx "$command" "$T/defined"
done

# valid STATUS COMMAND ARGS...: ends with STATUS, which an error also says in its JSON. That the schema accepts what it prints
# is looked at in the end, for all at once.
DOCUMENTS=0
valid() {
	local want=$1 command=$2 status said
	shift
	ctl -j "$@" >"$T/json" 2>"$T/err"
	status=$?
	said=$(grep -o '"exit":[0-9]*' "$T/json")
	if [ $status -ne "$want" ]; then
		fail "$*: status $want" "status $status; $(cat "$T/json" "$T/err")"
	elif [ -n "$said" ] && [ "$said" != "\"exit\":$want" ]; then
		fail "$*: the status is in its JSON" "$said, not $want"
	else
		pass "$*: status $want"
	fi
	keep "$command" "$*"
}

# keep COMMAND NAME: for the validator.
keep() {
	DOCUMENTS=$((DOCUMENTS + 1))
	cp "$T/json" "$(printf '%s/document.%04d.%s' "$T" $DOCUMENTS "$1")"
	printf '%04d %s\n' $DOCUMENTS "$2" >>"$T/documents"
}

# A condition of the last JSON, in perl; it is $j.
json() {
	ok "$1" perl -MJSON::PP -e '
		my $j = decode_json(do { local (@ARGV, $/) = $ARGV[0]; <> });
		eval "no warnings; $ARGV[1]" or die "$ARGV[1]: $@"' "$T/json" "$2"
}

# told EXPRESSION COMMAND ARGS...: ends with the status that its JSON, which is $j, amounts to; EXPRESSION is perl.
told() {
	local expression=$1 command=$2 status
	shift
	ctl -j "$@" >"$T/json" 2>"$T/err"
	status=$?
	json "$*: status $status, as its JSON has it" "$status == ($expression)"
	keep "$command" "$*"
}
DOCTOR='{ fine => 0, notice => 0, warning => 1, critical => 4 }->{$j->{severity}}'
KILL='$j->{failed} > 0 ? 1 : 0'

is_well() {
	ctl status >/dev/null 2>&1
}
# reads STATE STATUS: all commands that only read, in that state of the daemon; STATUS is that of status.
reads() {
	diag "$1"
	# One that stood still for a moment is well in the next.
	[ "$2" -ne 0 ] || wait_for 10 is_well
	valid "$2" status
	for command in stat conns workers listeners servers upstreams metrics; do valid 0 $command; done
	for command in stat workers listeners servers upstreams; do valid 0 $command -a; done
	valid 0 metrics -o
	valid 0 top -i 10ms
	valid 0 top -1 -a -i 10ms -n 2
	ctl top -1 -i 10ms >/dev/null 2>&1
	is $? 0 "$1: top as text: 0"
	told "$DOCTOR" doctor -i 10ms
	told "$DOCTOR" doctor -a -i 10ms upstream=127.0.0.1:1
	valid 0 stat -l
	valid 0 stat -i 10ms -n 2
	valid 0 conns -s -age -n 3 'state=*'
	[ "$2" -ne 0 ] || wait_for 10 is_well
	ctl status >/dev/null 2>&1
	is $? "$2" "$1: status as text, the same exit status"
}

# Without a daemon.
"$BUILD/droverctl" -j stat -l >"$T/json"
is $? 0 'stat -l without a board'
keep stat 'stat -l without a board'
"$BUILD/droverctl" -j words >"$T/json"
is $? 0 'words'
keep words words
for command in status stat conns workers listeners servers upstreams doctor metrics reload reopen rebalance upgrade stop 'top -1' \
	'kill 1' 'kill --dry-run 1'; do
	read -ra words <<<"$command"
	valid 2 "${words[@]}"
	ctl "${words[@]}" >/dev/null 2>&1
	is $? 2 "$command without a board, as text: 2"
done
ctl help >/dev/null
is $? 0 'help: 0'
ctl -V >/dev/null
is $? 0 'version: 0'

# The programs of this scenario are replaced in it.
mkdir "$T/www" "$T/www/api" "$T/bin"
printf 'hello\n' >"$T/www/a.txt"
cp "$T/www/a.txt" "$T/www/api/"
head -c 24000000 /dev/zero >"$T/www/large"
cp "$BUILD/drover" "$T/bin/"
ln -s "$BUILD/droverctl" "$T/bin/"
BUILD=$T/bin
start_drover <<EOF
workers = 2
worker_connections = 1000
hang = 60s
drain = 60s
error_log = "$T/error.log"
deadlines { header = 500s  body = 500s  send = 500s  idle = 500s  min_rate = 0 }
server "odd <b>&'name' 100% \\xc3\\xa9 \\x7e" {
    listen = { "127.0.0.1:0", "unix:$T/sock" }
    location "/" { root = "$T/www" }
    location "= /sink" { status = 200 }
    # more
}
server "origin" { listen = { "unix:$T/origin" } location "/" { root = "$T/www" } }
EOF
watch_log "$T/error.log"
reads 'no connection' 0
valid 0 upstreams
json 'no upstream is one' 'ref $j->{upstreams} eq "ARRAY" && @{$j->{upstreams}} == 0'
valid 0 conns
json 'no connection is one' '@{$j->{conns}} == 0'
valid 0 top -i 10ms
json 'top: idle' '$j->{trouble} eq "" && $j->{interval_s} >= 0.01 && $j->{census}{ready} == 2 && !@{$j->{slowest}} && $j->{figures}{requests}{per_s} == 0 && !defined $j->{latency_us}{interval}{p50}'
calm() {
	ctl -j doctor -i 50ms >"$T/json" 2>"$T/err"
}
ok 'doctor: nothing is wrong' wait_for 20 calm || diag "$(cat "$T/json")"
keep doctor 'doctor of a daemon that is well'
json 'and says so' '$j->{severity} =~ /^(fine|notice)$/ && @{$j->{findings}} >= 18'
valid 0 metrics
json 'the text' '$j->{type} =~ /^text.plain/ && $j->{text} =~ /^drover_requests_total \d+$/m'
hold() {
	spawn "$1" perl -MIO::Socket::INET -e '
		my $s = IO::Socket::INET->new(PeerAddr => shift) or die;
		print $s shift =~ s/\|/\r\n/gr;
		$s->flush;
		select undef, undef, undef, 1000' "127.0.0.1:$PORT" "$2"
	HOLD+=("$PID")
}
HOLD=()
hold idle 'GET /a.txt HTTP/1.1|Host: x||'
hold head 'GET /a.txt HTTP/1.1|Host: x|'
hold body 'POST /sink HTTP/1.1|Host: x|Content-Length: 10||abc'
hold send 'GET /large HTTP/1.1|Host: x||'
held() {
	[ "$(ctl conns -H | cut -f 3 | sort | tr '\n' ' ')" = 'body head idle send ' ]
}
ok 'four connections do something' wait_for 10 held
reads 'busy' 0
valid 0 conns
json 'they are in it' '@{$j->{conns}} == 4 && $j->{conns}[0]{pid} > 1 && grep { defined $_->{server} } @{$j->{conns}}'
json 'with their listener' '!grep { $_->{listener} ne "127.0.0.1:'"$PORT"'" } @{$j->{conns}}'
valid 0 top -i 10ms
json 'top: busy' '$j->{connections}{conns} == 4 && $j->{in_flight} >= 3 && @{$j->{slowest}} == $j->{in_flight} && $j->{slowest}[0]{time_ms} > 0'

# Ended by number, or by a filter; what is gone; nobody found.
valid 0 kill --dry-run --filter state=head
json 'one is found' '$j->{dry_run} && $j->{found} == 1 && $j->{ended} == 0 && $j->{conns}[0]{result} eq "found" && $j->{conns}[0]{state} eq "head"'
victim=$(ctl conns -H state=head | cut -f 1)
valid 0 kill --dry-run "$victim" 1
json 'by numbers: one is found' '!grep { $_->{id} !~ /^(1|'"$victim"')$/ } @{$j->{conns}}'
valid 0 kill "$victim"
# By droverctl itself if the worker had no time for it within a second.
json 'it is ended' '$j->{ended} == 1 && $j->{conns}[0]{by} =~ /^(worker|droverctl)$/ && $j->{conns}[0]{id} == '"$victim"
cp "$T/json" "$T/killed"
valid 0 kill "$victim" 18446744073709551615
json 'once more: it is gone' '$j->{gone} == 2 && @{$j->{conns}} == 2 && !grep { $_->{result} ne "gone" || exists $_->{by} } @{$j->{conns}}'
ctl kill "$victim" >/dev/null 2>&1
is $? 0 'kill of one that is gone, as text: 0'
valid 0 kill --filter state=head
json 'nothing is found' '@{$j->{conns}} == 0 && $j->{ended} == 0'
ctl kill --filter state=head >/dev/null 2>&1
is $? 0 'kill that finds none, as text: 0'
hold head 'GET /a.txt HTTP/1.1|Host: x|'
ok 'another one' wait_for 10 held
valid 0 kill -n 1 -s -age --filter state=head 'age>0ms'
json 'it is ended by a filter' '$j->{ended} == 1 && $j->{conns}[0]{state} eq "head"'

# Mistakes.
valid 2 stat nothing_like_it
valid 2 stat -n 3
valid 2 conns 'age>soon'
valid 2 conns -s colour
valid 2 workers -n 3
valid 2 workers seven
valid 2 status --nonsense
valid 2 status --board
valid 2 stat -i -1
valid 2 status --board "$RUN/drover.board"
for command in kill 'kill nonsense' 'kill -1' 'kill 1 state=idle' 'kill --filter' 'kill --filter colour=red' 'kill --filter age>soon' 'kill -n 1 1' \
	'kill -s age 1' 'kill -t never 1' 'top nothing' 'top workers' 'top one two' 'top -s nothing' 'top -i 0' 'top -t 1' \
	'doctor nonsense' 'doctor upstream=127.0.0.1' 'doctor upstream=name:80' 'doctor -i 0' 'doctor -n 1' 'upstreams api' 'upstreams -n 1' \
	'metrics requests' 'metrics -a'; do
	read -ra words <<<"$command"
	valid 2 "${words[@]}"
done
"$BUILD/droverctl" --board "$RUN/drover.board" -j kill 1 >"$T/json" 2>/dev/null
is $? 2 'kill by a file: refused'
keep kill 'kill by a file'
json 'since it may be a copy' '$j->{exit} == 2 && $j->{error} =~ /copy/'
ctl doctor nonsense >/dev/null 2>&1
is $? 2 'doctor of nonsense, as text: 2'
ctl top >/dev/null 2>&1
is $? 2 'top without a terminal: 2'
valid 2 stauts
valid 2 reload -t never
"$BUILD/droverctl" -j >"$T/json" 2>/dev/null
is $? 2 'no command: 2'
json 'and says so' '!defined $j->{command} && $j->{exit} == 2'

# What acts; with upstreams, of which one peer is well, one fails, one is down.
sed -i "s|# more|location \"/api/\" { proxy = \"api\" } location \"/gone/\" { proxy = \"gone\" }|" "$T/drover.conf"
cat >>"$T/drover.conf" <<EOF
upstream "api" {
    balance = hash  hash = "header:X-User"
    peer "unix:$T/origin" { weight = 3  max_conns = 9 }
    peer "[::1]:1" { down = true }
}
upstream "gone" {
    balance = least_conn
    peer "127.0.0.1:1" { max_fails = 1  fail_time = 600s }
    peer "unix:$T/origin" { backup = true }
    peer "no-such-host.invalid:80" { backup = true }
}
EOF
valid 0 reload
json 'reloaded' '$j->{result} eq "ok" && $j->{workers_replaced} == 2 && $j->{generation} == 2'
is "$(curl -s -m $((20 * WAIT_FACTOR)) "http://127.0.0.1:$PORT/api/a.txt")" hello 'one request is passed on'
allow_log 'upstream .gone'
allow_log 'no-such-host'
curl -s -m $((20 * WAIT_FACTOR)) "http://127.0.0.1:$PORT/gone/" >/dev/null
wait_stat conns -eq 4
valid 0 upstreams
json 'the peers' 'join(" ", map { my $u = $_; "$u->{name}=$u->{balance}", map { $_->{state} . ($_->{backup} ? "+" : "") } @{$u->{peers}} } @{$j->{upstreams}})
	eq "api=hash:header:X-User up down gone=least_conn ejected up+ unresolved+"'
json 'and what they did' '$j->{upstreams}[0]{peers}[0]{requests} == 1 && $j->{upstreams}[1]{peers}[0]{failed_left_ms} > 500000 && $j->{upstreams}[1]{peers}[0]{failures} >= 1'
told "$DOCTOR" doctor -i 10ms
json 'doctor knows their addresses' '!grep { $_->{check} eq "ports" && $_->{severity} eq "not_looked_at" && $_->{seen} =~ /configured/ } @{$j->{findings}}'
valid 0 stat -a
json 'and stat' '$j->{values}{"peer.api/unix:'"$T"'/origin.requests"} == 1'
reads 'with upstreams' 0
valid 0 reopen
valid 0 rebalance
valid 0 upgrade
json 'upgraded' '$j->{from} eq $j->{version}'
ok 'its workers are ready' wait_for 15 drover_is_ready
cp "$T/drover.conf" "$T/good.conf"
echo 'nonsense = "\x1b[31m' >>"$T/drover.conf"
allow_log reload
allow_log 'drover.conf'
valid 1 reload
json 'the reason is told' '$j->{result} eq "failed" && $j->{error} =~ /drover\.conf/'
ctl reload >/dev/null 2>&1
is $? 1 'reload that fails, as text: 1'
reads 'after a reload that failed' 1
valid 1 status
json 'it is a problem' '!$j->{well} && @{$j->{problems}} == 1 && $j->{master}{reload_result} eq "failed"'
told "$DOCTOR" doctor -i 10ms
json 'for doctor, too' '$j->{severity} =~ /^(warning|critical)$/ && grep { $_->{check} eq "master" && $_->{severity} eq "warning" && $_->{do} ne "" } @{$j->{findings}}'
cp "$T/good.conf" "$T/drover.conf"
valid 0 reload
mv "$BUILD/drover" "$T/drover.good"
printf '#!/bin/sh\nexit 3\n' >"$BUILD/drover"
chmod 755 "$BUILD/drover"
allow_log upgrade
allow_log 'new program'
valid 1 upgrade
json 'the reason is told' '$j->{result} eq "failed" && $j->{error} ne ""'
ctl upgrade >/dev/null 2>&1
is $? 1 'upgrade that fails, as text: 1'
valid 1 status
json 'it is a problem' '$j->{master}{upgrade_result} eq "failed" && $j->{master}{upgrades} == 3'
rm "$BUILD/drover"
cp "$T/drover.good" "$BUILD/drover"
rm "$T/error.log"
mkdir "$T/error.log"
LOGS=()
allow_log 'error.log'
valid 1 reopen
ctl reopen >/dev/null 2>&1
is $? 1 'reopen that fails, as text: 1'
rmdir "$T/error.log"
valid 0 reopen
watch_log "$T/error.log"
valid 0 upgrade

# Everybody stopped: what is asked for does not come.
upgrades=$(stat_of master.upgrades)
mapfile -t workers < <(worker_pids)
kill -STOP "$DROVER_PID" "${workers[@]}"
for command in reload reopen rebalance; do
	valid 3 $command -t 100ms
	ctl $command -t 100ms >/dev/null 2>&1
	is $? 3 "$command that is not done in time, as text: 3"
done
valid 3 upgrade -t 100ms
wrong() {
	! ctl status >/dev/null
}
ok 'status notices' wait_for 10 wrong
reads 'stopped' 1
valid 1 status
json 'they hang' '$j->{master}{life} eq "hung" && $j->{workers}{hung} == 2'
valid 0 top -i 10ms
json 'top: stopped' '$j->{trouble} =~ /^HUNG/ && $j->{census}{hung} == 2 && $j->{master}{life} eq "hung"'
valid 4 doctor -i 10ms
json 'doctor: critical' '$j->{severity} eq "critical" && $j->{findings}[0]{severity} eq "critical"'
ctl doctor -i 10ms >/dev/null 2>&1
is $? 4 'doctor of a daemon that hangs, as text: 4'
told "$KILL" kill --filter state=idle
json 'kill without the worker, or why not' '@{$j->{conns}} && !grep { $_->{result} eq "ended" ? $_->{by} ne "droverctl" : $_->{result} ne "failed" || $_->{reason} eq "" } @{$j->{conns}}'
kill -CONT "$DROVER_PID" "${workers[@]}"
well() {
	ctl status >/dev/null && [ "$(stat_of master.upgrades)" -gt "$upgrades" ] && [ "$(stat_of master.upgrade_failures)" -ge 2 ] && [ "$(ctl stat -H master.state | cut -f 2)" = running ] &&
		[ "$(ctl stat -H master.upgrade_result | cut -f 2)" = ok ]
}
ok 'all is done in the end' wait_for 60 well || diag "$(ctl status)"
ok 'its workers are ready' wait_for 15 drover_is_ready

# Draining.
draining() {
	[ "$(ctl status -j | perl -MJSON::PP -e 'print scalar @{decode_json(<STDIN>)->{workers}{draining}}')" -gt 0 ]
}
valid 3 stop -t 500ms
ok 'workers are draining' wait_for 10 draining
end() {
	kill "${HOLD[@]}"
	for pid in "${HOLD[@]}"; do finish "$pid"; done
}
end 2>/dev/null
wait_for 20 is_gone "$DROVER_PID" || fail 'it ends'
DROVER_PID=
reads 'stopped for good' 1
valid 1 status
json 'it is gone' '$j->{master}{life} eq "gone"'
valid 0 top
json 'top: it stopped' '$j->{trouble} =~ /^STOPPED/ && !defined $j->{interval_s} && !defined $j->{figures}{requests}{per_s}'
valid 2 stop
valid 2 kill 1

# Draining, seen.
start_drover
HOLD=()
hold body 'POST /sink HTTP/1.1|Host: x|Content-Length: 10||abc'
ok 'one connection' wait_stat conns_body -eq 1
ctl stop -t 100ms >/dev/null 2>&1
is $? 3 'stop that is not done in time, as text: 3'
ok 'workers are draining' wait_for 10 draining
valid 0 conns
ctl -j status >"$T/json"
keep status 'status of a daemon that drains'
json 'what keeps it is told' '1 == grep { $_->{states}{body} == 1 && $_->{drain_age_ms} >= 0 } @{$j->{workers}{draining}}'
valid 0 stop --now
json 'it is cut' '$j->{result} eq "ok"'
finish "$DROVER_PID"
DROVER_PID=
end 2>/dev/null

# Killed.
start_drover
HOLD=()
hold body 'POST /sink HTTP/1.1|Host: x|Content-Length: 10||abc'
ok 'one connection' wait_stat conns_body -eq 1
{
	kill_family
	finish "$DROVER_PID"
} 2>/dev/null
DROVER_PID=
reads 'killed' 1
valid 0 conns
json 'its connection is there' '@{$j->{conns}} == 1 && $j->{conns}[0]{dead} && $j->{conns}[0]{state} eq "body"'
valid 0 top -1 -a
json 'top: dead' '$j->{trouble} =~ /^DEAD/ && $j->{census}{dead} == 2 && $j->{slowest}[0]{dead}'
valid 4 doctor
json 'doctor: critical' '$j->{findings}[0]{check} =~ /^(master|workers)$/'
ctl doctor >/dev/null 2>&1
is $? 4 'doctor of the dead, as text: 4'
for command in 'kill 1' 'kill --filter state=body'; do
	read -ra words <<<"$command"
	valid 2 "${words[@]}"
	ctl "${words[@]}" >/dev/null 2>&1
	is $? 2 "$command of the dead, as text: 2"
done
for command in reload reopen rebalance upgrade stop; do
	valid 2 $command
	ctl $command >/dev/null 2>&1
	is $? 2 "$command without a master, as text: 2"
done

# The schema is strict: what it should not accept, it does not.
mkdir "$T/wrong"
ctl -j workers >"$T/json"
for change in 's/"half":[01]/"half":7/' 's/"life":"dead"/"life":"undead"/' 's/"torn":[a-z]*,//' 's/"torn"/"worn"/' 's/"pid":/"pid":-/' \
	's/"schema":"drover.1"/"schema":"drover\/2"/' 's/"requests":/"requests":"",&/' 's/"generation":\([0-9]*\)/"generation":"\1"/'; do
	n=$((${n:-0} + 1))
	sed "$change" "$T/json" >"$T/wrong/$n.workers"
	! cmp -s "$T/json" "$T/wrong/$n.workers" || fail "$change changes something"
done
# worsen COMMAND CHANGE...: documents of that command that are wrong; the right one is $T/json.
worsen() {
	local command=$1 change
	shift
	for change in "$@"; do
		n=$((n + 1))
		sed "$change" "$T/json" >"$T/wrong/$n.$command"
		! cmp -s "$T/json" "$T/wrong/$n.$command" || fail "$change changes something"
	done
}
cp "$T/killed" "$T/json"
worsen kill 's/"by":"[a-z]*",//' 's/"result":"ended"/"result":"lost"/' 's/"result":"ended"/"result":"failed"/' 's/"state":"[a-z]*",//' \
	's/"id":/"more":1,&/' 's/"slot":[0-9]*,//' 's/"found":0/"found":1/' 's/"dry_run":false/"dry_run":0/'
ctl -j top >"$T/json"
worsen top 's/"trouble"/"troubles"/' 's/"per_s":null/"per_s":"-"/' 's/"census"/"sense"/' 's/"interval":{/&"p5":1,/' 's/"in_flight":/&-/' \
	's/"figures":{/&"more":{"per_s":1,"total":1},/'
ctl -j doctor >"$T/json"
worsen doctor 's/"check":"master"/"check":"matter"/' 's/"severity":"fine"/"severity":"good"/' 's/"do":/"cure":/' 's/"interval_s":[0-9.]*,//' \
	's/"severity":"critical"/"severity":"not_looked_at"/'
ctl -j upstreams >"$T/json"
worsen upstreams 's/"used":true/"used":1/' 's/"reuse":[0-9.]*/"reuse":1.5/' 's/"state":"down"/"state":"well"/' 's/"balance":"least_conn"/"balance":"least"/'
ctl -j metrics >"$T/json"
worsen metrics 's/"type":"text/"type":"test/' 's/"text":/"more":1,&/'
python3 "$ROOT/t/tools/validate.py" "$SCHEMA" "$T"/document.* >"$T/.valid" 2>&1
is "$?" 0 "all is as the schema says" || diag "$(cat "$T/.valid" "$T/documents")"
is "$(cat "$T/.valid")" "$(wc -l <"$T/documents") documents" 'none was left out'
python3 "$ROOT/t/tools/validate.py" "$SCHEMA" "$T"/wrong/* >"$T/.valid" 2>&1
is "$(grep -c '^wrong: ' "$T/.valid")" "$n" 'what is changed is not' || diag "$(cat "$T/.valid")"
done_testing
