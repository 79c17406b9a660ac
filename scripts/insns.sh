#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# insns.sh - print how many instructions the verifier walks for each BPF program, and fail above half
#            of its limit of 1,000,000.
#
# usage: scripts/insns.sh [-v] [-p PERCENT] [OBJECT]     (default: 50 %, $O/sonde.bpf.o or build/sonde.bpf.o)
#
# Needs root. -v prints the verifier's words about programs it refuses.
set -euo pipefail
top=$(cd "$(dirname "$0")/.." && pwd)
percent=50
verbose=()
usage() { sed -n '/^# usage:/,/^set /s/^# \{0,1\}//p' "$0" | sed '$d'; }

while getopts p:vh option; do
	case $option in
	p) percent=$OPTARG ;;
	v) verbose=(-v) ;;
	h) usage; exit 0 ;;
	*) usage >&2; exit 2 ;;
	esac
done
shift $((OPTIND - 1))

out=${O:-$top/build}
object=${1:-$out/sonde.bpf.o}
[ -r "$object" ] || { echo "insns: no $object (make first)" >&2; exit 1; }
mkdir -p "$out"
tool=$out/insns
if [ ! -x "$tool" ] || [ "$top/scripts/insns.c" -nt "$tool" ]; then
	# shellcheck disable=SC2046 # one word per flag
	${CC:-gcc} -std=gnu11 -O2 -g -Wall -Wextra -o "$tool" "$top/scripts/insns.c" $(pkg-config --cflags --libs libbpf libelf zlib)
fi
exec "$tool" "${verbose[@]}" "$object" "$percent"
