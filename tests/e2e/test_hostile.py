# SPDX-License-Identifier: GPL-2.0-only
# TOGETHER: texts, of its own processes
"""test_hostile.py - names and texts made to act on the terminal of whoever reads the report: none does, in no output."""

import json
import os
import pty
import re
import select
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import unittest

import pg
from pg import PATIENCE, SONDE

# Title of the window, colour, clear, bell, CSI and string terminator of C1, right-to-left override, a newline that forges a line.
ESCAPES = "\x1b]0;pwned\x07\x1b[5;31m\x1b[2J\x9b31m\x9c\u202e\u2066\r\nforged: ok\x7f\b"
NAME = "\x1b]0;p\x07\x9b5m".encode()  # of a process, 15 bytes at most
BIDI = set(range(0x202a, 0x202f)) | set(range(0x2066, 0x206a)) | {0x200e, 0x200f, 0x61c}

WORK = r"""
import ctypes, socket, sqlite3, sys, threading
import psycopg2
name, dsn, file, path, redis, http = [bytes.fromhex(a) for a in sys.argv[1:]]
evil = path.decode()
ctypes.CDLL(None).prctl(15, name, 0, 0, 0)
lite = sqlite3.connect(file.decode("utf-8", "surrogateescape"))
quoted = '"%s"' % evil.replace('"', '')
lite.execute("create table if not exists %s(%s)" % (quoted, quoted))
def ask(port, *messages):
    s = socket.create_connection(("127.0.0.1", int(port)))
    for m in messages:
        s.sendall(m)
        s.recv(4096)
    s.close()
print("ready", flush=True)
sys.stdin.readline()
db = psycopg2.connect(dsn.decode())
db.autocommit = True
c = db.cursor()
for i in range(12):
    c.execute("select 1 as %s, %d /* %s */ /*route='%s',controller='%s'*/" % (quoted, i, evil.replace("\0", ""), evil, evil))
    c.execute("set application_name = 'x'")
    c.execute('select relname as %s from pg_class as %s where relname = %%s' % (quoted, quoted), (str(i),))
    lite.execute("select %s from %s where 1 = %d -- %s" % (quoted, quoted, i, evil.split("\n")[0])).fetchall()
try:
    c.execute('select pg_sleep(0.02) from ' + quoted)
except Exception:
    pass
c.execute("select pg_sleep(0.06) as %s" % quoted)
key = evil.encode() + b":1"
ask(redis, *[b"*3\r\n$3\r\nSET\r\n$%d\r\n%s\r\n$1\r\nv\r\n" % (len(key), key)] * 8,
    b"*2\r\n$%d\r\n%s\r\n$1\r\nv\r\n" % (len(evil.encode()), evil.encode()))
word = path.replace(b"\r\n", b"").replace(b" ", b"")
for target in (b"/pwned\x1b]\x07\xc2\x9bx/list", b"/" + word + b"/\xff\xfe\x9b5m?q=" + word):
    ask(http, *[word[:8].replace(b";", b"") + b" " + target + b" HTTP/1.1\r\nHost: x" + word + b"\r\n\r\n",
                b"GET " + target + b" HTTP/1.1\r\nHost: x" + word + b"\r\n\r\n"] * 3)
print("done", flush=True)
sys.stdin.readline()
"""

# An N+1 on PostgreSQL by functions and from a file whose names are patched below, in the program and in its debugging information.
SITE = r"""
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>
static char buf[65536];
static void __attribute__((noinline)) until_ready(int fd)
{
	ssize_t n;
	while ((n = read(fd, buf, sizeof(buf))) > 0 && (n < 6 || memcmp(buf + n - 6, "Z\0\0\0\5", 5)))
		;
}
static void __attribute__((noinline)) hostile_AAAAAAAAAAAAAAAA_inner(int fd, const char *text)
{
	size_t len = strlen(text) + 5;
	char message[256] = { 'Q', 0, 0, len >> 8, len };
	memcpy(message + 5, text, len - 4);
	write(fd, message, len + 1);
	until_ready(fd);
	asm volatile("" ::: "memory");
}
void __attribute__((noinline)) hostile_AAAAAAAAAAAAAAAA_outer(int fd)
{
	char text[64];
	hostile_AAAAAAAAAAAAAAAA_inner(fd, "begin");
	hostile_AAAAAAAAAAAAAAAA_inner(fd, "select a from hostile");
	for (int i = 0; i < 9; i++) {
		snprintf(text, sizeof(text), "select b from hostile where a = %d", i);
		hostile_AAAAAAAAAAAAAAAA_inner(fd, text);
	}
	hostile_AAAAAAAAAAAAAAAA_inner(fd, "commit");
	asm volatile("" ::: "memory");
}
int main(int argc, char **argv)
{
	static const char startup[] = "\0\0\0\x26\0\3\0\0user\0postgres\0database\0bench\0";
	struct sockaddr_un at = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);
	snprintf(at.sun_path, sizeof(at.sun_path), "%s", argv[1]);
	if (connect(fd, (struct sockaddr *)&at, sizeof(at)))
		return 1;
	write(fd, startup, sizeof(startup));
	until_ready(fd);
	hostile_AAAAAAAAAAAAAAAA_outer(fd);
	usleep(300000); /* who has gone before it was looked at has no names */
	return 3;
}
"""
PATCH = b"\x1b]0;p\x07\x1b[5m\xc2\x9b\x9b5mm"  # as long as the run of A

cluster = tmp = None


def setUpModule():
    global cluster, tmp
    cluster = pg.module_cluster(scale=0)
    tmp = tempfile.mkdtemp(prefix="hostile.")
    unittest.addModuleCleanup(shutil.rmtree, tmp)
    os.chmod(tmp, 0o755)


class Answers(threading.Thread):
    """A server that says the same to everything."""

    def __init__(self, answer):
        super().__init__(daemon=True)
        self.answer = answer
        self.listener = socket.socket()
        self.listener.bind(("127.0.0.1", 0))
        self.listener.listen(5)
        self.port = self.listener.getsockname()[1]
        self.start()

    def run(self):
        while True:
            try:
                conn, _ = self.listener.accept()
            except OSError:
                return
            with conn:
                while conn.recv(65536):
                    conn.sendall(self.answer)


class TestCase(pg.TestCase):
    def assert_harmless(self, raw, what):
        """Valid UTF-8, no control characters of either kind but newline, nothing that turns the direction of writing."""
        try:
            text = raw.decode()
        except UnicodeDecodeError as err:
            self.fail("%s: %s: %r" % (what, err, raw[max(0, err.start - 60):err.start + 20]))
        for i, c in enumerate(text):
            if c not in "\n\t" and (ord(c) < 0x20 or 0x7f <= ord(c) < 0xa0 or ord(c) in BIDI):
                self.fail("%s: U+%04X in %r" % (what, ord(c), text[max(0, i - 80):i + 20]))
        for line in text.split("\n"):
            self.assertFalse(line.startswith("forged"), what)

    def sonde(self, *args):
        return subprocess.run([SONDE, *args], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                              timeout=120 * PATIENCE, cwd=tmp)


class Traced(TestCase):
    def start_work(self):
        evil_db = ESCAPES[:40].replace("\r\n", "")
        quoted = evil_db.replace('"', '""')
        cluster.psql('create role "%s" superuser login' % quoted)
        cluster.psql('create database "%s"' % quoted)
        dsn = "host=%s port=%d dbname='%s' user='%s' sslmode=disable" % (cluster.dir, cluster.port, evil_db, evil_db)
        file = os.path.join(tmp, "lite" + ESCAPES.replace("\r\n", "\n")).encode() + b"\xff\x9b5m.db"
        http = Answers(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
        redis = Answers(b"-ERR" + ESCAPES.replace("\r\n", "").encode() + b" no\r\n")
        args = [a.hex() for a in (NAME, dsn.encode(), file, ESCAPES.encode(), b"%d" % redis.port, b"%d" % http.port)]
        proc = subprocess.Popen(["/usr/bin/python3", "-c", WORK, *args], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        for server in (http, redis):
            self.addCleanup(server.listener.close)
        self.addCleanup(proc.communicate)
        self.addCleanup(proc.kill)
        self.assertEqual(proc.stdout.readline(), "ready\n")
        return proc

    def test_reports(self):
        """Names of process, user, database, file, table, column, key and path; statements, comments, errors, literals."""
        work = self.start_work()
        pid = str(work.pid)
        runs = [("db", "json"), ("slow", "text", "--slow", "1us", "--examples"), ("http", "text", "--role", "any")]
        runs = [(run, pg.Sonde("-p", pid, *run[2:], command=run[0], out=run[1], wait=False)) for run in runs]
        terminal, fd = pty.fork()
        if not terminal:
            os.environ.update(TERM="xterm", COLUMNS="150", LANG="C.UTF-8")
            os.execv(SONDE, [SONDE, "db", "-i", "0.3", "-p", pid])
        for _, sonde in runs:
            self.addCleanup(sonde.__exit__)
            sonde.wait_attached()
        drawn = self.read_terminal(fd, lambda: pg.is_attached(terminal))
        work.stdin.write("go\n")
        work.stdin.flush()
        self.assertEqual(work.stdout.readline(), "done\n")
        drawn += self.read_terminal(fd, lambda: False, 1)
        doctors = [self.sonde("doctor", "-p", pid, "-o", form) for form in ("text", "json")]
        work.stdin.write("end\n")
        work.stdin.flush()
        work.wait(30 * PATIENCE)
        drawn += self.read_terminal(fd, lambda: False, 60)  # it ends with the process
        os.waitpid(terminal, 0)
        outputs = {}
        for run, sonde in runs:
            out, err = sonde.proc.communicate(timeout=120 * PATIENCE)
            self.assertEqual(sonde.proc.returncode, 0, err)
            outputs[run[:2]] = out
            self.assert_harmless(out, run)
            self.assert_harmless(err, run)
            self.assertNotIn(b"sandbox", err)
        for done in doctors:
            self.assertEqual(done.returncode, 0, done.stderr)
            self.assert_harmless(done.stdout, "doctor")
        self.assert_seen(outputs)
        self.assert_drawn(drawn)

    def assert_seen(self, outputs):
        """That the outputs hold the names at all: in JSON as they were, but for what was no UTF-8."""
        queries = json.loads(outputs["db", "json"])["queries"]
        self.assertEqual({q["db_system"] for q in queries}, {"postgresql", "sqlite", "redis"})
        for q in queries:
            self.assertIn("\x1b]0;p\x07", q["process"])
        self.assertTrue([q for q in queries if "\x1b]0;pwned\x07" in q["text"] and q["db_system"] == "sqlite"], queries)
        self.assertTrue([q for q in queries if "\x1b]0;pwned\x07" in q["text"] and q["db_system"] == "postgresql"], queries)
        self.assertTrue([q for q in queries if "\x1b]0;pwned\x07" in q.get("database", "")], queries)
        for key in ("slow", "text"), ("http", "text"):
            self.assertIn(b"pwned", outputs[key], key)

    def read_terminal(self, fd, until, seconds=60):
        out, end = b"", time.monotonic() + seconds * PATIENCE
        while time.monotonic() < end and not until():
            if select.select([fd], [], [], 0.1)[0]:
                try:
                    out += os.read(fd, 65536)
                except OSError:
                    break
        return out

    def assert_drawn(self, drawn):
        """On a terminal: sonde's own sequences are the only ones."""
        self.assertIn(b"pwned", drawn)
        own = re.compile(rb"\x1b\[(?:[HJK]|\?(?:1049|25|7)[hl]|[0-4]?m|3[0-7]m|9[0-7]m|[01];3[0-7]m)")
        left = re.sub(rb"\r+\n", b"\n", own.sub(b"", drawn))
        self.assert_harmless(left, "terminal")


class Sites(TestCase):
    def test_functions_and_files(self):
        """Names of functions, source files and the program itself, in findings and messages."""
        self.assertEqual(len(PATCH), 16)
        cluster.psql("create table hostile(a int, b int); insert into hostile select i, i from generate_series(1, 9) i", pg.DATABASE)
        source = os.path.join(tmp, "src_AAAAAAAAAAAAAAAA.c")
        program = os.path.join(os.fsencode(tmp), b"prog" + PATCH)
        with open(source, "w") as f:
            f.write(SITE)
        done = subprocess.run(["gcc", "-g", "-O1", "-fno-omit-frame-pointer", "-fno-optimize-sibling-calls", "-o", program, source],
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        if done.returncode:
            self.skipTest("cannot build here: " + done.stdout[-200:])
        with open(program, "rb") as f:
            image = f.read()
        self.assertGreater(image.count(b"A" * 16), 3)
        with open(program, "wb") as f:
            f.write(image.replace(b"A" * 16, PATCH))
        for form in ("text", "json"):
            done = self.sonde(*"nplus1 --output report --fail-on n_plus_one -o".split(), form, "--", program, "%s/.s.PGSQL.%d" % (cluster.dir, cluster.port))
            with open(os.path.join(tmp, "report"), "rb") as f:
                report = f.read()
            self.assertEqual(done.returncode, 5, done.stderr + report)
            self.assert_harmless(report, form)
            self.assert_harmless(done.stdout + done.stderr, form)
            self.assertIn(b"exit code 3", done.stderr)
            self.assertIn(b"hostile_", report)
        sites = [frame for finding in json.loads(report)["findings"] for frame in finding.get("site", [])]
        self.assertTrue([frame for frame in sites if "\x1b]0;p\x07" in frame], sites)


class Arguments(TestCase):
    def test_echoed(self):
        """What the command line says, in messages and usage."""
        evil = ESCAPES.encode() + b"\xff\x9b5m"
        for args in (["db", "--" + "x"], ["db", b"--" + evil], [evil], ["db", "-p", evil], ["db", "-o", evil], ["db", "-d", evil], ["help", evil],
                     ["db", "--top", evil], ["db", "-i", evil], ["db", evil], ["nplus1", "--ignore", evil], ["nplus1", "--fail-on", evil],
                     ["slow", "--examples", "--explain", evil], ["slow", "--examples", "--explain", b"postgresql://" + evil],
                     ["slow", "--examples", "--explain", b"postgresql://127.0.0.1:1/" + evil], ["fingerprint", "--dialect", evil],
                     ["doctor", "-p", evil], ["doctor", "-o", evil], ["fingerprint", evil], ["fingerprint", b"select " + evil],
                     ["fingerprint", "--dialect", "mysql", b"select `" + evil]):
            done = self.sonde(*args)
            self.assert_harmless(done.stdout, args)
            self.assert_harmless(done.stderr, args)
            if args[0] != "fingerprint" and len(args) > 1 and args[0] != "help":
                self.assertIn(done.returncode, (1, 2), args)
                self.assertTrue(done.stderr, args)

    def test_fingerprint_json(self):
        """As it was, behind escapes."""
        text = 'select "%s" from t' % ESCAPES
        done = subprocess.run([SONDE, "fingerprint", "--jsonl"], input=json.dumps(text).encode() + b"\n", stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE)
        self.assert_harmless(done.stdout + done.stderr, "jsonl")
        self.assertEqual(json.loads(done.stdout), text)

    def test_files(self):
        """Of files that cannot be read or written, and of what stands in them."""
        evil = ESCAPES.encode() + b"\xff\x9b5m"
        name = os.path.join(os.fsencode(tmp), b"ignore" + evil.replace(b"\r\n", b""))
        with open(name, "wb") as f:
            f.write(evil + b"\nno such line\n" + evil)
        for args in (["nplus1", "-d", "0.1", "--ignore", name], ["db", "-d", "0.1", "--cgroup", b"/nowhere/" + evil],
                     ["db", "-d", "0.1", "--output", b"/nowhere/" + evil], ["db", "--", b"/nowhere/" + evil]):
            done = self.sonde(*args)
            self.assertNotEqual(done.returncode, 0, args)
            self.assert_harmless(done.stdout, args)
            self.assert_harmless(done.stderr, args)
            self.assertIn(b"pwned", done.stderr)


if __name__ == "__main__":
    unittest.main()
