# SPDX-License-Identifier: GPL-2.0-only
#
# gc.mk - the programs of test_gc.py that must be built, included by the Makefile. Where the language is not installed there is
# nothing to build: the test says so.

GC_O := $(O)/tests/e2e/gc
GC_PROGRAMS := $(if $(shell command -v javac 2>/dev/null),$(GC_O)/Churn.class) \
	$(if $(shell command -v go 2>/dev/null),$(GC_O)/churn $(GC_O)/churn.bare)

test-programs: $(GC_PROGRAMS)

$(GC_O)/%.class: tests/e2e/gc/%.java
	$(call say,JAVAC,$<)
	@mkdir -p $(@D)
	$(Q)javac -d $(@D) $<

$(GC_O)/%: tests/e2e/gc/%.go
	$(call say,GO,$<)
	@mkdir -p $(@D)
	$(Q)GO111MODULE=off GOPATH=/usr/share/gocode GOCACHE=$(abspath $(O))/gocache GOFLAGS= CGO_ENABLED=0 go build -o $@ $<

# Without symbols.
$(GC_O)/%.bare: tests/e2e/gc/%.go
	$(call say,GO,$<)
	@mkdir -p $(@D)
	$(Q)GO111MODULE=off GOPATH=/usr/share/gocode GOCACHE=$(abspath $(O))/gocache GOFLAGS= CGO_ENABLED=0 go build -ldflags '-s -w' -o $@ $<
