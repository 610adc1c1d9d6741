#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
# Listening addresses: IPv4, IPv6, unix sockets (stale, alive, not ours), groups, sockets passed by a service manager, addresses in use.
. "$(dirname "$0")/lib.sh"

mkdir "$T/www"
printf 'hello\n' >"$T/www/index.html"

# site ADDRESSES [MORE]: the configuration.
site() {
	config <<EOF
workers = 2
worker_connections = 1000
server "site" {
    listen = { $1 }
    ${2:-}
    location "/" { root = "$T/www" }
}
EOF
}

get_unix() {
	curl -sS --unix-socket "$1" http://site/
}

site "\"127.0.0.1:0\", \"unix:$T/s\""
start_drover
is "$(curl -sS "http://127.0.0.1:$PORT/")" hello 'IPv4'
is "$(get_unix "$T/s")" hello 'a unix socket'
is "$(stat -c %a "$T/s")" 666 'its mode'
like "$(ctl listeners -H | cut -f 1 | tr '\n' ' ')" "127.0.0.1:$PORT unix:$T/s" 'both are on the board'
cmp_ok "$(ctl listeners -H | awk -F '\t' 'NR == 1 { print $3 }')" -gt 0 'the limit of the accept queue is there'

# Alive: another daemon does not take it.
launched=$DROVER_PID
timeout 20 "$BUILD/drover" -F -c "$T/drover.conf" -r "$T/run2" >/dev/null 2>"$T/second.err" 9<&-
is "$?" 1 'a unix socket in use is refused'
like "$(cat "$T/second.err")" "drover.conf:4: cannot listen on unix:$T/s: Address already in use" 'with file and line'
is "$(get_unix "$T/s")" hello 'and still serves'
is "$DROVER_PID" "$launched" 'the first daemon runs on'
stop_drover
ok 'its file is gone after the end' test ! -e "$T/s"

# Stale: the file is there, nobody listens.
perl -MIO::Socket::UNIX -e 'IO::Socket::UNIX->new(Local => $ARGV[0], Listen => 1) or die' "$T/s"
ok 'a stale socket is there' test -S "$T/s"
start_drover
is "$(get_unix "$T/s")" hello 'a stale socket is replaced'
stop_drover

# What is no socket is not touched.
printf 'precious' >"$T/s"
launch_drover
finish "$DROVER_PID" 20
is "$STATUS" 1 'a file in the way is refused'
like "$(cat "$T/stderr")" 'there is a file of that name which is no socket' 'and it says so'
is "$(cat "$T/s")" precious 'and is left alone'
DROVER_PID=
rm "$T/s"

# A TCP port in use.
spawn blocker perl -MIO::Socket::INET -e '$| = 1;
	my $s = IO::Socket::INET->new(LocalAddr => "127.0.0.1", Listen => 1) or die;
	print $s->sockport, "\n"; sleep 1000'
blocker=$PID
wait_for 10 test -s "$T/blocker.out" || die 'the port is taken'
port=$(cat "$T/blocker.out")
site "\"127.0.0.1:0\", \"127.0.0.1:$port\""
launch_drover
finish "$DROVER_PID" 20
is "$STATUS" 1 'a port in use is status 1'
like "$(cat "$T/stderr")" "drover.conf:4: cannot listen on 127.0.0.1:$port: Address already in use" 'with file and line'
DROVER_PID=
kill "$blocker"
finish "$blocker"

if perl -MIO::Socket::IP -e 'exit !IO::Socket::IP->new(LocalAddr => "::1", Listen => 1)' 2>/dev/null; then
	site '"[::1]:0"'
	start_drover
	is "$(curl -sS "http://[::1]:$PORT/")" hello 'IPv6'
	stop_drover
else
	skip 'IPv6' 'this machine has none'
fi

# A group: one socket for each worker, and everyone who connects is served.
site '"127.0.0.1:0"' 'reuseport = true'
start_drover
is "$(ctl stat -H | awk '$1 ~ /\.sockets$/ { print $2 }')" 2 'two sockets for two workers'
served=0
for _ in {1..40}; do [ "$(curl -sS "http://127.0.0.1:$PORT/")" != hello ] || served=$((served + 1)); done
is "$served" 40 'a group serves everybody'
stop_drover

# Passed by a service manager: descriptors 3 and on.
cat >"$T/pass.pl" <<'EOS'
# pass.pl PORTFILE N CMD...: listens on N ports and a datagram one, and becomes CMD.
use strict;
use warnings;
use Fcntl;
use POSIX ();
use IO::Socket::INET;
my ($file, $n) = splice @ARGV, 0, 2;
my @s = map { IO::Socket::INET->new(LocalAddr => '127.0.0.1', Listen => 5) or die } 1 .. $n;
push @s, IO::Socket::INET->new(LocalAddr => '127.0.0.1', Proto => 'udp') or die;
open my $out, '>', $file or die;
print $out join(' ', map { $_->sockport } @s), "\n";
close $out;
my @high = map { fcntl($_, F_DUPFD, 50) or die } @s;
POSIX::dup2($high[$_], 3 + $_) // die for 0 .. $#high;
POSIX::close($_) for @high;
$ENV{LISTEN_FDS} = @high;
$ENV{LISTEN_PID} = $$;
$ENV{LISTEN_FDNAMES} = join ':', ('x') x @high;
exec @ARGV or die;
EOS
mkdir -p "$RUN"
rm -f "$T/ports"
printf 'workers = 2\nworker_connections = 1000\nserver "site" {\n listen = { "127.0.0.1:65535" }\n location "/" { root = "%s" }\n}\n' "$T/www" >"$T/drover.conf"
# The ports are known when the configuration is read: the helper writes them, a shell fills them in and becomes drover.
cat >"$T/become.sh" <<'EOS'
read -r port other _ <"$1"
sed -i "s/:65535/:$port/" "$2/drover.conf"
printf '%s\n' "$other" >"$2/other"
exec "$3" -F -c "$2/drover.conf" -r "$2/run"
EOS
spawn passed perl "$T/pass.pl" "$T/ports" 2 bash "$T/become.sh" "$T/ports" "$T" "$BUILD/drover"
DROVER_PID=$PID
watch_log "$T/passed.err"
wait_for 10 drover_is_ready || die 'drover starts with sockets passed to it' "$(cat "$T/passed.err")"
PORT=$(port_of 1)
is "$PORT" "$(cut -d ' ' -f 1 "$T/ports")" 'the port is the one passed'
is "$(curl -sS "http://127.0.0.1:$PORT/")" hello 'an inherited socket serves'
like "$(cat "$T/passed.err")" '1 inherited descriptors are no listening' 'the datagram socket is refused'
like "$(cat "$T/passed.err")" '1 inherited sockets are in no listen' 'the one that nobody names is closed, and said'
# By what drover holds: the port may be somebody else's by now.
listens() {
	local pid inodes
	inodes=$(awk -v port="$(printf ':%04X' "$1")" '$2 ~ port "$" && $4 == "0A" { printf " socket:[%s]", $10 }' /proc/net/tcp)
	for pid in "$DROVER_PID" $(children_of "$DROVER_PID"); do
		readlink "/proc/$pid/fd/"* 2>/dev/null
	done | grep -qxF "$(tr ' ' '\n' <<<"${inodes# }")" && [ -n "$inodes" ]
}
ok 'whoever listens is seen' listens "$PORT"
fails 'nobody listens there' listens "$(cat "$T/other")"
ok 'reload with an inherited socket' ctl reload
is "$(curl -sS "http://127.0.0.1:$PORT/")" hello 'it still serves'
stop_drover

# Two that were given their ports by the kernel: each keeps its own.
cat >"$T/drover.conf" <<EOF
workers = 1
worker_connections = 100
server "one" { listen = { "127.0.0.1:0" } location "/" { status = 200 text = "one" } }
server "two" { listen = { "127.0.0.1:0" } location "/" { status = 200 text = "two" } }
EOF
start_drover
two=$(port_of 2)
for n in 1 2 3; do
	is "$(curl -sS "http://127.0.0.1:$PORT/" "http://127.0.0.1:$two/")" onetwo "port 0 twice ($n)"
	ok 'reload' ctl reload
done
stop_drover

if command -v systemd-socket-activate >/dev/null; then
	site "\"unix:$T/act\""
	spawn activated systemd-socket-activate -l "$T/act" "$BUILD/drover" -F -c "$T/drover.conf" -r "$RUN"
	DROVER_PID=$PID
	# The file is there a moment before.
	act_listens() {
		awk -v path="$T/act" '$8 == path && $4 == "00010000" { found = 1 } END { exit !found }' /proc/net/unix
	}
	wait_for 10 act_listens || die 'systemd-socket-activate listens'
	is "$(get_unix "$T/act")" hello 'the request that started it is answered'
	stop_drover
	ok 'the file of an inherited socket is left' test -S "$T/act"
else
	skip 'socket activation' 'systemd-socket-activate is not installed'
fi
done_testing
