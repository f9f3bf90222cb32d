/* SPDX-License-Identifier: Apache-2.0
 *
 * The rendered message of an event: labels and values, in the language of the computer that logged it. Its
 * labels are known in English ("Section:Label"); in other languages its values are known by their order, as
 * long as lines are still lines.
 *
 * Labels and their order are those of Microsoft's descriptions of the events ("Appendix L: Events to
 * Monitor" and the pages of the advanced security audit policy).
 */
#include "events/siem_format.h"

#include <ctype.h>

#define LABELS_MAX       40u
#define EXPENSIVE_SEARCH 1644u

struct label {
    const char *label; /* "Section:Label", or "Label" of those before any section */
    const char *field; /* NULL: a value that is passed over (rendered in words) */
};

#define SUBJECT                                                                                              \
    {"Subject:Security ID", "SubjectUserSid"}, {"Subject:Account Name", "SubjectUserName"},                  \
        {"Subject:Account Domain", "SubjectDomainName"},                                                     \
    {                                                                                                        \
        "Subject:Logon ID", "SubjectLogonId"                                                                 \
    }
#define PRIVILEGES                                                                                           \
    {                                                                                                        \
        "Additional Information:Privileges", "PrivilegeList"                                                 \
    }
#define ACCOUNT(section)                                                                                     \
    {section ":Security ID", "TargetSid"}, {section ":Account Name", "TargetUserName"},                      \
    {                                                                                                        \
        section ":Account Domain", "TargetDomainName"                                                        \
    }
#define GROUP(section)                                                                                       \
    {section ":Security ID", "TargetSid"}, {section ":Group Name", "TargetUserName"},                        \
    {                                                                                                        \
        section ":Group Domain", "TargetDomainName"                                                          \
    }
#define MEMBER                                                                                               \
    {"Member:Security ID", "MemberSid"},                                                                     \
    {                                                                                                        \
        "Member:Account Name", "MemberName"                                                                  \
    }
#define NETWORK                                                                                              \
    {"Network Information:Client Address", "IpAddress"},                                                     \
    {                                                                                                        \
        "Network Information:Client Port", "IpPort"                                                          \
    }
/* The rendered control flags are lines without labels. */
#define ATTRIBUTES(section)                                                                                  \
    {section ":SAM Account Name", "SamAccountName"}, {section ":Display Name", "DisplayName"},               \
        {section ":User Principal Name", "UserPrincipalName"}, {section ":Home Directory", "HomeDirectory"}, \
        {section ":Home Drive", "HomePath"}, {section ":Script Path", "ScriptPath"},                         \
        {section ":Profile Path", "ProfilePath"}, {section ":User Workstations", "UserWorkstations"},        \
        {section ":Password Last Set", "PasswordLastSet"}, {section ":Account Expires", "AccountExpires"},   \
        {section ":Primary Group ID", "PrimaryGroupId"},                                                     \
        {section ":Allowed To Delegate To", "AllowedToDelegateTo"},                                          \
        {section ":Old UAC Value", "OldUacValue"}, {section ":New UAC Value", "NewUacValue"},                \
        {section ":User Account Control", NULL}, {section ":User Parameters", "UserParameters"},             \
        {section ":SID History", "SidHistory"},                                                              \
    {                                                                                                        \
        section ":Logon Hours", NULL                                                                         \
    }
#define COMPUTER_NAMES(section)                                                                              \
    {section ":DNS Host Name", "DnsHostName"},                                                               \
    {                                                                                                        \
        section ":Service Principal Names", "ServicePrincipalNames"                                          \
    }
#define DETAILS                                                                                              \
    {"Network Information:Workstation Name", "WorkstationName"},                                             \
        {"Network Information:Source Network Address", "IpAddress"},                                         \
        {"Network Information:Source Port", "IpPort"},                                                       \
        {"Detailed Authentication Information:Logon Process", "LogonProcessName"},                           \
        {"Detailed Authentication Information:Authentication Package", "AuthenticationPackageName"},         \
        {"Detailed Authentication Information:Transited Services", "TransmittedServices"},                   \
        {"Detailed Authentication Information:Package Name (NTLM only)", "LmPackageName"},                   \
    {                                                                                                        \
        "Detailed Authentication Information:Key Length", "KeyLength"                                        \
    }
#define CERTIFICATE                                                                                          \
    {"Certificate Information:Certificate Issuer Name", "CertIssuerName"},                                   \
        {"Certificate Information:Certificate Serial Number", "CertSerialNumber"},                           \
    {                                                                                                        \
        "Certificate Information:Certificate Thumbprint", "CertThumbprint"                                   \
    }
#define DIRECTORY                                                                                            \
    SUBJECT, {"Directory Service:Name", "DSName"},                                                           \
    {                                                                                                        \
        "Directory Service:Type", "DSType"                                                                   \
    }
#define REQUEST                                                                                              \
    {"Request ID", "RequestId"}, {"Requester", "Requester"},                                                 \
    {                                                                                                        \
        "Attributes", "Attributes"                                                                           \
    }

static const struct rendered {
    uint32_t ids[16]; /* that are rendered so; 0 ends them */
    struct label labels[LABELS_MAX];
} table[] = {
    {{4776},
     {{"Authentication Package", "PackageName"},
      {"Logon Account", "TargetUserName"},
      {"Source Workstation", "Workstation"},
      {"Error Code", "Status"}}},
    {{8004},
     {{"Secure Channel name", "SChannelName"},
      {"User name", "UserName"},
      {"Domain name", "DomainName"},
      {"Workstation name", "WorkstationName"},
      {"Secure Channel type", "SChannelType"}}},
    {{7045},
     {{"Service Name", "ServiceName"},
      {"Service File Name", "ImagePath"},
      {"Service Type", NULL},
      {"Service Start Type", "StartType"},
      {"Service Account", "AccountName"}}},
    {{4697},
     {SUBJECT,
      {"Service Information:Service Name", "ServiceName"},
      {"Service Information:Service File Name", "ServiceFileName"},
      {"Service Information:Service Type", "ServiceType"},
      {"Service Information:Service Start Type", "ServiceStartType"},
      {"Service Information:Service Account", "ServiceAccount"}}},
    {{4728, 4729, 4732, 4733, 4746, 4747, 4751, 4752, 4756, 4757, 4761, 4762},
     {SUBJECT, MEMBER, GROUP("Group"), PRIVILEGES}},
    {{4730, 4734, 4748, 4753, 4758, 4763}, {SUBJECT, GROUP("Deleted Group"), PRIVILEGES}},
    {{4727, 4731, 4744, 4749, 4754, 4759},
     {SUBJECT, GROUP("New Group"), {"Attributes:SAM Account Name", "SamAccountName"}, PRIVILEGES}},
    {{4722, 4723, 4724, 4725, 4726, 4767}, {SUBJECT, ACCOUNT("Target Account"), PRIVILEGES}},
    {{4740},
     {SUBJECT,
      {"Account That Was Locked Out:Security ID", "TargetSid"},
      {"Account That Was Locked Out:Account Name", "TargetUserName"},
      {"Additional Information:Caller Computer Name", "TargetDomainName"}}},
    {{4781},
     {SUBJECT,
      {"Target Account:Security ID", "TargetSid"},
      {"Target Account:Account Domain", "TargetDomainName"},
      {"Target Account:Old Account Name", "OldTargetUserName"},
      {"Target Account:New Account Name", "NewTargetUserName"},
      PRIVILEGES}},
    {{4720}, {SUBJECT, ACCOUNT("New Account"), ATTRIBUTES("Attributes"), PRIVILEGES}},
    {{4738}, {SUBJECT, ACCOUNT("Target Account"), ATTRIBUTES("Changed Attributes"), PRIVILEGES}},
    {{4741},
     {SUBJECT, ACCOUNT("New Computer Account"), ATTRIBUTES("Attributes"), COMPUTER_NAMES("Attributes"),
      PRIVILEGES}},
    {{4742},
     {SUBJECT, ACCOUNT("Computer Account That Was Changed"), ATTRIBUTES("Changed Attributes"),
      COMPUTER_NAMES("Changed Attributes"), PRIVILEGES}},
    {{4743}, {SUBJECT, ACCOUNT("Target Computer"), PRIVILEGES}},
    {{4624},
     {SUBJECT,
      {"Logon Information:Logon Type", "LogonType"},
      {"Logon Information:Restricted Admin Mode", NULL},
      {"Logon Information:Virtual Account", NULL},
      {"Logon Information:Elevated Token", NULL},
      {"Impersonation Level", NULL},
      {"New Logon:Security ID", "TargetUserSid"},
      {"New Logon:Account Name", "TargetUserName"},
      {"New Logon:Account Domain", "TargetDomainName"},
      {"New Logon:Logon ID", "TargetLogonId"},
      {"New Logon:Linked Logon ID", "TargetLinkedLogonId"},
      {"New Logon:Network Account Name", "TargetOutboundUserName"},
      {"New Logon:Network Account Domain", "TargetOutboundDomainName"},
      {"New Logon:Logon GUID", "LogonGuid"},
      {"Process Information:Process ID", "ProcessId"},
      {"Process Information:Process Name", "ProcessName"},
      DETAILS,
      {"Logon Type", "LogonType"}}}, /* before Windows 10 */
    {{4625},
     {SUBJECT,
      {"Logon Type", "LogonType"},
      {"Account For Which Logon Failed:Security ID", "TargetUserSid"},
      {"Account For Which Logon Failed:Account Name", "TargetUserName"},
      {"Account For Which Logon Failed:Account Domain", "TargetDomainName"},
      {"Failure Information:Failure Reason", NULL},
      {"Failure Information:Status", "Status"},
      {"Failure Information:Sub Status", "SubStatus"},
      {"Process Information:Caller Process ID", "ProcessId"},
      {"Process Information:Caller Process Name", "ProcessName"},
      DETAILS}},
    {{4768},
     {{"Account Information:Account Name", "TargetUserName"},
      {"Account Information:Supplied Realm Name", "TargetDomainName"},
      {"Account Information:User ID", "TargetSid"},
      {"Service Information:Service Name", "ServiceName"},
      {"Service Information:Service ID", "ServiceSid"},
      NETWORK,
      {"Additional Information:Ticket Options", "TicketOptions"},
      {"Additional Information:Result Code", "Status"},
      {"Additional Information:Ticket Encryption Type", "TicketEncryptionType"},
      {"Additional Information:Pre-Authentication Type", "PreAuthType"},
      CERTIFICATE}},
    {{4769},
     {{"Account Information:Account Name", "TargetUserName"},
      {"Account Information:Account Domain", "TargetDomainName"},
      {"Account Information:Logon GUID", "LogonGuid"},
      {"Service Information:Service Name", "ServiceName"},
      {"Service Information:Service ID", "ServiceSid"},
      NETWORK,
      {"Additional Information:Ticket Options", "TicketOptions"},
      {"Additional Information:Ticket Encryption Type", "TicketEncryptionType"},
      {"Additional Information:Failure Code", "Status"},
      {"Additional Information:Transited Services", "TransmittedServices"}}},
    {{4770},
     {{"Account Information:Account Name", "TargetUserName"},
      {"Account Information:Account Domain", "TargetDomainName"},
      {"Service Information:Service Name", "ServiceName"},
      {"Service Information:Service ID", "ServiceSid"},
      NETWORK,
      {"Additional Information:Ticket Options", "TicketOptions"},
      {"Additional Information:Ticket Encryption Type", "TicketEncryptionType"}}},
    {{4771},
     {{"Account Information:Security ID", "TargetSid"},
      {"Account Information:Account Name", "TargetUserName"},
      {"Service Information:Service Name", "ServiceName"},
      NETWORK,
      {"Additional Information:Ticket Options", "TicketOptions"},
      {"Additional Information:Failure Code", "Status"},
      {"Additional Information:Pre-Authentication Type", "PreAuthType"},
      CERTIFICATE}},
    {{4662},
     {SUBJECT,
      {"Object:Object Server", "ObjectServer"},
      {"Object:Object Type", "ObjectType"},
      {"Object:Object Name", "ObjectName"},
      {"Object:Handle ID", "HandleId"},
      {"Operation:Operation Type", "OperationType"},
      {"Operation:Accesses", NULL},
      {"Operation:Access Mask", "AccessMask"},
      {"Operation:Properties", "Properties"},
      {"Additional Information:Parameter 1", "AdditionalInfo"},
      {"Additional Information:Parameter 2", "AdditionalInfo2"}}},
    {{5136},
     {DIRECTORY,
      {"Object:DN", "ObjectDN"},
      {"Object:GUID", "ObjectGUID"},
      {"Object:Class", "ObjectClass"},
      {"Attribute:LDAP Display Name", "AttributeLDAPDisplayName"},
      {"Attribute:Syntax (OID)", "AttributeSyntaxOID"},
      {"Attribute:Value", "AttributeValue"},
      {"Operation:Type", "OperationType"},
      {"Operation:Correlation ID", "OpCorrelationID"},
      {"Operation:Application Correlation ID", "AppCorrelationID"}}},
    {{5137, 5141},
     {DIRECTORY,
      {"Object:DN", "ObjectDN"},
      {"Object:GUID", "ObjectGUID"},
      {"Object:Class", "ObjectClass"},
      {"Operation:Tree Delete", NULL},
      {"Operation:Correlation ID", "OpCorrelationID"},
      {"Operation:Application Correlation ID", "AppCorrelationID"}}},
    {{5138, 5139},
     {DIRECTORY,
      {"Object:Old DN", "OldObjectDN"},
      {"Object:New DN", "NewObjectDN"},
      {"Object:GUID", "ObjectGUID"},
      {"Object:Class", "ObjectClass"},
      {"Operation:Correlation ID", "OpCorrelationID"},
      {"Operation:Application Correlation ID", "AppCorrelationID"}}},
    {{4794},
     {SUBJECT,
      {"Additional Information:Caller Workstation", "Workstation"},
      {"Additional Information:Status Code", "Status"}}},
    {{4870}, {{"Serial Number", "CertificateSerialNumber"}, {"Reason", "Reason"}}},
    {{4885}, {{"Filter", "AuditFilter"}}},
    {{4886}, {REQUEST}},
    {{4887, 4888},
     {REQUEST, {"Disposition", "Disposition"}, {"SKI", "SubjectKeyIdentifier"}, {"Subject", "Subject"}}},
    {{4890}, {{"Enable", "EnableRestrictedPermissions"}}},
    {{4896}, {{"Table ID", "TableId"}, {"Filter", "Filter"}, {"Rows Deleted", "RowsDeleted"}}},
    {{EXPENSIVE_SEARCH},
     {{"Client", "Client"},
      {"Starting node", "StartingNode"},
      {"Filter", "Filter"},
      {"Search scope", "SearchScope"},
      {"Attribute selection", "AttributeSelection"},
      {"Server controls", "ServerControls"},
      {"Visited entries", "VisitedEntries"},
      {"Returned entries", "ReturnedEntries"},
      {"Used indexes", "UsedIndexes"},
      {"Pages referenced", "PagesReferenced"},
      {"Search time (ms)", "SearchTime"},
      {"Attributes Preventing Optimization", "AttributesPreventingOptimization"}}},
};

static const struct rendered *rendered_of(uint32_t id)
{
    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++)
        for (unsigned k = 0; k < 16 && table[i].ids[k]; k++)
            if (table[i].ids[k] == id)
                return &table[i];
    return NULL;
}

/* --- one label --- */

/* What is rendered in words is put back as it stands in the event. */
static struct bytes raw_value(const char *field, struct bytes value)
{
    static const struct {
        const char *field, *words, *raw;
    } words[] = {
        {"OperationType", "Value Added", "%%14674"},
        {"OperationType", "Value Deleted", "%%14675"},
    };
    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
        if (strcmp(field, words[i].field) == 0 && siem_is(value, words[i].words))
            return siem_text(words[i].raw);
    return value;
}

static void put_label(struct siem_job *job, const struct label *label, struct bytes value)
{
    if (label->field)
        siem_put_named(job, label->field, raw_value(label->field, value));
}

/* "Section:Label" against its two parts. */
static bool label_is(const struct label *label, struct bytes section, struct bytes word)
{
    const char *colon = strchr(label->label, ':');
    size_t head = colon ? (size_t)(colon - label->label) : 0;
    return head == section.size && memcmp(label->label, section.data, head) == 0 &&
           siem_is(word, colon ? colon + 1 : label->label);
}

/* By both, then by the label alone where it belongs to no section. */
static const struct label *find_label(const struct rendered *rendered, struct bytes section,
                                      struct bytes word)
{
    const struct label *alone = NULL;
    for (const struct label *label = rendered->labels; label < rendered->labels + LABELS_MAX && label->label;
         label++) {
        if (section.size > 0 && label_is(label, section, word))
            return label;
        if (!alone && !strchr(label->label, ':') && siem_is(word, label->label))
            alone = label;
    }
    return alone;
}

bool siem_put_label(struct siem_job *job, struct bytes label, struct bytes value)
{
    const struct rendered *rendered = rendered_of(job->event->id);
    struct bytes word = label, section = siem_take(&word, ':');
    if (!rendered)
        return false;
    if (word.size == 0) {
        word = section;
        section.size = 0;
    }
    const struct label *found = find_label(rendered, siem_trim(section), siem_trim(word));
    if (found)
        put_label(job, found, value);
    return found != NULL;
}

/* --- lines --- */

struct line {
    struct bytes label, value;
    struct bytes below; /* the line behind it */
};

/* The lines that have a label, at most `max`. */
static unsigned split_lines(struct bytes text, struct line *lines, unsigned max)
{
    unsigned n = 0;
    while (text.size > 0 && n < max) {
        struct bytes value = siem_take(&text, '\n');
        if (!value.size || !memchr(value.data, ':', value.size))
            continue;
        struct bytes label = siem_take(&value, ':');
        struct bytes rest = text, below = siem_take(&rest, '\n');
        lines[n++] = (struct line){siem_trim(label), siem_trim(value), siem_trim(below)};
    }
    return n;
}

static unsigned count_labels(const struct rendered *rendered, bool *sections)
{
    unsigned n = 0;
    *sections = false;
    for (; n < LABELS_MAX && rendered->labels[n].label; n++)
        *sections |= strchr(rendered->labels[n].label, ':') != NULL;
    return n;
}

/* Values may stand on the lines below their labels. */
static bool stands_below(const struct rendered *rendered)
{
    return rendered->ids[0] == EXPENSIVE_SEARCH;
}

static unsigned put_by_labels(struct siem_job *job, const struct rendered *rendered, const struct line *lines,
                              unsigned count)
{
    struct bytes section = {0};
    unsigned found = 0;
    for (unsigned i = 0; i < count; i++) {
        const struct label *label = find_label(rendered, section, lines[i].label);
        if (label) {
            put_label(job, label, stands_below(rendered) ? lines[i].below : lines[i].value);
            found++;
        } else if (lines[i].value.size == 0) {
            section = lines[i].label;
        }
    }
    return found;
}

/* Another language. Where there are sections their lines have no value, and what is nothing is a hyphen. */
static void put_by_places(struct siem_job *job, const struct rendered *rendered, const struct line *lines,
                          unsigned count)
{
    bool sections;
    unsigned n = count_labels(rendered, &sections), next = 0;
    unsigned i = !sections && count > n ? count - n : 0; /* the sentence before them may have a colon */
    for (; i < count && next < n; i++)
        if (!sections || lines[i].value.size > 0)
            put_label(job, &rendered->labels[next++], lines[i].value);
}

/* --- all on one line --- */

/* Where the words stand, followed by a colon; `text.size`: nowhere. */
static size_t find_words(struct bytes text, size_t from, const char *words, size_t size)
{
    while (from < text.size) {
        const uint8_t *at = memmem(text.data + from, text.size - from, words, size);
        if (!at)
            break;
        size_t place = (size_t)(at - text.data), behind = place + size;
        while (behind < text.size && text.data[behind] == ' ')
            behind++;
        if (behind < text.size && text.data[behind] == ':' && (place == 0 || isspace(text.data[place - 1])))
            return place;
        from = place + size;
    }
    return text.size;
}

/* A value ends at the next label, and where two blanks were left of a line's end. */
static struct bytes cut_value(struct bytes text, size_t from, size_t to)
{
    struct bytes value = siem_trim((struct bytes){text.data + from, to - from});
    for (size_t i = 0; i + 1 < value.size; i++)
        if ((value.data[i] == ' ' && value.data[i + 1] == ' ') || value.data[i] == '\t')
            return siem_first(value, i);
    return value;
}

/* In the order of the table, which is that of the text. Returns how many labels were found. */
static unsigned put_by_words(struct siem_job *job, const struct rendered *rendered, struct bytes text)
{
    const struct label *open = NULL;
    size_t at = 0, value_from = 0;
    const char *section = "";
    size_t section_size = 0;
    unsigned found = 0;
    for (unsigned i = 0; i < LABELS_MAX && rendered->labels[i].label; i++) {
        const struct label *label = &rendered->labels[i];
        const char *colon = strchr(label->label, ':'), *word = colon ? colon + 1 : label->label;
        size_t head = colon ? (size_t)(colon - label->label) : 0, from = at, ends = text.size;
        if (head > 0 && (head != section_size || memcmp(label->label, section, head) != 0)) {
            ends = find_words(text, at, label->label, head);
            if (ends == text.size)
                continue;
            from = ends + head;
        }
        size_t place = find_words(text, from, word, strlen(word));
        if (place == text.size)
            continue;
        if (open)
            put_label(job, open, cut_value(text, value_from, ends < place ? ends : place));
        section = label->label;
        section_size = head;
        open = label;
        value_from = place + strlen(word);
        while (text.data[value_from] != ':')
            value_from++;
        at = ++value_from;
        found++;
    }
    if (open)
        put_label(job, open, cut_value(text, value_from, text.size));
    return found;
}

/* Another language, with no sections: each value is the one word behind a colon. */
static void put_by_colons(struct siem_job *job, const struct rendered *rendered, struct bytes text)
{
    struct bytes values[LABELS_MAX];
    bool sections;
    unsigned n = count_labels(rendered, &sections), count = 0;
    if (sections)
        return;
    while (text.size > 0) {
        siem_take(&text, ':');
        struct bytes rest = siem_trim(text), word = siem_take(&rest, ' ');
        if (text.size == 0 || !isspace(text.data[0]))
            continue;
        if (word.size > 0 && word.data[word.size - 1] == ':')
            word.size = 0; /* the next label already */
        if (count == n)
            memmove(values, values + 1, --count * sizeof(values[0]));
        values[count++] = word;
    }
    for (unsigned i = 0; count == n && i < n; i++)
        put_label(job, &rendered->labels[i], values[i]);
}

void siem_put_rendered(struct siem_job *job, struct bytes text)
{
    struct line lines[2 * LABELS_MAX];
    const struct rendered *rendered = rendered_of(job->event->id);
    if (!rendered)
        return;
    text = siem_trim(text);
    unsigned count =
        text.size && memchr(text.data, '\n', text.size) ? split_lines(text, lines, 2 * LABELS_MAX) : 0;
    if (count > 1) {
        if (put_by_labels(job, rendered, lines, count) == 0)
            put_by_places(job, rendered, lines, count);
    } else if (put_by_words(job, rendered, text) == 0) {
        put_by_colons(job, rendered, text);
    }
}
