# SPDX-License-Identifier: Apache-2.0
"""A reader of CEF written from its specification ("ArcSight Common Event Format", Implementation Standard), and of RFC
5424's header: strict, it refuses what the specification does not have."""
import re

HEADER = ("version", "vendor", "product", "device_version", "name", "title", "severity")
KEY = re.compile(r"[A-Za-z0-9]+")


class Bad(Exception):
    pass


def read_header_field(text, at):
    """Up to the next bar that is not escaped; only a bar and a backslash may be."""
    out = []
    while at < len(text):
        c = text[at]
        if c == "|":
            return "".join(out), at + 1
        if c == "\\":
            if at + 1 >= len(text) or text[at + 1] not in "|\\":
                raise Bad("escape in the header at %d" % at)
            at += 1
            c = text[at]
        out.append(c)
        at += 1
    raise Bad("the header ends too early")


def read_extension(text):
    """Pairs of key and value: a value ends before the last word in front of the next equals sign that is not escaped."""
    marks = []
    at = 0
    while at < len(text):
        if text[at] == "\\":
            if at + 1 >= len(text) or text[at + 1] not in "=\\nr":
                raise Bad("escape in a value at %d" % at)
            at += 2
            continue
        if text[at] == "=":
            marks.append(at)
        at += 1
    pairs = {}
    begin = 0
    for i, mark in enumerate(marks):
        key = text[begin:mark]
        if not KEY.fullmatch(key):
            raise Bad("key %r" % key)
        if i + 1 < len(marks):
            end = text.rfind(" ", mark, marks[i + 1])
            if end < 0:
                raise Bad("no blank before a key")
            begin = end + 1
        else:
            end = len(text)
        value = text[mark + 1:end]
        if not value or value != value.strip(" "):
            raise Bad("value of %s: %r" % (key, value))
        if key in pairs:
            raise Bad("%s twice" % key)
        pairs[key] = re.sub(r"\\(.)", lambda m: {"n": "\n", "r": "\r"}.get(m[1], m[1]), value)
    return pairs


def read_cef(data):
    """The header's fields and the extension's pairs of one message, as bytes."""
    text = data.decode("utf-8")  # raises when it is none
    if any(ord(c) < 0x20 or 0x7f <= ord(c) < 0xa0 or c in "\u2028\u2029\ufeff" for c in text):
        raise Bad("a control character or byte order mark")
    if not text.startswith("CEF:"):
        raise Bad("no CEF: %r" % text[:40])
    at = 4
    fields = {}
    for name in HEADER:
        fields[name], at = read_header_field(text, at)
    if fields["version"] != "0" or not fields["severity"].isdigit() or not 0 <= int(fields["severity"]) <= 10:
        raise Bad("version or severity")
    return fields, read_extension(text[at:])


SYSLOG = re.compile(rb"<(\d{1,3})>1 (\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,6})?(?:Z|[+-]\d\d:\d\d)) ([!-~]{1,255}) "
                    rb"([!-~]{1,48}) ([!-~]{1,128}) ([!-~]{1,32}) (-|\[.*\]) (.*)", re.S)
OLD = re.compile(rb"<(\d{1,3})>([A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d) ([!-~]+) ([!-~]{1,48}?)\[(\d+)\]: (.*)", re.S)


def read_syslog(data):
    """priority, host, app, MSGID (None with RFC 3164), the message."""
    found = SYSLOG.fullmatch(data)
    if found:
        return int(found[1]), found[3], found[4], found[6], found[8]
    found = OLD.fullmatch(data)
    if not found:
        raise Bad("no syslog: %r" % data[:80])
    return int(found[1]), found[3], found[4], None, found[6]
