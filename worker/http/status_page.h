/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The status page: worker/http/status_page.html as it is, part of the program.
 */
#ifndef DROVER_WORKER_HTTP_STATUS_PAGE_H
#define DROVER_WORKER_HTTP_STATUS_PAGE_H

#include <stddef.h>

/*
 * Nothing from outside, and inside only the one script and the one style that the page has, by
 * their hashes: t/5021-status-page.sh says what they are to be when the page has changed.
 */
#define STATUS_PAGE_SCRIPT "sha256-17S3ypXnZNE2FQ8ax52nFBE5mAZrWdb1AdJa0KPwbEA="
#define STATUS_PAGE_STYLE  "sha256-syc1OGxjN+bOy2iy8zGioAqiCCmNh2kiLG4KFJGOygo="
#define STATUS_PAGE_POLICY                                                                       \
	"default-src 'none'; script-src '" STATUS_PAGE_SCRIPT "'; style-src '" STATUS_PAGE_STYLE \
	"'; connect-src 'self'; img-src data:; base-uri 'none'; form-action 'none'; "            \
	"frame-ancestors 'none'"

extern const char status_page[];
size_t status_page_length(void);

#endif
