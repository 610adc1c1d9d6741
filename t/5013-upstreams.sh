#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
# droverctl upstreams: peers with their states, as configured; a reload keeps the rows of those that stay. Nothing is proxied.
. "$(dirname "$0")/lib.sh"

# conf PEERS...: of the upstream "api".
conf() {
	cat <<-EOT
		workers = 1
		upstream "api" { balance = hash  hash = "header:X-User"
		    $*
		}
		server "s" { listen = { "127.0.0.1:0" }
		    location "/api/" { proxy = "api" }
		    location "/one/" { proxy = "unix:$T/one.sock" }
		}
	EOT
}
allow_log 'cannot be resolved'
conf 'peer "127.0.0.1:9" { weight = 3 } peer "[::1]:9" { down = true } peer "127.0.0.1:10" { backup = true }
	peer "no-such-host.invalid:80" { }' | start_drover

# row PEER COLUMN
row() {
	ctl upstreams -H -a | awk -F '\t' -v peer="$1" -v column="$2" '$2 == peer { print $column }'
}
is "$(ctl upstreams -H | cut -f 1-5)" "$(printf '%s\t' api 127.0.0.1:9 well 3 | sed 's/$/0/'
	printf '\n%s\t' api '[::1]:9' down 1 | tail -n 1 | sed 's/$/0/'
	printf '\n%s\t' api 127.0.0.1:10 well 1 | tail -n 1 | sed 's/$/0/'
	printf '\n%s\t' api no-such-host.invalid:80 unresolved 1 | tail -n 1 | sed 's/$/0/'
	printf '\n%s\t' "unix:$T/one.sock" "unix:$T/one.sock" well 1 | tail -n 1 | sed 's/$/0/')" 'each peer has its line'
