#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
# What droverctl prints fits the terminal, whatever names there are, so that it can be watched: no line is wrapped, no column
# jumps, no escape sequence; in watch(1) itself, too.
. "$(dirname "$0")/lib.sh"

mkdir "$T/www" "$T/www/d"
printf 'hello\n' >"$T/www/a.txt"
LONG=$(printf 'very-long-%.0s' 1 2 3 4 5)name
V6='"[::1]:0",'
perl -MIO::Socket::IP -e 'IO::Socket::IP->new(LocalHost => "::1", Listen => 1) or exit 1' || V6=
start_drover <<EOF
workers = 2
worker_connections = 1000
hang = 60s
deadlines { header = 500s  body = 500s  send = 500s  linger = 500s  idle = 500s  min_rate = 0 }
server "$LONG" {
    listen = { "127.0.0.1:0", $V6 "unix:$T/a-socket-with-a-name-that-is-as-long-as-it-may-be" }
    location "/" { root = "$T/www" }
}
server "牧場 $(printf '\302\233')31m wide 牧場牧場" {
    listen = { "127.0.0.1:0" }
    location "/" { root = "$T/www" }
}
EOF
hold() {
	spawn "$1" perl -MIO::Socket::IP -e '
		my $s = IO::Socket::IP->new(PeerAddr => shift) or die;
		print $s shift =~ s/\|/\r\n/gr;
		$s->flush;
		select undef, undef, undef, 1000' "$2" "$3"
	HOLD+=("$PID")
}
V6_HERE=${V6:+1}
: "${V6_HERE:=0}"
HOLD=()
hold idle "127.0.0.1:$PORT" 'GET /a.txt HTTP/1.1|Host: x||'
hold long "$(port_of 2 >/dev/null && ctl listeners -H | sed -n '2s/\t.*//p')" "GET /$(printf 'long/%.0s' {1..30}) HTTP/1.1|Host: x||" 2>/dev/null
hold wide "127.0.0.1:$(ctl listeners -H | tail -n 1 | cut -f 1 | sed 's/.*://')" "GET /%e7%89%a7$(printf '\347\211\247') HTTP/1.1|Host: x||"
held() {
	[ "$(ctl conns -H state!=head | wc -l)" -eq $((V6_HERE + 2)) ]
}
ok 'connections' wait_for 10 held
echo 'nonsense = "牧場' >>"$T/drover.conf"
allow_log reload
allow_log 'drover.conf'
ctl reload >/dev/null 2>&1
is $? 1 'a long reason why a reload failed'

# fits COLUMNS COMMAND...: at that width no line is wider, and nothing in it is no plain ASCII.
fits() {
	local columns=$1
	shift
	COLUMNS=$columns ctl "$@" >"$T/out" 2>&1
	[ -s "$T/out" ] || fail "$*: prints something"
	is "$(awk -v n="$columns" 'length($0) > n' "$T/out")" '' "$columns columns: $* fits"
	is "$(tr -d '\n\040-\176' <"$T/out" | wc -c)" 0 "$columns columns: $* is plain"
}
all_fit() {
	local columns
	for columns in 80 40; do
		fits $columns status
		fits $columns stat
		fits $columns stat -a
		fits $columns stat -l
		fits $columns stat -i 20ms -n 2
		fits $columns conns
		fits $columns conns -s age
		fits $columns top -1 -i 20ms
		for view in workers connections counters slowest; do fits $columns top -1 -a -i 20ms $view; done
		fits $columns workers -a
		fits $columns listeners
		fits $columns servers -a
		fits $columns upstreams -a
		fits $columns doctor -i 20ms
		fits $columns doctor -a -i 20ms
	done
}
all_fit
for columns in 80 40; do
	fits $columns kill --dry-run --filter 'age>0s'
	fits $columns kill 1 2 3 18446744073709551615
done
COLUMNS=80 ctl conns >"$T/out"
like "$(head -n 1 "$T/out")" '^ *ID +SLOT +STATE +PEER +AGE +LEFT +REQUESTS +IN +OUT' '80 columns: all that matters of conns is seen'
COLUMNS=80 ctl servers >"$T/out"
like "$(head -n 1 "$T/out")" 'OUT$' '80 columns: all columns of servers'
like "$(cat "$T/out")" '^NAME .*very-long-.*~.*name +[0-9]' 'a name that is too long has lost its middle'
COLUMNS=40 ctl stat >"$T/out"
like "$(cat "$T/out")" $'\n''responses_2xx +[1-9][0-9]*'$'\n' '40 columns: values of stat are seen'
like "$(cat "$T/out")" $'\n''server\.[a-z-]*~[a-z_.-]*requests +[0-9]+'$'\n' 'also of the longest name'
is "$(awk 'NF < 2 && !/config|error/' "$T/out")" '' 'each line has one'
COLUMNS=200 ctl status >"$T/wide"
COLUMNS='' ctl status >"$T/none"
is "$(awk 'length($0) > 80' "$T/wide" "$T/none")" '' 'status is made for 80 columns'
ctl conns >"$T/none"
cmp_ok "$(awk '{ if (length($0) > n) n = length($0) } END { print n }' "$T/none")" -gt 80 'without a width nothing is cut'
COLUMNS=20 ctl conns -H >"$T/out"
ctl conns -H >"$T/none"
is "$(cut -f 1-4,11 "$T/out")" "$(cut -f 1-4,11 "$T/none")" 'nor is anything for scripts'

# Columns stay where they are from one look to the next.
positions() {
	COLUMNS=120 ctl "$@" | head -n 1
}
first=$(positions conns -n 1)
workers=$(positions workers)
for _ in 1 2 3 4 5 6 7 8 9 10 11 12; do curl -s "http://127.0.0.1:$PORT/a.txt" >/dev/null; done
is "$(positions conns -n 1)" "$first" 'the columns of conns do not move'
is "$(positions workers)" "$workers" 'nor do those of workers, with more digits'

# On a terminal, in watch: each line on the screen is a line of droverctl, none is wrapped.
if ! command -v tmux >/dev/null || ! command -v watch >/dev/null; then
	skip 'in watch' 'no tmux or no watch'
else
	export TMUX_TMPDIR=$T LC_ALL=C.UTF-8
	unset TMUX
	# screen COLUMNS COMMAND...: what is seen once it is full, titles of watch left out.
	screen() {
		local columns=$1
		shift
		tmux -f /dev/null new-session -d -s s -x "$columns" -y 40 "PS1= exec watch -n 0.2 '$BUILD/droverctl' -r '$RUN' $*"
		seen() {
			tmux capture-pane -p -t s >"$T/screen" && grep -q "$SEEN" "$T/screen"
		}
		wait_for 10 seen || fail "$* is seen" "$(cat "$T/screen")"
		tmux kill-session -t s
		sed '1,2d' "$T/screen" | grep -v '^$'
	}
	for columns in 80 40; do
		SEEN='^lost' screen $columns status >"$T/seen"
		COLUMNS=$columns ctl status >"$T/out"
		is "$(cut -c 1-15 "$T/seen" | sed 's/ *$//')" "$(cut -c 1-15 "$T/out" | sed 's/ *$//')" "$columns columns: watch status shows what is printed, line by line"
		SEEN="$(ctl conns | awk 'END { print $1 }')" screen $columns conns >"$T/seen"
		is "$(wc -l <"$T/seen")" "$(ctl conns | wc -l)" "$columns columns: watch conns, too"
	done
	tmux kill-server 2>/dev/null
	# The same without watch: the terminal's own width.
	script -qec "stty cols 60; '$BUILD/droverctl' -r '$RUN' conns; '$BUILD/droverctl' -r '$RUN' servers" "$T/typescript" >/dev/null </dev/null
	is "$(sed '1d;$d' "$T/typescript" | tr -d '\r' | awk 'length($0) > 60')" '' "on a terminal of 60 columns"
	is "$(tr -cd '\033' <"$T/typescript" | wc -c)" 0 'without an escape sequence'
	LC_ALL=C
fi

# The same with everybody stopped, and after all were killed.
mapfile -t workers < <(worker_pids)
kill -STOP "$DROVER_PID" "${workers[@]}"
hangs() {
	[ "$(ctl status | grep -c 'heartbeat')" -ge 2 ]
}
ok 'all hang' wait_for 10 hangs
all_fit
kill "${HOLD[@]}" 2>/dev/null
for pid in "${HOLD[@]}"; do finish "$pid"; done 2>/dev/null
{
	kill_family
	finish "$DROVER_PID"
} 2>/dev/null
DROVER_PID=
all_fit
done_testing
