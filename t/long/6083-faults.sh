#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
# t/6082-faults.sh, with ten rounds and ten times the requests in each.
ROUNDS=10 REQUESTS_EACH=1500 RATE=400 exec bash "$(dirname "$0")/../6082-faults.sh"
