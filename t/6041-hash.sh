#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
# Requests that belong to a peer: by hash of address, header, cookie and path, with bounded load; by a sticky cookie. 4 workers,
# 10,000 requests of each kind.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/http.sh"
. "$(dirname "$0")/counts.sh"

MANY=10000
start_peers 4
# pool NAME OPTIONS PEERS: an upstream and its location /NAME/.
pool() {
	local k
	printf 'upstream "%s" { %s\n' "$1" "$2"
	for k in $3; do printf 'peer "%s" { %s }\n' "${PEER[${k%%:*}]}" "$([ "$k" = "${k#*:}" ] || printf '%s' "${k#*:}" | tr , ' ')"; done
	printf '}\n'
	PLACES+="location \"/$1/\" { proxy = \"$1\"  rewrite = \"/\" }"$'\n'
}

conf() {
	PLACES=
	{
		printf 'workers = 4\n'
		pool path 'balance = hash hash = "path"' '0 1 2 3'
		pool four 'balance = hash hash = "header:X-Key"' '0 1 2 3'
		pool three 'balance = hash hash = "header:X-Key"' '0 1 2'
		pool heavy 'balance = hash hash = "path"' '0:weight=1 1:weight=2 2:weight=5'
		pool header 'balance = hash hash = "header:X-User"' '0 1 2 3'
		pool cookie 'balance = hash hash = "cookie:User"' '0 1 2 3'
		pool address 'balance = hash' '0 1 2 3'
		pool sticky 'sticky { cookie = "SID" }' "0:${1:-down=false} 1 2 3"
		pool keyed 'sticky { cookie = "SID" key = "a secret" max_age = 0s path = "/x" secure = true http_only = false same_site = none }' '0 1'
		pool full 'sticky { cookie = "SID" }' '0:max_conns=1 1'
		printf 'server "s" { listen = { "127.0.0.1:0" }\nkeepalive { requests = 0 }\n%s}\n' "$PLACES"
	} >"$T/drover.conf"
}
conf
start_drover

# begin NAME [FORMAT [KEYS]]: asks for a line for each of the requests, with its number, or with what is left of it when it is divided by
# KEYS; without FORMAT for those of before. One request at a time, since a peer with something in hand is passed over; but other pools
# meanwhile, since each request takes its time where the machine has other things to do.
declare -A ASKING
begin() {
	[ $# -eq 1 ] || awk -v n=$MANY -v f="$2" -v d="${3:-$MANY}" 'BEGIN { for (k = 0; k < n; k++) printf f "\n", k % d }' >"$T/keys.$1"
	spawn "ask.$1" bash -c 'exec "$1" -q "$2" <"$3"' ask "$BUILD/ask" "127.0.0.1:$PORT" "$T/keys.$1"
	ASKING[$1]=$PID
}

# asked_all NAME: are they all answered?
asked_all() {
	finish "${ASKING[$1]}" 250
	cp "$T/ask.$1.out" "$T/answers"
	[ "$STATUS" -eq 0 ]
}

# who NAME: keeps who answered each.
who() {
	is "$(statuses)" "200=$MANY" "$1: all answered"
	cut -f 2 "$T/answers" >"$T/who.$1"
}

# shares NAME: how many each peer has.
shares() {
	sort "$T/who.$1" | uniq -c | awk '{ printf "%s%d", (NR > 1 ? " " : ""), $1 } END { print "" }'
}

# near A B: what chance allows, 5.7 standard deviations or more. The peers' ports, and so the hashes, are others in every run.
near() {
	[ $((($1 - $2) * ($1 - $2))) -le $(($2 * 30)) ]
}

# 100 clients, two connections and 100 requests each.
from() { curl -sS -m 600 --interface "127.0.0.$1" "http://127.0.0.1:$PORT/address/name?[1-$((MANY / 200))]"; }
by_address() {
	local k
	for ((k = 2; k < 102; k++)); do
		from $k | sort | uniq -c
		from $k | sort | uniq -c
	done
}
begin path '/path/%d'
begin four '/four/x\tX-Key: %d'
begin three '/three/x\tX-Key: %d'
begin heavy '/heavy/%d'
begin header '/header/x\tX-User: %d' 100
begin cookie '/cookie/x\tCookie: a=1; User=%d; b=2' 100
spawn by_address by_address
ADDRESSES=$PID

ok 'by path' asked_all path
who path
begin path
for n in $(shares path); do ok "a quarter each: $n" near "$n" $((MANY / 4)); done
ok 'again' asked_all path
who again
is "$(paste "$T/who.path" "$T/who.again" | awk '$1 == $2' | wc -l)" $MANY 'the same key goes to the same peer'
ok 'by a field' asked_all four
who four
ok 'with one peer less' asked_all three
who three
is "$(paste "$T/who.four" "$T/who.three" | awk '$1 != 3 && $1 == $2' | wc -l)" "$(grep -vc 3 "$T/who.four")" 'only what it had moves'
for n in $(paste "$T/who.four" "$T/who.three" | awk '$1 == 3 { n[$2]++ } END { print n[0], n[1], n[2] }'); do
	ok "to all others alike: $n" near "$n" $((MANY / 12))
done
ok 'by weight' asked_all heavy
who heavy
near_weights() { near "$1" $((MANY / 8)) && near "$2" $((MANY / 4)) && near "$3" $((MANY / 8 * 5)); }
read -r a b c < <(shares heavy)
ok "the shares are the weights: $a $b $c" near_weights "$a" "$b" "$c"

# Of requests with 100 keys, does each have one peer?
for name in header cookie; do
	ok "by $name" asked_all $name
	who "$name"
	is "$(awk '{ n[(NR - 1) % 100, $1]++ } END { for (k = 0; k < 100; k++) { m = 0
		for (p = 0; p < 4; p++) if (n[k, p] > m) m = n[k, p]
		s += m } print s }' "$T/who.$name")" $MANY 'each key has its peer'
	is "$(sort -u "$T/who.$name" | wc -l)" 4 'and each peer its keys'
done
ok 'by address' finish "$ADDRESSES" 250
cp "$T/by_address.out" "$T/by_address"
is "$(awk '{ n += $1 } END { print NR, n }' "$T/by_address")" "200 $MANY" 'by address: each connection has one peer'
is "$(awk 'NR % 2 { peer = $2; next } peer == $2' "$T/by_address" | wc -l)" 100 'and so has each client'
for n in $(awk '{ n[$2]++ } END { for (k in n) print n[k] / 2 }' "$T/by_address"); do ok "a quarter of them each: $n" near "$n" 25; done
is "$(awk '{ print $2 }' "$T/by_address" | sort -u | wc -l)" 4 'all peers have some'

# One key for all: nobody gets more than a quarter above a fourth of 16, which is 5; one more if two workers choose at once.
tell_peers reset >/dev/null
ok 'a key that all ask for' asked 1000 /path/for/5 -c 16
is "$(statuses)" '200=1000' 'all answered'
for n in $(counts 4); do cmp_ok "$n" -le 6 "bounded load: $n"; done

# Sessions: 100 of them, 100 requests each.
ok 'new clients' asked 100 /sticky/x
sed -n 's/.*\t\(SID=[0-9a-f]*\);.*/\1/p' "$T/answers" >"$T/sids"
cut -f 2 "$T/answers" >"$T/homes"
is "$(wc -l <"$T/sids")" 100 'each is given a cookie'
is "$(head -n 1 "$T/answers" | cut -f 4 | sed 's/=[0-9a-f]*;/=;/')" 'SID=; Path=/; Max-Age=3600; HttpOnly' 'with its attributes'
is "$(sort -u "$T/sids" | wc -l)" 4 'which names the peer'
is "$(paste "$T/homes" "$T/sids" | sort -u | wc -l)" 4 'one for each'
sticky_lines() {
	awk -v n=$MANY -v before="$1" -v after="$2" '{ sid[NR - 1] = $0 } END { for (k = 0; k < n; k++)
		printf "/sticky/x\tCookie: %s%s%s\n", before, sid[k % NR], after }' "$T/sids" >"$T/keys"
}
stays() {
	awk -F '\t' 'NR == FNR { home[FNR - 1] = $1; n = FNR; next } $2 == home[(FNR - 1) % n] && NF == 3' "$T/homes" "$T/answers" | wc -l
}
sticky_lines '' ''
ok 'their requests' ask_all "$T/keys"
is "$(stays)" $MANY 'each goes to its peer, and no cookie is set again'

SID=$(head -n 1 "$T/sids")
HOME_PEER=$(head -n 1 "$T/homes")
OTHER=$(grep -v "$SID" "$T/sids" | head -n 1)
# sent_home NAME COOKIE: it is the peer of the first session, and no new one begins.
sent_home() {
	asked 8 "/sticky/x	$2" -c 1
	is "$(cut -f 2,4 "$T/answers" | sort -u)" "$HOME_PEER" "$1"
}
sent_home 'among others' "Cookie: a=b; $SID; c=d"
sent_home 'behind names that look alike' "Cookie: XSID=${OTHER#*=}; SIDX=${OTHER#*=}; SID2=1;$SID"
sent_home 'in quotes' "Cookie: SID=\"${SID#*=}\""
sent_home 'behind an old one' "Cookie: SID=0123456789abcdef; $SID"
sent_home 'in a second field' "Cookie: a=b	Cookie: $SID"
# begins NAME COOKIE
begins() {
	asked 4 "/sticky/x	$2" -c 1
	is "$(grep -c 'SID=' "$T/answers")" 4 "$1"
	is "$(cut -f 2 "$T/answers" | sort -u | wc -l)" 4 'it may be any peer'
}
begins 'an unknown value' 'Cookie: SID=0123456789abcdef'
begins 'no value' 'Cookie: SID='
begins 'another case' "Cookie: sid=${SID#*=}"
begins 'too long' "Cookie: ${SID}0"
asked 1 /sticky/cookie
is "$(cut -f 4- "$T/answers" | tr '\t' '\n' | sed 's/=.*//' | tr '\n' ' ')" 'own SID ' 'a cookie of the peer stays beside ours'
asked 1 /keyed/x
like "$(cut -f 4 "$T/answers")" '^SID=[0-9a-f]{16}; Path=/x; Secure; SameSite=None$' 'other attributes'
unlike "$(cat "$T/sids")" "$(cut -f 4 "$T/answers" | sed 's/;.*//')" 'another key, other values'

# A peer that is full keeps its sessions.
asked 8 /full/x -c 1
FULL=$(awk -F '\t' '$2 == 0 { print $4; exit }' "$T/answers" | sed 's/;.*//')
spawn holder curl -sS -m 60 -o /dev/null -b "$FULL" "http://127.0.0.1:$PORT/full/for/60000"
HOLDER=$PID
one_in_hand() { [ "$(counts 3 | cut -d ' ' -f 1)" -eq 1 ]; }
ok 'its peer is full' wait_for 10 one_in_hand
asked 1 "/full/x	Cookie: $FULL"
is "$(cut -f 2,4 "$T/answers")" 1 'another one serves, and the session stays'
kill "$HOLDER"

# Over a reload and a restart; then a peer is down.
ok 'reload' ctl reload
ok 'their requests' ask_all "$T/keys"
is "$(stays)" $MANY 'sessions outlive it'
stop_drover
conf down=true
start_drover
sticky_lines '' ''
ok 'their requests, after a restart, and with a peer down' ask_all "$T/keys"
is "$(awk -F '\t' 'NR == FNR { home[FNR - 1] = $1; n = FNR; next }
	{ h = home[(FNR - 1) % n]; if (h != 0) good += $2 == h && NF == 3; else good += $2 != 0 && $2 != "-" && $4 ~ /^SID=/ } END { print good }' \
	"$T/homes" "$T/answers")" $MANY 'its sessions begin anew with others, and those of others go on'
stop_drover
stop_peers
done_testing
