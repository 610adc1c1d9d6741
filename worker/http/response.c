/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The response head, read once from left to right like a request's (parse.c), with whose fields it
 * shares worker/http/head.h. The proxy calls it for every response: it must not allocate, log or
 * look at a clock.
 */
#include "worker/http/response.h"

#include <assert.h>
#include <string.h>

#include "worker/http/head.h"
#include "worker/http/scan.h"

enum {
	/* "HTTP/1.1 200 ", the part of the status line that can be wrong in many ways, and more. */
	STATUS_START_MAX = 32
};

static const char field_name[][20] = {
#define X(sym, text) [HTTP_R_##sym] = text,
    HTTP_RESPONSE_FIELDS(X)
#undef X
};

/* One head under the parser. A step returns where the next one goes on, or NULL as in head.h. */
struct head {
	const char *base;
	const char *end;
	const struct http_limits *limits;
	struct http_response *r;
	enum http_refusal why; /* of the steps shared with requests */
	enum http_fault fault; /* of the others */
};

/* What the faults that both kinds of heads can have are called here. */
static const uint8_t fault_of[HTTP_REFUSALS] = {
    [HTTP_REFUSED_LINE] = HTTP_FAULT_LINE,
    [HTTP_REFUSED_FIELD_NAME] = HTTP_FAULT_FIELD_NAME,
    [HTTP_REFUSED_FIELD_VALUE] = HTTP_FAULT_FIELD_VALUE,
    [HTTP_REFUSED_FOLDING] = HTTP_FAULT_FOLDING,
};

static const char *fail(struct head *h, enum http_fault fault)
{
	h->fault = fault;
	return NULL;
}

/* "HTTP/1.1 200", byte by byte: junk is known for what it is with its first byte. */
static const char *read_unusual_start(struct head *h, const char *p)
{
	static const char form[] = "HTTP/1.v sss";
	unsigned status = 0;

	for (size_t i = 0; i < sizeof form - 1; i++, p++) {
		bool digit;

		if (p == h->end)
			return NULL;
		digit = scan_is(*p, SCAN_DIGIT);
		if (form[i] == 's' && digit)
			status = status * 10 + (unsigned)(*p - '0');
		else if (form[i] == 's')
			return fail(h, HTTP_FAULT_STATUS);
		else if (form[i] == 'v' ? !digit : *p != form[i])
			return fail(h, i < 5 ? HTTP_FAULT_STATUS_LINE : HTTP_FAULT_VERSION);
	}
	h->r->minor = p[-5] == '0' ? 0 : 1;
	h->r->status = (uint16_t)status;
	return p;
}

static inline const char *read_start(struct head *h, const char *p)
{
	static const char usual[] = "HTTP/1.1 ";
	const char *digit = p + sizeof usual - 1;

	if (h->end - p < STATUS_START_MAX || memcmp(p, usual, sizeof usual - 1) != 0 ||
	    !scan_is(digit[0], SCAN_DIGIT) || !scan_is(digit[1], SCAN_DIGIT) ||
	    !scan_is(digit[2], SCAN_DIGIT))
		return read_unusual_start(h, p);
	h->r->minor = 1;
	h->r->status = (uint16_t)((digit[0] - '0') * 100 + (digit[1] - '0') * 10 +
				  (digit[2] - '0'));
	return digit + 3;
}

static const char *read_status_line(struct head *h, const char *p)
{
	const char *reason;

	p = read_start(h, p);
	if (!p)
		return NULL;
	if (h->r->status < 100 || h->r->status > 599)
		return fail(h, HTTP_FAULT_STATUS);
	if (p == h->end)
		return NULL;
	if (*p != ' ' && *p != '\r')
		return fail(h, *p == '\n' ? HTTP_FAULT_LINE : HTTP_FAULT_STATUS);
	reason = *p == ' ' ? p + 1 : p;
	p = scan_text_end(reason, h->end);
	h->r->reason = head_span(h->base, reason, p);
	if (p < h->end && *p != '\r' && *p != '\n')
		return fail(h, HTTP_FAULT_STATUS_LINE);
	return head_end_line(p, h->end, HTTP_REFUSED_LINE, &h->why);
}

/* The only known field that a name of that length and those letters can be. */
static inline enum http_response_field_id candidate(const char *name, size_t len)
{
	char first = name[0] | 0x20;

	switch (len) {
	case 2:
		return HTTP_R_TE;
	case 4:
		return HTTP_R_DATE;
	case 6:
		return HTTP_R_SERVER;
	case 7:
		return first == 't' ? HTTP_R_TRAILER : HTTP_R_UPGRADE;
	case 8:
		return HTTP_R_LOCATION;
	case 10:
		if (first == 'c')
			return HTTP_R_CONNECTION;
		return first == 's' ? HTTP_R_SET_COOKIE : HTTP_R_KEEP_ALIVE;
	case 11:
		return HTTP_R_RETRY_AFTER;
	case 12:
		return HTTP_R_CONTENT_TYPE;
	case 14:
		return HTTP_R_CONTENT_LENGTH;
	case 16:
		return HTTP_R_PROXY_CONNECTION;
	case 17:
		return HTTP_R_TRANSFER_ENCODING;
	case 18:
		return HTTP_R_PROXY_AUTHENTICATE;
	default:
		return HTTP_R_OTHER;
	}
}

static inline enum http_response_field_id field_id(const char *name, size_t len)
{
	enum http_response_field_id id = candidate(name, len);

	if (id != HTTP_R_OTHER && scan_same_word(name, field_name[id], len))
		return id;
	return HTTP_R_OTHER;
}

static inline void note_known(struct http_response *r, const struct http_field *field)
{
	if (r->known[field->id].off == 0)
		r->known[field->id] = field->value;
	else
		r->known_several |= 1u << field->id;
}

static const char *read_fields(struct head *h, const char *p)
{
	struct http_response *r = h->r;
	uint32_t max = h->limits->max_fields < HTTP_FIELDS_MAX ? h->limits->max_fields
							       : HTTP_FIELDS_MAX;
	uint32_t n;

	for (n = 0; p < h->end && scan_is(*p, SCAN_TOKEN); n++) {
		struct http_field *field = &r->field[n];

		if (n == max)
			return fail(h, HTTP_FAULT_TOO_MANY_FIELDS);
		p = head_field(h->base, p, h->end, field, &h->why);
		if (!p)
			return NULL;
		field->id = (uint8_t)field_id(h->base + field->name.off, field->name.len);
		if (field->id != HTTP_R_OTHER)
			note_known(r, field);
	}
	r->fields = (uint16_t)n;
	return head_end_fields(p, h->end, n > 0, &h->why);
}

static bool has(const struct http_response *r, enum http_response_field_id id)
{
	return r->known[id].off != 0;
}

static bool several(const struct http_response *r, enum http_response_field_id id)
{
	return r->known_several >> id & 1;
}

/* 1xx and 204 end with their heads, whatever they say. */
static bool is_bodiless(uint16_t status)
{
	return status < 200 || status == 204;
}

static enum http_fault check_framing(struct head *h)
{
	struct http_response *r = h->r;
	struct http_span coding = r->known[HTTP_R_TRANSFER_ENCODING];
	struct http_span length = r->known[HTTP_R_CONTENT_LENGTH];

	if (has(r, HTTP_R_TRANSFER_ENCODING)) {
		if (has(r, HTTP_R_CONTENT_LENGTH) || r->minor == 0 || is_bodiless(r->status))
			return HTTP_FAULT_FRAMING;
		if (several(r, HTTP_R_TRANSFER_ENCODING) ||
		    !head_is_chunked(h->base + coding.off, coding.len))
			return HTTP_FAULT_TRANSFER_CODING;
		r->chunked = true;
	} else if (has(r, HTTP_R_CONTENT_LENGTH)) {
		if (several(r, HTTP_R_CONTENT_LENGTH) ||
		    !head_number(h->base + length.off, length.len, &r->content_length))
			return HTTP_FAULT_LENGTH;
		r->has_length = true;
	}
	return HTTP_FAULT_NONE;
}

static bool connection_has(const struct head *h, const char *token)
{
	return head_list_has(h->base, h->r->field, h->r->fields, HTTP_R_CONNECTION, token);
}

static void set_persistence(struct head *h)
{
	struct http_response *r = h->r;

	r->keep_alive = r->minor == 1;
	if (has(r, HTTP_R_CONNECTION)) {
		r->keep_alive = !connection_has(h, "close") &&
				(r->minor == 1 || connection_has(h, "keep-alive"));
		r->upgrade = r->known[HTTP_R_UPGRADE].len > 0 && connection_has(h, "upgrade");
	}
	if (is_bodiless(r->status) && r->content_length > 0)
		r->keep_alive = false;
}

static enum http_fault verdict(const struct head *h, const char *p, bool full)
{
	if (p || h->fault != HTTP_FAULT_NONE)
		return h->fault;
	if (h->why != HTTP_ACCEPTED)
		return fault_of[h->why];
	return full ? HTTP_FAULT_HEAD_TOO_LARGE : HTTP_FAULT_NONE;
}

int http_parse_response(const char *base, size_t len, const struct http_limits *limits,
			uint32_t *scanned, struct http_response *r, enum http_fault *fault)
{
	size_t window = len < limits->max_header ? len : limits->max_header;
	struct head h = {base, base + window, limits, r, HTTP_ACCEPTED, HTTP_FAULT_NONE};
	const char *p;

	*fault = HTTP_FAULT_NONE;
	if (*scanned > STATUS_START_MAX && len < limits->max_header &&
	    !head_may_be_decided(base, *scanned, len, 0)) {
		*scanned = (uint32_t)len;
		return 0;
	}
	/* Not field[], which is large, and of which only what was written is read. */
	memset(r, 0, offsetof(struct http_response, field));
	p = read_status_line(&h, base);
	if (p)
		p = read_fields(&h, p);
	if (p) {
		r->head_len = (uint32_t)(p - base);
		h.fault = check_framing(&h);
		set_persistence(&h);
	}
	*fault = verdict(&h, p, len >= limits->max_header);
	*scanned = p ? 0 : (uint32_t)len;
	if (*fault != HTTP_FAULT_NONE)
		return -1;
	return p ? 1 : 0;
}

const char *http_fault_name(enum http_fault fault)
{
	static const char *const name_of[] = {[HTTP_FAULT_NONE] = "none",
#define X(sym, text) [HTTP_FAULT_##sym] = text,
					      HTTP_FAULT_LIST(X)
#undef X
	};

	assert(fault < HTTP_FAULTS);
	return name_of[fault];
}

const char *http_body_kind_name(enum http_body_kind kind)
{
	static const char *const name_of[] = {
	    [HTTP_BODY_NONE] = "none",
	    [HTTP_BODY_LENGTH] = "length",
	    [HTTP_BODY_CHUNKED] = "chunked",
	    [HTTP_BODY_UNTIL_CLOSE] = "until close",
	};

	return (size_t)kind < sizeof name_of / sizeof name_of[0] ? name_of[kind] : "unknown";
}

enum http_body_kind http_response_body(const struct http_response *r, enum http_method of_request)
{
	if (of_request == HTTP_HEAD || is_bodiless(r->status) || r->status == 304)
		return HTTP_BODY_NONE;
	if (of_request == HTTP_CONNECT && r->status < 300)
		return HTTP_BODY_NONE;
	if (r->chunked)
		return HTTP_BODY_CHUNKED;
	return r->has_length ? HTTP_BODY_LENGTH : HTTP_BODY_UNTIL_CLOSE;
}
