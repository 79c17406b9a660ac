# SPDX-License-Identifier: GPL-2.0-only
# TOGETHER: counts, of its own processes
# ALONE: Sessions.test_sessions: looks at all servers of PostgreSQL that there are
"""test_postgresql_protocol.py - every shape that statements take on PostgreSQL's wire, against a real server.

The client is this process; sonde traces it alone. Each test says what exactly must be counted.
"""

import os
import random
import socket
import struct
import threading
import time
import unittest

import pg
import pgwire
from pgwire import SYNC, FLUSH, bind, close, describe, execute, parse, query, run

cluster = None


def setUpModule():
    global cluster
    cluster = pg.module_cluster(scale=0)
    cluster.psql("create table item (id int primary key, name text);"
                 "insert into item select i, 'item ' || i from generate_series(1, 1000) as i;"
                 "create table note (id int, body text)", pg.DATABASE)


class Case(pg.TestCase):
    """Traces this process during a test."""

    capture = None
    transport = "unix"

    def setUp(self):
        if self.capture == "tracepoint" and not pg.have_tracepoints():
            self.skipTest("needs the socket layer's tracepoints (Linux 6.3)")
        self.sonde = None
        self.open = []

    def tearDown(self):
        for wire in self.open:
            wire.sock.close()
        if self.sonde:
            self.sonde.__exit__()

    def connect(self, **args):
        args.setdefault("transport", self.transport)
        wire = pgwire.Wire(cluster, **args)
        self.open.append(wire)
        return wire

    def trace(self, *which):
        which = which or ("-p", str(os.getpid()))
        self.sonde = pg.Sonde(*which, "--no-findings", *(["--capture", self.capture] if self.capture else []))

    def traced(self, **args):
        """sonde first, then a connection."""
        self.trace()
        return self.connect(**args)

    def report(self):
        report = self.sonde.stop()
        self.sonde = None
        return report

    def expect(self, rows, lost=None, doubt=()):
        """@rows: {statement: (count, rows) or (count, rows, errors, sqlstate)}, and nothing else."""
        report = self.report()
        self.assert_complete(report, lost=lost, doubt=doubt)
        found = {q["id"]: (q["count"], q["rows"], q["errors"], q.get("sqlstate")) for q in report.queries}
        wanted = {}
        for (statement, numbers), (sid, _) in zip(rows.items(), pg.fingerprints(list(rows))):
            wanted[sid] = (numbers + (0, None))[:4]
        self.assertEqual(len(wanted), len(rows), "the statements of a test are told apart")
        self.assertEqual(found, wanted, "\n" + report.brief())
        return report


class Common:
    """Run with both ways of capture."""

    def test_several_statements(self):
        wire = self.traced()
        wire.ask("select abs(1); select sign(i) from generate_series(1, 3) as i; select abs(2);")
        self.expect({"select abs(1)": (2, 2), "select sign(i) from generate_series(1, 3) as i": (1, 3)})

    def test_error_in_the_middle(self):
        wire = self.traced()
        self.assertEqual(pgwire.sqlstate(wire.ask("select abs(1); select 1 / 0; select sign(2); select sqrt(4)")), "22012")
        wire.ask("select ceil(1.5)")
        self.expect({"select abs(1)": (1, 1), "select 1 / 0": (1, 0, 1, "22012"), "select ceil(1.5)": (1, 1)},
                    lost={"skipped": 2})

    def test_extended(self):
        wire = self.traced()
        for i in range(5):  # unnamed
            wire.send(run("select name from item where id = $1", [i + 1]) + SYNC)
            wire.ready()
        wire.send(parse("s1", "select name from item where id < $1") + describe(b"S", "s1") + SYNC)
        wire.ready()
        for i in range(7):  # named
            wire.send(bind("", "s1", [11]) + execute() + SYNC)
            wire.ready()
        wire.send(parse("s2", "update item set name = name where id in ($1, $2)"), FLUSH)
        wire.until(b"1")
        wire.send(bind("portal", "s2", [1, 2]) + describe(b"P", "portal") + execute("portal") + close(b"P", "portal") + SYNC)
        wire.ready()
        self.expect({"select name from item where id = 1": (5, 5), "select name from item where id < 1": (7, 70),
                     "update item set name = name where id in (1, 2)": (1, 2)})

    def test_pipeline(self):
        wire = self.traced()
        one = bind("", "p", [5]) + execute()
        wire.send(parse("p", "select name from item where id <= $1") + one * 100 + SYNC)
        wire.ready()
        self.expect({"select name from item where id <= 1": (100, 500)})

    def test_error_in_a_pipeline(self):
        wire = self.traced()
        wire.send(run("select abs(1)") + run("select 1 / $1::int", [0]) + run("select sign(1)") * 3 + SYNC +
                  run("select ceil(1.5)") + SYNC)
        wire.ready(2)
        self.expect({"select abs(1)": (1, 1), "select 1 / 1::int": (1, 0, 1, "22012"), "select ceil(1.5)": (1, 1)},
                    lost={"skipped": 3})

    def test_every_message_in_its_own_send(self):
        wire = self.traced()
        for i in range(4):
            wire.send(parse("", "select name from item where id = $1"), bind("", "", [i + 1]), describe(b"P", ""), execute(),
                      SYNC)
            wire.ready()
        wire.ask("select abs(1)")
        self.expect({"select name from item where id = 1": (4, 4), "select abs(1)": (1, 1)})

    def test_byte_by_byte(self):
        wire = self.traced()
        wire.recv_bytes = 1
        for i in range(3):
            wire.send_bytes(query("select name from item where id <= 4"))
            wire.ready()
            wire.send_bytes(run("select sign($1::int)", [i], name="b%d" % i) + SYNC)
            wire.ready()
        self.expect({"select name from item where id <= 4": (3, 12), "select sign(1::int)": (3, 3)})

    def test_small_receives(self):
        wire = self.traced()
        for size, times in ((1, 3), (7, 20), (4096, 30)):
            wire.recv_bytes = size
            for _ in range(times):
                wire.ask("select * from item where id <= 100")
        self.expect({"select * from item where id <= 100": (53, 5300)})

    def test_row_limit(self):
        wire = self.traced()
        wire.send(parse("", "select * from item where id <= $1") + bind("", "", [95]) + execute("", 20), FLUSH)
        wire.until(b"s")
        for _ in range(4):
            wire.send(execute("", 20), FLUSH)
            last = wire.until(b"s", b"C")[-1]
        self.assertEqual(last, (b"C", b"SELECT 15\0"))
        wire.send(SYNC)
        wire.ready()
        wire.send(query("begin"))  # a named portal lives on over Sync, in a transaction
        wire.ready()
        wire.send(parse("c1", "select id from item where id <= $1") + bind("cursor", "c1", [25]) + execute("cursor", 10) + SYNC)
        wire.ready()
        for _ in range(2):
            wire.send(execute("cursor", 10) + SYNC)
            wire.ready()
        wire.ask("commit")
        self.expect({"select * from item where id <= 1": (1, 95), "select id from item where id <= 1": (1, 25),
                     "begin": (1, 0), "commit": (1, 0)})

    def test_copy(self):
        wire = self.traced()
        wire.ask("copy item to stdout")
        wire.send(query("copy note from stdin"))
        wire.until(b"G")
        for i in range(50):
            wire.send(pgwire.copy_data(b"%d\tselect 1; -- %s\n" % (i, b"x" * (i * 40))))
        wire.send(pgwire.COPY_DONE)
        wire.ready()
        wire.send(query("copy note from stdin"))
        wire.until(b"G")
        wire.send(pgwire.copy_data(b"1\tx\n") + pgwire.copy_fail("changed my mind"))
        self.assertEqual(pgwire.sqlstate(wire.ready()), "57014")
        wire.ask("select abs(1)")
        self.expect({"copy item to stdout": (1, 1000), "copy note from stdin": (2, 50, 1, "57014"), "select abs(1)": (1, 1)})

    def test_copy_in_extended(self):
        wire = self.traced()
        # libpq's way: the Sync goes out with the rest, the server ignores it during COPY, and another follows the data.
        wire.send(run("copy note from stdin") + SYNC)
        wire.until(b"G")
        wire.send(pgwire.copy_data(b"1\tx\n2\ty\n") + pgwire.COPY_DONE + SYNC)
        wire.ready()
        wire.send(run("select abs(1)") + SYNC)
        wire.ready()
        self.expect({"copy note from stdin": (1, 2), "select abs(1)": (1, 1)})

    def test_cancel(self):
        wire = self.traced()
        timer = threading.Timer(0.3, wire.cancel)
        timer.start()
        self.assertEqual(pgwire.sqlstate(wire.ask("select pg_sleep(20)")), "57014")
        timer.join()
        report = self.expect({"select pg_sleep(20)": (1, 0, 1, "57014")})
        self.assertEqual(report.queries[0]["errors_by_class"], {"cancel": 1})
        self.assertGreater(report.queries[0]["latency_ns"]["min"], 250e6)
        self.assertLess(report.queries[0]["latency_ns"]["max"], 10e9)

    def test_parse_errors(self):
        wire = self.traced()
        wire.send(parse("", "select from where") + SYNC)  # alone, as with a Describe before anything is bound
        self.assertEqual(pgwire.sqlstate(wire.ready()), "42601")
        wire.send(run("select * from no_such_table") + SYNC)
        self.assertEqual(pgwire.sqlstate(wire.ready()), "42P01")
        self.assertEqual(pgwire.sqlstate(wire.ask("selec 1")), "42601")
        self.assertEqual(pgwire.sqlstate(wire.ask("select no_such_column from item")), "42703")
        report = self.expect({"select from where": (1, 0, 1, "42601"), "select * from no_such_table": (1, 0, 1, "42P01"),
                              "selec 1": (1, 0, 1, "42601"), "select no_such_column from item": (1, 0, 1, "42703")})
        for q in report.queries:
            self.assertEqual(q["errors_by_class"], {"syntax": 1})

    def test_prepared_before(self):
        wire = self.connect()
        wire.send(parse("before", "select name from item where id <= $1") + SYNC)
        wire.ready()
        self.trace()
        for _ in range(6):
            wire.send(bind("", "before", [3]) + execute() + SYNC)
            wire.ready()
        report = self.report()
        self.assert_complete(report, seen=6)
        row, = report.queries
        self.assertEqual((row["text"], row["text_known"], row["count"], row["rows"]), ("stmt before", False, 6, 18))
        self.assertNotIn("database", row)

    def test_connection_before(self):
        wire = self.connect(transport="tcp")
        self.trace()
        for _ in range(3):
            wire.ask("select abs(1)")
        row, = self.expect({"select abs(1)": (3, 3)}).queries
        self.assertNotIn("database", row)
        self.assertNotIn("user", row)
        self.assertEqual(row["server"], "127.0.0.1:%d" % cluster.port)


class Tracepoint(Common, Case):
    capture = "tracepoint"

    def test_empty(self):
        wire = self.traced()
        for sql in ("", ";", " ; ;", "-- nothing\n", "/* nothing */"):
            self.assertIn(b"I", [k for k, _ in wire.ask(sql)])
            wire.ask("select abs(1)")
            wire.send(run(sql) + SYNC)
            wire.ready()
            wire.send(run(sql) + run("select sign(1)") + SYNC)
            wire.ready()
        self.expect({"select abs(1)": (5, 5), "select sign(1)": (5, 5)})

    def test_many_statements_in_one_query(self):
        wire = self.traced()
        wire.ask("; ".join(["select abs(1)"] * 16))
        wire.ask("; ".join(["select sign(1)"] * 20))
        wire.ask("select ceil(1.5)")
        report = self.report()
        self.assertEqual(report.one("select abs(1)")["count"], 16)
        self.assertEqual(report.one("select ceil(1.5)")["count"], 1)
        # Of a longer one the first 16 are told apart, and the rest is not passed over in silence.
        self.assertEqual(report.one("select sign(1)")["count"] + report.coverage["doubt"].get("reply_unmatched", 0) +
                         sum(report.coverage["lost"].values()), 20)

    def test_packed(self):
        """Several batches in one send, without waiting."""
        wire = self.traced()
        wire.send(query("select abs(1)") * 3 + run("select sign($1::int)", [1]) + SYNC + query("select ceil(1.5)") +
                  run("select sign($1::int)", [2]) * 2 + SYNC)
        wire.ready(6)
        self.expect({"select abs(1)": (3, 3), "select sign(1::int)": (3, 3), "select ceil(1.5)": (1, 1)})

    def test_long_pipelines(self):
        wire = self.traced()
        one = bind("", "p", [2]) + execute()
        wire.send(parse("p", "select name from item where id <= $1") + SYNC)
        wire.ready()
        for nr in (240, 400, 1000, 4000):
            with self.subTest(nr=nr):
                wire.send(one * nr + SYNC)
                wire.ready()
        self.expect({"select name from item where id <= 1": (5640, 11280)})

    def test_many_pieces(self):
        """One call that gathers the messages from hundreds of places, as node's streams do."""
        wire = self.traced()
        for nr in (31, 32, 33, 64, 65, 100, 700):
            pieces = []
            for i in range(nr):
                data = query("select name from item where id <= %d" % (i % 3))
                cut = i % (len(data) + 1)
                pieces += [data[:cut], data[cut:]] if i % 2 and nr < 500 else [data]
            self.assertEqual(wire.sock.sendmsg(pieces), sum(map(len, pieces)))
            wire.ready(nr)
        total = 31 + 32 + 33 + 64 + 65 + 100 + 700
        report = self.report()
        self.assert_complete(report, seen=total)

    def test_pipeline_answered_late(self):
        """Sends run ahead of the answers, with a Flush now and then."""
        wire = self.traced()
        for i in range(300):
            wire.send(run("select name from item where id = $1", [i + 1]) + (FLUSH if i % 10 == 0 else b""))
        wire.send(SYNC)
        wire.ready()
        self.expect({"select name from item where id = 1": (300, 300)})

    def test_large_results(self):
        wire = self.traced()
        wire.ask("select * from generate_series(1, 20000) as i")
        wire.ask("select repeat('x', 100000) from generate_series(1, 20) as i")
        wire.ask("select repeat('x', i) from generate_series(1, 3000) as i")
        self.expect({"select * from generate_series(1, 20000) as i": (1, 20000),
                     "select repeat('x', 100000) from generate_series(1, 20) as i": (1, 20),
                     "select repeat('x', i) from generate_series(1, 3000) as i": (1, 3000)})

    def test_result_that_looks_like_the_end(self):
        """Row data with the bytes of completions in it, cut where a receive ends."""
        wire = self.traced()
        fake = "decode('5a0000000549', 'hex') || decode('430000000d53454c454354203500', 'hex') || decode('5a0000000549', 'hex')"
        for size in (6, 11, 17, 64, 65536):
            wire.recv_bytes = size
            wire.ask("select %s from generate_series(1, 40) as i" % fake)
        wire.recv_bytes = 65536
        wire.send(parse("", "select %s from generate_series(1, 40) as i" % fake) + bind("", "") + execute() + SYNC)
        wire.ready()
        self.expect({"select %s from generate_series(1, 40) as i" % fake: (6, 240)})

    def test_prepared_before_and_again(self):
        wire = self.connect()
        wire.send(parse("s", "select name from item where id <= $1") + SYNC)
        wire.ready()
        self.trace()
        for _ in range(4):
            wire.send(bind("", "s", [3]) + execute() + SYNC)
            wire.ready()
        wire.send(close(b"S", "s") + SYNC)
        wire.ready()
        wire.send(parse("s", "select name from item where id <= $1") + SYNC)
        wire.ready()
        for _ in range(5):
            wire.send(bind("", "s", [3]) + execute() + SYNC)
            wire.ready()
        report = self.report()
        self.assert_complete(report, seen=9)
        self.assertEqual(report.one("select name from item where id <= 1")["count"], 5)
        self.assertEqual(sum(q["count"] for q in report.queries if q["text"] == "stmt s"), 4)

    def test_prepared_before_and_named_later(self):
        wire = self.connect()
        wire.send(parse("s", "select name from item where id <= $1") + SYNC)
        wire.ready()
        self.trace()
        for again in range(2):
            for _ in range(4):
                wire.send(bind("", "s", [3]) + execute() + SYNC)
                wire.ready()
            wire.ask("deallocate s")
            wire.send(parse("s", "select name from item where id <= $1") + SYNC)
            wire.ready()
        report = self.report()
        self.assert_complete(report, seen=10)
        self.assertEqual(report.one("select name from item where id <= 1")["count"], 8)

    def test_portal_bound_before(self):
        wire = self.connect()
        wire.ask("begin")
        wire.send(run("select id from item", name="s", portal="c")[:-len(execute("c"))] + execute("c", 10) + SYNC)
        wire.ready()
        self.trace()
        wire.send(execute("c", 10) + SYNC)
        wire.ready()
        wire.ask("commit")
        report = self.report()
        self.assert_complete(report, seen=2)
        self.assertEqual(sum(q["rows"] for q in report.queries), 10)

    def test_tls_refused(self):
        self.trace()
        for transport, codes in (("unix", (pgwire.CODE_GSS, pgwire.CODE_SSL)), ("tcp", (pgwire.CODE_SSL,))):
            wire = self.connect(startup=False, transport=transport)
            for code in codes:
                self.assertEqual(wire.request(code), b"N")
            wire.startup()
            wire.ask("select abs(1)")
        report = self.report()
        self.assert_complete(report, seen=2)
        self.assertEqual([(q["count"], q["database"]) for q in report.queries], [(1, pg.DATABASE)] * 2)

    def test_tls(self):
        """A connection that goes on encrypted cannot be read, and is told."""
        self.trace()
        with socket.socket() as listener:
            listener.bind(("127.0.0.1", 0))
            listener.listen(1)
            client = socket.create_connection(listener.getsockname())
            server, _ = listener.accept()
        with client, server:
            client.sendall(struct.pack("!ii", 8, pgwire.CODE_SSL))
            server.sendall(b"S")
            client.recv(1)
            for _ in range(5):  # what follows is a record of TLS, whatever it looks like
                client.sendall(query("select abs(1)"))
        report = self.report()
        self.assert_complete(report, seen=0, doubt=("unreadable_tls",))
        self.assertEqual(report.coverage["doubt"], {"unreadable_tls": 1})

    def test_attached_in_a_result(self):
        """The first statement after that is the first one counted, and right."""
        wire = self.connect()
        wire.recv_bytes = 1000
        wire.send(query("select repeat('x', 1000) from generate_series(1, 2000) as i"))
        wire.fill()
        self.trace()
        wire.ready()
        wire.ask("select abs(1)")
        self.expect({"select abs(1)": (1, 1)})

    def test_attached_in_a_pipeline(self):
        """Replies to what was sent before are not taken for replies to what comes after."""
        wire = self.connect()
        wire.send((run("select i from generate_series(1, 5) as i") * 10 + SYNC) * 2)
        time.sleep(0.2)
        self.trace()
        wire.send(run("select abs(1)") * 3 + SYNC)
        wire.ready(3)
        wire.ask("select sign(1)")
        report = self.report()
        self.assertEqual(report.one("select sign(1)")["count"], 1)
        cov = report.coverage
        self.assertEqual(cov["seen"], 4)
        self.assertEqual(cov["seen"], cov["attributed"] + sum(cov["lost"].values()) + cov["outstanding"])

    def test_notify(self):
        wire = self.traced()
        wire.ask("listen news")
        for i in range(3):
            cluster.psql("notify news, 'Z %d'" % i, pg.DATABASE)
            self.assertEqual(wire.message()[0], b"A")
            wire.ask("select abs(1)")
        cluster.psql("notify news", pg.DATABASE)
        time.sleep(0.1)
        wire.ask("select abs(1)")  # the notification comes first, in the same receive
        wire.ask("do $$ begin raise notice 'hello'; end $$")
        wire.ask("set application_name = 'x'")  # answered with a ParameterStatus as well
        self.expect({"listen news": (1, 0), "select abs(1)": (4, 4), "do $$ begin $$": (1, 0),
                     "set application_name = 'x'": (1, 0)})

    def test_transaction(self):
        wire = self.traced()
        wire.ask("begin")
        self.assertEqual(wire.status, "T")
        wire.ask("insert into note values (77, 'x'), (77, 'y')")
        wire.ask("savepoint a")
        self.assertEqual(pgwire.sqlstate(wire.ask("insert into item values (1, 'x')")), "23505")
        self.assertEqual(wire.status, "E")
        self.assertEqual(pgwire.sqlstate(wire.ask("select abs(1)")), "25P02")
        wire.ask("rollback to savepoint a")
        wire.ask("delete from note where id = 77 and body = 'y'")
        wire.ask("rollback")
        self.assertEqual(wire.status, "I")
        report = self.expect({"begin": (1, 0), "insert into note values (1, 'x'), (2, 'y')": (1, 2), "savepoint a": (1, 0),
                              "insert into item values (1, 'x')": (1, 0, 1, "23505"), "select abs(1)": (1, 0, 1, "25P02"),
                              "rollback to savepoint a": (1, 0), "delete from note where id = 2 and body = 'y'": (1, 1),
                              "rollback": (1, 0)})
        self.assertEqual(report.one("insert into item values (1, 'x')")["errors_by_class"], {"constraint": 1})

    def test_startup(self):
        self.trace()
        cluster.psql("create role reader login")
        cluster.psql('create database "Other DB"')
        servers = {"unix": "%s/.s.PGSQL.%d" % (cluster.dir, cluster.port), "tcp": "127.0.0.1:%d" % cluster.port,
                   "tcp6": "[::1]:%d" % cluster.port}
        for transport in servers:
            self.connect(transport=transport, startup=False).startup(
                "Other DB", "reader", [("application_name", "user\u00e9"), ("client_encoding", "UTF8")])
            self.open[-1].ask("select abs(1)")
        wire = self.connect(startup=False)
        wire.startup(database=None)  # the user's name, then
        wire.ask("select abs(1)")
        report = self.report()
        self.assert_complete(report, seen=4)
        self.assertEqual({(q["server"], q["database"], q["user"]) for q in report.queries},
                         {(server, "Other DB", "reader") for server in servers.values()} |
                         {(servers["unix"], "postgres", "postgres")})

    def test_startup_refused(self):
        self.trace()
        wire = self.connect(startup=False)
        with self.assertRaises(ConnectionError):
            wire.startup(database="no such database")
        report = self.report()
        self.assert_complete(report, seen=0)

    def test_function_call(self):
        wire = self.traced()
        for _ in range(3):
            wire.send(pgwire.call(1397, -5))  # abs(int4)
            wire.ready()
            wire.ask("select abs(1)")
        self.expect({"select abs(1)": (3, 3)})

    def test_messages_that_are_no_statements(self):
        wire = self.traced()
        wire.send(SYNC)
        wire.ready()
        wire.send(parse("s", "select abs(1)") + describe(b"S", "s") + SYNC)
        wire.ready()
        wire.send(bind("", "s") + describe(b"P", "") + SYNC)  # bound, never executed
        wire.ready()
        wire.send(close(b"S", "s") + close(b"P", "") + SYNC + SYNC)
        wire.ready(2)
        wire.ask("select sign(1)")
        self.expect({"select sign(1)": (1, 1)})

    def test_unnamed_statement_executed_again(self):
        wire = self.traced()
        wire.send(parse("", "select sign($1::int)") + SYNC)
        wire.ready()
        for i in range(4):  # bound anew each time: four executions
            wire.send(bind("", "", [i]) + execute() + SYNC)
            wire.ready()
        wire.send((bind("", "", [1]) + execute()) * 3 + SYNC)
        wire.ready()
        self.expect({"select sign(1::int)": (7, 7)})

    def test_server_ends_the_connection(self):
        wire = self.traced()
        timer = threading.Timer(0.3, lambda: cluster.psql("select pg_terminate_backend(%d)" % wire.pid))
        timer.start()
        with self.assertRaises(ConnectionError):
            wire.ask("select pg_sleep(20)")
        timer.join()
        self.expect({"select pg_sleep(20)": (1, 0, 1, "57P01")})

    def test_client_goes_away(self):
        """What is outstanding when the client hangs up is accounted for."""
        wire = self.traced()
        wire.ask("select abs(1)")
        wire.send(query("select pg_sleep(0.2)"))
        wire.sock.close()
        time.sleep(0.1)
        report = self.report()
        cov = report.coverage
        self.assertEqual((cov["seen"], cov["attributed"]), (2, 1))
        self.assertEqual(cov["outstanding"] + sum(cov["lost"].values()), 1)

    def test_many_connections(self):
        self.trace()
        wires = [self.connect() for _ in range(60)]
        for i in range(600):
            wires[i * 7 % 60].send(query("select name from item where id <= %d" % (i % 3 + 1)))
            if i % 60 == 59:
                for wire in wires:
                    wire.ready()
        self.expect({"select name from item where id <= 1": (600, 1200)})

    def test_long_statements(self):
        """Around the sizes at which buffers end."""
        wire = self.traced()
        count = 0
        for size in list(range(4080, 4120, 3)) + list(range(8170, 8210, 3)) + [4864, 4870, 12000, 70000]:
            wire.ask("select abs(1) /* %s */" % ("x" * size))
            wire.send(run("select sign($1::int)", ["0" * size]) + SYNC)
            wire.ready()
            count += 1
        lengths = (330, 340, 343, 345, 347, 350, 400, 800)
        for n in lengths:  # those around 8,000 bytes end in a literal
            wire.ask("select abs(1) where '' in (%s)" % ", ".join("'secret-%014d'" % i for i in range(n)))
        report = self.report()
        self.assert_complete(report, seen=2 * count + len(lengths), doubt=("text_cut",))
        self.assertEqual(report.one("select sign(1::int)")["count"], count)
        self.assertEqual([q["text"] for q in report.queries if "secret" in q["text"]], [])

    def test_long_statements_cut_early(self):
        """A few bytes in a send of their own, then more than is ever looked at."""
        wire = self.traced()
        cuts = (1, 3, 5, 9, 300, 4100)
        for cut in cuts:
            data = query("select abs(1) /* %s */" % ("x" * 9000)) + query("select sign(1)")
            wire.send(data[:cut], data[cut:])
            wire.ready(2)
        report = self.report()
        self.assert_complete(report, seen=2 * len(cuts), doubt=("text_cut",))
        self.assertEqual(report.one("select sign(1)")["count"], len(cuts))

    def test_names(self):
        wire = self.traced()
        names = ["a" * n for n in (1, 7, 8, 9, 15, 16, 17, 61, 62)]
        for name in names:
            wire.send(parse(name, "select sign(1) as %s" % name) + SYNC)
            wire.ready()
        for name in names * 2:
            wire.send(bind("p" + name[:-1], name) + execute("p" + name[:-1]) + SYNC)
            wire.ready()
        wire.send(b"".join(bind("q" + n, n) for n in names) + b"".join(execute("q" + n) for n in reversed(names)) + SYNC)
        wire.ready()
        report = self.report()
        self.assert_complete(report, seen=3 * len(names))
        self.assertEqual(sum(q["rows"] for q in report.queries), 3 * len(names))


class Sessions(Case):
    """Random sessions, cut at random places, against the server's own numbers."""

    TABLES = ["r_%s" % c for c in "abcdef"]

    def one(self, dice):
        """A random batch: bytes to send, and what to wait for."""
        table = dice.choice(self.TABLES)
        limit = dice.randrange(0, 60)
        kind = dice.randrange(9)
        sql = "select * from %s where id <= $1" % table
        if kind == 0:
            return query("select * from %s where id <= %d /* %s */" % (table, limit, "c" * dice.choice((0, 10, 3000)))), 1
        if kind == 1:
            return query("; ".join("select %d + id from %s where id <= %d" % (i, dice.choice(self.TABLES), limit)
                                   for i in range(dice.randrange(1, 15)))), 1
        if kind == 2:
            return run(sql, [limit]) + SYNC, 1
        if kind == 3:
            name = "s%d" % self.names
            self.names += 1
            many = (bind("", name, [limit]) + execute()) * dice.randrange(1, 150)
            return parse(name, sql.replace("*", "id")) + many + (close(b"S", name) if dice.random() < 0.5 else b"") + SYNC, 1
        if kind == 4:  # an error somewhere
            batch = [run(sql, [limit]) for _ in range(dice.randrange(1, 6))]
            batch[dice.randrange(len(batch))] = run("select 1 / (id - id) from %s where id < $1" % table, [5])
            return b"".join(batch) + SYNC, 1
        if kind == 5:
            return query(dice.choice(("", ";", "-- x"))) + run("") + SYNC, 2
        if kind == 6:  # the rest of the portal's rows in the same batch
            sql = "select body, id from %s where id < $1" % table
            return (parse("", sql) + bind("p", "", [limit]) + execute("p", 7) * dice.randrange(1, 9) + close(b"P", "p") + SYNC), 1
        if kind == 7:
            return query("copy %s to stdout" % table) + query("begin") + query("select 1 / 0 from %s" % table) + query("rollback"), 4
        return query("update %s set body = 'x' where id < %d" % (table, limit)), 1

    def play(self, dice, transport):
        wire = self.connect(transport=transport, recv_bytes=dice.choice((1, 3, 50, 1000, 8192, 65536)))
        for _ in range(40):
            data, ready = b"", 0
            for _ in range(dice.choice((1, 1, 1, 3))):
                batch, times = self.one(dice)
                data += batch
                ready += times
            size = dice.choice((1, 3, 7, 40, 333, 5000, 10**9, 10**9))
            if size * 3000 < len(data):
                size = 50
            pieces = [data[i:i + size] for i in range(0, len(data), size)]
            if size > 100 and dice.random() < 0.5:  # in one call; a message of more than 32 pieces is not read
                for i in range(0, len(pieces), 900):
                    some = pieces[i:i + 900]
                    wire.send(b"".join(some)[wire.sock.sendmsg(some):])
            else:
                wire.send(*pieces)
            self.rows += sum(kind == b"D" for kind, _ in wire.ready(ready))
            if dice.random() < 0.1:
                wire.recv_bytes = dice.choice((1, 3, 50, 1000, 8192, 65536))
        wire.close()

    def check(self, capture, transport, seed, role):
        dice = random.Random(seed)
        self.capture = capture
        self.names = self.rows = 0
        cluster.reset_statements()
        self.trace(*(("--role", "server", "-c", "postgres") if role == "server" else ()))
        for _ in range(3):
            self.play(dice, transport)
        report = self.report()
        cov = report.coverage
        others = 0
        if role == "server":  # there may be others on this machine, and they may be at it
            others = cov["outstanding"]
            own = "127.0.0.1:%d" % cluster.port, "%s/.s.PGSQL.%d" % (cluster.dir, cluster.port)
            report.queries = [q for q in report.queries if q["server"] in own and q.get("database") == pg.DATABASE]
        self.assertEqual(set(cov["lost"]) - {"skipped"}, set(), report.brief())
        self.assertEqual(cov["seen"], cov["attributed"] + sum(cov["lost"].values()) + others, report.brief())
        self.assertEqual(set(cov["doubt"]) - {"text_cut"}, set(), report.brief())
        self.assertEqual(sum(q["rows"] for q in report.queries if q["text"].startswith("select")), self.rows)
        # The server counts what succeeded; and up to PostgreSQL 15 only the last rows of a portal that was executed again.
        truth = cluster.statements()
        errors = {q["id"]: 0 for q in report.queries}
        for q in report.queries:
            errors[q["id"]] += q["errors"]
        good = {sid: t._replace(count=t.count - errors[sid]) for sid, t in report.by_id(role).items()}
        for sid, t in truth.items():
            if t.text.startswith("select body, id") and sid in good:
                truth[sid] = t._replace(rows=good[sid].rows)
        self.assert_truth(truth, {sid: t for sid, t in good.items() if t.count})

    def test_sessions(self):
        for table in self.TABLES:
            cluster.psql("create table %s as select i as id, repeat('b', i * i) as body from generate_series(1, 50) as i" % table,
                         pg.DATABASE)
        seeds = [int(s) for s in os.environ.get("SONDE_TEST_SEEDS", "1 2").split()]
        for seed in seeds:
            for capture in pg.captures():
                transport = ("unix", "tcp")[seed % 2]
                for role in ("client", "server"):
                    with self.subTest(seed=seed, capture=capture, transport=transport, role=role):
                        self.check(capture, transport, seed, role)


class Syscall(Common, Case):
    capture = "syscall"
    transport = "tcp"


class Syscalls(Case):
    """A C program that uses every call there is for sending and receiving."""

    PROGRAM = os.path.join(pg.O, "tests/e2e/programs/pg_syscalls")

    def check(self, capture):
        if not os.access(self.PROGRAM, os.X_OK):
            self.skipTest("there is no %s: make test-programs" % self.PROGRAM)
        for family in ("unix", "tcp", "tcp6"):
            where = "%s/.s.PGSQL.%d" % (cluster.dir, cluster.port) if family == "unix" else str(cluster.port)
            with self.subTest(family=family):
                report = pg.run_program([self.PROGRAM, family, where], "--capture", capture)
                texts = report.stdout.splitlines()
                self.assertEqual(len(texts), 30)
                self.assert_truth({sid: pg.Truth(text, 3, 9) for sid, text in pg.fingerprints(texts)}, report.by_id())
                self.assert_complete(report, seen=90)

    @unittest.skipUnless(pg.have_tracepoints(), "needs the socket layer's tracepoints (Linux 6.3)")
    def test_tracepoint(self):
        self.check("tracepoint")

    def test_syscall(self):
        self.check("syscall")


if __name__ == "__main__":
    unittest.main()
