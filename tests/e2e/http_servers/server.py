# SPDX-License-Identifier: GPL-2.0-only
"""server.py - HTTP servers for the tests, each with a log of its own: a line of JSON for every request it answered.

usage: server.py threaded|raw|tls LOG [CERTIFICATE KEY]     prints its port

threaded  http.server of Python's library with a thread a connection
tls       the same under TLS
raw       sockets and nothing else, which answers as the path says, in pieces, in order, or not at all; notes its own clock
"""

import http.server
import json
import re
import socket
import socketserver
import ssl
import sys
import threading
import time

log = open(sys.argv[2], "a", buffering=1)
log_lock = threading.Lock()


def note(method, path, status, ns=0):
    with log_lock:
        log.write(json.dumps([method, path, status, ns]) + "\n")


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1

    def log_request(self, code="-", size="-"):
        note(self.command, self.path, int(code))

    def log_message(self, *_):
        pass

    def answer(self, status, body, headers=()):
        self.send_response(status)
        for name, value in headers:
            self.send_header(name, value)
        if status not in (204, 304):
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD" and status not in (204, 304):
            self.wfile.write(body)

    def do_GET(self):
        found = re.match(r"/status/(\d+)", self.path)
        if found:
            self.answer(int(found.group(1)), b"status\n")
        elif self.path.startswith("/sleep/"):
            time.sleep(float(self.path.split("/")[2]) / 1000)
            self.answer(200, b"slept\n")
        elif self.path.startswith("/chunks/"):
            self.send_response(200)
            self.send_header("Transfer-Encoding", "chunked")
            self.end_headers()
            for i in range(int(self.path.split("/")[2])):
                piece = b"c" * (1 + 977 * i)
                self.wfile.write(b"%x\r\n%s\r\n" % (len(piece), piece))
            self.wfile.write(b"0\r\nX-Trailer: yes\r\n\r\n")
        elif self.path.startswith("/until-close"):
            self.send_response(200)
            self.end_headers()
            self.wfile.write(b"u" * 70000)
            self.wfile.flush()
            self.wfile.write(b"until the end")
            self.close_connection = True
        elif self.path.startswith("/bytes/"):
            self.answer(200, b"b" * int(self.path.split("/")[2]))
        else:
            self.answer(200, b"hello\n")

    do_HEAD = do_DELETE = do_GET

    def do_POST(self):
        if self.headers.get("Transfer-Encoding") == "chunked":
            while True:
                size = int(self.rfile.readline(), 16)
                self.rfile.read(size + 2)
                if not size:
                    break
        else:
            self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.answer(201, b"made\n")

    do_PUT = do_POST


class Threaded(socketserver.ThreadingMixIn, http.server.HTTPServer):
    daemon_threads = True
    request_queue_size = 100


class Raw:
    """One connection: requests in, whatever their path asks for out."""

    def __init__(self, conn):
        conn.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.conn = conn
        self.data = b""

    def more(self):
        piece = self.conn.recv(65536)
        self.data += piece
        return piece

    def request(self):
        """Method, path and when its first byte was there; None at the end."""
        if not self.data and not self.more():
            return None
        began = time.monotonic_ns()
        while b"\r\n\r\n" not in self.data:
            if not self.more():
                return None
        head, self.data = self.data.split(b"\r\n\r\n", 1)
        found = re.search(rb"(?i)^content-length: *(\d+)", head, re.M)
        length = int(found.group(1)) if found else 0
        while len(self.data) < length:
            if not self.more():
                return None
        self.data = self.data[length:]
        words = head.split(b"\r\n")[0].decode(errors="replace").split(" ")
        return (words[0], words[1], began) if len(words) == 3 and words[2].startswith("HTTP/1.") else None

    def send(self, data, pieces):
        for at in range(0, len(data), pieces):
            self.conn.sendall(data[at:at + pieces])

    def run(self):
        while True:
            asked = self.request()
            if not asked:
                return
            method, path, began = asked
            status, pieces, length = 200, 1 << 20, 100
            for word in path.split("?")[0].split("/"):
                name, _, value = word.partition("=")
                if name == "status":
                    status = int(value)
                elif name == "pieces":
                    pieces = int(value)
                elif name == "length":
                    length = int(value)
                elif name == "busy":  # works as long, in nanoseconds
                    end = time.monotonic_ns() + int(value)
                    while time.monotonic_ns() < end:
                        pass
            if "/hang-up" in path:
                return
            if "/interim" in path:
                self.send(b"HTTP/1.1 102 Processing\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n", pieces)
            head = b"HTTP/1.1 %d Whatever\r\nServer: raw\r\nContent-Type: text/plain\r\n" % status
            if "/garbage" in path:
                self.send(b"what is this?\r\n" * 10, pieces)
                return
            if "/switch" in path:
                self.send(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n", pieces)
                note(method, path, 101)
                while self.more():  # echoes whatever comes
                    self.send(self.data, pieces)
                    self.data = b""
                return
            if "/close" in path:
                self.send(head + b"\r\n" + b"x" * length, pieces)
                note(method, path, status, time.monotonic_ns() - began)
                return
            body = b"x" * length if method != "HEAD" else b""
            self.send(head + b"Content-Length: %d\r\n\r\n%s" % (length, body), pieces)
            note(method, path, status, time.monotonic_ns() - began)


def raw():
    listener = socket.create_server(("127.0.0.1", 0), backlog=100)
    print(listener.getsockname()[1], flush=True)

    def serve(conn):
        try:
            Raw(conn).run()
        except OSError:
            pass
        conn.close()

    while True:
        threading.Thread(target=serve, args=(listener.accept()[0],), daemon=True).start()


if __name__ == "__main__":
    if sys.argv[1] == "raw":
        raw()
    server = Threaded(("127.0.0.1", 0), Handler)
    if sys.argv[1] == "tls":
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*sys.argv[3:5])
        server.socket = context.wrap_socket(server.socket, server_side=True)
    print(server.server_address[1], flush=True)
    server.serve_forever()
