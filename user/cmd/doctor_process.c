// SPDX-License-Identifier: GPL-2.0-only
/*
 * doctor_process.c - `sonde doctor --pid`: what can be seen of a process, what cannot, and why.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/exit.h"
#include "base/file.h"
#include "base/log.h"
#include "base/str.h"
#include "base/utf8.h"
#include "cmd/doctor_process.h"
#include "load/inspect.h"
#include "load/probe.h"
#include "load/uprobe.h"
#include "out/jsonw.h"

/* ---- text ---- */

static void row(struct sonde_buf *out, const char *name)
{
	sonde_buf_printf(out, "  %-12s ", name);
}

static void clean(struct sonde_buf *out, const char *s)
{
	sonde_utf8_clean(out, s, strlen(s));
}

static void text_site(struct sonde_buf *out, const struct sonde_inspect_site *s)
{
	/* where it jumps to says nothing to people */
	int insn = s->site.insn[0] == 'j' ? (int)strcspn(s->site.insn, " ") : (int)strlen(s->site.insn);
	char cost[SONDE_STR_SHORT];

	sonde_buf_printf(out, "  %-12s   ", "");
	if (s->err) {
		sonde_buf_printf(out, "%-41s cannot be probed: %s\n", s->function, strerror(-s->err));
		return;
	}
	sonde_buf_printf(out, "%-41s %6s a call: %.*s at +%u", s->function, sonde_str_ns(cost, s->cost_ns), insn,
			 s->site.insn, s->site.skip);
	if (s->points > 1)
		sonde_buf_printf(out, " and %u returns", s->points - 1);
	sonde_buf_printf(out, ", %s\n", sonde_site_cost_name(s->site.cost));
}

static void text_item(struct sonde_buf *out, const struct sonde_inspect_item *item)
{
	row(out, item->err ? "not read" : item->kind == SONDE_INSPECT_RUNTIME ? "runs on" : "read");
	sonde_buf_str(out, item->name);
	if (*item->version) {
		sonde_buf_str(out, " ");
		clean(out, item->version);
	}
	sonde_buf_str(out, item->program ? ", in the program itself" : "  ");
	if (!item->program)
		clean(out, item->path);
	if (item->deleted)
		sonde_buf_str(out, " (deleted: the file was replaced after the process had begun)");
	if (item->nr_sites && !item->symbols && item->program)
		sonde_buf_str(out, ", stripped");
	sonde_buf_str(out, "\n");
	if (*item->reason)
		sonde_buf_printf(out, "  %-12s   %s\n", "", item->reason);
	for (size_t i = 0; i < item->nr_sites; i++)
		text_site(out, &item->site[i]);
}

static void text_kind(struct sonde_buf *out, const struct sonde_inspect *in, u32 kinds, const char *title,
		      const char *none)
{
	bool any = false;

	sonde_buf_printf(out, "\n%s\n", title);
	for (size_t i = 0; i < in->nr_items; i++) {
		if (!(kinds >> in->item[i].kind & 1))
			continue;
		text_item(out, &in->item[i]);
		any = true;
	}
	if (!any)
		sonde_buf_printf(out, "  %s\n", none);
}

static void text_namespaces(struct sonde_buf *out, const struct sonde_inspect *in)
{
	const char *comma = "";

	row(out, "namespaces");
	if (!in->other_mnt && !in->other_pid && !in->other_net) {
		sonde_buf_str(out, "the same as sonde's\n");
		return;
	}
	sonde_buf_str(out, "other than sonde's: ");
	if (in->other_mnt) {
		sonde_buf_str(out, "mount (its files are found through /proc)");
		comma = ", ";
	}
	if (in->other_pid) {
		sonde_buf_printf(out, "%spid (it is process %d there)", comma, in->inner_pid);
		comma = ", ";
	}
	if (in->other_net)
		sonde_buf_printf(out, "%snetwork", comma);
	sonde_buf_str(out, "\n");
}

static void text_process(struct sonde_buf *out, const struct sonde_inspect *in)
{
	sonde_buf_printf(out, "Process %d: ", in->pid);
	clean(out, in->comm);
	if (!*in->exe) {
		sonde_buf_str(out, "\n  a thread of the kernel, or a process that is ending: nothing to see\n");
		return;
	}
	sonde_buf_str(out, " (");
	clean(out, in->exe);
	sonde_buf_printf(out, "%s)\n", in->exe_deleted ? ", deleted" : "");
	row(out, "program");
	sonde_buf_str(out, in->compat ? "32 bits: not traced\n" : "64 bits\n");
	text_namespaces(out, in);
	row(out, "sockets");
	sonde_buf_printf(out, "%u open\n", in->sockets);
	row(out, "io_uring");
	if (in->rings)
		sonde_buf_printf(out, "%u open: what is sent and received through it is not seen, only counted\n",
				 in->rings);
	else
		sonde_buf_str(out, "not used\n");
	if (in->unread) {
		row(out, "files");
		sonde_buf_printf(out, "%u that it executes could not be opened\n", in->unread);
	}
	for (size_t i = 0; i < in->nr_items; i++)
		if (in->item[i].kind == SONDE_INSPECT_RUNTIME)
			text_item(out, &in->item[i]);
	if (in->compat)
		return;
	text_kind(out, in, 1u << SONDE_INSPECT_TLS, "TLS",
		  "no library found: if the process uses TLS, what it says cannot be read");
	text_kind(out, in, 1u << SONDE_INSPECT_EMBEDDED | 1u << SONDE_INSPECT_CLIENT, "Databases",
		  "no library found; drivers without one are read from the sockets all the same");
}

/* ---- JSON ---- */

static void json_site(struct sonde_json *json, const struct sonde_inspect_site *s)
{
	sonde_json_open(json, NULL, '{');
	sonde_json_cstr(json, "function", s->function);
	if (s->err) {
		sonde_json_cstr(json, "error", strerror(-s->err));
	} else {
		sonde_json_cstr(json, "instruction", s->site.insn);
		sonde_json_u64(json, "offset", s->site.skip);
		sonde_json_cstr(json, "cost", sonde_site_cost_name(s->site.cost));
		sonde_json_u64(json, "cost_ns", s->cost_ns);
		sonde_json_u64(json, "points", s->points);
	}
	sonde_json_close(json, '}');
}

static void json_item(struct sonde_json *json, const struct sonde_inspect_item *item)
{
	sonde_json_open(json, NULL, '{');
	sonde_json_cstr(json, "kind", sonde_inspect_kind_name(item->kind));
	sonde_json_cstr(json, "name", item->name);
	if (*item->version)
		sonde_json_cstr(json, "version", item->version);
	sonde_json_cstr(json, "path", item->path);
	if (*item->build_id)
		sonde_json_cstr(json, "build_id", item->build_id);
	sonde_json_bool(json, "in_program", item->program);
	sonde_json_bool(json, "deleted", item->deleted);
	sonde_json_bool(json, "symbols", item->symbols);
	if (item->kind != SONDE_INSPECT_RUNTIME)
		sonde_json_bool(json, "read", !item->err);
	if (*item->reason)
		sonde_json_cstr(json, "reason", item->reason);
	sonde_json_open(json, "probes", '[');
	for (size_t i = 0; i < item->nr_sites; i++)
		json_site(json, &item->site[i]);
	sonde_json_close(json, ']');
	sonde_json_close(json, '}');
}

static void json_process(struct sonde_json *json, const struct sonde_inspect *in)
{
	sonde_json_open(json, NULL, '{');
	sonde_json_s64(json, "pid", in->pid);
	sonde_json_cstr(json, "process", in->comm);
	sonde_json_cstr(json, "program", in->exe);
	sonde_json_bool(json, "program_deleted", in->exe_deleted);
	sonde_json_bool(json, "traced", *in->exe && !in->compat);
	sonde_json_u64(json, "bits", in->compat ? 32 : 64);
	sonde_json_open(json, "other_namespaces", '[');
	if (in->other_mnt)
		sonde_json_cstr(json, NULL, "mnt");
	if (in->other_pid)
		sonde_json_cstr(json, NULL, "pid");
	if (in->other_net)
		sonde_json_cstr(json, NULL, "net");
	sonde_json_close(json, ']');
	sonde_json_s64(json, "inner_pid", in->inner_pid);
	sonde_json_u64(json, "sockets", in->sockets);
	sonde_json_u64(json, "io_uring", in->rings);
	sonde_json_u64(json, "unread_files", in->unread);
	sonde_json_open(json, "libraries", '[');
	for (size_t i = 0; i < in->nr_items; i++)
		json_item(json, &in->item[i]);
	sonde_json_close(json, ']');
	sonde_json_close(json, '}');
}

/* What was found could be probed; whether this kernel can, too. Without the privilege that cannot be told. */
static void ask_kernel(struct sonde_inspect *in)
{
	bool uprobes, cookies;

	if (!sonde_probe_have(SONDE_FEATURE_PRIVILEGE))
		return;
	uprobes = sonde_probe_have(SONDE_FEATURE_UPROBE);
	cookies = uprobes && sonde_uprobe_caps()->cookies;
	for (size_t i = 0; i < in->nr_items; i++) {
		struct sonde_inspect_item *item = &in->item[i];

		if (item->err || !item->nr_sites || (cookies && uprobes) ||
		    (uprobes && item->kind != SONDE_INSPECT_TLS))
			continue;
		item->err = -EOPNOTSUPP;
		snprintf(item->reason, sizeof(item->reason), "%s",
			 uprobes ? "this kernel's uprobes carry no cookies (Linux 5.15 on)"
				 : "this kernel has no uprobes for BPF");
	}
}

static int look(struct sonde_buf *out, struct sonde_json *json, pid_t pid)
{
	struct sonde_inspect in;
	int err = sonde_inspect(pid, &in);

	if (err == -ESRCH)
		sonde_error("no process %d", pid);
	else if (err == -EACCES)
		sonde_error("process %d may not be looked at: no CAP_SYS_PTRACE; run as root", pid);
	else if (err)
		sonde_error("process %d: %s", pid, strerror(-err));
	if (!err) {
		ask_kernel(&in);
		if (json)
			json_process(json, &in);
		else
			text_process(out, &in);
	}
	sonde_inspect_free(&in);
	return !err ? SONDE_EXIT_OK : err == -EACCES ? SONDE_EXIT_PRIVILEGE : SONDE_EXIT_FAILURE;
}

int sonde_doctor_processes(const pid_t *pid, size_t nr, enum sonde_doctor_format format)
{
	struct sonde_buf out = {};
	struct sonde_json json = { .buf = &out };
	int worst = SONDE_EXIT_OK, ret;

	if (format == SONDE_DOCTOR_JSON) {
		sonde_json_open(&json, NULL, '{');
		sonde_json_cstr(&json, "schema", "sonde-doctor/1");
		sonde_json_open(&json, "processes", '[');
	}
	for (size_t i = 0; i < nr; i++) {
		if (i && format == SONDE_DOCTOR_TEXT)
			sonde_buf_str(&out, "\n");
		ret = look(&out, format == SONDE_DOCTOR_JSON ? &json : NULL, pid[i]);
		if (ret > worst)
			worst = ret;
	}
	if (format == SONDE_DOCTOR_JSON) {
		sonde_json_close(&json, ']');
		sonde_json_close(&json, '}');
		sonde_buf_str(&out, "\n");
	}
	if (out.failed || sonde_file_write_all(STDOUT_FILENO, out.s, out.len))
		worst = SONDE_EXIT_FAILURE;
	sonde_buf_free(&out);
	return worst;
}
