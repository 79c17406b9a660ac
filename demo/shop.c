// SPDX-License-Identifier: GPL-2.0-only
/*
 * shop.c - a small shop on an embedded SQLite database, with the mistakes that sonde is made to find.
 *
 * usage: shop [-n PAGES] [-f FILE] [-q]      (default: 400 pages, a temporary file)
 *
 * Every page lists the newest orders. The list is one query; then come one query for each order's customer and one for
 * its items, because the code that shows an order fetches what it needs (the N+1 problem). Some pages place an order
 * item by item, and now and then somebody runs a report that has to look at everything.
 */
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <sqlite3.h>

#define NR_CUSTOMERS 500
#define NR_PRODUCTS 200
#define NR_ORDERS 8000
#define ITEMS_PER_ORDER 4
#define PAGE_ORDERS 50
#define PAGES 400
#define PAUSE_US 5000 /* a visitor's thinking time, made short */

struct shop {
	sqlite3 *db;
	sqlite3_stmt *list;
	sqlite3_stmt *customer;
	sqlite3_stmt *items;
	sqlite3_stmt *add_order;
	sqlite3_stmt *add_item;
	sqlite3_stmt *take_stock;
	long shown; /* orders */
	double revenue;
};

static void fail(struct shop *shop, const char *what)
{
	fprintf(stderr, "shop: %s: %s\n", what, shop->db ? sqlite3_errmsg(shop->db) : strerror(errno));
	exit(1);
}

static void run(struct shop *shop, const char *sql)
{
	if (sqlite3_exec(shop->db, sql, NULL, NULL, NULL))
		fail(shop, sql);
}

static sqlite3_stmt *prepare(struct shop *shop, const char *sql)
{
	sqlite3_stmt *stmt;

	if (sqlite3_prepare_v2(shop->db, sql, -1, &stmt, NULL))
		fail(shop, sql);
	return stmt;
}

/* Runs a statement that returns no rows. */
static void execute(struct shop *shop, sqlite3_stmt *stmt)
{
	if (sqlite3_step(stmt) != SQLITE_DONE)
		fail(shop, sqlite3_sql(stmt));
	sqlite3_reset(stmt);
}

static void create_tables(struct shop *shop)
{
	run(shop, "pragma journal_mode = wal; pragma synchronous = off");
	run(shop, "create table customers (id integer primary key, name text not null, city text not null)");
	run(shop, "create table products (id integer primary key, name text not null, price real not null, "
		  "stock integer not null)");
	run(shop, "create table orders (id integer primary key, customer_id integer not null, total real not null, "
		  "note text)");
	run(shop,
	    "create table items (order_id integer not null, product_id integer not null, quantity integer not null)");
	run(shop, "create index items_order on items (order_id)");
}

static void add_customers(struct shop *shop)
{
	static const char *const first[] = { "Ada", "Grace", "Edsger", "Barbara", "Donald", "Radia", "Ken", "Frances" };
	static const char *const city[] = { "Lisbon", "Oslo", "Turin", "Ghent", "Riga", "Brno" };
	sqlite3_stmt *stmt = prepare(shop, "insert into customers (id, name, city) values (?, ?, ?)");
	char name[64];

	for (int id = 1; id <= NR_CUSTOMERS; id++) {
		snprintf(name, sizeof(name), "%s %c. %d", first[id % 8], 'A' + id % 26, id);
		sqlite3_bind_int(stmt, 1, id);
		sqlite3_bind_text(stmt, 2, name, -1, SQLITE_TRANSIENT);
		sqlite3_bind_text(stmt, 3, city[id % 6], -1, SQLITE_STATIC);
		execute(shop, stmt);
	}
	sqlite3_finalize(stmt);
}

static void add_products(struct shop *shop)
{
	sqlite3_stmt *stmt = prepare(shop, "insert into products (id, name, price, stock) values (?, ?, ?, ?)");
	char name[64];

	for (int id = 1; id <= NR_PRODUCTS; id++) {
		snprintf(name, sizeof(name), "Part no. %d", id * 37);
		sqlite3_bind_int(stmt, 1, id);
		sqlite3_bind_text(stmt, 2, name, -1, SQLITE_TRANSIENT);
		sqlite3_bind_double(stmt, 3, 1.5 + id % 40);
		sqlite3_bind_int(stmt, 4, 100000);
		execute(shop, stmt);
	}
	sqlite3_finalize(stmt);
}

/* The history, in one statement for each table: nothing wrong here. */
static void add_orders(struct shop *shop)
{
	char sql[512];

	snprintf(sql, sizeof(sql),
		 "with recursive n(i) as (select 1 union all select i + 1 from n where i < %d) "
		 "insert into orders (id, customer_id, total, note) "
		 "select i, i * 7919 %% %d + 1, i %% 90 + 9.9, 'leave it with neighbour number ' || i * 31 from n",
		 NR_ORDERS, NR_CUSTOMERS);
	run(shop, sql);
	snprintf(sql, sizeof(sql),
		 "with recursive n(i) as (select 0 union all select i + 1 from n where i < %d) "
		 "insert into items (order_id, product_id, quantity) select i / %d + 1, i * 13 %% %d + 1, i %% 3 + 1 "
		 "from n",
		 NR_ORDERS * ITEMS_PER_ORDER - 1, ITEMS_PER_ORDER, NR_PRODUCTS);
	run(shop, sql);
}

static void open_shop(struct shop *shop, const char *file)
{
	if (sqlite3_open(file, &shop->db))
		fail(shop, file);
	create_tables(shop);
	run(shop, "begin");
	add_customers(shop);
	add_products(shop);
	add_orders(shop);
	run(shop, "commit");
	shop->list = prepare(shop, "select id, customer_id, total from orders order by id desc limit 50");
	shop->customer = prepare(shop, "select name, city from customers where id = ?");
	shop->items =
		prepare(shop, "select p.name, i.quantity, p.price from items i join products p on p.id = i.product_id "
			      "where i.order_id = ?");
	shop->add_order = prepare(shop, "insert into orders (customer_id, total, note) values (?, ?, ?)");
	shop->add_item = prepare(shop, "insert into items (order_id, product_id, quantity) values (?, ?, ?)");
	shop->take_stock = prepare(shop, "update products set stock = stock - ? where id = ?");
}

static void close_shop(struct shop *shop)
{
	sqlite3_finalize(shop->list);
	sqlite3_finalize(shop->customer);
	sqlite3_finalize(shop->items);
	sqlite3_finalize(shop->add_order);
	sqlite3_finalize(shop->add_item);
	sqlite3_finalize(shop->take_stock);
	sqlite3_close(shop->db);
}

static void show_customer(struct shop *shop, int id)
{
	sqlite3_bind_int(shop->customer, 1, id);
	if (sqlite3_step(shop->customer) != SQLITE_ROW)
		fail(shop, "customer");
	sqlite3_reset(shop->customer);
}

static void show_items(struct shop *shop, int order)
{
	sqlite3_bind_int(shop->items, 1, order);
	while (sqlite3_step(shop->items) == SQLITE_ROW)
		shop->revenue += sqlite3_column_int(shop->items, 1) * sqlite3_column_double(shop->items, 2);
	sqlite3_reset(shop->items);
}

static void show_order(struct shop *shop, int order, int customer)
{
	show_customer(shop, customer);
	show_items(shop, order);
	shop->shown++;
}

/* GET /orders: the list, and then everything else one by one. */
static void list_orders(struct shop *shop)
{
	while (sqlite3_step(shop->list) == SQLITE_ROW)
		show_order(shop, sqlite3_column_int(shop->list, 0), sqlite3_column_int(shop->list, 1));
	sqlite3_reset(shop->list);
}

/* POST /orders: one statement for every item, where one for all would do. */
static void place_order(struct shop *shop, int page)
{
	sqlite3_int64 order;

	run(shop, "begin immediate");
	sqlite3_bind_int(shop->add_order, 1, page * 31 % NR_CUSTOMERS + 1);
	sqlite3_bind_double(shop->add_order, 2, 42.0);
	sqlite3_bind_text(shop->add_order, 3, "ring twice", -1, SQLITE_STATIC);
	execute(shop, shop->add_order);
	order = sqlite3_last_insert_rowid(shop->db);
	for (int i = 0; i < 8; i++) {
		sqlite3_bind_int64(shop->add_item, 1, order);
		sqlite3_bind_int(shop->add_item, 2, (page * 17 + i * 29) % NR_PRODUCTS + 1);
		sqlite3_bind_int(shop->add_item, 3, i % 2 + 1);
		execute(shop, shop->add_item);
		sqlite3_bind_int(shop->take_stock, 1, i % 2 + 1);
		sqlite3_bind_int(shop->take_stock, 2, (page * 17 + i * 29) % NR_PRODUCTS + 1);
		execute(shop, shop->take_stock);
	}
	run(shop, "commit");
}

/* Searches text in every order, and joins all items to what it finds. No index can help. */
static void run_report(struct shop *shop, int page)
{
	sqlite3_stmt *stmt;
	char sql[512];

	snprintf(sql, sizeof(sql),
		 "select c.city, count(*), sum(i.quantity * p.price) from orders o join customers c on c.id = "
		 "o.customer_id "
		 "join items i on i.order_id = o.id join products p on p.id = i.product_id "
		 "where o.note like '%%%d%%' or c.name like '%%%c. %%' group by c.city order by 3 desc",
		 page % 10, 'A' + page % 26);
	stmt = prepare(shop, sql);
	while (sqlite3_step(stmt) == SQLITE_ROW)
		shop->revenue += sqlite3_column_double(stmt, 2) / 1e6;
	sqlite3_finalize(stmt);
}

int main(int argc, char **argv)
{
	struct timespec from, to;
	struct shop shop = {};
	char file[] = "/tmp/shop-XXXXXX", path[256] = "", side[280];
	bool quiet = false;
	int pages = PAGES, option, fd = -1;

	while ((option = getopt(argc, argv, "n:f:q")) != -1) {
		if (option == 'n')
			pages = strtol(optarg, NULL, 10);
		else if (option == 'f')
			snprintf(path, sizeof(path), "%s", optarg);
		else if (option == 'q')
			quiet = true;
		else
			return 2;
	}
	if (!*path) {
		fd = mkstemp(file);
		if (fd < 0)
			fail(&shop, file);
		snprintf(path, sizeof(path), "%s", file);
	}
	open_shop(&shop, path);
	clock_gettime(CLOCK_MONOTONIC, &from);
	for (int page = 1; page <= pages; page++) {
		list_orders(&shop);
		if (page % 5 == 0)
			place_order(&shop, page);
		if (page % 40 == 0)
			run_report(&shop, page);
		usleep(PAUSE_US);
	}
	clock_gettime(CLOCK_MONOTONIC, &to);
	close_shop(&shop);
	if (fd >= 0) {
		close(fd);
		unlink(path);
		snprintf(side, sizeof(side), "%s-wal", path);
		unlink(side);
		snprintf(side, sizeof(side), "%s-shm", path);
		unlink(side);
	}
	if (!quiet)
		printf("shop: served %d pages, showed %ld orders in %.1f s\n", pages, shop.shown,
		       to.tv_sec - from.tv_sec + (to.tv_nsec - from.tv_nsec) / 1e9);
	return 0;
}
