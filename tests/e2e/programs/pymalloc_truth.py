# SPDX-License-Identifier: GPL-2.0-only
"""pymalloc_truth.py - a Python program that says what it has allocated, for tests of `sonde alloc --pymalloc`.

usage: pymalloc_truth.py all|leak [SECONDS]

all	prints "function line bytes live_bytes" lines: what was allocated at a line, by sys.getsizeof(), and what of it lives
	(bytes -1: not known); it frees nothing on its way out
leak	200 KB/s are lost, among 40,000 objects a second that are not
"""

import os
import sys
import time

NR = 200000


class Node:
    __slots__ = ("left", "right")


def line():
    return sys._getframe(1).f_lineno


# Slots that are there before: nothing but what is meant is allocated at the lines that are.
def truth_small(slots):
    for slot in slots:
        slot[0] = bytes(100)
    at = line() - 1
    for slot in slots[::2]:
        slot[0] = None
    return at, NR * sys.getsizeof(bytes(100)), NR // 2 * sys.getsizeof(bytes(100))


def truth_object(slots):
    for slot in slots:
        slot[0] = Node()
    return line() - 1, NR * sys.getsizeof(Node()), NR * sys.getsizeof(Node())


def truth_freed(slots):
    for slot in slots:
        slot[0] = bytes(60)
    at = line() - 1
    for slot in slots:
        slot[0] = None
    return at, NR * sys.getsizeof(bytes(60)), 0


def truth_big(slots):
    for slot in slots[:NR // 20]:
        slot[0] = bytes(4000)
    return line() - 1, NR // 20 * sys.getsizeof(bytes(4000)), NR // 20 * sys.getsizeof(bytes(4000))


def truth_grown(slots):
    """Lists that grow beyond what lies in arenas: their places move."""
    for slot in slots[:NR // 20]:
        grown = slot[0] = []
        for other in slots[:80]:
            grown.append(other)
    return line() - 1, -1, NR // 20 * (sys.getsizeof(grown) - sys.getsizeof([]))


def lose(lost):
    lost.append(bytes(167))  # lost: 200 bytes


def leak(seconds):
    lost, done, churned, now, begun = [], 0, 0, 0, time.monotonic()
    while now < seconds:
        while done < 1000 * now:
            lose(lost)
            done += 1
        churned = max(churned, int(40000 * now) - 4000)
        while churned < 40000 * now:
            str(churned) * 2
            churned += 1
        time.sleep(0.005)
        now = time.monotonic() - begun


if sys.argv[1] == "leak":
    leak(float(sys.argv[2]))
else:
    kept = []
    for function in (truth_small, truth_object, truth_freed, truth_big, truth_grown):
        kept.append([[None] for _ in range(NR)])  # slots
        print(function.__name__, *function(kept[-1]), flush=True)
    os._exit(0)
