# SPDX-License-Identifier: GPL-2.0-only
# TOGETHER: counts, of its own processes
# ALONE: Name Role test_duration: see every process, or measure time
"""test_filters.py - which processes and which ends of a connection are reported: -p, -c, --cgroup, --role, PROGRAM."""

import os
import shutil
import subprocess
import sys
import tempfile
import time
import unittest

import pg

SELECT = "select abalance from pgbench_accounts where aid = 1"

cluster = None

# Connects, says so, and at each line read, a number, executes as many statements. Argument: a word for the statement.
WORKER = """
import sys
import types
import pgwire
cluster = types.SimpleNamespace(dir=sys.argv[1], port=int(sys.argv[2]))
wire = pgwire.Wire(cluster)
print("ready", flush=True)
for line in sys.stdin:
    for i in range(int(line)):
        wire.ask("select i from generate_series(1, 2) as %s(i)" % sys.argv[3])
    print("done", flush=True)
"""


def setUpModule():
    global cluster
    cluster = pg.module_cluster()


class Worker:
    """A client with a connection open before anything else happens."""

    def __init__(self, word):
        self.statement = "select i from generate_series(1, 2) as %s(i)" % word
        self.proc = subprocess.Popen([sys.executable, "-c", WORKER, cluster.dir, str(cluster.port), word], text=True,
                                     env=dict(os.environ, PYTHONPATH=os.path.dirname(os.path.abspath(__file__))),
                                     stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.pid = self.proc.pid
        self.hear("ready")

    def hear(self, word):
        line = self.proc.stdout.readline()
        assert line == word + "\n", line

    def work(self, times):
        self.proc.stdin.write("%d\n" % times)
        self.proc.stdin.flush()
        self.hear("done")

    def end(self):
        self.proc.communicate()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.proc.kill()
        self.proc.communicate()


class Pids(pg.TestCase):
    def test_one_of_several(self):
        with Worker("a") as a, Worker("b") as b, Worker("c") as c:
            for args in (["-p", str(a.pid)], ["-p", "%d,%d" % (a.pid, b.pid)], ["-p", str(a.pid), "-p", str(b.pid)]):
                for capture in pg.captures():
                    with self.subTest(args=args, capture=capture), pg.Sonde(*args, "--capture", capture) as sonde:
                        for worker, times in ((a, 10), (b, 20), (c, 30)):
                            worker.work(times)
                        report = sonde.stop()
                        self.assertEqual(report.one(a.statement)["count"], 10)
                        self.assertEqual([q["count"] for q in report.rows_of(b.statement)], [20] if str(b.pid) in " ".join(args) else [])
                        self.assertEqual(report.rows_of(c.statement), [])
                        self.assertEqual({q["pid"] for q in report.queries} - {a.pid, b.pid}, set())

    def test_ends_while_traced(self):
        with Worker("a") as a, Worker("b") as b, pg.Sonde("-p", "%d,%d" % (a.pid, b.pid)) as sonde:
            a.work(5)
            b.work(6)
            a.end()
            time.sleep(0.5)
            b.work(7)
            b.end()
            report = sonde.finish()  # by itself, with the last of them
            self.assertEqual(report.code, 0)
            self.assertEqual((report.one(a.statement)["count"], report.one(b.statement)["count"]), (5, 13))
            self.assertEqual(report.one(a.statement)["rows"], 10)
            for worker in (a, b):
                self.assertIn("process %d ended" % worker.pid, report.stderr)
            self.assert_complete(report, seen=18)

    def test_duration(self):
        with Worker("a") as a, pg.Sonde("-p", str(a.pid), "-d", "1") as sonde:
            a.work(50)
            report = sonde.finish()
            a.work(50)  # goes on unharmed
            self.assertEqual(report.code, 0)
            self.assertEqual(report.one(a.statement)["count"], 50)
            self.assertAlmostEqual(report.json["window"]["duration_ns"] / 1e9, 1, delta=0.3 * pg.PATIENCE)


class Name(pg.TestCase):
    def test_comm(self):
        with tempfile.TemporaryDirectory(prefix="comm.") as tmp:
            name = "bench%d" % os.getpid()
            os.chmod(tmp, 0o755)
            shutil.copy(os.path.realpath(os.path.join(cluster.bindir, "pgbench")), os.path.join(tmp, name))
            for capture in pg.captures():
                with self.subTest(capture=capture):
                    cluster.reset_statements()
                    with pg.Sonde("-c", name, "--capture", capture) as sonde:
                        cluster.pgbench("-n", "-S", "-t", "20")
                        subprocess.run([os.path.join(tmp, name), "-n", "-S", "-j", "2", "-c", "2", "-t", "300"], check=True,
                                       env=cluster.env(), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
                        report = sonde.stop()
                    self.assertEqual({q["process"] for q in report.queries}, {name})
                    self.assertEqual(report.one(SELECT)["count"], 600)
                    self.assertEqual(cluster.statements()[pg.fingerprint(SELECT)].count, 620)
                    self.assert_complete(report)


class Cgroup(pg.TestCase):
    def setUp(self):
        with open("/proc/mounts") as mounts:
            found = [line.split()[1] for line in mounts if line.split()[2] == "cgroup2"]
        if not found:
            self.skipTest("no cgroup v2 mounted")
        self.dir = os.path.join(found[0], "sonde-test-%d" % os.getpid())
        try:
            os.makedirs(self.dir + "/inner")
        except OSError as error:
            self.skipTest("cannot make a cgroup in %s: %s" % (found[0], error))

    def tearDown(self):
        for path in (self.dir + "/inner", self.dir):
            for _ in range(50):
                try:
                    os.rmdir(path)
                    break
                except OSError:
                    time.sleep(0.1)

    def pgbench_in(self, cgroup, *args):
        subprocess.run(["sh", "-c", 'echo $$ > "$1/cgroup.procs" && shift && exec "$@"', "-", cgroup, "pgbench", "-n", "-S",
                        *args], env=cluster.env(), check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def test_cgroup(self):
        for capture in pg.captures():
            with self.subTest(capture=capture):
                with pg.Sonde("--cgroup", self.dir, "--capture", capture) as sonde:
                    cluster.pgbench("-n", "-S", "-t", "50")
                    self.pgbench_in(self.dir, "-t", "100")
                    self.pgbench_in(self.dir + "/inner", "-t", "200")
                    report = sonde.stop()
                self.assertEqual(sorted(q["count"] for q in report.rows_of(SELECT)), [100, 200])
                self.assert_complete(report)

    def test_not_a_cgroup(self):
        done = subprocess.run([pg.SONDE, "db", "-d", "1", "--cgroup", "/tmp"], stderr=subprocess.PIPE, text=True)
        self.assertEqual(done.returncode, 1)
        self.assertIn("/tmp is not a cgroup v2 directory", done.stderr)


class Role(pg.TestCase):
    """Both ends are on this machine."""

    def check(self, role, transport, capture):
        cluster.reset_statements()
        server = "127.0.0.1:%d" % cluster.port if transport == "tcp" else "%s/.s.PGSQL.%d" % (cluster.dir, cluster.port)
        with pg.Sonde("--role", role, "--capture", capture) as sonde:
            cluster.pgbench("-n", "-c", "4", "-j", "2", "-t", "150", "-M", "extended", tcp=transport == "tcp")
            report = sonde.stop()
        # There may be other servers on this machine.
        report.queries = [q for q in report.queries if q.get("server") == server and q.get("database") == pg.DATABASE]
        for one in ("client", "server"):
            if role in (one, "any"):
                self.assert_truth(cluster.statements(), report.by_id(one))
            else:
                self.assertEqual(report.by_id(one), {})
        if role != "client":
            rows = [q for q in report.rows_of(SELECT) if q["role"] == "server"]
            self.assertEqual(len({q["pid"] for q in rows}), 4)
            self.assertEqual({q["process"] for q in rows}, {"postgres"})
        if role == "any":  # the server's part of the time is less than what the client waits
            total = {r: sum(q["latency_ns"]["sum"] for q in report.queries if q["role"] == r) for r in ("client", "server")}
            self.assertLess(total["server"], total["client"])

    def test_roles(self):
        for role, transport, capture in (("client", "unix", "tracepoint"), ("server", "tcp", "tracepoint"),
                                         ("any", "unix", "tracepoint"), ("server", "unix", "syscall"),
                                         ("any", "tcp", "syscall")):
            if capture in pg.captures():
                with self.subTest(role=role, transport=transport, capture=capture):
                    self.check(role, transport, capture)

    def test_server_attached_later(self):
        with Worker("a") as worker:
            backend = int(cluster.psql("select pid from pg_stat_activity where datname = '%s'" % pg.DATABASE))
            with pg.Sonde("--role", "server", "-p", str(backend)) as sonde:
                worker.work(40)
                report = sonde.stop()
        row = report.one(worker.statement)
        self.assertEqual((row["count"], row["rows"], row["role"], row["process"], row["pid"]),
                         (40, 80, "server", "postgres", backend))
        self.assert_complete(report, seen=40)


class Program(pg.TestCase):
    def test_children(self):
        for capture in pg.captures():
            with self.subTest(capture=capture):
                cluster.reset_statements()
                report = pg.run_program(["sh", "-c", "pgbench -n -S -t 300 & (pgbench -n -S -t 400 &) ; pgbench -n -S -t 500; wait;"
                                         " sleep 1"], "--capture", capture, env=cluster.env())
                self.assertEqual(sorted(q["count"] for q in report.rows_of(SELECT)), [300, 400, 500])
                self.assert_truth(cluster.statements(), report.by_id())
                self.assert_complete(report)

    def test_others_are_not_its_children(self):
        with Worker("other") as other:
            other.work(1)
            report = pg.run_program(["sh", "-c", "sleep 0.3; pgbench -n -S -t 10; sleep 0.3"], env=cluster.env())
            other.work(1)
        self.assertEqual(report.rows_of(other.statement), [])
        self.assertEqual(report.one(SELECT)["count"], 10)

    def test_program_killed(self):
        report = pg.run_program(["sh", "-c", "pgbench -n -S -t 100; kill -9 $$"], env=cluster.env())
        self.assertEqual(report.one(SELECT)["count"], 100)
        self.assertIn("sh was ended by signal 9", report.stderr)


if __name__ == "__main__":
    unittest.main()
