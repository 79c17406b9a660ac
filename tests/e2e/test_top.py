#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
"""test_top.py - sonde top in a real terminal: its rows against other tools' numbers, its keys, its sizes, and what it leaves behind."""

import glob
import json
import os
import re
import signal
import subprocess
import time
import unittest

import pg
import sonderun
import terminal

SHOP = os.path.join(sonderun.OUT, "demo", "shop")


def setUpModule():
    global cluster
    why = sonderun.why_not() or terminal.why_not()
    if why:
        raise unittest.SkipTest(why)
    cluster = pg.module_cluster()
    cluster.pgbench("-i", "-q", "-s", "1")


class Load:
    """A program that runs until the end of the test."""

    def __init__(self, test, argv, **more):
        self.proc = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, **more)
        test.addCleanup(self.end)

    def end(self):
        self.proc.terminate()
        self.proc.wait(20)


def programs(pid):
    """Ids of the BPF programs that process @pid holds."""
    found = set()
    for path in glob.glob("/proc/%d/fdinfo/*" % pid):
        try:
            with open(path, encoding="ascii") as file:
                found |= {int(n) for n in re.findall(r"^prog_id:\s*(\d+)", file.read(), re.M)}
        except OSError:
            pass
    return found


def loaded():
    out = subprocess.run([next(p for p in ("/usr/local/sbin/bpftool", "/usr/sbin/bpftool") if os.path.exists(p)), "-j", "prog", "show"],
                         stdout=subprocess.PIPE, check=True).stdout
    return {prog["id"] for prog in json.loads(out)}


class TestCase(sonderun.TestCase):
    def setUp(self):
        super().setUp()
        self.term = None

    def terminal(self, width=80, height=24, env=()):
        self.term = terminal.Terminal(width, height, env)
        self.addCleanup(self.term.close)
        return self.term

    def top(self, *args, width=80, height=24, env=()):
        """sonde top in a terminal, with numbers on the screen."""
        term = self.terminal(width, height, env)
        term.run("stty -g > %s/before; %s top %s 2> %s/err; echo code $? > %s/code; stty -g > %s/after; echo e'n'd" %
                 (self.dir, sonderun.SONDE, " ".join(args), self.dir, self.dir, self.dir))
        term.wait(lambda text: "rates of the last" in text or (height < 12 and "sonde top" in text), 60, "the first numbers")
        return term

    def pid(self):
        """Of the sonde in the terminal."""
        shell = int(self.term.tmux("display-message", "-p", "#{pane_pid}"))
        with open("/proc/%d/task/%d/children" % (shell, shell), encoding="ascii") as file:
            return int(file.read().split()[0])

    def read(self, name):
        with open(os.path.join(self.dir, name), encoding="utf-8") as file:
            return file.read().strip()

    def assert_left(self, held, code="code 0"):
        """The terminal is as it was, and nothing stays in the kernel."""
        self.term.wait_for("end", 30)
        self.assertFalse(self.term.other_screen())
        self.assertEqual(self.read("after"), self.read("before"))
        self.assertEqual(self.read("code"), code)
        end = time.monotonic() + 5  # the kernel frees what is in use a moment later
        while held & loaded() and time.monotonic() < end:
            time.sleep(0.1)
        self.assertEqual(held & loaded(), set())
        self.assertNotIn("\033", self.read("err"))
        self.assertNotIn("not allowed in the sandbox", self.read("err"))

    def row(self, pattern):
        return self.term.wait(lambda text: re.search(r"^.*%s.*$" % pattern, text, re.M), 20, pattern).group(0)


def number(text):
    units = {"k": 1e3, "M": 1e6, "s": 1, "ms": 1e-3, "us": 1e-6, "ns": 1e-9, "": 1}
    value, unit = re.match(r"([\d.]+)(\w*)$", text).groups()
    return float(value) * units[unit]


class PostgreSQL(TestCase):
    """pgbench at a known rate, and what the server itself counts."""

    def start(self):
        Load(self, ["pgbench", "-n", "-S", "-c", "2", "-R", "300", "-T", "300"], env=cluster.env(), cwd=cluster.dir)

    def calls(self):
        return int(cluster.psql("select coalesce(sum(calls), 0) from pg_stat_statements where query like 'SELECT abalance%'"))

    def test_rates(self):
        """The rate on the screen is the server's; of the process, too; several times, as an interval of the one is none of the other."""
        self.start()
        term = self.top("-i", "1")
        self.row("pgbench_accounts")
        before, begin, seen, processes = self.calls(), time.monotonic(), [], []
        for _ in range(8):
            row = self.row(r"\d .*SELECT pgbench_accounts").strip("> ").split()
            seen.append(number(row[1]))
            processes.append(number(self.row(r" pgbench\[\d+\] ").split()[-7 if ">" else 0]))
            time.sleep(1)
        truth = (self.calls() - before) / (time.monotonic() - begin)
        self.assertGreater(truth, 50)
        self.assert_near(sum(seen) / len(seen), truth, 0.2)
        self.assert_near(sum(processes) / len(processes), truth, 0.2)
        # Totals are those of the whole run, and only grow.
        term.type("t")
        term.wait_for("totals of")
        first = number(self.row(r"\d .*SELECT pgbench_accounts").strip("> ").split()[1])
        self.assertGreater(first, sum(seen) * 0.7)
        self.assertLessEqual(first, self.calls())

    def test_processor(self):
        """CPU% is what /proc says of the process over several intervals."""
        os.symlink("/bin/sh", os.path.join(self.dir, "spinner"))
        Load(self, [os.path.join(self.dir, "spinner"), "-c", "while :; do :; done"])
        term = self.top("-i", "1")
        seen = []
        for _ in range(5):
            row = self.row(r"spinner\[\d+\]").strip("> ").split()
            seen.append(row)
            time.sleep(1)
        shares = [number(row[5]) + (number(row[6]) if row[6] != "-" else 0) for row in seen]
        # A loop that never sleeps runs or waits: both columns together are all of the time.
        self.assert_near(sum(shares) / len(shares), 100, 0.2)
        self.assertIn("run-queue", term.text())

    def test_drill(self):
        """From the process to its query to all about it, and back."""
        self.start()
        term = self.top("-i", "1", width=120, height=40)
        self.row("pgbench")
        term.type("/")
        term.type("pgbench")
        term.wait_for("filter: pgbench_")
        term.press("Enter")
        term.wait_for('filter "pgbench"')
        self.row(r"^> pgbench\[\d+\]")
        term.press("Enter")
        term.wait_for("in pgbench")
        self.row("^>.*pgbench_accounts where aid")
        term.press("Enter")
        term.wait_for("select abalance from pgbench_accounts where aid = ?")
        text = term.wait(lambda text: text if "TIME OF ONE" in text else None)
        self.assertIn("PostgreSQL at /", text)
        self.assertIn(pg.fingerprint("SELECT abalance FROM pgbench_accounts WHERE aid = 1"), text)
        self.assertRegex(text, r"p50 \S+s  p90 \S+s")
        for _ in range(3):
            term.press("Escape")
            time.sleep(0.3)
        term.wait_gone("in pgbench")
        term.wait_gone('filter "')

    def test_quit(self):
        term = self.top("-i", "1")
        self.assertTrue(term.other_screen())
        held = programs(self.pid())
        self.assertTrue(held)
        term.type("q")
        self.assert_left(held)
        self.assertEqual(self.read("err"), "")

    def test_signals(self):
        for sig, code in ((signal.SIGTERM, "code 0"), (signal.SIGINT, "code 0"), (signal.SIGSEGV, "code 139")):
            with self.subTest(signal=sig):
                self.top("-i", "1")
                pid = self.pid()
                held = programs(pid)
                os.kill(pid, sig)
                self.assert_left(held, code)
                self.term.close()

    def test_suspend(self):
        """Ctrl-Z gives the terminal back; in the foreground again it draws."""
        term = self.terminal()
        term.run("%s top -i 1" % sonderun.SONDE)
        term.wait_for("rates of the last", 60)
        term.press("C-z")
        term.wait(lambda _: not term.other_screen(), what="the first screen")
        term.run("fg")
        term.wait_for("rates of the last")
        self.assertTrue(term.other_screen())
        term.type("q")
        term.wait(lambda _: not term.other_screen(), what="the first screen")

    def test_sizes(self):
        """Every size is drawn to its edges and no further; none is too small to go on."""
        self.start()
        term = self.top("-i", "1", width=200, height=50)
        self.row("select abalance from pgbench_accounts where aid = ")  # the text, where there is room for it
        for width, height in ((20, 5), (10, 3), (3, 2), (1, 1), (200, 3), (7, 50), (80, 24)):
            term.size(width, height)
            time.sleep(0.5)
            for keys in ("?", "?", "5", "0", "t", "t"):
                term.type(keys)
        self.row("SELECT pgbench_accounts")
        term.size(20, 5)
        term.wait(lambda text: "pgbench" in text and "q quit" in text, what="rows and keys at 20x5")

    def test_freeze(self):
        self.start()
        term = self.top("-i", "1")
        self.row("pgbench_accounts")
        term.type(" ")
        term.wait_for("FROZEN")
        time.sleep(0.5)
        frozen = term.text()
        time.sleep(2.5)
        self.assertEqual(term.text(), frozen)
        term.type(" ")
        term.wait_gone("FROZEN")
        term.wait(lambda text: text != frozen.replace("  FROZEN", ""), what="new numbers")

    def test_syscalls(self):
        """Counted while the page is shown, and only then."""
        self.start()
        self.top("-i", "1", width=100)

        def links():
            return sum("raw_tracepoint" in os.readlink(fd) or "bpf_link" in os.readlink(fd) or "bpf-link" in os.readlink(fd)
                       for fd in glob.glob("/proc/%d/fd/*" % self.pid()) if os.path.lexists(fd))
        before = links()
        self.term.type("5")
        self.term.type("/pgbench")
        self.term.press("Enter")
        self.row(r"pgbench.* (recvfrom|sendto)")
        self.assertEqual(links(), before + 2)
        self.term.type("1")
        self.term.wait(lambda _: links() == before, what="its links gone")
        self.term.type("5")
        calls = number(self.row(r"pgbench.* recvfrom").strip("> ").split()[1])
        self.assertLess(calls, 300 * 6)

    def test_environment(self):
        """What cannot be drawn on is refused with a word on what to do, before anything is loaded."""
        done = subprocess.run([sonderun.SONDE, "top"], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                              text=True, check=False)
        self.assertEqual((done.returncode, done.stdout), (2, ""))
        self.assertIn("sonde db -i", done.stderr)
        term = self.terminal(width=200)
        for value, words in (("no-such-terminal", "is not known here"), ("''", "TERM is not set"), ("dumb", "cannot be moved")):
            term.run("clear; TERM=%s %s top; echo code $?" % (value, sonderun.SONDE))
            term.wait(lambda text, words=words: words in text and "code 2" in text, what=words)

    def test_color(self):
        """Colours, but for NO_COLOR: titles are the only place where they always are."""
        for env, colored in (({}, True), ({"NO_COLOR": "1"}, False)):
            with self.subTest(env=env):
                term = self.top("-i", "1", env=env)
                self.assertEqual(bool(re.search(r"\033\[[0-9;]*\b3[0-7][;m]", term.text(styles=True))), colored)
                term.close()


@unittest.skipUnless(os.path.exists(SHOP), "needs the demo (make demo)")
class Shop(TestCase):
    def test_findings(self):
        """Endpoints by name and rate, the N+1, and the way down to the place in the code."""
        Load(self, [SHOP, "-n", "100000", "-q"])
        term = self.top("-i", "1", "-c", "shop", width=120, height=40)
        self.row(r"shop.* GET /orders$")
        self.row("POST /orders")
        self.row(r"N\+1 .*GET /orders")
        self.row("WRITE LOOP")
        # On the page of endpoints: pages a second as the visitor asks for them, queries for each.
        term.type("3")
        row = self.row(r"shop.* GET /orders$").strip("> ").split()
        self.assertGreater(number(row[1]), 5)
        self.assertLess(number(row[1]), 81)
        self.assertRegex(row[4], r"^10\d$|^101$")  # one query and two more for each of 50 orders
        # Sort by another column: the report takes longest, pages are asked for most.
        order = [line.split()[-1] for line in term.lines() if re.search(r"(GET|POST) /", line)]
        term.type("s")  # by rate
        term.wait(lambda text: re.search(r"^. +\S+ +\S+ .* GET /orders$", text, re.M))
        rates = [number(line.strip("> ").split()[1]) for line in term.lines() if re.search(r"(GET|POST) /", line)]
        self.assertEqual(rates, sorted(rates, reverse=True))
        self.assertEqual(len(order), len(rates))
        term.type("r")
        time.sleep(0.5)
        rates = [number(line.strip("> ").split()[1]) for line in term.lines() if re.search(r"(GET|POST) /", line)]
        self.assertEqual(rates, sorted(rates))
        # From the finding to the code.
        term.type("4")
        self.row("SLOW .*GET /report")
        term.type("/")
        term.type("/report")
        term.press("Enter")
        self.row("^>.*SLOW .*GET /report")
        term.press("Enter")
        term.wait_for("CALL SITE")
        self.assertRegex(self.term.last, r"SLOW +GET /report")
        self.assertRegex(self.term.last, r"(?m)^  run_report shop\.c:\d+$")
        self.assertIn("do    look at its plan", self.term.last)
        held = programs(self.pid())
        term.type("q")
        self.assert_left(held)


if __name__ == "__main__":
    unittest.main()
