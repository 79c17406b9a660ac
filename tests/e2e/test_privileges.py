# SPDX-License-Identifier: GPL-2.0-only
"""test_privileges.py - what sonde needs of root, what it gives up once it traces, and what files it writes."""

import glob
import json
import os
import re
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
import time
import unittest

import pg
from pg import PATIENCE, SONDE

NOBODY, OTHER = 65534, 65533
NUMBERS = {"DAC_OVERRIDE": 1, "DAC_READ_SEARCH": 2, "FOWNER": 3, "KILL": 5, "SYS_PTRACE": 19, "SYS_ADMIN": 21, "PERFMON": 38, "BPF": 39,
           "CHECKPOINT_RESTORE": 40}
LOOK = {"SYS_PTRACE", "DAC_READ_SEARCH", "CHECKPOINT_RESTORE"}
# Statements of SQLite until the parent is gone, under a name of its own.
WORK = """
import ctypes, sqlite3, sys, time
ctypes.CDLL(None).prctl(15, sys.argv[1].encode(), 0, 0, 0)
db = sqlite3.connect(":memory:")
db.execute("create table %s(a)" % sys.argv[1])
print("ready", flush=True)
end = time.monotonic() + float(sys.argv[2])
while time.monotonic() < end:
    db.execute("select a from " + sys.argv[1]).fetchall()
    time.sleep(0.01)
"""

tmp = None


def setUpModule():
    global tmp
    if os.geteuid() != 0:
        raise unittest.SkipTest("needs root")
    if not os.access(SONDE, os.X_OK):
        raise unittest.SkipTest("there is no %s: build it first" % SONDE)
    tmp = tempfile.mkdtemp(prefix="priv.")
    unittest.addModuleCleanup(shutil.rmtree, tmp)
    os.chmod(tmp, 0o755)
    shutil.copy(SONDE, os.path.join(tmp, "sonde"))  # where everybody may run it


def as_nobody(caps, *command):
    """@command as nobody with these capabilities and no others."""
    names = ",".join("+" + c.lower() for c in sorted(caps)) if caps else "-all"
    return ["setpriv", "--reuid", str(NOBODY), "--regid", str(NOBODY), "--clear-groups", "--inh-caps", names, "--ambient-caps", names,
            *command]


def may_have(*caps):
    """Skips where the machine itself does not give them out."""
    bounding = int(status("self")["CapBnd"], 16)
    missing = [c for c in caps if not bounding >> NUMBERS[c] & 1]
    if missing:
        raise unittest.SkipTest("not in the bounding set: " + ", ".join(missing))


def status(pid):
    with open("/proc/%s/status" % pid) as f:
        return dict(line.rstrip("\n").split(":\t", 1) for line in f if ":\t" in line)


def caps_of(pid, field):
    value = int(status(pid)[field], 16)
    names = {n: c for c, n in NUMBERS.items()}
    return {names.get(n, n) for n in range(64) if value >> n & 1}


def kept():
    """What tracing keeps on this kernel."""
    return LOOK if pg.kernel_version() >= (6, 6) else LOOK | {"BPF", "PERFMON"}


class TestCase(pg.TestCase):
    def work(self, name, seconds=120, library=None, uid=OTHER):
        """A process of another user that uses SQLite, from a directory of its own if @library."""
        env = dict(os.environ, **({"LD_LIBRARY_PATH": library} if library else {}))
        proc = subprocess.Popen([*(["setpriv", "--reuid", str(uid), "--clear-groups"] if uid else []), "/usr/bin/python3", "-c", WORK, name,
                                 str(seconds)], env=env, stdout=subprocess.PIPE, stdin=subprocess.DEVNULL, text=True, cwd="/")
        self.addCleanup(proc.communicate)
        self.addCleanup(proc.kill)
        self.assertIn("ready", proc.stdout.readline())
        return proc

    def library(self, name, mode=0o755, file_mode=0o644):
        """A directory with its own libsqlite3, of OTHER."""
        found = glob.glob("/usr/lib/*/libsqlite3.so.0") + glob.glob("/usr/lib64/libsqlite3.so.0")
        if not found:
            self.skipTest("needs libsqlite3")
        place = os.path.join(tmp, name)
        os.mkdir(place)
        copy = os.path.join(place, "libsqlite3.so.0")
        shutil.copy(found[0], copy)
        os.chmod(copy, file_mode)
        os.chmod(place, mode)
        for path in (copy, place):
            os.chown(path, OTHER, OTHER)
        return place

    def sonde(self, *args, command="db", **kwargs):
        s = pg.Sonde(*args, command=command, **kwargs)
        self.addCleanup(s.__exit__)
        return s


class Capabilities(TestCase):
    def test_instead_of_root(self):
        """Each capability brings what the manual says, and without it that is what is missing."""
        may_have("BPF", "PERFMON", *LOOK)
        self.work("system")
        self.work("readable", library=self.library("readable"))
        self.work("private", library=self.library("private", 0o700, 0o600))
        gone = self.library("gone")
        self.work("gone", library=gone)
        os.unlink(os.path.join(gone, "libsqlite3.so.0"))
        runs, caps = [], {"BPF", "PERFMON"}
        for more, seen in ((set(), "system"), ({"SYS_PTRACE"}, "system readable"), ({"DAC_READ_SEARCH"}, "system readable private"),
                           ({"CHECKPOINT_RESTORE"}, "system readable private gone")):
            caps = caps | more
            runs.append((caps, seen, subprocess.Popen(as_nobody(caps, os.path.join(tmp, "sonde"), "db", "-o", "json"), cwd="/",
                                                      stdout=subprocess.PIPE, stderr=subprocess.PIPE, stdin=subprocess.DEVNULL)))
        for _, _, proc in runs:
            self.addCleanup(proc.kill)
        end = time.monotonic() + 60 * PATIENCE
        while time.monotonic() < end and not all(pg.is_attached(proc.pid) for _, _, proc in runs):
            time.sleep(0.05)
        time.sleep(1)
        for _, _, proc in runs:
            proc.send_signal(signal.SIGINT)
        for caps, seen, proc in runs:
            with self.subTest(caps=caps):
                out, err = proc.communicate(timeout=60 * PATIENCE)
                err = err.decode()
                self.assertEqual(proc.returncode, 0, err)
                found = {q["text"].split()[-1] for q in json.loads(out)["queries"]}
                self.assertEqual(found & {"system", "readable", "private", "gone"}, set(seen.split()), err)
                self.assertEqual("no CAP_SYS_PTRACE: " in err, "SYS_PTRACE" not in caps, err)

    def test_named_when_missing(self):
        may_have("BPF")
        sonde = os.path.join(tmp, "sonde")
        for caps, code, named in ((set(), 3, "CAP_BPF, CAP_PERFMON"), ({"BPF"}, 3, "CAP_PERFMON")):
            done = subprocess.run(as_nobody(caps, sonde, "db", "-d", "0.1"), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
            self.assertEqual(done.returncode, code)
            self.assertIn("not privileged: no %s;" % named, done.stderr)
            done = subprocess.run(as_nobody(caps, sonde, "doctor", "-q"), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
            self.assertEqual(done.returncode, code, done.stdout)
            self.assertEqual("NO    CAP_BPF:" in done.stdout, not caps)
            for line in ("NO    CAP_PERFMON: ", "none  CAP_SYS_PTRACE: ", "none  CAP_DAC_READ_SEARCH: ", "none  CAP_KILL: "):
                self.assertIn(line, done.stdout)

    def test_manual_names_all(self):
        with open(os.path.join(pg.TOP, "user/base/cap.def")) as f:
            rows = re.findall(r'^SONDE_CAP\((\w+), \d+, \w+, \w+, "([^"]+)",\s+"([^"]+)"\)', f.read(), re.M)
        with open(os.path.join(pg.TOP, "man/sonde.8")) as f:
            manual = re.sub(r"\s+", " ", f.read().replace("\\-", "-"))
        self.assertGreaterEqual(len(rows), 8)
        for name, what, without in rows:
            self.assertIn("CAP_" + name, manual)
            self.assertIn(what, manual)
            self.assertIn(without, manual)


class AfterAttach(TestCase):
    def assert_sandboxed(self, pid, more):
        """No more than looking at new processes takes and @more; no_new_privs; a system call filter; no socket."""
        now = status(pid)
        self.assertEqual((now["NoNewPrivs"], now["Seccomp"]), ("1", "2"))
        for field in ("CapEff", "CapPrm"):
            self.assertEqual(caps_of(pid, field), (kept() | more) & caps_of("self", "CapPrm"))
        self.assertEqual((caps_of(pid, "CapInh"), caps_of(pid, "CapAmb")), (set(), set()))
        for fd in os.listdir("/proc/%d/fd" % pid):
            self.assertFalse(os.readlink("/proc/%d/fd/%s" % (pid, fd)).startswith("socket:"))

    def test_libraries_that_come_later(self):
        """A process of another user, with a library that only he may read and that then is deleted: found, probed, named."""
        place = self.library("later", 0o700, 0o600)
        theirs = os.path.join(tmp, "theirs")
        os.mkdir(theirs)
        os.chown(theirs, OTHER, OTHER)
        file = os.path.join(theirs, "report.json")
        s = self.sonde("-i", "0.2", "--output", file)
        self.assert_sandboxed(s.pid, {"DAC_OVERRIDE"})
        work = self.work("later", library=place)
        os.unlink(place + "/libsqlite3.so.0")
        seen = False
        end = time.monotonic() + 20 * PATIENCE
        while not seen and time.monotonic() < end:
            time.sleep(0.1)
            if os.path.exists(file):
                with open(file) as f:
                    seen = "select a from later" in [q["text"] for q in json.load(f)["queries"]]
        self.assertTrue(seen)
        work.kill()
        before = os.stat(file)
        s.proc.send_signal(signal.SIGINT)
        code, _, err = s.wait()
        self.assertEqual((code, err), (0, "sonde: report written to %s\n" % file))
        after = os.stat(file)
        self.assertEqual((stat.S_IMODE(after.st_mode), after.st_uid), (0o600, 0))
        self.assertNotEqual(before.st_ino, after.st_ino)

    def test_signal_reaches_a_program_of_another_user(self):
        s = self.sonde("--", "setpriv", "--reuid", str(OTHER), "--clear-groups", "sh", "-c",
                       "trap 'exit 7' TERM; while :; do sleep 0.05; done", wait=False)
        end = time.monotonic() + 60 * PATIENCE
        while time.monotonic() < end and status(s.pid)["Seccomp"] != "2":
            time.sleep(0.02)
        self.assert_sandboxed(s.pid, {"KILL"})
        time.sleep(0.5 * PATIENCE)
        s.proc.send_signal(signal.SIGTERM)
        code, _, err = s.wait()
        self.assertEqual((code, err), (0, "sonde: setpriv ended with exit code 7\n"))

    @unittest.skipUnless(shutil.which("gdb"), "needs gdb")
    def test_other_system_calls_fail(self):
        """Made in its name by a debugger: refused, told with the number, and tracing goes on."""
        s = self.sonde()
        self.assert_sandboxed(s.pid, set())
        calls = {"socket": "(int)socket(2, 1, 0)", "execve": '(int)execve("/bin/true", 0, 0)', "fork": "(int)fork()",
                 "create": '(int)open("%s/made", 0101, 0600)' % tmp, "ptrace": "(int)ptrace(16, 1, 0, 0)",
                 "code": "(long)mmap(0, 4096, 5, 0x22, -1, 0)"}
        command = ["gdb", "-nx", "-batch", "-p", str(s.pid), "-ex", "handle SIGSYS nostop noprint pass"]
        for name, call in calls.items():
            command += ["-ex", 'printf "%s %%ld\\n", (long)%s' % (name, call)]
        done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL, text=True,
                              env=dict(os.environ, DEBUGINFOD_URLS=""), timeout=120 * PATIENCE)
        if "Could not attach" in done.stdout:
            self.skipTest("no debugger may attach here")
        for name in calls:
            self.assertIn("%s -1\n" % name, done.stdout)
        self.assertFalse(os.path.exists(tmp + "/made"))
        work = self.work("after")
        time.sleep(1 * PATIENCE)
        work.kill()
        report = s.stop()
        self.assertEqual(report.code, 0)
        self.assertTrue([q for q in report.queries if q["text"] == "select a from after"], report.brief())
        self.assertEqual(len(set(re.findall(r"system call (\d+) is not allowed in the sandbox", report.stderr))), len(calls), report.stderr)


if __name__ == "__main__":
    unittest.main()
