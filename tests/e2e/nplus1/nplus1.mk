# SPDX-License-Identifier: GPL-2.0-only
#
# nplus1.mk - the programs of test_nplus1.py that must be built, included by the Makefile. Where the language is not installed
# there is nothing to build: the test says so.

NPLUS1_O := $(O)/tests/e2e/nplus1
NPLUS1_GO := $(and $(shell command -v go 2>/dev/null),$(wildcard /usr/share/gocode/src/github.com/lib/pq),$(wildcard /usr/share/gocode/src/github.com/go-sql-driver/mysql))
NPLUS1 := $(if $(wildcard /usr/include/postgresql/libpq-fe.h /usr/include/libpq-fe.h),$(NPLUS1_O)/shop_pg) $(NPLUS1_O)/shop_sqlite \
	$(if $(shell command -v javac 2>/dev/null),$(NPLUS1_O)/Job.class) \
	$(if $(NPLUS1_GO),$(NPLUS1_O)/shop_go $(NPLUS1_O)/shop_go_stripped)

test-programs: $(NPLUS1)

# Every function has a frame of its own, so that it is known which ones a call site names.
$(NPLUS1_O)/shop_%: tests/e2e/nplus1/shop_%.c tests/e2e/nplus1/serve.c tests/e2e/nplus1/serve.h Makefile
	$(call say,CC,$<)
	@mkdir -p $(@D)
	$(Q)$(CC) -std=gnu11 -D_GNU_SOURCE -O1 -g -fno-omit-frame-pointer -fno-optimize-sibling-calls -fno-inline -Wall -Wextra $(WERROR) \
		-I/usr/include/postgresql -o $@ $(filter %.c,$^) $$(sed -n '1,3s#^/\* LIBS: \(.*\) \*/#\1#p' $<)

$(NPLUS1_O)/shop_sqlite: $(addprefix tests/e2e/nplus1/,sqlite_statement.c sqlite_statement.h)

$(NPLUS1_O)/%.class: tests/e2e/nplus1/%.java
	$(call say,JAVAC,$<)
	@mkdir -p $(@D)
	$(Q)javac -d $(@D) $<

$(NPLUS1_O)/shop_go: tests/e2e/nplus1/shop.go
	$(call say,GO,$<)
	@mkdir -p $(@D)
	$(Q)GO111MODULE=off GOPATH=/usr/share/gocode GOCACHE=$(abspath $(O))/gocache GOFLAGS= CGO_ENABLED=0 go build -o $@ $<

$(NPLUS1_O)/shop_go_stripped: tests/e2e/nplus1/shop.go
	$(call say,GO,$<)
	@mkdir -p $(@D)
	$(Q)GO111MODULE=off GOPATH=/usr/share/gocode GOCACHE=$(abspath $(O))/gocache GOFLAGS= CGO_ENABLED=0 go build -ldflags '-s -w' -o $@ $<
