# SPDX-License-Identifier: GPL-2.0-only
"""clocks.py - sonde's durations against those that clients measured themselves, on machines that do other work, too.

A client's clock runs from before its first system call to after its last, so of every statement it contains sonde's
duration: that one is never longer, however busy the machine is. How much shorter it is, is the client's own work and the
time that the client had to wait for a processor with its clock running. The former is what a test allows for. Against the
latter client and server run before all ordinary processes where the kernel grants that, and what is too far apart is
measured again: each percentile has to be met once. A sonde that is wrong is wrong every time."""

import contextlib
import math
import os
import subprocess

BUCKET = 2 ** (1 / 8) - 1  # a histogram bucket's width
SLACK_NS = 20000
ATTEMPTS = 6
PERCENTILES = (("p50", 0.50), ("p95", 0.95), ("p99", 0.99))
PRIORITY = os.sched_param(1)


def own_work(ns, width=BUCKET):
    """What a client may add to a duration by its own work; of a short one less, so that half of it is not all of it."""
    return min(width * ns + SLACK_NS, ns / 4 + 5000)


def may_run_first():
    """Whether the kernel grants a process a priority above all ordinary ones."""
    try:
        return subprocess.run(["chrt", "-f", "1", "true"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL).returncode == 0
    except OSError:
        return False


def first(command):
    """The command, so that it runs before all ordinary processes."""
    return ["chrt", "-f", "1", *command] if may_run_first() else list(command)


def threads(pid):
    """All threads of a process and of its children."""
    found = []
    with contextlib.suppress(OSError):
        for tid in os.listdir("/proc/%d/task" % pid):
            found.append(int(tid))
            with open("/proc/%d/task/%s/children" % (pid, tid)) as children:
                for child in children.read().split():
                    found += threads(int(child))
    return found


def schedule(tids, policy, param):
    for tid in tids:
        with contextlib.suppress(OSError):
            os.sched_setscheduler(tid, policy, param)


@contextlib.contextmanager
def undisturbed(*pids, me=False):
    """These processes, their children and what they start meanwhile run before all ordinary ones; with @me this thread,
    too, but not what it starts."""
    for pid in pids:
        schedule(threads(pid), os.SCHED_FIFO, PRIORITY)
    if me:
        schedule([0], os.SCHED_FIFO | os.SCHED_RESET_ON_FORK, PRIORITY)
    try:
        yield
    finally:
        if me:
            schedule([0], os.SCHED_OTHER, os.sched_param(0))
        for pid in pids:
            schedule(threads(pid), os.SCHED_OTHER, os.sched_param(0))


class Agreement:
    """What one attempt after the other has shown."""

    def __init__(self, test):
        self.test = test
        self.met, self.missed = set(), {}

    def below(self, what, ours, theirs, width=BUCKET):
        """@ours can never be longer; @width: of the buckets that they were counted in."""
        self.test.assertLessEqual(ours, theirs * (1 + width) + 1000, what)

    def near(self, what, ours, theirs, slack):
        """@ours must be that near, in one of the attempts."""
        if abs(ours - theirs) <= slack:
            self.met.add(what)
            self.missed.pop(what, None)
        elif what not in self.met:
            self.missed[what] = "%s: sonde %.1f us, the other clock %.1f us" % (what, ours / 1000, theirs / 1000)

    def percentiles(self, what, found, ns, contained=True, shares=PERCENTILES):
        """A report's percentiles against all durations of another clock; @contained: if that one contains ours."""
        ns = sorted(ns)
        for name, share in shares:
            # Neighbours may be far apart, and what lies between them is either's percentile.
            rank = math.ceil(share * len(ns)) - 1
            low, high = ns[max(rank - 1, 0)], ns[min(rank + 1, len(ns) - 1)]
            label, ours = "%s %s" % (what, name), found[name]
            if contained:
                self.below(label, ours, high)
            self.near(label, ours, min(max(ours, low), high), own_work(low))

    def until(self, attempt, attempts=ATTEMPTS):
        """Calls @attempt(number) until everything was near enough."""
        for number in range(attempts):
            attempt(number)
            if not self.missed:
                return
        self.test.fail("; ".join(self.missed.values()))
