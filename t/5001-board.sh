#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
# droverctl's commands in each of their forms on a living board; what is wrong on the command line, no board, half a board.
. "$(dirname "$0")/lib.sh"

mkdir "$T/www"
printf 'hello\n' >"$T/www/a.txt"
V6='"[::1]:0",'
perl -MIO::Socket::IP -e 'IO::Socket::IP->new(LocalHost => "::1", Listen => 1) or exit 1' || V6=
start_drover <<EOF
workers = 2
server "plain" {
    listen = { "127.0.0.1:0", $V6 "unix:$T/sock" }
    location "/" { root = "$T/www" }
}
server "odd <b>&'name' 100% \\xc3\\xa9" {
    listen = { "127.0.0.2:0" }
    location "/" { root = "$T/www" }
}
EOF
for _ in 1 2 3; do curl -s "http://127.0.0.1:$PORT/a.txt" >/dev/null; done
curl -s --unix-socket "$T/sock" "http://x/none" >/dev/null
curl -s "http://$(ctl listeners -H | grep -o '^127\.0\.0\.2:[0-9]*')/a.txt" >/dev/null
expect_stat requests -eq 5
expect_stat conns -eq 0

# run ARGS: OUT, ERR and STATUS.
run() {
	ctl "$@" >"$T/out" 2>"$T/err"
	STATUS=$?
	OUT=$(tr -d '\000' <"$T/out")
	ERR=$(cat "$T/err")
}

# json NAME CODE: the last output is one JSON object, and CODE, in which it is $j, is true.
json() {
	ok "$1" perl -MJSON::PP -e '
		my $text = do { local (@ARGV, $/) = $ARGV[0]; <> };
		my $j = JSON::PP->new->utf8->decode($text);
		die "schema" if $j->{schema} ne "drover/1";
		die "more than one line" if $text !~ /\A[^\n]+\n\z/;
		eval "no warnings; $ARGV[1]" or die "$ARGV[1]: $@ $text"' "$T/out" "$2"
}

# columns N: each line of the last output has as many.
columns() {
	awk -F '\t' -v n="$1" 'NF != n { print; exit 1 }' "$T/out"
}

well() {
	run status
	[ "$STATUS" -eq 0 ]
}
ok 'status: all is well' wait_for 10 well
like "$OUT" "^drover +0\\.[0-9.]+, running, up .*, master $DROVER_PID, generation 1" 'status: who runs'
like "$OUT" 'workers +2 of 2 ready, 0 draining, 0 died so far' 'status: workers'
like "$OUT" 'requests +5: 4 2xx, 0 3xx, 1 4xx, 0 5xx' 'status: requests'
unlike "$OUT" 'WRONG' 'status: nothing is wrong'
run status -H
is "$STATUS" 0 'status -H'
ok 'status -H: a label, a tab, a text' columns 2
run status -j
is "$STATUS" 0 'status -j'
json 'status -j: as text' '$j->{well} && @{$j->{problems}} == 0 && $j->{master}{pid} == '"$DROVER_PID"' && $j->{workers}{ready} == 2
	&& $j->{totals}{requests} == 5 && $j->{totals}{responses_2xx} == 4 && $j->{latency}{count} == 5
	&& $j->{connections}{conns} == 0 && $j->{master}{state} eq "running" && $j->{master}{life} eq "alive"
	&& $j->{master}{started_age_ms} < 60000 && abs($j->{master}{started_unix_ms} / 1000 - time) < 60'

for command in workers listeners servers; do
	run $command
	is "$STATUS $ERR" '0 ' "$command"
	like "$OUT" $'^ *[A-Z]+ +[A-Z_0-9 ]+\n' "$command: titles"
	lines=$(wc -l <"$T/out")
	run $command -H
	is "$STATUS $ERR" '0 ' "$command -H"
	is "$(wc -l <"$T/out")" $((lines - 1)) "$command -H: the same lines, no titles"
	cp "$T/out" "$T/$command"
	run $command -j
	is "$STATUS $ERR" '0 ' "$command -j"
	json "$command -j: as many" "\$j->{command} eq '$command' && @{\$j->{$command}} == $((lines - 1))"
done
is "$(cut -f 1,4,5 "$T/workers" | tr '\t\n' '  ')" '0 ready 1 1 ready 1 ' 'workers: slot, state, generation'
is "$(awk -F '\t' '{ n += $7 } END { print n }' "$T/workers")" 5 'workers: their requests'
for pid in $(cut -f 3 "$T/workers"); do
	like "$(children_of "$DROVER_PID" | tr '\n' ' ')" "(^| )$pid " 'workers: a child of the master'
done
like "$(cat "$T/listeners")" "^127\\.0\\.0\\.1:$PORT"$'\t0\t4096\t3\t0\n' 'listeners: address, queue, accepts, connections'
like "$(cat "$T/listeners")" "unix:$T/sock"$'\t0\t[0-9]+\t1\t0\n' 'listeners: a unix socket'
like "$(cat "$T/servers")" $'^plain\t4\t3\t0\t1\t0\t[0-9]+\t[0-9]+\n' 'servers: name and classes'
like "$(cat "$T/servers")" $'\nodd <b>&\'name\' 100% \\\\xc3\\\\xa9\t1\t1\t0\t0\t0\t' 'servers: an odd name is escaped'
run servers -j
json 'servers -j: and whole' '$j->{servers}[1]{name} eq "odd <b>&\x{27}name\x{27} 100% \x{e9}" && $j->{servers}[1]{requests} == 1'
run conns
like "$OUT" '^ *ID +SLOT +STATE +PEER +AGE +LEFT +REQUESTS +IN +OUT +SERVER +REQUEST$' 'conns: none'
run conns -j
json 'conns -j: none' '@{$j->{conns}} == 0'

# Every counter by every way.
run stat -H
is "$STATUS $ERR" '0 ' 'stat -H'
ok 'stat -H: name and value' columns 2
cp "$T/out" "$T/values"
cmp_ok "$(wc -l <"$T/values")" -gt 100 'stat -H: there are many'
is "$(cut -f 1 "$T/values" | sort | uniq -d)" '' 'stat -H: each once'
run stat
is "$(wc -l <"$T/out")" "$(wc -l <"$T/values")" 'stat: as many'
run stat -j
json 'stat -j: the same values' '
	open my $f, "<", "'"$T"'/values"; my %v = map { chomp; split /\t/, $_, 2 } <$f>;
	for (sort keys %v) {
		next if /^(turn|events|lag_us|file_cache_entries)|^master\..*_us$/;
		my $value = $j->{values}{s/\\xc3\\xa9/\x{e9}/r};
		die "$_: $v{$_}\n" if !defined $value || $value ne $v{$_};
	}
	1'
run stat -l -H
is "$STATUS" 0 'stat -l -H'
ok 'stat -l -H: name, kind, unit, level, help' columns 5
mapfile -t names < <(awk -F '\t' '$2 ~ /counter|gauge/ && $1 !~ /[<A-Z]|^(conn|upstream|peer)\./ { print $1 }' "$T/out")
cmp_ok ${#names[@]} -gt 80 'stat -l: many names'
run stat -H -a "${names[@]}"
is "$STATUS $ERR" '0 ' 'each name that -l tells may be asked for'
run stat -l -j
json 'stat -l -j' '@{$j->{fields}} > 100 && !grep { $_->{help} eq "" || $_->{kind} eq "" } @{$j->{fields}}'
run stat -l -j accept_no_fds
json 'stat -l -j: advice' '@{$j->{fields}} == 1 && $j->{fields}[0]{advice} =~ /LimitNOFILE/ && $j->{fields}[0]{table} eq "worker"'
run stat -l accept_no_fds latency.p99 server.plain.requests
is "$(grep -c '^[a-z]' "$T/out")" 3 'stat -l NAME: of each one'
like "$OUT" '(^|'$'\n'')accept_no_fds \(counter, brief\)'$'\n''    accept: .* left\.'$'\n''.*Raise LimitNOFILE' 'stat -l NAME: what to do about it'
is "$(awk 'length > 80' "$T/out")" '' 'stat -l NAME: in 80 columns'
run stat -l -H accept_no_fds
is "$(wc -l <"$T/out")" 1 'stat -l -H NAME: a line'
run stat requests
is "$OUT" 'requests 5' 'stat: one'
run stat -H 'responses_*' latency.count
is "$(cut -f 1 "$T/out" | tr '\n' ' ')" \
	'responses_1xx responses_2xx responses_3xx responses_4xx responses_5xx latency.count ' 'stat: a pattern and a name'
run stat -H "listener.127.0.0.1:$PORT.accepts" server.plain.requests master.pid
is "$(cut -f 2 "$T/out" | sort -n | tr '\n' ' ')" "3 4 $DROVER_PID " 'stat: of a listener, a server, the master'
like "$(ctl stat -l --mdoc)" '\.Dt DROVER-COUNTERS 7.*accept_no_fds' 'the manual of the counters'

# wrong NAME REGEX ARGS: status 2, a sentence that says so, and no output.
wrong() {
	local name=$1 text=$2
	shift 2
	run "$@"
	is "$STATUS $OUT" '2 ' "$name: status 2"
	like "$ERR" "^droverctl: .*$text" "$name: says so"
}
# The same, and as JSON.
wrong_json() {
	wrong "$@"
	shift 2
	run -j "$@"
	is "$STATUS" 2 "-j $*: status 2"
	json "-j $*: a JSON error" '$j->{error} ne "" && $j->{exit} == 2'
}
wrong_json 'a misspelt counter' "nothing is called 'reqests': did you mean 'requests'\\?" stat reqests
wrong_json 'a name that is none' "nothing is called 'xyzzyxyzzy': see 'droverctl stat -l'" stat xyzzyxyzzy
wrong_json 'a field that is none' "nothing is called 'xyzzyxyzzy'" stat -l requests xyzzyxyzzy
wrong_json 'one of two' "nothing is called 'nope" stat requests 'nope*'
wrong_json 'an unknown column' "connections have no 'stat': did you mean 'state'\\?" conns stat=head
wrong_json 'an unknown column to sort by' "connections have no 'agee': did you mean 'age'\\?" conns -s agee
wrong_json 'an unknown state' "'hed' is nothing that state can be compared with" conns state=hed
wrong_json 'no filter' "'head' is no filter" conns head
wrong_json 'no address' 'is nothing that peer' conns peer=300.1.2.3
wrong_json 'no prefix' 'is nothing that peer' conns peer=10.0.0.0/33
wrong_json 'no duration' 'is nothing that age' 'conns' 'age>5parsecs'
wrong_json 'order of a text' 'is nothing that request' conns 'request>x'
wrong_json '-n without -i' 'goes with -i' stat -n 2
wrong 'an unknown command' "no command 'stauts': did you mean 'status'\\?" stauts
wrong 'an option of another command' "'workers' takes no option --count" workers -n 3
wrong 'an argument too many' "'workers' takes no argument" workers 3
wrong 'a count of none' 'no value for this option' conns -n 0
wrong 'no interval' 'no value for this option' stat -i -1
fails 'two boards' ctl --board "$RUN/drover.board" status
fails 'no command' ctl
fails 'an unknown option' ctl --nonsense status
like "$(ctl help)" 'usage: droverctl .*status.*conns.*exit status' 'help'
like "$(ctl -V)" '^droverctl [0-9]' 'version'
ctl stat >/dev/full 2>"$T/err"
is "$?" 2 'a full disk is told'
like "$(cat "$T/err")" 'No space left' 'with the reason'

# Boards that are none.
other() {
	"$BUILD/droverctl" --board "$T/other" "$@" >"$T/out" 2>"$T/err"
	STATUS=$?
	ERR=$(cat "$T/err")
}
"$BUILD/droverctl" -r "$T/nowhere" status >"$T/out" 2>"$T/err"
is "$?" 2 'no run directory: status 2'
like "$(cat "$T/err")" "no board: .*$T/nowhere.*No such file" 'no run directory: says so'
board=$(stat -c %s "$RUN/drover.board")
for size in 0 100 20000 $((board / 2)) $((board - 1)); do
	: >"$T/other"
	dd if="$RUN/drover.board" of="$T/other" bs="$size" count=1 conv=sparse status=none 2>/dev/null
	truncate -s "$size" "$T/other"
	other status -j
	is "$STATUS" 2 "the first $size bytes of a board are none: status 2"
	like "$ERR" 'no board: ' 'it says so'
done
other conns
is "$STATUS $(cat "$T/out")" '2 ' 'to other commands, too'
head -c 100000 /dev/urandom >"$T/other"
other status
is "$STATUS" 2 'noise is no board'
# Heartbeats grow old in a copy, also while it is made.
copied() {
	cp --sparse=always "$RUN/drover.board" "$T/other"
	other status
	[ "$STATUS" -eq 0 ]
}
ok 'a copy is one' wait_for 10 copied

# Those who may not read it, and those who may read but not command.
if [ "$(id -u)" -eq 0 ]; then
	nobody=(setpriv --reuid=nobody --regid="$(id -g nobody)" --clear-groups)
	cp "$BUILD/droverctl" "$T/droverctl"
	for command in status stat conns reload stop; do
		"${nobody[@]}" "$T/droverctl" -r "$RUN" $command >"$T/out" 2>"$T/err"
		is "$? $(cat "$T/out")" '2 ' "$command without leave to read: status 2"
		like "$(cat "$T/err")" "no board: .*Permission denied" "$command without leave to read: says so"
	done
	chmod 644 "$RUN/drover.board"
	"${nobody[@]}" "$T/droverctl" -r "$RUN" status >"$T/out" 2>"$T/err"
	is "$? $(cat "$T/err")" '0 ' 'with leave to read: status'
	for command in reload reopen stop; do
		"${nobody[@]}" "$T/droverctl" -r "$RUN" $command >"$T/out" 2>"$T/err"
		is "$?" 2 "$command without leave to signal: nothing was done"
		like "$(cat "$T/err")" 'Operation not permitted' "$command without leave to signal: says so"
	done
	is_stat master.reloads 0 'nothing was'
	chmod 640 "$RUN/drover.board"
else
	skip 'reading without leave' 'not root'
fi
done_testing
