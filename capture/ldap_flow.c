/* SPDX-License-Identifier: Apache-2.0 */
#include "capture/dissect.h"
#include "capture/protocols.h"

const struct protocol protocol_ldap = {.id = PROTOCOL_LDAP, .name = "ldap"};
const struct protocol protocol_cldap = {.id = PROTOCOL_CLDAP, .name = "cldap"};
