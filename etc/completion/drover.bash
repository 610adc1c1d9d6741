# SPDX-License-Identifier: BSD-2-Clause
# shellcheck shell=bash
#
# Completion of drover for bash: options from what 'drover -h' says, files and folders.

_drover() {
	local current=${COMP_WORDS[COMP_CWORD]} previous=${COMP_WORDS[COMP_CWORD - 1]}
	case $previous in
	-c) mapfile -t COMPREPLY < <(compgen -f -- "$current") ;;
	-l) COMPREPLY=() ;;
	*)
		if [[ $current == -* ]]; then
			mapfile -t COMPREPLY < <(compgen -W "$("${COMP_WORDS[0]/#\~\//$HOME/}" -h 2>/dev/null | awk '/^  -/ { print $1 }')" -- "$current")
		else
			mapfile -t COMPREPLY < <(compgen -d -- "$current")
		fi
		;;
	esac
	[[ $current == -* ]] || compopt -o filenames 2>/dev/null
	return 0
}

complete -F _drover drover
