# SPDX-License-Identifier: BSD-2-Clause
# shellcheck shell=bash disable=SC2034
#
# For scenarios with live connections of every kind, after lib.sh: a site for them, and clients that hold them and go on when
# they are told to, t/tools/live.pl above all. TO holds the addresses; none: $PORT.

# make_site: the served folder, with what tools/live.pl asks for.
make_site() {
	mkdir "$T/www"
	printf 'one\n' >"$T/www/one"
	head -c 1024 /dev/urandom | base64 -w 0 | head -c 1024 >"$T/www/1k"
	head -c 65536 /dev/urandom >"$T/www/64k"
	head -c 8000000 /dev/urandom >"$T/www/big"
}

# All but parts, which do not move before they are whole.
KINDS=behind,chunked,download,fresh,head,heads,idle,length,linger,old,queue,range,waiting
TO=()
declare -A SAID LIVE SAY

# live_site [WORKERS] [MORE]: writes drover.conf; MORE comes first in it.
live_site() {
	[ -d "$T/www" ] || make_site
	config <<EOF
workers = ${1:-2}
worker_connections = 4000
${2:-drain = 20s}
server "site" {
    listen = { "127.0.0.1:0" }
    names = { "site" }
    keepalive { requests = 0 }
    deadlines { header = 300s  body = 300s  send = 300s  idle = 600s  linger = 300s  min_rate = 0 }
    location "/" { root = "$T/www" }
    location "= /ok" { status = 200  text = "ok" }
}
EOF
}

opened() {
	is_gone "${LIVE[$1]}" || grep -qs '^opened' "$T/$1.out"
}

obeyed() {
	is_gone "${LIVE[$1]}" || [ "$(grep -cs '^done' "$T/$1.out")" -ge "${SAID[$1]}" ]
}

# hold NAME CMD...: starts a client that reads a word at a time from the FIFO $T/NAME.say, and waits until its connections are
# open.
hold() {
	local name=$1 fd
	shift
	rm -f "$T/$name.say" "$T/$name.out"
	mkfifo "$T/$name.say"
	spawn "$name" "$@"
	LIVE[$name]=$PID
	SAID[$name]=0
	exec {fd}<>"$T/$name.say"
	SAY[$name]=$fd
	if ! wait_for 60 opened "$name" || is_gone "${LIVE[$name]}"; then
		die "$name: connections are opened" "$(cat "$T/$name.out" "$T/$name.err")"
	fi
}

# live NAME OPTIONS: tools/live.pl.
live() {
	local name=$1
	shift
	hold "$name" perl "$ROOT/t/tools/live.pl" "$@" "$T/$name.say" "$T/www" "${TO[@]:-127.0.0.1:$PORT}"
}

# say NAME WORD: and waits until it is done.
say() {
	printf '%s\n' "$2" >&"${SAY[$1]}"
	SAID[$1]=$((SAID[$1] + 1))
	[ "$2" = end ] || wait_for 60 obeyed "$1" || fail "$1: $2" "$(cat "$T/$1.out" "$T/$1.err")"
}

# ends NAME TITLE: every answer was right to the end.
ends() {
	local fd=${SAY[$1]}
	say "$1" end
	finish "${LIVE[$1]}" 120
	is "$STATUS" 0 "$2" || diag "$(cat "$T/$1.out" "$T/$1.err")"
	exec {fd}>&-
}

# all_gone PID...
all_gone() {
	local pid
	for pid in "$@"; do is_gone "$pid" || return 1; done
}
