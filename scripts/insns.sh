#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# insns.sh - print how many instructions the verifier walks for each BPF program; fail above half of its
#            limit of 1,000,000, or above what scripts/insns.budget allows the program.
#
# usage: scripts/insns.sh [-v] [-b | -w] [-p PERCENT] [-B FILE] [OBJECT]
#                                    (default: 50 %, scripts/insns.budget, $O/sonde.bpf.o or build/sonde.bpf.o)
#
#   -v  print the verifier's words about programs it refuses
#   -b  only build the tool that loads them ($O/insns)
#   -w  write the budget anew: what is needed now and 3 % of headroom
#   -B  compare with this budget; none: with none
#
# Loading needs root. Programs that this kernel has no hook for are named and left out. Kernels and compilers
# differ in what they count, so the budget holds for those it was written with; elsewhere the limit alone does.
set -euo pipefail
top=$(cd "$(dirname "$0")/.." && pwd)
percent=50
verbose=()
build_only=0
write=0
budget=$top/scripts/insns.budget
usage() { sed -n '/^# usage:/,/^set /s/^# \{0,1\}//p' "$0" | sed '$d'; }

# What the numbers depend on beside the source.
measured_with() {
	local clang
	clang=$("${CLANG:-clang}" --version 2>/dev/null | sed -nE '1s/.*version ([0-9]+).*/\1/p')
	echo "$(uname -m), Linux $(uname -r | grep -oE '^[0-9]+\.[0-9]+'), clang ${clang:-unknown}"
}

# write_budget TABLE: from the tool's output.
write_budget() {
	{
		echo "# SPDX-License-Identifier: GPL-2.0-only"
		echo "# insns.budget - how many instructions the verifier may walk for each program: what it walked, 3 % and 50 more."
		echo "# Checked by scripts/insns.sh and \`make check\`, written by scripts/insns.sh -w: say in the commit what the rise is for."
		echo "# measured with: $(measured_with)"
		awk '$3 ~ /^[0-9]+$/ && $5 == "%" { printf "%-16s %9d\n", $1, int(($3 * 1.03 + 149) / 100) * 100 }' "$1"
	} >"$budget"
	echo "wrote $budget"
}

# check_budget TABLE: fails if a program walks more than it may, has no budget, or is gone.
check_budget() {
	local was
	[ "$budget" != none ] || return 0
	if [ ! -r "$budget" ]; then
		echo "no budget: $budget is not there"
		return 1
	fi
	was=$(sed -n 's/^# measured with: //p' "$budget")
	if [ "$was" != "$(measured_with)" ]; then
		echo "budget not checked: it is for $was, and this is $(measured_with)"
		return 0
	fi
	awk -v budget="$budget" '
		FNR == NR && /^[a-z_0-9]+ +[0-9]+$/ { may[$1] = $2; next }
		FNR == NR { next }
		/ (not (on|for) this kernel|loaded, but)/ { there[$1] = 1 }
		$3 !~ /^[0-9]+$/ || $5 != "%" { next }
		{ there[$1] = 1 }
		!($1 in may) { printf "%s walks %d instructions and has no budget\n", $1, $3; bad++; next }
		$3 > may[$1] { printf "%s walks %d instructions, %d more than its budget of %d\n", $1, $3, $3 - may[$1], may[$1]; bad++ }
		END {
			for (name in may)
				if (!(name in there)) { printf "%s has a budget, but there is no such program\n", name; bad++ }
			if (bad) {
				print "Make it less, or, if that is what it takes: scripts/insns.sh -w, and say in the commit what for."
				exit 1
			}
			printf "all within %s\n", budget
		}' "$budget" "$1"
}

while getopts p:B:vbwh option; do
	case $option in
	p) percent=$OPTARG ;;
	B) budget=$OPTARG ;;
	v) verbose=(-v) ;;
	b) build_only=1 ;;
	w) write=1 ;;
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

table=$(mktemp)
trap 'rm -f "$table"' EXIT
code=0
"$tool" "${verbose[@]}" "$object" "$percent" | tee "$table" || code=$?
if [ $write = 1 ]; then
	write_budget "$table"
else
	check_budget "$table" || code=1
fi
exit $code
