# SPDX-License-Identifier: GPL-2.0-only
# TOGETHER: counts, of its own processes
# TIMEOUT: 600
"""test_nplus1_apps.py - the shops of nplus1/ do what truth.py says of them: the databases' own counts of each statement, and that
twins answer alike. No sonde takes part: it is what test_nplus1.py measures sonde with."""

import collections
import os
import signal
import sys
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "nplus1"))

import apps  # noqa: E402
import truth  # noqa: E402
from databases import Databases  # noqa: E402


def setUpModule():
    global databases
    if os.geteuid() != 0:
        raise unittest.SkipTest("needs root")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that servers are stopped, too
    databases = Databases()
    unittest.addModuleCleanup(databases.stop)


class Apps(unittest.TestCase):
    maxDiff = None

    def check_calls(self, program, want, before=()):
        """Each marked statement as often as it must be, and none without a mark but drivers' own."""
        counted = program.counted()
        counted.subtract(before)
        found, unknown = collections.Counter(), []
        for text, calls in counted.items():
            if not calls:
                continue
            marks = truth.markers(text)
            for mark in marks:
                found[mark] += calls
            if not marks and not truth.NOISE.match(text):
                unknown.append((text, calls))
            self.assertLessEqual(len({truth.slug_of(mark) for mark in marks}), 1, "one endpoint in %r" % text)
        found = {mark: calls for mark, calls in found.items() if not mark.endswith("__joined")}  # a second table of a join
        wrong = ["%s: server %s, truth %s" % (mark, found.get(mark), want[mark]) for mark in sorted(set(found) | set(want))
                 if found.get(mark) != want[mark]]
        self.assertEqual(wrong, [])
        self.assertEqual(unknown, [])

    def check_server(self, kind):
        program = kind(databases)
        program.start_count()
        program.start()
        self.addCleanup(program.stop)
        before = program.counted()
        paths = program.work()
        bodies = dict(program.drive(paths))
        self.check_calls(program, truth.calls_of(program.table), before)
        self.assertEqual(set(bodies), set(paths))
        self.check_twins(program, bodies)
        self.assertEqual(bodies["/ok/page/0"], b"20 of %d\n" % (truth.PAGES * truth.PAGE_ORDERS))
        self.assertIn(bodies.get("/bad/large"), (b"50000\n", None))

    def check_twins(self, program, bodies):
        pairs = 0
        for twins in truth.TWINS:
            there = [program.table[slug] for slug in twins if slug in program.table]
            for e in there[1:]:
                pairs += 1
                for i in range(truth.PAGES):
                    self.assertEqual(bodies[e.instance(i)], bodies[there[0].instance(i)], e.instance(i))
                    self.assertGreater(len(bodies[e.instance(i)]), 2)
        self.assertGreater(pairs, 3)

    def check_job(self, kind):
        program = kind(databases)
        self.addCleanup(program.stop)
        program.start_count()
        program.run()
        self.check_calls(program, truth.calls_of(program.table, program.rounds))


def add_tests():
    for kind in apps.SERVERS + apps.JOBS:
        check = Apps.check_server if kind in apps.SERVERS else Apps.check_job

        def test(self, kind=kind, check=check):
            check(self, kind)

        test.__name__ = "test_" + kind.name
        setattr(Apps, test.__name__, test)


add_tests()

if __name__ == "__main__":
    unittest.main()
