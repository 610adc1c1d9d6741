#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
# droverctl's commands in each of their forms on a living board; what is wrong on the command line, no board, half a board.
. "$(dirname "$0")/lib.sh"

mkdir "$T/www"
printf 'hello\n' >"$T/www/a.txt"
V6='"[::1]:0",'
perl -MIO::Socket::IP -e 'IO::Socket::IP->new(LocalHost => "::1", Listen => 1) or exit 1' || V6=
start_drover <<EOF
workers = 2
server "plain" {
    listen = { "127.0.0.1:0", $V6 "unix:$T/sock" }
    location "/" { root = "$T/www" }
}
server "odd <b>&'name' 100% \\xc3\\xa9" {
    listen = { "127.0.0.2:0" }
    location "/" { root = "$T/www" }
}
