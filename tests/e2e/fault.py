# SPDX-License-Identifier: GPL-2.0-only
"""fault.py - what the tests of faults share: sonde with its peak of memory, what a process holds in the kernel, the table."""

import os
import re
import signal
import struct
import subprocess
import sys
import tempfile
import time
import unittest

import bpfmaps
import pg
from test_redis import Server as Redis, by_command  # noqa: F401

LONG = os.environ.get("SONDE_FAULT_LONG") == "1"
NEXT_ID = {"prog": 11, "map": 12, "link": 31}  # BPF_*_GET_NEXT_ID: include/uapi/linux/bpf.h
TABLE = os.path.join(pg.O, "tests", "faults")  # a file for each script; scripts/faults.sh prints them as one

# sonde's own memory, bytes: the program and its libraries, the ring (1 MiB), texts and reports of what these tests send.
RSS_MAX = 96 << 20


class Sonde(pg.Sonde):
    """A sonde in the background whose output goes to files, so that it can be left alone for long; knows its peak of memory."""

    def __init__(self, *args, command="db", out="json", env=None, wait=True, prefix=(), **popen):
        self.files = [tempfile.TemporaryFile(), tempfile.TemporaryFile()]
        self.peak = 0
        self.code = None
        self.proc = subprocess.Popen([*prefix, pg.SONDE, command, "-o", out, *args], stdin=subprocess.DEVNULL,
                                     **dict({"stdout": self.files[0], "stderr": self.files[1], "env": env}, **popen))
        self.pid = self.proc.pid
        if wait:
            self.wait_attached()

    def said(self):
        """(stdout, stderr) so far."""
        texts = []
        for file in self.files:
            file.seek(0)
            texts.append(file.read().decode(errors="replace"))
        return tuple(texts)

    def wait_attached(self):
        end = time.monotonic() + 60 * pg.PATIENCE
        while not pg.is_attached(self.pid):
            if self.proc.poll() is not None or time.monotonic() > end:
                self.proc.kill()
                self.proc.wait()
                raise AssertionError("sonde did not attach (%s): %s" % (self.proc.returncode, self.said()[1]))
            time.sleep(0.01)
        self.look()

    def stop(self, *args, **named):
        self.look()  # it may end before the next look
        return super().stop(*args, **named)

    def look(self):
        """Notes the peak of its memory (VmHWM) while it runs."""
        try:
            with open("/proc/%d/status" % self.pid) as f:
                found = re.search(r"VmHWM:\s*(\d+) kB", f.read())
        except (FileNotFoundError, ProcessLookupError):
            found = None
        if found:
            self.peak = max(self.peak, int(found[1]) << 10)

    def wait(self, timeout=60):
        end = time.monotonic() + timeout * pg.PATIENCE
        while self.proc.poll() is None:
            self.look()
            if time.monotonic() > end:
                self.proc.kill()
                self.proc.wait()
                raise AssertionError("sonde does not end: %r" % (self.said(),))
            time.sleep(0.002)
        return (self.proc.returncode, *self.said())

    def kill(self):
        self.proc.kill()
        self.proc.wait()

    def pause(self):
        self.proc.send_signal(signal.SIGSTOP)
        while state_of(self.pid) != "T":
            time.sleep(0.001)

    def go_on(self):
        self.proc.send_signal(signal.SIGCONT)

    def __exit__(self, *_):
        if self.proc.poll() is None:
            self.kill()
        for file in self.files:
            file.close()


class Program:
    """A client program of PostgreSQL under a name of its own, so that no other is traced with it (-c)."""

    def __init__(self, cluster, program):
        self.cluster = cluster
        self.tmp = tempfile.TemporaryDirectory(prefix="load.")
        self.comm = "fault%d" % os.getpid()
        self.path = os.path.join(self.tmp.name, self.comm)
        os.symlink(os.path.join(cluster.bindir, program), self.path)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.tmp.cleanup()

    def start(self, *args, **popen):
        return subprocess.Popen([self.path, *args], env=self.cluster.env(), text=True,
                                **dict({"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT}, **popen))

    def run(self, *args, text=None):
        """Its output; an exception if it fails."""
        proc = self.start(*args, stdin=subprocess.PIPE)
        out = proc.communicate(text)[0]
        if proc.returncode:
            raise RuntimeError("%s: %s" % (args, out))
        return out


class Psql(Program):
    """psql, which executes lines."""

    def __init__(self, cluster):
        super().__init__(cluster, "psql")

    def lines(self, lines):
        self.run("-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", text="".join(line + "\n" for line in lines))


class MemoryGroup:
    """A memory cgroup (version 1 or 2) of its own."""

    def __init__(self):
        self.dir = None
        name = "sonde-fault-%d" % os.getpid()
        for place, limit in (("/sys/fs/cgroup/memory", "memory.limit_in_bytes"), ("/sys/fs/cgroup", "memory.max")):
            path = os.path.join(place, name)
            try:
                os.mkdir(path)
            except OSError:
                continue
            if os.path.exists(os.path.join(path, limit)):
                self.dir, self.limit_file = path, os.path.join(path, limit)
                break
            os.rmdir(path)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        end = time.monotonic() + 10
        while self.dir and time.monotonic() < end:
            try:
                os.rmdir(self.dir)
                return
            except OSError:
                time.sleep(0.1)

    def limit(self, nr):
        with open(self.limit_file, "w") as f:
            f.write(str(nr))

    def used(self):
        for name in ("memory.usage_in_bytes", "memory.current"):
            if os.path.exists(os.path.join(self.dir, name)):
                with open(os.path.join(self.dir, name)) as f:
                    return int(f.read())

    def add(self, pid):
        with open(os.path.join(self.dir, "cgroup.procs"), "w") as f:
            f.write(str(pid))

    def enter(self):
        """For the child, before exec."""
        self.add(0)


def state_of(pid):
    """One letter, as ps shows it; None: there is no such process."""
    try:
        with open("/proc/%d/stat" % pid) as f:
            return f.read().rsplit(")", 1)[1].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return None


def held_by(pid):
    """What a process holds in the kernel: {(kind, id)}, kind being prog, map or link."""
    held = set()
    for fd in os.listdir("/proc/%d/fdinfo" % pid):
        try:
            with open("/proc/%d/fdinfo/%s" % (pid, fd)) as f:
                info = f.read()
        except FileNotFoundError:
            continue
        # The info of a link names its program, too.
        kinds = ["link", "prog"] if "link_id" in info else ["map"] if "map_id" in info else ["prog"]
        for kind in kinds:
            found = re.search(r"^%s_id:\s*(\d+)" % kind, info, re.M)
            if found:
                held.add((kind, int(found[1])))
    return held


def exists(kind, number):
    """
    Whether the kernel still has it, without opening it, as bpftool does: a program array that is closed a second time while the kernel
    empties it for the first leaves the array behind for good (prog_array_map_clear() takes a reference for work that is queued once).
    """
    try:
        _, attr = bpfmaps.bpf(NEXT_ID[kind], struct.pack("=III", number - 1, 0, 0))
    except FileNotFoundError:  # that was the last one
        return False
    return struct.unpack_from("=I", attr, 4)[0] == number


def left_of(held, patience=60):
    """Those of @held that the kernel still has; it frees some after a grace period, long on a busy machine: waited for."""
    end = time.monotonic() + patience * pg.PATIENCE
    left = set(held)
    while left:
        left = {one for one in left if exists(*one)}
        if not left or time.monotonic() > end:
            break
        time.sleep(0.05)
    return left


def wait_for(what, condition, patience=20):
    end = time.monotonic() + patience * pg.PATIENCE
    while not condition():
        if time.monotonic() > end:
            raise AssertionError("in vain: " + what)
        time.sleep(0.005)


def megabytes(n):
    return "%.0f MB" % (n / (1 << 20))


class TestCase(pg.TestCase):
    """A fault each; row() puts down what came of it."""

    rows = []

    def assert_balance(self, report, seen, **coverage):
        """The server's own count is what sonde has seen, and all of it is accounted for; named members as given."""
        cov = report.coverage
        self.assertEqual(cov["seen"], seen, report.stderr + str(cov))
        self.assertEqual(cov["seen"], cov["attributed"] + cov["outstanding"] + sum(cov["lost"].values()), str(cov))
        self.assertEqual(sum(q["count"] for q in report.queries), cov["attributed"], str(cov))
        for name, value in coverage.items():
            self.assertEqual(cov[name], value, str(cov))

    def assert_small(self, sonde, limit=RSS_MAX):
        self.assertGreater(sonde.peak, 1 << 20)
        self.assertLess(sonde.peak, limit, megabytes(sonde.peak))

    def row(self, fault, done, invariant, result):
        TestCase.rows.append((fault, done, invariant, result))


def table(rows):
    """Rows of the fault table as text."""
    heads = ("fault", "what was done", "must hold", "result")
    lines = []
    for row in rows:
        lines.append(row[0])
        lines += ["    %-14s %s" % (head + ":", text) for head, text in zip(heads[1:], row[1:])]
    return "\n".join(lines)


def print_table():
    """For setUpModule(): at the end of the module its rows are printed and kept."""
    name = os.path.basename(sys.argv[0]).removesuffix(".py")
    os.makedirs(TABLE, exist_ok=True)
    with open(os.path.join(TABLE, name), "w") as f:
        for row in TestCase.rows:
            f.write("\t".join(row) + "\n")
    print("\n" + table(TestCase.rows), flush=True)


def main():
    """The table of all scripts that have run."""
    for name in sorted(os.listdir(TABLE)) if os.path.isdir(TABLE) else ():
        with open(os.path.join(TABLE, name)) as f:
            print(table([line.rstrip("\n").split("\t") for line in f]))


def module(redis=False, cluster=None):
    """For setUpModule(): (redis, cluster) as asked for, both ended with the module; prints the table at its end."""
    reason = pg.why_not()
    if reason:
        raise unittest.SkipTest(reason)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    unittest.addModuleCleanup(print_table)
    made = Redis() if redis else None
    if made:
        unittest.addModuleCleanup(made.stop)
    return made, pg.module_cluster(cluster) if cluster is not None else None


if __name__ == "__main__":
    main()
