#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# heads.sh - every file begins with its licence and with "NAME - what it is for".
# shellcheck source=tests/style/lib.bash
. "$(dirname "$0")/lib.bash"

readonly HEAD_LINES=12

# Data and prose have no such head.
has_no_head() {
	case $1 in
	*.md | *.png | LICENSE | *.json | *.jsonl | *.txt | *.sql | *.bin | *.csv | .git* | .editorconfig | .clang-format | \
		*/corpus/* | */vectors/*) ;;
	*) return 1 ;;
	esac
}

while IFS= read -r file; do
	has_no_head "$file" && continue
	looked
	mapfile -n $HEAD_LINES head <"$file" 2>/dev/null
	name=${file##*/}
	[[ "${head[*]:0:3}" == *"SPDX-License-Identifier: GPL-2.0-only"* ]] ||
		complain "$file" "no SPDX-License-Identifier: GPL-2.0-only in its first three lines"
	case $name in
	Makefile | *.8) ;; # say it in their own form
	*) [[ "${head[*]}" == *"$name - "* ]] || complain "$file" "its first lines do not say \"$name - what it is for\"" ;;
	esac
done < <(files '*')
finish
