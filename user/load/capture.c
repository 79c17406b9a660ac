// SPDX-License-Identifier: GPL-2.0-only
/*
 * capture.c - the back ends for socket data: finds out which the kernel allows by trying, and switches their programs on.
 */
#include <bpf/bpf.h>
#include <bpf/btf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <linux/bpf.h>
#include <linux/perf_event.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/exit.h"
#include "load/capture.h"
#include "load/preempt.h"
#include "load/probe.h"
#include "sonde/config.h"
#include "sonde.skel.h"

static const struct {
	const char *name, *hooks;
} captures[] = {
	[SONDE_CAPTURE_AUTO] = { "", "" },
	[SONDE_CAPTURE_TRACEPOINT] = { "tracepoint", "socket tracepoints (sock_send_length, sock_recv_length)" },
	[SONDE_CAPTURE_FENTRY] = { "fentry", "the return of the socket functions (fexit on inet_sendmsg and others)" },
	[SONDE_CAPTURE_KPROBE] = { "kprobe", "kprobes on the socket functions (inet_sendmsg and others) and their return" },
	[SONDE_CAPTURE_SYSCALL] = { "syscall", "the exit of every system call (raw tracepoint sys_exit)" },
};

#define NR_CAPTURES ((int)(sizeof(captures) / sizeof(captures[0])))

/* Those that must all be there, for TCP and unix sockets. */
static const char *const functions[] = {
#define SONDE_SOCKET_SEND(name, function) #function,
#define SONDE_SOCKET_RECV(name, function) #function,
#include "sonde/socket_func.def"
};

#define NR_FUNCTIONS ((int)(sizeof(functions) / sizeof(functions[0])))

/* Those that must be declared in the same way, to share a program. */
static const struct {
	const char *function, *other;
} alike[] = {
#define SONDE_SOCKET_SEND(name, function)
#define SONDE_SOCKET_RECV(name, function)
#define SONDE_SOCKET_SEND_AS(name, function, other) { #function, #other },
#define SONDE_SOCKET_RECV_AS(name, function, other) { #function, #other },
#include "sonde/socket_func.def"
};

/* A program that does nothing. */
static const struct bpf_insn nothing[] = {
	{ .code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_0 },
	{ .code = BPF_JMP | BPF_EXIT },
};

const char *sonde_capture_name(enum sonde_capture capture)
{
	return captures[capture].name;
}

const char *sonde_capture_hooks(enum sonde_capture capture)
{
	return captures[capture].hooks;
}

/* The kernel's types; NULL if there are none. Kept: they are asked several times, and take a while to load. */
static const struct btf *kernel_btf(void)
{
	static struct btf *btf;

	if (!btf)
		btf = btf__load_vmlinux_btf();
	return btf;
}

/* The id of a function's prototype; 0: there is no such function. */
static u32 prototype_of(const char *function)
{
	const struct btf *btf = kernel_btf();
	int id = btf ? btf__find_by_name_kind(btf, function, BTF_KIND_FUNC) : -1;

	return id > 0 ? btf__type_by_id(btf, id)->type : 0;
}

static bool has_function(const char *name)
{
	return prototype_of(name) != 0;
}

/* Some kernels take such programs and refuse to attach them: only attaching tells. */
static int try_fexit(const char *function)
{
	LIBBPF_OPTS(bpf_prog_load_opts, opts, .expected_attach_type = BPF_TRACE_FEXIT);
	int prog, link, err = 0;

	opts.attach_btf_id = btf__find_by_name_kind(kernel_btf(), function, BTF_KIND_FUNC);
	prog = bpf_prog_load(BPF_PROG_TYPE_TRACING, "sonde_probe", "GPL", nothing, 2, &opts);
	if (prog < 0)
		return -errno;
	link = bpf_raw_tracepoint_open(NULL, prog);
	if (link < 0)
		err = -errno;
	else
		close(link);
	close(prog);
	return err;
}

/* Why fexit does not serve here. */
static const char *ask_fexit(char *why, size_t size)
{
	int err;

	for (int i = 0; i < NR_FUNCTIONS; i++) {
		if (!has_function(functions[i])) {
			snprintf(why, size, "this kernel's type information has no function %s", functions[i]);
			return why;
		}
	}
	for (size_t i = 0; i < sizeof(alike) / sizeof(alike[0]); i++) {
		if (prototype_of(alike[i].function) != prototype_of(alike[i].other)) {
			snprintf(why, size, "this kernel declares %s in another way than %s", alike[i].function,
				 alike[i].other);
			return why;
		}
	}
	err = try_fexit(functions[0]);
	if (err) {
		snprintf(why, size, "this kernel attaches no fexit programs to functions (%s)",
			 err == -524 ? "ENOTSUPP: no trampolines on this architecture" : strerror(-err));
		return why;
	}
	if (sonde_functions_preempt())
		return "this kernel preempts programs on functions, and skips them meanwhile";
	return NULL;
}

static int perf_kprobe(const char *function)
{
	struct perf_event_attr attr = { .size = sizeof(attr), .config1 = (uintptr_t)function };
	FILE *file = fopen("/sys/bus/event_source/devices/kprobe/type", "re");
	int fd;

	if (!file)
		return -EOPNOTSUPP;
	if (fscanf(file, "%u", &attr.type) != 1)
		attr.type = 0;
	fclose(file);
	fd = (int)syscall(SYS_perf_event_open, &attr, -1, 0, -1, PERF_FLAG_FD_CLOEXEC);
	if (fd < 0)
		return -errno;
	close(fd);
	return 0;
}

static const char *ask_kprobe(char *why, size_t size)
{
	int err;

	for (int i = 0; i < NR_FUNCTIONS; i++) {
		err = perf_kprobe(functions[i]);
		if (err == -EOPNOTSUPP)
			return "this kernel has no kprobes (CONFIG_KPROBE_EVENTS)";
		if (err) {
			snprintf(why, size, "this kernel allows no kprobe on %s (%s)", functions[i], strerror(-err));
			return why;
		}
	}
	return NULL;
}

static const char *ask(enum sonde_capture capture, char *why, size_t size)
{
	switch (capture) {
	case SONDE_CAPTURE_TRACEPOINT:
		if (!sonde_probe_have(SONDE_FEATURE_SOCK_TRACEPOINTS))
			return "this kernel has no tracepoint sock_send_length (Linux 6.3 or later has)";
		return sonde_probe_have(SONDE_FEATURE_SK_STORAGE) ? NULL : "this kernel has no socket storage";
	case SONDE_CAPTURE_FENTRY:
		return ask_fexit(why, size);
	case SONDE_CAPTURE_KPROBE:
		return ask_kprobe(why, size);
	case SONDE_CAPTURE_SYSCALL:
		return sonde_probe_have(SONDE_FEATURE_RAW_TRACEPOINT) ? NULL
								       : "this kernel has no raw tracepoint sys_exit";
	default:
		return NULL;
	}
}

static int say_nothing(enum libbpf_print_level level, const char *fmt, va_list args)
{
	return 0;
}

const char *sonde_capture_why_not(enum sonde_capture capture)
{
	static struct {
		bool known;
		const char *why;
		char text[160];
	} answers[NR_CAPTURES];
	libbpf_print_fn_t print;

	if (!answers[capture].known) {
		print = libbpf_set_print(say_nothing); /* a "no" is an answer, not an error */
		answers[capture].why = ask(capture, answers[capture].text, sizeof(answers[capture].text));
		answers[capture].known = true;
		libbpf_set_print(print);
	}
	return answers[capture].why;
}

static enum sonde_capture first_possible(void)
{
	for (int i = SONDE_CAPTURE_AUTO + 1; i < NR_CAPTURES; i++)
		if (!sonde_capture_why_not(i))
			return i;
	return SONDE_CAPTURE_AUTO;
}

int sonde_capture_choose(enum sonde_capture wanted, enum sonde_capture *chosen, struct sonde_load_error *err)
{
	enum sonde_capture first;

	*chosen = wanted;
	if (wanted != SONDE_CAPTURE_AUTO && !sonde_capture_why_not(wanted))
		return 0;
	first = first_possible();
	err->exit_code = SONDE_EXIT_KERNEL;
	if (first == SONDE_CAPTURE_AUTO) {
		snprintf(err->text, sizeof(err->text),
			 "this kernel offers no way to see socket data; see `sonde doctor`");
		return -EOPNOTSUPP;
	}
	if (wanted != SONDE_CAPTURE_AUTO) {
		snprintf(err->text, sizeof(err->text), "%s: use --capture %s, or leave --capture out",
			 sonde_capture_why_not(wanted), sonde_capture_name(first));
		return -EOPNOTSUPP;
	}
	*chosen = first;
	return 0;
}

static void use_tracepoints(struct sonde_bpf *skel, bool twice)
{
	bpf_program__set_autoload(skel->progs.sk_data, !twice);
	bpf_program__set_autoload(skel->progs.sk_data_turn, twice);
	bpf_program__set_autoload(skel->progs.sk_send, !twice);
	bpf_program__set_autoload(skel->progs.sk_recv, !twice);
	bpf_program__set_autoload(skel->progs.sk_shut, !twice);
	bpf_program__set_autoload(skel->progs.sk_shut_1st, twice);
	bpf_program__set_autoload(skel->progs.sk_send_1st, twice);
	bpf_program__set_autoload(skel->progs.sk_recv_1st, twice);
	bpf_program__set_autoload(skel->progs.sk_send_2nd, twice);
	bpf_program__set_autoload(skel->progs.sk_recv_2nd, twice);
}

static void use_functions(struct sonde_bpf *skel)
{
	bpf_program__set_autoload(skel->progs.sk_shut, true);
#define SONDE_SOCKET_SEND(name, function) bpf_program__set_autoload(skel->progs.fx_##name, true);
#define SONDE_SOCKET_RECV(name, function) bpf_program__set_autoload(skel->progs.fx_##name, true);
#define SONDE_SOCKET_PAGE(name, function) bpf_program__set_autoload(skel->progs.fx_##name, has_function(#function));
#include "sonde/socket_func.def"
}

static void use_kprobes(struct sonde_bpf *skel)
{
	bpf_program__set_autoload(skel->progs.kp_send, true);
	bpf_program__set_autoload(skel->progs.kp_recv, true);
	bpf_program__set_autoload(skel->progs.kp_return, true);
	bpf_program__set_autoload(skel->progs.kp_shut, true);
}

static void use_syscalls(struct sonde_bpf *skel, bool twice)
{
	bpf_program__set_autoload(skel->progs.sys_exit, !twice);
	bpf_program__set_autoload(skel->progs.sys_exit_1st, twice);
	bpf_program__set_autoload(skel->progs.sys_exit_2nd, twice);
}

void sonde_capture_prepare(struct sonde_bpf *skel, enum sonde_capture capture)
{
	bool twice = sonde_tracepoints_preempt();
	bool stored = capture == SONDE_CAPTURE_TRACEPOINT || capture == SONDE_CAPTURE_FENTRY;

	bpf_program__set_autoattach(skel->progs.sk_data, false);
	bpf_program__set_autoattach(skel->progs.sk_data_turn, false);
	/* Calls bpf_loop (Linux 5.17); without it, what is outstanding at the end is not told from what ended. */
	bpf_program__set_autoload(skel->progs.count_open,
				  stored && libbpf_probe_bpf_helper(BPF_PROG_TYPE_KPROBE, BPF_FUNC_loop, NULL) == 1);
	bpf_program__set_autoattach(skel->progs.count_open, false); /* at the end, see settle.c */
	if (capture == SONDE_CAPTURE_TRACEPOINT)
		use_tracepoints(skel, twice);
	else if (capture == SONDE_CAPTURE_FENTRY)
		use_functions(skel);
	else if (capture == SONDE_CAPTURE_KPROBE)
		use_kprobes(skel);
	else
		use_syscalls(skel, twice);
	if (stored)
		bpf_map__set_max_entries(skel->maps.conn_hash, 1);
	if (capture != SONDE_CAPTURE_KPROBE)
		bpf_map__set_max_entries(skel->maps.func_calls, 1);
}

/** struct kprobe - one to attach */
struct kprobe {
	struct bpf_program *prog;
	const char *function;
	bool ret, optional;
};

static int put(const struct bpf_map *map, u32 index, const struct bpf_program *prog)
{
	int fd = bpf_program__fd(prog);

	return bpf_map_update_elem(bpf_map__fd(map), &index, &fd, BPF_ANY) ? -errno : 0;
}

/* The programs that those on the hooks call. */
static int connect_tracepoints(struct sonde_bpf *skel)
{
	bool turns = bpf_program__autoload(skel->progs.sk_data_turn);

	return put(skel->maps.sk_work, 0, turns ? skel->progs.sk_data_turn : skel->progs.sk_data);
}

static int connect_functions(struct sonde_bpf *skel)
{
	int err = put(skel->maps.fx_tail_send, 0, skel->progs.fx_inet_send);

	return err ? err : put(skel->maps.fx_tail_recv, 0, skel->progs.fx_inet_recv);
}

static int attach_kprobes(struct sonde_bpf *skel, struct bpf_link *link[SONDE_CAPTURE_LINKS])
{
	/* Returns first: a call whose return is not seen would be taken for one that was missed. */
	const struct kprobe probes[] = {
#define SONDE_SOCKET_SEND(name, function) { skel->progs.kp_return, #function, true, false },
#define SONDE_SOCKET_RECV(name, function) { skel->progs.kp_return, #function, true, false },
#define SONDE_SOCKET_PAGE(name, function) { skel->progs.kp_return, #function, true, true },
#include "sonde/socket_func.def"
#define SONDE_SOCKET_SEND(name, function) { skel->progs.kp_send, #function, false, false },
#define SONDE_SOCKET_RECV(name, function) { skel->progs.kp_recv, #function, false, false },
#define SONDE_SOCKET_PAGE(name, function) { skel->progs.kp_send, #function, false, true },
#include "sonde/socket_func.def"
	};
	int nr = 0;

	_Static_assert(sizeof(probes) / sizeof(probes[0]) <= SONDE_CAPTURE_LINKS, "room for all kprobes");
	for (size_t i = 0; i < sizeof(probes) / sizeof(probes[0]); i++) {
		const struct kprobe *p = &probes[i];

		if (p->optional && !has_function(p->function))
			continue;
		link[nr] = bpf_program__attach_kprobe(p->prog, p->ret, p->function);
		if (!link[nr])
			return -errno;
		nr++;
	}
	return 0;
}

int sonde_capture_attach(struct sonde_bpf *skel, enum sonde_capture capture, struct bpf_link *link[SONDE_CAPTURE_LINKS])
{
	if (capture == SONDE_CAPTURE_TRACEPOINT)
		return connect_tracepoints(skel);
	if (capture == SONDE_CAPTURE_FENTRY)
		return connect_functions(skel);
	return capture == SONDE_CAPTURE_KPROBE ? attach_kprobes(skel, link) : 0;
}

bool sonde_capture_first(const struct sonde_bpf *skel, const struct bpf_program *prog)
{
	return prog == skel->progs.sk_send_1st || prog == skel->progs.sk_recv_1st || prog == skel->progs.sys_exit_1st;
}
