// SPDX-License-Identifier: GPL-2.0-only
/*
 * syscall_line.c - one slow system call, as it has happened: a line for people, or one of JSON.
 */
#include <string.h>
#include <time.h>

#include "base/buf.h"
#include "base/str.h"
#include "base/utf8.h"
#include "model/syscall_name.h"
#include "out/file_text.h"
#include "out/jsonw.h"
#include "out/out.h"
#include "out/syscall.h"
#include "out/text.h"

#define AT_FDCWD_ARG (-100)

static void quoted(struct sonde_buf *buf, const char *s, size_t len, bool cut)
{
	sonde_buf_str(buf, "\"");
	sonde_utf8_clean(buf, s, len);
	sonde_buf_str(buf, cut ? "\"..." : "\"");
}

/* A descriptor with what it stands for: "5</var/log/syslog>". */
static void descriptor(struct sonde_buf *buf, u64 value, const struct sonde_file *file)
{
	struct sonde_buf text = {};

	sonde_buf_printf(buf, "%d", (int)value);
	if (!file || file->kind == SONDE_FILE_NONE)
		return;
	sonde_file_text(&text, file);
	sonde_buf_str(buf, "<");
	sonde_utf8_clean(buf, text.s ? text.s : "", text.len);
	sonde_buf_str(buf, ">");
	sonde_buf_free(&text);
}

/* Of execve(), told by the file that is executed now. */
static void program(struct sonde_buf *buf, const struct sonde_file *file)
{
	struct sonde_buf text = {};

	sonde_file_text(&text, file);
	quoted(buf, text.s ? text.s : "", text.len, false);
	sonde_buf_free(&text);
}

static void argument(struct sonde_buf *buf, char kind, u64 value, const struct sonde_file *file, bool first_path)
{
	switch (kind) {
	case 'f':
		descriptor(buf, value, file);
		break;
	case 'd':
		if ((int)value == AT_FDCWD_ARG)
			sonde_buf_str(buf, "AT_FDCWD");
		else
			sonde_buf_printf(buf, "%d", (int)value);
		break;
	case 'p':
		if (file && first_path && file->kind == SONDE_FILE_NONE && file->path[0])
			quoted(buf, file->path, strnlen(file->path, sizeof(file->path)), file->cut);
		else if (file && first_path && file->kind == SONDE_FILE_REGULAR && file->parts)
			program(buf, file);
		else
			sonde_buf_printf(buf, "0x%llx", (unsigned long long)value);
		break;
	case 'i':
		sonde_buf_printf(buf, "%d", (int)value);
		break;
	case 'u':
		sonde_buf_printf(buf, "%llu", (unsigned long long)value);
		break;
	case 'o':
		sonde_buf_printf(buf, "0%o", (unsigned int)value);
		break;
	default:
		if (value)
			sonde_buf_printf(buf, "0x%llx", (unsigned long long)value);
		else
			sonde_buf_str(buf, kind == 'a' ? "NULL" : "0");
		break;
	}
}

void sonde_syscall_call_text(struct sonde_buf *buf, u32 nr, const u64 arg[6], const struct sonde_file *file)
{
	const char *name = sonde_syscall_name(nr), *args = sonde_syscall_args(nr);
	bool first_path = true;

	if (name)
		sonde_buf_str(buf, name);
	else
		sonde_buf_printf(buf, "syscall_%u", nr);
	sonde_buf_str(buf, "(");
	for (u32 i = 0; args && args[i] && i < 6; i++) {
		sonde_buf_str(buf, i ? ", " : "");
		argument(buf, args[i], arg[i], i == 0 || args[i] != 'f' ? file : NULL, first_path);
		first_path &= args[i] != 'p';
	}
	sonde_buf_str(buf, args ? ")" : "...)");
}

static void result_text(struct sonde_buf *buf, s64 result)
{
	const char *error = result < 0 && result >= -(s64)SONDE_ERRNO_MAX ? sonde_errno_name((u32)-result) : NULL;

	if (error)
		sonde_buf_printf(buf, "%s", error);
	else if (result < 1LL << 32)
		sonde_buf_printf(buf, "%lld", (long long)result);
	else
		sonde_buf_printf(buf, "0x%llx", (unsigned long long)result);
}

static void for_people(const struct sonde_event_syscall *e, const struct sonde_syscall_line *ctx,
		       const struct sonde_out_opts *opts, struct sonde_buf *buf)
{
	u64 begin = e->start_ns + ctx->mono_to_unix_ns;
	time_t seconds = (time_t)(begin / 1000000000);
	struct sonde_buf call = {};
	char took[SONDE_STR_SHORT];
	struct tm tm;

	localtime_r(&seconds, &tm);
	sonde_buf_printf(buf, "%02d:%02d:%02d.%03u  ", tm.tm_hour, tm.tm_min, tm.tm_sec,
			 (unsigned int)(begin / 1000000 % 1000));
	sonde_text_style(buf, opts, SONDE_STYLE_BOLD);
	sonde_buf_printf(buf, "%7s", sonde_str_ns(took, e->took_ns));
	sonde_text_style(buf, opts, SONDE_STYLE_NONE);
	sonde_buf_str(buf, "  ");
	sonde_utf8_clean(buf, ctx->process, strlen(ctx->process));
	sonde_buf_printf(buf, "[%u", e->key.proc.tgid);
	if (e->tid != e->key.proc.tgid)
		sonde_buf_printf(buf, "/%u", e->tid);
	sonde_buf_str(buf, "]  ");
	sonde_syscall_call_text(&call, e->key.nr, e->arg, &e->file);
	sonde_buf_str(&call, " = ");
	sonde_buf_add(buf, call.s ? call.s : "", call.len);
	sonde_text_style(buf, opts, e->result < 0 ? SONDE_STYLE_BAD : SONDE_STYLE_NONE);
	result_text(buf, e->result);
	sonde_text_style(buf, opts, SONDE_STYLE_NONE);
	sonde_buf_str(buf, "\n");
	buf->failed |= call.failed;
	sonde_buf_free(&call);
}

static void for_machines(const struct sonde_event_syscall *e, const struct sonde_syscall_line *ctx,
			 struct sonde_buf *buf)
{
	const char *name = sonde_syscall_name(e->key.nr);
	struct sonde_json json = { .buf = buf };
	struct sonde_buf text = {};

	sonde_json_open(&json, NULL, '{');
	sonde_json_cstr(&json, "event", "slow_syscall");
	sonde_json_u64(&json, "start_unix_ns", e->start_ns + ctx->mono_to_unix_ns);
	sonde_json_u64(&json, "duration_ns", e->took_ns);
	sonde_json_u64(&json, "pid", e->key.proc.tgid);
	sonde_json_u64(&json, "tid", e->tid);
	sonde_json_cstr(&json, "process", ctx->process);
	sonde_json_cstr(&json, "thread", e->comm);
	if (name)
		sonde_json_cstr(&json, "name", name);
	sonde_json_u64(&json, "number", e->key.nr);
	sonde_syscall_call_text(&text, e->key.nr, e->arg, &e->file);
	sonde_json_str(&json, "call", text.s ? text.s : "", text.len);
	sonde_buf_cut(&text, 0);
	sonde_file_text(&text, &e->file);
	if (text.len)
		sonde_json_str(&json, e->file.kind == SONDE_FILE_SOCKET ? "socket" : "path", text.s, text.len);
	sonde_json_s64(&json, "result", e->result);
	if (e->result < 0 && e->result >= -(s64)SONDE_ERRNO_MAX && sonde_errno_name((u32)-e->result))
		sonde_json_cstr(&json, "error", sonde_errno_name((u32)-e->result));
	sonde_json_close(&json, '}');
	sonde_buf_str(buf, "\n");
	buf->failed |= text.failed;
	sonde_buf_free(&text);
}

void sonde_syscall_line(const void *event, const void *ctx, bool people, const struct sonde_out_opts *opts,
			struct sonde_buf *buf)
{
	if (people)
		for_people(event, ctx, opts, buf);
	else
		for_machines(event, ctx, buf);
}
