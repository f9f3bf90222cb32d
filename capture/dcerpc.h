/* SPDX-License-Identifier: Apache-2.0
 *
 * DCE/RPC, connection-oriented ([C706] chapter 12, [MS-RPCE]), as a byte stream of PDUs: directly over TCP,
 * or inside the reads, writes and transactions of a named pipe. Whoever carries it makes one association per
 * connection or per open pipe and feeds it.
 */
#pragma once

#include "capture/dissect.h"

struct dcerpc_association; /* about 250 bytes; contexts, fragments and calls are allocated as they come */
struct dcerpc_shared;

/* A new association that lives as long as the flow (dissect_alloc); NULL when the budget is used up.
 * `carrier` NULL: over TCP, else "smb"; `pipe` is the pipe's name (UTF-8, without the leading backslash; may
 * be NULL), put into the activities; `id` is unique within the flow (an SMB2 file id's hash), it keeps calls
 * of several pipes apart. `account`/`domain` (may be NULL) are those of the carrying session. */
struct dcerpc_association *dcerpc_new(struct dissect *d, const char *carrier, struct bytes pipe, uint64_t id,
                                      const char *account, const char *domain);

/* Lets the pipes of one flow know of each other's contexts, for calls on a pipe whose opening was not
 * captured. `shared` is a pointer that the carrier keeps in the flow's state, NULL at first; the memory is
 * the flow's. */
void dcerpc_share(struct dcerpc_association *association, struct dcerpc_shared **shared);

/* Ends it (the pipe or the connection was closed): joint activities are written, memory is given back. Calls
 * that still wait are left to the engine. Clears the pointer. The carrier's `close` calls it for what is
 * open. */
void dcerpc_end(struct dissect *d, struct dcerpc_association **association_p);

/* Bytes of the stream in d->direction: whole PDUs, parts or several. What is incomplete is kept (bounded). */
void dcerpc_feed(struct dissect *d, struct dcerpc_association *association, struct cursor data);

/* Bytes in d->direction were lost or skipped: resynchronise at the next feed. */
void dcerpc_gap(struct dissect *d, struct dcerpc_association *association);

/* True when the bytes begin a plausible connection-oriented PDU. */
bool dcerpc_is_pdu(struct bytes start);
