/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * file.bpf.h - what a file descriptor of the current task stands for: its kind, and on demand its path or addresses.
 */
#ifndef SONDE_FILE_BPF_H
#define SONDE_FILE_BPF_H

#include <bpf/bpf_endian.h>

#include "sonde.bpf.h"
#include "sonde/file.h"

#define FILE_IFMT 0170000
#define FILE_NAME_BYTES 64 /* of a component of a path */

/** file_of - the open file behind descriptor @fd of the current task, NULL if there is none */
static __always_inline struct file *file_of(u64 fd)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct files_struct *files = task->files;
	struct file *file = NULL, **slots;
	struct fdtable *table;

	if (!files)
		return NULL;
	table = files->fdt;
	if (fd >= table->max_fds)
		return NULL;
	slots = table->fd;
	bpf_probe_read_kernel(&file, sizeof(file), &slots[fd]);
	return file;
}

static __always_inline u32 file_kind(struct file *file)
{
	switch (BPF_CORE_READ(file, f_inode, i_mode) & FILE_IFMT) {
	case 0100000:
		return SONDE_FILE_REGULAR;
	case 0040000:
		return SONDE_FILE_DIRECTORY;
	case 0060000:
		return SONDE_FILE_BLOCK;
	case 0140000:
		return SONDE_FILE_SOCKET;
	case 0010000:
		return SONDE_FILE_PIPE;
	case 0020000:
		return SONDE_FILE_CHAR;
	default:
		return SONDE_FILE_OTHER;
	}
}

/** file_path - the path's components, from the last one up to the mount namespace's root */
static __always_inline void file_path(struct sonde_file *out, struct file *file)
{
	struct vfsmount *vfs = BPF_CORE_READ(file, f_path.mnt);
	struct mount *mount = (void *)vfs - bpf_core_field_offset(struct mount, mnt), *above;
	struct dentry *dentry = BPF_CORE_READ(file, f_path.dentry), *up;
	u32 at = 0;

	out->cut = 1;
	for (u32 i = 0; i < SONDE_PATH_PARTS + 4; i++) {
		const unsigned char *name;
		long len;

		up = BPF_CORE_READ(dentry, d_parent);
		if (dentry == BPF_CORE_READ(vfs, mnt_root) || dentry == up) {
			above = BPF_CORE_READ(mount, mnt_parent);
			if (above == mount || dentry != BPF_CORE_READ(vfs, mnt_root)) {
				out->cut = 0;
				break;
			}
			dentry = BPF_CORE_READ(mount, mnt_mountpoint);
			mount = above;
			vfs = (void *)mount + bpf_core_field_offset(struct mount, mnt);
			continue;
		}
		name = BPF_CORE_READ(dentry, d_name.name);
		if (out->parts >= SONDE_PATH_PARTS)
			break;
		barrier_var(at); /* what is compared is what is added: Linux 6.1 does not see it of a copy */
		if (at > SONDE_PATH_BYTES - FILE_NAME_BYTES)
			break;
		len = bpf_probe_read_kernel_str(out->path + at, FILE_NAME_BYTES, name);
		if (len <= 0)
			break;
		at += len;
		out->parts++;
		dentry = up;
	}
}

static __always_inline void file_unix(struct sonde_file *out, struct sock *sk)
{
	struct unix_sock *u = (void *)sk;
	struct unix_address *addr = BPF_CORE_READ(u, addr);
	char *path;

	if (!addr) {
		u = (void *)BPF_CORE_READ(u, peer);
		addr = u ? BPF_CORE_READ(u, addr) : NULL;
	}
	if (!addr)
		return;
	path = (char *)addr + bpf_core_field_offset(struct unix_address, name) + offsetof(struct sockaddr_un, sun_path);
	bpf_probe_read_kernel_str(out->path, 108, path);
	if (!out->path[0] && BPF_CORE_READ(addr, len) > (int)offsetof(struct sockaddr_un, sun_path)) {
		out->path[0] = '@';
		bpf_probe_read_kernel_str(out->path + 1, 107, path + 1);
	}
}

static __always_inline void file_socket(struct sonde_file *out, struct sock *sk)
{
	u32 family = BPF_CORE_READ(sk, __sk_common.skc_family);

	out->family = family;
	if (family == SONDE_AF_UNIX) {
		file_unix(out, sk);
		return;
	}
	if (family != SONDE_AF_INET && family != SONDE_AF_INET6)
		return;
	out->local_port = BPF_CORE_READ(sk, __sk_common.skc_num);
	out->remote_port = bpf_ntohs(BPF_CORE_READ(sk, __sk_common.skc_dport));
	if (family == SONDE_AF_INET) {
		bpf_core_read(out->local, 4, &sk->__sk_common.skc_rcv_saddr);
		bpf_core_read(out->remote, 4, &sk->__sk_common.skc_daddr);
	} else {
		bpf_core_read(out->local, 16, &sk->__sk_common.skc_v6_rcv_saddr);
		bpf_core_read(out->remote, 16, &sk->__sk_common.skc_v6_daddr);
	}
}

/** file_describe - fill in @out, which is zeroed, with what @file is */
static __always_inline void file_describe(struct sonde_file *out, struct file *file)
{
	struct socket *socket;

	out->kind = file_kind(file);
	if (out->kind == SONDE_FILE_SOCKET) {
		socket = BPF_CORE_READ(file, private_data);
		file_socket(out, BPF_CORE_READ(socket, sk));
	} else {
		file_path(out, file);
	}
}

#endif /* SONDE_FILE_BPF_H */
