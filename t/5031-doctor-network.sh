#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
# droverctl doctor and a daemon in a network namespace of its own, as in a container: doctor enters it, or says that it may
# not. There local ports are few, so that they can be used up; and the kernel drops what the accept queue does not hold.
. "$(dirname "$0")/lib.sh"

[ "$(id -u)" -eq 0 ] && unshare -n true 2>/dev/null || skip_all 'needs leave to make a network namespace'
ldd "$BUILD/droverctl" | grep -q libmnl || skip_all 'built without libmnl'
config <<EOF
workers = 1
worker_connections = 1000
file_cache = 64
hang = 600s
server "s" {
    listen = { "127.0.0.1:0" }
    backlog = 8
    deadlines { header = 300s  idle = 300s }
    location "= /ok" { status = 200 }
}
EOF
mkdir -p "$RUN"
# Few descriptors, loopback up, a hundred local ports that come back at once, and then drover.
unshare -n setpriv --bounding-set=-sys_resource prlimit --nofile=900:900 perl -MSocket -e '
	socket my $s, AF_INET, SOCK_DGRAM, 0 or die;
	my $lo = pack "a16 s x22", "lo", 0x41;
	ioctl $s, 0x8914, $lo or die "lo: $!\n";
	my %setting = (ip_local_port_range => "40000 40099", tcp_max_tw_buckets => 0);
	for (keys %setting) {
		open my $file, ">", "/proc/sys/net/ipv4/$_" or die "$_: $!\n";
		print $file "$setting{$_}\n";
		close $file or die "$_: $!\n";
	}
	exec @ARGV or die "$ARGV[0]: $!\n"' "$BUILD/drover" -F -c "$T/drover.conf" -r "$RUN" >>"$T/stdout" 2>>"$T/stderr" 9<&- &
DROVER_PID=$!
PIDS+=("$DROVER_PID")
wait_for 10 drover_is_ready || skip_all "no network namespace here: $(tail -n 3 "$T/stderr")"
PORT=$(port_of 1)
WORKER=$(worker_pids)

# clients NAME COUNT: so many connections, held.
clients() {
	spawn "$1" nsenter -t "$DROVER_PID" -n perl -MIO::Socket::INET -e '
		my ($n, $port) = @ARGV;
		$| = 1;
		my @s = map { IO::Socket::INET->new(PeerAddr => "127.0.0.1", PeerPort => $port, Blocking => 0) || die "$@\n" } 1 .. $n;
		print "open\n";
		sleep 1000' "$2" "$PORT"
	wait_for 10 test -s "$T/$1.out" || die "$2 clients" "$(cat "$T/$1.err")"
}
doctor() {
	OUT=$(ctl -H doctor "$@")
	STATUS=$?
}
# said SEVERITY CHECK REGEX [ARGS]
said() {
	local severity=$1 check=$2 regex=$3
	shift 3
	doctor -i 0.3 "$@"
	grep -qP "^$severity\t$check\t.*$regex" <<<"$OUT"
}

status_is() {
	local want=$1
	shift
	doctor -i 0.3 "$@"
	[ "$STATUS" -eq "$want" ]
}

ok 'all is well' wait_for 10 said fine accept_queue '0 connections wait' -a
unlike "$OUT" 'another network namespace' 'the sockets of another namespace are looked at'
ok 'fewer descriptors than worker_connections need' said notice limits 'worker_connections is 1000, but with 900 descriptors \(RLIMIT_NOFILE\) a worker holds 7[0-9][0-9] at most'
clients few 50
ok '50 of 100 ports are fine' wait_for 10 said fine ports "Connections to 127.0.0.1:$PORT use 50 of 100 local ports \(50 %\)" -a \
	"upstream=127.0.0.1:$PORT"
clients more 32
ok 'near the end' wait_for 10 said warning ports 'use 82 of 100.*EADDRNOTAVAIL' "upstream=127.0.0.1:$PORT"
ok 'is a warning' wait_for 10 status_is 1 "upstream=127.0.0.1:$PORT" || diag "$OUT"
clients most 14
ok 'at the end' wait_for 10 said critical ports 'use 96 of 100' "upstream=127.0.0.1:$PORT"
is "$STATUS" 4 'is critical'
for pid in $(printf '%s\n' "${PIDS[@]}" | grep -vx "$DROVER_PID"); do
	kill "$pid"
	finish "$pid"
done
expect_stat conns -eq 0

# What does not fit is dropped by the kernel, which counts it for each listening socket.
kill -STOP "$WORKER"
turned_away="127.0.0.1:$PORT 9 of 8.*The kernel turned away, in [0-9.]+ s: 127.0.0.1:$PORT [0-9]+.*stand still"
# asleep PID: doctor is between its looks, in clock_nanosleep. Those who are turned away try again, but seldom, so they come then.
NANOSLEEP=$(perl -MPOSIX -e 'print {x86_64 => 230, aarch64 => 115, riscv64 => 115}->{(POSIX::uname())[4]} // 0')
asleep() {
	local number
	read -r number _ <"/proc/$1/syscall" && [ "$number" = "$NANOSLEEP" ]
}
if [ "$NANOSLEEP" -ne 0 ] && read -r _ <"/proc/$$/syscall"; then
	spawn doctor "$BUILD/droverctl" -r "$RUN" -H doctor -i 3
	DOCTOR=$PID
	wait_for 10 asleep "$DOCTOR"
	kill -STOP "$DOCTOR"
	clients syn 30
	CLIENTS=$PID
	kill -CONT "$DOCTOR"
	finish "$DOCTOR"
	ok 'the kernel drops connections' grep -qP "^critical\taccept_queue\t.*$turned_away" "$T/doctor.out" || diag "$(cat "$T/doctor.out")"
	PID=$CLIENTS
else
	clients syn 30
	ok 'the kernel drops connections' wait_for 15 said critical accept_queue "$turned_away"
fi
kill -CONT "$WORKER"
kill "$PID"
finish "$PID"
ok 'and all is well again' wait_for 30 said fine accept_queue '0 connections wait.*[1-9][0-9]* were turned away since' -a

# Who may not enter says so. The board's own word on the queue is a second old.
outside() {
	OUT=$(setpriv --bounding-set=-sys_admin "$BUILD/droverctl" -r "$RUN" doctor -i 0.1)
}
ok 'without leave to enter the namespace' wait_for 5 outside || diag "$OUT"
like "$(tr -s ' \n' ' ' <<<"$OUT")" "close_wait the daemon is in another network namespace \\(Operation not permitted\\): try nsenter -t $DROVER_PID -n" \
	'it is said what could not be looked at'
done_testing
