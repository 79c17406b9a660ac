# SPDX-License-Identifier: GPL-2.0-only
#
# tools.mk - small programs on top of libsonde.a that the end-to-end tests drive: tests/tools/NAME.c

TOOL_SRC := $(sort $(wildcard tests/tools/*.c))
TOOL_BIN := $(TOOL_SRC:%.c=$(O)/%)

test-programs: $(TOOL_BIN)

$(O)/tests/tools/%: tests/tools/%.c $(O)/libsonde.a Makefile
	$(call say,TEST,$<)
	@mkdir -p $(@D)
	$(Q)$(CC) $(CPPFLAGS_ALL) $(CFLAGS_ALL) -MMD -MP -o $@ $< $(O)/libsonde.a $(LDLIBS_ALL)

-include $(addsuffix .d,$(TOOL_BIN))
