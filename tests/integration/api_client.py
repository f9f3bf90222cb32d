#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""api_client.py - the API over HTTPS, and the commands of `picket` that use it: its own certificate, tokens and roles, pages,
changes, server-sent events, rates and bounds, requests that are none.

    api_client.py --probe PROGRAM --picket PROGRAM --picket-center PROGRAM
"""
import argparse
import http.client
import json
import os
import pty
import select
import shutil
import signal
import socket
import sqlite3
import ssl
import subprocess
import sys
import tempfile
import threading
import time

from nodes import free_ports
from notify_peers import Center, put_secret, until
from syslog_peers import Certificates


with open(os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../center/openapi.json")) as _f:
    DOCUMENT = json.load(_f)


def fits(value, schema, where):
    """Why a value is not as the document says (JSON Schema 2020-12, as much of it as stands there); None: it is."""
    if "$ref" in schema:
        found = DOCUMENT
        for part in schema["$ref"].removeprefix("#/").split("/"):
            found = found[part]
        return fits(value, found, where)
    if "anyOf" in schema:
        why = [fits(value, one, where) for one in schema["anyOf"]]
        return None if None in why else "; ".join(why)
    kinds = {"object": dict, "array": list, "string": str, "integer": int, "number": (int, float), "boolean": bool, "null": type(None)}
    kind = schema.get("type")
    if kind and (not isinstance(value, kinds[kind]) or (isinstance(value, bool) and kind in ("integer", "number"))):
        return "%s: %r is no %s" % (where, value, kind)
    if "enum" in schema and value not in schema["enum"]:
        return "%s: %r is none of %s" % (where, value, schema["enum"])
    if isinstance(value, dict) and ("properties" in schema or "additionalProperties" in schema):
        more = schema.get("additionalProperties", False)
        for key, one in value.items():
            below = schema.get("properties", {}).get(key, more)
            if below is False:
                return "%s: %s is not in the document" % (where, key)
            if below is not True and (why := fits(one, below, where + "/" + key)):
                return why
        return next(("%s: %s is missing" % (where, key) for key in schema.get("required", []) if key not in value), None)
    if isinstance(value, list) and "items" in schema:
        return next((why for why in (fits(one, schema["items"], where + "[]") for one in value) if why), None)
    return None


def check_answer(method, path, status, answer):
    """An answer is as center/openapi.json describes it, to the last member."""
    parts = path.split("?")[0].split("/")
    for template, methods in sorted(DOCUMENT["paths"].items(), key=lambda one: "{" in one[0]):
        names = template.removeprefix("/api/v1").split("/")
        if len(names) != len(parts) or any(n != p and not n.startswith("{") for n, p in zip(names, parts)):
            continue
        responses = methods.get(method.lower(), {}).get("responses", {})
        assert str(status) in responses, "%s %s: %d is not in the document" % (method, template, status)
        content = responses[str(status)].get("content", {}).get("application/json")
        assert (content is None) == (answer is None), (method, template, answer)
        if content and (why := fits(answer, content["schema"], template)):
            raise AssertionError("%s %s" % (method, why))
        return
    raise AssertionError("%s %s is not in the document" % (method, path))


class Client:
    def __init__(self, center, token=None):
        host, port = center.endpoint.removeprefix("https://").split(":")
        self.address = (host, int(port))
        self.context = ssl.create_default_context(cafile=os.path.join(getattr(center, "state", center.place), "api.crt"))
        self.headers = {"Authorization": "Bearer " + token} if token else {}

    def connect(self, timeout=60):
        return http.client.HTTPSConnection(*self.address, context=self.context, timeout=timeout)

    def ask(self, method, path, body=None, headers=None):
        connection = self.connect()
        data = None if body is None else body if isinstance(body, bytes) else json.dumps(body).encode()
        sent = {**self.headers, **({"Content-Type": "application/json"} if data else {}), **(headers or {})}
        connection.request(method, "/api/v1" + path, data, sent)
        response = connection.getresponse()
        text = response.read()
        connection.close()
        assert response.headers["X-Content-Type-Options"] == "nosniff"
        if response.status >= 400:
            assert response.headers["Content-Type"] == "application/problem+json", response.headers
        answer = json.loads(text) if text else None
        if response.status < 300 and path != "/openapi.json":
            check_answer(method, path, response.status, answer)
        return response.status, answer, response.headers

    def raw(self, data):
        """What is answered to bytes of one's own; b"" when the connection is closed."""
        with self.context.wrap_socket(socket.create_connection(self.address, 30), server_hostname="127.0.0.1") as s:
            s.settimeout(60)
            s.sendall(data)
            try:
                return s.recv(65536)
            except (ConnectionError, ssl.SSLError):
                return b""


def roles(center):
    nobody = Client(center)
    assert nobody.ask("GET", "/openapi.json")[0] == 200
    status, problem, headers = nobody.ask("GET", "/alerts")
    assert status == 401 and problem["status"] == 401 and headers["WWW-Authenticate"].startswith("Bearer")
    assert Client(center, "picket_" + "0" * 64).ask("GET", "/alerts")[0] == 401
    viewer = Client(center, center.ask("token viewer"))
    assert viewer.ask("GET", "/alerts")[0] == 200
    assert viewer.ask("POST", "/exclusions", {"kind": "account", "value": "bob"})[0] == 403
    assert viewer.ask("GET", "/nowhere")[0] == 404
    status, _, headers = viewer.ask("DELETE", "/alerts")
    assert status == 405 and headers["Allow"] == "GET"


def alerts(center, admin):
    for position in range(1, 8):
        assert center.raise_(position) == "new"
    seen, cursor = [], ""
    while cursor is not None:
        status, page, _ = admin.ask("GET", "/alerts?limit=3" + ("&cursor=" + cursor if cursor else ""))
        assert status == 200
        seen += [a["number"] for a in page["items"]]
        cursor = page["next"]
    assert seen == sorted(seen, reverse=True) and len(seen) == 7, seen
    first = admin.ask("GET", "/alerts?limit=1")[1]["items"][0]
    assert first["accounts"][0]["name"] == "m\u00fcller=1|2\\3" and first["sources"][0]["name"] == "WS1\r\nCEF:0|x"
    path = "/alerts/" + first["id"]
    status, changed, _ = admin.ask("PATCH", path, {"status": "closed", "classification": "benign-true-positive"})
    assert status == 200 and changed["status"] == "closed"
    history = admin.ask("GET", path + "/history")[1]["items"]
    assert [h["what"] for h in history] == ["alert-closed", "alert-new"] and history[0]["who"] == "token:probe"
    assert admin.ask("GET", path + "/activities")[1]["items"][0]["lost"] is True
    assert admin.ask("GET", "/alerts?q=m%C3%BCller%3D1&status=closed")[1]["items"][0]["id"] == first["id"]


def bounds(center, admin):
    assert admin.ask("PATCH", "/settings", b"x" * 70000)[0] == 413
    assert admin.ask("PATCH", "/settings", b"{}", {"Content-Type": "text/plain"})[0] == 415
    assert admin.ask("GET", "/alerts?" + "&".join("a%d=1" % i for i in range(40)))[0] == 400
    nested = b"[" * 30000 + b"]" * 30000
    assert admin.ask("PATCH", "/settings", nested)[0] == 400
    token = admin.headers["Authorization"].encode()
    for data in (b"\0" * 100, b"GET\r\n\r\n", b"GET / HTTP/9.9\r\n\r\n", b"GET /" + b"a" * 100000 + b" HTTP/1.1\r\n\r\n",
                 b"GET /api/v1/alerts HTTP/1.1\r\nHost: x\r\n" + b"X: y\r\n" * 20000 + b"\r\n",
                 b"PATCH /api/v1/settings HTTP/1.1\r\nHost: x\r\nAuthorization: " + token +
                 b"\r\nContent-Length: 99999999999999999999\r\n\r\n",
                 b"PATCH /api/v1/settings HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
                 b"GET /api/v1/alerts/%00%2e%2e/%ff HTTP/1.1\r\nHost: x\r\nAuthorization: " + token + b"\r\n\r\n"):
        try:
            answer = admin.raw(data)
        except OSError:
            continue
        assert not answer or b" 4" in answer[:13] or b" 5" in answer[:13], (data[:60], answer[:80])
    assert admin.ask("GET", "/alerts")[0] == 200


def many_at_once(center, admin):
    statuses = []

    def ask():
        for _ in range(10):
            statuses.append(admin.ask("GET", "/alerts?limit=2")[0])
    threads = [threading.Thread(target=ask) for _ in range(8)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert statuses.count(200) == 80, statuses


def rates(center):
    nobody = Client(center)
    connection = nobody.connect()
    seen = set()
    for _ in range(1500):
        connection.request("GET", "/api/v1/openapi.json")
        response = connection.getresponse()
        response.read()
        seen.add(response.status)
        if response.status == 429:
            assert response.headers["Retry-After"] == "1"
            break
    connection.close()
    assert seen == {200, 429}, seen
    assert Client(center, center.ask("token viewer")).ask("GET", "/alerts")[0] == 200  # others are not held up


def events(center, admin):
    connection = admin.connect()
    connection.request("GET", "/api/v1/events", headers=admin.headers)
    response = connection.getresponse()
    assert response.status == 200 and response.headers["Content-Type"] == "text/event-stream"
    assert response.readline() == b"retry: 5000\n" and response.readline() == b"\n"
    assert center.raise_(100) == "new"
    assert center.raise_(101, 100) == "updated"
    heard = []
    while len(heard) < 2:
        line = response.readline()
        if line.startswith(b"data: "):
            heard.append(json.loads(line[6:]))
    assert [h["trigger"] for h in heard] == ["new", "updated"] and heard[1]["count"] == 2, heard
    status, _, _ = admin.ask("PATCH", "/alerts/" + heard[0]["id"], {"status": "suppressed"})
    assert status == 200
    while not (line := response.readline()).startswith(b"data: "):
        pass
    assert json.loads(line[6:])["trigger"] == "suppressed"
    assert center.raise_(102, 100) == "silent"
    return connection, response  # still open when the center ends


def command_line(center, picket, token):
    config = os.path.join(center.place, "client.conf")
    secret = put_secret(os.path.join(center.place, "token"), token)
    with open(config, "w") as f:
        f.write("center\n    url = \"%s\"\n    ca = %s/api.crt\n    token = %s\n" % (center.endpoint, center.place, secret))

    def run(*arguments, code=0):
        environment = dict(os.environ, PICKET_CENTER_CONFIG=config)
        done = subprocess.run([picket, *arguments], capture_output=True, text=True, env=environment, timeout=120)
        assert done.returncode == code, (arguments, done)
        return done.stdout + done.stderr
    text = run("alerts", code=3)
    assert "DirectoryServicesReplication" in text or "directory" in text.lower(), text
    assert "\x1b" not in text and "WS1\r" not in text
    numbers = [a["number"] for a in json.loads(run("alerts", "--json", "--severity", "high", code=3))["items"]]
    assert "no such alerts" in run("alerts", "--search", "nobodycalledso")
    number = str(numbers[0])
    text = run("alert", number)
    assert "is no domain controller" in text and "alert-new" in text and "what to do" in text or "alert-new" in text, text
    assert "is closed, classified as false-positive" in run("alert", number, "close", "--as", "false-positive")
    assert "is open" in run("alert", number, "reopen")
    assert "classified as true-positive" in run("alert", number, "classify", "true-positive")
    assert "is suppressed" in run("alert", number, "suppress")
    assert "is deleted" in run("alert", number, "delete")
    run("alert", number, code=1)
    run("alert", number, "frob", code=2)
    run("alert", "x", code=2)
    run("alert", "999999", code=1)
    run("alert", code=2)
    run("alerts", "--limit", "0", code=2)
    assert "nobody is called so" in run("entities", "zz")
    assert "dc1" in run("sensors") and "2026-11-22 03:27:13" in run("sensors")
    assert "no health issue" in run("health", "--center")
    os.chmod(secret, 0o644)
    assert "chmod 600" in run("alerts", code=1)
    os.chmod(secret, 0o600)
    with open(config, "w") as f:
        f.write("center\n    url = \"%s\"\n    token = %s\n" % (center.endpoint, secret))
    assert token not in run("alerts", code=1)  # the certificate is nobody's


def administration(running, picket, place, token):
    """Who may what, what is looked for and of whom, all on the command line; no secret is ever on it or shown."""
    config = os.path.join(place, "client.conf")
    with open(config, "w") as f:
        f.write("center\n    url = \"%s\"\n    ca = %s/api.crt\n    token = %s\n" % (running.endpoint, running.state, token))
    environment = dict(os.environ, PICKET_CENTER_CONFIG=config)

    def run(*arguments, code=0, **more):
        done = subprocess.run([picket, *arguments], capture_output=True, text=True, env=environment, timeout=120, **more)
        assert done.returncode == code, (arguments, done)
        assert code == 0 or done.stderr.startswith("picket"), done
        return done.stdout + done.stderr

    def rows(command, *more):
        return json.loads(run(command, "--json", *more))["items"]

    # users
    assert "user erin is there" in run("users", "add", "erin", "--role", "viewer")
    assert "there is a user of that name" in run("users", "add", "erin", "--role", "viewer", code=1)
    assert "viewer, user or administrator" in run("users", "add", "frank", "--role", "boss", code=1)
    run("users", "add", "frank", code=2)
    run("users", "frob", "erin", code=2)
    run("users", "remove", "erin", "frank", code=2)
    secret = os.path.join(place, "password")
    with open(secret, "w") as f:
        f.write("correct horse battery\n")
    os.chmod(secret, 0o644)
    assert "chmod 600" in run("users", "password", "erin", "--password-file", secret, code=1)
    os.chmod(secret, 0o600)
    assert "has a new password" in run("users", "password", "erin", "--password-file", secret)
    assert "there is no terminal" in run("users", "password", "erin", code=1, start_new_session=True)
    assert "12 characters" in run("users", "password", "erin", "--password-file", "/dev/stdin", code=1, input="short")
    assert "UTF-8" in run("users", "password", "erin", "--password-file", "/dev/stdin", code=1, input="\udcff" * 20, errors="surrogateescape")
    assert "has a new password" in ask_twice([picket, "users", "password", "erin"], environment, "horse battery correct", "horse battery correct")
    assert "differs" in ask_twice([picket, "users", "password", "erin"], environment, "horse battery correct", "horse battery incorrect")
    assert "is changed" in run("users", "set", "erin", "--role", "user")
    assert "is disabled" in run("users", "disable", "ERIN")
    user = [u for u in rows("users") if u["name"] == "erin"][0]
    assert user["disabled"] and user["role"] == "user" and " yes " in run("users")
    assert "is enabled" in run("users", "enable", "erin")
    assert "no user nobody" in run("users", "remove", "nobody", code=1)
    # tokens
    out = os.path.join(place, "erin.token")
    run("tokens", "add", "laptop", "--user", "erin", code=2)
    run("tokens", "add", "laptop", "--user", "erin", "--role", "user", "--out", out, code=2)
    assert "none of that name" in run("tokens", "add", "laptop", "--user", "none", "--out", out, code=1)
    assert not os.path.exists(out)
    text = run("tokens", "add", "laptop", "--user", "erin", "--days", "7", "--out", out)
    hers = open(out).read().strip()
    assert hers not in text and os.stat(out).st_mode & 0o777 == 0o600
    assert "File exists" in run("tokens", "add", "laptop", "--user", "erin", "--out", out, code=1)
    assert Client(running, hers).ask("GET", "/alerts")[0] == 200
    added = json.loads(run("tokens", "add", "script", "--role", "viewer", "--json", "--out", out + "2"))
    assert "token" not in added and added["name"] == "script"
    assert "laptop" in run("tokens") and hers not in run("tokens")
    assert "is removed" in run("tokens", "remove", str(added["id"]))
    assert "no such token" in run("tokens", "remove", str(added["id"]), code=1)
    run("tokens", "remove", "x", code=2)
    # what is looked for, and of whom
    assert "is there" in run("workspaces", "add", "north") and "there is a workspace" in run("workspaces", "add", "north", code=1)
    assert [w["name"] for w in rows("workspaces")] == ["default", "north"]
    assert "is tagged honeytoken" in run("tags", "add", "honeytoken", "svc-old", "--domain", "corp.example")
    assert "is wanted" in run("tags", "add", "holy", "svc-old", code=1)
    run("tags", "add", "sensitive", "00112233-4455-6677-8899-aabbccddeeff", "--kind", "group", "--workspace", "north")
    assert rows("tags")[0]["name"] == "svc-old" and rows("tags", "--workspace", "north")[0]["guid"].startswith("00112233")
    assert "is removed" in run("tags", "remove", str(rows("tags")[0]["id"])) and "nothing is tagged" in run("tags")
    assert "left alone by all" in run("exclusions", "add", "address:10.0.0.0/8")
    assert "no address" in run("exclusions", "add", "address:10.0.0.0/99", code=1)
    assert "no detector" in run("exclusions", "add", "account:bob", "--detector", "nothing", code=1)
    run("exclusions", "add", "bob", code=2)
    number = [e["id"] for e in rows("exclusions") if e["kind"] == "address"][0]
    assert "is removed" in run("exclusions", "remove", str(number))
    detector = next(d for d in rows("detectors") if d["settings"])
    word, setting = detector["word"], detector["settings"][0]
    assert word in run("detectors") and setting["name"] in run("detectors", word)
    assert "SETTING" in run("detectors", str(detector["external_id"]))
    assert "no such detector" in run("detectors", "nothing", code=1)
    name = "%s/%s" % (word, setting["name"])
    assert "%s = %g" % (name, setting["most"]) in run("settings", "set", "sensitivity=high", "%s=%.15g" % (name, setting["most"]))
    assert "is wanted" in run("settings", "set", "%s=%.15g" % (name, setting["most"] * 2 + 1), code=1)
    run("settings", "set", "sensitivity", code=2)
    assert "sensitivity: high" in run("settings") and name not in run("settings", "reset", name)
    assert "off: " + word in run("settings", "off", word) and "off: " not in run("settings", "on", word)
    assert json.loads(run("settings", "--json"))["sensitivity"] == "high"
    # the center
    assert "POSITION" in run("center") and "alerts" in run("center") and "setting-changed" in run("audit")
    assert [a["what"] for a in rows("audit", "erin")][-1] == "user-added"
    assert "no sensor delivers" in run("sensors") and "no sensor dc1" in run("sensors", "settings", "dc1", code=1)
    assert "is in north" in run("sensors", "place", "01" * 16, "north")
    assert "none of that name" in run("sensors", "place", "01" * 16, "south", code=1)
    assert "token and the rules" in run("sensors", "unplace", "01" * 16)
    assert "is removed" in run("users", "remove", "erin")
    with open(config) as f:
        before = f.read()
    with open(config, "w") as f:
        f.write(before.replace(token, out + "2"))
    assert "does not count" in run("users", code=1)  # it was removed
    with open(config, "w") as f:
        f.write(before.replace("api.crt", "none.crt"))
    assert "none.crt: No such file" in run("users", code=1)
    with open(config, "w") as f:
        f.write("".join(line for line in before.splitlines(True) if "ca = " not in line))
    assert "center/ca is wanted" in run("users", code=1)
    os.remove(config)
    assert "see docs/api.md" in run("users", code=1)


def ask_twice(command, environment, first, second):
    """What a command says that asks for a secret on its terminal, twice."""
    child, terminal = pty.fork()
    if child == 0:
        os.execve(command[0], command, environment)
    said, answers = b"", [(b"Password of", first), (b"again: ", second)]
    end = time.monotonic() + 60
    while time.monotonic() < end:
        if answers and answers[0][0] in said and said.endswith(b": "):
            os.write(terminal, answers.pop(0)[1].encode() + b"\n")
        if select.select([terminal], [], [], 1)[0]:
            try:
                said += os.read(terminal, 1024)
            except OSError:
                break  # its end
    os.close(terminal)
    os.waitpid(child, 0)
    assert first.encode() not in said and second.encode() not in said, said
    return said.decode()


class Running:
    """The whole center, as it is run."""

    def __init__(self, program, place, api=""):
        self.program, self.place, self.state = program, place, os.path.join(place, "state")
        os.mkdir(self.state, 0o700)
        node, port = free_ports(2)
        self.endpoint = "https://127.0.0.1:%d" % port
        self.config = os.path.join(place, "center.conf")
        with open(self.config, "w") as f:
            f.write("center\n    state = %s\n    listen = 127.0.0.1:%d\n    authority = \"%s\"\napi\n    listen = 127.0.0.1:%d\n%s"
                    "notify\n    file = %s/alerts\n" % (self.state, node, "0" * 64, port, api, place))
        self.log = open(os.path.join(place, "log"), "wb")
        self.process = subprocess.Popen([program, "run", "--config", self.config], stderr=self.log)

    def token(self, *arguments, code=0):
        done = subprocess.run([self.program, "token", *arguments, "--config", self.config], capture_output=True, text=True)
        assert done.returncode == code, done
        return done.stdout


def the_whole_center(program, picket, place):
    """Tokens are made and removed while it runs, by another process; nothing of the store is lost by that."""
    center = Running(program, place)
    try:
        assert until(lambda: os.path.exists(os.path.join(center.state, "api.crt")), 60)
        secret = os.path.join(place, "secret")
        center.token("create", "--name", "me", "--role", "administrator", "--all-workspaces", "--out", secret)
        assert os.stat(secret).st_mode & 0o777 == 0o600
        center.token("create", "--name", "me", "--out", secret, code=1)  # the file is there
        center.token("create", "--out", os.path.join(place, "other"), code=2)
        client = Client(center, open(secret).read().strip())
        assert until(lambda: answers(client), 60)
        for _ in range(3):
            assert client.ask("GET", "/alerts")[1]["items"] == []
            assert client.ask("POST", "/exclusions", {"kind": "account", "value": "bob"})[0] == 201
            assert "me\tadministrator" in center.token("list")
            assert client.ask("GET", "/status")[1]["shards"][0]["stuck"] is False
            assert len(client.ask("GET", "/exclusions")[1]["items"]) == 1
        assert client.ask("GET", "/detectors")[1]["items"]
        status, alice, _ = client.ask("POST", "/users", {"name": "alice", "role": "viewer"})
        assert status == 201 and alice["role"] == "viewer"
        hers = os.path.join(place, "alice")
        center.token("create", "--name", "laptop", "--user", "bob", "--out", hers, code=1)
        center.token("create", "--name", "laptop", "--user", "alice", "--role", "user", "--out", hers, code=2)
        center.token("create", "--name", "laptop", "--user", "alice", "--out", hers)
        user = Client(center, open(hers).read().strip())
        assert user.ask("POST", "/exclusions", {"kind": "account", "value": "eve"})[0] == 403
        assert client.ask("PATCH", "/users/%d" % alice["id"], {"role": "user"})[0] == 200
        assert user.ask("POST", "/exclusions", {"kind": "account", "value": "eve"})[0] == 201
        assert [a["who"] for a in client.ask("GET", "/audit")[1]["items"] if a["what"] == "exclusion-added"][0] == "alice"
        assert client.ask("DELETE", "/users/%d" % alice["id"])[0] == 204
        assert user.ask("GET", "/alerts")[0] == 401
        administration(center, picket, place, secret)
        listening_ends(center, place, client)
        center.token("remove", "1")
        center.token("remove", "1", code=1)
        assert client.ask("GET", "/alerts")[0] == 401
    finally:
        center.process.terminate()
        code = center.process.wait(60)
        center.log.close()
    log = open(center.log.name).read()
    assert code == 0 and "database" not in log, log


def listening_ends(center, place, client):
    """Whoever listens to events hears nothing any more when they are disabled, or their token or workspace is taken away."""
    def listener(number):
        secret = os.path.join(place, "listener%d" % number)
        center.token("create", "--name", "listener", "--user", "carol", "--out", secret)
        hers = Client(center, open(secret).read().strip())
        connection = hers.connect()
        connection.request("GET", "/api/v1/events", headers=hers.headers)
        response = connection.getresponse()
        assert response.status == 200 and response.readline() == b"retry: 5000\n"
        return hers, connection, response

    def change(*sql):
        with sqlite3.connect(os.path.join(center.state, "center.db"), timeout=60) as store:
            assert store.execute(*sql).rowcount == 1
        store.close()

    carol = client.ask("POST", "/users", {"name": "carol", "role": "viewer"})[1]["id"]
    stays = listener(0)
    token = [t["id"] for t in client.ask("GET", "/tokens")[1]["items"] if t["user"] == "carol"][0]
    user = "/users/%d" % carol
    ways = (lambda number: client.ask("DELETE", "/tokens/%d" % number),
            lambda number: change("UPDATE tokens SET expires = 1 WHERE id = ?", (number,)),
            lambda _: client.ask("PATCH", user, {"disabled": True}),
            lambda _: change("UPDATE users SET workspace = 77 WHERE id = ?", (carol,)),
            lambda _: client.ask("DELETE", user))
    for i, way in enumerate(ways, 1):
        hers, connection, response = listener(i)
        number = max(t["id"] for t in client.ask("GET", "/tokens")[1]["items"])
        assert number > token
        way(number)
        while response.readline():  # its end; else the connection's timeout
            pass
        connection.close()
        expected = {4: 200}.get(i, 401)  # still a user, but of another workspace
        assert hers.ask("GET", "/alerts")[0] == expected, i
        if i == 2:  # so far the first one listened on
            stays[1].sock.settimeout(3)
            try:
                assert stays[2].readline() in (b"\n", b":\n")
            except TimeoutError:
                pass
        if i == 3:
            assert client.ask("PATCH", user, {"disabled": False})[0] == 200
        if i == 4:
            change("UPDATE users SET workspace = 1 WHERE id = ?", (carol,))
    stays[1].close()


def another_certificate(program, place):
    """SIGHUP takes another certificate and its key; what cannot be shown is told, and that of before stays."""
    ours = Certificates(place)
    ours.make("localhost", ["-x509", "-days", "400", "-subj", "/CN=localhost", "-addext", "subjectAltName=IP:127.0.0.1"])
    ours.make("second", ["-x509", "-days", "400", "-subj", "/CN=localhost", "-addext", "subjectAltName=IP:127.0.0.1"])
    shutil.copy(ours.file("localhost.pem"), ours.file("api.pem"))
    shutil.copy(ours.file("localhost.key"), ours.file("api.key"))
    center = Running(program, place, "    certificate = %s\n    key = %s\n" % (ours.file("api.pem"), ours.file("api.key")))
    address = tuple(center.endpoint.removeprefix("https://").split(":"))

    def shown():
        try:
            return ssl.get_server_certificate(address, timeout=60)
        except OSError:
            return None

    def put(certificate, key):
        shutil.copy(ours.file(certificate), ours.file("api.pem"))
        shutil.copy(ours.file(key), ours.file("api.key"))
        center.process.send_signal(signal.SIGHUP)

    def logged():
        return open(center.log.name).read()

    try:
        first, second = (open(ours.file(name)).read() for name in ("localhost.pem", "second.pem"))
        assert until(lambda: shown() == first, 60)
        secret = os.path.join(place, "secret")
        center.token("create", "--name", "me", "--role", "administrator", "--all-workspaces", "--out", secret)
        shutil.copy(ours.file("localhost.pem"), os.path.join(center.state, "api.crt"))
        client = Client(center, open(secret).read().strip())
        kept = client.connect()

        def issues():
            kept.request("GET", "/api/v1/health", headers=client.headers)
            return [(i["number"], i["text"]) for i in json.loads(kept.getresponse().read())["issues"] if i["number"] == 1113]
        assert issues() == []
        put("second.pem", "localhost.key")
        assert until(lambda: "is not that of the first certificate" in logged(), 60)
        assert shown() == first
        assert until(lambda: issues() and "is not that of the first" in issues()[0][1], 60)
        put("ca.key", "second.key")
        assert until(lambda: "holds no certificate" in logged(), 60)
        put("second.pem", "second.pem")
        assert until(lambda: "holds no key" in logged(), 60)
        os.rename(ours.file("api.key"), ours.file("away"))
        center.process.send_signal(signal.SIGHUP)
        assert until(lambda: "api.key: No such file" in logged(), 60)
        assert shown() == first
        put("second.pem", "second.key")
        assert until(lambda: shown() == second, 60)
        assert until(lambda: issues() == [], 60)  # over the connection that was there before
        assert "shows another certificate" in logged()
        kept.close()
    finally:
        center.process.terminate()
        assert center.process.wait(60) == 0
        center.log.close()


def answers(client):
    try:
        return client.ask("GET", "/alerts")[0] == 200
    except OSError:
        return False


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--probe", required=True)
    parser.add_argument("--picket", required=True)
    parser.add_argument("--picket-center", required=True)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="picket-center-") as place:
        the_whole_center(options.picket_center, options.picket, place)
    with tempfile.TemporaryDirectory(prefix="picket-center-") as place:
        another_certificate(options.picket_center, place)
    with tempfile.TemporaryDirectory(prefix="picket-api-") as place:
        center = Center(options.probe, place, ["portal = \"https://portal.example\""])
        listener = None
        try:
            token = center.ask("token administrator")
            admin = Client(center, token)
            roles(center)
            alerts(center, admin)
            bounds(center, admin)
            many_at_once(center, admin)
            listener = events(center, admin)
            command_line(center, options.picket, token)
            rates(center)
            key = os.stat(os.path.join(place, "api.key"))
            assert key.st_mode & 0o777 == 0o600
        finally:
            began = time.monotonic()
            assert center.close() == 0
            assert time.monotonic() - began < 30
        if listener:
            listener[0].close()
    print("api: fine")
    return 0


if __name__ == "__main__":
    sys.exit(main())
