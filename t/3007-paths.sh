#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
# What paths lead to and what they must not: dot files, escapes, links, files that are none, files without leave; listings.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/http.sh"

W=$T/www
mkdir -p "$W/dir/deep" "$W/.git" "$W/dir/.svn" "$W/.well-known" "$W/closed" "$W/list/zz" "$W/list/a&b" "$W/two\\words" "$T/outside"
for file in a.txt dir/x.txt dir/deep/y.txt .hidden .git/config dir/.svn/entries dir/.dot .well-known/acme ..txt ...txt a..b.txt \
	'two\words/x.txt' "caf"$'\xc3\xa9'".txt" 'per%cent.txt' 'per%2fcent.txt' closed/x.txt noread.txt '(a+b)=c,d;e@f:g!.txt'; do
	printf 'served: %s\n' "$file" >"$W/$file"
done
printf 'secret\n' >"$T/secret.txt"
printf 'secret\n' >"$T/outside/secret.txt"
ln -s dir/x.txt "$W/inside"
ln -s dir "$W/folder"
ln -s ../../a.txt "$W/dir/deep/up"
ln -s ../secret.txt "$W/out"
ln -s ../outside "$W/outfolder"
ln -s "$T/secret.txt" "$W/absolute"
ln -s "$W/a.txt" "$W/absolute-inside"
ln -s none "$W/dangling"
ln -s loop "$W/loop"
ln -s /proc/self/root "$W/magic"
ln -s /dev/zero "$W/endless"
mkfifo "$W/fifo" "$W/dir/index.html"
perl -MIO::Socket::UNIX -e 'IO::Socket::UNIX->new(Local => shift, Listen => 1) or die "$!\n"' "$W/socket" || die 'a socket'
chmod 0 "$W/noread.txt" "$W/closed"
mkdir "$T/devices"
mknod "$T/devices/zero" c 1 5 2>/dev/null || rmdir "$T/devices"
[ -d "$T/devices" ] || ln -s /dev "$T/devices"
USER_LINE=
[ "$(id -u)" -ne 0 ] || USER_LINE='user = "nobody"'
start_drover <<EOC
$USER_LINE
workers = 1
server "s" {
    listen = { "127.0.0.1:0" }
    location "/" { root = "$W" }
    location "/list/" { root = "$W"  listing = true  cache_control = "no-cache" }
    location "/all/" { alias = "$W"  dotfiles = true  listing = true }
    location "/devices/" { alias = "$T/devices" }
    location "/dev/" { alias = "/dev" }
}
EOC
allow_log 'cannot serve .*: Permission denied'

# paths: STATUS and PATH as it goes out; what is served says so.
while read -r want path file; do
	get "$path"
	if [ "$want" = 200 ]; then
		is "$STATUS $(cat "$T/body")" "200 served: ${file:-${path#/}}" "$path is served"
	else
		is "$STATUS" "$want" "$path: $want"
		unlike "$(cat "$T/body")" 'secret|served|root:' "$path: nothing of a file"
	fi
done <<'END'
200 /a.txt
200 /%61.tx%74 a.txt
200 /dir/deep/y.txt
200 //dir///deep//y.txt dir/deep/y.txt
200 /./dir/././x.txt dir/x.txt
200 /dir/deep/../x.txt dir/x.txt
200 /dir/deep/%2e%2E/x.txt dir/x.txt
200 /none/../a.txt a.txt
200 /a..b.txt
200 /two%5Cwords/x.txt two\words/x.txt
200 /caf%C3%A9.txt café.txt
200 /per%25cent.txt per%cent.txt
200 /per%252fcent.txt per%2fcent.txt
200 /(a+b)=c,d;e@f:g!.txt
200 /%28a%2Bb%29%3Dc%2Cd%3Be%40f%3Ag%21.txt (a+b)=c,d;e@f:g!.txt
200 /a.txt?../../secret.txt a.txt
400 /per%cent.txt
400 /per%cent.txt%
400 /a%2
400 /a%zz
404 /A.TXT
404 /a.txt.
404 /a.txt%20
400 /../secret.txt
400 /dir/../../secret.txt
400 /dir/%2e%2e/%2e%2e/secret.txt
400 /..%2fsecret.txt
400 /dir%2fx.txt
400 /dir%2Fx.txt
404 /..%5csecret.txt
404 /dir%5c..%5ca.txt
400 /a.txt%00
400 /a.txt%00.html
400 /%00
400 /a%0a.txt
400 /a%0d%0aX:y
400 /a%7f
400 /%c0%ae%c0%ae/secret.txt
400 /%c0%af/secret.txt
400 /%e0%80%ae%e0%80%ae/secret.txt
400 /%f0%80%80%ae/secret.txt
400 /%ed%a0%80
400 /%f5%80%80%80
400 /%ff
400 /caf%e9.txt
404 /%252e%252e/secret.txt
404 /..;/secret.txt
404 /.hidden
404 /%2ehidden
404 /.git/config
404 /.git/
404 /.git
404 /dir/.svn/entries
404 /dir/.dot
404 /dir/.svn/../.dot
404 /..txt
404 /...txt
200 /.well-known/acme
404 /dir/.well-known/acme
404 /.well-known/.hidden
200 /inside dir/x.txt
200 /folder/x.txt dir/x.txt
200 /dir/deep/up a.txt
404 /out
404 /outfolder/secret.txt
404 /outfolder/
404 /absolute
404 /absolute-inside
404 /dangling
404 /loop
404 /magic
404 /magic/etc/passwd
404 /endless
404 /fifo
404 /socket
403 /dir/
404 /devices/zero
404 /dev/zero
404 /dev/stdin
404 /dev/tty
404 /dev/fd/0
403 /noread.txt
403 /closed/x.txt
403 /closed/
200 /all/.hidden .hidden
200 /all/.git/config .git/config
200 /all/...txt ...txt
400 /all/../../secret.txt
404 /all/out
404 /all/outfolder/secret.txt
END
for path in a/b a ../secret.txt '?x' '\a.txt' /a\\b '/a<b' '/a"b' '/a|b' '/a^b' '/a`b' '/a{b}'; do
	ask "GET ${path//\\/\\\\} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
	like "$REPLY" '^HTTP/1.1 40[04] ' "the target '$path' is refused"
done
ask 'GET /\xc0\xae\xc0\xae/secret.txt HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n'
like "$REPLY" '^HTTP/1.1 400 ' 'bytes that are not ASCII are refused'
long=$(printf 'x%.0s' {1..300})
got 'a name longer than any' "/$long" 404 -
got 'a path longer than any' "/$(for _ in {1..20}; do printf '%s/' "$long"; done)" 404 -
is "$(sed -n 's/.* cannot serve \(.*\) from .*: Permission denied$/\1/p' "$T/stderr" | sort | tr '\n' ' ')" \
	'/closed/ /closed/x.txt /noread.txt ' 'that there is no leave is said, once of each file'
is_stat file_errors 0 'nothing of it is an error'

# Files that turn into what must not be opened, while drover knows them.
cp "$W/a.txt" "$W/turns.txt"
got 'a file' /turns.txt 200 'served: a.txt'
rm "$W/turns.txt"
mkfifo "$W/turns.txt"
ok 'that becomes a FIFO' wait_for 3 now_is /turns.txt 404 -
rm "$W/turns.txt"
ln -s ../secret.txt "$W/turns.txt"
ok 'and a way out' wait_for 3 now_is /turns.txt 404 -
cmp_ok "$(stat_of lag_us)" -lt $((1000000 * WAIT_FACTOR)) 'none of it held the worker up'

# Listings. Names that no request can ask for are not in them.
cd "$W/list" || exit 99
printf '%1536s' x >"<b>&\"'.txt"
for name in 'javascript:alert(1)' ' lead' '100%' $'new\nline' $'esc\x1b[31m' $'latin\xe9' '#hash?query' "caf"$'\xc3\xa9' '&amp;' \
	.hidden '\back' 'a:b'; do
	printf 'name: %s' "$name" >"$name"
done
ln -s zz link
ln -s ../../secret.txt leak
ln -s none dead
mkfifo fifo
cd "$ROOT" || exit 99
get /list/
is "$STATUS $(field Content-Type) $(field Cache-Control)" '200 text/html; charset=utf-8 no-cache' 'a listing'
is "$(field ETag)$(field Last-Modified)$(field Accept-Ranges)" '' 'has no validators and no ranges'
is "$(field Content-Length)" "$(wc -c <"$T/body")" 'has a length'
is "$(sed -n 's/^<tr><td><a href="\([^"]*\)">\(.*\)<\/a>.*/\1 \2/p' "$T/body")" "../ ../
./a&amp;b/ a&amp;b/
./link/ link/
./zz/ zz/
./%20lead  lead
./%23hash%3Fquery #hash?query
./&amp;amp; &amp;amp;
./100%25 100%
./%3Cb%3E&amp;%22&#39;.txt &lt;b&gt;&amp;&quot;&#39;.txt
./%5Cback \\back
./a:b a:b
./caf%C3%A9 caf"$'\xc3\xa9'"
./javascript:alert(1) javascript:alert(1)" 'its names: folders first, escaped where shown, encoded where linked'
LISTED=$(cat "$T/body")
like "$LISTED" '<td>1\.5k</td><td>20[0-9]{2}-[0-9]{2}-[0-9]{2} [0-9]{2}:[0-9]{2}</td>' 'size and time'
unlike "$LISTED" 'leak|dead|fifo|hidden' 'nothing that is not served'
is "$(tr -d '\n\040-\176' <<<"$LISTED" | wc -c)" 2 'no byte of a name that is not text'
# What is linked is answered, as a client reads it.
ok 'each link leads to its file' perl -MHTTP::Tiny -e '
	my ($base, $dir) = @ARGV;
	my ($seen, $page) = (0, HTTP::Tiny->new->get($base)->{content});
	while ($page =~ /<a href="\.\/([^"]+)">/g) {
		my $href = $1;
		my %entity = (amp => "&", lt => "<", gt => ">", quot => "\"", "#39" => "\x27");
		$href =~ s/&(\w+|#39);/$entity{$1}/g;
		my $answer = HTTP::Tiny->new(max_redirect => 0)->get("$base$href");
		my $name = $href =~ s/%([0-9A-F]{2})/chr hex $1/ger;
		next if $name =~ /\/$/ && $answer->{status} == 200;
		die "$href: $answer->{status}\n" if $answer->{status} != 200;
		$seen++;
		die "$href: $answer->{content}\n" if $name !~ /^<b>/ && $answer->{content} ne "name: $name";
	}
	die "$seen files\n" if $seen != 9' "http://127.0.0.1:$PORT/list/"
got 'a folder below a listing' /list/zz/ 200 -
like "$(cat "$T/body")" '<h1>/list/zz/</h1>' 'has its name'
got 'a folder with a name to be escaped' '/list/a&b/' 200 -
like "$(cat "$T/body")" '<title>/list/a&amp;b/</title>' 'escapes it'
got 'dot files where they are wanted' /all/ 200 -
like "$(cat "$T/body")" '"\./\.git/".*"\./\.hidden"' 'are listed'
unlike "$(cat "$T/body")" '"\./\.\./' 'without the folder above'
got 'a listing does not show a closed folder' /all/closed/ 403 -
chmod 755 "$W/closed"

expect_stat conns -eq 0
is_stat master.worker_deaths 0 'no worker died'
done_testing
