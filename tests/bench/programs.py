# SPDX-License-Identifier: GPL-2.0-only
"""programs.py - what sonde's programs cost by the kernel's own books: time a run, verified instructions, memory, time to load."""

import collections
import glob
import json
import os
import subprocess
import time

import cost
from workloads import pg


def fdinfo(pid, kind):
    """{field: text} of each of a process's BPF objects of a kind."""
    for fd in glob.glob("/proc/%d/fd/*" % pid):
        try:
            if os.readlink(fd) == "anon_inode:bpf-" + kind:
                with open(fd.replace("/fd/", "/fdinfo/")) as file:
                    yield dict(line.rstrip("\n").split(":\t", 1) for line in file if ":\t" in line)
        except OSError:
            continue


def program_name(prog_id):
    shown = subprocess.run(["bpftool", "-j", "prog", "show", "id", prog_id], stdout=subprocess.PIPE)
    return json.loads(shown.stdout)["name"]


def sonde_for(client):
    return pg.Sonde("-p", "%d,%d" % (client.pid, os.getpid()))


def probe_runs(load, server, count, rounds):
    """Each program that the load makes run: runs an operation, ns a run in each round, instructions verified."""
    rows = {}
    cost.set_stats("1")
    try:
        for _ in range(rounds):
            client = cost.Client(load, server, count)
            with sonde_for(client) as sonde:
                client.go()
                load.p99(server, client.out)  # removes its files
                programs = list(fdinfo(sonde.pid, "prog"))
                for info in programs:
                    runs = int(info["run_cnt"])
                    if runs < count / 100:
                        continue
                    name = program_name(info["prog_id"])
                    if name.startswith("sq_cal"):
                        continue  # a measurement at the start
                    row = rows.setdefault(name, {"load": load.name, "program": name, "runs_per_operation": [], "ns_per_run": [],
                                                 "ns_per_operation": [], "verified_instructions": int(info.get("verified_insns", 0))})
                    row["runs_per_operation"].append(runs / count)
                    row["ns_per_run"].append(int(info["run_time_ns"]) / runs)
                    row["ns_per_operation"].append(int(info["run_time_ns"]) / count)
    finally:
        cost.set_stats("0")
    return sorted(rows.values(), key=lambda row: row["program"])


def starts(load, server, rounds):
    """From the start of sonde until it is attached, and what it then holds; memory of its maps by kind, the kernel's figures."""
    result = {"load": load.name, "attached_ms": [], "rss_bytes": [], "maps_bytes": [], "programs_bytes": [], "programs": 0,
              "verified_instructions": 0}
    for _ in range(rounds):
        client = cost.Client(load, server, load.first_count)
        begin = time.monotonic()
        with sonde_for(client) as sonde:
            result["attached_ms"].append(1000 * (time.monotonic() - begin))
            client.go()
            load.p99(server, client.out)
            programs, maps = (list({info[key]: info for info in fdinfo(sonde.pid, kind)}.values())
                              for kind, key in (("prog", "prog_id"), ("map", "map_id")))
            memory = collections.Counter()
            for kind, infos in (("programs", programs), ("maps", maps)):
                memory[kind] = sum(int(info["memlock"]) for info in infos)
            result["rss_bytes"].append(cost.peak_rss(sonde.pid))
            result["maps_bytes"].append(memory["maps"])
            result["programs_bytes"].append(memory["programs"])
            result["programs"] = len(programs)
            result["verified_instructions"] = sum(int(info.get("verified_insns", 0)) for info in programs)
    return result
