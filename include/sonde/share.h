/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * share.h - whose the time of an event loop's thread is: many requests, one thread (node, asyncio, nginx).
 *
 * What such a thread does between two uses of sockets, or between one and the moment it waits for events, is a slice. Nothing says
 * whose it is, but the uses around it do:
 *
 * - What is read is for the request whose socket or upstream it came from: that one is ready. Most loops handle it at once (eager:
 *   node, nginx): the slice behind the read is its own.
 * - What is sent is sent by the request whose socket it is, or that the upstream is used by: the slice before belongs to it.
 * - Some loops read all that has come and handle it afterwards, in the order it came (lazy: asyncio). That shows when a request that
 *   became ready first sends something though another has been read since. Then a slice belongs to whoever sends at its end, if no
 *   other has been ready for longer: that one would have been first, and sent nothing.
 * - When the thread waits for events all that was ready has had its turn.
 *
 * What remains is nobody's: a slice that begins with one request's bytes and ends with another's, and nothing between them.
 *
 * Pure: the same in the kernel and in tests.
 */
#ifndef SONDE_SHARE_H
#define SONDE_SHARE_H

#include "base.h"

#define SONDE_SHARE_READY 64u /* requests that are ready, or have sent nothing since; power of two */
#define SONDE_SHARE_SURE 4 /* how sure it can be whether a loop is lazy */
#define SONDE_SHARE_DOUBT 8u /* answers after one that came out of the blue, until the order is believed in again */

/**
 * struct sonde_share - a thread that several requests share
 * @cur: request that runs, 0: not known
 * @freed: upstream that has answered in this slice and has not been used since; @free: one in a slice before (0: none)
 * @first: place of the longest ready in @ready; @next: of who becomes ready next; @oldest: of who has sent nothing for the longest time
 * @lazy: not below 0: handles what it has read afterwards; kept for the thread's life. Until it shows that is taken for granted: where
 *        each is handled at once the rules for lazy loops say the same, but for timers
 * @wrote: @cur has sent something since it became so
 * @reads: requests that something was read for since something was sent before (2: or more); @writes: connections that something was
 *         sent over since, one after the other (2: or more), @last: the last of them
 * @came: when that which was read last had come, 0: not known
 * @doubt: a request that nothing was read for has been answered lately: requests wait for timers, too, and what the order in which
 *         they became ready says of who sends what is not sure
 * @ready: requests in the order they became ready, 0: has sent something since, or is over
 */
struct sonde_share {
	u64 cur;
	u64 freed;
	u64 free;
	u32 first;
	u32 next;
	u32 oldest;
	s8 lazy;
	u8 wrote;
	u8 reads;
	u8 writes;
	u32 doubt;
	u32 pad;
	u64 last;
	u64 came;
	u64 ready[SONDE_SHARE_READY];
};

#define SONDE_SHARE_AT(s, place) (&(s)->ready[(place) & (SONDE_SHARE_READY - 1)])

/** sonde_share_is_ready - whether @request, which became ready at @place, has not had its turn yet */
SONDE_INLINE bool sonde_share_is_ready(const struct sonde_share *s, u64 request, u32 place)
{
	return place - s->first < s->next - s->first && *SONDE_SHARE_AT(s, place) == request;
}

/* Whether @request, which became ready at @place, has sent nothing since. */
SONDE_INLINE bool sonde_share_is_idle(const struct sonde_share *s, u64 request, u32 place)
{
	return place - s->oldest < s->next - s->oldest && *SONDE_SHARE_AT(s, place) == request;
}

/* The request that has been ready for the longest time, 0: none. */
SONDE_INLINE u64 sonde_share_first(const struct sonde_share *s)
{
	return s->first != s->next ? *SONDE_SHARE_AT(s, s->first) : 0;
}

/* Whether all that has come is read first. */
SONDE_INLINE bool sonde_share_lazy(const struct sonde_share *s)
{
	return s->lazy >= 0;
}

/* The loop seems lazy (@more above 0), or eager. */
SONDE_INLINE void sonde_share_lean(struct sonde_share *s, s32 more)
{
	s32 lazy = s->lazy + more;

	if (lazy > SONDE_SHARE_SURE)
		lazy = SONDE_SHARE_SURE;
	if (lazy < -SONDE_SHARE_SURE)
		lazy = -SONDE_SHARE_SURE;
	s->lazy = lazy;
}

/** sonde_share_of_read - whose the slice is that ends because something is read, or because the thread waits; 0: not known */
SONDE_INLINE u64 sonde_share_of_read(const struct sonde_share *s)
{
	u32 ready = s->next - s->first;

	if (!sonde_share_lazy(s) || !ready)
		return s->cur;
	return ready == 1 && *SONDE_SHARE_AT(s, s->first) == s->cur ? s->cur : 0;
}

/**
 * sonde_share_learn - who sends something over @conn is @request, ready since @place: what that shows of the loop
 * @sure: it is that one, beyond doubt
 */
SONDE_INLINE void sonde_share_learn(struct sonde_share *s, u64 conn, u64 request, u32 place, bool sure)
{
	bool first = sonde_share_first(s) == request;

	if (conn != s->last) {
		s->last = conn;
		s->writes += s->writes < 2;
		if (s->writes == 2 &&
		    s->reads >= 2) /* several in a row after several were read: one by one they were not handled */
			sonde_share_lean(s, 2);
	}
	if (!sure)
		return;
	if (first && !s->wrote && s->cur && s->cur != request)
		sonde_share_lean(s, 2);
	/* It was waiting for something that was not seen: so may others be. */
	if (!first && s->cur != request && sonde_share_is_idle(s, request, place))
		s->doubt = SONDE_SHARE_DOUBT;
	else if (s->doubt)
		s->doubt--;
}

/** sonde_share_of_write - whose the slice is that ends because @request sends something; 0: not known */
SONDE_INLINE u64 sonde_share_of_write(const struct sonde_share *s, u64 request)
{
	if (sonde_share_lazy(s))
		return s->first == s->next || sonde_share_first(s) == request || (s->cur == request && s->wrote)
			       ? request
			       : 0;
	return !s->cur || s->cur == request || s->wrote ? request : 0;
}

/**
 * sonde_share_read - something that came at @came (0: not known, or nothing could have read it earlier) has been read for @request
 *                    (0: for none that is known)
 * @place: since when that was ready before
 *
 * Returns its place now. What came no later than what was read before was there to be read: a lazy loop would have done so before
 * it sent anything.
 */
SONDE_INLINE u32 sonde_share_read(struct sonde_share *s, u64 request, u32 place, u64 came)
{
	if (s->freed)
		s->free = s->freed;
	s->freed = 0;
	if (s->writes) {
		if (came && came <= s->came)
			sonde_share_lean(s, -2);
		s->reads = 0;
		s->writes = 0;
		s->last = 0;
	}
	if (request && request != s->cur && s->reads < 2)
		s->reads++;
	s->cur = request;
	s->came = came;
	s->wrote = 0;
	if (!request || sonde_share_is_ready(s, request, place))
		return place;
	if (sonde_share_is_idle(s, request, place))
		*SONDE_SHARE_AT(s, place) = 0;
	if (s->next - s->oldest >= SONDE_SHARE_READY)
		s->oldest = s->next - SONDE_SHARE_READY + 1;
	if (s->next - s->first >= SONDE_SHARE_READY)
		s->first = s->next - SONDE_SHARE_READY + 1;
	*SONDE_SHARE_AT(s, s->next) = request;
	return s->next++;
}

/** sonde_share_wrote - @request, ready since @place, has sent something: it runs, and who was ready before has had its turn */
SONDE_INLINE void sonde_share_wrote(struct sonde_share *s, u64 request, u32 place)
{
	if (sonde_share_is_ready(s, request, place))
		s->first = place + 1;
	if (sonde_share_is_idle(s, request, place))
		*SONDE_SHARE_AT(s, place) = 0;
	s->cur = request;
	s->wrote = 1;
}

/** sonde_share_over - @request, ready since @place, has been answered, or will not be */
SONDE_INLINE void sonde_share_over(struct sonde_share *s, u64 request, u32 place)
{
	if (sonde_share_is_idle(s, request, place))
		*SONDE_SHARE_AT(s, place) = 0;
	if (s->cur == request)
		s->cur = 0;
}

/** sonde_share_waits - the thread waits for events */
SONDE_INLINE void sonde_share_waits(struct sonde_share *s)
{
	s->first = s->next;
	s->cur = 0;
	s->last = 0;
	s->came = 0;
	s->wrote = 0;
	s->reads = 0;
	s->writes = 0;
}

/* The request that has sent nothing for the longest time, but not @but; 0: none, or (@alone) more than one. */
SONDE_INLINE u64 sonde_share_idle(const struct sonde_share *s, u64 but, bool alone)
{
	u64 found = 0, nr = 0;

	for (u32 i = SONDE_SHARE_READY; i > 0; i--) { /* the newest first; without branches, for the verifier */
		u64 id = *SONDE_SHARE_AT(s, s->oldest + i - 1), other = id ^ but, is;

		is = (id | -id) & (other | -other) & ((u64)(i - 1) - (s->next - s->oldest));
		SONDE_OPAQUE(is);
		is >>= 63; /* there is one, it is another one, and its place is taken */
		nr += is;
		found = (found & (is - 1)) | (id & -is);
	}
	return alone && nr > 1 ? 0 : found;
}

/**
 * sonde_share_sender - who sends a request over the upstream @conn, on which none is outstanding; 0: not known
 *
 * An upstream that has just become free is given to who has waited for one for the longest time, if there is no other that is free.
 */
SONDE_INLINE u64 sonde_share_sender(struct sonde_share *s, u64 conn)
{
	bool handed_on = s->freed == conn && !s->free;
	u64 idle;

	if (s->freed == conn)
		s->freed = 0;
	if (s->free == conn)
		s->free = 0;
	if (sonde_share_lazy(s) && s->first != s->next)
		return sonde_share_first(s);
	if (s->cur && (!handed_on || s->doubt))
		return s->cur;
	idle = sonde_share_idle(s, s->cur, !handed_on);
	return idle ? idle : s->cur;
}

#endif /* SONDE_SHARE_H */
