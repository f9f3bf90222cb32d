/* SPDX-License-Identifier: Apache-2.0 */
#include "capture/ldap_filter.h"

#include "base/ber.h"
#include "base/utf8.h"

#include <strings.h>

/* RFC 4511 4.5.1.7:
 *   Filter ::= CHOICE {
 *     and             [0] SET SIZE (1..MAX) OF filter Filter,
 *     or              [1] SET SIZE (1..MAX) OF filter Filter,
 *     not             [2] Filter,
 *     equalityMatch   [3] AttributeValueAssertion,
 *     substrings      [4] SubstringFilter,
 *     greaterOrEqual  [5] AttributeValueAssertion,
 *     lessOrEqual     [6] AttributeValueAssertion,
 *     present         [7] AttributeDescription,
 *     approxMatch     [8] AttributeValueAssertion,
 *     extensibleMatch [9] MatchingRuleAssertion, ...  }
 * LDAP's module has IMPLICIT tags; only [2], being a CHOICE inside, is explicit. An empty `and` or `or` is
 * "true" or "false" (RFC 4526). */
#define FILTER_AND        BER_CONTEXT_CONS(0)
#define FILTER_OR         BER_CONTEXT_CONS(1)
#define FILTER_NOT        BER_CONTEXT_CONS(2)
#define FILTER_EQUALITY   BER_CONTEXT_CONS(3)
#define FILTER_SUBSTRINGS BER_CONTEXT_CONS(4)
#define FILTER_GREATER    BER_CONTEXT_CONS(5)
#define FILTER_LESS       BER_CONTEXT_CONS(6)
#define FILTER_PRESENT    BER_CONTEXT(7)
#define FILTER_APPROX     BER_CONTEXT_CONS(8)
#define FILTER_EXTENSIBLE BER_CONTEXT_CONS(9)

struct output {
    char *at;
    char *end;
    bool cut;
};

static void output_put(struct output *t, const void *data, size_t size)
{
    size_t room = (size_t)(t->end - t->at);
    if (t->cut || size > room) {
        t->cut = true;
        return;
    }
    memcpy(t->at, data, size);
    t->at += size;
}

static void output_char(struct output *t, char c)
{
    if (t->cut || t->at == t->end) {
        t->cut = true;
        return;
    }
    *t->at++ = c;
}

static void output_escape(struct output *t, uint8_t byte)
{
    static const char digits[] = "0123456789abcdef";
    const char escaped[3] = {'\\', digits[byte >> 4], digits[byte & 15]};
    output_put(t, escaped, sizeof escaped);
}

/* Bytes that stand for themselves in a value: printable ASCII but for the four that RFC 4515 section 3 wants
 * escaped. Control characters may stand raw there; we escape them, so that no filter plays with a terminal.
 */
static bool is_plain(uint8_t byte)
{
    static const uint64_t plain[4] = {
        UINT64_C(0xfffff8ff00000000), /* space to ?, without ( ) * */
        UINT64_C(0x7fffffffefffffff), /* @ to ~, without the backslash */
        0,
        0,
    };
    return plain[byte >> 6] >> (byte & 63) & 1;
}

static bool is_utf8(const uint8_t *at, const uint8_t *end)
{
    bool valid = true;
    uint32_t code;
    while (at < end && valid)
        at += utf8_decode(at, (size_t)(end - at), &code, &valid);
    return valid;
}

/* A value: text is kept readable; where any byte is no text (a SID, a GUID) all of the high bytes are
 * escaped, for a binary value that happens to hold a letter is no clearer for it. */
static void put_value(struct output *t, struct cursor value)
{
    const uint8_t *at = value.at;
    bool checked = false;
    bool text = false;
    while (at < value.end && !t->cut) {
        const uint8_t *run = at;
        while (at < value.end && (is_plain(*at) || (text && *at >= 0x80)))
            at++;
        if (at > run) {
            size_t size = (size_t)(at - run);
            size_t room = (size_t)(t->end - t->at);
            output_put(t, run, size < room ? size : room);
            if (size > room)
                t->cut = true;
            continue;
        }
        if (*at >= 0x80 && !checked) {
            checked = true;
            text = is_utf8(at, value.end);
            if (text)
                continue;
        }
        output_escape(t, *at++);
    }
}

/* A type or rule name; it should hold no special character, and when it does must not break the text. */
static void put_name(struct output *t, struct cursor name)
{
    put_value(t, name);
}

/* Attributes whose values are passwords or keys: whoever searches by one shows it to the wire, not to us. */
static bool is_secret(struct cursor name)
{
#define SECRET(name)                                                                                         \
    {                                                                                                        \
        sizeof(name) - 1, name                                                                               \
    }
    static const struct {
        size_t size;
        const char *name;
    } secrets[] = {
        SECRET("userPassword"),    SECRET("unicodePwd"),
        SECRET("dBCSPwd"),         SECRET("ms-Mcs-AdmPwd"),
        SECRET("msLAPS-Password"), SECRET("unixUserPassword"),
        SECRET("authPassword"),    SECRET("sambaNTPassword"),
        SECRET("sambaLMPassword"), SECRET("supplementalCredentials"),
    };
    size_t size = cursor_left(&name);
    for (size_t i = 0; i < sizeof secrets / sizeof secrets[0]; i++)
        if (secrets[i].size == size && strncasecmp((const char *)name.at, secrets[i].name, size) == 0)
            return true;
    return false;
}

/* The value of an attribute: three stars for a secret one. */
static void put_value_of(struct output *t, struct cursor name, struct cursor value)
{
    static const char stars[] = "\\2a\\2a\\2a";
    if (is_secret(name) && !cursor_done(&value))
        output_put(t, stars, sizeof stars - 1);
    else
        put_value(t, value);
}

/* AttributeValueAssertion ::= SEQUENCE { attributeDesc AttributeDescription, assertionValue AssertionValue }
 */
static bool put_assertion(struct output *t, struct cursor c, const char *sign)
{
    struct cursor name = ber_expect(&c, BER_OCTET_STRING);
    put_name(t, name);
    output_put(t, sign, strlen(sign));
    put_value_of(t, name, ber_expect(&c, BER_OCTET_STRING));
    return !c.failed;
}

/* SubstringFilter ::= SEQUENCE {
 *     type       AttributeDescription,
 *     substrings SEQUENCE SIZE (1..MAX) OF substring CHOICE {
 *          initial [0] AssertionValue,  -- can occur at most once
 *          any     [1] AssertionValue,
 *          final   [2] AssertionValue } -- can occur at most once } */
static bool put_substrings(struct output *t, struct cursor c)
{
    struct cursor name = ber_expect(&c, BER_OCTET_STRING);
    put_name(t, name);
    output_char(t, '=');
    struct cursor parts = ber_expect(&c, BER_SEQUENCE);
    bool damaged = c.failed;
    bool final = false;
    while (!cursor_done(&parts)) {
        struct ber part = ber_next(&parts);
        if (part.tag != BER_CONTEXT(0) && part.tag != BER_CONTEXT(1) && part.tag != BER_CONTEXT(2))
            return false;
        if (part.tag != BER_CONTEXT(0))
            output_char(t, '*');
        put_value_of(t, name, part.value);
        final = part.tag == BER_CONTEXT(2);
    }
    if (!final)
        output_char(t, '*');
    return !damaged && !parts.failed;
}

/* MatchingRuleAssertion ::= SEQUENCE {
 *     matchingRule [1] MatchingRuleId OPTIONAL,
 *     type         [2] AttributeDescription OPTIONAL,
 *     matchValue   [3] AssertionValue,
 *     dnAttributes [4] BOOLEAN DEFAULT FALSE }
 * The rules of [MS-ADTS] 3.1.1.3.4.4 are written by their numbers, as RFC 4515 writes every rule:
 * 1.2.840.113556.1.4.803 all of the bits, .804 any of the bits, .1941 membership through nested groups,
 * .2253 a DN with binary. */
static bool put_extensible(struct output *t, struct cursor c)
{
    struct cursor rule = cursor_of(NULL, 0);
    struct cursor type = cursor_of(NULL, 0);
    struct cursor value;
    struct cursor dn;
    bool has_rule = ber_optional(&c, BER_CONTEXT(1), &rule);
    if (ber_optional(&c, BER_CONTEXT(2), &type))
        put_name(t, type);
    value = ber_expect(&c, BER_CONTEXT(3));
    if (!c.failed && ber_optional(&c, BER_CONTEXT(4), &dn) && cursor_u8(&dn) != 0)
        output_put(t, ":dn", 3);
    if (has_rule) {
        output_char(t, ':');
        put_name(t, rule);
    }
    output_put(t, ":=", 2);
    put_value_of(t, type, value);
    return !c.failed;
}

static bool put_item(struct output *t, struct ber item)
{
    switch (item.tag) {
    case FILTER_EQUALITY:
        return put_assertion(t, item.value, "=");
    case FILTER_GREATER:
        return put_assertion(t, item.value, ">=");
    case FILTER_LESS:
        return put_assertion(t, item.value, "<=");
    case FILTER_APPROX:
        return put_assertion(t, item.value, "~=");
    case FILTER_SUBSTRINGS:
        return put_substrings(t, item.value);
    case FILTER_PRESENT:
        put_name(t, item.value);
        output_put(t, "=*", 2);
        return true;
    case FILTER_EXTENSIBLE:
        return put_extensible(t, item.value);
    default:
        return false;
    }
}

static bool is_item(uint8_t tag)
{
    return (tag >= FILTER_EQUALITY && tag <= FILTER_LESS) || tag == FILTER_PRESENT || tag == FILTER_APPROX ||
           tag == FILTER_EXTENSIBLE;
}

static char set_sign(uint8_t tag)
{
    switch (tag) {
    case FILTER_AND:
        return '&';
    case FILTER_OR:
        return '|';
    case FILTER_NOT:
        return '!';
    default:
        return 0;
    }
}

/* The nesting is walked with a stack of our own, so that a filter of 20,000 levels costs no more than one of
 * LDAP_FILTER_DEPTH_MAX. The first level is the sequence that the one filter stands in. */
struct ldap_filter_text ldap_filter_print(struct cursor filter, char *to, size_t capacity)
{
    struct output t = {.at = to, .end = to + capacity, .cut = false};
    struct cursor stack[LDAP_FILTER_DEPTH_MAX];
    size_t depth = 0;
    bool damaged = false;
    struct cursor level = filter;

    for (;;) {
        struct ber item = ber_next(&level);
        char sign = set_sign(item.tag);
        if (sign && depth < LDAP_FILTER_DEPTH_MAX) {
            output_char(&t, '(');
            output_char(&t, sign);
            stack[depth++] = level;
            level = item.value;
        } else if (sign) {
            t.cut = true;
        } else if (is_item(item.tag)) {
            output_char(&t, '(');
            damaged = !put_item(&t, item);
            output_char(&t, ')');
        } else {
            damaged = true;
        }
        /* A cut filter is read to where it ends: only there is it damaged. */
        damaged = damaged || (level.failed && cursor_done(&level));
        while (!damaged && !t.cut && depth > 0 && cursor_done(&level)) {
            output_char(&t, ')');
            level = stack[--depth];
            damaged = level.failed;
        }
        if (damaged || t.cut || depth == 0)
            break;
    }
    return (struct ldap_filter_text){.size = (size_t)(t.at - to), .cut = t.cut, .damaged = damaged};
}
