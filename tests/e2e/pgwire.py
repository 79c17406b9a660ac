# SPDX-License-Identifier: GPL-2.0-only
"""pgwire.py - a PostgreSQL client that decides every byte and every system call, from the protocol's documentation.

Message layouts: PostgreSQL documentation, "Frontend/Backend Protocol", "Message Formats".
"""

import socket
import struct

CODE_SSL = 80877103
CODE_GSS = 80877104
CODE_CANCEL = 80877102
VERSION_3_0 = 3 << 16


def _text(s):
    return (s if isinstance(s, bytes) else s.encode()) + b"\0"


def message(kind, body=b""):
    return kind + struct.pack("!i", len(body) + 4) + body


def query(sql):
    return message(b"Q", _text(sql))


def parse(name, sql, types=()):
    return message(b"P", _text(name) + _text(sql) + struct.pack("!h", len(types)) +
                   b"".join(struct.pack("!i", t) for t in types))


def bind(portal, name, params=()):
    body = _text(portal) + _text(name) + struct.pack("!hh", 0, len(params))
    for p in params:
        value = str(p).encode()
        body += struct.pack("!i", len(value)) + value
    return message(b"B", body + struct.pack("!h", 0))


def describe(kind, name):
    return message(b"D", kind + _text(name))


def execute(portal="", limit=0):
    return message(b"E", _text(portal) + struct.pack("!i", limit))


def close(kind, name):
    return message(b"C", kind + _text(name))


def call(oid, *params):
    """FunctionCall, arguments and result in text format."""
    body = struct.pack("!ihh", oid, 0, len(params))
    for p in params:
        value = str(p).encode()
        body += struct.pack("!i", len(value)) + value
    return message(b"F", body + struct.pack("!h", 0))


def copy_data(data):
    return message(b"d", data)


SYNC = message(b"S")
FLUSH = message(b"H")
TERMINATE = message(b"X")
COPY_DONE = message(b"c")


def copy_fail(why):
    return message(b"f", _text(why))


def run(sql, params=(), name="", portal=""):
    """Parse, Bind, Describe, Execute of one statement, without Sync."""
    return parse(name, sql) + bind(portal, name, params) + describe(b"P", portal) + execute(portal)


class Wire:
    """One connection. @recv_bytes: how much each recv() asks for."""

    def __init__(self, cluster, transport="unix", database="bench", user="postgres", startup=True, recv_bytes=65536):
        self.cluster = cluster
        self.recv_bytes = recv_bytes
        self.buffer = b""
        self.status = None
        self.pid = self.secret = None
        if transport == "unix":
            self.sock = socket.socket(socket.AF_UNIX)
            self.sock.connect("%s/.s.PGSQL.%d" % (cluster.dir, cluster.port))
        else:
            family = socket.AF_INET6 if transport == "tcp6" else socket.AF_INET
            self.sock = socket.socket(family)
            self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self.sock.connect(("::1" if transport == "tcp6" else "127.0.0.1", cluster.port))
        self.sock.settimeout(30)
        if startup:
            self.startup(database, user)

    def __del__(self):
        self.sock.close()

    def startup(self, database="bench", user="postgres", more=()):
        body = struct.pack("!i", VERSION_3_0)
        for key, value in (("user", user), ("database", database), *more):
            if value is not None:
                body += _text(key) + _text(value)
        body += b"\0"
        self.send(struct.pack("!i", len(body) + 4) + body)
        self.ready()

    def request(self, code):
        """SSLRequest or GSSENCRequest: the server's one byte."""
        self.send(struct.pack("!ii", 8, code))
        return self.sock.recv(1)

    def cancel(self):
        """From a second connection."""
        other = Wire(self.cluster, startup=False)
        other.send(struct.pack("!iiii", 16, CODE_CANCEL, self.pid, self.secret))
        other.sock.recv(1)
        other.sock.close()

    def send(self, *pieces):
        """Each piece is a send() of its own."""
        for piece in pieces:
            self.sock.sendall(piece)

    def send_bytes(self, data):
        for i in range(len(data)):
            self.sock.send(data[i:i + 1])

    def fill(self):
        data = self.sock.recv(self.recv_bytes)
        if not data:
            raise ConnectionError("the server has closed the connection")
        self.buffer += data

    def message(self):
        while len(self.buffer) < 5 or len(self.buffer) < 1 + struct.unpack_from("!i", self.buffer, 1)[0]:
            self.fill()
        size = 1 + struct.unpack_from("!i", self.buffer, 1)[0]
        kind, body = self.buffer[:1], self.buffer[5:size]
        self.buffer = self.buffer[size:]
        if kind == b"K":
            self.pid, self.secret = struct.unpack("!ii", body)
        if kind == b"Z":
            self.status = body.decode()
        return kind, body

    def until(self, *kinds):
        """Messages up to the first of one of these kinds, which is the last."""
        found = []
        while not found or found[-1][0] not in kinds:
            found.append(self.message())
        return found

    def ready(self, times=1):
        """Messages up to ReadyForQuery."""
        found = []
        for _ in range(times):
            found += self.until(b"Z")
        return found

    def ask(self, sql):
        self.send(query(sql))
        return self.ready()

    def close(self):
        self.send(TERMINATE)
        self.sock.close()


def kinds(messages):
    return b"".join(k for k, _ in messages).decode()


def sqlstate(messages):
    """Of the first error among messages."""
    for kind, body in messages:
        if kind == b"E":
            for field in body.split(b"\0"):
                if field[:1] == b"C":
                    return field[1:].decode()
    return None
