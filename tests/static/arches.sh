#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# arches.sh - the BPF side compiles for every architecture of vmlinux/, without a warning. (Only this machine's is run here.)
# MAKE_O: the build directory as make was told it.
set -uo pipefail
exec make --no-print-directory -s -k -j "$(nproc)" O="${MAKE_O:-build}" arches
