#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
# Reload: all workers new, one by one, requests under way finish; a configuration that is wrong, or cannot be carried
# out, changes nothing and says why.
. "$(dirname "$0")/lib.sh"

mkdir "$T/one" "$T/two"
printf 'one\n' >"$T/one/index.html"
printf 'two\n' >"$T/two/index.html"

# site ROOT ADDRESSES [MORE]
site() {
	config <<EOF
workers = ${WORKERS:-2}
worker_connections = ${CONNECTIONS:-1000}
drain = 60s
server "site" {
    listen = { $2 }
    ${3:-}
    location "/" { root = "$T/$1" }
    deadlines { header = 60s }
}
EOF
}

get() {
	curl -sS -m $((5 * WAIT_FACTOR)) "http://127.0.0.1:${1:-$PORT}/"
}

addresses() {
	ctl listeners -H | cut -f 1 | sort | tr '\n' ' '
}

log_says() {
	grep -q -E "$1" "$T/stderr"
}

# reload_fails NAME TEXT: droverctl, log and board say TEXT; nothing has changed.
reload_fails() {
	local pids listening failures
	pids=$(worker_pids | sort) listening=$(addresses) failures=$(stat_of master.reload_failures)
	ctl reload >"$T/reload.out" 2>"$T/reload.err"
	is "$?" 1 "$1: droverctl ends with status 1"
	like "$(tr -s ' \n' ' ' <"$T/reload.err")" "$2" "$1: droverctl says why"
	ok "$1: the log says why" wait_for 5 log_says "error .*$2"
	like "$(ctl stat -H master.reload_error)" "$2" "$1: the board says why"
	is "$(ctl stat -H master.reload_result | cut -f 2)" failed "$1: the result on the board"
	is_stat master.reload_failures $((failures + 1)) "$1: counted"
	is "$(worker_pids | sort)" "$pids" "$1: the same workers"
	is "$(addresses)" "$listening" "$1: the same listeners"
	is "$(get)" two "$1: it serves as before"
}

site one '"127.0.0.1:0"'
start_drover
is "$(get)" one 'the first configuration'
is_stat master.generation 1 'generation 1'
mapfile -t old < <(worker_pids)

# A request under way on an old worker.
exec 5<>"/dev/tcp/127.0.0.1/$PORT"
printf 'GET / HTTP/1.1\r\nHost: si' >&5
expect_stat conns -eq 1
# And one connection between two requests.
exec 6<>"/dev/tcp/127.0.0.1/$PORT"
printf 'GET / HTTP/1.1\r\nHost: site\r\n\r\n' >&6
expect_stat conns_idle -eq 1

site two '"127.0.0.1:0"'
ok 'reload' ctl reload
is_stat master.generation 2 'generation 2'
is_stat master.reloads 1 'one reload'
is "$(ctl stat -H master.reload_result | cut -f 2)" ok 'the result on the board'
# The board says that a worker is ready until it has heard that it is to drain.
ok 'new workers are ready' wait_for 10 drover_is_ready
is "$(worker_pids | grep -c -x -e "${old[0]}" -e "${old[1]}")" 0 'and all of them are new'
is "$(get)" two 'the new configuration'
printf 'te\r\nConnection: close\r\n\r\n' >&5
answer=$(timeout 10 cat <&5)
like "$answer" '^HTTP/1.1 200 .*(one|two)$' 'the request under way is answered'
printf 'GET / HTTP/1.1\r\nHost: site\r\nConnection: close\r\n\r\n' >&6
answer=$(timeout 10 cat <&6)
like "$answer" '^HTTP/1.1 200 .*one.*HTTP/1.1 200 .*two$' 'the idle connection lives on, with the new configuration'
exec 5>&- 6>&-
expect_gone "${old[0]}"
expect_gone "${old[1]}"
is_stat drained_forced 0 'nothing was cut'
is_stat master.worker_deaths 0 'nobody died'
first=$(addresses)

# Wrong in every way.
allow_log 'drover.conf'
allow_log 'reload failed'
allow_log 'first thing|wrong'
printf 'workers = 2\nworker_conections = 5\nserver "x" { listen = { "127.0.0.1:0" } nonsense = 1 }\n' >"$T/drover.conf"
reload_fails 'a misspelt option' "drover.conf:2: .*worker_conections"
: >"$T/drover.conf.away"
mv "$T/drover.conf" "$T/drover.conf.away"
reload_fails 'no file' 'drover.conf'
# One that nobody else is given once it is free again.
busy=$(free_port)
spawn blocker perl -MIO::Socket::INET -e '$| = 1;
	my $s = IO::Socket::INET->new(LocalAddr => "127.0.0.1", LocalPort => shift, Listen => 1, ReuseAddr => 1) or die;
	print $s->sockport, "\n"; sleep 1000' "$busy"
blocker=$PID
wait_for 10 test -s "$T/blocker.out" || die 'the port is taken'
site one "\"127.0.0.1:0\", \"unix:$T/new\", \"127.0.0.1:$busy\""
reload_fails 'a port in use' "drover.conf:5: cannot listen on 127.0.0.1:$busy: Address already in use"
ok 'what was bound for it is closed again' test ! -e "$T/new"
reload_fails 'the same once more' "drover.conf:5: cannot listen on 127.0.0.1:$busy: Address already in use"
site one '"127.0.0.1:0"' "access_log = \"$T/none/access.log\""
allow_log 'cannot open the access log'
reload_fails 'a log that cannot be opened' "drover.conf:[0-9]*: cannot open the access log '$T/none/access.log'"
CONNECTIONS=2000 site one '"127.0.0.1:0"'
allow_log 'worker_connections = 2000'
reload_fails 'more connections than the board has room for' 'worker_connections = 2000, .* has room for 1000: .droverctl upgrade. makes a larger one'
WORKERS=100 site one '"127.0.0.1:0"'
allow_log 'workers = 100'
reload_fails 'more workers than the board has room for' 'workers = 100, .* has room for 16'
is_stat master.generation 2 'still generation 2'
is "$(addresses)" "$first" 'still the same address'

# Listeners come and go.
site two "\"127.0.0.1:0\", \"unix:$T/new\""
ok 'reload with one more listener' ctl reload
is "$(get)" two 'the old address serves'
is "$(curl -sS --unix-socket "$T/new" http://site/)" two 'and the new one'
like "$(addresses)" "unix:$T/new" 'it is on the board'
is_stat master.listeners 2 'two listeners'
kill "$blocker"
finish "$blocker"
# An answer in several parts that nobody reads does not move: its worker has to drain.
head -c 30000000 /dev/zero >"$T/two/large"
exec 5<>"/dev/tcp/127.0.0.1/$PORT"
printf 'GET /large HTTP/1.1\r\nHost: x\r\nRange: bytes=0-9999999,10000001-29999999\r\n\r\n' >&5
expect_stat conns_send -eq 1
site two "\"127.0.0.1:$busy\""
ok 'reload with other listeners' ctl reload
# By the kernel: whoever gets into the queue of a socket at which nobody accepts waits for nothing.
gone() {
	get "$PORT" >/dev/null 2>&1
	[ $? -eq 7 ]
}
# The old workers let go of it when they are told to drain.
ok 'nobody listens at the old address' wait_for 10 gone
one_drains() {
	[ "$(worker_pids draining | wc -l)" -eq 1 ]
}
ok 'nor does the worker that still drains' wait_for 10 one_drains
exec 5>&-
ok 'the unix socket is gone' test ! -e "$T/new"
is "$(get "$busy")" two 'the new address serves'
is_stat master.listeners 1 'one listener'
PORT=$busy
site two "\"127.0.0.1:$busy\"" 'reuseport = true'
ok 'reuseport asked for at a bound address' ctl reload
ok 'is said to need a new start' wait_for 5 log_says 'warn .*drover.conf:5: reuseport of 127.0.0.1:[0-9]* changes only when'
is "$(get)" two 'and serves on'

# The number of workers, and reloads upon reloads.
WORKERS=4 site two "\"127.0.0.1:$busy\""
ok 'reload to four workers' ctl reload
four_ready() {
	[ "$(worker_pids | wc -l)" -eq 4 ]
}
ok 'four workers' wait_for 10 four_ready
WORKERS=1 site two "\"127.0.0.1:$busy\""
ok 'reload to one worker' ctl reload
one_left() {
	[ "$(ctl workers -H | wc -l)" -eq 1 ]
}
ok 'one worker' wait_for 10 one_left
WORKERS=3 site two "\"127.0.0.1:$busy\""
before=$(stat_of master.reloads)
for _ in {1..30}; do kill -HUP "$DROVER_PID"; done
# They may all have arrived as one.
wait_stat master.reloads -gt "$before"
# The last one of them is obeyed as well, whatever ran when it came.
WORKERS=2 site one "\"127.0.0.1:$busy\""
ok 'reload while reloading' ctl reload
wait_for 10 drover_is_ready || fail 'two workers'
is "$(get)" one 'the last configuration is the one in force'
is_stat master.workers_wanted 2 'with its workers'
cmp_stat master.reloads -gt $((before + 1)) 'all reloads that arrived are counted'
# Done is done: from then on no old worker answers.
wrong=0
for n in {1..10}; do
	for root in two one; do
		site $root "\"127.0.0.1:$busy\""
		ctl reload >"$T/reload.out" || fail "reload $n to $root"
		for _ in 1 2 3; do [ "$(get)" = $root ] || wrong=$((wrong + 1)); done
	done
done
is "$wrong" 0 'who asks after a reload gets the new configuration'
# One that cannot hear of it is waited for, a second and not for ever.
mapfile -t old < <(worker_pids)
began=$(now_ms)
kill -STOP "${old[0]}"
ok 'reload beside a worker that stands still' ctl reload
cmp_ok $(($(now_ms) - began)) -ge 1000 'it has a second to hear of it'
kill -CONT "${old[0]}"
two_left() {
	[ "$(ctl workers -H | wc -l)" -eq 2 ]
}
ok 'the old workers leave' wait_for 10 two_left
is_stat master.worker_deaths 0 'nobody died'
is_stat master.gossip 0 'nobody talked nonsense'
done_testing
