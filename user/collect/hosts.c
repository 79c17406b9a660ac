// SPDX-License-Identifier: GPL-2.0-only
/*
 * hosts.c - names of addresses as processes themselves have them.
 *
 * A file is read once, however many processes share it. Whoever owns a process's root may have put there what they like.
 */
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/table.h"
#include "collect/hosts.h"
#include "model/hosts.h"
#include "sym/root.h"

#define MAX_BYTES (1u << 20) /* of a file */
#define MAX_FILES 1024

struct sonde_host_names {
	struct sonde_table files; /* by device, inode and time: struct sonde_hosts */
	struct sonde_table procs; /* by process: the same */
	struct sonde_hosts *none;
};

struct sonde_host_names *sonde_host_names_new(void)
{
	struct sonde_host_names *names = calloc(1, sizeof(*names));

	if (!names)
		return NULL;
	names->none = sonde_hosts_parse("", 0);
	if (names->none)
		return names;
	free(names);
	return NULL;
}

static void free_hosts(void *hosts)
{
	sonde_hosts_free(hosts);
}

void sonde_host_names_free(struct sonde_host_names *names)
{
	if (!names)
		return;
	sonde_table_free(&names->files, free_hosts);
	sonde_table_free(&names->procs, NULL);
	sonde_hosts_free(names->none);
	free(names);
}

static struct sonde_hosts *parse(int fd)
{
	char *text = malloc(MAX_BYTES);
	struct sonde_hosts *hosts = NULL;
	size_t len = 0;
	ssize_t got;

	if (!text)
		return NULL;
	while (len < MAX_BYTES && (got = read(fd, text + len, MAX_BYTES - len)) > 0)
		len += (size_t)got;
	hosts = sonde_hosts_parse(text, len);
	free(text);
	return hosts;
}

/* The file's names; none where it cannot be read. */
static struct sonde_hosts *hosts_of(struct sonde_host_names *names, pid_t pid)
{
	int fd = sonde_root_open(pid, "/etc/hosts");
	struct sonde_hosts *hosts = NULL;
	struct stat st;
	u64 id;

	if (fd < 0)
		return names->none;
	if (fstat(fd, &st))
		goto out_close;
	id = sonde_mix64(sonde_mix64(st.st_dev) ^ st.st_ino) ^
	     sonde_mix64((u64)st.st_mtim.tv_sec * 1000000000 + (u64)st.st_mtim.tv_nsec);
	hosts = sonde_table_get(&names->files, id);
	if (hosts || names->files.nr >= MAX_FILES)
		goto out_close;
	hosts = parse(fd);
	if (hosts && sonde_table_put(&names->files, id, hosts)) {
		sonde_hosts_free(hosts);
		hosts = NULL;
	}
out_close:
	close(fd);
	return hosts ? hosts : names->none;
}

static struct sonde_hosts *noted(struct sonde_host_names *names, const struct sonde_proc *proc)
{
	u64 id = sonde_mix64((u64)proc->tgid << 32 | proc->start);
	struct sonde_hosts *hosts = sonde_table_get(&names->procs, id);

	if (hosts)
		return hosts;
	hosts = hosts_of(names, (pid_t)proc->tgid);
	return sonde_table_put(&names->procs, id, hosts) ? names->none : hosts;
}

void sonde_host_names_note(struct sonde_host_names *names, const struct sonde_proc *proc)
{
	(void)noted(names, proc);
}

const char *sonde_host_name(struct sonde_host_names *names, const struct sonde_proc *proc, u32 family, const u8 addr[16])
{
	return sonde_hosts_find(noted(names, proc), family, addr);
}
