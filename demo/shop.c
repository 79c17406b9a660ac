// SPDX-License-Identifier: GPL-2.0-only
/*
 * shop.c - a small shop on the web and an embedded SQLite database, with the mistakes that sonde is made to find.
 *
 * usage: shop [-n PAGES] [-f FILE] [-q]      (default: 200 pages, a temporary file)
 *
 *	GET /orders		the newest orders: one query, then two more for every order (the N+1 problem)
 *	POST /orders		places an order item by item (a loop of writes)
 *	GET /report		looks at everything, which takes its time
 *	GET /products/{id}	nothing wrong here
 *
 * The shop is its own visitor: a child process asks for so many pages, and for the rest now and then, on two connections.
 * Each connection has a thread and a connection to the database of its own.
 */
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <sqlite3.h>

#include "http.h"
#include "visitor.h"

#define NR_CUSTOMERS 500
#define NR_PRODUCTS 200
#define NR_ORDERS 8000
#define ITEMS_PER_ORDER 4
#define ITEMS_TO_PLACE 8
#define PAGES 200
#define BUSY_MS 10000 /* one connection waits so long for another one's transaction */

struct shop {
	sqlite3 *db;
	sqlite3_stmt *list;
	sqlite3_stmt *customer;
	sqlite3_stmt *items;
	sqlite3_stmt *add_order;
	sqlite3_stmt *add_item;
	sqlite3_stmt *take_stock;
	sqlite3_stmt *product;
	sqlite3_stmt *report;
};

static char path_of_db[256];
static atomic_long shown; /* orders */
static atomic_int nr_placed;

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
	run(shop, "pragma journal_mode = wal");
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
		 "select i, i * 7919 %% %d + 1, i %% 90 + 9.9, 'leave it with neighbour number ' || (i * 31) from n",
		 NR_ORDERS, NR_CUSTOMERS);
	run(shop, sql);
	snprintf(sql, sizeof(sql),
		 "with recursive n(i) as (select 0 union all select i + 1 from n where i < %d) "
		 "insert into items (order_id, product_id, quantity) select i / %d + 1, i * 13 %% %d + 1, i %% 3 + 1 "
		 "from n",
		 NR_ORDERS * ITEMS_PER_ORDER - 1, ITEMS_PER_ORDER, NR_PRODUCTS);
	run(shop, sql);
}

static void open_db(struct shop *shop)
{
	if (sqlite3_open(path_of_db, &shop->db))
		fail(shop, path_of_db);
	sqlite3_busy_timeout(shop->db, BUSY_MS);
	run(shop, "pragma synchronous = off");
}

static void fill_db(void)
{
	struct shop shop = {};

	open_db(&shop);
	create_tables(&shop);
	run(&shop, "begin");
	add_customers(&shop);
	add_products(&shop);
	add_orders(&shop);
	run(&shop, "commit");
	sqlite3_close(shop.db);
}

static void *open_shop(void)
{
	struct shop *shop = calloc(1, sizeof(*shop));

	if (!shop)
		abort();
	open_db(shop);
	shop->list = prepare(shop, "select id, customer_id, total from orders order by id desc limit 50");
	shop->customer = prepare(shop, "select name, city from customers where id = ?");
	shop->items =
		prepare(shop, "select p.name, i.quantity, p.price from items i join products p on p.id = i.product_id "
			      "where i.order_id = ?");
	shop->add_order = prepare(shop, "insert into orders (customer_id, total, note) values (?, ?, ?)");
	shop->add_item = prepare(shop, "insert into items (order_id, product_id, quantity) values (?, ?, ?)");
	shop->take_stock = prepare(shop, "update products set stock = stock - ? where id = ?");
	shop->product = prepare(shop, "select name, price, stock from products where id = ?");
	shop->report = prepare(
		shop, "select c.name, count(*) from customers c join orders o on o.note like '%number ' || c.id || "
		      "'%' where c.city = ? group by c.id order by 2 desc limit 20");
	return shop;
}

static void close_shop(void *ctx)
{
	struct shop *shop = ctx;
	sqlite3_stmt *stmt;

	while ((stmt = sqlite3_next_stmt(shop->db, NULL)))
		sqlite3_finalize(stmt);
	sqlite3_close(shop->db);
	free(shop);
}

/* GET /orders: the list, and then everything else one by one, because each order fetches what it needs. */
static int list_orders(struct shop *shop, int id, FILE *page)
{
	while (sqlite3_step(shop->list) == SQLITE_ROW) {
		fprintf(page, "order %d, %.2f", sqlite3_column_int(shop->list, 0),
			sqlite3_column_double(shop->list, 2));
		sqlite3_bind_int(shop->customer, 1, sqlite3_column_int(shop->list, 1));
		if (sqlite3_step(shop->customer) == SQLITE_ROW)
			fprintf(page, ", for %s in %s", sqlite3_column_text(shop->customer, 0),
				sqlite3_column_text(shop->customer, 1));
		sqlite3_reset(shop->customer);
		sqlite3_bind_int(shop->items, 1, sqlite3_column_int(shop->list, 0));
		while (sqlite3_step(shop->items) == SQLITE_ROW)
			fprintf(page, ", %d %s", sqlite3_column_int(shop->items, 1),
				sqlite3_column_text(shop->items, 0));
		sqlite3_reset(shop->items);
		fputc('\n', page);
		shown++;
	}
	sqlite3_reset(shop->list);
	return 200;
}

/* POST /orders: one statement for every item, where one for all would do. */
static int place_order(struct shop *shop, int id, FILE *page)
{
	int nr = nr_placed++;
	sqlite3_int64 order;

	run(shop, "begin immediate");
	sqlite3_bind_int(shop->add_order, 1, nr * 31 % NR_CUSTOMERS + 1);
	sqlite3_bind_double(shop->add_order, 2, 42.0);
	sqlite3_bind_text(shop->add_order, 3, "ring twice", -1, SQLITE_STATIC);
	execute(shop, shop->add_order);
	order = sqlite3_last_insert_rowid(shop->db);
	for (int i = 0; i < ITEMS_TO_PLACE; i++) {
		int product = (nr * 17 + i * 29) % NR_PRODUCTS + 1;

		sqlite3_bind_int64(shop->add_item, 1, order);
		sqlite3_bind_int(shop->add_item, 2, product);
		sqlite3_bind_int(shop->add_item, 3, i % 2 + 1);
		if (sqlite3_step(shop->add_item) != SQLITE_DONE)
			fail(shop, "items");
		sqlite3_reset(shop->add_item);
		sqlite3_bind_int(shop->take_stock, 1, i % 2 + 1);
		sqlite3_bind_int(shop->take_stock, 2, product);
		if (sqlite3_step(shop->take_stock) != SQLITE_DONE)
			fail(shop, "stock");
		sqlite3_reset(shop->take_stock);
	}
	run(shop, "commit");
	fprintf(page, "order %lld\n", (long long)order);
	return 201;
}

/* GET /report: which customers of a city the notes of all orders name. Text is searched; no index can help. */
static int run_report(struct shop *shop, int id, FILE *page)
{
	sqlite3_bind_text(shop->report, 1, "Oslo", -1, SQLITE_STATIC);
	while (sqlite3_step(shop->report) == SQLITE_ROW)
		fprintf(page, "%s: %d times\n", sqlite3_column_text(shop->report, 0),
			sqlite3_column_int(shop->report, 1));
	sqlite3_reset(shop->report);
	return 200;
}

/* GET /products/{id} */
static int show_product(struct shop *shop, int id, FILE *page)
{
	int status = 404;

	sqlite3_bind_int(shop->product, 1, id);
	if (sqlite3_step(shop->product) == SQLITE_ROW) {
		fprintf(page, "%s, %.2f, %d left\n", sqlite3_column_text(shop->product, 0),
			sqlite3_column_double(shop->product, 1), sqlite3_column_int(shop->product, 2));
		status = 200;
	}
	sqlite3_reset(shop->product);
	return status;
}

/* What the shop answers; a path that ends in a slash goes on with a number. */
static const struct route {
	const char *method;
	const char *path;
	int (*show)(struct shop *shop, int id, FILE *page);
} routes[] = {
	{ "GET", "/orders", list_orders },
	{ "POST", "/orders", place_order },
	{ "GET", "/report", run_report },
	{ "GET", "/products/", show_product },
};

static int handle(void *ctx, const char *method, const char *path, FILE *page)
{
	for (size_t i = 0; i < sizeof(routes) / sizeof(routes[0]); i++) {
		const struct route *r = &routes[i];
		size_t len = strlen(r->path);

		if (strcmp(method, r->method) || strncmp(path, r->path, len))
			continue;
		if (r->path[len - 1] == '/' || !path[len])
			return r->show(ctx, strtol(path + len, NULL, 10), page);
	}
	return 404;
}

static const struct http_app app = { open_shop, handle, close_shop };

static void *serve(void *arg)
{
	const int *fd = arg;
	int err = http_serve(*fd, &app);

	if (err) {
		fprintf(stderr, "shop: cannot serve: %s\n", strerror(-err));
		exit(1);
	}
	return NULL;
}

/* Opens the shop for one visitor and closes it when it has left. Seconds, or < 0: something went wrong. */
static double run_shop(int pages)
{
	struct timespec from, to;
	pthread_t server;
	int fd, status = -1;
	uint16_t port;
	pid_t visitor;

	fd = http_listen(&port);
	if (fd < 0) {
		fprintf(stderr, "shop: cannot listen: %s\n", strerror(-fd));
		return -1;
	}
	clock_gettime(CLOCK_MONOTONIC, &from);
	visitor = fork(); /* before there are threads or connections to the database */
	if (!visitor)
		visitor_run(port, pages, NR_PRODUCTS);
	if (visitor < 0 || pthread_create(&server, NULL, serve, &fd)) {
		perror("shop: cannot begin");
		return -1;
	}
	while (waitpid(visitor, &status, 0) < 0 && errno == EINTR)
		;
	shutdown(fd, SHUT_RDWR);
	pthread_join(server, NULL);
	close(fd);
	clock_gettime(CLOCK_MONOTONIC, &to);
	return status ? -1 : to.tv_sec - from.tv_sec + (to.tv_nsec - from.tv_nsec) / 1e9;
}

static void remove_db(void)
{
	char side[280];

	unlink(path_of_db);
	snprintf(side, sizeof(side), "%s-wal", path_of_db);
	unlink(side);
	snprintf(side, sizeof(side), "%s-shm", path_of_db);
	unlink(side);
}

int main(int argc, char **argv)
{
	int pages = PAGES, option, fd = -1;
	bool quiet = false;
	double seconds;

	while ((option = getopt(argc, argv, "n:f:q")) != -1) {
		if (option == 'n')
			pages = strtol(optarg, NULL, 10);
		else if (option == 'f')
			snprintf(path_of_db, sizeof(path_of_db), "%s", optarg);
		else if (option == 'q')
			quiet = true;
		else
			return 2;
	}
	if (!*path_of_db) {
		snprintf(path_of_db, sizeof(path_of_db), "/tmp/shop-XXXXXX");
		fd = mkstemp(path_of_db);
		if (fd < 0) {
			perror("shop: cannot make a temporary file");
			return 1;
		}
		close(fd);
		atexit(remove_db);
	}
	fill_db();
	seconds = run_shop(pages);
	if (seconds < 0)
		return 1;
	if (!quiet)
		printf("shop: served %d pages, showed %ld orders in %.1f s\n", pages, (long)shown, seconds);
	return 0;
}
