/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * said.h - why the kernel refused something: what libbpf and the verifier said of it.
 */
#ifndef SONDE_LOAD_SAID_H
#define SONDE_LOAD_SAID_H

/** sonde_said_listen - from now on listen to libbpf; what was said before is forgotten */
void sonde_said_listen(void);

/** sonde_said_libbpf - libbpf's first complaint, "" if there was none */
const char *sonde_said_libbpf(void);

/** sonde_said_verifier - the verifier's last line that is not statistics, "" if there was none */
const char *sonde_said_verifier(void);

/** sonde_said_refused - as if libbpf had said that the kernel refused program @name with @err (> 0); @log: what the verifier said, NULL
 * nothing; it is taken apart */
void sonde_said_refused(const char *name, int err, char *log);

#endif /* SONDE_LOAD_SAID_H */
