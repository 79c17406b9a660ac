# SPDX-License-Identifier: GPL-2.0-only
#
# test_faults_ends.py - what ends in the middle: clients, servers, sonde itself. Counts stay exact, nothing is left behind.
#
# TIMEOUT: 1800
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import unittest

import fault
import pg

STOPPED_SECONDS = 30 if fault.LONG else 5
KILLS = 100 if fault.LONG else 10

redis = cluster = None


def setUpModule():
    global redis, cluster
    redis, cluster = fault.module(redis=True, cluster=1)


class Client:
    """A Python program under a name of its own, driven a line at a time: it says "ok" to each."""

    def __init__(self, script, *args, env=None):
        self.proc = subprocess.Popen([sys.executable, "-c", script, *args], text=True, stdin=subprocess.PIPE,
                                     stdout=subprocess.PIPE, env=env)
        self.pid = self.proc.pid
        self.hear()

    def hear(self):
        line = self.proc.stdout.readline()
        if line != "ok\n":
            raise AssertionError("the client says %r" % line)

    def tell(self, line=""):
        self.proc.stdin.write(line + "\n")
        self.proc.stdin.flush()

    def ask(self, line=""):
        self.tell(line)
        self.hear()

    def kill(self):
        self.proc.kill()
        self.proc.wait()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.kill()
        self.proc.communicate()


# Executes each line of its input; libpq's parameters, or a path.
POSTGRESQL = r"""
import psycopg2, sys
c = psycopg2.connect(host=sys.argv[1], port=sys.argv[2], user="postgres", dbname="bench", sslmode="disable",
                     gssencmode="disable")
c.autocommit = True
k = c.cursor()
print("ok", flush=True)
for line in sys.stdin:
    try:
        k.execute(line)
    except psycopg2.OperationalError:
        print("ok", flush=True)
        sys.stdin.read()
        break
    print("ok", flush=True)
"""

REDIS = r"""
import socket, sys
s = socket.socket(socket.AF_UNIX if "/" in sys.argv[1] else socket.AF_INET)
s.connect(sys.argv[1] if "/" in sys.argv[1] else ("127.0.0.1", int(sys.argv[1])))
print("ok", flush=True)
for line in sys.stdin:
    words = line.encode().split()
    s.sendall(b"*%d\r\n" % len(words) + b"".join(b"$%d\r\n%s\r\n" % (len(w), w) for w in words))
    try:
        got = s.recv(65536)
    except ConnectionResetError:
        got = b""
    print("ok", flush=True)
    if not got:
        sys.stdin.read()
"""

SQLITE = r"""
import sqlite3, sys
db = sqlite3.connect(":memory:", isolation_level=None)
print("ok", flush=True)
for line in sys.stdin:
    db.execute(line).fetchall()
    print("ok", flush=True)
"""

FOREVER = "with recursive n(i) as (select 1 union all select i + 1 from n) select count(*) from n"


def backends():
    """Server processes that execute something for the tests' database."""
    return [int(pid) for pid in cluster.psql(
        "select pid from pg_stat_activity where datname = 'bench' and state = 'active'").split()]


class Targets(fault.TestCase):
    N = 20

    def test_killed(self):
        """Each asks N times; then it is killed while its last statement runs."""
        clients = [Client(POSTGRESQL, cluster.host(False), str(cluster.port)),
                   Client(POSTGRESQL, "127.0.0.1", str(cluster.port)), Client(REDIS, redis.path),
                   Client(REDIS, str(redis.port)), Client(SQLITE)]
        lines = [("select 1", "select pg_sleep(60)")] * 2 + [("GET a", "BLPOP nothing 60")] * 2 + [("select 1", FOREVER)]
        cluster.reset_statements()
        redis.reset()
        with fault.Sonde("-p", ",".join(str(c.pid) for c in clients)) as sonde:
            for client, (short, long) in zip(clients, lines):
                for _ in range(self.N):
                    client.ask(short)
                client.tell(long)
            fault.wait_for("two backends sleep", lambda: len(backends()) == 2)
            fault.wait_for("two clients of Redis wait",
                           lambda: "blocked_clients:2" in redis.cli("info", "clients"))
            time.sleep(0.5)
            for client in clients:
                client.kill()
            code, out, err = sonde.wait()  # ends with the last of them
            report = pg.parse(out, code, err)
        for client in clients:
            client.__exit__()
        for pid in backends():
            cluster.psql("select pg_terminate_backend(%d)" % pid)
        self.assertEqual(redis.truth()["get"], (2 * self.N, 0))
        self.assertEqual([t.count for t in cluster.statements().values() if t.text == "select ?"], [2 * self.N])
        self.assert_balance(report, 5 * self.N + 5, attributed=5 * self.N, outstanding=0, lost={"closed": 5})
        self.assert_small(sonde)
        self.row("target killed", "five clients (PostgreSQL and Redis over unix and TCP, SQLite) killed with -9 while a "
                 "statement ran", "what had completed is counted, the rest is lost for one reason; sonde ends with them",
                 "100 attributed, 5 closed, none outstanding")

    def test_outstanding(self):
        """What still runs when sonde ends is told apart from what has ended with its connection."""
        with Client(POSTGRESQL, cluster.host(False), str(cluster.port)) as dies, \
                Client(POSTGRESQL, cluster.host(False), str(cluster.port)) as lives:
            with fault.Sonde("--no-findings", "-p", "%d,%d" % (dies.pid, lives.pid)) as sonde:
                for client in (dies, lives):
                    client.tell("select pg_sleep(60)")
                fault.wait_for("two backends sleep", lambda: len(backends()) == 2)
                dies.kill()
                report = sonde.stop()
        for pid in backends():
            cluster.psql("select pg_terminate_backend(%d)" % pid)
        self.assert_balance(report, 2, attributed=0, outstanding=1, lost={"closed": 1} if pg.have_tracepoints() else {})
        self.row("sonde ends first", "one of two clients killed while its statement ran, then sonde ended",
                 "the living one's statement is outstanding, the other lost", "1 outstanding, 1 closed")

    def test_server_killed(self):
        """A backend told to end, a backend killed, a server killed."""
        own = fault.Redis()
        with Client(POSTGRESQL, cluster.host(False), str(cluster.port)) as told, \
                Client(POSTGRESQL, "127.0.0.1", str(cluster.port)) as shot, Client(REDIS, own.path) as unix, \
                Client(REDIS, str(own.port)) as tcp:
            clients = (told, shot, unix, tcp)
            with fault.Sonde("--no-findings", "-p", ",".join(str(c.pid) for c in clients)) as sonde:
                told.tell("select pg_sleep(60), 'told'")
                fault.wait_for("it sleeps", lambda: len(backends()) == 1)
                cluster.psql("select pg_terminate_backend(%d)" % backends()[0])
                told.hear()
                shot.tell("select pg_sleep(60)")
                fault.wait_for("it sleeps", lambda: len(backends()) == 1)
                os.kill(backends()[0], signal.SIGKILL)
                shot.hear()
                for client in (unix, tcp):
                    client.ask("GET a")
                    client.tell("BLPOP nothing 60")
                fault.wait_for("two clients wait", lambda: "blocked_clients:2" in own.cli("info", "clients"))
                own.proc.kill()
                own.proc.wait()
                unix.hear()
                tcp.hear()
                report = sonde.stop()
        own.stop()
        fault.wait_for("the server has recovered", self.recovered)
        cov = report.coverage
        self.assertEqual(cov["seen"], 6)
        self.assertEqual(cov["outstanding"], 0, cov)
        self.assertEqual(cov["attributed"] + sum(cov["lost"].values()), 6)
        # Told to end, a backend answers first; killed, its crash may be told to the client by nobody.
        self.assertEqual(cov["lost"], {"closed": 3}, cov)
        terminated = [q for q in report.queries if q["errors"]]
        self.assertEqual([(q["count"], q["sqlstate"]) for q in terminated], [(1, "57P01")])
        self.row("server killed", "PostgreSQL backend terminated; another, and a Redis with two clients, killed with -9 while "
                 "they worked", "an answer, if there was one, is counted as an error, the rest is lost for one reason",
                 "2 answered, 1 error 57P01, 3 closed, none outstanding")

    def recovered(self):
        try:
            return cluster.psql("select 1") == "1"
        except RuntimeError:
            return False


def next_pid(pid):
    """The next process of this pid namespace gets number @pid, if nobody else is quicker."""
    with open("/proc/sys/kernel/ns_last_pid", "w") as f:
        f.write(str(pid - 1))


class Pids(fault.TestCase):
    def again(self, pid, script, *args):
        """Another client with the number of one that is gone; None if it cannot be had."""
        for _ in range(200):
            next_pid(pid)
            client = Client(script, *args)
            if client.pid == pid:
                return client
            client.__exit__()
        return None

    def test_reused(self):
        """A number that is asked for goes to another program."""
        try:
            next_pid(os.getpid())
        except OSError as e:
            self.skipTest("needs a writable /proc/sys/kernel/ns_last_pid: %s" % e)
        redis.reset()
        with Client(REDIS, redis.path) as stays, Client(REDIS, redis.path) as goes:
            with fault.Sonde("--no-findings", "-p", "%d,%d" % (stays.pid, goes.pid)) as sonde:
                for client in (stays, goes):
                    for _ in range(10):
                        client.ask("GET traced")
                goes.kill()
                other = self.again(goes.pid, REDIS, redis.path)
                if not other:
                    self.skipTest("the number was not to be had")
                with other:
                    for _ in range(7):
                        other.ask("GET stranger")
                stays.ask("GET traced")
                report = sonde.stop()
        self.assertEqual(redis.truth()["get"], (28, 0))
        self.assert_balance(report, 21, attributed=21, outstanding=0, lost={})
        self.assertEqual({q["text"] for q in report.queries}, {"GET traced"})
        # Without a filter both are told, each as itself.
        with fault.Sonde("--no-findings") as sonde:
            first = Client(REDIS, redis.path)
            first.ask("GET reused")
            first.kill()
            second = self.again(first.pid, REDIS, redis.path)
            if not second:
                self.skipTest("the number was not to be had")
            with second:
                second.ask("GET reused")
                report = sonde.stop()
            first.__exit__()
        found = [q for q in report.queries if q["text"] == "GET reused"]
        self.assertEqual([(q["pid"], q["count"]) for q in found], [(second.pid, 1)] * 2)
        self.row("pid reuse", "a traced process ended, another got its number (ns_last_pid)",
                 "-p: the other is not traced; no filter: two rows", "21 of 21, none of the other's 7; two rows")


class Stopped(fault.TestCase):
    def test_stopped(self):
        """Under load, for a while; it loses nothing, and the load does not wait for it."""
        cluster.reset_statements()
        with fault.Program(cluster, "pgbench") as program, fault.Sonde("-c", program.comm) as sonde:
            bench = program.start("-n", "-S", "-c", "2", "-P", "1", "-T", str(STOPPED_SECONDS + 4))
            time.sleep(2)
            sonde.pause()
            time.sleep(STOPPED_SECONDS)
            sonde.go_on()
            said = bench.communicate()[0]
            report = sonde.stop()
        self.assertEqual(bench.returncode, 0, said)
        done = int(re.search(r"transactions actually processed: (\d+)", said)[1])
        failed = int(re.search(r"failed transactions: (\d+)", said)[1])
        truth = cluster.statements()
        self.assertEqual(failed, 0)
        self.assert_truth(truth, report.by_id())
        total = sum(t.count for t in truth.values())
        self.assert_balance(report, total, attributed=total, outstanding=0, lost={})
        self.assertGreaterEqual(total, done)
        rates = [float(n) for n in re.findall(r"progress: .* s, ([\d.]+) tps", said)]
        self.assertGreater(min(rates), 0, said)
        self.assert_small(sonde)
        self.row("sonde stopped", "SIGSTOP for %d s under pgbench -S, then SIGCONT" % STOPPED_SECONDS,
                 "counts equal pg_stat_statements; no second without transactions; none failed",
                 "%d of %d, %.0f to %.0f a second" % (report.coverage["attributed"], total, min(rates), max(rates)))


# Calls what is probed without end: SQLite, TLS to itself, PostgreSQL's socket.
BUSY = r"""
import sqlite3, ssl, sys, threading
context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
context.check_hostname = False
context.verify_mode = ssl.CERT_NONE
server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
server.load_cert_chain(sys.argv[1])
a, b = ssl.MemoryBIO(), ssl.MemoryBIO()
c, d = context.wrap_bio(a, b), server.wrap_bio(b, a, server_side=True)
done = False
while not done:
    done = True
    for end in (c, d):
        try:
            end.do_handshake()
        except ssl.SSLWantReadError:
            done = False
count = 0
def work():
    global count
    while True:
        db.execute("insert into t values (?)", (count,))
        c.write(b"ping")
        assert d.read(4) == b"ping"
        count += 1
thread = threading.Thread(target=work, daemon=True)
db = sqlite3.connect(":memory:", isolation_level=None, check_same_thread=False)
db.execute("create table t (a)")
thread.start()
print("ok", flush=True)
for line in sys.stdin:
    was = count
    while thread.is_alive() and count < was + 100:
        pass
    assert thread.is_alive()
    print("ok", flush=True)
"""


def mapped(pid, *libraries):
    """Files of these libraries that a process has mapped."""
    with open("/proc/%d/maps" % pid) as maps:
        paths = {line.split()[-1] for line in maps if "/" in line}
    return {path for path in paths if os.path.basename(path).startswith(libraries)}


def patched(pid, *libraries):
    """Bytes of these libraries' code that differ in the memory of @pid from the file: {library: number}."""
    found = {}
    with open("/proc/%d/maps" % pid) as maps, open("/proc/%d/mem" % pid, "rb", 0) as mem:
        for line in maps:
            words = line.split()
            name = os.path.basename(words[-1])
            if "x" not in words[1] or not name.startswith(libraries):
                continue
            begin, end = (int(n, 16) for n in words[0].split("-"))
            mem.seek(begin)
            there = mem.read(end - begin)
            with open(words[5], "rb") as f:
                f.seek(int(words[2], 16))
                file = f.read(end - begin)
            there = there[:len(file)]
            found[name] = sum(a != b for a, b in zip(there, file)) if there != file else 0
    return found


def uprobe_events():
    """Lines of tracefs' uprobe_events that are sonde's; perf's and others' may be there."""
    for place in ("/sys/kernel/tracing", "/sys/kernel/debug/tracing"):
        try:
            with open(place + "/uprobe_events") as f:
                return [line for line in f if "sonde" in line]
        except OSError:
            continue
    return []


class Killed(fault.TestCase):
    LIBRARIES = ("libsqlite3", "libssl")

    def test_killed(self):
        """Sonde is killed under load again and again: the kernel takes all of it back, and the program's code is whole."""
        with tempfile.TemporaryDirectory(prefix="busy.") as tmp:
            pem = os.path.join(tmp, "pem")
            subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", pem + ".k", "-out",
                            pem + ".c", "-days", "2", "-subj", "/CN=x"], check=True, stderr=subprocess.DEVNULL)
            with open(pem, "wb") as f:
                for part in (".k", ".c"):
                    with open(pem + part, "rb") as g:
                        f.write(g.read())
            # Copies: what others trace meanwhile is not probed in them.
            with Client(BUSY, pem) as busy:
                paths = mapped(busy.pid, *self.LIBRARIES)
            for path in paths:
                shutil.copy(path, os.path.join(tmp, re.match(r".*?\.so\.\d+", os.path.basename(path))[0]))
            with Client(BUSY, pem, env=dict(os.environ, LD_LIBRARY_PATH=tmp)) as busy:
                self.assertEqual({os.path.dirname(path) for path in mapped(busy.pid, *self.LIBRARIES)}, {tmp})
                self.kill_again(busy)

    def kill_again(self, busy):
        bench = subprocess.Popen(["pgbench", "-n", "-S", "-c", "1", "-T", "100000"], env=cluster.env(),
                                 stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
        objects = slowest = 0
        try:
            self.assertEqual(list(patched(busy.pid, *self.LIBRARIES).values()), [0, 0])
            for i in range(KILLS):
                with fault.Sonde("--no-findings") as sonde:
                    held = fault.held_by(sonde.pid)
                    self.assertEqual({kind for kind, _ in held}, {"prog", "map", "link"})
                    self.assertEqual({one for one in held if not fault.exists(*one)}, set())
                    if not i:  # the check can fail
                        fault.wait_for("both libraries are probed", lambda: min(
                            patched(busy.pid, *self.LIBRARIES).values()) > 0)
                    busy.ask()
                    begin = time.monotonic()
                    sonde.kill()
                    self.assertEqual(fault.left_of(held), set())
                    slowest = max(slowest, time.monotonic() - begin)
                    objects = max(objects, len(held))
                    fault.wait_for("the code is as in the file", lambda: not any(
                        patched(busy.pid, *self.LIBRARIES).values()))
                    self.assertEqual(uprobe_events(), [])
                    busy.ask()
                self.assertIsNone(bench.poll())
        finally:
            bench.send_signal(signal.SIGINT)
            bench.wait()
            bench.stderr.close()
        self.row("sonde killed", "kill -9 under pgbench, SQLite and TLS, %d times" % KILLS,
                 "no program, map, link or uprobe left; the probed code is again as in the file; the targets go on",
                 "all of %d objects gone each time within %.1f s, 0 bytes differ" % (objects, slowest))


if __name__ == "__main__":
    unittest.main()
