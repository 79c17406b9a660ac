# SPDX-License-Identifier: GPL-2.0-only
"""test_gc.py - garbage collections that `sonde alloc` tells of, beside what the runtimes say of them themselves."""

import json
import os
import re
import shutil
import signal
import struct
import subprocess
import sys
import time
import unittest

import sonderun
from sonderun import PATIENCE, SONDE

HERE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "gc")
MIB = 1 << 20
PYTHON = "/usr/bin/python3"
TRIES = 3  # a thread that loses its processor between the two clocks spoils a run


def setUpModule():
    why = sonderun.why_not()
    if why:
        raise unittest.SkipTest(why)
    release = tuple(int(n) for n in re.match(r"(\d+)\.(\d+)", os.uname().release).groups())
    if release < (5, 15):
        raise unittest.SkipTest("garbage collections are seen from Linux 5.15 on")


def notes(path):
    """{"provider:name": address of its semaphore} of a file's probes"""
    out = subprocess.run(["readelf", "-nW", path], capture_output=True, text=True, check=False).stdout
    return {"%s:%s" % (provider, name): int(semaphore, 16) for provider, name, semaphore in
            re.findall(r"Provider: (\S+)\s+Name: (\S+)\s+Location: \S+, Base: \S+, Semaphore: (\S+)", out)}


def pauses(doc, pid=None):
    """{kind: row}, one thread's"""
    rows = [row for row in doc["garbage_collection"]["pauses"] if not pid or row["pid"] == pid]
    kinds = {row["kind"]: row for row in rows}
    assert len(kinds) == len(rows), "several threads: %s" % rows
    return kinds


def process(doc, name):
    found = [p for p in doc["garbage_collection"]["processes"] if p["process"] == name]
    assert len(found) == 1, doc["garbage_collection"]["processes"]
    return found[0]


class GcCase(sonderun.TestCase):
    def same(self, row, truth_ns, each_ns):
        """Counts agree, and so do sum and maximum: to 5 %, or to @each_ns a pause, what the runtime's own clock misses."""
        self.assertEqual(row["count"], len(truth_ns))
        self.assert_near(row["pause_ns"]["sum"], sum(truth_ns), 0.05, each_ns * len(truth_ns))
        self.assert_near(row["pause_ns"]["max"], max(truth_ns), 0.05, 2 * each_ns)

    def until_it_fits(self, check):
        for last in range(TRIES - 1, -1, -1):
            try:
                check()
                return
            except AssertionError as error:
                if not last:
                    raise
                print("again: %s" % error, file=sys.stderr)

    def run_alloc(self, argv, *args, env=None):
        """The report of `sonde alloc --growth -- argv`, and what the program wrote: into a file, as V8 prints its traces inside of
        the function that collects, and who reads a pipe would take the processor from it."""
        report, said = os.path.join(self.dir, "report.json"), os.path.join(self.dir, "said")
        with open(said, "w") as file:
            done = subprocess.run([SONDE, "alloc", "--growth", "-o", "json", "--output", report, *args, "--", *argv],
                                  stdin=subprocess.DEVNULL, stdout=file, stderr=file, timeout=120 * PATIENCE, check=False,
                                  env=dict(os.environ, **(env or {})))
        with open(said, errors="replace") as file:
            self.said = file.read()
        self.code = done.returncode
        self.assertIn(self.code, (0, 5), self.said)
        with open(report) as file:
            return json.load(file)


class Python(GcCase):
    def compare(self, python, by):
        doc = self.run_alloc([python, os.path.join(HERE, "churn.py")])
        truth = json.loads(re.search(r"^\[\[.*\]\]$", self.said, re.M).group())
        found = pauses(doc)
        entry = process(doc, "python3")
        self.assertEqual((entry["runtime"], entry["seen"], entry["by"]), ("CPython", True, by))
        for generation in 1, 2:
            times = [ns for number, ns, _ in truth if number == generation]
            row = found["generation %d" % generation]
            self.same(row, times, 15000)
            self.assertEqual(row["collected_objects"], sum(got for number, _, got in truth if number == generation))
            self.assertEqual(row["tid"], row["pid"])
        # The youngest are collected while the interpreter starts, too.
        young = [(ns, got) for number, ns, got in truth if number == 0]
        row = found["generation 0"]
        self.assertGreaterEqual(row["count"], len(young))
        self.assertLessEqual(row["count"], len(young) + 60)
        self.assertEqual(entry["pauses"], sum(r["count"] for r in found.values()))
        self.assertEqual(entry["stopped_ns"], sum(r["pause_ns"]["sum"] for r in found.values()))
        self.assert_near(entry["share"], entry["stopped_ns"] / entry["watched_ns"], 0.001)

    def test_probes(self):
        if "python:gc__start" not in notes(os.path.realpath(PYTHON)):
            self.skipTest("%s has no probes of its collector" % PYTHON)
        self.until_it_fits(lambda: self.compare(PYTHON, "USDT"))

    def test_functions(self):
        """A build without probes, but with symbols: such as what pyenv makes."""
        places = [os.path.expanduser("~/.pyenv/versions/%s/bin/python3" % version)
                  for version in ("3.12.1", "3.11.7", "3.10.13")] + ["/usr/local/bin/python3"]
        for python in places:
            real = os.path.realpath(python)
            library = os.path.join(os.path.dirname(os.path.dirname(real)), "lib", "lib%s.so.1.0" % os.path.basename(real))
            for file in library, real:
                names = subprocess.run(["nm", file], capture_output=True, text=True, check=False).stdout
                if " t gc_collect_main\n" in names and not notes(file):
                    self.until_it_fits(lambda python=python: self.compare(python, "symbols"))
                    return
        self.skipTest("no Python without probes but with symbols: %s" % ", ".join(places))

    def test_finding_and_gate(self):
        """What collects all the time is a finding, and --fail-on names it."""
        code = "import gc\nkept = [[n] for n in range(100000)]\nfor _ in range(60): gc.collect()"
        if "python:gc__start" not in notes(os.path.realpath(PYTHON)):
            self.skipTest("%s has no probes of its collector" % PYTHON)
        for turn in range(1, 20):
            doc = self.run_alloc([PYTHON, "-c", code.replace("60", str(100 * turn))], "--fail-on", "gc_time")
            if process(doc, "python3")["watched_ns"] > 1.2e9:
                break
        finding = next(f for f in doc["findings"] if f["kind"] == "gc_time")
        self.assertEqual(self.code, 5)
        self.assertIn("gc_time, python3: ", self.said)
        self.assertGreater(finding["share"], 0.5)
        self.assertIn("generation 2", finding["suggestion"])
        text = subprocess.run([SONDE, "alloc", "--growth", "--", PYTHON, os.path.join(HERE, "churn.py")], stdin=subprocess.DEVNULL,
                              capture_output=True, text=True, timeout=60 * PATIENCE, check=True).stdout
        self.assertRegex(text, r"garbage collection: \d+ pauses of 1 process, \S+ \(\S+% of its time\), \S+ at most")
        self.assertRegex(text, r"(?m)^ *[\d.]+% .* generation 2 +python3\[\d+\]$")

    def test_other_modes(self):
        """Beside sampled allocations, and beside every one of them."""
        if "python:gc__start" not in notes(os.path.realpath(PYTHON)):
            self.skipTest("%s has no probes of its collector" % PYTHON)
        run = sonderun.Run("alloc", argv=[PYTHON, os.path.join(HERE, "churn.py")])
        self.assertEqual(run.code, 0, run.err)
        found = pauses(run.doc)
        self.assertEqual((found["generation 1"]["count"], found["generation 2"]["count"]), (5, 5))
        with subprocess.Popen([PYTHON, os.path.join(HERE, "churn.py"), "wait"], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                              text=True) as churn, \
             subprocess.Popen([SONDE, "alloc", "--exact", "--budget", "1000", "-v", "-p", str(churn.pid), "-o", "json"],
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as watch:
            for line in watch.stderr:
                if line.endswith("only the system calls of a tracing run are allowed now\n"):
                    break
            churn.stdin.write("\n\n")
            churn.stdin.flush()
            churn.wait()
            doc = json.loads(watch.communicate(timeout=60 * PATIENCE)[0])
        self.assertTrue(doc["exact"]["calls"])
        found = pauses(doc)
        self.assertEqual((found["generation 1"]["count"], found["generation 2"]["count"]), (5, 5))

    def test_attach_and_kill(self):
        """To one of two processes that run already, and away again: killed, it leaves nothing in them."""
        semaphore = notes(os.path.realpath(PYTHON)).get("python:gc__start")
        if not semaphore:
            self.skipTest("%s has no probes of its collector" % PYTHON)
        churns = [subprocess.Popen([PYTHON, os.path.join(HERE, "churn.py"), "wait"], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                   text=True) for _ in range(2)]
        self.addCleanup(lambda: [(churn.kill(), churn.wait(), churn.stdin.close(), churn.stdout.close()) for churn in churns])
        for churn in churns:
            self.assertEqual(churn.stdout.readline(), "ready\n")

        def raised(churn):
            exe = os.path.realpath("/proc/%d/exe" % churn.pid)
            with open("/proc/%d/maps" % churn.pid) as maps:
                base = next(int(line.split("-")[0], 16) for line in maps if line.endswith(" %s\n" % exe))
            with open(exe, "rb") as file:
                moves = struct.unpack_from("<H", file.read(18), 16)[0] == 3  # ET_DYN
            with open("/proc/%d/mem" % churn.pid, "rb") as memory:
                memory.seek(semaphore + (base if moves else 0))
                return struct.unpack("<H", memory.read(2))[0]

        def wait_for(count):
            until = time.monotonic() + 20 * PATIENCE
            while [raised(churn) for churn in churns] != count and time.monotonic() < until:
                time.sleep(0.05)
            self.assertEqual([raised(churn) for churn in churns], count)

        self.assertEqual([raised(churn) for churn in churns], [0, 0])
        watch = subprocess.Popen([SONDE, "alloc", "--growth", "-p", str(churns[0].pid), "-o", "json"], stdout=subprocess.PIPE,
                                 stderr=subprocess.DEVNULL)
        wait_for([1, 0])
        watch.send_signal(signal.SIGKILL)
        watch.communicate()
        wait_for([0, 0])
        watch = subprocess.Popen([SONDE, "alloc", "--growth", "-p", str(churns[0].pid), "-o", "json"], stdout=subprocess.PIPE,
                                 stderr=subprocess.PIPE)
        wait_for([1, 0])
        time.sleep(1)  # until it counts
        for churn in churns:
            churn.stdin.write("\n")
            churn.stdin.flush()
        truth = [json.loads(churn.stdout.readline()) for churn in churns]
        watch.send_signal(signal.SIGINT)
        out, _ = watch.communicate(timeout=60 * PATIENCE)
        doc = json.loads(out)
        self.assertEqual({row["pid"] for row in doc["garbage_collection"]["pauses"]}, {churns[0].pid})
        found = {kind: row["count"] for kind, row in pauses(doc).items()}
        self.assertEqual(found, {"generation %d" % g: sum(1 for number, _, _ in truth[0] if number == g) for g in range(3)})
        wait_for([0, 0])


class Java(GcCase):
    def compare(self, collector):
        log = os.path.join(self.dir, "log")
        classes = os.path.dirname(sonderun.program("../gc/Churn.class"))
        doc = self.run_alloc([self.java, "-XX:+Use%sGC" % collector, "-Xmx256m", "-Xmn16m", "-Xlog:gc:file=" + log, "-cp", classes, "Churn"])
        truth, last, before = {"young": [], "full": [], "concurrent phase": []}, None, 0
        with open(log) as file:
            for line in file:
                told = re.search(r"GC\(\d+\) Pause (Young|Full|Remark|Cleanup)\b(.*) (\d+)M->(\d+)M\((\d+)M\) ([\d.]+)ms$", line)
                if not told:
                    continue
                kind, took = {"Young": "young", "Full": "full"}.get(told[1], "concurrent phase"), float(told[6]) * 1e6
                if kind == "young" and "System.gc()" in told[2]:
                    before = took  # Parallel does both, in one pause
                    continue
                truth[kind].append(took + (before if kind == "full" else 0))
                before = 0
                last = [int(n) for n in told.groups()[2:5]] if kind != "concurrent phase" else last
        found = pauses(doc)
        self.assertGreater(len(truth["young"]), 10)
        self.assertGreaterEqual(len(truth["full"]), 3)
        for kind, times in truth.items():
            if times:
                self.same(found[kind], times, 60000)
                self.assertEqual(found[kind]["thread"], "VM Thread")
        entry = process(doc, "java")
        self.assertEqual((entry["runtime"], entry["seen"], entry["by"]), ("Java", True, "USDT"))
        for key, told in zip(("before_bytes", "after_bytes", "committed_bytes"), last):
            self.assert_near(entry["heap"][key], told * MIB, 0, 1.01 * MIB)
        pools = {pool["name"]: pool for pool in entry["pools"]}
        heap = [pool for pool in pools.values() if pool["heap"]]
        self.assertTrue(any("Old" in pool["name"] or "Tenured" in pool["name"] for pool in heap), list(pools))
        self.assertFalse(pools["Metaspace"]["heap"])
        self.assert_near(sum(pool["after_bytes"] for pool in heap), entry["heap"]["after_bytes"], 0.01)

    def setUp(self):
        super().setUp()
        self.java = shutil.which("java")
        if not self.java or not shutil.which("javac"):
            self.skipTest("no java, or no javac")
        home = os.path.dirname(os.path.dirname(os.path.realpath(self.java)))
        if "hotspot:gc__begin" not in notes(os.path.join(home, "lib", "server", "libjvm.so")):
            self.skipTest("%s has no probes of its collector" % home)

    def test_g1(self):
        self.until_it_fits(lambda: self.compare("G1"))

    def test_parallel(self):
        self.until_it_fits(lambda: self.compare("Parallel"))


class Node(GcCase):
    def compare(self, node):
        doc = self.run_alloc([node, "--trace-gc", "--expose-gc", os.path.join(HERE, "churn.js")])
        if not process(doc, "node")["seen"]:
            self.skipTest("%s: %s" % (node, process(doc, "node")["invisible"]))
        truth, last = {"scavenge": [], "mark-compact": []}, None
        for name, before, after, took in re.findall(
                r"(Scavenge|Mark-Compact)[^\d\n]* ([\d.]+) \([\d.]+\) -> ([\d.]+) \([\d.]+\) MB,(?: pooled: \S+ MB,)? ([\d.]+) / ",
                self.said):
            truth[name.lower()].append(float(took) * 1e6)
            last = (float(before), float(after))
        found = pauses(doc)
        self.assertGreater(len(truth["scavenge"]), 10)
        self.assertGreaterEqual(len(truth["mark-compact"]), 4)
        for kind, times in truth.items():
            self.same(found[kind], times, 60000)
        entry = process(doc, "node")
        self.assertEqual((entry["runtime"], entry["by"]), ("V8", "symbols"))
        self.assert_near(entry["heap"]["before_bytes"], last[0] * MIB, 0.01, 0.11 * MIB)
        self.assert_near(entry["heap"]["after_bytes"], last[1] * MIB, 0.01, 0.11 * MIB)

    def test_node(self):
        node = shutil.which("node")
        if not node:
            self.skipTest("no node")
        self.until_it_fits(lambda: self.compare(node))

    def test_workers(self):
        """Each thread has its own heap: shares are those of a thread."""
        node = shutil.which("node")
        if not node:
            self.skipTest("no node")
        code = ("const { Worker, isMainThread } = require('worker_threads');"
                "if (isMainThread) for (let i = 0; i < 2; i++) new Worker(__filename);"
                "else { let kept = []; for (let i = 0; i < 3e6; i++) { kept.push({ i }); if (kept.length > 9e4) kept = []; } }")
        path = os.path.join(self.dir, "workers.js")
        with open(path, "w") as file:
            file.write(code)
        doc = self.run_alloc([node, path])
        entry = process(doc, "node")
        if not entry["seen"]:
            self.skipTest("%s: %s" % (node, entry["invisible"]))
        rows = [row for row in doc["garbage_collection"]["pauses"] if row["tid"] != row["pid"] and row["kind"] == "scavenge"]
        self.assertEqual(len({row["tid"] for row in rows}), 2)
        sums = {}
        for row in doc["garbage_collection"]["pauses"]:
            sums[row["tid"]] = sums.get(row["tid"], 0) + row["pause_ns"]["sum"]
        self.assertEqual(entry["stopped_ns"], max(sums.values()))

    def test_not_seen(self):
        """A program called node that has no symbols: said so."""
        path = os.path.join(self.dir, "node")
        shutil.copy(shutil.which("sleep"), path)
        entry = process(self.run_alloc([path, "1"]), "node")
        self.assertEqual((entry["runtime"], entry["seen"]), ("V8", False))
        self.assertIn("symbols", entry["invisible"])
        text = subprocess.run([SONDE, "alloc", "--growth", "--", path, "1"], stdin=subprocess.DEVNULL, capture_output=True,
                              text=True, timeout=60 * PATIENCE, check=True).stdout
        self.assertRegex(text, r"node\[\d+\] runs V8: its garbage collections are not seen: ")


class Go(GcCase):
    def compare(self, path, by):
        doc = self.run_alloc([path], env={"GODEBUG": "gctrace=1", "GOMAXPROCS": "1"})
        count, total_ns, longest_ns = (int(n) for n in re.search(r"^(\d+) (\d+) (\d+)$", self.said, re.M).groups())
        told = re.findall(r"^gc \d+ @.*: ([\d.]+)\+[\d.]+\+([\d.]+) ms clock.* (\d+)->\d+->(\d+) MB", self.said, re.M)
        found = pauses(doc)
        self.assertGreater(count, 5)
        self.assertEqual(len(told), count)
        self.same(found["sweep termination"], [float(row[0]) * 1e6 for row in told], 15000)
        # Go's own number of this one ends before the world is started again.
        self.assertEqual(found["mark termination"]["count"], count)
        sums = [found[kind]["pause_ns"]["sum"] for kind in ("sweep termination", "mark termination")]
        self.assertGreaterEqual(sum(sums), total_ns - max(total_ns * 0.05, 2 * 5000 * count))
        self.assert_near(sum(sums), total_ns, 0.05, 50000 * count)
        self.assertGreaterEqual(max(found[kind]["pause_ns"]["max"] for kind in found) * 2.1, longest_ns)
        entry = process(doc, os.path.basename(path)[:15])
        self.assertEqual((entry["runtime"], entry["seen"], entry["by"]), ("Go", True, by))
        self.assertEqual(entry["collections"], count)
        self.assert_near(entry["heap"]["after_bytes"], int(told[-1][3]) * MIB, 0, 1.01 * MIB)
        if by == "symbols":
            self.assert_near(entry["heap"]["before_bytes"], int(told[-1][2]) * MIB, 0, 1.01 * MIB)
        else:
            self.assertNotIn("before_bytes", entry["heap"])

    def setUp(self):
        super().setUp()
        if not shutil.which("go"):
            self.skipTest("no go")

    def test_symbols(self):
        self.until_it_fits(lambda: self.compare(sonderun.program("../gc/churn"), "symbols"))

    def test_stripped(self):
        self.until_it_fits(lambda: self.compare(sonderun.program("../gc/churn.bare"), "function table"))


if __name__ == "__main__":
    unittest.main()
