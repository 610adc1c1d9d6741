/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The command line of herd: options, their defaults and their limits. A wrong one ends the program
 * with status 2. Part of herd.c, in a file of its own so that the client's work can be read alone.
 */
#ifndef DROVER_T_HERD_OPTIONS_H
#define DROVER_T_HERD_OPTIONS_H

#include "t/tools/net.h"
#include "t/tools/response.h"

static struct {
	unsigned conns;
	double rate; /* requests/s in all; 0: each connection as fast as it is answered */
	double duration_s;
	uint64_t requests; /* 0: no limit */
	uint64_t deadline_us;
	const char *path, *method;
	char *headers;
	bool one_each, has_host, control, json, strict_idle;
	double connect_rate;
	double read_rate; /* bytes/s of each connection; 0: no limit */
	bool check_body;
	uint64_t body_len;
	uint32_t body_crc;
	double hold_s;
	const char *ready_file;
	unsigned sources;
	struct net_addr *addrs;
	unsigned addrs_n;
} opt = {.conns = 1, .deadline_us = 5000000, .path = "/", .method = "GET"};

static inline void usage(void)
{
	fputs("usage: herd [options] ADDR:PORT[,ADDR:PORT...]\n"
	      "  -c CONNS    connections (1)\n"
	      "  -r RATE     requests a second in all; 0: each connection sends as soon as "
	      "answered (0)\n"
	      "  -d SECONDS  length of the load (10; with -n 60)\n"
	      "  -n COUNT    requests in all, the first ones of each connection included\n"
	      "  -t MS       deadline of an answer (5000)\n"
	      "  -p PATH  -m METHOD  -H 'Name: value'\n"
	      "  -1          a connection for each request\n"
	      "  -k RATE     first connections a second; 0: as fast as possible (0)\n"
	      "  -b RATE     bytes a second that each connection reads at most\n"
	      "  -x LEN:CRC  length and CRC-32 (hex) of every body; or -x @FILE to take them from "
	      "FILE\n"
	      "  -u PATH     a unix socket instead of ADDR:PORT\n"
	      "  -s COUNT    source addresses, from 127.0.0.2 on\n"
	      "  -i SECONDS  hold the connections idle at the end\n"
	      "  -w FILE     create FILE when every connection has had an answer\n"
	      "  -C          control: 'go MS' and 'quit' on standard input\n"
	      "  -Z          a connection closed while idle is a failure, too\n"
	      "  -j          print JSON\n",
	      stderr);
	exit(2);
}

static inline void body_of_file(const char *path)
{
	FILE *f = fopen(path, "rb");
	char buf[65536];
	size_t n;

	if (f == NULL)
		err(2, "%s", path);
	while ((n = fread(buf, 1, sizeof(buf), f)) > 0) {
		opt.body_crc = response_crc32(opt.body_crc, buf, n);
		opt.body_len += n;
	}
	if (ferror(f))
		err(2, "%s", path);
	fclose(f);
}

static inline void parse_body(const char *text)
{
	unsigned long long len;
	char *end, *stop;

	opt.check_body = true;
	if (text[0] == '@') {
		body_of_file(text + 1);
		return;
	}
	len = strtoull(text, &end, 10);
	if (end == text || *end != ':' || strlen(end + 1) != 8)
		errx(2, "-x %s: not LEN:CRC or @FILE", text);
	opt.body_len = len;
	opt.body_crc = (uint32_t)strtoul(end + 1, &stop, 16);
	if (*stop != '\0')
		errx(2, "-x %s: not LEN:CRC or @FILE", text);
}

static inline void parse_header(const char *text)
{
	char *old = opt.headers;

	if (strchr(text, ':') == NULL)
		errx(2, "-H %s: not 'Name: value'", text);
	if (strncasecmp(text, "Host:", 5) == 0)
		opt.has_host = true;
	if (asprintf(&opt.headers, "%s%s\r\n", old ? old : "", text) < 0)
		err(2, "-H");
	free(old);
}

static inline void parse_addresses(char *text)
{
	for (char *one = strtok(text, ","); one != NULL; one = strtok(NULL, ",")) {
		opt.addrs = realloc(opt.addrs, (opt.addrs_n + 1) * sizeof(*opt.addrs));
		if (opt.addrs == NULL)
			err(2, "addresses");
		opt.addrs[opt.addrs_n++] = net_parse(one);
	}
	if (opt.addrs_n == 0)
		usage();
}

static inline void parse_option(int c, const char *arg)
{
	switch (c) {
	case 'c':
		opt.conns = (unsigned)net_number(arg, c, 1, 1000000);
		break;
	case 'r':
		opt.rate = net_number(arg, c, 0, 1e7);
		break;
	case 'd':
		opt.duration_s = net_number(arg, c, 0, 1e6);
		break;
	case 'n':
		opt.requests = (uint64_t)net_number(arg, c, 1, 1e15);
		break;
	case 't':
		opt.deadline_us = (uint64_t)(net_number(arg, c, 1, 1e7) * 1000);
		break;
	case 'p':
		opt.path = arg;
		break;
	case 'm':
		opt.method = arg;
		break;
	case 'H':
		parse_header(arg);
		break;
	case '1':
		opt.one_each = true;
		break;
	case 'k':
		opt.connect_rate = net_number(arg, c, 0, 1e7);
		break;
	case 'b':
		opt.read_rate = net_number(arg, c, 1, 1e9);
		break;
	case 'x':
		parse_body(arg);
		break;
	case 's':
		opt.sources = (unsigned)net_number(arg, c, 1, 250);
		break;
	case 'i':
		opt.hold_s = net_number(arg, c, 0, 1e6);
		break;
	case 'w':
		opt.ready_file = arg;
		break;
	case 'C':
		opt.control = true;
		break;
	case 'Z':
		opt.strict_idle = true;
		break;
	case 'j':
		opt.json = true;
		break;
	default:
		usage();
	}
}

/* Returns the Host of the requests. */
static inline const char *parse_options(int argc, char **argv)
{
	const char *unix_path = NULL;
	static char host[128];
	int c;

	/* In parentheses: the overlay of libbsd makes getopt a macro for a function that the tools
	 * do not link. */
	while ((c = (getopt)(argc, argv, "c:r:d:n:t:p:m:H:1k:b:x:u:s:i:w:CZj")) != -1) {
		if (c == 'u')
			unix_path = optarg;
		else
			parse_option(c, optarg);
	}
	if (opt.duration_s == 0)
		opt.duration_s = opt.requests != 0 ? 60 : 10;
	if (argc - optind != (unix_path ? 0 : 1))
		usage();
	if (unix_path != NULL) {
		opt.addrs = malloc(sizeof(*opt.addrs));
		if (opt.addrs == NULL)
			err(2, "addresses");
		opt.addrs[0] = net_unix(unix_path);
		opt.addrs_n = 1;
		return "localhost";
	}
	snprintf(host, sizeof(host), "%.*s", (int)strcspn(argv[optind], ","), argv[optind]);
	parse_addresses(argv[optind]);
	return host;
}

#endif
