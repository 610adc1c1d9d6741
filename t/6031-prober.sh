#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
# The prober is there when there is something to check, replaced by reload and upgrade, ended when it hangs, gone with its master.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/http.sh"
. "$(dirname "$0")/health.sh"

# conf [CHECK] [HANG]
conf() {
	config <<-EOT
		workers = 1
		hang = ${2:-0s}
		upstream "pool" { ${1:-} peer "$PEER_a" { } }
		server "site" { listen = { "127.0.0.1:0" } location "/" { proxy = "pool" } }
	EOT
}

# probers: the processes that say so.
probers() {
	pgrep -f -c "^drover: prober" --parent "${1:-$DROVER_PID}" || true
}

probers_are() {
	[ "$(probers)" = "$1" ]
}

no_prober() {
	[ "$(prober_pid)" = 0 ] && [ "$(probers)" = 0 ]
}

moody a
CHECK='check { path = "/healthz"  interval = 100ms  timeout = 100ms }'
allow_log 'peer .* of upstream'
allow_log 'prober'
allow_log "no such option 'broken'|reload failed"
conf
start_drover
is "$(prober_pid) $(probers)" '0 0' 'nothing to check: no prober'
conf "$CHECK"
ok 'reload' ctl reload
ok 'with a check there is one' wait_for 10 prober_runs
is_stat master.prober_generation 2 'of the generation in force'
ONE=$(prober_pid)
ok 'reload' ctl reload
ok 'a reload replaces it' wait_for 10 prober_runs "$ONE"
ok 'and leaves one' wait_for 10 probers_are 1
expect_stat master.prober_generation -eq 3
expect_stat "peer.pool/$PEER_a.checks" -ge 5
is_stat master.prober_deaths 0 'a replacement is no death'
TWO=$(prober_pid)
printf 'broken\n' >>"$T/drover.conf"
fails 'a reload that fails' ctl reload
is "$(prober_pid)" "$TWO" 'replaces nothing'
conf "$CHECK"
mv "$T/stderr" "$T/stderr.1"
ok 'reopening the logs' ctl reopen
mv "$T/stderr.1" "$T/stderr"

# An upgrade.
ok 'upgrade' ctl upgrade
ok 'an upgrade replaces it' wait_for 10 prober_runs "$TWO"
ok 'and leaves one' wait_for 10 probers_are 1
OLD=$(prober_pid)

# Without a check in the next generation it leaves.
conf
ok 'reload' ctl reload
ok 'without a check it leaves' wait_for 10 no_prober
ok 'and its peer counts as up' state_is pool "$PEER_a" up
conf "$CHECK" 2s
ok 'reload' ctl reload
ok 'it is back' wait_for 10 prober_runs "$OLD"

# One that hangs is ended and started again; then deaths need patience.
HUNG=$(prober_pid)
kill -STOP "$HUNG"
ok 'one that hangs is replaced' wait_for 10 prober_runs "$HUNG"
expect_stat master.prober_deaths -eq 1
like "$(cat "$T/stderr")" 'the prober .* hangs: no heartbeat' 'and that is said'
OLD=$(prober_pid)
kill -KILL "$OLD"
ok 'one that dies again is replaced' wait_for 10 prober_runs "$OLD"
like "$(cat "$T/stderr")" 'died 2 times in a row: starting it again in 1 s' 'with patience'

# The master dies: the prober as well, the worker serves on; the next master has its own.
OLD=$(prober_pid)
kill -KILL "$DROVER_PID"
finish "$DROVER_PID"
ok 'it dies with its master' wait_for 5 is_gone "$OLD"
start_drover
ok 'the next master has one of its own' wait_for 10 prober_runs "$OLD"
ok 'one' wait_for 10 probers_are 1
expect_stat "peer.pool/$PEER_a.checks" -ge 5
stop_drover
end_peers
done_testing
