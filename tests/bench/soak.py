#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
#
# soak.py - traces a mixed load for long: sonde's memory and that of its maps stay flat, the counts exact to the end.
#
# usage: tests/bench/soak.py            $SOAK_SECONDS (3600), $SOAK_SAMPLE (10); $O and $SONDE as for the tests; root
#
# The load, all of it started below `sonde db -- ...`: pgbench -S (prepared) and TPC-B at fixed rates, redis-benchmark once a
# half minute, connections to PostgreSQL and Redis that live for three statements, a program with SQLite inside.
#
# Prints a line for each sample: RSS of sonde, memory of its maps (memlock in fdinfo, so what the kernel itself accounts), all
# that its memory cgroup holds where there is one (connections' state too, but nothing of the load), processor time. At the end the lines fitted
# through them after the warm-up (the first fifth), and sonde's counts beside the servers' own. Exit code 0: flat and exact.
import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import time

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(TOP, "tests/e2e"))

import fault  # noqa: E402
import pg  # noqa: E402

SECONDS = int(os.environ.get("SOAK_SECONDS", "3600"))
SAMPLE = int(os.environ.get("SOAK_SAMPLE", "10"))
GROWTH = 2 << 20  # bytes over the whole time after the warm-up that count as flat

CHURN = r"""
import socket, sys, time
import psycopg2
host, port, path, seconds = sys.argv[1:]
end = time.monotonic() + float(seconds)
n = 0
while time.monotonic() < end:
    c = psycopg2.connect(host=host if n & 1 else "127.0.0.1", port=port, user="postgres", dbname="bench",
                         sslmode="disable", gssencmode="disable")
    k = c.cursor()
    k.execute("select %s + 1", (n,))
    k.execute("select count(*) from pgbench_branches where bid = %s", (n,))
    c.close()
    s = socket.socket(socket.AF_UNIX)
    s.connect(path)
    for i in range(3):
        s.sendall(b"*2\r\n$3\r\nGET\r\n$10\r\nchurn:%04d\r\n" % (n % 10000))
        s.recv(100)
    s.close()
    n += 1
    time.sleep(0.02)
"""

SQLITE = r"""
import sqlite3, sys, time
db = sqlite3.connect(":memory:", isolation_level=None)
end = time.monotonic() + float(sys.argv[1])
db.execute("create table soak (a, b)")
n = 0
while time.monotonic() < end:
    for i in range(20):
        db.execute("insert into soak values (?, ?)", (n, "text"))
        db.execute("select b from soak where a = ?", (n,)).fetchall()
        n += 1
    db.execute("delete from soak")
    time.sleep(0.05)
print(n)
"""


def load(host, port, path, seconds, group):
    """The program that is traced: all parts of the load, until they have ended by themselves. It leaves sonde's memory cgroup @group."""
    if group:
        with open(os.path.join(os.path.dirname(group), "cgroup.procs"), "w") as f:
            f.write(str(os.getpid()))
    env = dict(os.environ, PGHOST=host, PGPORT=port, PGUSER="postgres", PGDATABASE="bench", PGSSLMODE="disable",
               PGGSSENCMODE="disable")
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL, "env": env}
    end = time.monotonic() + float(seconds)
    sqlite = subprocess.Popen([sys.executable, "-c", SQLITE, seconds], stdout=subprocess.PIPE, text=True)
    parts = [subprocess.Popen(["pgbench", "-n", "-S", "-M", "prepared", "-c", "2", "-R", "300", "-T", seconds], **quiet),
             subprocess.Popen(["pgbench", "-n", "-c", "2", "-R", "20", "-T", seconds], **quiet),
             subprocess.Popen([sys.executable, "-c", CHURN, host, port, path, seconds])]
    while time.monotonic() < end:
        subprocess.run(["redis-benchmark", "-s", path, "-q", "-n", "5000", "-c", "10", "-P", "4", "-t", "get,set,incr,lpush"],
                       check=True, **quiet)
        time.sleep(max(0, min(30, end - time.monotonic())))
    codes = [part.wait() for part in parts]
    print(json.dumps({"sqlite": int(sqlite.communicate()[0]), "codes": codes}), flush=True)
    return 1 if any(codes) else 0


def sample(pid, group):
    """(RSS, memory of the maps, of the cgroup or None, processor time in s) of a sonde; None: it has ended."""
    try:
        with open("/proc/%d/status" % pid) as f:
            rss = int(re.search(r"VmRSS:\s*(\d+) kB", f.read())[1]) << 10
        with open("/proc/%d/stat" % pid) as f:
            words = f.read().rsplit(")", 1)[1].split()
        maps = 0
        for fd in os.listdir("/proc/%d/fdinfo" % pid):
            with open("/proc/%d/fdinfo/%s" % (pid, fd)) as f:
                info = f.read()
            if "map_id" in info:
                maps += int(re.search(r"memlock:\s*(\d+)", info)[1])
    except (OSError, TypeError):
        return None
    return rss, maps, group.used() if group.dir else None, (int(words[11]) + int(words[12])) / os.sysconf("SC_CLK_TCK")


def slope(points):
    """Least squares: growth in each unit of x."""
    n = len(points)
    mx, my = sum(x for x, _ in points) / n, sum(y for _, y in points) / n
    spread = sum((x - mx) ** 2 for x, _ in points)
    return sum((x - mx) * (y - my) for x, y in points) / spread if spread else 0


def watch(sonde, group):
    """Samples until sonde ends: [(seconds, (RSS, ...))]."""
    begin = time.monotonic()
    samples = []
    print("%8s %10s %10s %10s %8s" % ("seconds", "RSS KB", "maps KB", "cgroup KB", "CPU s"))
    while sonde.poll() is None:
        found = sample(sonde.pid, group)
        at = time.monotonic() - begin
        if found and at < SECONDS:
            samples.append((at, found))
            print("%8.0f %10d %10d %10s %8.1f" % (at, found[0] >> 10, found[1] >> 10,
                                                 "-" if found[2] is None else found[2] >> 10, found[3]), flush=True)
        try:
            sonde.wait(SAMPLE)
        except subprocess.TimeoutExpired:
            pass
    return samples


def judge_memory(samples):
    """Prints the lines through the samples after the warm-up; whether they are flat."""
    samples = [(at, found) for at, found in samples if at >= SECONDS / 5]
    if len(samples) < 5:
        print("too few samples: raise SOAK_SECONDS")
        return False
    flat = True
    for i, name in enumerate(("RSS", "maps", "cgroup")):
        if samples[0][1][i] is None:
            continue
        growth = slope([(at, found[i]) for at, found in samples]) * (samples[-1][0] - samples[0][0])
        kept = growth < GROWTH
        flat &= kept
        print("%-7s %+9.1f KB in %.0f s (%+.2f KB a minute): %s" % (
            name, growth / 1024, samples[-1][0] - samples[0][0], growth / 1024 / (samples[-1][0] - samples[0][0]) * 60,
            "flat" if kept else "GROWS"))
    return flat


def judge_counts(report, truths):
    """Prints sonde's counts beside the servers'; whether they are equal and all is accounted for."""
    exact = True
    for name, (truth, found) in truths.items():
        equal = truth == found
        exact &= equal
        print("%-12s %10d counted by itself %10d by sonde: %s" % (name, sum(truth.values()), sum(found.values()),
                                                                  "equal" if equal else "DIFFERS"))
        for key in sorted(set(truth) | set(found)):
            if truth.get(key) != found.get(key):
                print("    %s: %s, sonde %s" % (key, truth.get(key), found.get(key)))
    cov = report.coverage
    print("coverage     %s" % json.dumps(cov))
    return exact and cov["seen"] == cov["attributed"] + sum(cov["lost"].values()) and not cov["lost"]


def main():
    reason = pg.why_not()
    if reason:
        sys.exit("soak: " + reason)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    redis, cluster = fault.Redis(), pg.Cluster(1)
    try:
        with tempfile.TemporaryDirectory(prefix="soak.") as tmp, fault.MemoryGroup() as group:
            file = os.path.join(tmp, "report.json")
            cluster.reset_statements()
            redis.reset()
            sonde = subprocess.Popen(
                [pg.SONDE, "db", "-o", "json", "--output", file, "--", sys.executable, os.path.abspath(__file__), "--load",
                 cluster.host(False), str(cluster.port), redis.path, str(SECONDS), group.dir or ""], stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE, text=True)
            if group.dir:
                group.add(sonde.pid)
            samples = watch(sonde, group)
            said = json.loads(sonde.stdout.read())
            with open(file) as f:
                report = pg.parse(f.read(), sonde.returncode)
        truth, found = cluster.statements(), {}
        for q in report.queries:
            if q["db_system"] == "postgresql":
                found[q["text"]] = found.get(q["text"], 0) + q["count"]
        redis_truth = {name: calls for name, (calls, _) in redis.truth().items()}
        redis_found = {name: calls for name, (calls, _) in fault.by_command(pg.Report(dict(
            report.json, queries=[q for q in report.queries if q["db_system"] == "redis"]))).items()}
        lite = sum(q["count"] for q in report.queries if q["text"].startswith("insert into soak"))
        print()
        flat = judge_memory(samples)
        exact = judge_counts(report, {
            "PostgreSQL": ({t.text: t.count for t in truth.values()}, found),
            "Redis": (redis_truth, redis_found), "SQLite": ({"insert": said["sqlite"]}, {"insert": lite})})
        print("soak: %s, %s, after %d s" % ("flat" if flat else "NOT FLAT", "exact" if exact else "NOT EXACT", SECONDS))
        return 0 if flat and exact and not any(said["codes"]) and not sonde.returncode else 1
    finally:
        redis.stop()
        cluster.stop()


if __name__ == "__main__":
    sys.exit(load(*sys.argv[2:]) if sys.argv[1:2] == ["--load"] else main())
