# SPDX-License-Identifier: GPL-2.0-only
"""cpu_cost.py - what `sonde cpu` costs a program that uses its processor all the time, beside other profilers.

usage: cpu_cost.py [ROUNDS [DEPTH...]]

A program bound by malloc(), below DEPTH functions (default: 5 and 30): processor time of a pair of malloc() and free() beside
untraced, and of the BPF program nanoseconds a sample (kernel.bpf_stats_enabled, in runs of their own: it costs, too). Needs root;
rounds are interleaved, so that a busy machine disturbs all alike; medians.
"""

import os
import statistics
import subprocess
import sys

import beside
import cost

STATS = "/proc/sys/kernel/bpf_stats_enabled"
FAULTS = os.path.join(cost.pg.O, "tests/bench/faults")
COUNT = 60000000  # pairs: seconds of processor time


class Program:
    def __init__(self, depth):
        self.proc = subprocess.Popen([FAULTS, "malloc", str(COUNT), str(depth)], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                     text=True)
        self.pid = self.proc.pid

    def go(self):
        """Nanoseconds of processor time a pair."""
        out, _ = self.proc.communicate("\n")
        return float(out)


def alone(depth):
    return Program(depth).go()


def sonde(hz, *args):
    def run(depth):
        program = Program(depth)
        with cost.pg.Sonde("-p", "%d,%d" % (program.pid, os.getpid()), "-F", str(hz), *args, command="cpu") as running:
            took = program.go()
            running.stop()
        return took
    return run


def with_tool(make):
    def run(depth):
        with beside.watched(Program(depth), make) as program:
            return program.go()
    return run


def perf_record(*args):
    return with_tool(lambda pid: (["perf", "record", "-e", "cpu-clock", "-F", "99", *args, "-o", "data", "-p", str(pid)], 1.0))


def per_sample(hz, depth):
    """(ns of BPF a sample, samples)"""
    program = Program(depth)
    with cost.pg.Sonde("-p", "%d,%d" % (program.pid, os.getpid()), "-F", str(hz), command="cpu") as running:
        before = cost.bpf_stats(running.pid)
        program.go()
        after = cost.bpf_stats(running.pid)
        running.stop()
    # The program runs at each tick of every processor; those that find another process leave at once, and are few here.
    runs = sum(after[name][0] - before.get(name, (0, 0))[0] for name in after if name.startswith("cpu_"))
    ns = sum(after[name][1] - before.get(name, (0, 0))[1] for name in after if name.startswith("cpu_"))
    return ns / max(runs, 1), runs


def main():
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 5
    depths = [int(d) for d in sys.argv[2:]] or [5, 30]
    ways = {
        "untraced": alone,
        "sonde cpu, 99 Hz": sonde(99),
        "sonde cpu, 999 Hz": sonde(999),
        "perf record -g, 99 Hz": perf_record("-g"),
        "perf record --call-graph dwarf": perf_record("--call-graph", "dwarf"),
        "bpftrace profile:hz:99": with_tool(lambda pid: beside.bpftrace("profile:hz:99 /pid == %d/ { @[ustack, kstack] = count(); }" % pid)),
    }
    before = open(STATS).read()
    for depth in depths:
        results, why = {way: [] for way in ways}, {}
        for i in range(rounds):
            for way in list(ways) if i % 2 else reversed(list(ways)):
                try:
                    results[way].append(ways[way](depth))
                except beside.Failed as failed:
                    why[way] = failed
        print("%d functions deep" % depth)
        for way, found in results.items():
            if found:
                ratios = [b / a for a, b in zip(results["untraced"], found)]
                print("  %-32s %6.1f ns a pair, %.3f of untraced (%.3f to %.3f)" % (
                    way, statistics.median(found), statistics.median(ratios), min(ratios), max(ratios)))
            else:
                print("  %-32s %s" % (way, why[way]))
        try:
            open(STATS, "w").write("1")
            samples = [per_sample(999, depth) for _ in range(max(rounds // 2, 1))]
        finally:
            open(STATS, "w").write(before)
        print("  BPF: %.0f ns a sample (%d samples)" % (statistics.median(s[0] for s in samples), sum(s[1] for s in samples)))


if __name__ == "__main__":
    main()
