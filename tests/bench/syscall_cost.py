# SPDX-License-Identifier: GPL-2.0-only
"""syscall_cost.py - what `sonde syscall` costs a system call: of a traced process, of others, beside empty programs and other tools.

usage: syscall_cost.py [ROUNDS]

Nanoseconds of BPF for one call, enter and exit together (kernel.bpf_stats_enabled), and how long a call takes in all: dd reads and
writes a million bytes, one by one. Needs root; rounds are interleaved, so that a busy machine disturbs all alike.
"""

import os
import statistics
import subprocess
import sys
import time

import beside
import cost

COUNT = 1000000
STATS = "/proc/sys/kernel/bpf_stats_enabled"
BPFTRACE = """
tracepoint:raw_syscalls:sys_enter /pid == %d/ { @begin[tid] = nsecs; }
tracepoint:raw_syscalls:sys_exit /@begin[tid]/ { @[args->id] = hist(nsecs - @begin[tid]); delete(@begin[tid]); }
"""


class Copy:
    """dd that waits to be told to go, so that its process id is known before it does anything."""

    def __init__(self, count):
        self.count = count
        self.proc = subprocess.Popen(["sh", "-c", 'read go; exec "$@"', "-", "dd", "if=/dev/zero", "of=/dev/null", "bs=1",
                                      "count=%d" % count, "status=none"], stdin=subprocess.PIPE, text=True)
        self.pid = self.proc.pid

    def go(self):
        """ns a call"""
        begin = time.monotonic()
        self.proc.communicate("go\n")
        return (time.monotonic() - begin) * 1e9 / (2 * self.count)


def dd():
    return Copy(COUNT).go()


def with_tool(make, share=1):
    """A run of the @share'th part of the calls beside a tool."""
    def run():
        with beside.watched(Copy(COUNT // share), make) as copy:
            return None, copy.go()
    return run


def per_call(stats):
    """ns a call, from {program: (runs, ns)} of an enter and an exit program."""
    return sum(ns / runs for name, (runs, ns) in stats.items() if runs > COUNT and ("enter" in name or "exit" in name))


def sonde(*args):
    with cost.pg.Sonde(*args, command="syscall") as run:
        took = dd()
        stats = cost.bpf_stats(run.pid)
        run.stop()
    return per_call(stats), took


def empty():
    proc = subprocess.Popen([cost.EMPTY, cost.OBJECT, "sys_enter_empty", "sys_exit_empty"], stdin=subprocess.PIPE,
                            stdout=subprocess.PIPE, text=True)
    proc.stdout.readline()
    took = dd()
    out, _ = proc.communicate()
    rows = [line.split() for line in out.splitlines()]
    return per_call({name: (int(runs), int(ns)) for name, runs, ns in rows}), took


def main():
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 5
    before = open(STATS).read()
    ways = {
        "nothing attached": lambda: (0, dd()),
        "empty programs": empty,
        "traced": lambda: sonde("-c", "dd"),
        "traced, no filter": sonde,
        "another process traced": lambda: sonde("-p", str(os.getpid())),
        "another call traced (-e)": lambda: sonde("-e", "mount"),
        "bpftrace": with_tool(lambda pid: beside.bpftrace(BPFTRACE % pid)),
        "perf trace -s": with_tool(lambda pid: (["perf", "trace", "-s", "-o", "summary", "-p", str(pid)], 2.0), 4),
        "strace -f -c": with_tool(lambda pid: (["strace", "-f", "-c", "-o", "summary", "-p", str(pid)], "attached"), 20),
    }
    results, why = {way: [] for way in ways}, {}
    try:
        open(STATS, "w").write("1")
        for _ in range(rounds):
            for way, run in ways.items():
                try:
                    results[way].append(run())
                except beside.Failed as failed:
                    why[way] = failed
    finally:
        open(STATS, "w").write(before)
    for way, found in results.items():
        if not found:
            print("%-26s %s" % (way, why[way]))
            continue
        bpf = [ns for ns, _ in found if ns is not None]
        print("%-26s %s %6.0f ns a call in all" % (way, "%5.0f ns of BPF," % statistics.median(bpf) if bpf else " " * 16,
                                                   statistics.median(took for _, took in found)))


if __name__ == "__main__":
    main()
