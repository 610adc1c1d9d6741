#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
# A hundred upgrades in a row, as in t/4030-upgrade.sh.
ROUNDS=100 exec "$BASH" "$(dirname "$0")/../4030-upgrade.sh" "$@"
