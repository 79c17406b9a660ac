/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * gc.h - garbage collections in recordings. Only for user/record.
 */
#ifndef SONDE_RECORD_GC_H
#define SONDE_RECORD_GC_H

struct sonde_gc;
struct sonde_record;

/** sonde_record_gc - write @gc, NULL: none. Returns 0 or -errno */
int sonde_record_gc(struct sonde_record *record, const struct sonde_gc *gc);

/**
 * sonde_record_gc_read - read into @gc, which is empty
 *
 * sonde_gc_sum() is next. Returns 0 or -errno: -EPROTO where something does not fit together.
 */
int sonde_record_gc_read(struct sonde_record *record, struct sonde_gc *gc);

#endif /* SONDE_RECORD_GC_H */
