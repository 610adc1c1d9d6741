# SPDX-License-Identifier: BSD-2-Clause
# shellcheck shell=bash
#
# For scenarios that check metrics with promtool (t/setup brings it): . "$(dirname "$0")/promtool.sh" after lib.sh.

PROMTOOL=$(command -v promtool || printf '%s' "$ROOT/build/promtool")

# promtool_ok NAME ARGS...: it finds nothing to complain of; standard input may come from a file. Where there is no promtool
# the test is skipped, but not where it is promised (.ci/run).
promtool_ok() {
	local name=$1 input=$2
	shift 2
	if [ ! -x "$PROMTOOL" ] && [ -z "${PROMTOOL_REQUIRED:-}" ]; then
		skip "$name" 'no promtool'
		return
	fi
	"$PROMTOOL" "$@" <"$input" >"$T/promtool.out" 2>&1
	local status=$?
	# Lint that promtool only mentions counts, too.
	if [ $status -eq 0 ] && ! grep -qv SUCCESS <(grep -vE '^(Checking|Unit Testing|$|.*SUCCESS)' "$T/promtool.out"); then
		pass "$name"
	else
		fail "$name" "status $status: $(head -c 3000 "$T/promtool.out")"
	fi
}
