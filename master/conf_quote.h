/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Text as a string of the configuration's language.
 */
#ifndef DROVER_MASTER_CONF_QUOTE_H
#define DROVER_MASTER_CONF_QUOTE_H

#include <stdio.h>

/* Writes it in double quotes, so that reading it gives the text again. */
void conf_quote(FILE *out, const char *text);

#endif
