# SPDX-License-Identifier: GPL-2.0-only
# TOGETHER: counts, of its own processes
# ALONE: Latency AttachInTheMiddle: compare times, and counts between two moments
"""test_postgresql.py - sonde's numbers against the server's own (pg_stat_statements) and pgbench's own log."""

import glob
import importlib.util
import subprocess
import sys
import tempfile
import time
import unittest

import clocks
import pg

SELECT = "select abalance from pgbench_accounts where aid = 1"

cluster = None


def setUpModule():
    global cluster
    cluster = pg.module_cluster()


class WholeRun(pg.TestCase):
    """sonde db -- pgbench ...: nothing may be missing, nothing too much."""

    def check(self, *args, tcp=False, capture=None, known=None):
        """@known: calls that the server's statistics do not have right, by statement."""
        cluster.reset_statements()
        report = pg.run_program(["pgbench", "-n", *args], *(["--capture", capture] if capture else []),
                                env=cluster.env(tcp))
        self.assertIn("failed transactions: 0 ", report.stdout)
        truth = cluster.statements()
        for statement, calls in (known or {}).items():
            sid = pg.fingerprint(statement)
            truth[sid] = truth[sid]._replace(count=calls)
        self.assert_truth(truth, report.by_id())
        self.assert_complete(report, seen=sum(t.count for t in truth.values()))
        server = "127.0.0.1:%d" % cluster.port if tcp else "%s/.s.PGSQL.%d" % (cluster.dir, cluster.port)
        for q in report.queries:
            self.assertEqual((q["server"], q["database"], q["user"], q["process"], q["db_system"]),
                             (server, pg.DATABASE, "postgres", "pgbench", "postgresql"))
            self.assertEqual(q["errors"], 0)
            self.assertLessEqual(q["first_byte_ns"]["max"], q["latency_ns"]["max"])
        return report

    def matrix(self, capture, modes, clients):
        for mode in modes:
            for tcp in (False, True):
                for nr, transactions in clients:
                    with self.subTest(mode=mode, tcp=tcp, clients=nr):
                        report = self.check("-S", "-M", mode, "-c", str(nr), "-j", "2", "-t", str(transactions),
                                            tcp=tcp, capture=capture)
                        self.assertEqual(report.one(SELECT)["count"], nr * transactions)

    @unittest.skipUnless(pg.have_tracepoints(), "needs the socket layer's tracepoints (Linux 6.3)")
    def test_select_tracepoint(self):
        self.matrix("tracepoint", ("simple", "extended", "prepared"), ((2, 5000), (50, 100)))

    def test_select_syscall(self):
        self.matrix("syscall", ("simple", "prepared"), ((2, 3000),))
        self.matrix("syscall", ("extended",), ((50, 60),))

    def test_tpcb(self):
        for capture in pg.captures():
            for mode, tcp, nr in (("simple", False, 2), ("extended", True, 2), ("prepared", False, 8)):
                with self.subTest(capture=capture, mode=mode, tcp=tcp, clients=nr):
                    # Of a prepared utility statement PostgreSQL up to 15 counts the first execution only.
                    known = {"BEGIN": 1600, "END": 1600} if mode == "prepared" else None
                    report = self.check("-M", mode, "-c", str(nr), "-j", "2", "-t", str(1600 // nr), tcp=tcp,
                                        capture=capture, known=known)
                    for text in ("BEGIN", "END", SELECT):
                        self.assertEqual(report.one(text)["count"], 1600)

    def test_pipelines(self):
        with tempfile.NamedTemporaryFile("w", suffix=".sql") as script:
            script.write("\\set a random(1, 100000)\n\\startpipeline\n" + "select bid from pgbench_accounts where aid = :a;\n" * 30 +
                         "update pgbench_accounts set filler = 'x' where aid = :a;\nselect tid from pgbench_tellers;\n" * 10 +
                         "\\endpipeline\n")
            script.flush()
            for capture in pg.captures():
                for mode in ("extended", "prepared"):
                    with self.subTest(capture=capture, mode=mode):
                        report = self.check("-f", script.name, "-M", mode, "-c", "4", "-j", "2", "-t", "40", capture=capture)
                        self.assertEqual(report.one("select tid from pgbench_tellers")["rows"], 160 * 10 * 10)

    def test_new_connection_for_every_transaction(self):
        report = self.check("-S", "-C", "-c", "2", "-t", "150", tcp=True)
        self.assertEqual(report.one(SELECT)["count"], 300)


class Latency(pg.TestCase):
    """Percentiles of the statement against pgbench's log of its transactions (-S: one statement each)."""

    def measure(self, mode, tcp, capture):
        """sonde's row, and all durations in nanoseconds as pgbench saw them; its log has microseconds."""
        with tempfile.TemporaryDirectory(prefix="log.") as tmp, clocks.undisturbed(cluster.proc.pid):
            report = pg.run_program(clocks.first(["pgbench", "-n", "-S", "-M", mode, "-c", "2", "-t", "8000", "-l",
                                                  "--log-prefix", tmp + "/log"]),
                                    "--capture", capture, env=cluster.env(tcp))
            us = []
            for name in glob.glob(tmp + "/log*"):
                with open(name) as log:
                    us += [int(line.split()[2]) for line in log]
        row = report.one(SELECT)
        self.assertEqual((row["count"], len(us)), (16000, 16000))
        return row, [1000 * (n + 1) for n in us]

    def check(self, mode, tcp, capture):
        agreement = clocks.Agreement(self)

        def attempt(_):
            row, ns = self.measure(mode, tcp, capture)
            self.assertLessEqual(row["latency_ns"]["sum"], sum(ns))
            agreement.percentiles(SELECT, row["latency_ns"], ns)

        agreement.until(attempt)

    def test_latency(self):
        for capture in pg.captures():
            for mode, tcp in (("simple", False), ("prepared", True)):
                with self.subTest(capture=capture, mode=mode, tcp=tcp):
                    self.check(mode, tcp, capture)


class Background:
    """A pgbench that runs until the block ends."""

    def __init__(self, *args, seconds=30, tcp=False):
        self.proc = subprocess.Popen(["pgbench", "-n", "-T", str(seconds), *args], env=cluster.env(tcp),
                                     stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        self.pid = self.proc.pid

    def __enter__(self):
        before = self.calls()
        while self.calls() <= before + 100:
            if self.proc.poll() is not None:
                raise AssertionError(self.proc.communicate()[0])
            time.sleep(0.05)
        return self

    def __exit__(self, *_):
        self.proc.kill()
        self.proc.communicate()

    @staticmethod
    def calls():
        return int(cluster.psql("select coalesce(sum(calls), 0) from pg_stat_statements s join pg_database d"
                                " on d.oid = s.dbid where datname = '%s'" % pg.DATABASE))


class AttachInTheMiddle(pg.TestCase):
    def attach(self, bench, *args, seconds=1.0):
        """Bounds for what sonde may report, and its report."""
        before = bench.calls()
        with pg.Sonde("-p", str(bench.pid), *args) as sonde:
            time.sleep(0.1)
            inside = bench.calls()
            time.sleep(seconds)
            inside = bench.calls() - inside
            report = sonde.stop()
        return inside, bench.calls() - before, report

    def check(self, mode, capture, tcp=False):
        with Background("-S", "-M", mode, "-c", "4", tcp=tcp) as bench:
            at_least, at_most, report = self.attach(bench, "--capture", capture)
        cov = report.coverage
        self.assertEqual(cov["seen"], cov["attributed"] + sum(cov["lost"].values()) + cov["outstanding"])
        self.assertLessEqual(cov["outstanding"], 4)
        self.assertEqual(cov["lost"], {}, report.brief())
        # Statements that were under way when it attached, one a connection at most.
        self.assertLessEqual(cov["doubt"].pop("reply_unmatched", 0), 4)
        self.assertEqual(cov["doubt"], {}, report.brief())
        count = sum(q["count"] for q in report.queries)
        self.assertGreater(at_least, 100)
        self.assertLessEqual(at_least, count)
        self.assertLessEqual(count, at_most)
        self.assertEqual(len(report.queries), 1, report.brief())
        self.assertNotIn("database", report.queries[0])
        return report.queries[0]

    def test_simple(self):
        for capture in pg.captures():
            with self.subTest(capture=capture):
                self.assertEqual(self.check("simple", capture)["id"], pg.fingerprint(SELECT))

    def test_extended(self):
        row = self.check("extended", pg.captures()[0], tcp=True)
        self.assertEqual(row["id"], pg.fingerprint(SELECT))

    def test_prepared_before(self):
        for capture in pg.captures():
            with self.subTest(capture=capture):
                row = self.check("prepared", capture)
                self.assertRegex(row["text"], r"^stmt P\d*_\d+$")
                self.assertIs(row["text_known"], False)
                self.assertEqual(row["rows"], row["count"])
                self.assertGreater(row["latency_ns"]["p50"], 1000)


DRIVER = """
import sys
import psycopg2
conn = psycopg2.connect("")
conn.autocommit = True
cur = conn.cursor()
cur.execute("select 0")
print("connected", flush=True)
sys.stdin.readline()
for i in range(257):
    cur.execute("select abalance from pgbench_accounts where aid = %s", (i + 1,))
    cur.fetchall()
conn.autocommit = False
for i in range(31):
    cur.execute("update pgbench_tellers set tbalance = tbalance + %s where tid in %s", (i, (1, 2, 3)))
    conn.commit()
for i in range(5):
    try:
        cur.execute("insert into pgbench_branches values (1, 0, %s)", ("it's",))
    except psycopg2.Error:
        conn.rollback()
print("done", flush=True)
sys.stdin.readline()
"""


class Driver(pg.TestCase):
    @unittest.skipUnless(importlib.util.find_spec("psycopg2"), "needs python3-psycopg2")
    def test_connection_opened_before(self):
        for capture in pg.captures():
            with self.subTest(capture=capture):
                self.check(capture)

    def check(self, capture):
        driver = subprocess.Popen([sys.executable, "-c", DRIVER], env=cluster.env(True), text=True,
                                  stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        try:
            self.assertEqual(driver.stdout.readline(), "connected\n")
            with pg.Sonde("-p", str(driver.pid), "--capture", capture) as sonde:
                driver.stdin.write("\n")
                driver.stdin.flush()
                self.assertEqual(driver.stdout.readline(), "done\n")
                report = sonde.stop()
        finally:
            driver.kill()
            driver.communicate()
        self.assert_complete(report, seen=257 + 31 * 3 + 5 * 3)
        row = report.one(SELECT)
        self.assertEqual((row["count"], row["rows"], row["errors"]), (257, 257, 0))
        row = report.one("update pgbench_tellers set tbalance = tbalance + 1 where tid in (1)")
        self.assertEqual((row["count"], row["rows"], row["errors"]), (31, 93, 0))
        row = report.one("insert into pgbench_branches values (1, 2, 'x')")
        self.assertEqual((row["count"], row["rows"], row["errors"], row["sqlstate"]), (5, 0, 5, "23505"))
        self.assertEqual(row["errors_by_class"], {"constraint": 5})
        self.assertEqual([report.one(s)["count"] for s in ("BEGIN", "COMMIT", "ROLLBACK")], [36, 31, 5])


if __name__ == "__main__":
    unittest.main()
