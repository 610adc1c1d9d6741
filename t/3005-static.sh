#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
# Static files: heads, conditions, HEAD, index files, redirects to folders, media types, precompressed siblings, fields that
# the configuration adds.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/http.sh"

W=$T/www
mkdir -p "$W/sub" "$W/bare" "$W/two words" "$W/evil.example" "$W/\\evil.example" "$W/inner" "$T/pictures/deep"
printf 'hello\n' >"$W/a.txt"
head -c 100000 /dev/urandom >"$W/big.bin"
: >"$W/empty.txt"
printf 'front\n' >"$W/index.html"
printf 'second\n' >"$W/sub/index.htm"
printf 'inner\n' >"$W/inner/a.txt"
printf 'deep\n' >"$T/pictures/deep/x.png"
for name in page.HTML style.css code.mjs data.json mine.own none.unknown plain archive.tar.gz; do printf 'x' >"$W/$name"; done
printf 'plain!' >"$W/doc.html"
printf 'brotli' >"$W/doc.html.br"
printf 'zstandard' >"$W/doc.html.zst"
printf 'gzipped' >"$W/doc.html.gz"
printf 'text/x-own own\n' >"$T/mime.types"
printf 'my own 404\n' >"$T/404.txt"
printf '<b>inner 404</b>\n' >"$T/404.html"
# Not young: of a file that changed within this second nothing is promised.
find "$W" "$T/pictures" -type f -exec touch -d '2020-02-29 12:34:56.5 UTC' {} +
start_drover <<EOC
workers = 1
mime_types = "$T/mime.types"
default_type = "application/x-default"
header "X-Global" { value = "global" }
server "s" {
    listen = { "127.0.0.1:0" }
    index = { "index.html", "index.htm" }
    header "X-Server" { value = "server" }
    header "X-Which" { value = "server" }
    header "X-Always" { value = "yes"  always = true }
    error_page "404 412" { file = "$T/404.txt" }
    location "/" { root = "$W"  precompressed = true }
    location "/img" { alias = "$T/pictures" }
    location "/inner/" {
        root = "$W"
        cache_control = "public, max-age=3600"
        header "X-Inner" { value = "inner" }
        header "X-Which" { value = "inner" }
        error_page "404" { file = "$T/404.html" }
    }
}
EOC
OLD='Sat, 29 Feb 2020 12:34:56 GMT'

get /a.txt
is "$STATUS" 200 'a file'
is "$(cat "$T/body")" hello 'its content'
like "$(field Date)" '^[A-Z][a-z]{2}, [0-9]{2} [A-Z][a-z]{2} 20[0-9]{2} [0-9]{2}:[0-9]{2}:[0-9]{2} GMT$' 'Date'
seconds=$(($(date +%s) - $(date -d "$(field Date)" +%s)))
is "$((seconds >= 0 && seconds <= 5))" 1 'it is the present'
is "$(field Last-Modified)" "$OLD" 'Last-Modified'
like "$(field ETag)" '^"[^"]+"$' 'a strong ETag'
is "$(field Content-Length)" 6 'Content-Length'
is "$(field Accept-Ranges)" bytes 'Accept-Ranges'
is "$(field Transfer-Encoding)" '' 'no chunks'
SMALL=$(field ETag)
get /big.bin
ok 'a file that is not kept in memory' cmp "$T/body" "$W/big.bin"
BIG=$(field ETag)
like "$BIG" '^"[^"]+"$' 'its strong ETag'
isnt "$BIG" "$SMALL" 'is another one'
get /empty.txt
is "$STATUS $(field Content-Length)" '200 0' 'an empty file'
got 'no such file' /none 404 'my own 404'
is "$(field Content-Type)" 'text/plain; charset=utf-8' 'an error page has the type of its file'
is "$(field ETag)$(field Last-Modified)" '' 'and no validators'

# Conditions: STATUS and fields; @ is the strong tag, = the date.
conditions() {
	local want fields line args
	while IFS='|' read -r want fields; do
		args=()
		while read -r line; do args+=(-H "$line"); done < <(sed "s/ | /\\n/g; s/@/$2/g; s/=/$OLD/g" <<<"$fields")
		get "$1" "${args[@]}"
		is "$STATUS" "$want" "$1, $fields: $want"
		case $want in
		200) is "$(wc -c <"$T/body")" "$(wc -c <"$W$1")" "$1, $fields: the whole" ;;
		304)
			is "$(wc -c <"$T/body") $(field ETag) $(field Content-Length)$(field Content-Type)" "0 $2 " \
				"$1, $fields: no body, the tag, no length"
			;;
		412) is "$(cat "$T/body")" 'my own 404' "$1, $fields: the error page" ;;
		esac
	done <<-'END'
		304|If-None-Match: @
		304|If-None-Match: W/@
		304|If-None-Match: "x", @
		304|If-None-Match: *
		200|If-None-Match: "x"
		200|If-None-Match: x
		200|If-None-Match: "x" | If-Modified-Since: =
		304|If-Modified-Since: =
		304|If-Modified-Since: Saturday, 29-Feb-20 12:34:56 GMT
		304|If-Modified-Since: Sat Feb 29 12:34:56 2020
		200|If-Modified-Since: Sat, 29 Feb 2020 12:34:55 GMT
		200|If-Modified-Since: yesterday
		200|If-Match: @
		200|If-Match: *
		412|If-Match: W/@
		412|If-Match: "x"
		412|If-Match: "x" | If-None-Match: @
		304|If-Match: @ | If-None-Match: @
		200|If-Match: @ | If-Unmodified-Since: Sat, 29 Feb 2020 12:34:55 GMT
		200|If-Unmodified-Since: =
		412|If-Unmodified-Since: Sat, 29 Feb 2020 12:34:55 GMT
	END
}
conditions /a.txt "$SMALL"
conditions /big.bin "$BIG"
got 'a condition on nothing' /none 404 - -H 'If-None-Match: *'
ask "GET /a.txt HTTP/1.1\r\nHost: x\r\nIf-None-Match: $SMALL\r\n\r\nGET /a.txt HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
like "$REPLY" '^HTTP/1.1 304 .*HTTP/1.1 200 .*hello$' '304 ends with its head, and the connection goes on'

# HEAD: the head of GET, and nothing more on the wire.
head_alike() {
	local text="$1 HTTP/1.1\r\nHost: x\r\nConnection: close\r\n${2:-}\r\n" full
	ask "GET $text"
	full=$(sed '/^$/,$d; /^Date:/d' <<<"$REPLY")
	ask "HEAD $text"
	is "$(grep -v '^Date:' <<<"$REPLY")" "$full" "HEAD $1 ${2:-}: the head of GET alone"
}
for path in / /a.txt /big.bin /empty.txt /none /sub /sub/ /bare/ /doc.html '/../x'; do head_alike "$path"; done
head_alike /a.txt "If-None-Match: $SMALL\r\n"
head_alike /big.bin "If-None-Match: $BIG\r\n"
head_alike /a.txt 'If-Match: "x"\r\n'
head_alike /doc.html 'Accept-Encoding: br\r\n'

got 'the index' / 200 front
got 'the second index name' /sub/ 200 second
got 'no index and no listing' /bare/ 403 -
got 'a file is no folder' /a.txt/ 404 -

# Redirects to folders never lead to another host.
redirected() {
	ask "GET $1 HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
	is "$(sed -n '1s/ M.*//p; s/^Location: //p' <<<"$REPLY" | tr '\n' ' ')" "HTTP/1.1 301 $2 " "$1 is redirected to $2"
}
redirected /sub /sub/
redirected '/sub?a=1&b=%2F/' '/sub/?a=1&b=%2F/'
redirected '/two%20words?' /two%20words/
redirected //evil.example /evil.example/
redirected '//evil.example?//x' '/evil.example/?//x'
redirected '///evil.example' /evil.example/
redirected '/%5Cevil.example' /%5Cevil.example/
redirected '/sub/..//evil.example' /evil.example/
redirected '/./evil.example' /evil.example/
redirected 'http://evil.example//evil.example' /evil.example/
redirected /img '/img/'
redirected /img/deep '/img/deep/'
got 'an alias' /img/deep/x.png 200 deep
got 'an alias is a folder, not half a name' /imgdeep/x.png 404 -

typed() {
	get "$1"
	is "$(field Content-Type)" "$2" "$1 is $2"
}
typed /page.HTML 'text/html; charset=utf-8'
typed /style.css 'text/css; charset=utf-8'
typed /code.mjs 'text/javascript; charset=utf-8'
typed /data.json application/json
typed /img/deep/x.png image/png
typed /mine.own 'text/x-own; charset=utf-8'
typed /none.unknown application/x-default
typed /plain application/x-default
typed /archive.tar.gz application/gzip

# Precompressed: BODY, encoding, Accept-Encoding.
while IFS='|' read -r body coding accept; do
	get /doc.html -H "Accept-Encoding:$accept"
	is "$(cat "$T/body") $(field Content-Encoding) $(field Vary) $(field Content-Type)" \
		"$body $coding Accept-Encoding text/html; charset=utf-8" "accepting '$accept': $body"
done <<-'END'
	plain!||
	brotli|br| gzip, deflate, br, zstd
	zstandard|zstd| gzip, zstd
	gzipped|gzip| gzip
	gzipped|gzip| x-gzip
	gzipped|gzip| br;q=0.5, gzip;q=0.8
	brotli|br| br;q=0.8, gzip;q=0.8
	plain!|| br;q=0, gzip;q=0.000
	plain!|| gzip;q=0.5, identity
	zstandard|zstd| *;q=0.1, br;q=0, identity;q=0
	brotli|br| *
	plain!|| compress
	plain!|| br;q=2
END
get /doc.html -H 'Accept-Encoding: br'
tag=$(field ETag)
get /doc.html
isnt "$tag" "$(field ETag)" 'each variant has its own tag'
got 'the tag of another variant' /doc.html 200 'plain!' -H "If-None-Match: $tag"
got 'its own' /doc.html 304 '' -H "If-None-Match: $tag" -H 'Accept-Encoding: br'
is "$(field Vary)" Accept-Encoding '304 says Vary'
got 'a range of a variant' /doc.html 206 rot -H 'Range: bytes=1-3' -H 'Accept-Encoding: br'
is "$(field Content-Range) $(field Content-Encoding)" 'bytes 1-3/6 br' 'is one of what is encoded'
got 'a sibling by its own name' /doc.html.gz 200 gzipped -H 'Accept-Encoding: gzip'
is "$(field Content-Encoding) $(field Content-Type)" ' application/gzip' 'is a file like others'
rm "$W/doc.html.br"
ok 'a sibling that goes is forgotten' wait_for 3 now_is /doc.html 200 zstandard -H 'Accept-Encoding: br, zstd'
printf 'brotli again' >"$W/doc.html.br"
ok 'one that comes is found' wait_for 3 now_is /doc.html 200 'brotli again' -H 'Accept-Encoding: br, zstd'
rm "$W/doc.html"
ok 'without the file itself there is nothing' wait_for 3 now_is /doc.html 404 - -H 'Accept-Encoding: br, zstd'

# Fields that are added, from outside to inside.
added() {
	for name in X-Global X-Server X-Which X-Inner X-Always Cache-Control; do printf '%s,' "$(field $name)"; done
}
get /a.txt
is "$(added)" 'global,server,server,,yes,,' 'fields of all levels'
get /inner/a.txt
is "$(added)" 'global,server,inner,inner,yes,public, max-age=3600,' 'the inner of one name counts'
get /inner/a.txt -H "If-None-Match: *"
is "$STATUS $(added)" '304 global,server,inner,inner,yes,public, max-age=3600,' '304 has them, too'
get /sub
is "$STATUS $(added)" '301 global,server,server,,yes,,' 'and a redirect'
got 'an error page of the inside' /inner/none 404 '<b>inner 404</b>'
is "$(field Content-Type)" 'text/html; charset=utf-8' 'with its type'
is "$(added)" ',,,,yes,,' 'errors have those that are for always'
got 'an error page of the outside' /inner/a.txt 412 'my own 404' -H 'If-Match: "x"'

expect_stat conns -eq 0
is_stat file_errors 0 'no file failed'
done_testing
