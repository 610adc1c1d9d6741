#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
# droverctl conns: connections in each state with what they did, filters and order; nothing of a query, nothing raw.
. "$(dirname "$0")/lib.sh"

mkdir "$T/www"
printf 'hello\n' >"$T/www/a.txt"
head -c 24000000 /dev/zero >"$T/www/large"
V6='"[::1]:0"'
perl -MIO::Socket::IP -e 'IO::Socket::IP->new(LocalHost => "::1", Listen => 1) or exit 1' || V6='"127.0.0.9:0"'
start_drover <<EOF
workers = 2
worker_connections = 4000
rebalance = false
deadlines { header = 610s  body = 620s  send = 630s  linger = 640s  idle = 650s  min_rate = 0 }
server "one" {
    listen = { "127.0.0.1:0", $V6, "unix:$T/sock" }
    location "/" { root = "$T/www" }
    location "= /sink" { status = 200 }
}
server "two" {
    listen = { "127.0.0.1:0" }
    names = { "two.example" }
    location "/" { root = "$T/www" }
}
EOF
PORT2=$(port_of 4)

# Holds a connection in each state until it is killed; tells of each its name, its own port, bytes sent and received.
cat >"$T/hold.pl" <<'END'
use strict;
use warnings;
use IO::Socket::INET;
use IO::Socket::IP;
use IO::Socket::UNIX;
use Socket qw(SOL_SOCKET SO_RCVBUF);
my ($port, $other, $v6, $unix) = @ARGV;
my @held;

# hold NAME, ANSWERS to read, SOCKET, TEXT...
sub hold {
	my ($name, $answers, $s, @texts) = @_;
	$s or die "$name: $@\n";
	my ($sent, $got) = (0, 0);
	for my $text (@texts) {
		$sent += syswrite $s, $text;
		next if $answers-- <= 0;
		my $in = '';
		sysread $s, $in, 65536, length $in or die "$name: $!\n" until $in =~ /\r\n\r\n.*\n/s;
		$got += length $in;
	}
	push @held, $s;
	printf "%s\t%s\t%d\t%d\n", $name, $s->can('sockport') ? $s->sockport : 0, $sent, $got;
}

sub tcp { IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => $port, @_) }
my $h = "Host: x\r\n";
my $get = "GET /a.txt HTTP/1.1\r\n$h\r\n";
hold('new', 0, tcp());
hold('idle', 1, tcp(), $get);
hold('thrice', 3, tcp(LocalAddr => '127.0.0.7'), $get, $get, "GET /none HTTP/1.1\r\n$h\r\n");
hold('head', 0, tcp(), "GET /a.txt HTTP/1.1\r\n$h");
hold('second', 1, tcp(), $get, "HEAD /a");
hold('body', 0, tcp(), "POST /sink HTTP/1.1\r\n${h}Content-Length: 100\r\n\r\nabc");
my $slow = tcp();
hold('send', 0, $slow, "GET /large HTTP/1.1\r\n$h\r\n");
hold('linger', 1, tcp(), "GET /a.txt HTTP/1.0\r\nHost: x y\r\n\r\n");
hold('two', 1, tcp(PeerPort => $other), "GET /a.txt HTTP/1.1\r\nHost: two.example\r\n\r\n");
hold('v6', 1, IO::Socket::IP->new(PeerAddr => $v6), $get);
hold('unix', 1, IO::Socket::UNIX->new(Peer => $unix), $get);
hold('query', 1, tcp(), "GET /a.txt?token=SECRET HTTP/1.1\r\n${h}Authorization: Basic SECRET\r\nCookie: s=SECRET\r\n\r\n");
hold('queryhead', 0, tcp(), "GET /a.txt?token=SECRET HTTP/1.1\r\n${h}Authorization: Basic SECRET\r\n");
hold('querysink', 0, tcp(), "POST http://x/sink?SECRET#SECRET HTTP/1.1\r\n$h\r\n");
hold('querypost', 0, tcp(), "POST /sink?SECRET HTTP/1.1\r\n${h}Content-Length: 100\r\n\r\nSECRET");
hold('escape', 1, tcp(), "GET /%1b%5b31m%0a HTTP/1.1\r\n$h\r\n");
hold('long', 1, tcp(), 'GET /' . 'long/' x 100 . " HTTP/1.1\r\n$h\r\n");
close STDOUT;
sleep 1000;
END
v6=$(ctl listeners -H | sed -n '2s/\t.*//p')
spawn hold perl "$T/hold.pl" "$PORT" "$PORT2" "$v6" "$T/sock"
HOLD=$PID
held() {
	[ "$(grep -c '' "$T/hold.out")" -eq 17 ] && [[ $(ctl status) == *' 17 open: 7 idle, 4 head, 2 body, 1 send, 3 linger; '* ]] && [ "$(ctl conns -H state=send | cut -f 9)" = "${sent:-}" ] && return 0
	sent=$(ctl conns -H state=send | cut -f 9)
	return 1
}
# All that was sent has been read.
all_read() {
	[ "$(ctl conns -H | awk -F '\t' '{ n += $8 } END { print n }')" = "$(awk -F '\t' '{ n += $3 } END { print n }' "$T/hold.out")" ]
}
wait_for 20 held && wait_for 10 all_read || die 'the connections are made' "$(cat "$T/hold.out" "$T/hold.err")"
is_stat conns 17 'seventeen connections'

# sent_of FILE: what the one that sends has sent. Its socket may take more yet, when somebody else had the processor: both forms are
# wanted of a moment in which it does not.
sent_of() {
	perl -MJSON::PP -0777 -ne 'print map { $_->{out} } grep { $_->{state} eq "send" } @{decode_json($_)->{conns}}' "$1"
}
both_forms() {
	ctl conns -j >"$T/conns.json"
	ctl conns -H >"$T/conns.raw"
	ctl conns -j >"$T/conns.later"
	[ "$(sent_of "$T/conns.json")" = "$(sent_of "$T/conns.later")" ]
}
ok 'nothing moves' wait_for 10 both_forms
# check NAME CODE: CODE is true of the connection NAME in $c; $sent and $got are the client's account.
check() {
	ok "$1: $2" perl -MJSON::PP -e '
		no warnings "uninitialized";
		my ($dir, $name, $code) = @ARGV;
		my $j = decode_json(do { local (@ARGV, $/) = "$dir/conns.json"; <> });
		my ($line) = grep /^\Q$name\E\t/, do { local @ARGV = "$dir/hold.out"; <> };
		my (undef, $port, $sent, $got) = split /\t/, $line;
		my ($c) = grep { $_->{peer} eq "unix" ? $name eq "unix" : $_->{peer} =~ /:$port$/ } @{$j->{conns}} or die "no row";
		eval "no warnings q(uninitialized); $code" or die "$@ sent $sent, got $got, ", encode_json($c)' "$T" "$1" "$2"
}
check new '$c->{state} eq "head" && $c->{in} == 0 && $c->{out} == 0 && $c->{requests} == 0 && !defined $c->{server}'
check new '$c->{left_ms} <= 610000 && $c->{left_ms} > 1000 && $c->{request} eq "" && $c->{status} == 0'
check idle '$c->{state} eq "idle" && $c->{in} == $sent && $c->{out} == $got && $c->{requests} == 1'
check idle '$c->{request} eq "GET /a.txt" && $c->{status} == 200 && $c->{server} eq "one" && $c->{left_ms} <= 650000'
check idle '$c->{peer} =~ /^127\.0\.0\.1:/ && $c->{age_ms} < 600000 && $c->{left_ms} + $c->{since_age_ms} >= 649990'
check idle '!$c->{dead} && !$c->{torn} && abs($c->{accepted_unix_ms} / 1000 - time) < 600'
check thrice '$c->{requests} == 3 && $c->{in} == $sent && $c->{out} == $got && $c->{status} == 404'
check thrice '$c->{request} eq "GET /none" && $c->{peer} =~ /^127\.0\.0\.7:/'
check head '$c->{state} eq "head" && $c->{in} == $sent && $c->{out} == 0 && $c->{requests} == 0 && $c->{left_ms} <= 610000'
check second '$c->{state} eq "head" && $c->{in} == $sent && $c->{requests} == 1 && $c->{request} eq "GET /a.txt"'
check body '$c->{state} eq "body" && $c->{in} == $sent && $c->{out} == 0 && $c->{requests} == 1 && $c->{status} == 0'
check body '$c->{request} eq "POST /sink" && $c->{left_ms} <= 620000 && $c->{server} eq "one"'
check send '$c->{state} eq "send" && $c->{out} > 0 && $c->{out} < 24000000 && $c->{status} == 200 && $c->{left_ms} <= 630000'
check send '$c->{request} eq "GET /large" && $c->{requests} == 1'
check linger '$c->{state} eq "linger" && $c->{status} == 400 && $c->{left_ms} <= 640000 && $c->{out} == $got'
check two '$c->{server} eq "two"'
check v6 '$c->{state} eq "idle" && $c->{peer} =~ /^(\[::1\]|127\.0\.0\.1):\d+$/ && $c->{in} == $sent'
check unix '$c->{state} eq "idle" && $c->{peer} eq "unix" && $c->{in} == $sent'
check long '$c->{status} == 404 && $c->{request} eq substr "GET /" . "long/" x 100, 0, 57'
check escape '$c->{status} == 400 && $c->{request} eq "GET /%1b%5b31m%0a"'
check query '$c->{request} eq "GET /a.txt"'
check querypost '$c->{request} eq "POST /sink" && $c->{state} eq "body"'

# Both other forms say the same.
is "$(wc -l <"$T/conns.raw")" 17 '-H: a line each'
is "$(awk -F '\t' 'NF != 13' "$T/conns.raw")" '' '-H: thirteen columns'
ok '-H: what JSON says' perl -MJSON::PP -e '
	my $j = decode_json(do { local (@ARGV, $/) = "$ARGV[0]/conns.json"; <> });
	my %c = map { $_->{id}, $_ } @{$j->{conns}};
	open my $f, "<", "$ARGV[0]/conns.raw" or die;
	while (<$f>) {
		chomp;
		my ($id, $slot, $state, $peer, $age, $left, $requests, $in, $out, $server, $request) = split /\t/;
		my $c = delete $c{$id} or die "no $id";
		my $want = join "|", @$c{qw(slot state peer requests in out)}, $c->{server} // "-", $c->{request} eq "" ? "-" : $c->{request};
		my $got = join "|", $slot, $state, $peer, $requests, $in, $out, $server, $request;
		die "$got\n$want\n" if $got ne $want;
		die "age $age\n" if $age < $c->{age_ms} || $left > $c->{left_ms};
	}
	die keys %c if %c' "$T"
ctl conns >"$T/conns.text"
is "$(wc -l <"$T/conns.text")" 18 'for humans: titles, and a line each'
like "$(cat "$T/conns.text")" ' head +127\.0\.0\.1:[0-9]+ .* GET /a\.txt'$'\n' 'for humans: the same rows'
like "$(ctl status)" 'connections +17 open: 7 idle, 4 head, 2 body, 1 send, 3 linger; 17 accepted' 'status adds them up'

# found COUNT FILTER...
found() {
	local want=$1 got
	shift
	got=$(ctl conns -H "$@" | wc -l)
	is "$got" "$want" "conns $*: $want"
}
found 7 state=idle
found 10 state!=idle
found 2 'state=b*'
found 0 state=relay
found 1 peer=127.0.0.7
found 16 peer!=127.0.0.7
found 1 peer=127.0.0.6/31
found 1 'requests>1'
found 3 requests=0
found 1 'out>64k'
found 16 'out<64k'
found 17 'age>1ms'
found 0 'age>1h'
found 17 'left>1s'
found 1 server=two
found 11 'server=o*'
found 1 'request=GET /large*'
found 3 status=400
found 1 status=200 state=send
found 17 "pid>1"
found 17 'slot<2'
case $V6 in *::1*) found 2 'peer!=127.0.0.0/8' ;; *) found 1 'peer!=127.0.0.0/8' ;; esac
found 1 'bytes>64k'
found 16 'bytes<=64k'
found 17 'bytes>=0'
found 2 'requests>=1' state=body
found 3 'requests<=0'
found 17 'age>=1ms'
found 17 'since<1h'
found 0 'since>1h'
found 16 "listener!=127.0.0.1:$PORT2"
found 1 listener="127.0.0.1:$PORT2"
found 1 'listener=unix:*'
found 1 port=0
found 1 port="$(awk -F '\t' '$1 == "two" { print $2 }' "$T/hold.out")" server=two
both=$(($(ctl conns -H slot=0 | wc -l) + $(ctl conns -H slot=1 | wc -l)))
is "$both" 17 'conns slot=0 and slot=1: all'
found 0 slot=2
found 0 slot!=0 slot!=1
both=0
for pid in $(worker_pids); do both=$((both + $(ctl conns -H pid="$pid" | wc -l))); done
is "$both" 17 'conns pid= of each worker: all'
found 3 -n 3
found 1 -n 3 state=send
is "$(ctl conns -H -s out -n 1 | cut -f 3)" send '-s out: the most first'
is "$(ctl conns -H -s -out -n 1 | cut -f 9)" 0 '-s -out: the least first'
is "$(ctl conns -H -s id | cut -f 1)" "$(ctl conns -H | cut -f 1 | sort -n)" '-s id'
is "$(ctl conns -H -s age | cut -f 5 | sort -rnc 2>&1)" '' '-s age: the oldest first'
is "$(ctl conns -H -s bytes -n 1 | cut -f 3)" send '-s bytes: the most first'
is "$(ctl conns -H -s -port -n 1 | cut -f 4 | sed 's/.*://')" "$(ctl conns -H | cut -f 4 | sed 's/.*://' | sort -n | tail -n 1)" '-s -port'
is "$(ctl conns -j port=0 | perl -MJSON::PP -e 'print decode_json(<STDIN>)->{conns}[0]{listener}')" "unix:$T/sock" 'JSON: the listener'
is "$(ctl conns -H -s state | cut -f 3 | uniq | tr '\n' ' ')" 'body head idle linger send ' '-s state'

# A query, credentials and cookies are nobody else's business.
is "$(grep -ac SECRET "$RUN/drover.board")" 0 'nothing of a query, a credential, a cookie is on the board'
is "$(cat "$T"/conns.* "$T/stderr" | grep -c SECRET)" 0 'nor in any output'

# A board that lies: whatever bytes are in its texts, the terminal sees none of them.
perl -0777 -pe '
	s/GET \/large\0/\e[31m\a\xc2\x9b\x9b\r\0/ or die;
	s/GET \/none\0/\e]0;evil\a\0/ or die;
	s/drover\.conf\0/\e[2J\x7f\x80\n\xe2\x80\xaex\0/ or die;
	s/two\0/\x9b\t\n\0/ or die' "$RUN/drover.board" >"$T/liar" || die 'a board that lies'
for command in conns status stat servers; do
	for form in '' -H -j; do
		"$BUILD/droverctl" --board "$T/liar" $command $form >"$T/out" 2>&1
		if [ "$form" = -j ]; then
			ok "$command -j of it is JSON without control characters" perl -MJSON::PP -e '
				my $text = do { local (@ARGV, $/) = shift; <> };
				JSON::PP->new->utf8->decode($text);
				utf8::decode($text);
				die "raw bytes\n" if $text =~ /[^\n\x20-\x7e\xa0-\x{10ffff}]/' "$T/out"
		else
			is "$(tr -d '\t\n\040-\176' <"$T/out" | wc -c)" 0 "$command $form of it is plain text"
		fi
	done
done
like "$("$BUILD/droverctl" --board "$T/liar" conns -H state=send)" '\\x1b\[31m\\x07\\xc2\\x9b\\x9b\\x0d	' 'bytes are escaped'

kill "$HOLD"
finish "$HOLD"
expect_stat conns -eq 0
is "$(ctl conns -H)" '' 'no connection, no row'

# Many.
spawn many "$BUILD/herd" -c 2000 -n 2000 -i 600 -w "$T/ready" -p /a.txt "127.0.0.1:$PORT"
expect_file "$T/ready" 30
found 2000
found 2000 state=idle requests=1
found 10 -n 10 -s age
is "$(ctl conns -H | cut -f 1 | sort -u | wc -l)" 2000 'each has a number of its own'
is "$(ctl conns -j | perl -MJSON::PP -e 'print scalar @{decode_json(<STDIN>)->{conns}}')" 2000 'in JSON, too'
kill "$PID"
finish "$PID"
expect_stat conns -eq 0
done_testing
