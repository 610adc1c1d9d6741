/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The terminal of droverctl top: pages onto it, keys from it, with ncurses, which writes only what
 * has changed. All signals that end it come through a descriptor, so that the terminal is always
 * put back in order.
 */
#include "shm/ctl_top.h"

#include <curses.h>
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/signalfd.h>
#include <termcap.h>
#include <unistd.h>

#include "shm/times.h"

enum {
	FIRST_US = 500000, /* the first rates come soon, whatever the interval */
	ESCAPE_MS = 25,
	LONGEST_MS = 60000,
	PAIR_TITLE = 1,
	PAIR_LOUD
};

struct screen {
	struct top *top;
	SCREEN *terminal;
	int signals; /* signalfd */
	bool colors, ended;
	struct top_page page;
};

static attr_t attribute(const struct screen *s, enum top_attr attr, short *pair_out)
{
	*pair_out = 0;
	switch (attr) {
	case TOP_TITLE:
		*pair_out = s->colors ? PAIR_TITLE : 0;
		return A_BOLD;
	case TOP_SELECTED:
		return A_REVERSE;
	case TOP_LOUD:
		*pair_out = s->colors ? PAIR_LOUD : 0;
		return s->colors ? A_BOLD : A_BOLD | A_REVERSE;
	case TOP_FAINT:
		return A_DIM;
	case TOP_PLAIN:
		break;
	}
	return A_NORMAL;
}

static void draw_line(const struct screen *s, int y, const struct top_line *line)
{
	short pair;
	attr_t attr = attribute(s, line->attr, &pair);

	attr_set(attr, pair, NULL);
	mvaddstr(y, 0, line->text);
	attr_set(A_NORMAL, 0, NULL);
	if (line->mark_count == 0)
		return;
	attr = attribute(s, line->mark, &pair);
	mvchgat(y, (int)line->mark_at, (int)line->mark_count, attr, pair, NULL);
}

static int draw(struct screen *s)
{
	int height = getmaxy(stdscr), width = getmaxx(stdscr);

	top_page_make(s->top, &s->page, (unsigned)width, (size_t)height);
	if (s->page.failed)
		return -1;
	erase();
	for (size_t i = 0; i < s->page.count && i < (size_t)height; i++)
		draw_line(s, (int)i, &s->page.lines[i]);
	refresh();
	return 0;
}

/* Of the terminal itself: LINES and COLUMNS in the environment are what they were at the start. */
static void take_size(void)
{
	struct winsize size;

	if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_row != 0 && size.ws_col != 0)
		resizeterm(size.ws_row, size.ws_col);
}

static int key_of(int c)
{
	static const struct {
		int curses, key;
	} keys[] = {
	    {KEY_UP, TOP_KEY_UP},         {KEY_DOWN, TOP_KEY_DOWN},
	    {KEY_PPAGE, TOP_KEY_PAGE_UP}, {KEY_NPAGE, TOP_KEY_PAGE_DOWN},
	    {KEY_HOME, TOP_KEY_HOME},     {KEY_END, TOP_KEY_END},
	    {KEY_RIGHT, TOP_KEY_NEXT},    {KEY_LEFT, TOP_KEY_PREVIOUS},
	    {KEY_BTAB, TOP_KEY_PREVIOUS}, {KEY_BACKSPACE, TOP_KEY_ERASE},
	    {KEY_DC, TOP_KEY_ERASE},      {127, TOP_KEY_ERASE},
	    {8, TOP_KEY_ERASE},           {KEY_ENTER, TOP_KEY_ENTER},
	    {'\n', TOP_KEY_ENTER},        {'\r', TOP_KEY_ENTER},
	    {27, TOP_KEY_ESCAPE},
	};

	for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++)
		if (keys[i].curses == c)
			return keys[i].key;
	return c < 0x80 ? c : 0;
}

/* True if the board is to be looked at now. */
static bool take_keys(struct screen *s)
{
	bool look = false;
	int c;

	while ((c = getch()) != ERR && !s->top->quit) {
		if (c == 'L' - '@') /* draws all of it again, as everywhere */
			clearok(curscr, TRUE);
		else if (c != KEY_RESIZE)
			look = top_key(s->top, key_of(c)) || look;
	}
	return look;
}

static void take_signals(struct screen *s)
{
	struct signalfd_siginfo info;

	while (read(s->signals, &info, sizeof(info)) == (ssize_t)sizeof(info)) {
		if (info.ssi_signo == SIGWINCH)
			take_size();
		else
			s->ended = true;
	}
}

/* Something to read, but nothing there: the end of the file, so the terminal is gone. */
static bool is_lost(const struct pollfd *input)
{
	int bytes = 1;

	if (input->revents & (POLLHUP | POLLERR | POLLNVAL))
		return true;
	return (input->revents & POLLIN) != 0 && ioctl(input->fd, FIONREAD, &bytes) == 0 &&
	       bytes == 0;
}

/* Waits for keys, signals, or the time of the next look. True if the board is to be looked at. */
static bool wait_for_something(struct screen *s, uint64_t next_us)
{
	struct pollfd fds[] = {{.fd = STDIN_FILENO, .events = POLLIN},
			       {.fd = s->signals, .events = POLLIN}};
	uint64_t now = times_mono_us();
	uint64_t ms = now < next_us ? (next_us - now + 999) / 1000 : 0;

	if (poll(fds, 2, ms < LONGEST_MS ? (int)ms : LONGEST_MS) <= 0)
		return false;
	if (is_lost(&fds[0]))
		s->ended = true;
	if (fds[1].revents != 0)
		take_signals(s);
	return fds[0].revents != 0 && !s->ended && take_keys(s);
}

/* Returns 0, or -1: no memory. */
static int run(struct screen *s)
{
	struct top *t = s->top;
	uint64_t looks = 0, next = 0, last = 0;
	bool wanted = true;

	while (!s->ended && !t->quit) {
		uint64_t interval = (uint64_t)(t->interval_s * 1e6), now = times_mono_us();

		if (wanted || (now >= next && !t->paused)) {
			if (t->c->limit != 0 && looks == t->c->limit)
				break;
			if (top_look(t) != 0)
				return -1;
			last = now;
			if (looks++ == 0 && interval > FIRST_US)
				last -= interval - FIRST_US;
		}
		if (draw(s) != 0)
			return -1;
		wanted = wait_for_something(s, t->paused ? UINT64_MAX / 2 : last + interval);
		next = last + (uint64_t)(t->interval_s * 1e6); /* a key may have changed it */
	}
	return 0;
}

/* See no-color.org: set and not empty. */
static bool wants_colors(void)
{
	const char *no = getenv("NO_COLOR");

	return (no == NULL || no[0] == '\0') && has_colors();
}

static int start_signals(struct screen *s)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGHUP);
	sigaddset(&set, SIGQUIT);
	sigaddset(&set, SIGWINCH);
	sigprocmask(SIG_BLOCK, &set, NULL);
	s->signals = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	return s->signals < 0 ? -1 : 0;
}

static int start_terminal(struct screen *s)
{
	const char *name = getenv("TERM");

	/* newterm() leaks memory where it knows no such terminal: ncurses 6.4. */
	if (name == NULL || tgetent(NULL, name) != 1)
		return -1;
	set_escdelay(ESCAPE_MS);
	s->terminal = newterm(NULL, stdout, stdin);
	if (s->terminal == NULL)
		return -1;
	set_term(s->terminal);
	take_size();
	cbreak();
	noecho();
	nonl();
	keypad(stdscr, TRUE);
	nodelay(stdscr, TRUE);
	curs_set(0);
	s->colors = wants_colors() && start_color() == OK;
	if (s->colors) {
		use_default_colors();
		init_pair(PAIR_TITLE, COLOR_CYAN, -1);
		init_pair(PAIR_LOUD, COLOR_WHITE, COLOR_RED);
	}
	return 0;
}

static void end(struct screen *s)
{
	if (s->terminal != NULL) {
		endwin();
		delscreen(s->terminal);
	}
	if (s->signals >= 0)
		close(s->signals);
	top_page_free(&s->page);
}

int top_screen(struct top *t)
{
	struct screen s = {.top = t, .signals = -1};
	const char *name = getenv("TERM");
	int status = CTL_OK;

	if (start_signals(&s) != 0)
		return ctl_fail(t->c, CTL_USAGE, "signals: %s", strerror(errno));
	if (start_terminal(&s) != 0)
		status = ctl_fail(t->c, CTL_USAGE,
				  "a terminal of type '%s' is not known: top -1 prints once",
				  name != NULL ? name : "");
	else if (run(&s) != 0)
		status = CTL_USAGE;
	end(&s);
	if (status == CTL_USAGE && s.terminal != NULL)
		ctl_fail(t->c, status, "%s", strerror(ENOMEM));
	return status;
}
