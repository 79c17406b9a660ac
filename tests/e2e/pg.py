# SPDX-License-Identifier: GPL-2.0-only
"""pg.py - a private PostgreSQL server, and runs of sonde beside it, for the tests of this directory."""

import atexit
import collections
import glob
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

import certs
import templates

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
O = os.path.abspath(os.environ.get("O", os.path.join(TOP, "build")))
SONDE = os.path.abspath(os.environ.get("SONDE", os.path.join(O, "sonde")))

# Emulated guests take twenty times longer for everything.
PATIENCE = float(os.environ.get("SONDE_TEST_PATIENCE", "1"))

DATABASE = "bench"  # what the tests work in; asking for the numbers happens in "postgres"


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def find_bindir():
    dirs = glob.glob("/usr/lib/postgresql/*/bin") + glob.glob("/usr/pgsql-*/bin")
    dirs = [d for d in dirs if os.access(os.path.join(d, "initdb"), os.X_OK)]
    dirs.sort(key=lambda d: [int(n) for n in re.findall(r"\d+", d)])
    return dirs[-1] if dirs else None


def why_not():
    """Why no server can be started here, or None."""
    if os.geteuid() != 0:
        return "needs root"
    if not os.access(SONDE, os.X_OK):
        return "there is no %s: build it first" % SONDE
    if not find_bindir():
        return "needs a PostgreSQL server (scripts/setup.sh test)"
    if not shutil.which("pgbench"):
        return "needs pgbench"
    try:
        import pwd
        pwd.getpwnam("postgres")
    except KeyError:
        return "needs the user postgres"
    return None


class Cluster:
    """A server with a data directory of its own, on a unix socket and on loopback."""

    def __init__(self, scale=1):
        self.bindir = find_bindir()
        self.proc = None
        self.dir = tempfile.mkdtemp(prefix="pg.")
        atexit.register(self.stop)
        shutil.chown(self.dir, "postgres", "postgres")
        os.chmod(self.dir, 0o755)
        self.data = os.path.join(self.dir, "data")
        self.log = os.path.join(self.dir, "log")
        template = templates.name("pg", __file__, self.bindir, self._version(), scale)
        if not templates.take(template, self.data):
            self._fill(scale)
            self._kill(signal.SIGINT)  # as it should be: a copy has nothing to recover
            templates.keep(template, self.data)
        self._start_somewhere()

    def _version(self):
        return subprocess.run([os.path.join(self.bindir, "postgres"), "--version"], stdout=subprocess.PIPE, text=True, check=True).stdout

    def _fill(self, scale):
        self._as_postgres("initdb", "-D", self.data, "-A", "trust", "-N", "-E", "UTF8", "--locale=C",
                          "-U", "postgres")
        self._start_somewhere()
        self.psql("create database " + DATABASE, "postgres")
        self.psql("create extension pg_stat_statements", "postgres")
        if scale:
            self.pgbench("-i", "-q", "-s", str(scale))
        self.reset_statements()

    def _start_somewhere(self):
        for _ in range(5):  # somebody else may take the port meanwhile
            self.port = free_port()
            if self._start():
                return
        raise RuntimeError("no server: " + open(self.log, errors="replace").read()[-2000:])

    def _command(self, program, *args):
        return ["setpriv", "--reuid", "postgres", "--regid", "postgres", "--clear-groups", "--pdeathsig", "QUIT",
                os.path.join(self.bindir, program), *args]

    def _as_postgres(self, program, *args):
        done = subprocess.run(self._command(program, *args), cwd=self.dir, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL, text=True)
        if done.returncode:
            raise RuntimeError("%s: %s" % (program, done.stdout))

    def _start(self):
        settings = {
            "listen_addresses": "127.0.0.1,::1", "port": self.port, "unix_socket_directories": self.dir,
            "fsync": "off", "synchronous_commit": "off", "full_page_writes": "off", "autovacuum": "off",
            "max_connections": 200, "shared_buffers": "32MB", "jit": "off", "max_wal_size": "1GB",
            "shared_preload_libraries": "pg_stat_statements", "pg_stat_statements.track": "top",
            "pg_stat_statements.track_utility": "on", "timezone": "UTC", "lc_messages": "C",
        }
        args = ["-D", self.data]
        for name, value in settings.items():
            args += ["-c", "%s=%s" % (name, value)]
        with open(self.log, "ab") as log:
            self.proc = subprocess.Popen(self._command("postgres", *args), cwd=self.dir, stdout=log, stderr=log,
                                         stdin=subprocess.DEVNULL)
        end = time.monotonic() + 30 * PATIENCE
        while time.monotonic() < end and self.proc.poll() is None:
            ready = subprocess.run([os.path.join(self.bindir, "pg_isready"), "-q", "-h", self.dir,
                                    "-p", str(self.port)])
            if ready.returncode == 0:
                return True
            time.sleep(0.05)
        self._kill()
        return False

    def _kill(self, sig=signal.SIGQUIT):  # by default an immediate shutdown
        if self.proc and self.proc.poll() is None:
            self.proc.send_signal(sig)
            try:
                self.proc.wait(10 * PATIENCE)
            except subprocess.TimeoutExpired:
                self.proc.kill()
                self.proc.wait()
        self.proc = None

    def stop(self):
        self._kill()
        shutil.rmtree(self.dir, ignore_errors=True)
        atexit.unregister(self.stop)

    def host(self, tcp):
        return {False: self.dir, True: "127.0.0.1", "v6": "::1"}[tcp]

    def env(self, tcp=False, database=DATABASE):
        return dict(os.environ, PGHOST=self.host(tcp), PGPORT=str(self.port), PGUSER="postgres", PGDATABASE=database,
                    PGSSLMODE="disable", PGGSSENCMODE="disable", PGOPTIONS="", PGAPPNAME="test")

    def serve_tls(self):
        """From now on also under TLS, with a certificate that nobody signed."""
        cert, key = certs.make(self.dir, "postgres")
        for name, value in (("ssl_cert_file", cert), ("ssl_key_file", key), ("ssl", "on")):
            self.psql("alter system set %s = '%s'" % (name, value))
        self.psql("select pg_reload_conf()")
        end = time.monotonic() + 20 * PATIENCE
        while self.psql("show ssl") != "on":
            assert time.monotonic() < end, "the server does not begin to use TLS"
            time.sleep(0.05)

    def psql(self, sql, database="postgres"):
        done = subprocess.run(["psql", "-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-c", sql],
                              env=self.env(database=database), stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                              stdin=subprocess.DEVNULL, text=True)
        if done.returncode:
            raise RuntimeError("psql: " + done.stderr)
        return done.stdout.rstrip("\n")

    def pgbench(self, *args, tcp=False):
        done = subprocess.run(["pgbench", *args], env=self.env(tcp), stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                              stdin=subprocess.DEVNULL, cwd=self.dir, text=True)
        if done.returncode:
            raise RuntimeError("pgbench: " + done.stdout)
        return done.stdout

    def reset_statements(self):
        self.psql("select pg_stat_statements_reset()")

    def statements(self, database=DATABASE):
        """pg_stat_statements by sonde's id: {id: Truth}."""
        out = self.psql("select coalesce(json_agg(json_build_array(query, calls, rows)), '[]') from pg_stat_statements"
                        " where dbid = (select oid from pg_database where datname = '%s')" % database)
        found = json.loads(out)
        truth = {}
        for (_, calls, rows), (sid, text) in zip(found, fingerprints([q for q, _, _ in found])):
            was = truth.get(sid, Truth(text, 0, 0))
            truth[sid] = Truth(text, was.count + calls, was.rows + rows)
        return truth


Truth = collections.namedtuple("Truth", "text count rows")


def fingerprints(statements):
    """[(id, normalised text)] of SQL statements, one each."""
    lines = "".join(json.dumps(s) + "\n" for s in statements)
    done = subprocess.run([SONDE, "fingerprint", "--dialect", "postgresql", "--jsonl", "--id"], input=lines,
                          stdout=subprocess.PIPE, text=True, check=True)
    out = [json.loads(line).split(" ", 1) for line in done.stdout.splitlines()]
    assert len(out) == len(statements), "one answer for each statement"
    return [(sid, text) for sid, text in out]


def fingerprint(statement):
    return fingerprints([statement])[0][0]


class Report:
    """The JSON document of one run."""

    def __init__(self, document, code=0, stderr=""):
        self.json = document
        self.code = code
        self.stderr = stderr
        self.coverage = document["coverage"]
        self.queries = document.get("queries", [])

    def by_id(self, role="client", pid=None):
        """Rows of one statement added up: {id: Truth}."""
        rows = {}
        for q in self.queries:
            if q["role"] != role or (pid and q["pid"] != pid):
                continue
            was = rows.get(q["id"], Truth(q["text"], 0, 0))
            rows[q["id"]] = Truth(q["text"], was.count + q["count"], was.rows + q["rows"])
        return rows

    def rows_of(self, statement):
        sid = fingerprint(statement)
        return [q for q in self.queries if q["id"] == sid]

    def one(self, statement):
        found = self.rows_of(statement)
        if len(found) != 1:
            raise AssertionError("%d rows of %r in:\n%s" % (len(found), statement, self.brief()))
        return found[0]

    def brief(self):
        lines = ["%6d calls %4d errors %7d rows  %s" % (q["count"], q["errors"], q["rows"], q["text"][:90])
                 for q in self.queries]
        return "\n".join(lines + [json.dumps(self.coverage)] + [self.stderr])


def parse(out, code=0, stderr=""):
    try:
        return Report(json.loads(out), code, stderr)
    except ValueError:
        raise AssertionError("no JSON report (exit code %s): %r\n%s" % (code, out[-500:], stderr)) from None


def run_program(program, *args, env=None, cwd=None, check=True):
    """sonde db ARGS -- PROGRAM: its report."""
    with tempfile.TemporaryDirectory(prefix="run.") as tmp:
        file = os.path.join(tmp, "report.json")
        done = subprocess.run([SONDE, "db", "-o", "json", "--output", file, *args, "--", *program], env=env, cwd=cwd,
                              stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                              timeout=120 * PATIENCE)
        if check and done.returncode:
            raise AssertionError("sonde: exit code %d\n%s%s" % (done.returncode, done.stdout, done.stderr))
        if not os.path.exists(file):
            return None
        with open(file) as f:
            report = parse(f.read(), done.returncode, done.stderr)
        report.stdout = done.stdout
        return report


EPOLL_CALLS = {"x86_64": {"232", "281"}, "aarch64": {"22"}}.get(os.uname().machine, set())


def is_attached(pid):
    """Whether that sonde has attached everything: it holds BPF links and sleeps on its events."""
    try:
        fds = ["/proc/%d/fd/%s" % (pid, fd) for fd in os.listdir("/proc/%d/fd" % pid)]
        links = sum(os.readlink(fd).startswith("anon_inode:bpf") and "link" in os.readlink(fd) for fd in fds)
        with open("/proc/%d/syscall" % pid) as f:
            return links > 0 and f.read().split()[0] in EPOLL_CALLS
    except (FileNotFoundError, ProcessLookupError):
        return False


class Sonde:
    """A sonde that runs in the background until stop()."""

    def __init__(self, *args, command="db", out="json", env=None, wait=True):
        self.proc = subprocess.Popen([SONDE, command, "-o", out, *args], stdin=subprocess.DEVNULL,
                                     stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=env)
        self.pid = self.proc.pid
        if wait:
            self.wait_attached()

    def wait_attached(self):
        end = time.monotonic() + 60 * PATIENCE
        while not is_attached(self.pid):
            if self.proc.poll() is not None or time.monotonic() > end:
                self.proc.kill()
                out, err = self.proc.communicate()
                raise AssertionError("sonde did not attach (%s): %s" % (self.proc.returncode, err.decode()))
            time.sleep(0.01)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.proc.poll() is None:
            self.proc.kill()
        self.proc.communicate()

    def wait(self, timeout=60):
        """Its own end: (exit code, stdout, stderr)."""
        try:
            out, err = self.proc.communicate(timeout=timeout * PATIENCE)
        except subprocess.TimeoutExpired:
            self.proc.kill()
            raise AssertionError("sonde does not end: %r" % (self.proc.communicate(),)) from None
        return self.proc.returncode, out.decode(errors="replace"), err.decode(errors="replace")

    def stop(self, sig=signal.SIGINT):
        """Ends it with a signal; its report (JSON runs only)."""
        self.proc.send_signal(sig)
        code, out, err = self.wait()
        return parse(out, code, err)

    def finish(self):
        """The report of a run that ends by itself."""
        code, out, err = self.wait()
        return parse(out, code, err)


def have_tracepoints():
    """Whether the kernel has the socket layer's tracepoints (Linux 6.3)."""
    return any(os.path.isdir(d + "/events/sock/sock_send_length")
               for d in ("/sys/kernel/tracing", "/sys/kernel/debug/tracing")) or kernel_version() >= (6, 3)


def kernel_version():
    return tuple(int(n) for n in re.findall(r"\d+", os.uname().release)[:2])


def doctor_captures():
    """[(way to see socket data that sonde takes by itself)], then the others that this kernel allows, as `sonde doctor` tells."""
    out = subprocess.run([SONDE, "doctor", "--quick"], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True).stdout
    used = re.findall(r"^  sockets: --capture (\w+):", out, re.M)
    more = re.findall(r"^           possible too: (.*)$", out, re.M)
    return used + [name for line in more for name in line.split(", ")]


def captures():
    """The ways that are tested here: all that the kernel allows, or those of $SONDE_TEST_CAPTURES."""
    only = os.environ.get("SONDE_TEST_CAPTURES")
    return tuple(only.split(",")) if only else tuple(doctor_captures()) or ("syscall",)


class TestCase(unittest.TestCase):
    """Assertions about reports."""

    maxDiff = None

    def assert_complete(self, report, seen=None, lost=None, doubt=()):
        """Every statement seen is accounted for; losses are those of @lost, doubts at most those named."""
        cov = report.coverage
        self.assertEqual(cov["lost"], lost or {}, report.brief())
        self.assertEqual(cov["outstanding"], 0, report.brief())
        self.assertEqual(cov["seen"], cov["attributed"] + sum(cov["lost"].values()), report.brief())
        self.assertEqual(cov["timed"], cov["attributed"] + cov["lost"].get("rows_full", 0), report.brief())
        # Kernels that preempt programs on tracepoints make up for hooks they skipped: counts must still be right.
        doubts = {k: v for k, v in cov["doubt"].items() if k not in doubt and k != "events_missed"}
        self.assertEqual(doubts, {}, report.brief())
        self.assertEqual(sum(q["count"] for q in report.queries), cov["attributed"], report.brief())
        if seen is not None:
            self.assertEqual(cov["seen"], seen, report.brief())

    def assert_truth(self, truth, found):
        """Two {id: Truth} agree to the last call and row."""
        lines = []
        for sid in sorted(set(truth) | set(found)):
            a, b = truth.get(sid), found.get(sid)
            if not a or not b or a[1:] != b[1:]:
                lines.append("%s server %s, sonde %s: %s" % (sid, a and a[1:], b and b[1:], (a or b).text[:100]))
        self.assertFalse(lines, "\n" + "\n".join(lines))


def module_cluster(scale=1):
    """For setUpModule(): a cluster that lives as long as the module's tests; skips them where there can be none."""
    reason = why_not()
    if reason:
        raise unittest.SkipTest(reason)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that the server is stopped, too
    cluster = Cluster(scale)
    unittest.addModuleCleanup(cluster.stop)
    return cluster
