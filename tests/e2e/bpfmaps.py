# SPDX-License-Identifier: GPL-2.0-only
"""bpfmaps.py - memory of a process and contents of its BPF maps, read from outside with the kernel's own interfaces."""

import ctypes
import mmap
import os
import platform
import re
import struct

SYS_BPF = {"x86_64": 321, "aarch64": 280}.get(platform.machine())
LOOKUP, GET_NEXT_KEY, MAP_GET_FD_BY_ID, INFO_BY_FD = 1, 4, 14, 15
PERCPU = {5, 6, 10, 21}  # array, hash, LRU hash, cgroup storage
RINGBUF = 27
READABLE = {1, 2, 9} | PERCPU  # hash, array, LRU hash

libc = ctypes.CDLL(None, use_errno=True)


def bpf(command, attr):
    data = ctypes.create_string_buffer(attr.ljust(128, b"\0"), 128)
    ret = libc.syscall(SYS_BPF, command, data, 128)
    if ret < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    return ret, data.raw


def map_ids(pid):
    """Of the maps that a process holds."""
    ids = set()
    for fd in os.listdir("/proc/%d/fdinfo" % pid):
        with open("/proc/%d/fdinfo/%s" % (pid, fd)) as f:
            ids.update(int(n) for n in re.findall(r"^map_id:\s+(\d+)", f.read(), re.M))
    return sorted(ids)


def cpus():
    with open("/sys/devices/system/cpu/possible") as f:
        return int(re.findall(r"\d+", f.read())[-1]) + 1


class Map:
    def __init__(self, number):
        self.fd, _ = bpf(MAP_GET_FD_BY_ID, struct.pack("=I", number))
        info = ctypes.create_string_buffer(128)
        bpf(INFO_BY_FD, struct.pack("=IIQ", self.fd, 128, ctypes.addressof(info)))
        self.type, _, self.key_size, self.value_size, self.max_entries, _ = struct.unpack_from("=6I", info.raw)
        self.name = info.raw[24:40].split(b"\0")[0].decode()

    def close(self):
        os.close(self.fd)

    def ring(self):
        """Bytes of a ring buffer, read or not."""
        page = mmap.PAGESIZE
        with mmap.mmap(self.fd, page + self.max_entries, prot=mmap.PROT_READ, flags=mmap.MAP_SHARED, offset=page) as data:
            return data[page:]

    def dump(self):
        """All keys and values in a row; None where user space can read nothing."""
        if self.type == RINGBUF:
            return self.ring()
        if self.type not in READABLE:
            return None
        out = bytearray()
        size = (self.value_size + 7) // 8 * 8 * cpus() if self.type in PERCPU else self.value_size
        key, following, value = (ctypes.create_string_buffer(max(n, 1)) for n in (self.key_size, self.key_size, size))
        first = True
        while True:
            attr = struct.pack("=IIQQ", self.fd, 0, 0 if first else ctypes.addressof(key), ctypes.addressof(following))
            try:
                bpf(GET_NEXT_KEY, attr)
            except OSError:
                return bytes(out)
            first = False
            ctypes.memmove(key, following, self.key_size)
            try:
                bpf(LOOKUP, struct.pack("=IIQQQ", self.fd, 0, ctypes.addressof(key), ctypes.addressof(value), 0))
            except OSError:
                continue
            out += key.raw[:self.key_size] + value.raw[:size]


def memory(pid):
    """[(name of the mapping, bytes)] of all that a process has in memory; bytes are None where the kernel lets nobody read."""
    found = []
    with open("/proc/%d/maps" % pid) as f:
        lines = f.read().splitlines()
    with open("/proc/%d/mem" % pid, "rb", buffering=0) as mem:
        for line in lines:
            span, perms, *rest = line.split(None, 5)
            start, end = (int(n, 16) for n in span.split("-"))
            name = rest[3].strip() if len(rest) > 3 else ""
            if "r" not in perms or name in ("[vsyscall]", "[vvar]", "[vvar_vclock]"):
                continue
            try:
                mem.seek(start)
                data = b""
                while len(data) < end - start:
                    piece = mem.read(end - start - len(data))
                    if not piece:
                        break
                    data += piece
            except OSError:
                data = None
            found.append((name, data))
    return found
