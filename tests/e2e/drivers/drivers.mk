# SPDX-License-Identifier: GPL-2.0-only
#
# drivers.mk - the programs of test_drivers.py that must be built, included by the Makefile. Where the language is not
# installed there is nothing to build: the test says so.

DRIVERS_O := $(O)/tests/e2e/drivers
GOCODE := /usr/share/gocode
DRIVERS := $(if $(wildcard /usr/include/mariadb/mysql.h),$(DRIVERS_O)/libmariadb) \
	$(if $(shell command -v javac 2>/dev/null),$(DRIVERS_O)/Jdbc.class) \
	$(if $(and $(shell command -v go 2>/dev/null),$(wildcard $(GOCODE)/src/github.com/lib/pq),$(wildcard $(GOCODE)/src/github.com/go-sql-driver/mysql)),$(DRIVERS_O)/sql)

.PHONY: test-drivers
test-drivers: $(DRIVERS)

$(DRIVERS_O)/%: tests/e2e/drivers/%.c Makefile
	$(call say,CC,$<)
	@mkdir -p $(@D)
	$(Q)$(CC) -std=gnu11 -D_GNU_SOURCE -O2 -g -Wall -Wextra $(WERROR) -o $@ $< $$(sed -n '1,3s#^/\* LIBS: \(.*\) \*/#\1#p' $<)

$(DRIVERS_O)/%.class: tests/e2e/drivers/%.java
	$(call say,JAVAC,$<)
	@mkdir -p $(@D)
	$(Q)javac -d $(@D) $<

# Debian's packages of Go code; nothing is fetched.
$(DRIVERS_O)/%: tests/e2e/drivers/%.go
	$(call say,GO,$<)
	@mkdir -p $(@D)
	$(Q)GO111MODULE=off GOPATH=$(GOCODE) GOCACHE=$(abspath $(O))/gocache GOFLAGS= CGO_ENABLED=0 go build -o $@ $<
