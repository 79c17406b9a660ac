/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * explain_plans.h - plans that PostgreSQL 15 and MariaDB 10.11 sent for tables of 50,000 orders and 5,000 customers
 * without indexes but the primary keys. What counts blocks is left out.
 */
#ifndef TESTS_EXPLAIN_PLANS_H
#define TESTS_EXPLAIN_PLANS_H

/* select * from orders where customer_id=42 */
static const char pg_filter[] __attribute__((unused)) =
	"[{\"Plan\": {\"Node Type\": \"Seq Scan\", \"Parallel Aware\": false, \"Async Capable\": false, "
	"\"Relation Name\": \"orders\", \"Alias\": \"orders\", \"Startup Cost\": 0.0, \"Total Cost\": 104"
	"2.0, \"Plan Rows\": 10, \"Plan Width\": 30, \"Actual Startup Time\": 0.011, \"Actual Total Time"
	"\": 11.411, \"Actual Rows\": 10, \"Actual Loops\": 1, \"Filter\": \"(customer_id = 42)\", \"Rows"
	" Removed by Filter\": 49990}, \"Planning\": {}, \"Planning Time\": 0.305, \"Triggers\": [], \"Ex"
	"ecution Time\": 11.462}]";

/* select * from orders where customer_id=42 and status='new' and total>10 order by created_at limit 5 */
static const char pg_limit[] __attribute__((unused)) =
	"[{\"Plan\": {\"Node Type\": \"Limit\", \"Parallel Aware\": false, \"Async Capable\": false, \"St"
	"artup Cost\": 1292.02, \"Total Cost\": 1292.03, \"Plan Rows\": 3, \"Plan Width\": 30, \"Actual S"
	"tartup Time\": 14.008, \"Actual Total Time\": 14.012, \"Actual Rows\": 4, \"Actual Loops\": 1, "
	"\"Plans\": [{\"Node Type\": \"Sort\", \"Parent Relationship\": \"Outer\", \"Parallel Aware\": fa"
	"lse, \"Async Capable\": false, \"Startup Cost\": 1292.02, \"Total Cost\": 1292.03, \"Plan Rows\""
	": 3, \"Plan Width\": 30, \"Actual Startup Time\": 14.006, \"Actual Total Time\": 14.007, \"Actua"
	"l Rows\": 4, \"Actual Loops\": 1, \"Sort Key\": [\"created_at\"], \"Sort Method\": \"quicksort\""
	", \"Sort Space Used\": 25, \"Sort Space Type\": \"Memory\", \"Plans\": [{\"Node Type\": \"Seq Sc"
	"an\", \"Parent Relationship\": \"Outer\", \"Parallel Aware\": false, \"Async Capable\": false, "
	"\"Relation Name\": \"orders\", \"Alias\": \"orders\", \"Startup Cost\": 0.0, \"Total Cost\": 129"
	"2.0, \"Plan Rows\": 3, \"Plan Width\": 30, \"Actual Startup Time\": 0.018, \"Actual Total Time\""
	": 13.961, \"Actual Rows\": 4, \"Actual Loops\": 1, \"Filter\": \"((total > '10'::numeric) AND (c"
	"ustomer_id = 42) AND ((status)::text = 'new'::text))\", \"Rows Removed by Filter\": 49996}]}]}, "
	"\"Planning\": {}, \"Planning Time\": 0.432, \"Triggers\": [], \"Execution Time\": 14.047}]";

/* select * from customers c join orders o on o.customer_id=c.id where c.email='u7@x' */
static const char pg_hash[] __attribute__((unused)) =
	"[{\"Plan\": {\"Node Type\": \"Hash Join\", \"Parallel Aware\": false, \"Async Capable\": false, "
	"\"Join Type\": \"Inner\", \"Startup Cost\": 90.51, \"Total Cost\": 1138.87, \"Plan Rows\": 10, "
	"\"Plan Width\": 44, \"Actual Startup Time\": 0.389, \"Actual Total Time\": 16.093, \"Actual Rows"
	"\": 10, \"Actual Loops\": 1, \"Inner Unique\": true, \"Hash Cond\": \"(o.customer_id = c.id)\", "
	"\"Plans\": [{\"Node Type\": \"Seq Scan\", \"Parent Relationship\": \"Outer\", \"Parallel Aware\""
	": false, \"Async Capable\": false, \"Relation Name\": \"orders\", \"Alias\": \"o\", \"Startup Co"
	"st\": 0.0, \"Total Cost\": 917.0, \"Plan Rows\": 50000, \"Plan Width\": 30, \"Actual Startup Tim"
	"e\": 0.005, \"Actual Total Time\": 7.925, \"Actual Rows\": 50000, \"Actual Loops\": 1}, {\"Node "
	"Type\": \"Hash\", \"Parent Relationship\": \"Inner\", \"Parallel Aware\": false, \"Async Capable"
	"\": false, \"Startup Cost\": 90.5, \"Total Cost\": 90.5, \"Plan Rows\": 1, \"Plan Width\": 14, "
	"\"Actual Startup Time\": 0.364, \"Actual Total Time\": 0.365, \"Actual Rows\": 1, \"Actual Loops"
	"\": 1, \"Hash Buckets\": 1024, \"Original Hash Buckets\": 1024, \"Hash Batches\": 1, \"Original "
	"Hash Batches\": 1, \"Peak Memory Usage\": 9, \"Plans\": [{\"Node Type\": \"Seq Scan\", \"Parent "
	"Relationship\": \"Outer\", \"Parallel Aware\": false, \"Async Capable\": false, \"Relation Name"
	"\": \"customers\", \"Alias\": \"c\", \"Startup Cost\": 0.0, \"Total Cost\": 90.5, \"Plan Rows\":"
	" 1, \"Plan Width\": 14, \"Actual Startup Time\": 0.009, \"Actual Total Time\": 0.354, \"Actual R"
	"ows\": 1, \"Actual Loops\": 1, \"Filter\": \"((email)::text = 'u7@x'::text)\", \"Rows Removed by"
	" Filter\": 4999}]}]}, \"Planning\": {}, \"Planning Time\": 0.661, \"Triggers\": [], \"Execution "
	"Time\": 16.145}]";

/* select * from orders where note like '%x' or lower(status)='a' */
static const char pg_or[] __attribute__((unused)) =
	"[{\"Plan\": {\"Node Type\": \"Seq Scan\", \"Parallel Aware\": false, \"Async Capable\": false, "
	"\"Relation Name\": \"orders\", \"Alias\": \"orders\", \"Startup Cost\": 0.0, \"Total Cost\": 129"
	"2.0, \"Plan Rows\": 255, \"Plan Width\": 30, \"Actual Startup Time\": 20.513, \"Actual Total Tim"
	"e\": 20.515, \"Actual Rows\": 0, \"Actual Loops\": 1, \"Filter\": \"((note ~~ '%x'::text) OR (lo"
	"wer((status)::text) = 'a'::text))\", \"Rows Removed by Filter\": 50000}, \"Planning\": {}, \"Pla"
	"nning Time\": 0.315, \"Triggers\": [], \"Execution Time\": 20.577}]";

/* select * from orders where status in ('new','x') and created_at between '2024-01-01' and '2024-01-02' and note is null and created_at::date = '2024-01-01' and total::text='1' */
static const char pg_many[] __attribute__((unused)) =
	"[{\"Plan\": {\"Node Type\": \"Seq Scan\", \"Parallel Aware\": false, \"Async Capable\": false, "
	"\"Relation Name\": \"orders\", \"Alias\": \"orders\", \"Startup Cost\": 0.0, \"Total Cost\": 191"
	"7.0, \"Plan Rows\": 1, \"Plan Width\": 30, \"Actual Startup Time\": 16.617, \"Actual Total Time"
	"\": 16.618, \"Actual Rows\": 0, \"Actual Loops\": 1, \"Filter\": \"((note IS NULL) AND ((status)"
	"::text = ANY ('{new,x}'::text[])) AND (created_at >= '2024-01-01 00:00:00'::timestamp without ti"
	"me zone) AND (created_at <= '2024-01-02 00:00:00'::timestamp without time zone) AND ((created_at"
	")::date = '2024-01-01'::date) AND ((total)::text = '1'::text))\", \"Rows Removed by Filter\": 50"
	"000}, \"Planning\": {}, \"Planning Time\": 0.678, \"Triggers\": [], \"Execution Time\": 16.666}]";

/* select * from orders o where "customer_id"=1 and exists (select 1 from customers c where c.city=o.note) */
static const char pg_nested[] __attribute__((unused)) =
	"[{\"Plan\": {\"Node Type\": \"Nested Loop\", \"Parallel Aware\": false, \"Async Capable\": false"
	", \"Join Type\": \"Inner\", \"Startup Cost\": 90.5, \"Total Cost\": 1140.52, \"Plan Rows\": 1, "
	"\"Plan Width\": 30, \"Actual Startup Time\": 15.431, \"Actual Total Time\": 15.433, \"Actual Row"
	"s\": 0, \"Actual Loops\": 1, \"Inner Unique\": false, \"Join Filter\": \"(o.note = c.city)\", \""
	"Rows Removed by Join Filter\": 500, \"Plans\": [{\"Node Type\": \"Aggregate\", \"Strategy\": \"H"
	"ashed\", \"Partial Mode\": \"Simple\", \"Parent Relationship\": \"Outer\", \"Parallel Aware\": f"
	"alse, \"Async Capable\": false, \"Startup Cost\": 90.5, \"Total Cost\": 91.0, \"Plan Rows\": 50,"
	" \"Plan Width\": 3, \"Actual Startup Time\": 2.15, \"Actual Total Time\": 2.167, \"Actual Rows\""
	": 50, \"Actual Loops\": 1, \"Group Key\": [\"c.city\"], \"Planned Partitions\": 0, \"HashAgg Bat"
	"ches\": 1, \"Peak Memory Usage\": 24, \"Disk Usage\": 0, \"Plans\": [{\"Node Type\": \"Seq Scan"
	"\", \"Parent Relationship\": \"Outer\", \"Parallel Aware\": false, \"Async Capable\": false, \"R"
	"elation Name\": \"customers\", \"Alias\": \"c\", \"Startup Cost\": 0.0, \"Total Cost\": 78.0, \""
	"Plan Rows\": 5000, \"Plan Width\": 3, \"Actual Startup Time\": 0.009, \"Actual Total Time\": 0.6"
	"55, \"Actual Rows\": 5000, \"Actual Loops\": 1}]}, {\"Node Type\": \"Materialize\", \"Parent Rel"
	"ationship\": \"Inner\", \"Parallel Aware\": false, \"Async Capable\": false, \"Startup Cost\": 0"
	".0, \"Total Cost\": 1042.05, \"Plan Rows\": 10, \"Plan Width\": 30, \"Actual Startup Time\": 0.0"
	", \"Actual Total Time\": 0.263, \"Actual Rows\": 10, \"Actual Loops\": 50, \"Plans\": [{\"Node T"
	"ype\": \"Seq Scan\", \"Parent Relationship\": \"Outer\", \"Parallel Aware\": false, \"Async Capa"
	"ble\": false, \"Relation Name\": \"orders\", \"Alias\": \"o\", \"Startup Cost\": 0.0, \"Total Co"
	"st\": 1042.0, \"Plan Rows\": 10, \"Plan Width\": 30, \"Actual Startup Time\": 0.009, \"Actual To"
	"tal Time\": 13.11, \"Actual Rows\": 10, \"Actual Loops\": 1, \"Filter\": \"(customer_id = 1)\", "
	"\"Rows Removed by Filter\": 49990}]}]}, \"Planning\": {}, \"Planning Time\": 1.005, \"Triggers\""
	": [], \"Execution Time\": 15.59}]";

/* select * from orders order by note, total desc */
static const char pg_sort[] __attribute__((unused)) =
	"[{\"Plan\": {\"Node Type\": \"Sort\", \"Parallel Aware\": false, \"Async Capable\": false, \"Sta"
	"rtup Cost\": 4819.41, \"Total Cost\": 4944.41, \"Plan Rows\": 50000, \"Plan Width\": 30, \"Actua"
	"l Startup Time\": 79.687, \"Actual Total Time\": 104.046, \"Actual Rows\": 50000, \"Actual Loops"
	"\": 1, \"Sort Key\": [\"note\", \"total DESC\"], \"Sort Method\": \"external merge\", \"Sort Spa"
	"ce Used\": 2392, \"Sort Space Type\": \"Disk\", \"Plans\": [{\"Node Type\": \"Seq Scan\", \"Pare"
	"nt Relationship\": \"Outer\", \"Parallel Aware\": false, \"Async Capable\": false, \"Relation Na"
	"me\": \"orders\", \"Alias\": \"orders\", \"Startup Cost\": 0.0, \"Total Cost\": 917.0, \"Plan Ro"
	"ws\": 50000, \"Plan Width\": 30, \"Actual Startup Time\": 0.008, \"Actual Total Time\": 21.71, "
	"\"Actual Rows\": 50000, \"Actual Loops\": 1}]}, \"Planning\": {}, \"Planning Time\": 0.514, \"Tr"
	"iggers\": [], \"Execution Time\": 116.241}]";

/* explain format=json  select * from orders where customer_id=42 */
static const char my_filter[] __attribute__((unused)) =
	"{\"query_block\": {\"select_id\": 1, \"nested_loop\": [{\"table\": {\"table_name\": \"orders\", "
	"\"access_type\": \"ALL\", \"rows\": 50135, \"filtered\": 100, \"attached_condition\": \"orders.c"
	"ustomer_id = 42\"}}]}}";

/* analyze format=json  select * from orders where customer_id=42 */
static const char my_filter_analyzed[] __attribute__((unused)) =
	"{\"query_optimization\": {\"r_total_time_ms\": 0.327569989}, \"query_block\": {\"select_id\": 1,"
	" \"r_loops\": 1, \"r_total_time_ms\": 192.5236116, \"nested_loop\": [{\"table\": {\"table_name\""
	": \"orders\", \"access_type\": \"ALL\", \"r_loops\": 1, \"rows\": 50135, \"r_rows\": 50000, \"r_"
	"table_time_ms\": 160.7558078, \"r_other_time_ms\": 31.57485261, \"r_engine_stats\": {\"pages_acc"
	"essed\": 162}, \"filtered\": 100, \"r_filtered\": 0.02, \"attached_condition\": \"orders.custome"
	"r_id = 42\"}}]}}";

/* explain format=json  select * from orders o where customer_id=42 and status='new' and total>10 order by created_at limit 5 */
static const char my_limit[] __attribute__((unused)) =
	"{\"query_block\": {\"select_id\": 1, \"nested_loop\": [{\"read_sorted_file\": {\"filesort\": {\""
	"sort_key\": \"o.created_at\", \"table\": {\"table_name\": \"o\", \"access_type\": \"ALL\", \"row"
	"s\": 50135, \"filtered\": 100, \"attached_condition\": \"o.customer_id = 42 and o.`status` = 'ne"
	"w' and o.total > 10\"}}}}]}}";

/* explain format=json  select * from customers c join orders o on o.customer_id=c.id where c.email='u7@x' */
static const char my_join[] __attribute__((unused)) =
	"{\"query_block\": {\"select_id\": 1, \"nested_loop\": [{\"table\": {\"table_name\": \"o\", \"acc"
	"ess_type\": \"ALL\", \"rows\": 50135, \"filtered\": 100, \"attached_condition\": \"o.customer_id"
	" is not null\"}}, {\"table\": {\"table_name\": \"c\", \"access_type\": \"eq_ref\", \"possible_ke"
	"ys\": [\"PRIMARY\"], \"key\": \"PRIMARY\", \"key_length\": \"4\", \"used_key_parts\": [\"id\"], "
	"\"ref\": [\"bench.o.customer_id\"], \"rows\": 1, \"filtered\": 100, \"attached_condition\": \"c."
	"email = 'u7@x'\"}}]}}";

/* explain format=json  select status,count(*) from orders group by status order by 2 desc */
static const char my_group[] __attribute__((unused)) =
	"{\"query_block\": {\"select_id\": 1, \"filesort\": {\"sort_key\": \"count(0) desc\", \"temporary"
	"_table\": {\"nested_loop\": [{\"table\": {\"table_name\": \"orders\", \"access_type\": \"ALL\", "
	"\"rows\": 50135, \"filtered\": 100}}]}}}}";

/* analyze format=json  select * from (select status, max(id) m from orders group by status) d union select status,1 from orders order by 1 */
static const char my_union[] __attribute__((unused)) =
	"{\"query_optimization\": {\"r_total_time_ms\": 0.211731002}, \"query_block\": {\"union_result\":"
	" {\"table_name\": \"<union1,3>\", \"access_type\": \"ALL\", \"r_loops\": 1, \"r_rows\": 4, \"que"
	"ry_specifications\": [{\"query_block\": {\"select_id\": 1, \"r_loops\": 1, \"r_total_time_ms\": "
	"154.251717, \"nested_loop\": [{\"table\": {\"table_name\": \"<derived2>\", \"access_type\": \"AL"
	"L\", \"r_loops\": 1, \"rows\": 50135, \"r_rows\": 2, \"r_table_time_ms\": 0.011014952, \"r_other"
	"_time_ms\": 0.024481588, \"filtered\": 100, \"r_filtered\": 100, \"materialized\": {\"query_bloc"
	"k\": {\"select_id\": 2, \"r_loops\": 1, \"r_total_time_ms\": 154.2269314, \"filesort\": {\"sort_"
	"key\": \"orders.`status`\", \"r_loops\": 1, \"r_total_time_ms\": 0.047515796, \"r_used_priority_"
	"queue\": false, \"r_output_rows\": 2, \"r_buffer_size\": \"408\", \"r_sort_mode\": \"sort_key,ro"
	"wid\", \"temporary_table\": {\"nested_loop\": [{\"table\": {\"table_name\": \"orders\", \"access"
	"_type\": \"ALL\", \"r_loops\": 1, \"rows\": 50135, \"r_rows\": 50000, \"r_table_time_ms\": 71.83"
	"459348, \"r_other_time_ms\": 82.30007631, \"r_engine_stats\": {\"pages_accessed\": 162}, \"filte"
	"red\": 100, \"r_filtered\": 100}}]}}}}}}]}}, {\"query_block\": {\"select_id\": 3, \"operation\":"
	" \"UNION\", \"r_loops\": 1, \"r_total_time_ms\": 121.7401504, \"nested_loop\": [{\"table\": {\"t"
	"able_name\": \"orders\", \"access_type\": \"ALL\", \"r_loops\": 1, \"rows\": 50135, \"r_rows\": "
	"50000, \"r_table_time_ms\": 60.0604572, \"r_other_time_ms\": 61.67038768, \"r_engine_stats\": {"
	"\"pages_accessed\": 162}, \"filtered\": 100, \"r_filtered\": 100}}]}}]}}}";

#endif /* TESTS_EXPLAIN_PLANS_H */
