# SPDX-License-Identifier: GPL-2.0-only
"""coverage.py - which lines of the program a run of tests reached, from gcov's counts.

usage: coverage.py [--bound DIR=PERCENT]... BUILD_DIR

Prints lines and share of each directory, and the lines not reached of those that have a bound. A header's line counts as
reached if any program that includes it reached it. Exit codes: 0, 1 no counts, 2 usage, 5 below a bound.
"""

import argparse
import collections
import json
import os
import subprocess
import sys

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
FILES_A_CALL = 40  # of gcov


def counts_of(build):
    """{file, from the top of the tree: {line: times}} of all that was compiled in @build."""
    data = sorted(os.path.join(path, name) for path, _, names in os.walk(build) for name in names if name.endswith(".gcda"))
    counts = collections.defaultdict(lambda: collections.defaultdict(int))
    for i in range(0, len(data), FILES_A_CALL):
        done = subprocess.run(["gcov", "--json-format", "--stdout", *data[i:i + FILES_A_CALL]], cwd=TOP, stdout=subprocess.PIPE,
                              stderr=subprocess.DEVNULL, text=True, check=True)
        for document in done.stdout.splitlines():
            document = json.loads(document)
            for file in document["files"]:
                path = os.path.relpath(os.path.join(document["current_working_directory"], file["file"]), TOP)
                for line in file["lines"]:
                    counts[path][line["line_number"]] += line["count"]
    return {path: dict(lines) for path, lines in counts.items() if path.startswith(("include/", "user/"))}


def ranges(lines):
    """[3, 4, 5, 9] as "3-5 9"."""
    parts = []
    for line in sorted(lines):
        if parts and parts[-1][1] == line - 1:
            parts[-1][1] = line
        else:
            parts.append([line, line])
    return " ".join(str(a) if a == b else "%d-%d" % (a, b) for a, b in parts)


def share(reached, lines):
    return 100 * reached / lines if lines else 100.0


def below(path, directory):
    return path == directory or path.startswith(directory + "/")


def totals(counts, directory):
    """(lines reached, lines) of what is below @directory."""
    lines = [times for path, found in counts.items() if below(path, directory) for times in found.values()]
    return sum(times > 0 for times in lines), len(lines)


def report(counts, bounds):
    """Prints it; the directories below their bounds."""
    failed = []
    for directory in bounds:
        for path in sorted(p for p in counts if below(p, directory)):
            missed = [line for line, times in counts[path].items() if not times]
            if missed:
                total = len(counts[path])
                print("  %-40s %5d lines %6.1f %%  not: %s" % (path, total, share(total - len(missed), total), ranges(missed)))
    directories = {"include"} | {os.path.dirname(path) for path in counts if path.startswith("user/")}
    for directory in sorted(directories | set(bounds)):
        reached, lines = totals(counts, directory)
        verdict = ""
        if directory in bounds:
            short = share(reached, lines) < bounds[directory] or not lines
            verdict = "  %s %g %%" % ("BELOW" if short else "at least", bounds[directory])
            if short:
                failed.append(directory)
        print("%-42s %5d lines %6.1f %%%s" % (directory, lines, share(reached, lines), verdict))
    return failed


def bound(text):
    directory, _, percent = text.partition("=")
    return directory, float(percent)


def main():
    parser = argparse.ArgumentParser(description="Lines that a run of tests reached.")
    parser.add_argument("--bound", type=bound, action="append", default=[], metavar="DIR=PERCENT")
    parser.add_argument("build")
    args = parser.parse_args()
    counts = counts_of(args.build)
    if not counts:
        print("coverage.py: no counts in %s: build with --coverage and run something" % args.build, file=sys.stderr)
        return 1
    failed = report(counts, dict(args.bound))
    return 5 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
