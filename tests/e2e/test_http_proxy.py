# SPDX-License-Identifier: GPL-2.0-only
# TOGETHER: counts, of its own processes
# ALONE: test_connect: sees every curl
"""test_http_proxy.py - connections that change midway: HTTP CONNECT through a proxy, with HTTP or HTTPS behind it."""

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
import test_http

ROUNDS = 5

PROXY = r"""
import socket, threading
listener = socket.create_server(("127.0.0.1", 0))
print(listener.getsockname()[1], flush=True)
def pump(a, b):
    try:
        while True:
            data = a.recv(65536)
            if not data:
                break
            b.sendall(data)
        b.shutdown(socket.SHUT_WR)
    except OSError:
        pass
def serve(down):
    head = b""
    while b"\r\n\r\n" not in head:
        head += down.recv(65536)
    host, port = head.split(b" ")[1].decode().split(":")
    up = socket.create_connection((host, int(port)))
    down.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
    threading.Thread(target=pump, args=(down, up), daemon=True).start()
    pump(up, down)
while True:
    threading.Thread(target=serve, args=(listener.accept()[0],), daemon=True).start()
"""


class Proxy(test_http.HttpTest):
    @classmethod
    def setUpClass(cls):
        if os.geteuid() != 0 or not os.access(pg.SONDE, os.X_OK):
            raise unittest.SkipTest("needs root, and sonde built")
        if not shutil.which("curl"):
            raise unittest.SkipTest("needs curl")
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
        cls.dir = tempfile.mkdtemp(prefix="proxy.")
        cls.addClassCleanup(shutil.rmtree, cls.dir, True)
        script = os.path.join(test_http.HERE, "server.py")
        cls.servers = [test_http.Server(cls.dir, sys.executable, script, "threaded"),
                       test_http.Server(cls.dir, sys.executable, script, "tls", args=certs.make(cls.dir))]
        cls.proxy = subprocess.Popen([sys.executable, "-c", PROXY], stdout=subprocess.PIPE, text=True)
        cls.addClassCleanup(cls.proxy.stdout.close)
        cls.addClassCleanup(cls.proxy.wait)
        cls.addClassCleanup(cls.proxy.kill)
        cls.port = int(cls.proxy.stdout.readline())

    def test_connect(self):
        for server in self.servers:
            server.take()
        pids = ",".join(str(server.pid) for server in self.servers)
        with test_http.Sonde("-c", "curl") as clients, test_http.Sonde("-p", pids) as served:
            for i in range(ROUNDS):
                for server, scheme, path in zip(self.servers, ("http", "https"), ("users", "orders")):
                    url = "%s://127.0.0.1:%d/%s/" % (scheme, server.port, path)
                    subprocess.run(["curl", "-s", "-k", "-p", "-o", "/dev/null", "-o", "/dev/null", "-x",
                                    "http://127.0.0.1:%d" % self.port, url + str(i), url + str(i + 100)], check=True)
            time.sleep(0.3)
            report, theirs = clients.stop(), served.stop()
        log = [entry for server in self.servers for entry in server.take()]
        want = {("GET", "/users/{id}"): [2 * ROUNDS, 0, 0], ("GET", "/orders/{id}"): [2 * ROUNDS, 0, 0]}
        self.assertEqual(len(log), 4 * ROUNDS)
        self.assert_truth(want, theirs.counts("server"), theirs)
        self.assert_covered(theirs)
        want["CONNECT", ""] = [2 * ROUNDS, 0, 0]
        self.assert_truth(want, report.counts("client"), report)
        self.assert_covered(report)

    def test_blind_proxy(self):
        """The proxy itself sees what it forwards: HTTP in clear, and TLS that it cannot read, which is said."""
        with test_http.Sonde("-p", str(self.proxy.pid), "--role", "any") as sonde:
            for server, scheme in zip(self.servers, ("http", "https")):
                subprocess.run(["curl", "-s", "-k", "-p", "-o", "/dev/null", "-x", "http://127.0.0.1:%d" % self.port,
                                "%s://127.0.0.1:%d/users/1" % (scheme, server.port)], check=True)
            time.sleep(0.3)
            report = sonde.stop()
        self.assert_truth({("CONNECT", ""): [2, 0, 0], ("GET", "/users/{id}"): [1, 0, 0]}, report.counts("server"), report)
        self.assert_truth({("GET", "/users/{id}"): [1, 0, 0]}, report.counts("client"), report)
        self.assertEqual(report.coverage["lost"], {}, report.brief())


if __name__ == "__main__":
    unittest.main()
