// SPDX-License-Identifier: GPL-2.0-only
/*
 * sym.c - user stacks as call sites: the processes and files that are known, and the way from an address to a function.
 *
 * Files are shared by all processes that have them mapped, by device and inode. Both are kept in lists, the last used
 * first, and what was not used for long is forgotten.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "sym/kind.h"
#include "sym/module.h"
#include "sym/name.h"
#include "sym/space.h"
#include "sym/stack.h"
#include "sym/sym.h"

#define MAX_SPACES 128
#define MAX_FILES 256 /* each holds a descriptor, most of them unread */
/* Where programs may be; what the frame pointers of others lead to often is not an address. */
#define LOWEST_ADDRESS 4096
#define HIGHEST_ADDRESS ((1ULL << 56) - 1)
#define MAX_BYTES (768ULL << 20) /* of symbols and debugging information in memory */

struct file {
	struct file *next;
	u64 dev, inode; /* as /proc writes them */
	struct sym_module *module;
};

struct known {
	struct known *next;
	struct sym_space *space;
};

struct sonde_sym {
	struct known *spaces;
	struct file *files;
};

struct sonde_sym *sonde_sym_new(void)
{
	return calloc(1, sizeof(struct sonde_sym));
}

static void free_file(struct file *file)
{
	sym_module_free(file->module);
	free(file);
}

static void free_known(struct known *known)
{
	sym_space_free(known->space);
	free(known);
}

void sonde_sym_free(struct sonde_sym *sym)
{
	if (!sym)
		return;
	while (sym->files) {
		struct file *next = sym->files->next;

		free_file(sym->files);
		sym->files = next;
	}
	while (sym->spaces) {
		struct known *next = sym->spaces->next;

		free_known(sym->spaces);
		sym->spaces = next;
	}
	free(sym);
}

/* Forget the files last used longest ago; the first one stays. */
static void limit_files(struct sonde_sym *sym)
{
	struct file **at = &sym->files;
	size_t nr = 0;
	u64 bytes = 0;

	while (*at) {
		struct file *file = *at;

		bytes += sym_module_bytes(file->module);
		if (nr++ && (nr > MAX_FILES || bytes > MAX_BYTES)) {
			bytes -= sym_module_bytes(file->module);
			*at = file->next;
			free_file(file);
			continue;
		}
		at = &file->next;
	}
}

static struct sym_module *find_file(struct sonde_sym *sym, const struct sym_mapping *m)
{
	for (struct file **at = &sym->files; *at; at = &(*at)->next) {
		struct file *file = *at;

		if (file->dev != m->dev || file->inode != m->inode)
			continue;
		*at = file->next;
		if (sym_module_changed(file->module)) {
			free_file(file);
			return NULL;
		}
		file->next = sym->files;
		sym->files = file;
		return file->module;
	}
	return NULL;
}

/* The file behind a mapping, opened but not read; NULL: it cannot be opened. */
static struct sym_module *get_file(struct sonde_sym *sym, const struct sym_space *space, const struct sym_mapping *m)
{
	struct sym_module *module = find_file(sym, m);
	struct file *file;
	int fd;

	if (module)
		return module;
	fd = sym_space_open(space, m);
	if (fd < 0)
		return NULL;
	module = sym_module_new(fd);
	file = module ? calloc(1, sizeof(*file)) : NULL;
	if (!file) {
		sym_module_free(module);
		return NULL;
	}
	*file = (struct file){ .next = sym->files, .dev = m->dev, .inode = m->inode, .module = module };
	sym->files = file;
	limit_files(sym);
	return module;
}

/* What is remembered of process @pid, or found out now; NULL: it is gone. */
static struct sym_space *get_space(struct sonde_sym *sym, pid_t pid, bool *fresh)
{
	struct known *known;
	size_t nr = 0;

	*fresh = false;
	for (struct known **at = &sym->spaces; *at; at = &(*at)->next) {
		known = *at;
		if (sym_space_pid(known->space) != pid)
			continue;
		*at = known->next;
		if (sym_space_check(known->space) >= 0)
			goto first;
		free_known(known);
		break;
	}
	known = calloc(1, sizeof(*known));
	if (!known)
		return NULL;
	known->space = sym_space_new(pid);
	if (!known->space) {
		free(known);
		return NULL;
	}
	*fresh = true;
first:
	known->next = sym->spaces;
	sym->spaces = known;
	for (struct known **at = &sym->spaces; *at;) {
		struct known *last = *at;

		if (++nr <= MAX_SPACES) {
			at = &last->next;
			continue;
		}
		*at = last->next;
		free_known(last);
	}
	return known->space;
}

static void note(struct sonde_sym *sym, pid_t pid, bool (*refresh)(struct sym_space *space))
{
	const struct sym_mapping *m;
	struct sym_space *space;
	bool fresh;

	space = get_space(sym, pid, &fresh);
	if (!space || (!fresh && !refresh(space)))
		return;
	for (size_t i = 0; (m = sym_space_mapping(space, i)); i++)
		if (m->inode)
			get_file(sym, space, m);
	sym_space_read_jit(space);
}

void sonde_sym_note(struct sonde_sym *sym, pid_t pid)
{
	note(sym, pid, sym_space_refresh);
}

void sonde_sym_note_now(struct sonde_sym *sym, pid_t pid)
{
	note(sym, pid, sym_space_refresh_now);
}

/* One stack being resolved. */
struct job {
	struct sonde_sym *sym;
	struct sym_space *space; /* NULL: nothing is known of the process */
	pid_t alive; /* 0: it is gone */
	struct sonde_sym_stack *out;
	bool refreshed;
	bool jit_read;
};

static int add_place(struct job *job, u64 ip, u64 addr, const char *module, const struct sym_place *place, bool inlined)
{
	struct sonde_sym_frame *frame = sym_stack_push(job->out);
	char name[SYM_NAME_BYTES];
	const char *slash;
	size_t len;

	if (!frame)
		return -ENOMEM;
	frame->ip = ip;
	frame->addr = addr;
	frame->inlined = inlined;
	frame->lang = place->lang;
	frame->line = place->line;
	frame->module = sym_stack_text(job->out, module, strlen(module));
	if (!frame->module)
		return -ENOMEM;
	if (place->function) {
		len = sym_name_plain(place->function, name, &frame->lang);
		frame->function = sym_stack_text(job->out, name, len);
		if (!frame->function)
			return -ENOMEM;
	}
	if (place->file) {
		frame->file = sym_stack_text(job->out, place->file, strlen(place->file));
		if (!frame->file)
			return -ENOMEM;
		slash = strrchr(frame->file, '/');
		frame->base = slash ? slash + 1 : frame->file;
	}
	frame->kind = sym_kind_of(frame);
	return 0;
}

/* 0: the address is in no file that is a program. */
static int add_file(struct job *job, u64 ip, u64 inside, const struct sym_mapping *m)
{
	struct sym_module *module = m->inode ? get_file(job->sym, job->space, m) : NULL;
	struct sym_place place[SYM_PLACES_MAX];
	u64 addr;
	size_t nr;

	if (!module || !sym_module_addr(module, inside - m->start + m->offset, job->alive, m->path, &addr))
		return 0;
	nr = sym_module_find(module, addr, place);
	for (size_t i = 0; i < nr; i++) {
		int err = add_place(job, ip, addr, m->path, &place[i], i + 1 < nr);

		if (err)
			return err;
	}
	return 1;
}

/* 0: the perf map does not know the address. */
static int add_jit(struct job *job, u64 ip, u64 inside)
{
	struct sonde_sym_frame *frame;
	char scratch[SYM_NAME_BYTES];
	struct sym_jit_name jit;
	const char *name, *slash;

	if (!job->jit_read) {
		sym_space_read_jit(job->space);
		job->jit_read = true;
	}
	name = sym_space_jit(job->space, inside);
	if (!name)
		return 0;
	jit = sym_name_jit(name, sym_space_is_java(job->space), scratch);
	frame = sym_stack_push(job->out);
	if (!frame)
		return -ENOMEM;
	frame->ip = ip;
	frame->lang = jit.lang;
	frame->module = "[jit]";
	frame->line = jit.line;
	frame->is_entry = jit.line != 0;
	frame->function = sym_stack_text(job->out, jit.function, jit.function_len);
	if (!frame->function)
		return -ENOMEM;
	if (jit.file_len) {
		frame->file = sym_stack_text(job->out, jit.file, jit.file_len);
		if (!frame->file)
			return -ENOMEM;
		slash = strrchr(frame->file, '/');
		frame->base = slash ? slash + 1 : frame->file;
	}
	frame->kind = sym_kind_of(frame);
	return 1;
}

/* @inside: an address inside of the instruction that @ip is about. */
static int add_address(struct job *job, u64 ip, u64 inside)
{
	const struct sym_mapping *m = NULL;
	const struct sym_place nothing = { 0 };
	struct sonde_sym_frame *frame;
	int added = 0;

	if (job->space) {
		m = sym_space_find(job->space, inside);
		if (!m && !job->refreshed && inside >= LOWEST_ADDRESS && inside <= HIGHEST_ADDRESS) {
			job->refreshed = true;
			if (sym_space_refresh(job->space))
				m = sym_space_find(job->space, inside);
		}
		if (m)
			added = add_file(job, ip, inside, m);
		if (!added && !(m && !strncmp(m->path, "[v", 2))) /* [vdso], [vsyscall] */
			added = add_jit(job, ip, inside);
	}
	if (added)
		return added < 0 ? added : 0;
	if (m && m->path[0])
		return add_place(job, ip, 0, m->path, &nothing, false);
	frame = sym_stack_push(job->out);
	if (!frame)
		return -ENOMEM;
	frame->ip = ip;
	return 0;
}

int sonde_sym_resolve(struct sonde_sym *sym, pid_t pid, const u64 *ip, size_t nr, struct sonde_sym_stack *out)
{
	struct job job = { .sym = sym, .out = out };
	bool fresh;
	int err = 0;

	sym_stack_reset(out);
	job.space = get_space(sym, pid, &fresh);
	job.alive = job.space && sym_space_check(job.space) == 1 ? pid : 0;
	for (size_t i = 0; i < nr && !err; i++)
		if (ip[i])
			err = add_address(&job, ip[i], i ? ip[i] - 1 : ip[i]);
	limit_files(sym);
	return err;
}
