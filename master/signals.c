/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * See signals.h. Called by supervise.c and orders.c.
 */
#include "master/signals.h"

#include <signal.h>
#include <stddef.h>
#include <sys/signalfd.h>
#include <unistd.h>

int signals_open(void)
{
	static const int signals[] = {SIGCHLD, SIGTERM, SIGQUIT, SIGINT,  SIGHUP,
				      SIGUSR1, SIGUSR2, SIGTTIN, SIGTTOU, SIGWINCH};
	sigset_t set;

	sigemptyset(&set);
	for (size_t i = 0; i < sizeof(signals) / sizeof(signals[0]); i++)
		sigaddset(&set, signals[i]);
	sigaddset(&set, SIGRTMIN);
	if (sigprocmask(SIG_BLOCK, &set, NULL))
		return -1;
	return signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
}

static void read_signal(struct post *post, const struct signalfd_siginfo *info)
{
	/* A terminal sends these to whoever runs in it: its end stops the daemon, its size is no
	 * order. */
	bool from_terminal = info->ssi_code == SI_KERNEL;

	/* No constant. */
	if (info->ssi_signo == (uint32_t)SIGRTMIN)
		post->rebalance = true;
	switch (info->ssi_signo) {
	case SIGCHLD:
		post->deaths = true;
		break;
	case SIGTERM:
	case SIGQUIT:
		post->stop = true;
		break;
	case SIGINT:
		post->stop_now = true;
		break;
	case SIGHUP:
		if (from_terminal)
			post->stop = true;
		else
			post->reload = true;
		break;
	case SIGUSR1:
		post->reopen = true;
		break;
	case SIGUSR2:
		post->upgrade = true;
		break;
	case SIGTTIN:
		post->more++;
		break;
	case SIGTTOU:
		post->fewer++;
		break;
	case SIGWINCH:
		post->empty = post->empty || !from_terminal;
		break;
	default:
		break;
	}
}

struct post signals_read(int fd)
{
	struct signalfd_siginfo info;
	struct post post = {0};

	while (read(fd, &info, sizeof(info)) == (ssize_t)sizeof(info))
		read_signal(&post, &info);
	return post;
}
