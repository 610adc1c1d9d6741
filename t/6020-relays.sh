#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
# WebSockets that echo and proxied requests at a rate outlive reloads and kill -9 of workers: the proof of t/long, with little of
# everything.
# shellcheck disable=SC2034
WEBSOCKETS=60 RATE=100 RELOADS=4 KILL_SECONDS=2 KILL_EVERY_MS=400
. "$(dirname "$0")/long/6020-relays.sh"
