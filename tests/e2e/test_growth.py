# SPDX-License-Identifier: GPL-2.0-only
# TOGETHER: counts, of its own processes
# ALONE: test_untraced: compares times
"""test_growth.py - `sonde alloc --growth` beside /proc and beside a program that says what it has touched and given back."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
import unittest

import pg
import sonderun
from sonderun import PATIENCE, SONDE

MIB = 1 << 20
PAGE = os.sysconf("SC_PAGESIZE")


def setUpModule():
    why = sonderun.why_not()
    if why:
        raise unittest.SkipTest(why)


def truth_of(out):
    """{function: (grown, returned, mapped, unmapped)} in bytes"""
    lines = re.findall(r"^(\w+) (\d+) (\d+) (\d+) (\d+)$", out, re.M)
    return {name: tuple(int(n) for n in numbers) for name, *numbers in lines}


def status(pid):
    with open("/proc/%d/status" % pid) as file:
        return {key: int(kb) * 1024 for key, kb in re.findall(r"^(\w+):\s+(\d+) kB$", file.read(), re.M)}


def rollup(pid):
    with open("/proc/%d/smaps_rollup" % pid) as file:
        return {key: int(kb) * 1024 for key, kb in re.findall(r"^(\w+):\s+(\d+) kB$", file.read(), re.M)}


def heap(pid):
    with open("/proc/%d/maps" % pid) as file:
        for line in file:
            if line.endswith("[heap]\n"):
                start, end = line.split()[0].split("-")
                return int(end, 16) - int(start, 16)
    return 0


def by_function(doc, pid=None):
    """{truth function: sums of the rows it is in}: a helper's pages are its caller's."""
    sums = {}
    for row in doc["growth"]:
        if pid and row["pid"] != pid:
            continue
        name = next((f for f in row["site"] if f.startswith("truth_") or f == "forks"), row.get("function", "?"))
        into = sums.setdefault(name, {})
        for key, value in row.items():
            if isinstance(value, int) and key not in ("pid", "line"):
                into[key] = into.get(key, 0) + value
        for call, count in row["calls"].items():
            into[call] = into.get(call, 0) + count
    return sums


class Target:
    """growth_truth, which waits for a word."""

    def __init__(self, *args):
        self.proc = subprocess.Popen([sonderun.program("growth_truth"), *args], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                     text=True)
        self.pid = self.proc.pid
        assert self.proc.stdout.readline() == "ready\n"

    def go(self):
        """It works; what it says."""
        self.proc.stdin.write("go\n")
        self.proc.stdin.flush()
        lines = []
        while "done\n" not in lines:
            lines.append(self.proc.stdout.readline())
            assert lines[-1], lines
        return truth_of("".join(lines))

    def end(self):
        self.proc.kill()
        self.proc.wait()
        self.proc.stdin.close()
        self.proc.stdout.close()


class Growth(sonderun.TestCase):
    def target(self, *args):
        target = Target(*args)
        self.addCleanup(target.end)
        return target

    def watch(self, *args):
        run = pg.Sonde("--growth", *args, command="alloc")
        self.addCleanup(run.__exit__)
        return run

    def stop(self, run):
        run.proc.send_signal(signal.SIGINT)
        code, out, err = run.wait()
        self.assertEqual(code, 0, err)
        return json.loads(out)

    def memory(self, doc, pid):
        rows = [p for p in doc["memory"] if p["pid"] == pid]
        self.assertEqual(len(rows), 1, doc["memory"])
        return rows[0]

    def assert_memory(self, found, pid):
        """What the process has is what the kernel says it has. The kernel's own numbers are rough before Linux 6.17, smaps is exact."""
        truth, sums = status(pid), rollup(pid)
        slack = 64 * PAGE
        self.assert_near(found["rss_bytes"], sums["Rss"], 0.001, slack)
        self.assert_near(found["anonymous_bytes"], sums["Anonymous"], 0.01, slack)
        self.assertEqual(found["virtual_bytes"], truth["VmSize"])
        self.assertEqual(found["heap_bytes"], heap(pid))
        self.assertEqual(found["swap_bytes"], truth["VmSwap"])

    def test_truth(self):
        """By function, by process, by mapping."""
        target = self.target("all")
        run = self.watch("-p", str(target.pid))
        before = rollup(target.pid)
        truth = target.go()
        time.sleep(0.5)  # mappings have names as long as their process lives
        after = rollup(target.pid)
        doc = self.stop(run)
        self.assertEqual(doc["coverage"]["lost"], {})
        self.assertEqual(doc["coverage"]["seen"], doc["coverage"]["attributed"])
        found = by_function(doc)
        for name, (grown, returned, mapped, unmapped) in truth.items():
            row = found.get(name, {})
            self.assert_near(row.get("grown_bytes", 0), grown, 0.05, 256 << 10)
            self.assert_near(row.get("returned_bytes", 0), returned, 0.05, 256 << 10)
            self.assert_near(row.get("mapped_bytes", 0), mapped, 0.05, 256 << 10)
            self.assert_near(row.get("unmapped_bytes", 0), unmapped, 0.05, 256 << 10)
        memory = self.memory(doc, target.pid)
        self.assert_memory(memory["now"], target.pid)
        self.assert_near(memory["start"]["rss_bytes"], before["Rss"], 0.01, 64 * PAGE)
        # Sums of a process are exact: what came less what went is what is more.
        self.assertEqual(memory["grown_bytes"] - memory["returned_bytes"],
                         memory["now"]["rss_bytes"] - memory["start"]["rss_bytes"])
        self.assert_near(memory["grown_bytes"], sum(t[0] for t in truth.values()), 0.02)
        self.assert_near(memory["returned_bytes"], sum(t[1] for t in truth.values()), 0.02)
        self.assertEqual(memory["calls"]["mremap"], 1)
        self.assertEqual(found["truth_churn"]["mmap"], 50)
        self.assertEqual(found["truth_churn"]["munmap"], 50)
        self.assertGreaterEqual(memory["peak_bytes"], max(p["rss_bytes"] for p in memory["series"]))
        self.assertGreater(memory["slope_bytes_per_s"], 0)
        if "truth_huge" in truth:
            self.assertEqual(memory["huge_pages"]["start_bytes"], before["AnonHugePages"])
            self.assertEqual(memory["huge_pages"]["now_bytes"], after["AnonHugePages"])
            self.assertEqual(memory["huge_pages"]["grown_bytes"], after["AnonHugePages"] - before["AnonHugePages"])
            self.assertEqual(found["truth_huge"]["huge_bytes"], memory["huge_pages"]["grown_bytes"])
        self.check_mappings(doc, memory, truth)

    def check_mappings(self, doc, memory, truth):
        mappings = {m["name"]: m for m in memory["mappings"]}
        if os.uname().machine != "x86_64":
            return  # no address without the tracepoints of page faults
        self.assert_near(mappings["[heap]"]["grown_bytes"], truth["truth_kept"][0] + truth["truth_brk"][0], 0.05)
        file = [m for name, m in mappings.items() if "/growth-truth-" in name]
        self.assertEqual(len(file), 1, mappings)
        # One stack stands for 80 pages at most, and each of two processors may have counted so many for the next one.
        self.assert_near(file[0]["grown_bytes"], truth["truth_file"][0], 0.05, 2 * 80 * PAGE)
        rows = {row["function"]: row for row in reversed(doc["growth"]) if "function" in row}  # the largest of a name
        self.assertEqual(rows["truth_kept"]["mapping"], "[heap]")
        self.assertIn("main", rows["truth_kept"]["site"])
        with open(os.path.join(sonderun.TOP, "tests/e2e/programs/growth_truth.c")) as source:
            line = source.read().splitlines()[rows["truth_kept"]["line"] - 1]
        self.assertRegex(line, r"malloc\(SIZE\)|p\[0\]")

    def test_threads(self):
        target = self.target("threads")
        run = self.watch("-p", str(target.pid))
        truth = target.go()
        doc = self.stop(run)
        self.assert_near(by_function(doc)["truth_thread"]["grown_bytes"], truth["truth_thread"][0], 0.05)
        self.assert_memory(self.memory(doc, target.pid)["now"], target.pid)

    def test_program(self):
        """A program from its first instruction, and its child."""
        report = os.path.join(self.dir, "report.json")
        run = sonderun.Run("alloc", "--growth", "-o", "json", "--output", report, out=None,
                           argv=[sonderun.program("growth_truth"), "fork", "alone"])
        self.assertEqual(run.code, 0, run.err)
        with open(report) as file:
            doc = json.load(file)
        truth = truth_of(run.out)
        self.assertEqual([p["process"] for p in doc["memory"]], ["growth_truth"] * 2)
        self.assertTrue(all(p["ended"] for p in doc["memory"]))
        found = by_function(doc)
        self.assert_near(found["forks"]["grown_bytes"], truth["forks"][0], 0.05, MIB)
        self.assert_near(found["truth_map"]["grown_bytes"], truth["truth_map"][0], 0.05, MIB)
        child = next(row["pid"] for row in doc["growth"] if "truth_map" in row["site"])
        memory = self.memory(doc, child)
        self.assertGreater(memory["start"]["rss_bytes"], truth["forks"][0])  # its parent's
        self.assert_near(memory["now"]["anonymous_bytes"] - memory["start"]["anonymous_bytes"], truth["truth_map"][0], 0.05)

    def test_filter(self):
        """Only who was asked for."""
        one, other = self.target("all"), self.target("all")
        run = self.watch("-p", str(one.pid))
        one.go()
        other.go()
        doc = self.stop(run)
        self.assertEqual({row["pid"] for row in doc["growth"]}, {one.pid})
        self.assertEqual([p["pid"] for p in doc["memory"]], [one.pid])
        run = self.watch("-c", "growth_truth")
        third = self.target("all")
        truth = third.go()
        doc = self.stop(run)
        self.assertLessEqual({p["process"] for p in doc["memory"]}, {"growth_truth"})
        self.assert_near(by_function(doc, third.pid)["truth_map"]["grown_bytes"], truth["truth_map"][0], 0.05, 256 << 10)
        self.assertEqual(self.memory(doc, other.pid)["grown_bytes"], 0)

    def test_target_killed(self):
        target = self.target("all")
        run = self.watch("-p", str(target.pid))
        truth = target.go()
        target.proc.kill()
        code, out, err = run.wait()
        self.assertEqual(code, 0, err)
        doc = json.loads(out)
        memory = self.memory(doc, target.pid)
        self.assertTrue(memory["ended"])
        # Giving everything back at the end is nobody's.
        self.assert_near(memory["returned_bytes"], sum(t[1] for t in truth.values()), 0.02)
        self.assertGreater(memory["now"]["rss_bytes"], 100 * MIB)

    def test_sonde_killed(self):
        target = self.target("all")
        run = self.watch("-p", str(target.pid))
        run.proc.kill()
        run.proc.communicate()
        self.assertIn("truth_map", target.go())
        run = self.watch("-p", str(target.pid))
        doc = self.stop(run)
        memory = self.memory(doc, target.pid)
        self.assertEqual(memory["grown_bytes"], 0)
        self.assert_memory(memory["now"], target.pid)

    def test_python(self):
        """A real program: its own figures of what its lists take."""
        code = ("import sys, time\n"
                "sys.stdin.readline()\n"
                "def fill():\n"
                "    return [bytes(5000) for _ in range(8000)]\n"
                "kept = fill()\n"
                "print(sum(map(sys.getsizeof, kept)), flush=True)\n"
                "sys.stdin.readline()\n")
        proc = subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.addCleanup(proc.stdout.close)
        self.addCleanup(proc.stdin.close)
        self.addCleanup(proc.wait)
        self.addCleanup(proc.kill)
        time.sleep(0.5)
        run = self.watch("-p", str(proc.pid))
        proc.stdin.write("go\n")
        proc.stdin.flush()
        size = int(proc.stdout.readline())
        doc = self.stop(run)
        memory = self.memory(doc, proc.pid)
        self.assert_memory(memory["now"], proc.pid)
        self.assert_near(memory["grown_bytes"], size, 0.1, 2 * MIB)
        rows = [r for r in doc["growth"] if r["grown_bytes"] > MIB]
        self.assertGreater(sum(r["grown_bytes"] for r in rows), 0.8 * size)
        for row in rows:
            self.assertRegex(" ".join(row["site"][-4:]), r"main|_start")

    def test_untraced(self):
        """Processes that were not asked for run on as they did: a storm of page faults takes no more than a third longer."""
        faults = os.path.join(sonderun.OUT, "tests/bench/faults")
        subprocess.run(["make", "-s", "O=" + sonderun.OUT, faults], cwd=sonderun.TOP, check=True,
                       stdout=subprocess.DEVNULL)
        alone, beside = [], []

        def storm():
            return float(subprocess.run([faults, "faults", "100000"], input="\n", capture_output=True, text=True, check=True).stdout)

        for _ in range(5):
            alone.append(storm())
            run = self.watch("-p", str(os.getpid()))
            beside.append(storm())
            self.stop(run)
        # The fastest of each: whatever else runs only adds.
        self.assertLess(min(beside), 1.33 * min(alone), (alone, beside))

    def test_files(self):
        folded, svg, pprof = (os.path.join(self.dir, f) for f in ("f", "f.svg", "p.pb.gz"))
        target = self.target("all")
        run = self.watch("-p", str(target.pid), "--folded", folded, "--flame", svg, "--pprof", pprof)
        target.go()
        doc = self.stop(run)
        with open(folded) as file:
            lines = [line.rsplit(" ", 1) for line in file.read().splitlines()]
        weighed = sum(int(weight) for stack, weight in lines if ";truth_map" in stack)
        self.assertEqual(weighed, by_function(doc)["truth_map"]["grown_bytes"])
        with open(svg) as file:
            self.assertIn("truth_map", file.read())
        if not shutil.which("go"):
            self.skipTest("needs go tool pprof")
        for value, key in (("grown_space", "grown_bytes"), ("returned_space", "returned_bytes"), ("mapped_space", "mapped_bytes")):
            top = subprocess.run(["go", "tool", "pprof", "-top", "-cum", "-nodefraction=0", "-unit=B", "-sample_index=" + value, pprof],
                                 capture_output=True, text=True, check=True,
                                 env=dict(os.environ, HOME=self.dir, GOFLAGS="", GOTOOLCHAIN="local"))
            flat = re.search(r"^.* (\d+)B? +[\d.]+%  truth_churn$", top.stdout, re.M)
            self.assertEqual(int(flat[1]), by_function(doc)["truth_churn"][key], top.stdout)

    def test_text(self):
        target = self.target("all")
        run = pg.Sonde("-p", str(target.pid), command="alloc", out="text")  # without --growth: it is the default
        self.addCleanup(run.__exit__)
        target.go()
        time.sleep(0.3)
        run.proc.send_signal(signal.SIGINT)
        code, out, err = run.wait()
        self.assertEqual(code, 0, err)
        self.assertRegex(out, r"^sonde alloc: growth of 1 process in .*: \+\d+MiB \(\d+MiB came, \d+MiB went\)")
        self.assertRegex(out, r"%.* (touch|truth_\w+) \(growth_truth.c:\d+\) < ")
        self.assertIn("where memory was touched first", out)
        self.assertIn("sonde alloc -- PROGRAM", out)
        self.assertRegex(out, r"mappings that grew:\n(.*\n)*.*\[heap\]")
        self.assertNotIn("leak", out + err)

    def test_modes(self):
        for args, code, words in ((["--growth", "--sampled"], 2, "exclude each other"),
                                  (["--growth", "--rate", "64k", "--", "true"], 2, "do not go with --growth"),
                                  (["--sampled", "-p", str(os.getpid())], 1, "start the program with `sonde alloc -- PROGRAM`")):
            run = sonderun.Run("alloc", *args, out=None)
            self.assertEqual(run.code, code, run.err)
            self.assertIn(words, run.err)
        shim = os.path.join(sonderun.OUT, "libsonde-alloc.so")
        with subprocess.Popen([sonderun.program("growth_truth"), "all"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
                              env=dict(os.environ, LD_PRELOAD=shim)) as proc:
            proc.stdout.readline()
            for args, key in (([], "allocations"), (["--growth"], "growth")):
                run = sonderun.Run("alloc", "-p", str(proc.pid), "-d", "0.3", *args)
                self.assertEqual(run.code, 0, run.err)
                self.assertIn(key, run.doc)
                self.assertEqual("carries otel_memory probes" in run.err, key == "allocations")
            proc.kill()


if __name__ == "__main__":
    unittest.main()
