#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# words.sh - functions that are easy to use wrongly, unfinished business and trailing blanks stay out;
#            BPF names fit into the kernel's 15 characters.
# shellcheck source=tests/style/lib.bash
. "$(dirname "$0")/lib.bash"

# Unbounded or silently failing functions of C, and what to use instead of them is in user/base.
readonly BANNED='strcpy|strcat|strncat|sprintf|vsprintf|gets|strtok|atoi|atol|atoll|atof|alloca|system|popen|tmpnam|mktemp'
readonly UNFINISHED='TO''DO|FIX''ME|XX''X|HA''CK'
readonly NAME_CHARS=15

# find_in EXTENDED_REGEX WHAT FILE: complains about each line of FILE that matches.
find_in() {
	local line
	while IFS=: read -r line _; do
		complain "$3:$line" "$2"
	done < <(grep -nE "$1" "$3")
}

# Without comments and strings, line numbers kept.
code_of() {
	"${CC:-gcc}" -fpreprocessed -dD -E -P -xc "$1" 2>/dev/null || cat "$1"
}

while IFS= read -r file; do
	looked
	find_in "\\b($UNFINISHED)\\b" "unfinished business" "$file"
	find_in '[[:blank:]]$' "blanks at the end of the line" "$file"
	[ -z "$(tail -c 1 "$file")" ] || complain "$file" "no newline at its end"
	case $file in
	*.c | *.h)
		# Tests may: what they write they chose themselves.
		word=
		[[ $file == tests/* ]] || word=$(code_of "$file" | grep -oE "(^|[^_.>[:alnum:]])($BANNED)\\(" | head -n 1)
		[ -z "$word" ] || complain "$file" "banned function: ${word//[^a-z]/}()"
		find_in '^[[:space:]]*typedef[[:space:]]+(struct|union|enum)\b' "no typedef'd structs" "$file"
		;;
	esac
done < <(files '*.c' '*.h' '*.def' '*.sh' '*.bash' '*.py' '*.mk' 'Makefile' ':!vmlinux' | grep -v '^vmlinux/')

# The kernel cuts longer names, and two that differ only behind the cut look alike.
while IFS= read -r file; do
	while IFS= read -r name; do
		[ ${#name} -le $NAME_CHARS ] || complain "$file" "$name is longer than $NAME_CHARS characters"
	done < <(tr '\n' ' ' <"$file" | grep -oE '\} [a-z_0-9]+ SEC\("\.maps' | cut -d' ' -f2
		tr '\n' ' ' <"$file" | grep -oE 'SEC\("[a-z_.]+[^"]*"\) +int +(BPF_[A-Z_]+\()?[a-z_0-9]+' | grep -oE '[a-z_0-9]+$')
done < <(files 'bpf/*.c' 'bpf/*.h')
finish
