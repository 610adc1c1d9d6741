/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * drover: the daemon's entry. Reads the command line and hands over to boot.c. Has no header:
 * nobody calls it.
 */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "master/boot.h"
#include "master/daemon.h"
#include "master/options.h"
#include "worker/dns.h"

enum {
	STATUS_USAGE = 2
};

int main(int argc, char **argv)
{
	struct options o;

	daemon_open_streams();
	setproctitle_init(argc, argv, environ);
	if (options_parse(&o, argc, argv))
		return STATUS_USAGE;
	if (o.help) {
		options_usage(stdout);
		return 0;
	}
	if (o.version) {
		printf("drover " DROVER_VERSION " (%s)\n", dns_version());
		return 0;
	}
	if (o.check || o.print)
		return boot_check(&o);
	return boot_serve(&o);
}
