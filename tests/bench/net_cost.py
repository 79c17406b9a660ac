#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
"""net_cost.py - what `sonde net` costs: nanoseconds of BPF for one send, one receive, one arrival of bytes, one connection.

usage: net_cost.py [ROUNDS]   (after make build/tests/bench/empty)

A client and a server exchange small messages over TCP and over unix sockets, traced, beside a process that is traced instead, and
by connection; then connect and close. Needs root (kernel.bpf_stats_enabled). The medians of all rounds; programs of the same name
on one hook stand for a call each.
"""

import os
import statistics
import subprocess
import sys

import cost

STATS = "/proc/sys/kernel/bpf_stats_enabled"
TURNS = 50000
CONNECTS = 2000

LOAD = """
import os, socket, sys, time
kind, turns, connects = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
l = socket.socket(socket.AF_UNIX if kind == "unix" else socket.AF_INET)
l.bind("\\0sonde-net-cost-%d" % os.getpid() if kind == "unix" else ("127.0.0.1", 0))
l.listen(64)
if os.fork() == 0:
    while True:
        s, _ = l.accept()
        while True:
            data = s.recv(100)
            if not data:
                break
            if data[:1] == b"e":
                os._exit(0)
            s.sendall(b"a" * 100)
def connect():
    c = socket.socket(l.family)
    c.connect(l.getsockname())
    return c
c = connect()
begin = time.monotonic()
for i in range(turns):
    c.sendall(b"q" * 100)
    c.recv(100)
print("%.1f" % ((time.monotonic() - begin) / max(turns, 1) * 1e6))
c.close()
for i in range(connects):
    c = connect()
    c.close()
c = connect()
c.sendall(b"e")
os.wait()
"""


def load(kind, turns, connects):
    return float(subprocess.run(["/usr/bin/python3", "-c", LOAD, kind, str(turns), str(connects)], check=True,
                                stdout=subprocess.PIPE, text=True).stdout)


def empty(kind, turns, connects):
    """What the kernel charges for calling a program that does nothing."""
    stats_on()
    proc = subprocess.Popen([cost.EMPTY, cost.OBJECT, "sk_send_empty", "sk_recv_empty"], stdin=subprocess.PIPE,
                            stdout=subprocess.PIPE, text=True)
    proc.stdout.readline()
    took = load(kind, turns, connects)
    out, _ = proc.communicate()
    rows = [line.split() for line in out.splitlines()]
    return {"net_" + name[3:7]: int(ns) / int(runs) for name, runs, ns in rows if int(runs)}, took


def stats_on():
    """Somebody else who measures may have switched it off."""
    with open(STATS, "w", encoding="ascii") as file:
        file.write("1")


def sonde(kind, turns, connects, *args):
    stats_on()
    with cost.pg.Sonde(*args, command="net") as run:
        took = load(kind, turns, connects)
        stats = cost.bpf_stats(run.pid)
        run.stop()
    return {name: ns / runs for name, (runs, ns) in stats.items() if runs > 100}, took


WAYS = {
    "not traced": lambda kind, turns, connects: ({}, load(kind, turns, connects)),
    "empty programs": empty,
    "traced": lambda kind, turns, connects: sonde(kind, turns, connects, "-c", "python3"),
    "traced, no filter": sonde,
    "traced by connection": lambda kind, turns, connects: sonde(kind, turns, connects, "--by", "connection"),
    "another process traced": lambda kind, turns, connects: sonde(kind, turns, connects, "-p", str(os.getpid())),
}


def main():
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 3
    before = open(STATS).read()
    results = {}
    try:
        for _ in range(rounds):
            for kind in "tcp", "unix":
                for way, run in WAYS.items():
                    results.setdefault((kind, way), []).append(run(kind, TURNS, CONNECTS))
    finally:
        open(STATS, "w").write(before)
    for (kind, way), found in results.items():
        took = statistics.median(f[1] for f in found)
        names = sorted({name for stats, _ in found for name in stats if name.startswith("net_")})
        print("%-4s %-22s %6.1f us a turn  %s" % (kind, way, took, "  ".join(
            "%s %.0f" % (name[4:], statistics.median(stats[name] for stats, _ in found if name in stats)) for name in names)))


if __name__ == "__main__":
    main()
