#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
# droverctl peer: drain, down, up and weight without a reload; what it says, whom it asks, what survives.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/http.sh"
. "$(dirname "$0")/health.sh"

moody a
moody b
allow_log 'peer .* of upstream'
conf() {
	config <<-EOT
		workers = 2
		hang = 0s
		upstream "pool" {
		    peer "$PEER_a" { weight = 2 }
		    peer "$PEER_b" { weight = 2 }
		    ${1:-}
		}
		server "site" { listen = { "127.0.0.1:0" } location "/" { proxy = "pool" } }
	EOT
}
conf
start_drover

is "$(answers / 20)" 'a:10 b:10' 'both serve'
is "$(ctl peer pool "$PEER_a" -H | cut -f 1-4 | tr '\t' ' ')" "pool $PEER_a up 2" 'one peer is shown'
is "$(ctl peer pool "$PEER_a" drain)" "peer $PEER_a of upstream pool: drained, weight 2, 0 requests in hand" 'drain'
is "$(answers / 10)" b:10 'no new requests'
wait_for 5 grep -q 'drain, as uid' "$T/stderr"
like "$(cat "$T/stderr")" "peer $PEER_a of upstream .*pool.*: drain, as uid $(id -u) asked" 'a worker says who asked'
ok 'reload' ctl reload
ok 'it survives a reload' state_is pool "$PEER_a" drained
ok 'upgrade' ctl upgrade
ok 'and an upgrade' state_is pool "$PEER_a" drained
wait_for 10 guarded
for pid in $(worker_pids); do kill -KILL "$pid"; done
allow_log 'worker . \(pid'
allow_log 'goes on in its standby|takes? over|conn'
expect_stat takeovers -eq 2
ok 'and crashes' state_is pool "$PEER_a" drained
is "$(answers / 10)" b:10 'nobody forgets it'
like "$(ctl doctor -i 0.1)" 'were drained by droverctl: pool/' 'doctor reminds of it'
ok 'up' ctl peer pool "$PEER_a" up
is "$(answers / 20)" 'a:10 b:10' 'both serve again'
ok 'down' ctl peer pool "$PEER_b" down
ok 'is its state' state_is pool "$PEER_b" 'down (operator)'
is "$(answers / 10)" a:10 'no requests at all'
ok 'down' ctl peer pool "$PEER_a" down
curl -s -m $((20 * WAIT_FACTOR)) -D "$T/head" -o /dev/null "http://127.0.0.1:$PORT/"
like "$(cat "$T/head")" '^HTTP/1.1 503 ' 'with nobody left: 503'
like "$(cat "$T/head")" 'Retry-After: 60' 'and the longest Retry-After, as nobody knows'
for peer in "$PEER_a" "$PEER_b"; do ok 'up' ctl peer pool "$peer" up; done

# Weights.
ok 'weight' ctl peer pool "$PEER_a" weight 6
is "$(answers / 40)" 'a:30 b:10' 'six to two'
ok 'weight 0' ctl peer pool "$PEER_a" weight 0
ok 'is like drain' state_is pool "$PEER_a" drained
is "$(answers / 10)" b:10 'no new requests'
ok 'up' ctl peer pool "$PEER_a" up
is "$(ctl peer pool "$PEER_a" -j | grep -o '"state":"[a-z]*"\|"weight":[0-9]*' | tr '\n' ' ')" '"state":"up" "weight":2 ' 'up takes a weight of 0 back'
ok 'weight default' ctl peer pool "$PEER_a" weight default
is "$(answers / 20)" 'a:10 b:10' 'as configured'

# In JSON.
perl -MJSON::PP -0777 -e '
	my $o = decode_json(<STDIN>);
	exit($o->{order} eq "weight" && $o->{upstream} eq "pool" && $o->{peers}[0]{weight} == 7 && $o->{peers}[0]{configured_weight} == 2 ? 0 : 1);
' < <(ctl peer pool "$PEER_b" weight 7 -j)
is $? 0 'JSON'
ok 'weight default' ctl peer pool "$PEER_b" weight default

# What is wrong is said.
said() { ctl peer "$@" 2>&1; printf 'status %d\n' $?; }
like "$(said pol "$PEER_a" drain)" "there is no upstream 'pol': did you mean 'pool'[?].*status 2" 'a wrong upstream'
like "$(said pool "${PEER_a}0" drain)" "has no peer '${PEER_a}0': did you mean '127[^']*'[?].*status 2" 'a wrong peer'
like "$(said pool "$PEER_a" drian)" "there is no order 'drian': did you mean 'drain'[?].*status 2" 'a wrong order'
like "$(said pool "$PEER_a" weight 1001)" "is no weight.*status 2" 'a wrong weight'
like "$(said pool "$PEER_a" weight)" "write a number.*status 2" 'no weight'
like "$(said pool)" "which peer.*status 2" 'no peer'
like "$(said pool "$PEER_a" down now)" "'now' is one word too many.*status 2" 'a word too many'

# A worker that is silent is passed over, and does not undo what was asked for since.
set -- $(worker_pids)
kill -STOP "$1"
ok 'one worker is silent: another one does it' ctl peer -t 3 pool "$PEER_a" drain
kill -STOP "$2"
like "$(said -t 0.3 pool "$PEER_a" up)" 'no worker answered in time.*status 3' 'all are silent: a time-out'
kill -CONT "$1" "$2"
is "$(answers / 10)" b:10 'what was too late is not obeyed'
ok 'up' ctl peer pool "$PEER_a" up

# A reload that takes the peer away forgets what was said of it, once its row is another's.
ok 'drain' ctl peer pool "$PEER_b" drain
sed -i "\\,\"$PEER_b\",d" "$T/drover.conf"
ok 'reload without it' ctl reload
like "$(said pool "$PEER_b")" 'has no peer' 'it is not there'
stop_drover
like "$(said pool "$PEER_a" up)" 'status 2' 'no daemon'
end_peers
done_testing
