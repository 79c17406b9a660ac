# SPDX-License-Identifier: GPL-2.0-only
"""loads.py - what bench.py runs: known numbers of known statements over TCP, and how long the slowest of them took."""

import glob
import os
import re

from workloads import Maria, Postgres, Redis, pg

TPCB_SCALE = 4  # two clients seldom wait for the same branch


class BenchPostgres(Postgres):
    """Its own statistics are off: to have them is one of the rows."""

    def __init__(self):
        super().__init__()
        self.pgbench("-i", "-q", "-s", str(TPCB_SCALE))
        self.psql("alter database %s set pg_stat_statements.track = 'none'" % pg.DATABASE)


class Load:
    """
    @client(server, count): command line that does @count operations; @p99(server, output): of one, in us, from what it wrote
    @statements: {regular expression of the text, as plain() makes it: how often in an operation}
    @libraries: {name of a client library's function that takes the text as its second argument: library}
    """

    system = what = None
    first_count = 2000  # operations of the first, unmeasured run
    env = staticmethod(lambda server: os.environ)
    libraries = {}

    @staticmethod
    def plain(text):
        return re.sub(r'["`\s]+', " ", text).strip().lower()

    def right(self, counts, operations):
        """Statements counted as often as they were sent; too many is as wrong as too few."""
        right = 0
        for pattern, times in self.statements.items():
            sent = times * operations
            told = sum(n for text, n in counts.items() if re.match(pattern, self.plain(text)))
            right += max(0, sent - abs(told - sent))
        return right

    def sent(self, operations):
        return operations * sum(self.statements.values())


class Pgbench(Load):
    system, server = "postgresql", BenchPostgres
    libraries = {"PQsendQuery": "libpq.so.5"}

    def __init__(self, name, what, options, statements):
        self.name, self.what, self.options = name, what, options
        self.statements = statements

    @staticmethod
    def env(server):
        return server.env(True)

    def client(self, server, count):
        return [os.path.join(server.bindir, "pgbench"), "-n", *self.options, "-c", "2", "-j", "2", "-t", str(count // 2), "-l", "--log-prefix",
                os.path.join(server.dir, "latency")]

    @staticmethod
    def p99(server, _):
        times = []
        for path in glob.glob(os.path.join(server.dir, "latency.*")):
            with open(path) as file:
                times += [int(line.split()[2]) for line in file]
            os.unlink(path)
        return sorted(times)[len(times) * 99 // 100]


class Sysbench(Load):
    name, system, server = "sysbench-select", "mariadb", Maria
    what = "MariaDB, sysbench oltp_point_select, text protocol"
    statements = {r"select c from sbtest\S where id ?=": 1}
    libraries = {"mysql_real_query": "libmariadb.so.3"}

    @staticmethod
    def client(server, count):
        return server.sysbench("--table-size=1000", "--db-ps-mode=disable", "--threads=2", "--time=0", "--events=%d" % count, "--percentile=99",
                               "--skip_trx=on", "oltp_point_select", "run", tcp=True)

    @staticmethod
    def p99(_, output):
        return float(re.search(r"99th percentile:\s+([\d.]+)", output)[1]) * 1000


class RedisGet(Load):
    name, system, server = "redis-get", "redis", Redis
    what = "Redis, redis-benchmark -t get"
    statements = {r"get key:": 1}

    @staticmethod
    def client(server, count):
        return ["redis-benchmark", "-p", str(server.port), "-t", "get", "-n", str(count), "-c", "2", "--csv"]

    @staticmethod
    def p99(_, output):
        head, values = [line.strip('"').split('","') for line in output.splitlines() if line.startswith('"')][:2]
        return float(values[head.index("p99_latency_ms")]) * 1000


LOADS = [
    Pgbench("pgbench-select", "PostgreSQL, pgbench -S, simple protocol", ["-S"], {r"select abalance from pgbench_accounts": 1}),
    Pgbench("pgbench-tpcb", "PostgreSQL, pgbench TPC-B-like, an operation is a transaction of 7 statements", ["-b", "tpcb-like"],
            {r"begin": 1, r"update pgbench_accounts": 1, r"select abalance from pgbench_accounts": 1, r"update pgbench_tellers": 1,
             r"update pgbench_branches": 1, r"insert into pgbench_history": 1, r"end": 1}),
    Sysbench(), RedisGet(),
]
