# SPDX-License-Identifier: GPL-2.0-only
"""gdbstacks.py - stacks of a process as gdb tells them, and what the kernel's side of sonde took of the very same stops.

gdb stops the process wherever it happens to be (an interrupt) and starts telling: threads that ran have left their processors for that,
those that waited have left before. So `sonde offcpu` has taken a stack of each, from the same registers and the same memory.
"""

import collections
import json
import os
import random
import signal
import struct
import subprocess
import tempfile

import bpfmaps
import pg

KEY = struct.Struct("=IIQII")  # include/sonde/unwind.h: struct sonde_sample_key
HEAD = struct.Struct("=QQHHB3x16s")  # struct sonde_sample, before its addresses
USER_FRAMES = 127
VALUE_BYTES = HEAD.size + 8 * (USER_FRAMES + 1 + 64)
ENDS = [line.split('"')[1] for line in open(os.path.join(pg.TOP, "include/sonde/unwind.def")) if line.startswith("SONDE_UNWIND_END(")]

# In gdb: one line of JSON for each stop, then a line is waited for. Frames of inlined functions have no return address.
SCRIPT = r"""
import gdb, json, sys, time
gdb.execute("set confirm off")
gdb.execute("set pagination off")
gdb.execute("set print thread-events off")
gdb.execute("set backtrace past-main on")
gdb.execute("set backtrace past-entry on")
gdb.execute("set debuginfod enabled off")
gdb.execute("set auto-load off")
gdb.execute("handle all nostop noprint pass")
pid = int(sys.stdin.readline())
for pause in json.loads(sys.stdin.readline()):
    sys.stdin.readline()
    time.sleep(pause)
    gdb.execute("attach %d" % pid, to_string=True)
    threads = []
    for thread in gdb.selected_inferior().threads():
        thread.switch()
        frames, frame = [], gdb.newest_frame()
        while frame and len(frames) < 200:
            if frame.pc() and frame.type() not in (gdb.INLINE_FRAME, gdb.TAILCALL_FRAME):
                frames.append((frame.pc(), frame.name() or "?"))
            last, frame = frame, frame.older()
        threads.append({"tid": thread.ptid[1], "frames": frames, "stop": gdb.frame_stop_reason_string(last.unwind_stop_reason())})
    print("STOP " + json.dumps(threads), flush=True)
    sys.stdin.readline()
    gdb.execute("detach", to_string=True)
    print("GONE", flush=True)
"""

Pair = collections.namedtuple("Pair", "gdb sonde names end stop")


def samples(dump, pid):
    """{first address: {(addresses): why the walk ended}} of one process in the contents of map uw_samples"""
    found = collections.defaultdict(dict)
    step = KEY.size + VALUE_BYTES
    for at in range(0, len(dump) - step + 1, step):
        tgid = KEY.unpack_from(dump, at)[0]
        _, _, nr, _, end, _ = HEAD.unpack_from(dump, at + KEY.size)
        if tgid == pid and nr:
            ips = struct.unpack_from("=%dQ" % nr, dump, at + KEY.size + HEAD.size)
            found[ips[0]][ips] = ENDS[end]
    return found


class Gdb:
    """A gdb that stops process @pid after each of @pauses (seconds), when it is told to."""

    def __init__(self, pid, pauses):
        with tempfile.NamedTemporaryFile("w", suffix=".py", delete=False) as script:
            script.write(SCRIPT)
        self.script = script.name
        self.proc = subprocess.Popen(["gdb", "-nx", "-q", "-batch", "-x", self.script], stdin=subprocess.PIPE,
                                     stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        self.say("%d\n%s" % (pid, json.dumps(pauses)))

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.proc.kill()
        self.proc.communicate()
        os.unlink(self.script)

    def say(self, line):
        self.proc.stdin.write(line + "\n")
        self.proc.stdin.flush()

    def hear(self, word):
        for line in self.proc.stdout:
            if line.startswith(word):
                return line[len(word):]
        raise AssertionError("gdb ended before it said " + word)


def pairs(pid, stops, seed=1):
    """Stops process @pid so often: ([Pair], stacks of gdb's that sonde has none of)."""
    chance = random.Random(seed)
    pauses = [chance.uniform(0.01, 0.1) for _ in range(stops)]
    out, missing = [], []
    with pg.Sonde("-p", str(pid), command="offcpu") as sonde, Gdb(pid, pauses) as gdb:
        maps = {m.name: m for m in map(bpfmaps.Map, bpfmaps.map_ids(sonde.pid))}
        for _ in pauses:
            os.kill(sonde.pid, signal.SIGSTOP)  # it would take the samples out of the map
            gdb.say("")
            threads = json.loads(gdb.hear("STOP"))
            taken = samples(maps["uw_samples"].dump(), pid)
            gdb.say("")
            gdb.hear("GONE")
            os.kill(sonde.pid, signal.SIGCONT)
            for thread in threads:
                ips = tuple(pc for pc, _ in thread["frames"])
                known = taken.get(ips[0])
                if known:
                    # Of several that begin there the one that goes along with gdb's farthest.
                    best = max(known, key=lambda s: len(os.path.commonprefix([s, ips])))
                    out.append(Pair(ips, best, [name for _, name in thread["frames"]], known[best], thread["stop"]))
                else:
                    missing.append(thread)
        for m in maps.values():
            m.close()
        sonde.stop()
    return out, missing
