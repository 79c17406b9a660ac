#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
"""test_breakdown_loop.py - `sonde http --breakdown` of event loops, beside what they count of themselves and what their clients wait
for."""

import http.client
import json
import shutil
import signal
import sys
import threading
import time
import unittest

import pg
import sonderun
import test_breakdown
import test_http

SPAN = 0.04  # that the other server takes
answered = []  # when other servers had answered, in ns of the monotonic clock


def other(span=SPAN, context=None):
    """Answers each request after @span, by connections that are kept; its port."""
    def answer(conn):
        try:
            if context:
                conn = context.wrap_socket(conn, server_side=True)
            with conn:
                while True:
                    head = b""
                    while not head.endswith(b"\r\n\r\n"):
                        got = conn.recv(4096)
                        if not got:
                            return
                        head += got
                    time.sleep(span)
                    conn.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n7.5")
                    answered.append(time.monotonic_ns())
        except OSError:
            pass

    return test_breakdown.listen(answer)


def setUpModule():
    why = sonderun.why_not()
    if why:
        raise unittest.SkipTest(why)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))


class Client(threading.Thread):
    """Sends the same request, one after the other, after @wait; .took: ns for each, .began: when."""

    def __init__(self, at, path, times=1, wait=0):
        super().__init__()
        self.at, self.path, self.times, self.wait, self.took, self.began = at, path, times, wait, [], []
        self.conn = http.client.HTTPConnection("127.0.0.1", at)
        self.conn.connect()
        self.start()

    def run(self):
        time.sleep(self.wait)
        for _ in range(self.times):
            begin = time.monotonic_ns()
            self.began.append(begin)
            test_breakdown.get(self.conn, self.path)
            self.took.append(time.monotonic_ns() - begin)
        self.conn.close()


class LoopTest(test_breakdown.BreakdownTest):
    def near(self, found, least, most, what):
        self.assertGreaterEqual(found, least, what)
        self.assertLessEqual(found, most, what)

    def told(self, report, path):
        """What is told of @path, its parts in the log."""
        b = self.adds_up(report.one("server", path))
        print(path, b["count"], {part: "%.2f ms" % (ns / 1e6) for part, ns in b["mean_ns"].items() if ns}, b["event_loop"])
        self.assertEqual(b["undivided"], {})
        self.assertLessEqual(b["event_loop"]["total_ns"], b["total_ns"])
        return b

    def run_at_once(self, *clients):
        for client in clients:
            client.join()

    def cpu(self, b, truth, what):
        """What the handlers have taken, and the libraries around them."""
        self.near(b["cpu_ns"], 0.95 * truth, 1.05 * truth + 2e6 * b["count"], what)

    def crowd(self, report, clients, truth):
        """Requests that never waited for a timer: all is known."""
        for path in ("/heavy", "/light", "/ask"):
            b = self.told(report, path)
            mine = [c for c in clients if c.path == path]
            self.assertEqual(b["count"], sum(len(c.took) for c in mine))
            self.assertLessEqual(b["total_ns"], sum(sum(c.took) for c in mine))
            self.cpu(b, truth[path], path)
            self.assertEqual(b["event_loop"]["unsure"], 0)
            self.assertGreater(b["event_loop"]["count"], b["count"] / 2)
            self.assertGreater(b["loop_wait_ns"], 0.1 * b["total_ns"])
            self.assertLess(b["unexplained_ns"], 0.1 * b["total_ns"])
            asked = b["count"] if path == "/ask" else 0
            self.assertEqual(sum(r["count"] for r in b["requests"]), asked)
            self.assertGreaterEqual(b["http_ns"], 0.9e9 * SPAN * asked)
            self.assertEqual(b["http_ns"] > 0, asked > 0)

    def in_the_way(self, report, quick, waiting, truth):
        """/block has the thread while /quick lies in its socket, and the answer that /far waits for, and /new, on a connection of its
        own."""
        b = self.told(report, "/quick")
        self.cpu(b, truth["/quick"], "/quick")
        rest = sum(c.took[0] for c in quick) - b["cpu_ns"] - b["run_queue_ns"]
        self.near(b["loop_wait_ns"], max(0.95 * rest - 2e6 * b["count"], 80e6 * b["count"]), rest, "/quick")
        for path, sent in waiting.items():
            b = self.told(report, path)
            self.cpu(b, truth[path], path)
            rest = sum(c.took[0] for c in sent) - b["cpu_ns"] - b["run_queue_ns"]
            # It may lose the processor while it sends. The answer had come when the other had sent it.
            asked = sum(min(t for t in answered if t > c.began[0]) - c.began[0] for c in sent)
            self.near(b["http_ns"], 0.8e9 * SPAN * b["count"], asked, path)
            self.near(b["loop_wait_ns"], max(0.95 * rest - b["http_ns"] - 2e6 * b["count"], 80e6 * b["count"]), rest - b["http_ns"], path)

    def loop(self, *command):
        server = test_breakdown.start([*command, str(other())])
        at = int(server.stdout.readline())
        for path in ("/light", "/ask"):  # what it loads with the first
            test_breakdown.ask(at, path)
        before = json.loads(test_breakdown.ask(at, "/sums"))
        with test_http.Sonde("--breakdown", "-p", str(server.pid)) as sonde:
            clients = [Client(at, path, 8) for path in ("/heavy", "/ask", "/light", "/ask", "/heavy")]
            self.run_at_once(*clients)
            quick, waiting = [], {"/far": [], "/new": []}
            for _ in range(3):
                quick.append(Client(at, "/quick", wait=0.05))
                self.run_at_once(quick[-1], Client(at, "/block"))
                for path, sent in waiting.items():
                    sent.append(Client(at, path))
                    self.run_at_once(sent[-1], Client(at, "/block", wait=SPAN / 2))
            self.run_at_once(*[Client(at, path, 6) for path in ("/late", "/late", "/block")])
            truth = json.loads(test_breakdown.ask(at, "/sums"))
            truth = {path: ns - before.get(path, 0) for path, ns in truth.items()}
            time.sleep(0.3)
            report = sonde.stop()
        self.assertEqual(report.coverage["lost"], {})
        self.crowd(report, clients, truth)
        self.in_the_way(report, quick, waiting, truth)
        # Nothing says when a timer has gone off: what is not known is not told, and nothing is told twice.
        b = self.told(report, "/late")
        self.assertEqual(b["count"], 12)
        self.assertLessEqual(b["cpu_ns"], 1.05 * truth["/late"] + 2e6 * b["count"])
        self.assertGreaterEqual(b["event_loop"]["unsure"], 6)
        self.assertEqual((b["http_ns"], b["requests"]), (0, []))
        self.assertGreaterEqual(b["unexplained_ns"], 12 * 10e6)

    @unittest.skipUnless(shutil.which("node"), "node is not installed")
    def test_node(self):
        """Handles what it reads at once."""
        self.loop("node", test_http.HERE + "/breakdown_loop.js")

    def test_asyncio(self):
        """Reads all that has come before it handles any of it."""
        self.loop("/usr/bin/python3", test_http.HERE + "/breakdown_loop.py")

    def test_text(self):
        """What people are told of it."""
        server = test_breakdown.start(["/usr/bin/python3", test_http.HERE + "/breakdown_loop.py", str(other())])
        at = int(server.stdout.readline())
        with pg.Sonde("--breakdown", "-p", str(server.pid), command="http", out="text") as sonde:
            self.run_at_once(*[Client(at, path, 3) for path in ("/heavy", "/light", "/late")])
            time.sleep(0.3)
            sonde.proc.send_signal(signal.SIGINT)
            _, out, _ = sonde.wait()
        self.assertRegex(out, r"(?m)^ *[\d.]+ms +[\d.]+%  +waiting for the loop$")
        self.assertRegex(out, r"(?m)^\d of them, [\d.]+m?s, shared their thread with others \(an event loop\): ")
        self.assertRegex(out, r"(?m)^\d of these while requests waited for timers")


if __name__ == "__main__":
    unittest.main()
