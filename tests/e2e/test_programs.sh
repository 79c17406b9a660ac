#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# TOGETHER: loads programs, traces nothing
#
# test_programs.sh - every BPF program is accepted by this kernel's verifier and stays below half of its limit, and within its budget:
#                    what tests/static/insns.sh asks, which is not asked twice.
set -euo pipefail
cd "$(dirname "$0")/../.."
if [ "$(id -u)" != 0 ]; then
	echo "loading BPF programs needs root"
	exit 77
fi
exec bash tests/static/insns.sh
