/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Servers by host and locations by path, in two hash tables for the whole configuration. The table
 * of names is asked for the whole host, then for those ends of it that are as long as some wildcard
 * of the listener. A path is walked from its start with a hash that grows along, and the table is
 * asked where some prefix of the server would end. So the cost depends on the length of what the
 * client sent and on the number of different lengths, never on how many names or locations there
 * are. Hashes are seeded: nobody outside can know which names share a slot.
 */
#include "worker/http/route.h"

#include <stdlib.h>
#include <string.h>

enum {
	HOST_MAX = 255, /* longer names are nobody's (RFC 1035 2.3.4); fits name_scope.wildcard */
	NOBODY = UINT32_MAX
};

enum key_kind {
	KEY_EXACT, /* the whole host, the whole path */
	KEY_PART   /* the end of a host from a dot on, the start of a path */
};

/* A name on a listener, or a path of a server. */
struct key {
	const char *text; /* in settings */
	uint32_t len;
	uint32_t scope; /* listener or server */
	uint32_t value; /* server or location */
	uint8_t kind;
};

struct slot {
	uint32_t tag; /* other bits of the hash than those that chose the slot */
	uint32_t key; /* index plus one; 0 = free */
};

/* Open addressing; at most half full, so that a look-up in vain ends soon. */
struct table {
	struct slot *slots;
	struct key *keys;
	uint32_t keys_count;
	uint32_t mask;
};

/* The names of one listener. */
struct name_scope {
	bool several;         /* some name leads to another server than the default one */
	uint64_t wildcard[4]; /* a bit for each length that a wildcard has */
	bool wildcards;
};

/* The paths of one server. */
struct path_scope {
	uint32_t root;   /* location "/", or 0: it needs no look-up */
	uint32_t *parts; /* distinct lengths of the other prefixes, ascending */
	uint32_t parts_count;
	uint64_t exact; /* bit min(length, 63) for each exact path: most requests need no look-up */
};

struct route {
	uint64_t seed;
	const struct server *servers;
	const struct listener *listeners;
	struct table names;
	struct table paths;
	struct name_scope *by_listener;
	struct path_scope *by_server;
	uint32_t listeners_count, servers_count;
};

#define HASH_FACTOR 0x9e3779b97f4a7c15u

static inline uint64_t hash_start(const struct route *r, uint32_t scope)
{
	return r->seed ^ scope * HASH_FACTOR;
}

/* Low bits of a product know nothing of the high bits of its factors. */
static inline uint64_t hash_spread(uint64_t h)
{
	h ^= h >> 32;
	h *= 0xd6e8feb86659fd93u;
	return h ^ h >> 32;
}

static inline uint64_t load8(const char *p)
{
	uint64_t word;

	memcpy(&word, p, sizeof word);
	return word;
}

/* Names: the whole text at once, eight bytes a step, the last eight overlapping those before. */
static inline uint64_t hash_name(const struct route *r, uint32_t listener, const char *text,
				 size_t len)
{
	uint64_t h = hash_start(r, listener) ^ len, last = 0;

	if (len >= 8) {
		for (size_t i = 0; i + 8 < len; i += 8) {
			h = (h ^ load8(text + i)) * HASH_FACTOR;
			h ^= h >> 29;
		}
		last = load8(text + len - 8);
	} else {
		for (size_t i = 0; i < len; i++)
			last = last << 8 | (unsigned char)text[i];
	}
	return hash_spread((h ^ last) * HASH_FACTOR);
}

/* Paths: a byte a step, so that every prefix has its hash at no extra cost. */
static inline uint64_t hash_step(uint64_t h, char c)
{
	return (h ^ (unsigned char)c) * 0x100000001b3u;
}

static inline uint32_t table_find(const struct table *t, uint64_t hash, uint32_t scope,
				  enum key_kind kind, const char *text, size_t len)
{
	uint32_t tag = (uint32_t)(hash >> 32);

	for (uint32_t i = (uint32_t)hash & t->mask; t->slots[i].key; i = (i + 1) & t->mask) {
		const struct key *k = &t->keys[t->slots[i].key - 1];

		if (t->slots[i].tag == tag && k->scope == scope && k->kind == kind &&
		    k->len == len && memcmp(k->text, text, len) == 0)
			return k->value;
	}
	return NOBODY;
}

static int table_alloc(struct table *t, size_t keys)
{
	size_t slots = 4;

	while (slots < keys * 2)
		slots *= 2;
	if (slots > UINT32_MAX)
		return -1;
	t->mask = (uint32_t)(slots - 1);
	t->slots = calloc(slots, sizeof *t->slots);
	t->keys = calloc(keys + 1, sizeof *t->keys);
	return t->slots && t->keys ? 0 : -1;
}

/* The first of two equal keys stays: the configuration has refused them. */
static void table_add(struct table *t, uint64_t hash, const struct key *k)
{
	uint32_t i = (uint32_t)hash & t->mask;

	if (table_find(t, hash, k->scope, k->kind, k->text, k->len) != NOBODY)
		return;
	while (t->slots[i].key)
		i = (i + 1) & t->mask;
	t->keys[t->keys_count++] = *k;
	t->slots[i] = (struct slot){(uint32_t)(hash >> 32), t->keys_count};
}

static int parts_add(struct path_scope *s, uint32_t len)
{
	uint32_t i = 0, *bigger;

	while (i < s->parts_count && s->parts[i] < len)
		i++;
	if (i < s->parts_count && s->parts[i] == len)
		return 0;
	bigger = reallocarray(s->parts, s->parts_count + 1, sizeof *bigger);
	if (!bigger)
		return -1;
	s->parts = bigger;
	memmove(bigger + i + 1, bigger + i, (s->parts_count - i) * sizeof *bigger);
	bigger[i] = len;
	s->parts_count++;
	return 0;
}

static size_t count_names(const struct settings *s)
{
	size_t n = 0;

	for (uint32_t i = 0; i < s->servers_count; i++)
		for (const char **name = s->servers[i].names; name && *name; name++)
			n += s->servers[i].listeners_count;
	return n;
}

static size_t count_paths(const struct settings *s)
{
	size_t n = 0;

	for (uint32_t i = 0; i < s->servers_count; i++)
		n += s->servers[i].locations_count;
	return n;
}

static void add_name(struct route *r, uint32_t listener, uint32_t server, const char *name)
{
	struct name_scope *scope = &r->by_listener[listener];
	struct key k = {.text = name, .scope = listener, .value = server};

	if (name[0] == '*' && name[1] == '.') {
		k.kind = KEY_PART;
		k.text++;
	}
	k.len = (uint32_t)strlen(k.text);
	if (k.len > 1 && k.text[k.len - 1] == '.')
		k.len--;
	if (k.len > HOST_MAX)
		return;
	table_add(&r->names, hash_name(r, listener, k.text, k.len), &k);
	scope->several |= server != r->listeners[listener].default_server;
	if (k.kind == KEY_PART) {
		scope->wildcards = true;
		scope->wildcard[k.len / 64] |= (uint64_t)1 << k.len % 64;
	}
}

static void add_names(struct route *r, const struct settings *s)
{
	for (uint32_t i = 0; i < s->servers_count; i++)
		for (const char **name = s->servers[i].names; name && *name; name++)
			for (uint32_t l = 0; l < s->servers[i].listeners_count; l++)
				add_name(r, s->servers[i].listeners[l], i, *name);
}

static int add_path(struct route *r, uint32_t server, uint32_t location)
{
	const struct location *loc = &r->servers[server].locations[location];
	struct path_scope *scope = &r->by_server[server];
	struct key k = {.text = loc->path,
			.len = loc->path_len,
			.scope = server,
			.value = location,
			.kind = loc->exact ? KEY_EXACT : KEY_PART};
	uint64_t h = hash_start(r, server);

	if (!loc->exact && k.len == 1 && *k.text == '/') {
		scope->root = location;
		return 0;
	}
	for (uint32_t i = 0; i < k.len; i++)
		h = hash_step(h, k.text[i]);
	table_add(&r->paths, hash_spread(h), &k);
	if (!loc->exact)
		return parts_add(scope, k.len);
	scope->exact |= (uint64_t)1 << (k.len < 63 ? k.len : 63);
	return 0;
}

/* locations[0] is no candidate but what is left when there is none. */
static int add_paths(struct route *r)
{
	for (uint32_t i = 0; i < r->servers_count; i++)
		for (uint32_t j = 1; j < r->servers[i].locations_count; j++)
			if (add_path(r, i, j) < 0)
				return -1;
	return 0;
}

struct route *route_build(const struct settings *s)
{
	struct route *r = calloc(1, sizeof *r);

	if (!r)
		return NULL;
	arc4random_buf(&r->seed, sizeof r->seed);
	r->servers = s->servers;
	r->listeners = s->listeners;
	r->servers_count = s->servers_count;
	r->listeners_count = s->listeners_count;
	r->by_listener = calloc(s->listeners_count + 1, sizeof *r->by_listener);
	r->by_server = calloc(s->servers_count + 1, sizeof *r->by_server);
	if (!r->by_listener || !r->by_server || table_alloc(&r->names, count_names(s)) < 0 ||
	    table_alloc(&r->paths, count_paths(s)) < 0 || add_paths(r) < 0) {
		route_free(r);
		return NULL;
	}
	add_names(r, s);
	return r;
}

void route_free(struct route *r)
{
	if (!r)
		return;
	for (uint32_t i = 0; r->by_server && i < r->servers_count; i++)
		free(r->by_server[i].parts);
	free(r->by_server);
	free(r->by_listener);
	free(r->names.slots);
	free(r->names.keys);
	free(r->paths.slots);
	free(r->paths.keys);
	free(r);
}

/* Eight bytes in lower case. Sums of seven bits each carry into the eighth, which then says whether
 * the byte is at least 'A', or more than 'Z'. */
static inline uint64_t lower8(uint64_t word)
{
	const uint64_t each = 0x0101010101010101u;
	uint64_t low = word & each * 0x7f;
	uint64_t capital = (low + each * (0x80 - 'A')) ^ (low + each * (0x7f - 'Z'));

	return word | (capital & ~word & each * 0x80) >> 2;
}

static inline void copy_lower(char *out, const char *in, size_t len)
{
	uint64_t word;

	if (len < 8) {
		for (size_t i = 0; i < len; i++)
			out[i] = (char)(in[i] >= 'A' && in[i] <= 'Z' ? in[i] | 0x20 : in[i]);
		return;
	}
	for (size_t i = 0; i + 8 < len; i += 8) {
		word = lower8(load8(in + i));
		memcpy(out + i, &word, 8);
	}
	word = lower8(load8(in + len - 8));
	memcpy(out + len - 8, &word, 8);
}

/* The longest wildcard: "*." stands for one label or more. */
static uint32_t find_wildcard(const struct route *r, uint32_t listener, const char *name,
			      size_t len)
{
	const uint64_t *lengths = r->by_listener[listener].wildcard;
	uint32_t found = NOBODY;

	for (size_t i = 1; i < len && found == NOBODY; i++) {
		size_t left = len - i;

		if (name[i] == '.' && lengths[left / 64] >> left % 64 & 1)
			found = table_find(&r->names, hash_name(r, listener, name + i, left),
					   listener, KEY_PART, name + i, left);
	}
	return found;
}

uint32_t route_server(const struct route *r, uint32_t listener, const char *host, size_t len)
{
	const struct name_scope *scope = &r->by_listener[listener];
	uint32_t otherwise = r->listeners[listener].default_server, found;
	char name[HOST_MAX];

	if (len > 0 && host[len - 1] == '.')
		len--;
	if (!scope->several || len == 0 || len > sizeof name)
		return otherwise;
	copy_lower(name, host, len);
	found = table_find(&r->names, hash_name(r, listener, name, len), listener, KEY_EXACT, name,
			   len);
	if (found == NOBODY && scope->wildcards)
		found = find_wildcard(r, listener, name, len);
	return found != NOBODY ? found : otherwise;
}

const struct location *route_location(const struct route *r, uint32_t server, const char *path,
				      size_t len)
{
	const struct path_scope *scope = &r->by_server[server];
	const struct location *locations = r->servers[server].locations;
	uint64_t h = hash_start(r, server);
	uint32_t best = len > 0 && *path == '/' ? scope->root : 0, found;
	size_t i = 0;

	/* A later find is a longer one. */
	for (uint32_t part = 0; part < scope->parts_count && scope->parts[part] <= len; part++) {
		while (i < scope->parts[part])
			h = hash_step(h, path[i++]);
		found = table_find(&r->paths, hash_spread(h), server, KEY_PART, path, i);
		if (found != NOBODY)
			best = found;
	}
	if (!(scope->exact >> (len < 63 ? len : 63) & 1))
		return &locations[best];
	while (i < len)
		h = hash_step(h, path[i++]);
	found = table_find(&r->paths, hash_spread(h), server, KEY_EXACT, path, len);
	return &locations[found != NOBODY ? found : best];
}

static bool in_network(const struct cidr *net, const struct in6_addr *peer)
{
	unsigned bytes = net->bits / 8, bits = net->bits % 8;
	unsigned mask = 0xff00u >> bits & 0xffu;

	if (memcmp(peer, &net->addr, bytes) != 0)
		return false;
	return bits == 0 || ((peer->s6_addr[bytes] ^ net->addr.s6_addr[bytes]) & mask) == 0;
}

bool route_in_networks(const struct cidr *networks, uint32_t count, const struct in6_addr *peer)
{
	for (uint32_t i = 0; i < count; i++) {
		if (in_network(&networks[i], peer))
			return true;
	}
	return false;
}

bool route_admits(const struct location *loc, const struct in6_addr *peer)
{
	const struct cidr *found = NULL;

	if (IN6_IS_ADDR_UNSPECIFIED(peer))
		return true;
	for (uint32_t i = 0; i < loc->rules_count; i++) {
		const struct cidr *rule = &loc->rules[i];

		if (found && rule->bits < found->bits)
			break;
		if (in_network(rule, peer) && (!found || !rule->allow))
			found = rule;
	}
	return found ? found->allow : !loc->refuse_others;
}
