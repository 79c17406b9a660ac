# SPDX-License-Identifier: GPL-2.0-only
# TOGETHER: counts, of its own processes
"""test_secrets.py - values that applications send are in no report, no memory of sonde's, no ring buffer, no table it can read."""

import json
import os
import signal
import socket
import sqlite3
import struct
import subprocess
import tempfile
import threading
import time
import unittest

import bpfmaps
import mariadb
import mysqlwire
import pg
import pgwire
from pg import PATIENCE, SONDE
from test_hostile import Answers

# Each secret begins with one of these; that is what is searched for, in any case, so that a piece of it is found, too.
WORD, NUMBER = "zQj7Xv", "91827364"
BINARY = 0x7a51_6a37_5876_3141  # a parameter in binary form

# Where a statement's bytes are read to, before it is known what in them is a value: memory of the kernel alone, which sonde
# itself never reads. (Who may debug the kernel reads it, as he reads the application.)
SCRATCH = {"map win", "map carry"}

cluster = server = None
serial = 0


def setUpModule():
    global cluster, server
    cluster = pg.module_cluster(scale=0)
    cluster.psql("create table t(a text unique, b bigint)", pg.DATABASE)
    if not mariadb.why_not():
        server = mariadb.Server()
        unittest.addModuleCleanup(server.stop)
        server.sql("create table t(a varchar(100) unique, b bigint)")


def word(what):
    global serial
    serial += 1
    return "%s-%s-%d" % (WORD, what, serial)


def number():
    global serial
    serial += 1
    return NUMBER + "%06d" % serial


NEEDLES = [WORD.lower().encode(), NUMBER.encode(), struct.pack("<q", BINARY).lower(), struct.pack(">q", BINARY).lower()]


def found_in(data):
    """Secrets in @data, with some bytes around each."""
    lower = data.lower()
    return [data[max(0, at - 40):at + 40] for at in (lower.find(n) for n in NEEDLES) if at >= 0]


def postgresql():
    wire = pgwire.Wire(cluster)
    wire.ask("insert into t values ('%s', %s)" % (word("pg-literal"), number()))
    wire.ask("select '%s', E'%s\\n', $tag$%s$tag$, %s.5e3, U&'%s' /* %s */ -- %s" % (word("pg"), word("pg-e"), word("pg-dollar"), number(),
                                                                             word("pg-u"), word("pg-comment"), word("pg-line")))
    wire.ask("select 1 /*controller='shop',user='%s',traceparent='00-%032x-%016x-01'*/" % (word("pg-commenter"), 1, 2))
    wire.ask("select '%s'::int" % word("pg-error"))
    wire.ask("insert into t values ('%s', 1), ('same', 1), ('same', 2)" % word("pg-duplicate"))
    wire.send(pgwire.run("select $1::text, $2::text, $3::text", [word("pg-bound"), number(), word("x" * 5000)]) +
              pgwire.message(b"S"))
    wire.ready()
    wire.send(pgwire.parse("named", "select $1::int8 + 1") + pgwire.message(b"B", b"\0named\0" + struct.pack("!HHHIqH", 1, 1, 1, 8, BINARY, 0)) +
              pgwire.execute() + pgwire.message(b"S"))
    wire.ready()
    wire.ask("set application_name = '%s'" % word("pg-set"))
    wire.send(pgwire.query("copy t from stdin"))
    wire.until(b"G")
    wire.send(pgwire.copy_data(("%s\t%s\n" % (word("pg-copy"), number())).encode()) + pgwire.message(b"c"))
    wire.ready()
    wire.ask("select * from t")
    wire.ask("select " + ", ".join("'%s'" % word("pg-long") for _ in range(400)))
    wire.ask("select '%s' || (select" % word("pg-syntax"))
    for i in range(6):  # an N+1
        wire.ask("select b from t where a = '%s'" % word("pg-repeat"))
    wire.close()


def mysql():
    if not server:
        return
    wire = mysqlwire.Wire(server)
    wire.ask("insert into t values ('%s', %s)" % (word("my-literal"), number()))
    wire.ask("select \"%s\", '%s', %s, x'%s' /* %s */ # %s" % (word("my-double"), word("my"), number(), NUMBER, word("my-comment"),
                                                              word("my-line")))
    sid = wire.prepare("select ?, ?, a from t where b <> ?")
    wire.run(sid, [word("my-bound"), BINARY, 7])
    wire.run(sid, [number(), BINARY, 8])
    try:
        wire.ask("select a from t where '%s' = = 1" % word("my-syntax"))
    except mysqlwire.Error:
        pass
    try:
        wire.ask("insert into t values ('%s', 1), ('same', 1), ('same', 2)" % word("my-duplicate"))
    except mysqlwire.Error:
        pass
    wire.ask("select a, b from t")
    wire.close()


def sqlite():
    db = sqlite3.connect(":memory:")
    db.execute("create table s(a, b)")
    db.execute("insert into s values ('%s', %s) -- %s" % (word("lite-literal"), number(), word("lite-comment")))
    for i in range(6):
        db.execute("select a from s where a = '%s' or b = ?" % word("lite-repeat"), (word("lite-bound"),)).fetchall()
        db.execute("select a from s where b = ?", (BINARY,)).fetchall()
    try:
        db.execute("select '%s' from nothing" % word("lite-error"))
    except sqlite3.Error:
        pass
    db.close()


def redis(port):
    with socket.create_connection(("127.0.0.1", port)) as s:
        def say(*args):
            data = b"*%d\r\n" % len(args)
            for a in args:
                data += b"$%d\r\n%s\r\n" % (len(a.encode()), a.encode())
            s.sendall(data)
            s.recv(4096)

        for i in range(6):
            say("SET", "session:%s" % number(), word("redis-value"))
            say("HSET", "user:%d" % i, "password", word("redis-field"))
        say("AUTH", "default", word("redis-password"))
        say("AUTH", word("redis-password"))
        say("HELLO", "3", "AUTH", "default", word("redis-hello"))
        say("EVAL", "return '%s'" % word("redis-script"), "0", word("redis-argv"))
        say("CONFIG", "SET", "requirepass", word("redis-config"))
        say("NOSUCH", word("redis-unknown"))


def http(port):
    body = "password=%s&card=%s" % (word("http-body"), number())
    for method, body in (("GET", ""), ("POST", body), ("POST", body * 300)):
        for _ in range(3):
            with socket.create_connection(("127.0.0.1", port)) as s:
                s.sendall(("%s /login/%s?token=%s&n=%s HTTP/1.1\r\nHost: shop\r\nAuthorization: Bearer %s\r\nCookie: id=%s\r\n"
                           "X-Card: %s\r\nContent-Length: %d\r\n\r\n%s" % (method, number(), word("http-query"), number(), word("http-bearer"),
                                                                        word("http-cookie"), number(), len(body), body)).encode())
                s.recv(4096)


class Test(pg.TestCase):
    def work(self, seconds):
        """Everything at once, over and over."""
        servers = Answers(b"+OK\r\n"), Answers(("HTTP/1.1 200 OK\r\nSet-Cookie: id=%s\r\nContent-Length: 60\r\n\r\n%-60s" %
                                               (word("http-set"), word("http-answer"))).encode())
        end = time.monotonic() + seconds
        failed = []

        def again(work, *args):
            try:
                while time.monotonic() < end:
                    work(*args)
            except Exception as err:  # told by the thread that waits
                failed.append((work, err))

        threads = [threading.Thread(target=again, args=args) for args in
                   ((postgresql,), (mysql,), (sqlite,), (redis, servers[0].port), (http, servers[1].port))]
        for t in threads:
            t.start()
        for t in threads:
            t.join()
        for s in servers:
            s.listener.close()
        self.assertFalse(failed)

    def everything_of(self, sonde):
        """[(where, bytes)]: its memory and its maps, while it is stopped."""
        os.kill(sonde.pid, signal.SIGSTOP)
        try:
            parts = []
            for name, data in bpfmaps.memory(sonde.pid):
                if data is None and not name.startswith("anon_inode:bpf-map"):
                    self.fail("cannot read " + name)
                if data:
                    parts.append(("memory " + name, data))
            for number_ in bpfmaps.map_ids(sonde.pid):
                one = bpfmaps.Map(number_)
                data = one.dump()
                one.close()
                if data:
                    parts.append(("map " + one.name, data))
            return parts
        finally:
            os.kill(sonde.pid, signal.SIGCONT)

    def run_all(self, *commands):
        """{command: ([(where, bytes)], JSON report)} of sondes that trace this process and the servers' at the same time."""
        runs, files = {}, {}
        for command in commands:  # what they say goes to files: a full pipe would stop them
            files[command] = tempfile.TemporaryFile(), tempfile.TemporaryFile()
            runs[command] = subprocess.Popen([SONDE, command[0], "-o", "json", *command[1:]], stdin=subprocess.DEVNULL,
                                             stdout=files[command][0], stderr=files[command][1])
            self.addCleanup(runs[command].wait)
            self.addCleanup(runs[command].kill)
        end = time.monotonic() + 60 * PATIENCE
        while not all(pg.is_attached(sonde.pid) for sonde in runs.values()):
            self.assertLess(time.monotonic(), end, "not attached")
            time.sleep(0.05)
        self.work(4 * PATIENCE)
        parts = {command: self.everything_of(sonde) for command, sonde in runs.items()}
        for sonde in runs.values():
            sonde.send_signal(signal.SIGINT)
        for command, sonde in runs.items():
            code = sonde.wait(120 * PATIENCE)
            for f in files[command]:
                f.seek(0)
            out, err = (f.read() for f in files[command])
            self.assertEqual(code, 0, err)
            parts[command] += [("stdout", out), ("stderr", err)]
        return parts

    def test_no_value_leaves_the_kernel(self):
        plain = [("db", "--role", "any"), ("slow", "--role", "any", "--slow", "1us"), ("http", "--role", "any")]
        shown = ("slow", "--slow", "1us", "--examples", "-p", str(os.getpid()))
        parts = self.run_all(*plain, shown)
        # That the search finds what is there, in memory and in the report.
        places = {where.split(" ")[0] for where, data in parts[shown] if found_in(data)}
        self.assertLessEqual({"memory", "map", "stdout"}, places)
        # That it was looked at the right thing: each kind of statement is in the reports.
        report = json.loads(dict(parts[plain[0]])["stdout"])
        wanted = {"postgresql", "sqlite", "redis"} | ({"mariadb"} if server else set())
        self.assertLessEqual(wanted, {q["db_system"] for q in report["queries"]})
        self.assertTrue(report["findings"])
        self.assertTrue(json.loads(dict(parts[plain[2]])["stdout"])["endpoints"])
        leaks = ["%s: %s: %r" % (" ".join(command), where, found) for command in plain for where, data in parts[command]
                 for found in found_in(data) if where not in SCRATCH]
        self.assertEqual(leaks, [], "\n".join(leaks))
        for command in plain:  # nothing was left out
            self.assertLessEqual({"memory [heap]", "memory [stack]", "map events", "map queries", "stdout"}, {where for where, _ in parts[command]})


if __name__ == "__main__":
    unittest.main()
