// SPDX-License-Identifier: GPL-2.0-only
/*
 * test_go_park.c - what is read of a parked goroutine: whose code an address is, and where its frames begin.
 */
#include "sonde/go_park.h"
#include "unit.h"

static void test_kinds(void **state)
{
	struct sonde_go_parks parks = {
		.fn = {
			[SONDE_GO_FN_GOPARK] = { .from = -0x1000ULL, .bytes = 0x140 }, /* before the probe */
			[SONDE_GO_FN_CHANRECV] = { .from = 0x20, .bytes = 0x10 },
			[SONDE_GO_FN_SEMACQUIRE] = { .from = 0x30, .bytes = 1 },
			[SONDE_GO_FN_SLEEP] = { .from = 0, .bytes = 0 }, /* not in the program */
		},
	};

	assert_int_equal(sonde_go_kind_of(&parks, -0x1000ULL), SONDE_GO_PARKS);
	assert_int_equal(sonde_go_kind_of(&parks, -0x1000ULL + 0x13f), SONDE_GO_PARKS);
	assert_int_equal(sonde_go_kind_of(&parks, -0x1000ULL + 0x140), SONDE_GO_NONE);
	assert_int_equal(sonde_go_kind_of(&parks, -0x1001ULL), SONDE_GO_NONE);
	assert_int_equal(sonde_go_kind_of(&parks, 0x1f), SONDE_GO_NONE);
	assert_int_equal(sonde_go_kind_of(&parks, 0x2f), SONDE_GO_CHANNEL);
	assert_int_equal(sonde_go_kind_of(&parks, 0x30), SONDE_GO_LOCK);
	assert_int_equal(sonde_go_kind_of(&parks, 0), SONDE_GO_NONE);
}

static void test_frames(void **state)
{
	const u64 sp = 0xc000100000;
	struct sonde_gobuf old = { .sp = sp, .bp = sp + 0x40 };
	struct sonde_gobuf fresh = { .sp = sp, .lr_or_bp = sp + 0x40, .bp = 0 };

	assert_int_equal(sonde_go_bp(&old), sp + 0x40); /* up to Go 1.24 */
	assert_int_equal(sonde_go_bp(&fresh), sp + 0x40);
	fresh.lr_or_bp = sp - 8; /* arm64 */
	assert_int_equal(sonde_go_bp(&fresh), sp - 8);
	assert_true(sonde_go_is_frame(sp - 16, sp));
	assert_false(sonde_go_is_frame(sp - 24, sp));
	assert_true(sonde_go_is_frame(sp + SONDE_GO_FRAME_MAX - 24, sp));
	assert_false(sonde_go_is_frame(sp + SONDE_GO_FRAME_MAX, sp));
	assert_false(sonde_go_is_frame(0, sp));
	assert_false(sonde_go_is_frame(-8ULL, sp));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_kinds),
		cmocka_unit_test(test_frames),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
