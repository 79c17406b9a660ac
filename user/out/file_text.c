// SPDX-License-Identifier: GPL-2.0-only
/*
 * file_text.c - what a file descriptor stands for, in words.
 */
#include <arpa/inet.h>
#include <string.h>

#include "base/buf.h"
#include "out/file_text.h"
#include "sonde/key.h"

void sonde_address_text(struct sonde_buf *buf, u16 family, const u8 addr[16], u16 port)
{
	static const u8 mapped[12] = { [10] = 0xff, [11] = 0xff };
	char text[INET6_ADDRSTRLEN] = "?";

	if (family == SONDE_AF_INET6 && !memcmp(addr, mapped, sizeof(mapped))) {
		family = SONDE_AF_INET;
		addr += sizeof(mapped);
	}
	inet_ntop(family == SONDE_AF_INET ? AF_INET : AF_INET6, addr, text, sizeof(text));
	if (port)
		sonde_buf_printf(buf, family == SONDE_AF_INET ? "%s:%u" : "[%s]:%u", text, port);
	else
		sonde_buf_str(buf, text);
}

/* The parts stand last first. */
static void parts(struct sonde_buf *buf, const struct sonde_file *file)
{
	const char *part[SONDE_PATH_PARTS];
	size_t at = 0, nr = 0;

	while (nr < file->parts && nr < SONDE_PATH_PARTS && at < sizeof(file->path)) {
		part[nr++] = file->path + at;
		at += strnlen(file->path + at, sizeof(file->path) - at) + 1;
	}
	if (file->cut)
		sonde_buf_str(buf, "...");
	while (nr-- > 0) {
		size_t left = sizeof(file->path) - (size_t)(part[nr] - file->path);

		if (part[nr][0] != '/') /* the root of a file system that is mounted nowhere */
			sonde_buf_str(buf, "/");
		sonde_buf_add(buf, part[nr], strnlen(part[nr], left));
	}
}

void sonde_file_text(struct sonde_buf *buf, const struct sonde_file *file)
{
	static const char *const names[SONDE_FILE_KIND_MAX] = {
#define SONDE_FILE_KIND(symbol, name) [SONDE_FILE_##symbol] = name,
		SONDE_FILE_KINDS(SONDE_FILE_KIND)
#undef SONDE_FILE_KIND
	};

	if (file->kind == SONDE_FILE_SOCKET) {
		if (file->family == SONDE_AF_UNIX) {
			sonde_buf_str(buf, "unix:");
			sonde_buf_add(buf, file->path, strnlen(file->path, sizeof(file->path)));
		} else if (file->family == SONDE_AF_INET || file->family == SONDE_AF_INET6) {
			sonde_address_text(buf, file->family, file->local, file->local_port);
			sonde_buf_str(buf, "->");
			sonde_address_text(buf, file->family, file->remote, file->remote_port);
		} else {
			sonde_buf_str(buf, "socket");
		}
	} else if (file->parts) {
		parts(buf, file);
	} else if (file->path[0]) {
		sonde_buf_add(buf, file->path, strnlen(file->path, sizeof(file->path)));
	} else {
		sonde_buf_str(buf, file->kind < SONDE_FILE_KIND_MAX ? names[file->kind] : "");
	}
}
