// SPDX-License-Identifier: GPL-2.0-only
// mongodb_work.js - known work on a MongoDB server with its own driver for node: mongodb_work.js URL
'use strict';

const { MongoClient } = require('mongodb');

async function main() {
	const client = new MongoClient(process.argv[2], { maxPoolSize: 3 });
	const orders = client.db('shop').collection('orders');
	const list = [];

	for (let i = 0; i < 300; i++)
		list.push({ _id: i, customer_id: i % 10, total: i * 1.5, status: 'secret' + (i % 3) });
	await orders.insertMany(list);
	for (let i = 0; i < 30; i++)
		await orders.find({ customer_id: i % 10, total: { $gt: 3.5 } }).toArray();
	await Promise.all([...Array(30).keys()].map((i) => orders.findOne({ _id: i })));
	await orders.find({ status: { $in: ['secret0', 'secret1'] } }, { batchSize: 40 }).toArray();
	await orders.aggregate([{ $match: { customer_id: 3 } }, { $limit: 2 }]).toArray();
	await orders.updateOne({ _id: 5 }, { $set: { note: 'secret' } });
	await orders.updateMany({ customer_id: 3 }, { $set: { note: 'secret' } });
	await orders.deleteMany({ _id: { $in: [1, 2, 3] } });
	await orders.findOneAndUpdate({ _id: 7 }, { $set: { x: 1 } });
	await orders.countDocuments({ customer_id: 4 });
	await orders.distinct('status', { customer_id: 1 });
	for (let i = 0; i < 3; i++)
		await orders.insertOne({ _id: 7, secret: i }).catch((e) => e.code === 11000 || Promise.reject(e));
	await client.db('admin').command({ ping: 1 });
	await client.close();
}

main().catch((e) => {
	console.error(e);
	process.exit(1);
});
