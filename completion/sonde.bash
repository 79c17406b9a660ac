# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
#
# sonde.bash - completion for bash. Commands, options and their values come from the program's own
#              help texts, so they are those of the version that is installed.

# "--pid PID,.." and "-p PID,.." a line, from a help text; options alone have no second word.
_sonde_options() {
	"${1:-sonde}" "$2" --help 2>/dev/null | sed -nE '
		s/^ +(-[[:alnum:]]), (--[a-z0-9-]+) ([^ ]+)( .*)?$/\1 \3\n\2 \3/p; t
		s/^ +(-[[:alnum:]]), (--[a-z0-9-]+)( .*)?$/\1\n\2/p; t
		s/^ +(--[a-z0-9-]+) ([^ ]+)( .*)?$/\1 \2/p; t
		s/^ +(--[a-z0-9-]+)( .*)?$/\1/p'
}

# Without the program at hand (or before it can start): the options that tracing commands share.
_sonde_known_options() {
	printf '%s\n' '-p PID' '--pid PID' '-c NAME' '--comm NAME' '--cgroup PATH' '-d SECONDS' '--duration SECONDS' \
		'-i SECONDS' '--interval SECONDS' '-o text|json' '--format text|json' '--output FILE' \
		'--capture auto|tracepoint|fentry|kprobe|syscall' '--role client|server|any' '--help'
}

_sonde_commands() {
	local names
	names=$("${1:-sonde}" help 2>/dev/null | sed -nE 's/^  ([a-z][a-z0-9-]*)  +.*/\1/p')
	echo "${names:-alloc cpu db doctor fingerprint flame help http io net nplus1 offcpu slow syscall top}"
}

# Kinds of findings that the command on the line has.
_sonde_kinds() {
	if [ "${COMP_WORDS[1]}" = alloc ]; then
		echo leak gc_time
	else
		echo n_plus_one redundant_query write_loop slow_query large_result
	fi
}

# _sonde_value OPTION METAVAR: completes the value of an option by what its help text calls it.
_sonde_value() {
	local cur=${COMP_WORDS[COMP_CWORD]}
	if [ "$1" = --cgroup ]; then
		compopt -o filenames 2>/dev/null
		mapfile -t COMPREPLY < <(compgen -d -- "${cur:-/sys/fs/cgroup/}")
		return
	fi
	case $2 in
	*'|'*) mapfile -t COMPREPLY < <(compgen -W "${2//|/ }" -- "$cur") ;;
	PID*) mapfile -t COMPREPLY < <(compgen -P "$(sed -n 's/[^,]*$//p' <<<"$cur")" \
		-W "$(ps -eo pid= 2>/dev/null)" -- "${cur##*,}") ;;
	KIND*) mapfile -t COMPREPLY < <(compgen -P "$(sed -n 's/[^,]*$//p' <<<"$cur")" \
		-W "$(_sonde_kinds)" -- "${cur##*,}") ;;
	COMM* | NAME*) mapfile -t COMPREPLY < <(compgen -W "$(ps -eo comm= 2>/dev/null | sort -u)" -- "$cur") ;;
	FILE* | PATH* | DIR*)
		compopt -o filenames 2>/dev/null
		mapfile -t COMPREPLY < <(compgen -f -- "$cur")
		;;
	esac
}

_sonde() {
	local program=${COMP_WORDS[0]} cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD - 1]}
	local command=${COMP_WORDS[1]} options metavar i
	COMPREPLY=()
	if [ "$COMP_CWORD" = 1 ]; then
		mapfile -t COMPREPLY < <(compgen -W "$(_sonde_commands "$program") --help --version" -- "$cur")
		return
	fi
	if [ "$command" = help ]; then
		mapfile -t COMPREPLY < <(compgen -W "$(_sonde_commands "$program")" -- "$cur")
		return
	fi
	# Behind -- stands a program of the user's, with arguments of its own.
	for ((i = 2; i < COMP_CWORD; i++)); do
		[ "${COMP_WORDS[i]}" = -- ] || continue
		if declare -F _command_offset >/dev/null; then
			_command_offset $((i + 1))
		elif [ $((i + 1)) = "$COMP_CWORD" ]; then
			mapfile -t COMPREPLY < <(compgen -c -- "$cur")
		else
			compopt -o filenames 2>/dev/null
			mapfile -t COMPREPLY < <(compgen -f -- "$cur")
		fi
		return
	done
	options=$(_sonde_options "$program" "$command")
	[ -n "$options" ] || options=$(_sonde_known_options)
	metavar=$(awk -v option="$prev" '$1 == option {print $2; exit}' <<<"$options")
	if [ -n "$metavar" ]; then
		_sonde_value "$prev" "$metavar"
		return
	fi
	mapfile -t COMPREPLY < <(compgen -W "$(cut -d' ' -f1 <<<"$options") --" -- "$cur")
}

complete -F _sonde sonde
