/* SPDX-License-Identifier: Apache-2.0
 *
 * The form in which the store keeps an entity: 28 bytes of head, the RDN, and then the attributes, each as
 * its number and a msgpack value. The numbers are places in sync/entity_attributes.def: a store that was
 * written with another list is begun anew (entity_record_fingerprint), as everything has to be read again
 * then anyway.
 */
#pragma once

#include "sync/entity.h"

enum {
    RECORD_DELETED = 1,
    RECORD_TRUNCATED = 2,
    RECORD_UNKNOWN = 4, /* no entity: an end of a link that nothing else is known of */
    RECORD_LOOKED_UP = 8,
};

struct entity_record_head {
    struct guid guid;
    enum entity_kind kind;
    uint8_t flags;
    uint16_t context;
    uint32_t parent;  /* number of the parent's DN; 0: none is known */
    uint32_t changed; /* seconds since 1970 */
};

#define RECORD_HEAD_SIZE 28u

/* False when it is none: the file is damaged. */
bool entity_record_head(struct bytes record, struct entity_record_head *head);
/* Gives all but `domain`, `parent` and `seen`. */
bool entity_record_decode(struct bytes record, struct entity_record_head *head, struct entity *to);

/* One attribute's value, or the RDN, without decoding the others. False when it has none. */
bool entity_record_value(struct bytes record, enum entity_attribute attribute, struct activity_value *value);
bool entity_record_rdn(struct bytes record, struct bytes *rdn);

/* The record of an entity after a change: of `old` (NULL: there was none) what the change lets stay. `rdn`
 * may be empty: it stays as it was. Sets RECORD_TRUNCATED in `head` as it finds. `to` has ENTITY_BYTES_MAX
 * bytes; returns how many are used. */
size_t entity_record_write(uint8_t *to, struct entity_record_head *head, const struct entity *old,
                           const struct entity_change *change, struct bytes rdn);

/* Whether what was told differs: all but the head's `changed` and LOOKED_UP. */
bool entity_record_same(struct bytes a, struct bytes b);
/* Sets `changed`, in place. */
void entity_record_set_changed(uint8_t *record, uint32_t seconds);

/* Tells one list of attributes and links from another, and one form of the record. */
uint64_t entity_record_fingerprint(void);
