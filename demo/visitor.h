/* SPDX-License-Identifier: GPL-2.0-only */
/* visitor.h - the other end of the demo's shop, a process of its own. */
#ifndef DEMO_VISITOR_H
#define DEMO_VISITOR_H

#include <stdint.h>

/**
 * visitor_run - visit the shop at @port of the loopback interface, then exit: 0, or 1 if it did not answer as it should
 *
 * Asks @pages times for the orders, every fifth time places one, every fourth looks at one of @nr_products products, every
 * fortieth reads the report. For a process that has been forked for nothing else.
 */
_Noreturn void visitor_run(uint16_t port, int pages, int nr_products);

#endif /* DEMO_VISITOR_H */
