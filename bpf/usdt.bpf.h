/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * usdt.bpf.h - arguments of statically defined probes.
 */
#ifndef SONDE_USDT_BPF_H
#define SONDE_USDT_BPF_H

#include "sonde.bpf.h"
#include "sonde/alloc.h"

/** usdt_argument - what @arg says, at the probe that was hit; 0 if it cannot be read (counted) */
static __always_inline u64 usdt_argument(struct pt_regs *ctx, const struct sonde_alloc_arg *arg)
{
	u32 unused = 64 - 8 * (arg->size & 15);
	u64 value = 0;

	if (arg->kind == SONDE_ALLOC_ARG_CONST)
		return arg->value;
	bpf_probe_read_kernel(&value, sizeof(value), (void *)ctx + (arg->reg & 511));
	if (arg->kind == SONDE_ALLOC_ARG_MEMORY) {
		u64 from = value + arg->value;

		value = 0;
		if (bpf_probe_read_user(&value, sizeof(value), (void *)from))
			count(SONDE_CNT_READ_FAULT);
	}
	value <<= unused & 63;
	return arg->is_signed ? (u64)((s64)value >> (unused & 63)) : value >> (unused & 63);
}

#endif /* SONDE_USDT_BPF_H */
