/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Takes the page in as it lies in the source tree. The assembler looks from where the compiler is
 * started, the root; GNUmakefile says that the object depends on the page.
 */
#include "worker/http/status_page.h"

__asm__(".pushsection .rodata\n"
	".global status_page\n"
	"status_page:\n"
	".incbin \"worker/http/status_page.html\"\n"
	".global status_page_end\n"
	"status_page_end:\n"
	".byte 0\n"
	".popsection\n");

extern const char status_page_end[];

size_t status_page_length(void)
{
	return (size_t)(status_page_end - status_page);
}
