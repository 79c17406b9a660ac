/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * key_pattern.bpf.h - the steps of sonde/key_pattern.h as subprograms, shared by the protocols that have keys.
 */
#ifndef SONDE_KEY_PATTERN_BPF_H
#define SONDE_KEY_PATTERN_BPF_H

#include "words.bpf.h"

struct sonde_key;

int key_step(struct sonde_key *k, struct sonde_label *l);
#define SONDE_KEY_STEP(w, k, l) key_step(k, l)
#include "sonde/key_pattern.h"

/** key_step - sonde_key_step() */
__noinline int key_step(struct sonde_key *k, struct sonde_label *l)
{
	struct sonde_win *w = window();

	return k && l && w ? sonde_key_step(w, k, l) : 1;
}

#endif /* SONDE_KEY_PATTERN_BPF_H */
