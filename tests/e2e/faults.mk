# SPDX-License-Identifier: GPL-2.0-only
#
# faults.mk - the tests of faults alone, with their table, included by the Makefile.

##@ Test
.PHONY: test-faults
test-faults: all test-programs ## tests of faults (memory, kills, disk, clock), and their table (root; SONDE_FAULT_LONG=1)
	$(Q)rm -rf $(O)/tests/faults
	$(Q)code=0; tests/run.sh $(O) 'e2e:faults_*' || code=1; O=$(O) /usr/bin/python3 tests/e2e/fault.py; exit $$code
