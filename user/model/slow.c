// SPDX-License-Identifier: GPL-2.0-only
/*
 * slow.c - single executions that took too long.
 */
#include <stdlib.h>

#include "model/slow.h"

void sonde_slow_free(struct sonde_slow *slow, size_t nr)
{
	for (size_t i = 0; i < nr; i++)
		free(slow[i].example);
	free(slow);
}

void sonde_slow_plans_free(struct sonde_slow_plan *plans, size_t nr)
{
	for (size_t i = 0; i < nr; i++) {
		free(plans[i].text);
		free(plans[i].advice);
	}
	free(plans);
}
