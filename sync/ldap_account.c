/* SPDX-License-Identifier: Apache-2.0 */
#include "sync/ldap_account.h"

#include "base/clock.h"
#include "base/text.h"
#include "sync/ldap_protocol.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>

/* --- files --- */

static int64_t nanoseconds(struct timespec t)
{
    return t.tv_sec * CLOCK_SECOND + t.tv_nsec;
}

struct ldap_file_mark ldap_file_mark(const char *path)
{
    struct stat is;
    if (!path || stat(path, &is) < 0)
        return (struct ldap_file_mark){0};
    return (struct ldap_file_mark){
        .modified = nanoseconds(is.st_mtim),
        .changed = nanoseconds(is.st_ctim),
        .size = (uint64_t)is.st_size,
        .inode = is.st_ino,
        .device = is.st_dev,
    };
}

bool ldap_file_mark_equal(const struct ldap_file_mark *a, const struct ldap_file_mark *b)
{
    return a->modified == b->modified && a->changed == b->changed && a->size == b->size &&
           a->inode == b->inode && a->device == b->device;
}

const char *ldap_account_file(const struct ldap_account *account)
{
    bool kerberos = account->method != LDAP_BIND_SIMPLE;
    return kerberos && account->keytab ? account->keytab : account->password_file;
}

/* --- order --- */

/* 0: the domain's own, then how many labels up, then the others. */
static size_t distance(const char *domain, const char *of)
{
    size_t size = strlen(domain), other = strlen(of);
    if (other > size || other == 0 || strcasecmp(domain + size - other, of) != 0)
        return SIZE_MAX;
    if (other == size)
        return 0;
    return domain[size - other - 1] == '.' ? size - other : SIZE_MAX;
}

void ldap_account_order(const char *domain, const struct ldap_account *accounts, unsigned count,
                        unsigned *order)
{
    for (unsigned i = 0; i < count; i++) {
        size_t own = distance(domain, accounts[i].domain);
        unsigned at = i;
        while (at > 0 && distance(domain, accounts[order[at - 1]].domain) > own) {
            order[at] = order[at - 1];
            at--;
        }
        order[at] = i;
    }
}

/* --- refusals --- */

/* [MS-ERREF] 2.2, as AcceptSecurityContext gives them in the text of code 49. */
static const struct {
    unsigned code;
    const char *meaning;
} refusals[] = {
    {0x525, "there is no such account"},
    {0x52e, "wrong password or name"},
    {0x52f, "the account's restrictions forbid it"},
    {0x530, "the account may not log on at this time"},
    {0x531, "the account may not log on from here"},
    {0x532, "its password has expired"},
    {0x533, "the account is disabled"},
    {0x568, "the account is in too many groups"},
    {0x701, "the account has expired"},
    {0x773, "its password must be changed first"},
    {0x775, "the account is locked"},
};

static unsigned directory_error(struct bytes text)
{
    static const char mark[] = "data ";
    const uint8_t *at = text.size ? memmem(text.data, text.size, mark, sizeof mark - 1) : NULL;
    if (!at)
        return 0;
    char digits[9] = "";
    size_t left = text.size - (size_t)(at - text.data) - (sizeof mark - 1);
    memcpy(digits, at + sizeof mark - 1, left < 8 ? left : 8);
    return (unsigned)strtoul(digits, NULL, 16);
}

enum ldap_blame ldap_bind_refusal(int code, struct bytes text, struct fault *fault)
{
    char shown[160];
    struct text t = text_to(shown, sizeof shown);
    text_display(&t, text);
    text_end(&t);
    switch (code) {
    case LDAP_CODE_STRONGER_AUTH_REQUIRED:
    case LDAP_CODE_CONFIDENTIALITY_REQUIRED:
        fault_say(fault, "the directory demands a bind that is sealed or under TLS (%s)", shown);
        return LDAP_BLAME_CONTROLLER;
    case LDAP_CODE_INVALID_CREDENTIALS: {
        unsigned error = directory_error(text);
        if (error == 0x80090346) {
            fault_say(fault, "the directory demands channel binding, which this bind cannot give");
            return LDAP_BLAME_CONTROLLER;
        }
        for (size_t i = 0; i < sizeof refusals / sizeof *refusals; i++)
            if (refusals[i].code == error) {
                fault_say(fault, "%s", refusals[i].meaning);
                return LDAP_BLAME_ACCOUNT;
            }
        fault_say(fault, "name or password is wrong (%s)", shown);
        return LDAP_BLAME_ACCOUNT;
    }
    case 34: /* invalidDNSyntax */
    case 48: /* inappropriateAuthentication */
        fault_say(fault, "the directory refuses the account's name or kind of bind (%s)", shown);
        return LDAP_BLAME_ACCOUNT;
    default:
        fault_say(fault, "the directory refused the bind with code %d (%s)", code, shown);
        return LDAP_BLAME_CONTROLLER;
    }
}
