# SPDX-License-Identifier: BSD-2-Clause
# shellcheck shell=bash disable=SC2034
#
# For scenarios with live connections of every kind, after lib.sh: a site for them, and the client t/tools/live.pl, which goes
# on when it is told to. TO holds the addresses.

mkdir "$T/www"
for file in one:1 1k:1024 64k:65536 big:8000000; do
	perl -e 'srand 7; print map { chr rand 256 } 1 .. shift' "${file#*:}" >"$T/www/${file%:*}"
done

# All but parts, which do not move before they are whole.
KINDS=behind,chunked,download,fresh,head,heads,idle,length,linger,old,queue,range,waiting
TO=()
declare -A SAID LIVE SAY

# live_site [WORKERS] [MORE]: writes drover.conf; MORE comes first in it.
live_site() {
	config <<EOF
workers = ${1:-2}
worker_connections = 4000
${2:-drain = 20s}
server "site" {
    listen = { "127.0.0.1:0" }
    names = { "site" }
    keepalive { requests = 0 }
    deadlines { header = 300s  body = 300s  idle = 600s  linger = 60s  min_rate = 0 }
    location "/" { root = "$T/www" }
    location "= /ok" { status = 200  text = "ok" }
}
EOF
}

heard() {
	is_gone "${LIVE[$1]}" || grep -q "^$2" "$T/$1.out"
}

# live NAME OPTIONS: starts the client and waits until its connections are open.
live() {
	local name=$1 fd
	shift
	rm -f "$T/$name.say" "$T/$name.out"
	mkfifo "$T/$name.say"
	spawn "$name" perl "$ROOT/t/tools/live.pl" "$@" "$T/$name.say" "$T/www" "${TO[@]}"
	LIVE[$name]=$PID
	SAID[$name]=0
	exec {fd}<>"$T/$name.say"
	SAY[$name]=$fd
	if ! wait_for 60 heard "$name" opened || is_gone "${LIVE[$name]}"; then
		die "$name: connections are opened" "$(cat "$T/$name.out" "$T/$name.err")"
	fi
}

# say NAME WORD: and waits until it is done.
say() {
	printf '%s\n' "$2" >&"${SAY[$1]}"
	SAID[$1]=$((SAID[$1] + 1))
	[ "$2" = end ] || wait_for 60 heard "$1" "done ${SAID[$1]}\$" || fail "$1: $2" "$(cat "$T/$1.out" "$T/$1.err")"
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
