/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * text_findings.h - what the parts of the report share that show findings; only for out/text_finding*.c and leak_text.c.
 */
#ifndef SONDE_OUT_TEXT_FINDINGS_H
#define SONDE_OUT_TEXT_FINDINGS_H

#include <stdbool.h>
#include <stddef.h>

#include "sonde/base.h"

struct sonde_buf;
struct sonde_finding;
struct sonde_out_opts;

#define SONDE_TEXT_INDENT 11u /* columns before a statement: "     50 x  " */
#define SONDE_TEXT_BLOCK 8u

/** struct sonde_text_block - findings that are shown together */
struct sonde_text_block {
	const struct sonde_finding *of[SONDE_TEXT_BLOCK];
	size_t nr;
};

/** sonde_text_wrapped - words of @text in lines of the report's width, four at most, @label before the first */
void sonde_text_wrapped(struct sonde_buf *buf, const struct sonde_out_opts *opts, const char *label, const char *text);

/** sonde_text_scopes - what a scope of kind @scope is called: "request", or several */
const char *sonde_text_scopes(u8 scope, bool one);

/** sonde_text_finding_title - kind, scope, counts, waste, confidence; @processes: say which program's it is */
void sonde_text_finding_title(struct sonde_buf *buf, const struct sonde_out_opts *opts,
			      const struct sonde_text_block *block, bool processes);

#endif /* SONDE_OUT_TEXT_FINDINGS_H */
