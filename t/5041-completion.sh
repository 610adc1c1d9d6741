#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
# Completion of droverctl and drover in bash and zsh, as make install puts it in its place: commands, options, names of
# counters, filters, connections; in line with what the programs' own tables say.
. "$(dirname "$0")/lib.sh"

ok 'make install, as far as nothing is built' make -s -C "$ROOT" DESTDIR="$T/root" prefix=/usr install-data
COMPLETIONS=$T/root/usr/share/bash-completion/completions
FUNCTIONS=$T/root/usr/share/zsh/site-functions
for file in "$COMPLETIONS/droverctl" "$COMPLETIONS/drover" "$FUNCTIONS/_droverctl" "$FUNCTIONS/_drover" \
	"$T/root/usr/share/drover/droverctl.schema.json"; do
	ok "${file#"$T/root"} is installed" test -s "$file"
done
PATH=$BUILD:$PATH
mkdir "$T/www"
start_drover <<EOF
workers = 2
server "first" { listen = { "127.0.0.1:0" } location "/" { root = "$T/www" } }
server "second one" { listen = { "127.0.0.1:0" } location "/" { root = "$T/www" } }
EOF
spawn holder "$BUILD/herd" -c 3 -n 3 -i 600 -p /none "127.0.0.1:$PORT"
ok 'three connections' wait_stat conns -eq 3
export DROVER_RUN_DIR=$RUN

# Answers as the shell would split the line: what has been typed is $1, each answer is a line.
cat >"$T/complete.bash" <<'END'
. "$1"
COMP_LINE=$2 COMP_POINT=${#2}
# Readline's own splitting: blanks, and each run of the other break characters is a word.
COMP_WORDS=() word=''
for ((i = 0; i < ${#COMP_LINE}; i++)); do
	c=${COMP_LINE:i:1}
	case $c in
	' ') [ -z "$word" ] || COMP_WORDS+=("$word"); word='' ;;
	[=:\<\>]) case $word in '' | *[=:\<\>]) ;; *) COMP_WORDS+=("$word"); word='' ;; esac; word+=$c ;;
	*) case $word in *[=:\<\>]) COMP_WORDS+=("$word"); word='' ;; esac; word+=$c ;;
	esac
done
COMP_WORDS+=("$word")
COMP_CWORD=$((${#COMP_WORDS[@]} - 1))
function=$(complete -p "${COMP_WORDS[0]}" | sed 's/.*-F \([^ ]*\).*/\1/')
"$function"
printf '%s\n' "${COMPREPLY[@]}"
END
answers() {
	bash --norc "$T/complete.bash" "$COMPLETIONS/${1%% *}" "$1" 2>&1 | sort | tr '\n' ' '
}
mapfile -t commands < <(droverctl words | awk -F '\t' '$1 == "command" { print $3 }')
is "$(answers 'droverctl ')" "$(printf '%s\n' "${commands[@]}" help | sort | tr '\n' ' ')" 'bash: the commands'
is "$(answers 'droverctl re')" 'rebalance reload reopen ' 'bash: those that begin so'
is "$(droverctl help | sed -n 's/^  \([a-z][a-z]*\)\( .*\)*$/\1/p' | sort | tr '\n' ' ')" "$(printf '%s\n' "${commands[@]}" | sort | tr '\n' ' ')" \
	'they are those that help lists'
is "$(answers 'droverctl stat --')" '--all --board --count --help --interval --json --list --mdoc --raw --run-dir --version ' 'bash: long options'
is "$(answers 'droverctl -j stop -')" '--board --help --json --now --raw --run-dir --timeout --version -H -V -h -j -r -t ' 'bash: options'
is "$(answers 'droverctl workers nothing')" ' ' 'bash: no argument'
is "$(answers 'droverctl stat responses_')" 'responses_1xx responses_2xx responses_3xx responses_4xx responses_5xx ' 'bash: counters'
is "$(answers 'droverctl stat requests latency.p9')" 'latency.p90 latency.p99 latency.p999 ' 'bash: a second one'
is "$(answers 'droverctl stat server.first.bytes')" 'server.first.bytes_in server.first.bytes_out ' 'bash: of a server'
is "$(answers "droverctl stat listener.127.0.0.1:$PORT.acc")" "$PORT.accepts " 'bash: of a listener, behind the colon'
is "$(answers 'droverctl conns s')" 'server= since= slot= state= status= ' 'bash: columns'
is "$(answers 'droverctl conns state=')" 'body handshake head idle linger relay respond send ' 'bash: states'
is "$(answers 'droverctl conns peer=127.0.0.1 state=h')" 'handshake head ' 'bash: states that begin so'
is "$(answers 'droverctl conns server=f')" 'first ' 'bash: servers'
is "$(answers 'droverctl conns -s -a')" '-age ' 'bash: columns to sort by'
is "$(answers 'droverctl -r /nowhere stat responses_2')" 'responses_2xx ' 'bash: counters without a board'
is "$(answers "droverctl --board $T/roo")" "$T/root " 'bash: files'
if [[ " ${commands[*]} " == *' kill '* ]]; then
	is "$(answers 'droverctl kill ' | tr ' ' '\n' | grep -c '^[0-9]')" 3 'bash: connections'
fi
is "$(answers 'droverctl kill --filter state=l')" 'linger ' 'bash: states for kill'
is "$(answers 'droverctl kill --dry-run -')" '--board --count --dry-run --filter --help --json --raw --run-dir --sort --timeout --verbose --version -H -V -h -j -n -r -s -t -v ' \
	'bash: options of kill'
is "$(answers 'droverctl top -1 ')" 'connections counters overview slowest workers ' 'bash: views of top'
is "$(answers 'droverctl doctor up')" 'upstream= ' 'bash: argument of doctor'
is "$(answers 'droverctl metrics --o')" '--openmetrics ' 'bash: option of metrics'
is "$(answers 'droverctl upst')" 'upstreams ' 'bash: upstreams'
is "$(answers 'drover -')" '-F -T -V -c -h -l -r -t ' 'bash: options of drover'
is "$(answers "drover -c $T/drover.c")" "$T/drover.conf " 'bash: a configuration'
is "$(answers "drover $T/ww")" "$T/www " 'bash: a folder'
for program in drover droverctl; do ok "bash: completion of $program has no mistake" bash -n "$COMPLETIONS/$program"; done

# In a real line editor, on a terminal: typed, completed, and what the line is then is printed.
if ! command -v zsh >/dev/null; then
	skip 'zsh' 'not installed'
else
	cat >"$T/complete.zsh" <<'END'
zmodload zsh/zpty zsh/datetime zsh/zselect
line=$2 seen=''
end=$((EPOCHSECONDS + 30 * $3))
saw() {
	local out
	while ((EPOCHSECONDS < end)); do
		if zpty -rt shell out 2>/dev/null; then
			seen+=$out
			[[ $seen != *$~1* ]] || return 0
		else
			zselect -t 2
		fi
	done
	print -r -- "not seen: $1 in $seen"
	exit 1
}
zpty -b shell "HOME=/nonexistent TERM=dumb COLUMNS=1000 zsh -f -i"
zpty -w shell "PS1= PS2= PROMPT_EOL_MARK= fpath=($1 \$fpath); unsetopt zle_bracketed_paste; setopt nobeep noautomenu noautolist"
zpty -w shell "autoload -Uz compinit; compinit -D -u; tell() { print -r -- \"<\$BUFFER>\" }; zle -N tell; bindkey '^I' expand-or-complete '^G' tell"
zpty -w shell 'print -r -- "IT IS" READY'
saw 'IT IS READY'
seen=''
zpty -w -n shell "$line"$'\t\a'
saw '<*>'
print -r -- ${${seen%>*}##*<}
zpty -d shell
END
	# typed LINE WANT NAME
	typed() {
		is "$(timeout $((60 * WAIT_FACTOR)) zsh -f "$T/complete.zsh" "$FUNCTIONS" "$1" "$WAIT_FACTOR" 2>&1)" "$2" "$3"
	}
	typed 'droverctl reb' 'droverctl rebalance ' 'zsh: a command'
	typed 'droverctl stat responses_2' 'droverctl stat responses_2xx ' 'zsh: a counter'
	typed 'droverctl workers --al' 'droverctl workers --all ' 'zsh: an option'
	typed 'droverctl conns state=li' 'droverctl conns state=linger ' 'zsh: a state'
	typed 'droverctl kill --filter state=li' 'droverctl kill --filter state=linger ' 'zsh: a state for kill'
	typed 'droverctl top -1 sl' 'droverctl top -1 slowest ' 'zsh: a view of top'
	typed 'droverctl doctor up' 'droverctl doctor upstream=' 'zsh: argument of doctor'
	typed 'droverctl conns requ' 'droverctl conns request' 'zsh: a column'
	typed 'droverctl conns -s acc' 'droverctl conns -s acc' 'zsh: none'
	typed 'droverctl conns -s ag' 'droverctl conns -s age ' 'zsh: a column to sort by'
	typed "drover -c $T/drover.c" "drover -c $T/drover.conf " 'zsh: a configuration'
fi
kill "$PID"
finish "$PID"
stop_drover
done_testing
