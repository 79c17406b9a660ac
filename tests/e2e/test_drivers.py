# SPDX-License-Identifier: GPL-2.0-only
"""test_drivers.py - real drivers of many languages, each doing the same known work (drivers/): sonde's counts equal the
driver's own and the server's, per statement; its latencies lie inside those of the driver's clock."""

import collections
import concurrent.futures
import hashlib
import importlib.util
import json
import os
import re
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import unittest

import certs
import clocks
import mariadb
import pg

HERE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "drivers")
BUILT = os.path.join(pg.O, "tests/e2e/drivers")
JAVA_DIR = "/usr/share/java"
ROUNDS = 200
AT_ONCE = 3  # drivers running at the same time

# What is measured beside the statement itself: the driver's own work before its first and after its last system call.
# Of the middle statement that is at most this; on a busy machine the driver waits for a processor, too: measured again.
DRIVER_WORK = {"sql": 0.1e6, "libmariadb": 0.1e6, "pdo": 0.1e6, "psycopg2": 0.2e6, "pymysql": 0.4e6, "redis_py": 0.3e6,
               "node_pg": 0.6e6, "mysql2": 0.6e6, "ioredis": 0.6e6, "jdbc": 1.0e6}
ATTEMPTS = 5

SQL = {
    "text": "SELECT name, qty FROM drv_items WHERE id = 1",
    "prepared": "SELECT qty FROM drv_items WHERE id = 1 AND qty >= 0",
    "insert": "INSERT INTO drv_log (id, note) VALUES (1, 'x')",
    "failing": "SELECT nope FROM drv_missing",
    "many": "SELECT id, name FROM drv_items WHERE id <= 50",
}
SCHEMA = ["create table drv_items (id int primary key, name varchar(40), qty int)",
          "insert into drv_items values " + ", ".join("(%d, 'item %d', %d)" % (i, i, i * 3) for i in range(1, 101)),
          "create table drv_log (id int primary key, note varchar(40))"]

Call = collections.namedtuple("Call", "count rows errors")


def node_modules():
    """Where scripts/setup.sh put the packages of package-lock.json."""
    with open(os.path.join(HERE, "package-lock.json"), "rb") as lock:
        version = hashlib.sha256(lock.read()).hexdigest()[:16]
    cache = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")
    return os.path.join(cache, "sonde", "node-" + version, "node_modules")


def wait_for(proc, ready, what, log):
    end = time.monotonic() + 30 * pg.PATIENCE
    while not ready():
        if proc.poll() is not None or time.monotonic() > end:
            with open(log, errors="replace") as file:
                raise RuntimeError("no %s: %s" % (what, file.read()[-2000:]))
        time.sleep(0.05)


class Postgres:
    """A database of its own for each driver; the server's numbers are those of pg_stat_statements."""

    system = "postgresql"
    kinds = tuple(SQL)

    def __init__(self):
        reason = pg.why_not()
        if reason:
            raise unittest.SkipTest(reason)
        self.cluster = pg.Cluster(scale=0)
        self.cluster.serve_tls()
        self.cluster.psql("create database drv")
        for statement in SCHEMA:
            self.cluster.psql(statement, "drv")

    def stop(self):
        self.cluster.stop()

    def prepare(self, name):
        self.cluster.psql("drop database if exists %s" % name)
        self.cluster.psql("create database %s template drv" % name)
        return {"DB_KIND": "postgresql", "DB_HOST": "127.0.0.1", "DB_PORT": str(self.cluster.port), "DB_USER": "postgres",
                "DB_PASSWORD": "any", "DB_NAME": name}

    def truth(self, name):
        """{id: calls} of what did not fail."""
        return {sid: (t.count, t.text) for sid, t in self.cluster.statements(name).items()}

    @staticmethod
    def not_counted(text):
        """pg_stat_statements leaves these out, whatever its settings."""
        return text.startswith(("deallocate ", "prepare ", "execute "))

    def id_of(self, kind):
        return pg.fingerprint(SQL[kind])


class Maria:
    """A database of its own for each driver; the server's numbers are those of its general log."""

    system = "mariadb"
    kinds = tuple(SQL)
    LINE = re.compile(r"^(?:\d{6} [ \d]\d:\d\d:\d\d)?\t+ *(\d+) ([A-Z][\w ]*?)\t(.*)$")

    def __init__(self):
        reason = mariadb.why_not()
        if reason:
            raise unittest.SkipTest(reason)
        self.dir = tempfile.mkdtemp(prefix="maria.")
        shutil.chown(self.dir, "mysql", "mysql")
        self.cert, key = certs.make(self.dir, "mysql")
        self.general = os.path.join(self.dir, "general.log")
        self.server = mariadb.Server({"ssl-cert": self.cert, "ssl-key": key, "general-log": 1, "general-log-file": self.general,
                                      "log-output": "FILE"})

    def stop(self):
        self.server.stop()
        shutil.rmtree(self.dir, ignore_errors=True)

    def prepare(self, name):
        self.server.sql("drop database if exists %s; create database %s" % (name, name), None)
        self.server.sql(";".join(SCHEMA), name)
        return {"DB_KIND": "mysql", "DB_HOST": "127.0.0.1", "DB_PORT": str(self.server.port), "DB_USER": mariadb.USER,
                "DB_PASSWORD": mariadb.PASSWORD, "DB_NAME": name, "DB_CA": self.cert}

    def truth(self, name):
        """{id: (calls, text)} of the last connection to the database, failed ones included."""
        self.server.sql("flush general logs", None)
        statements, connection = [], None
        with open(self.general, errors="replace") as log:
            for line in log:
                found = self.LINE.match(line)
                if not found:
                    continue
                number, command, argument = found.groups()
                if command == "Connect" and re.search(r" on %s using " % name, argument):
                    connection, statements = number, []
                elif number == connection and command in ("Query", "Execute"):
                    statements.append(argument)
        truth = {}
        for sid, text in mariadb.fingerprints(statements):
            truth[sid] = (truth.get(sid, (0,))[0] + 1, text)
        return truth

    @staticmethod
    def not_counted(text):
        return False

    def id_of(self, kind):
        return mariadb.fingerprint(SQL[kind])


class Redis:
    """A server of its own for each driver; its numbers are those of INFO commandstats."""

    system = "redis"

    def __init__(self):
        if os.geteuid() != 0:
            raise unittest.SkipTest("needs root")
        if not shutil.which("redis-server"):
            raise unittest.SkipTest("needs redis-server (scripts/setup.sh test)")
        self.dir = tempfile.mkdtemp(prefix="redis.")
        self.cert, self.key = certs.make(self.dir)
        self.servers = {}

    def stop(self):
        for proc, _ in self.servers.values():
            proc.kill()
            proc.wait()
        shutil.rmtree(self.dir, ignore_errors=True)

    def prepare(self, name):
        if name in self.servers:
            self.servers[name][0].kill()
            self.servers[name][0].wait()
        port, tls_port, log = pg.free_port(), pg.free_port(), os.path.join(self.dir, name + ".log")
        proc = subprocess.Popen([shutil.which("redis-server"), "--port", str(port), "--bind", "127.0.0.1", "--save", "", "--dir", self.dir,
                                 "--tls-port", str(tls_port), "--tls-cert-file", self.cert, "--tls-key-file", self.key,
                                 "--tls-auth-clients", "no", "--logfile", log], stdin=subprocess.DEVNULL)
        self.servers[name] = (proc, port)

        def answers():
            with socket.socket() as s:
                return s.connect_ex(("127.0.0.1", port)) == 0

        wait_for(proc, answers, "Redis", log)
        return {"DB_KIND": "redis", "DB_HOST": "127.0.0.1", "DB_PORT": str(port), "DB_TLS_PORT": str(tls_port)}

    def truth(self, name):
        """{command: Call} by the server's statistics."""
        with socket.create_connection(("127.0.0.1", self.servers[name][1])) as s:
            s.sendall(b"INFO commandstats\r\n")
            file = s.makefile("rb")
            text = file.read(int(file.readline()[1:])).decode()
        stats = {}
        for command, calls, rejected, failed in re.findall(
                r"^cmdstat_([\w|]+):calls=(\d+),.*rejected_calls=(\d+),failed_calls=(\d+)", text, re.M):
            stats[command.split("|")[0].upper()] = Call(int(calls), 0, int(rejected) + int(failed))
        return stats


def has_python(module):
    return None if importlib.util.find_spec(module) else "needs Python's %s" % module


def has_node(package):
    if not shutil.which("node"):
        return "needs node"
    return None if os.path.isdir(os.path.join(node_modules(), package)) else "needs npm's %s (scripts/setup.sh test)" % package


def has_php(extension):
    if not shutil.which("php"):
        return "needs php"
    modules = subprocess.run(["php", "-m"], stdout=subprocess.PIPE, text=True).stdout.split()
    return None if extension in modules else "needs PHP's " + extension


def has_built(name, why):
    return None if os.path.exists(os.path.join(BUILT, name)) else "needs %s, then: make test-drivers" % why


def java(jar):
    return ["java", "-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "-Xshare:auto", "-cp", BUILT + ":" + jar, "Jdbc"]


def has_java(jar):
    return has_built("Jdbc.class", "a JDK") or (None if os.path.exists(jar) else "needs " + jar)


PG_JAR, MARIA_JAR = JAVA_DIR + "/postgresql.jar", JAVA_DIR + "/mariadb-java-client.jar"
PHP = ["php", os.path.join(HERE, "pdo.php")]
DBAPI = [sys.executable, os.path.join(HERE, "dbapi.py")]
GO = [os.path.join(BUILT, "sql")]
GO_PACKAGES = "Go, golang-github-lib-pq-dev and golang-github-go-sql-driver-mysql-dev"

# name of the test: server, what its own work is called, program, why it cannot run
DRIVERS = {
    "pg_psycopg2": (Postgres, "psycopg2", DBAPI, lambda: has_python("psycopg2")),
    "pg_node": (Postgres, "node_pg", ["node", os.path.join(HERE, "node_pg.js")], lambda: has_node("pg")),
    "pg_jdbc": (Postgres, "jdbc", java(PG_JAR), lambda: has_java(PG_JAR)),
    "pg_go": (Postgres, "sql", GO, lambda: has_built("sql", GO_PACKAGES)),
    "pg_pdo": (Postgres, "pdo", PHP, lambda: has_php("pdo_pgsql")),
    "maria_jdbc": (Maria, "jdbc", java(MARIA_JAR), lambda: has_java(MARIA_JAR)),
    "maria_go": (Maria, "sql", GO, lambda: has_built("sql", GO_PACKAGES)),
    "maria_pdo": (Maria, "pdo", PHP, lambda: has_php("pdo_mysql")),
    "maria_mysql2": (Maria, "mysql2", ["node", os.path.join(HERE, "mysql2.js")], lambda: has_node("mysql2")),
    "maria_pymysql": (Maria, "pymysql", DBAPI, lambda: has_python("pymysql")),
    "maria_c": (Maria, "libmariadb", [os.path.join(BUILT, "libmariadb")], lambda: has_built("libmariadb", "libmariadb-dev")),
    "redis_py": (Redis, "redis_py", [sys.executable, os.path.join(HERE, "redis_py.py")], lambda: has_python("redis")),
    "redis_ioredis": (Redis, "ioredis", ["node", os.path.join(HERE, "ioredis.js")], lambda: has_node("ioredis")),
}

servers, runs, pool = {}, {}, None

with open(os.path.join(pg.TOP, "include/sonde/proto.def")) as rows:
    READS = re.findall(r'^SONDE_PROTO\w*\(\d+, \w+, "(\w+)"', rows.read(), re.M)

# Under TLS: Java has its own, in code that it compiles while it runs.
UNREADABLE = ("pg_jdbc", "maria_jdbc")


class Run:
    """One run of a driver under sonde: its report, what the driver says it did, what the server says."""

    def __init__(self, name, tls):
        kind, _, program, _ = DRIVERS[name]
        self.server = servers[kind]
        database = "drv_" + name + ("_tls" if tls else "")
        env = dict(os.environ, DB_ROUNDS=str(ROUNDS), DB_TLS="1" if tls else "0", NODE_PATH=node_modules(),
                   **self.server.prepare(database))
        if tls and "DB_TLS_PORT" in env:
            env["DB_PORT"] = env["DB_TLS_PORT"]
        self.where = "127.0.0.1:" + env["DB_PORT"]
        self.report = pg.run_program(program, env=env)
        self.told = json.loads(self.report.stdout)
        self.truth = self.server.truth(database)


def setUpModule():
    global pool
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    pool = concurrent.futures.ThreadPoolExecutor(AT_ONCE)
    unittest.addModuleCleanup(pool.shutdown)
    for kind in (Postgres, Maria, Redis):
        if kind.system not in READS:
            servers[kind] = "this sonde does not read " + kind.system
            continue
        try:
            servers[kind] = kind()
            unittest.addModuleCleanup(servers[kind].stop)
        except unittest.SkipTest as reason:
            servers[kind] = str(reason)
    for tls in (False, True):
        for name, (kind, _, _, why_not) in DRIVERS.items():
            if not isinstance(servers[kind], str) and not why_not():
                runs[name, tls] = pool.submit(Run, name, tls)


class Drivers(pg.TestCase):
    tls = False

    def result(self, name):
        kind, _, _, why_not = DRIVERS[name]
        reason = servers[kind] if isinstance(servers[kind], str) else why_not()
        if reason:
            self.skipTest(reason)
        return runs[name, self.tls].result()

    def check_unreadable(self, run):
        """Nothing was read, and that is said."""
        self.assertEqual(run.report.queries, [], run.report.brief())
        self.assertEqual(run.report.coverage["seen"], 0)
        self.assertGreater(run.report.coverage["doubt"].pop("unreadable_tls"), 0)
        self.assertEqual(run.report.coverage["doubt"], {})

    def check_sql(self, name):
        run = self.result(name)
        if self.tls and name in UNREADABLE:
            self.check_unreadable(run)
            return
        report, told = run.report, run.told
        self.assert_complete(report)
        found = report.by_id()
        truth = {sid: count for sid, (count, _) in run.truth.items()}
        for kind, want in told.items():
            self.assertEqual(want["count"], {"text": ROUNDS, "prepared": ROUNDS, "insert": 20}.get(kind, 1))
            sid = run.server.id_of(kind)
            rows = [q for q in report.queries if q["id"] == sid]
            self.assertEqual(len(rows), 1, "%s in\n%s" % (kind, report.brief()))
            self.assertEqual((kind, rows[0]["count"], rows[0]["rows"], rows[0]["errors"]),
                             (kind, want["count"], want["rows"], want["errors"]), report.brief())
            self.assertEqual((rows[0]["server"], rows[0]["db_system"]), (run.where, run.server.system))
            if want["errors"]:
                truth[sid] = want["count"]  # not every server counts what failed
        self.assertEqual({sid: (t.count, t.text) for sid, t in found.items() if not run.server.not_counted(t.text)},
                         {sid: (count, run.truth.get(sid, (0, found[sid].text if sid in found else sid))[1])
                          for sid, count in truth.items()}, report.brief())
        self.check_latency(name, run, run.server.id_of)

    def check_redis(self, name):
        run = self.result(name)
        self.assert_complete(run.report)
        by_command = {}
        for q in run.report.queries:
            command = q["text"].split()[0].upper()
            was = by_command.get(command, Call(0, 0, 0))
            by_command[command] = Call(was.count + q["count"], 0, was.errors + q["errors"])
        # The server does not count what it does not know: subcommands that came with a later version.
        known = {command: call for command, call in by_command.items() if command in run.truth or call.count != call.errors}
        self.assertEqual(known, run.truth, run.report.brief())
        by_text = {q["text"]: q for q in run.report.queries}
        for text, want in run.told.items():
            self.assertIn(text, by_text, run.report.brief())
            row = by_text[text]
            self.assertEqual((text, row["count"], row["errors"]), (text, want["count"], want["errors"]))
            self.assertEqual((row["server"], row["db_system"]), (run.where, "redis"))
        self.check_latency(name, run, lambda text: by_text[text]["id"])

    def check_latency(self, name, run, id_of):
        """Each of ours lies inside one of theirs; the middle ones are no further apart than the driver's own work, once."""
        met, apart = set(), {}
        for attempt in range(ATTEMPTS):
            for kind, want in run.told.items():
                if want["errors"] or len(want["ns"]) != want["count"]:  # a pipeline has one time for all
                    continue
                row = next(q for q in run.report.queries if q["id"] == id_of(kind))
                self.assertLessEqual(row["latency_ns"]["sum"], sum(want["ns"]), kind)
                theirs, ours = statistics.median(want["ns"]), row["latency_ns"]["p50"]
                # On a busy machine the two in the middle are far apart, and what lies between them is either's median.
                self.assertLessEqual(ours, sorted(want["ns"])[len(want["ns"]) // 2] * (1 + clocks.BUCKET) + 1000, kind)
                work = max(DRIVER_WORK[DRIVERS[name][1]], 2 * ours)  # a busy machine makes both slower
                if want["count"] >= ROUNDS and theirs - ours > work:
                    apart[kind] = "%s: driver %.0f us, sonde %.0f us" % (kind, theirs / 1e3, ours / 1e3)
                else:
                    met.add(kind)
            if met >= set(apart):
                return
            if attempt + 1 < ATTEMPTS:
                run = Run(name, self.tls)
        self.fail("; ".join(apart[kind] for kind in set(apart) - met))


class DriversTLS(Drivers):
    tls = True


def add_tests():
    for name, (kind, _, _, _) in DRIVERS.items():
        check = Drivers.check_redis if kind is Redis else Drivers.check_sql

        def test(self, name=name, check=check):
            check(self, name)

        test.__name__ = "test_" + name
        setattr(Drivers, test.__name__, test)


add_tests()

if __name__ == "__main__":
    unittest.main()
