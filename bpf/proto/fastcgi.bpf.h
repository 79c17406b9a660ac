/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * fastcgi.bpf.h - FastCGI in the kernel: its parser (sonde/proto/fastcgi.h).
 */
#ifndef SONDE_FASTCGI_BPF_H
#define SONDE_FASTCGI_BPF_H

#include "cgi.bpf.h"
#include "sonde/proto/fastcgi.h"

BPF_PROTO_ROWS_NONE(fastcgi)
BPF_PROTO_FIND_NONE(fastcgi)
BPF_PROTO(fastcgi)

#endif /* SONDE_FASTCGI_BPF_H */
