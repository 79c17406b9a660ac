#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
"""test_breakdown.py - `sonde http --breakdown` beside a server that times what it does by its own clocks: each part equals the
server's, the parts add up; and what is said of event loops, goroutines and PHP-FPM."""

import contextlib
import http.client
import json
import os
import re
import shutil
import signal
import socket
import ssl
import struct
import subprocess
import sys
import tempfile
import threading
import time
import unittest

import bpfmaps
import certs
import pg
import sonderun
import test_http

PARTS = ("database", "http", "sockets", "file", "lock", "channel", "sleep", "other_wait", "cpu", "loop_wait", "run_queue", "unexplained")
PART_OF = {"query": "database", "many": "database", "http": "http", "raw": "sockets", "fsync": "file", "lock": "lock", "sleep": "sleep",
           "pipe": "other_wait"}
MIX = "/query/many/http/raw/fsync/lock/sleep/pipe/cpu"
SPAN = 0.03


def listen(answer):
    """Serves each connection with @answer in a thread of this process."""
    server = socket.create_server(("127.0.0.1", 0), backlog=64)
    unittest.addModuleCleanup(server.close)

    def accept():
        while True:
            try:
                conn = server.accept()[0]
            except OSError:
                return
            threading.Thread(target=answer, args=(conn,), daemon=True).start()

    threading.Thread(target=accept, daemon=True).start()
    return server.getsockname()[1]


def answer_http(conn):
    with conn:
        conn.recv(4096)
        time.sleep(SPAN)
        conn.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\nConnection: close\r\n\r\n7.5")


def answer_raw(conn):
    with conn:
        conn.recv(16)
        time.sleep(SPAN)
        conn.sendall(b"\x01\x02\x03\x04")


def setUpModule():
    global tmp, cluster, log, server, port
    why = pg.why_not()
    if why:
        raise unittest.SkipTest(why)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    tmp = tempfile.mkdtemp(prefix="breakdown-", dir=pg.O)
    unittest.addModuleCleanup(shutil.rmtree, tmp, True)
    cluster = pg.Cluster(scale=0)
    unittest.addModuleCleanup(cluster.stop)
    log = os.path.join(tmp, "log")
    conninfo = "host=%s port=%d user=postgres dbname=%s" % (cluster.dir, cluster.port, pg.DATABASE)
    server = start([sonderun.program("breakdown"), log, conninfo, str(listen(answer_http)), str(listen(answer_raw)), tmp])
    port = int(server.stdout.readline())


def start(command, **more):
    proc = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, **more)

    def stop():
        sonderun.end(proc)
        proc.stdout.close()

    unittest.addModuleCleanup(stop)
    return proc


def get(conn, path):
    conn.request("GET", path)
    conn.getresponse().read()


class Truth:
    """What the server has logged of its requests to one path: sums in ns, of what ends with the answer [least, most].

    The answer has been sent somewhere in the call that sends it, and its reader may take the processor there."""

    def __init__(self, path):
        self.count = 0
        self.part = {part: [0, 0] for part in PARTS}
        self.total = [0, 0]
        with open(log, encoding="ascii") as file:
            for line in file:
                words = line.split()
                if words[0] == path:
                    self.count += 1
                    for i in range(1, len(words), 4):
                        self.add(words[i], *map(int, words[i + 1:i + 4]))

    def add(self, name, wall, cpu, queued):
        if name in ("all", "answered"):
            at = int(name == "answered")
            self.total[at] += wall
            self.part["cpu"][at] += cpu
            self.part["run_queue"][at] += queued
        elif name in PART_OF:
            for at in 0, 1:
                self.part[PART_OF[name]][at] += wall - cpu - queued


class BreakdownTest(pg.TestCase):
    def adds_up(self, endpoint):
        """Parts never overlap, and are all of the time; of which the table of endpoints tells the same."""
        b = endpoint["breakdown"]
        self.assertEqual(sum(b[part + "_ns"] for part in PARTS), b["total_ns"])
        self.assertTrue(all(b[part + "_ns"] >= 0 for part in PARTS))
        self.assertEqual(b["count"], endpoint["count"])
        # A request's end can be a preemption later here, and its beginning is when it came, if its thread was busy.
        self.assertGreaterEqual(b["total_ns"], endpoint["latency_ns"]["sum"])
        self.assertLessEqual(b["total_ns"], endpoint["latency_ns"]["sum"] * 1.02 + 20e6 + b["loop_wait_ns"])
        self.assertAlmostEqual(sum(b["mean_ns"][part] for part in PARTS), b["mean_ns"]["total"], delta=100)
        self.assertAlmostEqual(sum(b["share"].values()), 1, delta=1e-5)
        self.assertAlmostEqual(sum(q["wait_ns"] for q in b["queries"]), b["database_ns"], delta=1)
        self.assertLessEqual(sum(q["wait_ns"] for q in b["requests"]), b["http_ns"])
        return b


class KnownTest(BreakdownTest):
    def differs(self, found, truth):
        """More than 5 %, and 0.3 ms a request: what the hooks and the clocks take themselves."""
        slack = 300e3 * truth.count
        told = {part: (found[part + "_ns"], truth.part[part]) for part in PARTS}
        told["total"] = found["total_ns"], truth.total
        return ["%s: found %.2f ms, truth %.2f to %.2f ms of %d requests" % (part, ns / 1e6, least / 1e6, most / 1e6, truth.count)
                for part, (ns, (least, most)) in told.items()
                if not least - max(least * 0.05, slack) <= ns <= most + max(most * 0.05, slack)]

    def equals(self, run):
        """A run in which nothing differs, of three: where the machine is busy threads lose the processor between two clocks."""
        said = []
        for _ in range(3):
            open(log, "w").close()
            found, report = run()
            said = [(path, what) for path in found for what in self.differs(found[path], Truth(path))]
            if not said:
                break
        self.assertEqual(said, [])
        return found, report

    def run_paths(self, paths, times, *args, clients=1):
        def client():
            conn = http.client.HTTPConnection("127.0.0.1", port)
            for _ in range(times):
                for path in paths:
                    get(conn, path)
            conn.close()

        with test_http.Sonde("--breakdown", "-p", str(server.pid), *args) as sonde:
            threads = [threading.Thread(target=client) for _ in range(clients)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
            time.sleep(0.3)
            report = sonde.stop()
        return {path: self.adds_up(report.one("server", path)) for path in paths}, report

    def test_alone(self):
        """Each thing by itself: its part, and nothing in the others."""
        paths = ["/" + name for name in list(PART_OF) + ["cpu"]]
        found, report = self.equals(lambda: self.run_paths(paths, 5))
        for path in paths:
            with self.subTest(path):
                self.assertEqual(found[path]["undivided"], {})
                self.assertGreater(found[path]["mean_ns"][PART_OF.get(path[1:], "cpu")], 25e6 if path != "/fsync" else 0)
        self.assertEqual(report.coverage["lost"], {})
        self.assertNotIn("breakdown_full", report.coverage["doubt"])

    def test_mixed(self):
        """All of them in one request, from several connections at once."""
        found, _ = self.equals(lambda: self.run_paths([MIX], 3, clients=3))
        self.assertEqual(found[MIX]["undivided"], {})
        self.of_request(found[MIX], 9)

    def of_request(self, found, count):
        """Statements, and requests sent, with their number per request."""
        queries = {q["text"]: q for q in found["queries"]}
        one = queries["select ? from pg_sleep(?)"]
        self.assertEqual(one["count"], 13 * count)  # with another literal it is the same statement
        self.assertEqual(one["per_request"], 13)
        self.assertEqual(one["requests"], count)
        self.assertEqual(one["db_system"], "postgresql")
        self.assertEqual([(r["text"], r["count"], r["per_request"]) for r in found["requests"]], [("GET /price/{id}", count, 1)])
        self.assertGreater(found["requests"][0]["wait_ns"], 25e6 * count)
        self.assertGreater(found["waits_ns"]["pipe"], 25e6 * count)

    def test_captures(self):
        """Whichever way socket data is seen."""
        for capture in pg.captures():
            with self.subTest(capture):
                found, _ = self.equals(lambda: self.run_paths([MIX], 2, "--capture", capture))
                self.of_request(found[MIX], 2)

    def test_text(self):
        open(log, "w").close()
        with pg.Sonde("--breakdown", "-p", str(server.pid), command="http", out="text") as sonde:
            conn = http.client.HTTPConnection("127.0.0.1", port)
            get(conn, MIX)
            conn.close()
            time.sleep(0.3)
            sonde.proc.send_signal(signal.SIGINT)
            _, out, _ = sonde.wait()
        self.assertRegex(out, r"(?m)^GET /query/many/http/raw/fsync/lock/sleep/pipe/cpu  1 request to breakdown\[%d\]$" % server.pid)
        for part in ("database", "outbound HTTP", "other sockets", "file I/O", "locks", "sleep", "other waits", "CPU", "run queue"):
            self.assertRegex(out, r"(?m)^ *[\d.]+(ms|us|ns|s) +[\d.]+%%  +%s$" % re.escape(part))
        self.assertRegex(out, r"(?m)^ *[\d.]+ms +[\d.]+% +13.0x +select \? from pg_sleep\(\?\)$")
        self.assertRegex(out, r"(?m)^ *[\d.]+ms +100%  +the whole request$")

    def test_off(self):
        """Without the option nothing of it is loaded or told."""
        with test_http.Sonde("-p", str(server.pid)) as sonde:
            loaded = subprocess.run(["bpftool", "-j", "prog", "show"], stdout=subprocess.PIPE, check=False).stdout
            conn = http.client.HTTPConnection("127.0.0.1", port)
            get(conn, "/query")
            conn.close()
            time.sleep(0.2)
            report = sonde.stop()
        self.assertNotIn(b"bd_switch", loaded)
        self.assertNotIn("breakdown", report.one("server", "/query"))


def ask(at, path):
    conn = http.client.HTTPConnection("127.0.0.1", at)
    conn.request("GET", path)
    body = conn.getresponse().read()
    conn.close()
    return body


def ask_tls(at, path):
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    conn = http.client.HTTPSConnection("127.0.0.1", at, context=context)
    conn.request("GET", path)
    body = conn.getresponse().read()
    conn.close()
    return body


def ask_uwsgi(at, path):
    """As a web server asks: a packet of CGI variables. The answer is as of HTTP, to the end of the connection."""
    variables = {"REQUEST_METHOD": "GET", "REQUEST_URI": path, "PATH_INFO": path, "QUERY_STRING": "", "SERVER_PROTOCOL": "HTTP/1.1",
                 "SERVER_NAME": "a", "SERVER_PORT": "80", "CONTENT_LENGTH": ""}
    packet = b"".join(struct.pack("<H", len(word)) + word.encode() for item in variables.items() for word in item)
    with socket.create_connection(("127.0.0.1", at)) as conn:
        conn.sendall(struct.pack("<BHB", 0, len(packet), 0) + packet)
        answer = b""
        while True:
            got = conn.recv(65536)
            if not got:
                break
            answer += got
    return answer.split(b"\r\n\r\n", 1)[1]


class FilterTest(pg.TestCase):
    def test_foreign(self):
        """What other processes do on their sockets takes no room from those that are traced."""
        at = listen(answer_raw)

        def known(sonde):
            (socks,) = (m for m in map(bpfmaps.Map, bpfmaps.map_ids(sonde.pid)) if m.name == "bd_socks")
            found = len(socks.dump()) // (socks.key_size + socks.value_size)
            socks.close()
            return found

        for args, least, most in ((("-p", str(server.pid)), 0, 20), ((), 100, 1 << 14)):
            with self.subTest(args), test_http.Sonde("--breakdown", *args) as sonde, contextlib.ExitStack() as held:
                for _ in range(100):  # all open at once: where a closed one was, the kernel puts the next
                    conn = held.enter_context(socket.create_connection(("127.0.0.1", at)))
                    conn.sendall(b"ask")
                self.assertGreaterEqual(known(sonde), least)
                self.assertLessEqual(known(sonde), most)
                sonde.stop()


class RoleTest(BreakdownTest):
    def run_role(self, role):
        with test_http.Sonde("--breakdown", "-p", str(server.pid), "--role", role) as sonde:
            conn = http.client.HTTPConnection("127.0.0.1", port)
            for _ in range(3):
                get(conn, "/http/sleep")
            conn.close()
            time.sleep(0.3)
            return sonde.stop()

    def test_roles(self):
        """With --role server the requests sent are parts of those answered, but have no rows of their own."""
        both, served = self.run_role("any"), self.run_role("server")
        self.assertEqual({e["role"] for e in both.endpoints}, {"client", "server"})
        self.assertEqual({e["role"] for e in served.endpoints}, {"server"})
        found = self.adds_up(served.one("server", "/http/sleep"))
        self.assertEqual([(r["text"], r["count"]) for r in found["requests"]], [("GET /price/{id}", 3)])
        self.assertGreater(found["http_ns"], 3 * 25e6)

    def test_client(self):
        """Nothing that is sent is divided: refused, with the reason."""
        run = sonderun.Run("http", "--breakdown", "--role", "client", "-d", "1", out="text")
        self.assertEqual(run.code, 2)
        self.assertRegex(run.err, r"--breakdown .*answered.*--role client")


class RuntimeTest(BreakdownTest):
    """Programs whose requests are not threads: what is known is told, and what is not is told as that."""

    @unittest.skipUnless(shutil.which("node"), "node is not installed")
    def test_event_loop(self):
        node = start(["node", os.path.join(test_http.HERE, "server.js"), os.path.join(tmp, "node.log")])
        at = int(node.stdout.readline())
        ask(at, "/hello")
        with test_http.Sonde("--breakdown", "-p", str(node.pid)) as sonde:
            for _ in range(3):  # one by one
                ask(at, "/later/30")
            crowd = [threading.Thread(target=ask, args=(at, "/together")) for _ in range(2)]
            crowd += [threading.Thread(target=ask, args=(at, "/later/150?crowd")) for _ in range(4)]
            for thread in reversed(crowd):
                thread.start()
                time.sleep(0.01)
            for thread in crowd:
                thread.join()
            time.sleep(0.3)
            report = sonde.stop()
        b = self.adds_up(report.one("server", "/later/{id}"))
        self.assertEqual(b["count"], 7)
        # Four at once, with timers: what they wait for is not known. Those before had the loop for themselves: it waited for a timer.
        shared = b["event_loop"]
        self.assertEqual(b["undivided"], {})
        self.assertIn(shared["count"], (3, 4))  # where the machine is busy one is alone
        self.assertGreaterEqual(shared["total_ns"], shared["count"] * 140e6)
        self.assertGreaterEqual(b["unexplained_ns"], 0.9 * shared["total_ns"])
        self.assertGreaterEqual(b["waits_ns"]["other"], 3 * 20e6)
        self.assertLess(b["sockets_ns"], 3 * 5e6)
        self.assertEqual(self.adds_up(report.one("server", "/together"))["event_loop"]["count"], 2)

    @unittest.skipUnless(shutil.which("go") and os.path.isdir("/usr/share/gocode/src/github.com/lib/pq"), "Go, or its lib/pq, is not installed")
    def test_goroutines(self):
        program = os.path.join(tmp, "breakdown-go")
        subprocess.run(["go", "build", "-o", program, os.path.join(test_http.HERE, "breakdown.go")], check=True,
                       env=dict(os.environ, GO111MODULE="off", GOPATH="/usr/share/gocode", GOFLAGS="-p=1", GOCACHE=os.path.join(tmp, "go")))
        go = start([program, "host=%s port=%d user=postgres dbname=%s sslmode=disable" % (cluster.dir, cluster.port, pg.DATABASE)])
        at = int(go.stdout.readline())
        ask(at, "/go")
        with test_http.Sonde("--breakdown", "-p", str(go.pid)) as sonde:
            took = []
            threads = [threading.Thread(target=lambda: took.extend(int(ask(at, "/go")) for _ in range(4))) for _ in range(3)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
            time.sleep(0.3)
            report = sonde.stop()
        b = self.adds_up(report.one("server", "/go"))
        self.assertEqual((b["count"], b["undivided"]), (12, {}))
        (query,) = b["queries"]
        self.assertEqual((query["text"], query["count"], query["per_request"]), ("select pg_sleep(?)", 12, 1))
        # Opening a connection is part of a first query there, and the reply waits for the goroutine's turn after it has come.
        self.assertGreaterEqual(query["wait_ns"], 12 * 30e6)
        self.assertLessEqual(query["wait_ns"], sum(took))
        self.assertGreaterEqual(b["sleep_ns"], 12 * 19.9e6)  # parked for a timer
        self.assertLessEqual(b["sleep_ns"], 12 * 25e6)
        self.assertGreater(b["cpu_ns"], 0)
        self.assertLessEqual(b["cpu_ns"], 12 * 5e6)

    def conninfo(self):
        return "host=127.0.0.1 port=%d user=postgres dbname=%s sslmode=disable gssencmode=disable" % (cluster.port, pg.DATABASE)

    def asked(self, pids, ask_one, times=8):
        """Each part of @times requests, one after the other, beside what the server answers of itself."""
        with test_http.Sonde("--breakdown", "-p", ",".join(map(str, pids))) as sonde:
            time.sleep(0.3)
            ask_one("/warm")  # a call of the TLS library that waits since before is not seen
            told = [json.loads(ask_one("/page/%d" % i)) for i in range(times)]
            time.sleep(0.3)
            report = sonde.stop()
        rows = [self.adds_up(e) for e in report.endpoints if e["role"] == "server" and e["path"] == "/page/{id}"]
        self.assertEqual(sum(b["count"] for b in rows), times, report.brief())
        self.assertTrue(all(b["undivided"] == {} for b in rows), rows)
        sums = {part: sum(b[part + "_ns"] for b in rows) for part in PARTS}
        queries = [q for b in rows for q in b["queries"]]
        self.assertEqual({q["text"] for q in queries}, {"select pg_sleep(?)"})
        self.assertEqual(sum(q["count"] for q in queries), times)
        print({part: "%.1f ms" % (ns / 1e6) for part, ns in sums.items() if ns})
        for part, truth, least in (("database", "query", 29.5e6), ("sleep", "sleep", 19.9e6)):
            self.assertGreaterEqual(sums[part], times * least)
            self.assertLessEqual(sums[part], sum(t[truth] for t in told) * 1.01)
        self.assertGreaterEqual(sums["cpu"], sum(t["cpu"] for t in told) * 0.95)
        self.assertLessEqual(sums["cpu"], sum(t["cpu"] for t in told) * 1.05 + times * 3e6)  # the server's own
        self.assertLess(sums["unexplained"], times * 0.5e6)
        return sums, report

    @unittest.skipUnless(shutil.which("uwsgi"), "uWSGI is not installed")
    def test_uwsgi(self):
        at = pg.free_port()
        proc = start(["uwsgi", "--plugin", "python3", "--socket", "127.0.0.1:%d" % at, "--wsgi-file", test_http.HERE + "/breakdown.py",
                      "--processes", "2", "--master", "--die-on-term", "--need-app"], stderr=subprocess.DEVNULL,
                     env=dict(os.environ, CONNINFO=self.conninfo()))
        test_http.wait_port(at)
        import test_fastcgi
        for _ in range(200):
            workers = test_fastcgi.children(proc.pid)
            if len(workers) == 2:
                break
            time.sleep(0.05)
        for _ in range(8):  # both workers are connected
            crowd = [threading.Thread(target=ask_uwsgi, args=(at, "/warm")) for _ in range(2)]
            for thread in crowd:
                thread.start()
            for thread in crowd:
                thread.join()
        _, report = self.asked(workers, lambda path: ask_uwsgi(at, path))
        self.assertEqual({e["protocol"] for e in report.endpoints if e["role"] == "server"}, {"uwsgi"})

    def test_tls(self):
        """A server under TLS, which waits for its database as others do."""
        crt, key = certs.make(tmp)
        proc = start(["/usr/bin/python3", test_http.HERE + "/breakdown.py", crt, key], env=dict(os.environ, CONNINFO=self.conninfo()))
        at = int(proc.stdout.readline())
        context = ssl.create_default_context()
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        conn = http.client.HTTPSConnection("127.0.0.1", at, context=context)

        def ask_one(path):
            conn.request("GET", path)
            return conn.getresponse().read()

        self.addCleanup(conn.close)
        ask_one("/warm")  # its thread is connected
        self.asked([proc.pid], ask_one)

    @unittest.skipUnless(shutil.which("nginx"), "nginx is not installed")
    def test_tls_nginx(self):
        """An event loop under TLS that hands requests on: one by one it waits for the server behind."""
        crt, key = certs.make(tmp, name="nginx")
        dirs = {"dir": tmp, "port": pg.free_port(), "behind": listen(answer_http), "crt": crt, "key": key}
        with open(tmp + "/tls.conf", "w", encoding="ascii") as file:
            file.write("worker_processes 1; pid %(dir)s/tls.pid; error_log %(dir)s/tls.log; daemon off; master_process off;\n"
                       "events {}\nhttp { access_log off; server { listen 127.0.0.1:%(port)d ssl; ssl_certificate %(crt)s;\n"
                       "ssl_certificate_key %(key)s; location / { proxy_pass http://127.0.0.1:%(behind)d; } } }\n" % dirs)
        nginx = start(["nginx", "-c", tmp + "/tls.conf", "-p", tmp], stderr=subprocess.DEVNULL)
        test_http.wait_port(dirs["port"])
        ask_tls(dirs["port"], "/warm")
        with test_http.Sonde("--breakdown", "-p", str(nginx.pid)) as sonde:
            time.sleep(0.3)
            for i in range(6):
                self.assertEqual(ask_tls(dirs["port"], "/price/%d" % i), b"7.5")
            time.sleep(0.3)
            report = sonde.stop()
        b = self.adds_up(report.one("server", "/price/{id}"))
        print({part: "%.1f ms" % (b[part + "_ns"] / 1e6) for part in PARTS if b[part + "_ns"]})
        self.assertEqual((b["count"], b["undivided"]), (6, {}))
        self.assertEqual([(r["text"], r["count"]) for r in b["requests"]], [("GET /price/{id}", 6)])
        self.assertGreaterEqual(b["http_ns"], 6 * 29e6)
        self.assertGreaterEqual(b["http_ns"], 0.8 * (b["total_ns"] - b["cpu_ns"] - b["run_queue_ns"]))

    @unittest.skipUnless(shutil.which("nginx"), "nginx is not installed")
    def test_php_fpm(self):
        import test_fastcgi
        if not test_fastcgi.php_fpm() or "pgsql" not in subprocess.run(["php", "-m"], stdout=subprocess.PIPE, text=True, check=False).stdout:
            self.skipTest("PHP-FPM, or its pgsql, is not installed")
        dirs = {"dir": tmp, "port": pg.free_port(), "php": pg.free_port(), "here": test_http.HERE}
        conninfo = "host=127.0.0.1 port=%d user=postgres dbname=%s sslmode=disable gssencmode=disable" % (cluster.port, pg.DATABASE)
        with open(tmp + "/nginx.conf", "w", encoding="ascii") as file:
            file.write(("worker_processes 1; pid %(dir)s/pid; error_log %(dir)s/error.log; daemon off; user root;\n"
                        "events {}\nhttp { access_log off; server { listen 127.0.0.1:%(port)d; location / { fastcgi_pass 127.0.0.1:%(php)d;\n"
                        "fastcgi_param REQUEST_METHOD $request_method; fastcgi_param REQUEST_URI $request_uri; fastcgi_param SCRIPT_FILENAME"
                        " %(here)s/breakdown.php; fastcgi_param CONNINFO '" + conninfo + "'; } } }\n") % dirs)
        with open(tmp + "/php.conf", "w", encoding="ascii") as file:
            file.write("[global]\nerror_log = %(dir)s/php.log\ndaemonize = no\n[www]\nuser = root\nlisten = 127.0.0.1:%(php)d\n"
                       "pm = static\npm.max_children = 2\n" % dirs)
        start(["nginx", "-c", tmp + "/nginx.conf", "-p", tmp], stderr=subprocess.DEVNULL)
        fpm = start([test_fastcgi.php_fpm(), "-n", "-d", "extension=pgsql", "-y", tmp + "/php.conf", "-R"], stderr=subprocess.DEVNULL)
        test_http.wait_port(dirs["port"])
        test_http.wait_port(dirs["php"])
        for _ in range(6):  # both workers are connected
            self.assertIn(b"query", ask(dirs["port"], "/warm"))
        with test_http.Sonde("--breakdown", "-p", ",".join(test_fastcgi.children(fpm.pid))) as sonde:
            told = [json.loads(ask(dirs["port"], "/page/%d" % i)) for i in range(8)]
            time.sleep(0.3)
            report = sonde.stop()
        rows = [self.adds_up(e) for e in report.endpoints if e["role"] == "server" and e["path"] == "/page/{id}"]
        self.assertEqual(sum(b["count"] for b in rows), 8)
        self.assertTrue(all(b["undivided"] == {} for b in rows))
        sums = {part: sum(b[part + "_ns"] for b in rows) for part in PARTS}
        # PHP's clock runs while a process waits for a processor, too.
        waits = {}
        for query in (q for b in rows for q in b["queries"]):
            waits[query["text"]] = waits.get(query["text"], 0) + query["wait_ns"]
        self.assertEqual(set(waits), {"select pg_sleep(?)", "reset all"})  # the second is pg_pconnect()'s
        self.assertGreaterEqual(waits["select pg_sleep(?)"], 8 * 29.5e6)
        self.assertLessEqual(waits["select pg_sleep(?)"], sum(t["query"] for t in told) * 1.01)
        self.assertGreaterEqual(sums["sleep"], 8 * 19.9e6)
        self.assertLessEqual(sums["sleep"], sum(t["sleep"] for t in told) * 1.01)
        self.assert_near_cpu(sums["cpu"], sum(t["cpu"] for t in told))

    def assert_near_cpu(self, found, truth):
        self.assertGreaterEqual(found, truth * 0.95)
        self.assertLessEqual(found, truth * 1.05 + 8 * 1.5e6)  # before and behind the script


if __name__ == "__main__":
    unittest.main()
