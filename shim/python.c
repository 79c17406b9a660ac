// SPDX-License-Identifier: GPL-2.0-only
/*
 * python.c - samples what Python allocates, with the lines of Python that do.
 *
 * Python's allocators for objects are replaced by ones that count, as malloc() is, and go on to them. Of up to 512 bytes malloc() sees
 * nothing; more is passed on to it, and counted there, and so are those of the others that are sampled. Whoever calls holds Python's lock (the domains OBJ and MEM ask for it), so its
 * frames do not change while they are read.
 *
 * They are read where they lie: what Python offers for it allocates, and may collect garbage, which must not happen here. Where that is
 * differs by version; each is known by its number, others go without lines.
 */
#include <dlfcn.h>
#include <stddef.h>
#include <string.h>
#include <time.h>

#include "probe.h"
#include "python.h"
#include "sample.h"
#include "shim.h"
#include "sonde/alloc_python.h"

#define SMALL 512 /* bytes; more comes from malloc() */
#define TOLD 4096 /* names that are remembered to have been told */
#define TOLD_NS 5000000000ULL /* then they are told again: who listens may have changed */

SHIM_SEMAPHORE(sonde_alloc_python_semaphore);
SHIM_SEMAPHORE(sonde_alloc_name_semaphore);

/* As in Python's pymem.h. */
struct allocator {
	void *ctx;
	void *(*malloc)(void *ctx, size_t size);
	void *(*calloc)(void *ctx, size_t nr, size_t size);
	void *(*realloc)(void *ctx, void *ptr, size_t size);
	void (*free)(void *ctx, void *ptr);
};

enum domain { DOMAIN_RAW, DOMAIN_MEM, DOMAIN_OBJ };

static struct allocator next;

/*
 * Where what is read lies, by version. @thread_frame: the innermost frame in the thread's state, or (@indirect) where that says it is: in a
 * structure at @indirect_frame. Until 3.10 frames are objects, and know their line: @instruction 0. @c_owner: of frames that
 * are no code of Python. Of text: characters follow the head, of @ascii bytes or else @compact.
 */
struct layout {
	uint16_t thread_frame;
	bool indirect;
	uint16_t indirect_frame;
	uint16_t code, back, instruction, owner;
	int8_t c_owner;
	uint16_t file, name, begin;
	uint8_t ascii, compact;
};

#define FIRST_MINOR 7
#define OWN_STATE_MINOR 12 /* from here on a thread asks for its own state, NULL without the lock */

/* clang-format off */
static const struct layout layouts[] = {
	/* 3.7  */ { 24, false, 0, 32, 24,  0,  0, -1,  96, 104,   0, 48, 72 },
	/* 3.8  */ { 24, false, 0, 32, 24,  0,  0, -1, 104, 112,   0, 48, 72 },
	/* 3.9  */ { 24, false, 0, 32, 24,  0,  0, -1, 104, 112,   0, 48, 72 },
	/* 3.10 */ { 24, false, 0, 32, 24,  0,  0, -1, 104, 112,   0, 48, 72 },
	/* 3.11 */ { 56, true,  8, 32, 48, 56, 69, -1, 112, 128, 184, 48, 72 },
	/* 3.12 */ { 56, true,  0,  0,  8, 56, 70,  3, 112, 128, 192, 40, 56 },
	/* 3.13 */ { 72, false, 0,  0,  8, 56, 70,  3, 112, 128, 200, 40, 56 },
};
/* clang-format on */

#define TYPE 8 /* of any object */
#define TEXT_LENGTH 16
#define TEXT_HASH 24
#define TEXT_STATE 32
#define STATE_KIND(state) ((state) >> 2 & 7) /* bytes of a character */
#define STATE_COMPACT 0x20u
#define STATE_ASCII 0x40u

static const struct layout *layout; /* NULL: not known */
static bool shared_state; /* current_thread() is whichever thread's that holds the lock, not the caller's own */
static void *(*current_thread)(void);
static int (*has_lock)(void);
static int (*line_of_code)(const void *code, int at);
static int (*line_of_frame)(const void *frame);
static const void *code_type;

static uint64_t told[TOLD];
static uint64_t told_ns;

/* ---- frames ---- */

static inline const char *at(const void *object, size_t offset)
{
	return (const char *)object + offset;
}

static inline const void *pointer_at(const void *object, size_t offset)
{
	return *(const void *const *)at(object, offset);
}

static uint32_t char_at(const char *data, unsigned int bytes, size_t i)
{
	return bytes == 1   ? ((const uint8_t *)data)[i]
	       : bytes == 2 ? ((const uint16_t *)data)[i]
			    : ((const uint32_t *)data)[i];
}

/* One character in UTF-8; how many bytes. */
static size_t put_char(char out[4], uint32_t c)
{
	if (c < 0x80) {
		out[0] = (char)c;
		return 1;
	}
	if (c < 0x800) {
		out[0] = (char)(0xc0 | c >> 6);
		out[1] = (char)(0x80 | (c & 0x3f));
		return 2;
	}
	if (c < 0x10000) {
		out[0] = (char)(0xe0 | c >> 12);
		out[1] = (char)(0x80 | (c >> 6 & 0x3f));
		out[2] = (char)(0x80 | (c & 0x3f));
		return 3;
	}
	out[0] = (char)(0xf0 | c >> 18);
	out[1] = (char)(0x80 | (c >> 12 & 0x3f));
	out[2] = (char)(0x80 | (c >> 6 & 0x3f));
	out[3] = (char)(0x80 | (c & 0x3f));
	return 4;
}

/* Characters of @text as UTF-8 into the @room bytes at @out, its end if they are too many (@tail) or its beginning. */
static void put_text(char *out, size_t room, const void *text, bool tail)
{
	uint32_t state = text ? *(const uint32_t *)at(text, TEXT_STATE) : 0;
	size_t nr, from = 0, len = 0;
	const char *data;
	char c[4];

	out[0] = '\0';
	if (!(state & STATE_COMPACT))
		return;
	nr = *(const size_t *)at(text, TEXT_LENGTH);
	data = at(text, state & STATE_ASCII ? layout->ascii : layout->compact);
	if (tail) {
		size_t bytes = 0;

		for (from = nr; from; from--) {
			bytes += put_char(c, char_at(data, STATE_KIND(state), from - 1));
			if (bytes >= room)
				break;
		}
	}
	for (size_t i = from; i < nr; i++) {
		size_t bytes = put_char(c, char_at(data, STATE_KIND(state), i));

		if (len + bytes >= room)
			break;
		memcpy(out + len, c, bytes);
		len += bytes;
	}
	out[len] = '\0';
}

/* Equal texts of a process have equal hashes as a rule; Python's own, if it has made one. */
static uint64_t text_hash(const void *text)
{
	int64_t known = text ? *(const int64_t *)at(text, TEXT_HASH) : 0;

	return known == -1 ? (uintptr_t)text : (uint64_t)known;
}

/* The innermost frame of the current thread, or NULL: it is in none, or does not hold the lock, as it ought to. */
static const void *first_frame(void)
{
	const void *thread = shared_state && !has_lock() ? NULL : current_thread();
	const void *frame = thread ? pointer_at(thread, layout->thread_frame) : NULL;

	return frame && layout->indirect ? pointer_at(frame, layout->indirect_frame) : frame;
}

static int line_of(const void *frame, const void *code)
{
	if (!layout->instruction)
		return line_of_frame(frame);
	return line_of_code(code,
			    (int)((const char *)pointer_at(frame, layout->instruction) - at(code, layout->begin)));
}

static __attribute__((noinline)) void fire_name(uint64_t name, const struct sonde_alloc_name *text)
{
	SHIM_ARG(0, name);
	SHIM_ARG(1, (uintptr_t)text);

	__asm__ volatile(SHIM_NOTE("sonde_alloc", "name", "sonde_alloc_name_semaphore", SHIM_ARGS2)
			 :
			 : "r"(shim_arg0), "r"(shim_arg1)
			 : "memory");
}

static __attribute__((noinline)) void fire_python(const struct sonde_alloc_python *sample)
{
	SHIM_ARG(0, (uintptr_t)sample);

	__asm__ volatile(SHIM_NOTE("sonde_alloc", "python", "sonde_alloc_python_semaphore", SHIM_ARGS1)
			 :
			 : "r"(shim_arg0)
			 : "memory");
}

/* The name of a frame; who listens has been told what it reads. */
static uint64_t name_of(const void *frame, const void *code)
{
	const void *file = pointer_at(code, layout->file), *function = pointer_at(code, layout->name);
	int line = line_of(frame, code);
	uint64_t name = shim_mix(shim_mix(text_hash(file)) ^ shim_mix(text_hash(function) + (uint32_t)line));
	struct sonde_alloc_name text;

	name = (name & ((1ULL << SONDE_ALLOC_NAME_SHIFT) - 1)) | SONDE_ALLOC_NAME << SONDE_ALLOC_NAME_SHIFT;
	if (told[name % TOLD] == name)
		return name;
	memset(&text, 0, sizeof(text));
	put_text(text.file, sizeof(text.file), file, true);
	put_text(text.function, sizeof(text.function), function, false);
	text.line = line > 0 ? (uint32_t)line : 0;
	fire_name(name, &text);
	told[name % TOLD] = name;
	return name;
}

static void remind(void)
{
	struct timespec ts;
	uint64_t now;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	now = (uint64_t)ts.tv_sec * 1000000000 + (uint64_t)ts.tv_nsec;
	if (now - told_ns < TOLD_NS)
		return;
	told_ns = now;
	memset(told, 0, sizeof(told));
}

bool shim_python_tell(void *ptr, uint64_t size, uint64_t weight)
{
	struct sonde_alloc_python sample = { .head = { .ptr = (uintptr_t)ptr, .size = size, .weight = weight } };
	const void *frame;

	if (!layout || !sonde_alloc_python_semaphore)
		return false;
	remind();
	for (frame = first_frame(); frame; frame = pointer_at(frame, layout->back)) {
		const void *code = pointer_at(frame, layout->code);

		if (layout->c_owner >= 0 && *at(frame, layout->owner) == layout->c_owner)
			continue;
		if (!code || pointer_at(code, TYPE) != code_type)
			continue;
		if (sample.head.nr == SONDE_ALLOC_PYTHON_FRAMES) {
			sample.head.cut = 1;
			break;
		}
		sample.frame[sample.head.nr++] = name_of(frame, code);
	}
	if (!sample.head.nr)
		return false;
	fire_python(&sample);
	return true;
}

/* ---- what Python calls ---- */

/*
 * Room for an object that is sampled: not in an arena but from malloc(), for which Python is asked for more than fits there. Such objects it
 * gives back to free(), which tells of sampled ones, so it need not be watched at what it frees. It was counted already.
 */
static void *outside(bool zeroed)
{
	int64_t left = shim_self.left;
	void *ptr;

	shim_self.left = INT64_MAX;
	ptr = zeroed ? next.calloc(next.ctx, 1, SMALL + 1) : next.malloc(next.ctx, SMALL + 1);
	shim_self.left = left;
	return ptr;
}

/* Told of with the lines of Python. */
static void *sampled(void *ptr, size_t size, uint64_t rate)
{
	shim_self.python = true;
	shim_sample(ptr, size, rate);
	shim_self.python = false;
	return ptr;
}

static SLOW void *slow_malloc(size_t size)
{
	uint64_t rate = shim_take(size);

	return rate ? sampled(outside(false), size, rate) : next.malloc(next.ctx, size);
}

static SLOW void *slow_calloc(size_t nr, size_t size)
{
	uint64_t rate = shim_take(nr * size);

	return rate ? sampled(outside(true), nr * size, rate) : next.calloc(next.ctx, nr, size);
}

/* @ptr lies in an arena, @size bytes of it count. */
static SLOW void *slow_realloc(void *ptr, size_t size)
{
	uint64_t rate = shim_take(size);
	void *moved = rate ? outside(false) : NULL;

	if (!moved)
		return ptr;
	memcpy(moved, ptr, size);
	next.free(next.ctx, ptr);
	return sampled(moved, size, rate);
}

/* malloc() counts these, and tells who called if it samples one. */
static __attribute__((noinline)) void *big_malloc(size_t size)
{
	void *ptr;

	shim_self.python = true;
	ptr = next.malloc(next.ctx, size);
	shim_self.python = false;
	return ptr;
}

static __attribute__((noinline)) void *big_calloc(size_t nr, size_t size)
{
	void *ptr;

	shim_self.python = true;
	ptr = next.calloc(next.ctx, nr, size);
	shim_self.python = false;
	return ptr;
}

static void *python_malloc(void *ctx, size_t size)
{
	if (UNLIKELY(size > SMALL))
		return big_malloc(size);
	if (shim_counts_down(size))
		return slow_malloc(size);
	return next.malloc(ctx, size);
}

static void *python_calloc(void *ctx, size_t nr, size_t size)
{
	size_t all;

	if (__builtin_mul_overflow(nr, size, &all) || all > SMALL)
		return big_calloc(nr, size);
	if (shim_counts_down(all))
		return slow_calloc(nr, size);
	return next.calloc(ctx, nr, size);
}

/*
 * More than SMALL comes from malloc(), which has counted it. What malloc() gave stays with it as a rule, however small it becomes: whether it
 * has counted this one shows in the count. (A new distance that happens to be the old one hides that: it is counted twice then.)
 */
static void *python_realloc(void *ctx, void *ptr, size_t size)
{
	int64_t left;

	shim_self.python = true;
	left = shim_self.left;
	ptr = next.realloc(ctx, ptr, size);
	shim_self.python = false;
	if (ptr && size <= SMALL && shim_self.left == left && shim_counts_down(size))
		return slow_realloc(ptr, size);
	return ptr;
}

/* ---- whether this is Python ---- */

/* "3.11.2 (main, ...": its minor version; 0: not known. */
static unsigned int minor_of(const char *version)
{
	unsigned int minor = 0;

	if (strncmp(version, "3.", 2))
		return 0;
	for (version += 2; *version >= '0' && *version <= '9' && minor < 1000; version++)
		minor = minor * 10 + (unsigned int)(*version - '0');
	return minor < FIRST_MINOR || minor - FIRST_MINOR >= sizeof(layouts) / sizeof(layouts[0]) ? 0 : minor;
}

static void find(void *function, const char *name, const char *older)
{
	void *found = dlsym(RTLD_DEFAULT, name);

	if (!found && older)
		found = dlsym(RTLD_DEFAULT, older);
	memcpy(function, &found, sizeof(found));
}

void shim_python_begin(void)
{
	struct allocator counting = { NULL, python_malloc, python_calloc, python_realloc, NULL };
	void (*get)(enum domain domain, struct allocator * allocator);
	void (*set)(enum domain domain, const struct allocator *allocator);
	struct allocator raw, mem;
	const char *(*version)(void);
	unsigned int minor;

	find(&get, "PyMem_GetAllocator", NULL);
	find(&set, "PyMem_SetAllocator", NULL);
	find(&version, "Py_GetVersion", NULL);
	if (!get || !set || !version || strstr(version(), "free-threading"))
		return;
	minor = minor_of(version());
	if (!minor)
		return;
	layout = &layouts[minor - FIRST_MINOR];
	shared_state = minor < OWN_STATE_MINOR;
	find(&current_thread, "PyThreadState_GetUnchecked", "_PyThreadState_UncheckedGet");
	find(&has_lock, "PyGILState_Check", NULL);
	find(&line_of_code, "PyCode_Addr2Line", NULL);
	find(&line_of_frame, "PyFrame_GetLineNumber", NULL);
	find(&code_type, "PyCode_Type", NULL);
	get(DOMAIN_RAW, &raw);
	get(DOMAIN_MEM, &mem);
	get(DOMAIN_OBJ, &next);
	/* Both are that of the arenas, as Python is built; a debugging build has other things before them. */
	if (!current_thread || !has_lock || !line_of_code || !line_of_frame || !code_type || next.ctx || mem.ctx ||
	    mem.malloc != next.malloc || raw.malloc == next.malloc) {
		layout = NULL;
		return;
	}
	counting.free = next.free;
	set(DOMAIN_MEM, &counting);
	set(DOMAIN_OBJ, &counting);
}
