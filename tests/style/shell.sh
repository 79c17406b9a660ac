#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# shell.sh - the shell scripts are clean for shellcheck, and can be executed.
# shellcheck source=tests/style/lib.bash
. "$(dirname "$0")/lib.bash"

command -v shellcheck >/dev/null || skip "needs shellcheck (scripts/setup.sh test)"

scripts=()
while IFS= read -r file; do
	IFS= read -r first <"$file" 2>/dev/null
	case $file:$first in
	*:'#!'*sh*) [ -x "$file" ] || complain "$file" "begins with #! but is not executable" ;;
	*.sh:* | *.bash:*) ;;
	*) continue ;;
	esac
	case $first in '#!'*/zsh*) continue ;; esac
	looked
	scripts+=("$file")
done < <(files '*')

findings=$(shellcheck -x -f gcc "${scripts[@]}") || while IFS=: read -r file line what; do
	complain "$file:$line" "shellcheck says:${what#*:}"
done <<<"$findings"
finish
