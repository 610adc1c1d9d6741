#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
# The configuration from the command line: -t says all that is wrong, -T prints what is read again, the files in etc/ are
# good, and a wrong one starts nothing.
. "$(dirname "$0")/lib.sh"

DROVER=$BUILD/drover
mkdir -p "$T/www" "$T/conf.d" "$T/empty"
echo hello >"$T/www/index.html"

# drover ARG...: its output in $OUT and $ERR, its status in $STATUS.
drover() {
	timeout 20 "$DROVER" -r "$RUN" "$@" >"$T/out" 2>"$T/err" 9<&-
	STATUS=$?
	OUT=$(<"$T/out") ERR=$(<"$T/err")
}

config <<EOF
server "site" {
    listen = { "127.0.0.1:0" }
    location "/" { root = "www" }
}
include("conf.d/*.conf")
EOF
drover -t -c "$T/drover.conf"
is "$STATUS" 0 '-t: a good file'
like "$OUT" "^$T/drover.conf: .*configuration is good\$" 'it says so'
is "$ERR" '' 'and nothing else'
is "$(ls "$RUN" 2>/dev/null)" '' '-t leaves nothing in the run directory'

# Everything that is wrong, where it is, included files too.
cat >"$T/conf.d/10-b.conf" <<EOF
server "b" {
    lisen = { "127.0.0.1:0" }
    location "/" { root = "www"  alias = "www" }
}
EOF
printf 'drain = 10\n' >"$T/conf.d/20-c.conf"
drover -t -c "$T/drover.conf"
is "$STATUS" 1 '-t: a wrong file'
is "$OUT" '' 'nothing on standard output'
is "$ERR" "$T/conf.d/10-b.conf:2: error: no such option 'lisen' in server (did you mean 'listen'?)
$T/conf.d/10-b.conf:3: error: a location has one purpose: 'alias' and 'root' ($T/conf.d/10-b.conf:3) exclude each other
$T/conf.d/20-c.conf:1: error: drain: '10' has no unit (write 10s)" 'every error with file and line'
drover -T -c "$T/drover.conf"
is "$STATUS/$OUT" 1/ '-T prints nothing of a wrong file'
drover -F -c "$T/drover.conf"
is "$STATUS" 1 'a wrong file starts nothing'
like "$ERR" "10-b.conf:2: error: no such option 'lisen'" 'and is told at start'
rm "$T"/conf.d/*

printf 'drain = 100ms\n' >"$T/conf.d/warn.conf"
drover -t -c "$T/drover.conf"
is "$STATUS" 0 'a warning is no error'
is "$ERR" "$T/conf.d/warn.conf:1: warning: drain is shorter than 1s: responses under way will be cut" 'it is told'
rm "$T"/conf.d/*

drover -t -c "$T/none.conf"
is "$STATUS" 1 'a missing file'
is "$ERR" "$T/none.conf: error: cannot be read: No such file or directory" 'is told'
mkfifo "$T/fifo"
drover -t -c "$T/fifo"
is "$STATUS" 1 'a FIFO is refused, not waited for'

# What -T prints is a configuration with the same meaning, wherever it stands.
round_trip() {
	drover -T -c "$1"
	cp "$T/out" "$T/empty/once.conf"
	drover -T -c "$T/empty/once.conf"
	[ "$STATUS" = 0 ] && [ -s "$T/out" ] && cmp "$T/out" "$T/empty/once.conf"
}
ok '-T: the same again' round_trip "$T/drover.conf"
like "$OUT" "root = \"$T/www\"" '-T shows absolute paths'
like "$OUT" 'header = 10s' 'and defaults'
(cd "$T/www" && timeout 20 "$DROVER" -T -c ../drover.conf) >"$T/relative" 2>&1
is "$(<"$T/relative")" "$OUT" 'paths begin at the file, not at the working directory'

drover -T "$T/www"
like "$OUT" "listen = \\{ \"127.0.0.1:8080\" \\}" 'drover DIR: the embedded configuration'
drover -t -l 80 "$T/www"
is "$ERR" "command line: error: listen: '80' is a port alone (write \"*:80\" or \"127.0.0.1:80\")" \
	'and what is wrong with the command line'
drover -t "$T/nowhere"
is "$STATUS" 1 'drover DIR without the folder'

# What is installed and shown to people is right, but for their folders.
mkdir -p "$T/etc/conf.d" "$T/srv"
for file in "$ROOT/etc/drover.conf" "$ROOT"/etc/examples/*.conf; do
	name=${file##*/}
	grep -oE '"/(srv|var/www)[^"]*"' "$file" | tr -d '"' | while read -r path; do
		case $path in
		*.html) mkdir -p "$T/root/${path%/*}" && echo page >"$T/root/$path" ;;
		*) mkdir -p "$T/root/$path" ;;
		esac
	done
	sed -E "s#\"/(srv|var/www)#\"$T/root/\\1#" "$file" >"$T/etc/$name"
	drover -t -c "$T/etc/$name"
	is "$STATUS/$ERR" 0/ "etc: $name is good"
	ok "etc: $name survives -T" round_trip "$T/etc/$name"
done
cmp_ok "$(ls "$T/etc" | wc -l)" -ge 5 'there are examples'

# So is each example of the manual.
touch "$T/etc/404.html" "$T/etc/sorry.html"
awk -v to="$T/etc/manual" '/^\.Sh/ { on = $2 == "EXAMPLES" } !on { next } /^\.Ed/ { out = "" } out { print >out }
	/^\.Bd/ { n++; out = to n ".conf" }' "$ROOT/etc/man/drover.conf.5"
for file in "$T"/etc/manual*.conf; do
	name=${file##*/}
	sed -i -E "s#\"/srv#\"$T/root/srv#" "$file"
	grep -oE "\"$T/root[^\"]*" "$file" | tr -d '"' | xargs -d '\n' mkdir -p
	drover -t -c "$file"
	is "$STATUS/$ERR" 0/ "drover.conf(5): $name is good"
	ok "drover.conf(5): $name survives -T" round_trip "$file"
done
ok 'there are examples in the manual' test -s "$T/etc/manual2.conf"

# And it is served.
start_drover <<EOF
workers = 1
include("conf.d/*.conf")
server "site" { listen = { "127.0.0.1:0" } include("site/*.inc") }
EOF
is "$(curl -s -o /dev/null -w '%{http_code}' "http://127.0.0.1:$PORT/")" 404 'a server without locations: 404'
mkdir "$T/site"
printf 'location "/" { root = "www" }\n' >"$T/site/a.inc"
ok 'reload' ctl reload
wait_for 10 drover_is_ready # the old worker has heard of it
is "$(curl -s "http://127.0.0.1:$PORT/")" hello 'what an include brought is served'
printf 'location "/" { root = "www" }\n' >"$T/site/b.inc"
fails 'a wrong reload fails' ctl reload
like "$(ctl reload 2>&1)" "$T/site/b.inc:1: there are two locations \"/\" \\(the first at $T/site/a.inc:1\\)" \
	'droverctl says why, with file and line'
is "$(curl -s "http://127.0.0.1:$PORT/")" hello 'and nothing has changed'
allow_log 'there are two locations'
allow_log 'reload'
done_testing
