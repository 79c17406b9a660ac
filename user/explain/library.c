// SPDX-License-Identifier: GPL-2.0-only
/*
 * library.c - client libraries, loaded when they are needed.
 */
#include "explain/server.h"

#include <dlfcn.h>
#include <errno.h>
#include <stdarg.h>
#include <string.h>

#include "base/buf.h"
#include "base/utf8.h"

void sonde_server_say(char *err, size_t err_size, const char *fmt, ...)
{
	struct sonde_buf raw = { NULL }, clean = { NULL };
	va_list ap;
	size_t len;

	if (!err_size)
		return;
	va_start(ap, fmt);
	sonde_buf_vprintf(&raw, fmt, ap);
	va_end(ap);
	/* Libraries end their messages with a newline. */
	while (raw.len && (raw.s[raw.len - 1] == '\n' || raw.s[raw.len - 1] == ' '))
		raw.len--;
	sonde_utf8_clean(&clean, raw.s ? raw.s : "", raw.len);
	len = clean.len < err_size ? clean.len : err_size - 1;
	/* Never half a character. */
	while (len && len < clean.len && ((unsigned char)clean.s[len] & 0xc0) == 0x80)
		len--;
	memcpy(err, clean.s ? clean.s : "", len);
	err[len] = '\0';
	sonde_buf_free(&raw);
	sonde_buf_free(&clean);
}

int sonde_library_load(void *table, const struct sonde_library_function *functions, const char *const *names,
		       const char *package, char *err, size_t err_size)
{
	void *library = NULL;
	const char *why;
	size_t i;

	for (i = 0; !library && names[i]; i++) {
		library = dlopen(names[i], RTLD_NOW | RTLD_LOCAL);
		/* The first name is the usual one, so its error is the one to tell. */
		if (!library && i == 0) {
			why = dlerror();
			sonde_server_say(err, err_size, "needs %s (Debian package %s): %s", names[0], package,
					 why ? why : "cannot be loaded");
		}
	}
	if (!library)
		return -ELIBACC;
	for (i = 0; functions[i].name; i++) {
		void *function = dlsym(library, functions[i].name);

		if (!function) {
			sonde_server_say(err, err_size, "%s has no %s: it is too old or another library", names[0],
					 functions[i].name);
			dlclose(library);
			return -ELIBACC;
		}
		memcpy((char *)table + functions[i].offset, &function, sizeof(function));
	}
	return 0;
}
