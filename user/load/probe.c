// SPDX-License-Identifier: GPL-2.0-only
/*
 * probe.c - asks the kernel what it offers: looks up types, creates maps, loads programs of a few instructions.
 */
#include <bpf/bpf.h>
#include <bpf/btf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <linux/bpf.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/cap.h"
#include "base/exit.h"
#include "load/probe.h"
#include "load/uprobe.h"

static const struct sonde_feature_info features[] = {
#define SONDE_FEATURE(symbol, need, open, name, without, advice)                                                       \
	[SONDE_FEATURE_##symbol] = { SONDE_NEED_##need, open, name, without, advice },
#include "load/feature.def"
#undef SONDE_FEATURE
};

const struct sonde_feature_info *sonde_feature_info(enum sonde_feature feature)
{
	return &features[feature];
}

/* A program that returns 0, loaded as @type; -errno if the kernel or the privileges do not allow it. */
static int load_nothing(enum bpf_prog_type type)
{
	struct bpf_insn insns[] = {
		{ .code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_0 },
		{ .code = BPF_JMP | BPF_EXIT },
	};
	int fd = bpf_prog_load(type, NULL, "GPL", insns, 2, NULL);

	if (fd < 0)
		return -errno;
	close(fd);
	return 0;
}

static int say_nothing(enum libbpf_print_level level, const char *fmt, va_list args)
{
	return 0;
}

static bool have_map(enum bpf_map_type type)
{
	return libbpf_probe_bpf_map_type(type, NULL) == 1;
}

static bool have_tracepoint(const char *name)
{
	return libbpf_find_vmlinux_btf_id(name, BPF_TRACE_RAW_TP) > 0;
}

/* How many arguments a tracepoint hands to its programs. */
static u32 tracepoint_args(const char *name)
{
	struct btf *btf = btf__parse("/sys/kernel/btf/vmlinux", NULL);
	const struct btf_type *type;
	char typedef_name[128];
	u32 nr = 0;
	int id;

	if (!btf)
		return 0;
	snprintf(typedef_name, sizeof(typedef_name), "btf_trace_%s", name);
	id = btf__find_by_name_kind(btf, typedef_name, BTF_KIND_TYPEDEF);
	type = id > 0 ? btf__type_by_id(btf, (u32)id) : NULL; /* of a pointer to a function, whose first argument is not one */
	type = type ? btf__type_by_id(btf, type->type) : NULL;
	type = type && btf_is_ptr(type) ? btf__type_by_id(btf, type->type) : NULL;
	if (type && btf_is_func_proto(type) && btf_vlen(type))
		nr = btf_vlen(type) - 1U;
	btf__free(btf);
	return nr;
}

static bool have_call(const char *name)
{
	static const char *const mounts[] = { "/sys/kernel/tracing", "/sys/kernel/debug/tracing" };
	char path[128];

	for (size_t i = 0; i < sizeof(mounts) / sizeof(mounts[0]); i++) {
		snprintf(path, sizeof(path), "%s/events/syscalls/%s/id", mounts[i], name);
		if (!access(path, R_OK))
			return true;
	}
	return false;
}

static bool ask(enum sonde_feature feature)
{
	int fd;

	switch (feature) {
	case SONDE_FEATURE_PRIVILEGE:
		return load_nothing(BPF_PROG_TYPE_RAW_TRACEPOINT) == 0;
	case SONDE_FEATURE_BTF:
		return access("/sys/kernel/btf/vmlinux", R_OK) == 0;
	case SONDE_FEATURE_RINGBUF:
		return have_map(BPF_MAP_TYPE_RINGBUF);
	case SONDE_FEATURE_TASK_REGS:
		return libbpf_probe_bpf_helper(BPF_PROG_TYPE_KPROBE, BPF_FUNC_task_pt_regs, NULL) == 1;
	case SONDE_FEATURE_SOCK_TRACEPOINTS:
		return have_tracepoint("sock_send_length") && have_tracepoint("sock_recv_length");
	case SONDE_FEATURE_READY_TRACEPOINT:
		return have_tracepoint("sk_data_ready");
	case SONDE_FEATURE_SWITCH_STATE:
		return tracepoint_args("sched_switch") >= 4;
	case SONDE_FEATURE_CALL_TRACEPOINTS:
		return have_call("sys_enter_connect") && have_call("sys_exit_accept4");
	case SONDE_FEATURE_RSS_TRACEPOINT:
		return have_tracepoint("rss_stat");
	case SONDE_FEATURE_FAULT_TRACEPOINTS:
		return have_tracepoint("page_fault_user") && have_tracepoint("page_fault_kernel");
	case SONDE_FEATURE_RAW_TRACEPOINT:
		return have_tracepoint("sys_exit");
	case SONDE_FEATURE_SK_STORAGE:
		return have_map(BPF_MAP_TYPE_SK_STORAGE);
	case SONDE_FEATURE_UPROBE:
		return access("/sys/bus/event_source/devices/uprobe/type", R_OK) == 0;
	case SONDE_FEATURE_UPROBE_MULTI:
		return sonde_uprobe_caps()->multi;
	case SONDE_FEATURE_UPROBE_SESSION:
		return sonde_uprobe_caps()->session;
	case SONDE_FEATURE_BPF_STATS:
		fd = bpf_enable_stats(BPF_STATS_RUN_TIME);
		if (fd < 0)
			return false;
		close(fd);
		return true;
	default:
		return false;
	}
}

bool sonde_probe_have(enum sonde_feature feature)
{
	static signed char known[SONDE_FEATURE_MAX]; /* 0 not asked, 1 yes, -1 no */

	if (!known[feature]) {
		libbpf_print_fn_t print = libbpf_set_print(say_nothing); /* a "no" is an answer, not an error */

		known[feature] = ask(feature) ? 1 : -1;
		libbpf_set_print(print);
	}
	return known[feature] > 0;
}

static int lacks(struct sonde_load_error *err, int exit_code, int ret, enum sonde_feature feature)
{
	const struct sonde_feature_info *f = &features[feature];

	snprintf(err->text, sizeof(err->text), "this kernel has no %s: %s; %s", f->name, f->without, f->advice);
	err->exit_code = exit_code;
	return ret;
}

int sonde_probe_refused(struct sonde_load_error *err, int ret)
{
	char missing[128];

	sonde_cap_missing(SONDE_CAP_BIT(SONDE_CAP_BPF) | SONDE_CAP_BIT(SONDE_CAP_PERFMON), missing, sizeof(missing));
	if (missing[0])
		snprintf(err->text, sizeof(err->text), "not privileged: no %s; run as root, or see PRIVILEGES in sonde(8)",
			 missing);
	else if (sonde_cap_in_namespace())
		snprintf(err->text, sizeof(err->text),
			 "not privileged: CAP_BPF and CAP_PERFMON count for nothing in a user namespace (rootless container)");
	else
		snprintf(err->text, sizeof(err->text),
			 "the kernel refuses BPF programs (%s) although CAP_BPF and CAP_PERFMON are there: a container's "
			 "system call filter may forbid bpf(2), kernel lockdown must not be \"confidentiality\"",
			 strerror(-ret));
	err->exit_code = SONDE_EXIT_PRIVILEGE;
	return ret;
}

int sonde_probe_base(struct sonde_load_error *err)
{
	int ret = load_nothing(BPF_PROG_TYPE_RAW_TRACEPOINT);

	if (ret == -EPERM || ret == -EACCES)
		return sonde_probe_refused(err, ret);
	if (ret) {
		snprintf(err->text, sizeof(err->text), "this kernel does not load BPF programs (%s)", strerror(-ret));
		err->exit_code = SONDE_EXIT_KERNEL;
		return ret;
	}
	if (!sonde_probe_have(SONDE_FEATURE_BTF))
		return lacks(err, SONDE_EXIT_KERNEL, -EOPNOTSUPP, SONDE_FEATURE_BTF);
	if (!sonde_probe_have(SONDE_FEATURE_RINGBUF))
		return lacks(err, SONDE_EXIT_KERNEL, -EOPNOTSUPP, SONDE_FEATURE_RINGBUF);
	if (!sonde_probe_have(SONDE_FEATURE_TASK_REGS))
		return lacks(err, SONDE_EXIT_KERNEL, -EOPNOTSUPP, SONDE_FEATURE_TASK_REGS);
	return 0;
}

bool sonde_probe_no_memory(void)
{
	struct btf *btf = btf__parse("/sys/kernel/btf/vmlinux", NULL);
	bool none = !btf && errno == ENOMEM;

	btf__free(btf);
	return none;
}
