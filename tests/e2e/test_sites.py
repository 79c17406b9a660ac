# SPDX-License-Identifier: GPL-2.0-only
# TOGETHER: call sites, of its own processes
"""test_sites.py - call sites of findings in programs and drivers without frame pointers."""

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import unittest

import pg
import sonderun


def setUpModule():
    if os.uname().machine != "x86_64":
        raise unittest.SkipTest("tables are for x86-64")
    global cluster
    cluster = pg.module_cluster()
    cluster.psql("create table site(id int); insert into site select generate_series(1, 20)", pg.DATABASE)
    cluster.serve_tls()


def sites(report, **texts):
    """{kind of finding: its call site}, each frame as "FUNCTION LINE", of the statement with the text that is given for the kind. On a
    slow machine others are slow, too."""
    return {f["kind"]: [re.sub(r" .*:", " ", frame) for frame in f["site"]] for f in report["findings"]
            if texts.get(f["kind"], "\0") in f["query"]}


class PostgreSQL(unittest.TestCase):
    """Through Debian's libpq and libc, up to main()."""

    def check(self, capture, sslmode):
        conninfo = "host=127.0.0.1 port=%s user=postgres dbname=%s sslmode=%s" % (cluster.port, pg.DATABASE, sslmode)
        with pg.Sonde("--capture", capture, "--", sonderun.program("pg_sites"), conninfo, "30", command="nplus1",
                      wait=False) as sonde:
            report = sonde.finish()
        found = sites(report.json, n_plus_one="id = ?", slow_query="pg_sleep", large_result="generate_series")
        found = {kind: [frame.split()[0] for frame in site] for kind, site in found.items()}
        self.assertEqual(found, {
            "n_plus_one": ["site_query", "site_load_item", "site_list_items", "main"],
            "slow_query": ["site_query", "site_report", "main"],
            "large_result": ["site_query", "site_export", "main"],
        }, report.brief())

    def test_clear(self):
        for capture in pg.captures():
            with self.subTest(capture):
                self.check(capture, "disable")

    def test_tls(self):
        self.check(pg.captures()[0], "require")

    @unittest.skipUnless(shutil.which("go") and os.path.isdir("/usr/share/gocode/src/github.com/lib/pq"), "no Go or no lib/pq")
    def test_go_tls(self):
        """What is sent by one goroutine is not taken to come from where another one sends, on the same thread."""
        conninfo = "host=127.0.0.1 port=%s user=postgres dbname=%s sslmode=require" % (cluster.port, pg.DATABASE)
        with tempfile.TemporaryDirectory(prefix="sites-", dir=pg.O) as where:
            program = os.path.join(where, "sites_tls")
            source = os.path.join(os.path.dirname(os.path.abspath(__file__)), "programs", "sites_tls.go")
            cache = os.path.join(os.environ.get("XDG_CACHE_HOME", "/tmp"), "sonde-go-cache")
            subprocess.run(["go", "build", "-o", program, source], check=True, stdout=subprocess.DEVNULL,
                           env=dict(os.environ, GO111MODULE="off", GOPATH="/usr/share/gocode", GOFLAGS="-p=1", HOME=where, GOCACHE=cache))
            with pg.Sonde("--", program, conninfo, command="nplus1", wait=False,
                          env=dict(os.environ, GOMAXPROCS="1")) as sonde:
                report = sonde.finish()
        found = {f["query"]: [frame.split()[0] for frame in f["site"] if "main." in frame]
                 for f in report.json["findings"] if f["kind"] == "n_plus_one"}
        self.assertEqual({text: site[:1] for text, site in found.items()},
                         {"select id from site where id = ?": ["main.first"], "select count(*) from site where id = ?": ["main.second"]},
                         report.brief())


class SQLite(sonderun.TestCase):
    """Through Debian's libsqlite3, to the lines that the program says, however the probes are attached."""

    def check(self, way, *mode):
        report = os.path.join(self.dir, "report")
        run = sonderun.Run("nplus1", "--slow", "30ms", "--output", report, out="json", env={"SONDE_UPROBES": way},
                           argv=[sonderun.program("sqlite_sites"), "10", *mode])
        self.assertEqual(run.code, 0, run.err)
        with open(report) as file:
            found = sites(json.load(file), n_plus_one="id = ?", slow_query="max(i)", large_result=") select i from n")
        self.assertEqual(found, run.doc)

    def test_lines(self):
        for way in ("session", "multi", "perf"):
            for mode in ((), ("exec",)):
                with self.subTest(way=way, mode=mode):
                    self.check(way, *mode)


if __name__ == "__main__":
    unittest.main(verbosity=2 if "-v" in sys.argv else 1)
