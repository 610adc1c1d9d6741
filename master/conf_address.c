/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Addresses to listen on, peers, networks, and host names, from text. Addresses to listen on are
 * numeric only: a configuration whose meaning depends on a name server could stop the daemon from
 * starting.
 */
#include "master/conf_value.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

#include "master/pool.h"
#include "worker/settings.h"

static int address_unix(const char *text, const char *path, struct listener *out, char *why)
{
	size_t len = strlen(path);

	if (path[0] != '/')
		return conf_value_refuse(
		    why, "'%s' is not an absolute path (write \"unix:/run/x.sock\")", text);
	if (len >= sizeof(out->addr.un.sun_path))
		return conf_value_refuse(why, "'%s': the path is longer than %zu bytes", text,
					 sizeof(out->addr.un.sun_path) - 1);
	out->addr.un.sun_family = AF_UNIX;
	memcpy(out->addr.un.sun_path, path, len + 1);
	out->addr_len = (socklen_t)sizeof(out->addr.un);
	return 0;
}

static int port_parse(const char *text, const char *port, in_port_t *out, char *why)
{
	uint64_t number;
	char ignored[CONF_WHY_BYTES];

	if (conf_value_count(port, 0, 65535, &number, ignored) < 0)
		return conf_value_refuse(why, "'%s': '%s' is not a port from 0 to 65535", text,
					 port);
	*out = htons((uint16_t)number);
	return 0;
}

/* "[2001:db8::1]:80" */
static int address_v6(const char *text, struct listener *out, char *why)
{
	const char *close = strchr(text, ']');
	size_t len = close == NULL ? 0 : (size_t)(close - text - 1);
	char host[64];

	if (close == NULL || close[1] != ':')
		return conf_value_refuse(why, "'%s' has no port (write \"[::1]:80\")", text);
	if (len >= sizeof(host))
		return conf_value_refuse(why, "'%s' is not an IPv6 address", text);
	memcpy(host, text + 1, len);
	host[len] = '\0';
	out->addr.in6.sin6_family = AF_INET6;
	out->addr_len = (socklen_t)sizeof(out->addr.in6);
	if (inet_pton(AF_INET6, host, &out->addr.in6.sin6_addr) != 1)
		return conf_value_refuse(why, "'%s': '%s' is not a numeric IPv6 address", text,
					 host);
	if (IN6_IS_ADDR_V4MAPPED(&out->addr.in6.sin6_addr))
		return conf_value_refuse(why, "'%s' is an IPv4 address (write \"%s%s\")", text,
					 strrchr(host, ':') + 1, close + 1);
	return port_parse(text, close + 2, &out->addr.in6.sin6_port, why);
}

/* "192.0.2.1:80", "*:80", "localhost:80" */
static int address_v4(const char *text, struct listener *out, char *why)
{
	const char *colon = strchr(text, ':');
	size_t len = (size_t)(colon - text);
	char host[64];

	if (len >= sizeof(host))
		return conf_value_refuse(why, "'%s' is not a numeric address", text);
	memcpy(host, text, len);
	host[len] = '\0';
	if (strcmp(host, "*") == 0)
		snprintf(host, sizeof(host), "0.0.0.0");
	else if (strcmp(host, "localhost") == 0)
		snprintf(host, sizeof(host), "127.0.0.1");
	out->addr.in.sin_family = AF_INET;
	out->addr_len = (socklen_t)sizeof(out->addr.in);
	if (inet_pton(AF_INET, host, &out->addr.in.sin_addr) != 1)
		return conf_value_refuse(
		    why, "'%s': '%s' is not a numeric address (names are not looked up)", text,
		    host);
	return port_parse(text, colon + 1, &out->addr.in.sin_port, why);
}

int conf_value_address(const char *text, struct listener *out, char why[CONF_WHY_BYTES])
{
	size_t digits = strspn(text, "0123456789");
	const char *colon = strchr(text, ':');

	memset(&out->addr, 0, sizeof(out->addr));
	if (strncmp(text, "unix:", 5) == 0)
		return address_unix(text, text + 5, out, why);
	if (text[0] == '/')
		return conf_value_refuse(why, "'%s': write \"unix:%s\"", text, text);
	if (text[0] == '[')
		return address_v6(text, out, why);
	if (digits > 0 && text[digits] == '\0')
		return conf_value_refuse(
		    why, "'%s' is a port alone (write \"*:%s\" or \"127.0.0.1:%s\")", text, text,
		    text);
	if (text[0] == '\0')
		return conf_value_refuse(why, "the address is empty");
	if (colon == NULL)
		return conf_value_refuse(why, "'%s' has no port (write \"%s:80\")", text, text);
	if (strchr(colon + 1, ':') != NULL)
		return conf_value_refuse(
		    why, "'%s': an IPv6 address stands in brackets (write \"[::1]:80\")", text);
	return address_v4(text, out, why);
}

/* Is the last label a number? Then getaddrinfo() would read "1.2.3" as 1.2.0.3. */
static bool ends_in_number(const char *host)
{
	const char *dot = strrchr(host, '.');
	const char *label = dot == NULL ? host : dot + 1;

	return label[strspn(label, "0123456789")] == '\0';
}

bool conf_value_peer_numeric(const char *text)
{
	struct listener l;
	char why[CONF_WHY_BYTES];

	return conf_value_address(text, &l, why) == 0;
}

/* A name and a port. */
static int peer_name(const char *text, struct pool *pool, const char **host, in_port_t *port,
		     char *why)
{
	const char *colon = strrchr(text, ':');
	const char *name = pool_strndup(pool, text, (size_t)(colon - text));
	char ignored[CONF_WHY_BYTES];

	if (strcmp(name, "*") == 0)
		return conf_value_refuse(why, "'%s': '*' is where one listens, not a peer", text);
	if (port_parse(text, colon + 1, port, why) < 0)
		return -1;
	if (name[0] == '*' || strchr(name, ':') != NULL || ends_in_number(name) ||
	    conf_value_host(name, pool, host, ignored) < 0)
		return conf_value_refuse(why, "'%s': '%s' is not an address or host name", text,
					 name);
	if (*port == 0)
		return conf_value_refuse(why, "'%s': a peer's port is not 0", text);
	return 0;
}

int conf_value_peer(const char *text, struct pool *pool, struct peer *out, const char **host,
		    in_port_t *port, char why[CONF_WHY_BYTES])
{
	struct listener l = {.addr_len = 0};
	char unresolved[CONF_WHY_BYTES];

	*host = NULL;
	if (strstr(text, "://") != NULL)
		return conf_value_refuse(why, "'%s' is a URL (write \"host:port\")", text);
	if (conf_value_address(text, &l, unresolved) < 0) {
		const char *colon = strchr(text, ':');

		if (colon == NULL || strchr(colon + 1, ':') != NULL || text[0] == '/' ||
		    strncmp(text, "unix:", 5) == 0 || text[0] == '[')
			return conf_value_refuse(why, "%s", unresolved);
		return peer_name(text, pool, host, port, why);
	}
	if (text[0] == '*')
		return conf_value_refuse(why, "'%s': '*' is where one listens, not a peer", text);
	if (l.addr.sa.sa_family != AF_UNIX &&
	    (l.addr.sa.sa_family == AF_INET ? l.addr.in.sin_port : l.addr.in6.sin6_port) == 0)
		return conf_value_refuse(why, "'%s': a peer's port is not 0", text);
	memcpy(&out->addr, &l.addr, sizeof(l.addr));
	out->addr_len = l.addr_len;
	return 0;
}

/* Are all bits after the first `bits` zero? */
static bool ends_in_zeros(const struct in6_addr *a, unsigned bits)
{
	for (unsigned i = bits; i < 128; i++) {
		if (a->s6_addr[i / 8] & (0x80u >> (i % 8)))
			return false;
	}
	return true;
}

/* The host part of "host/len"; the length, or all bits if there is none. */
static int cidr_split(const char *text, char *host, size_t room, bool *v6, uint64_t *bits,
		      char *why)
{
	const char *slash = strchr(text, '/');
	size_t len = slash == NULL ? strlen(text) : (size_t)(slash - text);
	char ignored[CONF_WHY_BYTES];

	*v6 = memchr(text, ':', len) != NULL;
	*bits = *v6 ? 128 : 32;
	if (len >= room)
		return conf_value_refuse(why, "'%s' is not an address or network", text);
	memcpy(host, text, len);
	host[len] = '\0';
	if (slash != NULL && conf_value_count(slash + 1, 0, *bits, bits, ignored) < 0)
		return conf_value_refuse(why, "'%s': '%s' is not a prefix length from 0 to %d",
					 text, slash + 1, *v6 ? 128 : 32);
	return 0;
}

/* Somebody wrote a host's address for its network, or meant the host alone. */
static int refuse_bits(const char *text, const struct in6_addr *a, unsigned bits, bool v6,
		       char why[CONF_WHY_BYTES])
{
	char network[INET6_ADDRSTRLEN];
	struct in6_addr net = *a;

	for (unsigned i = bits; i < 128; i++)
		net.s6_addr[i / 8] &= (uint8_t) ~(0x80u >> (i % 8));
	inet_ntop(v6 ? AF_INET6 : AF_INET, v6 ? (const void *)&net : (const void *)&net.s6_addr[12],
		  network, sizeof(network));
	return conf_value_refuse(why,
				 "'%s' has bits set behind its prefix length (write \"%s/%u\")",
				 text, network, v6 ? bits : bits - 96);
}

int conf_value_cidr(const char *text, struct cidr *out, char why[CONF_WHY_BYTES])
{
	char host[64];
	uint64_t bits;
	bool v6;

	memset(&out->addr, 0, sizeof(out->addr));
	out->bits = 0;
	if (strcmp(text, "all") == 0)
		return 0;
	if (cidr_split(text, host, sizeof(host), &v6, &bits, why) < 0)
		return -1;
	if (inet_pton(v6 ? AF_INET6 : AF_INET, host,
		      v6 ? (void *)&out->addr : (void *)&out->addr.s6_addr[12]) != 1)
		return conf_value_refuse(
		    why,
		    "'%s' is not an address or network (write \"192.0.2.0/24\", "
		    "\"2001:db8::/32\" or \"all\")",
		    text);
	if (!v6) {
		out->addr.s6_addr[10] = out->addr.s6_addr[11] = 0xff;
		bits += 96;
	}
	if (!ends_in_zeros(&out->addr, (unsigned)bits))
		return refuse_bits(text, &out->addr, (unsigned)bits, v6, why);
	out->bits = (uint8_t)bits;
	return 0;
}

/* One label of a host name. Underscores are no part of host names, but of names in use. */
static bool label_good(const char *label, size_t len)
{
	if (len == 0 || len > 63 || label[0] == '-' || label[len - 1] == '-')
		return false;
	for (size_t i = 0; i < len; i++) {
		if (!isalnum((unsigned char)label[i]) && label[i] != '-' && label[i] != '_')
			return false;
	}
	return true;
}

static bool labels_good(const char *name)
{
	for (;;) {
		size_t len = strcspn(name, ".");

		if (!label_good(name, len))
			return false;
		if (name[len] == '\0')
			return true;
		name += len + 1;
	}
}

/* What people write where a host name is meant, each with what to write instead. */
static int host_hint(const char *text, char *why)
{
	size_t len = strlen(text);

	for (const char *p = text; *p != '\0'; p++) {
		if ((unsigned char)*p >= 0x80)
			return conf_value_refuse(
			    why, "'%s': write names outside ASCII as punycode (xn--...)", text);
	}
	if (strcmp(text, "*") == 0)
		return conf_value_refuse(
		    why, "'*': write default = true for the server that answers to every "
			 "other name");
	if (text[0] == '.')
		return conf_value_refuse(why, "'%s': write \"%s\" and \"*%s\"", text, text + 1,
					 text);
	if (strchr(text, ':') != NULL)
		return conf_value_refuse(why, "'%s' is not a host name (names have no port)", text);
	if (len > 0 && text[len - 1] == '.')
		return conf_value_refuse(why, "'%s': write it without the dot at the end", text);
	if (strchr(text, '*') != NULL)
		return conf_value_refuse(
		    why, "'%s': '*' may only be the whole first label (\"*.example.org\")", text);
	return conf_value_refuse(why, "'%s' is not a host name", text);
}

int conf_value_host(const char *text, struct pool *pool, const char **out, char why[CONF_WHY_BYTES])
{
	const char *name = strncmp(text, "*.", 2) == 0 ? text + 2 : text;
	char *lower;

	if (strlen(name) > 253 || !labels_good(name))
		return host_hint(text, why);
	lower = pool_strdup(pool, text);
	for (char *p = lower; *p != '\0'; p++)
		*p = (char)tolower((unsigned char)*p);
	*out = lower;
	return 0;
}

/* "[2001:db8::1]", with or without a port. */
static bool literal_good(const char *text, const char **rest)
{
	const char *close = strchr(text, ']');
	char host[INET6_ADDRSTRLEN];
	struct in6_addr addr;

	if (text[0] != '[' || close == NULL || (size_t)(close - text) > sizeof(host))
		return false;
	memcpy(host, text + 1, (size_t)(close - text - 1));
	host[close - text - 1] = '\0';
	*rest = close + 1;
	return inet_pton(AF_INET6, host, &addr) == 1;
}

int conf_value_authority(const char *text, struct pool *pool, char why[CONF_WHY_BYTES])
{
	const char *rest = text + strcspn(text, ":"), *host;
	char *name = pool_strndup(pool, text, (size_t)(rest - text));
	in_port_t port;

	if (!literal_good(text, &rest) &&
	    (name[0] == '*' || conf_value_host(name, pool, &host, why) < 0))
		return conf_value_refuse(why, "'%s' is not a host, with or without a port", text);
	if (rest[0] == '\0')
		return 0;
	if (rest[0] != ':')
		return conf_value_refuse(why, "'%s' is not a host, with or without a port", text);
	return port_parse(text, rest + 1, &port, why);
}
