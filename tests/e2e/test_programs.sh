#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# test_programs.sh - every BPF program is accepted by this kernel's verifier and stays below half of its limit.
set -euo pipefail
cd "$(dirname "$0")/../.."
if [ "$(id -u)" != 0 ]; then
	echo "loading BPF programs needs root"
	exit 77
fi
exec scripts/insns.sh "${O:-build}/sonde.bpf.o"
