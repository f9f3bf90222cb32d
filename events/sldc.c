/* SPDX-License-Identifier: Apache-2.0
 *
 * The stream is read from the most significant bit on.
 *
 *   control symbol    1 1111 1111 xxxx                  in either scheme
 *   literal 1         0 + 8 bits                        scheme 1
 *   copy pointer      1 + match count + 10 bits         scheme 1: from that place of the history buffer
 *   literal 2         8 bits; FF is followed by a 0     scheme 2
 *
 *   match count  0x 2 to 3 · 10xx 4 to 7 · 110xxx 8 to 15 · 1110xxxx 16 to 31 · 1111xxxxxxxx 32 to 271
 *                (1111 1111 xxxx: control symbols)
 *
 * The history buffer is the last 1024 bytes of output, as a ring that a Reset starts anew at 0.
 */
#include "events/sldc.h"

#define HISTORY     1024u
#define LENGTH_SIZE 4u

enum control {
    CONTROL_FLUSH = 0,
    CONTROL_SCHEME_1 = 1,
    CONTROL_SCHEME_2 = 2,
    CONTROL_FILE_MARK = 3,
    CONTROL_END_OF_RECORD = 4,
    CONTROL_RESET_1 = 5,
    CONTROL_RESET_2 = 6,
};

struct decoder {
    struct cursor input;
    uint64_t bits; /* those not yet taken, at the top */
    unsigned available;
    uint8_t history[HISTORY];
    unsigned next; /* in the history */
    bool scheme_2;
    uint8_t *to;
    size_t size;
    size_t written;
};

/* At least 32 bits, unless the input ends before; past its end there are zeros. */
static void refill(struct decoder *d)
{
    while (d->available <= 56 && !cursor_done(&d->input)) {
        d->bits |= (uint64_t)cursor_u8(&d->input) << (56 - d->available);
        d->available += 8;
    }
}

static unsigned peek(const struct decoder *d, unsigned count)
{
    return (unsigned)(d->bits >> (64 - count));
}

/* False at the end of the input. */
static bool take(struct decoder *d, unsigned count, unsigned *value)
{
    if (d->available < count)
        return false;
    *value = peek(d, count);
    d->bits <<= count;
    d->available -= count;
    return true;
}

static bool put(struct decoder *d, uint8_t byte)
{
    if (d->written == d->size)
        return false;
    d->to[d->written++] = byte;
    d->history[d->next] = byte;
    d->next = (d->next + 1) % HISTORY;
    return true;
}

static void reset(struct decoder *d, bool scheme_2)
{
    memset(d->history, 0, sizeof d->history);
    d->next = 0;
    d->scheme_2 = scheme_2;
}

static bool match_count(struct decoder *d, unsigned *count)
{
    static const struct {
        unsigned prefix; /* its bits */
        unsigned bits;   /* those after it */
        unsigned base;
    } fields[] = {{1, 1, 2}, {2, 2, 4}, {3, 3, 8}, {4, 4, 16}, {4, 8, 32}};

    unsigned field = 0, value;
    while (field < 4 && (d->bits >> (63 - field) & 1))
        field++;
    if (!take(d, fields[field].prefix, &value) || !take(d, fields[field].bits, &value))
        return false;
    *count = fields[field].base + value;
    return true;
}

static bool copy(struct decoder *d)
{
    unsigned flag, count, from;
    if (!take(d, 1, &flag) || !match_count(d, &count) || !take(d, 10, &from))
        return false;
    for (unsigned i = 0; i < count; i++)
        if (!put(d, d->history[(from + i) % HISTORY]))
            return false;
    return true;
}

static bool data_symbol(struct decoder *d)
{
    unsigned byte, stuffed;
    if (d->scheme_2)
        return take(d, 8, &byte) && (byte != 0xff || take(d, 1, &stuffed)) && put(d, (uint8_t)byte);
    if (peek(d, 1))
        return copy(d);
    return take(d, 9, &byte) && put(d, (uint8_t)byte);
}

enum step {
    STEP_ON,
    STEP_END,
    STEP_DAMAGED,
};

static enum step control_symbol(struct decoder *d)
{
    unsigned symbol;
    if (!take(d, 13, &symbol))
        return STEP_DAMAGED;
    switch (symbol & 0xf) {
    case CONTROL_SCHEME_1:
        d->scheme_2 = false;
        return STEP_ON;
    case CONTROL_SCHEME_2:
        d->scheme_2 = true;
        return STEP_ON;
    case CONTROL_RESET_1:
        reset(d, false);
        return STEP_ON;
    case CONTROL_RESET_2:
        reset(d, true);
        return STEP_ON;
    case CONTROL_FLUSH:
    case CONTROL_FILE_MARK:
        return STEP_ON;
    case CONTROL_END_OF_RECORD:
        return STEP_END;
    default: /* reserved, or the End Marker, which a record that goes on does not have */
        return STEP_DAMAGED;
    }
}

static enum step step(struct decoder *d)
{
    refill(d);
    if (d->available >= 9 && peek(d, 9) == 0x1ff)
        return control_symbol(d);
    return data_symbol(d) ? STEP_ON : STEP_DAMAGED;
}

bool sldc_is_message(struct bytes message)
{
    if (message.size < 2 + LENGTH_SIZE || message.data[0] != 0xff)
        return false;
    unsigned control = message.data[1] >> 3;
    return control == (0x10 | CONTROL_RESET_1) || control == (0x10 | CONTROL_RESET_2);
}

uint32_t sldc_size(struct bytes message)
{
    if (message.size < LENGTH_SIZE)
        return 0;
    struct cursor c = cursor_of(message.data + message.size - LENGTH_SIZE, LENGTH_SIZE);
    return cursor_le32(&c);
}

bool sldc_decode(struct bytes message, uint8_t *to, size_t size)
{
    if (!sldc_is_message(message))
        return false;
    struct decoder d = {.input = cursor_of(message.data, message.size - LENGTH_SIZE), .to = to, .size = size};
    enum step next = STEP_ON;
    while (next == STEP_ON)
        next = step(&d);
    return next == STEP_END && d.written == d.size;
}
