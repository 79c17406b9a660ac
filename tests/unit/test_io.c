// SPDX-License-Identifier: GPL-2.0-only
/* test_io.c - input and output: which calls are, grouping, printing. */
#include "unit.h"

#include "base/buf.h"
#include "model/hist.h"
#include "model/io.h"
#include "model/snapshot.h"
#include "model/strings.h"
#include "out/out.h"

static void ops(void **state)
{
	assert_int_equal(sonde_io_op_of("pread64"), SONDE_IO_READ);
	assert_int_equal(sonde_io_op_of("writev"), SONDE_IO_WRITE);
	assert_int_equal(sonde_io_op_of("fdatasync"), SONDE_IO_SYNC);
	assert_int_equal(sonde_io_op_of("readlink"), SONDE_IO_NONE);
	assert_string_equal(sonde_io_op_name(SONDE_IO_READ), "read");
	assert_string_equal(sonde_io_op_name(77), "");
	(void)state;
}

static void row(struct sonde_io *io, const char *process, u32 pid, u64 inode, u32 op, u64 count, u64 ns)
{
	struct sonde_io_row *to = sonde_io_row(io);

	assert_non_null(to);
	to->process = process;
	to->device = "vda";
	to->key = (struct sonde_io_key){ .proc = { pid, 1 }, .file = { .inode = inode, .dev = 9 }, .op = op };
	to->stat.count = count;
	to->stat.bytes = count * 100;
	for (u64 i = 0; i < count; i++)
		sonde_hist_add(&to->stat.hist, ns);
	if (inode == 1) {
		to->path.kind = SONDE_FILE_REGULAR;
		to->path.parts = 2;
		memcpy(to->path.path, "one\0tmp", 8);
	}
}

static struct sonde_io *filled(void)
{
	struct sonde_io *io = sonde_io_new();
	struct sonde_io_disk *disk;

	row(io, "app", 10, 1, SONDE_IO_READ, 10, 1000000);
	row(io, "app", 11, 1, SONDE_IO_READ, 5, 4000000);
	row(io, "app", 11, 2, SONDE_IO_READ, 1, 9000);
	row(io, "db", 20, 1, SONDE_IO_SYNC, 2, 500000000);
	disk = sonde_io_disk(io);
	disk->name = "vda";
	disk->op = SONDE_IO_SYNC;
	disk->stat.count = 4;
	sonde_hist_add(&disk->stat.hist, 20000000);
	sonde_io_sort(io);
	return io;
}

static void groups(void **state)
{
	struct sonde_io *io = filled(), *group;

	assert_string_equal(io->row[0]->process, "db");
	group = sonde_io_group(io);
	assert_int_equal(group->nr, 3);
	assert_int_equal(group->row[1]->stat.count, 15);
	assert_int_equal(group->row[1]->nr_procs, 2);
	assert_int_equal(group->row[1]->nr_files, 1);
	sonde_io_free(group);
	io->by = SONDE_IO_BY_PROCESS;
	group = sonde_io_group(io);
	assert_int_equal(group->nr, 2);
	assert_int_equal(group->row[1]->stat.count, 16);
	assert_int_equal(group->row[1]->stat.bytes, 1600);
	sonde_io_free(group);
	io->by = SONDE_IO_BY_DEVICE;
	group = sonde_io_group(io);
	assert_int_equal(group->nr, 2);
	sonde_io_free(group);
	sonde_io_free(io);
	(void)state;
}

/* Many files of two file systems: the same time in order of their keys, devices by time, then by operation. */
static void orders(void **state)
{
	struct sonde_io *io = sonde_io_new(), *group;
	struct sonde_io_disk *disk;

	assert_non_null(io);
	for (u32 i = 0; i < 100; i++) {
		row(io, i & 1 ? "odd" : "even", 200 - i, i + 2, SONDE_IO_WRITE, 1, 1000);
		if (i & 1)
			io->row[i]->device = "vdb";
		io->row[i]->stat.errors = 1;
		io->row[i]->stat.device = 1;
		io->row[i]->stat.device_bytes = 4096;
	}
	for (u32 op = SONDE_IO_SYNC; op >= SONDE_IO_READ; op--) {
		disk = sonde_io_disk(io);
		assert_non_null(disk);
		disk->op = op;
		sonde_hist_add(&disk->stat.hist, op == SONDE_IO_WRITE ? 2000 : 1000);
	}
	sonde_io_sort(io);
	assert_int_equal(io->row[0]->key.proc.tgid, 101);
	assert_int_equal(io->row[99]->key.proc.tgid, 200);
	assert_int_equal(io->disk[0].op, SONDE_IO_WRITE);
	assert_int_equal(io->disk[1].op, SONDE_IO_READ);
	assert_int_equal(io->disk[2].op, SONDE_IO_SYNC);
	io->by = SONDE_IO_BY_PROCESS;
	group = sonde_io_group(io);
	assert_int_equal(group->nr, 2);
	assert_int_equal(group->row[0]->nr_procs, 50);
	assert_int_equal(group->row[0]->nr_files, 50);
	assert_int_equal(group->row[0]->stat.errors, 50);
	assert_int_equal(group->row[0]->stat.device_bytes, 50 * 4096);
	sonde_io_free(group);
	io->by = SONDE_IO_BY_DEVICE;
	group = sonde_io_group(io); /* all have the same number here: one, of several processes and names */
	assert_int_equal(group->nr, 1);
	assert_string_equal(group->row[0]->process, "");
	assert_string_equal(group->row[0]->device, "");
	sonde_io_free(group);
	sonde_io_free(io);
	sonde_io_free(NULL);
	(void)state;
}

static void reports(void **state)
{
	struct sonde_strings *strings = sonde_strings_new();
	struct sonde_snapshot *snap = sonde_snapshot_new(strings);
	struct sonde_buf buf = {};

	sonde_strings_put(strings);
	snap->io = filled();
	snap->view = SONDE_VIEW_IO;
	snap->capture = "";
	snap->duration_ns = 10000000000ULL;
	snap->final = true;
	for (unsigned int width = 40; width <= 180; width += 20) {
		sonde_buf_cut(&buf, 0);
		sonde_outs[SONDE_OUT_text]->render(snap, &(struct sonde_out_opts){ .command = "io", .width = width },
						   &buf);
		assert_non_null(strstr(buf.s, "sync"));
	}
	assert_non_null(strstr(buf.s, "sonde io: 16 reads, 0 writes, 2 syncs of files in 10.0s"));
	assert_non_null(strstr(buf.s, "/tmp/one"));
	assert_non_null(strstr(buf.s, "inode 2"));
	assert_non_null(strstr(buf.s, "flush"));
	sonde_buf_cut(&buf, 0);
	sonde_outs[SONDE_OUT_json]->render(snap, &(struct sonde_out_opts){ .command = "io", .top = 3 }, &buf);
	assert_non_null(strstr(
		buf.s, "\"files\":[{\"operation\":\"sync\",\"pid\":20,\"process\":\"db\",\"path\":\"/tmp/one\""));
	assert_non_null(strstr(buf.s, "\"files_left_out\":1"));
	assert_non_null(strstr(buf.s, "\"devices\":[{\"device\":\"vda\",\"operation\":\"flush\",\"count\":4"));
	sonde_buf_free(&buf);
	sonde_snapshot_free(snap);
	(void)state;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(ops),
		cmocka_unit_test(groups),
		cmocka_unit_test(orders),
		cmocka_unit_test(reports),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
