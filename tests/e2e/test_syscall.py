#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
"""test_syscall.py - sonde syscall: counts against strace -c, known sleeps and errors, single slow calls, calls under way."""

import collections
import fcntl
import os
import re
import shutil
import subprocess
import unittest

import sonderun
from sonderun import Run


def setUpModule():
    why = sonderun.why_not()
    if why:
        raise unittest.SkipTest(why)


# What ends a process or depends on which thread is first: not in both counts, or not the same twice.
LEFT_OUT = {"exit", "exit_group", "rt_sigreturn", "restart_syscall", "futex"}


def strace_counts(argv, cwd):
    """What strace -c -f counts: {name: (calls, errors)}."""
    path = os.path.join(cwd, "strace.txt")
    subprocess.run(["strace", "-f", "-c", "-o", path] + argv, stdin=subprocess.DEVNULL, check=True, timeout=60)
    with open(path, encoding="ascii") as file:
        rows = [line.split() for line in file if re.match(r"\s*\d+\.\d+\s", line)]
    return {row[-1]: (int(row[3]), int(row[4]) if len(row) > 5 else 0) for row in rows if row[-1] != "total"}


def sums(doc, name=None):
    """Calls and errors by name, over all rows."""
    found = collections.defaultdict(lambda: [0, 0])
    for row in doc["syscalls"]:
        found[row["name"]][0] += row["count"]
        found[row["name"]][1] += row["error_count"]
    return {k: tuple(v) for k, v in found.items()}


class Truth(sonderun.TestCase):
    @unittest.skipUnless(shutil.which("strace"), "strace is not installed")
    def test_strace(self):
        argv = [sonderun.program("syscalls"), self.dir]
        truth = strace_counts(argv, self.dir)
        shutil.rmtree(self.dir)
        os.mkdir(self.dir)
        run = Run("syscall", argv=argv)
        self.assertEqual(run.code, 0, run.err)
        found = sums(run.doc)
        # sonde's child looks for nothing and becomes the program: what it does before are a read and a close or two.
        for name in sorted((set(truth) | set(found)) - LEFT_OUT - {"execve", "read", "close", "write"}):
            with self.subTest(call=name):
                self.assertEqual(found.get(name), truth.get(name))
        self.assertEqual(run.doc["coverage"]["lost"], {})

    def test_known(self):
        run = Run("syscall", argv=[sonderun.program("syscalls"), self.dir])
        rows = {(r["name"], r.get("on")): r for r in run.doc["syscalls"] if r["process"] == "syscalls"
                and r["pid"] == max(run.doc["syscalls"], key=lambda r: r["count"])["pid"]}
        self.assertEqual(rows["getppid", None]["count"], 500)
        self.assertEqual(rows["kill", None]["errors"], {"EINVAL": 7})
        self.assertEqual(rows["openat", None]["errors"].get("ENOENT"), 100)
        self.assertEqual(rows["pwrite64", "file"]["count"], 40)
        self.assertGreaterEqual(rows["pread64", "file"]["count"], 40)  # the dynamic linker reads, too
        self.assertEqual(rows["fsync", None]["count"], 5)
        self.assertEqual(rows["read", "pipe"]["errors"], {"EAGAIN": 30})
        self.assertTrue(rows["read", "pipe"]["waits"] and rows["nanosleep", None]["waits"])
        self.assertFalse(rows["pread64", "file"]["waits"] or rows["fsync", None]["waits"])
        # 25 sleeps of 4 ms and 10 of 20 ms: never shorter.
        naps = rows["nanosleep", None]
        self.assertEqual(naps["count"], 35)
        self.assertGreaterEqual(naps["latency_ns"]["sum"], 300e6)
        self.assertGreaterEqual(naps["latency_ns"]["min"], 4e6)
        self.assertGreaterEqual(naps["latency_ns"]["max"], 20e6)
        self.assertEqual(sum(naps["latency_histogram"]["counts"]), 35)
        self.assertGreaterEqual(rows["flock", None]["latency_ns"]["max"], 140e6)

    def test_durations(self):
        """What the program itself measures: to 5 %."""
        code = ("import time\nspent = []\nfor i in range(20):\n  a = time.monotonic_ns()\n  time.sleep(0.05)\n  b = time.monotonic_ns()\n"
                "  spent.append(b - a)\nopen(%r, 'w').write('%%d %%d' %% (sum(spent), sorted(spent)[10]))" % (self.dir + "/spent"))
        run = Run("syscall", "-e", "clock_nanosleep", argv=["/usr/bin/python3", "-c", code])
        with open(self.dir + "/spent", encoding="ascii") as file:
            spent, median = [int(n) for n in file.read().split()]
        rows = [r for r in run.doc["syscalls"] if r["count"] == 20]
        self.assertEqual([r["name"] for r in run.doc["syscalls"]], ["clock_nanosleep"])
        self.assert_near(rows[0]["latency_ns"]["sum"], spent)
        self.assert_near(rows[0]["latency_ns"]["p50"], median, 0.1)  # a bucket is 9 % wide


class Choice(sonderun.TestCase):
    def test_threads(self):
        run = Run("syscall", "--by", "thread", "-e", "nanosleep", argv=[sonderun.program("syscalls"), self.dir])
        naps = sorted((r["count"], r["thread"] or "gone", r["tid"] == r["pid"]) for r in run.doc["syscalls"]
                      if r["name"] == "nanosleep")
        self.assertEqual([n[0] for n in naps], [1, 1, 10, 25])  # the children's, the thread's, the program's
        self.assertFalse([n for n in naps if n[0] == 10 and n[2]])

    def test_expression(self):
        run = Run("syscall", "-e", "getppid,kill", argv=[sonderun.program("syscalls"), self.dir])
        self.assertEqual(sums(run.doc), {"getppid": (500, 0), "kill": (7, 7)})
        for args, word in ((["-e", "getpid,nonsense"], "nonsense"), (["-e", ""], "-e"), (["--waits"], "--min")):
            bad = Run("syscall", *args, "-d", "1", out=None)
            self.assertEqual(bad.code, 2, args)
            self.assertIn(word, bad.err)

    def test_other_processes(self):
        other = subprocess.Popen(["/usr/bin/python3", "-c", "import os, time\nwhile 1: os.getppid(); time.sleep(0.001)"])
        try:
            run = Run("syscall", argv=[sonderun.program("syscalls"), self.dir])
            self.assertNotIn(other.pid, [r["pid"] for r in run.doc["syscalls"]])
            run = Run("syscall", "-p", str(other.pid), "-d", "0.5")
            self.assertEqual({r["pid"] for r in run.doc["syscalls"]}, {other.pid})
        finally:
            other.kill()
            other.wait()

    def test_full(self):
        run = Run("syscall", "--max-rows", "16", argv=[sonderun.program("syscalls"), self.dir])
        self.assertGreater(run.doc["coverage"]["lost"]["syscall_rows_full"], 0)
        cov = run.doc["coverage"]
        self.assertEqual(cov["seen"], cov["attributed"] + sum(cov["lost"].values()) + cov["outstanding"])


class Slow(sonderun.TestCase):
    def test_lines(self):
        run = Run("syscall", "--min", "100ms", argv=[sonderun.program("syscalls"), self.dir])
        locks = [line for line in run.lines if line["name"] == "flock"]
        self.assertEqual(len(locks), 1, run.out[:2000])
        self.assertEqual(locks[0]["path"], os.path.join(self.dir, "lock"))
        self.assertGreaterEqual(locks[0]["duration_ns"], 140e6)
        self.assertEqual((locks[0]["process"], locks[0]["result"]), ("syscalls", 0))
        self.assertFalse([line for line in run.lines if line["name"] in ("wait4", "nanosleep")])
        self.assertEqual(run.doc["slow_syscalls_told"], len(run.lines))

    def test_paths(self):
        """Every openat() is slow enough for 1 us at least once; its path and error are told."""
        run = Run("syscall", "--min", "0.000001", "-e", "openat,execve", argv=[sonderun.program("syscalls"), self.dir])
        missing = [line for line in run.lines if line.get("path") == os.path.join(self.dir, "missing")]
        self.assertTrue(missing)
        self.assertEqual({line["error"] for line in missing}, {"ENOENT"})
        self.assertEqual({line["result"] for line in missing}, {-2})
        self.assertTrue([line for line in run.lines if line["name"] == "execve"
                         and line["path"] == sonderun.program("syscalls")])
        text = Run("syscall", "--min", "0.000001", "-e", "openat", out="text", argv=[sonderun.program("syscalls"), self.dir])
        self.assertRegex(text.out, r'openat\(AT_FDCWD, "%s/missing", 0, 0[0-7]*\) = ENOENT' % re.escape(self.dir))

    def test_socket(self):
        code = ("import socket, threading, time\na = socket.create_server(('127.0.0.1', 0))\nb = socket.create_connection(a.getsockname())\n"
                "c, _ = a.accept()\nthreading.Timer(0.2, lambda: c.send(b'x')).start()\nprint(a.getsockname()[1], flush=True)\nb.recv(1)")
        run = Run("syscall", "--min", "100ms", "-e", "recvfrom", out="text", argv=["/usr/bin/python3", "-c", code])
        port = run.out.splitlines()[0]
        self.assertRegex(run.out, r"recvfrom\(\d+<127\.0\.0\.1:\d+->127\.0\.0\.1:%s>, 0x[0-9a-f]+, 1, 0, NULL, NULL\) = 1" % port)


class UnderWay(sonderun.TestCase):
    def test_end(self):
        with open(os.path.join(self.dir, "held"), "w", encoding="ascii") as held:
            fcntl.flock(held, fcntl.LOCK_EX)
            run = Run("syscall", "-d", "5", argv=[sonderun.program("syscalls"), self.dir, "hang"])
        hangs = [c for c in run.doc["syscalls_in_progress"] if c["name"] == "flock"]
        self.assertEqual(len(hangs), 1, run.doc.get("syscalls_in_progress"))
        self.assertGreater(hangs[0]["elapsed_ns"], 500e6)
        self.assertFalse(hangs[0]["waits"])
        self.assertEqual(run.doc["coverage"]["outstanding"], len(run.doc["syscalls_in_progress"]))


class Text(sonderun.TestCase):
    def test_report(self):
        run = Run("syscall", out="text", argv=[sonderun.program("syscalls"), self.dir])
        self.assertRegex(run.out, r"(?m)^ *waits .* nanosleep +syscalls")
        self.assertRegex(run.out, r"(?m)^ *\d+% .* getppid +syscalls\[\d+\]")
        self.assertIn("errors: openat of syscalls: 1", run.out)
        self.assertLess(run.out.index(" getppid "), run.out.index(" nanosleep "))
        self.assertIn("none lost", run.out)
        # As many columns as there is room for.
        env = dict(os.environ, COLUMNS="60")
        out = subprocess.run([sonderun.SONDE, "syscall", "--by", "syscall", "--", sonderun.program("syscalls"), self.dir], env=env,
                             stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=60, check=True).stdout.decode()
        self.assertRegex(out, r"(?m)^.*getppid")
        self.assertLessEqual(max(len(line) for line in out.splitlines() if "coverage" not in line), 60, out)


if __name__ == "__main__":
    unittest.main()
