// SPDX-License-Identifier: GPL-2.0-only
// mysql2.js - the drivers' workload with mysql2. See test_drivers.py.
'use strict';
const mysql = require('mysql2/promise');
const env = process.env;
const done = {};

async function run(kind, call) {
	const told = done[kind] ||= { count: 0, rows: 0, errors: 0, ns: [] };
	const begin = process.hrtime.bigint();
	try {
		const [rows] = await call();
		told.rows += Array.isArray(rows) ? rows.length : rows.affectedRows;
	} catch {
		told.errors++;
	}
	told.ns.push(Number(process.hrtime.bigint() - begin));
	told.count++;
}

async function main() {
	const conn = await mysql.createConnection({ host: env.DB_HOST, port: +env.DB_PORT, user: env.DB_USER, password: env.DB_PASSWORD,
		database: env.DB_NAME, ssl: env.DB_TLS === '1' ? { rejectUnauthorized: false } : undefined });
	for (let i = 0; i < +env.DB_ROUNDS; i++)
		await run('text', () => conn.query('SELECT name, qty FROM drv_items WHERE id = ?', [i % 100 + 1]));
	for (let i = 0; i < +env.DB_ROUNDS; i++)
		await run('prepared', () => conn.execute('SELECT qty FROM drv_items WHERE id = ? AND qty >= ?', [i % 100 + 1, 0]));
	await conn.beginTransaction();
	for (let i = 0; i < 20; i++)
		await run('insert', () => conn.execute('INSERT INTO drv_log (id, note) VALUES (?, ?)', [i, `note ${i}`]));
	await conn.commit();
	await run('failing', () => conn.query('SELECT nope FROM drv_missing'));
	await run('many', () => conn.query('SELECT id, name FROM drv_items WHERE id <= 50'));
	await conn.end();
	console.log(JSON.stringify(done));
}

main();
