/* SPDX-License-Identifier: Apache-2.0 */
#include "center/detectors/directory.h"

static const enum activity_kind kinds[] = {ACTIVITY_SERVICE_INSTALL, ACTIVITY_SERVICE_CONTROL, ACTIVITY_NONE};

enum { SETTING_SCORE };
static const struct detector_setting settings[] = {
    {"score", "", 5, 4, 2, 1, 20,
     "How much must speak against a service: a shell or a script host as its command 4; the name of a known "
     "tool 4; hidden or encoded commands 2; a file in the Windows folder itself, in a temporary or a user's "
     "folder or on a share 2; a name that looks thrown 2."},
    {0},
};

static const char *const shells[] = {"cmd.exe",  "%comspec%", "powershell", "pwsh.exe",       "mshta",
                                     "wscript",  "cscript",   "rundll32",   "regsvr32",       "bash.exe",
                                     "certutil", "bitsadmin", "msbuild",    "installutil.exe"};
static const char *const tools[] = {"psexesvc",    "remcomsvc", "paexec",       "mimidrv",  "mimikatz",
                                    "winexesvc",   "csexecsvc", "wceservice",   "gsecdump", "btobto",
                                    "meterpreter", "smbexec",   "cobaltstrike", "procdump", "rtcore64",
                                    "gmer",        "pwdump",    "cachedump"};
static const char *const hidden[] = {"-enc", "-e ", "hidden", "-nop",     "frombase64", "downloadstring",
                                     "iex",  "^>",  "2>&1",   "__output", "&1 >",       "echo "};
static const char *const places[] = {"\\temp\\",    "\\tmp\\",   "\\users\\",       "\\programdata\\",
                                     "\\appdata\\", "admin$",    "\\\\127.0.0.1\\", "\\perflogs\\",
                                     "\\recycle",   "\\public\\"};

static unsigned any_of(struct bytes text, const char *const *words, size_t count, unsigned score)
{
    for (size_t i = 0; i < count; i++)
        if (text_has(text, words[i]))
            return score;
    return 0;
}
#define ANY_OF(text, words, score) any_of(text, words, sizeof(words) / sizeof(*(words)), score)

static bool is_letter(uint8_t c)
{
    return (c | 0x20) >= 'a' && (c | 0x20) <= 'z';
}

static bool is_vowel(uint8_t c)
{
    c |= 0x20;
    return c == 'a' || c == 'e' || c == 'i' || c == 'o' || c == 'u' || c == 'y';
}

/* Letters only, and upper case where no word begins ("iOWamcEn"), or no vowel, or five consonants in a row.
 */
static bool looks_thrown(struct bytes name)
{
    unsigned turns = 0, consonants = 0, most = 0, vowels = 0;
    if (name.size < 4 || name.size > 24)
        return false;
    for (size_t i = 0; i < name.size; i++) {
        uint8_t c = name.data[i];
        if (!is_letter(c))
            return false;
        consonants = is_vowel(c) ? 0 : consonants + 1;
        most = consonants > most ? consonants : most;
        vowels += is_vowel(c);
        turns += i && (name.data[i - 1] & 0x20) && !(c & 0x20);
    }
    return vowels == 0 || most >= 5 || (name.size <= 16 && turns * 4 >= name.size);
}

/* An executable that lies in the Windows folder itself, where no vendor puts one. */
static bool lies_in_windows(struct bytes command)
{
    static const char *const roots[] = {"%systemroot%\\", "c:\\windows\\", "\\systemroot\\", "%windir%\\"};
    for (unsigned i = 0; i < sizeof(roots) / sizeof(*roots); i++) {
        size_t size = __builtin_strlen(roots[i]);
        if (!text_begins(command, roots[i]))
            continue;
        struct bytes rest = {command.data + size, command.size - size};
        return !text_has(rest, "\\") && text_ends(rest, ".exe");
    }
    return false;
}

static unsigned score_of(const struct observation *o)
{
    struct bytes name = observation_text(o, FIELD_SERVICE_NAME),
                 command = observation_text(o, FIELD_SERVICE_BINARY);
    unsigned tool = ANY_OF(name, tools, 4);
    return ANY_OF(command, shells, 4) + (tool ? tool : ANY_OF(command, tools, 4)) +
           ANY_OF(command, hidden, 2) + (lies_in_windows(command) ? 2 : ANY_OF(command, places, 2)) +
           (looks_thrown(name) ? 2 : 0);
}

static struct subject key(const struct detection *d, const struct observation *o)
{
    uint64_t opnum = observation_uint(o, FIELD_RPC_OPNUM, 0);
    if (o->kind == ACTIVITY_SERVICE_CONTROL && opnum != 12 && opnum != 24 && opnum != 44 && opnum != 45)
        return (struct subject){0}; /* only creation: [MS-SCMR] 3.1.4 */
    /* Of an event the computer that logged it; the account of 7045 is often not told. */
    if (o->source_address.family == 0)
        return subject_of_name(detection_seed(d), SUBJECT_COMPUTER, observation_text(o, FIELD_EVENT_COMPUTER),
                               (struct bytes){0});
    return o->destination.subject;
}

static void observe(struct detection *d, const struct observation *o)
{
    unsigned score = score_of(o);
    if (score < detection_setting(d, SETTING_SCORE))
        return;
    struct words service, command;
    struct alert *alert = detection_alert(d, o, detection_key(d));
    explain_who(alert, o, "created a service that looks malicious");
    alert_explain(alert, "Its name is %s, it runs %s.",
                  words_text(&service, observation_text(o, FIELD_SERVICE_NAME), 60),
                  words_text(&command, observation_text(o, FIELD_SERVICE_BINARY), 200));
    alert_put_compared(alert, "score", score, settings[SETTING_SCORE].name,
                       detection_setting(d, SETTING_SCORE));
    alert_put_text(alert, "service", observation_text(o, FIELD_SERVICE_NAME));
    alert_put_text(alert, "command", observation_text(o, FIELD_SERVICE_BINARY));
    alert_add_named(alert, ALERT_RESOURCE, SUBJECT_OBJECT, observation_text(o, FIELD_SERVICE_NAME),
                    (struct bytes){0});
    explain_end(alert, o);
    detection_raise(d);
}

const struct detector detector_suspicious_service = {
    .external_id = 2026,
    .name = "MaliciousServiceCreationSecurityAlert",
    .title = "Suspicious service creation",
    .word = "suspicious_service",
    .severity = SEVERITY_MEDIUM,
    .mitre = "T1543.003",
    .doc = "A service is installed (events 7045 and 4697, or RCreateService of [MS-SCMR] on the wire) whose "
           "name and command speak against it: points for a shell or script host, a known tool's name, "
           "hidden or encoded commands, a file in the Windows folder itself or a temporary one or on a "
           "share, a name that looks thrown (few vowels, five consonants in a row, upper case inside). Words "
           "after the Sigma rules of service installation and the tools themselves. Where the call is sealed "
           "its command is not seen; 2019 still tells the creation.",
    .advice = "Look at the file on the computer; if nobody installed it on purpose, take the computer off "
              "the network. Exclude software distribution that works so.",
    .settings = settings,
    .kinds = kinds,
    .key = key,
    .observe = observe,
};
