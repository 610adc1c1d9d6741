#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
# max_conns holds over all workers, to the request; the queue of those that wait for room: order, deadlines, limits, clients that
# go away, workers that are replaced or killed.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/http.sh"
. "$(dirname "$0")/counts.sh"

start_peers 4
conf() {
	config <<-EOC
		workers = $1
		drain = 10m
		upstream "bare" {
		    peer "${PEER[0]}" { max_conns = 3 }
		}
		upstream "two" {
		    balance = least_conn
		    queue { size = 100  wait = 10m }
		    peer "${PEER[0]}" { max_conns = 2 }
		    peer "${PEER[1]}" { max_conns = 2 }
		    peer "${PEER[2]}" { backup = true }
		}
		upstream "one" {
		    queue { size = 3  wait = 10m }
		    peer "${PEER[3]}" { max_conns = 1 }
		}
		upstream "short" {
		    queue { size = 3  wait = 300ms }
		    peer "${PEER[3]}" { max_conns = 1 }
		}
		upstream "overflow" {
		    peer "${PEER[0]}" { max_conns = 1 }
		    peer "${PEER[1]}" { backup = true }
		}
		server "s" {
		    listen = { "127.0.0.1:0" }
		    keepalive { requests = 0 }
		    limits { max_body = 0 }
		    access_log = "$T/access.log"
		    location "/bare/" { proxy = "bare"  rewrite = "/" }
		    location "/two/" { proxy = "two"  rewrite = "/" }
		    location "/one/" { proxy = "one"  rewrite = "/" }
		    location "/short/" { proxy = "short"  rewrite = "/" }
		    location "/overflow/" { proxy = "overflow"  rewrite = "/" }
		}
		server "hurry" {
		    listen = { "127.0.0.2:0" }
		    deadlines { request = 400ms }
		    location "/one/" { proxy = "one"  rewrite = "/" }
		}
	EOC
}
conf 4
allow_log 'killed by signal 9'
start_drover
fds_mark

# hold PATH [OPTIONS]: a request in the background, sent once it is where the next line wants it; its answer is in $T/hold.N.
HOLDS=0
hold() {
	HOLDS=$((HOLDS + 1))
	spawn "hold.$HOLDS" curl -sS -m 600 -w '%{http_code} %{time_total}\n' -o "$T/hold.$HOLDS" -D "$T/hold.$HOLDS.head" \
		"${@:2}" "http://${AT:-127.0.0.1:$PORT}$1"
}

# waits UPSTREAM N: so many wait in its queue.
waits() {
	ok "$2 wait" wait_stat "upstream.$1.queued" -eq "$2" || diag "$(ctl upstreams)"
}

# logged NAME: is the request for /one/NAME in the log? logged_of REGEX: those, in their order, on one line.
logged() {
	grep -q "target=\"/one/$1\"" "$T/access.log"
}

logged_of() {
	grep -oE "target=\"/one/($1)\"" "$T/access.log" | sed 's|.*/||' | tr '"\n' ' ' | tr -s ' '
}

# in_hand N: peer 3 has so many.
in_hand() {
	wait_for 10 test_in_hand "$1"
}

test_in_hand() {
	[ "$(counts 3 | cut -d ' ' -f 4)" -eq "$1" ]
}

# Exact, however many workers ask at once.
ok 'more than may be in hand' asked 3000 /bare/for/1 -c 32
like "$(statuses)" '^200=[0-9]+ 503=[0-9]+$' "some are refused: $(statuses)"
is "$(counts 4)" '3 0 0 0' 'never more than max_conns in hand'
ok 'an overflow' asked 200 /overflow/for/5 -c 16
is "$(statuses)" '200=200' 'without a queue backups take what the others cannot'
is "$(counts 4 | cut -d ' ' -f 1)" 3 'which never have more than they may'
cmp_ok "$(counts | cut -d ' ' -f 2)" -gt 0 'the backup has it'

# The queue.
tell_peers reset >/dev/null
ok 'the same with a queue' asked 2000 /two/for/2 -c 40
is "$(statuses)" '200=2000' 'all are answered'
is "$(counts 4)" '2 2 0 0' 'never more than max_conns in hand, and backups unused'
is_stat upstream.two.queued 0 'nobody waits any more'
cmp_stat upstream.two.waited -gt 500 'many have waited'
same_stats upstream.two.wait.count upstream.two.waited 'each for some time'
# 40 at a time: 39 others are answered meanwhile on average; nobody starves in the queue of a worker that has none in hand.
worst=$(cut -f 3 "$T/answers" | sort -n | tail -n 1)
median=$(cut -f 3 "$T/answers" | sort -n | sed -n 1000p)
cmp_ok "$worst" -lt 1000 "nobody waits for many more than others: for $worst at most, half of them for $median"
# One place, four workers: whoever has it must not keep it for its own queue.
tell_peers reset >/dev/null
ok 'one place' asked 150 /one/for/3 -c 4
is "$(statuses)" '200=150' 'all are answered'
is "$(counts 4)" '0 0 0 1' 'one at a time'
worst=$(cut -f 3 "$T/answers" | sort -n | tail -n 1)
median=$(cut -f 3 "$T/answers" | sort -n | sed -n 75p)
cmp_ok "$worst" -lt 100 "each worker comes to its turn: after $worst others at most, half of them after $median"

# A queue that is full, in one worker so that its places can be counted; first come, first served.
stop_drover
conf 1
start_drover
tell_peers reset >/dev/null
hold /one/for/600000
HOLDER=$PID
ok 'one is in hand' in_hand 1
hold /one/first
FIRST=$PID
waits one 1
hold /one/second
SECOND=$PID
waits one 2
hold /one/gone
GONE=$PID
waits one 3
got 'one more' /one/x 503 -
is "$(field Retry-After)" 1 'with Retry-After'
is_stat upstream.one.queue_full 1 'counted'
like "$(ctl upstreams)" 'one +3 +' 'the table shows the queue'
is "$(ctl upstreams -j | perl -MJSON::PP -0777 -e 'print map { $_->{queue}{now} } grep { $_->{name} eq "one" } @{decode_json(<STDIN>)->{upstreams}}')" 3 'and so does JSON'
kill "$GONE"
waits one 2
is_stat upstream.one.queue_left 1 'a client that goes away frees its place at once'
hold /one/third --data-binary "@$BUILD/drover" -H 'Expect:'
THIRD=$PID
waits one 3
kill "$HOLDER"
for p in $FIRST $SECOND $THIRD; do finish "$p"; done
is "$(sed 's/ .*//' "$T/hold.2.out" "$T/hold.3.out" "$T/hold.5.out" | tr '\n' ' ')" '200 200 200 ' 'the others are answered, with a large body as well'
ok 'they are logged' wait_for 5 logged third
is "$(logged_of 'first|second|third')" 'first second third ' 'in their order'
is "$(counts | cut -d ' ' -f 4)" 4 'the peer has not seen the others'

# Deadlines: of the queue, and of the request.
tell_peers reset >/dev/null
hold /short/for/600000
HOLDER=$PID
ok 'one is in hand' in_hand 1
got 'waited in vain' /short/x 504 -
is_stat upstream.short.queue_expired 1 'counted'
kill "$HOLDER"
ok 'none is in hand' in_hand 0
hold /one/for/600000
HOLDER=$PID
ok 'one is in hand' in_hand 1
before=$(stat_of expired_request)
AT=127.0.0.2:$(port_of 2) got 'its own time is over' /one/x 504 -
is_stat expired_request $((before + 1)) 'that is counted as such'
is_stat upstream.one.queue_expired 1 'and as one that waited'
kill "$HOLDER"
ok 'none is in hand' in_hand 0
is "$(counts | cut -d ' ' -f 4)" 2 'neither was sent'

# 100-continue is said when the peer is there, and the body goes through.
hold /one/for/600000
HOLDER=$PID
ok 'one is in hand' in_hand 1
hold /one/x -H 'Expect: 100-continue' --expect100-timeout 300 --data-binary "@$BUILD/herd"
waits one 1
kill "$HOLDER"
finish "$PID"
is "$(sed 's/ .*//' "$T/hold.$HOLDS.out")" 200 'a body that waits to be asked for'

# A worker that is replaced serves its queue.
tell_peers reset >/dev/null
hold /one/for/600000
HOLDER=$PID
ok 'one is in hand' in_hand 1
hold /one/a
A=$PID
hold /one/b
B=$PID
waits one 2
ok 'reload' ctl reload
is_stat upstream.one.queued 2 'they wait on'
kill "$HOLDER"
finish "$A"
finish "$B"
is "$(sed 's/ .*//' "$T/hold.$((HOLDS - 1)).out" "$T/hold.$HOLDS.out" | tr '\n' ' ')" '200 200 ' 'those that waited are answered'
is "$(counts | cut -d ' ' -f 4)" 3 'once each'

# A worker that is killed leaves its queue to the standby, with what is in hand.
tell_peers reset >/dev/null
hold /one/for/600000
HOLDER=$PID
ok 'one is in hand' in_hand 1
hold /one/early
A=$PID
waits one 1
hold /one/late
B=$PID
waits one 2
wait_for 10 guarded
kill -KILL "$(worker_pids)"
expect_stat upstream.one.queued -eq 2
ok 'one is in hand still' in_hand 1
kill "$HOLDER"
finish "$A"
finish "$B"
is "$(sed 's/ .*//' "$T/hold.$((HOLDS - 1)).out" "$T/hold.$HOLDS.out" | tr '\n' ' ')" '200 200 ' 'those that waited are answered'
ok 'they are logged' wait_for 5 logged late
is "$(logged_of 'early|late')" 'early late ' 'in their order'
expect_stat upstream.one.queued -eq 0
expect_stat conns -eq 0

# A worker that is killed while it counts: a place that it took and never wrote down as its own is given back, for max_conns = 1
# has no other. The count is written by hand, since nobody can aim so well.
count_of_one() {
	perl "$ROOT/t/tools/board.pl" "$RUN/drover.board" "$1" | cut -f 2
}
counted() {
	[ "$(count_of_one peer.4.active)" -eq "$1" ]
}
is "$(count_of_one peer.4.upstream_row)" 2 'its row, as they stand in the configuration'
ok 'none is in hand' counted 0
count_of_one peer.4.active=1
ok 'a place is lost' counted 1
kill -KILL "$(worker_pids)"
ok 'after a death it is counted anew' wait_for 10 counted 0
like "$(cat "$T/stderr")" 'upstream "one": its requests in hand were off by 1 after a worker had died' 'that is said'
got 'the place is there' /one/again 200 -
stop_drover
stop_peers
done_testing
