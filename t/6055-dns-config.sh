#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
# The section resolve: what is refused, what -T prints; a name that comes with a reload, and one that goes.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/http.sh"
. "$(dirname "$0")/dns.sh"

start_peers 127.0.0.1 127.0.0.2
zone <<EOF
one.example A 127.0.0.1 86400
two.example A 127.0.0.2 86400
EOF
start_dns

# checked RESOLVE PEER
checked() {
	config <<-EOT
		workers = 1
		resolve { $1 }
		upstream "api" { peer "$2:$PEERS" { } }
		server "s" {
		    listen = { "127.0.0.1:0" }
		    location "/" { proxy = "api" }
		}
	EOT
	"$BUILD/drover" -t -c "$T/drover.conf" 2>&1
}

like "$(checked 'servers = { "ns.example" }' one.example)" "servers: 'ns.example' is not the address of a name server" 'a name is no name server'
like "$(checked 'servers = { "127.0.0.1:0" }' one.example)" "is not the address" 'nor is port 0'
like "$(checked 'min = 10ms' one.example)" 'min: less than 100ms' 'too short'
like "$(checked 'min = 1m max = 10s' one.example)" 'max .10000ms. is less than min .60000ms.' 'the wrong way round'
like "$(checked "servers = { \"$DNS\" }" one.example)" 'the configuration is good' 'good'
unlike "$(checked "servers = { \"$DNS\" }" one.example)" 'cannot be resolved' 'the name is looked up'
like "$(checked "servers = { \"$DNS\" }" no.example)" "'no.example:$PEERS' cannot be resolved .Domain name not found.*good" 'one that is not there is a warning'
checked 'min = 1s max = 90s servers = { "192.0.2.1", "::1", "[::1]:5353" }' 127.0.0.1 >"$T/check"
printed=$("$BUILD/drover" -T -c "$T/drover.conf")
like "$printed" 'resolve \{.*min = 1s.*max = 90s.*timeout = 2s.*servers = \{ "192.0.2.1:53", "\[::1\]:53", "\[::1\]:5353" \}' '-T prints it'
printf '%s\n' "$printed" >"$T/printed.conf"
is "$("$BUILD/drover" -T -c "$T/printed.conf")" "$printed" 'and reads what it printed'

checked "timeout = 20s servers = { \"$DNS\" }" one.example >"$T/check"
start_drover
got 'one' /name 200 1
asked=$(questions one.example)
checked "timeout = 20s servers = { \"$DNS\" }" two.example >"$T/check"
ok 'reload' ctl reload
got 'another name is known at once' /name 200 2
is "$(ctl upstreams -H | awk -F '\t' '/two.example/ { print $3 }')" up 'and up'
cmp_ok "$(questions one.example)" -eq "$asked" 'nobody asks for the one of before'
asked=$(questions two.example)
ok 'reload' ctl reload
got 'what is known' /name 200 2
is "$(questions two.example)" "$asked" 'is not asked for again by a reload'
stop_drover
end_helpers
done_testing
