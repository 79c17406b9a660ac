#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# stack.sh - the calls of every BPF program stay within 512 bytes of stack and 8 frames, counted as older kernels do: this one
#            may be more generous.
set -uo pipefail
[ -n "$(type -P llvm-objdump llvm-objdump-{14..22})" ] || { echo "needs llvm-objdump (scripts/setup.sh test)"; exit 77; }
exec /usr/bin/python3 scripts/stack.py "${O:-build}/sonde.bpf.o"
