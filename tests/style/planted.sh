#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# planted.sh - the other style tests can fail: each is shown a small tree that is clean, and then the
#              same tree with one violation planted in it, which it must name.
# shellcheck source=tests/style/lib.bash disable=SC2016 # "$1" and backquotes are planted as they stand
. "$(dirname "$0")/lib.bash"

style=$tree/tests/style
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
readonly SPDX='SPDX-License-Identifier: GPL-2.0-only'

# put FILE TEXT: a file with a proper head.
put() {
	mkdir -p "$(dirname "$1")"
	case $1 in
	*.sh) printf '#!/bin/bash\n# %s\n# %s - planted\n%s\n' "$SPDX" "$(basename "$1")" "$2" >"$1" ;;
	Makefile) printf '# %s\n%s\n' "$SPDX" "$2" >"$1" ;;
	*) printf '/* %s */\n/*\n * %s - planted: ROW(a, b)\n */\n%s\n' "$SPDX" "$(basename "$1")" "$2" >"$1" ;;
	esac
	[[ $1 != *.sh ]] || chmod +x "$1"
}

clean_tree() {
	rm -rf "${work:?}/tree"
	mkdir "$work/tree"
	cd "$work/tree" || exit 1
	git init -q . 2>/dev/null # so that the planted tree is listed like a checkout; without git, like an archive
	put include/sonde/base.h 'typedef unsigned int word;'
	put include/sonde/list.def $'ROW(1, A, "a")\nROW(2, B, "b")'
	put bpf/one.bpf.h '#include "sonde/base.h"'
	put bpf/one.bpf.c $'#include "one.bpf.h"\nSEC("kprobe/x") int short_name(void *ctx) { return 0; }'
	put user/base/str.h 'int str(void);'
	put user/model/hist.h $'#include "sonde/base.h"\n#include "base/str.h"\nword hist(void);'
	put user/model/hist.c $'#include "model/hist.h"\nword hist(void)\n{\n#include "sonde/list.def"\n}'
	put user/out/text.c '#include "model/hist.h"'
	put user/collect/db.c $'#include "model/hist.h"\n#include "bpf/one.bpf.h"'
	sed -i '$d' user/collect/db.c
	put user/load/load.h 'int load(void);'
	put user/load/load.c '#include "sonde.skel.h"'
	put user/cmd/db.c '#include "load/load.h"'
	put scripts/setup.sh 'echo "$1"'
	put Makefile $'all: ## build\n\ttrue\nhelp: ## list\n\t@echo "  all   build"; echo "  help  list"'
	printf '# Planted\n\nRun `make all`, then `scripts/setup.sh`.\n' >README.md
	mkdir -p "vmlinux/$(uname -m | sed 's/x86_64/x86/;s/aarch64/arm64/')"
	: >"vmlinux/$(uname -m | sed 's/x86_64/x86/;s/aarch64/arm64/')/vmlinux.h"
	put "vmlinux/$(uname -m | sed 's/x86_64/x86/;s/aarch64/arm64/')/vmlinux.h" ''
}

look() { (cd / && STYLE_TREE=$work/tree bash "$style/$1.sh" 2>&1); }

# must_pass TEST
must_pass() {
	local output code=0
	looked
	output=$(look "$1") || code=$?
	[ $code != 77 ] || return
	[ $code = 0 ] || complain "$1.sh" "finds violations in the clean tree: $output"
}

# must_find TEST WHAT FILE TEXT: FILE with TEXT in it makes the test complain of WHAT.
must_find() {
	local test=$1 what=$2 file=$3 text=$4 output code=0
	looked
	clean_tree
	put "$file" "$text"
	output=$(look "$test") || code=$?
	[ $code != 77 ] || return
	[[ $code = 1 && $output == *"$what"* ]] ||
		complain "$test.sh" "does not find: $what ($file); it says: $output"
}

clean_tree
for test in includes headers heads words defs shell help; do must_pass $test; done

must_find includes 'user/model does not include user/load' user/model/x.c '#include "load/load.h"'
must_find includes 'user/model does not include user/out' user/model/x.c '#include "../out/text.c"'
must_find includes 'user/model does without <stdio.h>' user/model/x.c '#include <stdio.h>'
must_find includes 'user/model does without <bpf/bpf.h>' user/model/x.h '#include <bpf/bpf.h>'
must_find includes 'user/out does not include user/collect' user/out/x.c '#include "collect/db.c"'
must_find includes 'user/collect does not include user/load' user/collect/x.c '#include "load/load.h"'
must_find includes 'only user/load includes the skeleton' user/cmd/x.c '#include "sonde.skel.h"'
must_find includes 'include/sonde does not include user/base' include/sonde/x.h '#include "../../user/base/str.h"'
must_find includes 'include/sonde does without <string.h>' include/sonde/x.h '#include <string.h>'
must_find includes 'bpf does not include user/model' bpf/x.bpf.h '#include "../user/model/hist.h"'
must_find includes 'does not know what user/other may include' user/other/x.c 'int x;'

must_find headers 'does not compile alone (as_user)' user/model/x.h 'word x(void);'
must_find headers 'does not compile alone (as_bpf)' include/sonde/x.h $'#ifdef __bpf__\nunknown y;\n#endif'
must_find headers 'bpf/x.bpf.h: does not compile alone' bpf/x.bpf.h 'struct s { u33 x; };'

must_find words 'banned function: strcpy()' user/out/x.c 'void x(char *a) { strcpy(a, "b"); }'
must_find words 'unfinished business' user/out/x.c "/* FIX""ME later */"
must_find words 'blanks at the end' user/out/x.c 'int x; '
must_find words "no typedef'd structs" user/out/x.h 'typedef struct x { int y; } x;'
must_find words 'name_that_is_too_long is longer' bpf/x.bpf.c 'SEC("kprobe/y") int name_that_is_too_long(void *c) { return 0; }'
must_find words 'map_with_a_long_name is longer' bpf/x.bpf.c $'struct {\n\tint x;\n} map_with_a_long_name SEC(".maps");'

must_find defs 'different numbers of arguments' include/sonde/list.def $'ROW(1, A, "a")\nROW(2, B)'
must_find defs '"a" is there twice' include/sonde/list.def $'ROW(1, "a", "c")\nROW(2, "a", "d")'
must_find defs 'does not explain LINE()' include/sonde/list.def 'LINE(1, "a")'
must_find defs 'has no rows' include/sonde/list.def ''
must_find defs 'no file includes it' include/sonde/alone.def 'ROW(1, A)'

must_find shell 'shellcheck says' scripts/x.sh 'rm -rf $1/*'
must_find help 'does not list `make all`' Makefile $'all:\n\ttrue\nhelp: ## list\n\t@echo "  help  list"'
must_find help 'there is no scripts/setup.sh' Makefile $'all: ## build\n\trm -f scripts/setup.sh\nhelp: ## list\n\t@rm -f scripts/setup.sh; echo "  all  build"'
must_find help 'help lists gone' Makefile $'all: ## build\n\ttrue\nhelp: ## list\n\t@echo "  all  build"; echo "  gone  away"'

# Files without a proper head cannot come from put().
looked
clean_tree
printf '/* %s */\nint x;\n' "$SPDX" >user/out/nopurpose.c
printf '/* nolicence.c - no licence */\nint x;\n' >user/out/nolicence.c
output=$(look heads) && complain heads.sh "finds nothing"
for what in 'nolicence.c: no SPDX' '"nopurpose.c - what it is for"'; do
	grep -qF -- "$what" <<<"$output" || complain heads.sh "does not find: $what; it says: $output"
done
finish
