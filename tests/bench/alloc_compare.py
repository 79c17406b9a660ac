# SPDX-License-Identifier: GPL-2.0-only
"""alloc_compare.py - what `sonde alloc` and other tools say of a program that tells itself what it has allocated, and where.

usage: alloc_compare.py [-m] [TOOL...]     (-m: a table in Markdown; TOOL: part of a tool's name, default: all)

The program (tests/e2e/programs/alloc_truth.c) makes two million small objects that go at once, keeps some, frees every second of
others, and so on; six functions in all. A row a tool: how far its numbers are from the truth, the worst of the functions; how many of
them it names; what it says lives elsewhere; processor time of the program and of a tool that starts it, and what the run took: of a tool
that is attached, the program alone. For costs see alloc_cost.py: here loading counts. Needs root. Some take a minute.
"""

import bisect
import glob
import json
import math
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time

import beside

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
OUT = os.path.abspath(os.environ.get("O", os.path.join(TOP, "build")))
SONDE = os.path.abspath(os.environ.get("SONDE", os.path.join(OUT, "sonde")))
PROGRAM = os.path.join(OUT, "tests/e2e/programs/alloc_truth")
RATE = 524288


class Missing(Exception):
    """A tool that is not there, in words."""


def library(name):
    found = sorted(glob.glob("/usr/lib/*/" + name))
    if not found:
        raise Missing(name + " is not installed")
    return found[0]


def command(name, package):
    path = shutil.which(name)
    if not path:
        raise Missing("not installed: " + package)
    return path


class Run:
    """A finished run: what was printed, processor and wall-clock seconds of all that belongs to it."""

    def __init__(self, argv, env=None, cwd=None):
        begun = time.monotonic()
        with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
            with subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=out, stderr=err, cwd=cwd,
                                  env=dict(os.environ, **(env or {}))) as proc:
                _, status, usage = os.wait4(proc.pid, 0)
                proc.returncode = os.waitstatus_to_exitcode(status)
            self.wall = time.monotonic() - begun
            self.cpu = usage.ru_utime + usage.ru_stime
            out.seek(0)
            err.seek(0)
            self.out, self.err = out.read().decode(errors="replace"), err.read().decode(errors="replace")
        self.code = proc.returncode


class Attached:
    """The program, a tool that watches it from @start(pid) on, @stop() of that when the program has done all and holds what is left."""

    def __init__(self, start, stop):
        with subprocess.Popen([PROGRAM, "attach"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as proc:
            assert proc.stdout.readline() == "ready\n"
            tool = start(proc.pid)
            begun = time.monotonic()
            proc.stdin.write("go\n")
            proc.stdin.flush()
            self.out = ""
            for line in proc.stdout:
                if line == "done\n":
                    break
                self.out += line
            self.wall = time.monotonic() - begun
            self.told = stop(tool)
            proc.stdin.close()
            _, status, usage = os.wait4(proc.pid, 0)
            proc.returncode = os.waitstatus_to_exitcode(status)
            self.cpu = usage.ru_utime + usage.ru_stime


def truth_of(out):
    lines = re.findall(r"^(truth_\w+) (\d+) (\d+) (\d+) (\d+)$", out, re.M)
    return {name: dict(zip(("bytes", "objects", "live", "live_objects"), map(int, numbers))) for name, *numbers in lines}


class Sums(dict):
    """{function: {what: sum}}"""

    def count(self, function, **what):
        into = self.setdefault(function, {})
        for key, value in what.items():
            into[key] = into.get(key, 0) + value


# ---- the tools: each returns a run and its sums; what is not in these the tool does not tell ----


def from_sonde(document):
    sums = Sums()
    for row in document["allocations"]:
        sums.count(row.get("function", "?"), bytes=row["alloc_bytes"], objects=row["alloc_objects"], live=row["live_bytes"],
                   live_objects=row["live_objects"])
    return sums


def sampled(where, *args):
    report = os.path.join(where, "report.json")
    run = Run([SONDE, "alloc", "-o", "json", "--output", report, *args, "--", PROGRAM, "all"])
    with open(report) as file:
        return run, from_sonde(json.load(file))


def sampled_64k(where):
    return sampled(where, "--rate", "64k")


def exact(where):
    report = os.path.join(where, "report.json")

    def start(pid):
        sonde = subprocess.Popen([SONDE, "alloc", "--exact", "--budget", "100000", "-v", "-o", "json", "--output", report, "-p", str(pid)],
                                 stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        while not sonde.stderr.readline().endswith("tracing\n"):
            pass
        return sonde

    def stop(sonde):
        sonde.send_signal(signal.SIGINT)
        sonde.communicate()

    run = Attached(start, stop)
    with open(report) as file:
        return run, from_sonde(json.load(file))


def memleak(where):
    said = os.path.join(where, "said")

    def start(pid):
        command, ready = beside.memleak(pid, "-T", "1000", "2")
        with open(said, "w") as out:
            tool = subprocess.Popen(command, stdout=out, stderr=out, stdin=subprocess.DEVNULL, env=dict(os.environ, PATH=beside.PATH))
        begin = time.monotonic()
        while time.monotonic() - begin < (ready if isinstance(ready, int) else beside.READY_SECONDS) and str(ready) not in open(said).read():
            if tool.poll() is not None:
                raise Missing("memleak: " + (open(said).read().strip().splitlines() or ["says nothing"])[-1])
            time.sleep(0.05)
        return tool

    def stop(tool):
        time.sleep(5)
        tool.send_signal(signal.SIGINT)
        tool.wait()
        with open(said) as file:
            return file.read()

    try:
        run = Attached(start, stop)
    except FileNotFoundError as why:
        raise Missing("not installed: %s" % why.filename) from why
    sums = Sums()
    reports = re.split(r"^\[\d\d?:\d\d:\d\d\] Top .*$", run.told, flags=re.M)
    last = [report for report in reports if "bytes in" in report][-1:] or [""]
    for size, number, stack in re.findall(r"^\t?(\d+) bytes in (\d+) allocations from stack\n((?:\t.*\n)*)", last[0], re.M):
        names = re.findall(r"^\t+(?:\d+ \[<[0-9a-f]+>\] |0x[0-9a-f]+\t)?([\w\[\]]+)", stack, re.M)
        sums.count(next((n for n in names if n.startswith("truth_")), names[0] if names else "?"), live=int(size), live_objects=int(number))
    return run, sums


def heaptrack(where):
    prefix = os.path.join(where, "h")
    run = Run([command("heaptrack", "heaptrack"), "-o", prefix, PROGRAM, "all"])
    sums, recorded = Sums(), glob.glob(prefix + ".*")
    if not recorded:
        raise Missing("recorded nothing: " + run.err[-200:])
    for cost, what in (("leaked", "live"), ("allocations", "objects")):
        folded = os.path.join(where, cost)
        subprocess.run(["heaptrack_print", "-f", recorded[0], "-p", "0", "-a", "0", "-T", "0", "-F", folded, "--flamegraph-cost-type", cost],
                       stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=True)
        with open(folded) as file:
            for stack, value in re.findall(r"^(.*);? (\d+)$", file.read(), re.M):
                sums.count(next((f for f in re.findall(r"\w+", stack) if f.startswith("truth_")), "?"), **{what: int(value)})
    return run, sums


def massif(where):
    out = os.path.join(where, "massif")
    run = Run([command("valgrind", "valgrind"), "--tool=massif", "--massif-out-file=" + out, "--detailed-freq=1", "--threshold=0", PROGRAM,
               "all"])
    sums = Sums()
    with open(out) as file:
        last = file.read().split("heap_tree=")[-1]
    for size, function in re.findall(r"^ n\d+: (\d+) 0x[0-9A-F]+: (\w+)", last, re.M):
        sums.count(function, live=int(size))
    return run, sums


def memcheck(_where):
    run = Run([command("valgrind", "valgrind"), "--leak-check=full", "--show-leak-kinds=all", PROGRAM, "all"])
    sums = Sums()
    for size, number, stack in re.findall(r"== ([\d,]+)(?: \([^)]*\))? bytes in ([\d,]+) blocks are .*\n((?:==\d+==  +(?:at|by) .*\n)*)", run.err):
        function = re.search(r": (truth_\w+) ", stack)
        sums.count(function[1] if function else "?", live=int(size.replace(",", "")), live_objects=int(number.replace(",", "")))
    return run, sums


def symbols(path, mapped):
    """A function from addresses of @path, which is mapped at @mapped, to names."""
    text = subprocess.run(["nm", "-n", "--defined-only", path], capture_output=True, text=True, check=True).stdout
    table = [(int(at, 16), name) for at, name in re.findall(r"^([0-9a-f]+) [tTwW] (\S+)$", text, re.M)]
    starts = [at for at, _ in table]

    def name_of(address):
        at = bisect.bisect(starts, address - mapped) - 1
        return table[at][1] if at >= 0 else "?"

    return name_of


def jemalloc(where):
    """Its samples as they are, and what jeprof makes of them: divided by the chance of being sampled, by mean size."""
    run = Run([PROGRAM, "all"], {"LD_PRELOAD": library("libjemalloc.so.2"),
                                 "MALLOC_CONF": "prof:true,prof_final:true,prof_accum:true,prof_prefix:" + os.path.join(where, "j")})
    found = glob.glob(os.path.join(where, "j.*.heap"))
    if not found:
        raise Missing("built without its profiler" if "Invalid conf" in run.err else "wrote no profile")
    with open(found[0]) as file:
        text = file.read()
    rate = int(re.match(r"heap_v2/(\d+)", text)[1])
    mapped = [(int(a, 16), int(b, 16)) for a, b in re.findall(r"^([0-9a-f]+)-([0-9a-f]+) .*%s$" % re.escape(PROGRAM), text, re.M)]
    base, end = min(a for a, _ in mapped), max(b for _, b in mapped)
    name_of, sums = symbols(PROGRAM, base), Sums()

    def all_of(number, size):
        number, size = int(number), int(size)
        share = 1 - math.exp(-size / number / rate) if number else 1
        return number / share, size / share

    for stack, numbers in re.findall(r"^@ (.*)\n  t\*: (.*)$", text, re.M):
        names = [name_of(int(a, 16) - 1) for a in stack.split() if base <= int(a, 16) < end]
        live_objects, live, objects, size = re.match(r"(\d+): (\d+) \[(\d+): (\d+)\]", numbers).groups()
        (live_objects, live), (objects, size) = all_of(live_objects, live), all_of(objects, size)
        sums.count(next((n for n in names if n.startswith("truth_")), "?"), bytes=size, objects=objects, live=live,
                   live_objects=live_objects)
    return run, sums


def tcmalloc(where):
    pprof = command("google-pprof", "google-perftools")
    run = Run([PROGRAM, "all"], {"LD_PRELOAD": library("libtcmalloc.so.4"), "HEAPPROFILE": os.path.join(where, "t")})
    sums = Sums()
    last = sorted(glob.glob(os.path.join(where, "t.*.heap")))[-1]
    for option, what in (("alloc_space", "bytes"), ("alloc_objects", "objects"), ("inuse_space", "live"), ("inuse_objects", "live_objects")):
        text = subprocess.run([pprof, "--text", "--show_bytes", "--" + option, PROGRAM, last], capture_output=True, text=True, check=True).stdout
        for value, function in re.findall(r"^ *(\d+) +[\d.]+% +[\d.]+% +\d+ +[\d.]+% (\w+)", text, re.M):
            sums.count(function, **{what: int(value)})
    return run, sums


def alone(_where):
    run = Run([PROGRAM, "all"])
    return run, truth_of(run.out)


TOOLS = {
    "the program itself": alone,
    "sonde alloc -- PROGRAM": sampled,
    "sonde alloc --rate 64k -- PROGRAM": sampled_64k,
    "sonde alloc --exact -p PID": exact,
    "memleak (bcc) -p PID": memleak,
    "heaptrack": heaptrack,
    "valgrind --tool=massif": massif,
    "valgrind (memcheck)": memcheck,
    "jemalloc, prof:true (512 KiB)": jemalloc,
    "tcmalloc, HEAPPROFILE": tcmalloc,
}


def worst(sums, truth, what):
    """How far the worst function's sum is off, in percent; None: the tool does not tell."""
    if not any(what in of for of in sums.values()):
        return None
    return max(100 * abs(sums.get(f, {}).get(what, 0) - t[what]) / t[what] for f, t in truth.items() if t[what])


def row_of(tool, where):
    run, sums = tool(where)
    truth = truth_of(run.out + getattr(run, "err", ""))
    shown = ["-" if (off := worst(sums, truth, what)) is None else "%.1f %%" % off for what in ("bytes", "objects", "live", "live_objects")]
    ghosts = sum(of.get("live", 0) for f, of in sums.items() if not truth.get(f, {}).get("live"))
    named = sum(f in sums for f in truth)
    return [*shown, "%d of %d" % (named, len(truth)), "%.1f %%" % (100 * ghosts / sum(t["live"] for t in truth.values())),
            "%.2f s" % run.cpu, "%.2f s" % run.wall]


def main():
    markdown = "-m" in sys.argv[1:]
    asked = [a for a in sys.argv[1:] if a != "-m"]
    heads = ["tool", "allocated bytes off by", "objects", "live bytes", "live objects", "functions", "live elsewhere", "CPU", "time"]
    rows = []
    for name, tool in TOOLS.items():
        if asked and not any(a in name for a in asked):
            continue
        with tempfile.TemporaryDirectory(dir=OUT) as where:
            try:
                rows.append([name, *row_of(tool, where)])
            except Missing as why:
                rows.append([name, str(why)])
    if markdown:
        print("| " + " | ".join(heads) + " |\n|" + "---|" * len(heads))
        for row in rows:
            print("| " + " | ".join(row + [""] * (len(heads) - len(row))) + " |")
        return
    widths = [max(len(row[i]) for row in [heads, *rows] if len(row) > 2 or not i) for i in range(len(heads))]
    for row in [heads, *rows]:
        print("  ".join(cell.ljust(widths[i]) if not i else cell.rjust(widths[i]) if len(row) > 2 else cell for i, cell in enumerate(row)))


if __name__ == "__main__":
    main()
