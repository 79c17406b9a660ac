# SPDX-License-Identifier: GPL-2.0-only
# TOGETHER: counts, of its own processes
# ALONE: test_pipelined test_latency test_first_byte NginxTest test_node ServerTest.test_tls: compare times, or see every process
"""test_http.py - `sonde http` beside real servers and clients: counts and statuses equal the server's own log, latency
equals the client's and the server's own clock."""

import collections
import http.client
import json
import os
import random
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import unittest

import certs
import clocks
import pg

HERE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "http_servers")

# What the paths of these tests are instances of.
PATTERNS = [(r"/orders/\d+/items/\d+$", "/orders/{id}/items/{id}"), (r"/orders/\d+$", "/orders/{id}"),
            (r"/users/[0-9a-f-]{36}$", "/users/{id}"), (r"/assets/app\.[0-9a-f]{8}\.js$", "/assets/app.{id}.js"),
            (r"/(status|sleep|chunks|bytes|later)/\d+$", r"/\1/{id}"), (r"/file-\d{4,}\.bin$", "/file-{id}.bin")]


def pattern(path):
    path = path.split("?")[0]
    for regex, to in PATTERNS:
        if re.match(regex, path):
            return re.sub(regex, to, path)
    return path


class Report(pg.Report):
    def __init__(self, document, code=0, stderr=""):
        assert "queries" not in document, "endpoints only"
        super().__init__(dict(document, queries=[]), code, stderr)
        self.endpoints = document["endpoints"]

    def counts(self, role, pid=None):
        """{(method, path): [requests, 4xx, 5xx]}"""
        out = {}
        for e in self.endpoints:
            if e["role"] == role and (pid is None or e["pid"] == pid):
                row = out.setdefault((e["method"], e["path"]), [0, 0, 0])
                for i, key in enumerate(("count", "errors_4xx", "errors_5xx")):
                    row[i] += e[key]
        return out

    def one(self, role, path, method="GET"):
        found = [e for e in self.endpoints if (e["role"], e["method"], e["path"]) == (role, method, path)]
        if len(found) != 1:
            raise AssertionError("%d rows of %s %s %s in:\n%s" % (len(found), role, method, path, self.brief()))
        return found[0]

    def brief(self):
        lines = ["%6d %-6s %s %s  4xx %d 5xx %d" % (e["count"], e["role"], e["method"], e["path"], e["errors_4xx"],
                                                     e["errors_5xx"]) for e in self.endpoints]
        return "\n".join(lines + [json.dumps(self.coverage), self.stderr])


class Sonde(pg.Sonde):
    def __init__(self, *args, **kwargs):
        super().__init__(*args, command="http", **kwargs)

    def stop(self, sig=signal.SIGINT):
        self.proc.send_signal(sig)
        code, out, err = self.wait()
        return Report(json.loads(out), code, err)


class Server:
    """A server process on a port of its own, with its own log."""

    def __init__(self, tmp, *command, args=()):
        self.log = os.path.join(tmp, "log.%d" % random.randrange(1 << 40))
        open(self.log, "w").close()
        self.proc = subprocess.Popen([*command, self.log, *args], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True)
        self.pid = self.proc.pid
        self.port = int(self.proc.stdout.readline())
        unittest.addModuleCleanup(self.stop)

    def stop(self):
        self.proc.kill()
        self.proc.wait()
        self.proc.stdout.close()

    def take(self, at_least=0):
        """What it has logged since it was asked last; waits for so many lines."""
        end = time.monotonic() + 10 * pg.PATIENCE
        while at_least and time.monotonic() < end:
            with open(self.log) as f:
                if f.read().count("\n") >= at_least:
                    break
            time.sleep(0.02)
        with open(self.log, "r+") as f:
            out = [json.loads(line) for line in f]
            f.truncate(0)
        return out


def truth(log):
    out = {}
    for method, path, status, *_ in log:
        row = out.setdefault((method, pattern(path)), [0, 0, 0])
        row[0] += 1
        row[1] += 400 <= status < 500
        row[2] += status >= 500
    return out


def setUpModule():
    global tmp, threaded, raw
    if os.geteuid() != 0:
        raise unittest.SkipTest("needs root")
    if not os.access(pg.SONDE, os.X_OK):
        raise unittest.SkipTest("there is no %s: build it first" % pg.SONDE)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    tmp = tempfile.mkdtemp(prefix="http.")
    unittest.addModuleCleanup(shutil.rmtree, tmp, True)
    os.chmod(tmp, 0o755)
    script = os.path.join(HERE, "server.py")
    threaded = Server(tmp, sys.executable, script, "threaded")
    raw = Server(tmp, sys.executable, script, "raw")


sockets = []  # of the test under way


def connect(port):
    s = socket.create_connection(("127.0.0.1", port))
    sockets.append(s)
    s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return s


def read_response(s, head=False):
    """One response with a Content-Length; what follows it is left."""
    data = b""
    while b"\r\n\r\n" not in data:
        data += s.recv(1)
    found = re.search(rb"(?i)^content-length: *(\d+)", data, re.M)
    left = 0 if head or not found else int(found.group(1))
    while left:
        piece = s.recv(left)
        assert piece, "cut off"
        left -= len(piece)
    return int(data.split(b" ")[1])


class HttpTest(pg.TestCase):
    def tearDown(self):
        while sockets:
            sockets.pop().close()

    def assert_truth(self, expected, found, report):
        self.assertEqual({k: v for k, v in sorted(expected.items())}, {k: v for k, v in sorted(found.items())},
                         report.brief())

    def assert_covered(self, report, lost=None, doubt=()):
        cov = report.coverage
        self.assertEqual(cov["lost"], lost or {}, report.brief())
        self.assertEqual(cov["outstanding"], 0, report.brief())
        doubts = {k: v for k, v in cov["doubt"].items() if k not in doubt and k != "events_missed"}
        self.assertEqual(doubts, {}, report.brief())
        self.assertEqual(sum(e["count"] for e in report.endpoints), cov["attributed"], report.brief())

    def both_ends_are(self, expected, server, report):
        """Client's and server's rows are what the server has logged."""
        self.assert_truth(expected, report.counts("server", server.pid), report)
        self.assert_truth(expected, report.counts("client", os.getpid()), report)
        self.assert_covered(report)


class ServerTest(HttpTest):
    def client(self, port):
        """A mix on one kept connection."""
        c = http.client.HTTPConnection("127.0.0.1", port)
        r = random.Random(5)

        def ask(method, path, body=None, headers={}):
            c.request(method, path, body, headers)
            c.getresponse().read()

        for i in range(60):
            ask("GET", "/orders/%d?page=%d" % (i, i))
        for i in range(10):
            ask("GET", "/orders/%d/items/%d" % (i, r.randrange(1 << 30)))
            ask("GET", "/users/%08x-1b9c-7d4e-9f3a-0123456789ab" % r.randrange(1 << 32))
            ask("GET", "/assets/app.3f2a9c%02x.js" % i)
            ask("HEAD", "/bytes/100000")
            ask("GET", "/bytes/%d" % (i * 30000))
            ask("GET", "/chunks/%d" % i)
            ask("POST", "/orders", b"GET /no HTTP/1.1\r\n\r\n" * 1000 * i)
            ask("PUT", "/orders/%d" % i, iter([b"5\r\nGET /\r\n11170\r\n", b"x" * 70000, b"\r\n0\r\n\r\n"]),
                {"Transfer-Encoding": "chunked"})
            ask("DELETE", "/orders/%d" % i)
        for status in (204, 304, 400, 404, 404, 418, 500, 503, 503):
            ask("GET", "/status/%d" % status)
        ask("GET", "/until-close")
        c.close()

    def test_threaded_server(self):
        for capture in pg.captures():
            with self.subTest(capture), Sonde("-p", "%d,%d" % (threaded.pid, os.getpid()), "--capture", capture) as sonde:
                self.client(threaded.port)
                workers = [threading.Thread(target=self.client, args=(threaded.port,)) for _ in range(2)]
                for w in workers:
                    w.start()
                for w in workers:
                    w.join()
                time.sleep(0.3)
                report = sonde.stop()
                expected = truth(threaded.take())
                # By the exit of system calls nothing is seen of a close: what ends with it is lost to the server.
                cut = 3 if capture == "syscall" else 0
                served = report.counts("server", threaded.pid)
                self.assert_truth(expected, report.counts("client", os.getpid()), report)
                if cut:
                    expected.pop(("GET", "/until-close"))
                self.assert_truth(expected, served, report)
                if not cut:
                    self.assert_covered(report)
                self.assertEqual(report.one("client", "/status/{id}")["errors_4xx"], 12)
                self.assertEqual(report.one("server", "/status/{id}")["errors_5xx"], 9)
                self.assertEqual(report.one("server", "/orders/{id}")["server"], "127.0.0.1:%d" % threaded.port)
                self.assertEqual(report.one("client", "/orders/{id}")["server"], "127.0.0.1:%d" % threaded.port)

    def test_unasked(self):
        """Bytes that are no request, and answers to them, on a kept connection: none of it is a later request's first byte."""
        listening = socket.create_server(("127.0.0.1", 0))

        def serve():
            conn, left = listening.accept()[0], b""
            with conn:
                while data := conn.recv(4096):
                    left += data
                    while b"\r\n\r\n" in left:
                        left = left.split(b"\r\n\r\n", 1)[1]
                        time.sleep(0.005)
                        conn.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")

        serving = threading.Thread(target=serve)
        serving.start()
        with Sonde("-p", str(os.getpid())) as sonde:
            s = connect(listening.getsockname()[1])
            for i in range(12):
                if i % 3 == 1:
                    s.sendall(b"\x00\x01garbage")
                elif i % 3 == 2:
                    s.sendall(b"garbage\r\n\r\n")
                    read_response(s)
                time.sleep(0.01)
                s.sendall(b"GET /unasked HTTP/1.1\r\nHost: a\r\n\r\n")
                read_response(s)
            s.close()
            serving.join()
            time.sleep(0.2)
            report = sonde.stop()
        listening.close()
        for role in ("client", "server"):
            row = report.one(role, "/unasked")
            self.assertGreater(row["count"], 6)
            self.assertGreaterEqual(row["first_byte_ns"]["min"], 4e6)
            self.assertLessEqual(row["first_byte_ns"]["max"], row["latency_ns"]["max"])

    def test_library_server(self):
        """python3 -m http.server: HTTP/1.0, its own log on stderr."""
        root = tempfile.mkdtemp(dir=tmp)
        for i in range(3):
            with open("%s/file-%d.bin" % (root, 10000 + i), "wb") as f:
                f.write(os.urandom(100000 * i))
        port = pg.free_port()
        log = open(os.path.join(tmp, "library.log"), "w+")
        server = subprocess.Popen([sys.executable, "-u", "-m", "http.server", "-b", "127.0.0.1", "-d", root, str(port)],
                                  stdout=subprocess.DEVNULL, stderr=log)
        self.addCleanup(lambda: (server.kill(), server.wait(), log.close()))
        wait_port(port)
        with Sonde("-p", str(server.pid)) as sonde:
            for i in range(5):
                for path in ("/file-1000%d.bin" % i, "/", "/missing"):
                    subprocess.run(["curl", "-s", "-o", "/dev/null", "http://127.0.0.1:%d%s" % (port, path)])
            subprocess.run(["curl", "-s", "-I", "-o", "/dev/null", "http://127.0.0.1:%d/" % port])
            time.sleep(0.2)
            report = sonde.stop()
        log.seek(0)
        lines = re.findall(r'"(\w+) (\S+) HTTP/[\d.]+" (\d+) -', log.read())
        self.assertEqual(len(lines), 16)
        self.assert_truth(truth((m, p, int(s)) for m, p, s in lines), report.counts("server"), report)
        self.assert_covered(report)

    @unittest.skipUnless(shutil.which("node"), "needs node")
    def test_node(self):
        node = Server(tmp, "node", os.path.join(HERE, "server.js"))
        url = "http://127.0.0.1:%d" % node.port
        with Sonde("-p", "%d,%d" % (node.pid, os.getpid())) as sonde, Sonde("-c", "curl") as curl:
            c = http.client.HTTPConnection("127.0.0.1", node.port)
            for i in range(40):
                for path in ("/orders/%d" % i, "/chunks/%d" % (i % 7), "/status/%d" % (200 + 100 * (i % 4) + 4 * (i % 2))):
                    c.request("GET", path)
                    c.getresponse().read()
            c.request("POST", "/orders", b"z" * 300000)
            c.getresponse().read()
            c.close()
            for _ in range(5):
                self.upgrade(node.port)
            log = node.take(131)
            self.assertEqual(len(log), 131)
            mixed = sonde.stop()
            self.both_ends_are(truth(log), node, mixed)
            for args in (["-H", "Expect: 100-continue", "-d", "hello=world"], ["-d", "x=1"], ["-I"], ["-T", __file__],
                         ["-H", "Transfer-Encoding: chunked", "-d", "@" + __file__], ["-X", "PATCH"]):
                subprocess.run(["curl", "-s", "-o", "/dev/null", "-o", "/dev/null", *args, url + "/orders/42", url + "/later/5"])
            log = node.take(12)
            self.assertEqual(len(log), 12)
            report = curl.stop()
        self.assert_truth(truth(log), report.counts("client"), report)
        self.assert_covered(report)
        self.assertGreater(report.one("client", "/later/{id}", "GET")["latency_ns"]["min"], 4e6)

    def upgrade(self, port):
        """A kept connection that becomes a WebSocket."""
        s = connect(port)
        s.sendall(b"GET /orders/1 HTTP/1.1\r\nHost: a\r\n\r\n")
        self.assertEqual(read_response(s), 200)
        s.sendall(b"GET /socket HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
                  b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n")
        self.assertEqual(read_response(s), 101)
        for n in range(10):
            frame = b"\x82\x7d" + os.urandom(125)
            s.sendall(frame)
            got = b""
            while len(got) < len(frame):
                got += s.recv(1000)
        s.close()

    @unittest.skipUnless(shutil.which("curl"), "needs curl")
    def test_tls(self):
        """HTTPS at both ends, as far as their libraries are read (OpenSSL: libssl)."""
        crt, key = certs.make(tmp)
        server = Server(tmp, sys.executable, os.path.join(HERE, "server.py"), "tls", args=(crt, key))
        with Sonde() as sonde:
            time.sleep(0.5)
            for i in range(5):
                urls = ["https://127.0.0.1:%d/%s" % (server.port, path) for path in
                        ("orders/%d" % i, "bytes/100000", "status/404", "chunks/4", "orders/%d" % i)]
                subprocess.run(["curl", "-s", "--cacert", crt, *["-o/dev/null"] * len(urls), *urls], check=True)
            time.sleep(0.2)
            report = sonde.stop()
        expected = truth(server.take())
        self.assertEqual(sum(n for n, _, _ in expected.values()), 25)
        at = "127.0.0.1:%d" % server.port
        report.endpoints = [e for e in report.endpoints if e.get("server") == at]
        self.assert_truth(expected, report.counts("client"), report)
        self.assert_truth(expected, report.counts("server", server.pid), report)


def wait_port(port):
    for _ in range(200):
        try:
            return connect(port).close()
        except ConnectionRefusedError:
            time.sleep(0.02)
    raise AssertionError("no server on port %d" % port)


NGINX = """
worker_processes 2; pid %(dir)s/pid; error_log %(dir)s/error.log; daemon off; user root;
events { worker_connections 200; }
http {
    log_format sonde '["$request_method","$request_uri",$status,$request_time,$bytes_sent]';
    access_log %(dir)s/access.log sonde;
    client_body_temp_path %(dir)s/b; proxy_temp_path %(dir)s/p; fastcgi_temp_path %(dir)s/f;
    uwsgi_temp_path %(dir)s/u; scgi_temp_path %(dir)s/s;
    sendfile on; tcp_nopush on; gzip on; gzip_types text/plain; gzip_min_length 1;
    upstream back { server 127.0.0.1:%(back)d; keepalive 8; }
    server {
        listen 127.0.0.1:%(port)d; root %(dir)s/www; keepalive_requests 100000; client_max_body_size 10m;
        location /made/ { return 201 "made\\n"; }
        location /back/ { proxy_pass http://back/; proxy_http_version 1.1; proxy_set_header Connection ""; }
        location /old/ { proxy_pass http://127.0.0.1:%(back)d/; }
        location /bad/ { return 502; }
    }
}
"""


class NginxTest(HttpTest):
    @classmethod
    def setUpClass(cls):
        if not shutil.which("nginx"):
            raise unittest.SkipTest("needs nginx")
        cls.dir = os.path.join(tmp, "nginx")
        os.makedirs(cls.dir + "/www")
        for n, size in ((10000, 0), (10001, 1), (10002, 5000), (10003, 300000), (10004, 6000000)):
            with open("%s/www/file-%d.bin" % (cls.dir, n), "wb") as f:
                f.write(os.urandom(size))
        with open(cls.dir + "/www/text.txt", "w") as f:
            f.write("compress me, please\n" * 3000)
        cls.port = pg.free_port()
        config = cls.dir + "/nginx.conf"
        with open(config, "w") as f:
            f.write(NGINX % {"dir": cls.dir, "port": cls.port, "back": threaded.port})
        cls.proc = subprocess.Popen(["nginx", "-c", config, "-p", cls.dir], stderr=subprocess.DEVNULL)
        wait_port(cls.port)
        while sockets:
            sockets.pop().close()
        cls.pids = subprocess.run(["ps", "-o", "pid=", "--ppid", str(cls.proc.pid)], stdout=subprocess.PIPE,
                                  text=True).stdout.split()

    @classmethod
    def tearDownClass(cls):
        cls.proc.terminate()
        cls.proc.wait()

    def log(self):
        time.sleep(0.2)
        with open(self.dir + "/access.log", "r+") as f:
            out = [json.loads(line) for line in f]
            f.truncate(0)
        return out

    def test_files(self):
        """Bodies that sendfile(2) sends are never seen, only counted."""
        for capture in pg.captures():
            self.log()
            with self.subTest(capture), Sonde("-p", ",".join(self.pids + [str(os.getpid())]), "--capture", capture) as s:
                c = http.client.HTTPConnection("127.0.0.1", self.port)
                self.addCleanup(c.close)
                for i in range(20):
                    for n in range(10000, 10006):
                        c.request("GET", "/file-%d.bin" % n)
                        c.getresponse().read()
                    c.request("HEAD", "/file-10003.bin")
                    c.getresponse().read()
                    c.request("GET", "/file-10004.bin", headers={"Range": "bytes=1000-90000"})
                    c.getresponse().read()
                    c.request("GET", "/text.txt", headers={"Accept-Encoding": "gzip"})
                    c.getresponse().read()
                    c.request("POST", "/made/1", b"x" * 20000)
                    c.getresponse().read()
                    c.request("GET", "/bad/")
                    c.getresponse().read()
                report = s.stop()
                log = self.log()
                expected = truth(log)
                expected[("POST", "/made/{id}")] = expected.pop(("POST", "/made/1"))
                self.assert_truth(expected, report.counts("client"), report)
                if capture == "tracepoint":
                    self.assert_truth(expected, report.counts("server"), report)
                    self.assert_covered(report)
                    sent = sum(entry[4] for entry in log)
                    self.assertEqual(sum(e["recv_bytes"] for e in report.endpoints if e["role"] == "client"), sent)
                    # nginx counts the time in milliseconds; its clock moves when events come.
                    ms = 1e9 * sum(entry[3] for entry in log) / len(log)
                    mean = sum(e["latency_ns"]["sum"] for e in report.endpoints if e["role"] == "server") / len(log)
                    self.assertLess(abs(mean - ms), 2e6)

    def test_proxy(self):
        """In and out of nginx, the upstream's connections kept (chunked) or not (HTTP/1.0)."""
        try:
            import urllib3
        except ImportError:
            self.skipTest("needs urllib3")
        self.log()
        threaded.take()
        with Sonde("-p", ",".join(self.pids), "--role", "any") as sonde:
            pool = urllib3.PoolManager(maxsize=4)
            for i in range(30):
                for path in ("orders/%d" % i, "chunks/%d" % (i % 5), "status/404", "bytes/%d" % (10000 * i)):
                    pool.request("GET", "http://127.0.0.1:%d/back/%s" % (self.port, path))
                    pool.request("GET", "http://127.0.0.1:%d/old/%s" % (self.port, path))
            time.sleep(0.2)
            report = sonde.stop()
        log = self.log()
        served = [[m, re.sub(r"/\d+$", "/7", p), s] for m, p, s, *_ in log]
        served = {(m, re.sub(r"/\d+$", "/{id}", p)): n for (m, p), n in truth(served).items()}
        self.assertEqual(sum(n for n, _, _ in served.values()), 240)
        self.assert_truth(served, report.counts("server"), report)
        self.assert_truth(truth(threaded.take()), report.counts("client"), report)
        self.assert_covered(report)


def traced(*args):
    return Sonde("-p", "%d,%d" % (raw.pid, os.getpid()), *args)


def in_pieces(clock):
    """Requests cut at every byte, and into pieces of many sizes; the same of the responses."""
    s = connect(raw.port)
    for cut in (1, 2, 3, 7, 16, 17, 50, 1000):
        for method, path in (("GET", "/cut/42/"), ("POST", "/cut/1/items/2/"), ("HEAD", "/cut/status=404/")):
            body = b"GET /no HTTP/1.1\r\n\r\n" if method == "POST" else b""
            request = ("%s %spieces=%d HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n" % (
                method, path, cut, len(body))).encode() + body
            for at in range(0, len(request), cut):
                s.sendall(request[at:at + cut])
            read_response(s, method == "HEAD")
    s.close()


def pipelined(clock):
    """Many requests in one send."""
    s = connect(raw.port)
    began = time.monotonic_ns()
    s.sendall(b"".join(b"GET /pipelined/%d/busy=500000 HTTP/1.1\r\n\r\n" % i for i in range(100)))
    for i in range(100):
        assert read_response(s) == 200
        clock["/pipelined/{id}/busy=500000"].append(time.monotonic_ns() - began)
    s.close()


def timed(clock):
    s = connect(raw.port)
    for i in range(400):
        path = "/timed/busy=%d" % (50000 if i % 10 else 3000000)
        request = b"GET %s HTTP/1.1\r\nHost: a\r\n\r\n" % path.encode()
        began = time.monotonic_ns()
        s.sendall(request)
        data = s.recv(65536)
        ended = time.monotonic_ns()
        assert data[-100:] == b"x" * 100
        clock[path].append(ended - began)
    s.close()


def first_byte(clock):
    for i in range(20):
        s = connect(raw.port)
        s.sendall(b"GET /x/length=5000000 HTTP/1.1\r\n\r\n")
        time.sleep(0.005)
        assert read_response(s) == 200
        s.sendall(b"GET /interim HTTP/1.1\r\n\r\n")
        assert [read_response(s), read_response(s), read_response(s)] == [102, 103, 200]
        s.close()


def switched(clock):
    s = connect(raw.port)
    s.sendall(b"GET /switch HTTP/1.1\r\nUpgrade: x\r\n\r\n")
    assert read_response(s) == 101
    for _ in range(10):
        s.sendall(b"\x81\x85" + b"\0GET / HTTP/1.1\r\n\r\n" * 10)
        s.recv(1000)
    s.close()


def until_close(clock):
    for i in range(10):
        s = connect(raw.port)
        s.sendall(b"GET /close/length=%d%s HTTP/1.0\r\n\r\n" % (i * 20000, b"/status=500" * (i % 2)))
        if i > 4:
            s.shutdown(socket.SHUT_WR)  # and still wants its answer
        while s.recv(100000):
            pass
        s.close()


class ProtocolTest(HttpTest):
    """What raw sockets say; all in one run of sonde."""

    @classmethod
    def setUpClass(cls):
        cls.report, cls.clock, cls.log = cls.run_all(in_pieces, pipelined, timed, first_byte, switched, until_close)

    @staticmethod
    def run_all(*says):
        """The report, the client's clock by path, and the server's log."""
        raw.take()
        clock = collections.defaultdict(list)
        with traced() as sonde:
            with clocks.undisturbed(raw.pid, me=True):
                for say in says:
                    say(clock)
            time.sleep(0.2)
            report = sonde.stop()
        return report, clock, raw.take()

    def test_all(self):
        """Every request, at both ends: cut anywhere, pipelined, switched, ended by the connection's end."""
        expected = {}
        for (method, path), n in truth(self.log).items():
            key = (method, re.sub(r"/\d+(?=/)", "/{id}", path))
            expected[key] = [a + b for a, b in zip(expected.get(key, [0, 0, 0]), n)]
        self.assertEqual(sum(n for n, _, _ in expected.values()), 24 + 100 + 400 + 40 + 1 + 10)
        for role in ("client", "server"):
            self.assert_truth(expected, self.report.counts(role), self.report)
        self.assert_covered(self.report)

    def test_pipelined(self):
        """Each request is timed by its own response: the n-th waits for those before it."""
        path = "/pipelined/{id}/busy=500000"
        agreement = clocks.Agreement(self)

        def attempt(number):
            report, clock, _ = self.run_all(pipelined) if number else (self.report, self.clock, self.log)
            found = report.one("client", path)["latency_ns"]
            self.assertEqual(len(clock[path]), 100)
            self.assertLessEqual(found["sum"], sum(clock[path]))
            # The n-th cannot have been answered before the server has worked for n of them.
            self.assertGreaterEqual(found["min"], 0.5e6 - clocks.SLACK_NS)
            self.assertGreaterEqual(found["sum"], sum(0.5e6 * n - clocks.SLACK_NS for n in range(1, 101)))
            agreement.near("sum", found["sum"], sum(clock[path]), 0.05 * sum(clock[path]))
            agreement.percentiles("pipelined", found, clock[path])

        agreement.until(attempt)

    def test_latency(self):
        """Against the clocks of the client, which contains sonde's time, and of the server, which begins and ends later."""
        agreement = clocks.Agreement(self)
        paths = ["/timed/busy=50000", "/timed/busy=3000000"]

        def attempt(number):
            report, clock, log = self.run_all(timed) if number else (self.report, self.clock, self.log)
            for path in paths:
                served = [ns for _, p, _, ns in log if p == path]
                for role, own in (("client", clock[path]), ("server", served)):
                    found = report.one(role, path)["latency_ns"]
                    self.assertEqual(report.one(role, path)["count"], len(own))
                    agreement.percentiles(role + " " + path, found, own, role == "client", (("p50", 0.5), ("p90", 0.9)))
                self.assertGreaterEqual(report.one("client", path)["latency_ns"]["min"], int(path.split("=")[1]) - clocks.SLACK_NS)
                self.assertGreaterEqual(report.one("server", path)["latency_ns"]["min"], int(path.split("=")[1]))

        agreement.until(attempt)

    def test_first_byte(self):
        """The first byte of the final response, not of an interim one, nor the last."""
        e = self.report.one("client", "/x/length=5000000")
        head = "HTTP/1.1 200 Whatever\r\nServer: raw\r\nContent-Type: text/plain\r\nContent-Length: 5000000\r\n\r\n"
        self.assertEqual(e["recv_bytes"], 20 * (5000000 + len(head)))
        self.assertGreaterEqual(e["first_byte_ns"]["min"], 4.9e6)
        self.assertGreater(e["latency_ns"]["sum"], e["first_byte_ns"]["sum"] + 20 * 200000)


class BadInputTest(HttpTest):
    def test_broken(self):
        """A response that never comes, or is none: counted as lost; what is no HTTP is no request."""
        with traced("--role", "client") as sonde:
            for path in (b"/hang-up", b"/garbage"):
                for _ in range(3):
                    s = connect(raw.port)
                    s.sendall(b"GET %s HTTP/1.1\r\n\r\n" % path)
                    while s.recv(1000):
                        pass
                    s.close()
            for data in (b"GET key\r\n", b"*1\r\n$4\r\nPING\r\n", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"x" * 600,
                         b"GET / HTTP/3.0\r\n\r\n", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + b"\0\0\0\4\0\0\0\0\0", b"HELO x\r\n", b"\0" * 100, b"get / http/1.1\r\n\r\n"):
                s = connect(raw.port)
                s.sendall(data)
                s.close()
            report = sonde.stop()
        raw.take()
        self.assertEqual(report.endpoints, [], report.brief())
        self.assertEqual(report.coverage["lost"], {"closed": 3, "desync": 3}, report.brief())
        self.assertEqual(report.coverage["doubt"].get("unreadable_http2"), 1, report.brief())

    def test_attach_midway(self):
        """Kept connections that were there before; one in the middle of a response."""
        kept, busy = connect(raw.port), connect(raw.port)
        kept.sendall(b"GET /before HTTP/1.1\r\n\r\n")
        read_response(kept)
        busy.sendall(b"GET /before/length=30000000 HTTP/1.1\r\n\r\n")
        busy.recv(1000)
        with traced("--role", "client") as sonde:
            for i in range(5):
                kept.sendall(b"GET /orders/%d HTTP/1.1\r\n\r\n" % i)
                read_response(kept)
            left = 30000000
            while left > 0:
                left -= len(busy.recv(1 << 20))
                if left < 2000:
                    break
            busy.settimeout(0.3)
            try:
                while busy.recv(1 << 20):
                    pass
            except TimeoutError:
                pass
            busy.settimeout(None)
            for i in range(5):
                busy.sendall(b"GET /orders/%d HTTP/1.1\r\n\r\n" % i)
                read_response(busy)
            report = sonde.stop()
        raw.take()
        self.assertEqual(report.counts("client"), {("GET", "/orders/{id}"): [10, 0, 0]}, report.brief())

    def test_db_shows_none(self):
        with pg.Sonde("-p", "%d,%d" % (raw.pid, os.getpid()), "--role", "any") as sonde:
            s = connect(raw.port)
            for i in range(10):
                s.sendall(b"GET /orders/%d HTTP/1.1\r\n\r\n" % i)
                read_response(s)
            report = sonde.stop()
        raw.take()
        self.assertEqual(report.queries, [])
        self.assertEqual(report.coverage["seen"], 0)
        self.assertNotIn("endpoints", report.json)

    def test_text(self):
        with Sonde("-p", str(os.getpid()), out="text") as sonde:
            s = connect(raw.port)
            for i in range(20):
                s.sendall(b"GET /orders/%d/status=%d HTTP/1.1\r\n\r\n" % (i, 200 if i % 4 else 404))
                read_response(s)
            sonde.proc.send_signal(signal.SIGINT)
            _, out, _ = sonde.wait()
        raw.take()
        self.assertIn("20 requests to 2 endpoints", out)
        self.assertRegex(out, r"(?m)^.* 5 +\S+ .* out +GET /orders/\{id\}/status=404$")
        self.assertRegex(out, r"errors: GET /orders/\{id\}/status=404 \(out\): 5 4xx \(last 404\)")
        self.assertIn("coverage: 20 requests seen, all in the table, none lost", out)


if __name__ == "__main__":
    unittest.main()
