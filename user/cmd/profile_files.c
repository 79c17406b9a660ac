// SPDX-License-Identifier: GPL-2.0-only
/*
 * profile_files.c - the files that commands write their stacks to.
 */
#include <errno.h>
#include <string.h>

#include "base/buf.h"
#include "base/file.h"
#include "base/log.h"
#include "cmd/profile_files.h"
#include "model/profile.h"
#include "model/snapshot.h"
#include "out/flame.h"
#include "out/profile.h"

const char *sonde_profile_files_first(const struct sonde_profile_files *files)
{
	return files->flame ?: files->pprof ?: files->folded;
}

/* Writes @buf into @file, and frees it. */
static void write_file(struct sonde_profile_files *files, const char *file, struct sonde_buf *buf)
{
	int err = buf->failed ? -ENOMEM : sonde_file_replace(file, buf->s ? buf->s : "", buf->len);

	if (err) {
		sonde_error("cannot write %s: %s", file, strerror(-err));
		files->failed = true;
	} else {
		sonde_note("written: %s", file);
	}
	sonde_buf_free(buf);
}

void sonde_profile_files_write(struct sonde_profile_files *files, const struct sonde_profile *profile,
			       const struct sonde_snapshot *snapshot, const char *title,
			       void (*pprof)(const struct sonde_snapshot *snapshot, struct sonde_buf *buf))
{
	struct sonde_flame_opts how = { .title = title, .unit = profile->unit, .icicle = files->icicle };
	struct sonde_flame flame = {};
	struct sonde_buf buf = {};

	if (files->flame) {
		sonde_flame_add_profile(&flame, profile);
		sonde_flame_svg(&flame, &how, &buf);
		sonde_flame_free(&flame);
		write_file(files, files->flame, &buf);
	}
	if (files->folded) {
		sonde_profile_folded(profile, &buf);
		write_file(files, files->folded, &buf);
	}
	if (files->pprof) {
		if (pprof)
			pprof(snapshot, &buf);
		else
			sonde_profile_pprof(profile, NULL, snapshot->start_unix_ns, snapshot->duration_ns, &buf);
		write_file(files, files->pprof, &buf);
	}
}
