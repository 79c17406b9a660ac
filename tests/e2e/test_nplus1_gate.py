# SPDX-License-Identifier: GPL-2.0-only
# TOGETHER: counts, of its own processes
"""test_nplus1_gate.py - `--fail-on` gates a program: exit code 5 and which findings it was for; `--ignore` lets known ones pass;
`--no-findings` looks for none. On SQLite, so that no server is needed.
"""

import gzip
import json
import os
import sqlite3
import subprocess
import sys
import tempfile
import unittest

SONDE = os.environ.get("SONDE", "build/sonde")

# Each row of a list by itself, or all of them at once; ended by @ENV.
PROGRAM = """
import sqlite3, sys, time
time.sleep(1 if sys.argv[2] == "late" else 0)  # what it has loaded is known when it begins
db = sqlite3.connect(sys.argv[1])
for page in range(4):
    orders = db.execute("select id, customer_id from orders where page = ?", (page,)).fetchall()
    if sys.argv[2] != "good":
        for _, customer in orders:
            db.execute("select name from customers where id = ?", (customer,)).fetchall()
    else:
        db.execute("select c.name from orders o join customers c on c.id = o.customer_id where o.page = ?", (page,)).fetchall()
sys.exit(int(sys.argv[3]))
"""


class Gate(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        if os.geteuid() != 0:
            raise unittest.SkipTest("needs root")
        if not os.access(SONDE, os.X_OK):
            raise unittest.SkipTest("there is no %s: build it first" % SONDE)
        cls.directory = tempfile.TemporaryDirectory(prefix="gate.")
        cls.addClassCleanup(cls.directory.cleanup)
        cls.database = cls.path("shop.db")
        db = sqlite3.connect(cls.database)
        db.execute("create table orders (id integer primary key, page int, customer_id int)")
        db.execute("create table customers (id integer primary key, name text)")
        db.executemany("insert into orders(page, customer_id) values (?, ?)", [(i // 20, i) for i in range(80)])
        db.executemany("insert into customers(id, name) values (?, ?)", [(i, "name %d" % i) for i in range(80)])
        db.commit()
        db.close()

    @classmethod
    def path(cls, name):
        return os.path.join(cls.directory.name, name)

    def run_sonde(self, *arguments, command="nplus1", what="bad", ends=0):
        """Exit code, report and standard error."""
        done = subprocess.run([SONDE, command, "-o", "json", "--slow", "0", *arguments, "--", "/usr/bin/python3", "-c", PROGRAM,
                               self.database, what, str(ends)], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                              timeout=120)
        return done.returncode, json.loads(done.stdout) if done.stdout else None, done.stderr.decode()

    def test_gate(self):
        code, report, stderr = self.run_sonde("--fail-on", "n_plus_one")
        self.assertEqual(len(report["findings"]), 1, report["findings"])
        finding = report["findings"][0]
        self.assertEqual(finding["kind"], "n_plus_one")
        self.assertEqual(finding["query"], "select name from customers where id = ?")
        self.assertEqual(finding["parent"], "select id, customer_id from orders where page = ?")
        self.assertEqual(finding["calls"], 80)
        self.assertEqual(code, 5, stderr)
        self.assertIn("gate failed: 1 finding of --fail-on n_plus_one:", stderr)
        self.assertIn(finding["id"], stderr)
        # The report is the same without a gate, and for `sonde db`; the id is the same, too.
        for command, arguments in (("nplus1", ()), ("nplus1", ("--fail-on", "write_loop,slow_query")), ("db", ())):
            code, report, stderr = self.run_sonde(*arguments, command=command)
            self.assertEqual((code, [f["id"] for f in report["findings"]]), (0, [finding["id"]]), stderr)
        code, report, stderr = self.run_sonde("--fail-on", "n_plus_one", command="db")
        self.assertEqual(code, 5)
        # Known ones pass.
        known = self.path("known.txt")
        for line in (finding["id"], finding["query_id"], "select name from customers*"):
            with open(known, "w", encoding="ascii") as f:
                f.write("# known\n%s\n" % line)
            code, report, stderr = self.run_sonde("--fail-on", "n_plus_one", "--ignore", known)
            self.assertEqual((code, report["findings"]), (0, []), line)

    def test_clean(self):
        code, report, stderr = self.run_sonde("--fail-on", "n_plus_one,redundant_query,write_loop", what="good")
        self.assertEqual((code, report["findings"]), (0, []), stderr)
        self.assertEqual(report["coverage"]["attributed"] >= 8, True)

    def test_stacks(self):
        """Where the repeats come from, as stacks: they weigh what the finding says."""
        folded, svg, pprof = (self.path(name) for name in ("w.folded", "w.svg", "w.pb.gz"))
        code, report, stderr = self.run_sonde("--folded", folded, "--flame", svg, "--pprof", pprof, what="late")
        self.assertEqual(code, 0, stderr)
        finding, = report["findings"]
        with open(folded, encoding="utf-8") as file:
            line, = file.read().splitlines()
        stack, weight = line.rsplit(" ", 1)
        frames = stack.split(";")
        self.assertEqual(int(weight), finding["waste_ns"])
        self.assertEqual((frames[0], frames[-1]), ("python3", "N+1: " + finding["query"]))
        self.assertIn("sqlite3_step", frames)
        self.assertTrue(any(frame.startswith("_PyEval_EvalFrameDefault") for frame in frames), frames)
        with open(svg, encoding="utf-8") as file:
            self.assertIn("N+1: " + finding["query"], file.read())
        with gzip.open(pprof) as file:
            message = file.read()
        for text in ("repeats", "waste", "N+1: " + finding["query"]):
            self.assertIn(text.encode(), message)
        # A gate that fails does not keep them from being written, a file that cannot be written is told.
        os.unlink(folded)
        self.assertEqual(self.run_sonde("--fail-on", "n_plus_one", "--folded", folded)[0], 5)
        self.assertTrue(os.path.getsize(folded))
        code, report, stderr = self.run_sonde("--folded", self.path("none/w.folded"))
        self.assertEqual((code, len(report["findings"])), (1, 1))
        self.assertIn("cannot write", stderr)

    def test_min_repeat(self):
        code, report, _ = self.run_sonde("--min-repeat", "81", "--fail-on", "n_plus_one")
        self.assertEqual((code, report["findings"]), (0, []))

    def test_no_findings(self):
        code, report, _ = self.run_sonde("--no-findings", command="db")
        self.assertEqual(code, 0)
        self.assertNotIn("findings", report)
        self.assertTrue(report["queries"])

    def test_program_fails(self):
        """Its exit code is told, the gate's is that of sonde."""
        code, _, stderr = self.run_sonde("--fail-on", "n_plus_one", ends=3)
        self.assertEqual(code, 5)
        self.assertIn("ended with exit code 3", stderr)
        code, _, stderr = self.run_sonde("--fail-on", "n_plus_one", what="good", ends=3)
        self.assertEqual(code, 0)
        self.assertIn("ended with exit code 3", stderr)

    def test_bad_options(self):
        bad = self.path("bad.txt")
        with open(bad, "w", encoding="ascii") as f:
            f.write("select a\n0123456789abcde\n")
        for arguments, says in ((("--fail-on", "n_plus"), "did you mean 'n_plus_one'?"), (("--ignore", bad), "bad.txt, line 2:"),
                                (("--min-repeat", "1"), "--min-repeat")):
            code, report, stderr = self.run_sonde(*arguments)
            self.assertEqual((code, report), (2, None))
            self.assertIn(says, stderr)


if __name__ == "__main__":
    unittest.main(argv=sys.argv)
