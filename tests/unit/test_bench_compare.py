# SPDX-License-Identifier: GPL-2.0-only
"""test_bench_compare.py - scripts/bench-compare finds what got slower, and takes noise for noise."""

import copy
import importlib.machinery
import importlib.util
import json
import os
import random
import subprocess
import tempfile
import unittest

COMPARE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../scripts/bench-compare")


def compare_module():
    """The script as a module: a process for each comparison would take a minute."""
    loader = importlib.machinery.SourceFileLoader("bench_compare", COMPARE)
    module = importlib.util.module_from_spec(importlib.util.spec_from_loader("bench_compare", loader))
    loader.exec_module(module)
    return module


def values(rng, middle, spread, runs):
    return [middle * (1 + rng.gauss(0, spread)) for _ in range(runs)]


def result(seed, runs=5, kept=0.9, ns=1500, attached=3000, spread=0.02, right=1000, insns=500000):
    rng = random.Random(seed)
    return {"schema": "sonde-bench/1", "kernel": "6.18", "machine": "x86_64", "cpus": 2, "pinned": True,
            "rows": [{"load": "a", "observer": "untraced", "ratio": []},
                     {"load": "a", "observer": "sonde db", "ratio": values(rng, kept, spread, 2 * runs), "statements_sent": 1000, "statements_right": right}],
            "probes": [{"load": "a", "program": name, "ns_per_operation": values(rng, ns / 2, spread, runs)} for name in ("sk_send", "sk_recv")],
            "starts": [{"load": "a", "attached_ms": values(rng, attached, spread, runs), "rss_bytes": [20 << 20] * runs,
                        "maps_bytes": [8 << 20] * runs, "verified_instructions": insns}]}


class BenchCompare(unittest.TestCase):
    def compare(self, old, new, *args):
        """(exit code, output)"""
        with tempfile.TemporaryDirectory() as tmp:
            paths = [os.path.join(tmp, name) for name in ("old.json", "new.json")]
            for path, document in zip(paths, (old, new)):
                with open(path, "w") as file:
                    file.write(document if isinstance(document, str) else json.dumps(document))
            done = subprocess.run([COMPARE, *args, *paths], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        return done.returncode, done.stdout

    def assert_regression(self, new, what):
        code, output = self.compare(result(1), new)
        self.assertEqual(code, 5, output)
        self.assertRegex(output, what + r".*REGRESSION")
        self.assertEqual(output.count("REGRESSION"), 1, output)

    def test_true_regressions(self):
        self.assert_regression(result(2, kept=0.8), "throughput kept")
        self.assert_regression(result(2, ns=1700), "ns of programs")
        self.assert_regression(result(2, attached=3600), "ms until attached")
        self.assert_regression(result(2, insns=530000), "verified instructions")
        self.assert_regression(result(2, right=999), "statements told right")

    def test_improvement_is_none(self):
        code, output = self.compare(result(1), result(2, kept=0.99, ns=1000))
        self.assertEqual(code, 0, output)
        self.assertEqual(output.count("better"), 2, output)

    def test_same_is_same(self):
        code, output = self.compare(result(1), result(1))
        self.assertEqual(code, 0, output)
        self.assertIn("0 regressions", output)
        self.assertEqual(self.compare(result(1), result(1), "-a")[1].count(": same"), 7)

    def test_noise_is_none(self):
        """A hundred pairs of results that differ by nothing but noise, up to 15 %: at most the few that 99 % allows."""
        module = compare_module()
        failed = 0
        for i in range(100):
            spread = (0.02, 0.05, 0.1, 0.15)[i % 4]
            old, new = (result(2 * i + j, spread=spread) for j in range(2))
            failed += any(c.verdict(5) == "REGRESSION" for c in module.comparisons(old, new, 0.99))
        self.assertLessEqual(failed, 5)

    def test_one_bad_run_is_none(self):
        new = result(2)
        new["rows"][1]["ratio"][3] = 0.3
        new["probes"][0]["ns_per_operation"][0] *= 5
        code, output = self.compare(result(1), new)
        self.assertEqual(code, 0, output)

    def test_small_change_is_none(self):
        code, output = self.compare(result(1, spread=0.001), result(2, ns=1530, spread=0.001))
        self.assertEqual(code, 0, output)

    def test_doubt_is_said(self):
        old, new = result(1), result(2)
        old["starts"][0]["attached_ms"] = [100, 101, 150, 99, 160]
        new["starts"][0]["attached_ms"] = [120, 125, 160, 170, 102]
        code, output = self.compare(old, new)
        self.assertEqual(code, 0, output)
        self.assertRegex(output, "ms until attached.*in doubt")

    def test_too_few_runs(self):
        old, new = result(1, runs=1), result(2, runs=1, ns=3000)
        code, output = self.compare(old, new)
        self.assertRegex(output, "ns of programs.*too few runs")
        self.assertEqual(code, 0, output)  # what does not vary is still compared

    def test_bound_and_confidence(self):
        new = result(2, ns=1620, spread=0.001)
        self.assertEqual(self.compare(result(1, spread=0.001), new)[0], 5)
        self.assertEqual(self.compare(result(1, spread=0.001), new, "-b", "10")[0], 0)
        self.assertIn("too few runs", self.compare(result(1), new, "-c", "99.99")[1])
        self.assertEqual(self.compare(result(1), new, "-c", "100")[0], 2)

    def test_bad_input(self):
        self.assertEqual(self.compare("", "{}")[0], 1)
        self.assertEqual(self.compare("[]", "{}")[0], 1)
        other = copy.deepcopy(result(1))
        other["rows"], other["probes"], other["starts"] = [], [], []
        self.assertEqual(self.compare(result(1), other)[0], 1)


if __name__ == "__main__":
    unittest.main()
