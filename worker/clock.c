/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The worker's time. Its texts are written anew only when the second changes, so that a turn of
 * the loop costs two vDSO calls. Names of days and months are our own tables: strftime would
 * follow the locale. Dates from clients are read strictly: whatever is not exactly one of the
 * three forms of RFC 9110 5.6.7 is no date.
 */
#include "worker/clock.h"

#include <stdbool.h>
#include <string.h>

static const char day_names[7][4] = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
static const char *const long_day_names[7] = {"Sunday",   "Monday", "Tuesday", "Wednesday",
					      "Thursday", "Friday", "Saturday"};
static const char month_names[12][4] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
					"Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};

static void put2(char *out, int n)
{
	out[0] = (char)('0' + n / 10 % 10);
	out[1] = (char)('0' + n % 10);
}

static void put_year(char *out, int year)
{
	if (year < 0)
		year = 0;
	if (year > 9999)
		year = 9999;
	put2(out, year / 100);
	put2(out + 2, year % 100);
}

static void put_time(char *out, const struct tm *tm)
{
	put2(out, tm->tm_hour);
	out[2] = ':';
	put2(out + 3, tm->tm_min);
	out[5] = ':';
	put2(out + 6, tm->tm_sec);
}

void http_date_write(char out[HTTP_DATE_LEN], time_t t)
{
	struct tm tm;

	/* gmtime_r refuses only years beyond an int. */
	if (gmtime_r(&t, &tm) == NULL) {
		t = 0;
		gmtime_r(&t, &tm);
	}
	memcpy(out, "Day, 00 Mon 0000 00:00:00 GMT", HTTP_DATE_LEN);
	memcpy(out, day_names[tm.tm_wday], 3);
	put2(out + 5, tm.tm_mday);
	memcpy(out + 8, month_names[tm.tm_mon], 3);
	put_year(out + 12, tm.tm_year + 1900);
	put_time(out + 17, &tm);
}

/* "06/Nov/1994:08:49:37 +0000", local time. */
static void log_date_write(char *out, time_t t)
{
	struct tm tm;
	long offset;

	if (localtime_r(&t, &tm) == NULL)
		memset(&tm, 0, sizeof(tm));
	put2(out, tm.tm_mday);
	out[2] = '/';
	memcpy(out + 3, month_names[tm.tm_mon], 3);
	out[6] = '/';
	put_year(out + 7, tm.tm_year + 1900);
	out[11] = ':';
	put_time(out + 12, &tm);
	out[20] = ' ';
	offset = tm.tm_gmtoff / 60;
	out[21] = offset < 0 ? '-' : '+';
	if (offset < 0)
		offset = -offset;
	put2(out + 22, (int)(offset / 60));
	put2(out + 24, (int)(offset % 60));
	out[26] = '\0';
}

uint64_t clock_now_us(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000 + (uint64_t)ts.tv_nsec / 1000;
}

void clock_read(struct clock *c)
{
	struct timespec real;

	c->now_us = clock_now_us();
	clock_gettime(CLOCK_REALTIME, &real);
	c->real_us = (uint32_t)(real.tv_nsec / 1000);
	if (c->real_s == real.tv_sec && c->http_date[0] != '\0')
		return;
	c->real_s = real.tv_sec;
	http_date_write(c->http_date, c->real_s);
	c->http_date[HTTP_DATE_LEN] = '\0';
	log_date_write(c->log_date, c->real_s);
}

/* What is left to read of a date. */
struct cursor {
	const char *at;
	const char *end;
};

static bool take(struct cursor *c, const char *text)
{
	size_t len = strlen(text);

	if ((size_t)(c->end - c->at) < len || memcmp(c->at, text, len) != 0)
		return false;
	c->at += len;
	return true;
}

/* Reads exactly that many digits. */
static bool take_number(struct cursor *c, int digits, int *n_out)
{
	int n = 0;

	if (c->end - c->at < digits)
		return false;
	for (; digits > 0; digits--, c->at++) {
		if (*c->at < '0' || *c->at > '9')
			return false;
		n = n * 10 + (*c->at - '0');
	}
	*n_out = n;
	return true;
}

static bool take_month(struct cursor *c, struct tm *tm)
{
	for (int i = 0; i < 12; i++) {
		if (take(c, month_names[i])) {
			tm->tm_mon = i;
			return true;
		}
	}
	return false;
}

static bool take_time(struct cursor *c, struct tm *tm)
{
	return take_number(c, 2, &tm->tm_hour) && take(c, ":") && take_number(c, 2, &tm->tm_min) &&
	       take(c, ":") && take_number(c, 2, &tm->tm_sec);
}

static bool take_year(struct cursor *c, struct tm *tm)
{
	if (!take_number(c, 4, &tm->tm_year))
		return false;
	tm->tm_year -= 1900;
	return true;
}

/* Two digits: the year that is at most 50 years ahead of now. */
static bool take_short_year(struct cursor *c, struct tm *tm)
{
	time_t now = time(NULL);
	struct tm today;
	int year;

	if (!take_number(c, 2, &year) || gmtime_r(&now, &today) == NULL)
		return false;
	year += today.tm_year / 100 * 100;
	if (year > today.tm_year + 50)
		year -= 100;
	tm->tm_year = year;
	return true;
}

/* asctime pads the day with a space. */
static bool take_padded_day(struct cursor *c, struct tm *tm)
{
	if (take(c, " "))
		return take_number(c, 1, &tm->tm_mday);
	return take_number(c, 2, &tm->tm_mday);
}

/* After the short name of the day: the preferred form, or asctime's. */
static bool take_rest(struct cursor *c, struct tm *tm)
{
	if (take(c, ", "))
		return take_number(c, 2, &tm->tm_mday) && take(c, " ") && take_month(c, tm) &&
		       take(c, " ") && take_year(c, tm) && take(c, " ") && take_time(c, tm) &&
		       take(c, " GMT");
	return take(c, " ") && take_month(c, tm) && take(c, " ") && take_padded_day(c, tm) &&
	       take(c, " ") && take_time(c, tm) && take(c, " ") && take_year(c, tm);
}

/* After the long name of the day: the form of RFC 850. */
static bool take_rest_850(struct cursor *c, struct tm *tm)
{
	return take(c, ", ") && take_number(c, 2, &tm->tm_mday) && take(c, "-") &&
	       take_month(c, tm) && take(c, "-") && take_short_year(c, tm) && take(c, " ") &&
	       take_time(c, tm) && take(c, " GMT");
}

static bool take_date(struct cursor *c, struct tm *tm)
{
	/* Long names first: the short ones begin them. */
	for (int i = 0; i < 7; i++) {
		if (take(c, long_day_names[i])) {
			tm->tm_wday = i;
			return take_rest_850(c, tm);
		}
	}
	for (int i = 0; i < 7; i++) {
		if (take(c, day_names[i])) {
			tm->tm_wday = i;
			return take_rest(c, tm);
		}
	}
	return false;
}

int http_date_parse(const char *text, size_t len, time_t *t_out)
{
	struct cursor c = {text, text + len};
	struct tm tm = {0}, real;
	bool leap;
	time_t t;

	if (!take_date(&c, &tm) || c.at != c.end)
		return -1;
	if (tm.tm_hour > 23 || tm.tm_min > 59 || tm.tm_sec > 60)
		return -1;
	leap = tm.tm_sec == 60;
	tm.tm_sec -= leap;
	/* timegm turns 31 April into 1 May, and works out the day of the week: where it had to
	 * change something, the text was no date. */
	real = tm;
	t = timegm(&real);
	if (real.tm_mday != tm.tm_mday || real.tm_mon != tm.tm_mon || real.tm_wday != tm.tm_wday)
		return -1;
	*t_out = t + leap;
	return 0;
}
