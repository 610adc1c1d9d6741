#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
# Ranges of static files, byte for byte: one, several, from the end, of files in memory and on disk, of huge ones, to
# readers that are slow; what is refused and what is passed over.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/http.sh"

W=$T/www
mkdir "$W"
head -c 1000 /dev/urandom >"$W/small.txt"
head -c 16384 /dev/urandom >"$W/kept.bin"
head -c 16385 /dev/urandom >"$W/sent.bin"
head -c 24000000 /dev/urandom >"$W/large.bin"
: >"$W/empty.txt"
printf 'begin' >"$W/huge.bin"
truncate -s 5G "$W/huge.bin"
printf 'four GiB' | dd of="$W/huge.bin" bs=1 seek=$((4294967296 - 4)) conv=notrunc status=none
printf 'the end' >>"$W/huge.bin"
touch -d '2020-02-29 12:34:56.5 UTC' "$W"/*
start_drover <<EOC
workers = 1
server "s" {
    listen = { "127.0.0.1:0" }
    keepalive { requests = 0 }
    deadlines { send = 5m  min_rate = 0 }
    location "/" { root = "$W" }
}
EOC
fds_mark

TEXT='text/plain; charset=utf-8'
BIN=application/octet-stream

# ranges NAME FILE TYPE RANGES [OPTIONS]
ranges() {
	local name=$1 file=$2 type=$3 what=$4
	shift 4
	ok "$file, $what: $name" perl "$ROOT/t/tools/ranges.pl" "$@" "127.0.0.1:$PORT" "/$file" "$W/$file" "$type" "$what"
}
many() {
	local i out=
	for ((i = 0; i < $1; i++)); do out+=",$((i * 50))-$((i * 50 + 9))"; done
	printf '%s' "${out#,}"
}

for file in small.txt kept.bin sent.bin large.bin; do
	type=$BIN
	[ $file != small.txt ] || type=$TEXT
	ranges 'the first byte' $file "$type" 0-0
	ranges 'from the middle' $file "$type" 500-999
	ranges 'more than there is' $file "$type" 990-99999999999999999999
	ranges 'the last byte' $file "$type" -1
	ranges 'all of it, and more, from the end' $file "$type" -99999999
	ranges 'two' $file "$type" 0-9,100-999
	ranges 'not in order' $file "$type" -5,0-0,500-501
	ranges 'one of two is not there' $file "$type" 0-9,99999999-
	ranges 'as many as may be' $file "$type" "$(many 16)"
	ranges 'a hundred requests at once' $file "$type" 1-2,900-998 -n 100
done
ranges 'one at 4 GiB' huge.bin $BIN 4294967290-4294967299
ranges 'one at the end' huge.bin $BIN -7
ranges 'several, far apart' huge.bin $BIN 0-9,4294967290-4294967310,-10
ranges 'large ones' huge.bin $BIN 4290000000-4296000000,5360000000-

# Passed over: the whole comes.
whole() {
	get "/$2" -H "Range: $3"
	is "$STATUS $(field Content-Range)" '200 ' "$1: 200"
	ok "$1: the whole" cmp "$T/body" "$W/$2"
}
for file in small.txt sent.bin; do
	whole 'more ranges than may be' $file "bytes=$(many 17)"
	whole 'overlapping ranges' $file 'bytes=0-100,50-150'
	whole 'another unit' $file 'lines=1-2'
	whole 'no range' $file 'bytes=-'
	whole 'backwards' $file 'bytes=9-3'
	whole 'letters' $file 'bytes=0-9,x'
	get /$file -H 'Range: bytes=0-1' -H 'Range: bytes=4-5'
	is "$STATUS" 200 'the field twice'
	get /$file -I -H 'Range: bytes=0-1'
	is "$STATUS $(field Content-Length)" "200 $(wc -c <"$W/$file")" 'HEAD has no ranges'
	for bad in 20000- 16385- -0 99999999999999999999-; do
		get /$file -H "Range: bytes=$bad"
		is "$STATUS $(field Content-Range)" "416 bytes */$(wc -c <"$W/$file")" "$file, $bad: 416 with the size"
	done
	get /$file
	tag=$(field ETag) date=$(field Last-Modified)
	# If-Range and the status that comes of it.
	while IFS='|' read -r want value; do
		get /$file -H 'Range: bytes=5-9' -H "If-Range: $value"
		is "$STATUS" "$want" "$file, If-Range: $value: $want"
		[ "$want" = 206 ] && is "$(od -An -tx1 "$T/body")" "$(od -An -tx1 -j 5 -N 5 "$W/$file")" 'the range'
		[ "$want" = 200 ] && ok 'the whole' cmp "$T/body" "$W/$file"
	done <<-END
		206|$tag
		200|W/$tag
		200|"x"
		206|$date
		200|Sat, 29 Feb 2020 12:34:57 GMT
		200|Sat, 29 Feb 2020 12:34:55 GMT
		200|x
	END
	get /$file -H 'Range: bytes=99999999-' -H 'If-Range: "x"'
	is "$STATUS" 200 'no 416 where If-Range fails'
	get /$file -H 'Range: bytes=0-1' -H "If-None-Match: $tag"
	is "$STATUS" 304 'conditions come first'
	get /$file -H 'Range: bytes=0-1' -H 'If-Match: "x"'
	is "$STATUS" 412 'and fail first'
done
get /empty.txt -H 'Range: bytes=0-'
is "$STATUS $(field Content-Range)" '416 bytes */0' 'an empty file has no range'

# A reader that takes nothing until the response has stopped in the middle, and then little by little.
stopped() {
	sent=$(ctl conns -H state=send | cut -f 9)
	[ -n "$sent" ] && [ "$sent" = "${before:-}" ]
	local same=$?
	before=${sent:-}
	return $same
}
slowly() {
	local name=$1 file=$2 what=$3 total=$4
	shift 4
	before='' sent=
	spawn slow perl "$ROOT/t/tools/ranges.pl" -g "$T/go" "$@" "127.0.0.1:$PORT" "/$file" "$W/$file" $BIN "$what"
	ok "$name: it stops" wait_for 10 stopped
	cmp_ok "$sent" -lt "$total" "$name: not all has left"
	: >"$T/go"
	finish "$PID"
	is "$STATUS $(cat "$T/slow.err")" '0 ' "$name: all comes, as it must be"
	rm "$T/go"
}
slowly 'parts of a file' large.bin 0-8999999,9000001-17999999,18000001- 24000000 -b 40000
slowly 'small parts behind a large one' large.bin 0-19999999,20000001-20000001,20000003-20000004,-1 20000000 -b 100000
slowly 'one range' large.bin 1000- 23990000 -b 40000
slowly 'many answers from memory' kept.bin 0-7999,8001-8001,8003-16383 24000000 -n 1500 -b 100000
slowly 'many answers from a file' sent.bin 0-7999,8001-8001,8003-16384 24000000 -n 1500 -b 100000

expect_stat conns -eq 0
expect_stat buffers -eq 0
is_stat file_errors 0 'no file failed'
is_stat buffer_failures 0 'no buffer was missing'
rm "$W"/*
for file in small.txt kept.bin sent.bin large.bin huge.bin empty.txt; do
	ok "$file is gone" wait_for 3 now_is /$file 404 -
done
fds_check
done_testing
