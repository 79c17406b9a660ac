# SPDX-License-Identifier: GPL-2.0-only
"""mongodb_work.py - known work on a MongoDB server with pymongo: mongodb_work.py URL [PART...]."""

import sys

import pymongo
from pymongo import DeleteOne, InsertOne, UpdateOne, errors


def basics(client):
    orders = client.shop.orders
    orders.insert_many([{"_id": i, "customer_id": i % 10, "total": i * 1.5, "status": "secret%d" % (i % 3)}
                        for i in range(300)])
    for i in range(40):
        list(orders.find({"customer_id": i % 10, "total": {"$gt": 3.5}}).sort("total", 1))
    for i in range(20):
        orders.find_one({"_id": i})
    list(orders.find({"status": {"$in": ["secret%d" % i for i in range(5)]}}, batch_size=50))
    list(orders.find({"status": {"$in": ["secret1"]}}))
    list(orders.find({"$or": [{"customer_id": 1}, {"total": {"$lt": 5}}]}))
    list(orders.find({"status": {"$regex": "^secret"}, "total": {"$gt": 1, "$lt": 9}}))
    for i in range(5):
        list(orders.aggregate([{"$match": {"customer_id": i}}, {"$group": {"_id": "$status", "n": {"$sum": 1}}}]))
    orders.update_one({"_id": 5}, {"$set": {"note": "secret"}})
    orders.update_many({"customer_id": 3, "total": {"$gt": 0}}, {"$set": {"note": "secret"}})
    orders.delete_one({"_id": 299})
    orders.delete_many({"_id": {"$in": [1, 2, 3]}})
    orders.find_one_and_update({"_id": 7}, {"$set": {"x": 1}})
    orders.count_documents({"customer_id": 4})
    orders.estimated_document_count()
    orders.distinct("status", {"customer_id": 1})
    orders.create_index("customer_id")
    client.other.orders.find_one({"_id": "secret"})
    client.admin.command("ping")


def failing(client):
    orders = client.shop.failing
    orders.insert_one({"_id": 1})
    for i in range(4):
        try:
            orders.insert_one({"_id": 1, "secret": i})
        except errors.DuplicateKeyError:
            pass
    try:
        list(orders.find({"x": {"$bogus": 1}}))
    except errors.OperationFailure:
        pass
    try:
        client.admin.command("noSuchCommand", "secret")
    except errors.OperationFailure:
        pass


def bulk(client):
    orders = client.shop.bulk
    orders.bulk_write([InsertOne({"_id": i}) for i in range(500)])
    orders.bulk_write([UpdateOne({"_id": i}, {"$set": {"x": "secret"}}) for i in range(100)])
    orders.bulk_write([DeleteOne({"_id": i}) for i in range(100)])


def large(client):
    big = client.shop.big
    for i in range(60):
        big.insert_one({"_id": i, "blob": "secret" * 20000, "small": [{"a": i}] * 50})
    list(big.find())  # 7 MB in one batch
    list(big.find(batch_size=7))
    many = client.shop.many
    many.insert_many([{"_id": i} for i in range(8000)])
    list(many.find())
    list(many.find({"_id": {"$in": list(range(2000))}}))
    many.insert_many([{"_id": -i - 1, "blob": "secret" * 3000} for i in range(20)])


def transactions(client):
    orders = client.shop.ledger
    for i in range(10):
        with client.start_session() as session, session.start_transaction():
            orders.insert_one({"_id": i}, session=session)
            orders.find_one({"_id": i}, session=session)
            if i == 9:
                session.abort_transaction()


def unacknowledged(client):
    quiet = client.shop.get_collection("quiet", write_concern=pymongo.WriteConcern(w=0))
    for i in range(20):
        quiet.insert_one({"_id": i})
    client.shop.quiet.find_one({"_id": 1})


def slow(client):
    for i in range(10):
        client.shop.orders.find_one({"_id": i})


def main():
    # One connection, so that the server's log is in the order of the program.
    client = pymongo.MongoClient(sys.argv[1], maxPoolSize=1, heartbeatFrequencyMS=60000)
    for part in sys.argv[2:]:
        globals()[part](client)
    client.close()


main()
