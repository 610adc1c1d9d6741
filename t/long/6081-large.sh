#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
# t/6080-real.sh with bodies of a GiB, in both directions.
MIB=1024 exec bash "$(dirname "$0")/../6080-real.sh"
