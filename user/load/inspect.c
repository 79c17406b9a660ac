// SPDX-License-Identifier: GPL-2.0-only
/*
 * inspect.c - what can be seen of one process.
 */
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/process.h"
#include "load/go.h"
#include "load/inspect.h"
#include "load/inspect_text.h"
#include "load/maps.h"
#include "load/sqlite_bin.h"
#include "load/tls_bin.h"

#define MAX_SCAN (512u << 20) /* bytes searched for strings, of all files */

/* Libraries known by their names; @reason: what is to be said of them. */
static const struct named {
	const char *prefix;
	enum sonde_inspect_kind kind;
	int err;
	const char *name;
	const char *reason;
} by_name[] = {
	{ "libpq.so", SONDE_INSPECT_CLIENT, 0, "libpq", "PostgreSQL, read from its sockets" },
	{ "libmariadb.so", SONDE_INSPECT_CLIENT, 0, "libmariadb", "MySQL and MariaDB, read from its sockets" },
	{ "libmysqlclient.so", SONDE_INSPECT_CLIENT, 0, "libmysqlclient", "MySQL and MariaDB, read from its sockets" },
	{ "libhiredis.so", SONDE_INSPECT_CLIENT, 0, "hiredis", "Redis, read from its sockets" },
	{ "libmemcached.so", SONDE_INSPECT_CLIENT, 0, "libmemcached", "memcached, read from its sockets" },
	{ "libmongoc-1.0.so", SONDE_INSPECT_CLIENT, 0, "libmongoc", "MongoDB, read from its sockets" },
	{ "libssl3.so", SONDE_INSPECT_TLS, -ENOTSUP, "NSS", "this library is not read" },
	{ "libmbedtls.so", SONDE_INSPECT_TLS, -ENOTSUP, "Mbed TLS", "this library is not read" },
	{ "libwolfssl.so", SONDE_INSPECT_TLS, -ENOTSUP, "wolfSSL", "this library is not read" },
	{ "libjvm.so", SONDE_INSPECT_TLS, -ENOTSUP, "Java JSSE",
	  "Java does its TLS in compiled Java code, which is not read" },
};

struct look {
	struct sonde_inspect *in;
	u64 scanned;
	struct {
		u64 dev, inode;
	} seen[1024];
	size_t nr_seen;
};

const char *sonde_inspect_kind_name(enum sonde_inspect_kind kind)
{
	static const char *const names[] = { "client", "embedded", "tls", "runtime" };

	return names[kind];
}

static struct sonde_inspect_item *add(struct sonde_inspect *in, enum sonde_inspect_kind kind, const char *name,
				      const struct sonde_mapping *m)
{
	struct sonde_inspect_item *item, *more;

	more = reallocarray(in->item, in->nr_items + 1, sizeof(*more));
	if (!more)
		return NULL;
	in->item = more;
	item = &in->item[in->nr_items];
	*item = (struct sonde_inspect_item){ .kind = kind, .name = name, .deleted = m->deleted };
	item->path = strdup(m->path);
	if (!item->path)
		return NULL;
	item->program = in->exe && !strcmp(in->exe, m->path);
	in->nr_items++;
	return item;
}

static struct sonde_inspect_site *add_site(struct sonde_inspect_item *item)
{
	struct sonde_inspect_site *more;

	if (item->nr_sites == SONDE_INSPECT_MAX_SITES)
		return NULL;
	more = reallocarray(item->site, item->nr_sites + 1, sizeof(*more));
	if (!more)
		return NULL;
	item->site = more;
	memset(&more[item->nr_sites], 0, sizeof(*more));
	return &more[item->nr_sites++];
}

static void fill(struct sonde_inspect_item *item, struct sonde_elf *elf, int err, const char *reason)
{
	item->err = err;
	item->symbols = sonde_elf_has_symtab(elf);
	sonde_elf_build_id(elf, item->build_id);
	snprintf(item->reason, sizeof(item->reason), "%s", reason);
}

static const char *tls_name(enum sonde_tls_library library)
{
	return library == SONDE_TLS_OPENSSL ? "OpenSSL" : library == SONDE_TLS_GNUTLS ? "GnuTLS" : "Go crypto/tls";
}

static void add_tls(struct look *l, struct sonde_elf *elf, const struct sonde_tls_bin *bin,
		    const struct sonde_mapping *m)
{
	struct sonde_inspect_item *item = add(l->in, SONDE_INSPECT_TLS, tls_name(bin->library), m);

	if (!item)
		return;
	fill(item, elf, bin->err, bin->reason);
	snprintf(item->version, sizeof(item->version), "%s", bin->version);
	for (size_t i = 0; i < bin->nr_sites; i++) {
		const struct sonde_tls_site *from = &bin->site[i];
		struct sonde_inspect_site *s = add_site(item);

		if (!s)
			return;
		snprintf(s->function, sizeof(s->function), "%s%s%s", from->function, from->inner ? " > " : "",
			 from->inner ? from->inner : "");
		s->err = from->err;
		s->site = from->site;
		s->points = 1 + from->nr_returns;
		s->cost_ns = sonde_site_cost_ns(from->site.cost, bin->library != SONDE_TLS_GO && from->call) +
			     (from->nr_returns ? sonde_site_cost_ns(SONDE_SITE_STEPPED, false) : 0);
	}
}

static void add_sqlite(struct look *l, struct sonde_elf *elf, const struct sonde_sqlite_bin *bin,
		       const struct sonde_mapping *m)
{
	struct sonde_inspect_item *item = add(l->in, SONDE_INSPECT_EMBEDDED, "SQLite", m);

	if (!item)
		return;
	fill(item, elf, bin->err, bin->reason);
	for (size_t i = 0; i < bin->nr_sites; i++) {
		const struct sonde_sqlite_site *from = &bin->site[i];
		struct sonde_inspect_site *s = add_site(item);

		if (!s)
			return;
		snprintf(s->function, sizeof(s->function), "%s", from->function);
		s->err = from->err;
		s->site = from->site;
		s->points = 1;
		s->cost_ns = sonde_site_cost_ns(from->site.cost, from->ret);
	}
}

/* A library that is linked in without symbols. */
static void add_unreadable(struct look *l, struct sonde_elf *elf, enum sonde_inspect_kind kind, const char *name,
			   const char *version, const struct sonde_mapping *m, const char *reason)
{
	struct sonde_inspect_item *item = add(l->in, kind, name, m);

	if (!item)
		return;
	fill(item, elf, -ENOENT, reason);
	snprintf(item->version, sizeof(item->version), "%s", version);
}

/* JAVA_VERSION="17.0.13" in the file `release` of the directory two above libjvm.so. */
static void java_version(pid_t pid, const struct sonde_mapping *m, char *version, size_t size)
{
	char path[PATH_MAX + 64], line[256], found[32];
	size_t len = strlen(m->path);
	FILE *f;
	int fd;

	for (int up = 0; up < 3; up++)
		while (len && m->path[--len] != '/')
			;
	snprintf(path, sizeof(path), "/proc/%d/root%.*s/release", pid, (int)len, m->path);
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	f = fd < 0 ? NULL : fdopen(fd, "r");
	if (!f) {
		if (fd >= 0)
			close(fd);
		return;
	}
	for (int i = 0; i < 100 && fgets(line, sizeof(line), f); i++)
		if (sscanf(line, "JAVA_VERSION=\"%31[0-9._]\"", found) == 1)
			snprintf(version, size, "%s", found);
	fclose(f);
}

/* What executes the program, told by the file's name. */
static void add_runtime(struct look *l, struct sonde_elf *elf, const char *base, const struct inspect_text *text,
			const struct sonde_mapping *m)
{
	struct sonde_inspect_item *item = NULL;
	int number = 0;

	if (!strncmp(base, "libjvm.so", 9)) {
		item = add(l->in, SONDE_INSPECT_RUNTIME, "Java", m);
		if (item)
			java_version(l->in->pid, m, item->version, sizeof(item->version));
	} else if (!strcmp(base, "node") || !strcmp(base, "nodejs") || !strncmp(base, "libnode.so", 10)) {
		if (*text->node || !strncmp(base, "libnode.so", 10) || sonde_elf_has_symtab(elf))
			item = add(l->in, SONDE_INSPECT_RUNTIME, "Node.js", m);
		if (item && *text->node)
			snprintf(item->version, sizeof(item->version), "%s", text->node);
		else if (item && sscanf(base, "libnode.so.%6d", &number) == 1)
			snprintf(item->version, sizeof(item->version), "ABI %d", number);
	} else if (sscanf(base, "python3.%6d", &number) == 1 || sscanf(base, "libpython3.%6d", &number) == 1) {
		item = add(l->in, SONDE_INSPECT_RUNTIME, "Python", m);
		if (item)
			snprintf(item->version, sizeof(item->version), "3.%d", number);
	}
	if (item)
		fill(item, elf, 0, "");
}

/* Go programs: the version in any case, crypto/tls if it is there. */
static bool look_at_go(struct look *l, struct sonde_elf *elf, int fd, const struct sonde_mapping *m)
{
	static const char none[] = "it has no crypto/tls";
	struct sonde_inspect_item *item;
	struct sonde_tls_bin bin = {};
	struct sonde_go go;
	int ret = sonde_go_tls(elf, fd, &go);

	if (ret < 0)
		return false;
	item = add(l->in, SONDE_INSPECT_RUNTIME, "Go", m);
	if (item) {
		fill(item, elf, 0, !ret && go.reason && !strcmp(go.reason, none) ? none : "");
		snprintf(item->version, sizeof(item->version), "%s", go.version);
	}
	if (tls_bin_go(elf, fd, &bin) > 0 && strcmp(bin.reason, none))
		add_tls(l, elf, &bin, m);
	return true;
}

static void look_at_text(struct look *l, struct sonde_elf *elf, int fd, const char *base, bool tls, bool sqlite,
			 const struct sonde_mapping *m)
{
	struct inspect_text text = {};

	if (l->scanned < MAX_SCAN)
		l->scanned += inspect_text_scan(fd, MAX_SCAN - l->scanned, &text);
	if (text.libssl && !tls)
		add_unreadable(l, elf, SONDE_INSPECT_TLS, text.boring ? "BoringSSL" : "OpenSSL",
			       text.boring ? "" : text.openssl, m,
			       "linked in, and its symbols are stripped: the functions cannot be found");
	if (text.rustls)
		add_unreadable(l, elf, SONDE_INSPECT_TLS, "rustls", "", m, "this library is not read");
	if (text.sqlite && !sqlite)
		add_unreadable(l, elf, SONDE_INSPECT_EMBEDDED, "SQLite", "", m,
			       "linked in, and its symbols are stripped: the functions cannot be found");
	add_runtime(l, elf, base, &text, m);
}

/* Python's wheels put a hash into the name: libpq-e8a033dd.so.5.16. */
static bool is_called(const char *base, const char *prefix)
{
	size_t len = strlen(prefix) - strlen(".so");

	if (strncmp(base, prefix, len))
		return false;
	base += len;
	if (*base == '-' && strspn(base + 1, "0123456789abcdef") == 8)
		base += 9;
	return !strncmp(base, ".so", 3);
}

static void look_into(struct look *l, struct sonde_elf *elf, int fd, const struct sonde_mapping *m)
{
	const char *base = strrchr(m->path, '/') + 1;
	struct sonde_sqlite_bin sqlite = {};
	struct sonde_tls_bin bin = {};
	bool tls, has_sqlite;
	struct sqlite_plan *plan;

	for (size_t i = 0; i < sizeof(by_name) / sizeof(*by_name); i++) {
		const struct named *n = &by_name[i];
		struct sonde_inspect_item *item;

		if (!is_called(base, n->prefix))
			continue;
		item = add(l->in, n->kind, n->name, m);
		if (item)
			fill(item, elf, n->err, n->reason);
	}
	if (look_at_go(l, elf, fd, m))
		return;
	tls = tls_bin_openssl(elf, &bin) > 0;
	if (tls)
		add_tls(l, elf, &bin, m);
	memset(&bin, 0, sizeof(bin));
	if (tls_bin_gnutls(elf, &bin) > 0)
		add_tls(l, elf, &bin, m);
	plan = calloc(1, sizeof(*plan));
	has_sqlite = plan && sqlite_bin_examine(elf, false, &sqlite, plan) > 0;
	if (has_sqlite)
		add_sqlite(l, elf, &sqlite, m);
	free(plan);
	look_at_text(l, elf, fd, base, tls, has_sqlite, m);
}

static int on_mapping(void *ctx, pid_t pid, const struct sonde_mapping *m)
{
	struct look *l = ctx;
	struct sonde_elf *elf;
	int fd;

	for (size_t i = 0; i < l->nr_seen; i++)
		if (l->seen[i].dev == m->dev && l->seen[i].inode == m->inode)
			return 0;
	if (l->nr_seen < sizeof(l->seen) / sizeof(*l->seen)) {
		l->seen[l->nr_seen].dev = m->dev;
		l->seen[l->nr_seen++].inode = m->inode;
	}
	fd = sonde_maps_open(pid, m);
	if (fd < 0) {
		l->in->unread++;
		return 0;
	}
	if (!sonde_elf_open(fd, &elf)) {
		look_into(l, elf, fd, m);
		sonde_elf_close(elf);
	}
	close(fd);
	return 0;
}

/* ---- the process itself ---- */

static int read_link(pid_t pid, const char *name, char *target, size_t size)
{
	char path[128];
	ssize_t n;

	snprintf(path, sizeof(path), "/proc/%d/%s", pid, name);
	n = readlink(path, target, size - 1);
	if (n < 0)
		return -errno;
	target[n] = '\0';
	return 0;
}

static bool other_namespace(pid_t pid, const char *name)
{
	char theirs[64], ours[64], link[16];

	snprintf(link, sizeof(link), "ns/%s", name);
	return !read_link(pid, link, theirs, sizeof(theirs)) && !read_link(getpid(), link, ours, sizeof(ours)) &&
	       strcmp(theirs, ours);
}

static void look_at_status(struct sonde_inspect *in)
{
	char path[64], line[256];
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/status", in->pid);
	f = fopen(path, "re");
	if (!f)
		return;
	while (fgets(line, sizeof(line), f)) {
		if (!strncmp(line, "Name:\t", 6))
			snprintf(in->comm, sizeof(in->comm), "%.*s", (int)strcspn(line + 6, "\n"), line + 6);
		if (!strncmp(line, "NSpid:\t", 7)) /* from the outermost namespace that we see to its own */
			in->inner_pid = strtol(strrchr(line, '\t'), NULL, 10);
	}
	fclose(f);
}

static void look_at_files(struct sonde_inspect *in)
{
	char path[64], target[128];
	struct dirent *entry;
	DIR *dir;

	snprintf(path, sizeof(path), "/proc/%d/fd", in->pid);
	dir = opendir(path);
	while (dir && (entry = readdir(dir))) {
		snprintf(path, sizeof(path), "fd/%.20s", entry->d_name);
		if (!isdigit((unsigned char)entry->d_name[0]) || read_link(in->pid, path, target, sizeof(target)))
			continue;
		in->rings += !strcmp(target, "anon_inode:[io_uring]");
		in->sockets += !strncmp(target, "socket:[", 8);
	}
	if (dir)
		closedir(dir);
}

static void look_at_program(struct sonde_inspect *in)
{
	static const char deleted[] = " (deleted)";
	char path[64];
	u8 head[5];
	size_t len = strlen(in->exe);
	int fd;

	if (len > sizeof(deleted) && !strcmp(in->exe + len - sizeof(deleted) + 1, deleted)) {
		in->exe[len - sizeof(deleted) + 1] = '\0';
		in->exe_deleted = true;
	}
	snprintf(path, sizeof(path), "/proc/%d/exe", in->pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return;
	in->compat = pread(fd, head, sizeof(head), 0) == sizeof(head) && !memcmp(head, "\177ELF\1", 5);
	close(fd);
}

int sonde_inspect(pid_t pid, struct sonde_inspect *in)
{
	struct look *l;
	char target[PATH_MAX];
	int err;

	*in = (struct sonde_inspect){ .pid = pid, .inner_pid = pid };
	if (!sonde_process_start(pid))
		return -ESRCH;
	look_at_status(in);
	err = read_link(pid, "exe", target, sizeof(target));
	if (err && err != -ENOENT)
		return err == -EPERM ? -EACCES : err;
	in->exe = strdup(err ? "" : target);
	l = calloc(1, sizeof(*l));
	if (!in->exe || !l) {
		free(l);
		return -ENOMEM;
	}
	look_at_program(in);
	in->other_mnt = other_namespace(pid, "mnt");
	in->other_pid = other_namespace(pid, "pid");
	in->other_net = other_namespace(pid, "net");
	look_at_files(in);
	l->in = in;
	err = sonde_maps_each(pid, on_mapping, l);
	free(l);
	return err == -EPERM ? -EACCES : err;
}

void sonde_inspect_free(struct sonde_inspect *in)
{
	for (size_t i = 0; i < in->nr_items; i++) {
		free(in->item[i].path);
		free(in->item[i].site);
	}
	free(in->item);
	free(in->exe);
	*in = (struct sonde_inspect){};
}
