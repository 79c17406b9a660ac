#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# cppcheck.sh - cppcheck finds nothing (cppcheck.txt says what is suppressed, and why).
# MAKE_O: the build directory as make was told it, by which the files that list dependencies call it.
set -uo pipefail
command -v "${CPPCHECK:-cppcheck}" >/dev/null || { echo "needs cppcheck (scripts/setup.sh test)"; exit 77; }
exec make --no-print-directory -s O="${MAKE_O:-build}" cppcheck
