// SPDX-License-Identifier: GPL-2.0-only
/*
 * sqlite_file.c - the database file of connections that were opened before the probes.
 */
#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <bpf/bpf.h>

#include "load/sqlite_file.h"
#include "sonde/key.h"
#include "sonde/sqlite.h"

/* The first bytes of every database: https://sqlite.org/fileformat.html, "The Database Header". */
static const char magic[16] = "SQLite format 3";

static bool is_database(const char *path)
{
	char head[sizeof(magic)];
	ssize_t n;
	int fd;

	fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	if (fd < 0)
		return false;
	n = read(fd, head, sizeof(head));
	close(fd);
	return n == sizeof(head) && !memcmp(head, magic, sizeof(magic));
}

bool sqlite_file_find(pid_t pid, char *path, size_t size)
{
	char dir[64], link[64 + NAME_MAX + 2];
	struct stat st, only = {};
	struct dirent *entry;
	bool found = false;
	ssize_t n;
	DIR *d;

	snprintf(dir, sizeof(dir), "/proc/%d/fd", pid);
	d = opendir(dir);
	if (!d)
		return false;
	while ((entry = readdir(d))) {
		snprintf(link, sizeof(link), "%s/%s", dir, entry->d_name);
		/* stat first: opening a device or a FIFO may have effects. */
		if (stat(link, &st) || !S_ISREG(st.st_mode) || st.st_size < (off_t)sizeof(magic) ||
		    (found && st.st_ino == only.st_ino && st.st_dev == only.st_dev) || !is_database(link))
			continue;
		if (found) {
			found = false;
			break;
		}
		n = readlink(link, path, size - 1);
		if (n < 0)
			continue;
		path[n] = '\0';
		only = st;
		found = true;
	}
	closedir(d);
	return found;
}

/* As agg_peer() in bpf/agg.bpf.h. */
static u64 peer_id(const struct sonde_peer *peer)
{
	u64 word[sizeof(*peer) / 8], id = SONDE_FNV_BASIS;

	memcpy(word, peer, sizeof(word));
	for (size_t i = 0; i < sizeof(*peer) / 8; i++)
		id = sonde_mix64(id ^ word[i]);
	return id;
}

void sqlite_file_preset(pid_t pid, int peers_fd, int dbs_fd)
{
	struct sonde_peer peer = { .family = SONDE_AF_FILE };
	struct sonde_sqlite_key key = { .ptr = 0, .tgid = pid };
	u64 id;

	if (!sqlite_file_find(pid, peer.path, sizeof(peer.path)))
		return;
	id = peer_id(&peer);
	if (!bpf_map_update_elem(peers_fd, &id, &peer, BPF_ANY))
		bpf_map_update_elem(dbs_fd, &key, &id, BPF_ANY);
}
