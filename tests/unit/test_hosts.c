// SPDX-License-Identifier: GPL-2.0-only
/* test_hosts.c - names of addresses: hosts files, sane and others. */
#include "unit.h"

#include <arpa/inet.h>

#include "model/hosts.h"
#include "sonde/key.h"

static const char *find(const struct sonde_hosts *hosts, const char *address)
{
	u8 addr[16] = {};
	u32 family = strchr(address, ':') ? SONDE_AF_INET6 : SONDE_AF_INET;

	assert_int_equal(inet_pton((int)family, address, addr), 1);
	return sonde_hosts_find(hosts, family, addr);
}

static void names(void **state)
{
	static const char text[] = "127.0.0.1\tlocalhost\n127.0.0.1 thismachine\n127.0.0.2 localhost\n"
				   "# 10.0.0.9 commented\n"
				   "10.0.0.5  db.internal db # the database\n"
				   "10.0.0.5 second\r\n"
				   "  10.0.0.6\tcache.internal\r\n"
				   "::1 ip6-localhost ip6-loopback\n"
				   "fe80::1%eth0 router\n"
				   "2001:db8::7 six\n"
				   "::ffff:10.0.0.7 mapped\n"
				   "10.0.0.8\n"
				   "10.0.0.300 nobody\n"
				   "db2 10.0.0.10\n"
				   "10.0.0.11 last";
	struct sonde_hosts *hosts = sonde_hosts_parse(text, sizeof(text) - 1);

	assert_non_null(hosts);
	assert_string_equal(find(hosts, "10.0.0.5"), "db.internal");
	assert_string_equal(find(hosts, "10.0.0.6"), "cache.internal");
	assert_string_equal(find(hosts, "127.0.0.1"), "");
	assert_string_equal(find(hosts, "127.0.0.2"), "");
	assert_string_equal(find(hosts, "::1"), "");
	assert_string_equal(find(hosts, "fe80::1"), "router");
	assert_string_equal(find(hosts, "2001:db8::7"), "six");
	assert_string_equal(find(hosts, "10.0.0.7"), "mapped");
	assert_string_equal(find(hosts, "::ffff:10.0.0.5"), "db.internal");
	assert_string_equal(find(hosts, "10.0.0.8"), "");
	assert_string_equal(find(hosts, "10.0.0.9"), "");
	assert_string_equal(find(hosts, "10.0.0.10"), "");
	assert_string_equal(find(hosts, "10.0.0.11"), "last");
	assert_string_equal(sonde_hosts_find(hosts, SONDE_AF_UNIX, (const u8[16]){}), "");
	sonde_hosts_free(hosts);
	(void)state;
}

static void hostile(void **state)
{
	static const char zeros[] = "10.0.0.1 a\0b\n10.0.0\0.2 c\n10.0.0.3 d";
	char text[2048] = "10.0.0.1 ";
	struct sonde_hosts *hosts = sonde_hosts_parse(zeros, sizeof(zeros) - 1);

	assert_string_equal(find(hosts, "10.0.0.1"), "");
	assert_string_equal(find(hosts, "10.0.0.3"), "d");
	sonde_hosts_free(hosts);
	memset(text + 9, 'x', 1000);
	memcpy(text + 1009, "\n10.0.0.2 y", 12);
	hosts = sonde_hosts_parse(text, strlen(text));
	assert_string_equal(find(hosts, "10.0.0.1"), "");
	assert_string_equal(find(hosts, "10.0.0.2"), "y");
	sonde_hosts_free(hosts);
	hosts = sonde_hosts_parse("", 0);
	assert_string_equal(find(hosts, "10.0.0.1"), "");
	sonde_hosts_free(hosts);
	assert_string_equal(find(NULL, "10.0.0.1"), "");
	sonde_hosts_free(NULL);
	(void)state;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(names),
		cmocka_unit_test(hostile),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
