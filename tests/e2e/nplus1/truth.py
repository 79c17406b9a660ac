# SPDX-License-Identifier: GPL-2.0-only
"""truth.py - what each endpoint of the shops of this directory asks its database, and what is wrong with it.

Every statement of a shop carries a marker that occurs nowhere else: ENDPOINT__WHAT, a table's name or alias, as every statement reads a
view or writes a table of its own. So it tells by its text which endpoint sent it, however it was normalised, prepared or logged.
"""

import collections
import re

MARKER = re.compile(r"\b((?:bad|ok)_[a-z]+)__([a-z]+)\b")
REQUESTS = 30
PAGES = 30  # of orders; what {id} of a path may be
PAGE_ORDERS = 20

# A finding that must be told: @n calls in a request of the statement marked @child, whose parent is one of those marked @parent
# (several: any of them; none: there need not be one).
Finding = collections.namedtuple("Finding", "kind n child parent")


class Endpoint:
    """@path may end in {id}; @calls: of each statement in one request; @may: kinds of further findings that would be true, too."""

    def __init__(self, path, calls, findings=(), requests=REQUESTS, may=()):
        self.path = path
        self.slug = "_".join(path.split("/")[1:3])
        self.calls = {"%s__%s" % (self.slug, what): n for what, n in calls.items()}
        self.findings = [Finding(f[0], f[1], self._marks(f[2])[0], self._marks(f[3] if len(f) > 3 else "")) for f in findings]
        self.requests = requests
        self.may = {(kind, self._marks(what)[0]) for kind, what in may}

    def _marks(self, words):
        return ["%s__%s" % (self.slug, word) for word in words.split()]

    @property
    def name(self):
        return "GET " + self.path

    def instance(self, i):
        return self.path.replace("{id}", str(i % PAGES))


def bad_list(path):
    return Endpoint(path, {"order": 1, "customer": 20}, [("n_plus_one", 20, "customer", "order")])


def endpoints(*rows):
    return {e.slug: e for e in rows}


SHOP = endpoints(
    bad_list("/bad/list/{id}"),
    # For each row two: the parent of the second is the list; that it follows the first is true as well.
    Endpoint("/bad/nested/{id}", {"order": 1, "customer": 20, "item": 20},
             [("n_plus_one", 20, "customer", "order item"), ("n_plus_one", 20, "item", "order customer")]),
    Endpoint("/bad/same", {"setting": 10}, [("redundant_query", 10, "setting")]),
    Endpoint("/bad/loop", {"log": 12}, [("write_loop", 12, "log")]),
    Endpoint("/bad/pairs/{id}", {"stock": 10, "products": 10}, [("write_loop", 10, "products", "stock")],
             may=[("write_loop", "stock"), ("n_plus_one", "stock")]),
    Endpoint("/bad/slow", {"sleep": 1}, [("slow_query", 1, "sleep")], requests=8),
    Endpoint("/bad/large", {"n": 1}, [("large_result", 1, "n")], requests=4, may=[("slow_query", "n")]),
    Endpoint("/ok/list/{id}", {"order": 1}),
    Endpoint("/ok/in/{id}", {"order": 1, "customer": 1}),
    Endpoint("/ok/nested/{id}", {"order": 1, "customer": 1, "item": 1}),
    Endpoint("/ok/batch", {"log": 1}),
    Endpoint("/ok/pairs/{id}", {"products": 1}),
    Endpoint("/ok/four/{id}", {"customer": 1, "order": 1, "item": 1, "product": 1}),
    Endpoint("/ok/few/{id}", {"customer": 4}),
    Endpoint("/ok/page/{id}", {"total": 1, "order": 1}),
    Endpoint("/ok/config", {"setting": 3, "all": 1}),
    Endpoint("/ok/tx/{id}", {"order": 1, "products": 1, "log": 1, "item": 1}),
    Endpoint("/ok/noise", {"set": 12, "order": 1}),
    Endpoint("/ok/catalog", {"oid": 8}),
    Endpoint("/ok/empty", {}),
)

# Event loops: the same list in the ways such programs write it.
EVENT_LOOP = {**SHOP, **endpoints(
    bad_list("/bad/tx/{id}"),
    bad_list("/bad/prepared/{id}"),
    bad_list("/bad/all/{id}"),
    bad_list("/bad/timer/{id}"),
    Endpoint("/ok/all/{id}", {"customer": 1, "order": 1, "item": 1, "product": 1}),
    Endpoint("/ok/timer/{id}", {"order": 1, "customer": 1}),
)}

# Of these not only the database's answers wake the loop: which request goes on cannot be told by their order.
PARALLEL = {"bad_all", "bad_timer", "ok_all", "ok_timer"}

# Objects in place of statements.
ORM = endpoints(
    bad_list("/bad/list/{id}"),
    SHOP["bad_nested"],
    Endpoint("/bad/count/{id}", {"order": 1, "item": 20}, [("n_plus_one", 20, "item", "order")]),
    Endpoint("/bad/loop", {"log": 12}, [("write_loop", 12, "log")]),
    SHOP["bad_pairs"],
    Endpoint("/ok/list/{id}", {"order": 1}),  # select_related
    Endpoint("/ok/in/{id}", {"order": 1, "customer": 1}),  # prefetch_related
    SHOP["ok_nested"],
    Endpoint("/ok/count/{id}", {"order": 1}),  # annotate
    SHOP["ok_batch"],  # bulk_create
    SHOP["ok_pairs"],  # update
    Endpoint("/ok/few/{id}", {"customer": 4}),
    Endpoint("/ok/page/{id}", {"order": 2}),  # Paginator: count, then a slice
    Endpoint("/ok/tx/{id}", {"order": 1, "products": 1, "log": 1, "item": 1}),
    Endpoint("/ok/empty", {}),
)

# Those that batch jobs do, each once or a few times.
JOB_SLUGS = ("bad_list", "bad_nested", "bad_same", "bad_loop", "bad_pairs", "ok_list", "ok_in", "ok_batch", "ok_pairs", "ok_four", "ok_few",
             "ok_page")
JOB = {slug: SHOP[slug] for slug in JOB_SLUGS}

# Embedded: a session has no settings.
EMBEDDED = {**SHOP, **endpoints(Endpoint("/ok/noise", {"order": 1}))}

# These answer the same, by other statements.
TWINS = (("bad_list", "ok_list", "ok_in", "bad_tx", "bad_prepared", "bad_all", "bad_timer", "ok_timer"), ("bad_nested", "ok_nested"),
         ("bad_loop", "ok_batch"), ("bad_pairs", "ok_pairs"), ("ok_four", "ok_all"), ("bad_count", "ok_count"))

# What drivers and frameworks say on their own, without a marker.
NOISE = re.compile(r"^\s*(begin|commit|rollback|start transaction|set |show |savepoint|release|deallocate|discard|prepare|close|reset|"
                   r"select set_config|select version\(\)|select @@|pragma )", re.I)


def markers(text):
    return {"%s__%s" % found for found in MARKER.findall(text or "")}


def slug_of(marker):
    return marker.split("__")[0]


def calls_of(table, rounds=None):
    """Calls of each marked statement when each endpoint is asked @rounds times (None: as often as its row says)."""
    out = collections.Counter()
    for e in table.values():
        for marker, n in e.calls.items():
            out[marker] += n * (rounds or e.requests)
    return out


SCHEMA = """
create table customers (id int primary key, name varchar(40) not null, city varchar(40));
create table products (id int primary key, name varchar(40), stock int not null);
create table orders (id int primary key, page int not null, customer_id int not null, total int not null);
create table items (id int primary key, order_id int not null, product_id int not null, qty int not null);
create table settings (name varchar(40) primary key, value varchar(40));
create table big (n int);
create table bad_slow__sleep (n int);
insert into bad_slow__sleep values (1);
create index orders_page on orders (page);
create index items_order on items (order_id);
"""
LOGS = ("bad_loop__log", "ok_batch__log", "ok_tx__log")
STOCKS = ("bad_pairs__products", "ok_pairs__products", "ok_tx__products")
VIEWED = {"order": "orders", "total": "orders", "customer": "customers", "item": "items", "product": "products", "setting": "settings",
          "all": "settings", "n": "big"}


def views():
    """(view, table): reads go through views, so that their names stand in the statements."""
    found = {"bad_pairs__stock": "products", "ok_list__joined": "customers", "ok_count__joined": "items"}
    for table in (SHOP, EVENT_LOOP, ORM):
        for e in table.values():
            found.update({mark: VIEWED[mark.split("__")[1]] for mark in e.calls if mark.split("__")[1] in VIEWED})
    return sorted(found.items())


def schema(system):
    """SQL that makes the shop's tables, one statement after the other. @system: postgresql, mysql or sqlite."""
    serial = {"postgresql": "serial primary key", "mysql": "int auto_increment primary key",
              "sqlite": "integer primary key autoincrement"}[system]
    numbers = {"postgresql": "select n from generate_series(1, 50000) as n", "mysql": "select seq from seq_1_to_50000",
               "sqlite": "with recursive s(n) as (select 1 union all select n + 1 from s where n < 50000) select n from s"}[system]
    nr_orders = PAGES * PAGE_ORDERS

    def insert(table, rows):
        return "insert into %s values %s;" % (table, ", ".join(repr(row) for row in rows))

    lines = [SCHEMA]
    lines += ["create table %s (id %s, ref int not null, note varchar(40));" % (name, serial) for name in LOGS]
    lines.append(insert("customers", [(i, "customer %d" % i, "city %d" % (i % 9)) for i in range(1, 201)]))
    products = [(i, "product %d" % i, 1000000) for i in range(0, 310)]
    lines.append(insert("products", products))
    for name in STOCKS:
        lines.append("create table %s (id int primary key, name varchar(40), stock int not null);" % name)
        lines.append(insert(name, products))
    lines.append(insert("orders", [(i, i // PAGE_ORDERS, i * 7 % 200 + 1, i * 3) for i in range(nr_orders)]))
    lines.append(insert("items", [(i, i // 2, i * 3 % 300, i % 5 + 1) for i in range(2 * nr_orders)]))
    lines.append(insert("settings", [("name%d" % i, "value %d" % i) for i in range(10)]))
    lines.append("insert into big %s;" % numbers)
    lines += ["create view %s as select * from %s;" % names for names in views()]
    if system == "postgresql":
        lines.append("analyze;")
    return "\n".join(lines)
