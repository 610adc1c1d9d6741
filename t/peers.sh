# SPDX-License-Identifier: BSD-2-Clause
# shellcheck shell=bash
#
# Peers for scenarios of the proxy, after lib.sh and http.sh.

PYTHON=/usr/bin/python3
[ -x "$PYTHON" ] || skip_all 'no python3 for the peers'

# peer NAME ADDRESS [PROGRAM]: starts one (t/tools/backend.py), its address is in PEER_NAME, its process in PID_NAME, and
# what it says in $T/NAME.out.
peer() {
	spawn "$1" "$PYTHON" "${3:-$ROOT/t/tools/backend.py}" "$2" "$1"
	eval "PID_$1=$PID"
	wait_for 10 grep -qs '^listening' "$T/$1.out" || die "peer $1" "$(cat "$T/$1.err")"
	eval "PEER_$1=$(awk '$1 == "listening" { print $2 }' "$T/$1.out")"
}

# said FIELD FILE: the last value of a field in heads that a peer or a client was told.
said() {
	sed -n "s/^$1: \\([^\r]*\\)\r*\$/\\1/Ip" "$2" | tail -n 1
}

# asked NAME TEXT: how often a peer was asked for it.
asked() {
	grep -c "^request $2" "$T/$1.out"
}
