/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Heads of CGI responses (RFC 3875 6.2, 6.3): see cgi.h. Only what is CGI's own is judged here; the
 * fields are copied, and judged as those of any peer by response.c.
 */
#include "worker/http/cgi.h"

#include <string.h>

#include "worker/http/out.h"
#include "worker/http/reply.h"
#include "worker/http/scan.h"

struct line {
	const char *text;
	size_t len;
};

size_t cgi_head_end(const char *base, size_t len, uint32_t *scanned)
{
	size_t i = *scanned;

	/* The line before may have ended in the last two bytes that were seen. */
	i -= i > 2 ? 2 : i;
	for (; i < len; i++) {
		const char *lf = memchr(base + i, '\n', len - i);
		size_t at = lf != NULL ? (size_t)(lf - base) : len;

		if (at < len && (at == 0 || (at == 1 && base[0] == '\r')))
			return at + 1; /* nothing but an empty line */
		if (at + 1 < len && base[at + 1] == '\n')
			return at + 2;
		if (at + 2 < len && base[at + 1] == '\r' && base[at + 2] == '\n')
			return at + 3;
		i = at;
	}
	*scanned = (uint32_t)len;
	return 0;
}

/* Takes the next line off the head; false: it is the empty one. */
static bool next_line(struct line *rest, struct line *line)
{
	const char *lf = memchr(rest->text, '\n', rest->len);

	if (lf == NULL)
		return false;
	*line = (struct line){rest->text, (size_t)(lf - rest->text)};
	rest->len -= line->len + 1;
	rest->text = lf + 1;
	if (line->len > 0 && line->text[line->len - 1] == '\r')
		line->len--;
	return line->len > 0;
}

/* The value, without blanks around it, if the line is the field of that name. */
static bool is_field(const struct line *line, const char *name, struct line *value)
{
	size_t len = strlen(name);
	const char *p = line->text + len, *end = line->text + line->len;

	if (line->len <= len || line->text[len] != ':' || strncasecmp(line->text, name, len) != 0)
		return false;
	p = scan_blank_end(p + 1, end);
	while (end > p && scan_is(end[-1], SCAN_BLANK))
		end--;
	*value = (struct line){p, (size_t)(end - p)};
	return true;
}

/* "404 Not Found", or "404" alone. A 1xx is nothing that CGI knows. */
static bool read_status(const struct line *value, int *status, struct line *reason)
{
	const char *p = value->text;

	if (value->len < 3 || (value->len > 3 && p[3] != ' ') || p[0] < '2' || p[0] > '5' ||
	    !scan_is(p[1], SCAN_DIGIT) || !scan_is(p[2], SCAN_DIGIT))
		return false;
	*status = (p[0] - '0') * 100 + (p[1] - '0') * 10 + (p[2] - '0');
	*reason = (struct line){p + 4, value->len > 4 ? value->len - 4 : 0};
	return true;
}

/* What the head says of the status; 0: nothing, *location tells whether there is such a field. */
static const char *find_status(struct line rest, int *status, struct line *reason, bool *location)
{
	struct line line, value;
	size_t fields = 0;

	for (; next_line(&rest, &line); fields++) {
		if (is_field(&line, "location", &value))
			*location = true;
		if (!is_field(&line, "status", &value))
			continue;
		if (*status != 0 || !read_status(&value, status, reason))
			return "Status";
	}
	return fields > 0 ? NULL : "head without a field";
}

static void put_status(struct out *o, int status, const struct line *reason)
{
	const char digits[] = {(char)('0' + status / 100), (char)('0' + status / 10 % 10),
			       (char)('0' + status % 10), ' '};
	const char *usual = http_reason(status);

	OUT_PUT(o, "HTTP/1.1 ");
	out_put(o, digits, sizeof digits);
	if (reason->len > 0)
		out_put(o, reason->text, reason->len);
	else
		out_string(o, usual);
	OUT_PUT(o, "\r\n");
}

int cgi_translate_head(char *out, size_t size, const char *base, size_t len, const char **wrong)
{
	struct out o = {out, out + size, false};
	struct line rest = {base, len}, line, reason = {base, 0};
	bool location = false;
	int status = 0;

	*wrong = find_status(rest, &status, &reason, &location);
	if (*wrong != NULL)
		return -1;
	put_status(&o, status != 0 ? status : location ? 302 : 200, &reason);
	while (next_line(&rest, &line)) {
		struct line value;

		if (is_field(&line, "status", &value))
			continue;
		out_put(&o, line.text, line.len);
		OUT_PUT(&o, "\r\n");
	}
	OUT_PUT(&o, "\r\n");
	if (!o.broken)
		return (int)(o.p - out);
	*wrong = "size of the head";
	return -1;
}
