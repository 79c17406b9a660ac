# SPDX-License-Identifier: GPL-2.0-only
# TOGETHER: counts, of its own processes
# ALONE: Latency: compares times
"""test_redis.py - sonde's numbers against the server's own (INFO commandstats) and the clients' clocks."""

import atexit
import importlib.util
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
import unittest

import clocks
import pg
from test_drivers import node_modules

server = None


class Server:
    """A Redis of its own, on a unix socket and on loopback."""

    def __init__(self):
        self.dir = tempfile.mkdtemp(prefix="redis.")
        self.path = os.path.join(self.dir, "s")
        self.port = pg.free_port()
        atexit.register(self.stop)
        self.proc = subprocess.Popen(["redis-server", "--port", str(self.port), "--bind", "127.0.0.1", "--unixsocket",
                                      self.path, "--dir", self.dir, "--save", "", "--appendonly", "no"],
                                     stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        end = time.monotonic() + 20 * pg.PATIENCE
        while not os.path.exists(self.path):
            if time.monotonic() > end or self.proc.poll() is not None:
                raise RuntimeError("no server")
            time.sleep(0.02)

    def stop(self):
        if self.proc.poll() is None:
            self.proc.kill()
            self.proc.wait()
        shutil.rmtree(self.dir, ignore_errors=True)

    def cli(self, *args, text=None):
        return subprocess.run(["redis-cli", "-s", self.path, *args], input=text, stdout=subprocess.PIPE, text=True,
                              check=True).stdout

    def reset(self):
        self.cli("flushall")
        self.cli("config", "resetstat")

    def truth(self):
        """{command: (calls, errors)} since reset(), without what reset() and this asked."""
        found = {}
        for name, calls, rejected, failed in re.findall(
                r"cmdstat_(\S+?):calls=(\d+),.*rejected_calls=(\d+),failed_calls=(\d+)", self.cli("info", "commandstats")):
            found[name.replace("|", " ")] = (int(calls) + int(rejected), int(rejected) + int(failed))
        found.pop("config resetstat", None)
        return found


def by_command(report):
    """Rows of the report, added up as the server does: {command: (calls, errors)}."""
    groups = ("config", "client", "object", "xinfo", "xgroup", "memory", "script", "function", "command", "latency")
    found = {}
    for q in report.queries:
        words = q["text"].lower().split()
        name = " ".join(words[:2] if words[0] in groups else words[:1])
        was = found.get(name, (0, 0))
        found[name] = (was[0] + q["count"], was[1] + q["errors"])
    return found


def setUpModule():
    global server
    if os.geteuid() != 0:
        raise unittest.SkipTest("needs root")
    if not os.access(pg.SONDE, os.X_OK):
        raise unittest.SkipTest("there is no %s: build it first" % pg.SONDE)
    for program in ("redis-server", "redis-cli", "redis-benchmark"):
        if not shutil.which(program):
            raise unittest.SkipTest("needs %s (scripts/setup.sh test)" % program)
    server = Server()
    unittest.addModuleCleanup(server.stop)


class TestCase(pg.TestCase):
    def check(self, report, truth=None):
        truth = truth or server.truth()
        self.assertEqual(by_command(report), truth, report.brief())
        self.assert_complete(report, seen=sum(n for n, _ in truth.values()))
        self.assertNotIn("secret", str(report.json["queries"]))
        for q in report.queries:
            self.assertEqual(q["db_system"], "redis")

    def run_python(self, script, *args):
        server.reset()
        return pg.run_program([sys.executable, "-c", script, server.path, str(server.port)], *args)


class Benchmark(TestCase):
    def test_counts(self):
        for capture in pg.captures():
            for pipeline, where in ((1, ["-s", server.path]), (16, ["-h", "127.0.0.1", "-p", str(server.port)])):
                with self.subTest(capture=capture, pipeline=pipeline):
                    server.reset()
                    report = pg.run_program(
                        ["redis-benchmark", *where, "-q", "-n", "1600", "-c", "4", "-P", str(pipeline), "-t",
                         "ping,get,set,incr,lpush,sadd,hset,lrange_100,mset"], "--capture", capture)
                    self.check(report)
                    rows = {q["text"]: q["rows"] for q in report.queries}
                    self.assertEqual(rows["LRANGE mylist"], 1600 * 100)


MIXED = """
import sys, threading
import redis
r = redis.Redis(unix_socket_path=sys.argv[1])
for i in range(300):
    r.set("user:%d:name" % i, "secret%d" % i)
    assert r.get("user:%d:name" % i) == b"secret%d" % i
r.get("user:no")
r.mget(["user:%d:name" % i for i in range(50)])
r.set("big", "secret" * 500000)
assert len(r.get("big")) == 3000000
p = r.pipeline(transaction=False)
for i in range(1000):
    p.hset("h:%d" % (i % 7), "secret%d" % i, i)
p.execute()
p = r.pipeline(transaction=True)
for i in range(20):
    p.incr("counter")
p.execute()
for i in range(7):
    r.eval("return {KEYS[1], 'secret', {1, 2, {3}}}", 1, "k:%d" % i)
r.rpush("queue:1", "secret")
r.blpop(["queue:1", "queue:2"], 1)
assert r.blpop("queue:1", 1) is None
for i in range(3):
    try:
        r.lpush("counter", "secret")
    except redis.ResponseError:
        pass
try:
    r.execute_command("SET", "k")
except redis.ResponseError:
    pass
r.xadd("events", {"a": "secret"})
r.xread({"events": 0}, block=10)
r.object("encoding", "counter")
two = redis.Redis(port=int(sys.argv[2]), db=2)
two.set("user:1", "secret")
s = two.pubsub()
s.subscribe("news:1", "news:2")
for i in range(2):
    assert s.get_message(timeout=5)["type"] == "subscribe"
for i in range(100):
    r.publish("news:1", "secret" * i)
for i in range(100):
    assert s.get_message(timeout=5)["type"] == "message"
s.unsubscribe()
for i in range(2):
    assert s.get_message(timeout=5)["type"] == "unsubscribe"
"""


class Drivers(TestCase):
    @unittest.skipUnless(importlib.util.find_spec("redis"), "needs python3-redis")
    def test_python(self):
        for capture in pg.captures():
            with self.subTest(capture=capture):
                report = self.run_python(MIXED, "--capture", capture)
                self.check(report)
                rows = {q["text"]: q for q in report.queries}
                self.assertEqual(rows["GET user:?:name"]["count"], 300)
                self.assertEqual(rows["MGET user:?:name ..."]["rows"], 50)
                self.assertEqual(rows["EVAL ?"]["rows"], 7 * 3)
                self.assertEqual(rows["GET user:no"]["rows"], 0)
                self.assertEqual(rows["EXEC"]["rows"], 20)
                self.assertEqual(rows["LPUSH counter"]["sqlstate"], "WRONG")
                self.assertEqual(rows["LPUSH counter"]["errors_by_class"], {"data": 3})
                self.assertGreater(rows["GET big"]["latency_ns"]["max"], 0)
                self.assertEqual(rows["SET user:?"]["database"], "2")

    def test_resp3(self):
        text = "".join("set user:%d secret\nhset h:%d a 1 b 2\nhgetall h:%d\nsmembers s\nzadd z 1.5 secret\n"
                       "zscore z secret\nnosuch secret\nconfig get save\n" % (i, i, i) for i in range(40))
        server.reset()
        with tempfile.NamedTemporaryFile("w") as script:
            script.write(text)
            script.flush()
            report = pg.run_program(["sh", "-c", "redis-cli -3 -s %s < %s" % (server.path, script.name)])
        truth = server.truth()
        truth["nosuch"] = (40, 40)  # no command, so the server has no statistics of it
        self.check(report, truth)
        self.assertEqual([q["rows"] for q in report.queries if q["text"] == "HGETALL h:?"], [80])

    def test_node(self):
        if not shutil.which("node") or not os.path.isdir(os.path.join(node_modules(), "ioredis")):
            self.skipTest("needs node and npm's ioredis (scripts/setup.sh test)")
        script = """
const Redis = require('ioredis');
(async () => {
  const r = new Redis(process.argv[1]);
  await Promise.all([...Array(200).keys()].map(i => r.set('user:' + i, 'secret')));
  await Promise.all([...Array(200).keys()].map(i => r.get('user:' + i)));
  await r.multi().incr('n').incr('n').exec();
  r.disconnect();
})();"""
        server.reset()
        report = pg.run_program(["env", "NODE_PATH=" + node_modules(), "node", "-e", script, server.path])
        truth = server.truth()
        if "client setinfo" in by_command(report):  # refused by servers before 7.2, which do not count it
            truth["client setinfo"] = truth.get("client setinfo", (2, 2))
        self.check(report, truth)


RAW = """
import socket, sys
s = socket.socket(socket.AF_UNIX)
s.connect(sys.argv[1])
f = s.makefile("rb")
def command(*words):
    return b"*%d\\r\\n" % len(words) + b"".join(b"$%d\\r\\n%s\\r\\n" % (len(w), w) for w in words)
def reply():
    line = f.readline()
    if line[:1] == b"$" and line != b"$-1\\r\\n":
        f.read(int(line[1:]) + 2)
    if line[:1] in b"*~>" and line[1:2] != b"-":
        for i in range(int(line[1:])):
            reply()
    if line[:1] == b"%":
        for i in range(2 * int(line[1:])):
            reply()
    return line
def one_by_one(data):
    for i in range(len(data)):
        s.sendall(data[i:i + 1])
"""

ODD = RAW + """
one_by_one(command(b"SMEMBERS", b"set:1"))
reply()
for n in (0, 1, 63, 64, 65, 500, 513, 4900, 8191, 8192, 8193, 70000):
    for c in (command(b"SET", b"k:%d" % n, b"secret" * n), command(b"GET", b"k:%d" % n), command(b"DEL", b"k:%d" % n),
              command(b"GET", b"secret" * (n // 6 + 11)), command(b"ECHO", b"secret" * n)):
        one_by_one(c) if n < 66 else s.sendall(c)
        reply()
# Commands cut wherever the buffers end.
data = b"".join(command(b"SET", b"cut:%d" % i, b"secret" * (i % 50)) for i in range(2000)) + b"ping\\r\\n"
for at in range(0, len(data), 4093):
    s.sendall(data[at:at + 4093])
for i in range(2001):
    reply()
s.sendall(command(b"MSET", *[b"m:%d" % i for i in range(4000)]) + command(b"MGET", *[b"m:%d" % i for i in range(2000)]))
reply(), reply()
s.sendall(command(b"CLIENT", b"REPLY", b"OFF") + command(b"SET", b"off", b"secret") + command(b"CLIENT", b"REPLY", b"ON"))
reply()
s.sendall(command(b"CLIENT", b"REPLY", b"SKIP") + command(b"SET", b"skip", b"secret") + command(b"GET", b"skip"))
reply()
s.sendall(command(b"EVAL", b"local t = {1}; for i = 1, 5 do t = {t, 'secret', t} end; return t", b"0") + command(b"PING"))
reply(), reply()
s.sendall(command(b"HELLO", b"3") + command(b"CONFIG", b"GET", b"*") + command(b"SUBSCRIBE", b"c:1", b"c:2") +
          command(b"UNSUBSCRIBE") + command(b"GET", b"no"))
for i in range(7):
    reply()
"""


class Odd(TestCase):
    def test_raw(self):
        for capture in pg.captures():
            with self.subTest(capture=capture):
                report = self.run_python(ODD, "--capture", capture)
                self.check(report)
                rows = {q["text"]: q["rows"] for q in report.queries}
                self.assertEqual(rows["MGET m:? ..."], 2000)
                self.assertEqual(rows["SET cut:?"], 2000)

    def test_attach_in_the_middle(self):
        script = RAW + """
for i in range(10):
    s.sendall(command(b"GET", b"before:%d" % i))
    reply()
print("ready", flush=True)
sys.stdin.readline()
for i in range(500):
    s.sendall(command(b"GET", b"after:%d" % i))
    reply()
print("done", flush=True)
sys.stdin.readline()
"""
        for capture in pg.captures():
            with self.subTest(capture=capture):
                client = subprocess.Popen([sys.executable, "-c", script, server.path], text=True,
                                          stdin=subprocess.PIPE, stdout=subprocess.PIPE)
                try:
                    self.assertEqual(client.stdout.readline(), "ready\n")
                    with pg.Sonde("-p", str(client.pid), "--capture", capture) as sonde:
                        client.stdin.write("\n")
                        client.stdin.flush()
                        self.assertEqual(client.stdout.readline(), "done\n")
                        report = sonde.stop()
                finally:
                    client.kill()
                    client.communicate()
                self.assert_complete(report, seen=500)
                self.assertEqual([(q["text"], q["count"]) for q in report.queries], [("GET after:?", 500)])


class Latency(TestCase):
    SCRIPT = RAW + """
import os, time
try:
    os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(1))
except OSError:
    pass
times = []
for i in range(5000):
    data = command(b"GET", b"user:%d" % i)
    begin = time.perf_counter_ns()
    s.sendall(data)
    s.recv(100)
    times.append(time.perf_counter_ns() - begin)
print(*times)
"""

    def test_single(self):
        for capture in pg.captures():
            with self.subTest(capture=capture):
                self.check_latency(capture)

    def check_latency(self, capture):
        agreement = clocks.Agreement(self)

        def attempt(_):
            with clocks.undisturbed(server.proc.pid):
                report = self.run_python(self.SCRIPT, "--capture", capture)
            ns = [int(n) for n in report.stdout.split()]
            row = report.queries[0]
            self.assertEqual((len(report.queries), row["count"], len(ns)), (1, 5000, 5000))
            self.assertLessEqual(row["latency_ns"]["sum"], sum(ns))
            agreement.percentiles("GET", row["latency_ns"], ns)

        agreement.until(attempt)


if __name__ == "__main__":
    unittest.main()
