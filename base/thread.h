/* SPDX-License-Identifier: Apache-2.0
 *
 * Threads, as all of Picket's are: without signals, which are the business of the program's first thread, and
 * with a name, by which `ps -L`, `top -H` and a debugger tell them apart.
 */
#pragma once

#include <pthread.h>
#include <stdbool.h>

/* Of a name, with its end; the rest is cut off (pthread_setname_np(3)). */
#define THREAD_NAME_MAX 16u

/* False when there is none to be had; errno says why. It is the caller's to join or to detach. */
bool thread_start(pthread_t *thread, const char *name, void *(*run)(void *context), void *context);
