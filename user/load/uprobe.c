// SPDX-License-Identifier: GPL-2.0-only
/*
 * uprobe.c - attaching programs to instructions of a file.
 *
 * libbpf before 1.3 does not know uprobe_multi links: the link is created by the system call itself.
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <linux/bpf.h>
#include <linux/perf_event.h>

#include "load/uprobe.h"

#define MAX_THREADS 64 /* that detach at the same time */
#define MULTI_RETURN 1u /* BPF_F_UPROBE_MULTI_RETURN */

/* The part of union bpf_attr that BPF_LINK_CREATE reads for uprobe_multi (include/uapi/linux/bpf.h since 6.6). */
struct multi_attr {
	u32 prog_fd;
	u32 target_fd;
	u32 attach_type;
	u32 attr_flags;
	u64 path;
	u64 offsets;
	u64 ref_ctr_offsets;
	u64 cookies;
	u32 cnt;
	u32 flags;
	u32 pid;
	u32 pad;
};

_Static_assert(sizeof(struct multi_attr) == 64, "as in union bpf_attr");

struct sonde_uprobe {
	struct sonde_uprobe *next;
	int fd; /* multi link, or -1 */
	struct bpf_link *link; /* perf event */
};

static int multi_link(int prog_fd, u32 type, const char *path, const u64 *offset, const u64 *cookie,
		      const u64 *semaphore, u32 nr, bool ret, pid_t pid)
{
	struct multi_attr attr = {
		.prog_fd = prog_fd,
		.attach_type = type,
		.path = (uintptr_t)path,
		.offsets = (uintptr_t)offset,
		.cookies = (uintptr_t)cookie,
		.ref_ctr_offsets = (uintptr_t)semaphore,
		.cnt = nr,
		.flags = ret && type == SONDE_UPROBE_MULTI ? MULTI_RETURN : 0,
		.pid = pid,
	};
	int fd = syscall(SYS_bpf, BPF_LINK_CREATE, &attr, sizeof(attr));

	return fd < 0 ? -errno : fd;
}

/* A kernel that knows the type looks at the path, which is no regular file (EBADF); others refuse the type. */
static bool has_type(u32 type)
{
	static const struct bpf_insn code[] = {
		{ .code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_0 },
		{ .code = BPF_JMP | BPF_EXIT },
	};
	LIBBPF_OPTS(bpf_prog_load_opts, opts, .expected_attach_type = type);
	u64 zero = 0;
	int prog, link;

	prog = bpf_prog_load(BPF_PROG_TYPE_KPROBE, "sonde_probe", "GPL", code, 2, &opts);
	if (prog < 0)
		return false;
	link = multi_link(prog, type, "/", &zero, NULL, NULL, 1, false, 0);
	if (link >= 0)
		close(link);
	close(prog);
	return link == -EBADF;
}

bool sonde_uprobe_may_attach(int prog_fd, int type)
{
	u64 zero = 0;
	int link;

	if (type == SONDE_UPROBE_PERF)
		return false; /* always takes CAP_PERFMON */
	link = multi_link(prog_fd, type, "/", &zero, NULL, NULL, 1, false, 0);
	if (link >= 0)
		close(link);
	return link == -EBADF;
}

bool sonde_uprobe_event_allowed(void)
{
	struct perf_event_attr attr = { .size = sizeof(attr), .config1 = (u64)(unsigned long)"/" };
	FILE *file = fopen("/sys/bus/event_source/devices/uprobe/type", "re");
	int fd;

	if (!file)
		return false;
	if (fscanf(file, "%u", &attr.type) != 1)
		attr.type = 0;
	fclose(file);
	/* Privileges are looked at before the file, which is none that can be probed. */
	fd = (int)syscall(SYS_perf_event_open, &attr, -1, 0, -1, PERF_FLAG_FD_CLOEXEC);
	if (fd >= 0)
		close(fd);
	return fd >= 0 || (errno != EACCES && errno != EPERM);
}

static bool kernel_before(unsigned int major, unsigned int minor)
{
	unsigned int a = 0, b = 0;
	struct utsname name;

	if (uname(&name) || sscanf(name.release, "%u.%u", &a, &b) != 2)
		return false;
	return a < major || (a == major && b < minor);
}

const struct sonde_uprobe_caps *sonde_uprobe_caps(void)
{
	static struct sonde_uprobe_caps caps;
	static bool known;
	const char *only;

	if (known)
		return &caps;
	only = getenv("SONDE_UPROBES");
	caps.multi = (!only || strcmp(only, "perf")) && has_type(SONDE_UPROBE_MULTI);
	caps.session = caps.multi && (!only || strcmp(only, "multi")) && has_type(SONDE_UPROBE_SESSION);
	caps.cookies = libbpf_probe_bpf_helper(BPF_PROG_TYPE_KPROBE, BPF_FUNC_get_attach_cookie, NULL) == 1;
	caps.process = !caps.multi || !kernel_before(6, 10);
	known = true;
	return &caps;
}

static int add(struct sonde_uprobe **list, int fd, struct bpf_link *link)
{
	struct sonde_uprobe *u = malloc(sizeof(*u));

	if (!u)
		return -ENOMEM;
	u->fd = fd;
	u->link = link;
	u->next = *list;
	*list = u;
	return 0;
}

static int attach_multi(struct sonde_uprobe **list, int prog_fd, int type, const char *path,
			const struct sonde_uprobe_spot *spot, size_t nr, bool ret, pid_t pid)
{
	u64 *offset = calloc(3 * nr, sizeof(*offset));
	bool semaphores = false;
	int fd, err;

	if (!offset)
		return -ENOMEM;
	for (size_t i = 0; i < nr; i++) {
		offset[i] = spot[i].offset;
		offset[nr + i] = spot[i].cookie;
		offset[2 * nr + i] = spot[i].semaphore;
		semaphores |= spot[i].semaphore != 0;
	}
	fd = multi_link(prog_fd, type, path, offset, offset + nr, semaphores ? offset + 2 * nr : NULL, nr, ret, pid);
	free(offset);
	if (fd < 0)
		return fd;
	err = add(list, fd, NULL);
	if (err)
		close(fd);
	return err;
}

static int attach_perf(struct sonde_uprobe **list, struct bpf_program *prog, const char *path,
		       const struct sonde_uprobe_spot *spot, bool ret, pid_t pid)
{
	LIBBPF_OPTS(bpf_uprobe_opts, opts, .retprobe = ret, .ref_ctr_offset = spot->semaphore);
	struct bpf_link *link;
	int err;

	if (sonde_uprobe_caps()->cookies)
		opts.bpf_cookie = spot->cookie;
	link = bpf_program__attach_uprobe_opts(prog, pid ? pid : -1, path, spot->offset, &opts);
	if (!link)
		return -errno;
	err = add(list, -1, link);
	if (err)
		bpf_link__destroy(link);
	return err;
}

int sonde_uprobe_attach(struct sonde_uprobe **list, struct bpf_program *prog, int type, int fd,
			const struct sonde_uprobe_spot *spot, size_t nr, bool ret, pid_t pid)
{
	struct sonde_uprobe *fresh = NULL, **end;
	char path[64];
	int err = 0;

	/* Not the file's name: it may be of another mount namespace, or gone. */
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	if (type != SONDE_UPROBE_PERF)
		return attach_multi(list, bpf_program__fd(prog), type, path, spot, nr, ret, pid);
	for (size_t i = 0; i < nr && !err; i++)
		err = attach_perf(&fresh, prog, path, &spot[i], ret, pid);
	if (err) {
		sonde_uprobe_free(fresh);
		return err;
	}
	for (end = &fresh; *end; end = &(*end)->next)
		;
	*end = *list;
	*list = fresh;
	return 0;
}

static void detach(struct sonde_uprobe *one)
{
	if (one->fd >= 0)
		close(one->fd);
	bpf_link__destroy(one->link);
	free(one);
}

static void *detach_thread(void *arg)
{
	detach(arg);
	return NULL;
}

void sonde_uprobe_free(struct sonde_uprobe *list)
{
	pthread_t thread[MAX_THREADS];
	struct sonde_uprobe *one;

	while (list) {
		size_t nr = 0;

		while (list && nr < MAX_THREADS) {
			one = list;
			list = one->next;
			if (pthread_create(&thread[nr], NULL, detach_thread, one))
				detach(one);
			else
				nr++;
		}
		while (nr)
			pthread_join(thread[--nr], NULL);
	}
}

void sonde_uprobe_move(struct sonde_uprobe **to, struct sonde_uprobe **from)
{
	while (*to)
		to = &(*to)->next;
	*to = *from;
	*from = NULL;
}

bool sonde_uprobe_file_open(struct sonde_uprobe_file *file, const char *path, int fd)
{
	*file = (struct sonde_uprobe_file){ .path = strdup(path), .fd = fcntl(fd, F_DUPFD_CLOEXEC, 0) };
	if (file->path && file->fd >= 0)
		return true;
	if (file->fd >= 0)
		close(file->fd);
	free(file->path);
	return false;
}

void sonde_uprobe_file_close(struct sonde_uprobe_file *file)
{
	sonde_uprobe_free(file->probes);
	file->probes = NULL;
	close(file->fd);
	free(file->path);
}
