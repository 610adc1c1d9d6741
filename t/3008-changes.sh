#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
# Files that change under drover: new content within about a second, old content whole to those who have begun, no half
# response that passes as whole.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/http.sh"

W=$T/www
mkdir -p "$W" "$T/release1" "$T/release2"
printf 'release one\n' | tee "$T/release1/x.txt" >"$T/release1/only1.txt"
printf 'release two\n' >"$T/release2/x.txt"
ln -s release1 "$T/current"
start_drover <<EOC
workers = 1
server "s" {
    listen = { "127.0.0.1:0" }
    deadlines { send = 5m  min_rate = 0 }
    location "/" { root = "$W" }
    location "/app/" { alias = "$T/current"  listing = true }
}
EOC
WORKER=$(worker_pids)
fds_mark

# soon NAME PATH STATUS BODY: that is the answer about a second after $START, when the changes were made: who asks then, once, gets it,
# however long the asking takes.
soon() {
	local name=$1
	shift
	wait_for 5 it_is_time
	ok "$name: $2 within about a second" now_is "$@"
}
it_is_time() {
	[ $(($(now_ms) - START)) -ge 1400 ]
}

# put NAME TEXT [TIME]: written in place, as of TIME.
put() {
	printf '%s' "$2" >"$W/$1"
	[ $# -lt 3 ] || touch -d "$3" "$W/$1"
}

# replace NAME TEXT: renamed into place.
replace() {
	printf '%s' "$2" >"$W/.new"
	mv "$W/.new" "$W/$1"
}

LARGE=$(printf 'x%.0s' {1..20000})
put still.txt still 2020-01-01
got 'a file' /still.txt 200 still
hits=$(stat_of file_cache_hits) misses=$(stat_of file_cache_misses)
ok 'a hundred requests' "$BUILD/herd" -c 1 -n 100 -p /still.txt "127.0.0.1:$PORT"
is "$(($(stat_of file_cache_hits) - hits)) $(($(stat_of file_cache_misses) - misses))" '100 0' 'open it no more'

# All are known to drover when they change at the same time.
put newer.txt one 2020-01-01
put older.txt one 2020-01-01
put young.txt one
put twice.txt one
put renamed.txt one 2020-01-01
put deleted.txt one 2020-01-01
put folder.txt one 2020-01-01
put grown.txt one 2020-01-01
put shrunk.txt "$LARGE" 2020-01-01
put mode.txt one 2020-01-01
mkdir "$W/file.txt"
for name in older young twice renamed deleted folder grown mode; do got "$name, before" /$name.txt 200 one; done
got 'shrunk, before' /shrunk.txt 200 "$LARGE"
got 'file, before' /file.txt 301 -
got 'appears, before' /appears.txt 404 -
got 'newer, before' /newer.txt 200 one
tag=$(field ETag)
got 'the linked directory, before' /app/x.txt 200 'release one'
got 'what is only there, before' /app/only1.txt 200 'release one'
got 'its listing, before' /app/ 200 -
like "$(cat "$T/body")" 'only1' 'tells what is in it'
START=$(now_ms)
put newer.txt two 2021-01-01
put older.txt two 2019-01-01
put young.txt two
put twice.txt two
rm "$W/deleted.txt" "$W/folder.txt"
mkdir "$W/folder.txt"
replace renamed.txt two
replace shrunk.txt two
put grown.txt "$LARGE"
chmod 0 "$W/mode.txt"
chmod 644 "$W/mode.txt"
rmdir "$W/file.txt"
put file.txt two
put appears.txt two
ln -s release2 "$T/next"
mv -T "$T/next" "$T/current"
soon 'written anew, with the same length' /newer.txt 200 two
isnt "$(field ETag)" "$tag" 'another tag'
like "$(field Last-Modified)" ' Jan 2021 ' 'another date'
soon 'an older one in its place' /older.txt 200 two
soon 'written twice within a second' /young.txt 200 two
soon 'and a third time' /twice.txt 200 two
put twice.txt six
soon 'renamed into place' /renamed.txt 200 two
soon 'deleted' /deleted.txt 404 -
soon 'now a folder' /folder.txt 301 -
soon 'now a file' /file.txt 200 two
soon 'grown' /grown.txt 200 "$LARGE"
soon 'shrunk' /shrunk.txt 200 two
soon 'its mode changed, and back' /mode.txt 200 one
soon 'new' /appears.txt 200 two
soon 'the link of a directory switched' /app/x.txt 200 'release two'
soon 'what the new one has not' /app/only1.txt 404 -
soon 'its listing' /app/ 200 -
unlike "$(cat "$T/body")" 'only1' 'its listing: the new one'
allow_log "directory of location /app/: $T/current: No such file or directory"
START=$(now_ms)
rm "$T/current"
soon 'the link gone' /app/x.txt 404 -
soon 'the third time' /twice.txt 200 six
START=$(now_ms)
ln -s release1 "$T/current"
soon 'and there again' /app/x.txt 200 'release one'

# A file that only grows: each answer is whole.
spawn writer bash -c 'for ((i = 0; i < 30000; i++)); do printf "line %d\n" $i; done >>"$1"' - "$W/grows.log"
WRITER=$PID
ok 'its first line' wait_for 5 test -s "$W/grows.log"
ok 'a file that grows is served' wait_for 3 now_is /grows.log 200 -
ok 'again and again' "$BUILD/herd" -c 4 -n 2000 -p /grows.log "127.0.0.1:$PORT"
finish "$WRITER"
START=$(now_ms)
soon 'all of it' /grows.log 200 "$(cat "$W/grows.log")"
is "$(stat_of responses_5xx) $(stat_of file_errors)" '0 0' 'no file failed'

# download NAME: a client that has begun to read $W/NAME, and reads no more until $T/go is there.
stopped() {
	sent=$(ctl conns -H state=send | cut -f 9)
	[ -n "$sent" ] && [ "$sent" = "$before" ]
	local same=$?
	before=$sent
	return $same
}
download() {
	before=''
	rm -f "$T/go"
	spawn download perl "$ROOT/t/tools/ranges.pl" -g "$T/go" -b 100000 "127.0.0.1:$PORT" "/$1" "$T/copy" \
		'text/plain; charset=utf-8' 1-
	ok "$1: a download has begun" wait_for 10 stopped
	cmp_ok "$sent" -lt 20000000 "$1: and not ended"
	START=$(now_ms)
}
whole() {
	: >"$T/go"
	finish "$PID"
	is "$STATUS $(cat "$T/download.err")" '0 ' "$1: the old content arrives whole"
}
seq 1000000 4000000 >"$T/copy"
for name in replaced removed fifo truncated; do cp "$T/copy" "$W/$name.txt"; done
download replaced.txt
replace replaced.txt new
soon 'others get the new one' /replaced.txt 200 new
whole 'replaced'
download removed.txt
rm "$W/removed.txt"
soon 'others get nothing' /removed.txt 404 -
whole 'deleted'
download fifo.txt
rm "$W/fifo.txt"
mkfifo "$W/fifo.txt"
soon 'for others it is no file' /fifo.txt 404 -
whole 'now a FIFO'
is_stat file_errors 0 'no file failed'

# What has been promised and is not there any more cannot come: a reset tells so, and not an end like any other.
download truncated.txt
truncate -s 1000000 "$W/truncated.txt"
: >"$T/go"
finish "$PID"
is "$STATUS $(cat "$T/download.err")" '104 read: Connection reset by peer' 'truncated: the client is reset'
expect_stat file_errors -ge 1
cmp_stat close_error -ge 1 'counted, with the reason'
soon 'what is left of it' /truncated.txt 206 "$(tail -c 7 "$W/truncated.txt")" -r 999993-
# Nor if it shrank since it was looked at.
shrinks() {
	local looked
	put shrinks.txt "$LARGE"
	looked=$(now_ms)
	wait_for 5 now_is /shrinks.txt 200 "$LARGE"
	START=$(now_ms)
	truncate -s 17000 "$W/shrinks.txt"
	get /shrinks.txt -m $((5 * WAIT_FACTOR))
	# Had the second been over, it would have been looked at again.
	[ "$STATUS" = 'curl 56' ] || [ $(($(now_ms) - looked)) -lt 900 ]
}
ok 'shrunk within the second' wait_for 20 shrinks
is "$STATUS" 'curl 56' 'a reset, at once'
soon 'then the new length' /shrinks.txt 200 "${LARGE:0:17000}"

is "$(worker_pids)" "$WORKER" 'the worker is still the same'
rm -rf "${W:?}"/*
for name in grown.txt grows.log replaced.txt truncated.txt shrinks.txt; do
	ok "$name is forgotten" wait_for 3 now_is /$name 404 -
done
none_kept() {
	[ -z "$(find "/proc/$WORKER/fd" -lname '*/www/* (deleted)')" ]
}
ok 'no deleted file is kept open' wait_for 3 none_kept
expect_stat conns -eq 0
expect_stat buffers -eq 0
done_testing
