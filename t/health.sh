# SPDX-License-Identifier: BSD-2-Clause
# For scenarios about the health of peers: sourced after lib.sh and http.sh.

PYTHON=/usr/bin/python3
[ -x "$PYTHON" ] || skip_all 'no python3 for the peers'

MOODY=()

# moody NAME [ADDRESS]: starts a peer (t/tools/moody.py), its address is in PEER_NAME.
moody() {
	: >"$T/$1.out"
	spawn "$1" env -C "$T" "$PYTHON" "$ROOT/t/tools/moody.py" "${2:-127.0.0.1:0}" "$1"
	eval "PID_$1=$PID"
	MOODY+=("$PID")
	wait_for 10 grep -q '^listening' "$T/$1.out" || die "peer $1" "$(cat "$T/$1.err")"
	eval "PEER_$1=$(awk '$1 == "listening" { print $2 }' "$T/$1.out")"
}

# end_peers: all of them.
end_peers() {
	local pid
	for pid in "${MOODY[@]}"; do
		kill "$pid" 2>/dev/null
		finish "$pid"
	done
}

# feels NAME health|serve MOOD...: none: well again.
feels() {
	local file=$T/$1.$2
	shift 2
	if [ $# = 0 ]; then rm -f "$file"; else printf '%s\n' "$*" >"$file.new" && mv "$file.new" "$file"; fi
}

# state_of UPSTREAM PEER: as droverctl shows it.
state_of() {
	ctl upstreams -H | awk -F '\t' -v u="$1" -v p="$2" '$1 == u && $2 == p { print $3 }'
}

state_is() {
	[ "$(state_of "$1" "$2")" = "$3" ]
}

# expect_state UPSTREAM PEER STATE [SECONDS]
expect_state() {
	if wait_for "${4:-10}" state_is "$1" "$2" "$3"; then
		pass "peer $2 of $1 becomes: $3"
	else
		fail "peer $2 of $1 becomes: $3" "it is '$(state_of "$1" "$2")'"
	fi
}

# answers PATH COUNT: how often each body came, of so many requests: "a:10 b:10".
answers() {
	curl -s -m $((60 * WAIT_FACTOR)) -w '\n' "http://127.0.0.1:$PORT$1?[1-$2]" | sort | uniq -c |
		awk '{ printf "%s%s:%d", (NR > 1 ? " " : ""), $2, $1 } END { print "" }'
}

prober_pid() {
	stat_of master.prober_pid
}

prober_runs() {
	local pid
	pid=$(prober_pid) && [ "$pid" != 0 ] && [ "$pid" != "${1:-}" ] && kill -0 "$pid" 2>/dev/null
}
