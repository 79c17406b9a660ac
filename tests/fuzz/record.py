# SPDX-License-Identifier: GPL-2.0-only
"""record.py - makes the fuzzers' corpus: sessions between real clients and servers, recorded by a proxy between them.

usage: record.py drivers [NAME...]                      all drivers of tests/e2e/test_drivers.py, or those named
       record.py PREFIX/NAME HOST:PORT PROGRAM [ARG...] PROGRAM with {port} in its arguments, DB_PORT, PGPORT, PORT set

Writes tests/fuzz/corpus/PREFIX/NAME, the second connection's session NAME-2 and so on, in the form that stream_mutate.h
describes. Certificates and passwords: only those that the tests make up.
"""

import os
import socket
import subprocess
import sys
import threading

HERE = os.path.dirname(os.path.abspath(__file__))
CORPUS = os.path.join(HERE, "corpus")
SESSION = 2  # stream_mutate.h: INPUT_SESSION
BYTES = 10000  # of a session that are kept, up to the first send that does not fit
PREFIXES = {"postgresql": "postgresql", "mariadb": "mysql", "redis": "redis"}
ROUNDS = 3


class Recorder:
    """A proxy that keeps what goes over each connection, in the order in which it went."""

    def __init__(self, host, port):
        self.server = (host, port)
        self.sessions = []
        self.lock = threading.Lock()
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            client, _ = self.listener.accept()
            server = socket.create_connection(self.server)
            for s in (client, server):
                s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            session = []
            self.sessions.append(session)
            for ends in ((client, server, 0), (server, client, 1)):
                threading.Thread(target=self.pump, args=(session, *ends), daemon=True).start()

    def pump(self, session, source, sink, from_server):
        while True:
            try:
                data = source.recv(65536)
            except OSError:
                data = b""
            with self.lock:
                if data:
                    session.append((from_server, data))
            try:
                if not data:
                    sink.shutdown(socket.SHUT_WR)
                    return
                sink.sendall(data)
            except OSError:
                return

    def save(self, prefix, name):
        os.makedirs(os.path.join(CORPUS, prefix), exist_ok=True)
        for nr, session in enumerate(self.sessions):
            out = bytes([SESSION])
            for from_server, data in session:
                if len(out) + len(data) > BYTES:
                    break
                out += bytes([from_server]) + len(data).to_bytes(2, "little") + data
            if len(out) > 1:
                path = os.path.join(CORPUS, prefix, name + ("-%d" % (nr + 1) if nr else ""))
                with open(path, "wb") as file:
                    file.write(out)
                print("%s: %d bytes, %d sends" % (path, len(out), len(session)))


def record_program(where, address, program):
    host, port = address.rsplit(":", 1)
    recorder = Recorder(host, int(port))
    port = str(recorder.port)
    subprocess.run([arg.replace("{port}", port) for arg in program], check=True, stdin=subprocess.DEVNULL,
                   env=dict(os.environ, DB_PORT=port, PGPORT=port, PGHOST="127.0.0.1", PORT=port))
    recorder.save(*where.split("/", 1))


def record_drivers(names):
    sys.path.insert(0, os.path.join(HERE, "..", "e2e"))
    import test_drivers
    servers = {}
    try:
        for name, (kind, _, program, why_not) in test_drivers.DRIVERS.items():
            if (names and name not in names) or why_not():
                continue
            if kind not in servers:
                servers[kind] = kind()
            env = dict(os.environ, DB_ROUNDS=str(ROUNDS), DB_TLS="0", NODE_PATH=test_drivers.node_modules(),
                       **servers[kind].prepare("drv_" + name))
            recorder = Recorder(env["DB_HOST"], int(env["DB_PORT"]))
            subprocess.run(program, env=dict(env, DB_PORT=str(recorder.port)), check=True, stdin=subprocess.DEVNULL,
                           stdout=subprocess.DEVNULL)
            recorder.save(PREFIXES[kind.system], name)
    finally:
        for server in servers.values():
            server.stop()


def main():
    if sys.argv[1:2] == ["drivers"]:
        record_drivers(sys.argv[2:])
    elif len(sys.argv) > 3 and "/" in sys.argv[1]:
        record_program(sys.argv[1], sys.argv[2], sys.argv[3:])
    else:
        print(__doc__, file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
