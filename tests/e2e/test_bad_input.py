# SPDX-License-Identifier: GPL-2.0-only
# TOGETHER: counts, of its own processes
"""test_bad_input.py - what should not be there: garbage on the wire, huge messages, hostile texts, a sudden end."""

import os
import random
import re
import signal
import socket
import struct
import subprocess
import threading
import time
import unittest

import fault
import pg
import pgwire

SELECT = "select abalance from pgbench_accounts where aid = 1"

cluster = None


def setUpModule():
    global cluster
    cluster = pg.module_cluster()


def trace_self(capture, *args, **more):
    return pg.Sonde("-p", str(os.getpid()), "--capture", capture, *args, **more)


class Pair:
    """A connection whose two ends say what they like; the server's end is not traced as one."""

    def __init__(self):
        with socket.socket() as listener:
            listener.bind(("127.0.0.1", 0))
            listener.listen(1)
            self.client = socket.create_connection(listener.getsockname())
            self.server, _ = listener.accept()
        for sock in (self.client, self.server):
            sock.settimeout(10)
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def move(self, source, sink, data):
        """Sends and receives everything, so that nothing blocks."""
        for i in range(0, len(data), 32768):
            piece = data[i:i + 32768]
            source.sendall(piece)
            left = len(piece)
            while left:
                left -= len(sink.recv(left))

    def say(self, data):
        self.move(self.client, self.server, data)

    def answer(self, data):
        self.move(self.server, self.client, data)

    def close(self):
        self.client.close()
        self.server.close()


class Garbage(pg.TestCase):
    """Random bytes that begin like PostgreSQL's."""

    ROUNDS = 80

    def assert_adds_up(self, report):
        cov = report.coverage
        self.assertEqual(cov["seen"], cov["attributed"] + sum(cov["lost"].values()) + cov["outstanding"], report.brief())
        self.assertEqual(sum(q["count"] for q in report.queries), cov["attributed"], report.brief())

    def sane(self, capture, garble):
        """@garble runs while traced; afterwards a real session is counted right. The report, without that session."""
        with trace_self(capture) as sonde:
            garble()
            self.assertIsNone(sonde.proc.poll())
            wire = pgwire.Wire(cluster)
            for _ in range(25):
                wire.ask("select i from generate_series(1, 4) as sane(i)")
            wire.close()
            report = sonde.stop()
        row = report.one("select i from generate_series(1, 4) as sane(i)")
        self.assertEqual((row["count"], row["rows"], row["errors"]), (25, 100, 0))
        self.assert_adds_up(report)
        report.queries.remove(row)
        return report

    def test_not_postgresql(self):
        dice = random.Random(1)
        heads = [b"Q", b"P", b"B", b"E", b"S", b"X", b"C", b"d", b"p", b"\0\0", b"H", b"F"]
        lengths = [0, 1, 3, 4, 5, 255, 4096, 65536, 0x3fffffff, 0x40000000, 0x7fffffff, 0x80000000, 0xffffffff]

        def garble():
            for _ in range(self.ROUNDS):
                pair = Pair()
                for _ in range(dice.randrange(1, 6)):
                    size = dice.choice((0, 1, 7, 60, 3000, 9000))
                    body = bytes(dice.randrange(256) for _ in range(min(size, 300))) * (size // 300 + 1)
                    pair.say(dice.choice(heads) + struct.pack("!I", dice.choice(lengths)) + body[:size] + b"\xff")
                    pair.answer(bytes(dice.randrange(256) for _ in range(dice.randrange(1, 40))))
                pair.close()

        for capture in pg.captures():
            with self.subTest(capture=capture):
                report = self.sane(capture, garble)
                self.assertEqual([q["text"] for q in report.queries], [])

    def test_statements_answered_by_garbage(self):
        dice = random.Random(2)
        sent = ["select i from garbage", "update garbage set i = 1"]

        def reply():
            parts = [b"T" + struct.pack("!IH", 6, 0), b"D" + struct.pack("!IH", 6, 0), b"C" + struct.pack("!I", 13) + b"SELECT 1\0",
                     b"Z\0\0\0\5I", b"Z\0\0\0\5?", b"E\0\0\0\5\0", b"E\0\0\0\x0cC12345\0\0", b"D\xff\xff\xff\xff", b"C\0\0\0\0",
                     b"Z\0\0\0\4", b"s\0\0\0\4", b"I\0\0\0\4", b"G\0\0\0\4", b"1\0\0\0\4", b"\0" * 9, b"D\x3f\xff\xff\xff" + b"x" * 50]
            return b"".join(dice.choice(parts) for _ in range(dice.randrange(1, 9)))

        def garble():
            for _ in range(self.ROUNDS):
                pair = Pair()
                for _ in range(dice.randrange(1, 8)):
                    text = dice.choice(sent)
                    what = [pgwire.query(text), pgwire.run(text) + pgwire.SYNC, pgwire.execute("none") + pgwire.SYNC,
                            pgwire.bind("a", "b") + pgwire.execute("a"), pgwire.query(text) + b"Q\0\0", pgwire.COPY_DONE]
                    pair.say(dice.choice(what))
                    pair.answer(reply())
                pair.close()

        for capture in pg.captures():
            with self.subTest(capture=capture):
                report = self.sane(capture, garble)
                ids = {pg.fingerprint(text) for text in sent}
                for q in report.queries:
                    self.assertTrue(q["id"] in ids or q["text"].startswith("stmt "), q["text"])
                    self.assertLess(q["rows"], 100000)

    def test_real_messages_broken(self):
        """Bytes of a real session changed, left out and doubled."""
        dice = random.Random(3)
        session = (pgwire.query("select i from garbage where a = 'x'") + pgwire.run("select i from garbage where b = $1", [1]) +
                   pgwire.SYNC + pgwire.parse("n", "update garbage set i = 1") + pgwire.describe(b"S", "n") +
                   pgwire.bind("p", "n", ["x" * 50]) + pgwire.execute("p", 3) + pgwire.close(b"S", "n") + pgwire.SYNC)

        def garble():
            for _ in range(self.ROUNDS):
                pair = Pair()
                pair.say(pgwire.query("begin"))
                pair.answer(b"C\0\0\0\x0aBEGIN\0Z\0\0\0\5T")
                data = bytearray(session * dice.choice((1, 1, 30)))
                for _ in range(dice.randrange(1, 20)):
                    at = dice.randrange(len(data))
                    dice.choice((lambda: data.__setitem__(at, dice.randrange(256)), lambda: data.__delitem__(slice(at, at + 3)),
                                 lambda: data.__setitem__(slice(at, at), data[at:at + 9])))()
                at = 0
                while at < len(data):
                    size = dice.choice((1, 5, 50, 500, 5000))
                    pair.say(bytes(data[at:at + size]))
                    at += size
                    pair.answer(b"C\0\0\0\x0dSELECT 1\0" + (b"Z\0\0\0\5T" if dice.random() < 0.5 else b""))
                pair.close()

        for capture in pg.captures():
            with self.subTest(capture=capture):
                report = self.sane(capture, garble)
                # A row for each of the servers, as their ports differ.
                self.assertEqual(sum(q["count"] for q in report.rows_of("begin")), self.ROUNDS)


class Huge(pg.TestCase):
    def test_statement(self):
        for capture in pg.captures():
            with self.subTest(capture=capture), trace_self(capture) as sonde:
                wire = pgwire.Wire(cluster)
                wire.ask("select abs(1) where 'x' <> '%s'" % ("y" * (4 << 20)))
                wire.ask("select sign(1)")
                wire.send(pgwire.run("select $1::text is null, " + ", ".join(["abs(1)"] * 1200), ["z" * (4 << 20)]) + pgwire.SYNC)
                wire.ready()
                wire.ask("select sign(1)")
                report = sonde.stop()
                self.assert_complete(report, seen=4, doubt=("text_cut",))
                self.assertEqual(report.one("select sign(1)")["count"], 2)
                partial = sorted((q["count"], q["rows"], q["text"][:8]) for q in report.queries if q.get("partial"))
                self.assertEqual(partial, [(1, 1, "select ?"), (1, 1, "select a")])
                self.assertGreater(max(q["sent_bytes"] for q in report.queries), 4 << 20)

    def test_result(self):
        """A gigabyte."""
        with trace_self(pg.captures()[0]) as sonde:
            wire = pgwire.Wire(cluster)
            sizes = []
            # Many rows; few large ones; one that is larger than any buffer.
            for sql in ("select repeat('x', 1000), i from generate_series(1, 300000) as i",
                        "select repeat('x', 1000000), i from generate_series(1, 650) as i", "select repeat('x', 100000000)"):
                wire.send(pgwire.query(sql))
                sizes.append(self.discard(wire))
                wire.ask("select sign(1)")
            report = sonde.stop()
        self.assertGreater(sum(sizes), 1e9)
        self.assert_complete(report, seen=6)
        self.assertEqual(report.one("select sign(1)")["count"], 3)
        # The first two are one statement but for their numbers.
        row = report.one("select repeat('x', 1), i from generate_series(1, 2) as i")
        self.assertEqual((row["count"], row["rows"]), (2, 300650))
        self.assertAlmostEqual(row["recv_bytes"], sizes[0] + sizes[1], delta=200)
        self.assertEqual(report.one("select repeat('x', 1)")["rows"], 1)

    @staticmethod
    def discard(wire):
        total, buffer, tail = 0, bytearray(1 << 20), b""
        while tail[-6:] != b"Z\0\0\0\5I":
            size = wire.sock.recv_into(buffer)
            if not size:
                raise ConnectionError("the server has closed the connection")
            total += size
            tail = tail[-6:] + bytes(buffer[max(0, size - 6):size])
        return total


class Many(pg.TestCase):
    def test_more_statements_than_rows(self):
        for args, room, number in (((), 4096, 5000), (("--max-queries", "16"), 16, 40)):
            with self.subTest(room=room), trace_self(pg.captures()[0], *args) as sonde:
                wire = pgwire.Wire(cluster)
                for _ in range(2):
                    for i in range(0, number, 10):
                        wire.send(b"".join(pgwire.query("select abs(1) from pg_class as t%d limit 1" % j) for j in range(i, i + 10)))
                        wire.ready(10)
                report = sonde.stop()
                self.assert_complete(report, lost={"rows_full": 2 * (number - room)}, doubt=("text_dropped",))
                self.assertEqual([(q["count"], q["rows"]) for q in report.queries], [(2, 2)] * room)
                self.assertEqual(len({q["text"] for q in report.queries if q["text"]}), room)


class Texts(pg.TestCase):
    """Whatever stands in a statement, a name or a process's name: a terminal must not obey it."""

    EVIL = ["\x1b]0;owned\x07", "\x1b[2J", "\x1b[31m", "\r\n\x1b[1A", "\x9b31m", "\x85", "\u202etxt", "\x7f\x08\x08", "\x1bPq\x1b\\",
            "\x01\x02\x03"]

    def provoke(self):
        with open("/proc/self/comm", "r+") as comm:
            was = comm.read().rstrip("\n")
        wire = pgwire.Wire(cluster)
        old = pgwire.Wire(cluster)
        for i, evil in enumerate(self.EVIL):
            old.send(pgwire.parse("n%d%s" % (i, evil), "select %d" % i) + pgwire.SYNC)
            old.ready()
        try:
            with open("/proc/self/comm", "w") as comm:
                comm.write("\x1b[5mcomm")
            for out in ("text", "json"):
                with trace_self(pg.captures()[0], out=out) as sonde:
                    for i, evil in enumerate(self.EVIL):
                        wire.ask('select "a%d" from "t%s"' % (i, evil))
                        old.send(pgwire.bind("", "n%d%s" % (i, evil)) + pgwire.execute() + pgwire.SYNC)
                        old.ready()
                    sonde.proc.send_signal(signal.SIGINT)
                    yield out, sonde.wait()
        finally:
            with open("/proc/self/comm", "w") as comm:
                comm.write(was)

    def test_text(self):
        for out, (code, stdout, stderr) in self.provoke():
            with self.subTest(out=out):
                self.assertEqual(code, 0, stderr)
                bad = re.findall("[\x00-\x09\x0b-\x1f\x7f-\x9f\u202a-\u202e]", stdout + stderr)
                self.assertEqual(bad, [], repr(stdout))
                if out == "json":
                    report = pg.parse(stdout)
                    self.assert_complete(report, seen=20)
                    self.assertEqual(len(report.queries), 20)
                else:
                    self.assertIn("owned", stdout)


class SuddenEnd(pg.TestCase):
    def test_killed(self):
        for capture in pg.captures():
            with self.subTest(capture=capture):
                bench = subprocess.Popen(["pgbench", "-n", "-S", "-c", "4", "-T", "3"], env=cluster.env(), text=True,
                                         stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
                with pg.Sonde("--capture", capture) as sonde:
                    held = fault.held_by(sonde.pid)
                    self.assertEqual({kind for kind, _ in held}, {"prog", "map", "link"})
                    self.assertTrue(all(fault.exists(*one) for one in held))
                    sonde.proc.send_signal(signal.SIGKILL)
                    sonde.proc.wait()
                out = bench.communicate()[0]
                self.assertEqual(bench.returncode, 0, out)
                self.assertIn("failed transactions: 0 ", out)
                self.assertEqual(fault.left_of(held), set())

    def test_server_killed(self):
        """The server goes away under load; what was outstanding is accounted for."""
        with trace_self(pg.captures()[0]) as sonde:
            wires = [pgwire.Wire(cluster) for _ in range(4)]
            for wire in wires:
                wire.send(pgwire.query("select pg_sleep(30)"))
            time.sleep(0.2)
            killer = threading.Thread(target=cluster.psql, args=("select pg_terminate_backend(pid) from pg_stat_activity"
                                                                 " where query = 'select pg_sleep(30)'",))
            killer.start()
            for wire in wires:
                with self.assertRaises(ConnectionError):
                    wire.ready()
            killer.join()
            report = sonde.stop()
        self.assert_complete(report, seen=4)
        row = report.one("select pg_sleep(30)")
        self.assertEqual((row["errors"], row["sqlstate"]), (4, "57P01"))


if __name__ == "__main__":
    unittest.main()
