# SPDX-License-Identifier: GPL-2.0-only
"""kernel_postgresql.py - the work of kernel_postgresql.sh: pgbench's statements counted by sonde and by the server, an N+1 found."""

import os
import signal
import sys
import time

import certs
import pg

SCRIPT = """
\\set id random(1, 100)
begin;
select name from item where id = :id;
update item set name = 'x' where id in (:id, :id);
end;
select * from item where id <= 10;
"""
CLIENTS = 2
TRANSACTIONS = 30

ORDERS, ITEMS = 3, 8

# In each transaction a list, and then each of its rows by itself.
NPLUS1 = """
import psycopg2
db = psycopg2.connect("")
for order in range(%d):
    cursor = db.cursor()
    cursor.execute("select id from item where id > %%s order by id limit %d", (order * 10,))
    for (item,) in cursor.fetchall():
        cursor.execute("select name from item where id = %%s", (item,))
        cursor.fetchall()
    db.commit()
""" % (ORDERS, ITEMS)


def check_nplus1(cluster, capture):
    """What is wrong with the finding that such a program must lead to, or None."""
    report = pg.run_program(["/usr/bin/python3", "-c", NPLUS1], "--capture", capture, env=dict(cluster.env(False), PGSSLMODE="disable"))
    child, parent = (pg.fingerprint(s) for s in ("select name from item where id = 1", "select id from item where id > 1 order by id limit 8"))
    found = [(f["kind"], f["query_id"], f.get("parent_id"), f["scope"]["kind"], f["scopes"], f["calls_per_scope"]["median"],
              f["distinct_params"]) for f in report.json.get("findings", ())]
    wanted = [("n_plus_one", child, parent, "transaction", ORDERS, ITEMS, ITEMS)]
    if found != wanted:
        return "findings %r, not %r\n%s" % (found, wanted, report.brief())
    if report.json["capture"] != capture:
        return "captured by %r" % report.json["capture"]
    return None


def check(cluster, script, mode, tcp, capture, tls):
    """What is wrong, or None."""
    cluster.reset_statements()
    report = pg.run_program(["pgbench", "-n", "-f", script, "-M", mode, "-c", str(CLIENTS), "-t", str(TRANSACTIONS)],
                            "--capture", capture, env=dict(cluster.env(tcp), PGSSLMODE="require" if tls else "disable"))
    truth = cluster.statements()
    for statement in ("begin", "end"):  # prepared utility statements: PostgreSQL up to 15 counts the first execution only
        sid = pg.fingerprint(statement)
        truth[sid] = truth[sid]._replace(count=CLIENTS * TRANSACTIONS)
    if sum(t.count for t in truth.values()) != 5 * CLIENTS * TRANSACTIONS:
        return "the server itself counts wrong: %s" % (truth,)
    test = pg.TestCase()
    try:
        test.assert_truth(truth, report.by_id())
        test.assert_complete(report, seen=5 * CLIENTS * TRANSACTIONS)
    except AssertionError as error:
        return str(error)
    return None


def main():
    reason = pg.why_not()
    if reason:
        print(reason)
        return 77
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    begin = time.monotonic()
    cluster = pg.Cluster(scale=0)
    failures = 0
    try:
        cluster.psql("create table item (id int primary key, name text);"
                     "insert into item select i, 'item ' || i from generate_series(1, 100) as i", pg.DATABASE)
        cert, key = certs.make(cluster.dir, "postgres")
        for name, value in (("ssl_cert_file", cert), ("ssl_key_file", key), ("ssl", "on")):
            cluster.psql("alter system set %s = '%s'" % (name, value))
        cluster.psql("select pg_reload_conf()")
        script = os.path.join(cluster.dir, "script.sql")
        with open(script, "w") as file:
            file.write(SCRIPT)
        print("server up after %.0f s" % (time.monotonic() - begin), flush=True)
        for capture in pg.captures():
            for mode, tcp, tls in (("simple", False, False), ("prepared", True, False), ("simple", True, True)):
                if tls and pg.kernel_version() < (5, 15):  # no cookies for uprobes
                    continue
                wrong = check(cluster, script, mode, tcp, capture, tls)
                failures += wrong is not None
                print("%s  capture %s, %s statements over %s" % ("FAIL" if wrong else "ok  ", capture, mode,
                                                                  "TLS" if tls else "TCP" if tcp else "a unix socket"),
                      flush=True)
                if wrong:
                    print(wrong, flush=True)
            wrong = check_nplus1(cluster, capture)
            failures += wrong is not None
            print("%s  capture %s, an N+1 is found%s" % ("FAIL" if wrong else "ok  ", capture, "\n" + wrong if wrong else ""), flush=True)
    finally:
        cluster.stop()
    print("%d wrong, after %.0f s" % (failures, time.monotonic() - begin))
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
