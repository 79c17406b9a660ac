/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * suggest.h - what to do about a finding, made from the text of its own statement.
 */
#ifndef SONDE_MODEL_SUGGEST_H
#define SONDE_MODEL_SUGGEST_H

struct sonde_buf;
struct sonde_finding;

/**
 * sonde_suggest - append one sentence: how @finding's statements could be fewer or smaller
 *
 * Uses kind, proto, scope, query, parent, with and the counts. Never empty.
 */
void sonde_suggest(const struct sonde_finding *finding, struct sonde_buf *out);

#endif /* SONDE_MODEL_SUGGEST_H */
