/* SPDX-License-Identifier: BSD-2-Clause */
/* Texts that several tests of configurations are made of; "www" is in the folder of text_begin().
 */
#ifndef DROVER_T_UNIT_SNIPPETS_H
#define DROVER_T_UNIT_SNIPPETS_H

/* A server that is right, for tests of what stands beside it: three lines. */
#define SITE "server \"s\" {\n listen = { \"*:80\" }\n location \"/\" { root = \"www\" } }\n"
/* One with a place for more: what follows stands on line 2. */
#define IN_SERVER(text) \
	"server \"s\" { listen = { \"*:80\" } location \"/\" { root = \"www\" }\n" text "\n}\n"
#define IN_LOCATION(text) "server \"s\" { listen = { \"*:80\" } location \"/x\" {\n" text "\n} }\n"

/* All kinds of inheritance and all kinds of locations; server "one" begins on line 15. */
#define FULL                                                                                      \
	"workers = 3\n"                                                                           \
	"worker_connections = 100\n"                                                              \
	"max_conns_per_address = 9\n"                                                             \
	"hang = 3s orphan = 4s lame_duck = 5s\n"                                                  \
	"error_log = \"logs/error.log\" log_level = warn\n"                                       \
	"access_log = \"logs/access.log\" log_format = json\n"                                    \
	"pid_file = \"/run/x.pid\"\n"                                                             \
	"file_cache = 17\n"                                                                       \
	"deadlines { header = 3s idle = 4s min_rate = 1k }\n"                                     \
	"keepalive { requests = 5 }\n"                                                            \
	"limits { max_fields = 50 max_body = 2k }\n"                                              \
	"header \"X-Outer\" { value = \"outer\" always = true }\n"                                \
	"header \"X-Both\" { value = \"outer\" always = true }\n"                                 \
	"error_page \"404 500\" { file = \"404.html\" }\n"                                        \
	"server \"one\" {\n"                                                                      \
	"  listen = { \"127.0.0.1:8081\", \"[::1]:8081\", \"unix:/run/x.sock\" }\n"               \
	"  names = { \"one.example\", \"*.one.example\" }\n"                                      \
	"  backlog = 77\n"                                                                        \
	"  root = \"www\"\n"                                                                      \
	"  index = { \"a.html\", \"b.html\" }\n"                                                  \
	"  listing = true\n"                                                                      \
	"  cache_control = \"max-age=5\"\n"                                                       \
	"  deny = { \"192.0.2.0/24\" }\n"                                                         \
	"  deadlines { header = 7s }\n"                                                           \
	"  keepalive { idle = 8s max_age = 1h }\n"                                                \
	"  limits { max_header = 32k max_body = 3k }\n"                                           \
	"  header \"x-both\" { value = \"server\" }\n"                                            \
	"  error_page \"404\" { file = \"404.html\" type = \"text/x-page\" }\n"                   \
	"  location \"/\" { }\n"                                                                  \
	"  location \"/alias/\" { alias = \"www/\" index = { } listing = false dotfiles = true\n" \
	"    allow = { \"10.0.0.0/8\" } max_body = 4k header \"X-Inner\" { value = \"inner\" } "  \
	"}\n"                                                                                     \
	"  location \"= /r\" { redirect = \"/to\" status = 308 }\n"                               \
	"  location \"/s\" { status = 410 text = \"gone\" }\n"                                    \
	"  location \"= /healthz\" { health = true }\n"                                           \
	"}\n"                                                                                     \
	"server \"two\" {\n"                                                                      \
	"  listen = { \"127.0.0.1:8082\", \"localhost:8081\" } backlog = 77\n"                    \
	"  names = { \"two.example\" }\n"                                                         \
	"  default = true\n"                                                                      \
	"  access_log = off\n"                                                                    \
	"}\n"                                                                                     \
	"server \"three\" {\n"                                                                    \
	"  listen = { \"*:0\", \"*:0\" } reuseport = true\n"                                      \
	"  access_log = \"logs/three.log\" log_format = logfmt\n"                                 \
	"  location \"/\" { root = \"/\" precompressed = true }\n"                                \
	"}\n"

#endif
