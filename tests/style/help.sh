#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# help.sh - what the documents tell people to run is there: `make TARGET` is listed by `make help`,
#           scripts/NAME exists, and `make help` lists no target that make does not know.
# shellcheck source=tests/style/lib.bash disable=SC2016 # backquotes here are those of the documents
. "$(dirname "$0")/lib.bash"

[ -f README.md ] || skip "no README.md yet"
help=$(make -s help) || { complain Makefile "make help fails"; finish; }
listed=$(sed -nE 's/^  ([a-z][a-z-]*) +.*/\1/p' <<<"$help")

while IFS= read -r document; do
	looked
	while IFS= read -r target; do
		grep -qx -- "$target" <<<"$listed" || complain "$document" "make help does not list \`make $target\`"
	done < <(grep -oE '(`|^    |^\$ |sudo )make( +[A-Z]+=[^ `]*)* +[a-z][a-z-]*' "$document" | grep -oE '[a-z][a-z-]*$' | sort -u)
	while IFS= read -r script; do
		[ -e "$script" ] || complain "$document" "there is no $script"
	done < <(grep -oE '\b(scripts|tests)/[a-z/_-]+\.(sh|py)\b' "$document" | sort -u)
done < <(files '*.md')

# make's own words about targets that it has no rule for.
while IFS= read -r target; do
	looked
	says=$(LC_ALL=C make -n "$target" 2>&1)
	[[ $says != *"No rule to make target '$target'"* ]] || complain Makefile "help lists $target, which has no rule"
done <<<"$listed"
finish
