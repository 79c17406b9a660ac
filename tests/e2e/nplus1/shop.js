// SPDX-License-Identifier: GPL-2.0-only
// shop.js - the shop on node's event loop with pg or mysql2 (DB_KIND) and a pool of $POOL connections; prints its port.
// See truth.py for what each endpoint does.
'use strict';
const http = require('http');
const { setTimeout: sleep } = require('timers/promises');
const env = process.env;
const postgresql = env.DB_KIND === 'postgresql';

// What the endpoints want of a connection or of the pool: rows of a statement with question marks.
class Postgresql {
	constructor(client) { this.client = client; }
	numbered(sql) { let n = 0; return sql.replace(/\?/g, () => `$${++n}`); }
	async rows(sql, ...values) { return (await this.client.query({ text: this.numbered(sql), values, rowMode: 'array' })).rows; }
	async prepared(name, sql, ...values) { return (await this.client.query({ name, text: this.numbered(sql), values, rowMode: 'array' })).rows; }
	run(sql) { return this.client.query(sql); }
	static open() {
		const { Pool } = require('pg');
		return new Postgresql(new Pool({ host: env.DB_HOST, port: +env.DB_PORT, user: env.DB_USER, database: env.DB_NAME, max: +env.POOL,
			idleTimeoutMillis: 0 }));
	}
	async take() { return new Postgresql(await this.client.connect()); }
	give(db) { db.client.release(); }
}

class Mysql {
	constructor(client) { this.client = client; }
	async rows(sql, ...values) { return (await this.client.query({ sql, values, rowsAsArray: true }))[0]; }
	async prepared(_name, sql, ...values) { return (await this.client.execute({ sql, values, rowsAsArray: true }))[0]; }
	run(sql) { return this.client.query(sql); }
	static open() {
		const mysql = require('mysql2/promise');
		return new Mysql(mysql.createPool({ host: env.DB_HOST, port: +env.DB_PORT, user: env.DB_USER, password: env.DB_PASSWORD,
			database: env.DB_NAME, connectionLimit: +env.POOL }));
	}
	async take() { return new Mysql(await this.client.getConnection()); }
	give(db) { db.client.release(); }
}

const pool = postgresql ? Postgresql.open() : Mysql.open();
const lines = (rows) => rows.map((row) => row.join(' ') + '\n').join('');
const holders = (values) => '(' + values.map(() => '?').join(', ') + ')';
const numbers = (n, from = 0) => Array.from({ length: n }, (_, i) => from + i);
const list = (what, page) => pool.rows(`select o.id, o.customer_id from ${what}__order o where o.page = ? order by o.id`, page);
const nameSql = (what) => `select c.name from ${what}__customer c where c.id = ?`;

async function inTransaction(work) {
	const db = await pool.take();
	try {
		await db.run('begin');
		const result = await work(db);
		await db.run('commit');
		return result;
	} finally {
		pool.give(db);
	}
}

async function badList(page) {
	const out = [];
	for (const [order, customer] of await list('bad_list', page))
		out.push([order, (await pool.rows(nameSql('bad_list'), customer))[0][0]]);
	return lines(out);
}

async function badTx(page) {
	return inTransaction(async (db) => {
		const out = [];
		for (const [order, customer] of await db.rows('select o.id, o.customer_id from bad_tx__order o where o.page = ? order by o.id', page))
			out.push([order, (await db.rows(nameSql('bad_tx'), customer))[0][0]]);
		return lines(out);
	});
}

async function badPrepared(page) {
	const out = [];
	for (const [order, customer] of await list('bad_prepared', page))
		out.push([order, (await pool.prepared('name', nameSql('bad_prepared'), customer))[0][0]]);
	return lines(out);
}

async function badAll(page) {
	const orders = await list('bad_all', page);
	return lines(await Promise.all(orders.map(async ([order, customer]) => [order, (await pool.rows(nameSql('bad_all'), customer))[0][0]])));
}

async function badTimer(page) {
	const out = [];
	for (const [order, customer] of await list('bad_timer', page)) {
		await sleep(1);
		out.push([order, (await pool.rows(nameSql('bad_timer'), customer))[0][0]]);
	}
	return lines(out);
}

async function badNested(page) {
	const out = [];
	for (const [order, customer] of await list('bad_nested', page)) {
		const [[name]] = await pool.rows(nameSql('bad_nested'), customer);
		const items = await pool.rows('select i.product_id from bad_nested__item i where i.order_id = ? order by i.id', order);
		out.push([order, name, items.join(',')]);
	}
	return lines(out);
}

async function badSame() {
	for (let i = 0; i < 10; i++)
		await pool.rows('select s.value from bad_same__setting s where s.name = ?', 'name3');
	return 'value 3\n';
}

async function badLoop() {
	for (let i = 0; i < 12; i++)
		await pool.rows('insert into bad_loop__log (ref, note) values (?, ?)', i, `note ${i}`);
	return '12\n';
}

async function badPairs(page) {
	for (const product of numbers(10, page * 10)) {
		const [[stock]] = await pool.rows('select p.stock from bad_pairs__stock p where p.id = ?', product);
		if (stock > 0)
			await pool.rows('update bad_pairs__products set stock = stock - 1 where id = ?', product);
	}
	return '10\n';
}

async function badSlow() {
	await pool.run(`select ${postgresql ? 'pg_sleep' : 'sleep'}(0.15) from bad_slow__sleep`);
	return 'slept\n';
}

async function badLarge() {
	return `${(await pool.rows('select b.n from bad_large__n b')).length}\n`;
}

async function okList(page) {
	return lines(await pool.rows('select o.id, c.name from ok_list__order o join customers c on c.id = o.customer_id' +
		' where o.page = ? order by o.id', page));
}

async function okIn(page) {
	const orders = await list('ok_in', page);
	const customers = orders.map(([, customer]) => customer);
	const names = new Map(postgresql ?
		await pool.rows('select c.id, c.name from ok_in__customer c where c.id = any(?)', customers) :
		await pool.rows('select c.id, c.name from ok_in__customer c where c.id in ' + holders(customers), ...customers));
	return lines(orders.map(([order, customer]) => [order, names.get(customer)]));
}

async function okTimer(page) {
	const orders = await list('ok_timer', page);
	const customers = orders.map(([, customer]) => customer);
	await sleep(2);
	const names = new Map(await pool.rows('select c.id, c.name from ok_timer__customer c where c.id in ' + holders(customers), ...customers));
	return lines(orders.map(([order, customer]) => [order, names.get(customer)]));
}

async function okNested(page) {
	const orders = await list('ok_nested', page);
	const customers = orders.map(([, customer]) => customer), ids = orders.map(([order]) => order);
	const nameOf = new Map(await pool.rows('select c.id, c.name from ok_nested__customer c where c.id in ' + holders(customers), ...customers));
	const items = await pool.rows('select i.order_id, i.product_id from ok_nested__item i where i.order_id in ' + holders(ids) +
		' order by i.id', ...ids);
	return lines(orders.map(([order, customer]) => [order, nameOf.get(customer), items.filter(([of]) => of === order).map(([, product]) => product).join(',')]));
}

async function okBatch() {
	const rows = numbers(12);
	await pool.rows('insert into ok_batch__log (ref, note) values ' + rows.map(() => '(?, ?)').join(', '), ...rows.flatMap((i) => [i, `note ${i}`]));
	return '12\n';
}

async function okPairs(page) {
	const ids = numbers(10, page * 10);
	await pool.rows('update ok_pairs__products set stock = stock - 1 where stock > 0 and id in ' + holders(ids), ...ids);
	return '10\n';
}

const four = (what, i) => [
	() => pool.rows(`select c.name from ${what}__customer c where c.id = ?`, i + 1),
	() => pool.rows(`select o.total from ${what}__order o where o.id = ?`, i),
	() => pool.rows(`select count(*) from ${what}__item i where i.order_id = ?`, i),
	() => pool.rows(`select p.name from ${what}__product p where p.id = ?`, i)];

async function okFour(i) {
	const out = [];
	for (const query of four('ok_four', i))
		out.push((await query())[0]);
	return lines(out);
}

async function okAll(i) {
	return lines((await Promise.all(four('ok_all', i).map((query) => query()))).map(([row]) => row));
}

async function okFew(i) {
	const out = [];
	for (const id of numbers(4, i + 1))
		out.push((await pool.rows(nameSql('ok_few'), id))[0]);
	return lines(out);
}

async function okPage(page) {
	const [[total]] = await pool.rows('select count(*) from ok_page__total o');
	const rows = await pool.rows('select o.id, o.total from ok_page__order o order by o.id limit 20 offset ?', page * 20);
	return `${rows.length} of ${total}\n`;
}

async function okConfig() {
	for (const i of numbers(3))
		await pool.rows('select s.value from ok_config__setting s where s.name = ?', `name${i}`);
	await pool.rows('select s.name, s.value from ok_config__all s where s.name like ?', 'name%');
	return '13\n';
}

async function okTx(i) {
	return inTransaction(async (db) => {
		await db.rows('select o.id from ok_tx__order o where o.id = ?', i);
		await db.rows('update ok_tx__products set stock = stock - 1 where id = ?', i);
		await db.rows('insert into ok_tx__log (ref, note) values (?, ?)', i, 'sold');
		await db.rows('select i.qty from ok_tx__item i where i.order_id = ?', i);
		return 'sold\n';
	});
}

async function okNoise(i) {
	for (const n of numbers(6)) {
		await pool.run(postgresql ? `set ok_noise__set.a = '${n}'` : `set @ok_noise__set = ${n}`);
		await pool.run(postgresql ? 'show ok_noise__set.a' : "show variables like 'ok_noise__set'");
		await inTransaction(() => null);
	}
	return lines(await pool.rows('select o.id from ok_noise__order o where o.id = ?', i));
}

async function okCatalog() {
	const catalog = postgresql ? 'select ok_catalog__oid.oid from pg_catalog.pg_class ok_catalog__oid where ok_catalog__oid.relname = ?' :
		'select ok_catalog__oid.table_rows from information_schema.tables ok_catalog__oid where ok_catalog__oid.table_name = ?';
	for (const name of ['customers', 'orders', 'items', 'products', 'settings', 'big', 'tables', 'columns'])
		await pool.rows(catalog, name);
	return '8\n';
}

const endpoints = { badList, badTx, badPrepared, badAll, badTimer, badNested, badSame, badLoop, badPairs, badSlow, badLarge, okList, okIn, okTimer,
	okNested, okBatch, okPairs, okFour, okAll, okFew, okPage, okConfig, okTx, okNoise, okCatalog, okEmpty: async () => 'empty\n' };
const routes = new Map(Object.entries(endpoints).map(([name, answer]) => ['/' + name.replace(/[A-Z]/, (c) => '/' + c.toLowerCase()), answer]));

const server = http.createServer(async (request, response) => {
	const [, group, name, id] = request.url.split('/');
	const answer = routes.get(`/${group}/${name}`);
	try {
		const body = answer ? await answer(+(id || 0)) : '';
		response.writeHead(answer ? 200 : 404, { 'content-type': 'text/plain', 'content-length': Buffer.byteLength(body) });
		response.end(body);
	} catch (error) {
		console.error(error);
		response.writeHead(500);
		response.end(String(error));
	}
});

// All connections are there before the first request.
async function connect() {
	const all = await Promise.all(numbers(+env.POOL).map(() => pool.take()));
	for (const db of all) {
		if (postgresql)
			await db.run("set ok_noise__set.a = ''"); // so that each can show it
		pool.give(db);
	}
	server.listen(0, '127.0.0.1', () => console.log(server.address().port));
}

connect();
