// SPDX-License-Identifier: GPL-2.0-only
/*
 * test_mongodb.c - the MongoDB detector and message parser, against messages put together by hand from the protocol's and
 * BSON's specifications, whole, in pieces, and broken.
 */
#include "unit.h"
#include "stream.h"
#include "sonde/proto/mongodb.h"

#define BUFFER (2u << 20)

/* --- a message being written --- */

static u8 out[BUFFER];
static u32 len;
static u32 open_at[16], depth; /* documents that have not ended */

static void put(const void *bytes, u32 n)
{
	assert_true(len + n <= BUFFER);
	memcpy(out + len, bytes, n);
	len += n;
}

static void put32(u32 v)
{
	put(&v, 4);
}

static void put64(u64 v)
{
	put(&v, 8);
}

static void name(u8 type, const char *s)
{
	put(&type, 1);
	put(s, strlen(s) + 1);
}

static void doc(void)
{
	open_at[depth++] = len;
	put32(0);
}

static void end(void)
{
	u32 at = open_at[--depth], size;

	put("", 1);
	size = len - at;
	memcpy(out + at, &size, 4);
}

static void sub(const char *s)
{
	name(3, s);
	doc();
}

static void array(const char *s)
{
	name(4, s);
	doc();
}

static void str(const char *s, const char *value)
{
	name(2, s);
	put32(strlen(value) + 1);
	put(value, strlen(value) + 1);
}

static void i32(const char *s, u32 value)
{
	name(16, s);
	put32(value);
}

static void i64(const char *s, u64 value)
{
	name(18, s);
	put64(value);
}

static void dbl(const char *s, double value)
{
	name(1, s);
	put(&value, 8);
}

static void boolean(const char *s, u8 value)
{
	name(8, s);
	put(&value, 1);
}

static void oid(const char *s, const char *twelve)
{
	name(7, s);
	put(twelve, 12);
}

static u32 message_at;

static void begin(u32 op, u32 to)
{
	message_at = len;
	put32(0);
	put32(77);
	put32(to);
	put32(op);
}

static void finish(void)
{
	u32 size = len - message_at;

	memcpy(out + message_at, &size, 4);
}

/* OP_MSG with the command or reply as its first section. */
static void msg(u32 flags, u32 to)
{
	begin(2013, to);
	put32(flags);
	put("", 1);
	doc();
}

static void list(const char *s)
{
	put("\1", 1);
	open_at[depth++] = len;
	put32(0);
	put(s, strlen(s) + 1);
}

static void list_end(void)
{
	u32 at = open_at[--depth], size = len - at;

	memcpy(out + at, &size, 4);
}

/* --- reading --- */

static struct sonde_win win;
static struct sonde_state st;
static struct sonde_msg m;

static void start(void)
{
	len = depth = 0;
	memset(&st, 0, sizeof(st));
}

static u32 load(void)
{
	u32 n = sonde_min_u32(len, SONDE_WIN_BYTES);

	memset(&win, 0xa5, sizeof(win));
	memcpy(win.b, out, n);
	return n;
}

static int ask_client(void)
{
	u32 n = load();

	memset(&m, 0, sizeof(m));
	return sonde_mongodb_client(&win, 0, n, &st, &m);
}

static void expect_label(const char *label)
{
	char text[SONDE_LABEL_BYTES + 1] = "";

	assert_int_equal(ask_client(), SONDE_PARSE_OK);
	assert_int_equal(m.op, SONDE_OP_COMMAND);
	assert_int_equal(m.size, len);
	memcpy(text, m.label.b, m.label.len);
	assert_string_equal(text, label);
}

static void tail(const char *db)
{
	str("$db", db);
	sub("lsid");
	name(5, "id");
	put32(16);
	put("\4", 1);
	put("0123456789abcdef", 16);
	end();
	end();
	finish();
}

static void put_find(u32 customer, u32 limit)
{
	start();
	msg(0, 0);
	str("find", "orders");
	sub("filter");
	i32("customer_id", customer);
	sub("total");
	dbl("$gt", 9.5);
	end();
	end();
	sub("sort");
	i32("created", 1);
	end();
	i32("limit", limit);
	tail("shop");
}

static void test_find(void **state)
{
	const char *label = "find orders {customer_id: ?, total: {$gt: ?}}";
	u64 params;

	put_find(17, 5);
	expect_label(label);
	assert_false(m.label.cut);
	assert_int_equal(m.kind, SONDE_MONGO_KIND);
	assert_int_equal(m.flags, SONDE_MSG_IN_DATABASE);
	assert_int_equal(m.db_len, 4);
	assert_memory_equal(win.b + m.db_off, "shop", 4);
	params = m.params;
	assert_true(params != 0);
	/* the database is said once */
	ask_client();
	assert_int_equal(m.flags, 0);
	/* what is not in the filter is no parameter */
	put_find(17, 6);
	expect_label(label);
	assert_true(m.params == params);
	put_find(18, 5);
	expect_label(label);
	assert_true(m.params != params);
}

/* Literals of every type, none of which shows. */
static void test_values(void **state)
{
	start();
	msg(0, 0);
	str("find", "t");
	sub("filter");
	dbl("a", 1);
	str("b", "secret");
	name(5, "c"); /* binary */
	put32(3);
	put("\0abc", 4);
	name(6, "d"); /* undefined */
	oid("e", "secretsecret");
	boolean("f", 1);
	name(9, "g"); /* date */
	put64(5);
	name(10, "h"); /* null */
	name(11, "i"); /* regex */
	put("^secret\0im", 11);
	name(12, "j"); /* DBPointer */
	put32(4);
	put("abc\0secretsecret", 16);
	name(13, "k"); /* code */
	put32(7);
	put("secret\0", 7);
	name(14, "l"); /* symbol */
	put32(2);
	put("s\0", 2);
	name(15, "m"); /* code with scope: its length counts itself */
	put32(4 + 4 + 2 + 5);
	put32(2);
	put("x\0", 2);
	put("\5\0\0\0\0", 5);
	i32("n", 1);
	name(17, "o"); /* timestamp */
	put64(1);
	i64("p", 1);
	name(19, "q"); /* decimal */
	put("0123456789abcdef", 16);
	name(127, "r");
	name(255, "s");
	end();
	tail("shop");
	expect_label("find t {a: ?, b: ?, c: ?, d: ?, e: ?, f: ?, g: ?, h: ?, i: ?, j: ?, k: ?, l: ?, m: ?, n: ?, "
		     "o: ?, p: ?, q: ?, r: ?, s: ?}");
	assert_false(m.label.cut);
	assert_int_equal(m.db_len, 4);
}

static void put_in(u32 nr)
{
	char key[12];

	start();
	msg(0, 0);
	str("find", "orders");
	sub("filter");
	sub("customer_id");
	array("$in");
	for (u32 i = 0; i < nr; i++) {
		snprintf(key, sizeof(key), "%u", i);
		i32(key, 1000 + i);
	}
	end();
	end();
	array("$or");
	sub("0");
	i32("a", 1);
	end();
	sub("1");
	array("b");
	end();
	end();
	end();
	end();
	tail("shop");
}

static void test_lists(void **state)
{
	const char *label = "find orders {customer_id: {$in: [?+]}, $or: [{a: ?}, {b: [?+]}]}";
	u64 params;

	put_in(1);
	expect_label(label);
	params = m.params;
	put_in(40);
	expect_label(label);
	assert_true(m.params != params);
	assert_false(m.label.cut);
	put_in(0);
	expect_label(label);
	/* longer than what is looked at: said to be cut */
	put_in(2000);
	expect_label("find orders {customer_id: {$in: [?+]");
	assert_true(m.label.cut);
}

static void test_aggregate(void **state)
{
	start();
	msg(0, 0);
	str("aggregate", "orders");
	array("pipeline");
	sub("0");
	sub("$match");
	str("status", "secret");
	end();
	end();
	sub("1");
	sub("$group");
	str("_id", "$customer");
	sub("n");
	i32("$sum", 1);
	end();
	end();
	end();
	sub("2");
	i32("$limit", 5);
	end();
	end();
	sub("cursor");
	end();
	tail("shop");
	expect_label("aggregate orders [$match {status: ?}, $group {_id: ?, n: {$sum: ?}}, $limit ?]");
}

/* Updates in a sequence of their own before or behind the command, or in the command; the first q counts. */
static void test_update(void **state)
{
	for (int where = 0; where < 3; where++) {
		start();
		begin(2013, 0);
		put32(0);
		if (where == 0) {
			list("updates");
			doc();
			sub("q");
			i32("_id", 5);
			end();
			end();
			list_end();
		}
		put("", 1);
		doc();
		str("update", "orders");
		if (where == 2) {
			array("updates");
			for (int i = 0; i < 2; i++) {
				sub(i ? "1" : "0");
				sub("q");
				i32("_id", 5);
				end();
				sub("u");
				i32("secret", 5);
				end();
				end();
			}
			end();
		}
		boolean("ordered", 1);
		str("$db", "shop");
		end();
		if (where == 1) {
			list("updates");
			doc();
			sub("q");
			i32("_id", 5);
			end();
			sub("u");
			i32("x", 1);
			end();
			end();
			doc();
			sub("q");
			i32("other", 5);
			end();
			end();
			list_end();
		}
		finish();
		expect_label("update orders {_id: ?}");
		assert_int_equal(m.kind, SONDE_MONGO_KIND | SONDE_MONGO_KIND_WRITE);
		assert_int_equal(m.db_len, 4);
		assert_false(m.label.cut);
	}
}

static void test_insert(void **state)
{
	start();
	begin(2013, 0);
	put32(1 | 2); /* checksum, no reply */
	put("", 1);
	doc();
	str("insert", "orders");
	str("$db", "shop");
	end();
	list("documents");
	doc();
	str("secret", "secret");
	end();
	list_end();
	put32(0x12345678);
	finish();
	expect_label("insert orders");
	assert_int_equal(m.flags, SONDE_MSG_NO_REPLY | SONDE_MSG_IN_DATABASE);

	/* documents in the command, more than are looked at: nothing is missing from the label */
	start();
	msg(0, 0);
	str("insert", "orders");
	array("documents");
	sub("0");
	name(5, "blob");
	put32(100000);
	put("", 1);
	for (int i = 0; i < 1000; i++)
		put(win.b, 100);
	end();
	end();
	tail("shop");
	expect_label("insert orders");
	assert_false(m.label.cut);
}

static void test_other_commands(void **state)
{
	start();
	msg(0, 0);
	i64("getMore", 12345678901234);
	str("collection", "orders");
	i32("batchSize", 100);
	tail("shop");
	expect_label("getMore orders");
	assert_int_equal(m.kind, SONDE_MONGO_KIND);

	start();
	msg(0x10000, 0); /* exhaustAllowed; waits for something to happen */
	i64("getMore", 1);
	str("collection", "events");
	i32("maxTimeMS", 1000);
	tail("shop");
	expect_label("getMore events");
	assert_int_equal(m.kind, SONDE_MONGO_KIND | SONDE_MONGO_KIND_EXHAUST);
	assert_int_equal(m.flags & ~SONDE_MSG_IN_DATABASE, SONDE_MSG_BLOCKING | SONDE_MSG_LAST);

	start();
	msg(0, 0);
	str("distinct", "orders");
	str("key", "status");
	sub("query");
	i32("customer_id", 1);
	end();
	tail("shop");
	expect_label("distinct orders status {customer_id: ?}");

	start();
	msg(0, 0);
	str("findAndModify", "orders");
	sub("query");
	i32("_id", 1);
	end();
	sub("update");
	i32("x", 2);
	end();
	tail("shop");
	expect_label("findAndModify orders {_id: ?}");

	start();
	msg(0, 0);
	str("dropUser", "secret"); /* not a collection */
	tail("admin");
	expect_label("dropUser");

	start();
	msg(0x10000, 0);
	i32("hello", 1);
	i64("maxAwaitTimeMS", 10000);
	tail("admin");
	expect_label("hello");
	assert_int_equal(m.flags & ~SONDE_MSG_IN_DATABASE, SONDE_MSG_BLOCKING);
	assert_int_equal(m.kind, SONDE_MONGO_KIND);
}

static void test_depth_and_length(void **state)
{
	char key[100], text[300];

	start();
	msg(0, 0);
	str("find", "t");
	sub("filter");
	for (int i = 0; i < 8; i++)
		sub("a");
	i32("secret", 1);
	for (int i = 0; i < 8; i++)
		end();
	i32("b", 1);
	end();
	tail("shop");
	expect_label("find t {a: {a: {a: {a: {a: {a: {a: ...}}}}}}, b: ?}");
	assert_true(m.label.cut);

	start();
	msg(0, 0);
	str("find", "t");
	sub("filter");
	for (int i = 0; i < 20; i++) {
		snprintf(key, sizeof(key), "a_rather_long_name_of_a_field_%d", i);
		i32(key, 1);
	}
	end();
	tail("shop");
	assert_int_equal(ask_client(), SONDE_PARSE_OK);
	assert_true(m.label.cut);
	assert_true(m.label.len > 200);
	memcpy(text, m.label.b, m.label.len);
	assert_int_equal(m.db_len, 4); /* the walk goes on */
}

static void test_legacy_hello(void **state)
{
	start();
	begin(2004, 0);
	put32(4);
	put("admin.$cmd", 11);
	put32(0);
	put32(-1);
	doc();
	i32("isMaster", 1);
	boolean("helloOk", 1);
	end();
	finish();
	expect_label("isMaster");
	assert_int_equal(m.db_len, 5);
	assert_memory_equal(win.b + m.db_off, "admin", 5);

	start();
	begin(2004, 0);
	put32(0);
	put("shop.orders", 12);
	put32(0);
	put32(0);
	doc();
	str("x", "secret");
	end();
	finish();
	expect_label("find shop.orders");
}

static void test_transaction_kinds(void **state)
{
	start();
	msg(0, 0);
	str("find", "t");
	i64("txnNumber", 1);
	boolean("startTransaction", 1);
	boolean("autocommit", 0);
	tail("shop");
	expect_label("find t");
	assert_int_equal(m.kind, SONDE_MONGO_KIND | SONDE_MONGO_KIND_TXN);

	start();
	msg(0, 0);
	i32("commitTransaction", 1);
	boolean("autocommit", 0);
	tail("admin");
	expect_label("commitTransaction");
	assert_int_equal(m.kind, SONDE_MONGO_KIND | SONDE_MONGO_KIND_TXN | SONDE_MONGO_KIND_END);
}

/* --- replies --- */

static const struct stream_proto proto = STREAM_PROTO(mongodb);

struct seen {
	u32 nr;
	struct sonde_msg last;
	u64 bytes;
};

static void note(void *ctx, bool server, const struct sonde_msg *msg_seen, const struct sonde_win *w, u32 pos)
{
	struct seen *seen = ctx;

	if (!server)
		return;
	seen->nr++;
	seen->bytes += msg_seen->size;
	if (msg_seen->op != SONDE_OP_REPLY && msg_seen->op != SONDE_OP_NONE)
		seen->last = *msg_seen;
}

/* The reply in out[], to a request of @kind, in pieces of @piece bytes. */
static struct seen reply(u32 kind, u32 piece)
{
	static struct stream s;
	struct seen seen = {};

	stream_begin(&s, &proto, note, &seen);
	if (kind)
		stream_expect(&s, kind, 3);
	for (u32 at = 0; at < len; at += piece)
		stream_feed(&s, true, out + at, sonde_min_u32(piece, len - at));
	assert_false(s.dir[1].lost);
	return seen;
}

static void put_batch(u32 nr, u32 size)
{
	static u8 blob[5000];
	char key[12];

	start();
	msg(0, 77);
	sub("cursor");
	array("firstBatch");
	for (u32 i = 0; i < nr; i++) {
		snprintf(key, sizeof(key), "%u", i);
		sub(key);
		name(5, "blob");
		put32(size);
		put("", 1);
		put(blob, size);
		end();
	}
	end();
	i64("id", 0);
	str("ns", "shop.orders");
	end();
	dbl("ok", 1);
	sub("$clusterTime");
	end();
	end();
	finish();
}

static void test_rows(void **state)
{
	static const u32 nr[] = { 0, 1, 10, 300, 2000 }, size[] = { 1, 100, 500, 4900 };
	static const u32 piece[] = { BUFFER, 16, 1000, 8192, 65536 };

	for (int i = 0; i < 5; i++)
		for (int k = 0; k < 4; k++) {
			if ((u64)nr[i] * size[k] > BUFFER / 2)
				continue;
			put_batch(nr[i], size[k]);
			for (int p = 0; p < 5; p++) {
				struct seen seen = reply(SONDE_MONGO_KIND, piece[p]);

				assert_int_equal(seen.last.op, SONDE_OP_DONE);
				assert_int_equal(seen.last.rows, nr[i]);
				assert_int_equal(seen.last.txn, SONDE_TXN_IDLE);
				assert_int_equal(seen.bytes, len);
			}
		}
}

/* Documents passed by in runs are as many as those passed by one by one. */
static void test_run(void **state)
{
	u32 at, rows, total = 0, left, pos;

	put_batch(700, 20);
	at = 16 + 9 + 1 + 7 + 4 + 1 + 11 + 4;
	left = len - at;
	while (left > SONDE_MONGO_WHOLE) {
		u32 n = sonde_min_u32(left, SONDE_WIN_BYTES);

		memcpy(win.b, out + at, n);
		pos = sonde_mongo_skip_run(&win, 0, n, left, &rows);
		if (!pos)
			break;
		total += rows;
		at += pos;
		left -= pos;
	}
	assert_true(total > 500);
	assert_int_equal(out[at], 3); /* at the beginning of an element */
	assert_int_equal(atoi((char *)out + at + 1), total);
}

static void test_write_results(void **state)
{
	struct seen seen;

	start();
	msg(0, 77);
	i32("n", 3);
	i32("nModified", 2);
	dbl("ok", 1);
	end();
	finish();
	seen = reply(SONDE_MONGO_KIND | SONDE_MONGO_KIND_WRITE, 16);
	assert_int_equal(seen.last.op, SONDE_OP_DONE);
	assert_int_equal(seen.last.rows, 3);
	assert_int_equal(seen.nr, 2); /* header, rest */
	seen = reply(SONDE_MONGO_KIND, BUFFER); /* the result of a count is no number of rows */
	assert_int_equal(seen.last.rows, 0);

	start();
	msg(0, 77);
	array("values");
	i32("0", 1);
	str("1", "x");
	end();
	i32("ok", 1);
	end();
	finish();
	assert_int_equal(reply(SONDE_MONGO_KIND, BUFFER).last.rows, 2);

	start();
	msg(0, 77);
	sub("value");
	i32("n", 7);
	end();
	boolean("ok", 1);
	end();
	finish();
	assert_int_equal(reply(SONDE_MONGO_KIND, BUFFER).last.rows, 1);
}

static void test_errors(void **state)
{
	struct seen seen;

	start();
	msg(0, 77);
	dbl("ok", 0);
	str("errmsg", "unknown operator");
	i32("code", 2);
	str("codeName", "BadValue");
	end();
	finish();
	seen = reply(SONDE_MONGO_KIND | SONDE_MONGO_KIND_TXN, 20);
	assert_int_equal(seen.last.op, SONDE_OP_ERROR);
	assert_int_equal(seen.last.code, 2);
	assert_int_equal(seen.last.error_class, SONDE_ERR_SYNTAX);
	assert_int_equal(seen.last.txn, SONDE_TXN_FAILED);

	for (u32 more = 0; more < 100; more += 90) { /* the second time longer than is looked at in one go */
		char key[12];

		start();
		msg(0, 77);
		i32("n", 1);
		array("writeErrors");
		for (u32 i = 0; i <= more; i++) {
			snprintf(key, sizeof(key), "%u", i);
			sub(key);
			i32("index", i);
			i32("code", i ? 121 : 11000);
			sub("keyPattern");
			i32("code", 99);
			end();
			str("errmsg", "E11000 duplicate key error");
			end();
		}
		end();
		dbl("ok", 1);
		end();
		finish();
		seen = reply(SONDE_MONGO_KIND | SONDE_MONGO_KIND_WRITE, 777);
		assert_int_equal(seen.last.op, SONDE_OP_ERROR);
		assert_int_equal(seen.last.code, 11000);
		assert_int_equal(seen.last.error_class, SONDE_ERR_CONSTRAINT);
	}

	start();
	msg(0, 77);
	i32("n", 1);
	dbl("ok", 1);
	sub("writeConcernError");
	i32("code", 64);
	str("errmsg", "waiting for replication timed out");
	end();
	end();
	finish();
	assert_int_equal(reply(SONDE_MONGO_KIND | SONDE_MONGO_KIND_WRITE, BUFFER).last.code, 64);
}

static void test_op_reply(void **state)
{
	struct seen seen;

	start();
	begin(1, 77);
	put32(8);
	put64(0);
	put32(0);
	put32(1);
	doc();
	boolean("ismaster", 1);
	dbl("ok", 1);
	end();
	finish();
	seen = reply(SONDE_MONGO_KIND, 16);
	assert_int_equal(seen.last.op, SONDE_OP_DONE);
	assert_int_equal(seen.last.rows, 0);

	start();
	begin(1, 77);
	put32(2); /* QueryFailure */
	put64(0);
	put32(0);
	put32(1);
	doc();
	str("$err", "x");
	i32("code", 13);
	end();
	finish();
	seen = reply(SONDE_MONGO_KIND, BUFFER);
	assert_int_equal(seen.last.op, SONDE_OP_ERROR);
	assert_int_equal(seen.last.code, 13);

	start();
	begin(1, 77);
	put32(0);
	put64(0);
	put32(0);
	put32(42);
	doc();
	dbl("ok", 0); /* the user's */
	end();
	finish();
	seen = reply(SONDE_MONGO_KIND | SONDE_MONGO_KIND_LEGACY, BUFFER);
	assert_int_equal(seen.last.op, SONDE_OP_DONE);
	assert_int_equal(seen.last.rows, 42);
}

/* Several replies to one request. */
static void test_exhaust(void **state)
{
	struct seen seen;
	u32 first = 0;

	start();
	for (int i = 0; i < 3; i++) {
		msg(i < 2 ? 2 : 0, 77);
		sub("cursor");
		array("nextBatch");
		for (int k = 0; k < 5; k++) {
			sub("0");
			end();
		}
		end();
		end();
		dbl("ok", 1);
		end();
		finish();
		if (!i)
			first = len;
	}
	seen = reply(SONDE_MONGO_KIND | SONDE_MONGO_KIND_EXHAUST, 100);
	assert_int_equal(seen.last.op, SONDE_OP_DONE);
	assert_int_equal(seen.last.flags, SONDE_MSG_LAST);
	assert_int_equal(seen.last.rows, 5);
	seen = reply(SONDE_MONGO_KIND, 100); /* hello: only the first has a request */
	assert_int_equal(seen.last.op, SONDE_OP_DONE);
	assert_int_equal(seen.bytes, len);
	len = first;
	seen = reply(SONDE_MONGO_KIND | SONDE_MONGO_KIND_EXHAUST, BUFFER);
	assert_int_equal(seen.last.flags, SONDE_MSG_MORE);
}

static void test_compressed(void **state)
{
	start();
	begin(2012, 0);
	put32(2013);
	put32(500);
	put("\2abcdefghijklmnopqrst", 21);
	finish();
	load();
	assert_int_equal(sonde_mongodb_detect(&win, len, len, &st), SONDE_DETECT_CLIENT);
	assert_int_equal(ask_client(), SONDE_PARSE_OK);
	assert_int_equal(m.op, SONDE_OP_UNREADABLE);
	assert_int_equal(m.kind, SONDE_CNT_UNREADABLE_COMPRESSED);
}

static int detect(const void *bytes, u32 n)
{
	u64 head = 0;

	memset(&win, 0x61, sizeof(win));
	memcpy(win.b, bytes, n);
	memcpy(&head, bytes, sonde_min_u32(n, 8));
	memset(&st, 0, sizeof(st));
	if (!sonde_mongodb_plausible(head, n))
		return SONDE_DETECT_NO;
	return sonde_mongodb_detect(&win, n, n, &st);
}

static void test_detect(void **state)
{
	static const char *const others[] = {
		"GET / HTTP/1.1\r\nHost: localhost\r\nAccept: */*\r\n\r\n",
		"*3\r\n$3\r\nSET\r\n$5\r\nhello\r\n$5\r\nworld\r\n",
		"get user:1 user:2 user:3 user:4\r\n",
		"Q\0\0\0\x1fselect 1 from aaaaaaaaaaaaaaaa",
		"\x20\0\0\0\3select 1 from aaaaaaaaaaaaaaaa",
	};

	put_in(3);
	assert_int_equal(detect(out, len), SONDE_DETECT_CLIENT);
	assert_int_equal(detect(out, 100), SONDE_DETECT_CLIENT);
	assert_int_equal(detect(out, 16), SONDE_DETECT_MORE);
	assert_int_equal(detect(out, 20), SONDE_DETECT_NO);
	put_batch(3, 10); /* a reply is no beginning */
	assert_int_equal(detect(out, len), SONDE_DETECT_NO);
	for (size_t i = 0; i < sizeof(others) / sizeof(*others); i++)
		assert_int_equal(detect(others[i], 34), SONDE_DETECT_NO);
	put_in(3);
	out[18] = 1 << 3; /* an unknown flag is only allowed above bit 15 */
	assert_int_equal(detect(out, len), SONDE_DETECT_CLIENT);
	out[16] = 1 << 3;
	assert_int_equal(detect(out, len), SONDE_DETECT_NO);
}

/* Whatever is changed in a command: an answer, nothing out of bounds (stream.h checks), and no value of the filter in it. */
static void test_hostile(void **state)
{
	static struct stream s;
	struct seen seen = {};
	static u8 good[8192];
	u64 seed = 3;

	put_in(20);
	memcpy(good, out, len);
	for (int i = 0; i < 20000; i++) {
		u64 x = unit_random(&seed);

		memcpy(out, good, len);
		for (u32 k = 0; k < 1 + x % 4; k++) {
			u64 y = unit_random(&seed);

			out[4 + y % (len - 4)] = y & 0x10000 ? y >> 56 : 0xff;
		}
		stream_begin(&s, &proto, note, &seen);
		stream_feed(&s, i & 1, out, len);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_find),	       cmocka_unit_test(test_values),
		cmocka_unit_test(test_lists),	       cmocka_unit_test(test_aggregate),
		cmocka_unit_test(test_update),	       cmocka_unit_test(test_insert),
		cmocka_unit_test(test_other_commands), cmocka_unit_test(test_depth_and_length),
		cmocka_unit_test(test_legacy_hello),   cmocka_unit_test(test_transaction_kinds),
		cmocka_unit_test(test_rows),	       cmocka_unit_test(test_run),
		cmocka_unit_test(test_write_results),  cmocka_unit_test(test_errors),
		cmocka_unit_test(test_op_reply),       cmocka_unit_test(test_exhaust),
		cmocka_unit_test(test_compressed),     cmocka_unit_test(test_detect),
		cmocka_unit_test(test_hostile),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
