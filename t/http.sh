# SPDX-License-Identifier: BSD-2-Clause
# shellcheck shell=bash disable=SC2034
#
# For scenarios that ask by HTTP, after lib.sh. What came of the last request is in STATUS, HEAD and the file $T/body.

AT= # the address of those that go to another listener than the first

# get PATH [OPTIONS of curl]: the path goes out as it is. STATUS is "curl N" if there was no response.
get() {
	local path=$1 code
	shift
	: >"$T/body"
	STATUS=$(curl -sS --path-as-is -m $((20 * WAIT_FACTOR)) -D "$T/head" -o "$T/body" -w '%{http_code}' "$@" \
		"http://${AT:-127.0.0.1:$PORT}$path" 2>"$T/curl.err")
	code=$?
	[ $code -eq 0 ] || STATUS="curl $code"
	HEAD=$(tr -d '\r' <"$T/head")
}

# field NAME: its value in HEAD; several as several lines.
field() {
	sed -n "s/^$1: //Ip" <<<"$HEAD"
}

# got NAME PATH STATUS BODY [OPTIONS of curl]: BODY - is any.
got() {
	local name=$1 path=$2 status=$3 body=$4
	shift 4
	get "$path" "$@"
	is "$STATUS" "$status" "$name: $status"
	[ "$body" = - ] || is "$(cat "$T/body")" "$body" "$name: the body"
}

# now_is PATH STATUS BODY [OPTIONS of curl]: as a condition, for wait_for.
now_is() {
	local path=$1 status=$2 body=$3
	shift 3
	get "$path" "$@"
	[ "$STATUS" = "$status" ] && { [ "$body" = - ] || [ "$(cat "$T/body")" = "$body" ]; }
}

# is_connecting ADDR:PORT: is anybody on his way to it, who has not been let in?
is_connecting() {
	awk -v port="$(printf ':%04X' "${1##*:}")" '$3 ~ port "$" && $4 == "02" { found = 1 } END { exit !found }' /proc/net/tcp
}

# ask TEXT [OPTIONS of raw.pl]: TEXT with printf's escapes goes out as it is. REPLY is what came back, to the end of the
# connection, and CLOSED raw.pl's status.
ask() {
	local text=$1
	shift
	printf '%b' "$text" | perl "$ROOT/t/tools/raw.pl" "$@" "${AT:-127.0.0.1:$PORT}" >"$T/reply"
	CLOSED=$?
	REPLY=$(tr -d '\000\r' <"$T/reply")
}
