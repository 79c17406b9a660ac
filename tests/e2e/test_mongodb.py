# SPDX-License-Identifier: GPL-2.0-only
# TOGETHER: counts, of its own processes
# ALONE: test_latency: compares times
"""test_mongodb.py - sonde's numbers for MongoDB drivers against the server's log: every command, its documents and errors."""

import collections
import json
import os
import shutil
import subprocess
import unittest

import clocks
import mongod
import pg
from test_drivers import node_modules

HERE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "drivers")
PYTHON = "/usr/bin/python3"
WORK = [PYTHON, os.path.join(HERE, "mongodb_work.py")]
COLLECTION = ("find count findAndModify aggregate distinct update delete insert killCursors createIndexes create drop".split())
HELLO = ("hello", "isMaster", "ismaster")

Call = collections.namedtuple("Call", "count errors rows")


def setUpModule():
    if os.geteuid() != 0:
        raise unittest.SkipTest("needs root")
    if not os.access(pg.SONDE, os.X_OK):
        raise unittest.SkipTest("there is no %s: build it first" % pg.SONDE)


def shape(value):
    """What a report shows of a value."""
    if isinstance(value, dict):
        return "{%s}" % ", ".join("%s: %s" % (k, shape(v)) for k, v in value.items())
    if isinstance(value, list):
        return "[%s]" % ", ".join(map(shape, value)) if value and isinstance(value[0], (dict, list)) else "[?+]"
    return "?"


def label(entry):
    """What a report calls a command of the server's log."""
    command, words = entry.command, [entry.name]
    if entry.name in COLLECTION or entry.name == "getMore":
        words.append(entry.collection)
    if entry.name == "distinct":
        words.append(command["key"])
    for condition in ("filter", "query"):
        if condition in command and entry.name in COLLECTION:
            words.append(shape(command[condition]))
    if entry.name == "aggregate":
        stages = ["%s %s" % (name, shape(value)) for stage in command["pipeline"] for name, value in stage.items()]
        words.append("[%s]" % ", ".join(stages))
    for writes in ("updates", "deletes"):
        if writes in command:
            words.append(shape(command[writes][0]["q"]))
    return " ".join(words)


def expected(log):
    """{(database, text): Call} of the server's log, without what monitors ask."""
    calls = {}
    for entry in log:
        if entry.name in HELLO or entry.name == "endSessions":
            continue
        key = (entry.db, label(entry))
        was = calls.get(key, Call(0, 0, 0))
        # What is not answered has no result.
        rows = 0 if entry.command.get("writeConcern") == {"w": 0} else entry.rows
        calls[key] = Call(was.count + 1, was.errors + bool(entry.code), was.rows + rows)
    return calls


def seen(report, role="client"):
    calls = {}
    for q in report.queries:
        if q["db_system"] != "mongodb" or q["role"] != role or q["text"].split()[0] in HELLO + ("endSessions",):
            continue
        key = (q["database"], q["text"])
        was = calls.get(key, Call(0, 0, 0))
        calls[key] = Call(was.count + q["count"], was.errors + q["errors"], was.rows + q["rows"])
    return calls


class TestCase(pg.TestCase):
    def server(self, **options):
        server = mongod.Mongod(**options)
        self.addCleanup(server.stop)
        return server

    def assert_all(self, server, report, lost=("closed",), doubt=()):
        """Every command of the log is in the report, and nothing else; no value is."""
        self.assertEqual(seen(report), expected(server.log), report.brief())
        cov = report.coverage
        # A monitor's hello may be outstanding when the program ends.
        self.assertEqual(set(cov["lost"]) - set(lost), set(), report.brief())
        self.assertEqual(set(cov["doubt"]) - set(doubt) - {"events_missed"}, set(), report.brief())
        self.assertEqual(cov["seen"], cov["attributed"] + sum(cov["lost"].values()) + cov["outstanding"], report.brief())
        self.assertFalse("secret" in json.dumps(report.json["queries"]), report.brief())
        for q in report.queries:
            self.assertEqual((q["db_system"], q["server"]), ("mongodb", "127.0.0.1:%d" % server.port))


@unittest.skipIf(subprocess.run([PYTHON, "-c", "import pymongo"], stderr=subprocess.DEVNULL).returncode,
                 "needs python3-pymongo (scripts/setup.sh test)")
class Pymongo(TestCase):
    def run_parts(self, *parts, options="", **server_options):
        server = self.server(**server_options)
        return server, pg.run_program([*WORK, server.url(options), *parts])

    def test_everything(self):
        for capture in pg.captures():
            with self.subTest(capture=capture):
                server = self.server()
                report = pg.run_program([*WORK, server.url(), "basics", "failing", "bulk", "transactions",
                                         "unacknowledged"],
                                        "--capture", capture)
                self.assert_all(server, report)
                found = seen(report)
                # Spelt out, beside what the log says.
                self.assertEqual(found["shop", "find orders {customer_id: ?, total: {$gt: ?}}"].count, 40)
                self.assertEqual(found["shop", "find orders {status: {$in: [?+]}}"], Call(2, 0, 150))
                self.assertEqual(found["shop", "aggregate orders [$match {customer_id: ?}, $group {_id: ?, n: {$sum: ?}}]"].count,
                                 5 + 1)  # count_documents is one, too
                self.assertEqual(found["shop", "insert failing"], Call(5, 4, 1))
                self.assertEqual(found["shop", "insert quiet"].count, 20)  # never answered
                self.assertEqual(found["other", "find orders {_id: ?}"].count, 1)
                self.assertEqual(found["admin", "noSuchCommand"], Call(1, 1, 0))

    def test_large(self):
        server, report = self.run_parts("large")
        found, log = seen(report), expected(server.log)
        cut = [q for q in report.queries if q["text"].startswith("find many {_id: {$in: [?+]")]
        self.assertEqual([(q["count"], q["rows"]) for q in cut], [(1, 101)], report.brief())
        for key in (("shop", "find big"), ("shop", "getMore big"), ("shop", "find many"), ("shop", "insert big"),
                    ("shop", "insert many")):
            empty = (key[0], key[1] + " {}")
            self.assertEqual(found.get(key) or found.get(empty), log.get(key) or log.get(empty), report.brief())
        self.assertEqual(report.coverage["doubt"].keys() - {"events_missed"}, set(), report.brief())

    def test_latency(self):
        """The server's delay is in each; what the server adds, which may have to wait for a processor, in one is little."""
        agreement = clocks.Agreement(self)

        def attempt(_):
            _, report = self.run_parts("slow", delay=0.02)
            row = [q for q in report.queries if q["text"].startswith("find orders")][0]
            self.assertEqual(row["count"], 10)
            self.assertGreater(row["latency_ns"]["min"], 20e6)
            agreement.near("find", row["latency_ns"]["min"], 20e6, 10e6 * pg.PATIENCE)

        agreement.until(attempt)

    def test_compressed(self):
        server, report = self.run_parts("slow", options="compressors=zlib", compressors=["zlib"])
        self.assertEqual(sum(e.name == "find" for e in server.log), 10)
        self.assertGreaterEqual(report.coverage["doubt"].get("unreadable_compressed", 0), 1, report.brief())
        self.assertEqual({q["text"] for q in report.queries} - set(HELLO), set(), report.brief())

    def test_server_role_and_running_connection(self):
        """The connection is older than sonde, which watches the server: this process."""
        server = self.server()
        script = ("import sys, pymongo\nc = pymongo.MongoClient(sys.argv[1], maxPoolSize=1)\nc.shop.orders.find_one({'_id': 0})\n"
                  "print('ready', flush=True)\nsys.stdin.readline()\n"
                  "for i in range(100): c.shop.orders.find_one({'_id': i})\nprint('done', flush=True)\nsys.stdin.readline()\n")
        client = subprocess.Popen([PYTHON, "-c", script, server.url()], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        try:
            self.assertEqual(client.stdout.readline(), "ready\n")
            with pg.Sonde("-p", str(os.getpid()), "-p", str(client.pid), "--role", "any") as sonde:
                client.stdin.write("go\n")
                client.stdin.flush()
                self.assertEqual(client.stdout.readline(), "done\n")
                report = sonde.stop()
            for role in ("client", "server"):
                self.assertEqual(seen(report, role), {("shop", "find orders {_id: ?}"): Call(100, 0, 0)}, report.brief())
        finally:
            client.kill()
            client.communicate()


class Node(TestCase):
    def test_everything(self):
        if not shutil.which("node") or not os.path.isdir(os.path.join(node_modules(), "mongodb")):
            self.skipTest("needs node and its driver mongodb (scripts/setup.sh test)")
        server = self.server()
        report = pg.run_program(["node", os.path.join(HERE, "mongodb_work.js"), server.url()],
                                env=dict(os.environ, NODE_PATH=node_modules()))
        self.assert_all(server, report)
        self.assertEqual(seen(report)["shop", "find orders {customer_id: ?, total: {$gt: ?}}"].count, 30)
        self.assertEqual(seen(report)["shop", "insert orders"].errors, 3)


class Raw(TestCase):
    """What the drivers at hand do not do."""

    def test_exhaust(self):
        """Several replies to one getMore are one execution."""
        server = self.server()
        script = """if 1:
            import socket, struct, sys
            import mongod
            s = socket.create_connection(("127.0.0.1", int(sys.argv[1])))
            file = s.makefile("rb")
            def ask(command, flags=0):
                body = struct.pack("<IB", flags, 0) + mongod.encode(command)
                s.sendall(struct.pack("<4i", 16 + len(body), 1, 0, mongod.OP_MSG) + body)
                more = mongod.MORE_TO_COME
                while more & mongod.MORE_TO_COME:
                    size = struct.unpack("<4i", file.read(16))[0]
                    body = file.read(size - 16)
                    more = struct.unpack_from("<I", body)[0]
                return mongod.decode(body, 5)[0]
            ask({"insert": "many", "$db": "shop", "documents": [{"_id": i} for i in range(1000)]})
            for i in range(3):
                cursor = ask({"find": "many", "filter": {}, "batchSize": 100, "$db": "shop"})["cursor"]["id"]
                ask({"getMore": cursor, "collection": "many", "batchSize": 50, "$db": "shop"}, mongod.EXHAUST_ALLOWED)
                ask({"ping": 1, "$db": "admin"})
        """
        report = pg.run_program([PYTHON, "-c", script, str(server.port)],
                                env=dict(os.environ, PYTHONPATH=os.path.dirname(os.path.abspath(__file__))))
        self.assert_all(server, report)
        self.assertEqual(seen(report)["shop", "getMore many"], Call(3, 0, 2700), report.brief())


if __name__ == "__main__":
    unittest.main()
