# SPDX-License-Identifier: GPL-2.0-only
# TOGETHER: counts, of its own processes
"""test_explain.py - plans and advice from real servers: the index that is advised helps, nothing is written, nothing is left."""

import errno
import json
import os
import shutil
import subprocess
import time
import unittest

import mariadb
import pg

TOOL = os.path.join(pg.O, "tests/tools/explain")
ROWS = 50000
REFUSED = [
    "select 1; drop table orders", "drop table orders", "delete from orders", "with d as (delete from orders returning *) select * from d",
    "select * into copied from orders", "select * from orders for update", "update orders set total = 0", "begin", "commit",
    "select 1 -- \n; drop table orders", "explain analyze delete from orders", "select ')' ) ; drop table orders; --",
]


class Session:
    """The tool on one connection, which stays open between statements."""

    def __init__(self, dsn, *args, prefix=()):
        self.proc = subprocess.Popen([*prefix, TOOL, *args, dsn], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                     stderr=subprocess.PIPE, text=True)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.proc.communicate(timeout=30 * pg.PATIENCE)

    def run(self, sql, *params):
        self.proc.stdin.write(json.dumps([sql, list(params)]) + "\n")
        self.proc.stdin.flush()
        return self.answer()

    def answer(self):
        line = self.proc.stdout.readline()
        if not line:
            raise AssertionError("the tool died: %r" % (self.proc.communicate(),))
        return json.loads(line)


def explain(dsn, sql, *params, args=()):
    with Session(dsn, *args) as session:
        return session.run(sql, *params)


def refusal(dsn, prefix=()):
    """The answer of a tool that cannot connect."""
    with Session(dsn, prefix=prefix) as session:
        return session.answer()


class Case(unittest.TestCase):
    maxDiff = None

    def assert_code(self, answer, code):
        self.assertEqual(answer["code"], -code if code else 0, answer)
        if code:
            self.assertTrue(answer["error"], answer)
            self.assertNotIn("tree", answer)

    def statements(self, answer):
        self.assert_code(answer, 0)
        json.loads(answer["raw"])
        return [a["statement"] for a in answer["advice"] if "statement" in a]


def setUpModule():
    if not os.access(TOOL, os.X_OK):
        raise unittest.SkipTest("there is no %s: make test-programs" % TOOL)


class PostgreSQL(Case):
    @classmethod
    def setUpClass(cls):
        reason = pg.why_not()
        if reason:
            raise unittest.SkipTest(reason)
        cls.cluster = pg.Cluster(0)
        cls.addClassCleanup(cls.cluster.stop)
        cls.dsn = "postgresql://postgres@127.0.0.1:%d/%s" % (cls.cluster.port, pg.DATABASE)
        cls.sql("""
            create table customers (id int primary key, email varchar(80), city text);
            create table orders (id int primary key, customer_id int, status varchar(10), total numeric, created_at timestamp, note text);
            insert into customers select i, 'u' || i || '@x', 'c' || (i %% 50) from generate_series(1, 5000) i;
            insert into orders select i, i %% 5000, case i %% 3 when 0 then 'new' else 'done' end, i %% 977,
                timestamp '2024-01-01' + i * interval '1 minute', 'n' || i from generate_series(1, %d) i;
            create table log (a int);
            create function write_log() returns int language sql as 'insert into log values (1) returning a';
            create function lying() returns int immutable language plpgsql as 'begin return write_log(); end';
            create schema other;
            create table other.orders as select id, id as customer_id from orders;
            create table events (day date, id int) partition by range (day);
            create table events_1 partition of events for values from ('2024-01-01') to ('2024-02-01');
            create table events_2 partition of events for values from ('2024-02-01') to ('2024-03-01');
            insert into events select date '2024-01-01' + i %% 60, i from generate_series(0, %d) i;
            analyze""" % (ROWS, ROWS))

    @classmethod
    def sql(cls, sql):
        return cls.cluster.psql(sql, pg.DATABASE)

    def check_index(self, sql, *statements, params=(), args=(), used="advised_0"):
        """The advice is these indexes; with them there is none."""
        answer = explain(self.dsn, sql, *params, args=args)
        self.assertEqual(self.statements(answer), list(statements), answer)
        self.addCleanup(self.sql, "drop index if exists %s" % ", ".join("advised_%d, other.advised_%d" % (i, i) for i in
                                                                                      range(len(statements))))
        for i, statement in enumerate(statements):
            self.sql(statement.replace("INDEX CONCURRENTLY", "INDEX advised_%d" % i).replace("INDEX ON", "INDEX advised_%d ON" % i))
        after = explain(self.dsn, sql, *params, args=args)
        self.assertEqual(after["advice"], [], after)
        self.assertIn(used, after["raw"])
        return answer, after

    def test_filter(self):
        for args in ((), ("-a",)):
            with self.subTest(args=args):
                answer, after = self.check_index("select * from orders where customer_id = 42",
                                                 "CREATE INDEX CONCURRENTLY ON orders (customer_id)", args=args)
                self.assertIn("Seq Scan on orders", answer["tree"])
                self.assertIn("advised_0", after["tree"])
                self.assertEqual(answer["analyzed"], bool(args))
                self.assertEqual("10 found" in answer["tree"], bool(args), answer["tree"])
                self.doCleanups()

    def test_equal_and_range(self):
        self.check_index("select * from orders where created_at < '2024-01-03' and customer_id = 42 and status = 'new'",
                         "CREATE INDEX CONCURRENTLY ON orders (customer_id, status, created_at)")

    def test_order(self):
        self.check_index("select * from orders order by created_at desc limit 10",
                         "CREATE INDEX CONCURRENTLY ON orders (created_at)")

    def test_join(self):
        self.check_index("select * from customers c join orders o on o.customer_id = c.id where c.email = 'u7@x'",
                         "CREATE INDEX CONCURRENTLY ON orders (customer_id)", "CREATE INDEX CONCURRENTLY ON customers (email)")

    def test_prefix(self):
        self.check_index("select * from orders where note like 'n4999%'",
                         "CREATE INDEX CONCURRENTLY ON orders (note text_pattern_ops)")

    def test_other_schema(self):
        self.check_index("select * from other.orders o where o.customer_id = 42",
                         "CREATE INDEX CONCURRENTLY ON other.orders (customer_id)")

    def test_partitions(self):
        self.check_index("select * from events where id = 42", "CREATE INDEX ON events (id)", used="events_1_id_idx")

    def test_no_plain_index(self):
        for filter_, word in (("note like '%99'", "trigram"), ("lower(note) = 'n9'", "bare column"),
                              ("created_at::date = '2024-01-01'", "bare column"), ("note = 'n9' or total < 0", "OR")):
            with self.subTest(filter=filter_):
                answer = explain(self.dsn, "select * from orders where " + filter_)
                self.assertEqual(self.statements(answer), [])
                self.assertIn(word, answer["advice"][0]["text"])

    def test_nothing_to_advise(self):
        for sql in ("select * from orders where id = 42", "select * from orders where status = 'done'", "select count(*) from orders",
                    "select 1", "select * from orders limit 5", "select * from pg_class where relname = 'orders'"):
            answer = explain(self.dsn, sql, args=("-a",))
            self.assert_code(answer, 0)
            self.assertEqual(answer["advice"], [], sql)

    def test_sort_on_disk(self):
        answer = explain(self.dsn, "select * from orders order by note, total desc", args=("-a",))
        statements = self.statements(answer)
        self.assertRegex(statements[0], r"^SET work_mem = '\d+MB'$")
        method = self.sql(statements[0] + "; explain (analyze, costs off) select * from orders order by note, total desc")
        self.assertIn("quicksort", method, "what is advised keeps the sort in memory")

    def test_estimate(self):
        self.sql("create table grows (a int, b int); insert into grows values (1, 1); analyze grows;"
                 "insert into grows select 1, 1 from generate_series(1, 20000)")
        self.addCleanup(self.sql, "drop table grows")
        answer = explain(self.dsn, "select * from grows where a = 1", args=("-a",))
        self.assertEqual(self.statements(answer), ["ANALYZE grows"])
        self.sql("analyze grows")
        self.assertEqual(explain(self.dsn, "select * from grows where a = 1", args=("-a",))["advice"], [])

    def test_extended_statistics(self):
        self.sql("create table alike (a int, b int, c int); insert into alike select i % 100, i % 100, i % 100"
                 " from generate_series(1, 40000) i; analyze alike")
        self.addCleanup(self.sql, "drop table alike")
        sql = "select * from alike where a = 1 and b = 1 and c = 1"
        statements = self.statements(explain(self.dsn, sql, args=("-a",)))
        self.assertEqual(statements[1:], ["ANALYZE alike", "CREATE STATISTICS alike_a_b_c (dependencies, ndistinct, mcv) ON a, b, c "
                                          "FROM alike"])
        self.sql("; ".join(statements[2:0:-1]))
        after = self.statements(explain(self.dsn, sql, args=("-a",)))
        self.assertEqual(after, statements[:1], "the estimate is right now")

    def test_parameters(self):
        with Session(self.dsn, "-a") as session:
            self.check_parameters(session)

    def check_parameters(self, session):
        sql = "select * from orders where note = $1 and customer_id = $2 limit $3"
        answer = session.run(sql, "n42", "42", "5")
        self.assertIn("(1 row expected, 1 found", answer["tree"].splitlines()[1])
        for hostile in ("x' or '1' = '1", "x\\' or 1 = 1 --", "'; drop table orders; --", "$1", "\u2019"):
            answer = session.run(sql, hostile, "42", "5")
            self.assert_code(answer, 0)
            self.assertIn(" 0 found", answer["tree"].splitlines()[1])
        self.assert_code(session.run(sql, "n42", None, None), 0)
        self.assert_code(session.run(sql, "n42"), errno.EINVAL)
        self.assert_code(session.run("select * from orders where id = $1", "no number"), errno.EPROTO)
        answer = session.run(sql)
        if int(self.sql("show server_version_num")) >= 160000:
            self.assert_code(answer, 0)
            self.assertEqual((answer["generic"], answer["analyzed"]), (True, False))
        else:
            self.assert_code(answer, errno.ENOTSUP)
        self.assertEqual(self.sql("select count(*) from orders"), str(ROWS))

    def test_refused(self):
        self.cluster.reset_statements()
        with Session(self.dsn, "-a") as session:
            for sql in REFUSED:
                self.assert_code(session.run(sql), errno.EPERM)
        self.assertEqual(self.sql("select count(*) from orders"), str(ROWS))
        seen = self.cluster.psql("select query from pg_stat_statements where query !~ '^select'", "postgres")
        self.assertEqual(seen, "SELECT pg_stat_statements_reset()" if seen else "", "not even a transaction was begun")

    def test_functions_that_write(self):
        with Session(self.dsn, "-a") as session:
            for sql in ("select write_log()", "select lying()", "select nextval('s')",
                        "select set_config('transaction_read_only', 'off', true), write_log()"):
                answer = session.run(sql)
                self.assertLess(answer["code"], 0, answer)
            self.assertIn("read-only", session.run("select write_log()")["error"])
            self.assert_code(session.run("select write_log()"), errno.EPERM)
        # Planning alone calls what claims to be immutable.
        self.assert_code(explain(self.dsn, "select lying()"), errno.EPERM)
        self.assertEqual(self.sql("select count(*) from log"), "0")
        # Before 16 a read-only transaction lets these write, and then is rolled back.
        explain(self.dsn, "select lo_creat(-1)", args=("-a",))
        self.assertEqual(self.sql("select count(*) from pg_largeobject_metadata"), "0")

    def test_timeout(self):
        with Session(self.dsn, "-a", "-t", "300") as session:
            begin = time.monotonic()
            self.assert_code(session.run("select pg_sleep(60)"), errno.ETIMEDOUT)
            self.assertLess(time.monotonic() - begin, 10 * pg.PATIENCE)
            self.assert_code(session.run("select 1"), 0)

    def test_waiting_for_a_lock(self):
        locker = subprocess.Popen(["psql", "-X", "-q"], env=self.cluster.env(), stdin=subprocess.PIPE, text=True)
        locker.stdin.write("begin; lock table log in access exclusive mode;\n")
        locker.stdin.flush()
        end = time.monotonic() + 10 * pg.PATIENCE
        while self.sql("select count(*) from pg_locks where relation = 'log'::regclass") == "0" and time.monotonic() < end:
            time.sleep(0.05)
        self.assert_code(explain(self.dsn, "select * from log", args=("-t", "300")), errno.ETIMEDOUT)
        locker.communicate("rollback;\n")

    def test_nothing_is_left(self):
        where = "datname = '%s' and application_name = 'sonde'" % pg.DATABASE
        with Session(self.dsn, "-a") as session:
            for sql in ("select * from orders where customer_id = 1", "select pg_advisory_lock(7)", "select no_such_column",
                        "select write_log()", "select set_config('work_mem', '1MB', false)", "drop table orders"):
                session.run(sql)
                self.assertEqual(self.sql("select state, xact_start is null from pg_stat_activity where " + where), "idle|t", sql)
                self.assertEqual(self.sql("select count(*) from pg_locks l join pg_stat_activity a using (pid) where " + where), "0", sql)
            self.assertEqual(self.sql("select count(*) from pg_stat_activity where " + where), "1")
        self.assertEqual(self.sql("select count(*) from pg_stat_activity where " + where), "0")

    def test_server_goes_away(self):
        with Session(self.dsn, "-a") as session:
            self.assert_code(session.run("select 1"), 0)
            self.sql("select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'sonde'")
            self.assert_code(session.run("select 1"), errno.ECONNRESET)
            self.assert_code(session.run("select 1"), errno.ECONNRESET)

    def test_dsn_forms(self):
        for dsn in ("host=127.0.0.1 port=%d user=postgres dbname=%s" % (self.cluster.port, pg.DATABASE),
                    "postgres://postgres@127.0.0.1:%d/%s?connect_timeout=3" % (self.cluster.port, pg.DATABASE),
                    "host=%s port=%d user=postgres dbname=%s" % (self.cluster.dir, self.cluster.port, pg.DATABASE)):
            self.assert_code(explain(dsn, "select 1"), 0)
        self.assert_code(refusal("postgresql://u:sec%zzret@127.0.0.1/d"), errno.EINVAL)
        self.assert_code(refusal("host=127.0.0.1 nonsense=1"), errno.EINVAL)
        answer = refusal("postgresql://u:secret@127.0.0.1:%d/d" % pg.free_port())
        self.assert_code(answer, errno.ECONNREFUSED)
        self.assertNotIn("secret", answer["error"])
        answer = refusal("postgresql://postgres:secret@127.0.0.1:%d/nowhere" % self.cluster.port)
        self.assert_code(answer, errno.ECONNREFUSED)
        self.assertIn("nowhere", answer["error"])
        self.assertNotIn("secret", answer["error"])


class MariaDB(Case):
    @classmethod
    def setUpClass(cls):
        reason = mariadb.why_not()
        if reason:
            raise unittest.SkipTest(reason)
        cls.server = mariadb.Server()
        cls.addClassCleanup(cls.server.stop)
        cls.dsn = "mysql://%s:%s@127.0.0.1:%d/%s" % (mariadb.USER, mariadb.PASSWORD, cls.server.port, mariadb.DATABASE)
        cls.server.sql("""
            create table customers (id int primary key, email varchar(80), city text);
            create table orders (id int primary key, customer_id int, status varchar(10), total decimal(10, 2), created_at datetime, note text);
            insert into customers select seq, concat('u', seq, '@x'), concat('c', seq %% 50) from seq_1_to_5000;
            insert into orders select seq, seq %% 5000, if(seq %% 3, 'done', 'new'), seq %% 977,
                date_add('2024-01-01 00:00:00', interval seq minute), concat('n', seq) from seq_1_to_%d;
            create table log (a int) engine=innodb;
            delimiter //
            create function write_log() returns int begin insert into log values (1); return 1; end//
            delimiter ;
            analyze table orders, customers""" % ROWS)

    def check_index(self, sql, *statements, params=(), args=()):
        answer = explain(self.dsn, sql, *params, args=args)
        self.assertEqual(self.statements(answer), list(statements), answer)
        for statement in statements:
            words = statement.split()
            self.server.sql(statement)
            self.addCleanup(self.server.sql, "drop index %s on %s" % (words[2], words[4]))
        after = explain(self.dsn, sql, *params, args=args)
        self.assertEqual(after["advice"], [], after)
        self.assertIn(statements[0].split()[2], after["raw"])
        return answer, after

    def test_filter(self):
        for args in ((), ("-a",)):
            with self.subTest(args=args):
                answer, after = self.check_index("select * from orders where customer_id = 42",
                                                 "CREATE INDEX orders_customer_id ON orders (customer_id)", args=args)
                self.assertIn("Full scan on orders", answer["tree"])
                self.assertIn("using orders_customer_id", after["tree"])
                self.assertEqual(answer["analyzed"], bool(args))
                self.doCleanups()

    def test_equal_and_range(self):
        self.check_index("select * from orders o where created_at < '2024-01-03' and customer_id = 42 and status = 'new'",
                         "CREATE INDEX orders_customer_id_status_created_at ON orders (customer_id, `status`, created_at)")

    def test_text_column(self):
        self.check_index("select * from orders where note = 'n7'", "CREATE INDEX orders_note ON orders (note(64))")

    def test_order(self):
        self.check_index("select * from orders order by created_at desc limit 10",
                         "CREATE INDEX orders_created_at ON orders (created_at)")

    def test_join(self):
        self.check_index("select * from customers c join orders o on o.customer_id = c.id where c.email = 'u7@x'",
                         "CREATE INDEX orders_customer_id ON orders (customer_id)",
                         "CREATE INDEX customers_email ON customers (email)")

    def test_filesort_and_temporary(self):
        texts = [a["text"] for a in explain(self.dsn, "select * from orders order by note")["advice"]]
        self.assertEqual(len(texts), 1)
        self.assertIn("filesort", texts[0])
        texts = [a["text"] for a in explain(self.dsn, "select status, count(*) from orders group by status")["advice"]]
        self.assertEqual(len(texts), 1)
        self.assertIn("temporary table", texts[0])

    def test_nothing_to_advise(self):
        for sql in ("select * from orders where id = 42", "select 1", "select * from orders limit 5", "select count(*) from customers"):
            self.assertEqual(explain(self.dsn, sql)["advice"], [], sql)

    def test_parameters(self):
        with Session(self.dsn, "-a") as session:
            sql = "select * from orders where note = ? and customer_id = ? limit ?"
            self.assertIn(" 1 found", session.run(sql, "n42", "42", "5")["tree"])
            for hostile in ("x' or '1' = '1", "x\\' or 1 = 1 -- ", "'; drop table orders; -- ", "?", "\u2019", 'a"b', "\t\\\""):
                answer = session.run(sql, hostile, "42", "5")
                self.assert_code(answer, 0)
                self.assertIn(" 0 found", answer["tree"])
            self.assert_code(session.run(sql, "n42", "42", "5; drop table orders"), errno.EPROTO)
            self.assert_code(session.run(sql, "n42"), errno.EINVAL)
            self.assert_code(session.run(sql), errno.ENOTSUP)
        self.assertEqual(self.server.sql("select count(*) from orders"), str(ROWS))

    def test_refused(self):
        self.server.start_log()
        with Session(self.dsn, "-a") as session:
            for sql in REFUSED + ["select 1 into outfile '/tmp/x'", "select 1 /*! into @a */", "select 1 --1 into @a"]:
                self.assert_code(session.run(sql), errno.EPERM)
        self.assertEqual([text for _, command, text in self.server.logged() if command == "Query"], ["SELECT @@sql_mode"])

    def test_sql_modes(self):
        """What ends a string is the server's to say."""
        self.addCleanup(self.server.sql, "set global sql_mode = default", None)
        self.server.sql("set global sql_mode = 'NO_BACKSLASH_ESCAPES'", None)
        self.assert_code(explain(self.dsn, "select '\\'; drop table orders; -- '"), errno.EPERM)
        self.assert_code(explain(self.dsn, "select '\\'"), 0)
        self.server.sql("set global sql_mode = 'ANSI_QUOTES'", None)
        self.assert_code(explain(self.dsn, "select \"id\" from \"orders\" where \"customer_id\" = 42"), 0)

    def test_functions_that_write(self):
        answer = explain(self.dsn, "select write_log() from orders", args=("-a",))
        self.assert_code(answer, errno.EPERM)
        self.assertIn("READ ONLY", answer["error"])
        self.assertEqual(self.server.sql("select count(*) from log"), "0")

    def test_timeout(self):
        with Session(self.dsn, "-a", "-t", "300") as session:
            begin = time.monotonic()
            self.assert_code(session.run("select sleep(60) from orders"), errno.ETIMEDOUT)
            self.assertLess(time.monotonic() - begin, 10 * pg.PATIENCE)
            self.assert_code(session.run("select 1"), 0)

    def test_nothing_is_left(self):
        sessions = "select count(*) from information_schema.processlist where user = '%s'" % mariadb.USER
        with Session(self.dsn, "-a") as session:
            for sql in ("select * from orders where customer_id = 1", "select get_lock('left', 0) from orders limit 1", "select nothing",
                        "select write_log() from orders", "drop table orders"):
                session.run(sql)
                self.assertEqual(self.server.sql("select count(*) from information_schema.innodb_trx"), "0", sql)
                self.assertEqual(self.server.sql("select is_free_lock('left')"), "1", sql)
            self.assertEqual(self.server.sql(sessions), "1")
        self.assertEqual(self.server.sql(sessions), "0")

    def test_server_goes_away(self):
        with Session(self.dsn, "-a") as session:
            self.assert_code(session.run("select 1"), 0)
            session_id = self.server.sql("select id from information_schema.processlist where user = '%s'" % mariadb.USER)
            self.server.sql("kill %s" % session_id)
            self.assert_code(session.run("select 1"), errno.ECONNRESET)
            self.assert_code(session.run("select 1"), errno.ECONNRESET)

    def test_dsn_forms(self):
        login = "%s:%s" % (mariadb.USER, mariadb.PASSWORD)
        self.assert_code(explain("mysql://%s@/%s?socket=%s" % (login, mariadb.DATABASE, self.server.socket), "select 1"), 0)
        self.assert_code(explain("mariadb://%s@127.0.0.1:%d" % (login, self.server.port), "select 1"), 0)
        self.assert_code(refusal("mysql://h:port/d"), errno.EINVAL)
        answer = refusal("mysql://%s:secret@127.0.0.1:%d/d" % (mariadb.USER, self.server.port))
        self.assert_code(answer, errno.ECONNREFUSED)
        self.assertNotIn("secret", answer["error"])


class Libraries(Case):
    """A machine without the client library: an empty file in its place, for one process."""

    @unittest.skipUnless(os.geteuid() == 0 and shutil.which("unshare") and shutil.which("ldconfig"), "needs root and unshare")
    def test_missing(self):
        known = subprocess.run(["ldconfig", "-p"], stdout=subprocess.PIPE, text=True, check=True).stdout
        for library, package, dsn in (("libpq.so.5", "libpq5", "host=127.0.0.1"), ("libmariadb.so.3", "libmariadb3", "mysql://u@h/d")):
            paths = [line.split()[-1] for line in known.splitlines() if line.split()[0] == library]
            hide = "".join("mount --bind /dev/null %s; " % os.path.realpath(path) for path in paths)
            answer = refusal(dsn, prefix=("unshare", "-m", "sh", "-c", hide + 'exec "$@"', "sh"))
            self.assert_code(answer, errno.ELIBACC)
            self.assertIn("Debian package %s" % package, answer["error"])


if __name__ == "__main__":
    unittest.main()
