/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * peer.bpf.h - who is asked: the address of the listening end of a socket.
 */
#ifndef SONDE_PEER_BPF_H
#define SONDE_PEER_BPF_H

#include <bpf/bpf_endian.h>

#include "sonde.bpf.h"

/* Unix sockets name the listening end; for a client that is the peer's address. */
static __always_inline void peer_unix(struct sonde_peer *peer, struct sock *sk, u32 role)
{
	struct unix_sock *u = (void *)sk;
	struct unix_address *addr;
	char *path;

	if (role == SONDE_ROLE_CLIENT)
		u = (void *)BPF_CORE_READ(u, peer);
	addr = u ? BPF_CORE_READ(u, addr) : NULL;
	if (!addr)
		return;
	path = (char *)addr + bpf_core_field_offset(struct unix_address, name) + offsetof(struct sockaddr_un, sun_path);
	bpf_probe_read_kernel_str(peer->path, sizeof(peer->path), path);
	if (!peer->path[0] && BPF_CORE_READ(addr, len) > (int)offsetof(struct sockaddr_un, sun_path)) {
		peer->path[0] = '@'; /* abstract name */
		bpf_probe_read_kernel_str(peer->path + 1, sizeof(peer->path) - 1, path + 1);
	}
}

/* The server's address: the remote end for a client, the local end for a server. */
static __always_inline void peer_address(struct sonde_peer *peer, struct sock *sk, u32 role)
{
	u32 family = BPF_CORE_READ(sk, __sk_common.skc_family);
	struct in6_addr addr6;

	peer->family = family;
	if (family == SONDE_AF_UNIX) {
		peer_unix(peer, sk, role);
		return;
	}
	if (role == SONDE_ROLE_CLIENT)
		peer->port = bpf_ntohs(BPF_CORE_READ(sk, __sk_common.skc_dport));
	else
		peer->port = BPF_CORE_READ(sk, __sk_common.skc_num);
	if (family == SONDE_AF_INET) {
		u32 addr = role == SONDE_ROLE_CLIENT ? BPF_CORE_READ(sk, __sk_common.skc_daddr)
						     : BPF_CORE_READ(sk, __sk_common.skc_rcv_saddr);

		__builtin_memcpy(peer->addr, &addr, sizeof(addr));
		return;
	}
	if (role == SONDE_ROLE_CLIENT)
		BPF_CORE_READ_INTO(&addr6, sk, __sk_common.skc_v6_daddr);
	else
		BPF_CORE_READ_INTO(&addr6, sk, __sk_common.skc_v6_rcv_saddr);
	__builtin_memcpy(peer->addr, &addr6, sizeof(addr6));
	if (!addr6.in6_u.u6_addr32[0] && !addr6.in6_u.u6_addr32[1] &&
	    addr6.in6_u.u6_addr32[2] == bpf_htonl(0xffff)) { /* IPv4 through an IPv6 socket */
		peer->family = SONDE_AF_INET;
		__builtin_memset(peer->addr, 0, sizeof(peer->addr));
		__builtin_memcpy(peer->addr, &addr6.in6_u.u6_addr32[3], 4);
	}
}

#endif /* SONDE_PEER_BPF_H */
