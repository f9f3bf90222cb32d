/* SPDX-License-Identifier: Apache-2.0 */
#include "base/secret.h"

#include <errno.h>
#include <fcntl.h>
#include <sodium.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static bool private_file(const struct stat *is, const char *path, struct fault *fault)
{
    if (!S_ISREG(is->st_mode))
        return fault_say(fault, "%s is no plain file", path);
    if (is->st_mode & (S_IRWXG | S_IRWXO))
        return fault_say(fault, "%s can be read by others than its owner: chmod 600 %s", path, path);
    return true;
}

bool secret_file_check(const char *path, struct fault *fault)
{
    struct stat is;
    if (stat(path, &is) < 0)
        return fault_say(fault, "%s: %s", path, strerror(errno));
    if (!private_file(&is, path, fault))
        return false;
    if (access(path, R_OK) < 0)
        return fault_say(fault, "%s: %s", path, strerror(errno));
    return true;
}

int secret_file_open(const char *path, struct fault *fault)
{
    struct stat is;
    int descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK); /* a pipe would block */
    bool fine = descriptor >= 0 && fstat(descriptor, &is) == 0;
    if (!fine)
        fault_say(fault, "%s: %s", path, strerror(errno));
    if (fine && private_file(&is, path, fault))
        return descriptor;
    if (descriptor >= 0)
        close(descriptor);
    return -1;
}

static bool read_line(int descriptor, const char *path, struct secret *secret, struct fault *fault)
{
    while (secret->size < SECRET_MAX) {
        ssize_t got = read(descriptor, secret->bytes + secret->size, SECRET_MAX - secret->size);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return fault_say(fault, "%s: %s", path, strerror(errno));
        if (got == 0)
            break;
        secret->size += (size_t)got;
    }
    const uint8_t *end = memchr(secret->bytes, '\n', secret->size);
    if (!end && secret->size == SECRET_MAX)
        return fault_say(fault, "%s: a secret of %u bytes or more", path, SECRET_MAX);
    if (end)
        secret->size = (size_t)(end - secret->bytes);
    if (secret->size > 0 && secret->bytes[secret->size - 1] == '\r')
        secret->size--;
    secret->bytes[secret->size] = 0;
    /* An empty one proves nothing; as a password it would be an unauthenticated bind, which succeeds without
     * being one (RFC 4513 5.1.2). */
    return secret->size > 0 || fault_say(fault, "%s is empty", path);
}

bool secret_read(const char *path, struct secret *secret, struct fault *fault)
{
    *secret = (struct secret){0};
    if (sodium_init() < 0)
        return fault_say(fault, "libsodium cannot be initialised");
    int descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK); /* a pipe would block */
    if (descriptor < 0)
        return fault_say(fault, "%s: %s", path, strerror(errno));
    struct stat is;
    bool done = false;
    if (fstat(descriptor, &is) < 0)
        fault_say(fault, "%s: %s", path, strerror(errno));
    else if (private_file(&is, path, fault)) {
        secret->bytes = sodium_malloc(SECRET_MAX + 1);
        done = secret->bytes ? read_line(descriptor, path, secret, fault)
                             : fault_say(fault, "no memory that can be locked");
    }
    close(descriptor);
    if (!done)
        secret_wipe(secret);
    return done;
}

void secret_wipe(struct secret *secret)
{
    sodium_free(secret->bytes); /* wipes */
    *secret = (struct secret){0};
}
