/* SPDX-License-Identifier: Apache-2.0 */
#include "capture/ntlmssp.h"

/* Len 2, MaxLen 2, BufferOffset 4 ([MS-NLMP] 2.2.1.1): a run of the payload, offset from the message's start.
 */
struct field {
    uint16_t length;
    uint32_t offset;
};

static struct field read_field(struct cursor *c)
{
    struct field f;
    f.length = cursor_le16(c);
    cursor_le16(c);
    f.offset = cursor_le32(c);
    return f;
}

static struct bytes payload(struct bytes message, struct field f, struct ntlm_message *to)
{
    if (f.length == 0)
        return (struct bytes){.data = NULL, .size = 0};
    if (f.offset > message.size || f.length > message.size - f.offset) {
        to->cut = true;
        return (struct bytes){.data = NULL, .size = 0};
    }
    return (struct bytes){.data = message.data + f.offset, .size = f.length};
}

static bool all_zero(struct bytes b)
{
    for (size_t i = 0; i < b.size; i++)
        if (b.data[i])
            return false;
    return true;
}

/* FILETIME ([MS-DTYP] 2.3.3): 100 ns since 1601 -> ns since 1970; 0 for what 64 bits of ns can't say. */
static int64_t filetime(uint64_t ticks)
{
    const uint64_t epoch = 116444736000000000u;
    if (ticks <= epoch || (ticks - epoch) > (uint64_t)INT64_MAX / 100)
        return 0;
    return (int64_t)(ticks - epoch) * 100;
}

/* VERSION: major 1, minor 1, build 2, reserved 3, revision 1 (15 for NTLMSSP_REVISION_W2K3). */
static void read_version(struct cursor *c, struct ntlm_message *to)
{
    if (cursor_left(c) < 8)
        return;
    struct bytes version = cursor_take(c, 8);
    if ((to->flags & NTLM_FLAG_VERSION) && !all_zero(version))
        to->version = version;
}

/* NEGOTIATE_MESSAGE ([MS-NLMP] 2.2.1.1): Signature 8, MessageType 4, NegotiateFlags 4, DomainNameFields 8,
 * WorkstationFields 8, Version 8. Its names are in the OEM code page whatever the flags. */
static void read_negotiate(struct bytes message, struct cursor *c, struct ntlm_message *to)
{
    to->has_flags = cursor_left(c) >= 4;
    to->flags = cursor_le32(c);
    to->domain = payload(message, read_field(c), to);
    to->workstation = payload(message, read_field(c), to);
    read_version(c, to);
}

/* CHALLENGE_MESSAGE (2.2.1.2): Signature 8, MessageType 4, TargetNameFields 8, NegotiateFlags 4,
 * ServerChallenge 8, Reserved 8, TargetInfoFields 8, Version 8. */
static void read_challenge(struct bytes message, struct cursor *c, struct ntlm_message *to)
{
    struct field target = read_field(c);
    to->has_flags = cursor_left(c) >= 4;
    to->flags = cursor_le32(c);
    to->unicode = to->flags & NTLM_FLAG_UNICODE;
    to->server_challenge = cursor_take(c, 8);
    cursor_skip(c, 8);
    struct field info = read_field(c);
    to->target = payload(message, target, to);
    to->target_info = payload(message, info, to);
    read_version(c, to);
}

/* NTLMv2_RESPONSE (2.2.2.8): NTProofStr 16, then NTLMv2_CLIENT_CHALLENGE (2.2.2.7): RespType 1, HiRespType 1,
 * Reserved 6, TimeStamp 8, ChallengeFromClient 8, Reserved 4, AvPairs. */
static void read_ntlmv2(struct ntlm_message *to)
{
    if (!to->nt_response.size) /* beyond the end of what is there */
        return;
    struct cursor c = cursor_of_bytes(to->nt_response);
    cursor_skip(&c, 16 + 8);
    to->client_time = filetime(cursor_le64(&c));
    to->client_challenge = cursor_take(&c, 8);
    cursor_skip(&c, 4);
    to->target_info = cursor_take(&c, cursor_left(&c));
}

/* NTLMv1 with a client challenge has it in the LM response: 8 bytes and 16 zeros (3.3.1). */
static bool lm_is_client_challenge(struct bytes lm)
{
    return lm.size == 24 && all_zero((struct bytes){.data = lm.data + 8, .size = 16});
}

static void judge_response(struct ntlm_message *to)
{
    if (to->nt_length > 24) {
        to->variant = NTLM_VARIANT_NTLMV2;
        read_ntlmv2(to);
    } else if (to->nt_length == 24 && lm_is_client_challenge(to->lm_response) &&
               (to->flags & NTLM_FLAG_ESS)) {
        to->variant = NTLM_VARIANT_NTLMV1_ESS;
        to->client_challenge = (struct bytes){.data = to->lm_response.data, .size = 8};
    } else if (to->nt_length) {
        to->variant = NTLM_VARIANT_NTLMV1;
    } else {
        to->variant = to->lm_length > 1 ? NTLM_VARIANT_LM : NTLM_VARIANT_ANONYMOUS;
    }
}

/* AUTHENTICATE_MESSAGE (2.2.1.3): Signature 8, MessageType 4, LmChallengeResponseFields 8,
 * NtChallengeResponseFields 8, DomainNameFields 8, UserNameFields 8, WorkstationFields 8,
 * EncryptedRandomSessionKeyFields 8, NegotiateFlags 4, Version 8, MIC 16. Where the payload begins tells
 * which of the last four are there: old clients leave them out (2.2.1.3, notes <10> and <11>). */
static void read_authenticate(struct bytes message, struct cursor *c, uint32_t flags, struct ntlm_message *to)
{
    enum { LM, NT, DOMAIN, USER, WORKSTATION, SESSION_KEY, FIELDS };
    struct field f[FIELDS] = {0};
    size_t header = message.size;
    for (int i = LM; i <= WORKSTATION; i++) {
        f[i] = read_field(c);
        if (f[i].length && f[i].offset < header)
            header = f[i].offset;
    }
    to->flags = flags;
    if (header >= 64) {
        f[SESSION_KEY] = read_field(c);
        if (f[SESSION_KEY].length && f[SESSION_KEY].offset < header)
            header = f[SESSION_KEY].offset;
        to->has_flags = cursor_left(c) >= 4;
        if (to->has_flags)
            to->flags = cursor_le32(c);
    }
    to->unicode = to->flags & NTLM_FLAG_UNICODE;
    if (header >= 72)
        read_version(c, to);
    if (header >= 88 && message.size >= 88)
        to->mic = !all_zero((struct bytes){.data = message.data + 72, .size = 16});
    to->lm_length = f[LM].length;
    to->nt_length = f[NT].length;
    to->domain = payload(message, f[DOMAIN], to);
    to->user = payload(message, f[USER], to);
    to->workstation = payload(message, f[WORKSTATION], to);
    to->lm_response = payload(message, f[LM], to);
    to->nt_response = payload(message, f[NT], to);
    bool cut = to->cut; /* a message that lacks no more than this one tells all it has to tell */
    to->session_key = payload(message, f[SESSION_KEY], to);
    to->cut = cut;
    judge_response(to);
}

bool ntlm_parse(struct cursor c, uint32_t flags, struct ntlm_message *to)
{
    struct bytes message = {.data = c.at, .size = cursor_left(&c)};
    if (!cursor_match(&c, "NTLMSSP", 8))
        return false;
    uint32_t type = cursor_le32(&c);
    if (type < NTLM_NEGOTIATE || type > NTLM_AUTHENTICATE)
        return false;
    memset(to, 0, sizeof *to);
    to->type = (uint8_t)type;
    if (type == NTLM_NEGOTIATE)
        read_negotiate(message, &c, to);
    else if (type == NTLM_CHALLENGE)
        read_challenge(message, &c, to);
    else
        read_authenticate(message, &c, flags, to);
    return true;
}

/* AV_PAIR (2.2.2.1): AvId 2, AvLen 2, Value; MsvAvEOL (0) ends the list. */
void ntlm_read_target_info(struct bytes info, struct ntlm_target_info *to)
{
    memset(to, 0, sizeof *to);
    struct cursor c = cursor_of_bytes(info);
    while (cursor_left(&c) >= 4) {
        uint16_t id = cursor_le16(&c);
        struct cursor value = cursor_sub(&c, cursor_le16(&c));
        if (id == 0 || c.failed)
            return;
        struct bytes bytes = {.data = value.at, .size = cursor_left(&value)};
        switch (id) {
        case 1: /* MsvAvNbComputerName */
            to->nb_computer = bytes;
            break;
        case 2: /* MsvAvNbDomainName */
            to->nb_domain = bytes;
            break;
        case 3: /* MsvAvDnsComputerName */
            to->dns_computer = bytes;
            break;
        case 4: /* MsvAvDnsDomainName */
            to->dns_domain = bytes;
            break;
        case 5: /* MsvAvDnsTreeName */
            to->dns_forest = bytes;
            break;
        case 6: /* MsvAvFlags */
            to->has_flags = bytes.size >= 4;
            to->flags = cursor_le32(&value);
            break;
        case 7: /* MsvAvTimestamp */
            to->time = filetime(cursor_le64(&value));
            break;
        case 8: /* MsvAvSingleHost (2.2.2.2): Size 4, Z4 4, CustomData 8, MachineID 32 */
            cursor_skip(&value, 16);
            to->machine = cursor_take(&value, 32);
            break;
        case 9: /* MsvAvTargetName */
            to->target_spn = bytes;
            break;
        case 10: /* MsvAvChannelBindings */
            to->channel_bindings = bytes;
            break;
        default:
            break;
        }
    }
}

const char *ntlm_variant_name(enum ntlm_variant variant)
{
    static const char *const names[] = {
        [NTLM_VARIANT_ANONYMOUS] = "anonymous", [NTLM_VARIANT_LM] = "lm",
        [NTLM_VARIANT_NTLMV1] = "ntlmv1",       [NTLM_VARIANT_NTLMV1_ESS] = "ntlmv1_ess",
        [NTLM_VARIANT_NTLMV2] = "ntlmv2",
    };
    return names[variant];
}
