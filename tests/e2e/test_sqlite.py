#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
# TOGETHER: counts, of its own processes
# ALONE: test_shared_library test_static_library test_older_ways_to_attach test_text_from_prepare test_first_row_before_last: compare times
# ALONE: test_probes_are_gone_afterwards: sees the probes of others
#
# test_sqlite.py - what `sonde db` reports of SQLite against what the traced programs counted themselves.
#
# TIMEOUT: 900
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import unittest

import clocks
import pg
from test_tls import alone

SONDE = os.environ.get("SONDE", "build/sonde")
PROGRAMS = os.path.join(os.environ.get("O", os.path.dirname(SONDE)), "tests/e2e/programs")
MODES = ("basic", "slow", "threads", "errors", "exec", "nested", "texts")

# Keeps its statements prepared (the module's cache), and works when it is told to.
PYTHON_CLIENT = r"""
import sqlite3, sys
db = sqlite3.connect(sys.argv[1], isolation_level=None)
db.execute("create table t (id integer primary key, a text)")
db.executemany("insert into t values (?, ?)", ((i, "row %d" % i) for i in range(100)))
def work(n):
    for i in range(n):
        db.execute("SELECT a FROM t WHERE id = ?", (i % 100,)).fetchall()
    db.execute("select count(*) from t").fetchone()
work(50)
for line in sys.stdin:
    work(int(line))
    print("done", flush=True)
"""


def summed(report, **match):
    """Rows of a report by text: {text: [count, errors, rows, sum of ns]}."""
    rows = {}
    for query in report["queries"]:
        if any(query.get(key) != value for key, value in match.items()):
            continue
        row = rows.setdefault(query.get("text"), [0, 0, 0, 0])
        row[0] += query["count"]
        row[1] += query["errors"]
        row[2] += query["rows"]
        row[3] += query["latency_ns"]["sum"]
    return rows


def library_of(pid):
    """First executable mapping of a SQLite library or of the program itself: (start, size, file offset, path)."""
    found = None
    with open("/proc/%d/maps" % pid) as maps:
        for line in maps:
            part = line.split()
            if len(part) < 6 or "x" not in part[1] or not part[5].startswith("/"):
                continue
            start, end = (int(address, 16) for address in part[0].split("-"))
            here = (start, end - start, int(part[2], 16), part[5])
            if "libsqlite3" in part[5]:
                return here
            found = found or here
    return found


def text_differs(pid):
    """Whether a mapped library's code is not that of the file: somebody has put breakpoints into it."""
    start, size, offset, path = library_of(pid)
    with open(path, "rb") as disk, open("/proc/%d/mem" % pid, "rb", buffering=0) as memory:
        disk.seek(offset)
        memory.seek(start)
        want = disk.read(size)
        got = memory.read(len(want))
    return got != want[:len(got)]


def probed_by_us(pid, *ours):
    """Whether there are breakpoints in the process that no other sonde on the machine can have put there."""
    for _ in range(20):  # those of one that has just ended may still be there
        if not text_differs(pid) or not alone(*ours):
            return False
        time.sleep(0.1)
    return True


@unittest.skipUnless(os.geteuid() == 0, "needs root")
class Sqlite(unittest.TestCase):
    def setUp(self):
        self.dir = tempfile.mkdtemp(prefix="sonde-sqlite-")
        self.addCleanup(shutil.rmtree, self.dir, True)
        self.out = os.path.join(self.dir, "report.json")

    def report(self):
        with open(self.out) as f:
            return json.load(f)

    def program(self, name):
        path = os.path.join(PROGRAMS, name)
        if not os.path.exists(path):
            self.skipTest("%s was not built" % name)
        return path

    def trace_program(self, command, env=None):
        """Run a program under sonde; returns its output and the report."""
        done = subprocess.run([SONDE, "db", "-o", "json", "--output", self.out, "--"] + command, stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=120,
                              env=dict(os.environ, **(env or {})))
        self.assertEqual(done.returncode, 0, done.stderr.decode())
        return done.stdout.decode(), self.report()

    def trace_pid(self, pid):
        """Start sonde on a process and wait until its probes are in."""
        end = time.monotonic() + 30
        while not library_of(pid):  # has not got through exec() yet
            time.sleep(0.01)
        self.assertFalse(probed_by_us(pid))
        tracer = subprocess.Popen([SONDE, "db", "-o", "json", "--output", self.out, "-p", str(pid)],
                                  stderr=subprocess.PIPE)
        self.addCleanup(tracer.stderr.close)
        self.addCleanup(tracer.wait)
        self.addCleanup(tracer.kill)
        while not text_differs(pid):
            self.assertIsNone(tracer.poll(), "sonde ended early")
            self.assertLess(time.monotonic(), end, "no probes in the process")
            time.sleep(0.05)
        while not pg.is_attached(tracer.pid):  # breakpoints come one by one
            self.assertLess(time.monotonic(), end, "sonde does not attach")
            time.sleep(0.01)
        return tracer

    def finish(self, tracer):
        tracer.send_signal(signal.SIGINT)
        self.assertEqual(tracer.wait(30), 0, tracer.stderr.read().decode())
        return self.report()

    def compare(self, truth, report):
        """Counts must be exact; times are never longer than the program's own, whose clock calls are around the probes.
        Returns what of the long steps, where the probes do not matter, is much shorter."""
        apart = []
        rows = summed(report, db_system="sqlite")
        for want in truth["statements"]:
            got = rows.pop(want["text"], None)
            self.assertIsNotNone(got, "missing: %s; there is %s" % (want["text"], list(rows)))
            self.assertEqual(got[:3], [want["count"], want["errors"], want["rows"]], want["text"])
            if want["steps"]:
                self.assertLessEqual(got[3], want["ns"], want["text"])
            if want["steps"] and want["ns"] / want["steps"] > 1e6 and got[3] < 0.9 * want["ns"]:
                apart.append("%s: sonde %d us, program %d us" % (want["text"], got[3] / 1000, want["ns"] / 1000))
        self.assertEqual(rows, {}, "rows for statements that were not executed")
        total = sum(want["count"] for want in truth["statements"])
        coverage = report["coverage"]
        self.assertEqual((coverage["seen"], coverage["timed"], coverage["attributed"]), (total, total, total))
        self.assertEqual(coverage["lost"], {})
        return apart

    def check_mode(self, program, mode, env=None):
        command = [self.program(program), mode]
        # The program may have to wait for a processor with its clock running: measured again then. A static library is found
        # in the program that sonde starts, in what that executes only after a moment: it goes without priority.
        if mode == "slow" and not program.endswith("_static"):
            command = clocks.first(command)
        for _ in range(clocks.ATTEMPTS if mode == "slow" else 1):
            out, report = self.trace_program([*command, tempfile.mkdtemp(dir=self.dir)], env)
            truth = json.loads(out)
            apart = self.compare(truth, report)
            if mode != "slow":
                return report
            self.assertTrue(any(want["ns"] / max(want["steps"], 1) > 1e6 for want in truth["statements"]), truth)
            if not apart:
                return report
        self.fail("; ".join(apart))

    def test_shared_library(self):
        for mode in MODES:
            with self.subTest(mode):
                self.check_mode("sqlite_truth", mode)

    def test_static_library(self):
        for mode in MODES:
            with self.subTest(mode):
                self.check_mode("sqlite_truth_static", mode)

    def test_older_ways_to_attach(self):
        for way in ("multi", "perf"):
            for mode in ("basic", "nested", "errors", "exec"):
                with self.subTest(way=way, mode=mode):
                    self.check_mode("sqlite_truth", mode, {"SONDE_UPROBES": way})

    def test_text_from_prepare(self):
        """Without sqlite3_sql() the text comes from sqlite3_prepare_v2(). SQLite's own statements cannot be told then."""
        if not shutil.which("objcopy"):
            self.skipTest("no objcopy")
        program = os.path.join(self.dir, "program")
        subprocess.run(["objcopy", "-N", "sqlite3_sql", "-N", "sqlite3_db_handle",
                        self.program("sqlite_truth_static"), program], check=True)
        for mode in ("basic", "slow", "nested", "errors", "exec"):
            with self.subTest(mode):
                out, report = self.trace_program([program, mode, tempfile.mkdtemp(dir=self.dir)])
                rows = summed(report)
                for want in json.loads(out)["statements"]:
                    self.assertEqual(rows.pop(want["text"])[:3], [want["count"], want["errors"], want["rows"]])
                self.assertTrue(all("sqlite_master" in text for text in rows), rows)
                self.assertEqual(report["coverage"]["lost"], {})

    def attach_to(self, program, mode):
        with subprocess.Popen([self.program(program), mode, self.dir, "wait"], stdin=subprocess.PIPE,
                              stdout=subprocess.PIPE) as process:
            tracer = self.trace_pid(process.pid)
            out, _ = process.communicate(b"\n", 60)
        tracer.wait(30)
        self.compare(json.loads(out), self.report())

    def test_process_attached_to(self):
        self.attach_to("sqlite_truth_static", "basic")
        self.attach_to("sqlite_truth", "threads")

    def test_file_and_errors(self):
        report = self.check_mode("sqlite_truth", "errors")
        files = {query["server"] for query in report["queries"]}
        self.assertEqual({os.path.basename(file) for file in files}, {"errors.db"})
        self.assertTrue(all(file.startswith(self.dir) for file in files))
        self.assertEqual({query["process"] for query in report["queries"]}, {"sqlite_truth"})

    def test_file_names(self):
        report = self.check_mode("sqlite_truth", "basic")
        self.assertEqual({query["server"] for query in report["queries"]}, {":memory:"})

    def test_first_row_before_last(self):
        """A statement of a hundred thousand rows has its first one long before its last."""
        report = self.check_mode("sqlite_truth", "slow")
        for query in report["queries"]:
            self.assertLessEqual(query["first_byte_ns"]["sum"], query["latency_ns"]["sum"])
            if query["rows"] == 100000:
                self.assertLess(query["first_byte_ns"]["sum"], query["latency_ns"]["sum"] / 20)

    def python_client(self, name):
        client = subprocess.Popen(["/usr/bin/python3", "-c", PYTHON_CLIENT, name], stdin=subprocess.PIPE,
                                  stdout=subprocess.PIPE, text=True)
        self.addCleanup(client.stdout.close)
        self.addCleanup(client.stdin.close)
        self.addCleanup(client.wait)
        self.addCleanup(client.kill)
        client.stdin.write("1\n")
        client.stdin.flush()
        self.assertEqual(client.stdout.readline(), "done\n")
        return client

    def work(self, client, n):
        client.stdin.write("%d\n" % n)
        client.stdin.flush()
        self.assertEqual(client.stdout.readline(), "done\n")

    def test_prepared_before_attach(self):
        """Statements and connection are older than the tracer; text and file are found all the same."""
        name = os.path.join(self.dir, "late.db")
        client = self.python_client(name)
        tracer = self.trace_pid(client.pid)
        self.work(client, 500)
        report = self.finish(tracer)
        rows = summed(report, pid=client.pid)
        self.assertEqual({text: row[:3] for text, row in rows.items()},
                         {"select a from t where id = ?": [500, 0, 500], "select count(*) from t": [1, 0, 1]})
        self.assertEqual({query["server"] for query in report["queries"]}, {name})

    def test_others_are_left_out(self):
        """-p: another process with the same library is neither reported nor probed."""
        one, two = (self.python_client(os.path.join(self.dir, name)) for name in ("one.db", "two.db"))
        tracer = self.trace_pid(one.pid)
        self.assertFalse(probed_by_us(two.pid, tracer.pid))
        self.work(two, 100)
        self.work(one, 10)
        report = self.finish(tracer)
        self.assertEqual({query["pid"] for query in report["queries"]}, {one.pid})
        self.assertEqual(summed(report)["select a from t where id = ?"][0], 10)

    def test_probes_are_gone_afterwards(self):
        client = self.python_client(os.path.join(self.dir, "gone.db"))
        tracer = self.trace_pid(client.pid)
        self.finish(tracer)
        self.assertFalse(probed_by_us(client.pid))
        self.work(client, 10)

    def test_deleted_library(self):
        """A program whose file is gone (an upgrade, a container's layer) is probed through its mapping."""
        copy = os.path.join(self.dir, "copy")
        shutil.copy(self.program("sqlite_truth_static"), copy)
        with subprocess.Popen([copy, "errors", self.dir, "wait"], stdin=subprocess.PIPE,
                              stdout=subprocess.PIPE) as program:
            with open("/proc/%d/exe" % program.pid, "rb") as keep:
                os.unlink(copy)
                tracer = subprocess.Popen([SONDE, "db", "-o", "json", "--output", self.out, "-p", str(program.pid)],
                                          stderr=subprocess.DEVNULL)
                self.addCleanup(tracer.kill)
                end = time.monotonic() + 30
                while not pg.is_attached(tracer.pid):
                    self.assertLess(time.monotonic(), end, "sonde does not attach")
                    time.sleep(0.01)
                out, _ = program.communicate(b"\n", 60)
                keep.read(1)
        tracer.wait(30)
        self.compare(json.loads(out), self.report())

    def test_shop(self):
        shop = os.path.join(os.path.dirname(SONDE), "demo/shop")
        if not os.path.exists(shop):
            self.skipTest("the demo was not built")
        out, report = self.trace_program([shop, "-n", "40"])
        orders = int(re.search(r"showed (\d+) orders", out).group(1))
        rows = summed(report)
        self.assertEqual(rows["select name, city from customers where id = ?"][:3], [orders, 0, orders])
        self.assertEqual(rows["select id, customer_id, total from orders order by id desc limit ?"][:3], [40, 0, orders])
        # Where it asks from, not where it sends what came of it.
        sites = {f["site"][0].split()[0] for f in report["findings"] if f["scope"]["kind"] == "request"}  # not what fills the tables
        self.assertLessEqual({"list_orders", "place_order"}, sites)
        self.assertLessEqual(sites, {"list_orders", "place_order", "run_report"})


if __name__ == "__main__":
    sys.stdout.reconfigure(line_buffering=True)
    unittest.main(verbosity=2)
