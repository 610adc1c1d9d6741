/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The inverse of what conf_scan.c and libconfuse make of a double-quoted string. '$' is escaped
 * because "${NAME}" would be a variable.
 */
#include "master/conf_quote.h"

#include <string.h>

void conf_quote(FILE *out, const char *text)
{
	fputc('"', out);
	for (; *text != '\0'; text++) {
		unsigned char c = (unsigned char)*text;

		if (c == '\n')
			fputs("\\n", out);
		else if (c == '\r')
			fputs("\\r", out);
		else if (c == '\t')
			fputs("\\t", out);
		else if (c < ' ' || c == 0x7f)
			fprintf(out, "\\x%02x", c);
		else if (strchr("\"\\$", c) != NULL)
			fprintf(out, "\\%c", c);
		else
			fputc(c, out);
	}
	fputc('"', out);
}
