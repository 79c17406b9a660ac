# SPDX-License-Identifier: GPL-2.0-only
"""cost.py - what tracing a PostgreSQL client costs: BPF time a query, throughput, sonde's own CPU and memory.

usage: cost.py [-n PAIRS] [-d SECONDS] [--capture WAY] [--spread] [--json]

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

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "e2e"))
import pg  # noqa: E402

STATS = "/proc/sys/kernel/bpf_stats_enabled"
QUERIES = 20000  # of a run whose BPF time is measured
ALL_CPUS = os.sched_getaffinity(0)
SETTLE_SECONDS = 1  # before every run, traced or not: the same rest for the machine
EMPTY = os.path.join(pg.O, "tests/bench/empty")
OBJECT = os.path.join(pg.O, "sonde.bpf.o")


class Bench:
    """A pgbench that waits to be told to go, so that its process id is known before it does anything."""

    def __init__(self, cluster, tcp, *args, cpus=None):
        self.proc = subprocess.Popen(["sh", "-c", 'read go; exec "$@"', "-", "pgbench", "-n", "-S", *args],
                                     env=cluster.env(tcp), stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                     stderr=subprocess.STDOUT, text=True)
        self.pid = self.proc.pid
        for pid in (self.pid, cluster.proc.pid):  # new server processes inherit it
            os.sched_setaffinity(pid, cpus or ALL_CPUS)

    def go(self):
        out, _ = self.proc.communicate("go\n")
        if self.proc.returncode or "failed transactions: 0 " not in out:
            raise RuntimeError(out)
        return float(re.search(r"^tps = ([\d.]+)", out, re.M)[1])


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


def trace(bench, capture):
    # This process, too, so that sonde is still there when the client has ended.
    return pg.Sonde("-p", "%d,%d" % (bench.pid, os.getpid()), "--capture", capture)


def bpf_time(cluster, mode, tcp, capture):
    """Programs' runs and ns a query, and the same of programs that do nothing."""
    args = ("-M", mode, "-c", "2", "-j", "2", "-t", str(QUERIES // 2))
    bench = Bench(cluster, tcp, *args)
    with trace(bench, capture) as sonde:
        bench.go()
        stats = bpf_stats(sonde.pid)
        report = sonde.stop()
    count = sum(q["count"] for q in report.queries)
    row = {"mode": mode, "transport": "tcp" if tcp else "unix", "queries": count, "programs": {}}
    for name, (runs, ns) in sorted(stats.items()):
        if runs > count / 100:
            row["programs"][name] = {"runs": runs / count, "ns": ns / count}
    row["ns"] = sum(p["ns"] for p in row["programs"].values())
    if capture == "tracepoint" and os.access(EMPTY, os.X_OK):
        bench = Bench(cluster, tcp, *args)
        empty = subprocess.Popen([EMPTY, OBJECT], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        if empty.stdout.readline() == "ready\n":
            bench.go()
            out, _ = empty.communicate("")
            row["empty_ns"] = sum(int(line.split()[2]) for line in out.splitlines()) / count
        else:
            empty.communicate("")
            bench.proc.kill()
            bench.proc.communicate()
    return row


def cpu_seconds(pid):
    with open("/proc/%d/stat" % pid) as file:
        fields = file.read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def peak_rss(pid):
    with open("/proc/%d/status" % pid) as file:
        return int(re.search(r"^VmHWM:\s+(\d+) kB", file.read(), re.M)[1]) * 1024


def throughput(cluster, pairs, seconds, capture, cpus, tell):
    """Transactions a second, untraced and traced, in turns; and what sonde itself used meanwhile."""
    args = ("-c", "2", "-T", str(seconds))
    untraced, traced, cpu, rss, lost = [], [], [], [], 0

    def plain():
        time.sleep(SETTLE_SECONDS)
        untraced.append(Bench(cluster, False, *args, cpus=cpus).go())

    def with_sonde():
        nonlocal lost
        bench = Bench(cluster, False, *args, cpus=cpus)
        with trace(bench, capture) as sonde:
            time.sleep(SETTLE_SECONDS)
            before, begin = cpu_seconds(sonde.pid), time.monotonic()
            traced.append(bench.go())
            cpu.append((cpu_seconds(sonde.pid) - before) / (time.monotonic() - begin))
            rss.append(peak_rss(sonde.pid))
            lost += sum(sonde.stop().coverage["lost"].values())

    for i in range(pairs):
        for run in ((plain, with_sonde), (with_sonde, plain))[i % 2]:
            run()
        tell("pair %d of %d: %.0f untraced, %.0f traced" % (i + 1, pairs, untraced[-1], traced[-1]))
    ratios = [b / a for a, b in zip(untraced, traced)]
    return {"pairs": pairs, "seconds": seconds, "cpus": len(cpus or ALL_CPUS), "untraced_tps": untraced, "traced_tps": traced,
            "ratio_median": statistics.median(ratios), "ratio_min": min(ratios), "ratio_max": max(ratios), "lost": lost,
            "sonde_cpu_percent": 100 * statistics.median(cpu), "sonde_peak_rss_bytes": max(rss)}


def ring_events(cluster, capture):
    """Events sent to user space from the second to the fourth second of a run, by its reports."""
    bench = Bench(cluster, False, "-c", "2", "-T", "6")
    sonde = pg.Sonde("-p", "%d,%d" % (bench.pid, os.getpid()), "-i", "1", "--capture", capture)
    try:
        bench.go()
        sonde.proc.send_signal(signal.SIGINT)
        _, out, _ = sonde.wait()
    finally:
        sonde.__exit__()
    events = [json.loads(line)["coverage"] for line in out.splitlines()]
    first, last = events[2], events[4]
    return {"events": last["work"].get("ring_events", 0) - first["work"].get("ring_events", 0),
            "statements": last["attributed"] - first["attributed"]}


def text(result):
    print("BPF time, ns a query (%s, client and server on this machine, the client is traced):" % result["capture"])
    print("  %-9s %-5s %7s %7s   %s" % ("mode", "over", "all", "empty", "by program (runs a query)"))
    for row in result["bpf_time"]:
        programs = ", ".join("%s %.0f (%.1f)" % (name, p["ns"], p["runs"]) for name, p in row["programs"].items())
        empty = "%.0f" % row["empty_ns"] if "empty_ns" in row else "-"
        print("  %-9s %-5s %7.0f %7s   %s" % (row["mode"], row["transport"], row["ns"], empty, programs))
    t = result["throughput"]
    print("Throughput, pgbench -S, 2 clients over a unix socket, both ends on %d CPU, %d pairs of %d s:" %
          (t["cpus"], t["pairs"], t["seconds"]))
    print("  untraced %.0f/s, traced %.0f/s; median ratio %.4f (%.4f to %.4f)" %
          (statistics.median(t["untraced_tps"]), statistics.median(t["traced_tps"]), t["ratio_median"], t["ratio_min"],
           t["ratio_max"]))
    print("  sonde meanwhile: %.2f %% of a CPU, at most %.1f MB; %d statements lost" %
          (t["sonde_cpu_percent"], t["sonde_peak_rss_bytes"] / 1e6, t["lost"]))
    r = result["ring"]
    print("Events to user space after warm-up: %d for %d statements" % (r["events"], r["statements"]))


def main():
    args = argparse.ArgumentParser(description="Measure what tracing a PostgreSQL client costs.")
    args.add_argument("-n", "--pairs", type=int, default=10, help="pairs of runs, untraced and traced (10)")
    args.add_argument("-d", "--seconds", type=int, default=3, help="length of each run (3)")
    args.add_argument("--capture", choices=("tracepoint", "syscall"), default=pg.captures()[0])
    args.add_argument("--spread", action="store_true", help="leave client and server to the scheduler")
    args.add_argument("--json", action="store_true", help="print one JSON document")
    args = args.parse_args()
    reason = pg.why_not()
    if reason:
        print("cost.py: " + reason, file=sys.stderr)
        return 1
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))

    def tell(line):
        print(line, file=sys.stderr, flush=True)

    result = {"kernel": os.uname().release, "cpus": os.cpu_count(), "capture": args.capture}
    cluster = pg.Cluster()
    with open(STATS) as file:
        stats_before = file.read()
    try:
        with open(STATS, "w") as file:
            file.write("1")
        tell("BPF time ...")
        result["bpf_time"] = [bpf_time(cluster, mode, tcp, args.capture) for mode in ("simple", "extended", "prepared")
                              for tcp in (False, True)]
        with open(STATS, "w") as file:
            file.write("0")
        cpus = None if args.spread else {min(ALL_CPUS)}
        result["throughput"] = throughput(cluster, args.pairs, args.seconds, args.capture, cpus, tell)
        result["ring"] = ring_events(cluster, args.capture)
    finally:
        with open(STATS, "w") as file:
            file.write(stats_before)
        cluster.stop()
    if args.json:
        print(json.dumps(result))
    else:
        text(result)
    return 0


if __name__ == "__main__":
    sys.exit(main())
