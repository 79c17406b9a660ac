# SPDX-License-Identifier: GPL-2.0-only
"""offcpu_cost.py - what `sonde offcpu` costs a context switch under a storm of them: of a traced process, of others, beside
empty programs and other tools.

usage: offcpu_cost.py [ROUNDS [DEPTH...]]

Two processes on one processor hand a byte to and fro through pipes. Nanoseconds of BPF for one switch, the wake-up before it
included (kernel.bpf_stats_enabled), and how long a round (two switches, four system calls) takes. DEPTH: functions below which they
do so (default: 5 and 30). Needs root; rounds are interleaved, so that a busy machine disturbs all alike.
"""

import os
import statistics
import subprocess
import sys

import beside
import cost

COUNT = 200000
STATS = "/proc/sys/kernel/bpf_stats_enabled"
SWITCHES = os.path.join(cost.pg.O, "tests/bench/switches")
EMPTY_PROGRAMS = ["off_out_empty", "off_wake_empty", "off_up_empty"]


class Storm:
    def __init__(self, depth):
        self.proc = subprocess.Popen([SWITCHES, str(COUNT), str(depth)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.pid = self.proc.pid

    def go(self):
        out, _ = self.proc.communicate("\n")
        return int(out)


def per_switch(before, after):
    """ns of BPF a switch, from {program: (runs, ns)} before and after: all that the hooks did, over twice the rounds."""
    ns = sum(after[name][1] - before.get(name, (0, 0))[1] for name in after if name.startswith("off_"))
    return ns / (2 * COUNT)


def sonde(depth, *args):
    with cost.pg.Sonde(*args, command="offcpu") as run:
        storm = Storm(depth)
        before = cost.bpf_stats(run.pid)
        took = storm.go()
        after = cost.bpf_stats(run.pid)
        run.stop()
    return per_switch(before, after), took


def empty(depth):
    proc = subprocess.Popen([cost.EMPTY, cost.OBJECT, *EMPTY_PROGRAMS], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    proc.stdout.readline()
    took = Storm(depth).go()
    out, _ = proc.communicate()
    rows = [line.split() for line in out.splitlines()]
    return per_switch({}, {name: (int(runs), int(ns)) for name, runs, ns in rows}), took


BPFTRACE = """
tracepoint:sched:sched_switch /pid == %d || @out[args->next_pid]/ {
    if (@out[args->next_pid]) {
        @[@user[args->next_pid], @kernel[args->next_pid]] = hist(nsecs - @out[args->next_pid]);
        delete(@out[args->next_pid]); delete(@user[args->next_pid]); delete(@kernel[args->next_pid]);
    }
    if (pid == %d) { @out[tid] = nsecs; @user[tid] = ustack; @kernel[tid] = kstack; }
}
"""


def with_tool(make):
    def run(depth):
        with beside.watched(Storm(depth), make) as storm:
            return None, storm.go()
    return run


def main():
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 5
    depths = [int(d) for d in sys.argv[2:]] or [5, 30]
    before = open(STATS).read()
    ways = {
        "nothing attached": lambda depth: (0, Storm(depth).go()),
        "empty programs": empty,
        "traced": lambda depth: sonde(depth, "-c", "switches"),
        "traced, no filter": sonde,
        "another process traced": lambda depth: sonde(depth, "-p", str(os.getpid())),
        "bpftrace, stacks": with_tool(lambda pid: beside.bpftrace(BPFTRACE % (pid, pid))),
        "perf record -g": with_tool(lambda pid: (["perf", "record", "-e", "sched:sched_switch", "-g", "-o", "data", "-p", str(pid)], 1.0)),
        "perf sched record": with_tool(lambda pid: (["perf", "sched", "record", "-o", "data"], 1.0)),
    }
    try:
        open(STATS, "w").write("1")
        for depth in depths:
            results, why = {way: [] for way in ways}, {}
            for _ in range(rounds):
                for way, run in ways.items():
                    try:
                        results[way].append(run(depth))
                    except beside.Failed as failed:
                        why[way] = failed
            print("%d functions deep" % depth)
            for way, found in results.items():
                if not found:
                    print("  %-24s %s" % (way, why[way]))
                    continue
                bpf = [ns for ns, _ in found if ns is not None]
                print("  %-24s %s %6.0f ns a round" % (
                    way, "%5.0f ns of BPF a switch," % statistics.median(bpf) if bpf else " " * 25,
                    statistics.median(took for _, took in found)))
    finally:
        open(STATS, "w").write(before)


if __name__ == "__main__":
    main()
