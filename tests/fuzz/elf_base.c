// SPDX-License-Identifier: GPL-2.0-only
/*
 * elf_base.c - the ELF file that fuzz_elf and fuzz_module change: a small shared object with the names of SQLite, OpenSSL, GnuTLS
 * and Go, debugging information, symbols, a build id, and a table of Go's functions.
 */
static char *text_of_statement[8];

#define FUNCTION(name) __attribute__((noinline, visibility("default"))) int name

FUNCTION(inner)(void *ssl, void *buf, unsigned long num, unsigned long *done);

FUNCTION(sqlite3_step)(void *stmt)
{
	text_of_statement[0] = stmt;
	return stmt != 0;
}

FUNCTION(sqlite3_reset)(void *stmt) { return sqlite3_step(stmt) + 1; }
FUNCTION(sqlite3_finalize)(void *stmt) { return sqlite3_reset(stmt) + 1; }
FUNCTION(sqlite3_bind_int64)(void *stmt, int i, long long v) { return sqlite3_step(stmt) + i + (int)v; }
FUNCTION(sqlite3_bind_int)(void *stmt, int i, int v) { return sqlite3_bind_int64(stmt, i, v); }
__attribute__((visibility("default"))) char *sqlite3_sql(char **stmt) { return stmt ? stmt[3] : 0; }
__attribute__((visibility("default"))) char *sqlite3_db_handle(char **stmt) { return stmt ? stmt[0] : 0; }

FUNCTION(inner)(void *ssl, void *buf, unsigned long num, unsigned long *done)
{
	*done = num + sqlite3_step(ssl) + sqlite3_step(buf);
	return 1;
}

FUNCTION(SSL_read)(void *ssl, void *buf, int num)
{
	unsigned long done;

	return inner(ssl, buf, num, &done) ? (int)done : -1;
}

FUNCTION(SSL_read_ex)(void *ssl, void *buf, unsigned long num, unsigned long *done) { return inner(ssl, buf, num, done); }
FUNCTION(SSL_write)(void *ssl, void *buf, int num) { return SSL_read(ssl, buf, num) + 1; }
FUNCTION(SSL_write_ex)(void *ssl, void *buf, unsigned long num, unsigned long *done) { return inner(ssl, buf, num, done) + 1; }
FUNCTION(SSL_free)(void *ssl) { return sqlite3_step(ssl); }
FUNCTION(gnutls_record_recv)(void *s, void *buf, unsigned long num) { return SSL_read(s, buf, (int)num); }
FUNCTION(gnutls_record_send)(void *s, void *buf, unsigned long num) { return SSL_write(s, buf, (int)num); }
FUNCTION(gnutls_deinit)(void *s) { return SSL_free(s); }

static inline __attribute__((always_inline)) int inlined(int a) { return a * sqlite3_step(text_of_statement); }
FUNCTION(_ZN4shop5Order4listEv)(int a) { return inlined(a) + inlined(a + 1); }

/* Layout 1.20 (user/load/go_table.c): three functions, their names, and descriptions of eight bytes. */
asm(".pushsection .gopclntab, \"aw\"\n.balign 32\n"
    "head: .long 0xfffffff1; .byte 0, 0, 1, 8\n"
    ".quad 3, 1, SSL_read, names - head, units - head, units - head, units - head, functions - head\n"
    "names: .asciz \"crypto/tls.(*Conn).Read\"\nwrite: .asciz \"crypto/tls.(*Conn).Write\"\nmain: .asciz \"main.main\"\n.balign 8\n"
    "units: .quad 0, 0\n"
    "functions: .long 0, d0 - functions, SSL_read_ex - SSL_read, d1 - functions, SSL_write - SSL_read, d2 - functions,"
    " SSL_write_ex - SSL_read\n"
    "d0: .long 0, 0\nd1: .long 0, write - names\nd2: .long 0, main - names\n.long 0, 0\n"
    ".popsection\n"
    ".pushsection .note.go.buildid, \"a\", @note\n.long 4, 8, 4\n.asciz \"Go\\0\"\n.ascii \"go/build\"\n.popsection\n"
    ".pushsection .go.buildinfo, \"aw\"\n.balign 16\n.ascii \"\\377 Go buildinf:\\010\\002\"\n.zero 16\n.byte 8\n.ascii \"go1.22.1\"\n.popsection\n");

/* A structure whose members debugging information tells. */
struct counter {
	long before;
	long live;
};

long counter_live(const struct counter *c);
long counter_live(const struct counter *c)
{
	return c->live;
}
