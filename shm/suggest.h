/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * "Did you mean ...?": which of some names somebody who typed another one probably meant.
 */
#ifndef DROVER_SHM_SUGGEST_H
#define DROVER_SHM_SUGGEST_H

#include <stddef.h>

/*
 * The least number of letters to insert, delete, replace or swap with their neighbour that turns a
 * into b. Words longer than 127 bytes count as far from everything.
 */
size_t suggest_distance(const char *a, const char *b);

/* The nearest of names[0..n), the first if several are; NULL if none is near enough to be meant. */
const char *suggest_nearest(const char *word, const char *const *names, size_t n);

#endif
