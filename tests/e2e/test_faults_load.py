# SPDX-License-Identifier: GPL-2.0-only
#
# test_faults_load.py - more than fits: texts, statements, connections, processes. Counts stay exact, losses have a reason.
#
# TIMEOUT: 900
import re
import resource
import subprocess
import sys
import tempfile
import unittest

import fault
import pg

CONNECTIONS = 10000
FINGERPRINTS = 50000
STORM = 5000 if fault.LONG else 500  # processes
SHORT = 4000  # connections

redis = cluster = None


def setUpModule():
    global redis, cluster
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))  # of the server and the clients started from here, too
    redis, cluster = fault.module(redis=True, cluster=0)
    redis.cli("config", "set", "maxclients", str(CONNECTIONS + 100))


def calls():
    """What the server has executed in the tests' database since reset_statements()."""
    return sum(t.count for t in cluster.statements().values())


class Texts(fault.TestCase):
    def test_ring_full(self):
        """Sonde does not run while new texts come: they are dropped, not the counts, and come with the statement's next use."""
        names = ["a_name_long_enough_to_make_a_text_long_%d" % i for i in range(16)]
        statements = ["select %s, n%d from (select %s, 1 as n%d) t;" % (
            ", ".join(names), i, ", ".join("1 as " + name for name in names), i) for i in range(1500)]
        cluster.reset_statements()
        with fault.Psql(cluster) as psql, fault.Sonde("--no-findings", "-c", psql.comm) as sonde:
            sonde.pause()
            psql.lines(statements)
            dropped_at = calls()
            sonde.go_on()
            psql.lines(statements)
            report = sonde.stop()
        self.assertEqual(dropped_at, len(statements))
        dropped = report.coverage["doubt"].get("text_dropped", 0)
        self.assertGreater(dropped, 100)
        self.assert_balance(report, calls(), attributed=2 * len(statements), outstanding=0, lost={})
        wanted = {text for _, text in pg.fingerprints(statements)}
        self.assertEqual(len(wanted), len(statements))
        self.assertTrue({q["text"] for q in report.queries} == wanted)
        self.assert_small(sonde)
        self.row("ring full", "sonde stopped while 1,500 new statements of 1.5 KB text came, then sent again",
                 "counts exact; each text told in the end; what was dropped counted",
                 "3,000 of 3,000 attributed, %d texts dropped and sent again, sonde %s" % (
                     dropped, fault.megabytes(sonde.peak)))


class Fingerprints(fault.TestCase):
    def storm(self, *args):
        each = 20  # in a message
        lines = [r" \; ".join("select a%d from (select 1 as a%d) t" % (i, i) for i in range(at, at + each)) + ";"
                 for at in range(0, FINGERPRINTS, each)]
        cluster.reset_statements()
        with fault.Psql(cluster) as psql, fault.Sonde("-c", psql.comm, *args) as sonde:
            psql.lines(lines)
            report = sonde.stop()
        self.assertEqual(calls(), FINGERPRINTS)
        return report, sonde

    def test_few_rows(self):
        report, sonde = self.storm("--max-queries", "64", "--no-findings")
        self.assert_balance(report, FINGERPRINTS, attributed=64, outstanding=0,
                            lost={"rows_full": FINGERPRINTS - 64}, timed=FINGERPRINTS)
        self.assertEqual(len(report.queries), 64)
        self.assert_small(sonde)
        self.row("maps full", "50,000 different statements, --max-queries 64",
                 "64 rows; every other statement lost for one reason", "64 attributed, 49,936 rows_full, sonde %s" %
                 fault.megabytes(sonde.peak))

    def test_enough_rows(self):
        report, sonde = self.storm("--max-queries", "65536")
        self.assert_balance(report, FINGERPRINTS, attributed=FINGERPRINTS, outstanding=0, lost={})
        self.assertEqual(len(report.queries), FINGERPRINTS)
        self.assertEqual(sum(not q["text"] for q in report.queries), 0, str(report.coverage))
        self.assert_small(sonde, 768 << 20)
        self.row("50,000 fingerprints", "50,000 different statements, --max-queries 65536",
                 "a row and a text for each", "50,000 rows, all with text, sonde %s at its end" %
                 fault.megabytes(sonde.peak))


CROWD = r"""
import socket, sys
socks = []
for i in range(int(sys.argv[2])):
    s = socket.socket()
    s.connect(("127.0.0.1", int(sys.argv[1])))
    socks.append(s)
print("ready", flush=True)
for line in sys.stdin:
    for i, s in enumerate(socks):
        s.sendall(b"*2\r\n$3\r\nGET\r\n$11\r\ncrowd:%05d\r\n" % i)
    for s in socks:
        assert s.recv(100) == b"$-1\r\n"
    print("done", flush=True)
"""


class Connections(fault.TestCase):
    @unittest.skipUnless(resource.getrlimit(resource.RLIMIT_NOFILE)[1] > CONNECTIONS + 1000, "needs ulimit -Hn 11000")
    def test_many(self):
        """All were there before sonde; each sends two commands, all at once."""
        for capture in pg.captures():
            with self.subTest(capture=capture):
                self.many(capture)

    def many(self, capture):
        redis.reset()
        client = subprocess.Popen([sys.executable, "-c", CROWD, str(redis.port), str(CONNECTIONS)], text=True,
                                  stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        try:
            self.assertEqual(client.stdout.readline(), "ready\n")
            with fault.Sonde("--no-findings", "--capture", capture, "-p", str(client.pid)) as sonde:
                for _ in range(2):
                    client.stdin.write("\n")
                    client.stdin.flush()
                    self.assertEqual(client.stdout.readline(), "done\n")
                report = sonde.stop()
        finally:
            client.kill()
            client.communicate()
        self.assertEqual(redis.truth()["get"], (2 * CONNECTIONS, 0))
        self.assert_balance(report, 2 * CONNECTIONS, attributed=2 * CONNECTIONS, outstanding=0, lost={})
        self.assertEqual(report.coverage["doubt"], {})
        self.assertEqual(report.coverage["work"]["connections"], CONNECTIONS)
        self.assert_small(sonde)
        self.row("10,000 connections, " + capture, "10,000 open connections to Redis, 20,000 commands, 10,000 at a time",
                 "counts equal commandstats; no connection without state",
                 "20,000 of 20,000, sonde %s" % fault.megabytes(sonde.peak))

    def test_short(self):
        """The same descriptors and kernel structures again and again, two servers and two kinds of sockets in turn."""
        script = r"""
import socket, sys
for i in range(int(sys.argv[3])):
    s = socket.socket(socket.AF_UNIX) if i & 1 else socket.socket()
    s.connect(sys.argv[1] if i & 1 else ("127.0.0.1", int(sys.argv[2])))
    if i % 10 == 9:
        s.sendall(b"*1\r\n$4\r\nPING\r\n*2\r\n$3\r\nGET\r\n$9\r\nsho")  # goes in the middle of a command
    else:
        s.sendall(b"*2\r\n$3\r\nGET\r\n$10\r\nshort:%04d\r\n" % i)
        assert s.recv(100) == b"$-1\r\n"
    if i % 10 == 9:
        assert s.recv(100) == b"+PONG\r\n"
    s.close()
"""
        for capture in pg.captures():
            with self.subTest(capture=capture):
                redis.reset()
                report = pg.run_program([sys.executable, "-c", script, redis.path, str(redis.port), str(SHORT)],
                                        "--no-findings", "--capture", capture)
                truth = redis.truth()
                self.assertEqual((truth["get"], truth["ping"]), ((SHORT * 9 // 10, 0), (SHORT // 10, 0)))
                self.assert_balance(report, SHORT, attributed=SHORT, outstanding=0, lost={})
                self.assertEqual(fault.by_command(report), {"get": (SHORT * 9 // 10, 0), "ping": (SHORT // 10, 0)})
                self.row("socket reuse, " + capture, "4,000 connections one after the other on one descriptor, unix and TCP "
                         "in turn, some closed in the middle of a command", "counts equal commandstats",
                         "%d of %d" % (report.coverage["attributed"], SHORT))


class Processes(fault.TestCase):
    ASK = STORM // 10
    baseline = None

    def script(self):
        """Most processes do nothing, each tenth asks once."""
        return ("i=0; while [ $i -lt %d ]; do j=0; while [ $j -lt 9 ]; do /bin/true; j=$((j+1)); done; "
                "redis-cli -s %s get storm:$i >/dev/null; i=$((i+1)); done" % (self.ASK, redis.path))

    def cpu(self, run):
        """Processor time, seconds, of the storm that @run starts and waits for, told by the shell itself; its result."""
        with tempfile.NamedTemporaryFile("r") as times:
            result = run(["bash", "-c", self.script() + "; times > " + times.name])
            spent = re.findall(r"(\d+)m([\d.]+)s", times.read())
        return sum(60 * int(m) + float(s) for m, s in spent), result

    def alone(self):
        """The same untraced, measured once."""
        if not Processes.baseline:
            Processes.baseline, _ = self.cpu(lambda command: subprocess.run(command, check=True))
        return Processes.baseline

    def check(self, how, report, alone, traced):
        asked = [q for q in report.queries if q["text"] == "GET storm:?"]
        self.assertEqual(sum(q["count"] for q in asked), self.ASK, report.brief()[-2000:])
        self.assertEqual(len({q["pid"] for q in asked}), self.ASK)
        self.assertEqual({q["process"] for q in asked}, {"redis-cli"})
        self.assertEqual(redis.truth()["get"], (self.ASK, 0))
        self.assertLess(traced, 2 * alone)
        self.row("fork storm, " + how, "%d processes one after the other, each tenth sends one command" % STORM,
                 "each command counted and its process named; less than twice the processor time",
                 "%d of %d, %.2f s instead of %.2f" % (self.ASK, self.ASK, traced, alone))

    def test_followed(self):
        alone = self.alone()
        redis.reset()
        traced, report = self.cpu(lambda command: pg.run_program(command))
        self.assertEqual(report.coverage["lost"], {})
        self.assertEqual(report.coverage["outstanding"], 0)
        self.check("-- PROGRAM", report, alone, traced)

    def test_everywhere(self):
        alone = self.alone()
        redis.reset()
        with fault.Sonde("--no-findings") as sonde:
            traced, _ = self.cpu(lambda command: subprocess.run(command, check=True))
            report = sonde.stop()
        self.assert_small(sonde)
        self.check("no filter", report, alone, traced)


if __name__ == "__main__":
    unittest.main()
