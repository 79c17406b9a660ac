# SPDX-License-Identifier: GPL-2.0-only
"""churn.py - makes garbage and collects it; prints what gc.callbacks tell: a list of [generation, nanoseconds, collected].

With an argument it waits for a line of input before it begins."""

import gc

gc.disable()  # what follows makes garbage, too

import json  # noqa: E402
import os  # noqa: E402
import sys  # noqa: E402
import time  # noqa: E402

seen = []
begun = 0


def watch(phase, info):
    global begun
    if phase == "start":
        begun = time.perf_counter_ns()
    else:
        took = time.perf_counter_ns() - begun
        seen.append([info["generation"], took, info["collected"]])


def rings(count):
    for _ in range(count):
        ring = []
        ring.append(ring)


kept = [[number] for number in range(150000)]
if len(sys.argv) > 1:
    print("ready", flush=True)
    sys.stdin.readline()
gc.callbacks.append(watch)
for turn in range(40):
    rings(12000)
    gc.collect(0 if turn % 4 else 1 if turn % 8 else 2)
    time.sleep(0.002)
gc.callbacks.clear()
print(json.dumps(seen), flush=True)
if len(sys.argv) > 1:
    sys.stdin.readline()
os._exit(0)  # an orderly end would collect once more
