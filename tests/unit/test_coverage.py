# SPDX-License-Identifier: GPL-2.0-only
"""test_coverage.py - coverage.py adds up what gcov counted, and fails below its bounds."""

import contextlib
import io
import os
import sys
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import coverage  # noqa: E402

COUNTS = {"include/sonde/a.h": {1: 5, 2: 0, 3: 0, 7: 0, 8: 1}, "include/sonde/proto/b.h": {1: 1},
          "user/model/c.c": {line: line != 20 for line in range(1, 21)}, "user/modelling/d.c": {1: 0}}


class Coverage(unittest.TestCase):
    def report(self, bounds):
        with contextlib.redirect_stdout(io.StringIO()) as out:
            failed = coverage.report(COUNTS, bounds)
        return failed, out.getvalue()

    def test_totals(self):
        self.assertEqual(coverage.totals(COUNTS, "include"), (3, 6))
        self.assertEqual(coverage.totals(COUNTS, "user/model"), (19, 20))
        self.assertEqual(coverage.totals(COUNTS, "user/model/c.c"), (19, 20))

    def test_bounds(self):
        self.assertEqual(self.report({"user/model": 95, "include": 50})[0], [])
        failed, output = self.report({"user/model": 95.1, "include": 50})
        self.assertEqual(failed, ["user/model"])
        self.assertRegex(output, r"user/model +20 lines +95\.0 %  BELOW 95\.1 %")

    def test_a_directory_that_is_gone_fails(self):
        self.assertEqual(self.report({"user/models": 1})[0], ["user/models"])

    def test_missed_lines_are_named(self):
        self.assertRegex(self.report({"include": 1})[1], r"include/sonde/a\.h .*not: 2-3 7\n")


if __name__ == "__main__":
    unittest.main()
