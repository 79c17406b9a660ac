# SPDX-License-Identifier: GPL-2.0-only
# TOGETHER: counts, of its own processes
"""test_mysql_protocol.py - every shape that statements take on MySQL's and MariaDB's wire, against a real MariaDB server.

The client is this process; sonde traces it alone. Each test says what exactly must be counted. What the server logged of
the session (general_log) must agree.
"""

import os
import random
import struct
import threading
import time
import unittest

import mariadb
import mysqlwire as my
import pg
from mysqlwire import execute, prepare, query

server = None


def setUpModule():
    global server
    server = mariadb.module_server()
    server.sql("create table item (id int primary key, name varchar(100));"
               "insert into item select seq, concat('item ', seq) from seq_1_to_1000;"
               "create table note (id int, body longtext);\n"
               "delimiter //\n"
               "create procedure two() begin select id from item where id <= 2; select name from item where id <= 3; end//\n"
               "create procedure quiet() begin update item set name = name where id = 1; end//\n")


class Case(mariadb.TestCase):
    """Traces this process during a test."""

    capture = None
    transport = "unix"
    capabilities = 0
    role = "client"

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
        args.setdefault("capabilities", self.capabilities)
        wire = my.Wire(server, **args)
        self.open.append(wire)
        return wire

    def trace(self):
        who = os.getpid() if self.role == "client" else server.proc.pid
        self.sonde = pg.Sonde("-p", str(who), "--no-findings", "--role", self.role, *(["--capture", self.capture] if self.capture else []))

    def traced(self, **args):
        """sonde first, then a connection."""
        self.trace()
        return self.connect(**args)

    def report(self):
        for wire in self.open:  # a server's last reply is counted when it has been sent
            if self.role == "server":
                time.sleep(0.05)
                break
        report = self.sonde.stop()
        self.sonde = None
        return report

    def expect(self, rows, lost=None, doubt=()):
        """@rows: {statement: (count, rows) or (count, rows, errors, sqlstate)}, and nothing else."""
        report = self.report()
        self.assert_complete(report, lost=lost, doubt=doubt)
        found = {q["id"]: (q["count"], q["rows"], q["errors"], q.get("sqlstate")) for q in report.queries}
        wanted = {}
        for (statement, numbers), (sid, _) in zip(rows.items(), mariadb.fingerprints(list(rows))):
            wanted[sid] = (numbers + (0, None))[:4]
        self.assertEqual(len(wanted), len(rows), "the statements of a test are told apart")
        self.assertEqual(found, wanted, "\n" + report.brief())
        for q in report.queries:
            self.assertEqual((q["db_system"], q["database"], q["user"]), ("mariadb", mariadb.DATABASE, mariadb.USER))
        return report


class Common:
    """Run with both ways of capture, on both sides, with and without CLIENT_DEPRECATE_EOF."""

    def test_queries(self):
        wire = self.traced()
        for i in range(5):
            wire.ask("select name from item where id <= %d" % (i + 1))
        wire.ask("select name from item where id < 0 order by id")
        wire.ask("update item set name = name, id = id where id < 10 and id > 4")
        wire.ask("insert into note values (1, 'a'), (2, 'b')")
        wire.ask("delete from note where id < 10")
        self.expect({"select name from item where id <= 1": (5, 15), "select name from item where id < 0 order by id": (1, 0),
                     "update item set name = name, id = id where id < 10 and id > 4": (1, 0),
                     "insert into note values (1, 'a')": (1, 2), "delete from note where id < 10": (1, 2)})

    def test_several_statements(self):
        wire = self.traced()
        results = wire.ask("select abs(1); update note set id = id; select id from item where id <= 3; do 1")
        self.assertEqual([r.rows for r in results], [1, 0, 3, 0])
        wire.ask("select sign(1);")
        self.expect({"select abs(1)": (1, 1), "update note set id = id": (1, 0), "select id from item where id <= 3": (1, 3),
                     "do 1": (1, 0), "select sign(1)": (1, 1)})

    def test_prepared(self):
        wire = self.traced()
        one = wire.prepare("select name from item where id <= ?")
        two = wire.prepare("update item set name = concat(?, id) where id = ?")
        none = wire.prepare("commit")
        for i in range(7):
            self.assertEqual(wire.run(one, [i])[0].rows, i)
            self.assertEqual(wire.run(two, ["%d" % i, 500])[0].affected, 1)
        wire.run(one, [5], types=True)
        wire.run(none)
        wire.send(my.close(one))
        self.assertEqual(wire.run(one, [1])[0].error.code, 1243)
        report = self.report()
        self.assert_complete(report, seen=17)
        row = self.row(report, "select name from item where id <= ?")
        self.assertEqual((row["count"], row["rows"], row["errors"]), (8, 26, 0))
        row = self.row(report, "update item set name = concat(?, id) where id = ?")
        self.assertEqual((row["count"], row["rows"]), (7, 7))
        self.assertEqual(self.row(report, "commit")["count"], 1)
        stmt, = [q for q in report.queries if q["text"].startswith("stmt ")]  # what was closed has no text
        self.assertEqual((stmt["text"], stmt["errors"]), ("stmt %d" % one, 1))

    def test_cursor(self):
        wire = self.traced()
        sid = wire.prepare("select id from item where id <= ?")
        self.assertTrue(wire.run(sid, [25], flags=1)[0].status & my.STATUS_CURSOR_EXISTS)
        for rows in (10, 10, 5):
            wire.send(my.fetch(sid, 10))
            self.assertEqual(wire.rows().rows, rows)
        wire.simple(my.reset(sid))
        wire.ask("select abs(1)")
        report = self.report()
        row = self.row(report, "select id from item where id <= ?")
        self.assertEqual((row["count"], row["rows"], row["errors"]), (1, 25, 0))
        self.assert_complete(report, seen=3)

    def test_local_infile(self):
        wire = self.traced()
        data = b"".join(b"%d\tselect 1; %s\n" % (i, b"x" * 90) for i in range(3000))
        result, = wire.ask("load data local infile 'f' into table note", infile=data)  # 300 packets and more
        self.assertEqual(result.affected, 3000)
        self.assertEqual(wire.ask("load data local infile 'g' into table note")[0].affected, 0)
        self.assertEqual(wire.ask("load data local infile 'g' into table no_such_table")[0].error.code, 1146)
        wire.ask("select abs(1)")
        wire.ask("truncate table note")
        report = self.report()
        self.assert_complete(report, seen=5)
        row = self.row(report, "load data local infile 'f' into table note")
        self.assertEqual((row["count"], row["rows"]), (2, 3000))

    def test_byte_by_byte(self):
        wire = self.traced()
        wire.recv_bytes = 1
        for i in range(3):
            wire.send_bytes(query("select name from item where id <= 4"))
            wire.results()
            wire.send_bytes(prepare("select name from item where id <= ?"))
            sid = wire.prepared()
            wire.send_bytes(execute(sid, [5]))
            wire.results()
        self.expect({"select name from item where id <= 4": (6, 27)})

    def test_large_results(self):
        wire = self.traced()
        wire.ask("select seq from seq_1_to_20000")
        wire.ask("select repeat('x', 100000) from seq_1_to_20")
        wire.ask("select repeat('x', seq), seq from seq_1_to_3000")
        wire.ask("select %s" % ", ".join("%d as c%d" % (i, i) for i in range(300)))
        report = self.report()
        self.assert_complete(report, seen=4)
        self.assertEqual(self.row(report, "select seq from seq_1_to_20000")["rows"], 20000)
        self.assertEqual(self.row(report, "select repeat('x', 100000) from seq_1_to_20")["rows"], 20)
        self.assertEqual(self.row(report, "select repeat('x', seq), seq from seq_1_to_3000")["rows"], 3000)


class Tracepoint(Common, Case):
    capture = "tracepoint"

    def test_error_in_the_middle(self):
        wire = self.traced()
        results = wire.ask("select abs(1); select * from no_such_table; select sign(2); select sqrt(4)")
        self.assertEqual(results[-1].error.code, 1146)
        wire.ask("select ceil(1.5)")
        self.expect({"select abs(1)": (1, 1), "select * from no_such_table": (1, 0, 1, "42S02"),
                     "select ceil(1.5)": (1, 1)}, lost={"skipped": 2})

    def test_prepare_fails(self):
        wire = self.traced()
        with self.assertRaises(my.Error):
            wire.prepare("select * from no_such_table where id = ?")
        sid = wire.prepare("select abs(?)")
        wire.run(sid, [1])
        self.expect({"select * from no_such_table where id = ?": (1, 0, 1, "42S02"), "select abs(?)": (1, 1)})

    def test_procedures(self):
        wire = self.traced()
        self.assertEqual([r.rows for r in wire.ask("call two()")], [2, 3, 0])
        wire.ask("call quiet()")
        sid = wire.prepare("call two()")
        wire.run(sid)
        wire.ask("select abs(1)")
        self.expect({"call two()": (2, 10), "call quiet()": (1, 0), "select abs(1)": (1, 1)})

    def test_commands(self):
        wire = self.traced()
        for _ in range(3):
            wire.simple(my.PING)
        wire.simple(my.command(9))
        wire.simple(my.command(2, mariadb.DATABASE))
        wire.simple(my.command(27, struct.pack("<H", 0)))
        wire.simple(my.command(13))
        wire.ask("select abs(1)")
        self.assertEqual(wire.simple(my.command(12, struct.pack("<I", 99999999)))[0], 0xff)
        wire.simple(my.command(31))
        wire.ask("select sign(1)")
        report = self.report()
        self.assert_complete(report, seen=11)
        found = {q["text"]: (q["count"], q["errors"]) for q in report.queries}
        self.assertEqual(found, {"admin ping": (3, 0), "admin statistics": (1, 0), "admin init_db": (1, 0),
                                 "admin set_option": (1, 0), "admin debug": (1, 0), "admin process_kill": (1, 1),
                                 "admin reset_connection": (1, 0), "select abs(?)": (1, 0), "select sign(?)": (1, 0)})

    def test_errors(self):
        wire = self.traced()
        wire.ask("selec 1")
        wire.ask("insert into item values (1, 'x')")
        wire.ask("select no_such_column from item")
        wire.ask("signal sqlstate '45000'")
        wire.ask("set statement max_statement_time = 0.05 for select sleep(20)")
        report = self.report()
        self.assert_complete(report, seen=5)
        found = {q["text"].split(" ")[0]: (q["error_code"], q["sqlstate"], q["errors_by_class"]) for q in report.queries}
        self.assertEqual(found, {"selec": (1064, "42000", {"syntax": 1}), "insert": (1062, "23000", {"constraint": 1}),
                                 "select": (1054, "42S22", {"syntax": 1}), "signal": (1644, "45000", {"other": 1}),
                                 "set": (1969, "70100", {"cancel": 1})})

    def test_small_receives(self):
        wire = self.traced()
        for size, times in ((1, 2), (7, 10), (4096, 20)):
            wire.recv_bytes = size
            for _ in range(times):
                wire.ask("select * from item where id <= 100")
        self.expect({"select * from item where id <= 100": (32, 3200)})

    def test_result_that_looks_like_the_end(self):
        """Row data with the bytes of OK, EOF and error packets in it, cut where a receive ends."""
        wire = self.traced()
        fake = "unhex('0500000afe00000200'), unhex('0700000bfe000002000000'), unhex('fe00000200'), unhex('ff0000')"
        for size in (5, 9, 11, 17, 64, 65536):
            wire.recv_bytes = size
            wire.ask("select %s from seq_1_to_40" % fake)
        wire.recv_bytes = 65536
        wire.run(wire.prepare("select %s from seq_1_to_40" % fake))
        self.expect({"select %s from seq_1_to_40" % fake: (7, 280)})

    def test_log_agrees(self):
        """Random sessions, cut at random places, against the general log."""
        for seed in [int(s) for s in os.environ.get("SONDE_TEST_SEEDS", "1 2").split()]:
            with self.subTest(seed=seed):
                self.check_session(random.Random(seed))

    def check_session(self, dice):
        server.start_log()
        wire = self.traced(capabilities=dice.choice((0, my.DEPRECATE_EOF, my.DEPRECATE_EOF | my.CACHE_METADATA | my.PROGRESS)))
        prepared, rows = [], 0
        for _ in range(150):
            wire.recv_bytes = dice.choice((1, 5, 50, 1000, 65536, 65536))
            limit = dice.randrange(0, 40)
            kind = dice.randrange(8)
            if kind == 0:
                data = query("select id from item where id <= %d /* %s */" % (limit, "c" * dice.choice((0, 10, 3000))))
            elif kind == 1:
                data = query("; ".join("select %d + id from item where id <= %d" % (i, limit)
                                       for i in range(dice.randrange(1, 15))))
            elif kind == 2:
                data = query(dice.choice(("select 1 from nowhere", "begin", "commit", "update item set name = 'x' where id < 5")))
            elif kind == 3 or not prepared:
                prepared.append(wire.prepare("select name from item where id <= ? and id %% %d < ?" % dice.randrange(2, 9)))
                continue
            elif kind == 4 and len(prepared) > 1:
                data = my.close(prepared.pop(dice.randrange(len(prepared)))) + my.PING
            else:
                data = execute(dice.choice(prepared), [limit, 3])
            size = dice.choice((1, 3, 40, 333, 10**9, 10**9))
            size = size if size * 300 > len(data) else 50
            wire.send(*[data[i:i + size] for i in range(0, len(data), size)])
            rows += sum(r.rows for r in wire.results())
        report = self.report()
        self.assert_logged(report, server.logged())
        self.assertEqual(sum(q["rows"] for q in report.queries if q["text"].startswith("select")), rows)
        self.assertEqual(report.coverage["lost"], {}, report.brief())
        self.assertEqual(report.coverage["doubt"], {}, report.brief())

    def test_run_the_last_prepared(self):
        """MariaDB: prepare and execute in one send, the id not known yet."""
        wire = self.traced()
        for i in range(3):
            wire.send(prepare("select name from item where id <= ?") + execute(-1, [i + 1]))
            wire.prepared()
            self.assertEqual(wire.results()[0].rows, i + 1)
        self.expect({"select name from item where id <= 1": (3, 6)})

    def test_bulk(self):
        wire = self.traced(capabilities=my.BULK_OPERATIONS | my.PROGRESS)
        sid = wire.prepare("insert into note (id) values (?)")
        for n in (2, 100):
            wire.send(my.bulk_execute(sid, [[i] for i in range(n)]))
            self.assertEqual(wire.results()[0].affected, n)
        wire.ask("truncate table note")
        self.expect({"insert into note (id) values (?)": (2, 102), "truncate table note": (1, 0)})

    def test_cached_metadata(self):
        wire = self.traced(capabilities=my.DEPRECATE_EOF | my.CACHE_METADATA)
        sid = wire.prepare("select name, id from item where id <= ?")
        for i in range(5):
            self.assertEqual(wire.run(sid, [i])[0].rows, i)
        wire.ask("select name, id from item where id <= 7")
        self.expect({"select name, id from item where id <= ?": (6, 17)})

    def test_long_data(self):
        wire = self.traced()
        sid = wire.prepare("select length(?)")
        wire.send(my.long_data(sid, 0, b"x" * 100000), my.long_data(sid, 0, b"y" * 50))
        wire.send(my.command(0x17, struct.pack("<IBI", sid, 0, 1) + b"\0\1\xfd\0"))
        self.assertEqual(wire.results()[0].rows, 1)
        self.expect({"select length(?)": (1, 1)})

    def test_16_megabytes(self):
        """Packets that are continued, both ways."""
        wire = self.traced()
        self.assertEqual(wire.ask("select repeat('x', 40000000), 1")[0].rows, 1)
        self.assertEqual(wire.ask("select repeat('x', %d)" % (0xffffff - 4))[0].rows, 1)  # a row of just that length
        self.assertEqual(wire.ask("select length('%s')" % ("y" * 20000000))[0].rows, 1)
        self.assertEqual(wire.ask("select abs(1)")[0].rows, 1)
        report = self.report()
        self.assertEqual(report.coverage["lost"], {})
        self.assertEqual((report.coverage["seen"], sum(q["rows"] for q in report.queries)), (4, 4), report.brief())
        self.assertEqual(self.row(report, "select repeat('x', 4), 1")["count"], 1)
        self.assertEqual(self.row(report, "select repeat('x', 4)")["count"], 1)

    def test_transactions(self):
        wire = self.traced()
        for sql in ("begin", "update item set name = 'y' where id = 1", "rollback"):
            wire.ask(sql)
        self.expect({"begin": (1, 0), "update item set name = 'y' where id = 1": (1, 1), "rollback": (1, 0)})

    def test_database(self):
        wire = self.traced(database=None)
        wire.ask("select abs(1)")
        wire.ask("use information_schema")
        wire.ask("select abs(1)")
        wire.ask("use no_such_database")
        wire.ask("select sign(1)")
        wire.simple(my.command(2, mariadb.DATABASE))
        wire.ask("select abs(1)")
        report = self.report()
        found = sorted((q["text"], q.get("database", "")) for q in report.queries if "(" in q["text"])
        self.assertEqual(found, [("select abs(?)", ""), ("select abs(?)", mariadb.DATABASE), ("select abs(?)", "information_schema"),
                                 ("select sign(?)", "information_schema")])

    def test_change_user(self):
        server.sql("create or replace user other@localhost identified by 'secret'; grant all on *.* to other@localhost")
        wire = self.traced(transport="unix")
        wire.ask("select abs(1)")
        # With a wrong answer to an old seed: the server asks again.
        wire.send(my.command(17, b"other\0\x14" + b"x" * 20 + b"mysql\0\x2d\0mysql_native_password\0"))
        reply = wire.packet()
        self.assertEqual(reply[0], 0xfe)
        seed = reply[reply.index(b"\0") + 1:][:20]
        wire.send(my.packet(my.scramble(b"secret", seed), wire.seq + 1))
        self.assertEqual(wire.packet()[0], 0)
        wire.ask("select abs(1)")
        report = self.report()
        self.assert_complete(report, seen=3)
        found = sorted((q["text"], q["database"]) for q in report.queries if "(" in q["text"])
        self.assertEqual(found, [("select abs(?)", mariadb.DATABASE), ("select abs(?)", "mysql")])

    def test_compressed(self):
        wire = self.traced(capabilities=my.COMPRESS)
        for _ in range(5):
            wire.ask("select name from item where id <= 100 and name <> 'select 1'")
        report = self.report()
        self.assertEqual((report.queries, report.coverage["doubt"]), ([], {"unreadable_compressed": 1}))

    def test_compressed_before(self):
        for sql in ("select 1", "select name from item where id <= 100 and name <> 'select 1' and 1 = 1 and 1 = 1"):
            with self.subTest(sql=sql):
                wire = self.connect(capabilities=my.COMPRESS)
                self.trace()
                for _ in range(5):
                    wire.ask(sql)
                report = self.report()
                self.assertEqual((report.queries, report.coverage["doubt"]), ([], {"unreadable_compressed": 1}))

    def test_killed(self):
        wire = self.traced()
        timer = threading.Timer(0.3, lambda: server.sql("kill query %d" % wire.thread))
        timer.start()
        result, = wire.ask("select sleep(20), id from item")
        timer.join()
        self.assertEqual(result.error.code, 1317)
        timer = threading.Timer(0.2, lambda: server.sql("kill %d" % wire.thread))
        timer.start()
        with self.assertRaises((ConnectionError, AssertionError)):
            self.assertIsNone(wire.ask("select sleep(21)")[0].error)
        timer.join()
        report = self.report()
        row = self.row(report, "select sleep(20), id from item")
        self.assertEqual((row["errors_by_class"], row["sqlstate"]), ({"cancel": 1}, "70100"))
        self.assertGreater(row["latency_ns"]["min"], 250e6)

    def test_refused_login(self):
        self.trace()
        with self.assertRaises(my.Error):
            self.connect(password="wrong")
        wire = self.connect()
        wire.ask("select abs(1)")
        self.expect({"select abs(1)": (1, 1)})

    def test_packed(self):
        """Several commands in one send, without waiting."""
        wire = self.traced()
        sid = wire.prepare("select sign(?)")
        wire.send(query("select abs(1)") * 3 + execute(sid, [1]) * 2 + my.PING + query("select ceil(1.5)"))
        for _ in range(7):
            wire.results()
        report = self.report()
        self.assert_complete(report, seen=7)
        self.assertEqual([self.row(report, s)["count"] for s in ("select abs(1)", "select sign(?)", "select ceil(1.5)")], [3, 2, 1])

    def test_routines_are_one_statement(self):
        wire = self.traced()
        wire.ask("create or replace procedure three() begin select 1; select 2; if 1 then select 3; end if; end")
        wire.ask("create or replace trigger t before insert on note for each row begin set new.id = 1; set new.body = 'x'; end")
        wire.ask("drop trigger t; drop procedure three")
        report = self.report()
        self.assert_complete(report, seen=4)

    def test_empty(self):
        wire = self.traced()
        for sql in ("-- nothing", "/* nothing */", ""):  # an error or not, depending on the server
            wire.ask(sql)
            wire.ask("select abs(1)")
        self.expect({"select abs(1)": (3, 3)})


class Before(Case):
    """Connections that existed before sonde attached."""

    def test_queries(self):
        for transport in ("unix", "tcp"):
            with self.subTest(transport=transport):
                wire = self.connect(transport=transport)
                self.trace()
                wire.simple(my.PING)  # too short to tell
                for _ in range(3):
                    wire.ask("select abs(1)")
                wire.simple(my.PING)
                report = self.report()
                self.assert_complete(report, seen=4)
                self.assertEqual(self.row(report, "select abs(1)")["count"], 3)
                self.assertNotIn("database", report.queries[0])

    def test_prepared(self):
        for capabilities in (0, my.DEPRECATE_EOF):
            with self.subTest(capabilities=capabilities):
                wire = self.connect(capabilities=capabilities)
                sid = wire.prepare("select name from item where id <= ?")
                self.trace()
                for _ in range(6):
                    wire.run(sid, [3])
                other = wire.prepare("select abs(?)")
                wire.run(other, [1])
                report = self.report()
                self.assert_complete(report, seen=7)
                row, = [q for q in report.queries if q["text"].startswith("stmt")]
                self.assertEqual((row["text"], row["text_known"], row["count"], row["rows"]), ("stmt %d" % sid, False, 6, 18))
                self.assertEqual(self.row(report, "select abs(?)")["count"], 1)

    def test_bulk(self):
        wire = self.connect(capabilities=my.BULK_OPERATIONS | my.PROGRESS)
        sid = wire.prepare("insert into note (id) values (?)")
        self.trace()
        wire.send(my.bulk_execute(sid, [[i] for i in range(10)]))
        wire.results()
        row, = self.report().queries
        self.assertEqual((row["text"], row["count"], row["rows"]), ("stmt %d" % sid, 1, 10))

    def test_in_the_middle_of_rows(self):
        """The rest of a reply whose question nobody saw is passed by."""
        wire = self.connect()
        wire.send(query("select repeat('x', 1000) from seq_1_to_20000"))
        time.sleep(0.2)
        self.trace()
        wire.results()
        for _ in range(3):
            wire.ask("select abs(1)")
        report = self.report()
        self.assertEqual([(q["text"], q["count"]) for q in report.queries], [("select abs(?)", 3)], report.brief())


class Syscall(Common, Case):
    capture = "syscall"
    transport = "tcp"
    capabilities = my.DEPRECATE_EOF


class ServerSide(Common, Case):
    """The same from the server's end, which reads a packet's header and body by themselves."""

    role = "server"
    capabilities = my.DEPRECATE_EOF


if __name__ == "__main__":
    unittest.main()
