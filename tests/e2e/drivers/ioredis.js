// SPDX-License-Identifier: GPL-2.0-only
// ioredis.js - the drivers' workload with ioredis. See test_drivers.py.
'use strict';
const Redis = require('ioredis');
const env = process.env;
const done = {};

async function run(kind, call, count = 1) {
	const told = done[kind] ||= { count: 0, errors: 0, ns: [] };
	const begin = process.hrtime.bigint();
	try {
		await call();
	} catch {
		told.errors++;
	}
	told.ns.push(Number(process.hrtime.bigint() - begin));
	told.count += count;
}

async function main() {
	const db = new Redis({ host: env.DB_HOST, port: +env.DB_PORT, tls: env.DB_TLS === '1' ? { rejectUnauthorized: false } : undefined });
	for (let i = 0; i < +env.DB_ROUNDS; i++)
		await run('SET user:?', () => db.set(`user:${i}`, 'v'.repeat(i % 50)));
	for (let i = 0; i < +env.DB_ROUNDS; i++)
		await run('GET user:?', () => db.get(`user:${i}`));
	const pipe = db.pipeline();
	for (let i = 0; i < 50; i++)
		pipe.incr(`visits:${i}`);
	await run('INCR visits:?', () => pipe.exec(), 50);
	const multi = db.multi();
	for (let i = 0; i < 5; i++)
		multi.hset('cart:7', `item${i}`, i);
	await run('HSET cart:?', () => multi.exec(), 5);
	await run('HGETALL cart:?', () => db.hgetall('cart:7'));
	await run('LPUSH user:?', () => db.lpush('user:1', 'x'));
	await db.quit();
	console.log(JSON.stringify(done));
}

main();
