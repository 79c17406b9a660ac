# SPDX-License-Identifier: GPL-2.0-only
"""mariadb.py - a private MariaDB server and its own counts, for the tests of this directory."""

import atexit
import collections
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import unittest

import pg
import templates
from pg import PATIENCE, SONDE, free_port

DATABASE = "bench"
USER = "bench"
PASSWORD = "secret"


def why_not():
    """Why no server can be started here, or None."""
    if os.geteuid() != 0:
        return "needs root"
    if not os.access(SONDE, os.X_OK):
        return "there is no %s: build it first" % SONDE
    for program in ("mariadbd", "mariadb-install-db", "mariadb"):
        if not shutil.which(program):
            return "needs a MariaDB server (scripts/setup.sh test): there is no %s" % program
    try:
        import pwd
        pwd.getpwnam("mysql")
    except KeyError:
        return "needs the user mysql"
    return None


class Server:
    """A server with a data directory of its own, on a unix socket and on loopback. @settings: options beside the usual ones."""

    def __init__(self, settings=None):
        self.proc = None
        self.settings = settings or {}
        self.dir = tempfile.mkdtemp(prefix="my.")
        atexit.register(self.stop)
        shutil.chown(self.dir, "mysql", "mysql")
        os.chmod(self.dir, 0o755)
        self.data = os.path.join(self.dir, "data")
        self.socket = os.path.join(self.dir, "sock")
        self.log = os.path.join(self.dir, "log")
        version = subprocess.run(["mariadbd", "--version"], stdout=subprocess.PIPE, text=True, check=True).stdout
        template = templates.name("mariadb", __file__, version)
        if not templates.take(template, self.data):
            self._fill()
            self._kill(signal.SIGTERM)  # as it should be: a copy has nothing to recover
            templates.keep(template, self.data)
        self._start_somewhere(self.settings)

    def _fill(self):
        done = subprocess.run(["mariadb-install-db", "--no-defaults", "--user=mysql", "--datadir=" + self.data, "--skip-test-db",
                               "--auth-root-authentication-method=normal", "--innodb-log-file-size=8M"],
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL, text=True)
        if done.returncode:
            raise RuntimeError("mariadb-install-db: " + done.stdout[-2000:])
        self._start_somewhere({})
        self.sql("create database %s" % DATABASE, None)
        for host in ("localhost", "127.0.0.1"):
            self.sql("create user %s@'%s' identified by '%s'; grant all on *.* to %s@'%s'" %
                     (USER, host, PASSWORD, USER, host), None)

    def restart(self, env=None):
        """The same server anew, in another environment."""
        self._kill()
        if not self._start(self.settings, env):
            raise RuntimeError("no server: " + open(self.log, errors="replace").read()[-2000:])

    def _start_somewhere(self, more):
        for _ in range(5):  # somebody else may take the port meanwhile
            self.port = free_port()
            if self._start(more):
                return
        raise RuntimeError("no server: " + open(self.log, errors="replace").read()[-2000:])

    def _start(self, more, env=None):
        settings = {
            "datadir": self.data, "socket": self.socket, "port": self.port, "bind-address": "127.0.0.1",
            "pid-file": os.path.join(self.dir, "pid"), "innodb-buffer-pool-size": "32M", "innodb-log-file-size": "8M",
            "innodb-flush-log-at-trx-commit": 0, "innodb-flush-method": "nosync", "max-connections": 200,
            "max-allowed-packet": "64M", "local-infile": 1, "log-output": "TABLE", "skip-name-resolve": 1,
            "secure-file-priv": "", "performance-schema": 0, "userstat": 1, "max-prepared-stmt-count": 10000, "tmpdir": self.dir,
            **more,
        }
        command = ["setpriv", "--reuid", "mysql", "--regid", "mysql", "--clear-groups", "--pdeathsig", "KILL", "mariadbd",
                   "--no-defaults"]
        with open(self.log, "ab") as log:
            self.proc = subprocess.Popen(command + ["--%s=%s" % item for item in settings.items()], cwd=self.dir, stdout=log,
                                         stderr=log, stdin=subprocess.DEVNULL, env=env)
        end = time.monotonic() + 30 * PATIENCE
        while time.monotonic() < end and self.proc.poll() is None:
            if os.path.exists(self.socket) and subprocess.run(self.client("root") + ["-e", "do 1"], stdout=subprocess.DEVNULL,
                                                              stderr=subprocess.DEVNULL).returncode == 0:
                return True
            time.sleep(0.05)
        self._kill()
        return False

    def _kill(self, sig=signal.SIGKILL):  # by default: nothing in it is worth a shutdown
        if self.proc and self.proc.poll() is None:
            self.proc.send_signal(sig)
            self.proc.wait()
        self.proc = None

    def stop(self):
        self._kill()
        shutil.rmtree(self.dir, ignore_errors=True)
        atexit.unregister(self.stop)

    def client(self, user=USER, tcp=False, database=None):
        """Command line of the server's own client."""
        where = ["--host=127.0.0.1", "--port=%d" % self.port, "--protocol=tcp"] if tcp else ["--socket=" + self.socket]
        login = ["--user=" + user] + (["--password=" + PASSWORD] if user == USER else [])
        return ["mariadb", "--no-defaults", *where, *login, "--batch", "--skip-column-names", *([database] if database else [])]

    def sql(self, sql, database=DATABASE):
        done = subprocess.run(self.client("root", database=database), input=sql, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                              text=True)
        if done.returncode:
            raise RuntimeError("mariadb: " + done.stderr)
        return done.stdout.rstrip("\n")

    def sysbench(self, *args, tcp=False):
        """Command line of sysbench on this server."""
        where = ["--mysql-host=127.0.0.1", "--mysql-port=%d" % self.port] if tcp else ["--mysql-socket=" + self.socket]
        return ["sysbench", "--db-driver=mysql", "--mysql-user=" + USER, "--mysql-password=" + PASSWORD, "--mysql-db=" + DATABASE,
                *where, *args]

    def prepare_sysbench(self, size=1000):
        done = subprocess.run(self.sysbench("--table-size=%d" % size, "oltp_point_select", "prepare"), stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, text=True)
        if done.returncode:
            raise RuntimeError(done.stdout)

    def start_log(self):
        """The general log begins anew."""
        self.sql("set global general_log = 0; truncate table mysql.general_log; set global general_log = 1", None)

    def logged(self, user=USER):
        """The general log of a user's sessions: [(connection, command, text)]."""
        out = self.sql("set global general_log = 0; select json_array(thread_id, command_type, convert(argument using utf8mb4))"
                       " from mysql.general_log where user_host like '%s[%%' order by event_time" % user, None)
        return [tuple(json.loads(line)) for line in out.splitlines()]


def fingerprints(statements):
    """[(id, normalised text)] of SQL statements, one each."""
    lines = "".join(json.dumps(s) + "\n" for s in statements)
    done = subprocess.run([SONDE, "fingerprint", "--dialect", "mysql", "--jsonl", "--id"], input=lines, stdout=subprocess.PIPE,
                          text=True, check=True)
    out = [json.loads(line).split(" ", 1) for line in done.stdout.splitlines()]
    assert len(out) == len(statements), "one answer for each statement"
    return [(sid, text) for sid, text in out]


def fingerprint(statement):
    return fingerprints([statement])[0][0]


def counts(statements):
    """{id: calls} of statements, each a call; texts are normalised once."""
    texts = collections.Counter(statements)
    found = collections.Counter()
    for (sid, _), calls in zip(fingerprints(list(texts)), texts.values()):
        found[sid] += calls
    return found


class TestCase(pg.TestCase):
    """Assertions about reports of MySQL and MariaDB."""

    def row(self, report, statement):
        sid = fingerprint(statement)
        found = [q for q in report.queries if q["id"] == sid]
        self.assertEqual(len(found), 1, "%r in:\n%s" % (statement, report.brief()))
        return found[0]

    def calls(self, report, role="client"):
        found = collections.Counter()
        for q in report.queries:
            if q["role"] == role:
                found[q["id"]] += q["count"]
        return found

    def assert_logged(self, report, logged, commands=("Query", "Execute"), role="client"):
        """The statements of the general log, each a call, and no others."""
        truth = counts([text for _, command, whole in logged if command in commands for text in whole.split("; ")])
        found = self.calls(report, role)
        texts = {q["id"]: q["text"] for q in report.queries}
        lines = ["%s server %d, sonde %d: %s" % (sid, truth[sid], found[sid], texts.get(sid, ""))
                 for sid in sorted(set(truth) | set(found)) if truth[sid] != found[sid] and
                 not texts.get(sid, "").startswith("admin ")]
        self.assertFalse(lines, "\n" + "\n".join(lines) + "\n" + report.brief())


def module_server():
    """For setUpModule(): a server that lives as long as the module's tests; skips them where there can be none."""
    reason = why_not()
    if reason:
        raise unittest.SkipTest(reason)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that the server is stopped, too
    server = Server()
    unittest.addModuleCleanup(server.stop)
    return server
