# SPDX-License-Identifier: GPL-2.0-only
#
# test_faults_self.py - what happens to sonde itself: disk full, clock set, memory short, a second sonde.
#
# TIMEOUT: 900
import json
import os
import resource
import signal
import subprocess
import sys
import tempfile
import time
import unittest

import fault
import pg

redis = cluster = None


def setUpModule():
    global redis, cluster
    redis, cluster = fault.module(redis=True, cluster=0)


def statements(prefix, nr):
    return ["select %s%d from (select 1 as %s%d) t;" % (prefix, i, prefix, i) for i in range(nr)]


class SmallDisk:
    """A file system with next to no room."""

    def __init__(self, size="64k"):
        self.dir = tempfile.mkdtemp(prefix="disk.")
        subprocess.run(["mount", "-t", "tmpfs", "-o", "size=" + size, "none", self.dir], check=True)

    def __enter__(self):
        return self.dir

    def __exit__(self, *_):
        subprocess.run(["umount", self.dir], check=True)
        os.rmdir(self.dir)


class Disk(fault.TestCase):
    NR = 300

    def run_full(self, *args, **popen):
        with fault.Psql(cluster) as psql, fault.Sonde("--no-findings", "-c", psql.comm, *args, **popen) as sonde:
            psql.lines(statements("disk", self.NR))
            time.sleep(1.2)
            sonde.proc.send_signal(signal.SIGINT)
            return sonde.wait()

    def test_full(self):
        """The report does not fit: what was there stays, and the report comes on stdout."""
        with SmallDisk() as disk:
            file = os.path.join(disk, "report.json")
            with open(file, "w") as f:
                f.write("{}")
            code, out, err = self.run_full("--output", file, "-i", "1")
            self.assertEqual(os.listdir(disk), ["report.json"])
            with open(file) as f:
                kept = f.read()
            # What was written in between may have been small enough; it is whole.
            json.loads(kept)
        self.assertEqual(code, 1, err)
        self.assertIn("cannot write %s: No space left on device" % file, err)
        self.assert_balance(pg.parse(out, code, err), self.NR, attributed=self.NR, outstanding=0, lost={})
        self.row("disk full", "--output into a full tmpfs, also in between (-i 1)",
                 "the error is named, exit code 1, the file from before is whole, nothing else is left there, the report "
                 "comes on stdout", "all of it; 300 of 300 statements")

    def test_stdout_full(self):
        with open("/dev/full", "w") as full:
            code, _, err = self.run_full(stdout=full)
        self.assertEqual(code, 1, err)
        self.assertIn("cannot write the report to stdout: No space left on device", err)
        self.row("stdout full", "report to /dev/full", "the error is named, exit code 1", "both")


class Clock(fault.TestCase):
    ASK = r"""
import socket, sys, time
s = socket.socket(socket.AF_UNIX)
s.connect(sys.argv[1])
end = time.monotonic() + 4
while time.monotonic() < end:
    s.sendall(b"*2\r\n$3\r\nGET\r\n$5\r\nclock\r\n")
    s.recv(100)
    time.sleep(0.01)
"""

    def ask(self, **sonde):
        redis.reset()
        with tempfile.TemporaryDirectory(prefix="clock.") as tmp:
            script = os.path.join(tmp, "faultclock")
            with open(script, "w") as f:
                f.write("#!%s\n%s" % (sys.executable, self.ASK))
            os.chmod(script, 0o755)
            before, begin = time.time(), time.monotonic()
            with fault.Sonde("--no-findings", "-i", "1", "-c", "faultclock", **sonde) as s:
                start = time.time()
                subprocess.run([script, redis.path], check=True)
                s.proc.send_signal(signal.SIGINT)
                code, out, err = s.wait()
            took = time.monotonic() - begin
        self.assertEqual(code, 0, err)
        # One document after the other.
        documents, at = [], 0
        decoder = json.JSONDecoder()
        while at < len(out):
            document, at = decoder.raw_decode(out, at)
            documents.append(document)
            while at < len(out) and out[at].isspace():
                at += 1
        self.assertGreaterEqual(len(documents), 3)
        report = pg.Report(documents[-1], code, err)
        nr = redis.truth()["get"][0]
        self.assert_balance(report, nr, attributed=nr, outstanding=0, lost={})
        window, query = report.json["window"], report.queries[0]
        self.assertGreater(window["duration_ns"], 4e9)
        self.assertLess(window["duration_ns"], took * 1e9)
        self.assertGreater(window["start_unix_ns"], (before - 1) * 1e9)
        self.assertLess(window["start_unix_ns"], (start + 1) * 1e9)
        self.assertGreater(query["first_seen_unix_ns"], (start - 1) * 1e9)
        self.assertLess(query["last_seen_unix_ns"], (before + took + 1) * 1e9)
        self.assertGreater(query["last_seen_unix_ns"] - query["first_seen_unix_ns"], 3e9)
        self.assertLess(query["latency_ns"]["max"], 3e9)
        return nr, len(documents)

    def test_step(self):
        library = os.path.join(pg.O, "tests/e2e/programs/clock_step")
        if not os.path.exists(library):
            self.skipTest("needs %s (make test-programs)" % library)
        nr, reports = self.ask(env=dict(os.environ, LD_PRELOAD=library))
        self.row("clock step", "sonde's CLOCK_REALTIME goes back an hour while it runs (a preloaded library; the machine's "
                 "own clock was left alone)", "counts, durations, intervals and times of day are as without",
                 "%d of %d, %d reports in time" % (nr, nr, reports))

    def test_namespace(self):
        if subprocess.run(["unshare", "--time", "true"], stderr=subprocess.DEVNULL).returncode:
            self.skipTest("needs time namespaces (Linux 5.6, unshare --time)")
        nr, reports = self.ask(prefix=("unshare", "--time", "--monotonic", "1000000", "--boottime", "1000000"))
        self.row("time namespace", "sonde's monotonic clock is 11 days ahead of the kernel's",
                 "counts, durations, intervals and times of day are as without", "%d of %d, %d reports in time" %
                 (nr, nr, reports))


class Memory(fault.TestCase):
    def test_too_little(self):
        """There is not enough to begin with."""
        with fault.MemoryGroup() as group:
            if not group.dir:
                self.skipTest("needs a memory cgroup that can be written to")
            group.limit(24 << 20)
            done = subprocess.run([pg.SONDE, "db", "--max-queries", "65536", "-d", "1"], stdin=subprocess.DEVNULL,
                                  stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, preexec_fn=group.enter,
                                  timeout=60 * pg.PATIENCE)
        self.assertIn(done.returncode, (1, -signal.SIGKILL), done.stderr)
        if done.returncode == 1:
            self.assertIn("no memory for the BPF maps: lower --max-queries", done.stderr)
        how = "exit code 1, named" if done.returncode == 1 else "killed by the kernel"
        self.row("too little memory", "memory cgroup of 24 MB, rows for 128 MB", "a clear error, or the kernel ends it", how)

    def test_address_space(self):
        codes = {}
        for size in (16, 20, 24, 28):
            def limit():
                resource.setrlimit(resource.RLIMIT_AS, (size << 20, size << 20))
            done = subprocess.run([pg.SONDE, "db", "--no-findings", "-d", "0.1"], stdin=subprocess.DEVNULL,
                                  stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, preexec_fn=limit,
                                  timeout=60 * pg.PATIENCE)
            # 127: the dynamic loader had no room for the libraries.
            self.assertIn(done.returncode, (0, 1, 127), done.stderr)
            if done.returncode == 1:
                self.assertIn("memory", done.stderr)
            codes[size] = done.returncode
        self.assertIn(1, codes.values())
        self.row("too little address space", "RLIMIT_AS of 16 to 28 MB", "a clear error, or it works", ", ".join(
            "%d MB: exit code %d" % one for one in codes.items()))

    def test_killed(self):
        """It runs out of memory under load: the kernel kills it, the load does not notice, nothing is left."""
        with fault.MemoryGroup() as group, fault.Psql(cluster) as psql:
            if not group.dir:
                self.skipTest("needs a memory cgroup that can be written to")
            cluster.reset_statements()
            with fault.Sonde("--max-queries", "65536", "-c", psql.comm, "-i", "1", preexec_fn=group.enter) as sonde:
                held = fault.held_by(sonde.pid)
                group.limit(group.used() + (2 << 20))
                psql.lines(statements("memory", 20000))
                sonde.proc.wait(60 * pg.PATIENCE)
                code, _, err = sonde.wait()
                self.assertEqual(code, -signal.SIGKILL, err)
                self.assertEqual(fault.left_of(held), set())
        self.assertEqual(sum(t.count for t in cluster.statements().values()), 20000)
        self.row("out of memory", "memory cgroup 2 MB above what sonde had after its start, then 20,000 new statements",
                 "sonde is killed, the load runs on, no program, map or link is left",
                 "killed, 20,000 of 20,000 executed without error, all %d objects gone" % len(held))


class Two(fault.TestCase):
    def test_three(self):
        """Three at once, one with the other back end: each sees all."""
        cluster.reset_statements()
        bench = fault.Program(cluster, "pgbench")
        sondes = [fault.Sonde("-c", bench.comm, "--capture", capture) for capture in ("auto", "auto", "syscall")]
        try:
            with bench, tempfile.NamedTemporaryFile("w", suffix=".sql") as script:
                script.write("\\set i random(1, 1000)\nselect :i;\nselect a from (values (:i), (2)) t(a);\n")
                script.flush()
                os.chmod(script.name, 0o644)
                for mode in ("simple", "prepared"):
                    bench.run("-n", "-M", mode, "-c", "3", "-t", "300", "-f", script.name)
            reports = [s.stop() for s in sondes]
        finally:
            for sonde in sondes:
                sonde.__exit__()
        truth = cluster.statements()
        total = sum(t.count for t in truth.values())
        for sonde, report in zip(sondes, reports):
            self.assert_truth(truth, report.by_id())
            self.assert_balance(report, total, attributed=total, outstanding=0, lost={})
            self.assert_small(sonde)
        self.row("several at once", "three sondes on one load, one of them with --capture syscall",
                 "each equals pg_stat_statements", "3 x %d of %d" % (total, total))


if __name__ == "__main__":
    unittest.main()
