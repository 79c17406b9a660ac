# SPDX-License-Identifier: GPL-2.0-only
# TOGETHER: what its own programs lose by the clock, whoever else runs
"""test_alloc_leaks.py - `sonde alloc` calls a leak a leak, and nothing else: programs that lose memory beside caches, a warm-up, churn
and a heap that is torn apart; the gate; what has changed since another run."""

import json
import os
import subprocess
import sys
import time
import unittest

import sonderun
from sonderun import TOP

SECONDS = 58
BOUNDED = "lru fill warm frag churn".split()


def setUpModule():
    why = sonderun.why_not()
    if why:
        raise unittest.SkipTest(why)


def line_of(text):
    """Where the program says so."""
    with open(os.path.join(TOP, "tests/e2e/programs/alloc_leaks.c")) as file:
        return next(n for n, line in enumerate(file, 1) if text in line)


class Leaks(sonderun.TestCase):
    def run_modes(self, seconds, modes, *args, out="json"):
        """All at once, each a process; (run, {pid: mode})"""
        program = sonderun.program("alloc_leaks")
        script = "".join("%s %s %s %d & echo $! %s >&3\n" % ("SONDE_ALLOC_RATE=65536" if fine else "", program, mode, seconds + 6, mode)
                         for mode, fine in modes)
        pids = os.path.join(self.dir, "pids")
        run = sonderun.Run("alloc", "-d", str(seconds), *args, out=out, timeout=seconds + 60,
                           argv=["bash", "-c", "exec 3>%s\n%swait" % (pids, script)])
        with open(pids) as file:
            return run, {int(line.split()[0]): line.split()[1] for line in file}

    def test_verdicts(self):
        """200 KB/s among 100,000 allocations a second within a minute at the default rate: called in 99 of 100 runs (test_leak.c), so of five
        four at least. Nothing else is."""
        modes = [("leak", False)] * 5 + [("ways", True)] + [(mode, False) for mode in BOUNDED]
        run, pids = self.run_modes(SECONDS, modes, "--fail-on", "leak")
        self.assertEqual(run.code, 5, run.err)
        self.assertIn("of --fail-on leak", run.err)
        findings = run.doc["findings"]
        told = {(pids.get(f["pid"]), f["site"][0]) for f in findings}
        place = "leak_here alloc_leaks.c:%d" % line_of("malloc(1000); /* lost */")
        for mode, site in told:
            self.assertIn(mode, ("leak", "ways"), findings)
            self.assertIn(site.split(":")[0], place)
            self.assertLessEqual(abs(int(site.split(":")[1]) - int(place.split(":")[1])), 2)  # the line, or that of the store behind it
        self.assertIn("ways", {mode for mode, _ in told}, run.doc["allocations"])
        self.assertGreaterEqual(sum(pids[f["pid"]] == "leak" for f in findings), 4, findings)
        for finding in findings:
            self.assertEqual(finding["kind"], "leak")
            self.assertEqual(finding["scope"]["kind"], "process")
            slope = finding["slope_bytes_per_hour"]
            self.assertGreater(slope["low"], 0)
            self.assertLess(slope["low"], slope["estimate"])
            # 3.5 standard errors of the truth: the interval of 95 % is 1.96 wide on each side.
            self.assertLess(abs(slope["estimate"] - 200e3 * 3600), (slope["high"] - slope["low"]) / 2 * 3.5 / 1.96 + 4e7)
            self.assertEqual(finding["old_freed_share"], 0)
            self.assertGreater(finding["oldest_ns"], SECONDS / 2 * 1e9)
            self.assertEqual(finding["oldest_bytes"], 1000)
            self.assertIn("leak_here", finding["suggestion"])
        ways = next(f for f in findings if pids[f["pid"]] == "ways")
        self.assertIn(ways["paths"], (2, 3))  # the place in the code, whoever calls it; a stack of the first moment may be cut
        self.assertEqual(ways["confidence"], "high")
        verdicts = {}  # a stack that was cut in the first moment has too few samples for one
        for row in run.doc["allocations"]:
            if "verdict" in row:
                verdicts.setdefault((pids.get(row["pid"]), row.get("function")), set()).add(row["verdict"])
        for place, may_be in ((("lru", "lru_here"), {"cache", "churn"}), (("frag", "frag_here"), {"cache", "churn"}),
                              (("churn", "churn_here"), {"churn"}), (("fill", "keep_here"), {"cache", "steady"}),
                              (("warm", "keep_here"), {"cache", "steady"})):
            self.assertTrue(verdicts[place] <= may_be, (place, verdicts[place]))

    def test_bounded(self):
        """More samples, fewer seconds: nothing is called, the gate is passed, and the stacks that leak are none."""
        folded = os.path.join(self.dir, "folded")
        run, _ = self.run_modes(24, [(mode, True) for mode in BOUNDED], "--rate", "64k", "--fail-on", "leak", "--window", "2", "--value",
                                "leak_space", "--folded", folded, out="text")
        self.assertEqual(run.code, 0, run.err)
        self.assertRegex(run.out, r"\nleaks: 0, .*cache: \d.* readings 2.00s apart\n")
        self.assertNotIn("LEAK ", run.out)
        with open(folded) as file:
            self.assertEqual([line for line in file if not line.endswith(" 0\n")], [])

    def test_text(self):
        """A leak in words, and as a flame graph of nothing else; and what has changed since a run without it."""
        folded, before = os.path.join(self.dir, "folded"), os.path.join(self.dir, "before.json")
        run, _ = self.run_modes(12, [("churn", True)] * 2, "--window", "1", "--output", before)
        self.assertEqual(run.code, 0, run.err)
        run, _ = self.run_modes(12, [("leak", True), ("leak", True)], "--window", "1", "--value", "leak_space", "--folded", folded,
                                "--baseline", before, out="text")
        self.assertEqual(run.code, 0, run.err)
        self.assertRegex(run.out, r"LEAK  alloc_leaks\[\d+\]   \+[\d.]+[MG]iB/h \([\d.]+MiB to [\d.]+[MG]iB\)   confidence \w+\n"
                                  r" +at +leak_here alloc_leaks.c:\d+ <- one_way alloc_leaks.c:\d+ <- [^\n]*main alloc_leaks.c:\d+[^\n]*\n"
                                  r" +kept .* of .* allocated there \(100%\), evenly over ")
        self.assertRegex(run.out, r"of those older than [\d.]+s, [\d.]+[KM]iB, none was freed\n +do +free what leak_here allocates")
        self.assertRegex(run.out, r"since the baseline \(1\d\.\ds, then 1\d\.\ds\): \d+ of \d+ call sites have changed")
        self.assertRegex(run.out, r"alloc_leaks +leak_here \(alloc_leaks.c:\d+\)\n")
        with open(folded) as file:
            heavy = [line for line in file if not line.endswith(" 0\n")]
        self.assertTrue(heavy and all(";leak_here " in line for line in heavy), heavy)

    def test_exact(self):
        """1 KB/s, an object a second, within a minute where every call is watched; beside it a cache and a heap that is torn apart."""
        if "--exact" not in sonderun.Run("alloc", "--help", out=None).out:
            self.skipTest("sonde alloc has no --exact")
        program = sonderun.program("alloc_leaks")
        modes = {}
        for mode in ("slow", "lru", "frag", "warm"):
            process = subprocess.Popen([program, mode, "75"])
            modes[process.pid] = mode
            self.addCleanup(process.wait)
            self.addCleanup(process.kill)
        time.sleep(0.5)
        run = sonderun.Run("alloc", "--exact", "--budget", "100", "-p", ",".join(map(str, modes)), "-d", "45", "--fail-on", "leak",
                           timeout=90)
        self.assertEqual(run.code, 5, run.err)
        self.assertEqual([modes[f["pid"]] for f in run.doc["findings"]], ["slow"], run.doc["findings"])
        slope = run.doc["findings"][0]["slope_bytes_per_hour"]
        self.assertLess(abs(slope["estimate"] - 3600e3), 3600e3 * 0.1)  # nothing was left out
        self.assertLess(slope["low"], 3600e3)

    def test_end(self):
        """What a program frees on its way out was not freed before: it is judged as it was. Of 56 readings fewer are kept."""
        folded = os.path.join(self.dir, "folded")
        run = sonderun.Run("alloc", "--window", "0.5", "--rate", "64k", "--value", "leak_space", "--folded", folded,
                           argv=[sonderun.program("alloc_leaks"), "tidy", "28"])
        self.assertEqual(run.code, 0, run.err)
        self.assertEqual([f["site"][0].split()[0] for f in run.doc["findings"]], ["keep_here"], run.doc["allocations"])
        finding = run.doc["findings"][0]
        self.assertGreater(finding["live_bytes"], 8e6)
        readings = finding["readings"]
        self.assertTrue(23 < len(readings) <= 48, readings)
        self.assertEqual([r["unix_ns"] for r in readings], sorted(r["unix_ns"] for r in readings))
        self.assertGreater(readings[-1]["live_bytes"], 1.5 * readings[len(readings) // 2]["live_bytes"])
        self.assertGreater(readings[-1]["unix_ns"] - readings[0]["unix_ns"], 20e9)
        row = next(r for r in run.doc["allocations"] if r.get("function") == "keep_here")
        self.assertEqual((row["verdict"], row["live_bytes"]), ("leak", 0))
        with open(folded) as file:
            weights = {line.rsplit(";", 1)[1].split()[0]: int(line.rsplit(" ", 1)[1]) for line in file if not line.endswith(" 0\n")}
        self.assertEqual(weights, {"keep_here": finding["live_bytes"]})

    def test_way_out(self):
        """A reading that meets a program as it has freed all, before it ends, is none."""
        os.environ["LATE_MS"] = "1700"
        self.addCleanup(os.environ.pop, "LATE_MS")
        run = sonderun.Run("alloc", "--window", "2", "--rate", "64k", argv=[sonderun.program("alloc_leaks"), "late", "17"])
        self.assertEqual(run.code, 0, run.err)
        self.assertEqual([f["site"][0].split()[0] for f in run.doc["findings"]], ["keep_here"], run.doc["allocations"])
        self.assertGreater(run.doc["findings"][0]["live_bytes"], 7e6)

    def test_runtime(self):
        """Whose heap is not seen is said."""
        run = sonderun.Run("alloc", "--rate", "16k", argv=[sys.executable, "-c", "l = [bytes(4000) for _ in range(20000)]"])
        self.assertEqual(run.code, 0, run.err)
        self.assertEqual(run.doc["allocation_totals"][0]["runtime"], "CPython")
        self.assertIn("PYTHONMALLOC=malloc", run.doc["allocation_totals"][0]["invisible"])

    def test_wrong_use(self):
        bad = os.path.join(self.dir, "bad")
        with open(bad, "w") as file:
            json.dump({"schema": "sonde/1", "queries": []}, file)
        for args, code, words in ((["--fail-on", "n_plus_one"], 2, "is none of leak"), (["--window", "1ms"], 2, "--window"),
                                  (["--baseline", bad], 1, "is no report of `sonde alloc -o json`"),
                                  (["--baseline", self.dir + "/none"], 1, "cannot read")):
            run = sonderun.Run("alloc", *args, out=None, argv=["true"])
            self.assertEqual(run.code, code, run.err)
            self.assertIn(words, run.err)
        run = sonderun.Run("alloc", "--fail-on", "leak", out=None, argv=["true"])
        self.assertEqual(run.code, 0)
        self.assertIn("too short to be judged", run.err)


if __name__ == "__main__":
    unittest.main()
