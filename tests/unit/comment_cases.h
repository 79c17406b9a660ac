/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * comment_cases.h - SQL comments and what they say: for the unit test, the kernel's and the fuzzer's beginnings.
 */
#ifndef SONDE_TEST_COMMENT_CASES_H
#define SONDE_TEST_COMMENT_CASES_H

#define CASE_TRACE "4bf92f3577b34da6a3ce929d0e0e4736"
#define CASE_PARENT "00-" CASE_TRACE "-00f067aa0ba902b7-01"
#define CASE_LONG "abcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyz" /* 78 */

/*
 * @id: what the request's hash is made of: the id's own text, "trace" for CASE_TRACE; NULL none. @cut: the name goes on.
 */
static const struct comment_case {
	const char *text;
	const char *name;
	const char *id;
	int cut;
} comment_cases[] = {
	/* sqlcommenter */
	{ "/*action='list',controller='orders',db_driver='django.db.backends.postgresql',framework='django%3A4.2',"
	  "route='%2Forders%2F%3Aid',traceparent='" CASE_PARENT "'*/",
	  "/orders/:id", "trace" },
	{ "/*action='list',controller='orders'*/", "orders#list", NULL },
	{ "/* controller='orders' , action='list' */", "orders#list", NULL },
	{ "/*controller='polls%%3Aindex',framework='django%%3A2.2.3',route='polls/%%3Cint%%3Apk%%3E/'*/",
	  "polls/<int:pk>/", NULL },
	{ "/*route='%2Forders%2F%3Cint%3Apk%3E',framework='flask%3A2'*/", "/orders/<int:pk>", NULL },
	{ "/*route='it\\'s%20here'*/", "it's here", NULL },
	{ "/*route='a\\\\b'*/", "a\\b", NULL },
	{ "/*route='it%27s',action='x'*/", "it's", NULL },
	{ "/*dddbs='shop',dde='prod',ddps='web',traceparent='00-" CASE_TRACE "-0000000000000001-00'*/", "", "trace" },
	{ "/*traceparent='" CASE_PARENT "',tracestate='congo%3Dt61rcWkgMzE%2Crojo%3D00f067aa0ba902b7'*/", "", "trace" },

	/* marginalia and Rails */
	{ "/*application:Shop,controller:orders,action:index,job:X,request_id:abc*/", "orders#index", "abc" },
	{ "/*application='Shop',controller='orders',action='index',request_id='abc'*/", "orders#index", "abc" },
	{ "/*application:Shop,job:Billing::InvoiceJob*/", "Billing::InvoiceJob", NULL },
	{ "/*application:BCX,controller:projects,action:show,line:/srv/app/project.rb:23:in `show'*/", "projects#show",
	  NULL },
	{ "/*namespaced_controller:api/v1/orders,action:index,request_id:5d1b3f2a-7c44-4d2e-9b3a-0c1de9ff0001*/",
	  "api/v1/orders#index", "5d1b3f2a-7c44-4d2e-9b3a-0c1de9ff0001" },
	{ "/*controller_with_namespace:Api::V1::OrdersController,action:index*/", "Api::V1::OrdersController#index",
	  NULL },
	{ "/*action:index*/", "index", NULL },
	{ "/*job:A,action:b*/", "A", NULL },
	{ "/*controller:,action:index*/", "index", NULL },
	{ "/*controller:orders,controller:other,action:x*/", "orders#x", NULL },

	/* by hand */
	{ "-- request_id=7f3a", "", "7f3a" },
	{ "-- request_id = 7f3a\n", "", "7f3a" },
	{ "# request_id: 7f3a, user: 5", "", "7f3a" },
	{ "/* request_id=7f3a trace_id=" CASE_TRACE " */", "", "trace" },
	{ "/* trace_id=" CASE_TRACE " request_id=7f3a */", "", "trace" },
	{ "/* traceparent=" CASE_PARENT " */", "", "trace" },
	{ "/* trace_id=0123456789 */", "", "0123456789" },
	{ "/* X-Request-ID: 7f3a */", "", "7f3a" },
	{ "/* requestId: \"7f3a\" */", "", "7f3a" },
	{ "/* {\"request_id\": \"7f3a\", \"route\": \"/orders/{id}\"} */", "/orders/{id}", "7f3a" },
	{ "/* {\"request_id\":7f3a} */", "", "7f3a" },
	{ "/* [request_id=7f3a] */", "", "7f3a" },
	{ "/* {:request_id=>\"7f3a\"} */", "", "7f3a" },
	{ "/* don't request_id=7f3a */", "", "7f3a" },
	{ "/* dd.trace_id=77 dd.span_id=5 */", "", "77" },
	{ "/*+ INDEX(t) */", "", NULL },
	{ "/* plain words */", "", NULL },
	{ "/**/", "", NULL },
	{ "/*/", "", NULL },
	{ "--", "", NULL },
	{ "", "", NULL },

	/* no ids */
	{ "/*request_id:*/", "", NULL },
	{ "/*request_id=''*/", "", NULL },
	{ "/*request_id=nil,trace_id=None*/", "", NULL },
	{ "/*request_id=null*/", "", NULL },
	{ "/*request_id=undefined*/", "", NULL },
	{ "/*request_id=-*/", "", NULL },
	{ "/*traceparent='00-00000000000000000000000000000000-00f067aa0ba902b7-01'*/", "", NULL },
	{ "/*traceparent='00-" CASE_TRACE "'*/", "", NULL },
	{ "/*traceparent='0x-" CASE_TRACE "-00f067aa0ba902b7-01'*/", "", NULL },
	{ "/*traceparent='00-4bf92f3577b34da6a3ce929d0e0e473g-00f067aa0ba902b7-01'*/", "", NULL },
	{ "/*traceparent='00_" CASE_TRACE "-00f067aa0ba902b7-01',request_id=7f3a*/", "", "7f3a" },
	{ "/*trace_id=None,request_id=7f3a*/", "", "7f3a" },
	{ "/*request_id_of=7f3a,identity=5,span_id=6*/", "", NULL },
	{ "/*myroute=/x,actions=b,jobs=c*/", "", NULL },

	/* cut short: an id would be another one */
	{ "/*route='/orders', request_id='7f3a", "/orders", NULL },
	{ "/*request_id=7f3a", "", NULL },
	{ "/*route='/orders", "/orders", NULL, 1 },
	{ "/*traceparent='" CASE_PARENT, "", NULL },

	/* paths */
	{ "/*route=/orders/123*/", "/orders/{id}", NULL },
	{ "/*route='%2Forders%2F123%2Fitems%2F7'*/", "/orders/{id}/items/{id}", NULL },
	{ "/*route='/orders/5d1b3f2a-7c44-4d2e-9b3a-0c1de9ff0001?x=1'*/", "/orders/{id}", NULL },
	{ "/*route='/v1/files/42.json'*/", "/v1/files/{id}.json", NULL },
	{ "/*route='/v1.0/step-2/order-1234'*/", "/v1.0/step-2/order-{id}", NULL },
	{ "/*route='/a/3f2a9c1b/app.3f2a9c1b.js'*/", "/a/{id}/app.{id}.js", NULL },
	{ "/*route='/2024/orders/:id'*/", "/2024/orders/:id", NULL },
	{ "/*route='/2024/orders/{id}'*/", "/2024/orders/{id}", NULL },
	{ "/*route='/orders/123:cancel'*/", "/orders/123:cancel", NULL },
	{ "/*route='orders/123'*/", "orders/123", NULL },
	{ "/*route='/1/2/3/4'*/", "/{id}/{id}/{id}/{id}", NULL },
	{ "/*route='/'*/", "/", NULL },

	/* codes that are none, and long values */
	{ "/*route='100%'*/", "100%", NULL },
	{ "/*route='50%x'*/", "50%x", NULL },
	{ "/*route='%4'*/", "%4", NULL },
	{ "/*route='%4x%2F'*/", "%4x/", NULL },
	{ "/*route='a%00b%0Ac'*/", "a?b?c", NULL },
	{ "/*route='" CASE_LONG CASE_LONG "'*/", CASE_LONG "abcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwx", NULL,
	  1 },
	{ "/*controller=" CASE_LONG ",action=" CASE_LONG "*/",
	  CASE_LONG "#abcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvw", NULL, 1 },
	{ "/*x='" CASE_LONG CASE_LONG CASE_LONG CASE_LONG CASE_LONG CASE_LONG "',route='/orders'*/", "/orders", NULL },
	{ "/*x='" CASE_LONG CASE_LONG CASE_LONG CASE_LONG CASE_LONG CASE_LONG CASE_LONG "',route='/orders'*/", "",
	  NULL },
};

#define NR_COMMENT_CASES (sizeof(comment_cases) / sizeof(comment_cases[0]))

#endif /* SONDE_TEST_COMMENT_CASES_H */
