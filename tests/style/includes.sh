#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# includes.sh - includes point one way: cmd -> {load, collect, record, top, out}, collect -> model, out -> model,
#               record -> model, top -> {out, model}, model -> include/sonde; only user/load sees the skeleton.
# shellcheck source=tests/style/lib.bash
. "$(dirname "$0")/lib.bash"

# The parts of the program, what each may include beside itself and user/base, which all may.
declare -A may=(
	[include/sonde]=""
	[bpf]="include/sonde"
	[user/base]="include/sonde"
	[user/model]="include/sonde"
	[user/proto]="include/sonde user/model"
	[user/sym]="include/sonde"
	[user/unwind]="include/sonde user/sym"
	[user/explain]="include/sonde"
	[user/collect]="user/model user/proto user/sym include/sonde"
	[user/out]="user/model include/sonde"
	[user/record]="user/model include/sonde"
	[user/top]="user/out user/model include/sonde"
	[user/load]="user/proto user/sym user/unwind include/sonde"
	[user/cmd]="user/explain user/load user/collect user/record user/top user/out user/model user/proto user/sym include/sonde"
	[user]="user/cmd" # main.c
)

# System headers that a part must not see (an extended regular expression), and why.
declare -A never=(
	[include/sonde]='^(std(io|lib)|string|errno|unistd|linux/.*|bpf/.*|sys/.*)\.?h?$'
	[bpf]='^(std.*|string|errno|unistd|sys/.*)\.h$'
	[user/model]='^(stdio\.h|bpf/.*|linux/bpf\.h)$'
	[user/out]='^(bpf/.*|linux/bpf\.h)$'
	[user/top]='^(bpf/.*|linux/bpf\.h)$'
	[user/base]='^(bpf/.*|linux/bpf\.h)$'
)

# No command is started for each of some thousand lines: these set `part` and `target` instead of printing them.

# part_of PATH: the longest part that contains it.
part_of() {
	local dir=${1%/*}
	part=
	while [ "$dir" != "$1" ]; do
		if [ -n "${may[$dir]+known}" ]; then
			part=$dir
			return
		fi
		case $dir in
		user/*/*) ;;
		user/*) part=$dir; return ;;
		*/*) ;;
		*) return ;;
		esac
		dir=${dir%/*}
	done
}

# resolve FROM NAME: the file in this tree that #include "NAME" means, if it is one.
resolve() {
	local dir
	target=
	for dir in "${1%/*}" include user bpf .; do
		[ -f "$dir/$2" ] || continue
		target=${dir/#./}/$2
		target=${target#/}
		case $target in *..*) target=$(realpath --relative-to=. "$target") ;; esac
		return
	done
}

check() {
	local file=$1 line=$2 name=$3 from=$4 target part
	case $name in
	*.skel.h)
		[ "$from" = user/load ] || complain "$file:$line" "only user/load includes the skeleton"
		return
		;;
	esac
	resolve "$file" "$name"
	if [ -z "$target" ]; then
		if [ -n "${never[$from]+set}" ] && [[ $name =~ ${never[$from]} ]]; then
			complain "$file:$line" "$from does without <$name>"
		fi
		return
	fi
	part_of "$target"
	[ -n "$part" ] && [ "$part" != "$from" ] || return
	case " ${may[$from]} user/base " in
	*" $part "*) [[ $part != user/base || $from == user* ]] || complain "$file:$line" "$from does not include $part" ;;
	*) complain "$file:$line" "$from does not include $part ($name)" ;;
	esac
}

sources=()
while IFS= read -r file; do
	looked
	part_of "$file"
	[ -n "${may[$part]+known}" ] || complain "$file" "tests/style/includes.sh does not know what ${part:-its directory} may include"
	sources+=("$file")
done < <(files 'include/*' 'bpf/*' 'user/*' | grep -E '\.(c|h|def)$')

while IFS=: read -r file line text; do
	part_of "$file"
	[ -n "${may[$part]+known}" ] || continue
	[[ $text =~ ^[[:space:]]*#[[:space:]]*include[[:space:]]*[\"\<]([^\"\>]+) ]] || continue
	check "$file" "$line" "${BASH_REMATCH[1]}" "$part"
done < <(grep -nHE '^[[:space:]]*#[[:space:]]*include' "${sources[@]}" /dev/null)
finish
