#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
# droverctl -j: each command's output in every state of the daemon is what etc/droverctl.schema.json says, errors included; and
# each exit status of each command, with and without -j.
. "$(dirname "$0")/lib.sh"

python3 -c 'import jsonschema' 2>/dev/null || skip_all 'no python3-jsonschema'
SCHEMA=$ROOT/etc/droverctl.schema.json
NO_JSON=' metrics ' # commands that have no JSON by their nature

# Each command in droverctl's table is in the schema.
ok 'the schema is one' python3 "$ROOT/t/tools/validate.py" "$SCHEMA"
cp "$T/.ok" "$T/defined"
"$BUILD/droverctl" words | awk -F '\t' '$1 == "command" { print $3 }' >"$T/commands"
cmp_ok "$(wc -l <"$T/commands")" -gt 10 'there are commands'
for command in $(cat "$T/commands") words; do
	[[ $NO_JSON == *" $command "* ]] || ok "the schema defines '$command'" grep -qx "$command" "$T/defined"
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

# reads STATE STATUS: all commands that only read, in that state of the daemon; STATUS is that of status.
reads() {
	diag "$1"
	valid "$2" status
	for command in stat conns workers listeners servers; do valid 0 $command; done
	for command in stat workers listeners servers; do valid 0 $command -a; done
	valid 0 stat -l
	valid 0 stat -i 10ms -n 2
	valid 0 conns -s -age -n 3 'state=*'
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
for command in status stat conns workers listeners servers reload reopen rebalance upgrade stop; do
	valid 2 $command
	ctl $command >/dev/null 2>&1
	is $? 2 "$command without a board, as text: 2"
done
ctl help >/dev/null
is $? 0 'help: 0'
ctl -V >/dev/null
is $? 0 'version: 0'

# The programs of this scenario are replaced in it.
mkdir "$T/www" "$T/bin"
printf 'hello\n' >"$T/www/a.txt"
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
deadlines { header = 50s  body = 50s  send = 50s  idle = 50s  min_rate = 0 }
server "odd <b>&'name' 100% \\xc3\\xa9 \\x7e" {
    listen = { "127.0.0.1:0", "unix:$T/sock" }
    location "/" { root = "$T/www" }
    location "= /sink" { status = 200 }
}
EOF
watch_log "$T/error.log"
reads 'no connection' 0
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
valid 2 stauts
valid 2 reload -t never
"$BUILD/droverctl" -j >"$T/json" 2>/dev/null
is $? 2 'no command: 2'
json 'and says so' '!defined $j->{command} && $j->{exit} == 2'

# What acts.
valid 0 reload
json 'reloaded' '$j->{result} eq "ok" && $j->{workers_replaced} == 2 && $j->{generation} == 2'
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
kill -CONT "$DROVER_PID" "${workers[@]}"
well() {
	ctl status >/dev/null && [ "$(stat_of master.upgrade_failures)" -ge 2 ] && [ "$(ctl stat -H master.state | cut -f 2)" = running ] &&
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
valid 2 stop

# Draining, seen.
start_drover
HOLD=()
hold body 'POST /sink HTTP/1.1|Host: x|Content-Length: 10||abc'
ok 'one connection' wait_stat conns -eq 1
ctl stop -t 100ms >/dev/null 2>&1
is $? 3 'stop that is not done in time, as text: 3'
ok 'workers are draining' wait_for 10 draining
valid 0 conns
ctl -j status >"$T/json"
keep status 'status of a daemon that drains'
json 'what keeps it is told' '$j->{workers}{draining}[0]{states}{body} == 1 && $j->{workers}{draining}[0]{drain_age_ms} >= 0'
valid 0 stop --now
json 'it is cut' '$j->{result} eq "ok"'
finish "$DROVER_PID"
DROVER_PID=
end 2>/dev/null

# Killed.
start_drover
HOLD=()
hold body 'POST /sink HTTP/1.1|Host: x|Content-Length: 10||abc'
ok 'one connection' wait_stat conns -eq 1
{
	kill_family
	finish "$DROVER_PID"
} 2>/dev/null
DROVER_PID=
reads 'killed' 1
valid 0 conns
json 'its connection is there' '@{$j->{conns}} == 1 && $j->{conns}[0]{dead} && $j->{conns}[0]{state} eq "body"'
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
python3 "$ROOT/t/tools/validate.py" "$SCHEMA" "$T"/document.* >"$T/.valid" 2>&1
is "$?" 0 "all is as the schema says" || diag "$(cat "$T/.valid" "$T/documents")"
is "$(cat "$T/.valid")" "$(wc -l <"$T/documents") documents" 'none was left out'
python3 "$ROOT/t/tools/validate.py" "$SCHEMA" "$T"/wrong/* >"$T/.valid" 2>&1
is "$(grep -c '^wrong: ' "$T/.valid")" "$n" 'what is changed is not' || diag "$(cat "$T/.valid")"
done_testing
