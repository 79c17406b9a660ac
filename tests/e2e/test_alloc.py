# SPDX-License-Identifier: GPL-2.0-only
# TOGETHER: counts, of its own processes
# ALONE: Attached test_late_tracer test_adapts: as many a second
"""test_alloc.py - `sonde alloc` beside a program that says what it has allocated, where, and what of it lives."""

import json
import math
import os
import re
import shutil
import signal
import subprocess
import sys
import time
import unittest

import sonderun
from sonderun import OUT, PATIENCE, SONDE

SHIM = os.path.join(OUT, "libsonde-alloc.so")
RUNS = 4
RATE = 512 << 10


def setUpModule():
    why = sonderun.why_not()
    if why:
        raise unittest.SkipTest(why)


def truth_of(out):
    """{function: (bytes, objects, live bytes, live objects)}"""
    lines = re.findall(r"^(\w+) (\d+) (\d+) (\d+) (\d+)$", out, re.M)
    return {name: tuple(int(n) for n in numbers) for name, *numbers in lines}


def by_function(doc):
    """{function: sums of its rows}"""
    return sonderun.add_up(doc["allocations"], lambda row: row.get("function", "?"))


class Alloc(sonderun.TestCase):
    def traced(self, mode, *args):
        """Runs alloc_truth; (document, truth)"""
        report = os.path.join(self.dir, "report.json")
        run = sonderun.Run("alloc", "-o", "json", "--output", report, *args, out=None,
                           argv=[sonderun.program("alloc_truth"), mode])
        self.assertEqual(run.code, 0, run.err)
        with open(report) as file:
            return json.load(file), truth_of(run.out)

    def assert_whole(self, doc):
        self.assertEqual(doc["coverage"]["lost"], {})
        self.assertEqual(doc["coverage"]["seen"], doc["coverage"]["attributed"])
        self.assertGreater(doc["coverage"]["seen"], 0)

    def test_unbiased(self):
        """Of each function and run the estimate is within 3 standard errors but for one; their mean has no bias."""
        distance = {}
        for _ in range(RUNS):
            doc, truth = self.traced("all")
            found = by_function(doc)
            self.assert_whole(doc)
            for name, (total, _objects, live, _live_objects) in truth.items():
                row = found.get(name, {})
                for key, wanted in (("alloc_bytes", total), ("live_bytes", live)):
                    if not wanted:
                        self.assertEqual(row.get(key, 0), 0)
                        continue
                    error = max(row.get(key + "_error", 0), math.sqrt(wanted * RATE) if name != "truth_big" else 1 << 16)
                    distance.setdefault((name, key), []).append((row.get(key, 0) - wanted) / error)
        self.assert_unbiased(distance)

    def test_facts(self):
        doc, truth = self.traced("all")
        found = by_function(doc)
        small, kept, big = found["truth_small"], found["truth_kept"], found["truth_big"]
        self.assertAlmostEqual(small["alloc_bytes"] / small["alloc_objects"], 48, delta=1)
        self.assertAlmostEqual(kept["alloc_bytes"] / kept["alloc_objects"], 20000, delta=20)
        self.assertEqual(big["alloc_objects"], truth["truth_big"][1])  # bigger than the interval by far: each is sampled
        self.assertEqual(small["live_bytes"], 0)
        self.assertEqual(big["live_bytes"], 0)
        self.assertEqual(kept["churn_bytes"], 0)
        self.assertGreater(small["churn_bytes"], 0.8 * small["alloc_bytes"])
        row = next(r for r in doc["allocations"] if r.get("function") == "truth_small")
        self.assertEqual(list(row["objects_by_bytes"]), ["32"])
        self.assertEqual(row["site"][:3], ["truth_small", "all", "main"])
        with open(os.path.join(sonderun.TOP, "tests/e2e/programs/alloc_truth.c")) as file:
            line = file.read().splitlines()[row["line"] - 1]
        self.assertTrue(row["file"].endswith("alloc_truth.c"))
        self.assertRegex(line, r"malloc\(SIZE\)|\*\(volatile char \*\)p = 1")
        total = doc["allocation_totals"][0]
        self.assertGreaterEqual(total["peak_bytes"], total["live_bytes"])
        self.assertEqual(total["alloc_bytes"], sum(r["alloc_bytes"] for r in doc["allocations"]))

    def test_late_tracer(self):
        """A program that is over before sonde gets a processor: it waits at its beginning, so its stacks have names, and are whole."""
        os.environ.update(LD_PRELOAD=sonderun.program("stop_parent"), STOP_PARENT_MS="1200")
        self.addCleanup(os.environ.pop, "STOP_PARENT_MS", None)
        self.addCleanup(os.environ.pop, "LD_PRELOAD", None)
        doc, truth = self.traced("all")
        self.assert_whole(doc)
        self.assertGreater(doc["window"]["duration_ns"], 1.2e9)
        found = by_function(doc)
        self.assertNotIn("?", found)
        for name, (total, *_rest) in truth.items():
            self.assertGreater(found[name]["alloc_bytes"], total / 4)
        sites = {tuple(row["site"][:3]) for row in doc["allocations"] if row["site"][0] != "_IO_file_doallocate"}  # printf()'s buffer
        self.assertEqual(sites, {(name, "all", "main") for name in truth})

    def test_waits_alone(self):
        """Only what sonde itself has started waits for it: not what is started by a program that runs without the library."""
        run = sonderun.Run("alloc", "-o", "json", "--output", os.path.join(self.dir, "report.json"), out=None,
                           argv=[sonderun.program("launch_static"), "4", sonderun.program("alloc_truth"), "threads"])
        self.assertEqual(run.code, 0, run.err)
        took = [int(ms) for ms in re.findall(r"^launched (\d+)$", run.out, re.M)]
        self.assertEqual(len(took), 4, run.out)
        self.assertLess(min(took[1:]), 2000, took)  # a tracer is waited for 3 s; one is ready for the first that has the library

    def test_adapts(self):
        """Asked for far too many samples it takes fewer, and is still right."""
        doc, truth = self.traced("all", "--rate", "4k")
        seconds = doc["window"]["duration_ns"] / 1e9
        self.assertLess(doc["coverage"]["seen"], 1100 * seconds + 1000 * 12)
        self.assertGreater(doc["coverage"]["seen"], 1000)
        row = by_function(doc)["truth_kept"]
        self.assertLess(abs(row["alloc_bytes"] - truth["truth_kept"][0]), 4 * row["alloc_bytes_error"] + (1 << 20))

    def test_threads(self):
        doc, truth = self.traced("threads")
        row = by_function(doc)["truth_thread"]
        self.assert_whole(doc)
        self.assertLess(abs(row["alloc_bytes"] - truth["truth_thread"][0]), 4 * math.sqrt(truth["truth_thread"][0] * RATE))
        self.assertEqual(row["live_bytes"], 0)

    def test_fork(self):
        """What children free of their parent's stays their parent's; what they allocate is theirs."""
        doc, truth = self.traced("fork")
        rows = [r for r in doc["allocations"] if r.get("function") == "truth_kept"]
        self.assert_whole(doc)
        self.assertEqual(len({r["pid"] for r in rows}), 3)
        self.assertEqual([r["live_bytes"] - r["alloc_bytes"] for r in rows], [0, 0, 0])
        parent = by_function(doc)["forks"]
        self.assertEqual(parent["live_bytes"], 0)
        self.assertLess(abs(parent["alloc_bytes"] - truth["forks"][0]), 4 * parent["alloc_bytes_error"])
        samples = [r["samples"] for r in rows]
        self.assertGreater(len(set((r["samples"], r["alloc_objects"]) for r in rows)), 1, samples)  # each draws for itself

    def test_exec(self):
        """Another program begins with an empty heap. What its C library keeps (stdio's buffer, what threads have) may be sampled, rarely."""
        doc, _ = self.traced("exec")
        total = doc["allocation_totals"]
        self.assertEqual(len(total), 1)
        self.assertGreater(total[0]["peak_bytes"], 30 << 20)
        self.assertLess(total[0]["live_bytes"], 3 << 20, doc["allocations"])
        self.assertEqual(by_function(doc)["truth_thread"]["live_bytes"], 0)

    def test_files(self):
        folded, svg, pprof = (os.path.join(self.dir, f) for f in ("f", "f.svg", "p.pb.gz"))
        doc, _ = self.traced("all", "--value", "inuse_space", "--folded", folded, "--flame", svg, "--pprof", pprof)
        found = by_function(doc)
        with open(folded) as file:
            lines = dict(line.rsplit(" ", 1) for line in file.read().splitlines())
        kept = [int(weight) for stack, weight in lines.items() if stack.endswith(";truth_kept")]
        self.assertEqual(kept, [found["truth_kept"]["live_bytes"]])
        self.assertEqual(doc["allocations"][0]["function"], "truth_kept")
        with open(svg) as file:
            self.assertIn("truth_kept", file.read())
        if not shutil.which("go"):
            self.skipTest("needs go tool pprof")
        for value, key in (("alloc_space", "alloc_bytes"), ("alloc_objects", "alloc_objects"),
                           ("inuse_space", "live_bytes"), ("inuse_objects", "live_objects")):
            unit = [] if value.endswith("objects") else ["-unit=B"]
            top = subprocess.run(["go", "tool", "pprof", "-top", "-nodefraction=0", "-sample_index=" + value, *unit,
                                  pprof],
                                 capture_output=True, text=True, check=True,
                                 env=dict(os.environ, HOME=self.dir, GOFLAGS="", GOTOOLCHAIN="local"))
            flat = re.search(r"^ *(\d+)B? .* truth_kept$", top.stdout, re.M)
            self.assertEqual(int(flat[1]), found["truth_kept"][key], top.stdout)

    def test_text(self):
        run = sonderun.Run("alloc", out="text", argv=[sonderun.program("alloc_truth"), "all"])
        self.assertEqual(run.code, 0, run.err)
        self.assertRegex(run.out, r"sonde alloc: \d+MiB in [\d.]+M objects in ")
        self.assertRegex(run.out, r"%.*alloc_truth\[\d+\] +truth_big \(alloc_truth.c:\d+\) < all < main")
        self.assertIn("objects by size:", run.out)
        self.assertIn("freed objects by lifetime:", run.out)

    def test_many_names(self):
        """Of more lines of an interpreter than there is room for those told last are known, and the first that were read in time."""
        run = sonderun.Run("alloc", argv=[sonderun.program("alloc_names"), "50000"])
        self.assertEqual(run.code, 0, run.err)
        rows = {row.get("function"): row["alloc_bytes"] for row in run.doc["allocations"] if row.get("file") == "names.py"}
        self.assertEqual(rows, {"first": 1 << 20, "last": 2 << 20}, run.doc["allocations"])
        self.assertNotIn("alloc_names_full", run.doc["coverage"].get("doubt", {}))

    def test_other_allocators(self):
        for library in sonderun.allocators():
            with self.subTest(library):
                os.environ["LD_PRELOAD"] = library
                self.addCleanup(os.environ.pop, "LD_PRELOAD", None)
                doc, truth = self.traced("all")
                del os.environ["LD_PRELOAD"]
                row = by_function(doc)["truth_half"]
                self.assertLess(abs(row["live_bytes"] - truth["truth_half"][2]), 4.5 * math.sqrt(truth["truth_half"][2] * RATE))

    def test_wrong_use(self):
        for args, code, words in ((["--rate", "0", "--", "true"], 2, "no number of bytes"),
                                  (["--rate", "2g", "--", "true"], 2, "no number of bytes"),
                                  (["--rate", "64k"], 2, "--rate goes with a PROGRAM"),
                                  (["--sampled", "-p", str(os.getpid())], 1, "start the program with `sonde alloc -- PROGRAM`")):
            run = sonderun.Run("alloc", *args, out=None)
            self.assertEqual(run.code, code, run.err)
            self.assertIn(words, run.err)


class Attached(sonderun.TestCase):
    """To a process that runs with the library already."""

    def setUp(self):
        super().setUp()
        self.target = subprocess.Popen([sonderun.program("alloc_truth"), "wait"], stdin=subprocess.PIPE,
                                       stdout=subprocess.PIPE, text=True, env=dict(os.environ, LD_PRELOAD=SHIM))
        self.addCleanup(self.end_target)
        self.assertEqual(self.target.stdout.readline(), "ready\n")

    def end_target(self):
        if self.target.poll() is None:
            self.target.kill()
        self.target.wait()
        self.target.stdin.close()
        self.target.stdout.close()

    def turn(self):
        self.target.stdin.write("go\n")
        self.target.stdin.flush()
        self.assertEqual(self.target.stdout.readline(), "done\n")

    def listens(self):
        """How many tracers have raised the semaphore."""
        symbols = subprocess.run(["readelf", "-n", SHIM], capture_output=True, text=True, check=True).stdout
        at = int(re.search(r"Name: alloc\n.*Semaphore: (0x[0-9a-f]+)", symbols)[1], 16)
        with open("/proc/%d/maps" % self.target.pid) as maps:
            base = min(int(line.split("-")[0], 16) for line in maps if SHIM in line)
        with open("/proc/%d/mem" % self.target.pid, "rb") as memory:
            memory.seek(base + at)
            return int.from_bytes(memory.read(2), sys.byteorder)

    def start(self, *args):
        report = os.path.join(self.dir, "report.json")
        sonde = subprocess.Popen([SONDE, "alloc", "-o", "json", "--output", report, "-p", str(self.target.pid), *args],
                                 stderr=subprocess.PIPE, text=True)
        end = time.monotonic() + 20 * PATIENCE
        while not self.listens() and time.monotonic() < end:
            time.sleep(0.05)
        self.assertEqual(self.listens(), 1)
        time.sleep(0.3)  # the last of what is attached
        return sonde, report

    def stop(self, sonde, report):
        sonde.send_signal(signal.SIGINT)
        _, err = sonde.communicate(timeout=30 * PATIENCE)
        self.assertEqual(sonde.returncode, 0, err)
        with open(report) as file:
            return json.load(file)

    def test_attach(self):
        """Idle, listened to, idle again."""
        self.turn()
        self.assertEqual(self.listens(), 0)
        run = self.start()
        self.turn()
        doc = self.stop(*run)
        self.assertEqual(self.listens(), 0)
        kept = by_function(doc)["truth_kept"]
        self.assertLess(abs(kept["alloc_bytes"] - 60000000), 4 * math.sqrt(60000000 * RATE))  # of this turn alone
        self.assertEqual(kept["live_bytes"], kept["alloc_bytes"])
        self.turn()
        self.target.stdin.close()
        self.assertEqual(self.target.wait(20 * PATIENCE), 0)
        truth = truth_of(self.target.stdout.read())
        self.assertEqual(truth["truth_kept"][1], 9000)

    def test_sonde_killed(self):
        sonde, _ = self.start()
        self.turn()
        sonde.kill()
        sonde.communicate()
        end = time.monotonic() + 10 * PATIENCE
        while self.listens() and time.monotonic() < end:
            time.sleep(0.05)
        self.assertEqual(self.listens(), 0)
        self.turn()
        run = self.start()
        self.turn()
        self.assertGreater(self.stop(*run)["coverage"]["seen"], 100)
        self.target.stdin.close()
        self.assertEqual(self.target.wait(20 * PATIENCE), 0)

    def test_target_killed(self):
        sonde, report = self.start()
        self.turn()
        time.sleep(0.3)
        self.target.kill()
        _, err = sonde.communicate(timeout=30 * PATIENCE)
        self.assertEqual(sonde.returncode, 0, err)
        with open(report) as file:
            doc = json.load(file)
        self.assertIn("truth_kept", by_function(doc))
        self.assertGreater(doc["allocation_totals"][0]["live_bytes"], 20 << 20)


class Library(unittest.TestCase):
    """Nobody listens: programs do what they do without it."""

    def test_programs(self):
        code = ("import threading, subprocess, sys\n"
                "def work(n):\n"
                "    d = {}\n"
                "    for i in range(20000): d[i % 500] = 'x' * (i % 3000)\n"
                "    return len(d)\n"
                "threads = [threading.Thread(target=work, args=(i,)) for i in range(4)]\n"
                "[t.start() for t in threads]; [t.join() for t in threads]\n"
                "print(subprocess.run(['sh', '-c', 'echo sub | sort'], capture_output=True).stdout)\n")
        for setting in ({}, {"PYTHONMALLOC": "malloc"}, {"SONDE_ALLOC_RATE": "1"}):
            run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False,
                                 env=dict(os.environ, LD_PRELOAD=SHIM, **setting))
            self.assertEqual((run.returncode, run.stdout, run.stderr), (0, "b'sub\\n'\n", ""))

    def test_fast_path(self):
        """malloc() is a count, a branch and a jump; nothing stands below the stack pointer."""
        if os.uname().machine != "x86_64":
            self.skipTest("x86-64 code")
        for function, most in (("malloc", 4), ("free", 9)):
            code = subprocess.run(["objdump", "-d", "--no-show-raw-insn", "--disassemble=" + function, SHIM],
                                  capture_output=True, text=True, check=True).stdout
            instructions = re.findall(r"^ +[0-9a-f]+:\t(.*)$", code, re.M)
            self.assertLessEqual(len(instructions), most, code)
            self.assertRegex(instructions[-1], r"^jmp +\*")
            self.assertNotRegex(code, r"-0x[0-9a-f]+\(%rsp\)|call")


if __name__ == "__main__":
    unittest.main()
