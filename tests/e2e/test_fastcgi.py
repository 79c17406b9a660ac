# SPDX-License-Identifier: GPL-2.0-only
# TOGETHER: counts, of its own processes
"""test_fastcgi.py - `sonde http` beside PHP-FPM and uWSGI behind nginx: counts and statuses equal nginx's own log, at both
ends of FastCGI and uwsgi, over TCP and unix sockets, with connections that are kept and that are not."""

import glob
import http.client
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import unittest

import pg
import sonderun
import test_http

HERE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "http_servers")

NGINX = """
worker_processes 2; pid %(dir)s/pid; error_log %(dir)s/error.log; daemon off; user root;
events { worker_connections 200; }
http {
    log_format sonde '["$request_method","$request_uri",$status,$request_time]';
    access_log %(dir)s/access.log sonde;
    client_body_temp_path %(dir)s/b; proxy_temp_path %(dir)s/p; fastcgi_temp_path %(dir)s/f;
    uwsgi_temp_path %(dir)s/u; scgi_temp_path %(dir)s/s;
    upstream php_tcp { server 127.0.0.1:%(php)d; keepalive 4; }
    upstream php_unix { server unix:%(dir)s/php.sock; keepalive 4; }
    large_client_header_buffers 8 32k; fastcgi_buffering off;
    server {
        listen 127.0.0.1:%(port)d; keepalive_requests 100000; client_max_body_size 10m;
        fastcgi_param QUERY_STRING $query_string; fastcgi_param REQUEST_METHOD $request_method;
        fastcgi_param CONTENT_TYPE $content_type; fastcgi_param CONTENT_LENGTH $content_length;
        fastcgi_param SCRIPT_NAME /app.php; fastcgi_param REQUEST_URI $request_uri;
        fastcgi_param DOCUMENT_URI $document_uri; fastcgi_param SCRIPT_FILENAME %(here)s/app.php;
        uwsgi_param QUERY_STRING $query_string; uwsgi_param REQUEST_METHOD $request_method;
        uwsgi_param CONTENT_TYPE $content_type; uwsgi_param CONTENT_LENGTH $content_length;
        uwsgi_param REQUEST_URI $request_uri; uwsgi_param PATH_INFO $document_uri;
        uwsgi_param SERVER_PROTOCOL $server_protocol; uwsgi_param SERVER_NAME a; uwsgi_param SERVER_PORT 80;
        location /php-tcp-kept/ { fastcgi_pass php_tcp; fastcgi_keep_conn on; }
        location /php-unix-kept/ { fastcgi_pass php_unix; fastcgi_keep_conn on; }
        location /php-tcp/ { fastcgi_pass 127.0.0.1:%(php)d; }
        location /php-unix/ { fastcgi_pass unix:%(dir)s/php.sock; }
        location /uwsgi-tcp/ { uwsgi_pass 127.0.0.1:%(uwsgi)d; }
        location /uwsgi-unix/ { uwsgi_pass unix:%(dir)s/uwsgi.sock; }
    }
}
"""

PHP_FPM = """
[global]
error_log = %(dir)s/php.log
daemonize = no
[tcp]
user = root
listen = 127.0.0.1:%(php)d
pm = static
pm.max_children = 2
catch_workers_output = yes
[unix]
user = root
listen = %(dir)s/php.sock
pm = static
pm.max_children = 2
catch_workers_output = yes
"""


def php_fpm():
    found = [shutil.which("php-fpm")] + sorted(glob.glob("/usr/sbin/php-fpm*"))
    return next((path for path in found if path), None)


def setUpModule():
    global tmp, dirs, port
    if os.geteuid() != 0:
        raise unittest.SkipTest("needs root")
    if not os.access(pg.SONDE, os.X_OK):
        raise unittest.SkipTest("there is no %s: build it first" % pg.SONDE)
    if not shutil.which("nginx"):
        raise unittest.SkipTest("needs nginx")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    tmp = tempfile.mkdtemp(prefix="fastcgi.")
    unittest.addModuleCleanup(shutil.rmtree, tmp, True)
    port = pg.free_port()
    dirs = {"dir": tmp, "port": port, "php": pg.free_port(), "uwsgi": pg.free_port(), "here": HERE}
    with open(tmp + "/nginx.conf", "w") as f:
        f.write(NGINX % dirs)
    start("nginx", "-c", tmp + "/nginx.conf", "-p", tmp)
    test_http.wait_port(port)


def start(*command):
    proc = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    unittest.addModuleCleanup(sonderun.end, proc)
    return proc


def wait_unix(path):
    for _ in range(500):
        s = socket.socket(socket.AF_UNIX)
        try:
            return s.connect(path)
        except OSError:
            time.sleep(0.02)
        finally:
            s.close()
    raise AssertionError("no server at %s" % path)


def children(pid):
    return subprocess.run(["ps", "-o", "pid=", "--ppid", str(pid)], stdout=subprocess.PIPE, text=True).stdout.split()


def take_log():
    time.sleep(0.3)
    with open(tmp + "/access.log", "r+") as f:
        out = [json.loads(line) for line in f]
        f.truncate(0)
    return out


def truth(log):
    """{(method, pattern): [requests, 4xx, 5xx]} of what nginx has logged."""
    out = {}
    for method, path, status, _ in log:
        path = re.sub(r"/\d+$", "/{id}", path.split("?")[0])
        row = out.setdefault((method, path), [0, 0, 0])
        row[0] += 1
        row[1] += 400 <= status < 500
        row[2] += status >= 500
    return out


class Connection:
    """A kept connection to nginx."""

    def __init__(self):
        self.c = http.client.HTTPConnection("127.0.0.1", port)

    def ask(self, method, path, body=None, headers={}):
        self.c.request(method, path, body, headers)
        response = self.c.getresponse()
        return response.status, response.read()

    def close(self):
        self.c.close()


class BackendTest(test_http.HttpTest):
    def run_mix(self, prefix, also):
        c = Connection()
        self.addCleanup(c.close)
        for i in range(30):
            self.assertEqual(c.ask("GET", "%s/orders/%d?page=%d" % (prefix, i, i))[0], 200)
        for status in (200, 201, 204, 301, 304, 400, 404, 404, 418, 500, 503):
            self.assertEqual(c.ask("GET", "%s/status/%d" % (prefix, status))[0], status)
        for n in (0, 1, 1000, 40000, 200000):
            self.assertEqual(len(c.ask("GET", "%s/bytes/%d" % (prefix, n))[1]), n)
            self.assertEqual(c.ask("POST", "%s/body/%d" % (prefix, n), b"\1" * n)[1], b"%d" % n)
            c.ask("HEAD", "%s/bytes/%d" % (prefix, n))
        c.ask("GET", "%s/sleep/30" % prefix)
        for n in (3000, 4000, 4090, 5000, 9000, 20000):  # variables that are longer than what is kept of a stream
            self.assertEqual(c.ask("PUT", "%s/long/%d" % (prefix, n), None, {"Cookie": "c" * n})[0], 200)
        for n in (300, 3000):
            self.assertEqual(c.ask("GET", "%s/search/1?%s" % (prefix, "q" * n))[0], 200)
        for path in also:
            self.assertEqual(c.ask("GET", prefix + path)[0], 200)

    def check_served(self, prefixes, pids, also=(), lost=None):
        """Both ends of the protocol are what nginx has logged."""
        nginx = children(pids["nginx"])
        for capture in pg.captures():
            take_log()
            with self.subTest(capture), \
                    test_http.Sonde("-p", ",".join(pids["backend"]), "--capture", capture, "--role", "server") as served, \
                    test_http.Sonde("-p", ",".join(nginx), "--capture", capture, "--role", "client") as asked:
                for prefix in prefixes:
                    self.run_mix(prefix, also)
                time.sleep(0.3)
                served, asked = served.stop(), asked.stop()
                log = take_log()
                self.assertGreater(len(log), 50 * len(prefixes))
                self.assert_truth(truth(log), served.counts("server"), served)
                self.assert_truth(truth(log), asked.counts("client"), asked)
                self.assert_covered(served)
                self.assert_covered(asked)
                for report in (served, asked):
                    for prefix in prefixes:
                        e = [e for e in report.endpoints if e["path"] == prefix + "/sleep/{id}"]
                        self.assertEqual(len(e), 1)
                        self.assertEqual(e[0]["protocol"], "uwsgi" if "uwsgi" in prefix else "fastcgi")
                        self.assertGreater(e[0]["latency_ns"]["min"], 30e6)
                        self.assertLess(e[0]["latency_ns"]["min"], 200e6)


def nginx_pid():
    with open(tmp + "/pid") as f:
        return int(f.read())


class FastcgiTest(BackendTest):
    @classmethod
    def setUpClass(cls):
        program = php_fpm()
        if not program:
            raise unittest.SkipTest("needs php-fpm")
        with open(tmp + "/php.conf", "w") as f:
            f.write(PHP_FPM % dirs)
        cls.proc = start(program, "-R", "-n", "-y", tmp + "/php.conf")
        wait_unix(tmp + "/php.sock")
        test_http.wait_port(dirs["php"])
        cls.pids = {"nginx": nginx_pid(), "backend": children(cls.proc.pid)}

    def test_kept(self):
        self.check_served(["/php-tcp-kept", "/php-unix-kept"], self.pids, ["/flush/5", "/exit/3", "/warn/2000"])

    def test_not_kept(self):
        self.check_served(["/php-tcp", "/php-unix"], self.pids, ["/flush/5", "/exit/3", "/warn/2000"])

    def test_by_name(self):
        """`sonde http --role server -c php-fpm...`, on connections that were there before."""
        with open("/proc/%s/comm" % self.pids["backend"][0]) as f:
            comm = f.read().strip()
        c = Connection()
        self.addCleanup(c.close)
        for _ in range(20):
            c.ask("GET", "/php-unix-kept/before/1")
        take_log()
        with test_http.Sonde("--role", "server", "-c", comm) as sonde:
            for i in range(50):
                c.ask("GET", "/php-unix-kept/orders/%d" % i)
            c.ask("GET", "/php-unix-kept/status/503")
            time.sleep(0.2)
            report = sonde.stop()
        self.assert_truth(truth(take_log()), report.counts("server"), report)
        self.assert_covered(report)

    def test_aborted(self):
        """The web server's client goes away: nginx closes the connection, and what it has asked for is counted as lost."""
        with test_http.Sonde("-p", ",".join(children(nginx_pid())), "--role", "client") as sonde:
            s = socket.create_connection(("127.0.0.1", port))
            s.sendall(b"GET /php-tcp/sleep/600 HTTP/1.1\r\nHost: a\r\n\r\n")
            time.sleep(0.2)
            s.close()
            time.sleep(0.8)
            report = sonde.stop()
        take_log()
        self.assertEqual(report.endpoints, [], report.brief())
        self.assertEqual(report.coverage["lost"], {"closed": 1}, report.brief())


class UwsgiTest(BackendTest):
    @classmethod
    def setUpClass(cls):
        if not shutil.which("uwsgi"):
            raise unittest.SkipTest("needs uwsgi")
        cls.proc = start("uwsgi", "--plugin", "python3", "--socket", "127.0.0.1:%d" % dirs["uwsgi"],
                         "--socket", tmp + "/uwsgi.sock", "--wsgi-file", HERE + "/wsgi.py", "--processes", "2", "--master",
                         "--buffer-size", "65535", "--die-on-term", "--need-app")
        wait_unix(tmp + "/uwsgi.sock")
        test_http.wait_port(dirs["uwsgi"])
        for _ in range(200):  # the workers come after the sockets
            workers = children(cls.proc.pid)
            if len(workers) == 2:
                break
            time.sleep(0.05)
        cls.pids = {"nginx": nginx_pid(), "backend": workers}

    def test_served(self):
        self.check_served(["/uwsgi-tcp", "/uwsgi-unix"], self.pids)

    def test_until_close(self):
        """Responses without a length, over TCP."""
        c = Connection()
        self.addCleanup(c.close)
        take_log()
        with test_http.Sonde("-p", ",".join(self.pids["backend"]), "--role", "server") as sonde:
            for i in range(10):
                c.ask("GET", "/uwsgi-tcp/stream/%d" % (i + 1))
            time.sleep(0.3)
            report = sonde.stop()
        if "tracepoint" in pg.captures():
            self.assert_truth(truth(take_log()), report.counts("server"), report)
            self.assert_covered(report)


if __name__ == "__main__":
    unittest.main()
