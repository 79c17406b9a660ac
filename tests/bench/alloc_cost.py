# SPDX-License-Identifier: GPL-2.0-only
"""alloc_cost.py - what `sonde alloc` costs a malloc and its free: sampled, exact, beside what others do.

usage: alloc_cost.py [ROUNDS [SECONDS]]

A program that does nothing else, as fast as it can and at 200,000 pairs a second. Rounds are interleaved, medians are printed:
processor time of the program for a pair and how many pairs it got done, and of the BPF programs how long a run takes
(kernel.bpf_stats_enabled, in a round of its own: it costs, too). Needs root.
"""

import glob
import os
import re
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time

import beside
import cost

MALLOCS = os.path.join(cost.pg.O, "tests/bench/mallocs")
SONDE = os.path.join(cost.pg.O, "sonde")
SHIM = os.path.join(cost.pg.O, "libsonde-alloc.so")
PACES = {"as fast as it can": 0, "200,000 pairs/s": 200000}
HEAPTRACK = shutil.which("heaptrack")
VALGRIND = shutil.which("valgrind")


def skipped(why):
    return lambda *_: why


class Program:
    """mallocs, plain or behind a command that starts it."""

    def __init__(self, seconds, pace, before=(), env=None):
        self.proc = subprocess.Popen([*before, MALLOCS, str(seconds), str(pace)], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                     stderr=subprocess.DEVNULL, text=True, env=dict(os.environ, **(env or {})))
        self.pid = self.proc.pid
        while self.proc.stdout.readline().strip() not in ("ready", ""):
            pass

    def go(self):
        """Pairs, processor and other nanoseconds."""
        out, _ = self.proc.communicate("go\n")
        return tuple(int(n) for n in re.search(r"^(\d+) (\d+) (\d+)$", out, re.M).groups())


def plain(seconds, pace):
    return Program(seconds, pace).go()


def shim(seconds, pace):
    return Program(seconds, pace, env={"LD_PRELOAD": SHIM}).go()


def sampled(seconds, pace):
    with tempfile.NamedTemporaryFile() as report:
        return Program(seconds, pace, [SONDE, "alloc", "--output", report.name, "--"]).go()


def exact(seconds, pace, stats=None):
    program = Program(seconds, pace)
    sonde = subprocess.Popen([SONDE, "alloc", "--exact", "--budget", "100000", "-v", "-p", str(program.pid)],
                             stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    while not sonde.stderr.readline().endswith("tracing\n"):
        pass
    if stats is not None:
        sleep = max(seconds - 0.5, 0.1)
        pid = os.fork()
        if not pid:
            time.sleep(sleep)
            os._exit(0)
        program.proc.stdin.write("go\n")
        program.proc.stdin.flush()
        os.waitpid(pid, 0)
        stats.update(cost.bpf_stats(sonde.pid))
        out, _ = program.proc.communicate()
        result = tuple(int(n) for n in out.split())
    else:
        result = program.go()
    sonde.send_signal(signal.SIGINT)
    sonde.communicate()
    return result


def memleak(seconds, pace):
    program = Program(seconds, pace)
    try:
        with beside.tool(*beside.memleak(program.pid, "3600")):
            return program.go()
    except beside.Failed as why:
        program.proc.kill()
        program.proc.communicate()
        return str(why).splitlines()[-1]


def preloaded(library, package, **env):
    """The program with another allocator; @env: its profiler's."""
    found = sorted(glob.glob("/usr/lib/*/" + library))
    if not found:
        return skipped("not installed: " + package)

    def run(seconds, pace):
        with tempfile.TemporaryDirectory() as where:
            return Program(seconds, pace, env={"LD_PRELOAD": found[0], **{k: v.replace("DIR", where) for k, v in env.items()}}).go()
    return run


def valgrind(tool):
    def run(seconds, pace):
        with tempfile.TemporaryDirectory() as where:
            return Program(seconds, pace, [VALGRIND, "--tool=" + tool, *(["--massif-out-file=" + os.path.join(where, "m")] if tool == "massif"
                                                                          else [])]).go()
    return run if VALGRIND else skipped("not installed: valgrind")


def heaptrack(seconds, pace):
    with tempfile.TemporaryDirectory() as where:
        return Program(seconds, pace, [HEAPTRACK, "-r", "-o", os.path.join(where, "h")]).go()


WAYS = {
    "untraced": plain,
    "library preloaded, idle": shim,
    "sampled": sampled,
    "exact": exact,
    "memleak (bcc)": memleak,
    "heaptrack": heaptrack if HEAPTRACK else skipped("not installed: heaptrack"),
    "valgrind massif": valgrind("massif"),
    "valgrind memcheck": valgrind("memcheck"),
    "jemalloc": preloaded("libjemalloc.so.2", "libjemalloc2"),
    "jemalloc, prof:true": preloaded("libjemalloc.so.2", "libjemalloc2", MALLOC_CONF="prof:true,prof_prefix:DIR/j"),
    "tcmalloc": preloaded("libtcmalloc.so.4", "libgoogle-perftools4"),
    "tcmalloc, samples 512 KiB": preloaded("libtcmalloc.so.4", "libgoogle-perftools4", TCMALLOC_SAMPLE_PARAMETER="524288"),
    "tcmalloc, HEAPPROFILE": preloaded("libtcmalloc.so.4", "libgoogle-perftools4", HEAPPROFILE="DIR/t"),
}


def one(results):
    said = [r for r in results if isinstance(r, str)]
    if said:
        return said[0], None
    pair = statistics.median(cpu / pairs for pairs, cpu, _ in results)
    return "%8.0f ns of CPU a pair, %6.2f %% CPU, %10.0f pairs/s" % (
        pair, statistics.median(100 * cpu / wall for _, cpu, wall in results),
        statistics.median(1e9 * pairs / wall for pairs, _, wall in results)), pair


def main():
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 5
    seconds = float(sys.argv[2]) if len(sys.argv) > 2 else 2
    for name, pace in PACES.items():
        results = {way: [] for way in WAYS}
        for _ in range(rounds):
            for way, run in WAYS.items():
                results[way].append(run(seconds, pace))
        print(name)
        base = one(results["untraced"])[1]
        for way, found in results.items():
            text, pair = one(found)
            print("  %-26s %s%s" % (way, text, "" if pair is None or pair == base else ", %.2fx" % (pair / base)))
    with open(cost.STATS) as file:
        before = file.read()
    try:
        with open(cost.STATS, "w") as file:
            file.write("1")
        stats = {}
        exact(seconds, 200000, stats)
    finally:
        with open(cost.STATS, "w") as file:
            file.write(before)
    for name, (runs, ns) in sorted(stats.items()):
        if runs > 1000:
            print("%-24s %8.0f ns a run (%d)" % (name, ns / runs, runs))


if __name__ == "__main__":
    main()
