/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * net.h - the parts of the report on connections; only for out/net*.c.
 */
#ifndef SONDE_OUT_NET_H
#define SONDE_OUT_NET_H

struct sonde_buf;
struct sonde_json;
struct sonde_net_row;
struct sonde_out_opts;
struct sonde_snapshot;

/** sonde_net_address - append the listening end of @row: "127.0.0.1:5432", "unix:/run/x", "a pair of unix sockets" */
void sonde_net_address(struct sonde_buf *buf, const struct sonde_net_row *row);

/** sonde_net_other - append the connecting end, as far as rows are told apart by it; nothing otherwise */
void sonde_net_other(struct sonde_buf *buf, const struct sonde_net_row *row);

/** sonde_net_role - "client", "server", "listener" */
const char *sonde_net_role(const struct sonde_net_row *row);

/** sonde_net_unseen - append what this kernel does not tell, in words, comma-separated; nothing: it tells all */
void sonde_net_unseen(struct sonde_buf *buf, unsigned int has);

/** sonde_net_json - the document's members */
void sonde_net_json(struct sonde_json *json, const struct sonde_snapshot *snapshot, const struct sonde_out_opts *opts);

#endif /* SONDE_OUT_NET_H */
