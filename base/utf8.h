/* SPDX-License-Identifier: Apache-2.0
 *
 * UTF-8 (RFC 3629) and UTF-16LE ([MS-DTYP] 2.1.2): text from the wire becomes well-formed UTF-8. What is
 * not well formed becomes U+FFFD, one for each maximal subpart (Unicode 15, section 3.9, table 3-8).
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define UTF8_REPLACEMENT 0xfffdu
#define UTF8_BYTES_MAX   4

/* How many of the first bytes are ASCII. */
size_t utf8_ascii_run(const uint8_t *text, size_t size);

/* One character of `size` (at least 1) bytes into `code`; returns the bytes it took. A sequence that is not
 * well formed gives UTF8_REPLACEMENT and `*valid` false. */
size_t utf8_decode(const uint8_t *text, size_t size, uint32_t *code, bool *valid);

/* The character's UTF-8 form, returns its 1 to 4 bytes; surrogates and what is beyond U+10FFFF become
 * U+FFFD. */
size_t utf8_encode(uint32_t code, uint8_t to[UTF8_BYTES_MAX]);

/* Copies text, repaired. Stops before the character that no longer fits, then `*cut` becomes true (it is
 * left alone otherwise). Returns the bytes written. */
size_t utf8_copy(uint8_t *to, size_t capacity, const uint8_t *text, size_t size, bool *cut);

/* The 16-bit units before the terminating zero (or in all `size` bytes); `*ascii` says if all are ASCII. */
size_t utf16_units(const uint8_t *text, size_t size, bool *ascii);

/* `units` units of UTF-16LE as UTF-8; lone surrogates become U+FFFD. Capacity and cut as in utf8_copy. */
size_t utf8_from_utf16(uint8_t *to, size_t capacity, const uint8_t *text, size_t units, bool *cut);

/* A name as names are compared: in lower case, by Unicode's simple mapping, the Latin, Greek, Cyrillic and
 * Armenian letters; everything else as it is. Takes as many bytes as the text has, which `to` needs. */
void utf8_fold(uint8_t *to, const uint8_t *text, size_t size);
