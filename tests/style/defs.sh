#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# defs.sh - the .def lists are well-formed: one macro with one number of arguments a list, documented
#           in its head, no row twice, and each list is included somewhere.
# shellcheck source=tests/style/lib.bash
. "$(dirname "$0")/lib.bash"

# The rows of a list as "MACRO|number of arguments|first|second|...", comments and strings' commas gone.
rows() {
	"${CC:-gcc}" -fpreprocessed -E -P -xc "$1" | python3 -c '
import re, sys
text = sys.stdin.read()
for row in re.finditer(r"^\s*([A-Z_][A-Z0-9_]*)\((.*?)\)\s*$", text, re.M | re.S):
    arguments = re.findall(r"\s*((?:\"(?:[^\"\\]|\\.)*\"\s*|[^,\"()]|\([^()]*\))+)\s*(?:,|$)", row.group(2))
    print("|".join([row.group(1), str(len(arguments))] + [a.strip() for a in arguments]))
'
}

while IFS= read -r file; do
	looked
	name=$(basename "$file")
	all=$(rows "$file")
	[ -n "$all" ] || { complain "$file" "has no rows"; continue; }
	while IFS= read -r macro; do
		shapes=$(awk -F'|' -v macro="$macro" '$1 == macro {print $2}' <<<"$all" | sort -u | wc -l)
		[ "$shapes" = 1 ] || complain "$file" "rows of $macro have different numbers of arguments"
		sed -n '/^\/\*$/,/^ \*\//p' "$file" | grep -q "$macro(" || complain "$file" "its head does not explain $macro()"
		# What a row is called must be there once: its first argument, the second where that is a name in
		# quotes, and the symbol behind a number.
		double=$(awk -F'|' -v macro="$macro" '$1 == macro {
			print $3
			if ($4 ~ /^"/ || $3 ~ /^[0-9]+$/) print $4
		}' <<<"$all" | sort | uniq -d | head -n 1)
		[ -z "$double" ] || complain "$file" "$double is there twice"
	done < <(cut -d'|' -f1 <<<"$all" | sort -u)
	users=$(files '*.c' '*.h' '*.py' '*.sh' | xargs -r grep -lE 'include ["<]([a-z/]*/)?'"${name}"'[">]')
	[ -n "$users" ] || complain "$file" "no file includes it"
done < <(files '*.def')
finish
