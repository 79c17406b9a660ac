/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * cgi.bpf.h - what FastCGI and uwsgi have in common in the kernel: the loops of sonde/cgi.h as subprograms of their own.
 */
#ifndef SONDE_CGI_BPF_H
#define SONDE_CGI_BPF_H

#include "proto.bpf.h"
#include "proto/http.bpf.h"

u32 cgi_pair(u32 pos, u32 end, u32 flags, struct sonde_msg *m);
u32 cgi_pairs(u32 pos, u32 end, u32 flags, struct sonde_msg *m);
u32 cgi_status(u32 pos, u32 end);

#define SONDE_CGI_PAIR(w, pos, end, flags, m) cgi_pair(pos, end, flags, m)
#define SONDE_CGI_PAIRS_OF(w, pos, end, flags, m) cgi_pairs(pos, end, flags, m)
#define SONDE_CGI_STATUS(w, pos, end) cgi_status(pos, end)

#include "sonde/cgi.h"

/** cgi_pair - sonde_cgi_pair() */
__noinline u32 cgi_pair(u32 pos, u32 end, u32 flags, struct sonde_msg *m)
{
	struct sonde_win *w = window();

	return w && m ? sonde_cgi_pair(w, pos, end, flags, m) : 0;
}

/** cgi_pairs - sonde_cgi_pairs() */
__noinline u32 cgi_pairs(u32 pos, u32 end, u32 flags, struct sonde_msg *m)
{
	struct sonde_win *w = window();

	return w && m ? sonde_cgi_pairs(w, pos, end, flags, m) : 0;
}

/** cgi_status - sonde_cgi_status() */
__noinline u32 cgi_status(u32 pos, u32 end)
{
	struct sonde_win *w = window();

	return w ? sonde_cgi_status(w, pos, end) : 200;
}

#endif /* SONDE_CGI_BPF_H */
