#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
"""test_net.py - sonde net: programs of known behaviour get their own figures back; TCP's own account of connections (ss) and of a whole
network namespace (/proc/net/snmp) agrees."""

import json
import re
import shutil
import subprocess
import sys
import time
import unittest

import sonderun
from sonderun import Run

SLACK = 6e6  # ns: what a busy machine may take to let a woken thread run

# What the programs share. They run as python3 -c COMMON + own part, argv[1] a directory, and tell what they know as JSON.
COMMON = """
import json, os, socket, struct, subprocess, sys, threading, time
now = time.monotonic_ns
told = {}
def tell():
    json.dump(told, open(sys.argv[1] + "/told", "w"))
def listener(unix=False, backlog=64):
    s = socket.socket(socket.AF_UNIX if unix else socket.AF_INET)
    s.bind(sys.argv[1] + "/sock" if unix else ("127.0.0.1", 0))
    s.listen(backlog)
    told["address"] = s.getsockname() if unix else "127.0.0.1:%d" % s.getsockname()[1]
    return s
def connected(l):
    c = socket.socket(l.family)
    c.connect(l.getsockname())
    return c
def read_all(c, n):
    while n > 0:
        n -= len(c.recv(n))
"""

# A server that lets a connection wait for accept, bytes wait to be read, the client wait for the answer: told times.
WAITS = COMMON + """
l = listener(unix=sys.argv[2] == "unix")
accept, late, answer = [], [], []
stamp, sent, asked = [], [], []
def server():
    for i in range(3):
        time.sleep(0.15)
        c, _ = l.accept()
        accept.append(now() - stamp[-1])
        go.set()
        for j in range(4):
            arrived.wait(); arrived.clear()
            time.sleep(0.05)
            read_all(c, 100)
            late.append(now() - sent[-1])
            time.sleep(0.03)
            c.sendall(b"a" * 300)
        c.recv(1)
        c.close()
go, arrived = threading.Event(), threading.Event()
t = threading.Thread(target=server)
t.start()
for i in range(3):
    c = connected(l)
    stamp.append(now())
    go.wait(); go.clear()
    for j in range(4):
        c.sendall(b"q" * 100)
        sent.append(now())
        arrived.set()
        read_all(c, 300)
        answer.append(now() - sent[-1])
    c.close()
    time.sleep(0.01)
t.join()
told.update(accept=accept, late=late, answer=answer)
tell()
"""

# Ends of all kinds in a network namespace of its own, whose counters are told.
ENDS = COMMON + """
subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
def snmp(name):
    rows = [r.split() for r in open("/proc/net/" + name) if r.startswith(("Tcp:", "TcpExt:"))]
    return dict(zip(rows[0][1:], map(int, rows[1][1:])))
closed = socket.socket(); closed.bind(("127.0.0.1", 0))
for i in range(7):
    try:
        connected(closed)
    except ConnectionRefusedError:
        pass
try:
    socket.socket().connect(("192.0.2.1", 9))
except OSError as e:
    told["unreachable"] = e.errno
l = listener()
told["refused"] = "127.0.0.1:%d" % closed.getsockname()[1]
for i in range(3):
    c = connected(l)
    s, _ = l.accept()
    c.sendall(b"x" * 1000)
    read_all(s, 1000)
    s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    s.close()
    try:
        c.recv(1)
    except ConnectionResetError:
        pass
    c.close()
for i in range(5):
    c = connected(l)
    s, _ = l.accept()
    c.close(); s.close()
told["tcp"] = snmp("snmp")
tell()
"""

# A receiver that does not read for a second; what the sender's TCP says of that.
SHUT = COMMON + """
l = listener()
c = connected(l)
s, _ = l.accept()
def reader():
    time.sleep(1)
    told["reads"] = now() - begin
    read_all(s, SIZE)
SIZE = 16 << 20
data = b"z" * SIZE
t = threading.Thread(target=reader)
begin = now()
t.start()
c.sendall(data)
t.join()
told["wall"] = now() - begin
time.sleep(0.1)
told["size"] = SIZE
told["ss"] = subprocess.run(["ss", "-tinOH", "dst", told["address"]], stdout=subprocess.PIPE, text=True).stdout
tell()
"""

# A sender that is refused (EAGAIN) until its receiver reads, after a known time.
FULL = COMMON + """
l = listener(unix=sys.argv[2] == "unix")
c = connected(l)
s, _ = l.accept()
c.setblocking(False)
size = 0
while True:
    try:
        size += c.send(b"z" * 65536)
    except BlockingIOError:
        break
begin = now()
time.sleep(0.3)
read_all(s, size)
time.sleep(0.01)
c.send(b"z")
told["full"] = now() - begin
told["size"] = size + 1
tell()
"""

# A pool: 10 connections, 3 at work at a time, each request answered after 20 ms.
POOL = COMMON + """
l = listener()
def serve(s):
    while s.recv(100):
        time.sleep(0.02)
        s.sendall(b"a")
def server():
    while True:
        threading.Thread(target=serve, args=(l.accept()[0],), daemon=True).start()
threading.Thread(target=server, daemon=True).start()
pool = [connected(l) for i in range(10)]
busy, took = [], []
def work(n):
    for i in range(40):
        c = pool[(n + 3 * i) % 9]
        begin = now()
        c.sendall(b"q")
        c.recv(1)
        took.append(now() - begin)
begin = now()
threads = [threading.Thread(target=work, args=(n,)) for n in range(3)]
[t.start() for t in threads]
[t.join() for t in threads]
told.update(requests=len(took), busy=sum(took), wall=now() - begin)
tell()
"""

# Small requests; then the connection rests while ss and sonde look at it.
REST = COMMON + """
if sys.argv[2] != "-":
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    if subprocess.run(["tc", "qdisc", "add", "dev", "lo", "root", "netem"] + sys.argv[2].split(), stderr=subprocess.DEVNULL).returncode:
        told["why"] = "this kernel has no netem"
        tell()
        sys.exit()
l = listener()
c = connected(l)
s, _ = l.accept()
for i in range(int(sys.argv[3])):
    c.sendall(b"q" * 1000)
    read_all(s, 1000)
    s.sendall(b"a" * 200)
    read_all(c, 200)
time.sleep(0.3)
told["ss"] = subprocess.run(["ss", "-tinOH", "dst", told["address"]], stdout=subprocess.PIPE, text=True).stdout
rows = [r.split() for r in open("/proc/net/snmp") if r.startswith("Tcp:")]
told["tcp"] = dict(zip(rows[0][1:], map(int, rows[1][1:])))
tell()
time.sleep(1.5)
"""

# The same over IPv6: a client of ::1, one of 127.0.0.1 by an IPv4 socket and one by an IPv6 socket, all of one listener.
SIX = COMMON + """
l = socket.socket(socket.AF_INET6)
l.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
l.bind(("::", 0))
l.listen(64)
port = l.getsockname()[1]
took = {}
def talk(name, family, address, requests):
    c = socket.socket(family)
    begin = now()
    c.connect((address, port))
    took[name] = now() - begin
    s, _ = l.accept()
    for i in range(requests):
        c.sendall(b"q" * 1000)
        read_all(s, 1000)
        s.sendall(b"a" * 200)
        read_all(c, 200)
    return c, s
kept = [talk("six", socket.AF_INET6, "::1", 50), talk("four", socket.AF_INET, "127.0.0.1", 10),
        talk("mapped", socket.AF_INET6, "::ffff:127.0.0.1", 20)]
time.sleep(0.3)
told["ss"] = subprocess.run(["ss", "-tinOH", "dst", "[::1]:%d" % port], stdout=subprocess.PIPE, text=True).stdout
told.update(port=port, took=took)
tell()
time.sleep(1)
"""

# In a mount namespace with a hosts file of its own: argv[2].
NAMES = COMMON + """
subprocess.run(["mount", "--bind", sys.argv[2], "/etc/hosts"], check=True)
l = socket.socket()
l.bind(("0.0.0.0", 0))
l.listen(64)
told["port"] = l.getsockname()[1]
for address in "127.0.0.2", "127.0.0.3", "127.0.0.4":
    c = socket.socket()
    c.connect((address, told["port"]))
    s, _ = l.accept()
    c.sendall(b"q"); read_all(s, 1); s.sendall(b"a"); read_all(c, 1)
time.sleep(1)
tell()
"""


def setUpModule():
    why = sonderun.why_not()
    if why:
        raise unittest.SkipTest(why)


def ss_of(text):
    """ss -ti's line as a dictionary, times in ns."""
    found = {k: int(v) for k, v in re.findall(r"\b(bytes_sent|bytes_acked|bytes_received|bytes_retrans|data_segs_out):(\d+)", text)}
    rtt = re.search(r"\brtt:([\d.]+)/([\d.]+)", text)
    found["rtt"], found["rttvar"] = (float(x) * 1e6 for x in rtt.groups())
    limited = re.search(r"\brwnd_limited:(\d+)ms", text)
    found["rwnd"] = int(limited.group(1)) * 1e6 if limited else 0
    retrans = re.search(r"\bretrans:\d+/(\d+)", text)
    found["retrans"] = int(retrans.group(1)) if retrans else 0
    return found


class Net(sonderun.TestCase):
    def work(self, source, *words, args=(), out="json", own_net=False):
        argv = ["/usr/bin/python3", "-c", source, self.dir, *words]
        if own_net:
            argv = ["unshare", "-n", "--"] + argv
        run = Run("net", *args, argv=argv, out=out, timeout=120)
        self.assertEqual(run.code, 0, run.err)
        with open(self.dir + "/told", encoding="ascii") as file:
            told = json.load(file)
        return run, told

    def rows(self, doc, address, role):
        return [r for r in doc["sockets"] if r["role"] == role and r["address"] == address]

    def row(self, doc, address, role):
        rows = self.rows(doc, address, role)
        self.assertEqual(len(rows), 1, doc["sockets"])
        return rows[0]

    def compare(self, what, found, truth, share=0.05, slack=0):
        sys.stderr.write("\n    %-34s sonde %14.0f   truth %14.0f" % (what, found, truth))
        self.assert_near(found, truth, share, slack)

    def waits(self, kind):
        run, told = self.work(WAITS, kind)
        client, server = (self.row(run.doc, told["address"], role) for role in ("client", "server"))
        listens = self.row(run.doc, told["address"], "listener")
        self.assertEqual((client["connects"], client["opened"], server["opened"], listens["accepts"]), (3, 3, 3, 3))
        self.assertEqual((client["requests"], server["requests"]), (12, 12))
        self.assertEqual((client["bytes_out"], client["bytes_in"], server["bytes_out"], server["bytes_in"]), (1200, 3600, 3600, 1200))
        self.assertEqual((client["open"], server["open"]), (0, 0))
        for what, found, truth in (
                (kind + " wait for accept, mean", listens["accept_wait_ns"]["sum"] / 3, sum(told["accept"]) / 3),
                (kind + " bytes wait for the reader, mean", server["read_wait_ns"]["sum"] / 12, sum(told["late"]) / 12),
                # Until the client has read it: on the way, and then in its socket.
                (kind + " answer, mean", (client["first_byte_ns"]["sum"] + client["read_wait_ns"]["sum"]) / 12, sum(told["answer"]) / 12),
                (kind + " answer, longest", client["latency_ns"]["max"], max(told["answer"])),
                (kind + " request to answer, mean", client["latency_ns"]["sum"] / 12, sum(told["answer"]) / 12),
                (kind + " server's 30 ms, median", server["first_byte_ns"]["p50"], 30e6)):
            self.compare(what, found, truth, slack=SLACK)
        self.assertEqual(run.doc["coverage"]["lost"], {})

    def test_waits_tcp(self):
        self.waits("tcp")

    def test_waits_unix(self):
        self.waits("unix")

    def test_ends(self):
        """A network namespace's own counters."""
        run, told = self.work(ENDS, own_net=True)
        doc, tcp = run.doc, told["tcp"]
        mine = [r for r in doc["sockets"] if r["transport"] == "tcp"]
        refused = self.row(doc, told["refused"], "client")
        self.assertEqual((refused["connects"], refused["connect_failures"]), (7, {"ECONNREFUSED": 7}))
        unreachable = self.row(doc, "192.0.2.1:9", "client")
        self.assertEqual((unreachable["connects"], unreachable["connect_failures"]), (1, {"ENETUNREACH": 1}))
        client, server = (self.row(doc, told["address"], role) for role in ("client", "server"))
        self.assertEqual((client["resets_received"], server["resets_sent"]), (3, 3))
        self.assertEqual((client["opened"], client["closed"], client["open"]), (8, 8, 0))
        total = lambda key: sum(r.get(key, 0) for r in mine)  # noqa: E731
        for what, found, truth in (
                ("ActiveOpens", total("connects") - unreachable["connects"], tcp["ActiveOpens"]),
                ("PassiveOpens", server["opened"], tcp["PassiveOpens"]),
                ("AttemptFails", refused["connect_failures"]["ECONNREFUSED"], tcp["AttemptFails"]),
                ("EstabResets", total("aborted"), tcp["EstabResets"]),
                ("OutRsts", total("resets_sent") + 7, tcp["OutRsts"]),  # 7 from a port that nobody listens on
                ("RetransSegs", total("retransmits"), tcp["RetransSegs"])):
            self.compare(what, found, truth, share=0)
        self.assertGreaterEqual(doc["machine"]["resets_sent"], tcp["OutRsts"])

    def test_receiver_stops(self):
        run, told = self.work(SHUT)
        client = self.row(run.doc, told["address"], "client")
        truth = ss_of(told["ss"])
        self.compare("window shut, ss", client["receiver_limited_ns"], truth["rwnd"], slack=2e7)
        # Before it finds the window shut, the kernel tries for a while.
        self.assertTrue(0.5e9 <= client["receiver_limited_ns"] <= told["wall"] + 2e7, told)
        self.compare("bytes out", client["bytes_out"], told["size"], share=0)
        self.compare("bytes acknowledged, ss", client["bytes_acked"], truth["bytes_acked"], share=0, slack=2)
        self.compare("retransmits, ss", client["retransmits"], truth["retrans"], share=0)
        server = self.row(run.doc, told["address"], "server")
        self.compare("longest wait for the reader", server["read_wait_ns"]["max"], told["reads"], slack=SLACK)

    def test_send_refused(self):
        for kind in "tcp", "unix":
            run, told = self.work(FULL, kind)
            client = self.row(run.doc, told["address"], "client")
            self.assertEqual(client["sends_refused"], 1)
            self.assertEqual(client["bytes_out"], told["size"])
            self.compare(kind + " send buffer full", client["sends_refused_ns"], told["full"], slack=SLACK)

    def test_pool(self):
        run, told = self.work(POOL)
        client = self.row(run.doc, told["address"], "client")
        self.assertEqual((client["opened"], client["open_max"], client["requests"]), (10, 10, told["requests"]))
        self.compare("most in use", client["in_use"]["max"], 3, share=0)
        self.compare("requests under way, sum", client["first_byte_ns"]["sum"], told["busy"], slack=SLACK * 120 / 10)
        run, told = self.work(POOL, out="text")
        self.assertRegex(run.out, r"open 10, in use at p95 3 \(\S+ on average\): a pool of 5 suffices")

    def at_rest(self, netem, requests):
        args = ("--by", "connection", "-i", "0.3")
        run, told = self.work(REST, netem, str(requests), args=args, own_net=netem != "-")
        if "why" in told:
            self.skipTest(told["why"])
        docs = [d for d in run.lines + [run.doc] if "sockets" in d]
        open_now = [r for d in docs for r in self.rows(d, told["address"], "client") if r["open"] == 1 and r["requests"] == requests
                    and "rtt_now_ns" in r]  # not where the connection was busy when it was looked at
        self.assertTrue(open_now)
        return open_now[-1], told

    def test_ss(self):
        row, told = self.at_rest("-", 50)
        truth = ss_of(told["ss"])
        self.compare("rtt, ss", row["rtt_now_ns"], truth["rtt"], slack=1000)
        self.compare("rtt variation, ss", row["rtt_variation_now_ns"], truth["rttvar"], slack=1000)
        self.compare("bytes acknowledged, ss", row["bytes_acked"], truth["bytes_acked"], share=0, slack=1)
        self.compare("bytes received, ss", row["bytes_received"], truth["bytes_received"], share=0)
        self.compare("segments out, ss", row["segments_out"], truth["data_segs_out"], share=0)
        self.assertEqual((row["bytes_out"], row["bytes_in"]), (50000, 10000))
        self.assertTrue(row["local_address"].startswith("127.0.0.1:"))

    def test_delay(self):
        row, told = self.at_rest("delay 20ms", 20)
        self.compare("rtt of 2 x 20 ms", row["rtt_now_ns"], 40e6, slack=SLACK)
        self.compare("rtt, ss", row["rtt_now_ns"], ss_of(told["ss"])["rtt"], slack=1000)
        self.compare("connect", row["connect_ns"]["max"], 40e6, slack=SLACK)

    def test_loss(self):
        row, told = self.at_rest("loss 10%", 60)
        self.compare("retransmits, ss", row["retransmits"], ss_of(told["ss"])["retrans"], share=0)
        self.assertGreater(row["retransmits"], 0)
        self.assertLessEqual(row["retransmits"], told["tcp"]["RetransSegs"])

    def test_ipv6(self):
        """Connections over IPv6, beside ss; IPv4 through IPv6 sockets is IPv4, at both ends."""
        run, told = self.work(SIX, args=("-i", "0.3"))
        six, four = "[::1]:%d" % told["port"], "127.0.0.1:%d" % told["port"]
        docs = [d for d in run.lines + [run.doc] if "sockets" in d]
        row = [r for d in docs for r in self.rows(d, six, "client") if r["open"] == 1 and r["requests"] == 50][-1]
        truth = ss_of(told["ss"])
        self.compare("rtt, ss", row["rtt_now_ns"], truth["rtt"], slack=1000)
        self.compare("rtt variation, ss", row["rtt_variation_now_ns"], truth["rttvar"], slack=1000)
        self.compare("bytes acknowledged, ss", row["bytes_acked"], truth["bytes_acked"], share=0, slack=1)
        self.compare("bytes received, ss", row["bytes_received"], truth["bytes_received"], share=0)
        self.assertEqual((row["bytes_out"], row["bytes_in"], row["connects"]), (50000, 10000, 1))
        self.assertEqual(self.row(run.doc, six, "server")["client_address"], "::1")
        client, server = (self.row(run.doc, four, role) for role in ("client", "server"))
        self.assertEqual((client["opened"], client["requests"], client["bytes_out"]), (2, 30, 30000))
        self.assertEqual((server["opened"], server["requests"], server["bytes_out"]), (2, 30, 6000))
        self.assertEqual(server["client_address"], "127.0.0.1")
        self.assertEqual(self.row(run.doc, "[::]:%d" % told["port"], "listener")["accepts"], 3)
        for what, found, took in (("six", row["connect_ns"]["sum"], told["took"]["six"]),
                                  ("four, mapped", client["connect_ns"]["sum"], told["took"]["four"] + told["took"]["mapped"])):
            sys.stderr.write("\n    connect %-26s sonde %14d   program %12d" % (what, found, took))
            self.assertTrue(0 < found <= took)

    def test_names(self):
        """What the process calls the remote end: by its own hosts file, whatever stands there."""
        hosts = self.dir + "/hosts"
        with open(hosts, "w", encoding="utf-8") as file:
            file.write("127.0.0.1 localhost\n127.0.0.2 db.internal db\n127.0.0.3 evil\x1b[31m\u202ename\n")
        for out in "json", "text":
            argv = ["unshare", "-m", "--", "/usr/bin/python3", "-c", NAMES, self.dir, hosts]
            run = Run("net", argv=argv, out=out)
            self.assertEqual(run.code, 0, run.err)
            with open(self.dir + "/told", encoding="ascii") as file:
                port = json.load(file)["port"]
            if out == "json":
                row = self.row(run.doc, "127.0.0.2:%d" % port, "client")
                self.assertEqual(row.get("name"), "db.internal")
                self.assertEqual(self.row(run.doc, "127.0.0.3:%d" % port, "client").get("name"), "evil\x1b[31m\u202ename")
                self.assertNotIn("\x1b", run.out)
                self.assertNotIn("name", self.row(run.doc, "127.0.0.4:%d" % port, "client"))
                self.assertNotIn("name", self.row(run.doc, "127.0.0.2:%d" % port, "server"))  # from localhost
            else:
                self.assertIn(" db.internal (127.0.0.2:%d)\n" % port, run.out)
                self.assertIn("evil\ufffd[31m\ufffdname (127.0.0.3:%d)\n" % port, run.out)
                self.assertNotIn("\x1b", run.out)
                self.assertIn(" 127.0.0.4:%d\n" % port, run.out)

    def test_existed(self):
        """A connection that was open before is known from its next event on, and told."""
        source = COMMON + """
l = listener()
c = connected(l)
s, _ = l.accept()
c.sendall(b"x" * 5000); read_all(s, 5000)
print(told["address"], flush=True)
for i in range(30):
    time.sleep(0.1)
    c.sendall(b"x" * 10); read_all(s, 10); s.sendall(b"y"); read_all(c, 1)
sys.stdin.read()
"""
        with subprocess.Popen(["/usr/bin/python3", "-c", source, self.dir], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as program:
            address = program.stdout.readline().strip()
            run = Run("net", "-p", str(program.pid), "-d", "2")
            program.stdin.close()
            program.wait(timeout=20)
        for role, port in (("client", address), ("server", address)):
            row = self.row(run.doc, port, role)
            self.assertEqual((row["existed"], row["opened"], row["open"]), (1, 0, 1))
            self.assertLess(row["bytes_out"] + row["bytes_in"], 400)

    def test_text(self):
        run, told = self.work(WAITS, "tcp", out="text")
        self.assertRegex(run.out, r"(?m)^sonde net: \d+ connects, .*\d+ accepted, \d+ requests in ")
        self.assertRegex(run.out, r"(?m) client +python3\[\d+\] +%s$" % re.escape(told["address"]))
        self.assertRegex(run.out, r"connections waited \S+ \(p95\) for accept\(\)")
        self.assertRegex(run.out, r"bytes lay in the socket for \S+ \(p95\) until the process read them")
        self.assertIn("none lost", run.out)
        run, _ = self.work(WAITS, "tcp", args=("--by", "process"), out="text")
        self.assertRegex(run.out, r"(?m) client +python3\[\d+\] ")


if __name__ == "__main__":
    unittest.main()
