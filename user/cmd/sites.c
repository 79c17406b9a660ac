// SPDX-License-Identifier: GPL-2.0-only
/*
 * sites.c - call sites for findings.
 */
#include <stdlib.h>

#include "cmd/sites.h"
#include "collect/db.h"
#include "collect/profile.h"
#include "sym/sym.h"

#define SITE_FRAMES 6 /* of the application: what sends a statement and how it was called */
#define STACK_FRAMES 512 /* functions of a stack, inlined ones too */

struct sites {
	struct sonde_sym *sym;
	struct sonde_sym_stack stack; /* being resolved */
	/* Handed out until the next one is asked for: */
	struct sonde_sym_site site;
	u32 frame[STACK_FRAMES];
};

static void resolve(void *ctx, u32 pid, const u64 *ips, size_t nr, struct sonde_db_site *of)
{
	struct sites *sites = ctx;
	int found, frame = 0;

	sonde_sym_site_free(&sites->site);
	sites->site = (struct sonde_sym_site){};
	if (sonde_sym_resolve(sites->sym, (pid_t)pid, ips, nr, &sites->stack))
		return;
	found = sonde_sym_site(&sites->stack, SITE_FRAMES, &sites->site);
	of->frame = (const char *const *)sites->site.frame;
	of->nr = found > 0 ? (size_t)found : 0;
	of->stack = sites->frame;
	while (of->nr_stack < sites->stack.nr && of->nr_stack < STACK_FRAMES && frame >= 0) {
		frame = sonde_profiler_frame(of->frames, &sites->stack.frame[of->nr_stack]);
		if (frame >= 0)
			sites->frame[of->nr_stack++] = (u32)frame;
	}
}

static void drop(void *ctx)
{
	struct sites *sites = ctx;

	sonde_sym_site_free(&sites->site);
	sonde_sym_stack_free(&sites->stack);
	sonde_sym_free(sites->sym);
	free(sites);
}

void sonde_sites_use(struct sonde_db *db)
{
	struct sites *sites = calloc(1, sizeof(*sites));

	if (!sites)
		return;
	sites->sym = sonde_sym_new();
	if (sites->sym)
		sonde_db_sites(db, resolve, sites, drop);
	else
		free(sites);
}

void sonde_sites_note(struct sonde_db *db, pid_t pid)
{
	struct sites *sites = sonde_db_sites_ctx(db);

	if (sites)
		sonde_sym_note(sites->sym, pid);
}
