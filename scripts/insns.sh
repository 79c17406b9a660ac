#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# insns.sh - print how many instructions the verifier walks for each BPF program, and fail above half
#            of its limit of 1,000,000.
#
# usage: scripts/insns.sh [-v] [-b] [-p PERCENT] [OBJECT]  (default: 50 %, $O/sonde.bpf.o or build/sonde.bpf.o)
#
#   -v  print the verifier's words about programs it refuses
#   -b  only build the tool that loads them ($O/insns)
#
# Loading needs root. Programs that this kernel has no hook for are named and left out.
set -euo pipefail
top=$(cd "$(dirname "$0")/.." && pwd)
percent=50
verbose=()
build_only=0
usage() { sed -n '/^# usage:/,/^set /s/^# \{0,1\}//p' "$0" | sed '$d'; }

while getopts p:vbh option; do
	case $option in
	p) percent=$OPTARG ;;
	v) verbose=(-v) ;;
	b) build_only=1 ;;
	h) usage; exit 0 ;;
	*) usage >&2; exit 2 ;;
	esac
done
shift $((OPTIND - 1))

out=${O:-$top/build}
object=${1:-$out/sonde.bpf.o}
mkdir -p "$out"
tool=$out/insns
if [ ! -x "$tool" ] || [ "$top/scripts/insns.c" -nt "$tool" ]; then
	# shellcheck disable=SC2046 # one word per flag
	${CC:-gcc} -std=gnu11 -O2 -g -Wall -Wextra -o "$tool" "$top/scripts/insns.c" $(pkg-config --cflags --libs libbpf libelf zlib)
fi
[ $build_only = 0 ] || exit 0
[ -r "$object" ] || { echo "insns: no $object (make first)" >&2; exit 1; }
exec "$tool" "${verbose[@]}" "$object" "$percent"
