# SPDX-License-Identifier: GPL-2.0-only
"""kernel_commands.py - each tracing command around one program of known behaviour, for slow guests with other kernels: counts, no times.

usage: kernel_commands.py [COMMAND...]     exit code 0 right, 1 wrong, 77 cannot be checked

Prints a line for each command: "ok", "FAIL" with what is wrong, or "refused" where sonde itself says that this kernel cannot do it:
with exit code 4, and only where REFUSED knows that kernel.
"""

import json
import os
import platform
import re
import sys
import tempfile
import time

import sonderun

CALLS, NAPS, NAP_S, CONNECTIONS, REQUESTS, BLOCKS, BLOCK, SYNCS, ORDERS, ITEMS, BUSY_S = 300, 3, 0.2, 4, 5, 24, 4096, 2, 3, 8, 3
REQUEST = b"GET /items/%d HTTP/1.1\r\nHost: shop\r\n\r\n"
REPLY = b"HTTP/1.1 200 OK\r\nContent-Length: 40\r\n\r\n" + b"x" * 40

# What is traced. Its server is a thread of its own, so both ends of each connection belong to it.
WORK = """
import os, socket, sqlite3, sys, threading, time
directory = sys.argv[1]
def serve(listener):
    while True:
        conn = listener.accept()[0]
        while True:
            got = conn.recv(4096)
            if not got:
                break
            conn.sendall(%(REPLY)r)
        conn.close()
listener = socket.create_server(("127.0.0.1", 0))
print("port", listener.getsockname()[1], flush=True)
threading.Thread(target=serve, args=(listener,), daemon=True).start()
for i in range(%(CALLS)d):
    os.getpriority(os.PRIO_PROCESS, 0)
for i in range(%(NAPS)d):
    time.sleep(%(NAP_S)r)
for i in range(%(CONNECTIONS)d):
    conn = socket.create_connection(listener.getsockname())
    for j in range(%(REQUESTS)d):
        conn.sendall(%(REQUEST)r %% (j + 1))
        got = b""
        while len(got) < %(REPLY_LEN)d:
            got += conn.recv(4096)
    conn.close()
fd = os.open(directory + "/data", os.O_RDWR | os.O_CREAT)
for i in range(%(BLOCKS)d):
    os.pwrite(fd, b"y" * %(BLOCK)d, i * %(BLOCK)d)
for i in range(%(SYNCS)d):
    os.fsync(fd)
db = sqlite3.connect(":memory:", isolation_level=None)
db.execute("create table item (id integer, parent integer)")
db.executemany("insert into item values (?, ?)", [(i, i // %(ITEMS)d) for i in range(%(ORDERS)d * %(ITEMS)d)])
for i in range(%(ORDERS)d):
    for (item,) in db.execute("select id from item where parent = ?", (i,)).fetchall():
        db.execute("select parent from item where id = ?", (item,)).fetchall()
def truth_busy():
    end = time.process_time() + %(BUSY_S)d
    while time.process_time() < end:
        pass
truth_busy()
"""

# Where a command needs more than sonde itself does: the first kernel that has it.
REFUSED = {"http --breakdown": (5, 18)}


def same(what, found, wanted):
    return None if found == wanted else "%s: %r, not %r" % (what, found, wanted)


def first(*results):
    return next((r for r in results if r), None)


def rows_of(doc, key, **wanted):
    return [r for r in doc.get(key, ()) if all(r.get(k) == v for k, v in wanted.items())]


def check_syscall(doc, _run, _directory):
    return same("calls of getpriority", [r["count"] for r in rows_of(doc, "syscalls", name="getpriority")], [CALLS])


def check_offcpu(doc, _run, _directory):
    naps = [r for r in rows_of(doc, "waits", reason="sleep")]
    count, spent = sum(r["count"] for r in naps), sum(r["blocked_ns"]["sum"] for r in naps)
    if spent < NAPS * NAP_S * 1e9:
        return "slept for %d ns" % spent
    return same("sleeps", count, NAPS)


def check_net(doc, run, _directory):
    port = re.search(r"port (\d+)", run.err + run.out)
    client = [r for r in rows_of(doc, "sockets", role="client", transport="tcp") if r["address"].startswith("127.0.0.1:")]
    if len(client) != 1:
        return "client rows %r (port %s)" % (client, port)
    requests = sum(len(REQUEST % (j + 1)) for j in range(REQUESTS)) * CONNECTIONS
    replies = len(REPLY) * REQUESTS * CONNECTIONS
    bytes_of = (client[0].get("bytes_out", requests), client[0].get("bytes_in", replies))  # left out where no hook tells them
    return first(same("opened", client[0]["opened"], CONNECTIONS), same("bytes out, in", bytes_of, (requests, replies)))


def check_io(doc, _run, directory):
    # The guest's root is a directory of another: the kernel tells paths from the root of mounts.
    rows = {r["operation"]: r["count"] for r in rows_of(doc, "files") if r.get("path", "").endswith(directory + "/data")}
    return same("file operations", rows, {"write": BLOCKS, "sync": SYNCS})


def check_cpu(doc, _run, _directory):
    stacks = doc["stacks"]
    if stacks["weight"] < 0.8 * BUSY_S * 1e9:
        return "%d ns sampled of at least %d s" % (stacks["weight"], BUSY_S)
    if stacks["complete_weight"] < 0.8 * stacks["user_weight"]:  # its tables are read while it runs, which takes long in a guest
        return "%r of %r complete: %r" % (stacks["complete_weight"], stacks["user_weight"], stacks.get("ends"))
    return None


def check_http(doc, _run, _directory):
    found = {e["role"]: e["count"] for e in rows_of(doc, "endpoints", path="/items/{id}")}
    return same("requests by role", found, {"client": CONNECTIONS * REQUESTS, "server": CONNECTIONS * REQUESTS})


def check_breakdown(doc, _run, _directory):
    rows = rows_of(doc, "breakdown", path="/items/{id}") or rows_of(doc, "endpoints", path="/items/{id}", role="server")
    return same("requests", sum(r["count"] for r in rows), CONNECTIONS * REQUESTS)


def check_db(doc, _run, _directory):
    texts = {q["text"]: q["count"] for q in rows_of(doc, "queries", db_system="sqlite")}
    wanted = {"select id from item where parent = ?": ORDERS, "select parent from item where id = ?": ORDERS * ITEMS}
    kinds = [f["kind"] for f in doc.get("findings", ())]
    return first(same("statements", {t: texts.get(t) for t in wanted}, wanted), same("findings", "n_plus_one" in kinds, True))


def check_alloc(doc, run, _directory):
    """Beside what the program itself says that it allocated: within five standard errors."""
    truth = {m[1]: int(m[2]) for m in re.finditer(r"^(\w+) (\d+) \d+ \d+ \d+$", run.out, re.M)}
    for name, wanted in truth.items():
        rows = rows_of(doc, "allocations", function=name)
        found, error = sum(r["alloc_bytes"] for r in rows), sum(r.get("alloc_bytes_error", 0) ** 2 for r in rows) ** 0.5
        if abs(found - wanted) > 5 * max(error, (wanted * (64 << 10)) ** 0.5):
            return "%s: %d bytes, not %d (error %d)" % (name, found, wanted, error)
    return None if truth else "the program said nothing"


def check_growth(doc, run, _directory):
    """Beside what the program itself says that it touched and gave back; kernels tell of a thread's pages 64 at a time, or sooner."""
    truth = {m[1]: (int(m[2]), int(m[3])) for m in re.finditer(r"^(\w+) (\d+) (\d+) \d+ \d+$", run.out, re.M)}
    every = {key: sum(wanted[i] for wanted in truth.values()) for i, key in enumerate(("grown_bytes", "returned_bytes"))}
    for name, wanted in truth.items():
        for key, much in zip(("grown_bytes", "returned_bytes"), wanted):
            rows = [r for r in doc["growth"] if name in r["site"]]
            if platform.machine() == "aarch64" and key == "returned_bytes":
                # Given back by a system call: the caller of the C library's function for it is in no stack of frame pointers.
                rows, much = doc["growth"], every[key]
            found = sum(r[key] for r in rows)
            if abs(found - much) > max(0.06 * much, 1 << 20):
                return "%s: %s %d, not %d" % (name, key, found, much)
    for p in doc["memory"]:
        if p["process"] == "growth_truth" and p["grown_bytes"] - p["returned_bytes"] != p["now"]["rss_bytes"] - p["start"]["rss_bytes"]:
            return "what came less what went is not what is more: %s" % p
    return None if truth else "the program said nothing"


def work(directory):
    return ["/usr/bin/python3", "-c", WORK % dict(globals(), REPLY_LEN=len(REPLY)), directory]


def allocate(_directory):
    return [sonderun.program("alloc_truth"), "all"]


def grow(_directory):
    return [sonderun.program("growth_truth"), "all", "alone"]


# Command line, what it traces, what is wrong with the report.
COMMANDS = {
    "syscall": (work, check_syscall),
    "offcpu": (work, check_offcpu),
    "net": (work, check_net),
    "io": (work, check_io),
    "cpu": (work, check_cpu),
    "http --role any": (work, check_http),
    "http --breakdown": (work, check_breakdown),
    "db": (work, check_db),
    "alloc --rate 64k": (allocate, check_alloc),
    "alloc --growth": (grow, check_growth),
}


def check(name, directory):
    """("ok" | "FAIL" | "refused", why)"""
    program, judge = COMMANDS[name]
    report = directory + "/report.json"
    if os.path.exists(directory + "/data"):
        os.unlink(directory + "/data")
    run = sonderun.Run(*name.split(), "-o", "json", "--output", report, out=None, timeout=120, argv=program(directory))
    if run.code == 4 and name in REFUSED:
        release = tuple(int(n) for n in re.match(r"(\d+)\.(\d+)", os.uname().release).groups())
        return ("refused" if release < REFUSED[name] else "FAIL"), run.err.strip().splitlines()[0]
    if run.code:
        return "FAIL", "exit code %d: %s" % (run.code, run.err.strip())
    with open(report, encoding="utf-8") as file:
        doc = json.load(file)
    why = first(same("lost", doc["coverage"]["lost"], {}), judge(doc, run, directory))
    return ("FAIL", why) if why else ("ok", "")


def main():
    reason = sonderun.why_not()
    if reason:
        print(reason)
        return 77
    failures = 0
    with tempfile.TemporaryDirectory(prefix="sonde-", dir=os.environ.get("TMPDIR", "/tmp")) as directory:
        for name in sys.argv[1:] or COMMANDS:
            begin = time.monotonic()
            try:
                verdict, why = check(name, directory)
            except Exception as error:  # pylint: disable=broad-except
                verdict, why = "FAIL", repr(error)
            failures += verdict == "FAIL"
            print("%-8s sonde %s, %.0f s%s" % (verdict, name, time.monotonic() - begin, ": " + why if why else ""), flush=True)
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
