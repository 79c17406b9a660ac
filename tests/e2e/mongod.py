# SPDX-License-Identifier: GPL-2.0-only
"""mongod.py - a small server of MongoDB's wire protocol for the tests: it remembers what it was told, answers, and keeps a
log of every command.

Written from the specifications (MongoDB manual, "MongoDB Wire Protocol"; bsonspec.org): there is no packaged server. It
says that it is a replica set of one, so that drivers use sessions, transactions and streamed replies to hello.
"""

import collections
import itertools
import re
import socket
import struct
import threading
import time
import zlib

OP_REPLY, OP_QUERY, OP_COMPRESSED, OP_MSG = 1, 2004, 2012, 2013
CHECKSUM_PRESENT, MORE_TO_COME, EXHAUST_ALLOWED = 1, 2, 1 << 16
DUPLICATE_KEY, COMMAND_NOT_FOUND, BAD_VALUE = 11000, 59, 2
FIRST_BATCH = 101

Entry = collections.namedtuple("Entry", "db name collection rows code reply command")


class Int64(int):
    """An integer that is written with 64 bits."""


class Raw:
    """A value of a type that is only passed on."""

    def __init__(self, kind, data):
        self.kind, self.data = kind, data

    def __eq__(self, other):
        return isinstance(other, Raw) and (self.kind, self.data) == (other.kind, other.data)

    def __hash__(self):
        return hash((self.kind, self.data))


FIXED = {5: None, 6: 0, 7: 12, 9: 8, 17: 8, 19: 16, 127: 0, 255: 0}


def encode_value(value):
    if isinstance(value, Raw):
        return value.kind, value.data
    if isinstance(value, bool):
        return 8, bytes([value])
    if isinstance(value, Int64) or (isinstance(value, int) and not -2 ** 31 <= value < 2 ** 31):
        return 18, struct.pack("<q", value)
    if isinstance(value, int):
        return 16, struct.pack("<i", value)
    if isinstance(value, float):
        return 1, struct.pack("<d", value)
    if isinstance(value, str):
        data = value.encode() + b"\0"
        return 2, struct.pack("<i", len(data)) + data
    if value is None:
        return 10, b""
    if isinstance(value, dict):
        return 3, encode(value)
    return 4, encode({str(i): v for i, v in enumerate(value)})


def encode(document):
    out = b""
    for name, value in document.items():
        kind, data = encode_value(value)
        out += bytes([kind]) + name.encode() + b"\0" + data
    return struct.pack("<i", len(out) + 5) + out + b"\0"


def decode(data, at=0):
    """The document at @at: (dict, its end)."""
    end = at + struct.unpack_from("<i", data, at)[0]
    at += 4
    document = {}
    while data[at]:
        kind = data[at]
        stop = data.index(b"\0", at + 1)
        name = data[at + 1:stop].decode()
        document[name], at = decode_value(kind, data, stop + 1)
    return document, end


def decode_value(kind, data, at):
    if kind in (3, 4):
        document, end = decode(data, at)
        return (document if kind == 3 else list(document.values())), end
    if kind == 1:
        return struct.unpack_from("<d", data, at)[0], at + 8
    if kind == 2:
        size = struct.unpack_from("<i", data, at)[0]
        return data[at + 4:at + 3 + size].decode(), at + 4 + size
    if kind == 8:
        return bool(data[at]), at + 1
    if kind == 10:
        return None, at
    if kind == 16:
        return struct.unpack_from("<i", data, at)[0], at + 4
    if kind == 18:
        return Int64(struct.unpack_from("<q", data, at)[0]), at + 8
    if kind == 11:
        end = data.index(b"\0", data.index(b"\0", at) + 1) + 1
    elif kind == 5:
        end = at + 5 + struct.unpack_from("<i", data, at)[0]
    else:
        end = at + FIXED[kind]
    return Raw(kind, data[at:end]), end


def matches(document, condition):
    for name, want in condition.items():
        have = document.get(name)
        if name == "$or":
            if not any(matches(document, c) for c in want):
                return False
        elif isinstance(want, dict) and want and next(iter(want)).startswith("$"):
            for operator, operand in want.items():
                if operator not in OPERATORS:
                    raise Failure(BAD_VALUE, "unknown operator: " + operator)
                if not OPERATORS[operator](have, operand):
                    return False
        elif have != want:
            return False
    return True


OPERATORS = {
    "$gt": lambda a, b: a is not None and a > b,
    "$lt": lambda a, b: a is not None and a < b,
    "$gte": lambda a, b: a is not None and a >= b,
    "$ne": lambda a, b: a != b,
    "$in": lambda a, b: a in b,
    "$regex": lambda a, b: a is not None and re.search(b if isinstance(b, str) else b.data.decode(), a) is not None,
    "$exists": lambda a, b: (a is not None) == b,
}


class Failure(Exception):
    def __init__(self, code, message):
        super().__init__(message)
        self.code = code


class Mongod:
    """Listens on loopback until stop(). @compressors: what it offers ("zlib"). @delay: seconds before each answer.
    @log: every command, in order."""

    def __init__(self, compressors=(), delay=0):
        self.delay = delay
        self.compressors = list(compressors)
        self.log = []
        self.data = collections.defaultdict(list)
        self.ids = collections.defaultdict(set)
        self.cursors = {}
        self.cursor_ids = itertools.count(1 << 40)
        self.request_ids = itertools.count(1)
        self.lock = threading.Lock()
        self.connections = []
        self.stopped = threading.Event()
        self.listener = socket.socket()
        self.listener.bind(("127.0.0.1", 0))
        self.listener.listen(64)
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self.accept, daemon=True).start()

    def url(self, options=""):
        return "mongodb://127.0.0.1:%d/?%s" % (self.port, options)

    def stop(self):
        self.stopped.set()
        self.listener.close()
        with self.lock:
            for s in self.connections:
                s.close()

    def accept(self):
        while True:
            try:
                s, _ = self.listener.accept()
            except OSError:
                return
            s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            with self.lock:
                self.connections.append(s)
            threading.Thread(target=self.serve, args=(s,), daemon=True).start()

    # --- the wire ---

    def serve(self, s):
        file = s.makefile("rb")
        try:
            while True:
                head = file.read(16)
                if len(head) < 16:
                    return
                size, request, _, op = struct.unpack("<4i", head)
                self.message(s, op, request, file.read(size - 16), None)
        except (OSError, ValueError):
            return
        finally:
            file.close()
            s.close()

    def message(self, s, op, request, body, compressor):
        if op == OP_COMPRESSED:
            original, _, kind = struct.unpack_from("<iiB", body)
            self.message(s, original, request, zlib.decompress(body[9:]), kind)
        elif op == OP_QUERY:
            stop = body.index(b"\0", 4)
            name = body[4:stop].decode()
            command, _ = decode(body, stop + 9)
            reply = encode(self.run(dict(command, **{"$db": name.split(".")[0]})))
            self.send(s, OP_REPLY, request, struct.pack("<iqii", 8, 0, 0, 1) + reply, compressor)
        elif op == OP_MSG:
            self.op_msg(s, request, body, compressor)
        else:
            raise ValueError("opcode %d" % op)

    def op_msg(self, s, request, body, compressor):
        flags = struct.unpack_from("<I", body)[0]
        at, end = 4, len(body) - (4 if flags & CHECKSUM_PRESENT else 0)
        command, lists = {}, {}
        while at < end:
            if body[at] == 0:
                command, at = decode(body, at + 1)
                continue
            stop = at + 1 + struct.unpack_from("<i", body, at + 1)[0]
            zero = body.index(b"\0", at + 5)
            documents = lists.setdefault(body[at + 5:zero].decode(), [])
            at = zero + 1
            while at < stop:
                document, at = decode(body, at)
                documents.append(document)
        command.update(lists)
        waits = "hello" in command or "isMaster" in command or "ismaster" in command
        if flags & EXHAUST_ALLOWED and waits and "maxAwaitTimeMS" in command:
            while not self.stopped.wait(0.2):
                request = self.send(s, OP_MSG, request, struct.pack("<IB", MORE_TO_COME, 0) + encode(self.run(command)),
                                    compressor)
            return
        if self.delay:
            time.sleep(self.delay)
        reply = self.run(command)
        while flags & EXHAUST_ALLOWED and "getMore" in command and reply["cursor"]["id"]:  # the rest unasked
            request = self.send(s, OP_MSG, request, struct.pack("<IB", MORE_TO_COME, 0) + encode(reply), compressor)
            reply = self.run(dict(command, unasked=True))
        if not flags & MORE_TO_COME:
            self.send(s, OP_MSG, request, struct.pack("<IB", 0, 0) + encode(reply), compressor)

    def send(self, s, op, to, body, compressor):
        request = next(self.request_ids)
        if compressor is not None:
            body = struct.pack("<iiB", op, len(body), compressor) + zlib.compress(body)
            op = OP_COMPRESSED
        s.sendall(struct.pack("<4i", 16 + len(body), request, to, op) + body)
        return request

    # --- commands ---

    def run(self, command):
        name = next(iter(command))
        db = command.get("$db", "")
        target = command.get("collection") if name == "getMore" else command[name]
        collection = target if isinstance(target, str) else ""
        rows = code = 0
        with self.lock:
            try:
                method = getattr(self, "do_" + name.lower(), None)
                if not method:
                    raise Failure(COMMAND_NOT_FOUND, "no such command: " + name)
                reply, rows = method(command, (db, collection))
                code = reply["writeErrors"][0]["code"] if "writeErrors" in reply else 0
                reply["ok"] = 1.0
            except Failure as e:
                code = e.code
                reply = {"ok": 0.0, "errmsg": str(e), "code": code, "codeName": "Failure"}
            reply["$clusterTime"] = {"clusterTime": Raw(17, b"\1\0\0\0\1\0\0\0"),
                                     "signature": {"hash": Raw(5, struct.pack("<iB", 20, 0) + b"\0" * 20),
                                                   "keyId": Int64(0)}}
            reply["operationTime"] = Raw(17, b"\1\0\0\0\1\0\0\0")
            if "unasked" in command: # a further reply to the one before
                last = self.log.pop()
                name, rows, command = last.name, last.rows + rows, last.command
            self.log.append(Entry(db, name, collection, rows, code, len(encode(reply)), command))
            return reply

    def do_hello(self, command, where):
        me = "127.0.0.1:%d" % self.port
        reply = {"helloOk": True, "ismaster": True, "isWritablePrimary": True, "setName": "rs0", "setVersion": 1,
                 "hosts": [me], "me": me, "primary": me, "secondary": False, "maxBsonObjectSize": 16777216,
                 "maxMessageSizeBytes": 48000000, "maxWriteBatchSize": 100000, "logicalSessionTimeoutMinutes": 30,
                 "minWireVersion": 0, "maxWireVersion": 21, "readOnly": False,
                 "electionId": Raw(7, b"\x7f" + b"\0" * 11), "connectionId": 1,
                 "topologyVersion": {"processId": Raw(7, b"\1" * 12), "counter": Int64(1)}}
        offered = [c for c in self.compressors if c in command.get("compression", [])]
        if offered:
            reply["compression"] = offered
        return reply, 0

    do_ismaster = do_hello

    def nothing(self, command, where):
        return {}, 0

    do_ping = do_endsessions = do_killcursors = do_createindexes = nothing
    do_committransaction = do_aborttransaction = nothing

    def do_insert(self, command, where):
        errors, n = [], 0
        for i, document in enumerate(command["documents"]):
            if document.get("_id") in self.ids[where]:
                errors.append({"index": i, "code": DUPLICATE_KEY, "errmsg": "E11000 duplicate key error",
                               "keyPattern": {"_id": 1}})
                if command.get("ordered", True):
                    break
                continue
            self.data[where].append(document)
            self.ids[where].add(document.get("_id"))
            n += 1
        return dict({"n": n}, **({"writeErrors": errors} if errors else {})), n

    def found(self, where, condition):
        return [d for d in self.data[where] if matches(d, condition)]

    def batch(self, found, size, where, key="firstBatch", cursor=0):
        size = FIRST_BATCH if size is None else size
        now, later = found[:size], found[size:]
        if later:
            cursor = cursor or next(self.cursor_ids)
            self.cursors[cursor] = later
        else:
            self.cursors.pop(cursor, None)
            cursor = 0
        return {"cursor": {key: now, "id": Int64(cursor), "ns": "%s.%s" % where}}, len(now)

    def do_find(self, command, where):
        found = self.found(where, command.get("filter", {}))
        if command.get("limit"):
            found = found[:abs(command["limit"])]
        return self.batch(found, command.get("batchSize"), where)

    def do_getmore(self, command, where):
        return self.batch(self.cursors.get(command["getMore"], []), command.get("batchSize", 1 << 20), where, "nextBatch",
                          command["getMore"])

    def do_aggregate(self, command, where):
        found = self.data[where]
        for stage in command["pipeline"]:
            if "$match" in stage:
                found = [d for d in found if matches(d, stage["$match"])]
            if "$group" in stage:
                found = [{"_id": 1, "n": len(found)}] if found else []
            if "$limit" in stage:
                found = found[:stage["$limit"]]
        return self.batch(found, command.get("cursor", {}).get("batchSize"), where)

    def do_update(self, command, where):
        n = 0
        for update in command["updates"]:
            found = self.found(where, update["q"])
            for document in found if update.get("multi") else found[:1]:
                document.update(update["u"].get("$set", {}))
                n += 1
        return {"n": n, "nModified": n}, n

    def do_delete(self, command, where):
        n = 0
        for delete in command["deletes"]:
            found = self.found(where, delete["q"])
            for document in found[:1] if delete.get("limit") else found:
                self.data[where].remove(document)
                self.ids[where].discard(document.get("_id"))
                n += 1
        return {"n": n}, n

    def do_findandmodify(self, command, where):
        found = self.found(where, command.get("query", {}))[:1]
        if not found:
            return {"value": None, "lastErrorObject": {"n": 0, "updatedExisting": False}}, 0
        before = dict(found[0])
        found[0].update(command.get("update", {}).get("$set", {}))
        return {"lastErrorObject": {"n": 1, "updatedExisting": True}, "value": before}, 1

    def do_count(self, command, where):
        return {"n": len(self.found(where, command.get("query", {})))}, 0

    def do_distinct(self, command, where):
        values = []
        for document in self.found(where, command.get("query", {})):
            if document.get(command["key"]) not in values:
                values.append(document.get(command["key"]))
        return {"values": values}, len(values)
