/* SPDX-License-Identifier: Apache-2.0 */
#include "base/thread.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>

bool thread_start(pthread_t *thread, const char *name, void *(*run)(void *context), void *context)
{
    char cut[THREAD_NAME_MAX];
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int error = pthread_create(thread, NULL, run, context);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (error) {
        errno = error;
        return false;
    }
    snprintf(cut, sizeof(cut), "%s", name);
    pthread_setname_np(*thread, cut);
    return true;
}
