# SPDX-License-Identifier: GPL-2.0-only
"""test_offcpu.py - `sonde offcpu` beside a program that waits as it says, and beside the kernel's own accounts of it."""

import gzip
import json
import os
import shutil
import subprocess
import tempfile
import unittest
import xml.etree.ElementTree as ElementTree

import sonderun

# part: (reason, function that waits)
PARTS = {
    "sleep": ("sleep", "sleep_here"),
    "lock": ("lock", "lock_here"),
    "pipe": ("pipe", "read_pipe_here"),
    "socket": ("network", "receive_here"),
    "child": ("child", "wait_for_child_here"),
    "disk": ("disk", "sync_here"),
    "fault": ("page_fault", "touch_here"),
}
STEP_NS = 20000000
TIMES = 20
POINTS_NS = 20000  # a switch: the kernel's accounts end a little before the tracepoint, between them it chooses the next thread


class Truth:
    """What the program says: by part, and of its main thread as a whole."""

    def __init__(self, path):
        self.part = {}
        with open(path) as file:
            for name, *numbers in (line.split() for line in file):
                numbers = [int(n) for n in numbers]
                if name == "process":
                    self.pid, self.on, self.delay, self.voluntary, self.involuntary = numbers
                else:
                    keys = ("count", "wall", "on", "delay", "voluntary", "involuntary")
                    self.part[name] = dict(zip(keys, numbers))
                    self.part[name]["blocked"] = numbers[1] - numbers[2] - numbers[3]


class OffCpu(sonderun.TestCase):
    @classmethod
    def setUpClass(cls):
        why = sonderun.why_not()
        if why:
            raise unittest.SkipTest(why)
        cls.top = tempfile.mkdtemp(prefix="sonde-", dir=sonderun.OUT)
        cls.addClassCleanup(shutil.rmtree, cls.top, True)
        out = os.path.join(cls.top, "truth")
        cls.program = sonderun.program("offcpu_truth")
        cls.folded, cls.svg, cls.pprof = (os.path.join(cls.top, f) for f in ("folded", "flame.svg", "pb.gz"))
        # Busy at first: what unwinds its stacks is loaded meanwhile.
        cls.run_ = sonderun.Run("offcpu", "--by", "thread", "--folded", cls.folded, "--flame", cls.svg, "--pprof", cls.pprof,
                                argv=[cls.program, out, "spin", *PARTS, "share"])
        if cls.run_.code:
            raise AssertionError(cls.run_.err)
        cls.truth = Truth(out)
        cls.mine = [row for row in cls.run_.doc["waits"] if row["tid"] == cls.truth.pid]

    def rows(self, reason, function=None):
        """Those of @function; a stack that was taken while tables were being loaded does not say where it was."""
        return [row for row in self.mine if row["reason"] == reason and
                (not function or function in row.get("stack", []) or "do_part" not in row.get("stack", []))]

    def process(self):
        return next(p for p in self.run_.doc["scheduling"] if p["pid"] == self.truth.pid)

    def test_blocked_time(self):
        """Each part's waits: wall time less processor time less run delay, within 5 %."""
        for part, (reason, function) in PARTS.items():
            with self.subTest(part):
                rows = self.rows(reason, function)
                truth = self.truth.part[part]
                found = sum(row["blocked_ns"]["sum"] for row in rows)
                print("%-8s %3d waits, %7.2f ms blocked, truth %7.2f ms" % (
                    part, sum(row["count"] for row in rows), found / 1e6, truth["blocked"] / 1e6))
                slack = 6e6 + POINTS_NS * truth["voluntary"]
                if part in ("disk", "fault"):  # what is written beside the part's own function
                    found = sum(row["blocked_ns"]["sum"] for row in self.mine
                                if set(row.get("stack", [])) & {part + "_part", function})
                    slack = 10e6 + POINTS_NS * truth["voluntary"]
                self.assert_near(found, truth["blocked"], slack=slack)

    def test_known_lengths(self):
        """Waits of a length that the program has chosen: how many, and how long each."""
        for part in ("sleep", "pipe", "socket"):
            with self.subTest(part):
                rows = self.rows(*PARTS[part])
                self.assertIn(sum(row["count"] for row in rows), range(TIMES - 1, TIMES + 3))
                # The other end wants for a processor, too, before it writes.
                late = self.truth.part[part]["blocked"] - TIMES * STEP_NS if part != "sleep" else 0
                self.assert_near(sum(row["blocked_ns"]["sum"] for row in rows), TIMES * STEP_NS + late,
                                 slack=0.1 * TIMES * STEP_NS)
        child = self.rows(*PARTS["child"])
        self.assertGreaterEqual(sum(row["blocked_ns"]["sum"] for row in child), 0.95 * 15 * STEP_NS)

    def test_lock_holder(self):
        """Who held the lock: the thread that ends the wait, in the function that gives it back."""
        rows = self.rows("lock", "wait_for_lock")
        self.assertEqual(len({row["futex"] for row in rows}), 1)
        blocked = sum(row["blocked_ns"]["sum"] for row in rows)
        by_holder = sum(row["blocked_ns"]["sum"] for row in rows if row["waker"].get("thread") == "holder" and
                        "hold_the_lock" in row["waker"]["stack"])
        self.assertGreater(blocked, 0.8 * TIMES * STEP_NS)
        self.assertGreater(by_holder / blocked, 0.9)
        for row in rows:
            if row["waker"]["kind"] == "thread":
                self.assertEqual(row["waker"]["pid"], self.truth.pid)
                self.assertNotEqual(row["waker"]["tid"], self.truth.pid)

    def test_wakers(self):
        """A child that writes wakes who reads; a timer wakes who sleeps."""
        for part in ("pipe", "socket"):
            rows = self.rows(*PARTS[part])
            woken = sum(row["blocked_ns"]["sum"] for row in rows if "feed" in row.get("waker", {}).get("stack", []))
            self.assertGreater(woken / sum(row["blocked_ns"]["sum"] for row in rows), 0.9, part)
        for row in self.rows("sleep"):
            self.assertEqual(row.get("waker", {}).get("kind", "interrupt"), "interrupt")
        self.assertTrue(any(row["waker"]["kind"] == "thread" and row["waker"]["pid"] != self.truth.pid
                            for row in self.rows("child", "wait_for_child_here")))

    def test_scheduler(self):
        """On the processor, in the run queue, switches: beside schedstat and status, of a single thread's parts."""
        process = self.process()
        print("on CPU %.1f ms, truth %.1f; run queue %.1f ms, truth %.1f; voluntary %d, truth %d; involuntary %d, truth %d" % (
            process["on_cpu_ns"] / 1e6, self.truth.on / 1e6, process["run_queue_ns"] / 1e6, self.truth.delay / 1e6,
            process["voluntary_switches"], self.truth.voluntary, process["involuntary_switches"], self.truth.involuntary))
        # The thread that holds the lock is in sonde's figures alone: busy for TIMES steps at most, waiting for next().
        slack = POINTS_NS * self.truth.voluntary
        self.assertGreaterEqual(process["on_cpu_ns"], 0.95 * self.truth.on - slack)
        self.assertLessEqual(process["on_cpu_ns"], 1.05 * self.truth.on + TIMES * STEP_NS + slack)
        self.assert_near(process["voluntary_switches"], self.truth.voluntary, slack=2 * TIMES + 30)
        share = self.truth.part["share"]
        self.assertGreater(share["delay"], 0.5 * share["on"])  # the part does what it is for
        self.assertGreater(process["saturation"], 0.15)

    def test_scheduler_of_one_thread(self):
        """The same without threads: exact enough for 5 %."""
        out = os.path.join(self.dir, "truth")
        run = sonderun.Run("offcpu", argv=[self.program, out, "spin", "sleep", "share", "sleep"])
        truth = Truth(out)
        process = next(p for p in run.doc["scheduling"] if p["pid"] == truth.pid)
        for name, found, true, slack in (("on_cpu_ns", process["on_cpu_ns"], truth.on, 15e6),
                                         ("run_queue_ns", process["run_queue_ns"], truth.delay, 15e6),
                                         ("voluntary_switches", process["voluntary_switches"], truth.voluntary, 5),
                                         ("involuntary_switches", process["involuntary_switches"], truth.involuntary, 5)):
            print("%-22s %12d, truth %12d" % (name, found, true))
            self.assert_near(found, true, slack=slack)
        queued = process["run_queue_latency_ns"]["sum"]
        self.assert_near(queued, process["run_queue_ns"], share=0.01, slack=1e6)
        self.assert_near(process["saturation"], truth.delay / (truth.delay + truth.on), slack=0.03)

    def test_min(self):
        """Short waits have no row; time is still accounted for."""
        out = os.path.join(self.dir, "truth")
        run = sonderun.Run("offcpu", "--min", "100ms", argv=[self.program, out, "spin", "sleep", "child"])
        truth = Truth(out)
        mine = [row for row in run.doc["waits"] if row["pid"] == truth.pid]
        self.assertEqual([row["reason"] for row in mine], ["child"])
        process = next(p for p in run.doc["scheduling"] if p["pid"] == truth.pid)
        blocked = truth.part["sleep"]["blocked"] + truth.part["child"]["blocked"]
        self.assert_near(process["blocked_ns"], blocked, slack=10e6)

    def test_open_wait(self):
        """A wait that does not end is told of."""
        with subprocess.Popen([self.program, os.path.join(self.dir, "t"), *["child"] * 500]) as other:
            try:
                run = sonderun.Run("offcpu", "-p", str(other.pid), "-d", "1.1")
            finally:
                other.kill()
        rows = [row for row in run.doc["waits"] if row["pid"] == other.pid and row["reason"] == "child"]
        process = next(p for p in run.doc["scheduling"] if p["pid"] == other.pid)
        self.assertTrue(rows, run.doc["waits"])
        accounted = process["on_cpu_ns"] + process["run_queue_ns"] + process["blocked_ns"]
        # It was in such a wait when tracing began, and in one when that ended: of the first nothing is known.
        self.assertEqual(sum(row.get("open", 0) for row in rows), 1)
        self.assert_near(accounted, run.doc["window"]["duration_ns"], slack=15 * STEP_NS + 60e6)

    def test_text(self):
        out = os.path.join(self.dir, "truth")
        for by in ("stack", "reason", "process", "thread"):
            with self.subTest(by):
                run = sonderun.Run("offcpu", "--by", by, out="text", argv=[self.program, out, "spin", "sleep", "lock"])
                self.assertEqual(run.code, 0, run.err)
                self.assertIn("saturation", run.out)
                self.assertIn("offcpu_truth[", run.out)
                if by == "stack":
                    self.assertRegex(run.out, r"sleep +offcpu_truth\[\d+\]\n +.*nanosleep.* < sleep_here < ")
                    self.assertRegex(run.out, r"wait_for_lock < lock_here.*\n +held by thread holder\[\d+\].*\n +ended by offcpu_truth\[\d+\] thread holder\[\d+\]: .*hold_the_lock")
                if by in ("reason", "thread"):
                    self.assertRegex(run.out, r"lock +offcpu_truth")

    def test_files(self):
        """The files have the rows' time, with the reason as innermost frame."""
        total = sum(row["blocked_ns"]["sum"] for row in self.run_.doc["waits"])
        weights, sleeping = 0, 0
        with open(self.folded) as file:
            for line in file:
                names, weight = line.rsplit(" ", 1)
                weights += int(weight)
                if "sleep_here" in names and names.endswith(";[sleep]_[k]"):
                    sleeping += int(weight)
        self.assertEqual(weights, total)
        self.assert_near(sleeping, TIMES * STEP_NS, slack=0.1 * TIMES * STEP_NS)
        svg = ElementTree.parse(self.svg).getroot()
        text = " ".join(svg.itertext())
        for name in ("sleep_here", "wait_for_lock", "[lock]", "[page_fault]"):
            self.assertIn(name, text)
        with gzip.open(self.pprof) as file:
            pprof = file.read()
        self.assertIn(b"wait_for_lock", pprof)
        self.assertIn(b"blocked", pprof)


class Holder(sonderun.TestCase):
    """Who holds a lock, where the lock says it: beside a program that knows."""

    def setUp(self):
        super().setUp()
        why = sonderun.why_not()
        if why:
            self.skipTest(why)
        self.out = os.path.join(self.dir, "truth")

    def trace(self, *kinds, before=(), out="json"):
        run = sonderun.Run("offcpu", out=out, argv=[*before, sonderun.program("lock_truth"), self.out, *kinds])
        self.assertEqual(run.code, 0, run.err)
        with open(self.out) as file:
            truth = {line.split()[0]: [int(word) for word in line.split()[1:]] for line in file}
        return run, truth

    @staticmethod
    def waits(run):
        return [row for row in run.doc["waits"] if row["reason"] == "lock" and "wait_for_lock" in row.get("stack", [])]

    def holds(self, kind):
        """The thread that sleeps with the lock held, its name, and where: of nearly all the time."""
        run, truth = self.trace(kind)
        pid, _, tid, _, wall = truth[kind]
        rows = self.waits(run)
        blocked = sum(row["blocked_ns"]["sum"] for row in rows)
        held = sum(row["blocked_ns"]["sum"] for row in rows if row.get("holder", {}).get("tid") == tid and
                   row["holder"]["thread"] == "keeper" and "sleep_with_lock" in row["holder"].get("stack", []))
        print("%-8s %.1f ms waited, %.1f blocked, %.1f of it with its holder" % (kind, wall / 1e6, blocked / 1e6, held / 1e6))
        self.assertTrue(all(row["pid"] == pid for row in rows))
        self.assertGreater(blocked, 0.7 * wall)  # the rest was in the run queue
        self.assertGreater(held, 0.9 * blocked, rows)

    def test_mutex(self):
        self.holds("mutex")

    def test_robust(self):
        self.holds("robust")

    def test_priority_inheritance(self):
        self.holds("pi")

    def test_others(self):
        """Locks that do not say who holds them: nobody is named, but who ends the wait is."""
        run, truth = self.trace("rwlock", "semaphore", "other")
        rows = self.waits(run)
        self.assertGreater(sum(row["blocked_ns"]["sum"] for row in rows), 0.7 * sum(line[-1] for line in truth.values()))
        for row in rows:
            self.assertNotIn("holder", row)
        self.assertTrue(any(row["waker"].get("thread") == "keeper" for row in rows), rows)

    def test_container(self):
        """In a namespace of its own the lock has the thread's id there."""
        unshare = shutil.which("unshare")
        if not unshare:
            self.skipTest("needs unshare")
        run, truth = self.trace("mutex", before=[unshare, "--pid", "--fork"])
        pid, _, inner, _, wall = truth["mutex"]
        self.assertEqual(pid, 1)
        rows = self.waits(run)
        held = [row for row in rows if "sleep_with_lock" in row.get("holder", {}).get("stack", [])]
        blocked = sum(row["blocked_ns"]["sum"] for row in rows)
        self.assertGreater(blocked, 0.7 * wall)
        self.assertGreater(sum(row["blocked_ns"]["sum"] for row in held), 0.9 * blocked, rows)
        for row in held:  # its name it cannot set: that goes through /proc, which is the machine's
            self.assertNotEqual(row["holder"]["tid"], inner)
            self.assertEqual(row["holder"]["tid"], row["waker"].get("tid", row["holder"]["tid"]))

    def test_text(self):
        run, _ = self.trace("mutex", out="text")
        self.assertRegex(run.out, r"wait_for_lock < .*\n +held by thread keeper\[\d+\], waiting in: .*nanosleep.* < sleep_with_lock < ")


if __name__ == "__main__":
    unittest.main()
