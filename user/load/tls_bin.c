// SPDX-License-Identifier: GPL-2.0-only
/*
 * tls_bin.c - looks into a file for OpenSSL or GnuTLS and decides where to probe it.
 *
 * The public functions are thin, and often begin with an instruction that is dear to probe (sub, endbr64, test). What does
 * the work is a local function that begins with a push. In OpenSSL since 1.1.1 SSL_read() and SSL_read_ex() share one
 * (SSL_peek() has another), and so do SSL_write() and SSL_write_ex(); since 3.2 the writing one has a flags argument before
 * the place of the result. gnutls_record_recv() passes its arguments on behind the record type.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "load/callee.h"
#include "load/go.h"
#include "load/tls_bin.h"
#include "sonde/tls_probe.h"

#define ARG SONDE_SITE_ARG
#define MAX_CODE 4096 /* bytes of a function that are read */

/* Where the loader looks at functions of a file. */
struct look {
	struct sonde_elf *elf;
	struct sonde_tls_bin *bin;
	u8 code[MAX_CODE];
};

static u32 args_of(u32 call)
{
	switch (call & 0xff) {
	case SONDE_TLS_OUT4:
		return ARG(0) | ARG(1) | ARG(3);
	case SONDE_TLS_OUT5:
		return ARG(0) | ARG(1) | ARG(4);
	case SONDE_TLS_TYPED:
		return ARG(0) | ARG(1) | ARG(2);
	case SONDE_TLS_PLAIN:
		return ARG(0) | ARG(1);
	default:
		return ARG(0);
	}
}

/* Add a function to the sites. Returns whether it can be probed. */
static bool add(struct look *l, const char *name, const char *inner, const struct sonde_elf_symbol *symbol, u32 call)
{
	struct sonde_tls_site *s = &l->bin->site[l->bin->nr_sites];
	ssize_t len;

	if (l->bin->nr_sites == SONDE_TLS_MAX_SITES)
		return false;
	*s = (struct sonde_tls_site){ .function = name, .inner = inner, .call = call, .addr = symbol->addr };
	len = sonde_elf_code(l->elf, symbol, l->code, sizeof(l->code));
	if (len < 0)
		s->err = len;
	else
		s->err = call ? sonde_site_return(l->code, len, args_of(call), &s->site)
			      : sonde_site_entry(l->code, len, args_of(call), &s->site);
	s->offset = symbol->offset + s->site.skip;
	l->bin->nr_sites++;
	return !s->err;
}

/* What a public function hands its arguments to, choice number @nth; false: nothing that is of use. */
static bool callee_of(struct look *l, const struct sonde_elf_symbol *symbol, size_t nth, struct sonde_callee *callee)
{
	struct sonde_callee all[SONDE_CALLEE_MAX];
	ssize_t len;

	if (!symbol->addr)
		return false;
	len = sonde_elf_code(l->elf, symbol, l->code, sizeof(l->code));
	if (len < 0 || sonde_callee_find(l->code, len, symbol->addr, all) <= nth)
		return false;
	*callee = all[nth];
	return true;
}

/* OpenSSL's inner function gets the arguments in place, and where to store the number of bytes fourth or fifth. */
static u32 openssl_call(const struct sonde_callee *c, u8 out)
{
	if (c->arg[1] != 1 || c->arg[2] != 2)
		return 0;
	return out == 3 ? SONDE_TLS_OUT4 : out == 4 ? SONDE_TLS_OUT5 : 0;
}

/*
 * Whether the one that returns the number (@plain) and the one that stores it (@ex, as its argument number @out) call the
 * same function, which is none that can be called from outside.
 */
static bool openssl_inner(struct look *l, const struct sonde_elf_symbol *plain, const struct sonde_elf_symbol *ex,
			  u8 out, const struct sonde_elf_symbol * not, u32 *call, struct sonde_elf_symbol *inner)
{
	struct sonde_callee a, b, other;

	if (!callee_of(l, plain, 0, &a) || !callee_of(l, ex, 0, &b) || a.target != b.target)
		return false;
	*call = openssl_call(&a, a.stack);
	if (!*call || *call != openssl_call(&b, b.arg[out]) || a.target == not ->addr ||
	    sonde_elf_in_plt(l->elf, a.target))
		return false;
	if (callee_of(l, not, 0, &other) && other.target == a.target)
		return false;
	return sonde_elf_symbol_at(l->elf, a.target, inner);
}

enum { READ, READ_EX, WRITE, WRITE_EX, WRITE_EX2, PEEK, FREE, NR_OPENSSL };

static const char *const openssl_names[NR_OPENSSL] = { "SSL_read",	"SSL_read_ex", "SSL_write", "SSL_write_ex",
						       "SSL_write_ex2", "SSL_peek",    "SSL_free" };

static bool cheap(struct look *l)
{
	const struct sonde_tls_site *s = &l->bin->site[l->bin->nr_sites - 1];

	return !s->err && s->site.cost == SONDE_SITE_EMULATED;
}

/* SSL_write_ex(s, buf, num, written) that only calls SSL_write_ex2(s, buf, num, 0, written), perhaps through the PLT. */
static bool is_ex2(struct look *l, const struct sonde_elf_symbol *ex, const struct sonde_elf_symbol *ex2)
{
	struct sonde_callee c;

	return ex2->addr && callee_of(l, ex, 0, &c) && c.arg[1] == 1 && c.arg[2] == 2 && c.arg[3] == 4 &&
	       (c.target == ex2->addr || sonde_elf_in_plt(l->elf, c.target));
}

/* One direction: the inner function if that is the cheaper one to probe, else the public ones. */
static bool openssl_way(struct look *l, const struct sonde_elf_symbol s[], size_t plain, size_t ex, u32 sent)
{
	const char *inner_name = sent ? "ssl_write_internal" : "ssl_read_internal";
	bool ex2 = sent && is_ex2(l, &s[ex], &s[WRITE_EX2]), any;
	struct sonde_elf_symbol inner;
	u32 call;

	if (openssl_inner(l, &s[plain], ex2 ? &s[WRITE_EX2] : &s[ex], ex2 ? 4 : 3, &s[PEEK], &call, &inner)) {
		if (add(l, openssl_names[plain], inner_name, &inner, call | sent) && cheap(l))
			return true;
		l->bin->nr_sites--;
	}
	any = add(l, openssl_names[plain], NULL, &s[plain], SONDE_TLS_PLAIN | sent);
	if (s[ex].addr && !ex2)
		any |= add(l, openssl_names[ex], NULL, &s[ex], SONDE_TLS_OUT4 | sent);
	if (sent && s[WRITE_EX2].addr)
		any |= add(l, openssl_names[WRITE_EX2], NULL, &s[WRITE_EX2], SONDE_TLS_OUT5 | sent);
	return any;
}

static void judge(struct sonde_tls_bin *bin, bool reads, bool writes, const char *read, const char *write)
{
	if (reads && writes)
		return;
	bin->err = -ENOEXEC;
	snprintf(bin->reason, sizeof(bin->reason), "%s%s%s cannot be probed: code not understood", reads ? "" : read,
		 reads || writes ? "" : " and ", writes ? "" : write);
}

int tls_bin_openssl(struct sonde_elf *elf, struct sonde_tls_bin *bin)
{
	struct sonde_elf_symbol s[NR_OPENSSL];
	struct look l = { .elf = elf, .bin = bin };
	bool reads, writes;

	sonde_elf_symbols(elf, openssl_names, NR_OPENSSL, s);
	if (!s[READ].addr || !s[WRITE].addr)
		return 0;
	bin->library = SONDE_TLS_OPENSSL;
	sonde_elf_build_id(elf, bin->build_id);
	reads = openssl_way(&l, s, READ, READ_EX, 0);
	writes = openssl_way(&l, s, WRITE, WRITE_EX, SONDE_TLS_SENT);
	if (s[FREE].addr)
		add(&l, openssl_names[FREE], NULL, &s[FREE], 0);
	judge(bin, reads, writes, "SSL_read", "SSL_write");
	return 1;
}

enum { RECV, SEND, SEND2, DEINIT, NR_GNUTLS };

static const char *const gnutls_names[NR_GNUTLS] = { "gnutls_record_recv", "gnutls_record_send", "gnutls_record_send2",
						     "gnutls_deinit" };

/* gnutls_record_recv(): the functions behind it, all of them, if each is cheap. */
static bool gnutls_recv(struct look *l, const struct sonde_elf_symbol *recv)
{
	size_t before = l->bin->nr_sites;
	struct sonde_elf_symbol inner;
	struct sonde_callee c;

	add(l, gnutls_names[RECV], NULL, recv, SONDE_TLS_PLAIN);
	if (cheap(l))
		return true;
	l->bin->nr_sites = before;
	for (size_t i = 0; callee_of(l, recv, i, &c); i++) {
		if (c.arg[1] != 2 || c.arg[2] != 3 || sonde_elf_in_plt(l->elf, c.target) ||
		    !sonde_elf_symbol_at(l->elf, c.target, &inner))
			break;
		add(l, gnutls_names[RECV], "_gnutls_recv_int", &inner, SONDE_TLS_TYPED);
	}
	if (l->bin->nr_sites > before && cheap(l))
		return true;
	l->bin->nr_sites = before;
	return add(l, gnutls_names[RECV], NULL, recv, SONDE_TLS_PLAIN);
}

/* gnutls_record_send() jumps to gnutls_record_send2() where there is one, through the linkage table or not. */
static bool gnutls_send(struct look *l, const struct sonde_elf_symbol *send, const struct sonde_elf_symbol *send2)
{
	u8 head[32];
	ssize_t len;
	s64 target;
	bool any;

	if (!send2->addr)
		return add(l, gnutls_names[SEND], NULL, send, SONDE_TLS_PLAIN | SONDE_TLS_SENT);
	any = add(l, gnutls_names[SEND2], NULL, send2, SONDE_TLS_PLAIN | SONDE_TLS_SENT);
	len = sonde_elf_code(l->elf, send, head, sizeof(head));
	if (len > 0 && sonde_site_jumps_to(head, len, &target) &&
	    (send->addr + target == send2->addr || sonde_elf_in_plt(l->elf, send->addr + target)))
		return any;
	return add(l, gnutls_names[SEND], NULL, send, SONDE_TLS_PLAIN | SONDE_TLS_SENT) || any;
}

int tls_bin_gnutls(struct sonde_elf *elf, struct sonde_tls_bin *bin)
{
	struct sonde_elf_symbol s[NR_GNUTLS];
	struct look l = { .elf = elf, .bin = bin };
	bool reads, writes;

	sonde_elf_symbols(elf, gnutls_names, NR_GNUTLS, s);
	if (!s[RECV].addr || !s[SEND].addr)
		return 0;
	bin->library = SONDE_TLS_GNUTLS;
	sonde_elf_build_id(elf, bin->build_id);
	reads = gnutls_recv(&l, &s[RECV]);
	writes = gnutls_send(&l, &s[SEND], &s[SEND2]);
	if (s[DEINIT].addr)
		add(&l, gnutls_names[DEINIT], NULL, &s[DEINIT], 0);
	judge(bin, reads, writes, gnutls_names[RECV], gnutls_names[SEND]);
	return 1;
}

static void add_go(struct sonde_tls_bin *bin, const char *function, const struct sonde_go_probe *p, u32 call)
{
	struct sonde_tls_site *s = &bin->site[bin->nr_sites];

	if (!p->addr)
		return;
	*s = (struct sonde_tls_site){
		.function = function,
		.call = call,
		.addr = p->addr,
		.offset = p->entry + p->site.skip,
		.site = p->site,
	};
	for (; (call & 0xff) == SONDE_TLS_GO_CALL && s->nr_returns < p->nr_ret && s->nr_returns < SONDE_TLS_MAX_RETURNS;
	     s->nr_returns++)
		s->ret[s->nr_returns] = p->ret[s->nr_returns];
	bin->nr_sites++;
}

/*
 * net/http's client (src/net/http/transport.go) has two goroutines for each connection: one that writes requests, one that reads
 * responses. Who wants a request to be sent hands it over in (*persistConn).roundTrip(), and what goes to the connection's socket
 * goes through persistConnWriter.Write(): both have the address of the persistConn in the first register.
 */
static void add_go_http(struct sonde_elf *elf, int fd, struct sonde_tls_bin *bin)
{
	static const char *const name[] = { "net/http.(*persistConn).roundTrip", "net/http.persistConnWriter.Write" };
	struct sonde_go_probe probe[2] = {};
	struct sonde_go go;

	if (sonde_go_find(elf, fd, name, 2, &go, probe) == 2) {
		add_go(bin, name[0], &probe[0], SONDE_TLS_GO_TRIP);
		add_go(bin, name[1], &probe[1], SONDE_TLS_GO_SENDS);
	}
}

/* Where goroutines are parked, seen from @probe, the address of the instruction that is probed in execute(). */
static void find_parks(struct sonde_elf *elf, int fd, u64 probe, struct sonde_go_parks *parks)
{
	static const char *const name[SONDE_GO_FNS] = {
#define SONDE_GO_FN(symbol, full, kind) [SONDE_GO_FN_##symbol] = full,
#include "sonde/go_park.def"
#undef SONDE_GO_FN
	};
	struct sonde_elf_symbol symbol[SONDE_GO_FNS] = {};

	if (sonde_go_functions(elf, fd, name, SONDE_GO_FNS, symbol) <= 0)
		return;
	for (size_t i = 0; i < SONDE_GO_FNS; i++) {
		if (symbol[i].addr)
			parks->fn[i] = (struct sonde_go_code){ .from = symbol[i].addr - probe, .bytes = symbol[i].size };
	}
}

/*
 * Threads run goroutines in turns (src/runtime/proc.go): execute(gp, inheritTime) has the current one run gp, schedule() is called
 * where that is parked, has lost its turn, or has ended.
 */
static void add_go_scheduler(struct sonde_elf *elf, int fd, struct sonde_tls_bin *bin)
{
	static const char *const name[] = { "runtime.execute", "runtime.schedule" };
	struct sonde_go_probe probe[2] = {};
	struct sonde_go go;

	if (sonde_go_find(elf, fd, name, 2, &go, probe) == 2) {
		add_go(bin, name[0], &probe[0], SONDE_TLS_GO_RUNS);
		add_go(bin, name[1], &probe[1], SONDE_TLS_GO_STOPS);
		find_parks(elf, fd, probe[0].addr + probe[0].site.skip, &bin->parks);
	}
}

int tls_bin_go(struct sonde_elf *elf, int fd, struct sonde_tls_bin *bin)
{
	static const u32 call[SONDE_GO_NR] = { SONDE_TLS_GO_CALL, SONDE_TLS_GO_CALL | SONDE_TLS_SENT, 0 };
	struct sonde_go go;
	int ret = sonde_go_tls(elf, fd, &go);

	if (ret < 0)
		return 0;
	bin->library = SONDE_TLS_GO;
	snprintf(bin->version, sizeof(bin->version), "%.*s", (int)sizeof(bin->version) - 1, go.version);
	if (!ret) {
		bin->err = -ENOEXEC;
		snprintf(bin->reason, sizeof(bin->reason), "%s", go.reason);
		return 1;
	}
	for (u32 i = 0; i < SONDE_GO_NR; i++)
		add_go(bin, sonde_go_function_name(i), &go.tls[i], call[i]);
	add_go_http(elf, fd, bin);
	add_go_scheduler(elf, fd, bin);
	return 1;
}
