/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Fuzzes worker/http/path.c. The input is a path. What must hold: a normal form begins with '/',
 * has no empty or dot segment and no control character, is its own normal form once encoded, and is
 * the same or refused whatever the room for it.
 */
#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "worker/http/path.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_normal(const char *path, size_t len)
{
	assert(len > 0 && path[0] == '/' && strlen(path) == len);
	assert(!strstr(path, "//") && !strstr(path, "/./") && !strstr(path, "/../"));
	assert(len < 2 || strcmp(path + len - 2, "/.") != 0);
	assert(len < 3 || strcmp(path + len - 3, "/..") != 0);
	for (size_t i = 0; i < len; i++)
		assert((unsigned char)path[i] >= ' ' && path[i] != 0x7f);
	assert(path_has_dotfile(path) || !strstr(path, "/.") ||
	       strncmp(path, "/.well-known", strlen("/.well-known")) == 0);
}

static void check_again(const char *path, size_t len)
{
	size_t size = 3 * len + 1, n;
	char *encoded = malloc(size), *again = malloc(len + 1);
	int encoded_len;

	assert(encoded && again);
	encoded_len = path_encode(path, len, encoded, size);
	assert(encoded_len >= (int)len && strlen(encoded) == (size_t)encoded_len);
	assert(path_normalise(encoded, (size_t)encoded_len, again, len + 1, &n) == 0);
	assert(n == len && memcmp(again, path, len) == 0);
	free(encoded);
	free(again);
}

static size_t slashes(const char *path, size_t len)
{
	size_t n = 0;

	for (size_t i = 0; i < len; i++)
		n += path[i] == '/';
	return n;
}

/* In less room: the same, or refused. */
static void check_room(const char *path, size_t len, const char *normal, size_t room)
{
	char *out = malloc(room ? room : 1);
	size_t n;

	assert(out);
	if (path_normalise(path, len, out, room, &n) == 0)
		assert(normal && n < room && n == strlen(normal) &&
		       memcmp(out, normal, n + 1) == 0);
	free(out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *path = (const char *)data;
	char *out = malloc(size + 2), *encoded = malloc(3 * size + 1);
	size_t len = 0;
	int n;
	bool normal;

	assert(out && encoded);
	n = path_encode(path, size, encoded, 3 * size + 1);
	assert(n >= (int)size && strlen(encoded) == (size_t)n);
	normal = path_normalise(path, size, out, size + 2, &len) == 0;
	if (normal) {
		assert(len <= size + (size == 0));
		/* No slash comes out of an escape. */
		assert(slashes(out, len) <= slashes(path, size) + (size == 0));
		check_normal(out, len);
		check_again(out, len);
	}
	for (size_t room = 0; room <= len + 1; room += 1 + room / 2)
		check_room(path, size, normal ? out : NULL, room);
	free(out);
	free(encoded);
	return 0;
}
