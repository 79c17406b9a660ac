# SPDX-License-Identifier: GPL-2.0-only
# TOGETHER: counts, of its own processes
# ALONE: Governor: compares rates and processor time
"""test_alloc_exact.py - `sonde alloc --exact`: to the byte what a program says it has allocated, and never dearer than allowed."""

import glob
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
import unittest

import sonderun
from sonderun import PATIENCE, SONDE
from test_alloc import by_function, truth_of

NUMBERS = ("alloc_bytes", "alloc_objects", "live_bytes", "live_objects")
EVERYTHING = ("small", "kept", "half", "realloc", "refused", "aligned", "pages", "nothing", "library", "kept", "drop")
ANY = "10000"  # a budget that nothing exceeds


def setUpModule():
    why = sonderun.why_not()
    if why:
        raise unittest.SkipTest(why)


class Target:
    """alloc_exact, or another program that answers lines."""

    def __init__(self, test, argv=None, env=None):
        self.proc = subprocess.Popen(argv or [sonderun.program("alloc_exact")], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                     text=True, env=dict(os.environ, **(env or {})))
        self.pid = self.proc.pid
        test.addCleanup(self.end)
        assert self.proc.stdout.readline() == "ready\n"

    def tell(self, *commands):
        """What it says to them."""
        said = []
        for command in commands:
            self.proc.stdin.write(command + "\n")
            self.proc.stdin.flush()
            while True:
                line = self.proc.stdout.readline()
                if line in ("done\n", ""):
                    break
                said.append(line)
        return "".join(said)

    def truth(self):
        return truth_of(self.tell("print"))

    def end(self):
        if self.proc.poll() is None:
            self.proc.kill()
        self.proc.wait()
        self.proc.stdin.close()
        self.proc.stdout.close()

    def cpu_ns(self):
        total = 0
        for path in glob.glob("/proc/%d/task/*/schedstat" % self.pid):
            with open(path) as file:
                total += int(file.read().split()[0])
        return total

    def patched(self):
        """Whether the code of free() in memory is not that of its file: a breakpoint is in it."""
        with open("/proc/%d/maps" % self.pid) as maps:
            line = next(line for line in maps if re.search(r" r-xp .*/libc\.so\.6", line))
        start, end, offset = (int(n, 16) for n in re.match(r"(\w+)-(\w+) \S+ (\w+)", line).groups())
        with open("/proc/%d/mem" % self.pid, "rb") as memory, open(line.split()[-1], "rb") as file:
            memory.seek(start)
            file.seek(offset)
            return memory.read(end - start) != file.read(end - start)


class Tracer:
    """sonde alloc --exact on a process, from when it traces on."""

    def __init__(self, test, pid, *args, budget=ANY, env=None):
        self.report = os.path.join(test.dir, "report.json")
        self.proc = subprocess.Popen([SONDE, "alloc", "--exact", "-v", "-p", str(pid), "--budget", budget, "-o", "json",
                                      "--output", self.report, *args],
                                     stderr=subprocess.PIPE, text=True, env=dict(os.environ, **(env or {})))
        test.addCleanup(self.kill)
        self.err = ""
        while not self.err.endswith("tracing\n"):
            line = self.proc.stderr.readline()
            if not line:
                self.proc.wait()
                raise AssertionError("sonde ended with %d: %s" % (self.proc.returncode, self.err))
            self.err += line

    def kill(self):
        if self.proc.poll() is None:
            self.proc.kill()
        self.proc.wait()
        self.proc.stderr.close()

    def end(self, code=0, stop=True):
        """The report."""
        if stop:
            self.proc.send_signal(signal.SIGINT)
        self.err += self.proc.stderr.read()
        self.proc.wait(60 * PATIENCE)
        assert self.proc.returncode == code, (self.proc.returncode, self.err)
        with open(self.report) as file:
            return json.load(file)


def predicted(text):
    return float(re.search(r"predicted ([\d.]+) % of one CPU", text)[1])


class Exact(sonderun.TestCase):
    def assert_equal(self, doc, truth):
        """Of each function: bytes and objects, allocated and live."""
        found = by_function(doc)
        self.assertEqual({name: tuple(found.get(name, {}).get(key, 0) for key in NUMBERS) for name in truth}, truth)
        self.assertEqual(doc["coverage"]["lost"], {})
        self.assertEqual(doc["coverage"]["seen"], doc["coverage"]["attributed"])
        self.assertNotIn("alloc_unpaired", doc["coverage"].get("doubt", {}))
        self.assertEqual(doc["exact"]["state"], "complete")

    def traced(self, *commands, before=(), argv=None, env=None):
        target = Target(self, argv, env)
        target.tell(*before, "reset")
        tracer = Tracer(self, target.pid)
        target.tell(*commands)
        truth = target.truth()
        doc = tracer.end()
        self.assertTrue(truth)
        return doc, truth

    def test_everything(self):
        """Attached in the middle: what was allocated before is not counted, nor is that it is freed or grows."""
        doc, truth = self.traced("forget", "old", *EVERYTHING, before=("kept", "kept", "make_old"))
        self.assert_equal(doc, truth)
        self.assertEqual(len(truth), 10)
        # The objects of one kept, what old was before, and what the threads' caches of the C library give back.
        self.assertGreaterEqual(doc["coverage"]["work"]["alloc_freed_before"], 1001)
        self.assertLess(doc["coverage"]["work"]["alloc_freed_before"], 1050)
        total = doc["allocation_totals"][0]
        self.assertEqual(total["live_bytes"], sum(row[2] for row in truth.values()))
        self.assertEqual(total["alloc_bytes"], sum(row[0] for row in truth.values()))
        self.assertGreaterEqual(total["peak_bytes"], total["live_bytes"])
        self.assertEqual(sum(row["alloc_bytes_error"] + row["live_bytes_error"] for row in doc["allocations"]), 0)

    def test_sites(self):
        """Stacks begin with the call, lines are right; the flame graph's weights are the bytes that live."""
        folded = os.path.join(self.dir, "folded")
        target = Target(self)
        tracer = Tracer(self, target.pid, "--folded", folded, "--value", "inuse_space")
        target.tell("kept", "aligned")
        truth = target.truth()
        doc = tracer.end()
        row = next(r for r in doc["allocations"] if r.get("function") == "truth_kept")
        self.assertEqual(row["site"][0], "truth_kept")
        self.assertIn("main", row["site"])
        with open(os.path.join(sonderun.TOP, "tests/e2e/programs/alloc_exact.c")) as file:
            self.assertIn("= malloc(100 + i);", file.read().splitlines()[row["line"] - 1])
        with open(folded) as file:
            lines = [line.rsplit(" ", 1) for line in file.read().splitlines()]
        for name, numbers in truth.items():
            self.assertEqual(sum(int(weight) for stack, weight in lines if stack.endswith(";" + name)), numbers[2])

    def test_threads(self):
        self.assert_equal(*self.traced("threads", "small"))

    def test_handover(self):
        """Addresses that one thread frees and another gets at once."""
        self.assert_equal(*self.traced("handover"))

    def test_fork(self):
        """Children free what they have of their parent's."""
        doc, truth = self.traced("kept", "forks", "small")
        self.assert_equal(doc, truth)
        self.assertEqual(len({row["pid"] for row in doc["allocations"]}), 1)

    def test_two_processes(self):
        targets = [Target(self), Target(self)]
        tracer = Tracer(self, "%d,%d" % tuple(t.pid for t in targets))
        targets[0].tell("kept", "half")
        targets[1].tell("kept", "threads", "drop")
        doc = tracer.end()
        for target in targets:
            rows = {"allocations": [row for row in doc["allocations"] if row["pid"] == target.pid]}
            found = by_function(rows)
            for name, numbers in target.truth().items():
                self.assertEqual(tuple(found[name][key] for key in NUMBERS), numbers)

    def test_exec(self):
        """Another program begins with an empty heap, and is counted from its first call on."""
        target = Target(self)
        tracer = Tracer(self, target.pid)
        target.tell("kept", "half")
        time.sleep(0.5)
        target.proc.stdin.write("exec\n")
        target.proc.stdin.flush()
        self.assertEqual(target.proc.stdout.readline(), "ready\n")
        target.tell("half", "aligned")
        truth = target.truth()
        doc = tracer.end()
        found = by_function(doc)
        for name in ("truth_half", "truth_aligned"):
            self.assertEqual((found[name]["live_bytes"], found[name]["live_objects"]), truth[name][2:])
        self.assertEqual(found["truth_half"]["alloc_bytes"], 2 * truth["truth_half"][0])
        self.assertEqual((found["truth_kept"]["alloc_objects"], found["truth_kept"]["live_bytes"]), (1000, 0))

    def test_exec_makes_room(self):
        """Objects of the program before take up none."""
        target = Target(self)
        tracer = Tracer(self, target.pid, "--max-objects", "1024")
        target.tell("kept")
        target.proc.stdin.write("exec\n")
        target.proc.stdin.flush()
        self.assertEqual(target.proc.stdout.readline(), "ready\n")
        time.sleep(1.5 * PATIENCE)
        target.tell("kept")
        doc = tracer.end()
        self.assertNotIn("alloc_live_full", doc["coverage"].get("doubt", {}))
        self.assertEqual(by_function(doc)["truth_kept"]["live_objects"], 1000)

    def test_static(self):
        """The C library is no library there: who calls strdup() is not told from it."""
        commands = [c for c in EVERYTHING if c != "library"]
        self.assert_equal(*self.traced("old", *commands, before=("make_old",), argv=[sonderun.program("alloc_exact_static")]))

    def test_other_links(self):
        """Two programs in place of one; perf events."""
        for how in ("multi", "perf"):
            with self.subTest(how):
                target = Target(self)
                tracer = Tracer(self, target.pid, env={"SONDE_UPROBES": how})
                target.tell("threads", "handover", *EVERYTHING)
                truth = target.truth()
                self.assert_equal(tracer.end(), truth)
                self.assertFalse(target.patched())

    def test_other_allocators(self):
        """realloc(p, 0) of jemalloc makes an object, and it has no pvalloc: these are left out."""
        for library in sonderun.allocators():
            with self.subTest(library):
                commands = [c for c in EVERYTHING if c not in ("realloc", "nothing", "pages")]
                self.assert_equal(*self.traced("threads", "handover", *commands, env={"LD_PRELOAD": library}))

    def test_new(self):
        """C++'s new and delete, of the C library and where they are functions of their own; one that throws still does."""
        compiler = shutil.which("g++")
        if not compiler:
            self.skipTest("needs g++")
        program = os.path.join(self.dir, "alloc_new")
        subprocess.run([compiler, "-O2", "-g", "-o", program, os.path.join(sonderun.TOP, "tests/e2e/programs/alloc_new.cc")],
                       check=True)
        for library in [None, *sonderun.allocators()]:
            with self.subTest(library):
                target = Target(self, [program], {"LD_PRELOAD": library} if library else None)
                tracer = Tracer(self, target.pid)
                if library and "mimalloc" in library:  # ends the program itself where it should throw
                    target.tell("new", "array")
                else:
                    self.assertEqual(target.tell("new", "array", "throws"), "caught\n")
                found = by_function(tracer.end())
                for name, numbers in (("truth_new", (36000, 500, 36000, 500)), ("truth_array", (166500, 500, 0, 0))):
                    self.assertEqual(tuple(found[name][key] for key in NUMBERS), numbers)
                tracer = Tracer(self, target.pid)
                target.tell("new", "gone")
                self.assertEqual(by_function(tracer.end())["truth_new"]["live_objects"], 0)

    def test_live_full(self):
        """No room: what is not watched is told, and is not taken for live."""
        target = Target(self)
        tracer = Tracer(self, target.pid, "--max-objects", "1024")
        target.tell("kept", "kept", "kept")
        doc = tracer.end()
        row = by_function(doc)["truth_kept"]
        self.assertEqual(row["alloc_objects"], 3000)
        self.assertEqual(row["live_objects"] + doc["coverage"]["doubt"]["alloc_live_full"], 3000)
        self.assertLessEqual(row["live_objects"], 1024)

    def test_leak(self):
        """1 KB a second amid 50,000 pairs a second that are freed."""
        target = Target(self)
        tracer = Tracer(self, target.pid, "--value", "inuse_space")
        target.tell("paced", "leak")
        time.sleep(8)
        before = target.truth()["truth_leak"]
        doc = tracer.end()
        after = target.truth()["truth_leak"]
        row = doc["allocations"][0]
        self.assertEqual((row["function"], row["site"][0]), ("truth_leak", "truth_leak"))
        self.assertGreaterEqual(row["live_bytes"], before[2])
        self.assertLessEqual(row["live_bytes"], after[2] + 1024)
        self.assertGreater(row["live_bytes"], 6 * 1024)

    def test_leak_is_called(self):
        """The same by its verdict, and nothing else."""
        target = Target(self)
        target.tell("paced", "leak")
        doc = Tracer(self, target.pid, "-d", "30").end(stop=False)
        leaks = [f for f in doc["findings"] if f["kind"] == "leak"]
        self.assertEqual([f["site"][0].split()[0] for f in leaks], ["truth_leak"], leaks)
        self.assert_near(leaks[0]["slope_bytes_per_hour"]["estimate"], 1024 * 3600, share=0.2)

    def test_python(self):
        """Of Python's own allocator nothing is seen, of what it takes from malloc all."""
        code = ("import sys\n"
                "print('ready', flush=True)\n"
                "sys.stdin.readline()\n"
                "kept = [bytearray(10000) for i in range(1000)]\n"
                "print('done', flush=True)\n"
                "sys.stdin.readline()\n")
        target = Target(self, [sys.executable, "-c", code])
        tracer = Tracer(self, target.pid)
        target.tell("go")
        doc = tracer.end()
        rows = [row for row in doc["allocations"] if row["live_objects"] == 1000]
        self.assertEqual([row["live_bytes"] for row in rows], [1000 * 10001])
        self.assertGreater(len(rows[0]["site"]), 5)

    def test_wrong_use(self):
        me = str(os.getpid())
        for args, code, words in ((["--exact"], 2, "--exact goes with -p PID"),
                                  (["--exact", "--", "true"], 2, "a PROGRAM to start is sampled"),
                                  (["--exact", "-p", me, "-c", "x"], 2, "-c and --cgroup"),
                                  (["--budget", "3"], 2, "go with --exact"),
                                  (["--exact", "-p", me, "--budget", "0"], 2, "no percentage"),
                                  (["--exact", "-p", me, "--budget", "3x"], 2, "no percentage")):
            run = sonderun.Run("alloc", *args, out=None)
            self.assertEqual(run.code, code, run.err)
            self.assertIn(words, run.err)


class Governor(sonderun.TestCase):
    def rate(self, target):
        return int(re.search(r"rate (\d+)", target.tell("rate"))[1])

    def test_refuses(self):
        """A storm of calls is not traced, and goes on as before."""
        target = Target(self)
        target.tell("storm")
        before = self.rate(target)
        run = sonderun.Run("alloc", "--exact", "-p", str(target.pid), out=None)
        self.assertEqual(run.code, 5, run.err)
        self.assertRegex(run.err, r"malloc [\d,]+/s, free [\d,]+/s: predicted \d+ % of one CPU, budget 3 %: refused")
        self.assertIn("sonde alloc -- PROGRAM", run.err)
        self.assertFalse(target.patched())
        self.assertGreater(self.rate(target), before / 3)
        target.tell("calm", "small")
        self.assertIsNone(target.proc.poll())

    def test_idle(self):
        target = Target(self)
        tracer = Tracer(self, target.pid, budget="3%")
        self.assertTrue(target.patched())
        self.assertLess(predicted(tracer.err), 0.5)
        doc = tracer.end()
        self.assertEqual((doc["exact"]["budget_cpu_percent"], doc["exact"]["state"]), (3, "complete"))
        self.assertFalse(target.patched())

    def test_stops(self):
        """The rate rises while it runs: the report is of the time before."""
        target = Target(self)
        tracer = Tracer(self, target.pid, budget="3")
        target.tell("reset", "kept", "storm")
        doc = tracer.end(code=5, stop=False)
        self.assertRegex(tracer.err, r"stopped: watching every allocation cost [\d.]+ % of one CPU, the budget is 3 %")
        self.assertFalse(target.patched())
        self.assertEqual(doc["exact"]["state"], "partial")
        self.assertGreater(doc["exact"]["until_unix_ns"], doc["window"]["start_unix_ns"])
        target.tell("calm")
        found = by_function(doc)
        self.assertEqual(found["truth_kept"]["live_objects"], 1000)
        self.assertGreater(found["truth_storm"]["alloc_objects"], 10000)
        self.assertLess(doc["window"]["duration_ns"], 8e9 * PATIENCE)

    def test_predicts(self):
        """Within a factor of 2 of the processor time that it costs, before and while it runs."""
        target = Target(self)
        target.tell("paced")
        seconds = 3

        def share():
            begin, cpu = time.monotonic(), target.cpu_ns()
            time.sleep(seconds)
            return (target.cpu_ns() - cpu) / (time.monotonic() - begin) / 1e7

        without = share()
        tracer = Tracer(self, target.pid)
        cost = share() - without
        doc = tracer.end()
        told = predicted(tracer.err), doc["exact"]["predicted_cpu_percent"], doc["exact"]["cost_cpu_percent"]
        for percent in told:
            self.assertGreater(percent, cost / 2, (told, cost))
            self.assertLess(percent, cost * 2, (told, cost))

    def test_sonde_killed(self):
        target = Target(self)
        tracer = Tracer(self, target.pid)
        target.tell("threads")
        tracer.kill()
        end = time.monotonic() + 10 * PATIENCE
        while target.patched() and time.monotonic() < end:
            time.sleep(0.05)
        self.assertFalse(target.patched())
        target.tell("threads", *EVERYTHING)
        self.assertIsNone(target.proc.poll())

    def test_target_killed(self):
        target = Target(self)
        tracer = Tracer(self, target.pid)
        target.tell("reset", "kept", "half")
        truth = target.truth()
        time.sleep(0.3)
        target.proc.kill()
        found = by_function(tracer.end(stop=False))
        for name, numbers in truth.items():
            self.assertEqual(tuple(found[name][key] for key in NUMBERS), numbers)


class Redis(sonderun.TestCase):
    def test_used_memory(self):
        """What it says it has got since, and what is seen to live. jemalloc rounds up: by less than a fifth from 16 bytes on."""
        server = None
        for path in ("/usr/bin/redis-server", "/usr/local/bin/redis-server"):
            server = path if os.path.exists(path) else server
        if not server:
            self.skipTest("needs redis-server")
        address = os.path.join(self.dir, "redis.sock")
        proc = subprocess.Popen([server, "--port", "0", "--unixsocket", address, "--save", "", "--appendonly", "no",
                                 "--dir", self.dir, "--activerehashing", "no"], stdout=subprocess.DEVNULL)
        self.addCleanup(proc.wait)
        self.addCleanup(proc.kill)
        end = time.monotonic() + 20 * PATIENCE
        while not os.path.exists(address) and time.monotonic() < end:
            time.sleep(0.05)
        with socket.socket(socket.AF_UNIX) as sock:
            sock.connect(address)
            file = sock.makefile("rwb")
            self.used(file)  # the buffers of the connection
            tracer = Tracer(self, proc.pid)
            before = self.used(file)
            for i in range(0, 20000, 500):
                for k in range(i, i + 500):
                    value = b"v" * 200
                    file.write(b"*3\r\n$3\r\nSET\r\n$9\r\nkey:%05d\r\n$200\r\n%s\r\n" % (k, value))
                file.flush()
                for k in range(500):
                    self.assertEqual(file.readline(), b"+OK\r\n")
            after = self.used(file)
            doc = tracer.end()
        live, grown = doc["allocation_totals"][0]["live_bytes"], after - before
        self.assertGreater(grown, 20000 * 200)
        self.assertLess(live, grown * 1.02 + 65536)
        self.assertGreater(live, grown * 0.80 - 65536)
        self.assertEqual(doc["coverage"]["lost"], {})

    def used(self, file):
        file.write(b"INFO memory\r\n")
        file.flush()
        size = int(file.readline()[1:])
        return int(re.search(rb"used_memory:(\d+)", file.read(size + 2))[1])


if __name__ == "__main__":
    unittest.main()
