#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
# The status page in a real browser: its script and style run under its own policy, and what it shows is what the JSON and
# droverctl say; markup in names stays text. Without Chromium there is nothing to test.
. "$(dirname "$0")/lib.sh"

CHROMIUM=$(command -v chromium || command -v chromium-browser || command -v google-chrome) || skip_all 'no Chromium'
mkdir "$T/www"
printf 'hello\n' >"$T/www/a.txt"
start_drover <<EOF
workers = 2
worker_connections = 500
server "a <img src=x onerror=alert(1)>" {
    listen = { "127.0.0.1:0" }
    deadlines { body = 600s  min_rate = 0 }
    location "/" { root = "$T/www" }
    location "= /status" { status = true }
    location "/sink/" { status = 201 }
}
EOF
URL=http://127.0.0.1:$PORT/status
for _ in 1 2 3 4 5; do curl -sS -o /dev/null "http://127.0.0.1:$PORT/none" 9<&-; done
spawn slow perl -MIO::Socket::INET -e '
	my $s = IO::Socket::INET->new(PeerAddr => shift) or die;
	print $s "POST /sink/&lt;b&gt;?token=hidden HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\nabc";
	$s->flush;
	select undef, undef, undef, 1000' "127.0.0.1:$PORT"
SLOW=$PID
wait_stat conns_body -eq 1
sed -i 's/^workers.*/wokers = 2/' "$T/drover.conf"
allow_log "no such option 'wokers'"
fails 'a reload with an error' ctl reload

# browse NAME: the page's document after some looks, as text. Time in the browser is virtual, so that it does not wait; each
# look is a real one.
browse() {
	timeout -k 5 $((60 * WAIT_FACTOR)) "$CHROMIUM" --headless --no-sandbox --disable-gpu --disable-dev-shm-usage --no-first-run \
		--disable-background-networking --user-data-dir="$T/chromium" --virtual-time-budget="$2" --enable-logging=stderr \
		--dump-dom "$URL" >"$T/$1.html" 2>"$T/$1.log" 9<&-
}
ok 'Chromium shows the page' browse page 5000
PAGE=$(cat "$T/page.html")
like "$PAGE" 'data-looks="[1-9]' 'its script has looked'
is "$(grep -cE 'Content Security Policy|Uncaught|CONSOLE.*(Error|error)' "$T/page.log")" 0 'no complaint in the console'

# text ID: what an element of the page shows.
text() {
	perl -0777 -ne '
		my $id = quotemeta $ENV{ID};
		exit 1 if !/<(\w+)[^>]*\bid="$id"[^>]*>(.*?)<\/\1>/s;
		my $t = $2;
		$t =~ s/<[^>]*>/ /g;
		$t =~ s/&lt;/</g; $t =~ s/&gt;/>/g; $t =~ s/&amp;/&/g; $t =~ s/\s+/ /g; $t =~ s/^ | $//g;
		print "$t\n"' "$T/page.html"
}
shown() {
	ID=$1 text
}
is "$(shown state)" running 'the state'
like "$(shown facts)" "generation 1 · process $DROVER_PID\$" 'the master'
is "$(shown k-workers)" '2 / 2' 'workers ready'
like "$(shown workers)" "$(worker_pids | sed -n 1p) 1 .*$(worker_pids | sed -n 2p) 1 " 'both workers, by process and generation'
like "$(shown k-conns-more)" 'of 1,000' 'the limit of connections'
like "$(shown listeners)" "127.0.0.1:$PORT 0 / 4,096 " 'the listener'
like "$(shown errors)" "4xx [5-9], 5xx 0" 'responses by class'
like "$(shown servers)" 'a <img src=x onerror=alert\(1\)> [0-9]+ [5-9] 0 ' 'the server, whose name is text'
like "$(shown slowest)" 'body POST /sink/&lt;b&gt; a <img src=x onerror=alert\(1\)> 127.0.0.1' 'the slow request, without its query'
is "$(grep -c '<img' "$T/page.html")" 0 'no markup came of it'
like "$(shown problems)" "The last reload failed .* ago, and the old configuration serves on\\. .*drover.conf:1: .*'wokers'" 'the failed reload and why'
unlike "$PAGE" 'token=' 'no query'

# Several looks: rates and curves.
ok 'for longer' browse page 800000
like "$(cat "$T/page.html")" 'data-looks="([2-9]|[1-9][0-9])' 'it has looked again'
like "$(shown k-requests)" '^[0-9.,]+$' 'requests a second'
like "$(cat "$T/page.html")" '<path d="M[0-9.]+ [0-9.]+h' 'curves are drawn'

ok 'a picture of it' timeout -k 5 $((60 * WAIT_FACTOR)) "$CHROMIUM" --headless --no-sandbox --disable-gpu --disable-dev-shm-usage \
	--user-data-dir="$T/chromium" --virtual-time-budget=5000 --window-size=390,844 --screenshot="$T/phone.png" "$URL"
is "$(head -c 8 "$T/phone.png" | od -An -tx1 | tr -d ' ')" 89504e470d0a1a0a 'is one'
kill "$SLOW"
done_testing
