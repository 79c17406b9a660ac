# SPDX-License-Identifier: GPL-2.0-only
# TOGETHER: what its own programs lose by the clock, whoever else runs
# ALONE: test_same: how many stacks are cut in the first moment depends on who else runs
"""test_alloc_record.py - recordings of `sonde alloc`: the report from one is that of the run, and so is what has changed between two;
what other programs read in one; files that are none."""

import json
import os
import random
import sqlite3
import subprocess
import unittest

import sonderun
from sonderun import PATIENCE, SONDE
from test_alloc import by_function

SECONDS = 10


def setUpModule():
    why = sonderun.why_not()
    if why:
        raise unittest.SkipTest(why)


def load(path):
    with open(path) as file:
        return json.load(file)


class AllocRecord(sonderun.TestCase):
    def path(self, name):
        return os.path.join(self.dir, name)

    def record(self, name, mode, *args, out="json"):
        """A run of alloc_leaks: NAME.db, and its report NAME.json."""
        run = sonderun.Run("alloc", "-d", str(SECONDS), "--window", "1", "--rate", "64k", "--record", self.path(name + ".db"),
                           "--output", self.path(name + "." + out), *args, out=out,
                           argv=[sonderun.program("alloc_leaks"), mode, str(SECONDS + 5)])
        self.assertEqual(run.code, 0, run.err)
        self.assertIn("written: " + self.path(name + ".db"), run.err)

    def again(self, name, *args, code=0):
        """The report from a recording."""
        done = subprocess.run([SONDE, "alloc", "--from", self.path(name), *args], stdin=subprocess.DEVNULL, capture_output=True,
                              text=True, timeout=20 * PATIENCE, check=False)
        self.assertEqual(done.returncode, code, done.stderr)
        return done.stdout

    def test_same(self):
        """Findings, verdicts, readings, totals, coverage: all of it, byte by byte."""
        self.record("leak", "ways", "--value", "leak_space", "--folded", self.path("live.folded"))
        live = load(self.path("leak.json"))
        self.assertEqual({f["kind"] for f in live["findings"]}, {"leak"})  # more than one where stacks of the first moment are cut
        folded = self.path("folded")
        self.assertEqual(json.loads(self.again("leak.db", "-o", "json", "--value", "leak_space", "--folded", folded)), live)
        with open(folded) as again, open(self.path("live.folded")) as before:
            lines = before.read().splitlines()
            self.assertEqual(again.read().splitlines(), lines)
        self.assertTrue([line for line in lines if "leak_here" in line and not line.endswith(" 0")])
        other = json.loads(self.again("leak.db", "-o", "json", "--value", "inuse_space"))
        self.assertEqual(sorted(map(str, other["allocations"])), sorted(map(str, live["allocations"])))
        self.assertEqual([r["live_bytes"] for r in other["allocations"]],
                         sorted((r["live_bytes"] for r in live["allocations"]), reverse=True))
        self.again("leak.db", "--fail-on", "leak", code=5)
        self.other_programs(live)

    def other_programs(self, live):
        """What SQLite itself finds there."""
        with sqlite3.connect(self.path("leak.db")) as db:
            sums = dict(db.execute("""select f.function, sum(a.alloc_bytes) from allocation a
                join stack_frame s on s.stack = a.stack join function f on f.rowid = s.function group by f.rowid"""))
            readings = db.execute("""select unix_ns, sum(live_bytes) from reading where stack in (select s.stack from stack_frame s
                join function f on f.rowid = s.function where f.function = 'leak_here') group by unix_ns order by 1""").fetchall()
            self.assertEqual(db.execute("pragma integrity_check").fetchall(), [("ok",)])
        db.close()
        self.assertEqual(sums["leak_here"], sum(r["alloc_bytes"] for r in live["allocations"] if "leak_here" in r["site"]))
        most = max(live["findings"], key=lambda f: f["live_bytes"])["readings"]
        self.assertEqual([at for at, _ in readings], [r["unix_ns"] for r in most])
        for (_, found), reading in zip(readings, most):
            self.assertGreaterEqual(found, reading["live_bytes"])
            self.assert_near(found, reading["live_bytes"], 0.2, slack=400 << 10)  # of a stack that was cut

    def test_text(self):
        self.record("churn", "churn", out="text")
        with open(self.path("churn.text")) as file:
            live = file.read()
        self.again("churn.db", "-o", "text", "--output", self.path("again.text"))
        with open(self.path("again.text")) as file:
            self.assertEqual(file.read(), live)

    def test_diff(self):
        """Two recordings differ as the second run did from the first when it ended; the leak is in it, with what it lost."""
        self.record("old", "churn")
        self.record("new", "leak", "--baseline", self.path("old.json"))
        live = load(self.path("new.json"))
        self.assertTrue([c for c in live["changes"] if not c["chance"]])
        apart = json.loads(self.again("new.db", "-o", "json", "--baseline", self.path("old.db")))
        self.assertEqual(apart["changes"], live["changes"])
        leak = next(c for c in apart["changes"] if c.get("function") == "leak_here")
        self.assertEqual(leak["before"]["alloc_bytes"], 0)
        self.assertFalse(leak["chance"])
        self.assert_near(leak["after"]["live_bytes"], by_function(live)["leak_here"]["live_bytes"], 1e-5)  # six digits
        self.assertLess(abs(leak["live_bytes_change"] - 200e3 * SECONDS), 4 * leak["live_bytes_error"])
        same = json.loads(self.again("new.db", "-o", "json", "--baseline", self.path("new.db")))
        self.assertEqual([c for c in same["changes"] if not c["chance"] or c["live_bytes_change"]], [])

    def test_endpoints(self):
        """What endpoints took is there, for those who ask."""
        report = self.path("r.json")
        run = sonderun.Run("alloc", "--by", "endpoint", "--rate", "16k", "--record", self.path("r.db"), "-o", "json", "--output", report, out=None,
                           argv=[os.path.join(sonderun.OUT, "demo", "shop")])
        self.assertEqual(run.code, 0, run.err)
        live = load(report)
        self.assertEqual({e["path"] for e in live["endpoints"]}, {"/report", "/orders", "/products/{id}"})
        self.assertEqual(json.loads(self.again("r.db", "-o", "json", "--by", "endpoint")), live)
        self.assertNotIn("endpoints", json.loads(self.again("r.db", "-o", "json")))

    def test_collections(self):
        """What garbage collections took is there, with the finding that it is; of a recording that has none it is no gate."""
        report, path = self.path("gc.json"), self.path("gc.db")
        code = ("import time\nend = time.monotonic() + 4\nkept = [[i] for i in range(200000)]\n"
                "import gc\nwhile time.monotonic() < end: gc.collect()\n")
        run = sonderun.Run("alloc", "--record", path, "-o", "json", "--output", report, "--fail-on", "gc_time", out=None,
                           argv=["/usr/bin/python3", "-c", code])
        live = load(report)
        if not live["garbage_collection"]["processes"][0].get("pauses"):
            self.skipTest("nothing tells of this python3's collections")
        self.assertEqual(run.code, 5, run.err)
        self.assertIn("gc_time", {f["kind"] for f in live["findings"]})
        self.assertEqual(json.loads(self.again("gc.db", "-o", "json", "--fail-on", "gc_time", code=5)), live)
        with sqlite3.connect(path) as db:
            pauses, = db.execute("select sum(pauses) from gc where runtime = 'CPython' and kind = 'generation 2'").fetchone()
            self.assertEqual(db.execute("select sum(pauses) from gc_pause").fetchone(), db.execute("select sum(pauses) from gc").fetchone())
            for table in ("gc", "gc_pause", "gc_process", "gc_pool"):
                db.execute("drop table " + table)
            db.execute("update recording set gc_to_ns = null")
        db.close()
        self.assertGreater(pauses, 10)
        self.again("gc.db", "--fail-on", "leak")
        done = subprocess.run([SONDE, "alloc", "--from", path, "--fail-on", "gc_time"], capture_output=True, text=True, check=False)
        self.assertEqual((done.returncode, done.stdout), (1, ""), done.stderr)
        self.assertIn("nothing of garbage collections is recorded", done.stderr)

    def grow(self, name, rounds, *args):
        """A run of a program that keeps ROUNDS MiB, in 12 s at most: NAME.db, and its report, NAME.json."""
        code = "import time\nkept = []\nfor _ in range(%d): kept.append(b'x' * (1 << 20)); time.sleep(.02)\n" % rounds
        run = sonderun.Run("alloc", "--growth", "--record", self.path(name + ".db"), "--output", self.path(name + ".json"), *args, out="json",
                           argv=["/usr/bin/python3", "-c", code])
        self.assertEqual(run.code, 0, run.err)
        self.assertIn("written: " + self.path(name + ".db"), run.err)
        return load(self.path(name + ".json"))

    def test_growth(self):
        """What has grown, and what processes had over time, is that of the run; two of them are compared as they were then."""
        live = self.grow("old", 50, "--folded", self.path("live.folded"))
        process = next(p for p in live["memory"] if p["grown_bytes"] > 50 << 20)
        self.assertGreater(len(process["series"]), 5)
        self.assertEqual(json.loads(self.again("old.db", "-o", "json", "--folded", self.path("folded"))), live)
        with open(self.path("folded")) as again, open(self.path("live.folded")) as before:
            self.assertEqual(again.read(), before.read())
        with sqlite3.connect(self.path("old.db")) as db:
            readings = db.execute("select unix_ns, rss_bytes from memory_reading where process in "
                                  "(select rowid from growth_process where pid = %d) order by 1" % process["pid"]).fetchall()
            self.assertEqual(db.execute("select sum(grown_bytes) from growth").fetchone()[0], sum(r["grown_bytes"] for r in live["growth"]))
        db.close()
        self.assertEqual(readings, [(point["unix_ns"], point["rss_bytes"]) for point in process["series"]])
        more = self.grow("new", 250, "--baseline", self.path("old.json"))
        change = max(more["changes"], key=lambda c: c["grown_bytes_change"])
        self.assertFalse(change["chance"])
        self.assert_near(change["grown_bytes_change"], 200 << 20, 0.25)
        self.assertEqual(json.loads(self.again("new.db", "-o", "json", "--baseline", self.path("old.db"))), more)
        self.assertEqual(json.loads(self.again("new.db", "-o", "json", "--baseline", self.path("old.json"))), more)
        self.assertRegex(self.again("new.db", "--baseline", self.path("old.db")), r"grown before +grown +change ")
        same = json.loads(self.again("new.db", "-o", "json", "--baseline", self.path("new.db")))
        self.assertEqual([c for c in same["changes"] if not c["chance"] or c["grown_bytes_change"]], [])
        for args, code, words in ((["--from", self.path("new.db"), "--fail-on", "leak"], 1, "says nothing of leaks"),
                                  (["--baseline", self.path("new.db"), "--", "true"], 2, "it goes with --growth")):
            done = subprocess.run([SONDE, "alloc", *args], capture_output=True, text=True, check=False)
            self.assertEqual((done.returncode, done.stdout), (code, ""), done.stderr)
            self.assertIn(words, done.stderr)
        for change in ("update memory_reading set process = 99", "update growth set stack = 99999", "update growth_process set slope_bytes_per_s = 9e999",
                       "update growth_mapping set process = 0", "drop table memory_reading", "update recording set mode = 'x'",
                       "update recording set mode = 'allocations'"):
            with open(self.path("old.db"), "rb") as good, open(self.path("changed"), "wb") as file:
                file.write(good.read())
            with sqlite3.connect(self.path("changed")) as db:
                db.execute(change)
            db.close()
            done = subprocess.run([SONDE, "alloc", "--from", self.path("changed")], capture_output=True, text=True, check=False)
            self.assertEqual(done.returncode, 1, change)
            self.assertIn("it is no recording of `sonde alloc`", done.stderr)

    def test_no_recording(self):
        """None of these is read, and none brings it down."""
        self.record("r", "churn")
        with open(self.path("r.db"), "rb") as file:
            good = file.read()
        bad = {"empty": b"", "text": b"{}\n", "short": good[:5000], "zeros": good[:4096] + bytes(len(good) - 4096)}
        for name, content in bad.items():
            with open(self.path(name), "wb") as file:
                file.write(content)
            done = subprocess.run([SONDE, "alloc", "--from", self.path(name)], capture_output=True, text=True, check=False)
            self.assertEqual(done.returncode, 1, (name, done.stderr))
            self.assertRegex(done.stderr, r"sonde: cannot read .*/%s: \w+" % name)
        for change in ("update recording set schema = 'x'", "drop table allocation", "update stack_frame set function = 1000000",
                       "update allocation set stack = 99999", "update allocation set verdict = 77", "update histogram set bucket = 64",
                       "delete from recording", "insert into finding_site values (7, 'x')", "update histogram set of = null"):
            with open(self.path("changed"), "wb") as file:
                file.write(good)
            with sqlite3.connect(self.path("changed")) as db:
                db.execute(change)
            db.close()
            done = subprocess.run([SONDE, "alloc", "--from", self.path("changed")], capture_output=True, text=True, check=False)
            self.assertEqual(done.returncode, 1, change)
            self.assertIn("it is no recording of `sonde alloc`", done.stderr)
        dice = random.Random(1)
        for _ in range(100):
            changed = bytearray(good)
            for _ in range(dice.randrange(1, 40)):
                changed[dice.randrange(100, len(changed))] = dice.randrange(256)
            with open(self.path("changed"), "wb") as file:
                file.write(changed)
            done = subprocess.run([SONDE, "alloc", "--from", self.path("changed")], capture_output=True, check=False, timeout=20 * PATIENCE)
            self.assertIn(done.returncode, (0, 1))

    def test_wrong_use(self):
        for args, code, words in ((["--from", "x", "-p", "1"], 2, "--from traces nothing"),
                                  (["--from", "x", "--record", "y"], 2, "--from traces nothing"),
                                  (["--from", self.path("none.db")], 1, "cannot read"),
                                  (["--from", "x", "--pymalloc"], 2, "--from traces nothing"),
                                  (["--growth", "--window", "1"], 2, "do not go with --growth"),
                                  (["--from", "x", "--", "true"], 2, "--from traces nothing")):
            run = sonderun.Run("alloc", *args, out=None)
            self.assertEqual(run.code, code, run.err)
            self.assertIn(words, run.err)
        run = sonderun.Run("alloc", "--record", "/proc/none.db", out="json", argv=["true"])
        self.assertEqual(run.code, 1, run.err)
        self.assertIn("cannot write /proc/none.db", run.err)


if __name__ == "__main__":
    unittest.main()
