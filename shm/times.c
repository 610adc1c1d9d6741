/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Clocks in microseconds and the boot id. The board's writer stamps it with them, readers compare.
 */
#include "shm/times.h"

#include <fcntl.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static uint64_t now_us(clockid_t id)
{
	struct timespec ts;

	clock_gettime(id, &ts);
	return (uint64_t)ts.tv_sec * 1000000 + (uint64_t)ts.tv_nsec / 1000;
}

uint64_t times_mono_us(void)
{
	return now_us(CLOCK_MONOTONIC);
}

uint64_t times_boot_us(void)
{
	return now_us(CLOCK_BOOTTIME);
}

uint64_t times_real_us(void)
{
	return now_us(CLOCK_REALTIME);
}

void times_boot_id(char out[TIMES_BOOT_ID])
{
	int fd = open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : read(fd, out, TIMES_BOOT_ID - 1);

	if (fd >= 0)
		close(fd);
	out[n < 0 ? 0 : n] = '\0';
	out[strcspn(out, "\n")] = '\0';
}
