# SPDX-License-Identifier: GPL-2.0-only
"""observers.py - what bench.py compares: sonde, hooks that do nothing, and what people use instead, each at its best."""

import collections
import ctypes.util
import glob
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time

from workloads import pg

EMPTY = os.path.join(pg.O, "tests/bench/empty")
OBJECT = os.path.join(pg.O, "sonde.bpf.o")
PATH = os.environ["PATH"] + ":/usr/sbin:/sbin"
START_SECONDS = 120  # a verifier on a loaded machine takes its time
TCPDUMP_SECONDS = 1.5  # until the kernel has handed over what it captured last
STRACE_TEXT = 64  # bytes of each call: enough to tell the statements apart
BPFTRACE_TEXT = 40  # the same, but for the literals: whole texts would not fit into its map
TICKS = os.sysconf("SC_CLK_TCK")


class Failed(Exception):
    """A tool does not do what it should here: why."""


class Observer:
    """
    One way to watch a load. start() returns when it watches; stop() after the load gives
    {"cpu_seconds", "bytes", "counts": {text: calls} or None, "after_seconds": of another program over its output}
    """

    name = ""
    program = None
    what_not = "tells no statements"  # where counts is None
    systems = ("postgresql", "mariadb", "redis")
    weight = 1  # runs a round
    slow_truth = False  # counting takes long: done for a short run of the first round alone

    def why_not(self, load):
        if load.system not in self.systems:
            return "not for " + load.system
        if self.program and not shutil.which(self.program, path=PATH):
            return "%s is not installed" % self.program
        return None

    def start(self, load, server, pid):
        raise NotImplementedError

    def stop(self, truth):
        raise NotImplementedError

    def drop(self):
        """After a failure: nothing of it may stay."""


class Process(Observer):
    """One that is a process; its files are in self.dir."""

    def command(self, load, server, pid):
        raise NotImplementedError

    def is_ready(self):
        raise NotImplementedError

    def counts(self, truth):
        """({text: calls} or None, seconds of another program that it took)"""
        return None, None

    def start(self, load, server, pid):
        self.load, self.server = load, server
        self.dir = tempfile.mkdtemp(prefix="observer.")
        os.chmod(self.dir, 0o777)  # tcpdump drops privileges
        with open(self.path("stdout"), "wb") as out, open(self.path("stderr"), "wb") as err:
            self.proc = subprocess.Popen(self.command(load, server, pid), stdin=subprocess.PIPE, stdout=out, stderr=err, cwd=self.dir,
                                         env=dict(os.environ, PATH=PATH))
        end = time.monotonic() + START_SECONDS
        while not self.is_ready():
            if self.proc.poll() is not None or time.monotonic() > end:
                raise Failed("%s: %s" % (self.program or self.name, (self.read("stderr").strip().splitlines() or ["does not start"])[-1]))
            time.sleep(0.02)
        self.cpu_before = self.cpu_now()

    def path(self, name):
        return os.path.join(self.dir, name)

    def read(self, name):
        with open(self.path(name), errors="replace") as file:
            return file.read()

    def cpu_now(self):
        with open("/proc/%d/stat" % self.proc.pid) as file:
            fields = file.read().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / TICKS

    def end(self):
        os.kill(self.proc.pid, signal.SIGINT)  # Popen's own would reap it, and its CPU time with it

    def reap(self):
        """Waits for its end: CPU seconds of its whole life."""
        end = time.monotonic() + START_SECONDS
        while True:
            pid, status, usage = os.wait4(self.proc.pid, os.WNOHANG)
            if pid:
                self.proc.returncode = os.waitstatus_to_exitcode(status)
                return usage.ru_utime + usage.ru_stime
            if time.monotonic() > end:
                raise Failed("%s does not end" % self.name)
            time.sleep(0.01)

    def stop(self, truth):
        self.end()
        cpu = self.reap() - self.cpu_before
        size = sum(os.path.getsize(path) for path in glob.glob(self.path("*")))
        counts, after = self.counts(truth)
        shutil.rmtree(self.dir, ignore_errors=True)
        return {"cpu_seconds": cpu, "bytes": size, "counts": counts, "after_seconds": after}

    def drop(self):
        if getattr(self, "proc", None) and self.proc.returncode is None:
            self.proc.kill()
            self.proc.wait()
        if getattr(self, "dir", None):
            shutil.rmtree(self.dir, ignore_errors=True)


class EmptyHooks(Process):
    name = "empty hooks"
    what_not = "does nothing"

    def why_not(self, load):
        return super().why_not(load) or (None if os.access(EMPTY, os.X_OK) else "there is no " + EMPTY)

    def command(self, load, server, pid):
        return [EMPTY, OBJECT]

    def is_ready(self):
        return self.read("stdout").startswith("ready\n")

    def end(self):
        self.proc.stdin.close()


class Sonde(Process):
    name = "sonde db"
    weight = 2

    def command(self, load, server, pid):
        # This process, too, so that sonde is still there when the client has ended.
        return [pg.SONDE, "db", "-p", "%d,%d" % (pid, os.getpid()), "-o", "json"]

    def is_ready(self):
        return pg.is_attached(self.proc.pid)

    def counts(self, truth):
        found = collections.Counter()
        for row in json.loads(self.read("stdout")).get("queries", []):
            if row["role"] == "client":
                found[row["text"]] += row["count"]
        return found, None


class Strace(Process):
    program = "strace"

    def is_ready(self):
        return "attached" in self.read("stderr")


class StraceCount(Strace):
    name = "strace -f -c"
    what_not = "counts system calls"

    def command(self, load, server, pid):
        return ["strace", "-f", "-c", "-o", "summary", "-p", str(pid)]


def unescaped(text):
    """A string as strace writes it, without what cannot be printed."""
    text = re.sub(r"\\([0-7]{1,3}|x[0-9a-f]{2}|[a-zA-Z])", " ", text)
    return text.replace('\\"', '"').strip()


class StraceNetwork(Strace):
    name = "strace -f -e trace=network"

    def command(self, load, server, pid):
        return ["strace", "-f", "-e", "trace=network", "-s", str(STRACE_TEXT), "-o", "calls", "-p", str(pid)]

    def counts(self, truth):
        """What begins with a known statement, behind the header of its message."""
        found = collections.Counter()
        with open(self.path("calls"), errors="replace") as file:
            for line in file:
                sent = re.search(r'\b(?:sendto|sendmsg)\(.*?"((?:[^"\\]|\\.)*)"', line)
                if sent:
                    text = re.sub(r"^(?:Q\s+\S?\s*|\S{1,2}\s+)?(?=(?:select|update|insert|begin|end|get)\b)", "", unescaped(sent[1]), flags=re.I)
                    found[text] += 1
        return found, None


class PerfTrace(Process):
    name, program = "perf trace -s", "perf"
    what_not = "counts system calls"

    def command(self, load, server, pid):
        return ["perf", "trace", "-s", "-o", "summary", "-p", str(pid)]

    def is_ready(self):
        try:
            fds = glob.glob("/proc/%d/fd/*" % self.proc.pid)
            return any("perf_event" in os.readlink(fd) for fd in fds)
        except FileNotFoundError:
            return False


class Tcpdump(Process):
    """Of MariaDB's port, the capture read by pt-query-digest; of the others', the capture alone."""

    program = "tcpdump"
    name = "tcpdump"
    slow_truth = True
    what_not = "no digest of this protocol: pt-query-digest reads MySQL's alone"

    def why_not(self, load):
        reason = super().why_not(load)
        if not reason and load.system == "mariadb" and not shutil.which("pt-query-digest", path=PATH):
            reason = "pt-query-digest is not installed"
        return reason

    def command(self, load, server, pid):
        return ["tcpdump", "-i", "lo", "-s", "65535", "-B", "16384", "-w", "capture", "tcp port %d" % server.port]

    def is_ready(self):
        return "listening on" in self.read("stderr")

    def end(self):
        time.sleep(TCPDUMP_SECONDS)
        super().end()

    def counts(self, truth):
        if not truth or self.load.system != "mariadb":
            return None, None
        begin = os.times()
        text = subprocess.run(["tcpdump", "-s", "65535", "-x", "-nn", "-q", "-tttt", "-r", self.path("capture")], stdout=subprocess.PIPE,
                              stderr=subprocess.DEVNULL, env=dict(os.environ, PATH=PATH), check=True)
        digest = subprocess.run(["pt-query-digest", "--type", "tcpdump", "--watch-server", "127.0.0.1:%d" % self.server.port, "--limit", "100%",
                                 "--output", "json", "--no-version-check"], input=text.stdout, stdout=subprocess.PIPE,
                                stderr=subprocess.PIPE, env=dict(os.environ, PATH=PATH))
        after = os.times()
        found = collections.Counter()
        try:
            for row in json.loads(digest.stdout[digest.stdout.index(b"{"):])["classes"]:
                found[row["fingerprint"]] += int(row["query_count"])
        except (ValueError, KeyError):
            raise Failed("pt-query-digest: %s" % (digest.stdout + digest.stderr).decode(errors="replace").strip()[-300:]) from None
        return found, after.children_user + after.children_system - begin.children_user - begin.children_system


class TcpdumpDigest(Tcpdump):
    name = "tcpdump + pt-query-digest"
    systems = ("mariadb",)


class TcpdumpAlone(Tcpdump):
    systems = ("postgresql", "redis")


class Bpftrace(Process):
    """Uprobes on the client library's function that takes the text."""

    program, name = "bpftrace", "bpftrace uprobes"
    systems = ("postgresql", "mariadb", "redis")

    def spots(self, load):
        return [(function, path) for function, library in load.libraries.items() for path in library_paths(library)]

    def why_not(self, load):
        reason = super().why_not(load)
        if not reason and not load.libraries:
            reason = "the client has no library with symbols to probe"
        return reason or (None if self.spots(load) else "there is no " + ", ".join(load.libraries.values()))

    def command(self, load, server, pid):
        probes = ", ".join("uprobe:%s:%s" % (path, function) for function, path in self.spots(load))
        return ["bpftrace", "-f", "json", "-o", "maps", "-e", 'BEGIN { printf("ready\\n"); } %s { @calls[str(arg1, %d)] = count(); }' %
                (probes, BPFTRACE_TEXT)]

    def is_ready(self):
        return os.path.exists(self.path("maps")) and "ready" in self.read("maps")

    def counts(self, truth):
        found = collections.Counter()
        for line in self.read("maps").splitlines():
            document = json.loads(line) if line.startswith("{") else {}
            if document.get("type") == "map":
                found.update(document["data"].get("@calls", {}))
        return found, None


def library_paths(name):
    out = subprocess.run(["ldconfig", "-p"], stdout=subprocess.PIPE, text=True, env=dict(os.environ, PATH=PATH)).stdout
    return [line.rsplit("=> ", 1)[1] for line in out.splitlines() if line.strip().startswith(name + " ") and "x86-64" in line or
            line.strip().startswith(name + " ") and "AArch64" in line][:1]


class ServerLog(Observer):
    """PostgreSQL writes every statement with its duration; pgBadger, where it is installed, adds them up."""

    name = "log_min_duration_statement=0"
    systems = ("postgresql",)
    slow_truth = True

    def start(self, load, server, pid):
        self.server = server
        server.psql("alter system set log_line_prefix = '%t [%p]: '")
        server.psql("alter database %s set log_min_duration_statement = 0" % pg.DATABASE)
        server.psql("select pg_reload_conf()")
        self.begin = os.path.getsize(server.log)

    def stop(self, truth):
        self.drop()
        size = os.path.getsize(self.server.log) - self.begin
        counts, after = self.counts() if truth else (None, None)
        os.truncate(self.server.log, 0)
        return {"cpu_seconds": None, "bytes": size, "counts": counts, "after_seconds": after}

    def drop(self):
        self.server.psql("alter database %s reset log_min_duration_statement" % pg.DATABASE)

    def counts(self):
        if not shutil.which("pgbadger"):
            with open(self.server.log, errors="replace") as file:
                lines = re.findall(r"duration: [\d.]+ ms  (?:statement|execute [^:]*): (.*)", file.read())
            return collections.Counter(lines), None
        begin = os.times()
        with tempfile.TemporaryDirectory(prefix="pgbadger.") as tmp:
            out = os.path.join(tmp, "out.json")
            done = subprocess.run(["pgbadger", "-q", "-f", "stderr", "-p", "%t [%p]: ", "-x", "json", "-o", out, self.server.log],
                                  stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, cwd=tmp)
            if not os.path.exists(out):
                raise Failed("pgbadger: " + done.stdout.strip()[-200:])
            with open(out) as file:
                document = json.load(file)
        after = os.times()
        found = collections.Counter()
        for queries in document["normalyzed_info"].values():
            for text, row in queries.items():
                found[text] += int(row["count"])
        return found, after.children_user + after.children_system - begin.children_user - begin.children_system


class StatStatements(Observer):
    name = "pg_stat_statements"
    systems = ("postgresql",)

    def start(self, load, server, pid):
        self.server = server
        server.reset_statements()
        server.psql("alter database %s set pg_stat_statements.track = 'top'" % pg.DATABASE)

    def stop(self, truth):
        self.drop()
        out = self.server.psql("select json_object_agg(query, calls) from (select query, sum(calls) as calls from pg_stat_statements"
                               " where dbid = (select oid from pg_database where datname = '%s') group by query) q" % pg.DATABASE)
        counts = collections.Counter({text: int(n) for text, n in json.loads(out or "{}").items()})
        return {"cpu_seconds": None, "bytes": len(out), "counts": counts, "after_seconds": None}

    def drop(self):
        self.server.psql("alter database %s set pg_stat_statements.track = 'none'" % pg.DATABASE)


OBSERVERS = [EmptyHooks, Sonde, StraceCount, StraceNetwork, PerfTrace, TcpdumpDigest, TcpdumpAlone, ServerLog, StatStatements, Bpftrace]
