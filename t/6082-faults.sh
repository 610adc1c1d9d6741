#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
# Three peers, two of which fail in every way that there is: clients of idempotent requests see none of it while one is well.
# What had begun when it broke is seen as cut, never as whole. REQUESTS_EACH, ROUNDS and RATE: more of it in t/long.
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
. "$ROOT/t/http.sh"
. "$ROOT/t/faults.sh"

RATE=${RATE:-200}
REQUESTS_EACH=${REQUESTS_EACH:-150}
ROUNDS=${ROUNDS:-1}
case $BUILD in *san* | *cover*) RATE=$((RATE / 2)) ;; esac
for name in a b c; do faulty "$name" well; done
allow_log 'peer .* of upstream'
# pools HOW DEADLINES: one whose peers are ejected, and one whose peers never are. Those of little patience are for peers that keep one
# waiting: the one that is well has to keep their deadlines, too, even if the machine stands still for a moment.
pools() {
	cat <<-EOC
		upstream "$1three" {
		    retries = 2
		    $2
		    keepalive { conns = 16 }
		    peer "${PEER_AT[a]}" { fail_time = 500ms }
		    peer "${PEER_AT[b]}" { fail_time = 500ms }
		    peer "${PEER_AT[c]}" { fail_time = 500ms }
		}
		upstream "$1never" {
		    retry_budget { percent = 300 }
		    retries = 2
		    $2
		    peer "${PEER_AT[a]}" { max_fails = 0 }
		    peer "${PEER_AT[b]}" { max_fails = 0 }
		    peer "${PEER_AT[c]}" { max_fails = 0 }
		}
	EOC
}
start_drover <<EOF
workers = 2
worker_connections = 2000
$(pools '' '')
$(pools hasty. 'deadlines { connect = 2500ms  response = 2500ms  between = 2500ms }')
upstream "one" { peer "${PEER_AT[a]}" { max_fails = 0 } }
upstream "hasty.one" {
    deadlines { between = 1s }
    peer "${PEER_AT[a]}" { max_fails = 0 }
}
server "s" {
    listen = { "127.0.0.1:0" }
    keepalive { requests = 1000000 }
    location "/three" { proxy = "three" }
    location "/never" { proxy = "never" }
    location "/hasty.three" { proxy = "hasty.three" }
    location "/hasty.never" { proxy = "hasty.never" }
    location "/one" { proxy = "one" }
    location "/hasty.one" { proxy = "hasty.one" }
}
EOF
audit_mark

head -c 1024 /dev/zero | tr '\0' x >"$T/1k"
# load [hasty.]: idempotent requests without an end, each answer looked at; to a pool whose peers are ejected, and to one whose peers
# never are, so that each request has to find the one that is well.
load() {
	local path
	HERDS=()
	for path in three never; do
		rm -f "$T/ready"
		spawn "$path" "$BUILD/herd" -Z -c 24 -r $((RATE / 2)) -d 100000 -t 20000 -p "/${1:-}$path" -x "@$T/1k" -w "$T/ready" "127.0.0.1:$PORT"
		HERDS+=("$PID")
		wait_for 10 test -e "$T/ready"
	done
}
# more N: so many further requests have been answered.
more() {
	local now
	now=$(stat_of requests)
	wait_stat requests -ge $((now + $1)) 60 || diag "requests: $now, then $(stat_of requests)"
}
# herd takes any answer for one; here only 200 is.
unharmed() {
	local path pid bad=
	for pid in "${HERDS[@]}"; do
		kill -TERM "$pid"
		finish "$pid" || bad=1
	done
	for path in three never; do
		awk '$1 == "status_5xx" || $1 == "status_4xx" { n += $2; seen = 1 } END { exit n || !seen }' "$T/$path.out" || bad=1
	done
	if [ -z "$bad" ]; then pass "$1: no client sees a failure"; else
		fail "$1: no client sees a failure" "$(paste "$T/three.out" "$T/never.out"; cat "$T/three.err" "$T/never.err")"
	fi
}

for ((round = 1; round <= ROUNDS; round++)); do
	for modes in hang drop reset half halfset garbage lengths trickle shut once onceset later laterset early \
		'well hang drop reset half garbage once laterset trickle shut'; do
		case $modes in
		hang | trickle | well*) load hasty. ;;
		*) load ;;
		esac
		mode a "$modes"
		mode b "$modes"
		more "$REQUESTS_EACH"
		unharmed "two that $modes"
		mode a well
		mode b well
	done
	# Two at a time that are there and are not, in turn.
	load
	for pair in 'a b' 'b c' 'c a'; do
		set -- $pair
		end_peer "$1" KILL
		end_peer "$2" KILL
		more "$REQUESTS_EACH"
		faulty "$1"
		more $((REQUESTS_EACH / 5))
		faulty "$2"
		more $((REQUESTS_EACH / 5))
	done
	unharmed 'killed and started again'
	# Neither dead nor alive: the kernel accepts for it, nobody answers.
	load hasty.
	for pair in 'a b' 'b c'; do
		set -- $pair
		kill -STOP "${PEER_PID[$1]}" "${PEER_PID[$2]}"
		more "$REQUESTS_EACH"
		kill -CONT "${PEER_PID[$1]}" "${PEER_PID[$2]}"
		more $((REQUESTS_EACH / 5))
	done
	unharmed 'stopped and continued'
	expect_stat conns -eq 0
	audit "round $round"
done
is_stat responses_5xx 0 'nobody was told of a failure'
cmp_stat up_retries -gt 0 'there were failures'

# What had begun: cut for the client, too.
for modes in cut cutset cutchunk stall; do
	mode a "$modes"
	get /hasty.one
	like "$STATUS" '^curl (18|56)$' "$modes: the client sees that it is cut"
	printf 'GET /hasty.one HTTP/1.0\r\n\r\n' | perl "$ROOT/t/tools/raw.pl" "127.0.0.1:$PORT" >"$T/reply"
	if grep -qi '^content-length: 1024' "$T/reply"; then pass "$modes: to an HTTP/1.0 client, by its length"; else
		is $? 1 "$modes: to an HTTP/1.0 client, by a reset"
	fi
done
mode a drip
got 'a body byte by byte' /one 200 "$(cat "$T/1k")"
expect_stat conns -eq 0
audit 'after all'
# The audit can fail: a descriptor that no record knows of, though it is only one.
leaker=$(worker_pids | head -n 1)
leak() {
	local fd
	for fd in "/proc/$leaker/fd/"*; do
		[[ $(readlink "$fd") != socket:* ]] || break
	done
	"$BUILD/leak" "$leaker" "${fd##*/}" 1 2>"$T/leak.err"
}
if wait_for 5 leak; then
	fails 'a leak would be found' audit_holds
else
	skip 'a leak would be found' "$(cat "$T/leak.err")"
fi
ok 'reload' ctl reload
same_stats up_conns up_idle "connections to peers are idle"
for name in a b c; do end_peer "$name"; done
done_testing
