#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
# droverctl upstreams: peers with their states, as configured; a reload keeps those that stay. Nothing is proxied.
. "$(dirname "$0")/lib.sh"

# conf PEERS: of the upstream "api".
conf() {
	config <<-EOT
		workers = 1
		upstream "api" {
		    balance = hash  hash = "header:X-User"
		    $1
		}
		server "s" {
		    listen = { "127.0.0.1:0" }
		    location "/api/" { proxy = "api" }
		    location "/one/" { proxy = "127.0.0.1:11" }
		}
	EOT
}

conf 'peer "127.0.0.1:9" { weight = 3 } peer "[::1]:9" { down = true } peer "127.0.0.1:10" { backup = true }
      peer "no-such-host.invalid:80" { }'
start_drover

is "$(ctl upstreams -H | cut -f 1-5 | tr '\t' ' ')" 'api 127.0.0.1:9 up 3 0
api [::1]:9 down 1 0
api 127.0.0.1:10 up 1 0
api no-such-host.invalid:80 unresolved 1 0
127.0.0.1:11 127.0.0.1:11 up 1 0' 'a line for each peer'
like "$(ctl upstreams)" '127.0.0.1:10 *up .backup.' 'backups are marked'
like "$(ctl upstreams -j)" '"name":"api","balance":"hash:header:X-User"' 'JSON: how requests are spread'
perl -MJSON::PP -0777 -e '
	my $u = decode_json(<STDIN>)->{upstreams};
	exit(@$u == 2 && @{$u->[0]{peers}} == 4 && $u->[0]{peers}[0]{weight} == 3 && $u->[1]{peers}[0]{state} eq "up" ? 0 : 1);
' < <(ctl upstreams -j)
is $? 0 'JSON: the peers of each upstream'
is_stat peer.api/127.0.0.1:9.requests 0 'stat knows peers by upstream and address'

# What stays keeps its row; what went is shown by -a.
conf 'peer "127.0.0.1:12" { } peer "127.0.0.1:10" { down = true }'
ok 'reload' ctl reload
is "$(ctl upstreams -H | cut -f 1-4 | tr '\t' ' ' | sort)" '127.0.0.1:11 127.0.0.1:11 up 1
api 127.0.0.1:10 down 1
api 127.0.0.1:12 up 1' 'after a reload: the peers of the new configuration'
is "$(ctl upstreams -H -a | awk -F '\t' '$3 == "unused"' | wc -l)" 3 'with -a also those of before'
stop_drover
done_testing
