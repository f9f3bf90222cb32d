/* SPDX-License-Identifier: Apache-2.0 */
#include "capture/ldap.h"

#include "base/ber.h"

#include <strings.h>

/* The protocolOps by application number: 0x60 constructed, 0x40 primitive (RFC 4511 4.1.1). Bit n is set when
 * [APPLICATION n] is defined. */
#define OPERATIONS                                                                                           \
    (1u << 0 | 1u << 1 | 1u << 2 | 1u << 3 | 1u << 4 | 1u << 5 | 1u << 6 | 1u << 7 | 1u << 8 | 1u << 9 |     \
     1u << 10 | 1u << 11 | 1u << 12 | 1u << 13 | 1u << 14 | 1u << 15 | 1u << 16 | 1u << 19 | 1u << 23 |      \
     1u << 24 | 1u << 25)

static bool is_operation(uint8_t tag)
{
    return (tag & 0xc0) == 0x40 && (OPERATIONS >> (tag & 0x1f) & 1u);
}

static bool bytes_equal_text(struct bytes bytes, const char *text)
{
    size_t size = strlen(text);
    return bytes.size == size && strncasecmp((const char *)bytes.data, text, size) == 0;
}

/* The length of the message ID at `at`, usually one octet; the long form is lawful too. */
static enum ldap_peek peek_id_length(struct bytes start, size_t at, size_t *value_at, size_t *size)
{
    if (start.size <= at)
        return LDAP_PEEK_MORE;
    uint8_t first = start.data[at++];
    *value_at = at;
    *size = first;
    if (first < 0x80)
        return LDAP_PEEK_YES;
    unsigned octets = first & 0x7f;
    if (octets == 0 || octets > 4)
        return LDAP_PEEK_NO;
    if (start.size < at + octets)
        return LDAP_PEEK_MORE;
    *size = 0;
    while (octets--)
        *size = *size << 8 | start.data[at++];
    *value_at = at;
    return LDAP_PEEK_YES;
}

/* LDAPMessage ::= SEQUENCE {
 *     messageID  MessageID,   -- INTEGER (0 .. 2^31 - 1)
 *     protocolOp CHOICE { [APPLICATION 0] ... },
 *     controls   [0] Controls OPTIONAL } */
enum ldap_peek ldap_peek(struct bytes start, struct ldap_header *to)
{
    const uint8_t *at = start.data;
    if (start.size == 0)
        return LDAP_PEEK_MORE;
    if (at[0] != BER_SEQUENCE)
        return LDAP_PEEK_NO;
    if (start.size < 2)
        return LDAP_PEEK_MORE;
    size_t header = 2;
    uint64_t length = at[1];
    if (at[1] >= 0x80) {
        unsigned octets = at[1] & 0x7f;
        if (octets == 0 || octets > 4)
            return LDAP_PEEK_NO;
        if (start.size < 2 + octets)
            return LDAP_PEEK_MORE;
        length = 0;
        for (unsigned i = 0; i < octets; i++)
            length = length << 8 | at[2 + i];
        header += octets;
    }
    /* The shortest content is an INTEGER of one octet and an empty unbindRequest. */
    if (length < 5)
        return LDAP_PEEK_NO;
    size_t id_at;
    size_t id_size;
    if (start.size <= header)
        return LDAP_PEEK_MORE;
    if (at[header] != BER_INTEGER)
        return LDAP_PEEK_NO;
    enum ldap_peek verdict = peek_id_length(start, header + 1, &id_at, &id_size);
    if (verdict != LDAP_PEEK_YES)
        return verdict;
    if (id_size == 0 || id_size > 5 || header + length < id_at + id_size + 2)
        return LDAP_PEEK_NO;
    if (start.size < id_at + id_size + 1)
        return LDAP_PEEK_MORE;
    uint64_t id = 0;
    for (size_t i = 0; i < id_size; i++)
        id = id << 8 | at[id_at + i];
    if (id > UINT32_MAX || !is_operation(at[id_at + id_size]))
        return LDAP_PEEK_NO;
    to->size = header + length;
    to->id = (uint32_t)id;
    to->operation = at[id_at + id_size] & 0x1f;
    return LDAP_PEEK_YES;
}

bool ldap_message_read(struct cursor *c, struct ldap_message *to)
{
    if (ldap_peek((struct bytes){c->at, cursor_left(c)}, &to->header) != LDAP_PEEK_YES) {
        cursor_fail(c);
        return false;
    }
    struct cursor sequence = ber_next(c).value;
    ber_next(&sequence); /* the message ID, which ldap_peek has read */
    struct ber operation = ber_next(&sequence);
    to->begun = operation.tag != 0;
    to->body = operation.value;
    to->controls = cursor_of(NULL, 0);
    ber_optional(&sequence, BER_CONTEXT_CONS(0), &to->controls);
    return true;
}

/* An OCTET STRING; what is there of it, when it is cut. */
static struct bytes next_octets(struct cursor *c)
{
    return ber_bytes(ber_expect(c, BER_OCTET_STRING));
}

/* An INTEGER or ENUMERATED of RFC 4511, all of which are 0 .. maxInt. */
static uint32_t next_unsigned(struct cursor *c, uint8_t tag)
{
    struct cursor value = ber_expect(c, tag);
    if (!c->failed && (cursor_done(&value) || cursor_left(&value) > 5))
        cursor_fail(c);
    int64_t number = ber_content_int(value);
    return number < 0 || number > UINT32_MAX ? 0 : (uint32_t)number;
}

/* BindRequest ::= [APPLICATION 0] SEQUENCE {
 *     version        INTEGER (1 .. 127),
 *     name           LDAPDN,
 *     authentication CHOICE {
 *          simple [0] OCTET STRING,
 *          sasl   [3] SEQUENCE { mechanism LDAPString, credentials OCTET STRING OPTIONAL },
 *          sicilyPackageDiscovery [9] OCTET STRING, sicilyNegotiate [10] OCTET STRING,
 *          sicilyResponse [11] OCTET STRING } }   -- the last three: [MS-ADTS] 5.1.1.1.3 */
bool ldap_bind_request_read(struct cursor body, struct ldap_bind_request *to)
{
    *to = (struct ldap_bind_request){.method = LDAP_METHOD_UNKNOWN};
    struct cursor version = ber_expect(&body, BER_INTEGER);
    to->version = ber_content_int(version);
    to->name = next_octets(&body);
    struct ber choice = ber_next(&body);
    if ((choice.tag & 0xc0) != 0x80)
        return false;
    switch (choice.tag & 0x1f) {
    case LDAP_METHOD_SIMPLE:
        to->method = LDAP_METHOD_SIMPLE;
        to->password_sent = !cursor_done(&choice.value);
        break;
    case LDAP_METHOD_SASL:
        to->method = LDAP_METHOD_SASL;
        to->mechanism = next_octets(&choice.value);
        ber_optional(&choice.value, BER_OCTET_STRING, &to->credentials);
        body.failed |= choice.value.failed;
        break;
    case LDAP_METHOD_SICILY_DISCOVERY:
    case LDAP_METHOD_SICILY_NEGOTIATE:
    case LDAP_METHOD_SICILY_RESPONSE:
        to->method = choice.tag & 0x1f;
        to->credentials = choice.value;
        break;
    default:
        return false;
    }
    return !body.failed;
}

/* SearchRequest ::= [APPLICATION 3] SEQUENCE {
 *     baseObject   LDAPDN,
 *     scope        ENUMERATED { baseObject (0), singleLevel (1), wholeSubtree (2) },
 *     derefAliases ENUMERATED,
 *     sizeLimit    INTEGER (0 .. maxInt),
 *     timeLimit    INTEGER (0 .. maxInt),
 *     typesOnly    BOOLEAN,
 *     filter       Filter,
 *     attributes   AttributeSelection }   -- SEQUENCE OF LDAPString */
bool ldap_search_request_read(struct cursor body, struct ldap_search_request *to)
{
    *to = (struct ldap_search_request){.scope = 0};
    to->base = next_octets(&body);
    to->scope = next_unsigned(&body, BER_ENUMERATED);
    to->dereference = next_unsigned(&body, BER_ENUMERATED);
    to->size_limit = next_unsigned(&body, BER_INTEGER);
    to->time_limit = next_unsigned(&body, BER_INTEGER);
    to->types_only = ber_boolean(&body);
    if (body.failed)
        return false;
    to->filter = body;
    if (ber_next(&body).tag == 0 || body.failed)
        return false;
    to->filter.end = body.at;
    to->attributes = ber_expect(&body, BER_SEQUENCE);
    return !body.failed;
}

/* AddRequest ::= [APPLICATION 8] SEQUENCE { entry LDAPDN, attributes SEQUENCE OF Attribute } */
bool ldap_add_request_read(struct cursor body, struct ldap_add_request *to)
{
    to->dn = next_octets(&body);
    to->attributes = ber_expect(&body, BER_SEQUENCE);
    return !body.failed;
}

/* ModifyRequest ::= [APPLICATION 6] SEQUENCE {
 *     object  LDAPDN,
 *     changes SEQUENCE OF change SEQUENCE { operation ENUMERATED, modification PartialAttribute } } */
bool ldap_modify_request_read(struct cursor body, struct ldap_modify_request *to)
{
    to->dn = next_octets(&body);
    to->changes = ber_expect(&body, BER_SEQUENCE);
    return !body.failed;
}

/* PartialAttribute ::= SEQUENCE { type AttributeDescription, vals SET OF value AttributeValue } */
static bool attribute_read(struct cursor attribute, struct ldap_attribute *to)
{
    to->name = next_octets(&attribute);
    to->values = ber_expect(&attribute, BER_SET);
    return to->name.size > 0;
}

bool ldap_next_attribute(struct cursor *attributes, struct ldap_attribute *to)
{
    if (cursor_done(attributes))
        return false;
    to->operation = 0;
    struct cursor attribute = ber_expect(attributes, BER_SEQUENCE);
    if (attribute_read(attribute, to))
        return true;
    cursor_fail(attributes);
    return false;
}

bool ldap_next_change(struct cursor *changes, struct ldap_attribute *to)
{
    if (cursor_done(changes))
        return false;
    struct cursor change = ber_expect(changes, BER_SEQUENCE);
    to->operation = (uint8_t)next_unsigned(&change, BER_ENUMERATED);
    if (attribute_read(ber_expect(&change, BER_SEQUENCE), to))
        return true;
    cursor_fail(changes);
    return false;
}

bool ldap_next_string(struct cursor *list, struct bytes *to)
{
    if (cursor_done(list))
        return false;
    bool is_string = ber_peek(list) == BER_OCTET_STRING;
    *to = next_octets(list);
    return is_string && (!list->failed || to->size > 0);
}

/* ModifyDNRequest ::= [APPLICATION 12] SEQUENCE {
 *     entry LDAPDN, newrdn RelativeLDAPDN, deleteoldrdn BOOLEAN, newSuperior [0] LDAPDN OPTIONAL } */
bool ldap_modify_dn_request_read(struct cursor body, struct ldap_modify_dn_request *to)
{
    struct cursor superior = cursor_of(NULL, 0);
    to->dn = next_octets(&body);
    to->new_rdn = next_octets(&body);
    to->delete_old_rdn = ber_boolean(&body);
    ber_optional(&body, BER_CONTEXT(0), &superior);
    to->new_superior = ber_bytes(superior);
    return !body.failed;
}

/* CompareRequest ::= [APPLICATION 14] SEQUENCE { entry LDAPDN, ava AttributeValueAssertion } */
bool ldap_compare_request_read(struct cursor body, struct ldap_compare_request *to)
{
    to->dn = next_octets(&body);
    struct cursor assertion = ber_expect(&body, BER_SEQUENCE);
    to->attribute = next_octets(&assertion);
    return !body.failed && !assertion.failed;
}

/* ExtendedRequest ::= [APPLICATION 23] SEQUENCE {
 *     requestName [0] LDAPOID, requestValue [1] OCTET STRING OPTIONAL } */
bool ldap_extended_request_read(struct cursor body, struct ldap_extended_request *to)
{
    to->oid = ber_bytes(ber_expect(&body, BER_CONTEXT(0)));
    to->value = cursor_of(NULL, 0);
    ber_optional(&body, BER_CONTEXT(1), &to->value);
    return !body.failed;
}

/* PasswdModifyRequestValue ::= SEQUENCE {
 *     userIdentity [0] OCTET STRING OPTIONAL, oldPasswd [1] ..., newPasswd [2] ... }  (RFC 3062 section 2) */
struct bytes ldap_password_modify_user(struct cursor value)
{
    struct cursor user = cursor_of(NULL, 0);
    struct cursor sequence = ber_expect(&value, BER_SEQUENCE);
    ber_optional(&sequence, BER_CONTEXT(0), &user);
    return ber_bytes(user);
}

/* LDAPResult ::= SEQUENCE {
 *     resultCode        ENUMERATED,
 *     matchedDN         LDAPDN,
 *     diagnosticMessage LDAPString,
 *     referral          [3] Referral OPTIONAL }
 * and, in a BindResponse, serverSaslCreds [7] OCTET STRING OPTIONAL; in an ExtendedResponse, responseName
 * [10] LDAPOID OPTIONAL and responseValue [11] OCTET STRING OPTIONAL. */
bool ldap_result_read(struct cursor body, struct ldap_result *to)
{
    *to = (struct ldap_result){.code = 0};
    to->code = next_unsigned(&body, BER_ENUMERATED);
    to->matched_dn = next_octets(&body);
    to->diagnostic = next_octets(&body);
    while (!cursor_done(&body)) {
        struct ber e = ber_next(&body);
        switch (e.tag) {
        case BER_CONTEXT(7):
            to->sasl_credentials = e.value;
            to->has_sasl_credentials = true;
            break;
        case BER_CONTEXT(10):
            to->oid = ber_bytes(e.value);
            break;
        case BER_CONTEXT(11):
            to->value = ber_bytes(e.value);
            break;
        default:
            break;
        }
    }
    return !body.failed;
}

/* SearchResultEntry ::= [APPLICATION 4] SEQUENCE { objectName LDAPDN, attributes PartialAttributeList } */
struct bytes ldap_entry_name(struct cursor body)
{
    return next_octets(&body);
}

struct bytes ldap_entry_value(struct cursor body, const char *attribute)
{
    struct bytes value = {.data = NULL, .size = 0};
    struct ldap_attribute found;
    next_octets(&body);
    struct cursor list = ber_expect(&body, BER_SEQUENCE);
    while (ldap_next_attribute(&list, &found)) {
        if (bytes_equal_text(found.name, attribute)) {
            ldap_next_string(&found.values, &value);
            break;
        }
    }
    return value;
}

static uint32_t hexadecimal(struct bytes text, size_t at, size_t digits_max, size_t *digits)
{
    uint32_t number = 0;
    size_t n = 0;
    for (; n < digits_max && at + n < text.size; n++) {
        uint8_t c = text.data[at + n];
        uint32_t digit;
        if (c >= '0' && c <= '9')
            digit = c - '0';
        else if ((c | 0x20) >= 'a' && (c | 0x20) <= 'f')
            digit = (uint32_t)((c | 0x20) - 'a' + 10);
        else
            break;
        number = number << 4 | digit;
    }
    *digits = n;
    return number;
}

/* "80090308: LdapErr: DSID-0C0903A9, comment: AcceptSecurityContext error, data 52e, v1db1": the reason
 * stands after "data". Other operations put it first: "00002098: SecErr: DSID-03150E49, problem 4003
 * (INSUFF_ACCESS_RIGHTS), data 0", where the data says nothing. */
uint32_t ldap_directory_error(struct bytes diagnostic)
{
    static const char data[] = ", data ";
    size_t size = sizeof data - 1;
    size_t digits;
    for (size_t i = 0; i + size < diagnostic.size; i++) {
        if (diagnostic.data[i] != ',' || memcmp(diagnostic.data + i, data, size) != 0)
            continue;
        uint32_t error = hexadecimal(diagnostic, i + size, 8, &digits);
        if (digits > 0 && error != 0)
            return error;
        break;
    }
    uint32_t error = hexadecimal(diagnostic, 0, 8, &digits);
    bool leads = digits == 8 && diagnostic.size > 8 && diagnostic.data[8] == ':';
    return leads ? error : 0;
}

/* Control ::= SEQUENCE { controlType LDAPOID, criticality BOOLEAN DEFAULT FALSE,
 *                        controlValue OCTET STRING OPTIONAL }  (RFC 4511 4.1.11) */
bool ldap_next_control(struct cursor *controls, struct ldap_control *to)
{
    if (cursor_done(controls))
        return false;
    struct cursor critical = cursor_of(NULL, 0);
    struct cursor control = ber_expect(controls, BER_SEQUENCE);
    to->oid = next_octets(&control);
    to->value = cursor_of(NULL, 0);
    ber_optional(&control, BER_BOOLEAN, &critical);
    to->critical = cursor_u8(&critical) != 0;
    ber_optional(&control, BER_OCTET_STRING, &to->value);
    return to->oid.size > 0;
}

/* realSearchControlValue ::= SEQUENCE { size INTEGER (0..maxInt), cookie OCTET STRING } */
bool ldap_paged_read(struct cursor value, struct ldap_paged *to)
{
    struct cursor sequence = ber_expect(&value, BER_SEQUENCE);
    to->size = next_unsigned(&sequence, BER_INTEGER);
    to->cookie = next_octets(&sequence).size > 0;
    return !sequence.failed;
}

/* DirSyncRequestValue ::= SEQUENCE { Flags INTEGER, MaxBytes INTEGER, Cookie OCTET STRING }. The flags are a
 * signed 32-bit number on the wire (incremental values is bit 31). */
bool ldap_dirsync_read(struct cursor value, struct ldap_dirsync *to)
{
    struct cursor sequence = ber_expect(&value, BER_SEQUENCE);
    to->flags = (uint32_t)ber_integer(&sequence);
    ber_integer(&sequence);
    to->cookie = next_octets(&sequence).size > 0;
    return !sequence.failed;
}

bool ldap_sd_flags_read(struct cursor value, uint32_t *flags)
{
    struct cursor sequence = ber_expect(&value, BER_SEQUENCE);
    *flags = next_unsigned(&sequence, BER_INTEGER);
    return !sequence.failed;
}

/* Wrap token of RFC 4121 4.2.6.2:
 *   0  05 04      TOK_ID
 *   2  flags      1 sent by acceptor, 2 sealed, 4 acceptor subkey
 *   3  ff         filler
 *   4  EC         extra count: sealed: filler bytes; else: bytes of checksum
 *   6  RRC        right rotation count
 *   8  SND_SEQ
 *  16  sealed: cipher text; else: plain text | checksum, rotated right by RRC
 * Windows rotates by exactly the checksum, so that it stands first. A rotation that tears the plain text
 * apart is not undone: nobody sends it. */
static enum ldap_wrap wrap_cfx_read(struct bytes token, size_t total, struct bytes *plain)
{
    struct cursor c = cursor_of_bytes(token);
    cursor_skip(&c, 2);
    uint8_t flags = cursor_u8(&c);
    cursor_skip(&c, 1);
    size_t checksum = cursor_be16(&c);
    size_t rotation = cursor_be16(&c);
    cursor_skip(&c, 8);
    if (c.failed)
        return total > token.size ? LDAP_WRAP_MORE : LDAP_WRAP_UNKNOWN;
    if (flags & 2)
        return LDAP_WRAP_SEALED;
    size_t size = total - 16;
    if (checksum > size)
        return LDAP_WRAP_UNKNOWN;
    if (size > 0)
        rotation %= size;
    if (rotation != 0 && rotation != checksum)
        return LDAP_WRAP_UNKNOWN;
    cursor_skip(&c, rotation < cursor_left(&c) ? rotation : cursor_left(&c));
    size_t left = cursor_left(&c);
    *plain = cursor_take(&c, left < size - checksum ? left : size - checksum);
    return LDAP_WRAP_SIGNED;
}

/* Wrap token of RFC 1964 1.2.2 (and RFC 4757 7.3): 60 length 06 09 OID, then
 *   0  02 01     TOK_ID
 *   2  SGN_ALG
 *   4  SEAL_ALG  ff ff: not sealed
 *   6  ff ff
 *   8  SND_SEQ   8 bytes
 *  16  SGN_CKSUM 8 bytes (DES3: 20)
 *  24  data: confounder of 8 bytes, then the text with its padding */
static enum ldap_wrap wrap_rc4_read(struct bytes token, size_t total, struct bytes *plain)
{
    static const uint8_t kerberos[] = {0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x12, 0x01, 0x02, 0x02};
    struct cursor c = cursor_of_bytes(token);
    cursor_skip(&c, 1);
    ber_length(&c); /* of the token alone or with its data: both are seen */
    bool is_kerberos = cursor_match(&c, kerberos, sizeof kerberos);
    uint16_t id = cursor_be16(&c);
    uint16_t signature = cursor_be16(&c);
    uint16_t sealing = cursor_be16(&c);
    cursor_skip(&c, 2 + 8);
    cursor_skip(&c, signature == 0x0400 ? 20 : 8);
    cursor_skip(&c, 8);
    if (c.failed)
        return total > token.size ? LDAP_WRAP_MORE : LDAP_WRAP_UNKNOWN;
    if (!is_kerberos || id != 0x0201)
        return LDAP_WRAP_UNKNOWN;
    if (sealing != 0xffff)
        return LDAP_WRAP_SEALED;
    *plain = cursor_take(&c, cursor_left(&c));
    return LDAP_WRAP_SIGNED;
}

/* NTLM ([MS-NLMP] 2.2.2.9): 01 00 00 00, checksum and sequence number: 16 bytes, then the message. */
static enum ldap_wrap wrap_ntlm_read(struct bytes token, size_t total, struct bytes *plain)
{
    if (total < 16)
        return LDAP_WRAP_UNKNOWN;
    if (token.size < 16)
        return LDAP_WRAP_MORE;
    *plain = (struct bytes){.data = token.data + 16, .size = token.size - 16};
    return LDAP_WRAP_NTLM;
}

enum ldap_wrap ldap_wrap_read(struct bytes token, size_t total, struct bytes *plain)
{
    static const uint8_t cfx[] = {0x05, 0x04};
    static const uint8_t ntlm[] = {0x01, 0x00, 0x00, 0x00};
    *plain = (struct bytes){.data = token.data, .size = 0};
    if (token.size < 4)
        return total > token.size ? LDAP_WRAP_MORE : LDAP_WRAP_UNKNOWN;
    if (memcmp(token.data, cfx, sizeof cfx) == 0)
        return wrap_cfx_read(token, total, plain);
    if (memcmp(token.data, ntlm, sizeof ntlm) == 0)
        return wrap_ntlm_read(token, total, plain);
    if (token.data[0] == BER_APPLICATION(0))
        return wrap_rc4_read(token, total, plain);
    return LDAP_WRAP_UNKNOWN;
}

/* -- netlogon ------------------------------------------------------------------------------------- */

static uint32_t little_endian(struct bytes value)
{
    struct cursor c = cursor_of_bytes(value);
    return value.size == 4 ? cursor_le32(&c) : 0;
}

static void ping_component(struct cldap_ping *to, struct bytes name, struct bytes value)
{
    if (bytes_equal_text(name, "DnsDomain")) {
        to->domain = value;
    } else if (bytes_equal_text(name, "Host")) {
        to->host = value;
    } else if (bytes_equal_text(name, "DnsHostName")) {
        to->dns_host = value;
    } else if (bytes_equal_text(name, "User")) {
        to->user = value;
    } else if (bytes_equal_text(name, "DomainSid")) {
        to->domain_sid = value;
    } else if (bytes_equal_text(name, "DomainGuid")) {
        if (value.size == 16)
            to->domain_guid = value;
    } else if (bytes_equal_text(name, "NtVer")) {
        to->has_nt_version = true;
        to->nt_version = little_endian(value);
    } else if (bytes_equal_text(name, "AAC")) {
        to->has_account_control = true;
        to->account_control = little_endian(value);
    }
}

/* [MS-ADTS] 6.3.3.2: the filter is an `and` of equality matches; NtVer is always among them. */
bool cldap_ping_read(struct cursor filter, struct cldap_ping *to)
{
    *to = (struct cldap_ping){.nt_version = 0};
    struct ber top = ber_next(&filter);
    struct cursor parts = top.tag == BER_CONTEXT_CONS(0) ? top.value : cursor_of(NULL, 0);
    while (!cursor_done(&parts)) {
        struct ber part = ber_next(&parts);
        if (part.tag != BER_CONTEXT_CONS(3))
            continue;
        struct bytes name = next_octets(&part.value);
        struct bytes value = next_octets(&part.value);
        if (!part.value.failed)
            ping_component(to, name, value);
    }
    return to->has_nt_version;
}

/* A name in the form of RFC 1035 4.1.4, compressed against the start of `whole`, as text with dots. Each jump
 * must go to before the label that it stands in, so that no loop is possible; what is longer than the room is
 * damage, as a name has 255 bytes at most. */
static void read_name(struct cursor *c, struct bytes whole, char to[NETLOGON_NAME_MAX])
{
    struct cursor from = *c;
    size_t size = 0;
    size_t bound = (size_t)(c->at - whole.data);
    bool jumped = false;
    to[0] = '\0';
    for (;;) {
        uint8_t length = cursor_u8(&from);
        if (from.failed || (length > 63 && length < 0xc0)) {
            cursor_fail(c);
            return;
        }
        if (length >= 0xc0) {
            size_t target = (size_t)(length & 0x3f) << 8 | cursor_u8(&from);
            if (!jumped)
                *c = from;
            if (from.failed || target >= bound) {
                cursor_fail(c);
                return;
            }
            jumped = true;
            bound = target;
            from = cursor_of(whole.data + target, whole.size - target);
            continue;
        }
        if (length == 0)
            break;
        struct bytes label = cursor_take(&from, length);
        if (from.failed || size + label.size + 2 > NETLOGON_NAME_MAX) {
            to[0] = '\0';
            cursor_fail(c);
            return;
        }
        if (size > 0)
            to[size++] = '.';
        memcpy(to + size, label.data, label.size);
        size += label.size;
        to[size] = '\0';
    }
    if (!jumped)
        *c = from;
}

/* A zero-terminated UTF-16LE string, without its zero. */
static struct bytes read_utf16(struct cursor *c)
{
    struct bytes text = {.data = c->at, .size = 0};
    while (cursor_left(c) >= 2) {
        if (cursor_le16(c) == 0)
            return text;
        text.size += 2;
    }
    cursor_fail(c);
    return text;
}

/* NETLOGON_SAM_LOGON_RESPONSE_EX, [MS-ADTS] 6.3.1.9:
 *   u16 opcode (23 found, 24 paused, 25 user unknown), u16 zero, u32 flags, GUID of the domain, then
 *   compressed: forest, domain, host, NetBIOS domain, NetBIOS name, user, site, client's site;
 *   when asked for: u8 size and sockaddr_in of the server, next closest site; u32 NtVersion, ff ff, ff ff */
static void response_ex_read(struct cursor *c, struct bytes whole, struct netlogon_response *to)
{
    cursor_skip(c, 2);
    to->flags = cursor_le32(c);
    to->has_flags = !c->failed;
    cursor_copy(c, to->domain_guid, sizeof to->domain_guid);
    to->has_domain_guid = !c->failed;
    char *const names[] = {to->forest,       to->domain, to->host, to->netbios_domain,
                           to->netbios_name, to->user,   to->site, to->client_site};
    for (size_t i = 0; i < sizeof names / sizeof names[0] && !c->failed; i++)
        read_name(c, whole, names[i]);
    /* NETLOGON_NT_VERSION_5EX_WITH_IP, told by what stands there: a size of 16, family AF_INET, port, address
     */
    static const uint8_t sockaddr[] = {0x10, 0x02, 0x00};
    if (!c->failed && cursor_match(c, sockaddr, sizeof sockaddr)) {
        cursor_skip(c, 2);
        cursor_copy(c, to->address, sizeof to->address);
    }
}

/* NETLOGON_SAM_LOGON_RESPONSE, [MS-ADTS] 6.3.1.8, and the older 6.3.1.7, which ends after the three strings:
 *   u16 opcode (19, 20, 21), UTF-16 with zero: \\server, user, domain; GUID of the domain, zero GUID,
 *   compressed: forest, domain, host; u32 IPv4 address, u32 flags; u32 NtVersion, ff ff, ff ff */
static void response_read(struct cursor *c, struct bytes whole, struct netlogon_response *to)
{
    to->unicode_host = read_utf16(c);
    to->unicode_user = read_utf16(c);
    to->unicode_domain = read_utf16(c);
    if (c->failed || cursor_left(c) <= 8)
        return;
    cursor_copy(c, to->domain_guid, sizeof to->domain_guid);
    to->has_domain_guid = !c->failed;
    cursor_skip(c, 16);
    char *const names[] = {to->forest, to->domain, to->host};
    for (size_t i = 0; i < sizeof names / sizeof names[0] && !c->failed; i++)
        read_name(c, whole, names[i]);
    uint32_t address = cursor_be32(c);
    to->flags = cursor_le32(c);
    to->has_flags = !c->failed;
    for (unsigned i = 0; i < 4 && !c->failed; i++)
        to->address[i] = (uint8_t)(address >> (24 - 8 * i));
}

bool netlogon_response_read(struct bytes value, struct netlogon_response *to)
{
    struct cursor c = cursor_of_bytes(value);
    to->opcode = cursor_le16(&c);
    to->flags = 0;
    to->has_flags = false;
    to->has_domain_guid = false;
    memset(to->address, 0, sizeof to->address);
    to->unicode_host = to->unicode_user = to->unicode_domain = (struct bytes){.data = NULL, .size = 0};
    char *const names[] = {to->forest,       to->domain, to->host, to->netbios_domain,
                           to->netbios_name, to->user,   to->site, to->client_site};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        names[i][0] = '\0';
    if (to->opcode >= 23 && to->opcode <= 25)
        response_ex_read(&c, value, to);
    else if (to->opcode >= 19 && to->opcode <= 21)
        response_read(&c, value, to);
    else
        return false;
    return !c.failed;
}
