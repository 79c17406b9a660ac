/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * sql_cases.h - statements and the text the normaliser makes of them: read by the unit, BPF and fuzz tests.
 *
 * Several statements in one input: their texts are joined with "; ".
 */
#ifndef SONDE_TEST_SQL_CASES_H
#define SONDE_TEST_SQL_CASES_H

#include "sonde/sql.h"

#define PG SONDE_SQL_POSTGRESQL
#define MY SONDE_SQL_MYSQL
#define LI SONDE_SQL_SQLITE

static const struct sql_case {
	int dialect;
	const char *sql, *text;
} sql_cases[] = {
	/* Blanks, keywords, names. */
	{ PG, "SELECT 1", "select ?" },
	{ PG, "", "" },
	{ PG, " \t\r\n ", "" },
	{ PG, "  SELECT\n\ta ,b\r\n FROM\ft ", "select a, b from t" },
	{ PG, "SELECT Count( * ) FROM Users", "select count(*) from users" },
	{ PG, "select a.b . c from s.t", "select a.b.c from s.t" },
	{ PG, "SELECT a FROM t WHERE b=c AND d<>e", "select a from t where b = c and d <> e" },
	{ PG, "SELECT a+b, a-b, a*b, a/b FROM t", "select a + b, a - b, a * b, a / b from t" },
	{ PG, "SELECT a->>b, c@>d, e||f FROM t", "select a ->> b, c @> d, e || f from t" },
	{ PG, "SELECT (a) FROM (SELECT b FROM c) d", "select (a) from (select b from c) d" },
	{ PG, "SELECT a [1] FROM t", "select a[?] from t" },
	{ PG, "SELECT a FROM t ORDER BY a DESC, b ASC", "select a from t order by a desc, b asc" },
	{ PG, "INSERT INTO Foo(A,B) SELECT c,d FROM e", "insert into foo(a, b) select c, d from e" },
	{ PG, "SELECT \xc3\xa4\xc3\xb6 FROM t\xc3\xbc", "select \xc3\xa4\xc3\xb6 from t\xc3\xbc" },
	{ MY, "SELECT UserId, NAME FROM Users", "select UserId, NAME from Users" },
	{ MY, "INSERT IGNORE INTO Foo (A) VALUES (1)", "insert ignore into Foo(A) values (?+)" },
	{ MY, "SELECT @x, @@session.y, a$b FROM t", "select @x, @@session.y, a$b from t" },
	{ MY, "SELECT 1a, t.2b FROM 3c", "select 1a, t.2b from 3c" },
	{ MY, "SHOW STATUS", "show status" },
	{ MY, "show status", "show status" },
	{ LI, "SELECT Name FROM Users", "select name from users" },

	/* Literals. */
	{ PG, "SELECT 'a', 'it''s', '', E'x\\'y', N'n', U&'\\0041', B'01', X'1F'", "select ?, ?, ?, ?, ?, ?, ?, ?" },
	{ PG, "SELECT 1, 1.5, .5, 5., 1e3, 1.5e-3, 1E+5, 0x1F, 0b01, 1_000", "select ?, ?, ?, ?, ?, ?, ?, ?, ?, ?" },
	{ PG, "SELECT 'back\\', 'slash'", "select ?, ?" },
	{ PG, "SELECT $$it's$$, $a$x $b$ y$a$, $a$$a$, $$$$", "select ?, ?, ?, ?" },
	{ PG, "SELECT $a$ $a $b$ $a$ FROM t", "select ? from t" },
	{ PG, "SELECT 'a'\n'b' FROM t", "select ? from t" },
	{ PG, "SELECT U&\"d\\0061t\" FROM t", "select \"d\\0061t\" from t" },
	{ PG, "SELECT u & 1, e FROM t", "select u & ?, e from t" },
	{ PG, "SELECT e'a', n, b, x, u FROM t", "select ?, n, b, x, u from t" },
	{ PG, "SELECT '\xe6\x97\xa5'", "select ?" },
	{ MY, "SELECT 'a\\'b', \"it's\", \"a\"\"b\", 'c' 'd'", "select ?, ?, ?, ?" },
	{ MY, "SELECT '\\\\', '\\\\\\'', \"\\\"\"", "select ?, ?, ?" },
	{ MY, "SELECT 0xAF, x'af', 0b10, b'10', n'z', 6e-30", "select ?, ?, ?, ?, ?, ?" },
	{ MY, "SELECT _utf8mb4'a', _binary 'b', _x FROM t", "select ?, ?, _x from t" },
	{ LI, "SELECT 'a\\', 'b', x'00'", "select ?, ?, ?" },
	{ PG, "SELECT DATE '2020-01-01', TIMESTAMP '2020-01-01 10:00', date FROM t", "select ?, ?, date from t" },
	{ PG, "SELECT now() - INTERVAL '1 day'", "select now() - ?" },
	{ PG, "SELECT INTERVAL(3) '1'", "select ?" },
	{ MY, "SELECT NOW() - INTERVAL 1 DAY, DATE '2020-01-01'", "select now() - interval ? day, ?" },
	{ MY, "SELECT a FROM t WHERE b > DATE_SUB(NOW(), INTERVAL 3 MONTH)",
	  "select a from t where b > date_sub(now(), interval ? month)" },

	/* Parameters. */
	{ PG, "SELECT $1, $22 FROM t WHERE a=$3", "select ?, ? from t where a = ?" },
	{ PG, "SELECT ? FROM t WHERE a = ?", "select ? from t where a = ?" },
	{ PG, "SELECT :a, :b_1 FROM t WHERE c = :d", "select ?, ? from t where c = ?" },
	{ MY, "SELECT ? FROM t WHERE a=? AND b=:c", "select ? from t where a = ? and b = ?" },
	{ LI, "SELECT ?1, :a, @b, $c FROM t WHERE d=?23", "select ?, ?, ?, ? from t where d = ?" },
	{ PG, "SELECT a := 1", "select a := ?" },

	/* Signs. */
	{ PG, "SELECT -1, +2, (-3), a = -4, a-5, a - 6, a - -7", "select ?, ?, (?), a = ?, a - ?, a - ?, a - ?" },
	{ PG, "SELECT a FROM t WHERE b BETWEEN -1 AND +1", "select a from t where b between ? and ?" },
	{ PG, "SELECT -a, - b, -(1), 2 -c FROM t", "select - a, - b, - (?), ? - c from t" },
	{ PG, "SELECT a[-1], (b) - 1, 'x' - 2 FROM t", "select a[?], (b) - ?, ? - ? from t" },
	{ PG, "SELECT level -1, current_date - 7 FROM t", "select level - ?, current_date - ? from t" },
	{ PG, "SELECT CASE WHEN a THEN -1 ELSE -2 END - 3", "select case when a then ? else ? end - ?" },
	{ MY, "SELECT 5--3, a - -1", "select ? - ?, a - ?" },
	{ PG, "LIMIT -1 OFFSET -2", "limit ? offset ?" },

	/* NULL, TRUE, FALSE. */
	{ PG, "SELECT NULL, TRUE, false", "select ?, ?, ?" },
	{ PG, "SELECT a FROM t WHERE b IS NULL AND c IS NOT NULL AND d IS TRUE AND e IS NOT FALSE",
	  "select a from t where b is null and c is not null and d is true and e is not false" },
	{ PG, "UPDATE t SET a = NULL, b = TRUE WHERE c = false", "update t set a = ?, b = ? where c = ?" },
	{ PG, "SELECT a FROM t WHERE TRUE AND b IS DISTINCT FROM NULL",
	  "select a from t where ? and b is distinct from ?" },
	{ PG, "SELECT coalesce(a, NULL), f(TRUE) FROM t", "select coalesce(a, ?), f(?) from t" },
	{ PG, "CREATE TABLE t (a int NOT NULL, b int NULL, c int DEFAULT NULL)",
	  "create table t(a int not null, b int null, c int default ?)" },
	{ PG, "ALTER TABLE t ADD FOREIGN KEY (a) REFERENCES b ON DELETE SET NULL",
	  "alter table t add foreign key(a) references b on delete set null" },
	{ PG, "SELECT t.null, t.true FROM t", "select t.null, t.true from t" },

	/* Lists. */
	{ PG, "SELECT a FROM t WHERE b IN (1)", "select a from t where b in (?+)" },
	{ PG, "SELECT a FROM t WHERE b IN (1,2 , 3)", "select a from t where b in (?+)" },
	{ PG, "SELECT a FROM t WHERE b NOT IN ('x','y')", "select a from t where b not in (?+)" },
	{ PG, "SELECT a FROM t WHERE b IN ($1,$2)", "select a from t where b in (?+)" },
	{ PG, "SELECT a FROM t WHERE b IN ($1::uuid, $2::uuid)", "select a from t where b in (?+)" },
	{ PG, "SELECT a FROM t WHERE b IN (-1, +2, NULL, TRUE)", "select a from t where b in (?+)" },
	{ PG, "SELECT a FROM t WHERE b IN (SELECT c FROM d WHERE e = 1)",
	  "select a from t where b in (select c from d where e = ?)" },
	{ PG, "SELECT a FROM t WHERE (b, c) IN ((1,2),(3,4))", "select a from t where (b, c) in (?+)" },
	{ PG, "SELECT a FROM t WHERE b IN (c, d)", "select a from t where b in (c, d)" },
	{ PG, "SELECT a FROM t WHERE b IN (1, 2, c)", "select a from t where b in (?+, c)" },
	{ PG, "SELECT a FROM t WHERE b IN (lower('X'), lower('Y'))", "select a from t where b in (?+)" },
	{ PG, "SELECT a FROM t WHERE b IN ()", "select a from t where b in ()" },
	{ PG, "SELECT a FROM t WHERE b = ANY($1)", "select a from t where b in (?+)" },
	{ PG, "SELECT a FROM t WHERE b = ANY('{1,2}'::int[])", "select a from t where b in (?+)" },
	{ PG, "SELECT a FROM t WHERE b = ANY(ARRAY[1,2,3])", "select a from t where b in (?+)" },
	{ PG, "SELECT a FROM t WHERE b = ANY (ARRAY[$1,$2]::uuid[])", "select a from t where b in (?+)" },
	{ PG, "SELECT a FROM t WHERE b <> ALL ($1)", "select a from t where b not in (?+)" },
	{ PG, "SELECT a FROM t WHERE b != ALL (ARRAY[1, 2])", "select a from t where b not in (?+)" },
	{ PG, "SELECT a FROM t WHERE b > ANY ($1)", "select a from t where b > any (?+)" },
	{ PG, "SELECT a FROM t WHERE b = ANY(SELECT c FROM d)", "select a from t where b = any (select c from d)" },
	{ PG, "SELECT a FROM t WHERE b = ANY(c)", "select a from t where b = any (c)" },
	{ PG, "SELECT ARRAY[1,2,3], ARRAY[a,b], ARRAY[[1,2],[3,4]], ARRAY[]",
	  "select array[?+], array[a, b], array[?+], array[]" },
	{ PG, "INSERT INTO t VALUES (1,'a')", "insert into t values (?+)" },
	{ PG, "INSERT INTO t (a,b) VALUES (1,2),(3,4) , (5,6)", "insert into t(a, b) values (?+)" },
	{ PG, "INSERT INTO t (a) VALUES (now()), (DEFAULT) RETURNING id", "insert into t(a) values (?+) returning id" },
	{ PG, "INSERT INTO t (a) VALUES ((SELECT max(b) FROM c)), (2)",
	  "insert into t(a) values ((select max(b) from c)), (?+)" },
	{ PG, "INSERT INTO t (a) VALUES (1), ((SELECT 2)), (3), (4)",
	  "insert into t(a) values (?+), ((select ?)), (?+)" },
	{ PG, "SELECT * FROM (VALUES (1,'x'),(2,'y')) v(a, b)", "select * from (values (?+)) v(a, b)" },
	{ PG, "WITH v(a) AS (VALUES (1), (2)) SELECT a FROM v", "with v(a) as (values (?+)) select a from v" },
	{ PG, "INSERT INTO t (a) VALUES (1) ON CONFLICT (a) DO UPDATE SET b = excluded.b, c = 3",
	  "insert into t(a) values (?+) on conflict(a) do update set b = excluded.b, c = ?" },
	{ MY, "INSERT INTO t (a,b) VALUES (1,2) ON DUPLICATE KEY UPDATE a=VALUES(a), b=VALUES(b)+1",
	  "insert into t(a, b) values (?+) on duplicate key update a = values(a), b = values(b) + ?" },
	{ MY, "INSERT INTO t VALUE (1,2)", "insert into t value (?+)" },
	{ MY, "INSERT INTO t (a) VALUES ROW(1), ROW(2)", "insert into t(a) values row(?+)" },
	{ MY, "REPLACE INTO t VALUES (1),(2)", "replace into t values (?+)" },
	{ MY, "INSERT INTO t () VALUES ()", "insert into t() values ()" },
	{ MY, "INSERT INTO t SET a = 1, b = 'x'", "insert into t set a = ?, b = ?" },
	{ MY, "SELECT a FROM t WHERE b IN (UNHEX('ab'), UNHEX('cd'))", "select a from t where b in (?+)" },
	{ MY, "SELECT a FROM t WHERE FIELD(b, 1, 2)", "select a from t where field(b, ?, ?)" },
	{ LI, "SELECT a FROM t WHERE b IN (?,?,?)", "select a from t where b in (?+)" },

	/* Casts of literals. */
	{ PG, "SELECT '1'::int, $1::text, a::text, 'x'::varchar(10), '{}'::int[][]", "select ?, ?, a::text, ?, ?" },
	{ PG, "SELECT '1'::character varying(10), '2'::timestamp with time zone, '3'::double precision",
	  "select ?, ?, ?" },
	{ PG, "SELECT '1'::pg_catalog.int4, '2'::\"My\".t, f('3'::text)", "select ?, ?, f(?)" },
	{ PG, "SELECT '1'::int::text, '1' :: int + 2", "select ?, ? + ?" },
	{ PG, "SELECT CAST('1' AS int), CAST(a AS numeric(10,2))", "select cast(? as int), cast(a as numeric(?, ?))" },
	{ PG, "SELECT f(a)::int, (1)::int", "select f(a)::int, (?)::int" },
	{ PG, "SELECT '1'::date WHERE a", "select ? where a" },

	/* Quoted names. */
	{ PG, "SELECT \"id\", \"users\".\"name\" FROM \"users\"", "select id, users.name from users" },
	{ PG, "SELECT \"createdAt\", \"a b\", \"Users\".\"Id\", \"a\"\"b\" FROM \"order\"",
	  "select \"createdAt\", \"a b\", \"Users\".\"Id\", \"a\"\"b\" from \"order\"" },
	{ PG, "SELECT \"1a\", \"\", t.\"order\" FROM t", "select \"1a\", \"\", t.order from t" },
	{ MY, "SELECT `id`, `users`.`Name` FROM `users`", "select id, users.Name from users" },
	{ MY, "SELECT `a-b`, `a``b`, `select`, `t`.`order` FROM `T`",
	  "select `a-b`, `a``b`, `select`, t.order from T" },
	{ MY, "SELECT `ORDER`, `Value`, Value, `Order_Id` FROM t", "select `ORDER`, value, value, Order_Id from t" },
	{ LI, "SELECT \"id\", `a`, [b], [My Col], \"C D\" FROM [t]", "select id, a, b, \"My Col\", \"C D\" from t" },
	{ PG, "SELECT a AS \"Total\", b AS c, d e FROM t", "select a, b, d e from t" },
	{ MY, "SELECT a AS 'Total', COUNT(*) AS cnt FROM t AS u", "select a, count(*) from t as u" },
	{ PG, "INSERT INTO t(a) VALUES (1) RETURNING id AS x, b", "insert into t(a) values (?+) returning id, b" },
	{ PG, "CREATE TABLE x AS SELECT 1 AS a", "create table x as select ?" },
	{ PG, "SELECT (SELECT 1 AS a) AS b, a IS DISTINCT FROM c AS d FROM t",
	  "select (select ?), a is distinct from c from t" },
	{ PG, "WITH a AS (SELECT 1) SELECT * FROM a", "with a as (select ?) select * from a" },

	/* Digits in names. */
	{ PG, "SELECT a1, b_2 FROM t_3", "select a1, b_2 from t_3" },
	{ PG, "SELECT * FROM log_20240131", "select * from log_?" },
	{ PG, "SELECT * FROM log_20240131_eu, \"Log_202401311259\"", "select * from log_?_eu, \"Log_?\"" },
	{ MY, "SELECT * FROM `log_20240131` l, p1234567", "select * from log_? l, p1234567" },
	{ PG, "SELECT a20240131b20240131c FROM t", "select a?b?c from t" },

	/* Comments and hints. */
	{ PG, "SELECT /* x */ 1 -- y\n, 2 /* z", "select ?, ?" },
	{ PG, "/* a */ -- b\n SELECT /* /* nested */ still */ 1", "select ?" },
	{ PG, "SELECT a--b\nFROM t", "select a from t" },
	{ PG, "SELECT a/b, a/*c*/b", "select a / b, a b" },
	{ PG, "SELECT 1 /*action='index',controller='users'*/", "select ?" },
	{ PG, "/*+ SeqScan(t) Rows(a b #10) */ SELECT * FROM t", "/*+ SeqScan(t) Rows(a b #?) */ select * from t" },
	{ PG, "/*+ Set(a 'secret 1') IndexScan(t1) */ SELECT 1", "/*+ Set(a ?) IndexScan(t?) */ select ?" },
	{ PG, "/*+ it's */ SELECT 'secret'", "select ?" },
	{ PG, "SELECT /*! 1 */ 2", "select ?" },
	{ PG, "SELECT '--', '/*', \"a--b\" FROM t", "select ?, ?, \"a--b\" from t" },
	{ MY, "SELECT /*!40001 SQL_NO_CACHE */ * FROM t", "select /*!40001 sql_no_cache */ * from t" },
	{ MY, "SELECT /*+ MAX_EXECUTION_TIME(1000) */ a FROM t", "select /*+ MAX_EXECUTION_TIME(?) */ a from t" },
	{ MY, "SELECT 1 # comment\n, 2 -- other\n, 3 --\n", "select ?, ?, ?" },
	{ MY, "SELECT a /* /* not nested */ FROM t", "select a from t" },
	{ MY, "SELECT 2*/*c*/3", "select ? * ?" },
	{ MY, "/*!50001 SELECT 'x' */", "/*!50001 select ? */" },
	{ LI, "SELECT 1 -- x", "select ?" },
	{ PG, "-- only a comment", "" },

	/* Several statements. */
	{ PG, "SELECT 1;", "select ?" },
	{ PG, "SELECT 1 ; ", "select ?" },
	{ PG, ";;SELECT 1;;SELECT a;", "select ?; select a" },
	{ PG, "BEGIN; UPDATE t SET a = 1; COMMIT", "begin; update t set a = ?; commit" },
	{ PG, "SELECT ';', \";\" FROM t; SELECT 2", "select ?, \";\" from t; select ?" },
	{ PG, "SELECT 1; -- done", "select ?" },
	{ PG, "CREATE RULE r AS ON INSERT TO t DO (SELECT 1; SELECT 2)",
	  "create rule r as on insert to t do (select ?; select ?)" },
	{ MY, "CREATE PROCEDURE p() BEGIN SELECT 1; SELECT 2; END",
	  "create procedure p() begin select ?; select ?; end" },
	{ PG, "CREATE FUNCTION f() RETURNS int AS $$ SELECT 1; $$ LANGUAGE sql; SELECT 2",
	  "create function f() returns int as ? language sql; select ?" },

	/* Names that drivers make up; switches. */
	{ PG, "SAVEPOINT active_record_1", "savepoint ?" },
	{ PG, "RELEASE SAVEPOINT active_record_1", "release savepoint ?" },
	{ PG, "ROLLBACK TO SAVEPOINT \"x\"", "rollback to savepoint ?" },
	{ PG, "DEALLOCATE pdo_stmt_00000001", "deallocate ?" },
	{ PG, "DEALLOCATE ALL", "deallocate all" },
	{ PG, "SET enable_seqscan = off", "set enable_seqscan = ?" },
	{ PG, "SET enable_seqscan TO on", "set enable_seqscan to ?" },
	{ PG, "SET statement_timeout = 0; SHOW TimeZone", "set statement_timeout = ?; show timezone" },
	{ MY, "SET NAMES utf8mb4", "set names utf8mb4" },
	{ MY, "SET autocommit=1", "set autocommit = ?" },

	/* Statements as ORMs and tools send them. */
	{ PG, "SELECT \"users\".* FROM \"users\" WHERE \"users\".\"id\" = $1 LIMIT $2",
	  "select users.* from users where users.id = ? limit ?" },
	{ PG, "select this_.id as id1_0_0_, this_.name as name2_0_0_ from users this_ where this_.id=?",
	  "select this_.id, this_.name from users this_ where this_.id = ?" },
	{ MY,
	  "SELECT `orders`.* FROM `orders` WHERE `orders`.`user_id` IN (1, 2, 3) ORDER BY `orders`.`id` ASC LIMIT 1",
	  "select orders.* from orders where orders.user_id in (?+) order by orders.id asc limit ?" },
	{ MY, "SELECT a FROM t LIMIT 5, 10", "select a from t limit ?, ?" },
	{ PG, "SELECT a FROM t LIMIT 10 OFFSET 5", "select a from t limit ? offset ?" },
	{ PG, "DELETE FROM t USING u WHERE t.id=u.id AND u.x='y'",
	  "delete from t using u where t.id = u.id and u.x = ?" },
	{ PG, "SELECT count(*) FILTER (WHERE a > 1) OVER (PARTITION BY b) FROM t",
	  "select count(*) filter(where a > ?) over (partition by b) from t" },
	{ PG, "SELECT EXTRACT(epoch FROM a), position('x' IN b) FROM t",
	  "select extract(epoch from a), position(? in b) from t" },
	{ PG, "COPY t (a, b) FROM STDIN WITH (FORMAT csv)", "copy t(a, b) from stdin with (format csv)" },
	{ PG, "EXPLAIN (ANALYZE, BUFFERS) SELECT 1", "explain (analyze, buffers) select ?" },
	{ PG,
	  "MERGE INTO a USING b ON a.i = b.i WHEN MATCHED THEN UPDATE SET c = 1 WHEN NOT MATCHED THEN INSERT VALUES "
	  "(1, 2)",
	  "merge into a using b on a.i = b.i when matched then update set c = ? when not matched then insert values "
	  "(?+)" },
	{ MY, "LOAD DATA LOCAL INFILE '/tmp/x' INTO TABLE t", "load data local infile ? into table t" },
	{ MY, "CALL p(1, 'x', NULL)", "call p(?, ?, ?)" },
	{ LI, "PRAGMA journal_mode=WAL", "pragma journal_mode = wal" },
	{ LI, "INSERT OR REPLACE INTO t VALUES (?,?)", "insert or replace into t values (?+)" },

	/* What never should be, and must do no harm. */
	{ PG, "SELECT 'open", "select ?" },
	{ PG, "SELECT \"open", "select open" },
	{ PG, "SELECT $a$ open", "select ?" },
	{ PG, ")))(((", "))) (((" },
	{ PG, "SELECT \x01\x7f {", "select \x01 \x7f {" },
	{ MY, "*/ SELECT 1", "* / select ?" },
	{ PG, "::::int", "::::int" },
};

#undef PG
#undef MY
#undef LI

#define NR_SQL_CASES (sizeof(sql_cases) / sizeof(sql_cases[0]))

#endif /* SONDE_TEST_SQL_CASES_H */
