/* SPDX-License-Identifier: Apache-2.0
 *
 * Self-relative security descriptors ([MS-DTYP] 2.4.6), as far as entities need them: who owns, and whom the
 * DACL allows or denies what.
 */
#pragma once

#include "base/cursor.h"
#include "base/text.h"

struct security_descriptor {
    uint16_t control;
    struct bytes owner, group; /* SIDs; empty: none */
    bool has_dacl;             /* without one everybody may everything */
    uint32_t ace_count;
    struct cursor aces; /* security_descriptor_next */
};

enum ace_effect { ACE_ALLOW, ACE_DENY, ACE_OTHER };

struct ace {
    enum ace_effect effect;
    uint8_t type, flags;
    uint32_t mask;
    bool has_object_type, has_inherited_type;
    uint8_t object_type[16]; /* GUID of the right or attribute, wire's order */
    uint8_t inherited_type[16];
    struct bytes sid;
};

/* False when it is damaged: an offset, size or SID that does not lie within. The ACEs are read one by one. */
bool security_descriptor_read(struct bytes bytes, struct security_descriptor *to);

/* The next ACE of the DACL; false at its end, or at the first that is damaged (then `aces` has failed). */
bool security_descriptor_next(struct security_descriptor *descriptor, struct ace *ace);

/* SDDL ([MS-DTYP] 2.5.1) of owner, group and DACL, with SIDs and masks as numbers: one descriptor has one
 * text. */
void security_descriptor_text(struct text *t, struct security_descriptor descriptor);
