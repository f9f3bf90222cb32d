#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""radius.py - RADIUS accounting from others' software into a real node: radclient, and FreeRADIUS as the proxy in front.

    radius.py --picketd PROGRAM --picket PROGRAM

What is sent is what `picket activities` shows; who has the wrong secret gets no answer and is told of; while the node is
down nobody gets an answer, and what was sent then comes when it is up again.
"""
import argparse
import json
import os
import shutil
import subprocess
import sys
import time

from nodes import Fleet, free_ports, wait

SECRET, PROXY_SECRET = "testing123", "between us"

PROXY = """
prefix = /usr
exec_prefix = /usr
libdir = /usr/lib/freeradius
logdir = {place}
run_dir = {place}
pidfile = {place}/radiusd.pid
max_request_time = 30
cleanup_delay = 1
max_requests = 1024
proxy_requests = yes
log {{ destination = stdout }}
security {{ allow_vulnerable_openssl = yes }}
thread pool {{
 start_servers = 1
 max_servers = 2
 min_spare_servers = 1
 max_spare_servers = 2
 max_requests_per_server = 0
}}
client vpn {{
 ipaddr = 127.0.0.0/8
 secret = {secret}
}}
home_server picket {{
 type = acct
 ipaddr = 127.0.0.1
 port = {port}
 secret = "{proxy_secret}"
 response_window = 5
 zombie_period = 5
 status_check = status-server
 check_interval = 6
 check_timeout = 1
 num_answers_to_alive = 3
}}
home_server_pool picket {{
 type = fail-over
 home_server = picket
}}
realm picket {{
 acct_pool = picket
}}
modules {{
}}
server default {{
 listen {{
  type = acct
  ipaddr = 127.0.0.1
  port = {listen}
 }}
 preacct {{
  update control {{
   Proxy-To-Realm := picket
  }}
 }}
 accounting {{
 }}
}}
"""


def request(status, session, user, address, more=""):
    return ("Acct-Status-Type = %s, Acct-Session-Id = \"%s\", User-Name = \"%s\", NAS-IP-Address = 192.0.2.1, "
            "NAS-Identifier = \"vpn-gw1\", NAS-Port-Type = Virtual, Framed-IP-Address = %s, "
            "Calling-Station-Id = \"203.0.113.7\", Called-Station-Id = \"198.51.100.1\", "
            "Tunnel-Client-Endpoint = \"203.0.113.7\"%s\n" % (status, session, user, address, more))


class Client:
    def __init__(self, place):
        self.place = place

    def send(self, text, server, secret=SECRET, command="acct", retries=3, timeout=5, family="-4"):
        """Whether there was an answer (radclient checks its authenticator), and what radclient said."""
        path = os.path.join(self.place, "client.secret")
        with open(path, "w", opener=lambda p, f: os.open(p, f, 0o600)) as f:
            f.write(secret + "\n")
        r = subprocess.run(["radclient", family, "-x", "-r", str(retries), "-t", str(timeout), "-S", path, server, command],
                           input=text, capture_output=True, text=True, timeout=120)
        said = r.stdout + r.stderr
        return "Received Accounting-Response" in said, said


def sessions(node):
    """(status, session, account) of the accounting records that the node has heard, in their order."""
    status, out, err = node.command("activities", "--json", "--limit", "1000")
    found = [json.loads(line) for line in out.splitlines() if line.strip()]
    return [a for a in found if a["kind"] == "radius_accounting"]


def short(activities):
    return [(a.get("radius_status"), a.get("radius_session"), a.get("account")) for a in activities]


def direct(node, client, port):
    here, there = "127.0.0.1:%d" % port, "[::1]:%d" % port
    for text, server, family in (
            (request("Start", "s-1", "CORP\\\\user02", "10.77.9.12"), here, "-4"),
            (request("Interim-Update", "s-1", "CORP\\\\user02", "10.77.9.12", ", Acct-Session-Time = 300, "
                     "Acct-Input-Octets = 5, Acct-Input-Gigawords = 1, Acct-Output-Octets = 7"), here, "-4"),
            (request("Stop", "s-1", "CORP\\\\user02", "10.77.9.12", ", Acct-Session-Time = 600, "
                     "Acct-Terminate-Cause = User-Request"), there, "-6"),
            ("Acct-Status-Type = Accounting-On, NAS-Identifier = \"vpn-gw1\", Acct-Session-Id = \"0\"\n", here, "-4")):
        answered, said = client.send(text, server, family=family)
        assert answered, said
    records = sessions(node)
    assert short(records) == [("start", "s-1", "CORP\\user02"), ("interim_update", "s-1", "CORP\\user02"),
                              ("stop", "s-1", "CORP\\user02"), ("accounting_on", "0", None)], records
    for name, value in (("source", "127.0.0.1"), ("destination_port", port), ("nas_name", "vpn-gw1"),
                        ("framed_addresses", ["10.77.9.12"]), ("calling_station", "203.0.113.7"),
                        ("called_station", "198.51.100.1"), ("tunnel_client", "203.0.113.7"), ("session_time", 300),
                        ("input_octets", 5 + (1 << 32)), ("output_octets", 7), ("authenticator_valid", True)):
        assert records[1].get(name) == value, (name, records[1])
    assert records[2]["terminate_cause"] == 1 and records[2]["source"] == "::1", records[2]


def wrong_secret(node, client, port):
    before = len(sessions(node))
    answered, said = client.send(request("Start", "bad", "user04", "10.77.9.14"), "127.0.0.1:%d" % port, "guessed", retries=1,
                                 timeout=1)
    assert not answered and "No reply" in said, said
    assert len(sessions(node)) == before
    texts = [p["text"] for p in node.ask("status")["problems"]]
    assert any("wrong shared secret" in text and "127.0.0.1" in text for text in texts), texts
    assert not any(SECRET in text or "guessed" in text for text in texts)
    with open(node.log) as f:
        log = f.read()
    assert "another shared secret" in log and SECRET not in log and PROXY_SECRET not in log, log


class Proxy:
    def __init__(self, place, port):
        self.place = os.path.join(place, "raddb")
        self.listen = free_ports(1)[0]
        os.makedirs(self.place)
        with open(os.path.join(self.place, "radiusd.conf"), "w") as f:
            f.write(PROXY.format(place=self.place, listen=self.listen, port=port, secret=SECRET, proxy_secret=PROXY_SECRET))
        with open(os.path.join(self.place, "dictionary"), "w") as f:
            f.write("$INCLUDE /usr/share/freeradius/dictionary\n")
        self.log = os.path.join(self.place, "log")

    def __enter__(self):
        with open(self.log, "wb") as log:
            self.process = subprocess.Popen(["freeradius", "-f", "-l", "stdout", "-d", self.place], stdin=subprocess.DEVNULL,
                                            stdout=log, stderr=log)
        wait(lambda: "FreeRADIUS is ready: " + self.said(), lambda: "Ready to process requests" in self.said())
        return self

    def __exit__(self, kind, value, trace):
        if kind:
            print("--- FreeRADIUS ---\n" + self.said()[-3000:])
        self.process.terminate()
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()

    def said(self):
        with open(self.log, errors="replace") as f:
            return f.read()


def proxied(node, client, port):
    with Proxy(client.place, port) as proxy:
        server = "127.0.0.1:%d" % proxy.listen
        answered, said = client.send(request("Start", "p-1", "user05@corp.example", "10.77.9.15"), server)
        assert answered, said
        assert ("start", "p-1", "user05@corp.example") in short(sessions(node))
        # With the node down nobody confirms, and the VPN server goes on asking; once it is up again, which FreeRADIUS
        # learns by Status-Server, the record comes.
        assert node.stop() == 0
        answered, said = client.send(request("Stop", "p-1", "user05@corp.example", "10.77.9.15"), server, retries=2, timeout=4)
        assert not answered, said
        wait("FreeRADIUS asks for a sign of life", lambda: "zombie" in proxy.said() or "dead" in proxy.said())
        node.start().up()
        answered, said = client.send(request("Stop", "p-1", "user05@corp.example", "10.77.9.15"), server, retries=20, timeout=4)
        assert answered, said
        stops = [r for r in sessions(node) if r.get("radius_session") == "p-1"]
        assert short(stops) == [("stop", "p-1", "user05@corp.example")], stops
        said = node.ask("status")
        assert not [p for p in said["problems"] if "RADIUS" in p["text"]], said["problems"]


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--picketd", required=True)
    parser.add_argument("--picket", required=True)
    options = parser.parse_args()
    if not shutil.which("radclient") or not shutil.which("freeradius"):
        print("skipped: radclient and freeradius are not there (scripts/setup.sh --tests)")
        return 77
    began = time.monotonic()
    with Fleet(options.picket, options.picketd) as fleet:
        port = free_ports(1)[0]
        for name, secret in (("vpn", SECRET), ("proxy", PROXY_SECRET)):
            fleet._write(os.path.join(fleet.place, name + ".secret"), secret + "\n")
        client = Client(fleet.place)

        def config(secret):
            return ["radius", "    listen = [::]:%d" % port,
                    "    clients = 127.0.0.1 {0}/{1}.secret, ::1 {0}/{1}.secret".format(fleet.place, secret)]
        fleet.config = config("vpn")
        node = fleet.create("sensor", "hq").start().up()
        direct(node, client, port)
        print("radclient: fine (%.1f s)" % (time.monotonic() - began), flush=True)
        wrong_secret(node, client, port)
        print("a wrong secret: fine (%.1f s)" % (time.monotonic() - began), flush=True)
        node.stop()
        node.write_config(config("proxy"))
        node.start().up()
        proxied(node, client, port)
        print("FreeRADIUS in front: fine (%.1f s)" % (time.monotonic() - began), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
