# SPDX-License-Identifier: GPL-2.0-only
# TOGETHER: counts, of its own processes
"""test_alloc_requests.py - `sonde alloc --by endpoint` beside a server that says what a request to each endpoint allocates."""

import glob
import http.client
import json
import math
import os
import re
import signal
import socket
import subprocess
import threading
import time
import unittest

import sonderun
from sonderun import PATIENCE, SONDE
from test_alloc_exact import ANY

THREADS = 4
TURNS = 100
RATE = 64 << 10
MANY = THREADS * TURNS
REQUEST = b"GET %s HTTP/1.1\r\nHost: a\r\n\r\n"


def setUpModule():
    why = sonderun.why_not()
    if why:
        raise unittest.SkipTest(why)


class Server:
    """alloc_requests, started here or by sonde: its port, {endpoint: (function, bytes, objects, bytes touched)}."""

    def __init__(self, test, argv):
        self.proc = subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        test.addCleanup(self.end)
        self.port = int(self.proc.stdout.readline())
        self.truth = {}
        while True:
            line = self.proc.stdout.readline()
            if line in ("ready\n", ""):
                break
            method, path, function, *numbers = line.split()
            self.truth[method + " " + path] = (function, *map(int, numbers))

    def end(self):
        if self.proc.poll() is None:
            self.proc.kill()
        self.proc.wait()
        self.proc.stdout.close()
        self.proc.stderr.close()

    def ask(self, *endpoints):
        """One connection, a request to each."""
        conn = http.client.HTTPConnection("127.0.0.1", self.port, timeout=20 * PATIENCE)
        for endpoint in endpoints:
            conn.request(*endpoint.split())
            conn.getresponse().read()
        conn.close()

    def load(self):
        """MANY requests to each endpoint and, besides, to /both; fewer that another thread answers."""
        turn = [endpoint.replace("{id}", "4711") for endpoint in self.truth] + ["GET /both"]
        threads = [threading.Thread(target=self.ask, args=turn * TURNS) for _ in range(THREADS)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.ask(*["GET /moved"] * 7)


class Tracer:
    """sonde beside a server that runs, from when it traces on."""

    def __init__(self, test, server, *args):
        self.report = os.path.join(test.dir, "report.json")
        self.proc = subprocess.Popen([SONDE, "alloc", "--by", "endpoint", "-v", "-p", str(server.proc.pid), "-o", "json",
                                      "--output", self.report, *args], stderr=subprocess.PIPE, text=True)
        self.rest = threading.Thread(target=self.proc.stderr.read)
        test.addCleanup(self.kill)
        said = []
        while not said or not said[-1].endswith("tracing\n"):
            said.append(self.proc.stderr.readline())
            if not said[-1]:
                said = [line for line in said if "libbpf" not in line]
                raise AssertionError("sonde ended with %d: %s" % (self.proc.wait(), "".join(said)))
        self.rest.start()

    def kill(self):
        if self.proc.poll() is None:
            self.proc.kill()
        self.proc.wait()
        if self.rest.ident:
            self.rest.join()
        self.proc.stderr.close()

    def stop(self):
        time.sleep(0.2)
        self.proc.send_signal(signal.SIGINT)
        self.proc.wait(30 * PATIENCE)
        with open(self.report) as file:
            return json.load(file)


def by_endpoint(doc):
    return {"%s %s" % (e["method"], e["path"]): e for e in doc["endpoints"]}


def by_function(sites, key="alloc_bytes"):
    """{truth function: bytes}"""
    sums = {}
    for site in sites:
        name = next((f for f in site["site"] if f.startswith("truth_")), "?")
        sums[name] = sums.get(name, 0) + site[key]
    return sums


class AllocRequests(sonderun.TestCase):
    def sampled(self, *args):
        """A whole run of the server; (document or text, truth)"""
        report = os.path.join(self.dir, "report")
        server = Server(self, [SONDE, "alloc", "--by", "endpoint", "--output", report, *args, "--",
                               sonderun.program("alloc_requests")])
        server.load()
        server.ask("GET /end")
        self.assertEqual(server.proc.wait(30 * PATIENCE), 0, server.proc.stderr.read())
        with open(report) as file:
            return file.read(), server.truth

    def running(self):
        return Server(self, [sonderun.program("alloc_requests")])

    def assert_told_apart(self, doc, member="allocations"):
        """All requests are there, and those that another thread answered are in no sum."""
        found = by_endpoint(doc)
        for endpoint in ("GET /list", "POST /list", "GET /report", "GET /items/{id}", "GET /both", "GET /touch", "GET /nothing"):
            row = found[endpoint]
            self.assertEqual((row["count"], row["role"], row["process"]), (MANY, "server", "alloc_requests"), endpoint)
            self.assertEqual((row[member]["requests"], row[member]["undivided"]), (MANY, {}), endpoint)
        moved = found["GET /moved"][member]
        self.assertEqual((moved["requests"], moved["undivided"]), (0, {"other_thread": 7}))
        self.assertEqual(moved["grown_bytes" if member == "growth" else "alloc_bytes"], 0)
        self.assertEqual(doc["coverage"]["lost"], {})
        self.assertEqual(doc["coverage"]["seen"], doc["coverage"]["attributed"])
        return found

    def test_sampled(self):
        """Bytes, objects and call sites of each endpoint are within 3 standard errors, but for one."""
        text, truth = self.sampled("-o", "json", "--rate", str(RATE))
        doc = json.loads(text)
        found = self.assert_told_apart(doc)
        wanted = {endpoint: {function: (size, nr)} for endpoint, (function, size, nr, _) in truth.items() if nr}
        wanted["GET /both"] = {of: truth[e][1:3] for of, e in (("truth_list", "GET /list"), ("truth_report", "GET /report"))}
        distance = {}
        for endpoint, functions in wanted.items():
            row = found[endpoint]["allocations"]
            total = MANY * sum(size for size, _ in functions.values())
            objects = MANY * sum(nr for _, nr in functions.values())
            self.assertGreater(row["samples"], 0)
            self.assertAlmostEqual(row["bytes_per_request"], row["alloc_bytes"] / MANY, delta=10)  # six digits
            self.assertAlmostEqual(row["bytes_per_request_error"], row["alloc_bytes_error"] / MANY, delta=10)
            error = max(row["alloc_bytes_error"], math.sqrt(total * RATE) if endpoint != "GET /report" else 0)
            distance[endpoint] = (row["alloc_bytes"] - total) / error
            if len(functions) == 1:  # of one size
                distance[endpoint, "objects"] = (row["alloc_objects"] - objects) / (error * objects / total)
            for function, size in by_function(row["sites"]).items():
                self.assertIn(function, functions)
                one = MANY * functions[function][0]
                distance[endpoint, function] = (size - one) / max(error, math.sqrt(one * RATE))
        # An endpoint's bytes, its objects of one size and its one call site are the same samples.
        far = {where if isinstance(where, str) else where[0] for where, d in distance.items() if abs(d) > 3}
        self.assertLessEqual(len(far), 1, distance)
        self.assertLess(max(abs(d) for d in distance.values()), 4.5, distance)
        for endpoint in ("GET /touch", "GET /nothing"):
            self.assertEqual(found[endpoint]["allocations"]["samples"], 0)
        everything = sum(r["alloc_bytes"] for r in doc["allocations"])
        shares = [e["allocations"]["share"] for e in doc["endpoints"]]
        self.assertAlmostEqual(sum(shares), sum(e["allocations"]["alloc_bytes"] for e in doc["endpoints"]) / everything, delta=1e-4)
        self.assertLess(sum(shares), 0.97)  # some are no request's
        self.assertEqual([e["allocations"]["alloc_bytes"] for e in doc["endpoints"]],
                         sorted((e["allocations"]["alloc_bytes"] for e in doc["endpoints"]), reverse=True))

    def test_exact(self):
        """To the byte, by endpoint and by call site; what is allocated between requests is none's."""
        server = self.running()
        tracer = Tracer(self, server, "--exact", "--budget", ANY)
        server.load()
        doc = tracer.stop()
        found = self.assert_told_apart(doc)
        for endpoint, (function, size, objects, _) in server.truth.items():
            row = found[endpoint]["allocations"]
            self.assertEqual((row["alloc_bytes"], row["alloc_objects"], row["alloc_bytes_error"]), (MANY * size, MANY * objects, 0))
            self.assertEqual((row["bytes_per_request"], row["objects_per_request"]), (size, objects))
            self.assertEqual(by_function(row["sites"]), {function: MANY * size} if size else {})
        both = found["GET /both"]["allocations"]
        self.assertEqual(by_function(both["sites"]), {"truth_list": MANY * server.truth["GET /list"][1],
                                                      "truth_report": MANY * server.truth["GET /report"][1]})
        self.assertEqual(both["alloc_bytes"], sum(by_function(both["sites"]).values()))
        self.assertGreater(by_function(doc["allocations"])["truth_outside"], 0)

    def test_growth(self):
        """Pages that requests touch first: all but one in ten thousand, which the kernel may have made without a fault."""
        server = self.running()
        tracer = Tracer(self, server, "--growth")
        server.load()
        doc = tracer.stop()
        found = self.assert_told_apart(doc, "growth")
        touched = server.truth["GET /touch"][3]
        row = found["GET /touch"]["growth"]
        self.assertGreaterEqual(row["grown_bytes"], MANY * touched * 0.9999)
        self.assertLessEqual(row["grown_bytes"], MANY * touched * 1.01 + (1 << 20))  # page tables are none; its first stack is
        self.assert_near(row["touches"], row["grown_bytes"] // os.sysconf("SC_PAGESIZE"), 0.01)
        self.assert_near(by_function(row["sites"], "grown_bytes")["truth_touch"], row["grown_bytes"], 0.1)
        self.assertLess(found["GET /nothing"]["growth"]["grown_bytes"], 1 << 20)
        self.assertLessEqual(sum(e["growth"]["share"] for e in doc["endpoints"]), 1.0001)

    def test_loads(self):
        """What says where the time of requests goes is not asked: when bytes came, and whose requests goroutines send."""
        server = self.running()
        tracer = Tracer(self, server, "--growth")
        kinds = {"prog": set(), "map": set()}
        for path in glob.glob("/proc/%d/fdinfo/*" % tracer.proc.pid):
            with open(path) as file:
                for kind, number in re.findall(r"^(prog|map)_id:\s*(\d+)$", file.read(), re.M):
                    kinds[kind].add(int(number))
        names = set()
        for kind, numbers in kinds.items():
            out = subprocess.run(["bpftool", "-j", kind, "show"], stdout=subprocess.PIPE, check=True).stdout
            names |= {one.get("name") for one in json.loads(out) if one["id"] in numbers}
        tracer.stop()
        self.assertTrue({"growth_rss_stat", "bd_rows", "bd_open"} <= names, names)
        self.assertEqual(names & {"bd_go_trip", "bd_go_sends", "bd_socks"}, set())

    def test_shared_thread(self):
        """Two requests at once in a thread: whose its allocations are is not known, and not said."""
        server = Server(self, [sonderun.program("alloc_requests"), "loop"])
        tracer = Tracer(self, server, "--exact", "--budget", ANY)
        with socket.create_connection(("127.0.0.1", server.port)) as one, socket.create_connection(("127.0.0.1", server.port)) as two:
            for _ in range(20):
                one.sendall(REQUEST % b"/one")
                two.sendall(REQUEST % b"/two")
                self.assertIn(b"200 OK", one.recv(4096))
                self.assertIn(b"200 OK", two.recv(4096))
            doc = tracer.stop()
        for row in by_endpoint(doc).values():
            self.assertEqual(row["count"], 20)
            self.assertEqual(row["allocations"]["requests"], 0)
            self.assertEqual(row["allocations"]["undivided"], {"shared_thread": 20})
            self.assertEqual(row["allocations"]["alloc_bytes"], 0)
        self.assertEqual(sum(r["alloc_objects"] for r in doc["allocations"]), 20 * server.truth["GET /list"][2])

    def test_text(self):
        text, _ = self.sampled("--rate", str(RATE))
        self.assertRegex(text, r"share +bytes/request +\+- +objects/request +requests +samples +allocated +who +endpoint\n")
        self.assertRegex(text, r"\n *[\d.]+% +2\.\d+MiB +\d+% +\d+ +400 +\d+ +[\d.]+[GM]iB +alloc_requests\[\d+\] +GET /both\n")
        self.assertRegex(text, r"\n.* {4}allocate \(alloc_requests\.c:\d+\) < truth_report < act\n")
        self.assertRegex(text, r"\n *0\.0% +0B\? +400 +0 +0B +alloc_requests\[\d+\] +GET /nothing\n")
        self.assertRegex(text, r"\n *\d\.\d% +[\d.]+MiB +\(outside of these requests\)\n")
        self.assertIn("\n?: from fewer than 12 samples\n", text)
        self.assertIn("\n7 requests were answered by another thread than the one that read them: not counted here\n", text)

    def test_no_requests(self):
        run = sonderun.Run("alloc", "--by", "endpoint", out="text", argv=[sonderun.program("alloc_truth"), "churn"])
        self.assertEqual(run.code, 0, run.err)
        self.assertIn("No inbound request has been answered", run.out)
        self.assertTrue(re.search("^coverage: ", run.out, re.M))


if __name__ == "__main__":
    unittest.main()
