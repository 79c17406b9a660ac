# SPDX-License-Identifier: GPL-2.0-only
"""test_cpu.py - `sonde cpu` beside programs that say themselves where their time went; its files beside those who read them."""

import collections
import gzip
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
import unittest
import xml.etree.ElementTree as ElementTree

import pg
import sonderun

TRUTH = os.path.join(pg.O, "tests/e2e/programs/cpu_truth")
HZ = 499  # samples enough for a few per cent in two seconds
TOTAL_MS = 4000


def sonde(*args, check=0):
    run = subprocess.run([pg.SONDE, *args], capture_output=True, text=True, timeout=300 * pg.PATIENCE)
    if run.returncode != check:
        raise AssertionError("sonde %s: exit code %d\n%s" % (" ".join(args), run.returncode, run.stderr))
    return run


def folded(text):
    """{(function, ...): weight}, outermost first, without the marks of kernel and inlined functions"""
    out = {}
    for line in text.splitlines():
        names, weight = line.rsplit(" ", 1)
        key = tuple(re.sub(r"_\[[kij]\]$", "", name) for name in names.split(";"))
        out[key] = out.get(key, 0) + int(weight)
    return out


class Cpu(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        if os.geteuid() != 0:
            raise unittest.SkipTest("needs root")
        if not os.access(TRUTH, os.X_OK):
            raise unittest.SkipTest("needs make test-programs")
        cls.dir = tempfile.mkdtemp(prefix="cpu.")
        cls.addClassCleanup(shutil.rmtree, cls.dir)
        cls.folded, cls.svg, cls.pprof, cls.json = (os.path.join(cls.dir, f) for f in ("f", "f.svg", "p.pb.gz", "j"))
        run = sonde("cpu", "-F", str(HZ), "-o", "json", "--output", cls.json, "--folded", cls.folded, "--flame", cls.svg,
                    "--pprof", cls.pprof, "--", TRUTH, str(TOTAL_MS))
        cls.truth = {name: int(ns) for name, ns in (line.split() for line in run.stdout.splitlines())}
        with open(cls.json) as file:
            cls.document = json.load(file)
        with open(cls.folded) as file:
            cls.stacks = folded(file.read())
        if os.uname().machine != "x86_64":
            raise unittest.SkipTest("tables are for x86-64")

    def time_in(self, function):
        return sum(weight for stack, weight in self.stacks.items() if function in stack)

    def test_shares(self):
        """Each function has the time that the program measured, within 5 % of all and what a sample may miss."""
        total = sum(self.truth.values())
        truth = dict(self.truth, truth_plain=self.truth["truth_plain"] + self.truth["truth_thread"])  # which calls it, too
        for name, ns in truth.items():
            with self.subTest(name):
                self.assertAlmostEqual(self.time_in(name) / total, ns / total, delta=0.05)
        self.assertAlmostEqual(self.document["stacks"]["weight"] / total, 1, delta=0.1)

    def test_whole_stacks(self):
        stacks = self.document["stacks"]
        self.assertGreater(stacks["complete_weight"] / stacks["user_weight"], 0.95, stacks["ends"])
        begun = sum(weight for stack, weight in self.stacks.items() if "main" in stack and stack[1] == "_start")
        self.assertGreater(begun / self.time_in("main"), 0.99)  # while it ends its stack is taken away

    def test_callers(self):
        """Through qsort(), a signal frame, forty frames of one function, a thread's beginning."""
        def has(*wanted):
            def goes(stack):
                rest = iter(stack)
                return all(any(name == want for name in rest) for want in wanted)
            return sum(weight for stack, weight in self.stacks.items() if goes(stack))

        for want in (("_start", "main", "truth_callback", "qsort_r", "truth_compare"),
                     ("_start", "main", "truth_signal", "truth_handler"),
                     ("_start", "main", "truth_aligned"),
                     ("_start", "main") + ("truth_deep",) * 41):
            with self.subTest(want[:4]):
                name = want[2]
                self.assertGreater(has(*want), 0.9 * self.truth[name])
        self.assertGreater(has("truth_thread", "truth_plain"), 0.9 * self.truth["truth_thread"])
        self.assertEqual(has("main", "truth_thread"), 0)

    def test_nothing_lost(self):
        coverage = self.document["coverage"]
        self.assertEqual(coverage["lost"], {})
        self.assertEqual(coverage["seen"], coverage["attributed"])
        self.assertEqual(coverage["seen"], self.document["stacks"]["count"])

    def test_flame(self):
        svg = ElementTree.parse(self.svg).getroot()
        space = "{http://www.w3.org/2000/svg}"
        frames = collections.Counter()
        for g in svg.iter(space + "g"):
            if g.get("data-n"):
                frames[g.get("data-n")] += float(g.get("data-w"))
        self.assertAlmostEqual(frames["all"], 1e6, delta=1)
        for name in ("main", "truth_compare", "truth_handler", "truth_deep"):
            self.assertIn(name, frames)
        main = self.time_in("main") / sum(self.stacks.values())
        self.assertAlmostEqual(frames["main"] / 1e6, main, delta=0.002)
        with open(self.svg) as file:
            text = file.read()
        self.assertNotRegex(text, r"(src|href)=", "the file needs nothing else")

    def test_flame_command(self):
        one, two, out = (os.path.join(self.dir, name) for name in ("one", "two", "out.svg"))
        with open(one, "w") as file:
            file.write("p;main;a 60\np;main;b;<c&> 40\n")
        with open(two, "w") as file:
            file.write("p;main;a 30\np;main;b;<c&> 70\nno stack at all\n")
        run = sonde("flame", "--before", one, "--folded", two, "--output", out)
        self.assertIn("1 lines are no folded stacks", run.stderr)
        with open(out) as file:
            text = file.read()
        titles = re.findall(r"<title>(.*?)</title>", text)
        self.assertIn("a (30ns, 30.00 %; before 60.00 %, -30.00)", titles)
        self.assertIn("&lt;c&amp;&gt; (70ns, 70.00 %; before 40.00 %, +30.00)", titles)
        fill = dict(re.findall(r'data-n="([ab])".*?fill="(rgb\(\d+,\d+,\d+\))"', text))
        self.assertEqual(fill, {"a": "rgb(70,70,245)", "b": "rgb(245,70,70)"})
        ElementTree.parse(out)
        self.assertIn("no folded stacks", sonde("flame", "--folded", os.devnull, check=1).stderr)
        self.assertIn("cannot read", sonde("flame", "--folded", "/nowhere", check=1).stderr)

    def test_pprof(self):
        with gzip.open(self.pprof) as file:
            self.assertGreater(len(file.read()), 1000)
        if not shutil.which("go"):
            self.skipTest("needs go tool pprof")
        top = subprocess.run(["go", "tool", "pprof", "-top", "-cum", "-unit=ms", self.pprof], capture_output=True, text=True,
                             env=dict(os.environ, HOME=self.dir, GOFLAGS="", GOTOOLCHAIN="local"))
        self.assertEqual(top.returncode, 0, top.stderr)
        found = {m[2]: float(m[1]) for m in re.finditer(r"([\d.]+)ms +[\d.]+% +(\w+)$", top.stdout, re.M)}
        for name in ("main", "truth_callback", "truth_compare", "truth_deep"):
            self.assertAlmostEqual(found[name], self.time_in(name) / 1e6, delta=10, msg=top.stdout)

    def test_text(self):
        run = sonde("cpu", "-F", "199", "--", TRUTH, "500")
        self.assertRegex(run.stdout, r"sonde cpu: \d+ samples in .* at 199 Hz: .* on processors")
        self.assertRegex(run.stdout, r"\n[\d. ]+% of user stacks are complete")
        self.assertRegex(run.stdout, r"\n *\d+\.\d% .* cpu_truth \(pid \d+\)")
        self.assertRegex(run.stdout, r"\n +[\d.]+% .* truth_plain +cpu_truth\n")

    def test_bad_files(self):
        run = sonde("cpu", "-d", "0.1", "-c", "no-such-name", "--folded", "/nowhere/f", check=1)
        self.assertIn("cannot write /nowhere/f", run.stderr)
        sonde("cpu", "-F", "0", check=2)
        sonde("cpu", "-F", "5001", check=2)


SPIN = "while True:\n    pass"


class Usage(sonderun.TestCase):
    """Utilisation, saturation and switches beside what programs read of themselves."""

    def setUp(self):
        super().setUp()
        reason = sonderun.why_not()
        if reason:
            self.skipTest(reason)

    def test_beside_schedstat(self):
        """One thread, busy and sleeping, then with a child on its processor: its own schedstat and status say what it used."""
        out = os.path.join(self.dir, "truth")
        run = sonderun.Run("cpu", argv=[sonderun.program("offcpu_truth"), out, "spin", "sleep", "share", "sleep"])
        self.assertEqual(run.code, 0, run.err)
        with open(out) as file:
            truth = [int(word) for word in file.read().splitlines()[-1].split()[1:]]
        pid, cpu, delay, voluntary, involuntary = truth
        process = next(p for p in run.doc["scheduling"] if p["pid"] == pid)
        for name, true, slack in (("on_cpu_ns", cpu, 15e6), ("run_queue_ns", delay, 15e6), ("voluntary_switches", voluntary, 5),
                                  ("involuntary_switches", involuntary, 5)):
            print("%-22s %12d, truth %12d" % (name, process[name], true))
            self.assert_near(process[name], true, slack=slack)
        self.assertTrue(process["ended"] or process["threads"] == 1)
        self.assertGreater(process["saturation"], 0.15)
        self.assert_near(process["saturation"], delay / (delay + cpu), slack=0.03)
        self.assert_near(process["utilisation"], process["on_cpu_ns"] / process["watched_ns"], slack=1e-5)
        self.assertLessEqual(process["watched_ns"], 1.02 * run.doc["window"]["duration_ns"])
        samples = sum(s["weight"] for s in run.doc["stacks"]["stacks"] if s["pid"] == pid)
        self.assert_near(samples, process["on_cpu_ns"], share=0.15, slack=60e6)

    def test_ended_threads(self):
        """What a thread used that has ended is its process's."""
        report = os.path.join(self.dir, "report")
        run = sonde("cpu", "-o", "json", "--output", report, "--", sonderun.program("cpu_truth"), "600")
        truth = sum(int(line.split()[1]) for line in run.stdout.splitlines())
        with open(report) as file:
            document = json.load(file)
        self.assertEqual(len(document["scheduling"]), 1)
        self.assert_near(document["scheduling"][0]["on_cpu_ns"], truth, share=0.03, slack=25e6)

    def test_since_the_beginning(self):
        """Of a process that ran before only what it did in the run counts; it always could run: on a processor or in the queue."""
        cpu = min(os.sched_getaffinity(0))
        argv = [sys.executable, "-c", SPIN]
        spinners = [subprocess.Popen(argv, stdin=subprocess.DEVNULL, preexec_fn=lambda: os.sched_setaffinity(0, {cpu}))
                    for _ in range(2)]
        try:
            time.sleep(1)
            with open("/proc/%d/schedstat" % spinners[0].pid) as file:
                before = [int(word) for word in file.read().split()]
            run = sonderun.Run("cpu", "-p", str(spinners[0].pid), "-d", "1.5")
            with open("/proc/%d/schedstat" % spinners[0].pid) as file:
                after = [int(word) for word in file.read().split()]
        finally:
            for spinner in spinners:
                spinner.kill()
                spinner.wait()
        self.assertEqual(run.code, 0, run.err)
        self.assertEqual([p["pid"] for p in run.doc["scheduling"]], [spinners[0].pid])
        process = run.doc["scheduling"][0]
        print(process, [b - a for a, b in zip(before, after)])
        self.assertEqual((process["threads"], process["processors"], process["ended"]), (1, 1, False))
        self.assert_near(process["watched_ns"], 1.5e9, share=0.1, slack=0.2e9)
        self.assert_near(process["on_cpu_ns"] + process["run_queue_ns"], process["watched_ns"], slack=30e6)
        self.assertLess(process["on_cpu_ns"], after[0] - before[0] + 1)
        self.assertLess(process["run_queue_ns"], after[1] - before[1] + 1)
        self.assertGreater(process["saturation"], 0.3)  # two on one processor
        self.assertGreater(process["involuntary_switches"], 10)
        self.assertLess(process["voluntary_switches"], 5)

    def limited_group(self):
        """A control group, of whichever version limits processors here, that lets its processes use 0.3 of one."""
        with open("/proc/mounts") as file:
            mounts = [line.split() for line in file]
        for _, top, kind, options, *_ in mounts:
            if kind == "cgroup" and "cpu" in options.split(","):
                limit = {"cpu.cfs_period_us": "100000", "cpu.cfs_quota_us": "30000"}
            elif kind == "cgroup2":
                with open(top + "/cgroup.subtree_control") as file:
                    limit = {"cpu.max": "30000 100000"} if "cpu" in file.read().split() else None
            else:
                continue
            if not limit or not os.access(top + "/cgroup.procs", os.W_OK):
                continue
            group = "%s/sonde-test-%d" % (top, os.getpid())
            os.mkdir(group)
            self.addCleanup(os.rmdir, group)
            for name, value in limit.items():
                with open(os.path.join(group, name), "w") as file:
                    file.write(value)
            print("limited by %s" % kind)
            return group
        self.skipTest("no control groups that limit processors can be made here")

    def test_limit(self):
        """Of what a process may use, its control group's part."""
        group = self.limited_group()
        with subprocess.Popen([sys.executable, "-c", SPIN], stdin=subprocess.DEVNULL) as spinner:
            try:
                with open(group + "/cgroup.procs", "w") as file:
                    file.write(str(spinner.pid))
                run = sonderun.Run("cpu", "-p", str(spinner.pid), "-d", "1.5")
                text = sonderun.Run("cpu", "-p", str(spinner.pid), "-d", "0.5", out="text")
            finally:
                spinner.kill()
        process = run.doc["scheduling"][0]
        self.assertEqual(process["cpu_limit"], 0.3)
        self.assertLess(process["utilisation"], 0.36)
        self.assertRegex(text.out, r"% +0.3 CPUs ")

    def test_text(self):
        run = sonderun.Run("cpu", out="text", argv=[sonderun.program("cpu_truth"), "300"])
        self.assertRegex(run.out, r"\n +used +of .*waiting +saturation .*process\n *[\d.]+% +\d+ CPUs? .*cpu_truth \(pid \d+")


if __name__ == "__main__":
    unittest.main(verbosity=2 if "-v" in sys.argv else 1)
