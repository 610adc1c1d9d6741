# SPDX-License-Identifier: BSD-2-Clause
# shellcheck shell=bash
#
# For scenarios with peers that fail (tools/faulty.py): . "$(dirname "$0")/faults.sh" after lib.sh.

PYTHON=/usr/bin/python3
[ -x "$PYTHON" ] || skip_all 'no python3 for the peers'
declare -A PEER_AT PEER_PID

# faulty NAME [MODES]: a peer; its address is in PEER_AT[NAME]. Again after its end: on the same port, which nobody else is given meanwhile.
faulty() {
	: "${PEER_AT[$1]:=127.0.0.1:$(free_port)}"
	[ $# -lt 2 ] || mode "$1" "$2"
	rm -f "$T/$1.out"
	spawn "$1" "$PYTHON" "$ROOT/t/tools/faulty.py" "${PEER_AT[$1]}" "$T/$1.modes" "$T/$1.record"
	PEER_PID[$1]=$PID
	wait_for 20 grep -qs '^listening' "$T/$1.out" || die "peer $1 starts" "$(cat "$T/$1.err")"
}

# mode NAME MODES: how it fails from now on.
mode() {
	printf '%s\n' "$2" >"$T/$1.modes.new"
	mv "$T/$1.modes.new" "$T/$1.modes"
}

# end_peer NAME [SIGNAL]
end_peer() {
	kill -"${2:-TERM}" "${PEER_PID[$1]}"
	finish "${PEER_PID[$1]}"
}

# descriptors_beside: those that workers hold beside the ones that the board accounts for.
descriptors_beside() {
	local pid open=0
	for pid in $(worker_pids); do
		set -- "/proc/$pid/fd/"*
		open=$((open + $#))
	done
	printf '%d' $((open - $(stat_of fds)))
}

# audit_mark: when nothing goes on. audit NAME: a descriptor belongs to a record or is closed. Each worker holds what the board
# accounts for, which are connections of clients and to peers, and the few that are its own.
audit_mark() {
	AUDIT_MARK=$(descriptors_beside)
}
audit_holds() {
	[ "$(descriptors_beside)" = "$AUDIT_MARK" ] && [ "$(stat_of fds)" = $(($(stat_of conns) + $(stat_of up_conns))) ]
}
audit() {
	if wait_for 5 audit_holds; then pass "$1: descriptors are those of records"; else
		fail "$1: descriptors are those of records" \
			"beside the board's: $(descriptors_beside), were $AUDIT_MARK; fds $(stat_of fds), conns $(stat_of conns), up_conns $(stat_of up_conns)"
	fi
}
