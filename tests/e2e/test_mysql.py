# SPDX-License-Identifier: GPL-2.0-only
# TOGETHER: counts, of its own processes
# ALONE: Latency AttachInTheMiddle: compare times, and counts between two moments
"""test_mysql.py - sonde's numbers against a MariaDB server's own log and counters, and against the clients' own clocks."""

import importlib.util
import re
import shutil
import subprocess
import sys
import time
import unittest

import clocks
import mariadb
import pg

SELECT = "SELECT c FROM sbtest1 WHERE id = 1"
SYSBENCH = shutil.which("sysbench")

server = None


def setUpModule():
    global server
    server = mariadb.module_server()
    if SYSBENCH:
        server.prepare_sysbench()
    server.sql("create table pair (id int primary key, b int)")


def with_captures(test):
    """Runs a test with every way of capture."""
    def run(self):
        for capture in pg.captures():
            with self.subTest(capture=capture):
                test(self, capture)
    return run


@unittest.skipUnless(SYSBENCH, "needs sysbench")
class Sysbench(mariadb.TestCase):
    """sonde db -- sysbench ...: nothing may be missing, nothing too much."""

    def check(self, capture, *args, tcp=False):
        server.start_log()
        sent = self.rows_sent()
        report = pg.run_program(server.sysbench("--table-size=1000", "--time=0", *args, "run", tcp=tcp), "--capture", capture)
        self.assert_logged(report, server.logged())
        self.assert_complete(report)
        where = "127.0.0.1:%d" % server.port if tcp else server.socket
        for q in report.queries:
            self.assertEqual((q["server"], q["database"], q["user"], q["process"], q["db_system"], q["errors"]),
                             (where, mariadb.DATABASE, mariadb.USER, "sysbench", "mariadb", 0))
            self.assertLessEqual(q["first_byte_ns"]["max"], q["latency_ns"]["max"])
        rows = sum(q["rows"] for q in report.queries if q["text"].startswith("select"))
        self.assertEqual(rows, self.rows_sent() - sent)
        return report

    @staticmethod
    def rows_sent():
        """Rows that sessions of the user were sent, by the server's statistics."""
        out = server.sql("select rows_sent from information_schema.user_statistics where user = '%s'" % mariadb.USER, None)
        return int(out or 0)

    def test_point_select(self):
        first, last = pg.captures()[0], pg.captures()[-1]
        for capture, mode, tcp, threads in ((first, "disable", False, 2), (first, "disable", True, 16), (first, "auto", False, 16),
                                            (last, "disable", True, 2), (last, "auto", True, 2)):
            with self.subTest(capture=capture, mode=mode, tcp=tcp):
                report = self.check(capture, "--db-ps-mode=" + mode, "--threads=%d" % threads, "--events=4000",
                                    "oltp_point_select", tcp=tcp)
                row = self.row(report, SELECT)
                self.assertEqual((row["count"], row["rows"]), (4000, 4000))

    def test_read_write(self):
        for capture, mode in zip(pg.captures(), ("auto", "disable")):
            with self.subTest(capture=capture, mode=mode):
                report = self.check(capture, "--db-ps-mode=" + mode, "--threads=1", "--events=60", "--skip-trx=off",
                                    "oltp_read_write")
                self.assertEqual(self.row(report, SELECT)["count"], 600)


@unittest.skipUnless(SYSBENCH, "needs sysbench")
class Latency(mariadb.TestCase):
    """Percentiles against sysbench's own histogram of its events (one statement each)."""

    THEIRS = 0.013 * 2  # of sysbench's own buckets: 1024 from 1 us to 100 s, logarithmic

    def measure(self, mode, tcp, capture):
        with clocks.undisturbed(server.proc.pid):
            report = pg.run_program(clocks.first(server.sysbench(
                "--table-size=1000", "--time=0", "--threads=2", "--events=10000", "--histogram=on", "--db-ps-mode=" + mode,
                "oltp_point_select", "run", tcp=tcp)), "--capture", capture)
        buckets = [(float(ms) * 1000, int(n)) for ms, n in
                   re.findall(r"^\s+([\d.]+) \|\**\s+(\d+)$", report.stdout, re.M)]
        row = self.row(report, SELECT)
        self.assertEqual((row["count"], sum(n for _, n in buckets)), (10000, 10000))
        return row, buckets

    @staticmethod
    def percentile(buckets, share):
        left = share * sum(n for _, n in buckets)
        for us, n in buckets:
            left -= n
            if left <= 0:
                return us
        return buckets[-1][0]

    def check(self, mode, tcp, capture):
        width = clocks.BUCKET + self.THEIRS
        agreement = clocks.Agreement(self)

        def attempt(_):
            row, buckets = self.measure(mode, tcp, capture)
            for name, share in clocks.PERCENTILES:
                theirs, ours = 1000 * self.percentile(buckets, share), row["latency_ns"][name]
                agreement.below(name, ours, theirs, width)
                agreement.near(name, ours, theirs, clocks.own_work(theirs, width))

        agreement.until(attempt)

    @with_captures
    def test_latency(self, capture):
        self.check("disable", False, capture)
        self.check("auto", True, capture)


@unittest.skipUnless(SYSBENCH, "needs sysbench")
class AttachInTheMiddle(mariadb.TestCase):
    """sysbench runs already: what is counted lies between the server's own counts taken around it."""

    @staticmethod
    def calls():
        return int(server.sql("show global status like 'Com_select'", None).split()[1]) + \
            int(server.sql("show global status like 'Com_stmt_execute'", None).split()[1])

    def check(self, mode, capture, role="client", tcp=False):
        proc = subprocess.Popen(server.sysbench("--table-size=1000", "--time=60", "--events=0", "--threads=4",
                                                "--db-ps-mode=" + mode, "oltp_point_select", "run", tcp=tcp),
                                stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
        try:
            before = self.calls()
            while self.calls() < before + 200:
                time.sleep(0.05)
            before = self.calls()
            pid = proc.pid if role == "client" else server.proc.pid
            with pg.Sonde("-p", str(pid), "--capture", capture, "--role", role) as sonde:
                time.sleep(0.2)
                inside = self.calls()
                time.sleep(0.8)
                inside = self.calls() - inside
                report = sonde.stop()
            outside = self.calls() - before
        finally:
            proc.kill()
            proc.wait()
        cov = report.coverage
        report.queries = [q for q in report.queries if not q["text"].startswith("show global status")]
        self.assertEqual(cov["lost"], {}, report.brief())
        self.assertLessEqual(cov["outstanding"], 5)
        self.assertLessEqual(cov["doubt"].pop("reply_unmatched", 0), 5)
        self.assertEqual(cov["doubt"], {}, report.brief())
        # A prepared execution counts as a select, too.
        share = 2 if mode == "auto" else 1
        count = sum(q["count"] for q in report.queries)
        self.assertGreater(inside, 100)
        self.assertLessEqual(inside // share - 10, count, report.brief())
        self.assertLessEqual(count, outside // share + 10, report.brief())
        self.assertEqual(sum(q["rows"] for q in report.queries), count)
        return report

    @with_captures
    def test_text(self, capture):
        row, = self.check("disable", capture).queries
        self.assertEqual(row["id"], mariadb.fingerprint(SELECT))

    @with_captures
    def test_prepared_before(self, capture):
        for row in self.check("auto", capture, tcp=True).queries:  # ids are the connection's own
            self.assertRegex(row["text"], r"^stmt \d+$")
            self.assertIs(row["text_known"], False)
            self.assertGreater(row["latency_ns"]["p50"], 1000)

    def test_server(self):
        row, = self.check("disable", pg.captures()[0], role="server").queries
        self.assertEqual(row["id"], mariadb.fingerprint(SELECT))


class Client(mariadb.TestCase):
    """The server's own client."""

    @with_captures
    def test_script(self, capture):
        server.start_log()
        script = ("select 1;\ndelimiter //\nselect 'a'; select 'b;'//\ndelimiter ;\n"
                  "insert into pair values (1, 1), (2, 2);\nselect * from pair;\ndelete from pair;\n"
                  "select * from no_such_table;\nselect 2 from dual;\n")
        report = pg.run_program(["sh", "-c", 'exec "$@" <<"END"\n%sEND\n' % script, "-",
                                 *server.client(database=mariadb.DATABASE), "--force"], "--capture", capture, check=False)
        self.assert_complete(report)
        logged = [(c, command, text) for c, command, text in server.logged() if text]
        self.assert_logged(report, logged)
        row = self.row(report, "select * from pair")
        self.assertEqual((row["count"], row["rows"]), (1, 2))
        row = self.row(report, "select * from no_such_table")
        self.assertEqual((row["errors"], row["sqlstate"]), (1, "42S02"))


    def test_compressed(self):
        """What cannot be read is said and never misread."""
        report = pg.run_program([*server.client(database=mariadb.DATABASE), "--compress", "-e", "select abs(1); select sign(2)"])
        self.assertEqual((report.queries, report.coverage["seen"]), ([], 0), report.brief())
        self.assertEqual(report.coverage["doubt"], {"unreadable_compressed": 1})


DRIVER = """
import sys
import pymysql
conn = pymysql.connect(host="127.0.0.1", port=int(sys.argv[1]), user=%r, password=%r, database=%r, autocommit=True)
cur = conn.cursor()
print("connected", flush=True)
sys.stdin.readline()
for i in range(157):
    cur.execute("select id, b from pair where id = %%s", (i %% 5,))
    cur.fetchall()
for i in range(31):
    cur.execute("insert into pair values (%%s, %%s), (%%s, %%s)", (100 + i, i, 200 + i, i))
for i in range(5):
    try:
        cur.execute("insert into pair values (%%s, 1)", (100 + i,))
    except pymysql.Error:
        pass
cur.execute("delete from pair")
print("done", flush=True)
sys.stdin.readline()
""" % (mariadb.USER, mariadb.PASSWORD, mariadb.DATABASE)


class Driver(mariadb.TestCase):
    @unittest.skipUnless(importlib.util.find_spec("pymysql"), "needs python3-pymysql")
    def test_connection_opened_before(self):
        for capture in pg.captures():
            with self.subTest(capture=capture):
                self.check(capture)

    def check(self, capture):
        driver = subprocess.Popen([sys.executable, "-c", DRIVER, str(server.port)], text=True, stdin=subprocess.PIPE,
                                  stdout=subprocess.PIPE)
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
        self.assert_complete(report, seen=157 + 31 + 5 + 1)
        self.assertEqual(self.row(report, "select id, b from pair where id = 1")["count"], 157)
        row = self.row(report, "insert into pair values (1, 1), (2, 2)")
        self.assertEqual((row["count"], row["rows"], row["errors"], row["sqlstate"]), (36, 62, 5, "23000"))
        self.assertEqual(row["errors_by_class"], {"constraint": 5})
        self.assertEqual(self.row(report, "delete from pair")["rows"], 62)


if __name__ == "__main__":
    unittest.main()
