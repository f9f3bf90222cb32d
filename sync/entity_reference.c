/* SPDX-License-Identifier: Apache-2.0
 *
 * docs/entities.md, made of the same table as the codec.
 */
#include <stdio.h>

#include "base/markdown.h"
#include "sync/entity.h"
#include "sync/entity_sensitivity.h"
#include "sync/entity_value.h"

static const char introduction[] =
    "# Entities\n"
    "\n"
    "<!-- Made by picket-reference from sync/entity_attributes.def. Do not edit: build the target "
    "docs-reference. -->\n"
    "\n"
    "An *entity* is an object of the directory that activities speak of, or that decides what they mean. "
    "This page\n"
    "lists everything that Picket reads of the directory, each with the reason. What is not listed is not "
    "asked for.\n"
    "\n"
    "## What is never read\n"
    "\n"
    "No password, hash, key or recovery secret: not `unicodePwd`, `supplementalCredentials`, `dBCSPwd`, "
    "`ntPwdHistory`,\n"
    "`lmPwdHistory`, `userPassword`, `unixUserPassword`, `msDS-ManagedPassword`, `ms-Mcs-AdmPwd`, "
    "`msLAPS-*Password`,\n"
    "`trustAuthIncoming`, `trustAuthOutgoing`, `msFVE-RecoveryPassword`, `msDS-ExecuteScriptPassword`, nor\n"
    "`userParameters`, which can hold one. Of `msDS-KeyCredentialLink` only a hash of each value is kept, "
    "not the key.\n"
    "Nothing of people that no detector and no analyst needs either: no picture, telephone number or home "
    "address.\n"
    "\n"
    "`nTSecurityDescriptor` is not read. It is the largest attribute of most objects (1 to 4 kB against some "
    "350 bytes\n"
    "of everything else together), the reading of its audit part takes a right that the account should not "
    "have, and one\n"
    "inherited entry changed high up would bring every object below again. What of rights shows in single "
    "attributes is\n"
    "read: delegation, readers of managed passwords, `adminCount`.\n"
    "\n"
    "The lifetimes of Kerberos tickets are no attributes: they stand in the file `GptTmpl.inf` of a group "
    "policy\n"
    "(`gpc_file_sys_path`, section `[Kerberos Policy]`), whereas passwords and lock-out are attributes of "
    "the domain.\n"
    "\n"
    "## How an entity looks\n"
    "\n"
    "As msgpack, an entity is one map from field names to values; as JSON, one object with the same names. "
    "The types are\n"
    "those of [network activities](activities.md); a time of 0 says *never*, in JSON null. An attribute "
    "without a value is "
    "absent.\n"
    "\n"
    "| Field | Type | Meaning |\n"
    "| --- | --- | --- |\n"
    "| `v` | uint | Version of this form, now %d. |\n"
    "| `kind` | string | See below. |\n"
    "| `guid` | uuid | objectGUID: what tells it from all others, whatever it is called. |\n"
    "| `dn` | string | Its distinguished name, as the directory writes it. |\n"
    "| `domain` | string | DNS name of the domain it belongs to. |\n"
    "| `looked_up` | bool | It was asked for because traffic showed it; otherwise it came by replication. |\n"
    "| `deleted` | bool | The directory deleted it, or shows it no longer; what was known last is kept. |\n"
    "| `truncated` | bool | Something was longer than the bounds. |\n"
    "| `seen` | time | When the directory last told of it. |\n"
    "| `changed` | time | When what it told last differed from before. |\n"
    "\n"
    "A string or a run of bytes is cut at %u bytes, a list at %u values and %u bytes, an entity at %u bytes; "
    "of what does\n"
    "not fit a whole attribute is left out. The values of a list are kept sorted, but for `object_class`.\n";

static const char names[] = "\n"
                            "## Names\n"
                            "\n"
                            "An entity is found by GUID, SID, account (`sAMAccountName`, with or without the "
                            "`$` of a computer), UPN (its own,\n"
                            "and account@domain), SPN, DNS name and DN. Case does not matter: names are "
                            "compared in lower case by Unicode's simple\n"
                            "mapping for Latin, Greek, Cyrillic, Armenian and full-width letters. Accents do "
                            "matter here, though a domain controller\n"
                            "ignores some: a look-up by such a spelling asks the directory. A service that "
                            "`sPNMappings` covers (`cifs`, `http`,\n"
                            "`rpcss` ...) is found by the computer's `HOST/` name. A domain may be given by "
                            "its DNS or its flat name.\n"
                            "\n"
                            "A deleted entity is found by GUID and SID only, for 180 days.\n";

static const struct {
    enum entity_kind kind;
    const char *doc;
} kind_docs[] = {
    {ENTITY_USER, "`user`, `inetOrgPerson`"},
    {ENTITY_COMPUTER, "`computer`, domain controllers too"},
    {ENTITY_MANAGED_ACCOUNT, "`msDS-GroupManagedServiceAccount`, `msDS-ManagedServiceAccount`, "
                             "`msDS-DelegatedManagedServiceAccount`"},
    {ENTITY_GROUP, "`group`"},
    {ENTITY_FOREIGN_PRINCIPAL,
     "`foreignSecurityPrincipal`: an account of another domain, or a well-known one"},
    {ENTITY_CONTACT, "`contact`"},
    {ENTITY_ORGANIZATIONAL_UNIT, "`organizationalUnit`"},
    {ENTITY_CONTAINER, "`container` and other objects that only hold others"},
    {ENTITY_DOMAIN, "`domainDNS`: the domain, with its policy of passwords and lock-out"},
    {ENTITY_PASSWORD_POLICY, "`msDS-PasswordSettings`: a fine-grained policy"},
    {ENTITY_TRUST, "`trustedDomain`"},
    {ENTITY_GROUP_POLICY, "`groupPolicyContainer`"},
    {ENTITY_SERVER, "`server`, `nTDSDSA`: a domain controller in the configuration"},
    {ENTITY_SITE, "`site`"},
    {ENTITY_SUBNET, "`subnet`"},
    {ENTITY_PARTITION, "`crossRef`: the names of a naming context"},
    {ENTITY_OTHER, "anything else that was answered"},
};

_Static_assert(sizeof kind_docs / sizeof kind_docs[0] == ENTITY_KINDS, "every kind has its line");

static void print_kinds(FILE *out)
{
    fputs("\n## Kinds\n\n| Kind | Classes of objects |\n| --- | --- |\n", out);
    for (size_t i = 0; i < sizeof kind_docs / sizeof kind_docs[0]; i++)
        fprintf(out, "| `%s` | %s |\n", entity_kind_name(kind_docs[i].kind), kind_docs[i].doc);
}

static void print_row(FILE *out, const struct entity_attribute_info *info, const char *type)
{
    fprintf(out, "| `%s` | `%s` | %s | ", info->ldap, info->field, type);
    markdown_cell(out, info->doc);
    fputs(" |\n", out);
}

static void print_attributes(FILE *out)
{
    fputs("\n## Attributes\n\n| Attribute | Field | Type | Why |\n| --- | --- | --- | --- |\n", out);
    for (unsigned i = 0; i < ENTITY_ATTRIBUTES; i++) {
        const struct entity_attribute_info *info = entity_attribute_info((enum entity_attribute)i);
        print_row(out, info, activity_type_name(info->type));
    }
}

static void print_links(FILE *out)
{
    fputs("\n## Links\n\nFrom one entity to others; kept apart from them and followed in both directions.\n\n"
          "| Attribute | Field | Type | Why |\n| --- | --- | --- | --- |\n",
          out);
    for (unsigned i = 0; i < ENTITY_LINKS; i++)
        print_row(out, entity_link_info((enum entity_link)i), "entities");
}

static void print_sensitivity(FILE *out)
{
    fputs("\n## Sensitive for\n\nWhat an entity has, directly or through groups in groups, its primary group "
          "and the "
          "well-known\ngroups included. Rights that stand in access lists only are not known (see above).\n\n"
          "| Name | Meaning |\n| --- | --- |\n",
          out);
    for (unsigned bit = 0; entity_sensitivity_name(bit); bit++)
        fprintf(out, "| `%s` | %s |\n", entity_sensitivity_name(bit), entity_sensitivity_doc(bit));
}

void entity_print_reference(void *stream)
{
    FILE *out = stream;
    fprintf(out, introduction, ENTITY_VERSION, ENTITY_STRING_MAX, ENTITY_LIST_MAX, ENTITY_LIST_BYTES_MAX,
            ENTITY_BYTES_MAX);
    print_kinds(out);
    print_attributes(out);
    print_links(out);
    fputs(names, out);
    print_sensitivity(out);
}
