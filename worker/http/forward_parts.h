/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the files behind forward.h share: forward_request.c and forward_response.c write heads,
 * forward_trailers.c what follows a body; forward_fields.c has what all of them put in or leave
 * out, forward_origin.c where a request came from, forward_time.c how long it may take. What is
 * done to each field of each head is inline.
 */
#ifndef DROVER_WORKER_HTTP_FORWARD_PARTS_H
#define DROVER_WORKER_HTTP_FORWARD_PARTS_H

#include "worker/http/forward.h"
#include "worker/http/head.h"
#include "worker/http/out.h"

#define FORWARD_BIT(id) (1u << (id))

/* Lines of the head that was read, which wait to be copied in one piece. */
struct forward_run {
	const char *from;
	const char *to;
};

static inline void forward_flush(struct out *o, struct forward_run *run)
{
	out_put(o, run->from, (size_t)(run->to - run->from));
	run->from = run->to;
}

/* One field as it came, but for white space around its value. */
static inline void forward_pass(struct out *o, struct forward_run *run, const char *base,
				const struct http_field *f)
{
	const char *line = base + f->name.off, *colon = line + f->name.len;
	const char *end = base + f->value.off + f->value.len;

	if (base + f->value.off == colon + 2 && colon[1] == ' ' && *end == '\r') {
		if (line != run->to) {
			forward_flush(o, run);
			run->from = line;
		}
		run->to = end + 2;
		return;
	}
	forward_flush(o, run);
	out_span(o, base, f->name);
	OUT_PUT(o, ": ");
	out_span(o, base, f->value);
	OUT_PUT(o, "\r\n");
}

/* Fields that the configuration takes out or sets. */
struct forward_changes {
	const char *const *remove; /* NULL: none */
	const struct header_setting *set;
	uint32_t set_count;
	bool errors; /* of set, only those for errors as well */
};

bool forward_is_set(const struct forward_changes *c, const char *name, size_t len);
bool forward_is_changed(const struct forward_changes *c, const char *name, size_t len);
void forward_put_settings(struct out *o, const struct forward_changes *c);

static inline bool forward_changes_nothing(const struct forward_changes *c)
{
	return !c->remove && c->set_count == 0;
}

/* Is a field of our own written, or does the configuration know better? */
static inline bool forward_is_ours(const struct forward_changes *c, const char *name, size_t len)
{
	return forward_changes_nothing(c) || !forward_is_changed(c, name, len);
}

#define FORWARD_IS_OURS(c, literal) forward_is_ours(c, literal, sizeof(literal) - 1)

/* The whole field, unless the configuration knows better; the value is looked at only then. */
#define FORWARD_OURS(o, c, name, value, len)            \
	do {                                            \
		if (FORWARD_IS_OURS(c, name))           \
			OUT_FIELD(o, name, value, len); \
	} while (0)

/* What Connection names besides its own words. */
enum {
	FORWARD_NOMINATED_MAX = 32
};

struct forward_nominated {
	unsigned count;
	bool all; /* more than there is room for */
	struct http_span name[FORWARD_NOMINATED_MAX];
};

/* Does it take the field away? Not one that is meant for whoever handles the message. */
bool forward_is_nominated(const struct forward_nominated *n, const char *base, const char *name,
			  size_t len);

void forward_read_nominated(struct forward_nominated *n, const char *base,
			    const struct http_field *field, unsigned count, uint8_t id);

/*
 * What the fields of that id, all Connection, name; first is the value of the first of them,
 * several: there are more. Mostly there is none, or a word that names nothing.
 */
static inline void forward_nominate(struct forward_nominated *n, const char *base,
				    const struct http_field *field, unsigned count, uint8_t id,
				    struct http_span first, bool several)
{
	const char *value = base + first.off;

	n->count = 0;
	n->all = false;
	if (first.off != 0 && (several || (!HEAD_IS(value, first.len, "keep-alive") &&
					   !HEAD_IS(value, first.len, "close"))))
		forward_read_nominated(n, base, field, count, id);
}

/* The longest of the names that are looked up in a table has 25 letters. */
enum {
	FORWARD_NAME = 28
};

/* Is it one of these? */
static inline bool forward_is_one_of(const char *name, size_t len,
				     const char (*names)[FORWARD_NAME], size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (head_is_name(name, len, names[i]))
			return true;
	return false;
}

/* Fields that say where the connection or the body ends: nobody sets them but we, and they are no
 * trailers. */
bool forward_is_framing(const char *name, size_t len);

/* X-Forwarded-* with '-' or '_'; both are one to CGI. */
static inline bool forward_is_x_forwarded(const char *name, size_t len)
{
	return len >= 12 && (name[0] | 0x20) == 'x' && scan_same_word(name + 2, "forwarded", 9) &&
	       (name[1] == '-' || name[1] == '_') && (name[11] == '-' || name[11] == '_');
}

void forward_put_framing(struct out *o, enum forward_framing framing, uint64_t length);

/* Received in HTTP/1.minor. */
void forward_put_via(struct out *o, const struct forward_changes *c, unsigned minor,
		     const struct location *location);

/* Where a request came from. */
struct forward_origin {
	const struct forward_request *f;
	const struct forward_changes *changes;
	struct http_span host; /* whom the client asked, with the port */
	bool believed;         /* what the client says of it */
	/* It is believed, and has said so in that field. */
	bool has_proto;
	bool has_host;
	bool has_forwarded;
};

void forward_put_origin(struct out *o, const struct forward_origin *origin);

/* What is left of the time, as gRPC says it. */
void forward_put_grpc_timeout(struct out *o, uint64_t ms);

#endif
