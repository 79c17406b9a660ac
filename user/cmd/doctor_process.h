/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * doctor_process.h - `sonde doctor --pid`: what can be seen of a process. Only for user/cmd/doctor.c.
 */
#ifndef SONDE_CMD_DOCTOR_PROCESS_H
#define SONDE_CMD_DOCTOR_PROCESS_H

#include <stddef.h>
#include <sys/types.h>

enum sonde_doctor_format {
	SONDE_DOCTOR_TEXT,
	SONDE_DOCTOR_JSON,
};

/** sonde_doctor_processes - look at @nr processes and print what was seen; the exit code */
int sonde_doctor_processes(const pid_t *pid, size_t nr, enum sonde_doctor_format format);

#endif /* SONDE_CMD_DOCTOR_PROCESS_H */
