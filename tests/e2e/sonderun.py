# SPDX-License-Identifier: GPL-2.0-only
"""sonderun.py - runs a tracing command of sonde around a program, and reads its report."""

import glob
import json
import math
import os
import shutil
import subprocess
import tempfile
import unittest

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
OUT = os.path.abspath(os.environ.get("O", os.path.join(TOP, "build")))
SONDE = os.path.abspath(os.environ.get("SONDE", os.path.join(OUT, "sonde")))
PATIENCE = float(os.environ.get("SONDE_TEST_PATIENCE", "1"))


def why_not():
    """Why nothing can be traced here, or None."""
    if os.geteuid() != 0:
        return "needs root"
    if subprocess.run([SONDE, "doctor", "--quick"], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                      stderr=subprocess.DEVNULL, check=False).returncode:  # that the kernel takes the programs a test must show
        return "sonde doctor: this kernel or these privileges do not do"
    return None


ALLOCATORS = ("libjemalloc.so.2", "libtcmalloc_minimal.so.4", "libmimalloc.so.[23]")


def allocators():
    """Libraries with a malloc() of their own that are installed (scripts/setup.sh test installs three)."""
    found = [path for name in ALLOCATORS for path in sorted(glob.glob("/usr/lib/*/" + name) + glob.glob("/usr/lib*/" + name))]
    if not found:
        raise unittest.SkipTest("needs one of " + ", ".join(ALLOCATORS))
    return found


def program(name):
    """A program of tests/e2e/programs, built on demand."""
    path = os.path.join(OUT, "tests", "e2e", "programs", name)
    if os.path.exists(path) and not shutil.which("make"):  # in a guest of another architecture
        return path
    out = os.path.relpath(OUT, TOP) if OUT.startswith(TOP) else OUT  # as the rules are written with it
    subprocess.run(["make", "-s", "O=" + out, os.path.relpath(path, TOP) if path.startswith(TOP) else path], cwd=TOP,
                   check=True, stdout=subprocess.DEVNULL)
    return path


def load(path):
    """The document in a file."""
    with open(path) as file:
        return json.load(file)


def add_up(rows, key):
    """{key(row): sums of its numbers}"""
    sums = {}
    for row in rows:
        into = sums.setdefault(key(row), {})
        for name, value in row.items():
            if name.endswith("_error"):
                into[name] = math.hypot(into.get(name, 0), value)
            elif isinstance(value, int) and name not in ("pid", "line"):
                into[name] = into.get(name, 0) + value
    return sums


class Run:
    """One run: exit code, stdout as text, stderr, the final JSON document if there is one, the lines before it."""

    def __init__(self, command, *args, out="json", argv=None, timeout=60, env=None):
        line = [SONDE, command] + (["-o", out] if out else []) + list(args) + (["--"] + argv if argv else [])
        with tempfile.TemporaryFile() as stdout, tempfile.TemporaryFile() as stderr:  # the program may outlive the run
            done = subprocess.run(line, stdin=subprocess.DEVNULL, stdout=stdout, stderr=stderr, timeout=timeout * PATIENCE,
                                  check=False, env=dict(os.environ, **(env or {})))
            self.code = done.returncode
            stdout.seek(0)
            stderr.seek(0)
            self.out = stdout.read().decode(errors="replace")
            self.err = stderr.read().decode(errors="replace")
        self.doc, self.lines = None, []
        if out == "json" and self.out:
            documents = [json.loads(text) for text in self.out.splitlines()]
            self.doc, self.lines = documents[-1], documents[:-1]


def end(proc):
    """Ends a program as its own way of ending is, with its workers; one that does not end, at once."""
    proc.terminate()
    try:
        proc.wait(5)
    except subprocess.TimeoutExpired:
        proc.kill()
        proc.wait()


class TestCase(unittest.TestCase):
    """With a directory of its own on a real file system."""

    maxDiff = None

    def setUp(self):
        self.dir = tempfile.mkdtemp(prefix="sonde-", dir=OUT)
        self.addCleanup(shutil.rmtree, self.dir, True)

    def assert_near(self, found, truth, share=0.05, slack=0):
        """@found is @truth to a share, or to an absolute slack."""
        self.assertLessEqual(abs(found - truth), max(truth * share, slack), "found %s, truth %s" % (found, truth))

    def assert_unbiased(self, distance):
        """Of the standard errors that estimates are off, {what: [of each run]}, all but one are within 3; their means have no bias."""
        far = [(what, d) for what, all_of in distance.items() for d in all_of if abs(d) > 3]
        self.assertLessEqual(len(far), 1, distance)
        for what, all_of in distance.items():
            self.assertLess(abs(sum(all_of)) / len(all_of), 3.5 / math.sqrt(len(all_of)), (what, all_of))
