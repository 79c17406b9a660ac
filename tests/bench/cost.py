# SPDX-License-Identifier: GPL-2.0-only
"""cost.py - what tracing a client costs: BPF time an operation, throughput, sonde's own CPU and memory.

usage: cost.py [-w NAME,...] [-n PAIRS] [-d SECONDS] [--capture WAY] [--spread] [--json]

Needs root and a calm machine: whatever else runs shows up in the throughput. Client and server share one processor
while throughput is measured, so that it is bound by the work done: left to the scheduler it differs by a factor of
two from run to run, with where it puts them (--spread).
"""

import argparse
import glob
import json
import os
import re
import signal
import statistics
import subprocess
import sys
import time

from workloads import WORKLOADS, pg

STATS = "/proc/sys/kernel/bpf_stats_enabled"
ALL_CPUS = os.sched_getaffinity(0)
SETTLE_SECONDS = 0.5  # before every run, traced or not: the same rest for the machine
EMPTY = os.path.join(pg.O, "tests/bench/empty")
OBJECT = os.path.join(pg.O, "sonde.bpf.o")
RING_WORKLOADS = ("pg-simple-unix", "pg-nplus1-unix", "pg-nplus1-prepared-unix")


class Client:
    """One that waits to be told to go, so that its process id is known before it does anything."""

    def __init__(self, workload, server, count, cpus=None):
        self.proc = subprocess.Popen(["sh", "-c", 'read go; exec "$@"', "-", *workload.client(server, count)],
                                     env=workload.env(server), cwd=getattr(server, "certs", None), stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                     stderr=subprocess.STDOUT, text=True)
        self.pid = self.proc.pid
        for pid in [self.pid] + [int(tid) for tid in os.listdir("/proc/%d/task" % server.proc.pid)]:
            os.sched_setaffinity(pid, cpus or ALL_CPUS)  # new processes and threads inherit it

    def go(self):
        """Seconds that it took."""
        begin = time.monotonic()
        self.out = out = self.proc.communicate("go\n")[0]
        if self.proc.returncode or "failed transactions: 0 " not in out and "failed transactions" in out:
            raise RuntimeError(out)
        return time.monotonic() - begin

    def drop(self):
        self.proc.kill()
        self.proc.communicate()


def bpf_stats(pid):
    """{program: (runs, ns)} of the programs that a process holds."""
    stats = {}
    for fd in glob.glob("/proc/%d/fd/*" % pid):
        try:
            if os.readlink(fd) != "anon_inode:bpf-prog":
                continue
            with open(fd.replace("/fd/", "/fdinfo/")) as file:
                info = dict(line.rstrip("\n").split(":\t", 1) for line in file if ":\t" in line)
        except OSError:
            continue
        shown = subprocess.run(["bpftool", "-j", "prog", "show", "id", info["prog_id"]], stdout=subprocess.PIPE)
        name = json.loads(shown.stdout)["name"]
        stats[name] = (int(info["run_cnt"]), int(info["run_time_ns"]))
    return stats


def trace(client, workload, capture, *args):
    # This process, too, so that sonde is still there when the client has ended.
    return pg.Sonde("-p", "%d,%d" % (client.pid, os.getpid()), "--capture", capture, *args, command=workload.command)


def seen(report):
    """Operations in a report, whatever it is of."""
    return sum(row["count"] for row in report.json.get("queries", []) + report.json.get("endpoints", []))


def bpf_programs(workload, server, capture, *args):
    """Operations seen, and the programs' runs and ns for each."""
    client = Client(workload, server, workload.count)
    with trace(client, workload, capture, *args) as sonde:
        client.go()
        stats = bpf_stats(sonde.pid)
        count = seen(sonde.stop())
    programs = {}
    for name, (runs, ns) in sorted(stats.items()):
        if runs > workload.count / 100 and not name.startswith("sq_cal"):  # a measurement at the start
            programs[name] = {"runs": runs / workload.count, "ns": ns / workload.count}
    return count, programs


def bpf_time(workload, server, capture):
    """Programs' runs and ns an operation, the same without findings, and of programs that do nothing."""
    count, programs = bpf_programs(workload, server, capture)
    row = {"count": workload.count, "seen": count, "programs": programs}
    row["ns"] = sum(p["ns"] for p in programs.values())
    if workload.command == "db":
        _, plain = bpf_programs(workload, server, capture, "--no-findings")
        row["no_findings_ns"] = sum(p["ns"] for p in plain.values())
    if capture == "tracepoint" and os.access(EMPTY, os.X_OK):
        client = Client(workload, server, workload.count)
        empty = subprocess.Popen([EMPTY, OBJECT], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        if empty.stdout.readline() == "ready\n":
            client.go()
            out, _ = empty.communicate("")
            row["empty_ns"] = sum(int(line.split()[2]) for line in out.splitlines()) / workload.count
        else:
            empty.communicate("")
            client.drop()
    return row


def cpu_seconds(pid):
    with open("/proc/%d/stat" % pid) as file:
        fields = file.read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def peak_rss(pid):
    with open("/proc/%d/status" % pid) as file:
        return int(re.search(r"^VmHWM:\s+(\d+) kB", file.read(), re.M)[1]) * 1024


def throughput(workload, server, args, cpus, tell):
    """Operations a second, untraced and traced, in turns; and what sonde itself used meanwhile."""
    untraced, traced, cpu, rss, lost = [], [], [], [], 0
    count = workload.count
    count = int(count / Client(workload, server, count, cpus).go() * args.seconds) // 2 * 2

    def plain():
        time.sleep(SETTLE_SECONDS)
        untraced.append(count / Client(workload, server, count, cpus).go())

    def with_sonde():
        nonlocal lost
        client = Client(workload, server, count, cpus)
        with trace(client, workload, args.capture) as sonde:
            time.sleep(SETTLE_SECONDS)
            before, begin = cpu_seconds(sonde.pid), time.monotonic()
            traced.append(count / client.go())
            cpu.append((cpu_seconds(sonde.pid) - before) / (time.monotonic() - begin))
            rss.append(peak_rss(sonde.pid))
            lost += sum(sonde.stop().coverage["lost"].values())

    for i in range(args.pairs):
        for run in ((plain, with_sonde), (with_sonde, plain))[i % 2]:
            run()
        tell("%s: pair %d of %d: %.0f untraced, %.0f traced" % (workload.name, i + 1, args.pairs, untraced[-1], traced[-1]))
    ratios = [b / a for a, b in zip(untraced, traced)]
    return {"pairs": args.pairs, "operations": count, "cpus": len(cpus or ALL_CPUS), "untraced": untraced, "traced": traced,
            "ratio_median": statistics.median(ratios), "ratio_min": min(ratios), "ratio_max": max(ratios), "lost": lost,
            "sonde_cpu_percent": 100 * statistics.median(cpu), "sonde_peak_rss_bytes": max(rss)}


def ring_events(workload, server, capture):
    """Events sent to user space from the second to the fourth second of a run, by its reports."""
    count = workload.count
    count = int(count / Client(workload, server, count).go() * 7)
    client = Client(workload, server, count)
    sonde = trace(client, workload, capture, "-i", "1")
    try:
        client.go()
        sonde.proc.send_signal(signal.SIGINT)
        _, out, _ = sonde.wait()
    finally:
        sonde.__exit__()
    events = [json.loads(line)["coverage"] for line in out.splitlines()]
    first, last = events[2], events[4]
    return {"events": last["work"].get("ring_events", 0) - first["work"].get("ring_events", 0),
            "statements": last["attributed"] - first["attributed"]}


def text(result):
    rows = result["workloads"]
    print("BPF time, ns an operation (%s, client and server on this machine, the client is traced):" % result["capture"])
    print("  %-20s %7s %8s %7s   %s" % ("", "all", "no finds", "empty", "by program (runs an operation)"))
    for row in rows:
        programs = ", ".join("%s %.0f (%.1f)" % (name, p["ns"], p["runs"]) for name, p in row["bpf"]["programs"].items())
        empty = "%.0f" % row["bpf"]["empty_ns"] if "empty_ns" in row["bpf"] else "-"
        short = "" if row["bpf"]["seen"] >= row["bpf"]["count"] else "  (only %(seen)d of %(count)d seen)" % row["bpf"]
        plain = "%.0f" % row["bpf"]["no_findings_ns"] if "no_findings_ns" in row["bpf"] else "-"
        print("  %-20s %7.0f %8s %7s   %s%s" % (row["name"], row["bpf"]["ns"], plain, empty, programs, short))
    if any("throughput" in row for row in rows):
        print("Throughput, operations a second:")
        print("  %-20s %9s %9s  %-22s %5s %5s %6s %5s" % ("", "untraced", "traced", "median ratio", "pairs", "CPUs", "sonde", "lost"))
    for row in rows:
        t = row.get("throughput")
        if t:
            print("  %-20s %9.0f %9.0f  %.3f (%.3f to %.3f) %5d %5d %5.1f%% %5d" %
                  (row["name"], statistics.median(t["untraced"]), statistics.median(t["traced"]), t["ratio_median"], t["ratio_min"],
                   t["ratio_max"], t["pairs"], t["cpus"], t["sonde_cpu_percent"], t["lost"]))
    for name, ring in result["ring"].items():
        print("Events to user space after warm-up (%s): %d for %d statements in 2 s" % (name, ring["events"], ring["statements"]))
    for name, reason in result["skipped"].items():
        print("Not measured: %s: %s" % (name, reason))


def systems():
    with open(os.path.join(pg.TOP, "include/sonde/proto.def")) as rows:
        return re.findall(r'^SONDE_PROTO\w*\(\d+, \w+, "(\w+)"', rows.read(), re.M)


def set_stats(value):
    with open(STATS, "w") as file:
        file.write(value)


def measure(args, workloads, result, tell):
    """All workloads, those of one server one after the other."""
    servers = {}
    try:
        for workload in workloads:
            kind = workload.server
            if kind not in servers:
                for server in servers.values():
                    server.stop()
                servers.clear()
                servers[kind] = kind()
            server = servers[kind]
            row = {"name": workload.name}
            tell("%s: BPF time ..." % workload.name)
            set_stats("1")
            row["bpf"] = bpf_time(workload, server, args.capture)
            set_stats("0")
            if args.pairs:
                row["throughput"] = throughput(workload, server, args, None if args.spread else {min(ALL_CPUS)}, tell)
            if workload.name in RING_WORKLOADS:
                result["ring"][workload.name] = ring_events(workload, server, args.capture)
            result["workloads"].append(row)
    finally:
        for server in servers.values():
            server.stop()


def main():
    parser = argparse.ArgumentParser(description="Measure what tracing a client costs.")
    parser.add_argument("-w", "--workloads", help="only these: " + ", ".join(w.name for w in WORKLOADS))
    parser.add_argument("-n", "--pairs", type=int, default=10, help="pairs of runs, untraced and traced (10); 0: BPF time only")
    parser.add_argument("-d", "--seconds", type=float, default=2, help="length of each run (2)")
    parser.add_argument("--capture", choices=("tracepoint", "syscall"), default=pg.captures()[0])
    parser.add_argument("--spread", action="store_true", help="leave client and server to the scheduler")
    parser.add_argument("--json", action="store_true", help="print one JSON document")
    args = parser.parse_args()
    reason = pg.why_not()
    if reason:
        print("cost.py: " + reason, file=sys.stderr)
        return 1
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    wanted = args.workloads.split(",") if args.workloads else [w.name for w in WORKLOADS]
    unknown = set(wanted) - {w.name for w in WORKLOADS}
    if unknown:
        parser.error("no such workload: " + ", ".join(sorted(unknown)))

    def tell(line):
        print(line, file=sys.stderr, flush=True)

    known = systems()
    result = {"kernel": os.uname().release, "cpus": os.cpu_count(), "capture": args.capture, "workloads": [], "ring": {}, "skipped": {}}
    workloads = []
    for workload in WORKLOADS:
        if workload.name in wanted:
            reason = workload.why_not(known)
            if reason:
                result["skipped"][workload.name] = reason
            else:
                workloads.append(workload)
    with open(STATS) as file:
        stats_before = file.read()
    try:
        measure(args, workloads, result, tell)
    finally:
        set_stats(stats_before)
    if args.json:
        print(json.dumps(result))
    else:
        text(result)
    return 0


if __name__ == "__main__":
    sys.exit(main())
