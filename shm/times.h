/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The clocks that stand on the board, and the name of the boot they belong to. Everything else in
 * the daemon takes its time from its event loop.
 */
#ifndef DROVER_SHM_TIMES_H
#define DROVER_SHM_TIMES_H

#include <stdint.h>

enum {
	TIMES_BOOT_ID = 40
};

uint64_t times_mono_us(void); /* CLOCK_MONOTONIC: stands still while the machine is suspended */
uint64_t times_boot_us(void); /* CLOCK_BOOTTIME: does not; the kernel counts process starts by it */
uint64_t times_real_us(void); /* CLOCK_REALTIME */

/* The running kernel's boot id, NUL-terminated; empty if it cannot be read. */
void times_boot_id(char out[TIMES_BOOT_ID]);

#endif
