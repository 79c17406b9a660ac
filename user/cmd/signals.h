/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * signals.h - signals become flags that the run loop looks at.
 */
#ifndef SONDE_CMD_SIGNALS_H
#define SONDE_CMD_SIGNALS_H

#include <stdbool.h>

/**
 * sonde_signals_catch - from now on Ctrl-C and its like end the run, not the program
 *
 * A second one ends the program at once.
 */
void sonde_signals_catch(void);

/** sonde_signals_restore - as it was before sonde_signals_catch(): for a child process */
void sonde_signals_restore(void);

/** sonde_signals_stop - the signal that asked for the end, or 0 */
int sonde_signals_stop(void);

/** sonde_signals_by_process - whether a process sent it; a terminal's go to the traced program, too */
bool sonde_signals_by_process(void);

/** sonde_signals_resized - whether the terminal has changed its size since the last call */
bool sonde_signals_resized(void);

/** sonde_signals_suspend - whether Ctrl-Z was pressed since the last call; caught only after sonde_signals_hold_suspend() */
bool sonde_signals_suspend(void);

/** sonde_signals_hold_suspend - let the run loop give the terminal back before it stops */
void sonde_signals_hold_suspend(void);

#endif /* SONDE_CMD_SIGNALS_H */
