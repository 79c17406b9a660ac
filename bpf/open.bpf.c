// SPDX-License-Identifier: GPL-2.0-only
/*
 * open.bpf.c - counts the statements outstanding on sockets that live, once at the end: what was sent on others will not
 * complete, and no hook told so (a unix socket's process was killed).
 */
#include "sonde.bpf.h"
#include "conn.bpf.h"

char LICENSE[] SEC("license") = "GPL";

u64 nr_open = 0; /* statements, of all sockets in the walk so far */
u32 self_met = 0; /* 1: the walk has met sonde itself, so it is one through all processes */

static __always_inline void add_open(const struct entry *e)
{
	nr_open += e->flags & ENTRY_STATEMENT && !(e->flags & ENTRY_MORE);
}

/* One of those that have no room in the connection itself. */
static long add_piped(u32 i, struct pipeline_key *key)
{
	struct entry *e = bpf_map_lookup_elem(&pipeline, key);

	if (e)
		add_open(e);
	key->seq = (u32)(key->seq + 1);
	return 0;
}

static __always_inline void add_conn(const struct conn *c)
{
	u32 head = c->head, nr = c->tail - head;
	struct pipeline_key key = { .conn = c->id, .seq = head };

	for (u32 i = 0; i < CONN_INLINE; i++)
		if ((c->fifo[i].seq & (CONN_INLINE - 1)) == i && c->fifo[i].seq - head < nr)
			add_open(&c->fifo[i]);
	bpf_loop(nr, add_piped, &key, 0); /* Linux 5.17; this runs with hooks of 6.3 only */
}

SEC("iter/task_file")
int count_open(struct bpf_iter__task_file *ctx)
{
	struct task_struct *task = ctx->task;
	struct file *file = ctx->file;
	struct socket *socket;
	struct conn *c;

	if (!task || !file)
		return 0;
	if ((u32)task->tgid == conf.self)
		self_met = 1;
	socket = bpf_sock_from_file(file);
	if (!socket || !socket->sk)
		return 0;
	c = bpf_sk_storage_get(&conns, socket->sk, 0, 0);
	if (!c || c->settled) /* several processes may have it */
		return 0;
	c->settled = 1;
	if (c->state == CONN_OPEN && !c->aside && c->head != c->tail)
		add_conn(c);
	return 0;
}
