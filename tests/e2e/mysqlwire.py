# SPDX-License-Identifier: GPL-2.0-only
"""mysqlwire.py - a MySQL client that decides every byte and every system call, from the protocol's documentation.

Packet layouts: MariaDB documentation, "Client/Server Protocol".
"""

import collections
import hashlib
import socket
import struct
import zlib

import mariadb

CONNECT_WITH_DB = 1 << 3
COMPRESS = 1 << 5
LOCAL_FILES = 1 << 7
PROTOCOL_41 = 1 << 9
SSL = 1 << 11
TRANSACTIONS = 1 << 13
SECURE_CONNECTION = 1 << 15
MULTI_STATEMENTS = 1 << 16
MULTI_RESULTS = 1 << 17
PS_MULTI_RESULTS = 1 << 18
PLUGIN_AUTH = 1 << 19
DEPRECATE_EOF = 1 << 24
# MariaDB's own, the upper 32 bits
PROGRESS = 1 << 32
BULK_OPERATIONS = 1 << 34
CACHE_METADATA = 1 << 36

BASE = (1 | PROTOCOL_41 | TRANSACTIONS | SECURE_CONNECTION | PLUGIN_AUTH | MULTI_STATEMENTS | MULTI_RESULTS | PS_MULTI_RESULTS |
        LOCAL_FILES)

STATUS_MORE_RESULTS = 8
STATUS_CURSOR_EXISTS = 64
STATUS_LAST_ROW_SENT = 128

Result = collections.namedtuple("Result", "rows affected status error", defaults=(0, 0, 0, None))


def packet(payload, seq=0):
    """One packet, or as many as a long payload takes."""
    out = b""
    while True:
        part, payload = payload[:0xffffff], payload[0xffffff:]
        out += struct.pack("<I", len(part) | (seq & 255) << 24) + part
        seq += 1
        if len(part) < 0xffffff:
            return out


def command(number, body=b""):
    return packet(bytes([number]) + (body.encode() if isinstance(body, str) else body))


def query(sql):
    return command(3, sql)


def prepare(sql):
    return command(0x16, sql)


def execute(sid, params=(), flags=0, types=True):
    """Parameters are numbers (as LONGLONG), strings or None."""
    body = struct.pack("<IBI", sid & 0xffffffff, flags, 1)
    if params:
        nulls = sum((p is None) << i for i, p in enumerate(params))
        body += nulls.to_bytes((len(params) + 7) // 8, "little") + bytes([types])
        if types:
            body += b"".join(b"\x08\0" if isinstance(p, int) else b"\xfd\0" for p in params)
        for p in params:
            if isinstance(p, int):
                body += struct.pack("<q", p)
            elif p is not None:
                body += lenenc(p.encode())
    return command(0x17, body)


def bulk_execute(sid, rows):
    """COM_STMT_BULK_EXECUTE of rows of numbers, with their types."""
    body = struct.pack("<IH", sid & 0xffffffff, 128) + b"\x08\0" * len(rows[0])
    for row in rows:
        body += b"".join(b"\0" + struct.pack("<q", p) for p in row)
    return command(0xfa, body)


def fetch(sid, rows):
    return command(0x1c, struct.pack("<II", sid, rows))


def close(sid):
    return command(0x19, struct.pack("<I", sid))


def reset(sid):
    return command(0x1a, struct.pack("<I", sid))


def long_data(sid, param, data):
    return command(0x18, struct.pack("<IH", sid, param) + data)


QUIT = command(1)
PING = command(14)


def lenenc(data):
    n = len(data)
    return (bytes([n]) if n < 251 else b"\xfc" + struct.pack("<H", n) if n < 65536 else b"\xfd" + struct.pack("<I", n)[:3]) + data


def number(data, at):
    """A length-encoded integer: (value, position behind it)."""
    first = data[at]
    if first < 0xfb:
        return first, at + 1
    size = {0xfc: 2, 0xfd: 3, 0xfe: 8}[first]
    return int.from_bytes(data[at + 1:at + 1 + size], "little"), at + 1 + size


def scramble(password, seed):
    """mysql_native_password."""
    one = hashlib.sha1(password).digest()
    two = hashlib.sha1(seed + hashlib.sha1(one).digest()).digest()
    return bytes(a ^ b for a, b in zip(one, two))


class Error(Exception):
    def __init__(self, body):
        self.code = struct.unpack_from("<H", body, 1)[0]
        self.sqlstate = body[4:9].decode()
        super().__init__("%d %s %s" % (self.code, self.sqlstate, body[9:].decode()))


class Wire:
    """One connection. @recv_bytes: how much each recv() asks for."""

    def __init__(self, server, transport="unix", database=mariadb.DATABASE, user=mariadb.USER, password=mariadb.PASSWORD,
                 capabilities=0, recv_bytes=65536, login=True):
        self.recv_bytes = recv_bytes
        self.buffer = self.plain = b""
        self.seq = 0
        self.compressed = False
        if transport == "unix":
            self.sock = socket.socket(socket.AF_UNIX)
            self.sock.connect(server.socket)
        else:
            self.sock = socket.socket(socket.AF_INET)
            self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self.sock.connect(("127.0.0.1", server.port))
        self.sock.settimeout(30)
        if login:
            self.login(database, user, password, capabilities)

    def __del__(self):
        self.sock.close()

    def login(self, database, user, password, capabilities):
        greeting = self.packet()
        at = greeting.index(b"\0") + 1
        seed = greeting[at + 4:at + 12] + greeting[at + 31:at + 43]
        self.thread = struct.unpack_from("<I", greeting, at)[0]
        self.capabilities = capabilities | BASE | (CONNECT_WITH_DB if database else 0)
        if self.capabilities >> 32:
            self.capabilities &= ~1
        answer = scramble(password.encode(), seed) if password else b""
        body = struct.pack("<IIB19xI", self.capabilities & 0xffffffff, 1 << 30, 45, self.capabilities >> 32)
        body += user.encode() + b"\0" + bytes([len(answer)]) + answer + (database.encode() + b"\0" if database else b"")
        self.send(packet(body + b"mysql_native_password\0", 1))
        while True:
            reply = self.packet()
            if reply[0] == 0xfe:  # another method or another seed
                seed = reply[reply.index(b"\0") + 1:][:20]
                self.send(packet(scramble(password.encode(), seed), self.seq + 1))
            elif reply[0] == 0xff:
                raise Error(reply)
            elif reply[0] == 0:
                break
        self.compressed = bool(self.capabilities & COMPRESS)

    def send(self, *pieces):
        """Each piece is a send() of its own."""
        for piece in pieces:
            if self.compressed:
                small = zlib.compress(piece) if len(piece) >= 50 else piece
                full = len(piece) if len(piece) >= 50 else 0
                piece = struct.pack("<I", len(small))[:3] + b"\0" + struct.pack("<I", full)[:3] + small
            self.sock.sendall(piece)

    def send_bytes(self, data):
        for i in range(len(data)):
            self.sock.send(data[i:i + 1])

    def need(self, n):
        while len(self.buffer) < n:
            data = self.sock.recv(self.recv_bytes)
            if not data:
                raise ConnectionError("the server has closed the connection")
            self.buffer += data
        data, self.buffer = self.buffer[:n], self.buffer[n:]
        return data

    def read(self, n):
        if not self.compressed:
            return self.need(n)
        while len(self.plain) < n:
            head = self.need(7)
            body = self.need(int.from_bytes(head[:3], "little"))
            self.plain += zlib.decompress(body) if any(head[4:7]) else body
        data, self.plain = self.plain[:n], self.plain[n:]
        return data

    def packet(self):
        payload = b""
        while True:
            head = struct.unpack("<I", self.read(4))[0]
            self.seq = head >> 24
            payload += self.read(head & 0xffffff)
            if head & 0xffffff < 0xffffff:
                return payload

    def end(self, body):
        """What an OK or EOF packet says."""
        if body[0] == 0xfe and len(body) == 5:
            return 0, struct.unpack_from("<H", body, 3)[0]
        affected, at = number(body, 1)
        _, at = number(body, at)
        return affected, struct.unpack_from("<H", body, at)[0]

    def rows(self):
        """Rows to their end."""
        rows = 0
        while True:
            body = self.packet()
            if body[0] == 0xff:
                if struct.unpack_from("<H", body, 1)[0] == 0xffff:
                    continue
                return Result(rows, error=Error(body))
            if body[0] == 0xfe and len(body) < 0xffffff:
                return Result(rows, 0, self.end(body)[1])
            rows += 1

    def result(self, infile=b""):
        """One result of a query."""
        body = self.packet()
        while body[:3] == b"\xff\xff\xff":  # progress
            body = self.packet()
        if body[0] == 0xff:
            return Result(error=Error(body))
        if body[0] == 0:
            return Result(0, *self.end(body))
        if body[0] == 0xfb:
            seq = self.seq + 1
            for i in range(0, len(infile), 1000):
                self.send(packet(infile[i:i + 1000], seq))
                seq += 1
            self.send(packet(b"", seq))
            return self.result()
        columns, at = number(body, 0)
        if at == len(body) or body[at]:
            for _ in range(columns):
                self.packet()
        if not self.capabilities & DEPRECATE_EOF:
            _, status = self.end(self.packet())
            if status & STATUS_CURSOR_EXISTS:
                return Result(0, 0, status)
        return self.rows()

    def results(self, infile=b""):
        """All results of a command."""
        found = [self.result(infile)]
        while found[-1].status & STATUS_MORE_RESULTS:
            found.append(self.result())
        return found

    def ask(self, sql, infile=b""):
        self.send(query(sql))
        return self.results(infile)

    def prepared(self):
        """The reply to prepare(): the statement's id."""
        body = self.packet()
        if body[0] == 0xff:
            raise Error(body)
        sid, columns, params = struct.unpack_from("<IHH", body, 1)
        for n in (params, columns):
            for _ in range(n):
                self.packet()
            if n and not self.capabilities & DEPRECATE_EOF:
                self.packet()
        return sid

    def prepare(self, sql):
        self.send(prepare(sql))
        return self.prepared()

    def run(self, sid, params=(), **args):
        self.send(execute(sid, params, **args))
        return self.results()

    def simple(self, data):
        self.send(data)
        return self.packet()

    def close(self):
        self.send(QUIT)
        self.sock.close()
