/* SPDX-License-Identifier: Apache-2.0 */
#include "center/detectors/directory.h"

#include <string.h>

static const enum activity_kind kinds[] = {ACTIVITY_CERTIFICATE_SERVICE, ACTIVITY_NONE};

static bool is_controller_template(struct bytes name)
{
    return text_is(name, "DomainController") || text_is(name, "DomainControllerAuthentication") ||
           text_is(name, "KerberosAuthentication") || text_is(name, "DirectoryEmailReplication");
}

/* The value of a line "name:value" of the request's attributes. */
static struct bytes attribute_of(const struct observation *o, const char *name)
{
    struct bytes rest = observation_text(o, FIELD_REQUEST_ATTRIBUTES);
    size_t size = strlen(name);
    while (rest.size) {
        const uint8_t *end = memchr(rest.data, '\n', rest.size);
        struct bytes line = {rest.data, end ? (size_t)(end - rest.data) : rest.size};
        rest = (struct bytes){rest.data + line.size + (end != NULL), rest.size - line.size - (end != NULL)};
        while (line.size && (*line.data == ' ' || *line.data == '\t' || *line.data == '\r'))
            line = (struct bytes){line.data + 1, line.size - 1};
        while (line.size && (line.data[line.size - 1] == '\r' || line.data[line.size - 1] == ' '))
            line.size--;
        if (text_begins(line, name) && line.size > size && line.data[size] == ':')
            return (struct bytes){line.data + size + 1, line.size - size - 1};
    }
    return (struct bytes){0};
}

/* "dc1.corp.example" is the computer of the account "DC1$". */
static bool is_computer_of(struct bytes host, struct bytes account)
{
    size_t label = 0;
    while (label < host.size && host.data[label] != '.')
        label++;
    if (account.size && account.data[account.size - 1] == '$')
        account.size--;
    char name[64];
    if (account.size == 0 || account.size >= sizeof(name))
        return false;
    memcpy(name, account.data, account.size);
    name[account.size] = '\0';
    return text_is((struct bytes){host.data, label}, name);
}

static struct subject key(const struct detection *d, const struct observation *o)
{
    struct bytes operation = observation_text(o, FIELD_OPERATION);
    return text_is(operation, "requested") || text_is(operation, "issued") ? key_by_account(d, o)
                                                                           : (struct subject){0};
}

static void observe(struct detection *d, const struct observation *o)
{
    struct bytes machine = attribute_of(o, "ccm"), template = observation_text(o, FIELD_CERTIFICATE_TEMPLATE);
    if (template.size == 0)
        template = attribute_of(o, "CertificateTemplate");
    struct facts facts;
    bool known = detection_facts(d, &o->account, &facts);
    bool controller = known ? (facts.bits & FACT_CONTROLLER) != 0
                            : by_computer_account(o) && is_controller_template(template);
    bool relayed = controller && machine.size && !is_computer_of(machine, o->account.name);
    bool foreign = known && !controller && is_controller_template(template);
    if (!relayed && !foreign)
        return;
    struct alert *alert = detection_alert(d, o, detection_key(d));
    struct words from, of;
    explain_who(alert, o, "asked for a domain controller's certificate");
    alert_explain(
        alert,
        relayed ? "The request came from %s, which is not that controller: so it looks when a controller's "
                  "log-on is relayed to the web enrolment (ESC8). The template is %s."
                : "It is no domain controller%s. The template is %s.",
        relayed ? words_text(&from, machine, 100) : "", words_text(&of, template, 80));
    alert_put_text(alert, "template", template);
    if (machine.size)
        alert_put_text(alert, "requesting_computer", machine);
    alert_put_number(alert, "request", (double)observation_uint(o, FIELD_REQUEST_ID, 0));
    struct bytes serial = observation_text(o, FIELD_CERTIFICATE_SERIAL);
    if (serial.size)
        alert_put_text(alert, "serial", serial);
    explain_end(alert, o);
    detection_raise(d);
}

const struct detector detector_controller_certificate = {
    .external_id = 2432,
    .name = "DomainControllerCertificateRequestSecurityAlert",
    .title = "Suspicious Domain Controller certificate request (ESC8)",
    .word = "controller_certificate",
    .severity = SEVERITY_HIGH,
    .mitre = "T1649",
    .doc = "Events 4886 and 4887 of a certification authority: a domain controller's account asks for a "
           "certificate while the request names another computer as the one it came from (attribute ccm, "
           "[MS-WCCE] 3.1.1.4.3.1.1); or an account that the directory knows to be no controller asks by a "
           "template for controllers. Rule, no learning. Method: Schroeder, Christensen, \"Certified "
           "Pre-Owned\", 2021, ESC8. Without the directory a computer's account with such a template counts "
           "as a controller's.",
    .advice = "Revoke the certificate, look for coerced log-ons of that controller just before (2415, 2416, "
              "2426), and demand EPA and HTTPS at the web enrolment.",
    .kinds = kinds,
    .key = key,
    .observe = observe,
};
