/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * arch.bpf.h - system call numbers and where a task's saved registers hold number and arguments.
 */
#ifndef SONDE_ARCH_BPF_H
#define SONDE_ARCH_BPF_H

#include "sonde.bpf.h"

#if defined(__TARGET_ARCH_x86)
/* arch/x86/entry/syscalls/syscall_64.tbl */
#define NR_read 0
#define NR_write 1
#define NR_mmap 9
#define NR_munmap 11
#define NR_brk 12
#define NR_mremap 25
#define NR_madvise 28
#define NR_readv 19
#define NR_writev 20
#define NR_connect 42
#define NR_sendto 44
#define NR_recvfrom 45
#define NR_sendmsg 46
#define NR_recvmsg 47
#define NR_futex 202
#define NR_epoll_wait 232
#define NR_epoll_pwait 281
#define NR_sendmmsg 307
#define NR_io_uring_enter 426
#define NR_epoll_pwait2 441
#define REGS_NR(r) ((r)->orig_ax)
#define REGS_ARG0(r) ((r)->di)
#define REGS_ARG1(r) ((r)->si)
#define REGS_ARG2(r) ((r)->dx)
#define REGS_ARG3(r) ((r)->r10)
#define REGS_ARG4(r) ((r)->r8)
#define REGS_ARG5(r) ((r)->r9)
#define REGS_IS_COMPAT(r) (((r)->cs & 0xffff) == 0x23) /* __USER32_CS */
#elif defined(__TARGET_ARCH_arm64)
/* include/uapi/asm-generic/unistd.h; user_pt_regs is the stable beginning of pt_regs */
#define NR_read 63
#define NR_write 64
#define NR_readv 65
#define NR_writev 66
#define NR_futex 98
#define NR_connect 203
#define NR_sendto 206
#define NR_recvfrom 207
#define NR_sendmsg 211
#define NR_recvmsg 212
#define NR_brk 214
#define NR_munmap 215
#define NR_mremap 216
#define NR_mmap 222
#define NR_madvise 233
#define NR_epoll_wait NR_epoll_pwait /* there is none */
#define NR_epoll_pwait 22
#define NR_sendmmsg 269
#define NR_io_uring_enter 426
#define NR_epoll_pwait2 441
#define REGS_NR(r) ((u64)(u32)(r)->syscallno)
#define REGS_ARG0(r) ((r)->orig_x0)
#define REGS_ARG1(r) ((r)->regs[1])
#define REGS_ARG2(r) ((r)->regs[2])
#define REGS_ARG3(r) ((r)->regs[3])
#define REGS_ARG4(r) ((r)->regs[4])
#define REGS_ARG5(r) ((r)->regs[5])
#define REGS_IS_COMPAT(r) (((r)->pstate & 0x10) != 0) /* PSR_MODE32_BIT */
#else
#error "add this architecture's system call numbers"
#endif

/** struct call - the system call a task is in */
struct call {
	u64 nr;
	u64 arg0, arg1, arg2, arg3;
	bool compat; /* a 32-bit task's */
};

/* From registers that the verifier knows by type (bpf_task_pt_regs()) or that were copied: plain loads. */
static __always_inline void call_get(struct call *call, struct pt_regs *regs)
{
	call->nr = REGS_NR(regs);
	call->arg0 = REGS_ARG0(regs);
	call->arg1 = REGS_ARG1(regs);
	call->arg2 = REGS_ARG2(regs);
	call->arg3 = REGS_ARG3(regs);
	call->compat = REGS_IS_COMPAT(regs);
}

#endif /* SONDE_ARCH_BPF_H */
