# SPDX-License-Identifier: GPL-2.0-only
# TIMEOUT: 1800
"""test_unwind.py - stacks of servers and languages as sonde takes them, beside those that gdb tells of the very same moments.

Code without unwinding information in gdb's eyes is left out: of stripped Go programs it knows nothing, of others as much as sonde.
"""

import contextlib
import os
import shutil
import subprocess
import sys
import tempfile
import time
import unittest

import gdbstacks
import mariadb
import pg
import sonderun

STOPS = int(os.environ.get("UNWIND_STOPS", "24"))

PYTHON = r"""
import ctypes, functools, hashlib, json, re, zlib
compare = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.POINTER(ctypes.c_int), ctypes.POINTER(ctypes.c_int))
libc = ctypes.CDLL(None)
class Number:
    def __init__(self, n): self.n = n
    def __lt__(self, other): return self.n < other.n
    def __str__(self): return "%d" % self.n
while True:
    data = sorted((Number(n * 7919 % 10007) for n in range(2000)))
    text = json.dumps({str(n): [n.n] * 3 for n in data[:500]}, indent=1)
    json.loads(text, object_hook=lambda d: dict(d))
    re.sub(r"(\d+)", lambda m: str(int(m[1]) + 1), text)
    zlib.decompress(zlib.compress(text.encode()))
    hashlib.sha256(text.encode() * 10).hexdigest()
    functools.reduce(lambda a, b: a ^ b.n, data, 0)
    numbers = (ctypes.c_int * 200)(*(n.n for n in data[:200]))
    libc.qsort(numbers, 200, 4, compare(lambda a, b: a[0] - b[0]))
"""

POSTGRESQL = """do $$ declare n bigint; begin loop
 perform count(*) from (select a.i from generate_series(1, 3000) a(i) join generate_series(1, 3000) b(i) on a.i = b.i order by a.i % 7, b.i) x;
 perform regexp_replace(repeat('abc 123 ', 50), '([a-z]+) (\\d+)', '\\2 \\1', 'g');
 perform jsonb_object_agg(i::text, i) from generate_series(1, 500) i;
 select sum(aid) into n from pgbench_accounts where bid = 1 and abalance >= 0;
 begin raise exception 'thrown'; exception when others then null; end;
end loop; end $$"""

MARIADB = """begin not atomic declare n int default 0; while n >= 0 do
 set @a = (select count(*) from seq_1_to_3000 a join seq_1_to_3000 b on a.seq = b.seq where a.seq % 7 < 5);
 set @b = (select group_concat(seq order by seq % 13) from seq_1_to_500);
 set @c = regexp_replace(repeat('abc 123 ', 50), '([a-z]+) ([0-9]+)', '\\\\2 \\\\1');
 set @d = json_extract(concat('[', (select group_concat(seq) from seq_1_to_100), ']'), '$[50]');
end while; end"""

REDIS = """local n = 0
while true do
 for i = 1, 200 do redis.call('zadd', 'z', i * 7919 % 10007, i); redis.call('hset', 'h' .. i, 'a', i, 'b', n) end
 redis.call('sort', 'z', 'by', 'h*->a', 'get', 'h*->b')
 redis.call('zunionstore', 'y', 2, 'z', 'z')
 n = n + #cjson.encode(redis.call('zrange', 'z', 0, -1, 'withscores'))
 table.sort({5, 3, 1, 4, 2}, function(a, b) return a < b end)
end"""

NGINX = """worker_processes 1;
user root;
daemon off;
error_log %(dir)s/log;
pid %(dir)s/pid;
events { worker_connections 64; }
http {
 access_log %(dir)s/access;
 client_body_temp_path %(dir)s/b; proxy_temp_path %(dir)s/p; fastcgi_temp_path %(dir)s/f; uwsgi_temp_path %(dir)s/u; scgi_temp_path %(dir)s/s;
 gzip on; gzip_comp_level 6; gzip_types *; gzip_min_length 1;
 server { listen unix:%(dir)s/sock; location / { root %(dir)s; autoindex on; } location ~ "^/(a|aa)*c" { return 404; } }
}
"""

HTTP = r"""
import socket, sys
while True:
    with socket.socket(socket.AF_UNIX) as s:
        s.connect(sys.argv[1])
        for path in ("/text", "/", "/aaaaaaaaaaaaaaab", "/text"):
            s.sendall(b"GET %s HTTP/1.1\r\nHost: x\r\nAccept-Encoding: gzip\r\n\r\n" % path.encode())
            got = b""
            while not got.endswith(b"0\r\n\r\n") and b"404" not in got[:20]:
                got += s.recv(1 << 20)
"""


@contextlib.contextmanager
def running(*argv, **more):
    """A program that runs meanwhile."""
    with subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, **more) as proc:
        try:
            yield proc
        finally:
            sonderun.end(proc)


def busiest(pids, seconds=0.5):
    """Which of the processes used most time."""
    def ticks(pid):
        with open("/proc/%d/stat" % pid) as file:
            return sum(int(n) for n in file.read().rsplit(")", 1)[1].split()[11:13])

    before = {pid: ticks(pid) for pid in pids}
    time.sleep(seconds)
    return max(pids, key=lambda pid: ticks(pid) - before[pid])


def children(pid):
    with open("/proc/%d/task/%d/children" % (pid, pid)) as file:
        return [int(n) for n in file.read().split()]


# Go changes over to another stack in these, or nobody has called them. gdb goes on with whatever lies on the stack there, sonde by the
# frame pointers of the goroutine.
GO_ENDS = ("runtime.mcall", "runtime.systemstack", "runtime.morestack", "runtime.asmcgocall", "runtime.mstart", "runtime.goexit")


def agree(pair):
    """Whether both are the same, of Go up to where it changes stacks, and as far as sonde keeps frames."""
    upto = [i for i, name in enumerate(pair.names) if name in GO_ENDS]
    if upto:
        return pair.gdb[:upto[0] + 1] == pair.sonde[:upto[0] + 1]
    return pair.gdb == pair.sonde or (pair.end == "too_deep" and pair.gdb[:len(pair.sonde)] == pair.sonde)


class Beside(sonderun.TestCase):
    def setUp(self):
        super().setUp()
        if os.uname().machine != "x86_64":
            self.skipTest("tables are for x86-64")
        reason = sonderun.why_not()
        if reason:
            self.skipTest(reason)
        self.need("gdb")

    def need(self, *programs):
        for program in programs:
            if not shutil.which(program):
                self.skipTest("needs " + program)

    def compare(self, pid):
        """Of @STOPS stops of a process, each thread a pair of stacks: the share that is equal, and what is different in the others."""
        pairs, missing = gdbstacks.pairs(pid, STOPS)
        apart = [pair for pair in pairs if not agree(pair)]
        cut = [pair for pair in apart if pair.end != "complete" and pair.gdb[:len(pair.sonde)] == pair.sonde]
        print("%d stops, %d pairs, %d different stacks, %d not taken: %.1f %% agree, %d end early, %d differ" % (
            STOPS, len(pairs), len({pair.gdb for pair in pairs}), len(missing), 100 - 100 * len(apart) / max(len(pairs), 1), len(cut),
            len(apart) - len(cut)))
        for pair in apart:
            at = len(os.path.commonprefix([pair.gdb, pair.sonde]))
            print("  equal up to frame %d of gdb's %d (%s) and sonde's %d (%s): %s; then gdb has %s, sonde %s" % (
                at, len(pair.gdb), pair.stop, len(pair.sonde), pair.end, " <- ".join(pair.names[:at]),
                " ".join(map(hex, pair.gdb[at:at + 2])), " ".join(map(hex, pair.sonde[at:at + 2])) or "none"))
        for thread in missing:
            print("  no stack of thread %d: %s" % (thread["tid"], " <- ".join(name for _, name in thread["frames"])))
        self.assertGreaterEqual(len({pair.gdb for pair in pairs}), min(STOPS, 5), "it always stood at the same place")
        self.assertLessEqual(len(missing), 0.1 * (len(pairs) + len(missing)))
        self.assertLessEqual(len(cut), 0.1 * len(pairs))
        self.assertLessEqual(len(apart) - len(cut), 0.02 * len(pairs))

    def test_python(self):
        if not os.path.exists("/usr/bin/python3"):
            self.skipTest("needs /usr/bin/python3")
        with running("/usr/bin/python3", "-c", PYTHON) as proc:
            time.sleep(0.5)
            self.compare(proc.pid)

    def test_postgresql(self):
        reason = pg.why_not()
        if reason:
            self.skipTest(reason)
        cluster = pg.Cluster()
        self.addCleanup(cluster.stop)
        with running("psql", "-X", "-q", "-c", POSTGRESQL, env=cluster.env()):
            time.sleep(1)
            self.compare(busiest(children(cluster.proc.pid)))

    def test_mariadb(self):
        reason = mariadb.why_not()
        if reason:
            self.skipTest(reason)
        server = mariadb.Server()
        self.addCleanup(server.stop)
        with running(*server.client("root", database=mariadb.DATABASE), "-e", "delimiter //\n" + MARIADB + "//"):
            time.sleep(1)
            self.compare(server.proc.pid)

    def test_redis(self):
        self.need("redis-server", "redis-cli")
        sock = os.path.join(self.dir, "sock")
        with running("redis-server", "--port", "0", "--unixsocket", sock, "--save", "", "--dir", self.dir) as server:
            while not os.path.exists(sock):
                time.sleep(0.05)
            with running("redis-cli", "-s", sock, "eval", REDIS, "0"):
                time.sleep(0.5)
                self.compare(server.pid)

    def test_nginx(self):
        self.need("nginx")
        os.chmod(self.dir, 0o755)
        with open(os.path.join(self.dir, "text"), "w") as file:
            file.write("".join("line %d of a text that can be made shorter\n" % (n * 7919 % 10007) for n in range(2000)))
        conf = os.path.join(self.dir, "conf")
        with open(conf, "w") as file:
            file.write(NGINX % {"dir": self.dir})
        with running("nginx", "-c", conf) as server:
            while not os.path.exists(self.dir + "/sock"):
                time.sleep(0.05)
            with running(sys.executable, "-c", HTTP, self.dir + "/sock"):
                time.sleep(0.5)
                self.compare(children(server.pid)[0])

    def built(self, source, *command):
        """Of a program of tests/e2e/programs."""
        self.need(command[0])
        program = os.path.join(self.dir, "program")
        subprocess.run([*command, "-o", program, os.path.join(sonderun.TOP, "tests/e2e/programs", source)], check=True,
                       env=dict(os.environ, GOFLAGS="", GOTOOLCHAIN="local"))
        with running(program) as proc:
            time.sleep(0.5)
            self.compare(proc.pid)

    def test_cxx(self):
        self.built("unwind_mix.cc", "g++", "-O2")

    def test_rust(self):
        self.built("unwind_mix.rs", "rustc", "-O")

    def test_go(self):
        self.built("unwind_mix.go", "go", "build")

    def test_go_position_independent(self):
        self.built("unwind_mix.go", "go", "build", "-buildmode=pie")


if __name__ == "__main__":
    unittest.main(verbosity=2 if "-v" in sys.argv else 1)
