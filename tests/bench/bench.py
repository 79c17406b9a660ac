# SPDX-License-Identifier: GPL-2.0-only
"""bench.py - one table of what watching a database client costs and tells: sonde, and what else people use for it.

usage: bench.py [-w LOAD,...] [-t OBSERVER,...] [-n ROUNDS] [-d SECONDS] [--spread] [--json] [--output FILE]

Runs of the client are interleaved: untraced, two or three observers, untraced, ... ; a ratio is that of a run to the mean of the
untraced ones before and after it. Client and server share one processor, observers may use all (--spread: everything may).
Prints the tables; FILE ($O/bench.json) gets all single values, which scripts/bench-compare compares.
-w with names of cost.py's workloads runs cost.py with the same options. Needs root and a calm machine.
"""

import argparse
import datetime
import json
import os
import signal
import subprocess
import sys
import time

import bench_text
import cost
from loads import LOADS
from observers import OBSERVERS, Failed, Sonde
from programs import probe_runs, starts
from workloads import WORKLOADS, pg

SCHEMA = "sonde-bench/1"
BETWEEN = 2  # observers between two untraced runs
TRUTH_SECONDS = 0.5  # of the runs whose output another program adds up


class Bench:
    def __init__(self, args, tell):
        self.args, self.tell = args, tell
        self.cpus = None if args.spread else {min(cost.ALL_CPUS)}
        self.rows, self.skipped = {}, []

    def run(self, load, server, count, observer=None, truth=False):
        """One run of the client: its operations a second, its p99, and what the observer says."""
        client = cost.Client(load, server, count, self.cpus)
        told = None
        try:
            if observer:
                observer.start(load, server, client.pid)
            time.sleep(cost.SETTLE_SECONDS)
            seconds = client.go()
            p99 = load.p99(server, client.out)
            if observer:
                told = observer.stop(truth)
        except BaseException:
            client.drop()
            if observer:
                observer.drop()
            raise
        return count / seconds, seconds, p99, told

    def row(self, load, observer, what_not):
        return self.rows.setdefault((load.name, observer), {
            "load": load.name, "observer": observer, "throughput": [], "ratio": [], "p99_us": [], "p99_added_us": [], "cpu_percent": [],
            "bytes": [], "operations": 0, "statements_sent": 0, "statements_right": None, "what_not": what_not})

    def untraced(self, load, server):
        rate, _, p99, _ = self.run(load, server, self.count(load, "untraced"))
        row = self.row(load, "untraced", None)
        row["throughput"].append(rate)
        row["p99_us"].append(p99)
        self.rates[load.name, "untraced"] = rate
        return rate, p99

    def count(self, load, name, seconds=None):
        """Operations that keep a run as long as it should be, by the last rate seen."""
        rate = self.rates.get((load.name, name)) or self.rates[load.name, "untraced"] / 4
        return max(200, int(rate * (seconds or self.args.seconds)) // 2 * 2)

    def observed(self, load, server, observer, truth):
        """A run with an observer: what is still missing in its row is told by the untraced runs around it."""
        short = truth and observer.slow_truth
        count = self.count(load, observer.name, TRUTH_SECONDS if short else None)
        rate, seconds, p99, told = self.run(load, server, count, observer, truth)
        self.rates[load.name, observer.name] = rate
        row = self.row(load, observer.name, observer.what_not)
        if told["counts"] is not None:
            row["statements_sent"] += load.sent(count)
            row["statements_right"] = (row["statements_right"] or 0) + load.right(told["counts"], count)
            if told["after_seconds"] is not None:
                row["after_seconds_per_statement"] = told["after_seconds"] / load.sent(count)
        if short:
            return None
        row["operations"] += count
        row["bytes"].append(told["bytes"] / load.sent(count))
        if told["cpu_seconds"] is not None:
            row["cpu_percent"].append(100 * told["cpu_seconds"] / seconds)
        return row, rate, p99

    def round(self, load, server, observers, number):
        """All observers once, those with a weight as often, in an order that moves on with each round."""
        turns = [o for o in observers for _ in range(o.weight)]
        turns = turns[number % len(turns):] + turns[:number % len(turns)]
        before = self.untraced(load, server)
        for i in range(0, len(turns), BETWEEN):
            runs = []
            for observer in turns[i:i + BETWEEN]:
                try:
                    if number == 0 and observer.slow_truth and observer not in turns[:turns.index(observer)]:
                        self.observed(load, server, observer, True)
                    runs.append(self.observed(load, server, observer, not observer.slow_truth))
                except (Failed, subprocess.CalledProcessError, OSError, ValueError) as err:
                    self.skip(load, observer, str(err))
                    if observer in observers:
                        observers.remove(observer)
            after = self.untraced(load, server)
            for row, rate, p99 in runs:
                row["throughput"].append(rate)
                row["ratio"].append(rate / ((before[0] + after[0]) / 2))
                row["p99_us"].append(p99)
                row["p99_added_us"].append(p99 - (before[1] + after[1]) / 2)
            before = after
        self.tell("%s: round %d of %d" % (load.name, number + 1, self.args.rounds))

    def skip(self, load, observer, reason):
        self.skipped.append({"load": load.name, "observer": observer.name, "reason": reason})
        self.tell("%s: %s: %s" % (load.name, observer.name, reason))

    def load(self, load, wanted, result):
        observers = []
        for observer in [kind() for kind in OBSERVERS]:
            if wanted and observer.name not in wanted:
                continue
            reason = observer.why_not(load)
            if not reason:
                observers.append(observer)
            elif not reason.startswith("not for "):
                self.skip(load, observer, reason)
        server = load.server()
        try:
            self.rates = {(load.name, "untraced"): load.first_count / self.run(load, server, load.first_count)[1]}
            for number in range(self.args.rounds):
                self.round(load, server, observers, number)
            if not wanted or Sonde.name in wanted:
                result["probes"] += probe_runs(load, server, self.count(load, "untraced", 1), self.args.rounds)
                result["starts"].append(starts(load, server, self.args.rounds))
        finally:
            server.stop()


def arguments():
    parser = argparse.ArgumentParser(description="What watching a database client costs and tells.")
    parser.add_argument("-w", "--workloads", help="only these: " + ", ".join(load.name for load in LOADS) + "; or names of cost.py's")
    parser.add_argument("-t", "--tools", help="only these observers, separated by commas: " + ", ".join(dict.fromkeys(o.name for o in OBSERVERS)))
    parser.add_argument("-n", "--rounds", type=int, default=5, help="runs of each observer (5)")
    parser.add_argument("-d", "--seconds", type=float, default=1.5, help="length of each run (1.5)")
    parser.add_argument("--spread", action="store_true", help="leave client and server to the scheduler")
    parser.add_argument("--json", action="store_true", help="print one JSON document instead of tables")
    parser.add_argument("--output", default=os.path.join(pg.O, "bench.json"), help="file for the single values ($O/bench.json)")
    args = parser.parse_args()
    names = [load.name for load in LOADS]
    args.workloads = args.workloads.split(",") if args.workloads else names
    args.tools = args.tools.split(",") if args.tools else None
    for what, given, known in (("load", args.workloads, names), ("observer", args.tools or [], [o.name for o in OBSERVERS])):
        unknown = set(given) - set(known)
        if unknown:
            parser.error("no such %s: %s" % (what, ", ".join(sorted(unknown))))
    if args.rounds < 1 or args.seconds <= 0:
        parser.error("there must be something to measure")
    return args


def of_cost():
    """Whether the options are meant for cost.py: they name its workloads."""
    parser = argparse.ArgumentParser(add_help=False)
    parser.add_argument("-w", "--workloads", default="")
    known = {workload.name for workload in WORKLOADS} - {load.name for load in LOADS}
    given = set(parser.parse_known_args()[0].workloads.split(","))
    return bool(given & known)


def main():
    if of_cost():
        return cost.main()
    args = arguments()
    reason = pg.why_not()
    if reason:
        print("bench.py: " + reason, file=sys.stderr)
        return 1
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    begin = time.monotonic()

    def tell(line):
        print("%4.0f s  %s" % (time.monotonic() - begin, line), file=sys.stderr, flush=True)

    result = {"schema": SCHEMA, "time": datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds"),
              "sonde": subprocess.run([pg.SONDE, "--version"], stdout=subprocess.PIPE, text=True).stdout.strip(),
              "kernel": os.uname().release, "machine": os.uname().machine, "cpus": os.cpu_count(), "pinned": not args.spread,
              "rounds": args.rounds, "seconds": args.seconds, "load_average_before": os.getloadavg()[0],
              "loads": {load.name: load.what for load in LOADS}, "probes": [], "starts": []}
    bench = Bench(args, tell)
    with open(cost.STATS) as file:
        stats_before = file.read()
    try:
        for load in LOADS:
            if load.name in args.workloads:
                bench.load(load, args.tools, result)
    finally:
        cost.set_stats(stats_before)
    result["rows"], result["skipped"] = list(bench.rows.values()), bench.skipped
    with open(args.output, "w") as file:
        json.dump(result, file, indent=1)
        file.write("\n")
    if args.json:
        print(json.dumps(result))
    else:
        bench_text.show(result)
        print("\nSingle values: %s" % os.path.relpath(args.output))
    return 0


if __name__ == "__main__":
    sys.exit(main())
