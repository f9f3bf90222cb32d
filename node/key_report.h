/* SPDX-License-Identifier: Apache-2.0
 *
 * What is told of keys: names, versions, counts; never a value.
 */
#pragma once

#include "base/json_writer.h"
#include "node/key_client.h"

#define KEY_REPORT_MAX 512u

/* "no key of cifs/fs1@CORP.EXAMPLE, version 3 (aes256-cts-hmac-sha1-96), 12 times". Whatever the name holds,
 * the words are fit for a terminal. */
void key_report_words(const struct key_holder_complaint *complaint, char to[KEY_REPORT_MAX]);

/* For people, under the summary: what was unsealed, and what could not be. Then what the keytabs lack, a line
 * for each complaint, on the second stream; at most KEY_REPORT_LINES. */
#define KEY_REPORT_LINES 32u
void key_report_print(struct key_client *client, void *summary, void *complaints); /* NULL: not */

/* As an object of that name. */
void key_report_json(struct json_writer *w, const char *key, struct key_client *client);
