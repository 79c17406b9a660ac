# SPDX-License-Identifier: GPL-2.0-only
# TOGETHER: counts, of its own processes
# ALONE: test_clean_at_full_speed: as much as the machine can
# TIMEOUT: 1800
"""test_nplus1.py - `sonde nplus1` beside the shops of nplus1/: every known mistake is told, with its numbers, its statements and its
endpoint; nothing is told of what is done well; and no statement is told to be an endpoint's that did not send it.

What is true is proven by test_nplus1_apps.py, without sonde.
"""

import collections
import copy
import json
import os
import random
import re
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import unittest
from concurrent.futures import ThreadPoolExecutor

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "nplus1"))

import apps  # noqa: E402
import check  # noqa: E402
import pg  # noqa: E402
import truth  # noqa: E402
from databases import Databases  # noqa: E402

CONCURRENCY = 4
CLEAN_SECONDS = float(os.environ.get("SONDE_CLEAN_SECONDS", "20"))
NODE_CONCURRENCY = (4, 8, 20)  # over a pool of 5


def have_command():
    return subprocess.run([pg.SONDE, "nplus1", "--help"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL).returncode == 0


def setUpModule():
    global databases
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that servers are stopped, too
    databases = Databases()
    unittest.addModuleCleanup(databases.stop)


def ask_oddly(port, paths, seed):
    """Asks @paths in ways that differ; what is answered does not matter here."""
    dice = random.Random(seed)
    for path in paths:
        one = ("GET %s HTTP/1.1\r\nHost: x\r\n\r\n" % path).encode()
        with socket.create_connection(("127.0.0.1", port), timeout=30) as sock:
            way = dice.choice(("plain", "plain", "plain", "old", "pieces", "pipeline", "gives up"))
            if way == "old":
                sock.sendall(one.replace(b"1.1", b"1.0"))
            elif way == "pieces":
                sock.sendall(("POST %s HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 6\r\n\r\nabc" % path).encode())
                time.sleep(0.001)
                sock.sendall(b"def")
            elif way == "pipeline":
                sock.sendall(one + one.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n"))
            else:
                sock.sendall(one.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n"))
            if way == "gives up":
                time.sleep(0.002)
                continue
            while sock.recv(65536):
                pass


class Nplus1(unittest.TestCase):
    maxDiff = None

    @classmethod
    def setUpClass(cls):
        if os.geteuid() != 0:
            raise unittest.SkipTest("needs root")
        if not os.access(pg.SONDE, os.X_OK):
            raise unittest.SkipTest("there is no %s: build it first" % pg.SONDE)
        if not have_command():
            raise unittest.SkipTest("this sonde has no nplus1")

    def start(self, kind):
        program = kind(databases)
        program.start()
        self.addCleanup(program.stop)
        return program

    @staticmethod
    def trace(program, ask, *arguments):
        """The report of a run while @ask asks the program's endpoints."""
        with pg.Sonde("-p", ",".join(str(pid) for pid in program.pids()), command="nplus1") as sonde:
            ask(*arguments)
            return sonde.stop()

    @staticmethod
    def paths_of(program, slugs):
        return [path for path in program.work() if "_".join(path.split("/")[1:3]) in slugs]

    def judge(self, program, report, requests, **options):
        """Fails if anything in the report is not as it must be. Returns its check."""
        found = check.Check(report.json, program.table, requests, program.scopes, **options)
        complaints = found.complaints()
        if complaints:
            self.fail("\n".join([program.name + ":", *complaints, json.dumps(report.coverage), report.stderr]))
        return found

    def check_server(self, kind):
        program = self.start(kind)
        slugs = set(program.table) - truth.PARALLEL
        report = self.trace(program, program.drive, self.paths_of(program, slugs), CONCURRENCY)
        self.judge(program, report, {slug: program.table[slug].requests for slug in slugs}, sites=program.sites,
                   sites_sure=program.sites_sure)

    @staticmethod
    def trace_loops(*programs):
        """nplus1 alone, attached to @programs."""
        nplus1 = pg.Sonde("-p", ",".join(str(program.proc.pid) for program in programs), command="nplus1", wait=False)
        nplus1.wait_attached()
        return nplus1

    def check_loop(self, kind, slugs, **options):
        """Endpoints @slugs at once: a process for each concurrency. Prints what part of their calls was told."""
        first = kind(databases)
        programs = [first, *(copy.copy(first) for _ in NODE_CONCURRENCY[1:])]  # on one database
        for program in programs:
            program.start()
            self.addCleanup(program.stop)
        with self.trace_loops(*programs) as nplus1:
            for program, concurrency in zip(programs, NODE_CONCURRENCY):
                program.drive([path for path in program.work(concurrency) if "_".join(path.split("/")[1:3]) in slugs], concurrency)
            report = nplus1.stop()
        each = {slug: first.table[slug].requests for slug in slugs}
        self.judge(first, report, {slug: n * len(programs) for slug, n in each.items()}, **options)
        shares = []
        for program in programs:
            queries = [query for query in report.queries if query["pid"] == program.proc.pid]
            shares.append(check.Check({"queries": queries}, first.table, each, first.scopes).shares())
        print("\n%s: calls told under their own endpoint, at concurrency %s" % (first.name, ", ".join(map(str, NODE_CONCURRENCY))))
        for slug in sorted(shares[0]):
            parts = ["%4.0f%%" % (100 * right / calls) for right, calls in (share[slug] for share in shares)]
            print("  %-22s %s" % (first.table[slug].name, "  ".join(parts)))

    def check_sequential(self, kind):
        """Handlers that wait for replies only: each call is put on its request, at any concurrency."""
        self.check_loop(kind, set(kind.table) - truth.PARALLEL, whole=True)

    def check_mixed(self, kind):
        """Handlers of all sorts: what is a guess must not be told as a fact."""
        self.check_loop(kind, set(kind.table), must=set())

    def check_clients(self, kind):
        """Clients that give up, ask before they are answered, send in pieces or speak HTTP/1.0: nothing wrong is told."""
        program = self.start(kind)
        slugs = set(program.table) - truth.PARALLEL
        paths = [path for path in program.work() if "_".join(path.split("/")[1:3]) in slugs]
        with self.trace_loops(program) as nplus1:
            threads = [threading.Thread(target=ask_oddly, args=(program.port, paths[i::8], i)) for i in range(8)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
            report = nplus1.stop()
        found = check.Check(report.json, program.table, dict.fromkeys(slugs, 10**6), program.scopes, must=set())
        self.assertEqual(found.callers(), [])
        self.assertEqual([line for line in found.false() if "another" in line], [])

    def check_deserted(self, kind):
        """A client gives up before anything shows that the program is an event loop: its handler goes on beside the next request's."""
        program = self.start(kind)
        for slug in ("bad_prepared", "bad_list", "bad_tx"):
            with self.subTest(slug), self.trace_loops(program) as nplus1:
                with socket.create_connection(("127.0.0.1", program.port)) as sock:
                    sock.sendall(("GET %s HTTP/1.1\r\nHost: x\r\n\r\n" % self.paths_of(program, {slug})[0]).encode())
                    time.sleep(0.003)
                program.drive(self.paths_of(program, {"ok_page"}), 1)
                report = nplus1.stop()
                found = check.Check(report.json, program.table, dict.fromkeys(program.table, 10**6), program.scopes, must=set())
                self.assertEqual(found.callers(), [])

    def check_alone(self, kind):
        """Only requests of one endpoint: it is told at least by statistics."""
        program = self.start(kind)
        for slug in ("bad_all", "bad_timer"):
            with self.subTest(slug):
                e = program.table[slug]
                with self.trace_loops(program) as nplus1:
                    program.get(e.path, e.requests, CONCURRENCY)
                    report = nplus1.stop()
                self.judge(program, report, {slug: e.requests})

    def test_clean_at_full_speed(self):
        """What is done well, by several programs as fast as they can: nothing that repeats is told, and each statement is its endpoint's."""
        programs = [self.start(kind) for kind in (apps.GunicornThreads, apps.Go)]
        cluster = databases.server("postgresql")
        cluster.pgbench("-i", "-q", "-s", "1")
        consumer = os.path.join(programs[0].dir, "consumer.sql")
        with open(consumer, "w") as file:
            file.write(CONSUMER)
        modes = (["-S"], ["-M", "prepared"], ["-f", consumer])
        seconds = str(max(1, int(CLEAN_SECONDS / len(modes))))
        benches = [LatePgbench(self, cluster, *mode, "-n", "-c", "4", "-T", seconds) for mode in modes]
        pids = [pid for program in programs for pid in program.pids()] + [bench.proc.pid for bench in benches]
        asked, made = collections.Counter(), 0
        with pg.Sonde("-p", ",".join(map(str, pids)), command="nplus1") as sonde, ThreadPoolExecutor(len(programs)) as pool:
            end = time.monotonic() + CLEAN_SECONDS
            clean = [[path for path in program.work() if path.startswith("/ok/")] for program in programs]
            runs = [pool.submit(program.drive_until, end, paths, CONCURRENCY) for program, paths in zip(programs, clean)]
            for bench in benches:
                made += bench.run()
            for run in runs:
                asked.update(run.result())
            report = sonde.stop()
        requests = collections.Counter()
        for path, times in asked.items():
            requests["_".join(path.split("/")[1:3])] += times
        print("\n%d clean requests and %d transactions of pgbench in %.0f s" % (sum(asked.values()), made, CLEAN_SECONDS))
        found = check.Check(report.json, truth.SHOP, requests, ("request",))
        self.assertEqual(found.complaints(), [], (report.coverage, report.stderr))
        self.assertEqual({f["kind"] for f in report.json["findings"]} - {"slow_query"}, set())
        rows = report.rows_of("select abalance from pgbench_accounts where aid = 1")
        self.assertEqual(sum(q["count"] for q in rows), made, report.coverage)

    def check_job(self, kind):
        program = kind(databases)
        self.addCleanup(program.stop)
        with tempfile.TemporaryDirectory(prefix="job.") as tmp:
            file = os.path.join(tmp, "report.json")
            program.run(before=[pg.SONDE, "nplus1", "-o", "json", "--output", file, "--"])
            with open(file) as f:
                report = pg.parse(f.read())
        self.judge(program, report, {slug: program.rounds for slug in program.table}, must=program.must, apart=program.mode == "tx")


# An endless loop over one connection, as those who take work from a queue run it: not one statement for each row of something.
CONSUMER = """
\\set aid random(1, 100000)
select abalance from pgbench_accounts where aid = :aid;
update pgbench_accounts set abalance = abalance + 1 where aid = :aid;
insert into pgbench_history (tid, bid, aid, delta, mtime) values (1, 1, :aid, 1, now());
"""


class LatePgbench:
    """A pgbench whose process id is known before it does anything."""

    def __init__(self, test, cluster, *args):
        self.proc = subprocess.Popen(["sh", "-c", 'read go && exec pgbench "$@"', "pgbench", *args], env=cluster.env(), stdin=subprocess.PIPE,
                                     stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        test.addCleanup(self.proc.communicate)
        test.addCleanup(self.proc.kill)

    def run(self):
        """Lets it run to its end; its transactions."""
        out, _ = self.proc.communicate("go\n")
        return int(re.search(r"actually processed: (\d+)", out).group(1))


def document_of(table, requests):
    """What a perfect sonde would say."""
    findings, queries = [], []
    for slug in requests:
        e = table[slug]
        scope = {"kind": "request", "name": e.name}
        for marker, n in e.calls.items():
            queries.append({"id": marker, "text": "select " + marker, "count": n * requests[slug], "latency_ns": {"max": 1e6}, "callers": [
                {"scope": "request", "name": e.name, "scopes": requests[slug], "calls": n * requests[slug]}]})
        for want in e.findings:
            findings.append({"kind": want.kind, "scope": scope, "query": "select " + want.child, "query_id": want.child, "scopes": requests[slug],
                             "calls_per_scope": dict.fromkeys(("min", "median", "max"), want.n), "parent": " ".join(want.parent[:1]),
                             "distinct_params": 1 if want.kind == "redundant_query" else want.n, "site": ["customer_name shop.c:1"]})
    return {"findings": findings, "queries": queries}


class Checker(unittest.TestCase):
    """The checks themselves: they accept what is right and see each mistake."""

    requests = {slug: e.requests for slug, e in truth.SHOP.items()}

    def complaints(self, change=None, scopes=("request",), **options):
        document = copy.deepcopy(document_of(truth.SHOP, self.requests))
        if change:
            change({(f["kind"], f["query"].split()[1]): f for f in document["findings"]}, {q["id"]: q for q in document["queries"]}, document)
        return check.Check(document, truth.SHOP, self.requests, scopes, **options).complaints()

    def test_right(self):
        self.assertEqual(self.complaints(), [])
        self.assertEqual(sum(len(e.findings) for e in truth.SHOP.values()), 8)

    def test_findings_only(self):
        self.assertEqual(self.complaints(lambda f, q, d: d.pop("queries")), [])
        self.assertNotEqual(self.complaints(lambda f, q, d: (d.pop("queries"), d["findings"].pop())), [])

    def test_pair(self):
        def change(findings, *_):
            findings["write_loop", "bad_pairs__products"].update(parent=None, **{"with": "select bad_pairs__stock"})
        self.assertEqual(self.complaints(change), [])

    def test_true_slow(self):
        def change(_, queries, document):
            queries["ok_list__order"]["latency_ns"]["max"] = 2e8
            document["findings"].append({"kind": "slow_query", "scope": {"kind": "request", "name": "GET /ok/list/{id}"},
                                         "query": "select ok_list__order", "query_id": "ok_list__order", "scopes": 1})
        self.assertEqual(self.complaints(change), [])

    def test_mistakes(self):
        lazy, same = ("n_plus_one", "bad_list__customer"), ("redundant_query", "bad_same__setting")
        clean = {"kind": "n_plus_one", "scope": {"kind": "request", "name": "GET /ok/few/{id}"}, "query": "select ok_few__customer",
                 "query_id": "ok_few__customer", "scopes": 3}
        mistakes = {
            "not seen": lambda f, q, d: q["ok_few__customer"].update(count=119),
            "missed": lambda f, q, d: d["findings"].remove(f[lazy]),
            "one scope missed": lambda f, q, d: f[lazy].update(scopes=29),
            "one scope too many": lambda f, q, d: f[lazy].update(scopes=31),
            "wrong kind": lambda f, q, d: f[lazy].update(kind="redundant_query"),
            "wrong number": lambda f, q, d: f[lazy]["calls_per_scope"].update(median=19, min=19),
            "scopes melted": lambda f, q, d: f[lazy]["calls_per_scope"].update(max=40),
            "wrong parent": lambda f, q, d: f[lazy].update(parent="select bad_list__customer"),
            "read before writes": lambda f, q, d: f["write_loop", "bad_pairs__products"].update(parent=None),
            "no parent": lambda f, q, d: f[lazy].update(parent=None),
            "parent elsewhere": lambda f, q, d: f[same].update(parent="select ok_list__order"),
            "wrong endpoint": lambda f, q, d: f[lazy]["scope"].update(name="GET /ok/list/{id}"),
            "wrong path": lambda f, q, d: f[lazy]["scope"].update(name="GET /bad/list/7"),
            "wrong scope": lambda f, q, d: f[lazy]["scope"].update(kind="process"),
            "parameters unknown": lambda f, q, d: f[lazy].update(distinct_params=1),
            "parameters differ": lambda f, q, d: f[same].update(distinct_params=10),
            "false alarm": lambda f, q, d: d["findings"].append(clean),
            "false alarm, no marker": lambda f, q, d: d["findings"].append(dict(clean, query="show x")),
            "parent told as child": lambda f, q, d: d["findings"].append(dict(f[lazy], query="select bad_list__order")),
            "not slow": lambda f, q, d: d["findings"].append(dict(clean, kind="slow_query")),
            "foreign caller": lambda f, q, d: q["ok_few__customer"]["callers"].append(
                {"scope": "async", "name": "GET /bad/list/{id}", "scopes": 1, "calls": 1}),
            "calls not listed": lambda f, q, d: q["ok_few__customer"]["callers"][0].update(calls=119),
            "calls made up": lambda f, q, d: q["ok_few__customer"]["callers"][0].update(calls=121),
        }
        for name, change in mistakes.items():
            with self.subTest(name):
                self.assertNotEqual(self.complaints(change), [])

    def test_sites(self):
        self.assertEqual(self.complaints(sites={"bad_list__customer": "customer_name|list_orders"}), [])
        wrong = {"bad_list__customer": "main"}
        self.assertNotEqual(self.complaints(sites=wrong), [])
        self.assertNotEqual(self.complaints(sites=wrong, sites_sure=False), [])

        def hide(findings, *_):
            findings["n_plus_one", "bad_list__customer"].pop("site")
        self.assertNotEqual(self.complaints(hide, sites=wrong), [])
        self.assertEqual(self.complaints(hide, sites=wrong, sites_sure=False), [])


def add_tests():
    def add(name, check_it, kind):
        def test(self):
            check_it(self, kind)

        test.__name__ = "test_" + name
        setattr(Nplus1, test.__name__, test)

    for kind in apps.SERVERS:
        if not issubclass(kind, apps.Node):
            add(kind.name, Nplus1.check_server, kind)
    for kind in apps.JOBS:
        add(kind.name, Nplus1.check_job, kind)
    for kind in (apps.Node, apps.NodeMysql):
        add(kind.name + "_sequential", Nplus1.check_sequential, kind)
        add(kind.name + "_mixed", Nplus1.check_mixed, kind)
        add(kind.name + "_clients", Nplus1.check_clients, kind)
        add(kind.name + "_deserted", Nplus1.check_deserted, kind)
        add(kind.name + "_alone", Nplus1.check_alone, kind)


add_tests()

if __name__ == "__main__":
    unittest.main()
