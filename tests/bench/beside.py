# SPDX-License-Identifier: GPL-2.0-only
"""beside.py - other tools that watch a process while the scripts beside this one measure it: started, ready, stopped."""

import contextlib
import os
import shutil
import signal
import subprocess
import tempfile
import time

PATH = os.environ["PATH"] + ":/usr/sbin:/sbin"
TRACEFS = "/sys/kernel/tracing"
READY_SECONDS = 60


class Failed(Exception):
    """The tool does not do it here: why."""


@contextlib.contextmanager
def tool(command, ready):
    """
    Runs @command in a directory of its own. @ready: what it prints when it watches; a number: seconds that it is given instead.
    Ends it as Ctrl-C does.
    """
    if not os.path.exists(os.path.join(TRACEFS, "events")):  # bpftrace does not mount it
        subprocess.run(["mount", "-t", "tracefs", "none", TRACEFS], check=False)
    if not shutil.which(command[0], path=PATH):
        raise Failed("%s is not installed" % command[0])
    with tempfile.TemporaryDirectory() as directory:
        said = os.path.join(directory, "said")
        with open(said, "wb") as out:
            proc = subprocess.Popen(command, cwd=directory, stdout=out, stderr=out, stdin=subprocess.DEVNULL,
                                    env=dict(os.environ, PATH=PATH))
        try:
            begin = time.monotonic()
            while time.monotonic() - begin < (ready if isinstance(ready, (int, float)) else READY_SECONDS):
                if proc.poll() is not None:
                    raise Failed("%s: %s" % (command[0], open(said, errors="replace").read().strip()[-200:]))
                if isinstance(ready, str) and ready in open(said, errors="replace").read():
                    break
                time.sleep(0.05)
            yield proc
        finally:
            if proc.poll() is None:
                proc.send_signal(signal.SIGINT)
                try:
                    proc.wait(READY_SECONDS)
                except subprocess.TimeoutExpired:
                    proc.kill()
                    proc.wait()


@contextlib.contextmanager
def watched(program, make):
    """@program, which has a .pid and a .proc, beside the tool that @make(pid) gives tool() the arguments for. Ends both."""
    try:
        with tool(*make(program.pid)):
            yield program
    finally:
        program.proc.kill()
        program.proc.wait()


def bpftrace(program):
    """Command and ready of tool() for a bpftrace program."""
    return ["bpftrace", "-e", 'BEGIN { printf("ready\\n"); } ' + program], "ready"


def memleak(pid, *args):
    """Command and ready of tool() for bcc's memleak: that of libbpf-tools 0.29 or later, which needs no headers of the kernel, if it is there."""
    if shutil.which("memleak-libbpf", path=PATH):
        return ["stdbuf", "-oL", "memleak-libbpf", "-p", str(pid), *args], "Tracing outstanding"
    return ["memleak-bpfcc", "-p", str(pid), *args], 4
