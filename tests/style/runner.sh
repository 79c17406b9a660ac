#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# runner.sh - tests/run.sh counts right, and runs again what it may and nothing else: it is given small trees of scripts that pass,
#             fail, skip, or fail the first time only. So does tests/e2e/part.py.
# shellcheck source=tests/style/lib.bash disable=SC2016 # "$SEEN" is for the scripts
. "$(dirname "$0")/lib.bash"

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# Root or not, the end-to-end tests of these trees need nothing.
mkdir "$work/bin"
printf '#!/bin/sh\necho 0\n' >"$work/bin/id"
chmod +x "$work/bin/id"

# fresh: a tree without tests.
fresh() {
	rm -rf "$work/tree" "$work/out" "$work/seen"
	mkdir -p "$work/tree/tests/e2e" "$work/tree/tests/static" "$work/seen"
	cp "$tree/tests/run.sh" "$work/tree/tests/"
}

# put SUITE NAME BODY: a script.
put() { printf '# %s\n%s\n' "$2" "$3" >"$work/tree/tests/$1/$2.sh"; }

readonly ONCE='echo "$0 ran" >>"$SEEN/$(basename "$0")"; [ "$(wc -l <"$SEEN/$(basename "$0")")" -gt 1 ] || { echo "bad luck"; exit 1; }'
readonly NEVER='echo "$0 ran" >>"$SEEN/$(basename "$0")"; echo "really broken"; exit 1'

# run SUITE...: its output and exit code.
run() {
	code=0
	output=$(PATH=$work/bin:$PATH SEEN=$work/seen SONDE_TEST_JOBS=2 bash "$work/tree/tests/run.sh" "$work/out" "$@" 2>&1) || code=$?
}

# expect WHAT CODE LAST_LINE: how the run ended.
expect() {
	looked
	[ $code = "$2" ] || complain run.sh "$1: exit code $code, not $2: $output"
	[ "$(tail -n 1 <<<"$output")" = "$3" ] || complain run.sh "$1: says \"$(tail -n 1 <<<"$output")\", not \"$3\""
}

# says WHAT TEXT, runs WHAT NAME TIMES
says() { [[ $output == *"$2"* ]] || complain run.sh "$1: does not say \"$2\": $output"; }
runs() { [ "$(wc -l <"$work/seen/$2.sh")" = "$3" ] || complain run.sh "$1: $2 ran $(wc -l <"$work/seen/$2.sh") times, not $3"; }

fresh
put e2e test_good true
put e2e test_skipped 'echo "has no root"; exit 77'
run e2e
expect 'passes and skips' 0 '1 passed, 0 failed, 1 skipped'
says 'passes and skips' 'skipped: e2e/test_skipped.sh: has no root'

put e2e test_shaky "$ONCE"
run e2e
expect 'a file that fails once' 0 '2 passed, 0 failed, 1 skipped, 1 unstable'
says 'a file that fails once' 'UNSTABLE: e2e/test_shaky.sh failed once, passed on the second run'
says 'a file that fails once' 'bad luck'
runs 'a file that fails once' test_shaky 2

fresh
put e2e test_broken "$NEVER"
put e2e test_good true
put e2e test_shaky "# TOGETHER: with itself
$ONCE"
run e2e
expect 'a file that fails twice' 1 '2 passed, 1 failed, 0 skipped, 1 unstable'
says 'a file that fails twice' 'failed: e2e/test_broken.sh'
runs 'a file that fails twice' test_broken 2

fresh
put e2e test_good true
for n in 1 2 3 4 5; do put e2e "test_shaky$n" "$ONCE"; done
run e2e
expect 'five files that fail once' 0 '6 passed, 0 failed, 0 skipped, 5 unstable'

rm -rf "$work/seen" && mkdir "$work/seen"
put e2e test_shaky6 "$ONCE"
run e2e
expect 'six files that fail once' 1 '1 passed, 6 failed, 0 skipped'
says 'six files that fail once' 'none is run again'
runs 'six files that fail once' test_shaky1 1

fresh
put e2e test_shaky "$ONCE"
run e2e:shaky
expect 'a file that is asked for' 1 '0 passed, 1 failed, 0 skipped'
runs 'a file that is asked for' test_shaky 1

# A Python file with both kinds of tests: each runs once, those that are named alone.
fresh
cp "$tree/tests/e2e/part.py" "$work/tree/tests/e2e/"
cat >"$work/tree/tests/e2e/test_both.py" <<'END'
# TOGETHER: most of it
# ALONE: Clock test_late*: compare times
import os, unittest
def note(name):
    with open(os.environ["SEEN"] + "/" + name + ".sh", "a") as file:
        file.write("ran\n")
class Count(unittest.TestCase):
    def test_one(self):
        note("one")
    def test_late_reply(self):
        note("late")
class Clock(unittest.TestCase):
    def test_time(self):
        note("time")
        with open(os.environ["SEEN"] + "/time.sh") as file:
            self.assertGreater(len(file.readlines()), 1, "once more, please")
if __name__ == "__main__":
    unittest.main()
END
run e2e
expect 'a file in two parts' 0 '3 passed, 0 failed, 0 skipped, 1 unstable'
says 'a file in two parts' 'UNSTABLE: e2e/test_both.py (alone) failed once'
runs 'a file in two parts' one 1
runs 'a file in two parts' late 2
runs 'a file in two parts' time 2
sed -i 's/test_late\*/test_early/' "$work/tree/tests/e2e/test_both.py"
run e2e
[[ $code = 1 && $output == *"no tests that are called test_early"* ]] || complain part.py "a name that is no test: $code, $output"

fresh
put static shaky "$ONCE"
put e2e test_good true
run static e2e
expect 'another suite' 1 '1 passed, 1 failed, 0 skipped'
runs 'another suite' shaky 1
finish
