#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# run.sh - boot other kernels and run the checks of guest.sh in each.
#
# usage: tests/kernels/run.sh [-o OUTDIR] [-j GUESTS] [-c CHECK]... [LABEL...]
#
#   LABEL      kernels of scripts/vm/fetch-kernels.sh (default: all of them)
#   -o OUTDIR  what was built (build)
#   -j GUESTS  guests at a time (1)
#   -c CHECK   only this check: doctor, programs, bpf, postgresql, commands
#
# Each guest sees this machine's files, so OUTDIR must be built first, for arm64 OUTDIR/arm64 (make cross-arm64); nothing
# that it writes stays.
# The output of a guest is shown when it has ended, and kept in OUTDIR/tests/log/kernel-LABEL.log.
# Ends with a table, then "N passed, N failed, N skipped". Exit code 1 if anything failed.
set -uo pipefail
cd "$(dirname "$0")/../.." || exit 2

readonly GUEST_SECONDS=2400
readonly GUEST_MB=2048

usage() { sed -n '/^# usage:/,/^set /s/^# \{0,1\}//p' "$0" | sed '$d'; }

# Totals of all guests, and the cells of the table by "LABEL CHECK".
passed=0 failed=0 skipped=0
declare -A cell=() remark=()

boot_guest() {
	local label=$1 built
	built=$(built_for "$label")
	scripts/vm/boot.sh -s -m $GUEST_MB -t $GUEST_SECONDS -b "$built" "$label" -- \
		bash tests/kernels/guest.sh "$built" "${checks[@]}" >"$(log_of "$label")" 2>&1 </dev/null
}

built_for() { case $1 in *-arm64) echo "$out/arm64" ;; *) echo "$out" ;; esac; }

log_of() { echo "$out/tests/log/kernel-$1.log"; }

# collect LABEL: adds the results that its guest printed.
collect() {
	local label=$1 check ok bad skips why
	while read -r _ check ok bad skips why; do
		passed=$((passed + ok)) failed=$((failed + bad)) skipped=$((skipped + skips))
		if [ "$bad" -gt 0 ]; then cell[$label $check]=FAIL; elif [ "$ok" -gt 0 ]; then cell[$label $check]=pass; else cell[$label $check]=skip; fi
		[ $((ok + bad + skips)) -le 1 ] || cell[$label $check]+=" $ok/$bad/$skips"
		[ -z "$why" ] || remark[$label $check]=$why
	done < <(grep -a '^@check ' "$(log_of "$label")")
	for check in "${checks[@]}"; do
		[ -z "${cell[$label $check]+known}" ] || continue
		cell[$label $check]=FAIL
		remark[$label $check]="the guest did not get there"
		failed=$((failed + 1))
	done
}

# said LABEL SCRIPT: the first line that sed makes of its output.
said() { grep -a . "$(log_of "$1")" | sed -n "$2" | head -n 1; }

table() {
	local label check
	printf '%-12s %-28s %-11s %8s' kernel release capture seconds
	printf ' %-14s' "${checks[@]}"
	echo
	for label in "${labels[@]}"; do
		printf '%-12s %-28s %-11s %8s' "$label" "$(said "$label" 's/^kernel //p')" \
			"$(said "$label" 's/^  sockets: --capture \([a-z]*\):.*/\1/p')" \
			"$(said "$label" 's/^boot: .*, all in \([0-9]*\)[0-9]\{3\} ms$/\1/p')"
		for check in "${checks[@]}"; do printf ' %-14s' "${cell[$label $check]}"; done
		echo
	done
	echo
	for label in "${labels[@]}"; do
		for check in "${checks[@]}"; do
			[ -z "${remark[$label $check]:-}" ] || echo "$label, $check: ${remark[$label $check]}"
		done
	done
}

out=build
guests=1
checks=()
while getopts o:j:c:h option; do
	case $option in
	o) out=$OPTARG ;;
	j) guests=$OPTARG ;;
	c) checks+=("$OPTARG") ;;
	h) usage; exit 0 ;;
	*) usage >&2; exit 2 ;;
	esac
done
shift $((OPTIND - 1))
labels=("$@")
[ ${#labels[@]} -gt 0 ] || labels=(5.10 6.1 6.12 6.18 sid 6.1-arm64 6.12-arm64)
[ ${#checks[@]} -gt 0 ] || checks=(doctor programs bpf postgresql commands)
mkdir -p "$out/tests/log" || exit 2
out=$(cd "$out" && pwd)

# What the guests share is made once, here.
O=$out scripts/insns.sh -b || exit 1
for label in "${labels[@]}"; do
	[ -x "$(built_for "$label")/sonde" ] || { echo "run: there is no $(built_for "$label")/sonde" >&2; exit 1; }
done
scripts/vm/fetch-kernels.sh "${labels[@]}" || exit 1

declare -A running=()
for label in "${labels[@]}"; do
	while [ "$(jobs -rp | wc -l)" -ge "$guests" ]; do wait -n; done
	boot_guest "$label" &
	running[$label]=$!
done
for label in "${labels[@]}"; do
	wait "${running[$label]}"
	echo "==== $label"
	grep -av '^@' "$(log_of "$label")"
	collect "$label"
done
echo
table
echo "$passed passed, $failed failed, $skipped skipped"
[ $failed = 0 ] && [ $passed -gt 0 ]
