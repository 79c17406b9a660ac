# SPDX-License-Identifier: GPL-2.0-only
# TOGETHER: counts, of its own processes
# ALONE: test_leak test_idle: measure time
"""test_alloc_python.py - `sonde alloc --pymalloc` beside a Python program that says what it has allocated, and in which line.

SONDE_TEST_PYTHON: the interpreter (default: that of the test).
"""

import math
import os
import re
import subprocess
import sys
import unittest

import sonderun
from sonderun import OUT, TOP

PYTHON = os.environ.get("SONDE_TEST_PYTHON", sys.executable)
PROGRAM = os.path.join(TOP, "tests/e2e/programs/pymalloc_truth.py")
SHIM = os.path.join(OUT, "libsonde-alloc.so")
RUNS = 4
RATE = 512 << 10  # at which the program has fewer samples than make it adapt


def setUpModule():
    why = sonderun.why_not()
    if why:
        raise unittest.SkipTest(why)
    version = subprocess.run([PYTHON, "-c", "import sys; print(*sys.version_info[:2])"], capture_output=True, text=True, check=True).stdout
    if not (3, 7) <= tuple(map(int, version.split())) <= (3, 13):
        raise unittest.SkipTest("needs Python 3.7 to 3.13, %s is %s" % (PYTHON, version))


def by_line(doc):
    """{(function, line): sums of its rows}"""
    return sonderun.add_up(doc["allocations"], lambda row: (row.get("function", "?").rsplit(".", 1)[-1], row.get("line", 0)))


class Pymalloc(sonderun.TestCase):
    def traced(self, *args):
        """A run of the program; (sums by line, {function: (line, bytes, live bytes)}, document)"""
        report = os.path.join(self.dir, "report.json")
        run = sonderun.Run("alloc", "--pymalloc", "-o", "json", "--output", report, *args, out=None, argv=[PYTHON, PROGRAM, "all"])
        self.assertEqual(run.code, 0, run.err)
        self.assertNotIn("--pymalloc", run.err)
        doc = sonderun.load(report)
        self.assertEqual(doc["coverage"]["lost"], {})
        self.assertEqual(doc["coverage"]["seen"], doc["coverage"]["attributed"])
        truth = {name: tuple(map(int, rest)) for name, *rest in re.findall(r"^(\w+) (\d+) (-?\d+) (\d+)$", run.out, re.M)}
        self.assertEqual(len(truth), 5, run.out)
        return by_line(doc), truth, doc

    def test_unbiased(self):
        """Of each line and run the estimate is within 3 standard errors but for one; their mean has no bias; what is freed is gone."""
        distance = {}
        for _ in range(RUNS):
            found, truth, _ = self.traced("--rate", "512k")
            for name, (line, total, live) in truth.items():
                row = found.get((name, line), {})
                for key, wanted in (("alloc_bytes", total), ("live_bytes", live)):
                    if wanted < 0 or (key == "live_bytes" and live == total):  # not known; the same samples
                        continue
                    if not wanted:
                        self.assertEqual(row.get(key, 0), 0, name)
                        continue
                    error = max(row.get(key + "_error", 0), math.sqrt(wanted * RATE))
                    distance.setdefault((name, key), []).append((row.get(key, 0) - wanted) / error)
        self.assert_unbiased(distance)

    def test_facts(self):
        """Sizes, callers, files, totals; what is told of the runtime no longer is that objects are not seen."""
        found, truth, doc = self.traced("--rate", "64k")
        size = int(subprocess.run([PYTHON, "-c", "import sys; print(sys.getsizeof(bytes(100)))"], capture_output=True, check=True).stdout)
        small = found[("truth_small", truth["truth_small"][0])]
        self.assertAlmostEqual(small["alloc_bytes"] / small["alloc_objects"], size, delta=2)
        row = next(r for r in doc["allocations"] if r.get("line") == truth["truth_big"][0])
        self.assertEqual(row["site"], ["truth_big", "<module>"])
        self.assertEqual(row["file"], PROGRAM[-151:])
        total = doc["allocation_totals"][0]
        self.assertEqual(total["runtime"], "CPython")
        self.assertNotIn("invisible", total)
        self.assertEqual(total["alloc_bytes"], sum(r["alloc_bytes"] for r in doc["allocations"]))

    def test_leak(self):
        """A line that loses 200 KB/s among 40,000 objects a second is found at the default rate, and no other."""
        run = sonderun.Run("alloc", "--pymalloc", "--window", "2", "--fail-on", "leak", argv=[PYTHON, PROGRAM, "leak", "40"], timeout=90)
        self.assertEqual(run.code, 5, (run.err, [r for r in run.doc["allocations"] if r.get("function") == "lose"]))
        with open(PROGRAM) as file:
            line = next(n for n, text in enumerate(file, 1) if "# lost" in text)
        sites = [f["site"][:3] for f in run.doc["findings"]]
        self.assertEqual(sites, [["lose pymalloc_truth.py:%d" % line, sites[0][1], sites[0][2]]])
        self.assertRegex(" ".join(sites[0][1:]), r"^leak pymalloc_truth.py:\d+ <module> pymalloc_truth.py:\d+$")

    def test_names(self):
        """Files and functions that are not ASCII; deep stacks; generators, classes, lambdas; threads."""
        path = os.path.join(self.dir, "größe_€_😀.py")
        with open(path, "w") as file:
            file.write("import os, threading\n"
                       "class Kiste:\n"
                       "    def größe(self, n):\n"
                       "        if n: return self.größe(n - 1)\n"
                       "        return [bytes(90) for _ in range(40000)]\n"
                       "def gen():\n"
                       "    for _ in range(40000): yield bytes(91)\n"
                       "keep = [Kiste().größe(200), list(gen()), list(map(lambda _: bytes(92), range(40000)))]\n"
                       "def Ж漢(): keep.append([bytes(93) for _ in range(40000)])\n"
                       "threads = [threading.Thread(target=Ж漢) for _ in range(3)]\n"
                       "for t in threads: t.start()\n"
                       "for t in threads: t.join()\n"
                       "os._exit(0)\n")
        run = sonderun.Run("alloc", "--pymalloc", "--rate", "32k", argv=[PYTHON, path])
        self.assertEqual(run.code, 0, run.err)
        lines = {}
        for row in run.doc["allocations"]:
            if row.get("file") == path[-151:]:
                lines.setdefault(row["line"], set()).update(row["site"])
        self.assertTrue(any("größe" in name for name in lines[5]), lines)
        self.assertTrue({"gen"} <= lines[7], lines)
        self.assertTrue(any("lambda" in name for name in lines[8]), lines)
        self.assertTrue(any("Ж漢" in name for name in lines[9]), lines)
        self.assertNotIn("[python]", set().union(*lines.values()))
        live = {line: sum(r["live_bytes"] for r in run.doc["allocations"] if r.get("file") == path[-151:] and r["line"] == line)
                for line in lines}
        for line, wanted in ((7, 40000 * 124), (9, 3 * 40000 * 126)):
            self.assertLess(abs(live[line] - wanted), 4 * math.sqrt(wanted * (32 << 10)) + wanted // 8)  # and lists of them

    def test_not_there(self):
        """Where there is nothing to sample it is said, and the program runs as ever."""
        for env, argv in (({"PYTHONMALLOC": "malloc"}, [PYTHON, "-c", "l = [bytes(9) for _ in range(300000)]"]),
                          ({}, [PYTHON, "-X", "dev", "-c", "l = [bytes(9) for _ in range(300000)]"]), ({}, ["true"])):
            os.environ.update(env)
            run = sonderun.Run("alloc", "--pymalloc", argv=argv)
            for name in env:
                del os.environ[name]
            self.assertEqual(run.code, 0, run.err)
            self.assertIn("--pymalloc: no sample is of a line of Python", run.err)
        run = sonderun.Run("alloc", "--pymalloc", "-p", str(os.getpid()))
        self.assertEqual(run.code, 2)
        self.assertIn("--pymalloc goes with a PROGRAM", run.err)

    def test_processes(self):
        """Children of Python that are Python: each by itself."""
        code = ("import os\n"
                "def work(): keep = [bytes(200) for _ in range(100000)]; os._exit(0) if keep else None\n"
                "for _ in range(2):\n"
                "    if not os.fork(): work()\n"
                "os.wait(); os.wait()\n")
        run = sonderun.Run("alloc", "--pymalloc", "--rate", "64k", argv=[PYTHON, "-c", code])
        self.assertEqual(run.code, 0, run.err)
        live = {}
        for row in run.doc["allocations"]:
            if row.get("line") == 2:
                live[row["pid"]] = live.get(row["pid"], 0) + row["live_bytes"]
        self.assertEqual(len(live), 2, run.doc["allocation_totals"])
        for found in live.values():
            self.assertLess(abs(found - 100000 * 233), 4 * math.sqrt(100000 * 233 * (64 << 10)) + 1e6)

    def test_idle(self):
        """Nobody listens, or each is sampled: Python does what it does without."""
        code = ("import threading, json, gc, sys\n"
                "def work(n):\n"
                "    d = {}\n"
                "    for i in range(20000): d[i % 500] = 'x' * (i % 3000); json.loads(json.dumps([i] * (i % 9)))\n"
                "    del d; gc.collect()\n"
                "threads = [threading.Thread(target=work, args=(i,)) for i in range(4)]\n"
                "[t.start() for t in threads]; [t.join() for t in threads]\n"
                "print(sys.getsizeof([]) > 0)\n")
        for rate in ("1", "100", "524288"):
            run = subprocess.run([PYTHON, "-c", code], capture_output=True, text=True, check=False,
                                 env=dict(os.environ, LD_PRELOAD=SHIM, SONDE_ALLOC_PYTHON="1", SONDE_ALLOC_RATE=rate))
            self.assertEqual((run.returncode, run.stdout, run.stderr), (0, "True\n", ""))


if __name__ == "__main__":
    unittest.main()
