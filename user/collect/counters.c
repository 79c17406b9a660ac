// SPDX-License-Identifier: GPL-2.0-only
/*
 * counters.c - what the kernel side counts.
 */
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "collect/counters.h"

/* Each processor counts for itself what it has seen. */
static int add_seen(int seen, u64 counter[SONDE_COUNTER_ROOM])
{
	int nr_cpus = libbpf_num_possible_cpus(), err = 0;
	u32 zero = 0;
	u64 *cpu;

	if (nr_cpus < 0)
		return nr_cpus;
	cpu = calloc((size_t)nr_cpus, sizeof(*cpu));
	if (!cpu)
		return -ENOMEM;
	if (bpf_map_lookup_elem(seen, &zero, cpu))
		err = -errno;
	for (int c = 0; c < nr_cpus && !err; c++)
		counter[SONDE_CNT_SEEN] += cpu[c];
	free(cpu);
	return err;
}

int sonde_counters_read(int counters, int seen, u64 out[SONDE_CNT_MAX])
{
	u64 counter[SONDE_COUNTER_ROOM];
	u32 zero = 0;
	int err = 0;

	if (bpf_map_lookup_elem(counters, &zero, counter))
		return -errno;
	if (seen >= 0)
		err = add_seen(seen, counter);
	if (!err)
		memcpy(out, counter, SONDE_CNT_MAX * sizeof(*out));
	return err;
}
