/* SPDX-License-Identifier: Apache-2.0
 *
 * Distinguished names as text (RFC 4514), and what Active Directory puts around and into them: the extended
 * form of [MS-ADTS] 3.1.1.3.4.1.5, the names of deleted objects (3.1.1.5.5.1.1).
 */
#pragma once

#include "sync/entity.h"

/* <GUID=...>;<SID=...>;CN=...: GUID and SID as hexadecimal digits of their bytes (option 0) or in their own
 * text forms (option 1). Parts may be missing; a DN alone is one too. */
struct extended_dn {
    bool has_guid;
    struct guid guid;
    uint8_t sid_size; /* 0: none */
    uint8_t sid[SID_BYTES_MAX];
    struct bytes dn; /* a view; may be empty */
};

/* False when a part in < > is damaged or unknown. */
bool extended_dn_read(struct bytes text, struct extended_dn *to);

/* The normal form: no blanks around `,`, `=` and `+`, `;` between RDNs becomes `,`, a character escaped in
 * hexadecimal that needs no such escape stands for itself, one that needs it is escaped by a backslash alone.
 * Letters keep their case; comparing is done without regard to it. The size, 0 when it does not fit or is no
 * DN. */
size_t dn_normal(char *to, size_t capacity, struct bytes dn);

/* What follows the first RDN; empty at the top. */
struct bytes dn_parent(struct bytes dn);
/* The first RDN's value, still escaped: "Smith\, John". Empty when it has none. */
struct bytes dn_first_value(struct bytes dn);
/* The same without what deletion added to it ("\0ADEL:guid"); `deleted` says whether there was such. */
struct bytes dn_name_before_deletion(struct bytes dn, bool *deleted);
/* Whether `dn` is `ancestor` or below it, without regard to (ASCII) case. */
bool dn_is_within(struct bytes dn, struct bytes ancestor);
/* "corp.example" in lower case of the trailing DC= RDNs; the size, 0 when there are none or it does not fit.
 */
size_t dn_domain(char *to, size_t capacity, struct bytes dn);

/* The option of a ranged attribute, "member;range=0-1499" ([MS-ADTS] 3.1.1.3.1.3.3). */
struct attribute_range {
    bool ranged;
    uint32_t low, high;
    bool last; /* high is `*`: there is no more */
};

/* The name without options; false when an option `range` is damaged. */
bool attribute_name_read(struct bytes text, struct bytes *name, struct attribute_range *range);
