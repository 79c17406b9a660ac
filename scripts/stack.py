#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
"""stack.py - how deep the calls of each BPF program go and how much stack they take together; fails above what Linux allows.

usage: scripts/stack.py [-v] OBJECT

The verifier adds up the frames on the deepest way (kernel/bpf/verifier.c: check_max_stack_depth), each rounded up to 32 bytes and
at least that: no more than 512 bytes and 8 frames. Linux 6.6 and later are more generous on x86 where a program is compiled (frames
rounded to 16), so that what is too much for others loads there. -v prints the deepest way of each program.
"""

import collections
import re
import subprocess
import sys

MAX_BYTES, MAX_FRAMES, ROUND = 512, 8, 32


def disassemble(path):
    for tool in ("llvm-objdump", *("llvm-objdump-%d" % n for n in range(22, 13, -1))):
        try:
            return subprocess.run([tool, "-d", "-r", path], capture_output=True, text=True, check=True).stdout
        except FileNotFoundError:
            continue
    sys.exit("stack: needs llvm-objdump")


class Object:
    """@calls: {function: functions it calls}; @frame: {function: bytes of stack}; @programs: entry points with their sections"""

    def __init__(self, path):
        self.calls, self.frame = collections.defaultdict(set), collections.defaultdict(int)
        self.programs = []
        at = {}  # (section, instruction) of functions: name
        lines = disassemble(path).splitlines()
        section = None
        for line in lines:
            if match := re.match(r"Disassembly of section (.*):", line):
                section = match[1]
            elif (match := re.match(r"([0-9a-f]+) <(?!LBB)(.*)>:", line)):
                at[section, int(match[1], 16) // 8] = match[2]
                if section != ".text":
                    self.programs.append(match[2])
        function = call = None
        copies = set()  # registers that hold the frame pointer
        value = 0
        for number, line in enumerate(lines):
            if match := re.match(r"Disassembly of section (.*):", line):
                section = match[1]
            elif match := re.match(r"[0-9a-f]+ <(?!LBB)(.*)>:", line):
                function, copies = match[1], set()
            elif match := re.search(r"R_BPF_64_32\s+(\S+)", line):
                if call is not None:
                    self.calls[function].add(at.get((".text", call + 1), match[1]) if match[1] == ".text" else match[1])
                    call = None
            elif match := re.search(r"R_BPF_64_64\s+(\S+)", line):
                if match[1] == ".text":  # a function that bpf_loop() calls
                    self.calls[function].add(at[".text", value // 8])
                elif match[1] in at.values():
                    self.calls[function].add(match[1])
            else:
                match = re.search(r"= (-?(?:0x)?[0-9a-f]+) ll$", line)
                value = int(match[1], 0) if match else 0
                for low in re.findall(r"r10 - (\d+)", line):
                    self.frame[function] = max(self.frame[function], int(low))
                if match := re.search(r": +(r\d) (\+?=) (r10|-\d+)?", line):
                    if match[2] == "=":
                        copies.discard(match[1])
                        if match[3] == "r10":
                            copies.add(match[1])
                    elif match[1] in copies and match[3]:
                        copies.discard(match[1])
                        self.frame[function] = max(self.frame[function], -int(match[3]))
                # A call of a function: 85 10; where the compiler knew where it is, without a relocation on the next line.
                match = re.match(r"\s+(\d+):\s+85 10 .*call (-?(?:0x)?[0-9a-f]+)", line)
                if match:
                    call = int(match[2], 0)
                    near = at.get((section, int(match[1]) + 1 + call))
                    if near and not (number + 1 < len(lines) and "R_BPF_64_32" in lines[number + 1]):
                        self.calls[function].add(near)
        self.known = {}

    def deepest(self, function, measure):
        """(cost, way) of the costliest chain of calls from @function on, each function costing measure(function)"""
        key = function, measure
        if key not in self.known:
            self.known[key] = 0, ()
            below = max((self.deepest(callee, measure) for callee in sorted(self.calls[function])), default=(0, ()))
            self.known[key] = measure(function) + below[0], (function, *below[1])
        return self.known[key]

    def bytes(self, function):
        return -(-max(self.frame[function], 1) // ROUND) * ROUND

    @staticmethod
    def one(function):
        return 1


def main():
    verbose = "-v" in sys.argv
    obj = Object(sys.argv[-1])
    bad = 0
    for program in obj.programs:
        taken, way = obj.deepest(program, obj.bytes)
        frames, chain = obj.deepest(program, obj.one)
        wrong = taken > MAX_BYTES or frames > MAX_FRAMES
        bad += wrong
        if wrong or verbose:
            print("%-16s %4d bytes, %d frames%s" % (program, taken, frames, "  TOO MUCH" if wrong else ""))
            print("    " + " ".join("%s:%d" % (f, obj.frame[f]) for f in (way if frames <= MAX_FRAMES else chain)))
    print("%d programs, %d above %d bytes or %d frames" % (len(obj.programs), bad, MAX_BYTES, MAX_FRAMES))
    return bad > 0


if __name__ == "__main__":
    sys.exit(main())
