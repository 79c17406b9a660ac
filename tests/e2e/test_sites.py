# SPDX-License-Identifier: GPL-2.0-only
"""test_sites.py - call sites of findings in programs and drivers without frame pointers."""

import os
import sys
import unittest

import pg

PROGRAM = os.path.join(pg.O, "tests/e2e/programs/pg_sites")


def setUpModule():
    global cluster
    cluster = pg.module_cluster()


class Sites(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        if os.uname().machine != "x86_64":
            raise unittest.SkipTest("tables are for x86-64")
        if not os.access(PROGRAM, os.X_OK):
            raise unittest.SkipTest("needs make test-programs")
        cluster.psql("create table site(id int); insert into site select generate_series(1, 20)", pg.DATABASE)

    def find(self, capture):
        conninfo = "host=%s port=%s user=postgres dbname=%s" % (cluster.host(False), cluster.port, pg.DATABASE)
        with pg.Sonde("--capture", capture, "--", PROGRAM, conninfo, "30", command="nplus1", wait=False) as sonde:
            report = sonde.finish()
        found = [f for f in report.json["findings"] if f["kind"] == "n_plus_one"]
        self.assertEqual(len(found), 1, report.brief())
        return found[0]

    def test_whole(self):
        """Through Debian's libpq and libc, up to main()."""
        for capture in pg.captures():
            if capture not in ("tracepoint", "syscall"):
                continue
            with self.subTest(capture):
                site = [frame.split()[0] for frame in self.find(capture)["site"]]
                self.assertEqual(site, ["site_query", "site_load_item", "site_list_items", "main"])


if __name__ == "__main__":
    unittest.main(verbosity=2 if "-v" in sys.argv else 1)
