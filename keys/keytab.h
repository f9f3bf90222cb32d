/* SPDX-License-Identifier: Apache-2.0
 *
 * MIT keytab files, versions 0x501 and 0x502 (https://web.mit.edu/kerberos/krb5-latest/doc/formats/
 * keytab_file_format.html): bytes in, entries out. Inside of keys/.
 */
#pragma once

#include "base/cursor.h"
#include "base/fault.h"

#define KEYTAB_NAME_MAX 512u

struct keytab {
    struct cursor c;
    const uint8_t *begin;
    bool little_endian;    /* 0x501 is in the byte order of the machine that wrote it */
    bool counts_the_realm; /* 0x501 counts it among the components */
    bool damaged;
    struct fault fault; /* where and what, when it is damaged */
};

struct keytab_entry {
    size_t at; /* where it stands in the file */
    struct bytes realm;
    uint32_t components;
    size_t name_size;
    uint8_t name[KEYTAB_NAME_MAX]; /* its components joined by slashes */
    uint32_t kvno;
    int32_t etype;
    struct bytes key;
};

/* False, and `damaged`, when it is no keytab. The bytes are borrowed. */
bool keytab_open(struct keytab *keytab, struct bytes bytes);
/* The next entry, holes left out; false at the end, and then `damaged` says if it was none. */
bool keytab_next(struct keytab *keytab, struct keytab_entry *entry);
