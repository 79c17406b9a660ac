#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# guest.sh - what tests/kernels/run.sh runs in each guest: one check after the other, each with a
#            line "@check NAME PASSED FAILED SKIPPED REMARK" for the summary.
#
# usage: tests/kernels/guest.sh OUTDIR [CHECK...]     (doctor programs bpf postgresql; default: all)
set -uo pipefail
cd "$(dirname "$0")/../.." || exit 1
out=$1
shift
[ $# -gt 0 ] || set -- doctor programs bpf postgresql
export O=$out SONDE=$out/sonde
# Everything takes 2 to 40 times longer here.
export SONDE_TEST_TIMEOUT=900

result() { printf '@check %s %d %d %d %s\n' "$@"; }

# run_one NAME COMMAND...: a check that is one result; exit code 77 is a skip.
run_one() {
	local name=$1 code=0 log
	shift
	log=$(mktemp)
	"$@" >"$log" 2>&1 </dev/null || code=$?
	cat "$log"
	case $code in
	0) result "$name" 1 0 0 '' ;;
	77) result "$name" 0 0 1 "$(tail -n 1 "$log")" ;;
	*) result "$name" 0 1 0 "exit code $code" ;;
	esac
	rm -f "$log"
}

# The program says that it can work here.
check_doctor() { run_one doctor "$SONDE" doctor; }

# The verifier of this kernel takes every program it has a hook for.
check_programs() { run_one programs scripts/insns.sh "$out/sonde.bpf.o"; }

# The BPF test suite; emulation is slow, so the parsers get fewer mutated streams.
check_bpf() {
	local log totals
	log=$(mktemp)
	SONDE_TEST_STREAMS=700 tests/run.sh "$out" bpf 2>&1 | tee "$log"
	totals=$(sed -nE 's/^([0-9]+) passed, ([0-9]+) failed, ([0-9]+) skipped$/\1 \2 \3/p' "$log" | tail -n 1)
	rm -f "$log"
	# shellcheck disable=SC2086 # three words
	case $totals in
	'') result bpf 0 1 0 "the suite did not end" ;;
	'0 0 0') result bpf 0 1 0 "nothing ran" ;;
	*) result bpf $totals '' ;;
	esac
}

# A real server, a real client, counted right.
check_postgresql() {
	local script=tests/e2e/kernel_postgresql.sh
	if [ -f $script ]; then
		run_one postgresql bash $script
	else
		result postgresql 0 1 0 "there is no $script"
	fi
}

echo "kernel $(uname -r)"
for check; do
	echo "== $check"
	"check_$check"
done
echo "@end"
