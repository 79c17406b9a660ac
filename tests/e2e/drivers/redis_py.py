# SPDX-License-Identifier: GPL-2.0-only
"""redis_py.py - the drivers' workload with Python's redis. See test_drivers.py."""

import json
import os
import time

import redis

env = os.environ
ROUNDS = int(env["DB_ROUNDS"])
tls = {"ssl": True, "ssl_cert_reqs": "none", "ssl_check_hostname": False} if env["DB_TLS"] == "1" else {}
db = redis.Redis(host=env["DB_HOST"], port=int(env["DB_PORT"]), **tls)
done = {}


def run(kind, call, count=1):
    told = done.setdefault(kind, {"count": 0, "errors": 0, "ns": []})
    begin = time.monotonic_ns()
    try:
        call()
    except redis.ResponseError:
        told["errors"] += 1
    told["ns"].append(time.monotonic_ns() - begin)
    told["count"] += count


for i in range(ROUNDS):
    run("SET user:?", lambda: db.set("user:%d" % i, "v" * (i % 50)))
for i in range(ROUNDS):
    run("GET user:?", lambda: db.get("user:%d" % i))
pipe = db.pipeline(transaction=False)
for i in range(50):
    pipe.incr("visits:%d" % i)  # sends INCRBY
run("INCRBY visits:?", pipe.execute, 50)
pipe = db.pipeline(transaction=True)
for i in range(5):
    pipe.hset("cart:7", "item%d" % i, i)
run("HSET cart:?", pipe.execute, 5)
run("HGETALL cart:?", lambda: db.hgetall("cart:7"))
run("LPUSH user:?", lambda: db.lpush("user:1", "x"))
db.close()
print(json.dumps(done))
