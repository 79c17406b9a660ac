# SPDX-License-Identifier: GPL-2.0-only
"""dbapi.py - the drivers' workload in Python: psycopg2 or PyMySQL (DB_KIND), statements as text. See test_drivers.py."""

import json
import os
import time

env = os.environ
ROUNDS = int(env["DB_ROUNDS"])
tls = env["DB_TLS"] == "1"
where = {"host": env["DB_HOST"], "port": int(env["DB_PORT"]), "user": env["DB_USER"], "password": env["DB_PASSWORD"]}
if env["DB_KIND"] == "postgresql":
    import psycopg2 as driver
    conn = driver.connect(dbname=env["DB_NAME"], sslmode="require" if tls else "disable", gssencmode="disable", **where)
    conn.autocommit = True
else:
    import pymysql as driver
    import ssl
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    conn = driver.connect(database=env["DB_NAME"], autocommit=True, ssl=context if tls else None, **where)

done = {}


def run(kind, sql, params=None):
    told = done.setdefault(kind, {"count": 0, "rows": 0, "errors": 0, "ns": []})
    cursor = conn.cursor()
    begin = time.monotonic_ns()
    try:
        cursor.execute(sql, params)
        rows = len(cursor.fetchall()) if cursor.description else cursor.rowcount
    except driver.Error:
        rows = 0
        told["errors"] += 1
    told["ns"].append(time.monotonic_ns() - begin)
    told["count"] += 1
    told["rows"] += max(rows, 0)
    cursor.close()


for i in range(ROUNDS):
    run("text", "SELECT name, qty FROM drv_items WHERE id = %s", (i % 100 + 1,))
conn.autocommit = False if env["DB_KIND"] == "postgresql" else conn.begin()
for i in range(20):
    run("insert", "INSERT INTO drv_log (id, note) VALUES (%s, %s)", (i, "note %d" % i))
conn.commit()
if env["DB_KIND"] == "postgresql":
    conn.autocommit = True
run("failing", "SELECT nope FROM drv_missing")
run("many", "SELECT id, name FROM drv_items WHERE id <= %s", (50,))
conn.close()
print(json.dumps(done))
