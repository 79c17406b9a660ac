/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * uwsgi.bpf.h - uwsgi in the kernel: its parser (sonde/proto/uwsgi.h), whose responses HTTP's subprogram reads.
 */
#ifndef SONDE_UWSGI_BPF_H
#define SONDE_UWSGI_BPF_H

#include "cgi.bpf.h"

#define SONDE_UWSGI_HTTP(w, pos, avail, st, m) http_server(container_of(st, struct conn, st), pos, (pos) + (avail))

#include "sonde/proto/uwsgi.h"

BPF_PROTO_ROWS_NONE(uwsgi)
BPF_PROTO_FIND_NONE(uwsgi)
BPF_PROTO(uwsgi)

#endif /* SONDE_UWSGI_BPF_H */
