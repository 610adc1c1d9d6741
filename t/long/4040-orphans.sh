#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
# Fifty masters in a row, as in t/4040-orphans.sh.
ROUNDS=50 exec "$BASH" "$(dirname "$0")/../4040-orphans.sh" "$@"
