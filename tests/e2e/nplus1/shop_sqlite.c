// SPDX-License-Identifier: GPL-2.0-only
/* LIBS: -lsqlite3 -lpthread */
/*
 * shop_sqlite.c - the shop in C on SQLite: statements with bound parameters; a list's cursor is open while its rows are looked up.
 *
 * See truth.py for what each endpoint does.
 */
#include <stdio.h>

#include "serve.h"
#include "sqlite_statement.h"

#define PAGE_ORDERS 20
#define NR_LINES 12
#define NR_PRODUCTS 10

static void customer_name(struct request *request, long order, long customer)
{
	sqlite3_stmt *stmt =
		statement(request->db, "select c.name from bad_list__customer c where c.id = ?", customer, 0);

	while (next_row(stmt))
		say(request, "%ld %s\n", order, text_of(stmt, 0));
}

static void list_orders(struct request *request)
{
	sqlite3_stmt *stmt = statement(
		request->db, "select o.id, o.customer_id from bad_list__order o where o.page = ? order by o.id",
		request->id, 0);

	while (next_row(stmt))
		customer_name(request, sqlite3_column_int64(stmt, 0), sqlite3_column_int64(stmt, 1));
}

static void nested_name(struct request *request, long order, long customer)
{
	sqlite3_stmt *stmt =
		statement(request->db, "select c.name from bad_nested__customer c where c.id = ?", customer, 0);

	while (next_row(stmt))
		say(request, "%ld %s ", order, text_of(stmt, 0));
}

static void nested_items(struct request *request, long order)
{
	const char *comma = "";
	sqlite3_stmt *stmt =
		statement(request->db, "select i.product_id from bad_nested__item i where i.order_id = ? order by i.id",
			  order, 0);

	for (; next_row(stmt); comma = ",")
		say(request, "%s%s", comma, text_of(stmt, 0));
	say(request, "\n");
}

static void list_nested(struct request *request)
{
	sqlite3_stmt *stmt = statement(
		request->db, "select o.id, o.customer_id from bad_nested__order o where o.page = ? order by o.id",
		request->id, 0);

	while (next_row(stmt)) {
		long order = sqlite3_column_int64(stmt, 0);

		nested_name(request, order, sqlite3_column_int64(stmt, 1));
		nested_items(request, order);
	}
}

static void read_setting(struct request *request, const char *name)
{
	sqlite3_stmt *stmt = statement(request->db, "select s.value from bad_same__setting s where s.name = ?", 0, 0);

	sqlite3_bind_text(stmt, 1, name, -1, SQLITE_STATIC);
	execute(stmt);
}

static void read_settings(struct request *request)
{
	for (int i = 0; i < 10; i++)
		read_setting(request, "name3");
	say(request, "value 3\n");
}

static void write_log(struct request *request, int ref)
{
	change(request->db, "insert into bad_loop__log (ref, note) values (?, 'note ' || ?)", ref, ref);
}

static void write_logs(struct request *request)
{
	for (int i = 0; i < NR_LINES; i++)
		write_log(request, i);
	say(request, "%d\n", NR_LINES);
}

static void take_stock(struct request *request, long product)
{
	execute(statement(request->db, "select p.stock from bad_pairs__stock p where p.id = ?", product, 0));
	change(request->db, "update bad_pairs__products set stock = stock - 1 where id = ?", product, 0);
}

static void sell_products(struct request *request)
{
	for (long i = 0; i < NR_PRODUCTS; i++)
		take_stock(request, request->id * NR_PRODUCTS + i);
	say(request, "%d\n", NR_PRODUCTS);
}

static void sleep_long(struct request *request)
{
	execute(statement(request->db, "select pause(?) from bad_slow__sleep", 150, 0));
	say(request, "slept\n");
}

static void read_all(struct request *request)
{
	say(request, "%d\n", execute(statement(request->db, "select b.n from bad_large__n b", 0, 0)));
}

static void list_joined(struct request *request)
{
	sqlite3_stmt *stmt =
		statement(request->db,
			  "select o.id, c.name from ok_list__order o join customers c on c.id = o.customer_id"
			  " where o.page = ? order by o.id",
			  request->id, 0);

	while (next_row(stmt))
		say(request, "%s %s\n", text_of(stmt, 0), text_of(stmt, 1));
}

/* Binds PAGE_ORDERS numbers. */
static void bind_all(sqlite3_stmt *stmt, const long *numbers)
{
	for (int i = 0; i < PAGE_ORDERS; i++)
		sqlite3_bind_int64(stmt, i + 1, numbers[i]);
}

/* A page's orders and their customers; customers that occur twice are none the worse. */
static void read_page(sqlite3_stmt *stmt, long orders[PAGE_ORDERS], long customers[PAGE_ORDERS])
{
	for (int i = 0; next_row(stmt) && i < PAGE_ORDERS; i++) {
		orders[i] = sqlite3_column_int64(stmt, 0);
		customers[i] = sqlite3_column_int64(stmt, 1);
	}
	sqlite3_reset(stmt);
}

/* What @stmt says of @key, in rows of a number and a text. */
static void read_values(sqlite3_stmt *stmt, const long keys[PAGE_ORDERS], char values[PAGE_ORDERS][48])
{
	while (next_row(stmt))
		for (int i = 0; i < PAGE_ORDERS; i++)
			if (keys[i] == sqlite3_column_int64(stmt, 0))
				snprintf(values[i], sizeof(values[i]), "%s", text_of(stmt, 1));
}

#define TWENTY "(?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"

static void list_by_in(struct request *request)
{
	long orders[PAGE_ORDERS] = { 0 }, customers[PAGE_ORDERS] = { 0 };
	char names[PAGE_ORDERS][48];
	sqlite3_stmt *stmt;

	read_page(statement(request->db,
			    "select o.id, o.customer_id from ok_in__order o where o.page = ? order by o.id",
			    request->id, 0),
		  orders, customers);
	stmt = statement(request->db, "select c.id, c.name from ok_in__customer c where c.id in " TWENTY, 0, 0);
	bind_all(stmt, customers);
	read_values(stmt, customers, names);
	for (int i = 0; i < PAGE_ORDERS; i++)
		say(request, "%ld %s\n", orders[i], names[i]);
}

static void nested_by_in(struct request *request)
{
	long orders[PAGE_ORDERS] = { 0 }, customers[PAGE_ORDERS] = { 0 };
	char names[PAGE_ORDERS][48], items[PAGE_ORDERS][48];
	sqlite3_stmt *stmt;

	read_page(statement(request->db,
			    "select o.id, o.customer_id from ok_nested__order o where o.page = ? order by o.id",
			    request->id, 0),
		  orders, customers);
	stmt = statement(request->db, "select c.id, c.name from ok_nested__customer c where c.id in " TWENTY, 0, 0);
	bind_all(stmt, customers);
	read_values(stmt, customers, names);
	stmt = statement(request->db,
			 "select i.order_id, group_concat(i.product_id) from ok_nested__item i where "
			 "i.order_id in " TWENTY " group by i.order_id",
			 0, 0);
	bind_all(stmt, orders);
	read_values(stmt, orders, items);
	for (int i = 0; i < PAGE_ORDERS; i++)
		say(request, "%ld %s %s\n", orders[i], names[i], items[i]);
}

static void write_batch(struct request *request)
{
	change(request->db,
	       "insert into ok_batch__log (ref, note) values (0, 'a'), (1, 'b'), (2, 'c'), (3, 'd'), (4, 'e'), (5, "
	       "'f'), (6, 'g'),"
	       " (7, 'h'), (8, 'i'), (9, 'j'), (10, 'k'), (11, 'l')",
	       0, 0);
	say(request, "%d\n", NR_LINES);
}

static void sell_at_once(struct request *request)
{
	change(request->db, "update ok_pairs__products set stock = stock - 1 where stock > 0 and id between ? and ?",
	       request->id * NR_PRODUCTS, request->id * NR_PRODUCTS + NR_PRODUCTS - 1);
	say(request, "%d\n", NR_PRODUCTS);
}

/* A value that is looked up by a number. */
static void say_value(struct request *request, const char *sql, long number)
{
	sqlite3_stmt *stmt = statement(request->db, sql, number, 0);

	while (next_row(stmt))
		say(request, "%s\n", text_of(stmt, 0));
}

static void four_queries(struct request *request)
{
	say_value(request, "select c.name from ok_four__customer c where c.id = ?", request->id + 1);
	say_value(request, "select o.total from ok_four__order o where o.id = ?", request->id);
	say_value(request, "select count(*) from ok_four__item i where i.order_id = ?", request->id);
	say_value(request, "select p.name from ok_four__product p where p.id = ?", request->id);
}

static void few_queries(struct request *request)
{
	for (int i = 1; i <= 4; i++)
		say_value(request, "select c.name from ok_few__customer c where c.id = ?", request->id + i);
}

static void one_page(struct request *request)
{
	sqlite3_stmt *rows =
		statement(request->db, "select o.id, o.total from ok_page__order o order by o.id limit 20 offset ?",
			  request->id * PAGE_ORDERS, 0);

	say(request, "%d of ", execute(rows));
	say_value(request, "select count(*) from ok_page__total o", 0);
}

static void read_config(struct request *request)
{
	static const char *const names[] = { "name0", "name1", "name2" };

	for (int i = 0; i < 3; i++) {
		sqlite3_stmt *stmt =
			statement(request->db, "select s.value from ok_config__setting s where s.name = ?", 0, 0);

		sqlite3_bind_text(stmt, 1, names[i], -1, SQLITE_STATIC);
		execute(stmt);
	}
	say(request, "%d\n",
	    3 + execute(statement(request->db, "select s.name, s.value from ok_config__all s where s.name like 'name%'",
				  0, 0)));
}

static void sell_one(struct request *request)
{
	lock_writes();
	shop_run(request->db, "begin immediate");
	execute(statement(request->db, "select o.id from ok_tx__order o where o.id = ?", request->id, 0));
	execute(statement(request->db, "update ok_tx__products set stock = stock - 1 where id = ?", request->id, 0));
	execute(statement(request->db, "insert into ok_tx__log (ref, note) values (?, 'sold')", request->id, 0));
	execute(statement(request->db, "select i.qty from ok_tx__item i where i.order_id = ?", request->id, 0));
	shop_run(request->db, "commit");
	unlock_writes();
	say(request, "sold\n");
}

static void make_noise(struct request *request)
{
	for (int i = 0; i < 6; i++) {
		shop_run(request->db, "pragma cache_size = 2000");
		shop_run(request->db, "pragma user_version");
		shop_run(request->db, "begin");
		shop_run(request->db, "commit");
	}
	say_value(request, "select o.id from ok_noise__order o where o.id = ?", request->id);
}

static void read_catalog(struct request *request)
{
	static const char *const names[] = { "customers", "orders", "items",  "products",
					     "settings",  "big",    "tables", "columns" };

	for (int i = 0; i < 8; i++) {
		sqlite3_stmt *stmt = statement(request->db,
					       "select ok_catalog__oid.rootpage from sqlite_master ok_catalog__oid "
					       "where ok_catalog__oid.name = ?",
					       0, 0);

		sqlite3_bind_text(stmt, 1, names[i], -1, SQLITE_STATIC);
		execute(stmt);
	}
	say(request, "8\n");
}

static void say_empty(struct request *request)
{
	say(request, "empty\n");
}

const struct route shop_routes[] = {
	{ "/bad/list", list_orders },	 { "/bad/nested", list_nested },  { "/bad/same", read_settings },
	{ "/bad/loop", write_logs },	 { "/bad/pairs", sell_products }, { "/bad/slow", sleep_long },
	{ "/bad/large", read_all },	 { "/ok/list", list_joined },	  { "/ok/in", list_by_in },
	{ "/ok/nested", nested_by_in },	 { "/ok/batch", write_batch },	  { "/ok/pairs", sell_at_once },
	{ "/ok/four", four_queries },	 { "/ok/few", few_queries },	  { "/ok/page", one_page },
	{ "/ok/config", read_config },	 { "/ok/tx", sell_one },	  { "/ok/noise", make_noise },
	{ "/ok/catalog", read_catalog }, { "/ok/empty", say_empty },	  { NULL, NULL },
};
