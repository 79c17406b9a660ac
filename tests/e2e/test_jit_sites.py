# SPDX-License-Identifier: GPL-2.0-only
# TOGETHER: counts, of its own processes
"""test_jit_sites.py - call sites in code that a runtime compiles while it runs, named by its map in /tmp/perf-PID.map.

A Java batch job with JDBC whose machine code keeps frame pointers; `jcmd PID Compiler.perfmap` writes the map while sonde
looks on. The site of its N+1 is the method of the job, not one of the driver's. Without a map there is no site, and the
finding is the same.
"""

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "nplus1"))

import databases  # noqa: E402

SONDE = os.environ.get("SONDE", "build/sonde")
BUILT = os.path.join(os.environ.get("O", "build"), "tests/e2e/nplus1")
DRIVER = "/usr/share/java/postgresql.jar"
FOREVER = "1000000"
READY_SECONDS = 90


class Jvm(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        if os.geteuid() != 0:
            raise unittest.SkipTest("needs root")
        for needed in (SONDE, DRIVER, os.path.join(BUILT, "Job.class")):
            if not os.path.exists(needed):
                raise unittest.SkipTest("there is no " + needed)
        for tool in ("java", "jcmd"):
            if not shutil.which(tool):
                raise unittest.SkipTest("there is no %s (package openjdk-17-jdk-headless)" % tool)
        cls.databases = databases.Databases()
        cls.addClassCleanup(cls.databases.stop)
        cls.directory = tempfile.TemporaryDirectory(prefix="jvm.")
        cls.addClassCleanup(cls.directory.cleanup)

    def start_job(self, mode):
        env = dict(os.environ, JOB_SLUGS="bad_list ok_list", JOB_URL_OPTIONS="&prepareThreshold=0",
                   **self.databases.make("postgresql", self.directory.name))
        job = subprocess.Popen(["java", "-XX:+PreserveFramePointer", "-XX:TieredStopAtLevel=1", "-XX:CompileThreshold=1", "-Xcomp", "-cp",
                                BUILT + ":" + DRIVER, "Job", "job", mode, FOREVER], env=env, stdin=subprocess.DEVNULL,
                               stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self.addCleanup(job.wait)
        self.addCleanup(job.kill)
        server, name = self.databases.server("postgresql"), env["DB_NAME"]
        until = time.monotonic() + READY_SECONDS
        query = "select xact_commit from pg_stat_database where datname = '%s'" % name
        while int(server.psql(query).strip() or 0) < 500:  # connected, and compiled what it does
            self.assertIsNone(job.poll(), "the job has ended")
            self.assertLess(time.monotonic(), until, "the job does nothing")
            time.sleep(0.3)
        return job

    def trace(self, job):
        done = subprocess.run([SONDE, "nplus1", "-o", "json", "-d", "4", "-p", str(job.pid)], stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=120)
        self.assertEqual(done.returncode, 0, done.stderr)
        found = [f for f in json.loads(done.stdout)["findings"] if f["kind"] == "n_plus_one"]
        self.assertTrue(found, done.stdout)
        for finding in found:
            self.assertIn("bad_list__customer", finding["query"])
        return found

    def test_transactions(self):
        job = self.start_job("tx")
        self.assertEqual([f.get("site") for f in self.trace(job) if f.get("site")], [], "a site without a map")
        self.map_of(job)
        self.check_sites(job)

    def test_endless_loop(self):
        """Without transactions: sonde meets the loop in the middle of a round, and a round never ends with a rest."""
        job = self.start_job("auto")
        self.map_of(job)
        self.check_sites(job)

    def map_of(self, job):
        path = "/tmp/perf-%d.map" % job.pid
        self.addCleanup(lambda: os.path.exists(path) and os.unlink(path))
        subprocess.run(["jcmd", str(job.pid), "Compiler.perfmap"], check=True, stdout=subprocess.DEVNULL, timeout=60)

    def check_sites(self, job):
        found = self.trace(job)
        sites = [" <- ".join(f.get("site", [])) for f in found]
        self.assertTrue(any("Job.badList" in site or "Job::badList" in site for site in sites), sites)
        for site in sites:
            self.assertNotIn("org.postgresql", site.split(" <- ")[0])
        for finding in found:
            self.assertEqual(finding["calls_per_scope"]["median"], 20, finding)


if __name__ == "__main__":
    unittest.main()
