/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Numbers, durations, sizes, words and texts. Addresses and names are in conf_address.c. Nothing
 * here knows of files, positions or messages: conf_fill.c puts the place in front of the reason.
 */
#include "master/conf_value.h"

#include <ctype.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "master/pool.h"

int conf_value_refuse(char why[CONF_WHY_BYTES], const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(why, CONF_WHY_BYTES, fmt, ap);
	va_end(ap);
	return -1;
}

/* The digits at the beginning of the text. Returns how many, or -1 if the number is too large. */
static int leading_number(const char *text, uint64_t *out)
{
	int n = 0;

	*out = 0;
	for (; text[n] >= '0' && text[n] <= '9'; n++) {
		if (__builtin_mul_overflow(*out, (uint64_t)10, out) ||
		    __builtin_add_overflow(*out, (uint64_t)(text[n] - '0'), out))
			return -1;
	}
	return n;
}

static bool leading_zero(const char *text)
{
	return text[0] == '0' && text[1] >= '0' && text[1] <= '9';
}

int conf_value_count(const char *text, uint64_t min, uint64_t max, uint64_t *out,
		     char why[CONF_WHY_BYTES])
{
	int digits = leading_number(text, out);

	if (digits == 0 || (digits > 0 && text[digits] != '\0') || leading_zero(text))
		return conf_value_refuse(why, "'%s' is not a number from %ju to %ju", text,
					 (uintmax_t)min, (uintmax_t)max);
	if (digits < 0 || *out > max)
		return conf_value_refuse(why, "%s is more than %ju", text, (uintmax_t)max);
	if (*out < min)
		return conf_value_refuse(why, "%s is less than %ju", text, (uintmax_t)min);
	return 0;
}

struct unit {
	const char *name;
	uint64_t factor;
};

static const struct unit times[] = {
    {"ms", 1000},
    {"s", 1000000},
    {"m", UINT64_C(60) * 1000000},
    {"h", UINT64_C(3600) * 1000000},
    {"d", UINT64_C(86400) * 1000000},
    {NULL, 0},
};
static const struct unit sizes[] = {
    {"", 1}, {"k", 1 << 10}, {"m", 1 << 20}, {"g", 1 << 30}, {NULL, 0},
};

static const struct unit *unit_find(const struct unit *units, const char *name)
{
	for (; units->name != NULL; units++) {
		if (strcasecmp(units->name, name) == 0)
			return units;
	}
	return NULL;
}

int conf_value_duration(const char *text, uint64_t max, uint64_t *out, char why[CONF_WHY_BYTES])
{
	int digits = leading_number(text, out);
	const struct unit *unit = digits > 0 ? unit_find(times, text + digits) : NULL;

	if (strcmp(text, "0") == 0)
		return 0;
	if (digits > 0 && text[digits] == '\0')
		return conf_value_refuse(why, "'%s' has no unit (write %ss)", text, text);
	if (digits > 0 && text[digits] == '.')
		return conf_value_refuse(why, "'%s' is not a whole number (write 1500ms, not 1.5s)",
					 text);
	if (digits == 0 || (digits > 0 && unit == NULL))
		return conf_value_refuse(
		    why, "'%s' is not a duration (write 500ms, 10s, 5m, 1h or 2d)", text);
	if (digits < 0 || __builtin_mul_overflow(*out, unit->factor, out) || *out > max)
		return conf_value_refuse(why, "%s is more than %jud", text,
					 (uintmax_t)(max / times[4].factor));
	return 0;
}

/* A limit as one would write it: the largest unit that divides it. */
static const char *size_text(uint64_t bytes, char *text, size_t room)
{
	int u = 3;

	while (u > 0 && (bytes == 0 || bytes % sizes[u].factor != 0))
		u--;
	snprintf(text, room, "%ju%s", (uintmax_t)(bytes / sizes[u].factor), sizes[u].name);
	return text;
}

int conf_value_size(const char *text, uint64_t min, uint64_t max, uint64_t *out,
		    char why[CONF_WHY_BYTES])
{
	int digits = leading_number(text, out);
	const struct unit *unit = digits > 0 ? unit_find(sizes, text + digits) : NULL;
	char limit[32];

	if (digits == 0 || (digits > 0 && unit == NULL))
		return conf_value_refuse(why, "'%s' is not a size (write bytes, or 4k, 1m or 1g)",
					 text);
	if (digits < 0 || __builtin_mul_overflow(*out, unit->factor, out) || *out > max)
		return conf_value_refuse(why, "%s is more than %s", text,
					 size_text(max, limit, sizeof(limit)));
	if (*out < min)
		return conf_value_refuse(why, "%s is less than %s", text,
					 size_text(min, limit, sizeof(limit)));
	return 0;
}

int conf_value_bool(const char *text, bool *out, char why[CONF_WHY_BYTES])
{
	static const char *const yes[] = {"true", "yes", "on"}, *const no[] = {"false", "no",
									       "off"};

	for (int i = 0; i < 3; i++) {
		*out = strcasecmp(text, yes[i]) == 0;
		if (*out || strcasecmp(text, no[i]) == 0)
			return 0;
	}
	return conf_value_refuse(why, "'%s' is neither true nor false", text);
}

int conf_value_choice(const char *text, const char *const *words, int *out,
		      char why[CONF_WHY_BYTES])
{
	const char *near = conf_schema_nearest_word(words, text);
	char all[128] = "";
	size_t used = 0;

	for (int i = 0; words[i] != NULL; i++) {
		if (strcmp(words[i], text) == 0) {
			*out = i;
			return 0;
		}
		used += strlen(words[i]) + 2;
		if (used < sizeof(all)) {
			strcat(all, i == 0 ? "" : ", ");
			strcat(all, words[i]);
		}
	}
	if (near != NULL)
		return conf_value_refuse(why, "there is no '%s' (did you mean '%s'?)", text, near);
	return conf_value_refuse(why, "there is no '%s' (one of %s)", text, all);
}

int conf_value_field(const char *text, char why[CONF_WHY_BYTES])
{
	size_t len = strlen(text);

	if (len == 0)
		return conf_value_refuse(why, "the value is empty");
	for (const char *p = text; *p != '\0'; p++) {
		unsigned char c = (unsigned char)*p;

		if ((c < ' ' && c != '\t') || c == 0x7f)
			return conf_value_refuse(
			    why, "a control character, which no header field may have");
	}
	if (strchr(" \t", text[0]) != NULL || strchr(" \t", text[len - 1]) != NULL)
		return conf_value_refuse(why, "the value begins or ends with a blank");
	return 0;
}

static size_t token_length(const char *text)
{
	size_t n = 0;

	while (text[n] > ' ' && text[n] < 0x7f &&
	       (isalnum((unsigned char)text[n]) || strchr("!#$%&'*+-.^_`|~", text[n]) != NULL))
		n++;
	return n;
}

bool conf_value_is_token(const char *text)
{
	size_t n = token_length(text);

	return n > 0 && text[n] == '\0';
}

int conf_value_media(const char *text, char why[CONF_WHY_BYTES])
{
	size_t type = token_length(text);
	size_t sub = text[type] == '/' ? token_length(text + type + 1) : 0;
	const char *rest = text + type + 1 + sub;

	if (type == 0 || sub == 0 || (*rest != '\0' && *rest != ';' && *rest != ' '))
		return conf_value_refuse(why, "'%s' is not a media type (write text/html)", text);
	return conf_value_field(text, why);
}

int conf_value_path(const char *text, const char *dir, struct pool *pool, const char **out,
		    char why[CONF_WHY_BYTES])
{
	char *path;
	size_t len;

	if (text[0] == '\0')
		return conf_value_refuse(why, "the value is empty");
	path = text[0] == '/' ? pool_strdup(pool, text) : pool_printf(pool, "%s/%s", dir, text);
	len = strlen(path);
	if (len >= PATH_MAX)
		return conf_value_refuse(why, "the path is longer than %d bytes", PATH_MAX - 1);
	while (len > 1 && path[len - 1] == '/')
		path[--len] = '\0';
	*out = path;
	return 0;
}

int conf_value_target(const char *text, char why[CONF_WHY_BYTES])
{
	const char *rest = text;

	for (const char *p = text; *p != '\0'; p++) {
		if (*p <= ' ' || *p >= 0x7f || strchr("\"<>\\^`{|}", *p) != NULL)
			return conf_value_refuse(
			    why, "'%s' has a character that must be percent-encoded in a URL",
			    text);
	}
	if (text[0] == '/' && text[1] == '/')
		return conf_value_refuse(why, "'%s' leads to another host (write \"https:%s\")",
					 text, text);
	if (text[0] == '/')
		return 0;
	if (strncmp(text, "https://", 8) == 0)
		rest += 8;
	else if (strncmp(text, "http://", 7) == 0)
		rest += 7;
	if (rest == text || *rest == '\0' || *rest == '/')
		return conf_value_refuse(why,
					 "'%s' is neither a path nor a URL (write \"/new/\" or "
					 "\"https://example.org/\")",
					 text);
	return 0;
}

static int set_path(const struct conf_option *o, const char *text, const char *dir,
		    struct pool *pool, const char **out, char why[CONF_WHY_BYTES])
{
	for (const char *const *w = o->words; w != NULL && *w != NULL; w++) {
		if (strcmp(*w, text) == 0) {
			*out = pool_strdup(pool, text);
			return 0;
		}
	}
	return conf_value_path(text, dir, pool, out, why);
}

static int set_number(const struct conf_option *o, const char *text, void *at,
		      char why[CONF_WHY_BYTES])
{
	uint64_t n = 0;
	int result;

	if (o->kind == CONF_DURATION)
		result = conf_value_duration(text, o->max, &n, why);
	else if (o->kind == CONF_SIZE || o->kind == CONF_SIZE32)
		result = conf_value_size(text, o->min, o->max, &n, why);
	else
		result = conf_value_count(text, o->min, o->max, &n, why);
	if (result < 0)
		return -1;
	if (o->kind == CONF_DURATION || o->kind == CONF_SIZE)
		*(uint64_t *)at = n;
	else
		*(uint32_t *)at = (uint32_t)n;
	return 0;
}

/* A status to answer with, or whether the location is the status page. */
static int set_status(const struct conf_option *o, const char *text, int *at,
		      char why[CONF_WHY_BYTES])
{
	uint64_t n;
	bool page;

	if (text[0] >= '0' && text[0] <= '9') {
		if (conf_value_count(text, o->min, o->max, &n, why) < 0)
			return -1;
		*at = (int)n;
		return 0;
	}
	if (conf_value_bool(text, &page, why) < 0)
		return conf_value_refuse(why,
					 "'%s' is neither a status (write 200 to 599) nor true, "
					 "for the status page",
					 text);
	*at = page ? CONF_STATUS_PAGE : 0;
	return 0;
}

int conf_value_set(const struct conf_option *o, const char *text, const char *dir,
		   struct pool *pool, void *base, char why[CONF_WHY_BYTES])
{
	void *at = (char *)base + o->offset;

	switch (o->kind) {
	case CONF_BOOL:
		return conf_value_bool(text, at, why);
	case CONF_STATUS:
		return set_status(o, text, at, why);
	case CONF_COUNT:
	case CONF_SIZE:
	case CONF_SIZE32:
	case CONF_DURATION:
		return set_number(o, text, at, why);
	case CONF_CHOICE:
		return conf_value_choice(text, o->words, at, why);
	case CONF_PATH:
		return set_path(o, text, dir, pool, at, why);
	case CONF_FIELD:
	case CONF_MEDIA:
		if ((o->kind == CONF_FIELD ? conf_value_field : conf_value_media)(text, why) < 0)
			return -1;
		*(const char **)at = pool_strdup(pool, text);
		return 0;
	case CONF_TEXT:
		*(const char **)at = pool_strdup(pool, text);
		return 0;
	case CONF_OWN:
	case CONF_LIST:
	case CONF_SECTION:
	case CONF_INCLUDE:
		break;
	}
	return conf_value_refuse(why, "no value of its own");
}
