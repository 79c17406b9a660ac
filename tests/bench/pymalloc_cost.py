# SPDX-License-Identifier: GPL-2.0-only
"""pymalloc_cost.py - what `sonde alloc --pymalloc` costs programs in Python: idle, and sampled.

usage: pymalloc_cost.py [-t] [ROUNDS]     (default: 10, 5 minutes; -t: tracemalloc, too, 20 minutes; PYTHON: the interpreter)

Small programs that do little but make objects of up to 512 bytes, or what programs do. Rounds are interleaved, each with the order
of ways turned round; printed is the median of the ratios of processor time within a round to that without anything, and the range of
that median (95 %, by resampling). Of what is sampled sonde's own time is left out: it is a process of its own. Needs root.
"""

import os
import random
import statistics
import subprocess
import sys
import tempfile

import cost

SONDE = os.path.join(cost.pg.O, "sonde")
SHIM = os.path.join(cost.pg.O, "libsonde-alloc.so")
PYTHON = os.environ.get("PYTHON", "/usr/bin/python3")

HEAD = "import time, os\nbegun = time.process_time()\n"
TAIL = "\nprint(time.process_time() - begun, flush=True)\n"
PROGRAMS = {
    "strings": "for i in range(8000000): str(i) + 'x'",
    "objects": ("class Node:\n"
                "    __slots__ = ('left', 'right')\n"
                "    def __init__(self, left, right): self.left, self.right = left, right\n"
                "def tree(n): return Node(tree(n - 1), tree(n - 1)) if n else Node(None, None)\n"
                "for _ in range(18): tree(16)"),
    "dicts": "for i in range(1200000): {'id': i, 'name': 'n%d' % i, 'tags': [i, i + 1], 'of': (i, 'x')}",
    "json": ("import json\n"
             "text = json.dumps([{'id': i, 'name': 'name %d' % i, 'price': i * 1.5, 'tags': ['a', 'b', str(i)]} for i in range(2000)])\n"
             "for _ in range(120): json.dumps(json.loads(text))"),
    "words": ("import re, collections\n"
              "text = ' '.join('word%d' % (i * 7919 % 5003) for i in range(100000))\n"
              "for _ in range(24): collections.Counter(w.upper() for w in re.findall(r'\\w+', text)).most_common(10)"),
    "floats": ("x = 0.5\n"
               "for i in range(10000000): x = 3.9 * x * (1 - x)"),
}


def seconds_of(program, way):
    code = HEAD + PROGRAMS[program] + TAIL
    env = dict(os.environ, PYTHONDONTWRITEBYTECODE="1")
    before = []
    with tempfile.NamedTemporaryFile() as report:
        if way == "sampled":
            before = [SONDE, "alloc", "--pymalloc", "--output", report.name, "--"]
        elif way == "library":
            env.update(LD_PRELOAD=SHIM)
        elif way == "idle":
            env.update(LD_PRELOAD=SHIM, SONDE_ALLOC_PYTHON="1")
        elif way == "PYTHONMALLOC":
            env.update(PYTHONMALLOC="malloc")
        elif way == "tracemalloc":
            before = ["env", "PYTHONTRACEMALLOC=1"]
        out = subprocess.run([*before, PYTHON, "-c", code], env=env, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, check=True)
    return float(out.stdout.split()[0])


WAYS = {
    "library": "library preloaded, idle",
    "idle": "--pymalloc, nobody listens",
    "sampled": "sonde alloc --pymalloc",
    "PYTHONMALLOC": "PYTHONMALLOC=malloc",
    "tracemalloc": "tracemalloc, one frame",
}


def interval(ratios):
    medians = sorted(statistics.median(random.choices(ratios, k=len(ratios))) for _ in range(2000))
    return medians[49], medians[1949]


def main():
    args = [arg for arg in sys.argv[1:] if arg != "-t"]
    rounds = int(args[0]) if args else 10
    if "-t" not in sys.argv:
        del WAYS["tracemalloc"]
    ratios = {(program, way): [] for program in PROGRAMS for way in WAYS}
    for number in range(rounds):
        for program in PROGRAMS:
            order = ["alone", *WAYS]
            found = {way: seconds_of(program, way) for way in (order if number % 2 else reversed(order))}
            for way in WAYS:
                ratios[program, way].append(found[way] / found["alone"])
    print("%-28s" % "" + "".join("%20s" % program for program in PROGRAMS) + "%20s" % "all")
    for way, text in WAYS.items():
        line = "%-28s" % text
        for of in [*([program] for program in PROGRAMS), list(PROGRAMS)]:
            # Of all programs: the geometric mean, a round each.
            all_of = [statistics.geometric_mean(ratios[program, way][i] for program in of) for i in range(rounds)]
            line += "%20s" % ("%+.1f%% (%+.1f..%+.1f)" % tuple(100 * (x - 1) for x in (statistics.median(all_of), *interval(all_of))))
        print(line)


if __name__ == "__main__":
    main()
