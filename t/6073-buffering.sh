#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
# Answers that are read ahead of slow clients: in memory, in a temporary file, and when there is no room for either.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/http.sh"
. "$(dirname "$0")/peers.sh"

# A client that reads when it is told to: slow.pl ADDR:PORT PATH GO [BYTES A READ, PAUSE MS]. It waits for the file GO, and
# prints how many bytes came, and the MD5 of the body.
cat >"$T/slow.pl" <<'EOP'
use strict; use warnings; use IO::Socket::INET; use Digest::MD5; use Socket;
my ($to, $path, $go, $version) = @ARGV;
my $s = IO::Socket::INET->new(Proto => 'tcp', Type => SOCK_STREAM) or die;
$s->setsockopt(SOL_SOCKET, SO_RCVBUF, 4096);
my ($host, $port) = split /:/, $to;
connect $s, sockaddr_in($port, inet_aton($host)) or die "connect: $!\n";
$s->autoflush(1);
print $s "GET $path HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
select undef, undef, undef, 0.01 until -e $go;
my $data = '';
while (my $n = sysread $s, my $b, 65536) { $data .= $b }
my ($head, $body) = split /\r\n\r\n/, $data, 2;
if ($head =~ /chunked/i) {
	my $whole = '';
	while ($body =~ s/^([0-9a-f]+)\r\n//i) {
		my $n = hex $1 or last;
		$whole .= substr $body, 0, $n, '';
		$body =~ s/^\r\n// or die "no end of a chunk\n";
	}
	$body eq "\r\n" or print "cut\n";
	$body = $whole;
}
print length $body, ' ', Digest::MD5::md5_hex($body), "\n";
EOP
# sum SIZE: what such a client prints of /size/SIZE and its like.
sum() {
	perl -MDigest::MD5 -e 'my $n = shift; my $b = substr "0123456789abcdef" x ($n / 16 + 1), 0, $n; print "$n ", Digest::MD5::md5_hex($b), "\n"' "$1"
}
# slow NAME PATH: begins one. done_is NAME SIZE: lets it read; it gets all of it.
slow() {
	spawn "$1" perl "$T/slow.pl" "127.0.0.1:$PORT" "$2" "$T/$1.go"
	eval "PID_$1=$PID"
}
done_is() {
	local pid
	eval "pid=\$PID_$1"
	touch "$T/$1.go"
	finish "$pid" 60
	is "$(cat "$T/$1.out")" "$(sum "$2")" "$1: the client gets all of it"
}
# The peer has nothing in hand: its connections are idle or closed.
released() {
	[ "$(ctl upstreams -H | awk -F '\t' '{ n += $5 } END { print n }')" = "$1" ]
}
# The client has not taken all of its answer; the peer has so many requests in hand.
sending() {
	stat_is conns_send -eq 1 && released "$1"
}
free_temp() {
	[ -z "$(find /proc/"$(worker_pids)"/fd -lname "$T/temp/*" 2>/dev/null)" ]
}

# The pattern of the peer begins anew in each block: of this many bytes it does not matter.
MEM=60000 BIG=4194304
peer one 127.0.0.1:0
mkdir -m 777 "$T/temp"
allow_log 'temp_dir|peer .* of upstream|request cut'
cat >"$T/site.conf" <<EOF
workers = 1
temp_dir = "$T/temp"
deadlines { send = 60s  min_rate = 0 }
upstream "one" { deadlines { between = 60s }  peer "$PEER_one" { max_fails = 0 } }
server "site" {
    listen = { "127.0.0.1:0" }
    location "/" { proxy = "one" }
    location "/memory/" { proxy = "one"  rewrite = "/"  buffering = true }
    location "/file/" { proxy = "one"  rewrite = "/"  buffering = true  buffer = 16k  buffer_file = 100m }
    location "/little/" { proxy = "one"  rewrite = "/"  buffering = true  buffer = 16k  buffer_file = 1m }
}
EOF
start_drover <"$T/site.conf"
fds_mark

# How much the sockets themselves take on the way to a client that does not read.
slow none "/size/$BIG"
ok 'without buffering, the peer waits for the client' wait_for 10 sending 1
is_stat buffered_bytes 0 'and nothing is read ahead'
done_is none $BIG
# In a file: the peer is free at once.
for how in size chunked close; do
	slow "file_$how" "/file/$how/$BIG"
	ok "$how: the peer is free while the client goes on with what is left" wait_for 10 sending 0
	cmp_ok "$(stat_of buffers)" -lt 200000 "$how: memory is as it was"
	is "$(ls -A "$T/temp")" '' "$how: the file has no name"
	done_is "file_$how" $BIG
done
is_stat buffer_files 3 'counted'
cmp_stat buffered_bytes -gt 3000000 'as are its bytes'
ok 'the files are gone' wait_for 10 free_temp
# A reload takes the rest of it, and the file, along.
slow moved "/file/size/$BIG"
ok 'the peer is free' wait_for 10 sending 0
ok 'reload' ctl reload
is_stat moved_in 1 'it moves with its file'
done_is moved $BIG
# A worker that is killed leaves it to its standby.
slow taken "/file/size/$BIG"
ok 'the peer is free again' wait_for 10 sending 0
allow_log 'killed by signal|died|standby'
wait_for 10 guarded
kill -9 "$(worker_pids)"
ok 'the standby takes over' wait_stat takeovers -eq 1
done_is taken $BIG
# In memory: an answer that is hardly more than the sockets take.
slow probe "/size/$BIG"
ok 'a client that does not read' wait_stat conns_send -eq 1
TAKEN=
# No more leaves: three looks say the same.
full() {
	local last=$TAKEN
	TAKEN=$(ctl conns -j | perl -MJSON::PP -0777 -ne 'print decode_json($_)->{conns}[0]{out} // ""')
	[ "$TAKEN" = "$last" ] && same=$((same + 1)) || same=0
	[ $same -ge 3 ]
}
wait_for 10 full
diag "the sockets take $TAKEN bytes"
done_is probe $BIG
# Which is not the same each time: the next answer is as large as the sockets of the one before show.
for try in 1 2 3 4 5 6 7 8; do
	SIZE=$(((TAKEN + 30000) / 16 * 16))
	slow memory "/memory/size/$SIZE"
	wait_for 2 sending 0 && break
	TAKEN=
	wait_for 2 full
	diag "$SIZE bytes were not right: the sockets take ${TAKEN:-all of them}"
	: "${TAKEN:=$((SIZE + 30000))}"
	done_is memory $SIZE
	rm "$T/memory.go"
done
ok 'memory: the peer is free while the client is not done' sending 0
done_is memory $SIZE
# A file that is full: the peer waits, and nothing is lost.
before=$(stat_of buffered_bytes)
slow little "/little/chunked/$BIG"
ok 'a limit' wait_stat buffered_bytes -gt $((before + 700000))
ok 'beyond it the peer waits' wait_for 10 sending 1
done_is little $BIG
slow left "/file/size/$BIG"
ok 'a client of a file goes away' wait_for 10 sending 0
kill "$PID_left"; finish "$PID_left"
expect_stat conns -eq 0
ok 'its file is gone' wait_for 10 free_temp
# Trailers, whether or not there is room at once.
slow trailers "/file/trailers"
touch "$T/trailers.go"
finish "$PID_trailers"
# No directory: as without a file.
rmdir "$T/temp"
slow nowhere "/file/size/$BIG"
ok 'no temporary directory' wait_stat buffer_errors -ge 1
ok 'the peer waits' wait_for 10 sending 1
done_is nowhere $BIG
is "$(grep -c 'temp_dir.*answers wait' "$T/stderr")" 1 'said once'
mkdir -m 777 "$T/temp"
# A disk that is full.
if mount -t tmpfs -o size=1m none "$T/temp" 2>/dev/null; then
	trap 'ended=$?; umount "$T/temp" 2>/dev/null; (exit "$ended"); at_exit' EXIT
	# After a failure no file is tried for a second: a new worker knows of none.
	ok 'another reload' ctl reload
	errors=$(stat_of buffer_errors)
	slow full "/file/chunked/$BIG"
	ok 'a disk that is full' wait_stat buffer_errors -gt "$errors"
	ok 'full: the peer waits' wait_for 10 sending 1
	done_is full $BIG
	wait_for 10 free_temp
	umount "$T/temp"
	trap at_exit EXIT
else
	skip 'a disk that is full' 'no leave to mount'
fi
# Many slow clients: memory is bounded by what is configured.
pss() {
	awk '/^Pss_(Anon|Shmem):/ { n += $2 } END { print n }' "/proc/$(worker_pids)/smaps_rollup"
}
cat >"$T/many.pl" <<'EOP'
use strict; use warnings; use IO::Socket::INET; use Socket;
my ($host, $port) = split /:/, $ARGV[0];
my @all;
for (1 .. 200) {
	my $s = IO::Socket::INET->new(Proto => 'tcp', Type => SOCK_STREAM) or die;
	$s->setsockopt(SOL_SOCKET, SO_RCVBUF, 4096);
	connect $s, sockaddr_in($port, inet_aton($host)) or die "connect: $!\n";
	$s->autoflush(1);
	print $s "GET $ARGV[1] HTTP/1.1\r\nHost: x\r\n\r\n";
	push @all, $s;
}
sleep 600;
EOP
before=$(pss)
spawn many perl "$T/many.pl" "127.0.0.1:$PORT" "/memory/size/$BIG"
MANY=$PID
ok '200 clients that do not read' wait_stat conns_send -eq 200 60
ok 'whose buffers are full' wait_stat buffers -gt 12000000
after=$(pss)
diag "PSS of the worker: $before kB, with 200 such clients $after kB"
case $BUILD in *asan*) ;; *) cmp_ok $((after - before)) -lt 17000 'cost less than 85 KiB each' ;; esac
kill "$MANY"
finish "$MANY"
expect_stat conns -eq 0
ok 'buffers are given back' wait_stat buffers -eq 0
kill "$PID_one"; finish "$PID_one"
done_testing
