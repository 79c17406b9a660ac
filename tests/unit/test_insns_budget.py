# SPDX-License-Identifier: GPL-2.0-only
"""test_insns_budget.py - scripts/insns.sh keeps programs within scripts/insns.budget; the verifier's table is made up."""

import os
import re
import subprocess
import tempfile
import unittest

TOP = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../..")
TABLE = """\
program          section                             verified of limit       time
sk_send          tp_btf/sock_send_length      %8d  47.87 %%  2084.0 ms
sq_step          uprobe                          75292   7.53 %%   437.2 ms
sq_step_ret      uretprobe                        3747   0.37 %%    11.4 ms
probe_preempt    tp_btf/sock_send_length            not for this kernel
3 fit, 0 above 50 %%, 0 refused, 1 not on this kernel
"""


class Budget(unittest.TestCase):
    def setUp(self):
        tmp = tempfile.TemporaryDirectory()
        self.addCleanup(tmp.cleanup)
        self.dir = tmp.name
        self.budget = os.path.join(self.dir, "budget")
        open(os.path.join(self.dir, "sonde.bpf.o"), "w").close()
        self.table(478000)
        self.assertEqual(self.insns("-w")[0], 0)

    def table(self, sk_send, change=lambda text: text):
        """What the tool will print."""
        tool = os.path.join(self.dir, "insns")
        with open(tool, "w") as file:
            file.write("#!/bin/sh\ncat <<'end'\n" + change(TABLE % sk_send) + "end\n")
        os.chmod(tool, 0o755)
        end = 2 ** 31  # newer than its source, so that it is not built
        os.utime(tool, (end, end))

    def insns(self, *args):
        done = subprocess.run([os.path.join(TOP, "scripts/insns.sh"), "-B", self.budget, *args], stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, text=True, env=dict(os.environ, O=self.dir))
        return done.returncode, done.stdout

    def edit(self, pattern, to):
        with open(self.budget) as file:
            text = file.read()
        with open(self.budget, "w") as file:
            file.write(re.sub(pattern, to, text))

    def assert_fails(self, what):
        code, output = self.insns()
        self.assertEqual(code, 1, output)
        self.assertIn(what, output)
        self.assertIn("scripts/insns.sh -w", output)

    def test_written_budget_has_headroom(self):
        with open(self.budget) as file:
            numbers = dict(re.findall(r"^([a-z_]+) +(\d+)$", file.read(), re.M))
        self.assertEqual(numbers, {"sk_send": "492400", "sq_step": "77600", "sq_step_ret": "4000"})
        self.assertEqual(self.insns()[0], 0)
        self.table(492400)
        self.assertEqual(self.insns()[0], 0)

    def test_over_budget(self):
        self.table(492401)
        self.assert_fails("sk_send walks 492401 instructions, 1 more than its budget of 492400")

    def test_program_without_budget(self):
        self.table(478000, lambda text: text.replace("sq_step ", "sq_new  "))
        self.assert_fails("sq_new walks 75292 instructions and has no budget")

    def test_budget_without_program(self):
        self.edit(r"$", "gone 100\n")
        self.assert_fails("gone has a budget, but there is no such program")

    def test_no_budget(self):
        os.unlink(self.budget)
        self.assertEqual(self.insns()[0], 1)

    def test_other_kernel(self):
        """The limit alone holds, and that is said."""
        self.table(492401)
        self.edit(r"Linux [\d.]+", "Linux 4.4")
        code, output = self.insns()
        self.assertEqual(code, 0, output)
        self.assertIn("budget not checked: it is for", output)


if __name__ == "__main__":
    unittest.main()
