/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * python.h - samples what Python allocates, of which malloc() sees nothing: objects of up to 512 bytes lie in arenas of its own.
 */
#ifndef SONDE_SHIM_PYTHON_H
#define SONDE_SHIM_PYTHON_H

#include <stdbool.h>
#include <stdint.h>

/**
 * shim_python_begin - stand before Python's allocators (PyMem_SetAllocator()), if this program is Python or has its library
 *
 * Before Python begins: what it allocates is counted from its first object on. Nothing is done where there are no arenas
 * (PYTHONMALLOC, a build without the global lock) or no Python that is known (3.7 to 3.13).
 */
void shim_python_begin(void) __attribute__((visibility("hidden")));

/**
 * shim_python_tell - tell of a sample with the lines of Python that lead to it; Python's lock is held
 * @ptr: its address, NULL: nobody will tell of its end
 *
 * False: nobody listens, or no line of Python is being executed; nothing was told.
 */
bool shim_python_tell(void *ptr, uint64_t size, uint64_t weight) __attribute__((visibility("hidden")));

#endif /* SONDE_SHIM_PYTHON_H */
