#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# kernel_postgresql.sh - a short check against a real server, for slow guests with other kernels: counts, never times.
#
# usage: tests/e2e/kernel_postgresql.sh    ($SONDE: the program; exit code 0 right, 1 wrong, 77 cannot be checked)
set -euo pipefail
cd "$(dirname "$0")/../.."
export SONDE_TEST_PATIENCE=${SONDE_TEST_PATIENCE:-20} PYTHONDONTWRITEBYTECODE=1
exec /usr/bin/python3 tests/e2e/kernel_postgresql.py
