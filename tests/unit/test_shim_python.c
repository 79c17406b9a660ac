// SPDX-License-Identifier: GPL-2.0-only
/* test_shim_python.c - what stands before Python's allocators, over a Python that is made up: which objects it moves, whose frames it reads. */
#include "unit.h"

#include <dlfcn.h>

static void *made_up(void *handle, const char *name);
#define dlsym made_up
#include "../../shim/python.c"
#undef dlsym

#define RATE 4096

/* ---- what is behind: alloc.c's part ---- */

__thread struct shim_thread shim_self;
static u32 nr_sampled;
static bool from_python; /* the last one */

uint64_t shim_take(size_t size)
{
	(void)size;
	shim_self.left = RATE;
	return RATE;
}

void *shim_sample(void *ptr, size_t size, uint64_t at)
{
	assert_int_equal(at, RATE);
	assert_true(size <= SMALL);
	from_python = shim_self.python;
	nr_sampled++;
	return ptr;
}

/* ---- a Python: objects of up to 512 bytes lie in an arena, malloc() samples each ---- */

static const char *python_version;
static struct allocator installed[3];
static char arena[1 << 16];
static size_t arena_used;
static u32 nr_arena_frees, nr_outside;
static bool lock_is_held;
static u32 nr_lock_asked;

static bool in_arena(const void *ptr)
{
	return (const char *)ptr >= arena && (const char *)ptr < arena + sizeof(arena);
}

/* A sample: the distance that is drawn next happens to be the one before. */
static void *arena_malloc(void *ctx, size_t size)
{
	void *ptr;

	(void)ctx;
	if (size > SMALL) {
		nr_outside += size == SMALL + 1;
		ptr = malloc(size);
		assert_non_null(ptr);
		return ptr;
	}
	ptr = arena + arena_used;
	arena_used += (size + 15) & ~(size_t)15;
	assert_true(arena_used <= sizeof(arena));
	return ptr;
}

static void *arena_calloc(void *ctx, size_t nr, size_t size)
{
	return memset(arena_malloc(ctx, nr * size), 0, nr * size);
}

static void arena_free(void *ctx, void *ptr)
{
	(void)ctx;
	if (in_arena(ptr))
		nr_arena_frees++;
	else
		free(ptr);
}

static void *arena_realloc(void *ctx, void *ptr, size_t size)
{
	void *moved;

	if (ptr && !in_arena(ptr))
		return realloc(ptr, size);
	if (size <= SMALL && ptr)
		return ptr; /* there is room */
	moved = arena_malloc(ctx, size);
	if (ptr) {
		memcpy(moved, ptr, 64);
		arena_free(ctx, ptr);
	}
	return moved;
}

static void *raw_malloc(void *ctx, size_t size)
{
	(void)ctx;
	return malloc(size);
}

static void get_allocator(enum domain domain, struct allocator *allocator)
{
	*allocator = (struct allocator){ NULL, domain == DOMAIN_RAW ? raw_malloc : arena_malloc, arena_calloc, arena_realloc,
					 arena_free };
}

static void set_allocator(enum domain domain, const struct allocator *allocator)
{
	installed[domain] = *allocator;
}

static const char *get_version(void)
{
	return python_version;
}

static void *thread_state[32];

static void *get_thread(void)
{
	return thread_state;
}

static int check_lock(void)
{
	nr_lock_asked++;
	return lock_is_held;
}

static int line_at(const void *code, int offset)
{
	(void)code;
	(void)offset;
	return 7;
}

static int line_now(const void *frame)
{
	(void)frame;
	return 7;
}

static char a_type[8];
static const char *missing; /* a symbol that this Python has not */

static void *made_up(void *handle, const char *name)
{
	static const struct {
		const char *name;
		void (*function)(void);
	} all[] = {
		{ "PyMem_GetAllocator", (void (*)(void))get_allocator },
		{ "PyMem_SetAllocator", (void (*)(void))set_allocator },
		{ "Py_GetVersion", (void (*)(void))get_version },
		{ "_PyThreadState_UncheckedGet", (void (*)(void))get_thread },
		{ "PyGILState_Check", (void (*)(void))check_lock },
		{ "PyCode_Addr2Line", (void (*)(void))line_at },
		{ "PyFrame_GetLineNumber", (void (*)(void))line_now },
	};
	void *found = NULL;

	(void)handle;
	if (missing && !strcmp(missing, name))
		return NULL;
	if (!strcmp(name, "PyCode_Type"))
		return a_type;
	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++)
		if (!strcmp(all[i].name, name))
			memcpy(&found, &all[i].function, sizeof(found));
	return found;
}

static void python_begins(const char *version)
{
	python_version = version;
	memset(installed, 0, sizeof(installed));
	memset(&shim_self, 0, sizeof(shim_self));
	arena_used = nr_arena_frees = nr_outside = nr_sampled = nr_lock_asked = 0;
	layout = NULL;
	shim_python_begin();
}

/* ---- tests ---- */

static void versions(void **state)
{
	static const char *const unknown[] = { "2.7.18", "3.6.1", "3.14.0", "3.99999999999.1", "3.13.1 experimental free-threading build" };

	for (size_t i = 0; i < sizeof(unknown) / sizeof(unknown[0]); i++) {
		python_begins(unknown[i]);
		assert_null(installed[DOMAIN_OBJ].malloc);
		assert_null(layout);
	}
	missing = "PyGILState_Check";
	python_begins("3.11.2 (main)");
	assert_null(installed[DOMAIN_OBJ].malloc);
	missing = NULL;
	python_begins("3.11.2 (main)");
	assert_ptr_equal(installed[DOMAIN_OBJ].malloc, python_malloc);
	assert_ptr_equal(installed[DOMAIN_MEM].free, arena_free);
	assert_null(installed[DOMAIN_RAW].malloc);
	(void)state;
}

/* A small object that stays in the arena is counted here; sampled, it moves out of it. */
static void small_realloc(void **state)
{
	char *ptr, *moved;

	python_begins("3.11.2");
	ptr = arena_malloc(NULL, 64);
	strcpy(ptr, "sixty-four");
	shim_self.left = 1000;
	assert_ptr_equal(installed[DOMAIN_OBJ].realloc(NULL, ptr, 100), ptr);
	assert_int_equal(shim_self.left, 900);
	shim_self.left = 99;
	moved = installed[DOMAIN_OBJ].realloc(NULL, ptr, 100);
	assert_ptr_not_equal(moved, ptr);
	assert_string_equal(moved, "sixty-four");
	assert_int_equal(nr_outside, 1);
	assert_int_equal(nr_arena_frees, 1);
	assert_int_equal(nr_sampled, 1);
	assert_true(from_python);
	free(moved);
	(void)state;
}

/* malloc() has counted and sampled it. That the count is what it was says nothing then: it may have been drawn again. */
static void big_realloc(void **state)
{
	enum { BIG = 100000 };
	char *ptr;

	for (int grows = 0; grows < 2; grows++) {
		python_begins("3.11.2");
		ptr = grows ? malloc(64) : arena_malloc(NULL, 64);
		strcpy(ptr, "sixty-four");
		shim_self.left = 10;
		ptr = installed[DOMAIN_MEM].realloc(NULL, ptr, BIG);
		assert_string_equal(ptr, "sixty-four");
		assert_int_equal(nr_outside, 0); /* where there is no room for it */
		assert_int_equal(nr_sampled, 0);
		assert_int_equal(shim_self.left, 10);
		memset(ptr, 1, BIG);
		free(ptr);
	}
	(void)state;
}

struct text {
	char head[TEXT_LENGTH];
	size_t length;
	int64_t hash;
	uint32_t state;
	char ascii[60];
};

/* One frame of the layout in use, of `work` in "a.py". */
static void enter_function(void)
{
	static void *frame[32], *code[32], *indirect[4];
	static struct text file, function;

	file = (struct text){ .length = 4, .hash = 11, .state = STATE_COMPACT | STATE_ASCII | 1 << 2 };
	function = (struct text){ .length = 4, .hash = 12, .state = file.state };
	strcpy((char *)&file + layout->ascii, "a.py");
	strcpy((char *)&function + layout->ascii, "work");
	memset(thread_state, 0, sizeof(thread_state));
	memset(frame, 0, sizeof(frame));
	memset(code, 0, sizeof(code));
	code[TYPE / 8] = a_type;
	code[layout->file / 8] = &file;
	code[layout->name / 8] = &function;
	frame[layout->code / 8] = code;
	indirect[layout->indirect_frame / 8] = frame;
	thread_state[layout->thread_frame / 8] = layout->indirect ? (void *)indirect : (void *)frame;
}

/* Until 3.11 the thread's state is that of whoever holds the lock: who does not is told by its C stack. */
static void whose_frames(void **state)
{
	static const struct {
		const char *version;
		u32 asked;
	} pythons[] = { { "3.7.1", 1 }, { "3.8.2", 1 }, { "3.9.0", 1 }, { "3.10.1", 1 }, { "3.11.2", 1 }, { "3.12.1", 0 }, { "3.13.0", 0 } };

	sonde_alloc_python_semaphore = 1;
	for (size_t i = 0; i < sizeof(pythons) / sizeof(pythons[0]); i++) {
		python_begins(pythons[i].version);
		assert_non_null(layout);
		enter_function();
		lock_is_held = true;
		assert_true(shim_python_tell(arena, 64, 64));
		assert_int_equal(nr_lock_asked, pythons[i].asked); /* once a sample */
		lock_is_held = false;
		assert_int_equal(shim_python_tell(arena, 64, 64), !pythons[i].asked);
	}
	sonde_alloc_python_semaphore = 0;
	assert_false(shim_python_tell(arena, 64, 64));
	(void)state;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(versions),
		cmocka_unit_test(small_realloc),
		cmocka_unit_test(big_realloc),
		cmocka_unit_test(whose_frames),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
