#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
# t/5044-torn.sh with a million reads of each kind.
READS=1000000 exec bash "$(dirname "$0")/../5044-torn.sh"
