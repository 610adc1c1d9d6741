# SPDX-License-Identifier: BSD-2-Clause
# shellcheck shell=bash disable=SC2034
#
# For scenarios that count what peers get, after lib.sh: tools/peers.c and tools/ask.c.

# start_peers COUNT: their addresses are then in the array PEER.
start_peers() {
	spawn peers "$BUILD/peers" "$1"
	PEERS_PID=$PID
	wait_for 10 peers_listen "$1" || die 'the peers' "$(cat "$T/peers.err")"
	mapfile -t PEER < <(awk '$1 == "listening" { print $3 }' "$T/peers.out")
}

peers_listen() {
	[ "$(grep -c '^listening' "$T/peers.out")" -eq "$1" ]
}

# tell_peers WHAT: counts, reset, delay/K/MS. The counts are the answer.
tell_peers() {
	curl -sS -m $((20 * WAIT_FACTOR)) "http://${PEER[0]}/~$1"
}

# counts [COLUMN]: requests (2), in hand (3), most in hand (4), given up (5) of each peer, on one line.
counts() {
	tell_peers counts | awk -v c="${1:-2}" '{ printf "%s%s", (NR > 1 ? " " : ""), $c } END { print "" }'
}

# asked COUNT LINE [OPTIONS of ask]: asks for LINE so often; what came of each is in $T/answers.
asked() {
	local count=$1 line=$2
	shift 2
	yes "$line" | head -n "$count" | "$BUILD/ask" "$@" "${AT:-127.0.0.1:$PORT}" >"$T/answers" 2>"$T/ask.err"
}

# ask_all FILE [OPTIONS of ask]: the same of the lines of a file.
ask_all() {
	local file=$1
	shift
	"$BUILD/ask" "$@" "${AT:-127.0.0.1:$PORT}" <"$file" >"$T/answers" 2>"$T/ask.err"
}

# statuses: "200=10 503=2" of what was asked last.
statuses() {
	cut -f 1 "$T/answers" | sort | uniq -c | awk '{ printf "%s%s=%d", (NR > 1 ? " " : ""), $2, $1 } END { print "" }'
}

stop_peers() {
	kill "$PEERS_PID"
	finish "$PEERS_PID"
}
