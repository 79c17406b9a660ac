#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
# TOGETHER: counts, of its own processes
"""test_cli.py - how a run begins and ends: programs, signals, exit codes, files, the live view."""

import fcntl
import json
import os
import pty
import re
import select
import signal
import stat
import struct
import subprocess
import sys
import tempfile
import termios
import time
import unittest

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
SONDE = os.path.abspath(os.environ.get("SONDE", os.path.join(os.environ.get("O", os.path.join(TOP, "build")), "sonde")))
PATIENCE = float(os.environ.get("SONDE_TEST_PATIENCE", "1"))

ENTER, LEAVE = b"\033[?1049h", b"\033[?1049l"

# A program with three statements and a visible beginning and end.
WORK = """
import sqlite3, sys, time
print("hello", flush=True)
db = sqlite3.connect(":memory:")
db.execute("create table t (a)")
for i in range(10):
    db.execute("insert into t values (?)", (i,))
print("bye", file=sys.stderr, flush=True)
sys.exit(%d)
"""


def why_not():
    if not os.access(SONDE, os.X_OK):
        return "there is no %s: build it first" % SONDE
    if os.geteuid() != 0:
        return "needs root"
    return None


def sonde(*args, **kwargs):
    kwargs.setdefault("stdout", subprocess.PIPE)
    kwargs.setdefault("stderr", subprocess.PIPE)
    return subprocess.run([SONDE, *args], text=True, timeout=60 * PATIENCE, **kwargs)


def is_tracing(pid):
    """Whether process pid has loaded its programs: a ring buffer is among its files."""
    try:
        return any("bpf-map" in os.readlink("/proc/%d/fd/%s" % (pid, fd)) for fd in os.listdir("/proc/%d/fd" % pid))
    except OSError:
        return False


def wait_for(what, condition, seconds=30):
    end = time.monotonic() + seconds * PATIENCE
    while time.monotonic() < end:
        value = condition()
        if value:
            return value
        time.sleep(0.02)
    raise AssertionError("%s: did not happen in %g s" % (what, seconds * PATIENCE))


class Usage(unittest.TestCase):
    def test_exit_code_of_a_wrong_command_line(self):
        for args in (["nope"], ["db", "--nope"], ["db", "-p", "x"], ["db", "-d", "0"], ["db", "ls"], ["db", "--"],
                     ["db", "-p", "1", "--", "true"], [], ["help", "nope"]):
            run = sonde(*args)
            self.assertEqual(run.returncode, 2, args)
            self.assertEqual(run.stdout, "", args)
            self.assertTrue(run.stderr.startswith("sonde: "), args)

    def test_help_and_version(self):
        for args in (["--help"], ["help"], ["help", "db"], ["db", "--help"], ["db", "-h"]):
            run = sonde(*args)
            self.assertEqual((run.returncode, run.stderr), (0, ""), args)
            self.assertIn("usage: sonde", run.stdout)
        self.assertRegex(sonde("--version").stdout, r"^sonde \d+\.\d+\.\d+\n$")

    def test_help_into_a_full_disk(self):
        with open("/dev/full", "w") as full:
            self.assertEqual(sonde("--help", stdout=full).returncode, 1)


class Program(unittest.TestCase):
    def test_its_output_then_the_report(self):
        run = sonde("db", "--", sys.executable, "-c", WORK % 0)
        self.assertEqual(run.returncode, 0, run.stderr)
        self.assertEqual(run.stderr, "bye\n")
        self.assertTrue(run.stdout.startswith("hello\nsonde db: "), run.stdout)

    def test_its_failure_is_told(self):
        run = sonde("db", "--", sys.executable, "-c", WORK % 3)
        self.assertEqual(run.returncode, 0)
        self.assertRegex(run.stderr, r"ended with exit code 3\n$")
        run = sonde("db", "--", "sh", "-c", "kill -9 $$")
        self.assertEqual((run.returncode, run.stderr), (0, "sonde: sh was ended by signal 9 (Killed)\n"))

    def test_it_cannot_be_run(self):
        run = sonde("db", "--", "/nonexistent")
        self.assertEqual((run.returncode, run.stdout), (1, ""))
        self.assertEqual(run.stderr, "sonde: cannot run '/nonexistent': No such file or directory\n")

    def test_signals_as_if_sonde_were_not_there(self):
        """Dispositions are those that sonde was started with, and nothing of sonde's is left open."""
        code = ("import os, signal; print([s for s in range(1, 32) if s not in (9, 19) and "
                "signal.getsignal(s) == signal.SIG_IGN], sorted(map(int, os.listdir('/proc/self/fd')))[:4])")
        plain = subprocess.run(["/usr/bin/env", "-i", sys.executable, "-S", "-c", code], stdin=subprocess.DEVNULL,
                               stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True).stdout
        run = sonde("db", "--", "/usr/bin/env", "-i", sys.executable, "-S", "-c", code, stdin=subprocess.DEVNULL)
        self.assertEqual(run.stdout.splitlines()[0], plain.strip())

    def test_ctrl_c_lets_it_end(self):
        code = "trap 'echo ends; exit 0' INT; echo begins; while :; do sleep 0.1; done"
        with subprocess.Popen([SONDE, "db", "-o", "json", "--", "sh", "-c", code], stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE, text=True, start_new_session=True) as p:
            self.assertEqual(p.stdout.readline(), "begins\n")
            p.send_signal(signal.SIGINT)  # to sonde alone: it passes it on
            out, err = p.communicate(timeout=30 * PATIENCE)
        lines = out.splitlines()
        self.assertEqual((p.returncode, lines[0], err), (0, "ends", ""))
        self.assertTrue(json.loads(lines[1])["window"]["final"])

    def test_duration_leaves_it_running(self):
        run = sonde("db", "-d", "0.5", "--", "sleep", "5")
        self.assertRegex(run.stderr, r"^sonde: sleep \(process \d+\) still runs\n$")
        pid = int(re.search(r"\d+", run.stderr).group())
        os.kill(pid, 0)
        os.kill(pid, signal.SIGKILL)


class Processes(unittest.TestCase):
    def test_no_such_process(self):
        with subprocess.Popen(["true"]) as p:
            p.wait()
        run = sonde("db", "-p", str(p.pid))
        self.assertEqual((run.returncode, run.stdout, run.stderr), (1, "", "sonde: no process %d\n" % p.pid))

    def test_run_ends_with_the_last_of_them(self):
        with subprocess.Popen(["sleep", "1"]) as a, subprocess.Popen(["sleep", "2"]) as b:
            start = time.monotonic()
            run = sonde("db", "-p", "%d,%d" % (a.pid, b.pid), "-d", "50")
            self.assertEqual(run.returncode, 0)
            self.assertLess(time.monotonic() - start, 30 * PATIENCE)
            self.assertEqual(run.stderr, "sonde: process %d ended\nsonde: process %d ended\n" % (a.pid, b.pid))
            self.assertTrue(run.stdout.startswith("sonde db: "))


class Ends(unittest.TestCase):
    def test_each_signal_gives_the_report(self):
        for sig in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            with subprocess.Popen([SONDE, "db", "-o", "json"], stdout=subprocess.PIPE, stderr=subprocess.PIPE) as p:
                wait_for("tracing", lambda: is_tracing(p.pid))
                time.sleep(0.3 * PATIENCE)
                p.send_signal(sig)
                out, err = p.communicate(timeout=30 * PATIENCE)
            self.assertEqual((p.returncode, err), (0, b""), sig)
            self.assertEqual(json.loads(out)["schema"], "sonde/1")

    def test_intervals(self):
        run = sonde("db", "-o", "json", "-i", "0.2", "-d", "0.7")
        docs = [json.loads(line) for line in run.stdout.splitlines()]
        self.assertGreaterEqual(len(docs), 3)
        self.assertEqual([d["window"]["final"] for d in docs], [False] * (len(docs) - 1) + [True])
        text = sonde("db", "-i", "0.2", "-d", "0.7").stdout
        self.assertGreaterEqual(text.count("sonde db: "), 3)
        self.assertNotIn("\033", text)

    def test_nobody_reads(self):
        with subprocess.Popen([SONDE, "db", "-d", "0.3"], stdout=subprocess.PIPE, stderr=subprocess.PIPE) as p:
            p.stdout.close()
            err = p.stderr.read()
        self.assertEqual((p.returncode, err), (1, b"sonde: cannot write the report to stdout: Broken pipe\n"))

    def test_stdout_closed(self):
        run = subprocess.run(["sh", "-c", '"$0" db -d 0.3 >&-', SONDE], stderr=subprocess.PIPE, text=True)
        self.assertEqual((run.returncode, run.stderr),
                         (1, "sonde: cannot write the report to stdout: Bad file descriptor\n"))

    def test_not_privileged(self):
        with tempfile.TemporaryDirectory() as tmp:
            os.chmod(tmp, 0o755)
            path = os.path.join(tmp, "sonde")
            subprocess.run(["cp", SONDE, path], check=True)
            os.chmod(path, 0o755)
            run = subprocess.run([path, "db", "-c", "my app", "-d", "1"], user=65534, group=65534, extra_groups=[],
                                 stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
            self.assertEqual((run.returncode, run.stdout), (3, ""))
            self.assertIn("try: sudo %s db -c 'my app' -d 1\n" % path, run.stderr)


class Output(unittest.TestCase):
    def test_file(self):
        with tempfile.TemporaryDirectory() as tmp:
            path = os.path.join(tmp, "report.json")
            run = sonde("db", "-d", "0.3", "-o", "json", "--output", path)
            self.assertEqual((run.returncode, run.stdout), (0, ""))
            self.assertEqual(run.stderr, "sonde: report written to %s\n" % path)
            self.assertEqual(stat.S_IMODE(os.stat(path).st_mode), 0o600)
            with open(path) as f:
                json.load(f)
            self.assertEqual(os.listdir(tmp), ["report.json"])

    def test_link_stays(self):
        with tempfile.TemporaryDirectory() as tmp:
            os.symlink("target", os.path.join(tmp, "link"))
            with open(os.path.join(tmp, "target"), "w") as f:
                f.write("old")
            self.assertEqual(sonde("db", "-d", "0.3", "--output", os.path.join(tmp, "link")).returncode, 0)
            self.assertTrue(os.path.islink(os.path.join(tmp, "link")))
            with open(os.path.join(tmp, "target")) as f:
                self.assertTrue(f.read().startswith("sonde db: "))

    def test_cannot_be_written(self):
        for path, why in (("/dev/full", "No space left on device"), ("/nonexistent/x", "No such file or directory"),
                          ("/tmp", "Is a directory")):
            run = sonde("db", "-d", "0.3", "--output", path)
            self.assertEqual((run.returncode, run.stderr), (1, "sonde: cannot write %s: %s\n" % (path, why)))
            self.assertTrue(run.stdout.startswith("sonde db: "))  # not lost with the file

    def test_devices_are_not_replaced(self):
        before = os.stat("/dev/null")
        self.assertEqual(sonde("db", "-d", "0.3", "--output", "/dev/null").returncode, 0)
        self.assertEqual(os.stat("/dev/null").st_ino, before.st_ino)


class Terminal:
    """sonde on a terminal of its own."""

    def __init__(self, *args, columns=100, lines=30, **env):
        self.pid, self.fd = pty.fork()
        if not self.pid:
            os.environ.update(TERM="xterm", **env)
            time.sleep(0.1)  # until the size is set
            os.execv(SONDE, [SONDE, *args])
        self.resize(columns, lines)
        self.out = b""

    def resize(self, columns, lines):
        fcntl.ioctl(self.fd, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))

    def read(self):
        while select.select([self.fd], [], [], 0)[0]:
            try:
                data = os.read(self.fd, 65536)
            except OSError:
                return False
            self.out += data
        return True

    def until(self, what):
        wait_for(what, lambda: self.read() and what in self.out or what in self.out)

    def status(self):
        def ended():
            self.read()
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            return pid and (status,)

        status = wait_for("end", ended)[0]
        self.read()
        os.close(self.fd)
        return status


class Live(unittest.TestCase):
    def test_report_after_ctrl_c(self):
        t = Terminal("db")
        t.until(b"sonde db: ")
        os.write(t.fd, b"\x03")
        self.assertEqual(os.waitstatus_to_exitcode(t.status()), 0)
        self.assertEqual((t.out.count(ENTER), t.out.count(LEAVE)), (1, 1))
        self.assertIn(b"sonde db: ", t.out[t.out.index(LEAVE):])

    def test_terminal_is_given_back(self):
        for sig in (signal.SIGTERM, signal.SIGSEGV, signal.SIGABRT, signal.SIGQUIT):
            t = Terminal("db")
            t.until(b"sonde db: ")
            os.kill(t.pid, sig)
            t.status()
            self.assertEqual((t.out.count(ENTER), t.out.count(LEAVE)), (1, 1), sig)
            self.assertIn(b"\033[?25h", t.out)

    def test_suspend(self):
        t = Terminal("db", "-i", "0.2")
        t.until(b"sonde db: ")
        os.kill(t.pid, signal.SIGTSTP)
        wait_for("stop", lambda: os.waitpid(t.pid, os.WNOHANG | os.WUNTRACED)[0])
        t.read()
        self.assertEqual((t.out.count(ENTER), t.out.count(LEAVE)), (1, 1))
        os.kill(t.pid, signal.SIGCONT)
        wait_for("redraw", lambda: t.read() and t.out.count(ENTER) == 2)
        os.write(t.fd, b"\x03")
        t.status()
        self.assertEqual((t.out.count(ENTER), t.out.count(LEAVE)), (2, 2))

    def test_resize(self):
        t = Terminal("db", "-i", "60", columns=120)
        time.sleep(1 * PATIENCE)
        t.resize(60, 20)
        t.until(b"sonde db: ")  # drawn at once, not in a minute
        os.write(t.fd, b"\x03")
        self.assertEqual(os.waitstatus_to_exitcode(t.status()), 0)

    def test_no_color(self):
        for env, color in (({}, True), ({"NO_COLOR": "1"}, False)):
            t = Terminal("db", "-d", "0.3", **env)
            t.status()
            self.assertEqual(b"\033[1m" in t.out, color, env)

    def test_program_keeps_the_terminal(self):
        t = Terminal("db", "--", "sh", "-c", "echo visible")
        t.status()
        self.assertNotIn(ENTER, t.out)
        self.assertIn(b"visible", t.out)

    def test_json_is_not_drawn(self):
        t = Terminal("db", "-o", "json", "-d", "0.3")
        t.status()
        self.assertNotIn(b"\033", t.out)


if __name__ == "__main__":
    if why_not():
        print(why_not())
        sys.exit(77)
    unittest.main()
