// SPDX-License-Identifier: GPL-2.0-only
/*
 * sym_target.c - a program that says where it is: its stack as addresses, and the functions and lines they are in.
 *
 * test_sym.c compiles it in many ways, also as C++. It writes "ip ADDRESS" for each frame and "want FUNCTION LINE" for
 * each call, innermost first, then "ready", and ends when its input does.
 */
#include <stdint.h>
#include <stdio.h>
#include <unistd.h>

#ifdef __cplusplus
#define WITHIN(name)                                                                                                   \
	namespace name                                                                                                 \
	{
#define END }
#else
#define WITHIN(name)
#define END
#endif

#define APART __attribute__((noinline, noclone))
#define INSIDE inline __attribute__((always_inline))

static const char *function[16];
static int line[16], nr;
static uintptr_t top;

static INSIDE int note(const char *f, int l)
{
	function[nr] = f;
	line[nr++] = l;
	return 0;
}

/* A call on a line of its own that is written down before. */
#define CALL(call) (note(__func__, __LINE__) + (call))

WITHIN(shop)

#ifdef __clang__
#define noclone
#endif

static APART int say(volatile int *n)
{
	uintptr_t *frame = (uintptr_t *)__builtin_frame_address(0);

	printf("ip %lx\n", (unsigned long)(uintptr_t)say);
	while (1) {
		printf("ip %lx\n", (unsigned long)frame[1]);
		if ((uintptr_t)frame >= top || frame[0] <= (uintptr_t)frame)
			break;
		frame = (uintptr_t *)frame[0];
	}
	while (nr-- > 0)
		printf("want %s %d\n", function[nr], line[nr]);
	puts("ready");
	fflush(stdout);
	while (read(0, (void *)n, 1) > 0)
		;
	return *n;
}

static INSIDE int fetch(volatile int *n)
{
	int more;

	*n += 1;
	more = CALL(say(n));
	*n += more;
	return *n;
}

static INSIDE int every(volatile int *n)
{
	if (*n > 1000)
		return 0;
	*n += CALL(fetch(n));
	return *n;
}

APART int list_orders(volatile int *n);
int list_orders(volatile int *n)
{
	int more;

	*n -= 3;
	more = CALL(every(n));
	*n += more;
	return *n;
}

static INSIDE int render(volatile int *n)
{
	*n += CALL(list_orders(n));
	return *n;
}

APART int handle(volatile int *n);
int handle(volatile int *n)
{
	for (int i = 0; i < 1; i++) {
		int more = CALL(render(n));

		/* What comes behind a call is the next line's. */
		*n += more;
	}
	return *n;
}

END

	int
	main(int argc, char *argv[] __attribute__((unused)))
{
	volatile int n = argc;

	top = (uintptr_t)__builtin_frame_address(0);
#ifdef __cplusplus
	n += CALL(shop::handle(&n));
#else
	n += CALL(handle(&n));
#endif
	return n == 0;
}
