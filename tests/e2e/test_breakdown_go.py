#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
"""test_breakdown_go.py - `sonde http --breakdown` of a server in Go that asks others: net/http sends and receives in goroutines of its
own."""

import json
import os
import shutil
import signal
import ssl
import subprocess
import sys
import tempfile
import threading
import time
import unittest

import certs
import pg
import sonderun
import test_breakdown
import test_http
from test_breakdown_loop import SPAN, other


def setUpModule():
    global tmp
    why = sonderun.why_not()
    if why:
        raise unittest.SkipTest(why)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    tmp = tempfile.mkdtemp(prefix="breakdown-go-", dir=pg.O)
    unittest.addModuleCleanup(shutil.rmtree, tmp, True)


def build(name, *options, go="go"):
    program = os.path.join(tmp, name)
    subprocess.run([go, "build", "-o", program, *options, os.path.join(test_http.HERE, name + ".go")], check=True,
                   env=dict(os.environ, GO111MODULE="off", GOFLAGS="-p=1", GOCACHE=os.path.join(tmp, "go")))
    return program


@unittest.skipUnless(shutil.which("go"), "Go is not installed")
class GoTest(test_breakdown.BreakdownTest):
    def test_turns(self):
        """What a request's goroutine executes and waits for in the kernel is its, whatever its threads run before and after."""
        go = test_breakdown.start([build("breakdown_turns")])
        at = int(go.stdout.readline())
        spent = []

        def client():
            for _ in range(5):
                spent.append(int(test_breakdown.ask(at, "/burn")))

        with test_http.Sonde("--breakdown", "-p", str(go.pid)) as sonde:
            time.sleep(0.6)  # its scheduler is probed
            crowd = [threading.Thread(target=client) for _ in range(2)]
            for thread in crowd:
                thread.start()
            for thread in crowd:
                thread.join()
            time.sleep(0.3)
            report = sonde.stop()
        b = self.adds_up(report.one("server", "/burn"))
        print({part: "%.1f ms" % (ns / 1e6) for part, ns in b["mean_ns"].items() if ns}, "truth %.1f ms" % (sum(spent) / 1e6 / len(spent)))
        self.assertEqual(b["count"], len(spent))
        self.assertGreaterEqual(b["cpu_ns"], 0.97 * sum(spent))
        self.assertLessEqual(b["cpu_ns"], 1.03 * sum(spent) + 2e6 * b["count"])  # net/http around it
        self.assertGreaterEqual(b["sleep_ns"], 19.8e6 * b["count"])  # in a system call, and parked
        self.assertLessEqual(b["sleep_ns"], 35e6 * b["count"])  # until it has its turn
        self.assertEqual(b["undivided"], {})

    def test_parked(self):
        """What a request's goroutine waits for without a thread: by what the program says itself, in what ways its runtime has."""
        for options in ((), ("-ldflags=-s -w",), ("-buildmode=pie",)):
            with self.subTest(options):
                self.parked(build("breakdown_park", *options, go=os.environ.get("SONDE_TEST_GO", "go")))

    def parked(self, program):
        go = test_breakdown.start([program])
        self.addCleanup(go.kill)
        at = int(go.stdout.readline())
        told = []

        def client():
            for _ in range(3):
                told.append(json.loads(test_breakdown.ask(at, "/park")))

        with test_http.Sonde("--breakdown", "-p", str(go.pid)) as sonde:
            time.sleep(0.6)  # its scheduler is probed
            crowd = [threading.Thread(target=client) for _ in range(2)]
            for thread in crowd:
                thread.start()
            for thread in crowd:
                thread.join()
            time.sleep(0.3)
            report = sonde.stop()
        b = self.adds_up(report.one("server", "/park"))
        print({part: "%.1f ms" % (ns / 1e6) for part, ns in b["mean_ns"].items() if ns})
        print({part: "%.1f ms" % (sum(t[part] for t in told) / 1e6 / len(told)) for part in told[0]})
        self.assertEqual((b["count"], b["undivided"]), (len(told), {}))
        for part in ("sleep", "lock", "channel", "sockets"):
            truth = sum(t[part] for t in told)
            self.assertGreaterEqual(b[part + "_ns"], 0.95 * truth - 2e5 * b["count"], part)
            self.assertLessEqual(b[part + "_ns"], 1.02 * truth, part)
        self.assertLessEqual(b["unexplained_ns"], 0.02 * b["total_ns"])

    def test_asks(self):
        """Each is counted for the request whose goroutine asks; in clear, and under TLS."""
        program = build("breakdown_ask")
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*certs.make(tmp))
        for scheme, how in (("http", None), ("https", context)):
            with self.subTest(scheme):
                self.asks(program, "http://127.0.0.1:%d" % other(), "%s://127.0.0.1:%d" % (scheme, other(SPAN / 2, how)))

    def asks(self, program, first, second):
        go = test_breakdown.start([program, first, second])
        at = int(go.stdout.readline())
        took = {"/first": [], "/both": []}

        def client(path):
            for _ in range(6):
                took[path].append(json.loads(test_breakdown.ask(at, path)))

        with test_http.Sonde("--breakdown", "-p", str(go.pid)) as sonde:
            time.sleep(0.6)  # its TLS is probed
            crowd = [threading.Thread(target=client, args=(path,)) for path in ("/first", "/both", "/first", "/both", "/both")]
            for thread in crowd:
                thread.start()
            for thread in crowd:
                thread.join()
            time.sleep(0.3)
            report = sonde.stop()
        for path, asked, spans in (("/first", ["GET /price/{id}"], [SPAN]), ("/both", ["GET /price/{id}", "GET /stock/{id}"], [SPAN, SPAN / 2])):
            b = self.adds_up(report.one("server", path))
            self.assertEqual(b["count"], len(took[path]))
            self.assertEqual({r["text"]: (r["count"], r["per_request"]) for r in b["requests"]}, {text: (b["count"], 1) for text in asked})
            # Connecting is part of a first one there, and so is waiting for a goroutine's turn.
            for text, span, i in zip(asked, spans, range(2)):
                (wait,) = (r["wait_ns"] for r in b["requests"] if r["text"] == text)
                truth = sum(t[i] for t in took[path])
                print(path, text, "%.1f ms, truth %.1f ms" % (wait / 1e6, truth / 1e6))
                self.assertGreaterEqual(wait, 0.95e9 * span * b["count"])
                self.assertLessEqual(wait, truth)
            self.assertEqual(b["http_ns"], sum(r["wait_ns"] for r in b["requests"]))
            self.assertGreaterEqual(b["sleep_ns"], (5e6 if path == "/both" else 0) * b["count"])
            self.assertLessEqual(b["channel_ns"], 0.05 * b["http_ns"])  # what waits there waits for a reply
            self.assertGreater(b["cpu_ns"], 0)
            self.assertLessEqual(b["cpu_ns"], 5e6 * b["count"])


if __name__ == "__main__":
    unittest.main()
