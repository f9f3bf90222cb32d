/* SPDX-License-Identifier: Apache-2.0 */
#include "node/passphrase.h"

#include "cluster/crypto_sodium.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

/* -- from a file ---------------------------------------------------------------------------------- */

/* To the end of the file or, from a terminal (`mask`: signals that may come while it waits), of the line.
 * False when it is too long or fails. */
static bool read_to_end(int file, struct disk_content *content, const sigset_t *mask)
{
    bool line = mask != NULL;
    for (;;) {
        struct pollfd ready = {.fd = file, .events = POLLIN};
        if (line && ppoll(&ready, 1, NULL, mask) < 0)
            return false;
        if (content->size == PASSPHRASE_MAX) {
            errno = EFBIG;
            return false;
        }
        ssize_t n = read(file, content->data + content->size, line ? 1 : PASSPHRASE_MAX - content->size);
        if (n < 0)
            return false;
        if (n == 0 || (line && content->data[content->size] == '\n'))
            return true;
        content->size += (size_t)n;
    }
}

static bool file_may_be_read(int file, const char *path, struct fault *fault)
{
    struct stat status;
    if (fstat(file, &status) != 0)
        return fault_say(fault, "%s: %s", path, strerror(errno));
    if (S_ISREG(status.st_mode) && (status.st_mode & 077))
        return fault_say(fault, "%s: others have rights to it (mode %04o); chmod 600 it", path,
                         (unsigned)status.st_mode & 07777);
    return true;
}

static bool from_file(struct disk_content *passphrase, const char *path, struct fault *fault)
{
    int file = open(path, O_RDONLY | O_CLOEXEC);
    if (file < 0)
        return fault_say(fault, "%s: %s", path, strerror(errno));
    bool fine = file_may_be_read(file, path, fault);
    if (fine && !read_to_end(file, passphrase, NULL))
        fine = fault_say(fault, "%s: %s", path, strerror(errno));
    close(file);
    if (fine && passphrase->size > 0 && passphrase->data[passphrase->size - 1] == '\n')
        passphrase->size--;
    return fine;
}

/* -- from the terminal ---------------------------------------------------------------------------- */

static volatile sig_atomic_t caught;

static void catch_signal(int signal)
{
    caught = signal;
}

static const int signals[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGTSTP};
#define SIGNALS (sizeof signals / sizeof *signals)

/* A line without an echo. A signal ends it, and takes effect when the terminal is as it was; it comes only
 * while ppoll() waits, so that none is missed between a look and a read. */
static bool read_line(int terminal, const char *prompt, struct disk_content *line)
{
    struct termios before, quiet;
    struct sigaction old[SIGNALS], action = {.sa_handler = catch_signal};
    sigset_t blocked, mask;
    if (tcgetattr(terminal, &before) != 0)
        return false;
    caught = 0;
    sigemptyset(&blocked);
    for (size_t i = 0; i < SIGNALS; i++)
        sigaddset(&blocked, signals[i]);
    sigprocmask(SIG_BLOCK, &blocked, &mask);
    for (size_t i = 0; i < SIGNALS; i++)
        sigaction(signals[i], &action, &old[i]);
    quiet = before;
    quiet.c_lflag &= ~(tcflag_t)ECHO;
    quiet.c_lflag |= ECHONL;
    bool fine = tcsetattr(terminal, TCSAFLUSH, &quiet) == 0 && dprintf(terminal, "%s: ", prompt) > 0 &&
                read_to_end(terminal, line, &mask);
    int reason = errno;
    tcsetattr(terminal, TCSAFLUSH, &before);
    for (size_t i = 0; i < SIGNALS; i++)
        sigaction(signals[i], &old[i], NULL);
    if (caught)
        raise(caught);
    sigprocmask(SIG_SETMASK, &mask, NULL);
    errno = reason;
    return fine;
}

static bool secret_content(struct disk_content *content, struct fault *fault)
{
    *content = (struct disk_content){.data = secret_alloc(PASSPHRASE_MAX)};
    return content->data ? true : fault_say(fault, "%s", strerror(ENOMEM));
}

static bool same_again(int terminal, const struct disk_content *passphrase, struct fault *fault)
{
    struct disk_content again;
    if (!secret_content(&again, fault))
        return false;
    bool fine = read_line(terminal, "The same again", &again);
    if (!fine)
        fault_say(fault, "terminal: %s", strerror(errno));
    else if (again.size != passphrase->size || !crypto_equal(again.data, passphrase->data, again.size))
        fine = fault_say(fault, "what was typed differs");
    disk_content_free(&again);
    return fine;
}

static bool from_terminal(struct disk_content *passphrase, const char *prompt, bool twice,
                          struct fault *fault)
{
    int terminal = open("/dev/tty", O_RDWR | O_CLOEXEC | O_NOCTTY);
    if (terminal < 0)
        return fault_say(fault,
                         "there is no terminal to ask on: name a file (--passphrase-file, --password-file)");
    bool fine = read_line(terminal, prompt, passphrase);
    if (!fine)
        fault_say(fault, "terminal: %s", strerror(errno));
    fine = fine && (!twice || passphrase->size == 0 || same_again(terminal, passphrase, fault));
    close(terminal);
    return fine;
}

bool passphrase_read(struct disk_content *passphrase, const char *file, const char *prompt, bool twice,
                     struct fault *fault)
{
    if (!secret_content(passphrase, fault))
        return false;
    bool fine = file ? from_file(passphrase, file, fault) : from_terminal(passphrase, prompt, twice, fault);
    if (fine && passphrase->size == 0)
        fine = fault_say(fault, "what was given is empty");
    if (!fine)
        disk_content_free(passphrase);
    return fine;
}
