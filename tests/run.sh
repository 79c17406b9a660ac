#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# run.sh - run test suites, count results, say why each skipped test was skipped.
#
# usage: tests/run.sh OUTDIR SUITE[:NAME]...
#
#   unit    OUTDIR/tests/unit/test_*         cmocka programs; tests/unit/test_*.py
#   bpf     OUTDIR/tests/bpf/test_*          cmocka programs, root
#   e2e     tests/e2e/test_*.{py,sh}         root
#   style   tests/style/*.sh
#   static  tests/static/*.sh               what looks at the code without running it
#   :NAME   only this one of the suite; with or without test_ and ending, may be a glob: 'e2e:pg_*'
#
# A test runs in the top directory with stdin empty and in its environment
#   O=OUTDIR  SONDE=OUTDIR/sonde  TMPDIR=a directory of its own, removed afterwards, writable by all
# and within 900 s ($SONDE_TEST_TIMEOUT; a script may say "# TIMEOUT: SECONDS" in its first 20 lines).
#
# SONDE_TEST_WRAPPER="COMMAND ARGS": the cmocka programs are started by that (valgrind).
#
# A script: exit code 0 passed, 77 skipped (the last line of its output says why), else failed. The
# tests inside a cmocka program and inside a Python unittest script count each by itself. A cmocka
# test prints why with print_message("...\n") before skip().
#
# First run, three at once for two processors ($SONDE_TEST_JOBS: that many at once), as they wait now and then: unit, style, and those of
# e2e whose first 20 lines say "# TOGETHER: why": they measure no time and look at their own processes only. Those of static meanwhile
# take what the others leave of the processors. Then all others run, each alone. A Python unittest script may have both kinds:
# "# ALONE: NAME...: why" names those of its tests that run then (NAME: Class, Class.test_name or test_name, may be a glob), by
# tests/e2e/part.py.
#
# A second run: end-to-end tests start servers and measure time on a machine that others may use, too. A file of a whole e2e suite that
# fails is run once more, alone, after everything else has ended. If it passes then, it counts as it did in that run, and the file is
# named as unstable, with what its first run said. No more than $SONDE_TEST_UNSTABLE (5) files get this: if more fail, none is run again.
# What the second run says is final. Nothing of the other suites, and no test that is asked for by NAME, is ever run again.
#
# The output of failed tests is shown; all output is kept in OUTDIR/tests/log/ (of a first run that failed: .first). The last line is
# "N passed, N failed, N skipped", and ", N unstable" if files are. Exit code: 0, or 1 if a test failed or none ran, or 2 usage.
# shellcheck disable=SC2317 # of_job() calls by name
set -uo pipefail

readonly SKIP_CODE=77
readonly TIMEOUT_CODE=124 # of timeout(1)
readonly SHOWN_LINES=300
readonly MAX_UNSTABLE=${SONDE_TEST_UNSTABLE:-5}

passed=0 failed=0 skipped=0
skips=()
failures=()
# A job is "SUITE|FILE|PART|AGAIN": PART of the file's tests is all, together or alone; AGAIN is 1 if it may be run once more.
background=() # jobs that take what the others leave
together=()   # several at once
alone=()
again=()    # "CODE|JOB" of those that failed and may be run once more
unstable=() # jobs whose second run passed

usage() { sed -n '/^# usage:/,/^set /s/^# \{0,1\}//p' "$0" | sed '$d'; }

# Counting: each takes the log of one run and its exit code, and sets ok, bad and skip_reasons.

# How the process itself ended, for tests that are one result.
count_process() {
	local log=$1 code=$2
	case $code in
	0) ok=1 ;;
	"$SKIP_CODE") skip_reasons=("$(grep -v '^[[:space:]]*$' "$log" | tail -n 1)") ;;
	*) bad=1 ;;
	esac
}

# TAP as cmocka writes it: "ok 1 - name", "not ok 2 - name", "ok 3 # SKIP name" (or "not ok").
count_cmocka() {
	local log=$1 code=$2 line previous='' planned=0
	while IFS= read -r line; do
		if [[ $line =~ ^1\.\.([0-9]+) ]]; then
			planned=$((planned + BASH_REMATCH[1]))
			previous=
		elif [[ $line =~ ^(not\ )?ok\ [0-9]+\ (-\ )?#\ (SKIP|skip)\ *(.*) ]]; then
			skip_reasons+=("${BASH_REMATCH[4]}: ${previous:-gives no reason}")
			previous=
		elif [[ $line =~ ^ok\ [0-9]+ ]]; then
			ok=$((ok + 1))
			previous=
		elif [[ $line =~ ^not\ ok\ [0-9]+ ]]; then
			bad=$((bad + 1))
			previous=
		elif [ -n "$line" ]; then
			previous=${line#\# }
		fi
	done <"$log"
	if [ $((ok + bad + ${#skip_reasons[@]})) = 0 ]; then
		count_process "$log" "$code" # not a cmocka program
	elif [ $((ok + bad + ${#skip_reasons[@]})) -lt "$planned" ] || [[ $code != 0 && $bad == 0 ]]; then
		bad=$((bad + 1)) # died on the way, or in a fixture
	fi
}

# The summary of Python's unittest: "Ran 5 tests in", then "OK (skipped=1)" or "FAILED (errors=1, ...)".
count_unittest() {
	local log=$1 code=$2 ran summary fixtures word
	ran=$(sed -n 's/^Ran \([0-9]*\) tests\{0,1\} in .*/\1/p' "$log" | tail -n 1)
	if [ -z "$ran" ]; then
		count_process "$log" "$code"
		return
	fi
	summary=$(grep -E '^(OK|FAILED|NO TESTS RAN)( \(.*\))?$' "$log" | tail -n 1)
	for word in failures errors 'unexpected successes'; do
		[[ $summary =~ [\(\ ]$word=([0-9]+) ]] && bad=$((bad + BASH_REMATCH[1]))
	done
	while IFS= read -r word; do skip_reasons+=("$word"); done < <(
		sed -nE "s/^(.*) \.\.\. skipped ['\"](.*)['\"]\$/\1: \2/p" "$log" | sed -E 's/^(\w+) \([^)]*\): /\1: /')
	if [[ $summary =~ skipped=([0-9]+) ]]; then
		while [ ${#skip_reasons[@]} -lt "${BASH_REMATCH[1]}" ]; do skip_reasons+=("gives no reason"); done
	fi
	# A skipped class is a skip, but none of those that ran.
	fixtures=$(grep -cE '^setUp(Class|Module) \(.*\.\.\. skipped ' "$log")
	ok=$((ran - bad - ${#skip_reasons[@]} + fixtures))
	[ "$ok" -ge 0 ] || ok=0
	if [[ $code != 0 && $bad == 0 ]]; then
		# Exits unlike its results: killed, or skipped as a whole.
		if [ "$code" = "$SKIP_CODE" ]; then count_process "$log" "$code"; else bad=1; fi
	fi
}

limit_of() {
	local own=
	case $1 in *.sh | *.py) own=$(sed -n '1,20s/^# TIMEOUT: \([0-9]*\)$/\1/p' "$1" | head -n 1) ;; esac
	echo "${own:-${SONDE_TEST_TIMEOUT:-900}}"
}

# add NAME: adds the results of one run to the totals.
add() {
	local name=$1 reason
	passed=$((passed + ok))
	failed=$((failed + bad))
	skipped=$((skipped + ${#skip_reasons[@]}))
	for reason in "${skip_reasons[@]}"; do skips+=("$name: ${reason:-gives no reason}"); done
	[ "$bad" = 0 ] || failures+=("$name")
}

# report NAME CODE LIMIT LOG ELAPSED_MS: prints the line of this run, and what it said if it failed.
report() {
	local name=$1 code=$2 limit=$3 log=$4 elapsed_ms=$5 verdict=pass detail=''
	if [ "$bad" -gt 0 ]; then
		verdict=FAIL
	elif [ "$ok" = 0 ]; then
		verdict=skip
	fi
	[ $((ok + bad + ${#skip_reasons[@]})) -le 1 ] || detail=" ($ok passed, $bad failed, ${#skip_reasons[@]} skipped)"
	[ "$code" != "$TIMEOUT_CODE" ] || detail="$detail: killed after $limit s"
	printf '%s %5d.%01d s  %s%s\n' "$verdict" $((elapsed_ms / 1000)) $((elapsed_ms % 1000 / 100)) "$name" "$detail"
	[ "$bad" -gt 0 ] || return 0
	echo "---- output of $name, exit code $code"
	tail -n "$SHOWN_LINES" "$log" | sed 's/^/    /'
	echo "---- end of $name"
}

# says_first FILE WORD: the file's first lines say "# WORD: ..."
says_first() { sed -n '1,20p' "$1" | grep -aq "^# $2: "; }

part_of() { if [ "$3" = all ]; then echo; else echo " ($3)"; fi; }
name_of() { echo "$1/$(basename "$2")$(part_of "$@")"; }
log_of() { echo "$out/tests/log/${1}_$(basename "$2")$(part_of "$@" | tr -d '() ' | sed 's/^./.&/').log"; }

# execute SUITE FILE PART AGAIN: runs it; what it prints goes to its log, how it ended to its log's .end: exit code, milliseconds.
execute() {
	local suite=$1 file=$2 part=$3 code=0 begin log limit tmp command=()
	log=$(log_of "$@")
	limit=$(limit_of "$file")
	case $file in
	*.sh) command=(bash "$file") ;;
	*.py)
		command=(/usr/bin/python3 "$file")
		[ "$part" = all ] || command=(/usr/bin/python3 tests/e2e/part.py "$part" "$file")
		grep -q unittest "$file" && command+=(-v) # names the reasons of skips
		;;
	*)
		read -ra command <<<"${SONDE_TEST_WRAPPER:-}"
		command+=("$file")
		;;
	esac
	[ "$suite" != static ] || command=(nice -n 19 "${command[@]}")
	tmp=$(mktemp -d /tmp/sonde-test.XXXXXX) && chmod 1777 "$tmp"
	begin=$(date +%s%N)
	TMPDIR=$tmp O=$out SONDE=$out/sonde CMOCKA_MESSAGE_OUTPUT=TAP PYTHONDONTWRITEBYTECODE=1 \
		bash -c 'timeout -k 10 "$@"; exit $?' - "$limit" "${command[@]}" >"$log" 2>&1 </dev/null || code=$?
	rm -rf "$tmp"
	echo "$code $((($(date +%s%N) - begin) / 1000000))" >"$log.end"
}

# count FILE LOG CODE: sets ok, bad and skip_reasons by the file's own way of telling.
count() {
	local file=$1 counter=count_cmocka
	ok=0 bad=0 skip_reasons=()
	case $file in
	*.sh) counter=count_process ;;
	*.py) if grep -q unittest "$file"; then counter=count_unittest; else counter=count_process; fi ;;
	esac
	$counter "$2" "$3"
}

# conclude SUITE FILE PART AGAIN: counts and reports what execute() left. A failure that a second run may follow is not yet counted.
conclude() {
	local file=$2 code elapsed_ms log ok bad skip_reasons
	log=$(log_of "$@")
	read -r code elapsed_ms <"$log.end"
	rm -f "$log.end"
	count "$file" "$log" "$code"
	report "$(name_of "$@")" "$code" "$(limit_of "$file")" "$log" "$elapsed_ms"
	if [ "$bad" -gt 0 ] && [ "$4" = 1 ]; then
		mv "$log" "$log.first"
		again+=("$code|$1|$file|$3|0")
	else
		add "$(name_of "$@")"
	fi
}

# of_job FUNCTION JOB: calls it with the words of a job.
of_job() {
	local words
	IFS='|' read -ra words <<<"$2"
	"$1" "${words[@]}"
}

run_alone() {
	local job
	for job in "${alone[@]}"; do
		of_job execute "$job"
		of_job conclude "$job"
	done
}

run_together() {
	local job pid rest='' jobs=${SONDE_TEST_JOBS:-$((($(nproc) * 3 + 1) / 2))}
	local -A running=()
	if [ ${#background[@]} -gt 0 ]; then
		(for job in "${background[@]}"; do of_job execute "$job"; done) &
		rest=$!
	fi
	for job in "${together[@]}"; do
		if [ ${#running[@]} -ge "$jobs" ]; then
			wait -n -p pid "${!running[@]}"
			of_job conclude "${running[$pid]}"
			unset "running[$pid]"
		fi
		of_job execute "$job" &
		running[$!]=$job
	done
	for pid in "${!running[@]}"; do
		wait "$pid"
		of_job conclude "${running[$pid]}"
	done
	[ -z "$rest" ] || wait "$rest"
	for job in "${background[@]}"; do of_job conclude "$job"; done
}

# run_again: the second runs, after everything else; or, if too many files failed, none.
run_again() {
	local entry code job file was ok bad skip_reasons
	[ ${#again[@]} -gt 0 ] || return
	if [ ${#again[@]} -gt "$MAX_UNSTABLE" ]; then
		echo "${#again[@]} end-to-end files failed, more than $MAX_UNSTABLE: none is run again"
	else
		printf '\nsecond runs:\n'
	fi
	for entry in "${again[@]}"; do
		code=${entry%%|*} job=${entry#*|}
		if [ ${#again[@]} -gt "$MAX_UNSTABLE" ]; then
			IFS='|' read -r _ file _ <<<"$job"
			count "$file" "$(of_job log_of "$job").first" "$code"
			add "$(of_job name_of "$job")"
			continue
		fi
		was=$failed
		of_job execute "$job"
		of_job conclude "$job"
		[ $failed != "$was" ] || unstable+=("$job")
	done
}

# say_unstable: what the first runs said that a second run did not confirm.
say_unstable() {
	local job log
	for job in "${unstable[@]}"; do
		log=$(of_job log_of "$job").first
		echo "UNSTABLE: $(of_job name_of "$job") failed once, passed on the second run"
		echo "---- output of its first run, also in $log"
		tail -n "$SHOWN_LINES" "$log" | sed 's/^/    /'
		echo "---- end of $(of_job name_of "$job")"
	done
}

skip_without_root() {
	[ "$(id -u)" != 0 ] || return 1
	skipped=$((skipped + 1))
	skips+=("$1: needs root")
	printf 'skip            %s (all)\n' "$1"
}

# fail_suite NAME WHY: something is wrong around the tests.
fail_suite() {
	failed=$((failed + 1))
	failures+=("$1: $2")
	printf 'FAIL            %s: %s\n' "$1" "$2"
}

# files_of SUITE PATTERN: the tests of a suite, one path a line.
files_of() {
	local suite=$1 pattern=$2 file base
	local candidates=()
	case $suite in
	unit) candidates=("$out"/tests/unit/test_* tests/unit/test_*.py) ;;
	bpf) candidates=("$out"/tests/bpf/test_*) ;;
	e2e) candidates=(tests/e2e/test_*.py tests/e2e/test_*.sh) ;;
	style | static) candidates=("tests/$suite"/*.sh) ;;
	esac
	for file in "${candidates[@]}"; do
		[[ -f $file && $file != *.d && $file != *.gc?? ]] || continue
		base=$(basename "$file")
		base=${base%.*}
		# shellcheck disable=SC2053 # the pattern may be a glob
		[[ $base == $pattern || $base == test_$pattern || $(basename "$file") == $pattern ]] || continue
		echo "$file"
	done
}

# stale SUITE FILE: a program whose source is gone (renamed or removed) is none of the tests.
stale() {
	case $1:$2 in *.py) false ;; unit:* | bpf:*) [ ! -e "tests/$1/$(basename "$2").c" ] ;; *) false ;; esac
}

# plan SUITE[:NAME]: when each of its tests runs.
plan() {
	local suite=${1%%:*} pattern='*' files file may=0 of_e2e=()
	[ "$suite" = "$1" ] || pattern=${1#*:}
	[ "$1" != e2e ] || may=1
	case $suite in
	unit | style | static) ;;
	bpf | e2e) ! skip_without_root "$suite" || return 0 ;;
	*)
		usage >&2
		exit 2
		;;
	esac
	files=$(files_of "$suite" "$pattern")
	if [ -z "$files" ]; then
		fail_suite "$1" "no such test"
		return
	fi
	while IFS= read -r file <&3; do
		stale "$suite" "$file" && continue
		case $suite in
		static) background+=("$suite|$file|all|0") ;;
		bpf) alone+=("$suite|$file|all|0") ;;
		unit | style) together+=("$suite|$file|all|0") ;;
		e2e)
			if ! says_first "$file" TOGETHER; then
				alone+=("$suite|$file|all|$may")
			elif ! says_first "$file" ALONE; then
				of_e2e+=("$suite|$file|all|$may")
			else
				of_e2e+=("$suite|$file|together|$may")
				alone+=("$suite|$file|alone|$may")
			fi
			;;
		esac
	done 3<<<"$files"
	together=("${of_e2e[@]}" "${together[@]}") # the longest first
}

# As one: the file may change while it runs, and bash reads as it goes.
{
	[ $# -ge 2 ] || { usage >&2; exit 2; }
	mkdir -p "$1/tests/log" || exit 2
	out=$(cd "$1" && pwd)
	shift
	cd "$(dirname "$0")/.." || exit 2
	for suite; do plan "$suite"; done
	run_together
	run_alone
	run_again

	echo
	for reason in "${skips[@]}"; do echo "skipped: $reason"; done
	say_unstable
	for failure in "${failures[@]}"; do echo "failed: $failure"; done
	for job in "${unstable[@]}"; do echo "unstable: $(of_job name_of "$job") failed once, passed on the second run"; done
	totals="$passed passed, $failed failed, $skipped skipped"
	[ ${#unstable[@]} = 0 ] || totals+=", ${#unstable[@]} unstable"
	echo "$totals"
	[ $failed = 0 ] && [ $passed -gt 0 ]
	exit
}
