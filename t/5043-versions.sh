#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
# An older and a newer droverctl read the board of an older and of a newer drover, which has fields and a table more, others
# moved, of another size or gone, and enums in another order: each says what the daemon's own droverctl says. Alive, with
# everybody stopped, and after kill -9.
. "$(dirname "$0")/lib.sh"

[ -x "$BUILD/next/droverctl" ] || skip_all 'make tools builds the other programs'
mkdir "$T/www" "$T/this" "$T/next"
printf 'hello\n' >"$T/www/a.txt"
head -c 24000000 /dev/zero >"$T/www/large"
ln -s "$BUILD/drover" "$BUILD/droverctl" "$T/this/"
ln -s "$BUILD/next/drover" "$BUILD/next/droverctl" "$T/next/"
config <<EOF
workers = 2
worker_connections = 1000
hang = 60s
deadlines { header = 500s  body = 500s  send = 500s  linger = 500s  idle = 500s  min_rate = 0 }
server "one" {
    listen = { "127.0.0.1:0" }
    location "/" { root = "$T/www" }
    location "= /sink" { status = 200 }
}
server "two" { listen = { "unix:$T/sock" } location "/" { root = "$T/www" } }
EOF
hold() {
	spawn "$1" perl -MIO::Socket::INET -e '
		my $s = IO::Socket::INET->new(PeerAddr => shift) or die;
		print $s shift =~ s/\|/\r\n/gr;
		$s->flush;
		select undef, undef, undef, 1000' "127.0.0.1:$PORT" "$2"
	HOLD+=("$PID")
}
held() {
	[ "$(ctl conns -H | cut -f 3 | sort | tr '\n' ' ')" = 'body head idle linger send ' ]
}

# said PROGRAM: all that does not change from one look to the next.
said() {
	local ctl=$1 command form status
	for command in 'conns' 'conns state=linger' 'conns state!=idle -s in' 'workers -a' 'listeners -a' 'servers -a'; do
		printf '== %s\n' "$command"
		# shellcheck disable=SC2086
		"$ctl" "${WHERE[@]}" -H $command >"$T/one" || printf 'status %d\n' $?
		case $command in
		conns*) cut -f 1-4,7-13 "$T/one" ;;
		workers*) cut -f 1-7 "$T/one" ;;
		*) cat "$T/one" ;;
		esac
	done
	printf '== stat\n'
	"$ctl" "${WHERE[@]}" -H stat -a | grep -vE '^(turns?|events|lag_us|master\.beat_us|file_cache_entries)' | sort
	"$ctl" "${WHERE[@]}" -H stat -l | cut -f 1-4
	printf '== status\n'
	"$ctl" "${WHERE[@]}" -H status | grep -vE '^(drover|WRONG|latency|configuration|last |lost)' |
		sed -E 's/ for [0-9][0-9a-z. ]*: / for some time: /'
	for command in status stat conns workers listeners servers 'stat -l'; do
		for form in '' -j; do
			# shellcheck disable=SC2086
			"$ctl" "${WHERE[@]}" $command $form >"$T/one" 2>&1
			status=$?
			printf '== %s %s: %d\n' "$command" "$form" $status
			[ "$form" != -j ] || perl -MJSON::PP -ne 'decode_json($_)' "$T/one" || printf 'no JSON\n'
		done
	done
}

# agree NAME: both say the same, and something at all.
agree() {
	said "$T/this/droverctl" >"$T/said.this" 2>&1
	said "$T/next/droverctl" >"$T/said.next" 2>&1
	cmp_ok "$(wc -l <"$T/said.this")" -gt 300 "$1: something is said"
	is "$(diff "$T/said.this" "$T/said.next")" '' "$1: both say the same"
}

WHERE=(-r "$RUN")
for daemon in this next; do
	BUILD=$T/$daemon
	other=this
	[ $daemon = next ] || other=next
	rm -rf "$RUN"
	start_drover
	HOLD=()
	hold idle 'GET /a.txt HTTP/1.1|Host: x||'
	hold head 'GET /a.txt HTTP/1.1|Host: x|'
	hold body 'POST /sink HTTP/1.1|Host: x|Content-Length: 10||abc'
	hold send 'GET /large HTTP/1.1|Host: x||'
	hold linger 'GET /a.txt HTTP/1.0|Host: x y||'
	wait_for 15 held || die "$daemon: five connections" "$(ctl conns)"
	curl -s --unix-socket "$T/sock" "http://x/none" >/dev/null
	expect_stat requests -eq 3
	expect_stat conns -eq 5
	sent=$(ctl conns -H state=send | cut -f 9)
	at_rest() {
		local before=$sent
		sent=$(ctl conns -H state=send | cut -f 9)
		[ "$sent" = "$before" ]
	}
	wait_for 10 at_rest
	wait_stat "listener.127.0.0.1:$PORT.queue" -eq 0
	agree "$daemon: alive"
	like "$(cat "$T/said.$other")" $'\tstate=linger|\tlinger\t' "$daemon, read by $other: states by their names"
	is "$("$T/$other/droverctl" -r "$RUN" -H stat requests server.one.requests server.two.responses_4xx | cut -f 2 | tr '\n' ' ')" '3 2 1 ' \
		"$daemon, read by $other: counters"
	is "$(perl "$ROOT/t/tools/board.pl" "$RUN/drover.board" master.0.pid | cut -f 2)" "$DROVER_PID" "$daemon: a third reader"

	# To act, the other one is as good.
	ok "$daemon: reload by $other" "$T/$other/droverctl" -r "$RUN" reload
	like "$(cat "$T/.ok")" '^reloaded: generation 2, 2 workers replaced' "$daemon: it knows what came of it"
	echo 'nonsense = 1' >>"$T/drover.conf"
	allow_log 'reload'
	allow_log 'drover.conf'
	"$T/$other/droverctl" -r "$RUN" reload >"$T/out" 2>&1
	is "$?" 1 "$daemon: a reload that fails by $other"
	like "$(cat "$T/out")" "no such option 'nonsense'" "$daemon: with the reason"
	sed -i '$d' "$T/drover.conf"
	ok "$daemon: rebalance by $other" "$T/$other/droverctl" -r "$RUN" rebalance
	ok "$daemon: reload by $other again" "$T/$other/droverctl" -r "$RUN" reload
	old_are_gone() {
		[ "$(ctl workers -H | wc -l)" -eq 2 ]
	}
	wait_for 20 old_are_gone || fail "$daemon: the old workers are gone" "$(ctl workers)"

	# Values that a reader has no text for.
	cp --sparse=always "$RUN/drover.board" "$T/copy"
	row=$(perl "$ROOT/t/tools/board.pl" "$T/copy" "worker.0.conns_high" | cut -f 2)
	perl "$ROOT/t/tools/board.pl" "$T/copy" master.0.reload_result=77 conn.0.state=200 worker.0.conns_high=$((row > 0 ? row : 1))
	for version in this next; do
		like "$("$T/$version/droverctl" --board "$T/copy" -H conns)" $'\t\?\t' "$daemon, read by $version: a state without a name"
		like "$("$T/$version/droverctl" --board "$T/copy" -j status)" '"reload_result":"\?"' "$daemon, read by $version: a result without a name"
	done

	mapfile -t workers < <(worker_pids)
	kill -STOP "$DROVER_PID" "${workers[@]}"
	hang() {
		[ "$(ctl status | grep -c 'no heartbeat')" -eq 3 ]
	}
	wait_for 15 hang || fail "$daemon: all hang" "$(ctl status)"
	agree "$daemon: stopped"
	{
		kill "${HOLD[@]}"
		for pid in "${HOLD[@]}"; do finish "$pid"; done
		kill_family
		finish "$DROVER_PID"
	} 2>/dev/null
	DROVER_PID=
	agree "$daemon: killed"
	like "$(cat "$T/said.$other")" $'\tbody\(dead\)\t' "$daemon, read by $other: what a dead worker was doing"
	WHERE=(--board "$RUN/drover.board")
	agree "$daemon: the file alone"
	WHERE=(-r "$RUN")
done

# The programs do differ.
perl "$ROOT/t/tools/board.pl" "$RUN/drover.board" >"$T/next.tables"
BUILD=$T/this
rm -rf "$RUN"
start_drover
perl "$ROOT/t/tools/board.pl" "$RUN/drover.board" >"$T/this.tables"
like "$(comm -13 <(cut -f 1 "$T/this.tables") <(cut -f 1 "$T/next.tables"))" 'later' 'the next version has a table more'
for table in master worker server conn server_traffic; do
	isnt "$(grep "^$table"$'\t' "$T/this.tables")" "$(grep "^$table"$'\t' "$T/next.tables")" "and other fields in $table"
done
done_testing
