# SPDX-License-Identifier: GPL-2.0-only
"""alloc_servers.py - what watching allocations costs programs that people run: redis-server, python3, mariadbd.

usage: alloc_servers.py [-m] [-w WAY,...] [ROUNDS]     (default: 5, 25 minutes; -m: a table in Markdown; WAY: part of a way's name)

Each program does the same work as fast as it can, untraced and with each way of watching it; printed is the median, over the rounds,
of the ratio of its processor time to that of the untraced run of the same round, and the range of that median (95 %, by resampling).
Rounds are interleaved, and every other one goes through the ways backwards. Of sonde's ways it is told, too, what of the program's
time goes to BPF programs, by the kernel's own account: it does not vary with the machine's mood. What a tool that is a process of its own takes besides is
the last column: percent of a processor while redis-server works. Needs root.
"""

import contextlib
import glob
import os
import re
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time

import beside
import cost
from pymalloc_cost import PROGRAMS, PYTHON, interval
from workloads import mariadb, pg

SHIM = os.path.join(pg.O, "libsonde-alloc.so")
REDIS_REQUESTS = 60000  # of each command
SYSBENCH_EVENTS = 1500
PYTHON_CODE = "\n".join(["import time", "input()", "begun = time.process_time_ns()",
                         *(PROGRAMS[name] for name in ("strings", "dicts", "json", "words")),
                         "print(time.process_time_ns() - begun, flush=True)", "input()"])


def cpu_ns(pid):
    """Processor time of a process and all its threads that live (/proc/PID/task/TID/schedstat)."""
    total = 0
    for path in glob.glob("/proc/%d/task/*/schedstat" % pid):
        with contextlib.suppress(OSError), open(path) as file:
            total += int(file.read().split()[0])
    return total


def library(name):
    found = sorted(glob.glob("/usr/lib/*/" + name) + glob.glob("/usr/lib/" + name))
    return found[0] if found else None


class Redis:
    def __init__(self, env):
        self.port = pg.free_port()
        self.proc = subprocess.Popen(["redis-server", "--port", str(self.port), "--bind", "127.0.0.1", "--save", "", "--dir", env["TMPDIR"]],
                                     stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=env)
        self.pid = self.proc.pid
        while not self.listens():  # redis-benchmark would wait for ever
            if self.proc.poll() is not None:
                raise RuntimeError("redis-server does not start")
            time.sleep(0.05)

    def listens(self):
        with socket.socket() as client:
            return client.connect_ex(("127.0.0.1", self.port)) == 0

    def work(self):
        before = cpu_ns(self.pid)
        subprocess.run(["redis-benchmark", "-p", str(self.port), "-q", "-n", str(REDIS_REQUESTS), "-r", "100000", "-d", "256", "-t",
                        "set,get,lpush,lpop"], stdout=subprocess.DEVNULL, stdin=subprocess.DEVNULL, check=True, timeout=120)
        return cpu_ns(self.pid) - before

    def end(self):
        self.proc.kill()
        self.proc.wait()


class Python:
    def __init__(self, env):
        self.proc = subprocess.Popen([PYTHON, "-c", PYTHON_CODE], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=env)
        self.pid = self.proc.pid
        time.sleep(0.2)

    def work(self):
        self.proc.stdin.write("\n")
        self.proc.stdin.flush()
        return int(self.proc.stdout.readline())

    def end(self):
        self.proc.kill()
        self.proc.communicate()


class Maria:
    server = None

    def __init__(self, env):
        if not Maria.server:
            Maria.server = mariadb.Server()
            Maria.server.prepare_sysbench()
        Maria.server.restart(env)
        self.pid = Maria.server.proc.pid

    def work(self):
        # A thread that has ended takes its time with it: the process's own sum has it, in hundredths of a second.
        before = cost.cpu_seconds(self.pid)
        subprocess.run(Maria.server.sysbench("--table-size=1000", "--threads=2", "--time=0", "--events=%d" % SYSBENCH_EVENTS, "--skip_trx=on",
                                             "oltp_read_only", "run"), stdout=subprocess.DEVNULL, check=True)
        return 1e9 * (cost.cpu_seconds(self.pid) - before)

    def end(self):
        pass


SUBJECTS = {"redis-server": Redis, "python3": Python, "mariadbd": Maria}


@contextlib.contextmanager
def nothing(_):
    yield None


def sonde(*args):
    @contextlib.contextmanager
    def watch(pid):
        # This process, too, so that sonde is still there when the work is done.
        with pg.Sonde(*args, "-p", str(pid), command="alloc") as run:
            yield run.pid
            run.proc.send_signal(signal.SIGINT)
            run.proc.communicate()
    return watch


@contextlib.contextmanager
def memleak(pid):
    with open("/proc/%d/maps" % pid) as file:
        jemalloc = re.search(r"/\S*libjemalloc\S*", file.read())
    with beside.tool(*beside.memleak(pid, *(["-O", jemalloc[0]] if jemalloc else []), "3600")) as proc:
        yield proc.pid


@contextlib.contextmanager
def bpftrace(pid):
    """What memleak does, in bpftrace, which needs no headers: size and stack of each object that lives."""
    with open("/proc/%d/maps" % pid) as file:
        maps = file.read()
    where = (re.search(r"/\S*libjemalloc\S*", maps) or re.search(r"/\S*/libc\.so\S*", maps))[0]
    program = ("uprobe:%s:malloc /pid == %d/ { @size[tid] = arg0; } "
               "uretprobe:%s:malloc /pid == %d && @size[tid]/ { @live[retval] = (@size[tid], ustack()); delete(@size[tid]); } "
               "uprobe:%s:free /pid == %d/ { delete(@live[arg0]); } END { clear(@size); clear(@live); }" %
               (where, pid, where, pid, where, pid))
    with beside.tool(*beside.bpftrace(program)) as proc:
        yield proc.pid


def ways(where):
    """{name: (environment of the program, or None: cannot be had, what watches it once it runs)}"""
    def preload(name, **env):
        found = library(name)
        return None if not found else {"LD_PRELOAD": found, **env}
    return {
        "untraced": ({}, nothing),
        "`sonde alloc --growth -p PID`": ({}, sonde("--growth")),
        "library preloaded, nobody listens": ({"LD_PRELOAD": SHIM}, nothing),
        "`sonde alloc --sampled` (512 KiB)": ({"LD_PRELOAD": SHIM, "SONDE_ALLOC_RATE": "524288"}, sonde("--sampled")),
        "`sonde alloc --exact -p PID`": ({}, sonde("--exact", "--budget", "100000")),
        "memleak (bcc)": ({}, memleak),
        "the same in bpftrace": ({}, bpftrace),
        "heaptrack": (preload("heaptrack/libheaptrack_preload.so", DUMP_HEAPTRACK_OUTPUT=os.path.join(where, "heaptrack")), nothing),
        "jemalloc": (preload("libjemalloc.so.2"), nothing),
        "jemalloc, prof:true": (preload("libjemalloc.so.2", MALLOC_CONF="prof:true,prof_prefix:%s/j" % where), nothing),
        "tcmalloc": (preload("libtcmalloc.so.4"), nothing),
        "tcmalloc, samples 512 KiB": (preload("libtcmalloc.so.4", TCMALLOC_SAMPLE_PARAMETER="524288"), nothing),
        "tcmalloc, HEAPPROFILE": (preload("libtcmalloc.so.4", HEAPPROFILE=where + "/t"), nothing),
    }


def once(make, env, watch, where):
    """(processor time of the program's work, percent of a processor of the tool)"""
    subject = make(dict(os.environ, TMPDIR=where, **env))
    try:
        with watch(subject.pid) as tool:
            before, begin = cost.cpu_seconds(tool) if tool else 0, time.monotonic()
            took = subject.work()
            own = 100 * ((cost.cpu_seconds(tool) if tool else 0) - before) / (time.monotonic() - begin)
            return took, own
    finally:
        subject.end()


def of_bpf(make, env, watch, where):
    """The share of the program's processor time that is spent in sonde's BPF programs: noise does not blur it (kernel.bpf_stats_enabled)."""
    subject = make(dict(os.environ, TMPDIR=where, **env))
    try:
        with watch(subject.pid) as tool:
            before = cost.bpf_stats(tool)
            took = subject.work()
            after = cost.bpf_stats(tool)
        return sum(ns - before.get(name, (0, 0))[1] for name, (_, ns) in after.items()) / took
    finally:
        subject.end()


def shares(todo, where):
    """{(way, subject): share}, of those ways that are sonde's and attach themselves, in a round of its own: statistics cost, too"""
    with open(cost.STATS) as file:
        was = file.read()
    found = {}
    try:
        with open(cost.STATS, "w") as file:
            file.write("1")
        for name, (env, watch) in todo.items():
            for subject, make in SUBJECTS.items():
                if name.startswith("`sonde"):
                    found[name, subject] = statistics.median(of_bpf(make, env, watch, where) for _ in range(3))
    finally:
        with open(cost.STATS, "w") as file:
            file.write(was)
    return found


def main():
    args = sys.argv[1:]
    markdown = "-m" in args
    args = [arg for arg in args if arg != "-m"]
    wanted = None
    if "-w" in args:
        wanted = args.pop(args.index("-w") + 1).split(",")
        args.remove("-w")
    rounds = int(args[0]) if args else 5
    with tempfile.TemporaryDirectory() as where:
        os.chmod(where, 0o777)
        with open(os.path.join(where, "heaptrack"), "w", encoding="ascii") as file:
            os.fchmod(file.fileno(), 0o666)  # mariadbd is another user
        todo = {name: way for name, way in ways(where).items() if name == "untraced" or not wanted or any(part in name for part in wanted)}
        ratios, own, failed = {}, {}, {}
        for number in range(rounds):
            for subject, make in SUBJECTS.items():
                found = {}
                for name in list(todo) if number % 2 else list(reversed(todo)):
                    env, watch = todo[name]
                    if env is None:
                        failed[name, subject] = "not installed"
                        continue
                    try:
                        found[name], percent = once(make, env, watch, where)
                        if subject == "redis-server":
                            own.setdefault(name, []).append(percent)
                    except (beside.Failed, AssertionError, RuntimeError) as error:
                        failed[name, subject] = str(error).strip().splitlines()[-1]
                for name, took in found.items():
                    ratios.setdefault((name, subject), []).append(took / found["untraced"])
            print("round %d of %d" % (number + 1, rounds), file=sys.stderr, flush=True)
        bpf = shares(todo, where)
    if Maria.server:
        Maria.server.stop()
    width = max(map(len, todo))
    edge, between = ("| ", " | ") if markdown else ("", "  ")
    print(edge + between.join(["%-*s" % (width, "processor time, untraced = 1"), *("%20s" % s for s in SUBJECTS), "the tool itself"]) + edge[::-1])
    if markdown:
        print("|---" + "|---:" * (len(SUBJECTS) + 1) + "|")
    for name in todo:
        cells = []
        for subject in SUBJECTS:
            if ratios.get((name, subject)):
                values = ratios[name, subject]
                cells.append("%.3f (%.3f-%.3f)" % (statistics.median(values), *interval(values)))
            else:
                cells.append("-")
        tool = statistics.median(own.get(name) or [0])
        print(edge + between.join(["%-*s" % (width, name), *("%20s" % cell for cell in cells), "%.1f %%" % tool if tool else ""]) + edge[::-1])
    for (name, subject), share in bpf.items():
        print("- %s, %s: %.1f %% of its time in BPF programs" % (name, subject, 100 * share))
    for (name, subject), why in failed.items():
        print("- %s, %s: %s" % (name, subject, why))


if __name__ == "__main__":
    main()
