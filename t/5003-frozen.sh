#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
# The board without a living daemon behind it: while every process is stopped, after all were killed, after the next start.
. "$(dirname "$0")/lib.sh"

mkdir "$T/www"
printf 'hello\n' >"$T/www/a.txt"
head -c 24000000 /dev/zero >"$T/www/large"
start_drover <<EOF
workers = 2
worker_connections = 1000
hang = 60s
deadlines { header = 500s  body = 500s  send = 500s  idle = 500s  min_rate = 0 }
server "s" {
    listen = { "127.0.0.1:0" }
    location "/" { root = "$T/www" }
    location "= /sink" { status = 200 }
}
EOF
CTL=("$BUILD/droverctl" -r "$RUN")

# all_work NAME STATUS [OPTIONS]: each command in each form answers by itself, within a second or so; status is STATUS, or "soon": 0,
# and then 1, as nobody has had a heartbeat for three seconds.
all_work() {
	local name=$1 want=$2 command form bad='' start status took slowest=0
	shift 2
	for command in status stat conns workers listeners servers; do
		for form in '' -H -j; do
			start=$(now_ms)
			timeout $((10 * WAIT_FACTOR)) "${CTL[@]}" "$@" $command $form >"$T/out" 2>"$T/err" 9<&-
			status=$?
			took=$(($(now_ms) - start))
			[ $took -le $slowest ] || slowest=$took
			if [ $command = status ] && [ "$want" = soon ]; then
				[ $status -ne 1 ] || ! grep -q 'no heartbeat' "$T/out" || status=0
			elif [ $command = status ]; then
				status=$((status - want))
			fi
			[ $status -eq 0 ] && [ -s "$T/out" ] || bad+=" $command $form: $status $(cat "$T/err")"
			[ "$form" != -j ] || perl -MJSON::PP -e '
				JSON::PP->new->utf8->decode(do { local (@ARGV, $/) = shift; <> })' "$T/out" 2>>"$T/err" || bad+=" $command: no JSON"
		done
	done
	is "$bad" '' "$name: all commands work"
	cmp_ok $slowest -lt $((1000 * WAIT_FACTOR)) "$name: each at once ($slowest ms at most)"
}

# Connections that do something.
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
states() {
	ctl conns -H | awk -F '\t' '{ print $3, $11 }' | sort | tr '\n' ','
}
held() {
	[ "$(states)" = 'body POST /sink,head -,idle GET /a.txt,send GET /large,' ]
}
ok 'four connections do something' wait_for 10 held
mapfile -t workers < <(worker_pids)

# Everything stands still.
kill -STOP "$DROVER_PID" "${workers[@]}"
all_work 'stopped' soon
expect_wrong() {
	OUT=$(ctl status)
	[ $? -eq 1 ]
}
ok 'before long status says that something is wrong' wait_for 10 expect_wrong
all_hang() {
	OUT=$(ctl status | tr -s ' \n' ' ')
	[ "$(grep -o 'no heartbeat for' <<<"$OUT" | wc -l)" -eq 3 ]
}
ok 'and that all three hang' wait_for 10 all_hang
like "$OUT" "running \\(hung\\)" 'the state, and that it hangs'
like "$OUT" "WRONG the master \\(process $DROVER_PID\\): no heartbeat for [0-9.]+ s" 'the master'
for slot in 0 1; do
	like "$OUT" "the worker of slot $slot \\(process ${workers[$slot]}\\): no heartbeat for [0-9.]+ s" "worker $slot"
done
all_work 'hung' 1
is "$(ctl workers -H | cut -f 4 | tr '\n' ' ')" 'ready(hung) ready(hung) ' 'workers'
is "$(states)" 'body POST /sink,head -,idle GET /a.txt,send GET /large,' 'conns: the same connections'
is "$(ctl stat -H requests)" $'requests\t1' 'stat: what was counted'
"${CTL[@]}" reload -t 1 >"$T/out" 2>"$T/err"
is "$?" 3 'reload gives up in time'
like "$(cat "$T/out" "$T/err")" 'droverctl: .*[0-9]' 'and says so'
kill -CONT "$DROVER_PID" "${workers[@]}"
ok 'it goes on: what was asked for is done' wait_for 60 stat_is master.generation -eq 2
is_well() {
	OUT=$(ctl status)
}
ok 'and all is well again' wait_for 15 is_well || diag "$OUT"
is "$(stat_of master.worker_hangs) $(stat_of master.worker_deaths)" '0 0' 'nobody was ended for it'

# All are killed, each in the middle of what it does.
spawn herd "$BUILD/herd" -c 20 -r 500 -d 60 -p /a.txt "127.0.0.1:$PORT"
HERD=$PID
hold again 'POST /sink HTTP/1.1|Host: x|Content-Length: 10||abc'
hold late 'GET /large HTTP/1.1|Host: x||'
busy() {
	[ -n "$(ctl conns -H state=body)" ] && [ -n "$(ctl conns -H state=send)" ] && [ "$(stat_of requests)" -gt 100 ]
}
ok 'busy again' wait_for 15 busy
kill -STOP "$HERD"
# At one stroke: who is still able to would take over from the dead.
all=()
none_new() {
	local before=${#all[@]}
	mapfile -t all < <(printf '%s\n' "$DROVER_PID"; children_of "$DROVER_PID")
	kill -STOP "${all[@]}"
	[ ${#all[@]} -eq "$before" ]
}
ok 'all processes stand still' wait_for 5 none_new
{
	kill -KILL "${all[@]}"
	finish "$DROVER_PID"
} 2>/dev/null
for pid in "${all[@]}"; do expect_gone "$pid"; done
DEAD=$DROVER_PID
DROVER_PID=
kill "$HERD" "${HOLD[@]}"
kill -CONT "$HERD"
for pid in "$HERD" "${HOLD[@]}"; do finish "$pid"; done

requests=$(stat_of requests)
cmp_ok "$requests" -gt 100 'the counters are still there'
all_work 'dead' 1
OUT=$(ctl status | tr -s ' \n' ' ')
like "$OUT" 'NOT RUNNING' 'status: does not run'
like "$OUT" "WRONG the master \\(process $DEAD\\) is dead, last heard of .* ago: these figures are from the board that it left" \
	'status: the master is dead'
like "$OUT" 'the worker of slot [01] \(process [0-9]+\) is dead' 'status: and so are workers'
is "$(ctl workers -H | cut -f 4 | sort -u)" dead 'workers: dead'
like "$(ctl conns state=body)" 'body\(dead\).*POST /sink' 'conns: what one was doing'
like "$(ctl conns state=send)" 'send\(dead\).*GET /large' 'conns: and another'
cmp_ok "$(ctl conns -H | wc -l)" -ge 20 'conns: the herd'
is "$(ctl conns -H | cut -f 3 | grep -vc '(dead)')" 0 'conns: all of the dead'
is_stat conns 0 'a gauge of the dead is no more'
for command in reload reopen stop; do
	"${CTL[@]}" $command >"$T/out" 2>"$T/err"
	is "$?" 2 "$command: there is nobody to do it"
	like "$(cat "$T/err")" 'droverctl: ' "$command: says so"
done
conns=$(ctl conns -H | wc -l)

# The next start keeps what the last one left.
start_drover
PREV=("$BUILD/droverctl" --board "$RUN/drover.board.prev")
is "$("${PREV[@]}" stat -H requests)" "requests"$'\t'"$requests" 'the last one is kept'
is "$("${PREV[@]}" conns -H | wc -l)" "$conns" 'with its connections'
"${PREV[@]}" status >"$T/out"
is "$?" 1 'and its status'
like "$(tr -s ' \n' ' ' <"$T/out")" "the master \\(process $DEAD\\) is dead" 'dead'
ok 'while the new one is well' ctl status
stop_drover
OUT=$(ctl status)
is "$?" 1 'after a stop status is 1'
like "$(tr -s ' \n' ' ' <<<"$OUT")" 'NOT RUNNING.*drover stopped .* ago' 'and says that it stopped'
done_testing
