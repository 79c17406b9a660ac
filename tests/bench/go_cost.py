# SPDX-License-Identifier: GPL-2.0-only
"""go_cost.py - what `sonde http`, and dividing the time of requests, costs a server in Go that does nothing but greet.

usage: go_cost.py [ROUNDS]     (default: 4, 3 minutes)

Processor time of the server for a request, three connections at once, medians of interleaved rounds. Needs root and Go.
"""

import os
import signal
import statistics
import subprocess
import sys
import tempfile
import time

from alloc_servers import cpu_ns
from workloads import ROUNDTRIP, pg

CONNECTIONS, REQUESTS = 3, 15000
WAYS = {"untraced": None, "sonde http": (), "sonde http --breakdown": ("--breakdown",)}


def ask(port, times):
    """Starts a client."""
    return subprocess.Popen([ROUNDTRIP, "127.0.0.1", port, str(times), r"GET / HTTP/1.1\r\nHost: x\r\n\r\n"], stdout=subprocess.DEVNULL)


def once(program, args):
    """(nanoseconds of the server's processor time a request, requests a second)"""
    with subprocess.Popen([program], stdout=subprocess.PIPE, text=True) as server:
        port = server.stdout.readline().strip()
        sonde = None if args is None else pg.Sonde("--role", "server", *args, "-p", str(server.pid), command="http")
        ask(port, 2000).wait()
        before, begin = cpu_ns(server.pid), time.monotonic()
        for client in [ask(port, REQUESTS) for _ in range(CONNECTIONS)]:
            client.wait()
        done = CONNECTIONS * REQUESTS
        result = (cpu_ns(server.pid) - before) / done, done / (time.monotonic() - begin)
        if sonde:
            sonde.proc.send_signal(signal.SIGINT)
            sonde.proc.communicate()
        server.kill()
        return result


def main():
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 4
    results = {way: [] for way in WAYS}
    with tempfile.TemporaryDirectory() as where:
        program = os.path.join(where, "hello")
        subprocess.run(["go", "build", "-o", program, os.path.join(os.path.dirname(os.path.abspath(__file__)), "go_hello.go")], check=True,
                       env=dict(os.environ, GO111MODULE="off", GOCACHE=os.path.join(where, "cache")))
        for _ in range(rounds):
            for way, args in WAYS.items():
                results[way].append(once(program, args))
    for way, found in results.items():
        print("%-24s %6.1f us of processor time a request, %6.0f requests/s" % (
            way, statistics.median(cpu for cpu, _ in found) / 1e3, statistics.median(rate for _, rate in found)))


if __name__ == "__main__":
    main()
