# SPDX-License-Identifier: BSD-2-Clause
# shellcheck shell=bash
#
# Completion of droverctl for bash. What there is to complete it asks the program itself ('droverctl words'), so that it is
# never behind; names of counters, servers and connections come from the board.

# _droverctl_words KIND [OF]: the words of that kind.
_droverctl_words() {
	local kind of word help
	# A tab is white space to read, which would skip empty fields; a usage may hold any other sign that is printed.
	while IFS=$'\037' read -r kind of word help; do
		[[ $kind != "$1" || $of != "${2-}" ]] || printf '%s\n' "$word"
	done < <("$ctl" words 2>/dev/null | tr '\t' '\037')
}

# _droverctl_peer: an upstream, one of its peers, and what is to become of it.
_droverctl_peer() {
	case ${#args[@]} in
	0) "$ctl" "${where[@]}" upstreams -H 2>/dev/null | cut -f 1 | sort -u ;;
	1) "$ctl" "${where[@]}" upstreams -H 2>/dev/null | awk -F '\t' -v of="${args[0]}" '$1 == of { print $2 }' ;;
	2) _droverctl_words order peer ;;
	3) [[ ${args[2]} != weight ]] || printf 'default\n' ;;
	esac
}

# _droverctl_argument USAGE: what may stand as an argument of a command with that usage.
_droverctl_argument() {
	local left name
	if [[ $1 == *NAME* ]]; then
		{ "$ctl" "${where[@]}" stat -a -H || "$ctl" stat -l -H; } 2>/dev/null | cut -f 1 | grep -v '[*\\ ]'
	fi
	if [[ $1 == *CONN* ]]; then "$ctl" "${where[@]}" conns -H 2>/dev/null | cut -f 1; fi
	if [[ $1 == *SLOT* ]]; then "$ctl" "${where[@]}" workers -H 2>/dev/null | cut -f 1 | sort -un; fi
	if [[ $1 == *VIEW* ]]; then _droverctl_words view top; fi
	if [[ $1 == *'UPSTREAM PEER'* ]]; then _droverctl_peer; fi
	if [[ $1 == *upstream=* && $current != *=* ]]; then printf 'upstream=\n'; fi
	[[ $1 == *FILTER* ]] || return 0
	left=${current%%[=!<>]*}
	case $current in
	state[=!]*) _droverctl_words state conns | sed "s/^/${current%"${current##*[=!]}"}/" ;;
	server[=!]*)
		"$ctl" "${where[@]}" servers -H 2>/dev/null | cut -f 1 | while IFS= read -r name; do
			[[ $name == *[[:space:]\\]* ]] || printf '%s\n' "${current%"${current##*[=!]}"}$name"
		done
		;;
	"$left") _droverctl_words column conns | sed 's/$/=/' ;;
	esac
}

# _droverctl_value OPTION: what an option takes.
_droverctl_value() {
	case $1 in
	-r | --run-dir) compgen -d -- "$current" ;;
	--board) compgen -f -- "$current" ;;
	-s | --sort)
		_droverctl_words column conns
		_droverctl_words column conns | sed 's/^/-/'
		;;
	esac
}

_droverctl() {
	local line=${COMP_LINE:0:COMP_POINT} current command='' word previous='' ctl where=() all=() args=() candidate
	read -ra all <<<"$line"
	current=${line##*[[:space:]]}
	[[ -z $current || ${#all[@]} -eq 0 ]] || unset 'all[${#all[@]}-1]'
	ctl=${all[0]-droverctl}
	ctl=${ctl/#\~\//$HOME/}

	# The command is the first word that is neither an option nor an option's value.
	local valued
	valued=" $("$ctl" words 2>/dev/null | awk -F '\t' '$1 == "option" && sub(/=$/, "", $3) { printf "%s ", $3 }')"
	for word in "${all[@]:1}"; do
		if [[ $previous == -r || $previous == --run-dir || $previous == --board ]]; then
			where=("$previous" "$word")
			previous=''
		elif [[ -n $previous && $valued == *" $previous "* ]]; then
			previous=''
		else
			if [[ $word == -* ]]; then :; elif [[ -z $command ]]; then command=$word; else args+=("$word"); fi
			previous=$word
		fi
	done

	local candidates
	if [[ $previous == -* && $valued == *" $previous "* ]]; then
		candidates=$(_droverctl_value "$previous")
	elif [[ $current == -* ]]; then
		candidates=$(
			_droverctl_words option | sed 's/=$//'
			[[ -z $command ]] || _droverctl_words option "$command" | sed 's/=$//'
		)
	elif [[ -z $command ]]; then
		candidates=$(_droverctl_words command; echo help)
	else
		candidates=$(_droverctl_argument "$(_droverctl_words argument "$command")")
	fi

	# The line editor replaces no more than what stands behind the last of COMP_WORDBREAKS, such as '=' and ':'.
	local last=${COMP_WORDS[COMP_CWORD]} kept
	case $last in '' | [=:\<\>]*) last=${last//[=:<>]/} ;; esac
	kept=${current%"$last"}
	COMPREPLY=()
	while IFS= read -r candidate; do
		[[ -z $candidate || $candidate != "$current"* ]] || COMPREPLY+=("${candidate#"$kept"}")
	done <<<"$candidates"
	if [[ ${#COMPREPLY[@]} -gt 0 && ${COMPREPLY[0]} == *= ]]; then compopt -o nospace 2>/dev/null; fi
	return 0
}

complete -F _droverctl droverctl
