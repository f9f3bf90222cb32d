/* SPDX-License-Identifier: Apache-2.0
 *
 * The names of Windows Event Forwarding's XML, and how it is written.
 */
#pragma once

#include "base/text.h"

#define WEF_NS_SOAP         "http://www.w3.org/2003/05/soap-envelope"
#define WEF_NS_ADDRESSING   "http://schemas.xmlsoap.org/ws/2004/08/addressing"
#define WEF_NS_EVENTING     "http://schemas.xmlsoap.org/ws/2004/08/eventing"
#define WEF_NS_ENUMERATION  "http://schemas.xmlsoap.org/ws/2004/09/enumeration"
#define WEF_NS_WSMAN        "http://schemas.dmtf.org/wbem/wsman/1/wsman.xsd"
#define WEF_NS_WINDOWS      "http://schemas.microsoft.com/wbem/wsman/1/wsman.xsd"
#define WEF_NS_MACHINE      "http://schemas.microsoft.com/wbem/wsman/1/machineid"
#define WEF_NS_SUBSCRIPTION "http://schemas.microsoft.com/wbem/wsman/1/subscription"
#define WEF_NS_POLICY       "http://schemas.xmlsoap.org/ws/2002/12/policy"
#define WEF_NS_AUTH         "http://schemas.microsoft.com/wbem/wsman/1/authentication"
#define WEF_NS_XSI          "http://www.w3.org/2001/XMLSchema-instance"

#define WEF_ANONYMOUS WEF_NS_ADDRESSING "/role/anonymous"
#define WEF_WSMAN     "http://schemas.dmtf.org/wbem/wsman/1/wsman"
#define WEF_RESOURCE  "http://schemas.microsoft.com/wbem/wsman/1/SubscriptionManager/Subscription"

/* The envelope up to and with its header's common part: `action`, a new id, whom and what it answers. */
struct wef_reply;
void wef_open_reply(struct text *t, const struct wef_reply *reply, const char *action);
void wef_close_reply(struct text *t);

/* Text between tags or in an attribute. */
void wef_put_escaped(struct text *t, struct bytes utf8);
