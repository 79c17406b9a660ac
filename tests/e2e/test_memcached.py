# SPDX-License-Identifier: GPL-2.0-only
# TOGETHER: counts, of its own processes
# ALONE: Latency: compares times
"""test_memcached.py - sonde's numbers against the server's own (stats) and the clients' clocks."""

import atexit
import importlib.util
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import unittest

import clocks
import pg

server = None


class Server:
    """Two of its own: one on a unix socket, one on loopback."""

    def __init__(self):
        self.dir = tempfile.mkdtemp(prefix="memcached.")
        os.chmod(self.dir, 0o777)
        self.path = os.path.join(self.dir, "s")
        self.port = pg.free_port()
        atexit.register(self.stop)
        self.procs = [subprocess.Popen(["memcached", "-u", "nobody", "-m", "64", *where], stdin=subprocess.DEVNULL,
                                       stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
                      for where in (["-s", self.path, "-a", "0777"], ["-l", "127.0.0.1", "-p", str(self.port), "-U", "0"])]
        end = time.monotonic() + 20 * pg.PATIENCE
        for address in (self.path, ("127.0.0.1", self.port)):
            while True:
                try:
                    self.connect(address).close()
                    break
                except OSError:
                    if time.monotonic() > end:
                        raise
                    time.sleep(0.02)

    @staticmethod
    def connect(address):
        s = socket.socket(socket.AF_UNIX if isinstance(address, str) else socket.AF_INET)
        try:
            s.connect(address)
        except OSError:
            s.close()
            raise
        return s

    def stop(self):
        for proc in self.procs:
            if proc.poll() is None:
                proc.kill()
                proc.wait()
        shutil.rmtree(self.dir, ignore_errors=True)

    def ask(self, command, tcp=False):
        """All lines of the answer, up to END or RESET."""
        with self.connect(("127.0.0.1", self.port) if tcp else self.path) as s, s.makefile("rb") as f:
            s.sendall(command + b"\r\n")
            lines = []
            while not lines or lines[-1] not in (b"END", b"RESET"):
                lines.append(f.readline().strip())
        return lines

    def stats(self, tcp=False):
        return {line.split()[1].decode(): int(line.split()[2]) for line in self.ask(b"stats", tcp)
                if line.startswith(b"STAT ") and line.split()[2].isdigit()}


def setUpModule():
    global server
    if os.geteuid() != 0:
        raise unittest.SkipTest("needs root")
    if not os.access(pg.SONDE, os.X_OK):
        raise unittest.SkipTest("there is no %s: build it first" % pg.SONDE)
    if not shutil.which("memcached"):
        raise unittest.SkipTest("needs memcached (scripts/setup.sh test)")
    server = Server()
    unittest.addModuleCleanup(server.stop)


def added(report, *commands, what="count"):
    return sum(q[what] for q in report.queries if q["text"].split()[0] in commands)


DRIVER = """
import sys
from pymemcache.client.base import Client
c = Client(("127.0.0.1", int(sys.argv[1])))
for i in range(300):
    c.set("user:%d" % i, "secret", noreply=i % 2 == 0)
    assert c.get("user:%d" % i) == b"secret"
    c.get("nobody:%d" % i)
assert len(c.get_many(["user:%d" % i for i in range(0, 600, 2)])) == 150
c.set("n", "1", noreply=False)
for i in range(20):
    c.incr("n", 2)
    c.decr("n", 1)
c.incr("nobody", 1)
c.add("n", "secret", noreply=False)
c.replace("nobody", "secret", noreply=False)
value, token = c.gets("n")
c.cas("n", "7", token, noreply=False)
c.cas("n", "8", token, noreply=False)
c.touch("n", 60, noreply=False)
c.touch("nobody", 60, noreply=False)
c.append("n", "secret")
c.delete("n", noreply=False)
c.delete("n", noreply=False)
c.set("big", "secret" * 100000, noreply=False)
assert len(c.get("big")) == 600000
c.version()
c.stats()
"""

RAW = """
import socket, sys
s = socket.socket(socket.AF_UNIX)
s.connect(sys.argv[1])
f = s.makefile("rb")
def say(data, lines=1):
    s.sendall(data)
    return [f.readline() for i in range(lines)]
"""

META = RAW + """
for i in range(100):
    assert say(b"ms user:%d 6 T60\\r\\nsecret\\r\\n" % i) == [b"HD\\r\\n"]
    assert say(b"mg user:%d v\\r\\n" % i, 2)[1] == b"secret\\r\\n"
    assert say(b"mg nobody:%d v\\r\\n" % i) == [b"EN\\r\\n"]
say(b"mg bm9ib2R5 b v\\r\\n")
for i in range(10):
    # 20 quiet gets, half of them hits, and the command that ends the run
    got = say(b"".join(b"mg %s:%d v q\\r\\n" % (b"user" if k % 2 else b"nobody", k) for k in range(20)) + b"mn\\r\\n", 21)
    assert got[-1] == b"MN\\r\\n"
assert say(b"ms x 1 q\\r\\n1\\r\\nmd nobody q\\r\\nma x q\\r\\nmn\\r\\n")[0] in (b"NF\\r\\n", b"MN\\r\\n")
"""

ODD = RAW + """
def one_by_one(data, lines):
    for i in range(len(data)):
        s.sendall(data[i:i + 1])
    return [f.readline() for i in range(lines)]
say(b"version\\r\\n")
one_by_one(b"set odd:1 0 0 6\\r\\nsecret\\r\\n", 1)
one_by_one(b"get odd:1 odd:2 odd:3\\r\\n", 3)
data = b"".join(b"set cut:%d 0 0 %d\\r\\n%s\\r\\n" % (i, i % 500, b"s" * (i % 500)) for i in range(1000)) + b"get cut:1\\r\\n"
for at in range(0, len(data), 4093):
    s.sendall(data[at:at + 4093])
assert [f.readline() for i in range(1000)] == [b"STORED\\r\\n"] * 1000
say(b"", 3)
say(b"get" + b"".join(b" cut:%d" % i for i in range(100)) + b"\\r\\n", 201)
assert say(b"set bad 0 0 2\\r\\nsecret\\r\\n", 2) == [b"CLIENT_ERROR bad data chunk\\r\\n", b"ERROR\\r\\n"]
assert say(b"nosuch secret\\r\\n") == [b"ERROR\\r\\n"]
say(b"set n 0 0 6\\r\\nsecret\\r\\n")
assert say(b"incr n 1\\r\\n")[0].startswith(b"CLIENT_ERROR")
assert say(b"quit\\r\\n") == [b""]
"""


class Counts(pg.TestCase):
    def check(self, report, before, after):
        diff = {k: after[k] - before[k] for k in after if k in before}
        self.assertNotIn("secret", str(report.json["queries"]))
        for q in report.queries:
            self.assertEqual(q["db_system"], "memcached")
        gets = sum(q["rows"] for q in report.queries if q["text"].split()[0] in ("get", "gets", "mg"))
        self.assertEqual(gets, diff["get_hits"], report.brief())
        self.assertEqual(added(report, "set", "add", "replace", "append", "prepend", "cas", "ms"), diff["cmd_set"],
                         report.brief())
        self.assertEqual(added(report, "incr", "ma") - added(report, "incr", what="errors"),
                         diff["incr_hits"] + diff["incr_misses"])
        self.assertEqual(added(report, "decr"), diff["decr_hits"] + diff["decr_misses"])
        self.assertEqual(added(report, "delete", "md"), diff["delete_hits"] + diff["delete_misses"])
        self.assertEqual(added(report, "touch", what="rows"), diff["touch_hits"])
        self.assertEqual(added(report, "touch"), diff["cmd_touch"])
        self.assertEqual(added(report, "cas"), diff["cas_hits"] + diff["cas_badval"] + diff["cas_misses"])
        self.assert_complete(report)
        return diff

    @unittest.skipUnless(importlib.util.find_spec("pymemcache"), "needs python3-pymemcache")
    def test_driver(self):
        for capture in pg.captures():
            with self.subTest(capture=capture):
                server.ask(b"flush_all\r\nstats reset", True)
                before = server.stats(True)
                report = pg.run_program([sys.executable, "-c", DRIVER, str(server.port)], "--capture", capture)
                diff = self.check(report, before, server.stats(True))
                rows = {q["text"]: q for q in report.queries}
                # Keys of one get count one each there.
                self.assertEqual(added(report, "get", "gets") + 299, diff["cmd_get"])
                self.assertEqual((rows["set user:?"]["count"], rows["get user:? ..."]["rows"]), (300, 150))
                self.assertEqual((rows["get nobody:?"]["count"], rows["get nobody:?"]["rows"]), (300, 0))

    def test_meta(self):
        for capture in pg.captures():
            with self.subTest(capture=capture):
                before = server.stats()
                report = pg.run_program([sys.executable, "-c", META, server.path], "--capture", capture)
                diff = self.check(report, before, server.stats())
                self.assertEqual(added(report, "mg"), diff["cmd_get"], report.brief())
                self.assertEqual(added(report, "mn"), 11)
                self.assertIn("mg ?", [q["text"] for q in report.queries])

    def test_odd(self):
        for capture in pg.captures():
            with self.subTest(capture=capture):
                before = server.stats()
                report = pg.run_program([sys.executable, "-c", ODD, server.path], "--capture", capture)
                self.check(report, before, server.stats())
                rows = {q["text"]: q for q in report.queries}
                self.assertEqual((rows["?"]["count"], rows["?"]["errors"]), (2, 2))
                self.assertEqual(rows["incr n"]["errors_by_class"], {"data": 1})
                self.assertEqual(rows["get cut:? ..."]["rows"], 100)

    def test_attach_in_the_middle(self):
        script = RAW + """
say(b"get before:1\\r\\n")
print("ready", flush=True)
sys.stdin.readline()
for i in range(500):
    say(b"get after:%d\\r\\n" % i)
print("done", flush=True)
sys.stdin.readline()
"""
        client = subprocess.Popen([sys.executable, "-c", script, server.path], text=True, stdin=subprocess.PIPE,
                                  stdout=subprocess.PIPE)
        try:
            self.assertEqual(client.stdout.readline(), "ready\n")
            with pg.Sonde("-p", str(client.pid)) as sonde:
                client.stdin.write("\n")
                client.stdin.flush()
                self.assertEqual(client.stdout.readline(), "done\n")
                report = sonde.stop()
        finally:
            client.kill()
            client.communicate()
        self.assert_complete(report, seen=500)
        self.assertEqual([(q["text"], q["count"]) for q in report.queries], [("get after:?", 500)])


class Latency(pg.TestCase):
    SCRIPT = RAW + """
import os, time
try:
    os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(1))
except OSError:
    pass
times = []
for i in range(5000):
    data = b"get user:%d\\r\\n" % i
    begin = time.perf_counter_ns()
    s.sendall(data)
    s.recv(100)
    times.append(time.perf_counter_ns() - begin)
print(*times)
"""

    def test_single(self):
        agreement = clocks.Agreement(self)

        def attempt(_):
            with clocks.undisturbed(*(proc.pid for proc in server.procs)):
                report = pg.run_program([sys.executable, "-c", self.SCRIPT, server.path])
            ns = [int(n) for n in report.stdout.split()]
            row = report.queries[0]
            self.assertEqual((len(report.queries), row["count"], len(ns)), (1, 5000, 5000))
            self.assertLessEqual(row["latency_ns"]["sum"], sum(ns))
            agreement.percentiles("get", row["latency_ns"], ns)

        agreement.until(attempt)


if __name__ == "__main__":
    unittest.main()
