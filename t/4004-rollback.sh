#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
# A reload whose workers cannot start: those already replaced go back, and nobody notices but the operator.
. "$(dirname "$0")/lib.sh"

command -v prlimit >/dev/null || skip_all 'prlimit is not installed'
mkdir "$T/one" "$T/two"
printf 'one\n' >"$T/one/index.html"
printf 'two\n' >"$T/two/index.html"

site() {
	config <<EOF
workers = 2
worker_connections = 1000
drain = 60s
server "site" {
    listen = { "127.0.0.1:0" }
    location "/" { root = "$T/$1" }
}
EOF
}

get() {
	curl -sS -m $((5 * WAIT_FACTOR)) "http://127.0.0.1:$PORT/"
}

# A limit on the size of files is one on the arena of a worker: with it, no worker can start.
forbid() {
	prlimit --pid "$DROVER_PID" --fsize=4096:unlimited
}

permit() {
	prlimit --pid "$DROVER_PID" --fsize=unlimited:unlimited
}

# pid_of SLOT: of its newest ready worker.
pid_of() {
	ctl workers -H | awk -F '\t' -v slot="$1" '$1 == slot && $4 == "ready" && $5 > top { top = $5; pid = $3 } END { print pid }'
}

# The newest generation that is ready in each slot.
generations() {
	ctl workers -H | awk -F '\t' '$4 == "ready" && $5 > top[$1] { top[$1] = $5 } END { print top[0], top[1] }'
}

site one
start_drover
mapfile -t old < <(worker_pids | sort)
allow_log 'worker cannot start: '
allow_log 'exited with status 1 before it was ready'
allow_log 'reload failed, generation '

# The first slot fails: nobody was replaced.
site two
forbid
ctl reload >"$T/out" 2>"$T/err"
is "$?" 1 'droverctl ends with status 1'
like "$(tr -s ' \n' ' ' <"$T/err")" 'worker 0 \(pid [0-9]+, generation 2\) exited with status 1 before it was ready' 'and says why'
permit
is "$(worker_pids | sort | tr '\n' ' ')" "${old[*]} " 'the same workers'
is "$(get)" one 'the old configuration serves'
is_stat master.generation 1 'it is still generation 1'
ok 'the next one goes well' ctl reload
wait_for 10 drover_is_ready # the old workers have heard of it
is "$(get)" two 'the new configuration serves'
generation=$(stat_of master.generation)

# The second slot fails, with the first one replaced: its new worker has to wait for an old one, which stands still and does not
# end its drain, and meanwhile no worker may start any more.
still=$(pid_of 1)
kill -STOP "$still"
ok 'reload' ctl reload
is "$(generations)" "$((generation + 1)) $((generation + 1))" 'both are new'
first=$(pid_of 0) second=$(pid_of 1)
site one
kill -HUP "$DROVER_PID"
replaced() {
	local pid
	pid=$(pid_of 0)
	[ -n "$pid" ] && [ "$pid" != "$first" ]
}
ok 'slot 0 is replaced' wait_for 10 replaced
is "$(pid_of 1)" "$second" 'slot 1 is not'
is "$(ctl stat -H master.reload_result | cut -f 2)" pending 'the reload is under way'
forbid
kill -CONT "$still"
ended() {
	[ "$(ctl stat -H master.reload_result | cut -f 2)" = failed ]
}
ok 'the reload fails' wait_for 20 ended
like "$(ctl stat -H master.reload_error)" 'worker 1 \(pid [0-9]+, generation [0-9]+\) exited with status 1' 'because of slot 1'
is "$(pid_of 1)" "$second" 'whose worker serves on'
permit
back() {
	[ "$(generations)" = "$((generation + 1)) $((generation + 1))" ]
}
ok 'slot 0 is back' wait_for 20 back
is_stat master.generation $((generation + 1)) 'the generation in force is the one of before'
wait_for 10 drover_is_ready || fail 'two workers'
for _ in {1..10}; do [ "$(get)" = two ] || fail 'it serves as before'; done
pass 'it serves as before'
ok 'and reloads' ctl reload
wait_for 10 drover_is_ready
is "$(get)" one 'to the new configuration'
done_testing
