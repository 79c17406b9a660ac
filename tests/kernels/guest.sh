#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# guest.sh - what tests/kernels/run.sh runs in each guest: one check after the other, each with a
#            line "@check NAME PASSED FAILED SKIPPED REMARK" for the summary.
#
# usage: tests/kernels/guest.sh OUTDIR [CHECK...]     (doctor programs bpf postgresql commands; default: all)
set -uo pipefail
cd "$(dirname "$0")/../.." || exit 1
out=$1
shift
[ $# -gt 0 ] || set -- doctor programs bpf postgresql commands
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

# kernel_before MAJOR MINOR
kernel_before() {
	local major minor
	IFS=. read -r major minor _ <<<"$(uname -r)"
	[ "$major" -lt "$1" ] || { [ "$major" = "$1" ] && [ "${minor%%[!0-9]*}" -lt "$2" ]; }
}

# Kernels on which sonde must say that it cannot work, and since when it can.
too_old() { kernel_before 5 15; }

# The way to see socket data that must be taken here.
wanted_capture() {
	if ! kernel_before 6 3; then
		echo tracepoint
	elif [ "$(uname -m)" = x86_64 ]; then
		echo fentry
	else
		echo kprobe # arm64 has trampolines since 6.4
	fi
}

readonly TOO_OLD="this kernel has no BPF helper bpf_task_pt_regs: what a system call sends and receives cannot be found; use Linux 5.15 or later"

# says WANTED_CODE WANTED_TEXT COMMAND...: the command ends with that code and says that text.
says() {
	local wanted=$1 text=$2 code=0 said
	shift 2
	said=$("$@" 2>&1) || code=$?
	echo "$said"
	[ $code = "$wanted" ] || { echo "exit code $code instead of $wanted: $*"; return 1; }
	[[ $said == *"$text"* ]] || { echo "does not say: $text"; return 1; }
}

refuses() { says 4 "Nothing can be traced: $TOO_OLD" "$SONDE" doctor && says 4 "sonde: $TOO_OLD" "$SONDE" db -d 1; }

# The program says what it uses here, and that the kernel takes it; or what is missing.
check_doctor() {
	if too_old; then
		run_one doctor refuses
	else
		run_one doctor says 0 "sockets: --capture $(wanted_capture):" "$SONDE" doctor
	fi
}

# The verifier of this kernel takes every program it has a hook for. Others than that which the budget was written with count differently:
# it is not asked for, and up to 60 % of the limit is no reason to worry.
check_programs() { run_one programs scripts/insns.sh -B none -p 60 "$out/sonde.bpf.o"; }

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

# Each tracing command around a program of known behaviour.
check_commands() { SONDE_TEST_PATIENCE=20 run_one commands /usr/bin/python3 tests/e2e/kernel_commands.py; }

echo "kernel $(uname -r)"
for check; do
	echo "== $check"
	if [ "$check" != doctor ] && too_old; then
		result "$check" 0 0 1 "needs Linux 5.15"
	else
		"check_$check"
	fi
done
echo "@end"
