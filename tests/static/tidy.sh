#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# tidy.sh - clang-tidy finds nothing (.clang-tidy says what it looks for). Only what changed is looked at.
# MAKE_O: the build directory as make was told it, by which the files that list dependencies call it.
set -uo pipefail
command -v "${TIDY:-clang-tidy}" >/dev/null || { echo "needs clang-tidy (scripts/setup.sh test)"; exit 77; }
exec make --no-print-directory -s -k -j "$(nproc)" O="${MAKE_O:-build}" tidy
