#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
# droverctl top as an operator sees it, in terminals of several sizes (tmux): figures against stat and against the load, views,
# sorting, filter, pause, resizing; the daemon stops, starts anew, hangs and is killed meanwhile; once as text and as JSON.
. "$(dirname "$0")/lib.sh"

command -v tmux >/dev/null || skip_all 'no tmux'
"$BUILD/droverctl" -r "$T" top 2>&1 </dev/null | grep -q 'built without' && skip_all 'built without the live view'

mkdir "$T/www"
printf 'hello\n' >"$T/www/a.txt"
head -c 24000000 /dev/zero >"$T/www/large"
start_drover <<EOC
workers = 2
worker_connections = 1000
rebalance = false
hang = 300s
deadlines { header = 500s  body = 500s  send = 500s  idle = 500s  min_rate = 0 }
server "s\\xc3\\xa9" {
    listen = { "127.0.0.1:0" }
    location "/" { root = "$T/www" }
    location "= /sink" { status = 200 }
}
EOC
ADDRESS=127.0.0.1:$PORT
sed -i "s/127.0.0.1:0/$ADDRESS/" "$T/drover.conf"

# Load of a known rate, and three requests that take long.
RATE=300
load() {
	spawn "$1" "$BUILD/herd" -c 20 -r $RATE -d 600 -p /a.txt "$ADDRESS"
	LOAD=$PID
	for request in 'GET /a.txt HTTP/1.1|Host: x|' 'POST /sink HTTP/1.1|Host: x|Content-Length: 10||abc' \
		'GET /large?%1b[2J HTTP/1.1|Host: x||'; do
		spawn hold perl -MIO::Socket::INET -e '
			my $s = IO::Socket::INET->new(PeerAddr => shift) or die;
			print $s shift =~ s/\|/\r\n/gr;
			$s->flush;
			select undef, undef, undef, 1000' "$ADDRESS" "$request"
		HOLD+=("$PID")
	done
	wait_stat conns -eq 23 30 && wait_stat requests -gt 500 30
}
unload() {
	kill "$LOAD" "${HOLD[@]}" 2>/dev/null
	for pid in "$LOAD" "${HOLD[@]}"; do finish "$pid"; done
	HOLD=()
}
HOLD=()
ok 'twenty connections under load, three that take long' load load

# narrow FILE WIDTH: printable lines, none wider.
narrow() {
	LC_ALL=C awk -v w="$2" 'length($0) > w || /[^ -~]/ { print "wide or odd: " $0; bad = 1 } END { exit bad || NR == 0 }' "$1"
}

# Once, as text.
# What a machine that stood still for a moment has not asked, it asks at once when it goes on: that interval is not looked at.
as_told() {
	before=$(stat_of requests)
	ctl top -1 -i 2 >"$T/once" 2>"$T/err"
	STATUS=$?
	after=$(stat_of requests)
	read -r _ rate total _ < <(grep '^requests ' "$T/once")
	[ "${rate%.*}" -ge $((RATE * 2 / 3)) ] && [ "${rate%.*}" -le $((RATE * 3 / 2)) ]
}
ok 'requests a second, as the load was told' wait_for 15 as_told || diag "$(cat "$T/once")"
is "$STATUS $(cat "$T/err")" '0 ' 'top -1'
ok 'not wider than 80, no escape sequence' narrow "$T/once" 80
cmp_ok "$(wc -l <"$T/once")" -le 24 'a screenful'
cmp_ok "$total" -ge "$before" 'total of requests: at least what stat said before'
cmp_ok "$total" -le "$after" 'and at most what it said after'
like "$(cat "$T/once")" 'drover 0\.[0-9.]+  running  up .*generation 1  master '"$DROVER_PID" 'the header'
like "$(cat "$T/once")" 'workers 2 of 2 ready, 0 draining, 0 hung, 0 dead  conns 23' 'workers'
like "$(cat "$T/once")" 'SLOWEST OF ([3-9]|[12][0-9]) IN FLIGHT' 'in flight'
like "$(cat "$T/once")" $'[0-9] m?s (head      -|body      POST /sink|send      GET /large)\n' 'the slowest of them'
for view in overview workers connections counters slowest; do
	COLUMNS=40 ctl top -1 -i 0.1 $view >"$T/once" 2>"$T/err"
	is "$? $(cat "$T/err")" '0 ' "top -1 $view"
	ok "top -1 $view: not wider than COLUMNS" narrow "$T/once" 40
done
LINES=10 ctl top -1 -i 0.1 counters >"$T/once"
is "$(wc -l <"$T/once")" 10 'as many LINES as there are'
ctl top -1 -i 0.1 -s -conns work >"$T/once"
is "$? $(awk '$3 == "ready" { print $3 }' "$T/once" | wc -l)" '0 2' 'top -1 -s -conns work'
COLUMNS=200 ctl top -1 -i 0.1 connections >"$T/once"
is "$(grep -c 's\\xc3\\xa9' "$T/once")" "$(ctl conns -H | awk -F '\t' '$10 != "-"' | wc -l)" 'what a name holds is escaped'

# Once, as JSON. Its figures are read one after the other, so that some may be of a moment later.
figures_agree() {
	ctl top -j -i 1 >"$T/json"
	STATUS=$?
	perl -MJSON::PP -e '
	my ($file, $before, $pid, $rate) = @ARGV;
	my $j = decode_json(do { local (@ARGV, $/) = $file; <> });
	my $r = $j->{figures}{requests};
	my $near = $rate / 10; # one is read after the other
	die "head" if $j->{schema} ne "drover/1" || $j->{command} ne "top" || $j->{trouble} ne "" || $j->{master}{pid} != $pid;
	die "total $r->{total}" if $r->{total} < $before;
	die "rate $r->{per_s}" if $r->{per_s} < $rate * 2 / 3 || $r->{per_s} > $rate * 3 / 2;
	my ($all, $last) = @{$j->{latency_us}}{qw(since_start interval)};
	die "count" if abs($last->{count} - $r->{per_s} * $j->{interval_s}) > $near;
	die "all" if abs($all->{count} - $r->{total}) > $near;
	for my $l ($all, $last) {
		die "order" if !($l->{p50} > 0 && $l->{p50} <= $l->{p90} && $l->{p90} <= $l->{p99} && $l->{p99} <= $l->{p999});
	}
	my $sum = 0;
	$sum += $_ for values %{$j->{connections}{states}};
	die "states $sum" if $sum != 23 || $j->{connections}{conns} != 23;
	die "workers" if @{$j->{workers}} != 2 || grep { $_->{life} ne "alive" } @{$j->{workers}};
	my $of = 0;
	$of += $_->{requests_per_s} for @{$j->{workers}};
	die "rates of workers: $of" if abs($of - $r->{per_s}) > $near;
	my @slow = sort map { "$_->{state} $_->{request}" } @{$j->{slowest}}[0 .. 2];
	die "slow: @slow" if "@slow" ne "body POST /sink head  send GET /large";
	die "sorted" if grep { $j->{slowest}[$_]{time_ms} < $j->{slowest}[$_ + 1]{time_ms} } 0 .. $#{$j->{slowest}} - 1;
	' "$T/json" "$before" "$DROVER_PID" $RATE
}
ok 'top -j: the same figures' wait_for 15 figures_agree
is "$STATUS" 0 'top -j'
is "$(ctl top -j -i 0.1 -n 3 | wc -l)" 3 'top -j -n 3'

# What is wrong on the command line, or with the terminal.
wrong() {
	local want=$1
	shift
	ctl "$@" >"$T/out" 2>"$T/err" </dev/null
	is "$?" 2 "$*: status 2"
	like "$(cat "$T/err")" "$want" "$*: says why"
}
wrong 'needs a terminal' top
wrong "no view 'nonsense'" top -1 nonsense
wrong "not sorted by 'colour'" top -1 -s colour workers
wrong 'takes no option --timeout' top -t 1
wrong 'without VIEW' top -j workers

# In terminals. pane NAME COLUMNS LINES COMMAND: runs it there; its end and what it says on standard error are kept.
printf 'set -g status off\nset -g default-shell /bin/sh\n' >"$T/tmux.conf"
tm() {
	env -u TMUX tmux -S "$T/tmux" -f "$T/tmux.conf" "$@" 9<&-
}
pane() {
	tm new-session -d -s "$1" -x "$2" -y "$3" \
		"trap : INT; stty -g >$T/$1.stty; $4 2>$T/$1.err; echo \$? >$T/$1.end; stty -g | cmp - $T/$1.stty >$T/$1.cmp.new 2>&1; mv $T/$1.cmp.new $T/$1.cmp; read x"
	watch_log "$T/$1.err"
}
TOP="$BUILD/droverctl -r $RUN top -i 0.2"
look() {
	tm capture-pane -p -t "$1" >"$T/screen.$1"
	SCREEN=$(cat "$T/screen.$1")
}
matches() {
	look "$1"
	[[ $SCREEN =~ $2 ]]
}
# shows NAME REGEX TEST: before long.
shows() {
	if wait_for 15 matches "$1" "$2"; then pass "$3"; else fail "$3" "want: /$2/ on:
$SCREEN"; fi
}
# keys NAME KEY...
keys() {
	local name=$1
	shift
	tm send-keys -t "$name" "$@"
}
ended() {
	wait_for 15 test -f "$T/$1.cmp"
	is "$(cat "$T/$1.end" "$T/$1.err" "$T/$1.cmp")" "$2" "$1: ended, nothing said, terminal as it was"
}

pane a 80 24 "$TOP"
shows a $'^drover 0\\.[0-9.]+  running .*\n\\[1 overview\\] 2 workers .*\nrequests +[0-9]+\\.[0-9] +[0-9]+  p50 +[0-9].*\\? help  q quit$' 'overview: rates and percentiles'
ok '80 columns' narrow "$T/screen.a" 80
is "$(wc -l <"$T/screen.a")" 24 '24 lines'
like "$SCREEN" $'\nevery 0\\.2 s .*\\? help  q quit$' 'the last says how to go on'
like "$SCREEN" 'CONNECTIONS  23 of 2000' 'connections'
like "$SCREEN" 'body +1' 'by state'
like "$SCREEN" $'\nrequests \\(counter, requests\\)\nRequests answered' 'the selected field is described'
rate_near() {
	look a
	local rate
	rate=$(awk '$1 == "requests" { printf "%d", $2; exit }' "$T/screen.a")
	[ "${rate:-0}" -ge $((RATE / 2)) ] && [ "$rate" -le $((RATE * 2)) ]
}
ok 'requests a second are those of the load' wait_for 15 rate_near
keys a Down Down Down Down Down Down Down Down Down Down Down
shows a $'\nexpired \\(counters\\)\nDeadlines that passed' 'what a sum consists of'
keys a 2
shows a $'\\[2 workers\\].*\nSLOT +PID STATE .*BEAT *\n   0 +[0-9]+ ready .*\n   1 +[0-9]+ ready ' 'workers'
keys a 3
shows a $'\\[3 connections\\].*\nSLOT STATE +PEER .*\n.* 23 rows' 'connections'
keys a /
shows a 'filter: _' 'a filter is asked for'
keys a -l sink
shows a $'filter: sink_'  'and typed'
shows a $'REQUEST *\n +[01] body +127\\.0\\.0\\.1:[0-9]+ [^\n]* POST /sink\n *\n' 'one connection passes it'
keys a Enter
shows a $' 1 rows  filter .sink.' 'it is kept'
shows a $'\nconnection [0-9]+ of slot [01] .process [0-9]+. from 127\\.0\\.0\\.1:[0-9]+\nbody for ' 'the selected connection is described'
keys a Escape
shows a $' 23 rows  ' 'and cleared'
keys a s s
shows a 'by state' 'sorted by the state'
shows a $'REQUEST *\n +[01] body .*\n +[01] head .*\n +[01] (idle|respond|send|head) ' 'from A'
keys a S
shows a $'by state reversed' 'reversed'
shows a $'REQUEST *\n +[01] send .*\n' 'from Z'
keys a 5
shows a $'\\[5 slowest\\].*\n.*TIME STATE .*\n[^\n]*(head|body|send) .*\n[^\n]*(head|body|send) .*\n[^\n]*(head|body|send) ' 'slowest in flight'
shows a 'GET /large' 'with their requests'
keys a 4
shows a $'\\[4 counters\\].*\nNAME +VALUE +A SECOND +INTERVAL UNIT *\n' 'counters'
keys a / 
keys a -l 'responses_2'
shows a $'\nresponses_2xx +[0-9]+ +[0-9]+\\.[0-9] +\\+[0-9]+ responses *\nserver\\.s\\\\xc3\\\\xa9\\.responses_2xx ' 'by name'
keys a Enter
same_total() {
	look a
	local shown low high
	low=$(stat_of responses_2xx)
	look a
	shown=$(awk '$1 == "responses_2xx" { print $2; exit }' "$T/screen.a")
	high=$(stat_of responses_2xx)
	# What is shown may be an interval old.
	[ "$shown" -ge $((low - RATE * 2)) ] && [ "$shown" -le "$high" ]
}
ok 'a value is that of stat' wait_for 15 same_total
keys a Escape / 
keys a -l 'latency.p'
shows a $'\nlatency\\.p50 +[0-9.]+ m?u?s +[0-9.]+ m?u?s *\nlatency\\.p90 ' 'percentiles, since the start and of the interval'
keys a Escape z
shows a 'no zeros' 'without zeros'
unlike "$SCREEN" $'\nbuffer_failures ' 'without zeros: they are left out'
keys a z a
shows a $' rows  all ' 'all levels'
keys a a '?'
shows a 'p  space  pause; look now' 'help'
keys a '?' 1 p
# The last of what was shown before may still be on its way to the screen.
paused=
stands() {
	look a
	[[ $SCREEN =~ PAUSED ]] && [ "$SCREEN" = "$paused" ] && return 0
	paused=$SCREEN
	return 1
}
ok 'paused' wait_for 15 stands || diag "$SCREEN"
now=$(stat_of requests)
expect_stat requests -gt $((now + RATE))
look a
is "$SCREEN" "$paused" 'nothing moves'
keys a p
goes_on() {
	look a
	[ "$SCREEN" != "$paused" ] && ! [[ $SCREEN =~ PAUSED ]]
}
ok 'it goes on' wait_for 15 goes_on
keys a -
shows a 'every 0.5 s' 'less often'
keys a +
shows a 'every 0.2 s' 'more often'

# Sizes, while it runs.
fits() {
	tm capture-pane -p -t a >"$T/screen.a"
	narrow "$T/screen.a" "$1" && [ "$(wc -l <"$T/screen.a")" -eq "$2" ] && grep -q "$3" "$T/screen.a"
}
for view in 1 2 3 4 5; do
	keys a $view
	for size in '40 12 ^every 0' '20 5 drover' '200 60 help  q quit$' '1 1 ' '80 24 help  q quit$'; do
		read -r columns lines sign <<<"$size" # 1 1: it lives
		tm resize-window -t a -x "$columns" -y "$lines"
		wait_for 15 fits "$columns" "$lines" "$sign" || fail "view $view in $columns x $lines"
	done
	ok "view $view in every size" fits 80 24 'help  q quit$'
done
pane b 40 12 "$TOP counters"
shows b $'4 counters\\].*\nNAME +VALUE +A SECOND *\n' 'begins with a view, in 40x12'
pane c 200 60 "$TOP -s -conns workers"
shows c $'\nSLOT +PID STATE .*REQUESTS' 'and in 200x60, sorted'
shows c 'by conns reversed' 'sorted by what was asked for'

# Everything else goes on if workers stand still.
mapfile -t workers < <(worker_pids)
kill -STOP "${workers[@]}"
keys a 2
shows a $'\nworkers 2 HUNG, 0 of 2 ready' 'workers that hang'
shows a $'ready\\(hung\\) .*\n.*ready\\(hung\\) ' 'each of them'
keys a 3
shows a $' 23 rows' 'their connections'
keys a 5
shows a 'POST /sink' 'their requests'
COLUMNS=80 ctl top -1 -i 0.1 >"$T/once"
like "$(cat "$T/once")" 'workers 2 HUNG' 'top -1 says so as well'
kill -CONT "${workers[@]}"
keys a 1
shows a $'\nworkers 2 of 2 ready, 0 draining, 0 hung' 'they go on'
ok 'at the rate of before' wait_for 15 rate_near

# Another daemon, another board: totals begin anew, and no rate is ever more than was asked for.
SANE= odd=0
is_sane() {
	look a
	local rate
	rate=$(awk '$1 == "requests" { print $2; exit }' "$T/screen.a")
	[[ $rate == - || $rate =~ ^[0-9]+\.[0-9]$ ]] && [ "${rate%.*}" != - ] && [ "${rate%.*}" -gt 5000 ] && SANE+=" $rate"
	# Half a screen may be seen, for a moment: until both ends of the terminal have had their time.
	[[ $rate == - || $rate =~ ^[0-9]+\.[0-9]$ ]] && odd=0
	[[ $rate == - || $rate =~ ^[0-9]+\.[0-9]$ ]] || [ "$odd" -ne 0 ] || odd=$(now_ms)
	[ "$odd" -eq 0 ] || [ $(($(now_ms) - odd)) -lt $((3000 * WAIT_FACTOR)) ] || SANE+=" '$rate'"
	[[ $SCREEN =~ $1 ]]
}
unload
expect_stat conns -eq 0
stop_drover
ok 'it stops' wait_for 15 is_sane $'NOT RUNNING  ran .*\nworkers 0 of '
like "$SCREEN" 'STOPPED .* ago: this is the board that it left' 'which is told'
start_drover
ok 'it starts anew' wait_for 15 is_sane $'  running  up [0-9.]+ m?s .*\nworkers 2 of 2 ready, 0 draining, 0 hung, 0 dead  conns'
ok 'under load again' load again
ok 'with rates' wait_for 15 rate_near
ok 'of its own' wait_for 15 is_sane 'SLOWEST OF [3-9]'
is "$SANE" '' 'and never with nonsense'
shows b 'running  up' 'the others saw it as well'

# Killed: what it was doing can be read for ever.
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
DEAD=$DROVER_PID
DROVER_PID=
shows a "DEAD: master $DEAD, last heard of " 'killed: the live view says so'
shows a $'\nworkers 2 DEAD, 0 of 2 ready' 'and of its workers'
keys a 5
shows a $'(body|send)\\(dead\\)' 'what they were doing'
start=$(now_ms)
ctl top -1 -i 60 >"$T/once"
is "$?" 0 'top -1'
cmp_ok $(($(now_ms) - start)) -lt 30000 'top -1: no waiting for the dead'
like "$(cat "$T/once")" 'DEAD: master' 'top -1 says so'
like "$(cat "$T/once")" 'POST /sink' 'and what was in flight'
unload
start_drover
PREV="$BUILD/droverctl --board $RUN/drover.board.prev top"
$PREV -1 >"$T/prev" 2>&1
like "$(cat "$T/prev")" "NOT RUNNING .*DEAD: master $DEAD.*POST /sink" 'the next start keeps it'
ok '--board: 80 columns' narrow "$T/prev" 80
is "$($PREV -j | perl -MJSON::PP -e 'my $j = decode_json(<STDIN>); print "$j->{master}{life} $j->{census}{dead} ", $j->{interval_s} // "null"')" \
	'dead 2 null' '--board -j'
pane d 80 24 "$PREV"
shows d "DEAD: master $DEAD, last heard of " '--board: live'
keys d 3
shows d $'idle\\(dead\\)' '--board: its connections'
shows a 'running' 'the one before follows the new one'

# Ends.
keys d q
ended d 0
keys a C-c
ended a 0
kill -TERM "$(pgrep -f "^$BUILD/droverctl -r $RUN top -i 0.2 counters" | tail -n 1)"
ended b 0
pane e 80 24 "$TOP -n 2"
ended e 0
pane f 80 24 "TERM=nonesuch $TOP"
wait_for 15 test -s "$T/f.end"
is "$(cat "$T/f.end")" 2 'an unknown terminal: status 2'
like "$(cat "$T/f.err")" "type 'nonesuch' is not known" 'and why'
# These lose their terminals in the end. The kernel sends SIGCONT with its SIGHUP then, which takes away the SIGSTOP by which the
# search for leaks stops a process: it would wait for ever. Those that end above are searched.
NOLEAKS="ASAN_OPTIONS=detect_leaks=0:${ASAN_OPTIONS-}"
pane g 80 24 "NO_COLOR=1 $NOLEAKS $TOP"
pane h 80 24 "TERM=vt100 $NOLEAKS $TOP"
for name in c g h; do
	shows $name '  running  up' "$name: runs"
	tm capture-pane -e -p -t $name >"$T/colors.$name"
done
ok 'colours' grep -q $'\e\\[3[0-7]m' "$T/colors.c"
fails 'NO_COLOR: none' grep -E $'\e\\[([0-9]+;)*[34][0-7]m' "$T/colors.g"
# The terminal is lost, with SIGHUP and without it.
keys c q
ended c 0
pane i 80 24 "trap '' HUP; export $NOLEAKS; exec $TOP"
shows i '  running  up' 'i: runs'
tm list-panes -a -F '#{pane_pid}' >"$T/panes"
tops() {
	list_family
	local pid
	for pid in "${FAMILY[@]}"; do { tr '\0' ' ' <"/proc/$pid/cmdline"; } 2>/dev/null | grep "^$TOP"; done | wc -l
}
cmp_ok "$(tops)" -ge 3 'three of them run'
tm kill-server
none_left() {
	[ "$(tops)" -eq 0 ]
}
ok 'they end with their terminals' wait_for 15 none_left || diag "$(ps -ef)"
for name in a b c d e g h i; do is "$(cat "$T/$name.err")" '' "$name: said nothing"; done
stop_drover
done_testing
