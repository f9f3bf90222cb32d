#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""syslog_peers.py - events from the senders that there are: logger (util-linux) in all its forms and rsyslogd over TLS
with certificates on both sides, to a real picketd on loopback; what `picket inputs`, `picket activities` and `picket status`
tell of it.

    syslog_peers.py --picketd PROGRAM --picket PROGRAM
"""
import argparse
import json
import os
import shutil
import socket
import subprocess
import sys
import time

from nodes import Fleet, free_ports, wait

AUDITING = "Microsoft-Windows-Security-Auditing"
RSA = "RsaSA\n2015-May-19 09:07:09\n4776\n%s\nSecurity\ndc1.corp.example\n{0}\nWS1\n0xc000006a" % AUDITING
CEF = ("CEF:0|Microsoft|Microsoft Windows||%s:4776|The domain controller attempted to validate the credentials for an "
       "account.|Low| externalId=4776 cat=Security rt=1426218619000 shost=WS1 dhost=dc1.corp.example duser={0} cs3=%s "
       "cs4=0xc000006a cs3Label=EventSource cs4Label=Reason or Error Code" % (AUDITING, AUDITING))
TEXT = ("The computer attempted to validate the credentials for an account. Authentication Package: "
        "MICROSOFT_AUTHENTICATION_PACKAGE_V1_0 Logon Account: {0} Source Workstation: WS1 Error Code: 0xc000006a")
SPLUNK = ("EventCode=4776\r\nLogfile=Security\r\nSourceName=%s\r\nTimeGenerated=20150310132717.784882-000\r\n"
          "ComputerName=dc1.corp.example\r\nMessage=%s" % (AUDITING, TEXT))
QRADAR = "\t".join(["AgentDevice=WindowsLog", "AgentLogFile=Security", "Source=" + AUDITING, "Computer=dc1.corp.example",
                    "User=", "Domain=", "EventID=4776", "EventIDCode=4776", "EventType=16", "EventCategory=14336",
                    "RecordNumber=1961417", "TimeGenerated=1456144380009", "TimeWritten=1456144380009", "Message=" + TEXT])
SNARE = "\t".join(["MSWinEventLog", "1", "Security", "3290", "Sun Nov 22 11:59:58 2026", "4776", AUDITING, "{0}", "N/A",
                   "Failure Audit", "dc1.corp.example", "Credential Validation", "", TEXT, "991"])
FORMATS = {"rsa": RSA, "cef": CEF, "splunk": SPLUNK, "qradar": QRADAR, "snare": SNARE}

LOGGER = {"udp3164": ("--udp", "--rfc3164"), "udp5424": ("--udp", "--rfc5424"),
          "tcp3164": ("--tcp", "--rfc3164"), "tcp5424": ("--tcp", "--rfc5424"),
          "tcpcount": ("--tcp", "--rfc5424", "--octet-count"), "tcpcount3164": ("--tcp", "--rfc3164", "--octet-count")}


class Certificates:
    """An authority, and certificates of it, made by openssl."""

    def __init__(self, place):
        self.place = place
        self.make("ca", ["-x509", "-days", "2", "-subj", "/CN=Test CA"])
        for name in ("server", "relay"):
            self.make(name, ["-x509", "-days", "2", "-subj", "/CN=" + name, "-CA", self.file("ca.pem"),
                             "-CAkey", self.file("ca.key")])

    def file(self, name):
        return os.path.join(self.place, name)

    def make(self, name, how):
        subprocess.run(["openssl", "req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", *how,
                        "-keyout", self.file(name + ".key"), "-out", self.file(name + ".pem")],
                       check=True, capture_output=True)


class Rsyslog:
    """rsyslogd: takes datagrams on loopback and forwards them over TLS."""

    def __init__(self, certificates, port, framing):
        self.port, = free_ports(1)
        place = certificates.place
        config = os.path.join(place, "rsyslog-%s.conf" % framing)
        with open(config, "w") as f:
            f.write("""
global(workDirectory="%(place)s" DefaultNetstreamDriverCAFile="%(place)s/ca.pem"
       DefaultNetstreamDriverCertFile="%(place)s/relay.pem" DefaultNetstreamDriverKeyFile="%(place)s/relay.key")
module(load="imudp")
input(type="imudp" address="127.0.0.1" port="%(own)d")
action(type="omfwd" target="127.0.0.1" port="%(port)d" protocol="tcp" StreamDriver="gtls" StreamDriverMode="1"
       StreamDriverAuthMode="x509/certvalid" TCP_Framing="%(framing)s" template="RSYSLOG_SyslogProtocol23Format"
       action.resumeRetryCount="-1" action.resumeInterval="1")
""" % {"place": place, "own": self.port, "port": port, "framing": framing})
        self.process = subprocess.Popen(["rsyslogd", "-n", "-f", config, "-i", os.path.join(place, framing + ".pid")],
                                        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def close(self):
        self.process.terminate()
        self.process.wait(30)


def logger(port, how, message):
    subprocess.run(["logger", "--server", "127.0.0.1", "--port", str(port), "--tag", "peer", *how, "--", message],
                   check=True, timeout=60)


def syslog_of(node):
    answer = node.ask("inputs")
    return next(i for i in answer["inputs"] if i["input"] == "syslog") if answer else None


def activities(node):
    """account -> its activity."""
    status, out, err = node.command("activities", "--json", "--limit", "1000")
    found = [json.loads(line) for line in out.splitlines()]
    return {a.get("account"): a for a in found}


def check(activity, account):
    assert activity["kind"] == "ntlm_validation", activity
    assert activity["account"] == account and activity["workstation"] == "WS1", activity
    assert activity["status"] == 0xc000006a, activity
    assert activity["time"][:4] in ("2015", "2016", "2026"), activity  # the event's, not that of the header
    year = time.gmtime().tm_year
    assert year == 2026 or not activity["time"].startswith(str(year)), activity


def expect(node, accounts):
    wait(lambda: "%s of %s; %s" % (sorted(set(accounts) - set(activities(node))), len(accounts), node.ask("inputs", "--quarantine")),
         lambda: set(accounts) <= set(activities(node)))
    seen = activities(node)
    for account in accounts:
        check(seen[account], account)


def by_logger(node, udp, tcp):
    accounts = []
    for form, how in LOGGER.items():
        for format_, message in FORMATS.items():
            account = "%s-%s" % (form, format_)
            if form.startswith("tcp") and "count" not in form and "\n" in message and "5424" in form:
                pass  # line feeds within a message, without octet counting: put together by the listener
            logger(udp if form.startswith("udp") else tcp, how, message.format(account))
            accounts.append(account)
    expect(node, accounts)


def by_rsyslog(node, certificates, tls):
    for framing in ("octet-counted", "traditional"):
        relay = Rsyslog(certificates, tls, framing)
        try:
            accounts = ["%s-%s" % (framing, f) for f in FORMATS]

            def arrived():
                # It takes a moment until it listens; the same event twice is no harm.
                for format_, message in FORMATS.items():
                    logger(relay.port, ("--udp", "--rfc3164"), message.format("%s-%s" % (framing, format_)))
                return set(accounts) <= set(activities(node))
            wait(lambda: "%s: %s" % (framing, node.ask("inputs", "--quarantine")), arrived, every=1)
            expect(node, accounts)
        finally:
            relay.close()


def what_is_not_understood(node, udp):
    """Counted by its source, shown, and a matter of health after a while."""
    before = syslog_of(node)["invalid"]
    for _ in range(30):
        logger(udp, ("--udp", "--rfc5424"), "nothing that \x1b[31mPicket reads")
    wait("30 were not understood", lambda: syslog_of(node)["invalid"] >= before + 30)
    answer = node.ask("inputs", "--quarantine", "--limit", "3")
    assert len(answer["quarantine"]) == 3, answer
    first = answer["quarantine"][0]
    assert first["address"] == "127.0.0.1" and "Picket reads" in first["message"], first
    assert any(s["address"] == "127.0.0.1" and s["count"] >= 30 for s in answer["not_understood"]), answer
    status, out, err = node.command("inputs", "--quarantine")
    assert status == 0 and "NOT UNDERSTOOD" in out and "\x1b" not in out, out

    def raised():
        return any("not being analyzed" in p["text"] for p in node.ask("status")["problems"])
    wait("health issue 1012", raised, 180, every=2)


def a_port_that_is_taken(fleet):
    """Told as health issue 1021, and heard at once it is free."""
    port, = free_ports(1)
    with socket.create_server(("127.0.0.1", port)):
        node = fleet.make("b", "hq", ["syslog", "    listen = tcp:127.0.0.1:%d" % port])
        fleet.nodes.append(node)
        node.start(join=fleet.invite("b", "hq")).up()
        state = syslog_of(node)
        assert not state["running"] and str(port) in state["reason"], state
        problems = node.ask("status")["problems"]
        assert any("syslog events are not being processed" in p["text"] for p in problems), problems
    wait("it listens", lambda: syslog_of(node)["running"], every=1)
    logger(port, ("--tcp", "--octet-count"), CEF.format("late"))
    expect(node, ["late"])
    assert node.stop() == 0


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--picketd", required=True)
    parser.add_argument("--picket", required=True)
    o = parser.parse_args()
    missing = [p for p in ("logger", "openssl") if not shutil.which(p)]
    if missing:
        print("skipped: %s is not installed" % ", ".join(missing))
        return 77
    udp, tcp, tls = free_ports(3)
    with Fleet(o.picket, o.picketd, replace_after="30min") as fleet:
        certificates = Certificates(fleet.place)
        fleet.config = ["syslog", "    listen = udp:127.0.0.1:%d, tcp:127.0.0.1:%d, tls:127.0.0.1:%d" % (udp, tcp, tls),
                        "    allow = 127.0.0.0/8", "    certificate = " + certificates.file("server.pem"),
                        "    key = " + certificates.file("server.key"), "    client-ca = " + certificates.file("ca.pem")]
        node = fleet.create("a", "hq").start().up()
        assert syslog_of(node)["running"], syslog_of(node)
        by_logger(node, udp, tcp)
        if shutil.which("rsyslogd") and os.path.exists("/usr/lib/%s-linux-gnu/rsyslog/lmnsd_gtls.so" % os.uname().machine):
            by_rsyslog(node, certificates, tls)
        else:
            print("rsyslogd and rsyslog-gnutls are not installed: TLS is left out")
        fleet.config = []
        a_port_that_is_taken(fleet)
        what_is_not_understood(node, udp)
        assert node.stop() == 0
    print("fine")
    return 0


if __name__ == "__main__":
    sys.exit(main())
