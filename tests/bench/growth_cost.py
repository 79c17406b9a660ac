# SPDX-License-Identifier: GPL-2.0-only
"""growth_cost.py - what `sonde alloc --growth` costs: a page fault, a pair of mmap() and munmap(), programs.

usage: growth_cost.py [ROUNDS [DEPTH...]]

Storms of page faults and of mappings, below DEPTH functions (default: 5 and 30), the worst there is: nanoseconds of BPF for one
(kernel.bpf_stats_enabled) and the processor time that one takes, traced, with another process traced, beside programs that do nothing. Then, without
statistics, what a program bound by malloc() and redis-server under redis-benchmark do in a second of their processor time, beside
untraced. Needs root; rounds are interleaved, so that a busy machine disturbs all alike; medians.
"""

import os
import shutil
import statistics
import subprocess
import sys
import time

import cost

STATS = "/proc/sys/kernel/bpf_stats_enabled"
FAULTS = os.path.join(cost.pg.O, "tests/bench/faults")
COUNT = {"faults": 409600, "maps": 100000, "malloc": 20000000}
EMPTY_PROGRAMS = ["growth_empty", "growth_to_empty", "growth_un_empty"]
REDIS_PORT = "16399"
REQUESTS = 200000


class Storm:
    def __init__(self, what, depth):
        self.proc = subprocess.Popen([FAULTS, what, str(COUNT[what]), str(depth)], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                     text=True)
        self.pid = self.proc.pid

    def go(self):
        out, _ = self.proc.communicate("\n")
        return float(out)


def per_one(what, before, after):
    """ns of BPF for one, from {program: (runs, ns)} before and after."""
    ns = sum(after[name][1] - before.get(name, (0, 0))[1] for name in after if name.startswith("growth_"))
    return ns / COUNT[what]


def nothing(what, depth):
    return 0, Storm(what, depth).go()


def sonde(what, depth, *args):
    storm = Storm(what, depth)
    # This process, too, so that sonde is still there when the storm is over.
    with cost.pg.Sonde("--growth", *(args or ("-p", "%d,%d" % (storm.pid, os.getpid()))), command="alloc") as run:
        before = cost.bpf_stats(run.pid)
        took = storm.go()
        after = cost.bpf_stats(run.pid)
        run.stop()
    return per_one(what, before, after), took


def empty(what, depth):
    proc = subprocess.Popen([cost.EMPTY, cost.OBJECT, *EMPTY_PROGRAMS], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    proc.stdout.readline()
    took = Storm(what, depth).go()
    out, _ = proc.communicate()
    rows = [line.split() for line in out.splitlines()]
    return per_one(what, {}, {name: (int(runs), int(ns)) for name, runs, ns in rows}), took


def storms(rounds, depths):
    ways = {
        "nothing attached": nothing,
        "empty programs": empty,
        "traced": sonde,
        "another process traced": lambda what, depth: sonde(what, depth, "-p", str(os.getpid())),
    }
    for what, name in (("faults", "a page fault"), ("maps", "a pair of mmap and munmap")):
        for depth in depths:
            results = {way: [] for way in ways}
            for _ in range(rounds):
                for way, run in ways.items():
                    results[way].append(run(what, depth))
            print("%s, %d functions deep" % (name, depth))
            for way, found in results.items():
                print("  %-24s %5.0f ns of BPF, %6.0f ns in all" % (
                    way, statistics.median(f[0] for f in found), statistics.median(f[1] for f in found)))


class Redis:
    """A server, and what it does in a second of its processor time."""

    def __init__(self):
        self.proc = subprocess.Popen(["redis-server", "--port", REDIS_PORT, "--save", "", "--appendonly", "no"],
                                     stdout=subprocess.DEVNULL)
        self.pid = self.proc.pid
        time.sleep(1)

    def go(self):
        before = cost.cpu_seconds(self.pid)
        subprocess.run(["redis-benchmark", "-p", REDIS_PORT, "-q", "-n", str(REQUESTS), "-r", "100000", "-d", "256", "-t", "set"],
                       stdout=subprocess.DEVNULL, check=True)
        return REQUESTS / (cost.cpu_seconds(self.pid) - before)

    def end(self):
        self.proc.kill()
        self.proc.wait()


def malloc_speed():
    storm = Storm("malloc", 10)
    return storm, lambda: 1e9 / storm.go()


def redis_speed():
    server = Redis()
    return server, server.go


def kept(name, make, rounds):
    """Operations in a second of processor time, untraced and traced by turns."""
    alone, traced = [], []
    for i in range(rounds):
        for with_sonde in (False, True) if i % 2 else (True, False):
            subject, go = make()
            if with_sonde:
                with cost.pg.Sonde("--growth", "-p", "%d,%d" % (subject.pid, os.getpid()), command="alloc") as run:
                    traced.append(go())
                    run.stop()
            else:
                alone.append(go())
            if hasattr(subject, "end"):
                subject.end()
    ratios = [b / a for a, b in zip(alone, traced)]
    print("  %-24s %9.0f untraced, %9.0f traced: %.3f kept (%.3f to %.3f)" % (
        name, statistics.median(alone), statistics.median(traced), statistics.median(ratios), min(ratios), max(ratios)))


def main():
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 5
    depths = [int(d) for d in sys.argv[2:]] or [5, 30]
    before = open(STATS).read()
    try:
        open(STATS, "w").write("1")
        storms(rounds, depths)
        open(STATS, "w").write("0")
        print("in a second of processor time")
        kept("malloc and free", malloc_speed, rounds)
        if shutil.which("redis-server") and shutil.which("redis-benchmark"):
            kept("redis-server, SET", redis_speed, rounds)
    finally:
        open(STATS, "w").write(before)


if __name__ == "__main__":
    main()
