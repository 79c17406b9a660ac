// SPDX-License-Identifier: GPL-2.0-only
/* test_syscall.c - system calls: names, what is known of them, collecting, grouping, printing. */
#include <asm/unistd.h>
#include <errno.h>
#include <stdio.h>

#include "unit.h"

#include "base/buf.h"
#include "collect/syscall.h"
#include "model/hist.h"
#include "model/snapshot.h"
#include "model/syscall.h"
#include "model/syscall_name.h"
#include "out/file_text.h"
#include "out/out.h"
#include "out/syscall.h"

static void names(void **state)
{
	assert_string_equal(sonde_syscall_name(__NR_openat), "openat");
	assert_int_equal(sonde_syscall_number("fsync", 5), __NR_fsync);
	assert_int_equal(sonde_syscall_number("fsync,", 5), __NR_fsync);
	assert_int_equal(sonde_syscall_number("fsyn", 4), -1);
	assert_int_equal(sonde_syscall_number("", 0), -1);
	assert_null(sonde_syscall_name(SONDE_SYSCALL_MAX));
	assert_null(sonde_syscall_name(UINT32_MAX));
	assert_string_equal(sonde_errno_name(ENOENT), "ENOENT");
	assert_string_equal(sonde_errno_name(512), "ERESTARTSYS");
	assert_string_equal(sonde_errno_name(516), "ERESTART_RESTARTBLOCK");
	assert_null(sonde_errno_name(515));
	assert_null(sonde_errno_name(4000));
	(void)state;
}

static void whats(void **state)
{
	static const char *const calls[] = {
#define SONDE_SYSCALL(name, what, args) #name,
#include "model/syscall.def"
#undef SONDE_SYSCALL
	};
	size_t known = 0;

	assert_int_equal(sonde_syscall_what(__NR_read), SONDE_SYSCALL_READS | SONDE_SYSCALL_FD);
	assert_int_equal(sonde_syscall_what(__NR_openat), SONDE_SYSCALL_PATH1);
	assert_int_equal(sonde_syscall_what(__NR_execve), SONDE_SYSCALL_PATH0);
	assert_int_equal(sonde_syscall_what(__NR_futex), SONDE_SYSCALL_WAITS);
	assert_int_equal(sonde_syscall_what(__NR_getppid), 0);
	for (size_t i = 0; i < sizeof(calls) / sizeof(calls[0]); i++)
		known += sonde_syscall_number(calls[i], strlen(calls[i])) >= 0;
	assert_true(known > 90); /* of those, some exist on one architecture only */
	(void)state;
}

/* A row of @count calls, each of @ns. */
static void row(struct sonde_sysc *sysc, u32 tgid, u32 nr, u32 on, u64 count, u64 ns, u64 errors)
{
	struct sonde_syscall_key key = { .proc = { tgid, 1 }, .nr = (u16)nr, .on = (u16)on };
	struct sonde_syscall_stat stat = { .count = count, .errors = errors };

	for (u64 i = 0; i < count; i++)
		sonde_hist_add(&stat.hist, ns);
	assert_int_equal(sonde_sysc_row(sysc, &key, &stat), 0);
	if (errors) {
		struct sonde_syscall_errno e = { .row = key, .error = ENOENT };

		assert_int_equal(sonde_sysc_error(sysc, &e, errors), 0);
	}
}

static struct sonde_sysc *filled(void)
{
	struct sonde_syscall_call call = {
		.start_ns = 1000, .key = { .proc = { 10, 1 }, .nr = __NR_flock }, .arg = { 5, 2 }, .tid = 11
	};
	struct sonde_sysc *sysc = sonde_sysc_new();

	assert_non_null(sysc);
	assert_int_equal(sonde_sysc_proc(sysc, &(struct sonde_proc){ 10, 1 }, "app", "/a"), 0);
	assert_int_equal(sonde_sysc_proc(sysc, &(struct sonde_proc){ 20, 1 }, "app", "/b"), 0);
	row(sysc, 10, __NR_openat, 0, 10, 1000000, 4);
	row(sysc, 20, __NR_openat, 0, 5, 3000000, 2);
	row(sysc, 20, __NR_read, SONDE_FILE_SOCKET, 2, 900000000, 0);
	row(sysc, 20, __NR_read, SONDE_FILE_REGULAR, 2, 2000, 0);
	row(sysc, 20, 480, 0, 1, 5000, 0);
	assert_int_equal(sonde_sysc_now(sysc, &call, 2000001000), 0);
	return sysc;
}

static void snapshot(void **state)
{
	struct sonde_sysc *sysc = filled();
	struct sonde_snapshot *snap = sonde_sysc_snapshot(sysc);
	const struct sonde_syscalls *calls = snap->syscalls;
	struct sonde_coverage cov;

	assert_int_equal(calls->nr, 5);
	assert_string_equal(calls->row[0]->name, "openat");
	assert_int_equal(calls->row[0]->pid, 20);
	assert_string_equal(calls->row[0]->cgroup, "/b");
	assert_int_equal(calls->row[0]->error[0].count, 2);
	/* What waits comes last, however long; a number that has no name gets one. */
	assert_true(calls->row[4]->waits);
	assert_string_equal(calls->row[4]->on, "socket");
	assert_string_equal(calls->row[2]->name, "syscall_480");
	assert_string_equal(calls->row[3]->on, "file");
	assert_int_equal(calls->nr_now, 1);
	assert_int_equal(calls->now[0].since_ns, 2000000000);
	assert_string_equal(calls->now[0].process, "app");
	sonde_snapshot_coverage(snap, &cov);
	assert_int_equal(cov.seen, 21);
	assert_int_equal(cov.attributed, 20);
	assert_int_equal(cov.outstanding, 1);
	assert_int_equal(calls->row[0]->recent, 5);
	sonde_snapshot_free(snap);
	snap = sonde_sysc_snapshot(sysc);
	assert_int_equal(snap->syscalls->row[0]->recent, 0);
	sonde_snapshot_free(snap);
	sonde_sysc_free(sysc);
	(void)state;
}

static void groups(void **state)
{
	struct sonde_sysc *sysc = filled();
	struct sonde_snapshot *snap;
	struct sonde_syscalls *group;

	sonde_sysc_by(sysc, SONDE_SYSCALL_BY_PROCESS, 0);
	snap = sonde_sysc_snapshot(sysc);
	group = sonde_syscalls_group(snap->syscalls);
	assert_int_equal(group->nr, 4);
	assert_int_equal(group->row[0]->count, 15);
	assert_int_equal(group->row[0]->errors, 6);
	assert_int_equal(group->row[0]->nr_errors, 1);
	assert_int_equal(group->row[0]->error[0].count, 6);
	assert_int_equal(group->row[0]->nr_procs, 2);
	assert_int_equal(group->row[0]->hist.sum_ns, 25000000);
	sonde_syscalls_free(group);
	snap->syscalls->by = SONDE_SYSCALL_BY_CGROUP;
	group = sonde_syscalls_group(snap->syscalls);
	assert_int_equal(group->nr, 5);
	sonde_syscalls_free(group);
	sonde_snapshot_free(snap);
	sonde_sysc_free(sysc);
	(void)state;
}

/* A row of a list, with one call that took @ns. */
static struct sonde_syscall *listed(struct sonde_syscalls *calls, u32 nr, u32 pid, u32 tid, u64 ns)
{
	struct sonde_syscall *row = sonde_syscalls_row(calls);

	assert_non_null(row);
	row->nr = nr;
	row->pid = pid;
	row->tid = tid;
	row->process = pid < 100 ? "app" : "other";
	row->cgroup = pid & 1 ? "/odd" : "/even";
	row->count = 1;
	sonde_hist_add(&row->hist, ns);
	return row;
}

static void orders(void **state)
{
	struct sonde_syscalls *calls = sonde_syscalls_new();
	struct sonde_syscall_now now[3] = {
		{ .call = { .what = SONDE_SYSCALL_WAITS }, .since_ns = 900 },
		{ .since_ns = 10 },
		{ .since_ns = 20 },
	};
	struct sonde_syscall *row;

	assert_non_null(calls);
	/* The same time: more calls first, then by process, thread and number. */
	listed(calls, 3, 20, 2, 1000);
	listed(calls, 2, 20, 2, 1000);
	listed(calls, 1, 20, 1, 1000);
	listed(calls, 1, 10, 9, 1000);
	row = listed(calls, 9, 30, 1, 1000);
	row->count = 2;
	row = listed(calls, 7, 1, 1, 1000000);
	row->waits = true;
	for (u64 i = 0; i < 3; i++)
		assert_int_equal(sonde_syscall_add_error(calls->row[0], EAGAIN, 1), 0);
	assert_int_equal(sonde_syscall_add_error(calls->row[0], EPERM, 3), 0);
	assert_int_equal(sonde_syscall_add_error(calls->row[0], EIO, 7), 0);
	calls->now = malloc(sizeof(now));
	assert_non_null(calls->now);
	memcpy(calls->now, now, sizeof(now));
	calls->nr_now = 3;
	sonde_syscalls_sort(calls);
	assert_int_equal(calls->row[0]->nr, 9);
	assert_int_equal(calls->row[1]->pid, 10);
	assert_int_equal(calls->row[2]->tid, 1);
	assert_int_equal(calls->row[3]->nr, 2);
	assert_int_equal(calls->row[4]->nr, 3);
	assert_int_equal(calls->row[5]->nr, 7);
	assert_int_equal(calls->row[4]->error[0].error, EIO);
	assert_int_equal(calls->row[4]->error[1].error, EPERM); /* as many as EAGAIN, which is the greater number */
	assert_int_equal(calls->row[4]->error[2].count, 3);
	assert_int_equal(calls->now[0].since_ns, 20);
	assert_int_equal(calls->now[2].since_ns, 900);
	assert_int_equal(sonde_syscalls_count(calls), 7);
	sonde_syscalls_free(calls);
	(void)state;
}

/* Many rows: what they are grouped by decides how many are left, and nothing is lost on the way. */
static void grouped_by(void **state)
{
	static const struct {
		enum sonde_syscall_by by;
		size_t rows;
	} expected[] = {
		{ SONDE_SYSCALL_BY_CALL, 2 },
		{ SONDE_SYSCALL_BY_PROCESS, 4 },
		{ SONDE_SYSCALL_BY_CGROUP, 4 },
		{ SONDE_SYSCALL_BY_THREAD, 150 },
	};
	struct sonde_syscalls *calls = sonde_syscalls_new();

	assert_non_null(calls);
	for (u32 i = 0; i < 150; i++) {
		struct sonde_syscall *row = listed(calls, i / 2 & 1, 50 + i, i, 1000);

		assert_int_equal(sonde_syscall_add_error(row, i % 3 + 1, 1), 0);
		row->errors = 1;
	}
	for (size_t i = 0; i < sizeof(expected) / sizeof(expected[0]); i++) {
		struct sonde_syscalls *group;
		u64 errors = 0;

		calls->by = expected[i].by;
		group = sonde_syscalls_group(calls);
		assert_non_null(group);
		assert_int_equal(group->nr, expected[i].rows);
		assert_int_equal(sonde_syscalls_count(group), 150);
		for (size_t j = 0; j < group->nr; j++)
			for (size_t k = 0; k < group->row[j]->nr_errors; k++)
				errors += group->row[j]->error[k].count;
		assert_int_equal(errors, 150);
		if (expected[i].by == SONDE_SYSCALL_BY_CALL)
			assert_string_equal(group->row[0]->process, ""); /* of several names */
		sonde_syscalls_free(group);
	}
	sonde_syscalls_free(calls);
	(void)state;
}

static void events(void **state)
{
	struct sonde_sysc *sysc = sonde_sysc_new();
	struct sonde_event_syscall e = { .head = { .type = SONDE_EVENT_SYSCALL, .size = sizeof(e) } }, out;
	struct sonde_syscall_line line = { .process = "app" };
	struct sonde_out_opts opts = { .width = 160 };
	struct sonde_buf buf = {};

	assert_false(sonde_syscall_event(&e, sizeof(e) - 1, &out));
	assert_false(sonde_syscall_event(&e, 0, &out));
	e.head.type = SONDE_EVENT_TEXT;
	assert_false(sonde_syscall_event(&e, sizeof(e), &out));
	e.head.type = SONDE_EVENT_SYSCALL;
	e.key = (struct sonde_syscall_key){ .proc = { 7, 1 }, .nr = __NR_openat };
	e.tid = 8;
	e.arg[0] = (u64)-100;
	e.arg[2] = 0x80000;
	e.result = -ENOENT;
	e.took_ns = 12000000;
	memset(e.file.path, 'x', sizeof(e.file.path)); /* no end */
	memset(e.comm, 'y', sizeof(e.comm));
	assert_true(sonde_syscall_event(&e, sizeof(e), &out));
	assert_int_equal(strlen(out.comm), sizeof(e.comm) - 1);
	strcpy(out.file.path, "/etc/\033[31mx");
	sonde_syscall_line(&out, &line, true, &opts, &buf);
	assert_non_null(strstr(buf.s, "12.0ms  app[7/8]  openat(AT_FDCWD, \"/etc/"));
	assert_null(strchr(buf.s, '\033'));
	assert_non_null(strstr(buf.s, "\", 0x80000, 00) = ENOENT\n"));
	sonde_buf_cut(&buf, 0);
	sonde_syscall_line(&out, &line, false, &opts, &buf);
	assert_non_null(strstr(buf.s, "\"error\":\"ENOENT\""));
	sonde_buf_free(&buf);
	sonde_sysc_free(sysc);
	(void)state;
}

static void file_is(const struct sonde_file *file, const char *text)
{
	struct sonde_buf buf = {};

	sonde_file_text(&buf, file);
	assert_string_equal(buf.s ? buf.s : "", text);
	sonde_buf_free(&buf);
}

static void files(void **state)
{
	struct sonde_file file = { .kind = SONDE_FILE_REGULAR, .parts = 3 };
	struct sonde_buf buf = {};

	memcpy(file.path, "c\0bb\0aaa", 9);
	file_is(&file, "/aaa/bb/c");
	file.cut = 1;
	file_is(&file, ".../aaa/bb/c");
	file.parts = 255; /* more than there is */
	memset(file.path, 'z', sizeof(file.path));
	sonde_file_text(&buf, &file);
	assert_true(buf.len <= 2 * sizeof(file.path) + 32);
	sonde_buf_free(&buf);
	file_is(&(struct sonde_file){ .kind = SONDE_FILE_PIPE }, "pipe");
	file_is(&(struct sonde_file){ .kind = 200 }, "");
	file_is(&(struct sonde_file){ .kind = SONDE_FILE_SOCKET,
				      .family = 2,
				      .local_port = 1,
				      .remote_port = 2,
				      .local = { 10, 0, 0, 1 },
				      .remote = { 10, 0, 0, 2 } },
		"10.0.0.1:1->10.0.0.2:2");
	file_is(&(struct sonde_file){ .kind = SONDE_FILE_SOCKET, .family = 1, .path = "@x" }, "unix:@x");
	file_is(&(struct sonde_file){ .kind = SONDE_FILE_SOCKET, .family = 16 }, "socket");
	(void)state;
}

static void reports(void **state)
{
	struct sonde_sysc *sysc = filled();
	struct sonde_snapshot *snap = sonde_sysc_snapshot(sysc);
	struct sonde_buf buf = {};

	snap->capture = "";
	snap->duration_ns = 10000000000ULL;
	snap->final = true;
	for (unsigned int width = 40; width <= 200; width += 20) {
		struct sonde_out_opts opts = { .command = "syscall", .width = width };

		sonde_buf_cut(&buf, 0);
		sonde_outs[SONDE_OUT_text]->render(snap, &opts, &buf);
		for (const char *line = buf.s; *line; line += strcspn(line, "\n") + 1)
			assert_true(strcspn(line, "\n") <= (width < 60 ? 60 : width) || strstr(line, "coverage"));
		assert_non_null(strstr(buf.s, "openat"));
	}
	assert_non_null(strstr(buf.s, "waits"));
	assert_non_null(strstr(buf.s, "app, 2 processes"));
	assert_non_null(strstr(buf.s, "errors: openat of app: 6 ENOENT"));
	assert_non_null(strstr(buf.s, "in progress: for 2.00s  app[11]  flock(5, 2)"));
	sonde_buf_cut(&buf, 0);
	sonde_outs[SONDE_OUT_json]->render(snap, &(struct sonde_out_opts){ .command = "syscall", .top = 1 }, &buf);
	assert_non_null(strstr(buf.s, "\"syscalls\":[{\"name\":\"openat\""));
	assert_non_null(strstr(buf.s, "\"syscalls_left_out\":4"));
	assert_non_null(strstr(buf.s, "\"errors\":{\"ENOENT\":2}"));
	sonde_buf_free(&buf);
	sonde_snapshot_free(snap);
	sonde_sysc_free(sysc);
	(void)state;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(names),   cmocka_unit_test(whats),  cmocka_unit_test(snapshot),
		cmocka_unit_test(groups),  cmocka_unit_test(events), cmocka_unit_test(files),
		cmocka_unit_test(reports), cmocka_unit_test(orders), cmocka_unit_test(grouped_by),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
