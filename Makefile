# SPDX-License-Identifier: GPL-2.0-only
# Builds sonde. `make help` lists the targets; V=1 shows the commands; O=DIR builds elsewhere.

VERSION := 0.1.0

.DEFAULT_GOAL := all
.DELETE_ON_ERROR:
MAKEFLAGS += --no-builtin-rules
# For a make within a recipe: on all processors, unless make was told with how many.
JOBS = $(if $(filter -j% --jobserver-%,$(MAKEFLAGS)),,-j$(shell nproc))
SHELL := /bin/bash

O ?= build
# Where the BPF side is built: instrumented builds of the user side share it.
BPF_O ?= $(O)
V ?= 0
Q := $(if $(filter 1,$(V)),,@)
say = $(if $(filter 1,$(V)),,@printf '  %-8s %s\n' $(1) $(2))

PREFIX ?= /usr/local
DESTDIR ?=
SBINDIR ?= $(PREFIX)/sbin
LIBDIR ?= $(PREFIX)/lib
MANDIR ?= $(PREFIX)/share/man
BASHCOMPDIR ?= $(PREFIX)/share/bash-completion/completions
ZSHCOMPDIR ?= $(PREFIX)/share/zsh/site-functions

CLANG ?= clang
CC ?= gcc
PKG_CONFIG ?= pkg-config
BPFTOOL ?= $(firstword $(wildcard /usr/local/sbin/bpftool /usr/sbin/bpftool /usr/bin/bpftool) bpftool)
HOSTARCH := $(shell uname -m | sed 's/x86_64/x86/;s/aarch64/arm64/')
ARCH ?= $(HOSTARCH)

LIBS := libbpf libelf libdw zlib capstone jansson libseccomp ncursesw sqlite3
# Evaluated late, so that `make help` and `make setup` work before the packages are there, and once.
PKG_CFLAGS = $(eval PKG_CFLAGS := $$(shell $(PKG_CONFIG) --cflags $(LIBS) 2>/dev/null))$(PKG_CFLAGS)
PKG_LIBS = $(eval PKG_LIBS := $$(shell $(PKG_CONFIG) --libs $(LIBS) 2>/dev/null))$(PKG_LIBS)

WARN := -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wpointer-arith -Wwrite-strings -Wvla
# Warnings are errors in a checkout; a release build with another compiler passes WERROR=.
WERROR ?= $(if $(wildcard .git),-Werror)
CFLAGS ?= -O2 -g
CPPFLAGS_ALL = -Iinclude -Iuser -I$(O) -I$(BPF_O) -D_GNU_SOURCE -DSONDE_VERSION='"$(VERSION)"' -DSONDE_LIBDIR='"$(LIBDIR)"' $(CPPFLAGS) $(PKG_CFLAGS)
CFLAGS_ALL = -std=gnu11 $(CFLAGS) -fno-strict-aliasing $(WARN) -Wno-unused-parameter -Wno-missing-field-initializers $(WERROR)
LDLIBS_ALL = $(PKG_LIBS) -liberty -ldl -lpthread -lm $(LDLIBS)

MULTIARCH = $(eval MULTIARCH := $$(shell $(CC) -print-multiarch 2>/dev/null))$(MULTIARCH)
BPF_CFLAGS = -target bpf -mcpu=v3 -O2 -g -D__TARGET_ARCH_$(ARCH) -Iinclude -Ibpf -I$(BPF_O) -Ivmlinux/$(ARCH) \
	$(PKG_CFLAGS) -idirafter /usr/include/$(MULTIARCH) -std=gnu11 -fno-strict-aliasing -Wall -Wextra -Wno-unused-parameter \
	-Wno-missing-field-initializers -Wno-missing-declarations -Wno-address-of-packed-member $(WERROR)

# Those that define maps others use come first: bpftool 7.1 loses a map that is declared before it is defined.
BPF_SRC := $(sort $(wildcard bpf/*.bpf.c))
BPF_FIRST := bpf/maps.bpf.c bpf/sql.bpf.c bpf/comment.bpf.c bpf/socket.bpf.c bpf/unwind.bpf.c
BPF_OBJ := $(patsubst %.c,$(BPF_O)/%.o,$(BPF_FIRST) $(filter-out $(BPF_FIRST),$(BPF_SRC)))
USER_SRC := $(sort $(shell find user -name '*.c'))
USER_OBJ := $(USER_SRC:%.c=$(O)/%.o)
LIB_OBJ := $(filter-out $(O)/user/main.o,$(USER_OBJ))
UNIT_SRC := $(sort $(wildcard tests/unit/test_*.c))
UNIT_BIN := $(UNIT_SRC:%.c=$(O)/%)
BPFT_SRC := $(sort $(wildcard tests/bpf/test_*.c))
BPFT_BIN := $(BPFT_SRC:%.c=$(O)/%)

SKEL := $(BPF_O)/sonde.skel.h

##@ Build
.PHONY: all
all: $(O)/sonde $(O)/libsonde-alloc.so $(O)/libsonde-alloc.a ## build the program (build/sonde)

# Each library is there, or is named with what to do.
$(O)/gen/libraries: Makefile
	@mkdir -p $(@D)
	$(Q)missing=; for lib in $(LIBS); do $(PKG_CONFIG) --exists $$lib || missing="$$missing $$lib"; done; \
		[ -z "$$missing" ] || { echo "needed to build, but not found by $(PKG_CONFIG):$$missing; run scripts/setup.sh build" >&2; exit 1; }
	$(Q)touch $@

# The protocols' headers, from the rows of proto.def.
$(BPF_O)/gen/protocols.bpf.h: include/sonde/proto.def Makefile
	@mkdir -p $(@D)
	$(Q)sed -n 's,^SONDE_PROTO_WIRE(.* \([a-z0-9_]*\))$$,#include "proto/\1.bpf.h",p' $< > $@
$(BPF_O)/gen/protocols.h: include/sonde/proto.def Makefile
	@mkdir -p $(@D)
	$(Q)sed -n 's,^SONDE_PROTO_WIRE(.* \([a-z0-9_]*\))$$,#include "sonde/proto/\1.h",p' $< > $@

# Names of system calls: "[__NR_read] = "read"," a line, from the headers of the architecture that is built for.
$(O)/gen/syscalls.inc: Makefile
	@mkdir -p $(@D)
	$(Q)echo '#include <asm/unistd.h>' | $(CC) $(CPPFLAGS) -E -dM - | \
		sed -nE '/__NR_(syscalls|arch_specific_syscall) /d; s/^#define __NR_([a-z0-9_]+) .*/[__NR_\1] = "\1",/p' | sort > $@

$(BPF_O)/bpf/%.bpf.o: bpf/%.bpf.c Makefile | $(O)/gen/libraries $(BPF_O)/gen/protocols.bpf.h $(BPF_O)/gen/protocols.h
	$(call say,BPF,$<)
	@mkdir -p $(@D)
	$(Q)$(CLANG) $(BPF_CFLAGS) -MMD -MP -c $< -o $@

$(BPF_O)/sonde.bpf.o: $(BPF_OBJ)
	$(call say,BPFLINK,$@)
	$(Q)$(BPFTOOL) gen object $@ $^

$(SKEL): $(BPF_O)/sonde.bpf.o
	$(call say,SKEL,$@)
	$(Q)$(BPFTOOL) gen skeleton $< name sonde_bpf > $@

# Only user/load sees the skeleton; order-only so that the first build makes it before any compile.
$(O)/user/%.o: user/%.c Makefile | $(SKEL) $(O)/gen/libraries $(O)/gen/syscalls.inc
	$(call say,CC,$<)
	@mkdir -p $(@D)
	$(Q)$(CC) $(CPPFLAGS_ALL) $(CFLAGS_ALL) -MMD -MP -c $< -o $@

$(O)/libsonde.a: $(LIB_OBJ)
	$(call say,AR,$@)
	$(Q)rm -f $@ && ar rcs $@ $^

$(O)/sonde: $(O)/user/main.o $(O)/libsonde.a
	$(call say,LINK,$@)
	$(Q)$(CC) $(CFLAGS_ALL) $(LDFLAGS) -o $@ $^ $(LDLIBS_ALL)

# What `sonde alloc` preloads: samples a program's allocations. Frame pointers, and nothing below the stack pointer.
SHIM_CFLAGS = -std=gnu11 -O2 -g -fPIC -fno-omit-frame-pointer -fno-builtin -fvisibility=hidden -ftls-model=initial-exec \
	$(if $(filter x86,$(ARCH)),-mno-red-zone) -D_GNU_SOURCE -Iinclude $(WARN) $(WERROR)
SHIM_OBJ := $(O)/shim/alloc.o $(O)/shim/python.o

$(O)/shim/%.o: shim/%.c Makefile
	$(call say,CC,$<)
	@mkdir -p $(@D)
	$(Q)$(CC) $(SHIM_CFLAGS) -MMD -MP -c $< -o $@

$(O)/libsonde-alloc.a: $(SHIM_OBJ)
	$(call say,AR,$@)
	$(Q)rm -f $@ && ar rcs $@ $^

$(O)/libsonde-alloc.so: $(SHIM_OBJ)
	$(call say,LINK,$@)
	$(Q)$(CC) -shared -Wl,-z,relro,-z,now -Wl,-soname,$(@F) -o $@ $^ -ldl

##@ Try
.PHONY: demo
demo: ## install build packages, build, trace a small web shop and print its N+1, with the source line
	$(Q)scripts/setup.sh build
	$(Q)$(MAKE) --no-print-directory $(JOBS) all $(O)/demo/shop
	$(Q)scripts/demo.sh $(O)

# With frame pointers, so that call sites can be shown.
$(O)/demo/shop: demo/shop.c demo/http.c demo/visitor.c demo/http.h demo/visitor.h Makefile
	$(call say,CC,$<)
	@mkdir -p $(@D)
	$(Q)$(CC) -std=gnu11 -D_GNU_SOURCE -O1 -g -fno-omit-frame-pointer -Wall -Wextra -Wno-unused-parameter $(WERROR) -o $@ $(filter %.c,$^) -lsqlite3 -lpthread

##@ Test
.PHONY: test check
test: ## install what the tests need; run unit, BPF and end-to-end tests (root)
	$(Q)scripts/setup.sh build test
	$(Q)$(MAKE) --no-print-directory $(JOBS) all $(UNIT_BIN) $(BPFT_BIN) $(O)/demo/shop test-programs test-drivers
	$(Q)MAKE_O=$(O) tests/run.sh $(O) static unit style bpf e2e

check: all $(UNIT_BIN) ## fast tests and static analysis; of BPF programs as root only
	$(Q)MAKE_O=$(O) tests/run.sh $(O) static unit style

$(O)/tests/unit/%: tests/unit/%.c $(O)/libsonde.a Makefile
	$(call say,TEST,$<)
	@mkdir -p $(@D)
	$(Q)$(CC) $(CPPFLAGS_ALL) $(CFLAGS_ALL) -MMD -MP -o $@ $< $(O)/libsonde.a -lcmocka $(LDLIBS_ALL)

$(O)/tests/bpf/%: tests/bpf/%.c $(O)/libsonde.a Makefile
	$(call say,TEST,$<)
	@mkdir -p $(@D)
	$(Q)$(CC) $(CPPFLAGS_ALL) $(CFLAGS_ALL) -MMD -MP -o $@ $< $(O)/libsonde.a -lcmocka $(LDLIBS_ALL)

# Small programs that the end-to-end tests trace: tests/e2e/programs/NAME.c, their libraries in the first line: `/* LIBS: -lsqlite3 */`
PROG_SRC := $(sort $(wildcard tests/e2e/programs/*.c))
PROG_BIN := $(PROG_SRC:%.c=$(O)/%)
.PHONY: test-programs
test-programs: $(PROG_BIN)
$(O)/tests/e2e/programs/%: tests/e2e/programs/%.c $(wildcard tests/e2e/programs/*.h) Makefile
	$(call say,CC,$<)
	@mkdir -p $(@D)
	$(Q)$(CC) -std=gnu11 -D_GNU_SOURCE -O2 -g -Wall -Wextra $(WERROR) -o $@ $< $$(sed -n '1,3s#^/\* LIBS: \(.*\) \*/#\1#p' $<)

##@ Other
.PHONY: install clean help setup
install: all ## install program, manual pages and completion (DESTDIR=, PREFIX=/usr/local)
	install -D -m 755 $(O)/sonde $(DESTDIR)$(SBINDIR)/sonde
	install -D -m 755 $(O)/libsonde-alloc.so $(DESTDIR)$(LIBDIR)/libsonde-alloc.so
	install -D -m 644 $(O)/libsonde-alloc.a $(DESTDIR)$(LIBDIR)/libsonde-alloc.a
	for m in man/*.8; do install -D -m 644 $$m $(DESTDIR)$(MANDIR)/man8/$$(basename $$m); done
	install -D -m 644 completion/sonde.bash $(DESTDIR)$(BASHCOMPDIR)/sonde
	install -D -m 644 completion/_sonde $(DESTDIR)$(ZSHCOMPDIR)/_sonde

setup: ## install everything that building and testing need (Debian, Ubuntu)
	$(Q)scripts/setup.sh build test

clean: ## remove what was built
	rm -rf $(O)

help: ## this list
	@awk 'BEGIN {FS=":.*## "} /^##@/ {printf "\n%s\n", substr($$0,5)} /^[a-z-]+:.*## / {printf "  %-14s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

-include tests/static/static.mk tests/unit/unit.mk tests/e2e/drivers/drivers.mk tests/tools/tools.mk tests/fuzz/fuzz.mk tests/bench/bench.mk scripts/vm/vm.mk tests/e2e/nplus1/nplus1.mk tests/e2e/faults.mk tests/e2e/gc/gc.mk
-include $(BPF_OBJ:.o=.d) $(USER_OBJ:.o=.d) $(SHIM_OBJ:.o=.d) $(addsuffix .d,$(UNIT_BIN) $(BPFT_BIN))
