#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
# FastCGI with a real php-fpm, over a unix socket and over TCP: an application with a front controller, scripts of its own and
# static files in one location; forms, uploads, large answers, errors, deadlines, kept connections.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/http.sh"

FPM=$(command -v php-fpm || ls /usr/sbin/php-fpm* 2>/dev/null | tail -n 1)
[ -x "${FPM:-}" ] || skip_all 'no php-fpm'

WWW=$T/www
mkdir -p "$WWW/admin" "$WWW/uploads" "$WWW/empty" "$T/tmp"
cat >"$WWW/index.php" <<'EOP'
<?php
echo "front ", $_SERVER['SCRIPT_NAME'], " ", $_SERVER['REQUEST_URI'], " ", $_SERVER['PATH_INFO'] ?? '-', "\n";
EOP
sed 's/front/admin/' "$WWW/index.php" >"$WWW/admin/index.php"
sed 's/front/app/' "$WWW/index.php" >"$WWW/app.php"
cat >"$WWW/form.php" <<'EOP'
<?php
ksort($_POST);
echo http_build_query($_POST), " ", $_SERVER['CONTENT_LENGTH'], "\n";
foreach ($_FILES as $f) echo $f['name'], " ", $f['size'], " ", md5_file($f['tmp_name']), "\n";
EOP
cat >"$WWW/put.php" <<'EOP'
<?php
$in = fopen('php://input', 'r');
$sum = hash_init('md5');
$n = hash_update_stream($sum, $in);
echo $n, " ", hash_final($sum), "\n";
EOP
cat >"$WWW/flush.php" <<'EOP'
<?php
for ($i = 0; $i < (int)$_GET['n']; $i++) { echo str_repeat('0123456789abcdef', 4096); flush(); }
EOP
cat >"$WWW/status.php" <<'EOP'
<?php
http_response_code((int)$_GET['n']);
header('X-Kept: 1');
setcookie('a', '1');
setcookie('b', '2');
echo "status\n";
EOP
cat >"$WWW/redirect.php" <<'EOP'
<?php
header('Location: /elsewhere?x=1');
EOP
cat >"$WWW/error.php" <<'EOP'
<?php
error_log("it says \x1b[31m something\nand more");
echo "error\n";
EOP
cat >"$WWW/fatal.php" <<'EOP'
<?php
nothing_of_this_name();
EOP
cat >"$WWW/slow.php" <<'EOP'
<?php
usleep((int)$_GET['ms'] * 1000);
echo "slow\n";
EOP
cat >"$WWW/pid.php" <<'EOP'
<?php
echo getmypid(), "\n";
EOP
cat >"$WWW/length.php" <<'EOP'
<?php
header('Content-Length: ' . $_GET['n']);
echo "length\n";
EOP
cat >"$WWW/die.php" <<'EOP'
<?php
echo str_repeat('x', 100000);
flush();
exec('kill -9 ' . getmypid());
EOP
cat >"$WWW/auth.php" <<'EOP'
<?php
echo $_SERVER['PHP_AUTH_USER'], ' ', $_SERVER['APP_ENV'] ?? '-', ' ', $_SERVER['HTTP_X_ENTRY'] ?? '-', "\n";
EOP
printf 'body { }\n' >"$WWW/style.css"
printf '<?php echo "never run, never shown"; ?>' >"$WWW/uploads/evil.jpg"
printf 'hidden\n' >"$WWW/.env"
# pool NAME LISTEN: php-fpm's own configuration.
TCP=127.0.0.1:$(free_port)
{
	printf '[global]\nerror_log = %s\ndaemonize = no\nlog_level = warning\n' "$T/fpm.log"
	for pool in "one $T/php.sock" "two $TCP"; do
		printf '[%s]\nlisten = %s\n' ${pool}
		[ "$(id -u)" -ne 0 ] || printf 'user = root\ngroup = root\n'
		printf 'pm = static\npm.max_children = 3\nphp_admin_value[upload_max_filesize] = 64M\nphp_admin_value[post_max_size] = 64M\n'
		printf 'php_admin_value[upload_tmp_dir] = %s\nphp_admin_value[output_buffering] = 0\nphp_admin_flag[display_errors] = off\nphp_admin_flag[log_errors] = on\nphp_admin_value[memory_limit] = 64M\n' "$T/tmp"
	done
} >"$T/fpm.conf"
ROOTLY=()
[ "$(id -u)" -ne 0 ] || ROOTLY=(-R)
spawn fpm "$FPM" -n "${ROOTLY[@]}" -F -y "$T/fpm.conf"
FPM_PID=$PID
wait_for 10 test -S "$T/php.sock" || die 'php-fpm starts' "$(cat "$T/fpm.err" "$T/fpm.log")"
allow_log 'peer .* of upstream'
head -c 20000000 /dev/urandom >"$T/large"
SUM=$(md5sum <"$T/large" | cut -d ' ' -f 1)
start_drover <<EOC
workers = 1
worker_connections = 1000
upstream "php" { peer "unix:$T/php.sock" { max_fails = 0 } }
upstream "hasty" {
    deadlines { response = 1s }
    peer "unix:$T/php.sock" { max_fails = 0 }
}
upstream "kept" {
    retries = 0
    keepalive { conns = 1 }
    peer "$TCP" { max_fails = 0 }
}
server "app" {
    listen = { "127.0.0.1:0" }
    limits { max_body = 64m }
    location "/" {
        fastcgi      = "php"
        root         = "$WWW"
        script       = "/index.php"
        static_files = true
        param "APP_ENV" { value = "test" }
        request_header "X-Entry" { value = "drover" }
    }
    location "= /plain" { root = "$WWW" }
    location "= /slow.php" { fastcgi = "hasty"  root = "$WWW" }
}
server "bare" {
    listen = { "127.0.0.1:0" }
    root   = "$WWW"
    limits { max_body = 64m }
    location "/" { fastcgi = "kept" }
}
EOC
BARE=127.0.0.1:$(port_of 2)
fds_mark

# One location for all: what is a script, what a file, and what goes to the front controller.
got 'the front page' / 200 'front /index.php / -'
got 'a pretty path' '/blog/2026?x=1' 200 'front /index.php /blog/2026?x=1 -'
got 'a script' /app.php 200 'app /app.php /app.php -'
got 'what follows it' /app.php/in/fo 200 'app /app.php /app.php/in/fo /in/fo'
got 'an index' /admin/ 200 'admin /admin/index.php /admin/ -'
got 'a folder without its slash' /admin 301 -
like "$(field Location)" '/admin/$' 'gets it'
got 'a file' /style.css 200 'body { }'
is "$(field Server)" drover 'is served by drover itself'
got 'a file is not written to' /style.css 405 - -d x
got 'a script that is not there' /gone.php 200 'front /index.php /gone.php -'
got 'a file that is no script' /uploads/evil.jpg/x.php 200 'front /index.php /uploads/evil.jpg/x.php -'
got 'a folder without index' /empty/ 200 'front /index.php /empty/ -'
got 'a hidden file' /.env 200 'front /index.php /.env -'
got 'a path that goes up' '/admin/../app.php' 200 'app /app.php /admin/../app.php -'
got 'an escaped one' '/%61pp.php' 200 'app /app.php /%61pp.php -'
for path in /app.php/ '/app.php%2f' /app.php. '/app.php%20' /APP.PHP /app.php%00 '/app.php::$DATA'; do
	get "$path"
	unlike "$(cat "$T/body")" '<\?php' "$path does not show the source"
done
rm "$WWW/app.php"
ok 'a script that goes is gone' wait_for 5 now_is /app.php 200 'front /index.php /app.php -'
AT=$BARE got 'without files: a script' /status.php?n=201 201 status
AT=$BARE got 'an index' /admin/ 200 'admin /admin/index.php /admin/ -'
AT=$BARE got 'a file is none' /style.css 404 -
AT=$BARE got 'a script that is not there' /gone.php 404 $'File not found.'
# What php makes of it.
got 'authorization, variables, fields' /auth.php 200 'user test drover' -u user:secret
got 'a form' /form.php 200 'a=1&b=x+y 9' -d 'b=x+y&a=1'
got 'an empty form' /form.php 200 ' 0' -X POST -H 'Content-Length: 0'
got 'an upload' /form.php 200 - -F 'a=1' -F "f=@$T/large" -H 'Expect: 100-continue' -m 60
is "$(tail -n 1 "$T/body")" "large 20000000 $SUM" 'arrives whole'
AT=$BARE got 'the same by TCP' /put.php 200 "20000000 $SUM" -T "$T/large" -m 60
got 'in chunks' /put.php 411 - -T "$T/large" -H 'Transfer-Encoding: chunked'
got 'Status' '/status.php?n=404' 404 status
is "$(field X-Kept) $(field Set-Cookie | wc -l)" '1 2' 'its fields'
got '500' '/status.php?n=500' 500 status
got '204' '/status.php?n=204' 204 ''
got '304' '/status.php?n=304' 304 ''
got 'HEAD' '/status.php?n=200' 200 - -I
got 'a redirect' /redirect.php 302 ''
is "$(field Location)" '/elsewhere?x=1' 'passes'
got 'its length' '/length.php?n=7' 200 length
is "$(field Content-Length)" 7 'passes'
get '/length.php?n=70'
is "$STATUS" 502 'one that is not so does not'
get '/flush.php?n=500'
is "$STATUS $(wc -c <"$T/body") $(field Transfer-Encoding)" '200 32768000 chunked' 'a large answer'
get '/flush.php?n=100' -0
is "$STATUS $(wc -c <"$T/body") $(field Transfer-Encoding)" '200 6553600 ' 'to an HTTP/1.0 client'
cmp_ok "$(stat_of buffers_resident)" -lt 4000000 'buffers stay few'
# Errors.
got 'errors' /error.php 200 error
ok 'are in the log' wait_for 5 grep -qF 'it says \x1b[31m something' "$T/stderr"
ok 'line by line' wait_for 5 grep -q 'says: .*and more' "$T/stderr"
cmp_stat up_error_lines -ge 2 'and counted'
got 'a fatal error' /fatal.php 500 -
ok 'is in the log' wait_for 5 grep -q 'says: .*nothing_of_this_name' "$T/stderr"
get /die.php
like "$STATUS" '^(curl (18|56)|502)$' 'a script that is killed is not whole'
# Deadlines; more requests than processes.
start=$(now_ms)
got 'a slow script' '/slow.php?ms=20000' 504 -
cmp_ok $(($(now_ms) - start)) -lt $((3000 * WAIT_FACTOR)) 'within its deadline'
AT=$BARE
for k in 1 2 3 4 5 6; do spawn "wait$k" curl -s -o /dev/null -w '%{http_code}' "http://$AT/slow.php?ms=200" && WAITERS[k]=$PID; done
for k in 1 2 3 4 5 6; do finish "${WAITERS[k]}"; done
is "$(cat "$T"/wait?.out)" 200200200200200200 'more requests than processes wait for them'
# Kept connections.
before=$(stat_of up_reused)
got 'a process' /pid.php 200 -
first=$(cat "$T/body")
for k in 1 2 3 4 5; do got "the same $k" /pid.php 200 "$first"; done
cmp_stat up_reused -ge $((before + 5)) 'connections are kept'
is_stat up_idle 1 'as many as are asked for'
kill "$first"
ok 'one whose process ends is closed' wait_stat up_idle -eq 0
got 'another' /pid.php 200 -
isnt "$(cat "$T/body")" "$first" 'answers'
AT=
expect_stat conns -eq 0
ok 'reload' ctl reload
got 'and on' / 200 'front /index.php / -'
expect_stat conns -eq 0
fds_check 3
kill "$FPM_PID"
finish "$FPM_PID"
got 'no php-fpm' / 502 -
done_testing
