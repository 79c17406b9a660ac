#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
#
# test_slow.py - `sonde slow`: a line for each slow execution and for no other, durations by the driver's own clock, numbers of
#                the report, examples as they were sent, and no literal anywhere unless they are asked for.
#
# TIMEOUT: 600
import json
import os
import re
import socket
import sqlite3
import statistics
import struct
import subprocess
import tempfile
import threading
import time
import unittest

import mariadb
import mysqlwire
import pg
import pgwire
from pg import PATIENCE, SONDE

THRESHOLD = 0.04  # seconds
NEAR = 0.005  # how far sonde and the driver's clock may differ
SLEEPS = (0.005, 0.02, 0.03, 0.05, 0.06, 0.08, 0.11)

server = None


def setUpModule():
    global cluster
    cluster = pg.module_cluster()


def mariadb_server(test):
    """The module's MariaDB server, started when a test first asks for it."""
    global server
    if not server:
        if mariadb.why_not():
            test.skipTest(mariadb.why_not())
        server = mariadb.Server()
        unittest.addModuleCleanup(server.stop)
    return server


class Slow:
    """A `sonde slow` beside the statements of this process, or (@pid) of another, until stop()."""

    def __init__(self, *args, pid=None, slow="40ms", out="json"):
        self.sonde = pg.Sonde("--slow", slow, "-p", str(pid or os.getpid()), *args, command="slow", out=out)
        self.pid = self.sonde.pid

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.sonde.__exit__()

    def stop(self):
        """(events, final document, all of stdout)."""
        time.sleep(0.2)
        self.sonde.proc.send_signal(2)
        code, out, err = self.sonde.wait()
        if code or err:
            raise AssertionError("exit code %d: %s" % (code, err))
        lines = [json.loads(line) for line in out.splitlines()]
        return lines[:-1], lines[-1], out


def memory_of(pid):
    """All memory of a process that can be read."""
    with open("/proc/%d/maps" % pid) as maps, open("/proc/%d/mem" % pid, "rb", buffering=0) as mem:
        for line in maps:
            span, rights, path = line.split()[0], line.split()[1], line.split()[5:]
            if "r" not in rights or path[:1] in (["[vvar]"], ["[vsyscall]"], ["[vvar_vclock]"]):
                continue
            start, end = (int(n, 16) for n in span.split("-"))
            try:
                mem.seek(start)
                yield mem.read(end - start)
            except OSError:
                continue


def timed(function, *args):
    begin = time.monotonic()
    result = function(*args)
    return time.monotonic() - begin, result


class TestCase(pg.TestCase):
    def assert_slow(self, events, clock, threshold=THRESHOLD):
        """@events are the executions that took @threshold by the driver's @clock, in their order, each about that long."""
        for event in events:
            self.assertGreaterEqual(event["duration_ns"], threshold * 1e9)
        # What the clock says is a little more than what sonde measures: near the threshold either is right.
        surely = [t for t in clock if t >= threshold + NEAR * PATIENCE]
        at_most = [t for t in clock if t >= threshold]
        self.assertGreaterEqual(len(events), len(surely), (events, clock))
        self.assertLessEqual(len(events), len(at_most), (events, clock))
        if len(events) != len(surely):
            return
        for event, t in zip(events, surely):
            self.assertLessEqual(event["duration_ns"], t * 1e9 + 1e5)
        far = [(event["duration_ns"], t) for event, t in zip(events, surely) if t * 1e9 - event["duration_ns"] > NEAR * PATIENCE * 1e9]
        self.assertLessEqual(len(far), len(surely) // 10, "the driver's clock says otherwise: %r" % far)

    def assert_document(self, document, events, seen):
        self.assertEqual(document["schema"], "sonde/1")
        self.assertEqual(document["command"], "slow")
        self.assertTrue(document["window"]["final"])
        self.assertEqual(document["slow_count"], len(events))
        self.assertEqual(document["coverage"]["lost"], {})
        self.assertEqual(document["coverage"]["seen"], seen)
        self.assertEqual(sum(q["count"] for q in document["queries"]), seen)
        kept = document["slow"]
        self.assertEqual([k["duration_ns"] for k in kept], sorted((e["duration_ns"] for e in events), reverse=True)[:len(kept)])
        self.assertEqual(len(kept), len(events))  # fewer than a hundred


class Statements(TestCase):
    """Which executions have a line, and what it says."""

    def test_postgresql(self):
        wire = pgwire.Wire(cluster)
        with Slow() as slow:
            clock = [timed(wire.ask, "select pg_sleep(%g), 'a' from generate_series(1, 1)" % s)[0] for s in SLEEPS * 3]
            wire.ask("select 1 / (pg_sleep(0.07) is null)::int")
            for _ in range(100):
                wire.ask("select 1")
            events, document, _ = slow.stop()
        self.assert_slow(events[:-1], clock)
        failed = events[-1]
        self.assertTrue(failed["failed"])
        self.assertEqual(failed["sqlstate"], "22012")
        self.assert_document(document, events, len(clock) + 101)
        for event in events[:-1]:
            self.assertEqual(event["text"], "select pg_sleep(?), ? from generate_series(?, ?)")
            self.assertEqual((event["event"], event["db_system"], event["role"]), ("slow", "postgresql", "client"))
            self.assertEqual((event["rows"], event["pid"]), (1, os.getpid()))
            self.assertNotIn("failed", event)
            self.assertNotIn("example", event)
            self.assertLess(abs(event["start_unix_ns"] / 1e9 - time.time()), 60 * PATIENCE)

    def test_prepared_and_pipelined(self):
        wire = pgwire.Wire(cluster)
        wire.send(pgwire.parse("s", "select pg_sleep($1::float8)") + pgwire.SYNC)
        wire.ready()
        with Slow() as slow:
            def run(seconds):
                wire.send(pgwire.bind("", "s", [seconds]) + pgwire.execute() + pgwire.SYNC)
                return wire.ready()
            clock = [timed(run, s)[0] for s in SLEEPS * 2]
            # Two in one batch, each of which is answered by itself: both have waited since they were sent.
            wire.send(pgwire.run("select pg_sleep(0.06)") + pgwire.FLUSH + pgwire.run("select pg_sleep(0.07)") + pgwire.SYNC)
            wire.ready()
            events, document, _ = slow.stop()
        self.assert_slow(events[:-2], clock)
        self.assertGreaterEqual(events[-2]["duration_ns"], 0.06e9)
        self.assertGreaterEqual(events[-1]["duration_ns"], 0.13e9)
        self.assert_document(document, events, len(clock) + 2)

    def test_mariadb(self):
        server = mariadb_server(self)
        wire = mysqlwire.Wire(server)
        with Slow() as slow:
            clock = [timed(wire.ask, "select sleep(%g), 'a'" % s)[0] for s in SLEEPS * 2]
            statement = wire.prepare("select sleep(? / 1000), ?")
            clock += [timed(wire.run, statement, (int(1000 * s), "b"))[0] for s in SLEEPS]
            events, document, _ = slow.stop()
        self.assert_slow(events, clock)
        self.assert_document(document, events, len(clock))
        self.assertEqual({e["text"] for e in events}, {"select sleep(?), ?", "select sleep(? / ?), ?"})

    def test_sqlite(self):
        db = sqlite3.connect(":memory:", isolation_level=None)
        db.create_function("snooze", 1, lambda s: time.sleep(s) or s)
        db.execute("select snooze(0.001)").fetchall()
        with Slow() as slow:
            clock = [timed(lambda s=s: db.execute("select snooze(?), 'a'", (s,)).fetchall())[0] for s in SLEEPS * 3]
            events, document, _ = slow.stop()
        self.assert_slow(events, clock)
        self.assert_document(document, events, len(clock))
        self.assertEqual({(e["db_system"], e["text"], e["rows"]) for e in events}, {("sqlite", "select snooze(?), ?", 1)})

    def test_unit_of_work(self):
        """The transaction or the request that an execution belongs to stands on its line; the report names who sends it."""
        listener = socket.create_server(("127.0.0.1", 0))
        self.addCleanup(listener.close)
        wire = pgwire.Wire(cluster)

        def serve():
            for _ in range(2):
                peer, _ = listener.accept()
                with peer:
                    peer.recv(4096)
                    wire.ask("select pg_sleep(0.05), 'in a request'")
                    peer.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok")
        with Slow() as slow:
            other = pgwire.Wire(cluster)
            other.ask("begin")
            other.ask("select pg_sleep(0.05)")
            other.ask("commit")
            server_thread = threading.Thread(target=serve)
            server_thread.start()
            for n in (7, 8):
                with socket.create_connection(listener.getsockname()) as client:
                    client.sendall(b"GET /orders/%d HTTP/1.1\r\nHost: x\r\n\r\n" % n)
                    while client.recv(4096):
                        pass
            server_thread.join()
            events, document, _ = slow.stop()
        self.assertEqual([e["scope"]["kind"] for e in events], ["transaction", "request", "request"])
        self.assertEqual([e["scope"]["name"] for e in events[1:]], ["GET /orders/{id}"] * 2)
        row = next(q for q in document["queries"] if q["text"] == "select pg_sleep(?), ?")
        self.assertEqual([(c["name"], c["calls"]) for c in row["callers"]], [("GET /orders/{id}", 2)])

    def test_waits_by_intent_are_not_slow(self):
        """A server of our own that answers late: what a client asks to wait for is never slow, the rest is."""
        listener = socket.create_server(("127.0.0.1", 0))
        self.addCleanup(listener.close)

        def serve():
            peer, _ = listener.accept()
            with peer:
                while peer.recv(4096):
                    time.sleep(0.06)
                    peer.sendall(b"$1\r\nx\r\n")
        threading.Thread(target=serve, daemon=True).start()
        with Slow() as slow:
            with socket.create_connection(listener.getsockname()) as client:
                for command in (b"*2\r\n$3\r\nGET\r\n$1\r\nk\r\n", b"*3\r\n$5\r\nBLPOP\r\n$1\r\nk\r\n$1\r\n0\r\n"):
                    client.sendall(command)
                    client.recv(4096)
            events, document, _ = slow.stop()
        self.assertEqual([e["name"] for e in events], ["GET k"])
        self.assertEqual(document["coverage"]["seen"], 2)


def pg_binary(portal, name, values):
    """Bind with all values in binary format."""
    body = b"".join(s.encode() + b"\0" for s in (portal, name)) + struct.pack("!hhh", 1, 1, len(values))
    for value in values:
        body += struct.pack("!i", -1) if value is None else struct.pack("!i", len(value)) + value
    return pgwire.message(b"B", body + struct.pack("!h", 0))


def wire_value(wire, sql):
    """The first value of a result."""
    wire.send(pgwire.query(sql))
    row = next(body for kind, body in wire.ready() if kind == b"D")
    return row[6:6 + struct.unpack_from("!i", row, 2)[0]].decode()


class Examples(TestCase):
    """--examples."""

    def test_postgresql(self):
        wire = pgwire.Wire(cluster)
        texts = ["select pg_sleep(0.05), 'it''s', 1.5e3 -- remark", "select pg_sleep(0.045)", "select pg_sleep(0.046), 'b'"]
        with Slow("--examples") as slow:
            wire.ask(texts[0])
            wire.ask(texts[1] + " ; " + texts[2])
            wire.send(pgwire.parse("", "select pg_sleep($1::float8), $2::text, $2::text || $1") +
                      pgwire.bind("", "", ["0.05", "O'Hara"]) + pgwire.execute() + pgwire.SYNC)
            wire.ready()
            wire.send(pgwire.parse("named", "select pg_sleep($1), $2, $3, $4 is null, $5",
                                   (701, 23, 1114, 25, 2950)) + pgwire.SYNC)
            wire.ready()
            for n in (42, -42):
                wire.send(pg_binary("", "named", [struct.pack("!d", 0.05), struct.pack("!i", n), struct.pack("!q", 123456789000),
                                                  None, bytes(range(16))]) + pgwire.execute() + pgwire.SYNC)
                wire.ready()
            # Two portals bound before either is executed: which example is whose is not known, so none is told.
            wire.ask("begin")
            wire.send(pgwire.parse("p", "select pg_sleep(0.05), $1::int") + pgwire.bind("a", "p", [1]) + pgwire.bind("b", "p", [2]) +
                      pgwire.execute("a") + pgwire.execute("b") + pgwire.SYNC)
            wire.ready()
            wire.ask("commit")
            events, document, _ = slow.stop()
        self.assertEqual([e.get("example") for e in events], [
            texts[0], texts[1], texts[2],
            "select pg_sleep('0.05'::float8), 'O''Hara'::text, 'O''Hara'::text || '0.05'",
            "select pg_sleep(0.05), 42, '2000-01-02 10:17:36.789', '', ''".replace(
                "'2000-01-02 10:17:36.789', '', ''", "'2000-01-02 10:17:36.789000', NULL is null, "
                "'00010203-0405-0607-0809-0a0b0c0d0e0f'"),
            "select pg_sleep(0.05), -42, '2000-01-02 10:17:36.789000', NULL is null, '00010203-0405-0607-0809-0a0b0c0d0e0f'",
            None, None])
        self.assertTrue(all(e["example_complete"] for e in events[:6]))
        # What the server makes of it is what it made of the original.
        for example in [e["example"] for e in events[:6]]:
            cluster.psql(example.replace("pg_sleep(", "abs("), pg.DATABASE)
        rows = [q for q in document["queries"] if q.get("examples")]
        self.assertEqual(sorted(x["example"] for q in rows for x in q["examples"]), sorted(e["example"] for e in events[:6]))

    def test_each_its_own(self):
        """Statements that differ in literals only, seen by either back end, from either end; more of them than fit anywhere."""
        for capture, role in [(c, "client") for c in pg.captures()] + [("auto", "server")]:
            texts = ["select pg_sleep(0.041), %d, '%s'" % (i, os.urandom(3).hex()) for i in range(6)]
            pid = None
            wire = pgwire.Wire(cluster)
            if role == "server":
                pid = int(wire_value(wire, "select pg_backend_pid()"))
            with Slow("--examples", "--capture", capture, "--role", role, pid=pid) as slow:
                for text in texts:
                    wire.ask(text)
                # Answered together: all of them have waited that long.
                batch = ["select %d" % i for i in range(20)] + ["select pg_sleep(0.042), 'last'"]
                wire.ask("; ".join(batch))
                events, _, _ = slow.stop()
            self.assertEqual([e["example"] for e in events], texts + batch, (capture, role))
            self.assertEqual({e["role"] for e in events}, {role})

    def test_prepared_before(self):
        """The text was never seen: parameters are listed behind the name."""
        wire = pgwire.Wire(cluster)
        wire.send(pgwire.parse("early", "select pg_sleep(0.05), $1::int") + pgwire.SYNC)
        wire.ready()
        with Slow("--examples") as slow:
            wire.send(pgwire.bind("", "early", [7]) + pgwire.execute() + pgwire.SYNC)
            wire.ready()
            events, _, _ = slow.stop()
        self.assertEqual([(e["example"].strip(), e["example_complete"]) for e in events], [("-- $1 = '7'", False)])

    def test_long_ones_are_cut(self):
        wire = pgwire.Wire(cluster)
        text = "select pg_sleep(0.05), '%s'" % ("x" * 6000)
        with Slow("--examples") as slow:
            wire.ask(text)
            wire.send(pgwire.run("select pg_sleep(0.05), $1::text", ["y" * 3000]) + pgwire.SYNC)
            wire.ready()
            events, _, _ = slow.stop()
        self.assertEqual(events[0]["example"], text[:4096] + " ...")
        self.assertFalse(events[0]["example_complete"])
        self.assertIn("-- $1 = '" + "y" * 3000 + "'", events[1]["example"])

    def test_mariadb(self):
        server = mariadb_server(self)
        wire = mysqlwire.Wire(server)
        with Slow("--examples") as slow:
            wire.ask("select sleep(0.05), \"it's\"")
            statement = wire.prepare("select sleep(? / 1000), ?, '?', ? is null")
            wire.run(statement, (50, "O'Hara \\", None))
            other = wire.prepare("select sleep(0.05) + ?")
            wire.run(other, (-5,))
            wire.run(statement, (51, "again", 8))
            events, _, _ = slow.stop()
        self.assertEqual([e["example"] for e in events], [
            "select sleep(0.05), \"it's\"", "select sleep(50 / 1000), 'O''Hara \\\\', '?', NULL is null", "select sleep(0.05) + -5",
            "select sleep(51 / 1000), 'again', '?', 8 is null"])
        for example in [e["example"] for e in events]:
            server.sql(example)

    def test_sqlite(self):
        db = sqlite3.connect(":memory:", isolation_level=None)
        db.create_function("snooze", 1, lambda s: time.sleep(s) or s)
        with Slow("--examples") as slow:
            db.execute("select snooze(0.05), 'literal'").fetchall()
            events, _, _ = slow.stop()
        self.assertEqual([e["example"] for e in events], ["select snooze(0.05), 'literal'"])


class Plans(TestCase):
    """--explain: plans of the slowest SELECTs, with their own literals."""

    def test_postgresql(self):
        cluster.psql("create table orders (id int primary key, customer_id int, note text);"
                     "insert into orders select i, i % 5000, repeat('x', 50) from generate_series(1, 60000) i; analyze orders", pg.DATABASE)
        self.addCleanup(cluster.psql, "drop table orders", pg.DATABASE)
        wire = pgwire.Wire(cluster)
        dsn = "host=%s port=%d dbname=%s user=postgres" % (cluster.dir, cluster.port, pg.DATABASE)
        with Slow("--examples", "--explain", dsn, slow="1us") as slow:
            wire.send(pgwire.run("select id from orders where customer_id = $1", ["77"]) + pgwire.SYNC)
            wire.ready()
            wire.ask("update orders set note = 'y' where id = 5")
            wire.ask("select broken from orders")
            _, document, _ = slow.stop()
        rows = {q["text"]: q for q in document["queries"]}
        row = rows["select id from orders where customer_id = ?"]
        self.assertIn("orders", row["plan"])
        self.assertIn("77", row["plan"])
        self.assertRegex(row["advice"], r"CREATE INDEX.* ON \S*orders \(customer_id\);")
        self.assertNotIn("plan", rows["update orders set note = ? where id = ?"])
        self.assertRegex(rows["select broken from orders"]["plan"], "none: .*broken")
        self.assertEqual(cluster.psql("select note from orders where id = 5", pg.DATABASE), "y")

    def test_text(self):
        wire = pgwire.Wire(cluster)
        dsn = "host=%s port=%d dbname=%s user=postgres" % (cluster.dir, cluster.port, pg.DATABASE)
        with Slow("--examples", "--explain", dsn, "--analyze", slow="1us", out="text") as slow:
            wire.ask("select count(*) from pgbench_accounts where abalance = 12345")
            time.sleep(0.2)
            slow.sonde.proc.send_signal(2)
            code, out, err = slow.sonde.wait()
        self.assertEqual((code, err), (0, ""))
        self.assertRegex(out, r"\n  plan\n    \S.*\n(      .*\n)*.*pgbench_accounts")
        self.assertIn("\n  example\n    select count(*) from pgbench_accounts where abalance = 12345\n", out)

    def test_what_cannot_be(self):
        for args, code, words in ((("--explain", "postgresql://x/y"), 2, "needs --examples"), (("--analyze",), 2, "--explain"),
                                  (("--examples", "--explain", "gopher://x"), 2, "--explain: "),
                                  (("--examples", "--explain", "host=/nowhere dbname=x"), 1, "--explain: ")):
            done = subprocess.run([SONDE, "slow", *args], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=60)
            self.assertEqual((done.returncode, done.stdout), (code, ""), (args, done.stderr))
            self.assertIn(words, done.stderr)


class Secrets(TestCase):
    """Literals stay where they are."""

    def work(self):
        wire = pgwire.Wire(cluster)
        secrets = ["hunter%d%s" % (i, os.urandom(6).hex()) for i in range(4)]
        db = sqlite3.connect(":memory:", isolation_level=None)
        db.create_function("snooze", 1, lambda s: time.sleep(s) or s)

        def run():
            wire.ask("select pg_sleep(0.05), '%s'" % secrets[0])
            wire.send(pgwire.run("select pg_sleep(0.05), $1::text", [secrets[1]]) + pgwire.SYNC)
            wire.ready()
            db.execute("select snooze(0.05), '%s'" % secrets[2]).fetchall()
            wire.ask("select pg_sleep(0.05), '%s'" % (secrets[3] + "z" * 5000))
            time.sleep(0.3)
        return secrets, run

    def found(self, secrets, pid):
        needles = [s.encode() for s in secrets]
        return {n.decode() for block in memory_of(pid) for n in needles if n in block}

    def test_none_without_examples(self):
        for out in ("json", "text"):
            secrets, run = self.work()
            with Slow(out=out) as slow:
                run()
                in_memory = self.found(secrets, slow.pid)
                slow.sonde.proc.send_signal(2)
                code, stdout, err = slow.sonde.wait()
            self.assertEqual(code, 0)
            self.assertGreaterEqual(stdout.count("pg_sleep(?), ?"), 3, stdout)  # they were seen
            self.assertEqual(in_memory, set())
            self.assertEqual([s for s in secrets if s in stdout + err], [])

    def test_all_with_examples(self):
        """The same search finds them where they are: it can."""
        secrets, run = self.work()
        with Slow("--examples") as slow:
            run()
            in_memory = self.found(secrets, slow.pid)
            events, _, out = slow.stop()
        self.assertEqual(in_memory, set(secrets))
        self.assertEqual([s for s in secrets if s in out], secrets)
        self.assertEqual(len(events), 4)


class Flood(TestCase):
    def test_thousands_a_second(self):
        """With a threshold that everything exceeds: lines up to the allowance, the rest counted, numbers exact."""
        with tempfile.TemporaryDirectory() as tmp:
            out = os.path.join(tmp, "out")
            with open(out, "wb") as file:
                proc = subprocess.Popen([SONDE, "slow", "--slow", "1us", "-c", "pgbench", "-o", "json"], stdout=file,
                                        stdin=subprocess.DEVNULL)
                end = time.monotonic() + 20 * PATIENCE
                while not pg.is_attached(proc.pid) and time.monotonic() < end:
                    time.sleep(0.01)
                begin = time.monotonic()
                cluster.pgbench("-n", "-S", "-c", "4", "-T", "3")
                took = time.monotonic() - begin
                time.sleep(0.3)
                proc.send_signal(2)
                self.assertEqual(proc.wait(30 * PATIENCE), 0)
            with open(out) as file:
                lines = file.read().splitlines()
        document = json.loads(lines[-1])
        seen = document["coverage"]["seen"]
        dropped = document["coverage"]["doubt"].get("slow_dropped", 0)
        self.assertGreater(seen, 1000)
        self.assertEqual(document["coverage"]["lost"], {})
        self.assertEqual(len(lines) - 1 + dropped, seen)
        self.assertEqual(document["slow_count"], seen)
        self.assertLessEqual(len(lines) - 1, (took + 2) * 200 * os.cpu_count())
        if seen > (took + 2) * 200 * os.cpu_count():
            self.assertGreater(dropped, 0)
        self.assertEqual(sum(q["count"] for q in document["queries"]), seen)


class Report(TestCase):
    """The final report against what is known."""

    def test_numbers(self):
        wire = pgwire.Wire(cluster)
        with Slow("--top", "0") as slow:
            clock = []
            for i in range(400):
                clock.append(timed(wire.ask, "select pg_sleep(%g)" % (0.001 + 0.00002 * i))[0])
            wire.ask("select 1/0")
            _, document, _ = slow.stop()
        row = next(q for q in document["queries"] if q["text"] == "select pg_sleep(?)")
        self.assertEqual(row["count"], 400)
        self.assertAlmostEqual(row["mean_ns"], row["latency_ns"]["sum"] / 400, delta=1e4)
        # The histogram's buckets are 9 % wide; the driver's clock adds a little to each.
        truth = statistics.pstdev(clock) * 1e9
        self.assertLess(abs(row["stddev_ns"] - truth), 0.1 * truth + 1e5)
        self.assertAlmostEqual(row["variance_to_mean_s"], row["stddev_ns"] ** 2 / row["mean_ns"] / 1e9, delta=1e-4)

    def test_text(self):
        with Slow(out="text") as slow:
            wire = pgwire.Wire(cluster)
            wire.ask("select pg_sleep(0.05)")
            for _ in range(10):
                wire.ask("select abalance from pgbench_accounts where aid = 1")
            wire.ask("select 1/0")
            time.sleep(0.2)
            slow.sonde.proc.send_signal(2)
            code, out, err = slow.sonde.wait()
        self.assertEqual((code, err), (0, ""))
        first = out.splitlines()[0]
        self.assertRegex(first, r"^\d\d:\d\d:\d\d\.\d{3} +\d+(\.\d+)?ms  \S+\(%d\) -> \S+/bench  1 row  select pg_sleep\(\?\)$" % os.getpid())
        self.assertRegex(out, r"\nsonde slow: 12 statements, 3 different, in ")
        self.assertRegex(out, r"\nslow +1 took 40\.0ms or longer\n")
        self.assertRegex(out, r"\nerrors +1\n")
        self.assertRegex(out, r"\n +1 +\d+\.\d% +\S+ +1 +\S+ +0\.00  select pg_sleep\(\?\)\n")
        self.assertRegex(out, r"\n  errors +1 \(100\.0 %\): 1 data, last SQLSTATE 22012\n")
        self.assertRegex(out, r"\n  slowest +\d+\.\dms at ")
        self.assertIn("coverage: 12 statements seen, all in the table, none lost", out)

    def test_usage(self):
        for args in (("--slow", "0"), ("--slow", "1ns"), ("--slow", "fast"), ("--examples=1",)):
            done = subprocess.run([SONDE, "slow", *args], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
            self.assertEqual((done.returncode, done.stdout), (2, ""))
            self.assertTrue(re.search(r"slow|examples", done.stderr))


if __name__ == "__main__":
    unittest.main()
