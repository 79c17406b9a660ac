/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * words.bpf.h - the loops of sonde/words.h as subprograms, shared by the protocols that are text.
 */
#ifndef SONDE_WORDS_BPF_H
#define SONDE_WORDS_BPF_H

#include "window.bpf.h"

u32 window_token(u32 pos, u32 max);
u32 window_line(u32 pos, u32 max);
#define SONDE_TOKEN(w, pos, max) window_token(pos, max)
#define SONDE_LINE(w, pos, max) window_line(pos, max)
#include "sonde/words.h"

/** window_token - sonde_win_token() */
__noinline u32 window_token(u32 pos, u32 max)
{
	struct sonde_win *w = window();

	return w ? sonde_win_token(w, pos, max) : 0;
}

/** window_line - sonde_win_line() */
__noinline u32 window_line(u32 pos, u32 max)
{
	struct sonde_win *w = window();

	return w ? sonde_win_line(w, pos, max) : 0;
}

#endif /* SONDE_WORDS_BPF_H */
