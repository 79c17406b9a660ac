/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * http.bpf.h - HTTP/1.x in the kernel: the pure parser (sonde/proto/http.h), each of its loops a subprogram that the
 * verifier checks by itself.
 */
#ifndef SONDE_HTTP_BPF_H
#define SONDE_HTTP_BPF_H

#include "proto.bpf.h"

__noinline u64 http_piece(u32 pos, u32 end, u32 terms);
__noinline int http_copy(u32 pos, u32 len, struct sonde_label *l);
__noinline int http_parts(u32 pos, u32 len, struct sonde_label *l);
__noinline u32 http_segment(u32 pos, u32 end, struct sonde_label *l);
__noinline u32 http_path_len(u32 pos, u32 end);
__noinline int http_path(u32 pos, u32 end, struct sonde_label *l);
__noinline u32 http_lf(u32 pos, u32 end);
__noinline u32 http_seek(u32 pos, u32 end);
__noinline u32 http_field(u32 pos, u32 end, struct sonde_state *st, u32 server);
__noinline u32 http_fields(u32 pos, u32 end, struct sonde_state *st, u32 flags);
__noinline u64 http_chunk_line(u32 pos, u32 end);

#define SONDE_HTTP_PIECE(w, pos, end, terms) http_piece(pos, end, terms)
#define SONDE_HTTP_COPY(w, pos, len, l) http_copy(pos, len, l)
#define SONDE_HTTP_PARTS_OF(w, pos, len, l) http_parts(pos, len, l)
#define SONDE_HTTP_SEGMENT(w, pos, end, l) http_segment(pos, end, l)
#define SONDE_HTTP_PATH_LEN(w, pos, end) http_path_len(pos, end)
#define SONDE_HTTP_PATH(w, pos, end, l) http_path(pos, end, l)
#define SONDE_HTTP_LF(w, pos, end) http_lf(pos, end)
#define SONDE_HTTP_SEEK(w, pos, end) http_seek(pos, end)
#define SONDE_HTTP_HASH(w, pos, len) window_hash_text(pos, len)
#define SONDE_HTTP_FIELD_AT(w, pos, end, st, server) http_field(pos, end, st, server)
#define SONDE_HTTP_FIELDS_AT(w, pos, end, st, flags) http_fields(pos, end, st, flags)
#define SONDE_HTTP_CHUNK_LINE(w, pos, end) http_chunk_line(pos, end)

#include "sonde/proto/http.h"

__noinline u64 http_piece(u32 pos, u32 end, u32 terms)
{
	struct sonde_win *w = window_leaf();

	return w ? sonde_http_piece(w, pos, end, terms) : 0;
}

__noinline int http_copy(u32 pos, u32 len, struct sonde_label *l)
{
	struct sonde_win *w = window_leaf();

	if (w && l)
		sonde_http_copy(w, pos, len, l);
	return 0;
}

__noinline int http_parts(u32 pos, u32 len, struct sonde_label *l)
{
	struct sonde_win *w = window();

	if (w && l)
		sonde_http_parts(w, pos, len, l);
	return 0;
}

__noinline u32 http_segment(u32 pos, u32 end, struct sonde_label *l)
{
	struct sonde_win *w = window();

	return w && l ? sonde_http_segment(w, pos, end, l) : 0;
}

__noinline u32 http_path_len(u32 pos, u32 end)
{
	struct sonde_win *w = window();

	return w ? sonde_http_path_len(w, pos, end) : 0;
}

__noinline int http_path(u32 pos, u32 end, struct sonde_label *l)
{
	struct sonde_win *w = window();

	if (w && l)
		sonde_http_path(w, pos, end, l);
	return 0;
}

__noinline u32 http_lf(u32 pos, u32 end)
{
	struct sonde_win *w = window_leaf();

	return w ? sonde_http_lf(w, pos, end) : end;
}

__noinline u32 http_seek(u32 pos, u32 end)
{
	struct sonde_win *w = window();

	return w ? sonde_http_seek(w, pos, end) : end;
}

__noinline u32 http_field(u32 pos, u32 end, struct sonde_state *st, u32 server)
{
	struct sonde_win *w = window();

	return w && st ? sonde_http_field(w, pos, end, st, server) : 0;
}

__noinline u32 http_fields(u32 pos, u32 end, struct sonde_state *st, u32 flags)
{
	struct sonde_win *w = window();

	return w && st ? sonde_http_fields(w, pos, end, st, flags) : 0;
}

__noinline u64 http_chunk_line(u32 pos, u32 end)
{
	struct sonde_win *w = window();

	return w ? sonde_http_chunk_line(w, pos, end) : 0;
}

BPF_PROTO_ROWS_NONE(http)
BPF_PROTO_FIND_NONE(http)
BPF_PROTO(http)

#endif /* SONDE_HTTP_BPF_H */
