// SPDX-License-Identifier: GPL-2.0-only
// node_pg.js - the drivers' workload with node-postgres. See test_drivers.py.
'use strict';
const { Client } = require('pg');
const env = process.env;
const done = {};

async function run(client, kind, query) {
	const told = done[kind] ||= { count: 0, rows: 0, errors: 0, ns: [] };
	const begin = process.hrtime.bigint();
	try {
		const result = await client.query(query);
		told.rows += result.rowCount;
	} catch {
		told.errors++;
	}
	told.ns.push(Number(process.hrtime.bigint() - begin));
	told.count++;
}

async function main() {
	const client = new Client({ host: env.DB_HOST, port: +env.DB_PORT, user: env.DB_USER, password: env.DB_PASSWORD, database: env.DB_NAME,
		ssl: env.DB_TLS === '1' ? { rejectUnauthorized: false } : false });
	await client.connect();
	for (let i = 0; i < +env.DB_ROUNDS; i++)
		await run(client, 'text', `SELECT name, qty FROM drv_items WHERE id = ${i % 100 + 1}`);
	for (let i = 0; i < +env.DB_ROUNDS; i++)
		await run(client, 'prepared', { name: 'by-id', text: 'SELECT qty FROM drv_items WHERE id = $1 AND qty >= $2', values: [i % 100 + 1, 0] });
	await client.query('BEGIN');
	for (let i = 0; i < 20; i++)
		await run(client, 'insert', { text: 'INSERT INTO drv_log (id, note) VALUES ($1, $2)', values: [i, `note ${i}`] });
	await client.query('COMMIT');
	await run(client, 'failing', 'SELECT nope FROM drv_missing');
	await run(client, 'many', { text: 'SELECT id, name FROM drv_items WHERE id <= $1', values: [50] });
	await client.end();
	console.log(JSON.stringify(done));
}

main();
