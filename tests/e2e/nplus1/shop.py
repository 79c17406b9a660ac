# SPDX-License-Identifier: GPL-2.0-only
"""shop.py - a shop's endpoints on plain DB-API drivers: as a WSGI application, or as a batch job.

    shop.py serve                the threaded server of wsgiref; prints its port
    shop.py job MODE ROUNDS      does the work of a list of endpoints; MODE: auto, tx (one each), one (for all)

The environment: DB_KIND (postgresql: psycopg2, mysql: pymysql), DB_HOST, DB_PORT, DB_USER, DB_PASSWORD, DB_NAME. gunicorn runs
shop:application. See truth.py for what each endpoint does wrong, or well.
"""

import os
import queue
import socketserver
import sys
import wsgiref.simple_server

POSTGRESQL = os.environ.get("DB_KIND") == "postgresql"
POOL = 4


def connect():
    env = os.environ
    if POSTGRESQL:
        import psycopg2
        conn = psycopg2.connect(host=env["DB_HOST"], port=env["DB_PORT"], user=env["DB_USER"], dbname=env["DB_NAME"], sslmode="disable",
                                gssencmode="disable")
        conn.autocommit = True
        return conn
    import pymysql
    return pymysql.connect(host=env["DB_HOST"], port=int(env["DB_PORT"]), user=env["DB_USER"], password=env["DB_PASSWORD"],
                           database=env["DB_NAME"], autocommit=True)


class Db:
    """A connection and what the endpoints want of it."""

    def __init__(self):
        self.conn = connect()

    def rows(self, sql, *params):
        with self.conn.cursor() as cursor:
            cursor.execute(sql, params or None)
            return cursor.fetchall()

    def run(self, sql, *params):
        with self.conn.cursor() as cursor:
            cursor.execute(sql, params or None)

    def insert_many(self, sql, rows):
        """One statement for all @rows."""
        with self.conn.cursor() as cursor:
            if POSTGRESQL:
                from psycopg2.extras import execute_values
                execute_values(cursor, sql, rows)
            else:
                cursor.executemany(sql.replace("%s", "(%s, %s)"), rows)


def lines(rows):
    return "".join(" ".join(str(field) for field in row) + "\n" for row in rows)


def holders(values):
    return "(" + ", ".join(["%s"] * len(values)) + ")"


def by_order(pairs):
    """"3,4" for each order of (order, product) pairs."""
    out = {}
    for order, product in pairs:
        out.setdefault(order, []).append(str(product))
    return {order: ",".join(products) for order, products in out.items()}


def bad_list(db, page):
    orders = db.rows("select o.id, o.customer_id from bad_list__order o where o.page = %s order by o.id", page)
    return lines((order, customer_name(db, customer)) for order, customer in orders)


def customer_name(db, customer):
    return db.rows("select c.name from bad_list__customer c where c.id = %s", customer)[0][0]


def bad_nested(db, page):
    out = []
    for order, customer in db.rows("select o.id, o.customer_id from bad_nested__order o where o.page = %s order by o.id", page):
        name = db.rows("select c.name from bad_nested__customer c where c.id = %s", customer)[0][0]
        items = db.rows("select i.product_id from bad_nested__item i where i.order_id = %s order by i.id", order)
        out.append((order, name, ",".join(str(product) for product, in items)))
    return lines(out)


def bad_same(db, _):
    values = [db.rows("select s.value from bad_same__setting s where s.name = %s", "name3")[0][0] for _ in range(10)]
    return values[-1]


def bad_loop(db, _):
    for i in range(12):
        db.run("insert into bad_loop__log (ref, note) values (%s, %s)", i, "note %d" % i)
    return "12\n"


def bad_pairs(db, page):
    for product in range(page * 10, page * 10 + 10):
        if db.rows("select p.stock from bad_pairs__stock p where p.id = %s", product)[0][0] > 0:
            db.run("update bad_pairs__products set stock = stock - 1 where id = %s", product)
    return "10\n"


def bad_slow(db, _):
    db.rows("select %s(%%s) from bad_slow__sleep" % ("pg_sleep" if POSTGRESQL else "sleep"), 0.15)
    return "slept\n"


def bad_large(db, _):
    return "%d\n" % len(db.rows("select b.n from bad_large__n b"))


def ok_list(db, page):
    return lines(db.rows("select o.id, c.name from ok_list__order o join customers c on c.id = o.customer_id"
                         " where o.page = %s order by o.id", page))


def ok_in(db, page):
    orders = db.rows("select o.id, o.customer_id from ok_in__order o where o.page = %s order by o.id", page)
    ids = [customer for _, customer in orders]
    if POSTGRESQL:
        found = db.rows("select c.id, c.name from ok_in__customer c where c.id = any(%s)", ids)
    else:
        found = db.rows("select c.id, c.name from ok_in__customer c where c.id in " + holders(ids), *ids)
    names = dict(found)
    return lines((order, names[customer]) for order, customer in orders)


def ok_nested(db, page):
    orders = db.rows("select o.id, o.customer_id from ok_nested__order o where o.page = %s order by o.id", page)
    customers, ids = [customer for _, customer in orders], [order for order, _ in orders]
    names = dict(db.rows("select c.id, c.name from ok_nested__customer c where c.id in " + holders(customers), *customers))
    items = by_order(db.rows("select i.order_id, i.product_id from ok_nested__item i where i.order_id in " + holders(ids) +
                             " order by i.id", *ids))
    return lines((order, names[customer], items[order]) for order, customer in orders)


def ok_batch(db, _):
    db.insert_many("insert into ok_batch__log (ref, note) values %s", [(i, "note %d" % i) for i in range(12)])
    return "12\n"


def ok_pairs(db, page):
    ids = list(range(page * 10, page * 10 + 10))
    db.run("update ok_pairs__products set stock = stock - 1 where stock > 0 and id in " + holders(ids), *ids)
    return "10\n"


def ok_four(db, i):
    return lines((db.rows("select c.name from ok_four__customer c where c.id = %s", i + 1)[0],
                  db.rows("select o.total from ok_four__order o where o.id = %s", i)[0],
                  db.rows("select count(*) from ok_four__item i where i.order_id = %s", i)[0],
                  db.rows("select p.name from ok_four__product p where p.id = %s", i)[0]))


def ok_few(db, i):
    return lines(db.rows("select c.name from ok_few__customer c where c.id = %s", i + n)[0] for n in range(1, 5))


def ok_page(db, page):
    total = db.rows("select count(*) from ok_page__total o")[0][0]
    rows = db.rows("select o.id, o.total from ok_page__order o order by o.id limit 20 offset %s", page * 20)
    return "%d of %d\n" % (len(rows), total)


def ok_config(db, _):
    one = [db.rows("select s.value from ok_config__setting s where s.name = %s", "name%d" % i)[0] for i in range(3)]
    every = db.rows("select s.name, s.value from ok_config__all s where s.name like %s", "name%")
    return "%d\n" % len(one + list(every))


def ok_tx(db, i):
    db.run("begin")
    db.rows("select o.id from ok_tx__order o where o.id = %s", i)
    db.run("update ok_tx__products set stock = stock - 1 where id = %s", i)
    db.run("insert into ok_tx__log (ref, note) values (%s, %s)", i, "sold")
    db.rows("select i.qty from ok_tx__item i where i.order_id = %s", i)
    db.run("commit")
    return "sold\n"


def ok_noise(db, i):
    for n in range(6):
        db.run("set ok_noise__set.a = '%d'" % n if POSTGRESQL else "set @ok_noise__set = %d" % n)
        db.rows("show ok_noise__set.a" if POSTGRESQL else "show variables like 'ok_noise__set'")
        db.run("begin")
        db.run("commit")
    return "%d\n" % len(db.rows("select o.id from ok_noise__order o where o.id = %s", i))


def ok_catalog(db, _):
    catalog = "select ok_catalog__oid.oid from pg_catalog.pg_class ok_catalog__oid where ok_catalog__oid.relname = %s"
    if not POSTGRESQL:
        catalog = "select ok_catalog__oid.table_rows from information_schema.tables ok_catalog__oid where ok_catalog__oid.table_name = %s"
    names = ("customers", "orders", "items", "products", "settings", "big", "tables", "columns")
    return "%d\n" % sum(len(db.rows(catalog, name)) for name in names)


def ok_empty(_db, _):
    return "empty\n"


ENDPOINTS = {"/" + name.replace("_", "/", 1): function for name, function in list(globals().items()) if name.startswith(("bad_", "ok_"))}

connections = queue.LifoQueue()


def application(environ, start_response):
    parts = environ["PATH_INFO"].split("/")
    endpoint = ENDPOINTS.get("/".join(parts[:3]))
    if not endpoint:
        start_response("404 Not Found", [("Content-Length", "0")])
        return [b""]
    try:
        db = connections.get_nowait()
    except queue.Empty:
        db = Db()
    body = endpoint(db, int(parts[3]) if len(parts) > 3 else 0).encode()
    connections.put(db)
    start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", str(len(body)))])
    return [body]


class Server(socketserver.ThreadingMixIn, wsgiref.simple_server.WSGIServer):
    daemon_threads = True
    request_queue_size = 64


class Handler(wsgiref.simple_server.WSGIRequestHandler):
    def log_message(self, *_):
        pass

    def address_string(self):
        return "client"


def serve():
    for db in [Db() for _ in range(POOL)]:
        connections.put(db)
    server = wsgiref.simple_server.make_server("127.0.0.1", 0, application, Server, Handler)
    print(server.server_port, flush=True)
    server.serve_forever()


def job(mode, rounds):
    db = Db()
    slugs = os.environ["JOB_SLUGS"].split()
    if mode == "one":
        db.conn.autocommit = False  # the driver begins the transaction
    for i in range(rounds):
        for slug in slugs:
            if mode == "tx":
                db.run("begin")
            globals()[slug](db, i)
            if mode == "tx":
                db.run("commit")
    if mode == "one":
        db.conn.commit()
    db.conn.close()


if __name__ == "__main__":
    if sys.argv[1] == "serve":
        serve()
    else:
        job(sys.argv[2], int(sys.argv[3]))
