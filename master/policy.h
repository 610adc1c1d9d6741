/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the master decides, as pure functions of numbers: when to start a worker again, whom to
 * replace next, who hangs, how many to start, when to look again. No clock, no log and no fork in
 * here: the caller brings the time (CLOCK_MONOTONIC, microseconds) and acts on the answer.
 */
#ifndef DROVER_MASTER_POLICY_H
#define DROVER_MASTER_POLICY_H

#include <stdbool.h>
#include <stdint.h>

#define POLICY_SECOND_US UINT64_C(1000000)

/* Times that are not the operator's to choose. */
#define POLICY_START_US    (10 * POLICY_SECOND_US) /* from fork to CONTROL_READY */
#define POLICY_FORGIVE_US  (10 * POLICY_SECOND_US) /* a life as long as this is healthy */
#define POLICY_PATIENCE_US (60 * POLICY_SECOND_US) /* longest wait between two starts */
#define POLICY_LATE_US     (2 * POLICY_SECOND_US) /* a turn of the master as long as this is late */
#define POLICY_DOUBT_US \
	(POLICY_SECOND_US / 5) /* that a worker looks hung, before it counts as hung */
#define POLICY_ABORT_US \
	(POLICY_SECOND_US * 3 / 5) /* from ABRT to KILL: taken over within hang and 1 s */
#define POLICY_GUARD_US   (2 * POLICY_SECOND_US)   /* between requests for a standby */
#define POLICY_CHECK_US   (10 * POLICY_SECOND_US)  /* for the check of a new program */
#define POLICY_RETURN_US  (5 * POLICY_SECOND_US)   /* for its workers to hand back what they have */
#define POLICY_QUIT_US    (1 * POLICY_SECOND_US)   /* from CONTROL_QUIT to KILL */
#define POLICY_OVERDUE_US (2 * POLICY_SECOND_US)   /* from the end of a drain to KILL */
#define POLICY_HEARD_US   (1 * POLICY_SECOND_US)   /* to show that the order to drain was heard */
#define POLICY_LOOK_US    (POLICY_SECOND_US / 500) /* between two looks whether it was */
#define POLICY_GIVE_US    (5 * POLICY_SECOND_US)   /* for CONTROL_GIVEN */
#define POLICY_BALANCE_US (5 * POLICY_SECOND_US)   /* between two looks at the balance */
#define POLICY_REOPEN_US  (5 * POLICY_SECOND_US)   /* for CONTROL_REOPENED */
#define POLICY_KILL_US    (10 * POLICY_SECOND_US)  /* for the kernel to end one that was killed */
#define POLICY_STUCK_US \
	(60 * POLICY_SECOND_US)  /* between complaints about one that it does not end */
#define POLICY_START_AT_ONCE 16u /* workers starting at the same time */

/* Deaths in a row, counting the present one, of a worker that was healthy for healthy_us. */
unsigned policy_deaths(unsigned before, uint64_t healthy_us);

/* How long to wait before the next start after so many deaths (or failed forks) in a row: the first
 * is replaced at once, then 1 s, doubling to POLICY_PATIENCE_US. */
uint64_t policy_patience_us(unsigned deaths);

/* Whether a worker counts as hung: neither its last heartbeat nor the last fresh turn that it was
 * given is younger than hang_us (0 = never hung). */
bool policy_hung(uint64_t now_us, uint64_t beat_us, uint64_t fresh_us, uint64_t hang_us);

/* Whether one that looks hung has done so for POLICY_DOUBT_US: after a standstill of the whole
 * machine everybody looks hung, and who is well shows it in a moment. *doubt_us: since when it
 * looks so; 0 if it does not. */
bool policy_hangs_still(bool hung, uint64_t now_us, uint64_t *doubt_us);

/* By how much the master itself was late with this turn; 0 if it was not. Everybody's deadlines
 * move by this. */
uint64_t policy_late_us(uint64_t now_us, uint64_t last_turn_us);

/* How many of the missing workers to start now, while others are starting. */
unsigned policy_starts(unsigned missing, unsigned starting);

/* What a slot looks like, and what it needs. "Current" children have the settings and sockets that
 * the slot wants. */
struct policy_slot {
	bool wanted;           /* the slot is to have a worker */
	bool current_starting; /* a current child that is not ready yet */
	bool current_ready;
	bool current_dying; /* being ended for a fault: its death counts before anybody follows */
	bool others;        /* children that are not current and not yet told to end */
	bool free_half;     /* room for one more child */
	bool crowded;       /* no room, and none of those in it was told to end */
	uint64_t next_start_us;
};
enum policy_step {
	POLICY_REST,
	POLICY_START, /* start a current child */
	POLICY_DRAIN, /* drain the others */
	POLICY_CLEAR  /* drain one of the others, to make room */
};
enum policy_step policy_slot(const struct policy_slot *slot, uint64_t now_us);

/* The slots of a roll. */
enum policy_mark {
	POLICY_TODO, /* to be replaced; its worker serves */
	POLICY_DOWN, /* to be replaced; nobody serves in it */
	POLICY_DONE
};

/* The slot to replace next: one where nobody serves before all others, else the lowest. -1: all are
 * done. */
int policy_roll_next(const uint8_t *marks, uint32_t n);

/* The moment by which the slot of this number (0 .. slots-1, in the order of draining) of a stop
 * that began at began_us must have made way for the next one, so that all end within drain_us. */
uint64_t policy_stop_next_us(uint64_t began_us, uint64_t drain_us, uint32_t number, uint32_t slots);

/*
 * Who gives how many connections to whom, so that all workers have the same number. A worker gives
 * idle ones only. Nothing moves while the most and the fewest differ by less than POLICY_UNEVEN
 * connections, or by a tenth or less. moves has room for n; returns how many there are. Of several
 * moves of one giver only the first is to be made now, then the numbers are looked at again.
 */
#define POLICY_UNEVEN 16u
struct policy_load {
	uint64_t conns;
	uint64_t idle; /* of those */
};
struct policy_move {
	uint32_t from, to; /* indices of loads */
	uint64_t count;
};
uint32_t policy_rebalance(const struct policy_load *loads, uint32_t n, struct policy_move *moves);

/* Milliseconds to wait, for poll(2): until the soonest of the deadlines (0 = none), rounded up, and
 * never longer than tick_us. */
int policy_wait_ms(uint64_t now_us, const uint64_t *deadlines, unsigned n, uint64_t tick_us);

#endif
