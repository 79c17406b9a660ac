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

# find_in EXTENDED_REGEX WHAT FILE...: complains about each line of the files that matches.
find_in() {
	local regex=$1 what=$2 found line
	shift 2
	while IFS=: read -r found line _; do
		complain "$found:$line" "$what"
	done < <(grep -nHE -- "$regex" "$@" /dev/null)
}

# unclosed_and_banned FILE...: "file|newline" for each without one at its end; "file|function" for the first banned one that each .c and .h
# calls, comments and strings aside. Tests may call them: what they write they chose themselves.
unclosed_and_banned() {
	printf '%s\n' "$@" | python3 -c '
import re, sys
banned = re.compile(r"(?<![\w.>])(" + sys.argv[1] + r")\(")
aside = re.compile(r"//[^\n]*|/\*.*?\*/|\"(?:\\.|[^\"\\\n])*\"", re.S)
for name in sys.stdin.read().splitlines():
    with open(name, encoding="utf-8", errors="replace") as file:
        text = file.read()
    if not text.endswith("\n"):
        print(name + "|newline")
    if name.endswith((".c", ".h")) and not name.startswith("tests/"):
        call = banned.search(aside.sub(" ", text))
        if call:
            print(name + "|" + call.group(1))
' "$BANNED"
}

all=() code=()
while IFS= read -r file; do
	looked
	all+=("$file")
	case $file in *.c | *.h) code+=("$file") ;; esac
done < <(files '*.c' '*.h' '*.def' '*.sh' '*.bash' '*.py' '*.mk' 'Makefile' ':!vmlinux' | grep -v '^vmlinux/')
find_in "\\b($UNFINISHED)\\b" "unfinished business" "${all[@]}"
find_in '[[:blank:]]$' "blanks at the end of the line" "${all[@]}"
find_in '^[[:space:]]*typedef[[:space:]]+(struct|union|enum)\b' "no typedef'd structs" "${code[@]}"
while IFS='|' read -r file what; do
	case $what in
	newline) complain "$file" "no newline at its end" ;;
	*) complain "$file" "banned function: $what()" ;;
	esac
done < <(unclosed_and_banned "${all[@]}")

# The kernel cuts longer names, and two that differ only behind the cut look alike.
while IFS= read -r file; do
	while IFS= read -r name; do
		[ ${#name} -le $NAME_CHARS ] || complain "$file" "$name is longer than $NAME_CHARS characters"
	done < <(tr '\n' ' ' <"$file" | grep -oE '\} [a-z_0-9]+ SEC\("\.maps' | cut -d' ' -f2
		tr '\n' ' ' <"$file" | grep -oE 'SEC\("[a-z_.]+[^"]*"\) +int +(BPF_[A-Z_]+\()?[a-z_0-9]+' | grep -oE '[a-z_0-9]+$')
done < <(files 'bpf/*.c' 'bpf/*.h')
finish
