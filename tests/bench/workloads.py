# SPDX-License-Identifier: GPL-2.0-only
"""workloads.py - what cost.py measures: servers, and clients that send a known number of the same thing to them."""

import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "e2e"))
import certs  # noqa: E402
import mariadb  # noqa: E402
import pg  # noqa: E402

ROUNDTRIP = os.path.join(pg.O, "tests/bench/roundtrip")


class Server:
    """A process of its own in a directory of its own."""

    def __init__(self, name, user=None):
        self.dir = tempfile.mkdtemp(prefix=name + ".")
        self.port = pg.free_port()
        self.proc = None
        if user:
            shutil.chown(self.dir, user, user)
        os.chmod(self.dir, 0o755)

    def start(self, *command):
        self.log = os.path.join(self.dir, "output")
        with open(self.log, "wb") as log:
            self.proc = subprocess.Popen(command, cwd=self.dir, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                                         env=dict(os.environ, TMPDIR=self.dir))
        end = time.monotonic() + 30
        while True:
            with socket.socket() as s:
                if s.connect_ex(("127.0.0.1", self.port)) == 0:
                    return
            if self.proc.poll() is not None or time.monotonic() > end:
                self.stop()
                raise RuntimeError("%s does not start" % command[0])
            time.sleep(0.05)

    def stop(self):
        if self.proc:
            self.proc.kill()
            self.proc.wait()
        shutil.rmtree(self.dir, ignore_errors=True)


class Postgres(pg.Cluster):
    def __init__(self):
        super().__init__()
        self.serve_tls()


class Maria(mariadb.Server):
    def __init__(self):
        self.certs = tempfile.mkdtemp(prefix="certs.")
        shutil.chown(self.certs, "mysql", "mysql")
        crt, key = certs.make(self.certs, "mysql")
        for path, name in ((crt, "cacert.pem"), (crt, "client-cert.pem"), (key, "client-key.pem")):
            os.symlink(path, os.path.join(self.certs, name))  # where sysbench looks
        super().__init__({"ssl-cert": crt, "ssl-key": key, "ssl-ca": crt, "thread-cache-size": 0})  # new threads run where they shall
        self.prepare_sysbench()

    def stop(self):
        super().stop()
        shutil.rmtree(self.certs, ignore_errors=True)


class Redis(Server):
    def __init__(self):
        super().__init__("redis")
        crt, key = certs.make(self.dir)
        self.tls_port = pg.free_port()
        self.start("redis-server", "--port", str(self.port), "--bind", "127.0.0.1", "--save", "", "--dir", self.dir, "--tls-port",
                   str(self.tls_port), "--tls-cert-file", crt, "--tls-key-file", key, "--tls-auth-clients", "no")


class Memcached(Server):
    def __init__(self):
        super().__init__("memcached")
        self.start("memcached", "-u", "root", "-l", "127.0.0.1", "-p", str(self.port), "-t", "1")
        with socket.create_connection(("127.0.0.1", self.port)) as s:
            s.sendall(b"set user:1 0 0 100\r\n" + b"x" * 100 + b"\r\n")
            s.recv(100)


class Nginx(Server):
    def __init__(self):
        super().__init__("nginx")
        with open(os.path.join(self.dir, "conf"), "w") as conf:
            conf.write("daemon off; master_process off; pid %s/pid; error_log stderr; events {}\n"
                       "http { access_log off; keepalive_requests 100000000; client_body_temp_path %s/a; proxy_temp_path %s/b;\n"
                       "fastcgi_temp_path %s/c; uwsgi_temp_path %s/d; scgi_temp_path %s/e;\n"
                       "server { listen 127.0.0.1:%d; location / { return 200 'hello, world'; } } }\n" %
                       (*[self.dir] * 6, self.port))
        self.start(shutil.which("nginx", path=os.environ["PATH"] + ":/usr/sbin"), "-c", os.path.join(self.dir, "conf"), "-e", "stderr")


def with_libraries(env, tls):
    """The shell that waits for its turn maps the TLS libraries already, so that sonde is attached to them from the first byte."""
    return dict(env, LD_PRELOAD="libssl.so.3 libgnutls.so.30") if tls else env


class Workload:
    """@server: class; @client(server, count): command line that sends @count of them; @system: proto.def's name for it"""

    def __init__(self, name, system, server, client, count=20000, env=None, command="db", needs=(), tls=False):
        self.name, self.system, self.server, self.client, self.count = name, system, server, client, count
        self.env = lambda server: with_libraries(env(server) if env else os.environ, tls)
        self.command, self.needs = command, needs

    def why_not(self, known):
        if self.system not in known:
            return "this sonde does not read " + self.system
        if subprocess.run([pg.SONDE, self.command, "--help"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL).returncode:
            return "this sonde has no command " + self.command
        for program in self.needs:
            if not shutil.which(program, path=os.environ["PATH"] + ":/usr/sbin"):
                return "needs " + program
        return None


def pgbench(name, mode, tcp, tls=False):
    def client(cluster, count):
        return ["pgbench", "-n", "-S", "-M", mode, "-c", "2", "-j", "2", "-t", str(count // 2)]

    def env(cluster):
        return dict(cluster.env(tcp), **({"PGSSLMODE": "require"} if tls else {}))

    return Workload(name, "postgresql", Postgres, client, env=env, needs=("pgbench",), tls=tls)


NPLUS1_CHILDREN = 50
NPLUS1 = ("begin;\nselect aid from pgbench_accounts order by aid desc limit %d;\n" % NPLUS1_CHILDREN +
          "\\set aid random(1, 100000)\nselect abalance from pgbench_accounts where aid = :aid;\n" * NPLUS1_CHILDREN + "commit;\n")


def nplus1(name, mode="simple"):
    """Nothing but N+1: a list in a transaction, then a statement for each of its rows."""
    def client(cluster, count):
        script = os.path.join(cluster.dir, "nplus1.sql")
        with open(script, "w") as file:
            file.write(NPLUS1)
        return ["pgbench", "-n", "-M", mode, "-f", script, "-c", "2", "-j", "2", "-t", str(max(1, count // 2 // (NPLUS1_CHILDREN + 3)))]

    return Workload(name, "postgresql", Postgres, client, count=400 * (NPLUS1_CHILDREN + 3), env=lambda cluster: cluster.env(False),
                    needs=("pgbench",))


def sysbench(name, ps_mode, tcp, tls=False):
    def client(server, count):
        return server.sysbench("--table-size=1000", "--db-ps-mode=" + ps_mode, "--threads=2", "--time=0", "--events=%d" % count,
                               "--skip_trx=on", *(["--mysql-ssl=on"] if tls else []), "oltp_point_select", "run", tcp=tcp)

    return Workload(name, "mariadb", Maria, client, needs=("sysbench", "mariadbd", "mariadb-install-db"), tls=tls)


def redis(name, pipeline, tls=False):
    def client(server, count):
        return ["redis-benchmark", "-p", str(server.tls_port if tls else server.port), "-t", "get", "-n", str(count), "-c", "2", "-P",
                str(pipeline), "-q", *(["--tls", "--insecure"] if tls else [])]

    return Workload(name, "redis", Redis, client, count=20000 * min(pipeline, 4), needs=("redis-server", "redis-benchmark"), tls=tls)


def roundtrip(name, system, server, request, command="db", needs=()):
    def client(server, count):
        return [ROUNDTRIP, "127.0.0.1", str(server.port), str(count), request]

    return Workload(name, system, server, client, command=command, needs=needs)


WORKLOADS = [
    pgbench("pg-simple-unix", "simple", False), pgbench("pg-extended-unix", "extended", False),
    pgbench("pg-prepared-unix", "prepared", False), nplus1("pg-nplus1-unix"), nplus1("pg-nplus1-prepared-unix", "prepared"), pgbench("pg-simple", "simple", True), pgbench("pg-extended", "extended", True),
    pgbench("pg-prepared", "prepared", True), pgbench("pg-simple-tls", "simple", True, True),
    pgbench("pg-prepared-tls", "prepared", True, True),
    sysbench("mysql-text-unix", "disable", False), sysbench("mysql-prepared-unix", "auto", False),
    sysbench("mysql-text", "disable", True), sysbench("mysql-prepared", "auto", True),
    sysbench("mysql-text-tls", "disable", True, True), sysbench("mysql-prepared-tls", "auto", True, True),
    redis("redis-get", 1), redis("redis-get-16", 16), redis("redis-get-tls", 1, True), redis("redis-get-16-tls", 16, True),
    roundtrip("memcached-get", "memcached", Memcached, "get user:1\\r\\n", needs=("memcached",)),
    roundtrip("http", "http", Nginx, "GET /orders/17 HTTP/1.1\\r\\nHost: localhost\\r\\n\\r\\n", command="http", needs=("nginx",)),
]
