# SPDX-License-Identifier: GPL-2.0-only
"""shop_django.py - the shop with Django's ORM on PostgreSQL; gunicorn runs shop_django:application.

Every endpoint has models of its own, on views of the shop's tables: so its name stands in the statements that the ORM writes.
See shop.py for the environment and truth.py for what each endpoint does.
"""

import os

import django
from django.conf import settings

settings.configure(
    DEBUG=False, SECRET_KEY="none", ALLOWED_HOSTS=["*"], ROOT_URLCONF=__name__, USE_TZ=False, MIDDLEWARE=[], LOGGING_CONFIG=None,
    INSTALLED_APPS=[__name__],
    DATABASES={"default": {"ENGINE": "django.db.backends.postgresql", "HOST": os.environ["DB_HOST"], "PORT": os.environ["DB_PORT"],
                           "USER": os.environ["DB_USER"], "NAME": os.environ["DB_NAME"], "CONN_MAX_AGE": None,
                           "OPTIONS": {"sslmode": "disable", "gssencmode": "disable"}}})
django.setup()

from django.core.paginator import Paginator  # noqa: E402
from django.core.wsgi import get_wsgi_application  # noqa: E402
from django.db import models, transaction  # noqa: E402
from django.http import HttpResponse  # noqa: E402
from django.urls import path  # noqa: E402

import shop  # noqa: E402


def model(table, **fields):
    meta = type("Meta", (), {"app_label": __name__, "db_table": table, "managed": False})
    return type(table.title().replace("_", ""), (models.Model,), {"__module__": __name__, "Meta": meta, "id": models.IntegerField(primary_key=True),
                                                            **fields})


def customer_model(table):
    return model(table, name=models.CharField(max_length=40), city=models.CharField(max_length=40))


def order_model(table, customer=None):
    owner = {"customer": models.ForeignKey(customer, models.DO_NOTHING, db_column="customer_id", related_name="+")} if customer else {}
    return model(table, page=models.IntegerField(), total=models.IntegerField(), **owner)


def item_model(table, order):
    return model(table, order=models.ForeignKey(order, models.DO_NOTHING, db_column="order_id", related_name="items"),
                 product_id=models.IntegerField(), qty=models.IntegerField())


def log_model(table):
    return model(table, id=models.AutoField(primary_key=True), ref=models.IntegerField(), note=models.CharField(max_length=40))


def stock_model(table):
    return model(table, name=models.CharField(max_length=40), stock=models.IntegerField())


BadListCustomer = customer_model("bad_list__customer")
BadListOrder = order_model("bad_list__order", BadListCustomer)
BadNestedCustomer = customer_model("bad_nested__customer")
BadNestedOrder = order_model("bad_nested__order", BadNestedCustomer)
BadNestedItem = item_model("bad_nested__item", BadNestedOrder)
BadCountOrder = order_model("bad_count__order")
BadCountItem = item_model("bad_count__item", BadCountOrder)
BadLoopLog = log_model("bad_loop__log")
BadPairsStock = stock_model("bad_pairs__stock")
BadPairsProduct = stock_model("bad_pairs__products")
OkListCustomer = customer_model("ok_list__joined")
OkListOrder = order_model("ok_list__order", OkListCustomer)
OkInCustomer = customer_model("ok_in__customer")
OkInOrder = order_model("ok_in__order", OkInCustomer)
OkNestedCustomer = customer_model("ok_nested__customer")
OkNestedOrder = order_model("ok_nested__order", OkNestedCustomer)
OkNestedItem = item_model("ok_nested__item", OkNestedOrder)
OkCountOrder = order_model("ok_count__order")
OkCountItem = item_model("ok_count__joined", OkCountOrder)
OkBatchLog = log_model("ok_batch__log")
OkPairsProduct = stock_model("ok_pairs__products")
OkFewCustomer = customer_model("ok_few__customer")
OkPageOrder = order_model("ok_page__order")
OkTxOrder = order_model("ok_tx__order")
OkTxItem = item_model("ok_tx__item", OkTxOrder)
OkTxProduct = stock_model("ok_tx__products")
OkTxLog = log_model("ok_tx__log")


def with_names(orders):
    return shop.lines((order.id, order.customer.name) for order in orders)


def with_items(orders):
    return shop.lines((order.id, order.customer.name, ",".join(str(item.product_id) for item in order.items.all())) for order in orders)


def bad_list(page):
    return with_names(BadListOrder.objects.filter(page=page).order_by("id"))


def bad_nested(page):
    return with_items(BadNestedOrder.objects.filter(page=page).order_by("id"))


def bad_count(page):
    return shop.lines((order.id, order.items.count()) for order in BadCountOrder.objects.filter(page=page).order_by("id"))


def bad_loop(_):
    for i in range(12):
        BadLoopLog(ref=i, note="note %d" % i).save()
    return "12\n"


def bad_pairs(page):
    for product in range(page * 10, page * 10 + 10):
        if BadPairsStock.objects.get(id=product).stock > 0:
            BadPairsProduct.objects.filter(id=product).update(stock=models.F("stock") - 1)
    return "10\n"


def ok_list(page):
    return with_names(OkListOrder.objects.filter(page=page).order_by("id").select_related("customer"))


def ok_in(page):
    return with_names(OkInOrder.objects.filter(page=page).order_by("id").prefetch_related("customer"))


def ok_nested(page):
    return with_items(OkNestedOrder.objects.filter(page=page).order_by("id").prefetch_related("customer", "items"))


def ok_count(page):
    orders = OkCountOrder.objects.filter(page=page).order_by("id").annotate(number=models.Count("items"))
    return shop.lines((order.id, order.number) for order in orders)


def ok_batch(_):
    OkBatchLog.objects.bulk_create([OkBatchLog(ref=i, note="note %d" % i) for i in range(12)])
    return "12\n"


def ok_pairs(page):
    OkPairsProduct.objects.filter(id__in=range(page * 10, page * 10 + 10), stock__gt=0).update(stock=models.F("stock") - 1)
    return "10\n"


def ok_few(i):
    return shop.lines((OkFewCustomer.objects.get(id=i + n).name,) for n in range(1, 5))


def ok_page(page):
    pages = Paginator(OkPageOrder.objects.order_by("id"), 20)
    return "%d of %d\n" % (len(pages.page(page + 1).object_list), pages.count)


def ok_tx(i):
    with transaction.atomic():
        OkTxOrder.objects.get(id=i)
        OkTxProduct.objects.filter(id=i).update(stock=models.F("stock") - 1)
        OkTxLog(ref=i, note="sold").save()
        list(OkTxItem.objects.filter(order_id=i))
    return "sold\n"


def ok_empty(_):
    return "empty\n"


def view(function):
    def answer(_request, page=0):
        return HttpResponse(function(page), content_type="text/plain")
    return answer


urlpatterns = []
for name, endpoint in list(globals().items()):
    if name.startswith(("bad_", "ok_")):
        where = name.replace("_", "/", 1)
        urlpatterns += [path(where, view(endpoint)), path(where + "/<int:page>", view(endpoint))]

application = get_wsgi_application()
