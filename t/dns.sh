# SPDX-License-Identifier: BSD-2-Clause
# shellcheck shell=bash
#
# For scenarios with names of peers, after lib.sh and http.sh: a name server of our own, and two peers that differ in nothing
# but their address.

PYTHON=/usr/bin/python3
HELPERS=()
[ -x "$PYTHON" ] || skip_all 'no python3 for peers and name server'

# zone <<EOF: what the name server says from now on (see t/tools/dns.py).
zone() {
	cat >"$T/zone.new"
	mv "$T/zone.new" "$T/zone"
}

# start_dns: its address is in DNS; every question is a line in $T/dns.out.
start_dns() {
	[ -e "$T/zone" ] || : >"$T/zone"
	spawn dns "$PYTHON" "$ROOT/t/tools/dns.py" "$T/zone"
	HELPERS+=("$PID")
	wait_for 10 grep -qs '^listening' "$T/dns.out" || die 'name server' "$(cat "$T/dns.err")"
	DNS=$(awk '$1 == "listening" { print $2 }' "$T/dns.out")
}

# questions NAME [TYPE]: how often it was asked for.
questions() {
	awk -v name="$1" -v type="${2:-A}" '$1 == "question" && $2 == name && $3 == type { n++ } END { print n + 0 }' "$T/dns.out"
}

asked_more_than() {
	[ "$(questions "$1")" -gt "$2" ]
}

# start_peers HOST...: one for each loopback address, named 1, 2 ..., all on the port PEERS.
start_peers() {
	local n=0 host
	PEERS=$(free_port)
	for host in "$@"; do
		n=$((n + 1))
		spawn "peer$n" "$PYTHON" "$ROOT/t/tools/backend.py" "$host:$PEERS" "$n"
		HELPERS+=("$PID")
		wait_for 10 grep -qs '^listening' "$T/peer$n.out" || die "peer $n" "$(cat "$T/peer$n.err")"
	done
}

# address_is TEXT: of the first peer that has a name, as droverctl upstreams has it; "" is none.
address_is() {
	[ "$(ctl upstreams -j | perl -MJSON::PP -0777 -ne '
		print grep { defined } map { $_->{resolved} } map { @{$_->{peers}} } @{decode_json($_)->{upstreams}}')" = "$1" ]
}

# log_has REGEX
log_has() {
	grep -qE "$1" "$T/stderr"
}

# end_helpers: what start_dns and start_peers started, before done_testing looks for leftovers.
end_helpers() {
	local pid
	for pid in ${HELPERS[@]+"${HELPERS[@]}"}; do
		kill "$pid" 2>/dev/null
		finish "$pid"
	done
}
