# SPDX-License-Identifier: Apache-2.0
"""wef_client.py - a source of forwarded events, as [MS-WSMV], DSP0226 and what Windows was seen to send have it: asks
which subscriptions there are, sends heartbeats and batches of events in UTF-16 with SLDC, over HTTPS with a certificate or
over HTTP with Kerberos or SPNEGO, sealed.

    source = Source(TlsChannel("127.0.0.1", port, context), "sensor.corp.example", port, "dc01.corp.example")
    subscription = source.enumerate()
    source.events([event(4776, 1, "dc01.corp.example", ...)], bookmark=1)
"""
import base64
import http.client
import re
import struct
import uuid
import xml.etree.ElementTree as ElementTree
from xml.sax.saxutils import escape

NS = {
    "s": "http://www.w3.org/2003/05/soap-envelope",
    "a": "http://schemas.xmlsoap.org/ws/2004/08/addressing",
    "e": "http://schemas.xmlsoap.org/ws/2004/08/eventing",
    "n": "http://schemas.xmlsoap.org/ws/2004/09/enumeration",
    "w": "http://schemas.dmtf.org/wbem/wsman/1/wsman.xsd",
    "p": "http://schemas.microsoft.com/wbem/wsman/1/wsman.xsd",
    "m": "http://schemas.microsoft.com/wbem/wsman/1/subscription",
}
WSMAN = "http://schemas.dmtf.org/wbem/wsman/1/wsman"
ANONYMOUS = NS["a"] + "/role/anonymous"
BOUNDARY = b"--Encrypted Boundary"


def sldc(data):
    """ECMA-321 scheme 1, as Windows sends it: a record, and after it the length of the data."""
    out, filled, bits = bytearray(), 0, 0

    def put(value, count):
        nonlocal filled, bits
        bits, filled = bits << count | value, filled + count
        while filled >= 8:
            filled -= 8
            out.append(bits >> filled & 0xff)
            bits &= (1 << filled) - 1

    put(0x1ff5, 13)
    seen, at = {}, 0
    while at < len(data):
        best, found = 0, 0
        for start in reversed(seen.get(data[at:at + 3], ())[-8:] if at + 3 <= len(data) else ()):
            if at - start > 1023:
                break
            n = 3
            while n < 271 and at + n < len(data) and data[start + n] == data[at + n]:
                n += 1
            if n > best:
                best, found = n, start
        if best:
            prefix, width, count, base = next(f for f in ((15, 4, 8, 32), (14, 4, 4, 16), (6, 3, 3, 8), (2, 2, 2, 4), (0, 1, 1, 2))
                                              if best >= f[3])
            put(1, 1)
            put(prefix, width)
            put(best - base, count)
            put(found % 1024, 10)
        else:
            put(data[at], 9)
        for k in range(at, at + max(best, 1)):
            seen.setdefault(data[k:k + 3], []).append(k)
        at += max(best, 1)
    put(0x1ff4, 13)
    put(0, -filled % 16 if filled else 0)
    return bytes(out) + struct.pack("<I", len(data))


def event(number, record, computer, data, channel="Security", provider="Microsoft-Windows-Security-Auditing",
          time="2026-11-22T10:00:00.1234567Z"):
    """The XML of one event as Windows writes it."""
    items = "".join("<Data Name='%s'>%s</Data>" % (name, escape(value)) for name, value in data.items())
    return ("<Event xmlns='http://schemas.microsoft.com/win/2004/08/events/event'><System><Provider Name='%s'/>"
            "<EventID>%d</EventID><Version>0</Version><Level>0</Level><Task>0</Task><Opcode>0</Opcode>"
            "<Keywords>0x8020000000000000</Keywords><TimeCreated SystemTime='%s'/><EventRecordID>%d</EventRecordID>"
            "<Correlation/><Execution ProcessID='640' ThreadID='700'/><Channel>%s</Channel><Computer>%s</Computer><Security/>"
            "</System><EventData>%s</EventData></Event>" % (provider, number, time, record, channel, computer, items))


def ntlm(record, computer, account):
    """4776: an NTLM sign-in that a domain controller validated."""
    return event(4776, record, computer, {"PackageName": "MICROSOFT_AUTHENTICATION_PACKAGE_V1_0", "TargetUserName": account,
                                          "Workstation": "WKS1", "Status": "0x0"})


class Answer:
    def __init__(self, status, headers, text):
        self.status, self.headers, self.text = status, headers, text
        self.tree = ElementTree.fromstring(text) if text else None

    def find(self, path):
        found = self.tree.find(path, NS) if self.tree is not None else None
        return found

    def value(self, path):
        found = self.find(path)
        return found.text if found is not None else None

    def action(self):
        return self.value("s:Header/a:Action")

    def fault(self):
        code = self.value("s:Body/s:Fault/s:Code/s:Subcode/s:Value") or self.value("s:Body/s:Fault/s:Code/s:Value")
        return code and code.split(":")[-1]


def decoded(body):
    return body.decode("utf-16") if body[:2] in (b"\xff\xfe", b"\xfe\xff") else body.decode("utf-8")


class Channel:
    """A connection that stays open, and is made again when the other side closed it."""

    def __init__(self, host, port, context=None, source=None):
        self.how = dict(host=host, port=port, timeout=60)
        if source:
            self.how["source_address"] = (source, 0)
        self.context, self.connection = context, None

    def connect(self):
        self.close()
        self.connection = (http.client.HTTPSConnection(context=self.context, **self.how) if self.context
                           else http.client.HTTPConnection(**self.how))
        self.connection.connect()

    def close(self):
        if self.connection:
            self.connection.close()
        self.connection = None

    def post(self, path, body, headers):
        if not self.connection:
            self.connect()
        self.connection.request("POST", path, body, {"User-Agent": "Microsoft WinRM Client", **headers})
        response = self.connection.getresponse()
        data = response.read()
        if response.will_close:
            self.close()
        return response.status, response.headers, data


class TlsChannel(Channel):
    def send(self, path, body, headers):
        status, got, data = self.post(path, body, {"Content-Type": "application/soap+xml;charset=UTF-16", **headers})
        return Answer(status, got, decoded(data) if data else None)


class KerberosChannel(Channel):
    """`scheme`: Kerberos or Negotiate. `credentials` and `target`: of python3-gssapi."""

    def __init__(self, host, port, scheme, credentials, target):
        super().__init__(host, port)
        self.scheme, self.credentials, self.target, self.security = scheme, credentials, target, None
        self.protocol = "application/HTTP-%s-session-encrypted" % ("Kerberos" if scheme == "Kerberos" else "SPNEGO")

    def connect(self):
        import gssapi
        super().connect()
        mechanism = gssapi.MechType.kerberos if self.scheme == "Kerberos" else gssapi.OID.from_int_seq("1.3.6.1.5.5.2")
        flags = gssapi.RequirementFlag
        self.security = gssapi.SecurityContext(
            name=self.target, creds=self.credentials, mech=mechanism, usage="initiate",
            flags=flags.mutual_authentication | flags.confidentiality | flags.integrity | flags.replay_detection |
            flags.out_of_sequence_detection)

    def prove(self, path):
        """The first request of a connection: the ticket alone."""
        if not self.connection:
            self.connect()
        token, status = self.security.step(), None
        while token:
            status, headers, data = self.post(path, b"", {
                "Content-Type": "application/soap+xml;charset=UTF-16",
                "Authorization": self.scheme + " " + base64.b64encode(token).decode()})
            assert not data, data
            if status != 200 and not (status == 401 and headers.get("WWW-Authenticate", "").startswith(self.scheme + " ")):
                return status
            answer = headers["WWW-Authenticate"]
            assert answer.startswith(self.scheme + " "), answer
            token = self.security.step(base64.b64decode(answer.split(" ")[1]))
        assert self.security.complete
        return status

    def seal(self, body):
        import gssapi.raw as raw
        iov = raw.IOV(raw.IOVBufferType.header, body, raw.IOVBufferType.padding, std_layout=False)
        raw.wrap_iov(self.security, iov, confidential=True)
        header, data, padding = (b.value or b"" for b in iov)
        kind = self.protocol.encode()
        return (BOUNDARY + b"\r\nContent-Type: " + kind + b"\r\nOriginalContent: type=application/soap+xml;charset=UTF-16;Length=" +
                str(len(body)).encode() + b"\r\n" + BOUNDARY + b"\r\nContent-Type: application/octet-stream\r\n" +
                struct.pack("<I", len(header)) + header + data + padding + BOUNDARY + b"--\r\n")

    def open(self, headers, body):
        assert headers["Content-Type"] == 'multipart/encrypted;protocol="%s";boundary="Encrypted Boundary"' % self.protocol, headers
        match = re.fullmatch(rb"--Encrypted Boundary\r\nContent-Type: ([^\r]*)\r\nOriginalContent: type=application/soap\+xml;"
                             rb"charset=UTF-16;Length=(\d+)\r\n--Encrypted Boundary\r\nContent-Type: application/octet-stream\r\n"
                             rb"(.*)--Encrypted Boundary--\r\n", body, re.DOTALL)
        assert match and match[1] == self.protocol.encode(), body[:300]
        size = struct.unpack("<I", match[3][:4])[0]
        # What is sealed goes after its header, byte for byte: that is what Windows decrypts in place.
        assert len(match[3]) - 4 - size == int(match[2]), (len(match[3]), size, match[2])
        plain = self.security.unwrap(match[3][4:])
        assert plain.encrypted and len(plain.message) == int(match[2])
        return plain.message

    def send(self, path, body, headers):
        if not self.connection and self.prove(path) != 200:
            raise AssertionError("the ticket is refused")
        sealed = self.seal(body)
        status, got, data = self.post(path, sealed, {
            "Content-Type": 'multipart/encrypted;protocol="%s";boundary="Encrypted Boundary"' % self.protocol, **headers})
        return Answer(status, got, decoded(self.open(got, data)) if data else None)


class Subscription:
    def __init__(self, answer):
        base = "s:Body/n:EnumerateResponse/w:Items/m:Subscription/"
        self.version = answer.value(base + "m:Version")
        subscribe = answer.find(base + "s:Envelope/s:Body/e:Subscribe")
        options = answer.find(base + "s:Envelope/s:Header/w:OptionSet")
        self.options = {o.get("Name"): o.text for o in options}
        self.address = subscribe.find("e:Delivery/e:NotifyTo/a:Address", NS).text
        self.end_to = subscribe.find("e:EndTo/a:Address", NS).text
        self.identifier = subscribe.find("e:Delivery/e:NotifyTo/a:ReferenceProperties/e:Identifier", NS).text
        self.heartbeat = subscribe.find("e:Delivery/w:Heartbeats", NS).text
        self.mode = subscribe.find("e:Delivery", NS).get("Mode")
        self.queries = subscribe.findall("w:Filter/QueryList/Query/Select", NS)
        bookmark = subscribe.find("w:Bookmark", NS)
        self.bookmark = None
        if bookmark is not None and len(bookmark):
            self.bookmark = {b.get("Channel"): int(b.get("RecordId")) for b in bookmark[0]}
        self.policy = ElementTree.tostring(subscribe.find("e:Delivery/e:NotifyTo", NS), encoding="unicode")


class Source:
    def __init__(self, channel, host, port, name, tls=False):
        self.channel, self.name = channel, name
        self.manager = "%s://%s:%d/wsman/SubscriptionManager/WEC" % ("https" if tls else "http", host, port)
        self.subscription = None

    def envelope(self, to, action, body, header=""):
        names = " ".join('xmlns:%s="%s"' % (p, NS[p]) for p in ("s", "a", "e", "n", "w", "p"))
        self.id = "uuid:" + str(uuid.uuid4()).upper()
        return ('<s:Envelope %s><s:Header><a:To>%s</a:To>'
                '<m:MachineID xmlns:m="http://schemas.microsoft.com/wbem/wsman/1/machineid" s:mustUnderstand="false">%s</m:MachineID>'
                '<a:ReplyTo><a:Address s:mustUnderstand="true">%s</a:Address></a:ReplyTo>'
                '<a:Action s:mustUnderstand="true">%s</a:Action><w:MaxEnvelopeSize s:mustUnderstand="true">512000</w:MaxEnvelopeSize>'
                '<a:MessageID>%s</a:MessageID><w:Locale xml:lang="en-US" s:mustUnderstand="false" />'
                '<p:DataLocale xml:lang="en-US" s:mustUnderstand="false" />'
                '<p:SessionId s:mustUnderstand="false">uuid:%s</p:SessionId><p:OperationID s:mustUnderstand="false">uuid:%s</p:OperationID>'
                '<p:SequenceId s:mustUnderstand="false">1</p:SequenceId><w:OperationTimeout>PT60.000S</w:OperationTimeout>%s'
                '</s:Header><s:Body>%s</s:Body></s:Envelope>'
                % (names, to, self.name, ANONYMOUS, action, self.id, str(uuid.uuid4()).upper(), str(uuid.uuid4()).upper(), header, body))

    def send(self, to, text, compressed):
        body = b"\xff\xfe" + text.encode("utf-16-le")
        path = "/" + to.split("/", 3)[3]
        how = path, sldc(body) if compressed else body, {"Content-Encoding": "SLDC"} if compressed else {}
        stale = self.channel.connection is not None
        try:
            answer = self.channel.send(*how)
        except (OSError, http.client.HTTPException):
            if not stale:
                raise
            self.channel.close()                             # the collector ended an idle connection: once more
            answer = self.channel.send(*how)
        if answer.tree is not None:
            assert answer.value("s:Header/a:RelatesTo") == self.id, answer.text
            assert answer.value("s:Header/a:To") == ANONYMOUS, answer.text
        return answer

    def enumerate(self):
        answer = self.send(self.manager, self.envelope(
            self.manager, NS["n"] + "/Enumerate", "<n:Enumerate><w:OptimizeEnumeration/><w:MaxElements>32000</w:MaxElements></n:Enumerate>",
            '<w:ResourceURI s:mustUnderstand="true">http://schemas.microsoft.com/wbem/wsman/1/SubscriptionManager/Subscription'
            '</w:ResourceURI>'), False)
        if answer.status != 200:
            return answer
        assert answer.action() == NS["n"] + "/EnumerateResponse", answer.text
        assert answer.find("s:Body/n:EnumerateResponse/w:EndOfSequence") is not None
        self.subscription = Subscription(answer)
        end = self.send(self.manager, self.envelope("x", "http://schemas.microsoft.com/wbem/wsman/1/wsman/End", ""), False)
        assert end.status == 204, end.status
        return self.subscription

    def deliver(self, action, body, bookmark=None, compressed=True):
        header = "<e:Identifier>%s</e:Identifier>" % self.subscription.identifier
        if bookmark:
            header += ('<w:Bookmark><BookmarkList><Bookmark Channel="Security" RecordId="%d" IsCurrent="true"/></BookmarkList>'
                       '</w:Bookmark>' % bookmark)
        to = self.subscription.address
        return self.send(to, self.envelope(to, action, body, header + "<w:AckRequested/>"), compressed)

    def heartbeat(self):
        return self.deliver(WSMAN + "/Heartbeat", "<w:Events></w:Events>")

    def events(self, events, bookmark=None, compressed=True):
        return self.deliver(WSMAN + "/Events", "<w:Events>%s</w:Events>" % "".join(
            '<w:Event Action="%s/Event"><![CDATA[%s]]></w:Event>' % (WSMAN, e) for e in events), bookmark, compressed)

    def end(self):
        # Windows says SLDC of this one, and does not compress it.
        to = self.subscription.address
        text = self.envelope(to, NS["e"] + "/SubscriptionEnd", "<e:SubscriptionEnd><e:Status>%s/SourceCancelling</e:Status>"
                             "</e:SubscriptionEnd>" % NS["e"], "<w:AckRequested/>")
        answer = self.channel.send("/" + to.split("/", 3)[3], b"\xff\xfe" + text.encode("utf-16-le"), {"Content-Encoding": "SLDC"})
        return answer

    def is_acknowledged(self, answer):
        return answer.status == 200 and answer.action() == WSMAN + "/Ack"
