#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
# TOGETHER: counts, of its own processes
# ALONE: test_https test_own_copy_started_later test_server test_killed: see every process, or the probes of others
#
# test_tls.py - statements that go to a PostgreSQL server under TLS: counts equal to the server's own, whatever library.
#
# TIMEOUT: 900
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import unittest

import certs
import pg

PROGRAM = os.path.join(pg.O, "tests/e2e/programs/pg_tls")
LIBSSL = "/usr/lib/%s-linux-gnu/libssl.so.3" % os.uname().machine
ABS = "select abs(1)"

# Keeps its connection, and asks as often as it is told; its library is loaded by the dynamic loader.
PYTHON_CLIENT = r"""
import sys, psycopg2
db = psycopg2.connect("")
db.autocommit = True
def work(n):
    with db.cursor() as cursor:
        for i in range(n):
            cursor.execute("select abs(%s)", (i,))
            cursor.fetchall()
work(5)
print("ready", flush=True)
for line in sys.stdin:
    work(int(line))
    print("done", flush=True)
"""

# Maps its libraries when it is told to work for the first time; a connection each time.
LATE_CLIENT = r"""
import sys
print("ready", flush=True)
for line in sys.stdin:
    import psycopg2
    db = psycopg2.connect("")
    db.autocommit = True
    with db.cursor() as cursor:
        for i in range(int(line)):
            cursor.execute("select abs(%s)", (i,))
            cursor.fetchall()
    print("done", flush=True)
"""

# One after the other: two would not agree on what has been sent.
FORKING_CLIENT = r"""
import os, psycopg2
db = psycopg2.connect("")
db.autocommit = True
for n in (10, 20, 30):
    with db.cursor() as cursor:
        for i in range(n):
            cursor.execute("select abs(%s)", (i,))
            cursor.fetchall()
    if n < 30 and os.fork():
        os.wait()
        os._exit(0)
os._exit(0)
"""

# The same protocol without a driver: the TLS object has buffers in memory, as asyncio's has.
MEMORY_CLIENT = r"""
import socket, ssl, struct, sys
host, port, count, connections = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4])
context = ssl.create_default_context()
context.check_hostname = False
context.verify_mode = ssl.CERT_NONE
class Connection:
    def __init__(self):
        self.sock = socket.create_connection((host, port))
        self.sock.sendall(struct.pack("!ii", 8, 80877103))
        assert self.sock.recv(1) == b"S"
        self.read, self.write = ssl.MemoryBIO(), ssl.MemoryBIO()
        self.tls = context.wrap_bio(self.read, self.write)
        self.run(self.tls.do_handshake)
        startup = struct.pack("!i", 196608) + b"user\0postgres\0database\0bench\0\0"
        self.put(struct.pack("!i", len(startup) + 4) + startup)
        self.until_ready()
    def flush(self):
        data = self.write.read()
        if data:
            self.sock.sendall(data)
    def run(self, function, *args):
        while True:
            try:
                result = function(*args)
                self.flush()
                return result
            except ssl.SSLWantReadError:
                self.flush()
                self.read.write(self.sock.recv(65536))
    def put(self, data):
        self.run(self.tls.write, data)
    def until_ready(self):
        data = b""
        while not (data[-6:-1] == b"Z\0\0\0\5"):
            data += self.run(self.tls.read, 65536)
    def ask(self, i):
        text = b"select abs(%d)\0" % i
        self.put(b"Q" + struct.pack("!i", len(text) + 4) + text)
all = [Connection() for _ in range(connections)]
for i in range(count):
    for c in all:
        c.ask(i)
    for c in all:
        c.until_ready()
"""

NODE_CLIENT = r"""
const net = require('net'), tls = require('tls');
const [port, count] = process.argv.slice(2).map(Number);
const raw = net.connect(port, '127.0.0.1');
const int = (n) => { const b = Buffer.alloc(4); b.writeInt32BE(n); return b; };
raw.write(Buffer.concat([int(8), int(80877103)]));
raw.once('data', () => {
  const s = tls.connect({ socket: raw, rejectUnauthorized: false });
  let asked = 0, data = Buffer.alloc(0);
  const startup = Buffer.concat([int(196608), Buffer.from('user\0postgres\0database\0bench\0\0')]);
  s.write(Buffer.concat([int(startup.length + 4), startup]));
  s.on('data', (piece) => {
    data = Buffer.concat([data, piece]);
    const end = data.length - 6;
    if (end < 0 || data[end] != 0x5a || data.readInt32BE(end + 1) != 5) return;
    data = Buffer.alloc(0);
    if (asked == count) { s.end(); return; }
    const text = Buffer.from('select abs(' + asked++ + ')\0');
    s.write(Buffer.concat([Buffer.from('Q'), int(text.length + 4), text]));
  });
});
"""

GO_CLIENT = r"""
package main

import (
	"database/sql"
	_ "github.com/lib/pq"
	"os"
	"strconv"
)

func main() {
	db, err := sql.Open("postgres", "")
	count, _ := strconv.Atoi(os.Args[1])
	for i := 0; i < count && err == nil; i++ {
		var v int
		err = db.QueryRow("select abs(" + strconv.Itoa(i) + ")").Scan(&v)
		if err == nil {
			err = db.QueryRow("select abs($1::int)", i).Scan(&v)
		}
	}
	if err != nil {
		panic(err)
	}
	db.Close()
}
"""

WEB_SERVER = r"""
import http.server, ssl, sys
class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = -1
    def do_GET(self):
        body = b"x" * (100000 if "large" in self.path else 10)
        self.send_response(404 if "missing" in self.path else 200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
    def log_message(self, *args):
        pass
server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain(sys.argv[1], sys.argv[2])
server.socket = context.wrap_socket(server.socket, server_side=True)
print("ready", flush=True)
print(server.server_address[1], flush=True)
server.serve_forever()
"""

NODE_SERVER = r"""
const https = require('https'), fs = require('fs');
const [cert, key] = process.argv.slice(1).map((name) => fs.readFileSync(name));
const server = https.createServer({ cert, key }, (q, r) => r.end('hello'));
server.listen(0, '127.0.0.1', () => console.log('ready\n' + server.address().port));
"""

WEB_CLIENT = r"""
import http.client, ssl, sys
context = ssl.create_default_context()
context.check_hostname = False
context.verify_mode = ssl.CERT_NONE
connection = http.client.HTTPSConnection("127.0.0.1", int(sys.argv[1]), context=context)
for path in ["/orders/%d" % i for i in range(30)] + ["/large/%d" % i for i in range(5)] + ["/missing"]:
    connection.request("GET", path)
    connection.getresponse().read()
"""

WEB_NODE = r"""
const https = require('https');
const agent = new https.Agent({ keepAlive: true, maxSockets: 3 });
let left = 40;
for (let i = 0; i < 40; i++)
  https.get({ host: '127.0.0.1', port: +process.argv[2], path: '/node/' + i, agent, rejectUnauthorized: false },
            (r) => { r.resume(); r.on('end', () => { if (!--left) agent.destroy(); }); });
"""

cluster = None


def setUpModule():
    global cluster
    cluster = pg.module_cluster()
    cluster.serve_tls()


def tls_env(**more):
    return dict(cluster.env(tcp=True), PGSSLMODE="require", **more)


def library_of(pid, name):
    """First executable mapping of a file so called: (start, size, file offset)."""
    with open("/proc/%d/maps" % pid) as maps:
        for line in maps:
            part = line.split()
            if len(part) > 5 and "x" in part[1] and name in part[5]:
                start, end = (int(address, 16) for address in part[0].split("-"))
                return start, end - start, int(part[2], 16)
    return None


def text_differs(pid, name="libssl.so", file=None):
    """Whether a mapped library's code is not that of its file: somebody has put breakpoints into it."""
    start, size, offset = library_of(pid, name)
    with open(file or LIBSSL, "rb") as disk, open("/proc/%d/mem" % pid, "rb", buffering=0) as memory:
        disk.seek(offset)
        memory.seek(start)
        want = disk.read(size)
        return memory.read(len(want)) != want


def alone(*pids):
    """Whether no sonde runs but ours: another one may probe everything on the machine."""
    for name in os.listdir("/proc"):
        if name.isdigit() and int(name) not in pids:
            try:
                with open("/proc/%s/comm" % name) as file:
                    if file.read() == "sonde\n":
                        return False
            except OSError:
                pass
    return True


class Tls(pg.TestCase):
    def setUp(self):
        self.dir = tempfile.mkdtemp(prefix="tls.")
        self.addCleanup(shutil.rmtree, self.dir, True)
        cluster.reset_statements()

    def check(self, report, database=pg.DATABASE):
        """Everything the server counted, and nothing else; all of it with the server's address."""
        self.assert_complete(report)
        truth = {sid: row for sid, row in cluster.statements().items() if "pg_stat" not in row.text}
        self.assertTrue(truth)
        self.assert_truth(truth, report.by_id())
        self.assertEqual({q.get("server") for q in report.queries}, {"127.0.0.1:%d" % cluster.port})
        self.assertEqual({q.get("database") for q in report.queries}, {database})

    def run_it(self, *program, env=None, args=()):
        return pg.run_program(program, *args, env=dict(tls_env(), **(env or {})))

    def script(self, text, name="client"):
        path = os.path.join(self.dir, name)
        with open(path, "w") as file:
            file.write(text)
        return path

    def programs(self, hows, count, path=PROGRAM, env=None):
        """One run for all: what each printed is in its stdout, a line each."""
        if not os.path.exists(path):
            self.skipTest("%s was not built" % path)
        return self.run_it(path, hows, str(cluster.port), "postgres", pg.DATABASE, str(count), env=env)

    # The library as distributions build it; objects with a socket and with buffers in memory.

    def test_clients(self):
        commands = ["psql -X -q -o /dev/null -c '%s' -c 'select count(*) from pgbench_accounts' -c '%s'"
                    % (ABS, "select i, repeat(chr(120), 1000) from generate_series(1, 5000) as i"),
                    "pgbench -n -c 4 -j 2 -t 50", "pgbench -n -M extended -c 4 -j 2 -t 50",
                    "pgbench -n -S -M prepared -c 16 -j 8 -t 100",
                    "/usr/bin/python3 " + self.script(PYTHON_CLIENT, "client.py") + " </dev/null",
                    "/usr/bin/python3 %s 127.0.0.1 %d 20 5" % (self.script(MEMORY_CLIENT, "memory.py"), cluster.port)]
        report = self.run_it("sh", "-ec", " && ".join(commands))
        self.assertNotIn("exit code", report.stderr)
        self.check(report)
        self.assertEqual({q["process"] for q in report.queries}, {"psql", "pgbench", "python3"})

    def test_node(self):
        """OpenSSL inside of the program, with symbols."""
        if not shutil.which("node"):
            self.skipTest("no node")
        self.check(self.run_it("node", self.script(NODE_CLIENT, "client.js"), str(cluster.port), "50"))

    # Every function that moves data, an object used for two connections; OpenSSL inside of a program, and GnuTLS.

    def test_functions(self):
        hows = ("read", "ex", "peek", "memory", "reuse", "gnutls")
        report = self.programs(",".join(hows), 200)
        self.check(report)
        rows = sorted(report.rows_of(ABS), key=lambda q: q["pid"])
        self.assertEqual([q["count"] for q in rows], [400 if how == "reuse" else 200 for how in hows])
        for how, row, mean in zip(hows, rows, report.stdout.split()):
            # The driver's clock also runs while it encrypts and sends; never the other way round. It has one connection's time.
            if how != "reuse":
                self.assertLess(row["latency_ns"]["sum"], 200 * (float(mean) + 1), how)
            self.assertGreater(row["latency_ns"]["p50"], 5000, how)

    def test_older_ways_to_attach(self):
        for way in ({"SONDE_UPROBES": "multi"}, {"SONDE_UPROBES": "perf", "SONDE_TLS_GUARD": "mark"}):
            with self.subTest(**way):
                cluster.reset_statements()
                self.check(self.programs("read,memory,gnutls", 50, env=way))

    def test_https(self):
        """Both ends of HTTP; python's with a socket below, node's with buffers."""
        cert, key = certs.make(self.dir)
        server = self.client("/usr/bin/python3", "-c", WEB_SERVER, cert, key)
        port = server.stdout.readline().strip()
        want = {"/orders/{id}": (30, 0), "/large/{id}": (5, 0), "/missing": (1, 1)}
        with pg.Sonde(command="http") as sonde:
            subprocess.run(["/usr/bin/python3", "-c", WEB_CLIENT, port], check=True)
            if os.access("/usr/bin/node", os.X_OK):
                want["/node/{id}"] = (40, 0)
                subprocess.run(["node", self.script(WEB_NODE, "client.js"), port], check=True)
            time.sleep(0.3)
            sonde.proc.send_signal(signal.SIGINT)
            _, out, _ = sonde.wait()
        report = json.loads(out)
        for role in ("client", "server"):
            rows = {e["path"]: (e["count"], e["errors_4xx"]) for e in report["endpoints"]
                    if e["role"] == role and e.get("server") == "127.0.0.1:" + port}
            self.assertEqual(rows, want, role)

    def test_https_node_server(self):
        """An object that reads first, from a buffer: it is tied by what has been received."""
        if not os.access("/usr/bin/node", os.X_OK):
            self.skipTest("no node")
        server = self.client("node", "-e", NODE_SERVER, *certs.make(self.dir))
        port = server.stdout.readline().strip()
        with pg.Sonde("-p", str(server.pid), command="http") as sonde:
            for _ in range(4):
                subprocess.run(["/usr/bin/python3", "-c", WEB_CLIENT, port], check=True)
            time.sleep(0.3)
            sonde.proc.send_signal(signal.SIGINT)
            _, out, _ = sonde.wait()
        rows = {(e["path"], e.get("server")): e["count"] for e in json.loads(out)["endpoints"]}
        where = "127.0.0.1:" + port
        self.assertEqual(rows, {("/orders/{id}", where): 120, ("/large/{id}", where): 20, ("/missing", where): 4})

    def build_go(self):
        if not shutil.which("go") or not os.path.isdir("/usr/share/gocode/src/github.com/lib/pq"):
            self.skipTest("no Go or no lib/pq")
        program = os.path.join(self.dir, "goclient")
        env = dict(os.environ, GO111MODULE="off", GOPATH="/usr/share/gocode", HOME=self.dir,
                   GOCACHE=os.path.join(os.environ.get("XDG_CACHE_HOME", "/tmp"), "sonde-go-cache"))
        subprocess.run(["go", "build", "-o", program, self.script(GO_CLIENT, "client.go")], env=env, check=True,
                       stdout=subprocess.DEVNULL)
        return program

    def test_go(self):
        program = self.build_go()
        self.check(self.run_it(program, "100"))
        subprocess.run(["strip", program], check=True)
        cluster.reset_statements()
        self.check(self.run_it(program, "100"))

    # What cannot be read is said.

    def test_stripped(self):
        """OpenSSL inside of a program without symbols: nothing to probe."""
        if not os.path.exists(PROGRAM):
            self.skipTest("%s was not built" % PROGRAM)
        stripped = os.path.join(self.dir, "stripped")
        subprocess.run(["strip", "-o", stripped, PROGRAM], check=True)
        report = self.programs("read", 50, path=stripped)
        self.assert_complete(report, seen=0, doubt=("unreadable_tls",))
        self.assertEqual(report.coverage["doubt"].get("unreadable_tls"), 1)

    # Processes and their libraries come and go.

    def client(self, *command, env=None):
        proc = subprocess.Popen(command or ["/usr/bin/python3", "-c", PYTHON_CLIENT], stdin=subprocess.PIPE,
                                stdout=subprocess.PIPE, text=True, env=dict(tls_env(), **(env or {})))
        self.addCleanup(proc.stdout.close)
        self.addCleanup(proc.stdin.close)
        self.addCleanup(proc.wait)
        self.addCleanup(proc.kill)
        self.assertEqual(proc.stdout.readline(), "ready\n")
        return proc

    def work(self, proc, n):
        proc.stdin.write("%d\n" % n)
        proc.stdin.flush()
        self.assertEqual(proc.stdout.readline(), "done\n")

    def test_attached_in_the_middle(self):
        """The connection is older than sonde; another process with the same library is neither reported nor probed."""
        one, two = self.client(), self.client()
        with pg.Sonde("-p", str(one.pid)) as sonde:
            self.assertTrue(text_differs(one.pid))
            self.assertTrue(not text_differs(two.pid) or not alone(sonde.pid))
            cluster.reset_statements()
            self.work(one, 100)
            self.work(two, 30)
            report = sonde.stop()
        self.assert_complete(report)
        row = report.one(ABS)
        self.assertEqual((row["count"], row["pid"]), (100, one.pid))
        self.assertEqual(row["server"], "127.0.0.1:%d" % cluster.port)
        self.assertTrue(not text_differs(one.pid) or not alone())

    def test_started_later(self):
        with pg.Sonde("-c", "later") as sonde:
            program = os.path.join(self.dir, "later")
            os.symlink("/usr/bin/psql", program)
            # psql finds its libraries; the process is called as the link is.
            shutil.copy("/usr/lib/postgresql/%s/bin/psql" % os.path.basename(os.path.dirname(pg.find_bindir())),
                        program + ".new")
            os.rename(program + ".new", program)
            for _ in range(3):
                subprocess.run([program, "-X", "-q", "-c", ABS, "-o", "/dev/null"], env=tls_env(), check=True)
            report = sonde.stop()
        self.check(report)
        self.assertEqual(sum(q["count"] for q in report.queries), 3)

    def test_own_copy_started_later(self):
        """A library that no process had mapped when sonde started, under a name that it does not look for."""
        libs = os.path.join(self.dir, "lib")
        os.mkdir(libs)
        shutil.copy(LIBSSL, libs)
        with pg.Sonde("-c", "python3") as sonde:
            proc = self.client(env={"LD_LIBRARY_PATH": libs})
            end = time.monotonic() + 20
            while not text_differs(proc.pid, libs) or not pg.is_attached(sonde.pid):
                self.assertLess(time.monotonic(), end, "no probes in the process")
                time.sleep(0.05)
            self.work(proc, 40)
            report = sonde.stop()
        row = report.one(ABS)
        self.assertGreaterEqual(row["count"], 40)
        self.assertLessEqual(row["count"], 45)
        self.assertEqual(report.coverage["lost"], {})

    def test_deleted_library(self):
        libs = os.path.join(self.dir, "lib")
        os.mkdir(libs)
        shutil.copy(LIBSSL, libs)
        proc = self.client(env={"LD_LIBRARY_PATH": libs})
        os.unlink(os.path.join(libs, os.path.basename(LIBSSL)))
        with pg.Sonde("-p", str(proc.pid)) as sonde:
            cluster.reset_statements()
            self.work(proc, 60)
            report = sonde.stop()
        self.assert_complete(report, seen=60)
        self.check(report, None)  # said before sonde came

    def test_other_mount_namespace(self):
        """Another file stands under the library's name there, as in a container."""
        copy = os.path.join(self.dir, "copy.so")
        shutil.copy(LIBSSL, copy)
        proc = self.client("unshare", "-m", "sh", "-c",
                           'mount --bind "$0" "$1" && exec /usr/bin/python3 -c "$2"', copy,
                           os.path.realpath(LIBSSL), PYTHON_CLIENT)
        self.assertEqual(os.stat("/proc/%d/root%s" % (proc.pid, LIBSSL)).st_ino, os.stat(copy).st_ino)
        with pg.Sonde("-p", str(proc.pid)) as sonde:
            cluster.reset_statements()
            self.work(proc, 70)
            report = sonde.stop()
        self.assert_complete(report, seen=70)
        self.check(report, None)

    def test_library_mapped_later(self):
        """By a process that runs. What it says before the probes are there is unreadable, and that is said."""
        proc = self.client("/usr/bin/python3", "-c", LATE_CLIENT)
        self.assertIsNone(library_of(proc.pid, "libssl.so"))
        with pg.Sonde("-p", str(proc.pid)) as sonde:
            self.work(proc, 20)
            end = time.monotonic() + 20
            while not text_differs(proc.pid) or not pg.is_attached(sonde.pid):
                self.assertLess(time.monotonic(), end, "no probes in the process")
                time.sleep(0.05)
            self.work(proc, 40)
            report = sonde.stop()
        counts = sorted(q["count"] for q in report.rows_of(ABS))
        self.assertIn(sum(counts), range(40, 61), report.brief())
        self.assertGreaterEqual(sum(counts) + 20 * report.coverage["doubt"].get("unreadable_tls", 0), 60, report.brief())
        self.assertEqual(report.coverage["lost"], {}, report.brief())

    def test_forked(self):
        """A child uses the connection of its parent, and the object at the same address, which is its own now."""
        for capture in pg.captures():
            with self.subTest(capture=capture):
                cluster.reset_statements()
                report = self.run_it("/usr/bin/python3", "-c", FORKING_CLIENT, args=("--capture", capture))
                self.check(report)
                self.assertEqual(sorted(q["count"] for q in report.rows_of(ABS)), [10, 20, 30])
                self.assertEqual(len({q["pid"] for q in report.queries}), 3)

    def test_killed(self):
        """Nothing stays in the libraries when sonde is killed."""
        proc = self.client()
        sonde = pg.Sonde("-p", str(proc.pid))
        self.assertTrue(text_differs(proc.pid))
        sonde.proc.kill()
        sonde.proc.communicate()
        end = time.monotonic() + 10
        while text_differs(proc.pid) and alone():
            self.assertLess(time.monotonic(), end, "breakpoints are left")
            time.sleep(0.05)
        self.work(proc, 10)

    def test_server(self):
        """The other end of the connection, which reads first."""
        with pg.Sonde("-c", "postgres", "--role", "server") as sonde:
            subprocess.run(["pgbench", "-n", "-S", "-c", "2", "-t", "100"], env=tls_env(), check=True,
                           stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            time.sleep(0.2)
            report = sonde.stop()
        truth = {sid: row for sid, row in cluster.statements().items() if "pg_stat" not in row.text}
        # Other servers may run on the machine.
        report.queries = [q for q in report.queries if q.get("server") == "127.0.0.1:%d" % cluster.port]
        self.assert_truth(truth, {sid: row for sid, row in report.by_id("server").items() if sid in truth})
        self.assertEqual(report.coverage["lost"], {})


if __name__ == "__main__":
    sys.stdout.reconfigure(line_buffering=True)
    unittest.main(verbosity=2)
