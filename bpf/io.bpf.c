// SPDX-License-Identifier: GPL-2.0-only
/*
 * io.bpf.c - counts and times reads, writes and syncs of regular files and block devices by traced processes, and the requests that
 *	      block devices get, from whomever.
 *
 * A call is timed as a whole. Whether the thread had to read from a device meanwhile the kernel's own accounting tells; what is
 * written goes to the page cache, and to the device at a sync or later.
 */
#include "agg.bpf.h"
#include "arch.bpf.h"
#include "file.bpf.h"
#include "filter.bpf.h"
#include "slow_call.bpf.h"
#include "sonde/io.h"
#include "sonde/syscall.h"

char LICENSE[] SEC("license") = "GPL";

#define IO_OP_MASK 0xffu /* request.cmd_flags (REQ_OP_MASK) */
#define IO_OP_WRITE 1u
#define IO_OP_FLUSH 2u
#define IO_OP_DISCARD 3u

const volatile struct sonde_io_config io_conf = {};

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 16384);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, struct sonde_io_key);
	__type(value, struct sonde_io_stat);
} io_rows SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, u32);
	__type(value, struct sonde_io_stat);
} io_zero SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 16384);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, struct sonde_io_id);
	__type(value, struct sonde_file);
} io_files SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_TASK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, int);
	__type(value, struct sonde_io_call);
} io_calls SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, u32);
	__type(value, struct sonde_event_syscall);
} io_event SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 1024);
	__type(key, struct sonde_io_disk_key);
	__type(value, struct sonde_io_disk_stat);
} io_disks SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, u32);
	__type(value, struct sonde_io_disk_stat);
} io_disk_zero SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 16384);
	__type(key, u64); /* struct request */
	__type(value, struct sonde_io_request);
} io_requests SEC(".maps");

/* Bytes that the current thread has read from devices, as /proc/PID/io counts them. */
static __always_inline u64 io_read_bytes(void)
{
	struct task_struct *task = bpf_get_current_task_btf();

	return bpf_core_field_exists(task->ioac.read_bytes) ? task->ioac.read_bytes : 0;
}

/* The file of a call, if it is one that is counted: its identity in @id. */
static __always_inline struct file *io_file(u64 fd, struct sonde_io_id *id)
{
	struct file *file = file_of(fd);
	struct inode *inode;
	u32 kind;

	if (!file)
		return NULL;
	kind = file_kind(file);
	if (kind != SONDE_FILE_REGULAR && kind != SONDE_FILE_BLOCK)
		return NULL;
	inode = BPF_CORE_READ(file, f_inode);
	id->inode = BPF_CORE_READ(inode, i_ino);
	id->dev = BPF_CORE_READ(inode, i_sb, s_dev);
	return file;
}

SEC("tp_btf/sys_enter")
int BPF_PROG(io_enter, struct pt_regs *regs, long id)
{
	struct sonde_io_call *call;
	struct sonde_io_id file = {};
	u32 op;

	if (id < 0 || id >= SONDE_SYSCALL_MAX || !READ_ONCE(active))
		return 0;
	op = io_conf.op[id & (SONDE_SYSCALL_MAX - 1)];
	if (!op || filter_rejected())
		return 0;
	if (!filter_pass()) {
		filter_reject();
		return 0;
	}
	if (REGS_IS_COMPAT(regs)) {
		count(SONDE_CNT_SYSCALL_COMPAT);
		return 0;
	}
	if (!io_file(REGS_ARG0(regs), &file))
		return 0;
	call = bpf_task_storage_get(&io_calls, bpf_get_current_task_btf(), 0, BPF_LOCAL_STORAGE_GET_F_CREATE);
	if (!call) {
		count(SONDE_CNT_LOST_SYSCALL_MEMORY);
		return 0;
	}
	call->key.proc = proc_of(bpf_get_current_task_btf());
	call->key.file = file;
	call->key.op = op;
	call->nr = id;
	call->arg[0] = REGS_ARG0(regs);
	call->arg[1] = REGS_ARG1(regs);
	call->arg[2] = REGS_ARG2(regs);
	call->arg[3] = REGS_ARG3(regs);
	call->read_bytes = io_read_bytes();
	call->start_ns = bpf_ktime_get_ns();
	return 0;
}

/* Who and what: with each new row. Kept apart, as it is rare. */
static __noinline int io_introduce(struct sonde_io_call *call)
{
	struct sonde_event_syscall *scratch;
	struct sonde_io_id id = {};
	struct file *file;
	u32 zero = 0;

	scratch = bpf_map_lookup_elem(&io_event, &zero);
	if (!call || !scratch)
		return 0;
	agg_proc_now(&call->key.proc);
	if (bpf_map_lookup_elem(&io_files, &call->key.file))
		return 0;
	file = io_file(call->arg[0], &id);
	if (!file || id.inode != call->key.file.inode || id.dev != call->key.file.dev)
		return 0; /* closed meanwhile by another thread */
	__builtin_memset(&scratch->file, 0, sizeof(scratch->file));
	file_describe(&scratch->file, file);
	if (bpf_map_update_elem(&io_files, &call->key.file, &scratch->file, BPF_ANY))
		count(SONDE_CNT_IO_FILES_FULL);
	return 0;
}

static __noinline int io_tell(struct sonde_io_call *call, u64 took_ns, long result)
{
	struct sonde_event_syscall *e;
	u32 zero = 0;

	e = bpf_map_lookup_elem(&io_event, &zero);
	if (!e || !call)
		return 0;
	slow_call_begin(e, call->start_ns, took_ns, result, call->arg);
	e->key.proc = call->key.proc;
	e->key.nr = call->nr;
	slow_call_file(e, call->arg[0]);
	slow_call_send(e);
	return 0;
}

SEC("tp_btf/sys_exit")
int BPF_PROG(io_exit, struct pt_regs *regs, long result)
{
	struct sonde_io_call *call;
	struct sonde_io_stat *row;
	u64 took, device;
	u32 zero = 0;

	if (!READ_ONCE(active) || filter_rejected())
		return 0;
	call = bpf_task_storage_get(&io_calls, bpf_get_current_task_btf(), 0, 0);
	if (!call || !call->start_ns)
		return 0;
	took = bpf_ktime_get_ns() - call->start_ns;
	row = bpf_map_lookup_elem(&io_rows, &call->key);
	if (SONDE_UNLIKELY(!row)) {
		row = bpf_map_lookup_elem(&io_zero, &zero);
		if (row)
			bpf_map_update_elem(&io_rows, &call->key, row, BPF_NOEXIST);
		row = bpf_map_lookup_elem(&io_rows, &call->key);
		io_introduce(call);
	}
	if (!row) {
		count(SONDE_CNT_LOST_IO_ROWS);
		goto out;
	}
	__sync_fetch_and_add(&row->count, 1);
	if (result < 0)
		__sync_fetch_and_add(&row->errors, 1);
	else if (call->key.op != SONDE_IO_SYNC)
		__sync_fetch_and_add(&row->bytes, result);
	device = io_read_bytes() - call->read_bytes;
	if (device) {
		__sync_fetch_and_add(&row->device, 1);
		__sync_fetch_and_add(&row->device_bytes, device);
	}
	hist_add(&row->hist, took, sonde_hist_bucket(took));
out:
	if (io_conf.min_ns && took >= io_conf.min_ns)
		io_tell(call, took, result);
	call->start_ns = 0;
	return 0;
}

SEC("tp_btf/block_rq_issue")
int BPF_PROG(io_issue, struct request *rq)
{
	struct sonde_io_request req = {};
	struct gendisk *disk;
	u64 key = (u64)rq;
	u32 op;

	if (!READ_ONCE(active))
		return 0;
	disk = BPF_CORE_READ(rq, q, disk);
	if (!disk) /* a command of the driver's own */
		return 0;
	op = BPF_CORE_READ(rq, cmd_flags) & IO_OP_MASK;
	req.bytes = BPF_CORE_READ(rq, __data_len);
	req.key.dev = BPF_CORE_READ(disk, major) << 20 | BPF_CORE_READ(disk, first_minor);
	req.key.op = op == IO_OP_FLUSH	   ? SONDE_IO_SYNC
		     : op == IO_OP_DISCARD ? SONDE_IO_DISCARD
		     : op & IO_OP_WRITE	   ? SONDE_IO_WRITE
					   : SONDE_IO_READ;
	req.start_ns = bpf_ktime_get_ns();
	bpf_map_update_elem(&io_requests, &key, &req, BPF_ANY);
	return 0;
}

SEC("tp_btf/block_rq_complete")
int BPF_PROG(io_complete, struct request *rq, u8 error, u32 nr_bytes)
{
	struct sonde_io_disk_stat *row;
	struct sonde_io_request *req;
	u64 key = (u64)rq, took;
	u32 zero = 0;

	req = bpf_map_lookup_elem(&io_requests, &key);
	if (!req)
		return 0;
	if (!READ_ONCE(active) || (!error && nr_bytes < req->bytes && nr_bytes < BPF_CORE_READ(rq, __data_len)))
		return 0; /* a part of it */
	took = bpf_ktime_get_ns() - req->start_ns;
	row = bpf_map_lookup_elem(&io_disks, &req->key);
	if (SONDE_UNLIKELY(!row)) {
		row = bpf_map_lookup_elem(&io_disk_zero, &zero);
		if (row)
			bpf_map_update_elem(&io_disks, &req->key, row, BPF_NOEXIST);
		row = bpf_map_lookup_elem(&io_disks, &req->key);
	}
	if (row) {
		__sync_fetch_and_add(&row->count, 1);
		__sync_fetch_and_add(&row->bytes, req->bytes);
		if (error)
			__sync_fetch_and_add(&row->errors, 1);
		hist_add(&row->hist, took, sonde_hist_bucket(took));
	}
	bpf_map_delete_elem(&io_requests, &key);
	return 0;
}
