/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * go.bpf.h - registers of Go programs: arguments and results come in registers of their own, the goroutine stands in one all the time
 *	      (user/load/go.h).
 */
#ifndef SONDE_GO_BPF_H
#define SONDE_GO_BPF_H

#include "sonde.bpf.h"

#ifdef __TARGET_ARCH_x86
#define GO_ARG1(ctx) ((ctx)->ax)
#define GO_ARG2(ctx) ((ctx)->bx)
#define GO_ARG3(ctx) ((ctx)->cx)
#define GO_G(ctx) ((ctx)->r14)
#else
#define GO_ARG1(ctx) (((struct user_pt_regs *)(ctx))->regs[0])
#define GO_ARG2(ctx) (((struct user_pt_regs *)(ctx))->regs[1])
#define GO_ARG3(ctx) (((struct user_pt_regs *)(ctx))->regs[2])
#define GO_G(ctx) (((struct user_pt_regs *)(ctx))->regs[28])
#endif

#endif /* SONDE_GO_BPF_H */
