# SPDX-License-Identifier: GPL-2.0-only
"""syscall_cost.py - what `sonde syscall` costs a system call: of a traced process, of others, beside programs that do nothing.

usage: syscall_cost.py [ROUNDS]

Nanoseconds of BPF for one call, enter and exit together (kernel.bpf_stats_enabled), and how long dd takes for a million reads and
a million writes of one byte. Needs root; rounds are interleaved, so that a busy machine disturbs all alike.
"""

import os
import statistics
import subprocess
import sys
import time

import cost

COUNT = 1000000
STATS = "/proc/sys/kernel/bpf_stats_enabled"


def dd():
    begin = time.monotonic()
    subprocess.run(["dd", "if=/dev/zero", "of=/dev/null", "bs=1", "count=%d" % COUNT, "status=none"], check=True)
    return time.monotonic() - begin


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
    }
    results = {way: [] for way in ways}
    try:
        open(STATS, "w").write("1")
        for _ in range(rounds):
            for way, run in ways.items():
                results[way].append(run())
    finally:
        open(STATS, "w").write(before)
    for way, found in results.items():
        print("%-26s %5.0f ns of BPF a call, dd %.2f s" % (way, statistics.median(f[0] for f in found),
                                                          statistics.median(f[1] for f in found)))


if __name__ == "__main__":
    main()
