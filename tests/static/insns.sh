#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# insns.sh - every BPF program is within its budget of verified instructions (scripts/insns.budget).
#
# Loading all of them takes half a minute: what passed is not loaded again until objects, budget or kernel change.
set -uo pipefail
cd "$(dirname "$0")/../.." || exit 1
out=${O:-build}

[ "$(id -u)" = 0 ] || { echo "needs root to load BPF programs"; exit 77; }
# A container may refuse root, too.
features=$(bpftool feature probe kernel 2>/dev/null)
[[ $features == *"program_type tracepoint is available"* ]] || { echo "this kernel or container loads no BPF programs"; exit 77; }

# Two that ask at once wait for one answer.
mkdir -p "$out/static"
exec 9>"$out/static/insns.lock"
flock 9

key=$(cat "$out/sonde.bpf.o" scripts/insns.budget scripts/insns.c scripts/insns.sh <(uname -r) | sha256sum)
passed=$out/static/insns.passed
if [ "$(cat "$passed" 2>/dev/null)" = "$key" ]; then
	echo "unchanged since it passed"
	exit 0
fi
O=$out scripts/insns.sh || exit 1
echo "$key" >"$passed"
