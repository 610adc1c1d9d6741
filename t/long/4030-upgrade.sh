#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
# A hundred upgrades in a row, as in t/4030-upgrade.sh, under 10,000 keep-alive connections with 2,000 requests a second in all.
ulimit -Sn "$(ulimit -Hn)"
ROUNDS=100 CONNECTIONS=10000 RATE=2000 exec "$BASH" "$(dirname "$0")/../4030-upgrade.sh" "$@"
