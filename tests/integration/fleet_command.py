#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""fleet_command.py - picket fleet: on the disk, on a terminal, and with a node that listens.

    fleet_command.py --picket PROGRAM [--completion FILE]
"""
import argparse
import base64
import json
import os
import pty
import re
import select
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import threading
import time

HERE = os.path.dirname(os.path.abspath(__file__))
PASSPHRASE = b"correct horse battery\n"
tests = []


def test(function):
    tests.append(function)
    return function


class Fleet:
    """A place with a passphrase file, and picket fleet run on it."""

    def __init__(self, picket, place):
        self.picket, self.place = picket, place
        self.directory = os.path.join(place, "node")
        self.socket = os.path.join(place, "control")
        self.passphrase = self.file("passphrase", PASSPHRASE)

    def file(self, name, content, mode=0o600):
        path = os.path.join(self.place, name)
        with open(path, "wb") as f:
            f.write(content)
        os.chmod(path, mode)
        return path

    def __call__(self, *arguments, passphrase=None, env=None, directory=None):
        command = [self.picket, "fleet", *arguments, "--directory", directory or self.directory,
                   "--socket", self.socket, "--passphrase-file", passphrase or self.passphrase]
        r = subprocess.run(command, capture_output=True, timeout=120, stdin=subprocess.DEVNULL,
                           env=dict(os.environ, **(env or {})))
        return r.returncode, r.stdout.decode(), r.stderr.decode()

    def create(self, *more):
        status, out, err = self("create", "--name", "dc1", "--site", "hq", "--candidate-for", "Corp.Example",
                                "--enrol-at", "10.0.0.1:49201", "--cost", "interactive", *more)
        assert status == 0, err
        return re.search(r"^node +([0-9a-f]{32}), dc1$", out, re.M).group(1)

    def show(self):
        status, out, err = self("show", "--json")
        assert status == 0, err
        return json.loads(out)


@test
def create_makes_a_fleet_once(fleet):
    node = fleet.create()
    assert os.stat(fleet.directory).st_mode & 0o777 == 0o700
    for name in ("identity", "authority", "policy"):
        assert os.stat(os.path.join(fleet.directory, name)).st_mode & 0o777 == 0o600, name
    shown = fleet.show()
    assert shown["node"]["id"] == node and shown["node"]["candidate_for"] == ["corp.example"]
    assert shown["node"]["enroller"] is None and shown["node"]["key_generation"] == 0
    assert shown["policy"]["version"] == 1 and shown["policy"]["enrollers"][0]["id"] == node
    status, text, _ = fleet("show")
    assert status == 0 and node in text and "dc1" in text and "corp.example" in text
    before = open(os.path.join(fleet.directory, "identity"), "rb").read()
    status, _, err = fleet("create", "--name", "x", "--site", "y", "--enrol-at", "h:1")
    assert status == 1 and "already" in err
    os.remove(os.path.join(fleet.directory, "identity"))
    status, _, err = fleet("create", "--name", "x", "--site", "y", "--enrol-at", "h:1")
    assert status == 1 and "one authority" in err, "the authority is not overwritten either"
    assert len(before) > 100


@test
def invite_prints_a_token_and_nothing_else(fleet):
    fleet.create()
    status, out, err = fleet("invite", "--site", "br7", "--name", "br7-dc1", "--mode", "standalone",
                             "--candidate-for", "a.example,b.example", "--expires", "30min")
    assert status == 0, err
    assert re.fullmatch(r"picket-join-1\.[A-Za-z0-9_-]+\n", out), out
    assert re.search(r"its id will be [0-9a-f]{32}", err)
    token = out[len("picket-join-1."):].strip()
    content = base64.urlsafe_b64decode(token + "=" * (-len(token) % 4))
    assert b"br7-dc1" in content and b"a.example" in content and b"10.0.0.1:49201" in content
    until = re.search(r"until (\S+);", err).group(1)
    left = time.mktime(time.strptime(until, "%Y-%m-%dT%H:%M:%SZ")) - time.mktime(time.gmtime())
    assert 1700 < left <= 1800, left
    with_workspace = fleet("invite", "--site", "br7", "--workspace", "north-west")[1][len("picket-join-1."):].strip()
    assert b"north-west" in base64.urlsafe_b64decode(with_workspace + "=" * (-len(with_workspace) % 4))
    other = fleet("invite", "--site", "br7")[1]
    assert other != out
    assert b"[::1]:7" in base64.urlsafe_b64decode(
        fleet("invite", "--site", "s", "--enrol-at", "[::1]:7")[1][14:].strip() + "===")
    status, _, err = fleet("invite", "--site", "s", "--enroller", "nobody")
    assert status == 1 and "no node of that name" in err
    status, _, err = fleet("invite", "--site", "s", "--enroller", "00" * 16)
    assert status == 1 and "no enroller" in err


@test
def passphrases(fleet):
    node = fleet.create()
    wrong = fleet.file("wrong", b"wrong horse battery\n")
    status, out, err = fleet("invite", "--site", "s", passphrase=wrong)
    assert (status, out) == (1, "") and "wrong passphrase" in err
    wide = fleet.file("wide", PASSPHRASE, 0o644)
    status, _, err = fleet("invite", "--site", "s", passphrase=wide)
    assert status == 1 and "chmod 600" in err
    status, _, err = fleet("invite", "--site", "s", passphrase=fleet.file("empty", b"\n"))
    assert status == 1 and "empty" in err
    status, _, err = fleet("invite", "--site", "s", passphrase=fleet.file("long", b"x" * 5000))
    assert status == 1 and "too large" in err.lower(), err
    status, _, err = fleet("invite", "--site", "s", passphrase="/nonexistent")
    assert status == 1 and "/nonexistent" in err
    short = fleet.file("short", b"short\n")
    status, _, err = fleet("passphrase", "--new-passphrase-file", short, "--cost", "interactive")
    assert status == 1 and "12 characters" in err
    assert fleet("passphrase")[0] == 2
    new = fleet.file("new", b"another one entirely")
    assert fleet("passphrase", "--new-passphrase-file", new, "--cost", "interactive")[0] == 0
    assert fleet("invite", "--site", "s")[0] == 1
    assert fleet("invite", "--site", "s", passphrase=new)[0] == 0
    for content in (open(os.path.join(fleet.directory, f), "rb").read() for f in os.listdir(fleet.directory)):
        assert b"horse" not in content and b"entirely" not in content
    assert len(node) == 32


@test
def a_pipe_is_a_passphrase_file(fleet):
    fleet.create()
    read, write = os.pipe()
    os.write(write, PASSPHRASE)
    os.close(write)
    r = subprocess.run([fleet.picket, "fleet", "invite", "--site", "s", "--directory", fleet.directory,
                        "--passphrase-file", "/dev/fd/%d" % read], pass_fds=[read], capture_output=True, timeout=120)
    assert r.returncode == 0, r.stderr
    os.close(read)


def on_terminal(command, answers, ignored=None):
    """Runs with a terminal; each answer is (what is asked for, what is typed). Returns status, what was shown."""
    pid, fd = pty.fork()
    if pid == 0:
        if ignored:
            signal.signal(ignored, signal.SIG_IGN)
        os.execv(command[0], command)
    shown = b""
    deadline = time.monotonic() + 60

    def more():
        nonlocal shown
        if not select.select([fd], [], [], max(0, deadline - time.monotonic()))[0]:
            raise TimeoutError(shown)
        try:
            data = os.read(fd, 4096)
        except OSError:
            data = b""
        shown += data
        return bool(data)

    seen = 0
    for prompt, typed in answers:
        while prompt not in shown[seen:]:
            assert more(), shown
        seen = len(shown)
        os.write(fd, typed)
    while more():
        pass
    os.close(fd)
    return os.waitpid(pid, 0)[1], shown


@test
def the_terminal_does_not_show_the_passphrase(fleet):
    create = [fleet.picket, "fleet", "create", "--name", "a", "--site", "b", "--enrol-at", "h:1", "--cost",
              "interactive", "--directory", fleet.directory]
    status, shown = on_terminal(create, [(b"authority: ", PASSPHRASE), (b"again: ", b"something else\n")])
    assert os.WEXITSTATUS(status) == 1 and b"differ" in shown and b"horse" not in shown
    status, shown = on_terminal(create, [(b"authority: ", b"\x03")])
    assert os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGINT, status
    status, shown = on_terminal(create, [(b"authority: ", b"\x03")], ignored=signal.SIGINT)
    assert os.WEXITSTATUS(status) == 1 and b"Interrupted" in shown, (status, shown)
    status, shown = on_terminal(create, [(b"authority: ", b"\x04")])
    assert os.WEXITSTATUS(status) == 1 and b"empty" in shown, (status, shown)
    assert not os.path.exists(os.path.join(fleet.directory, "authority"))
    status, shown = on_terminal(create, [(b"authority: ", PASSPHRASE), (b"again: ", PASSPHRASE)])
    assert status == 0 and b"horse" not in shown, shown
    invite = [fleet.picket, "fleet", "invite", "--site", "b", "--directory", fleet.directory]
    status, shown = on_terminal(invite, [(b"authority: ", PASSPHRASE)])
    assert status == 0 and b"picket-join-1." in shown and b"horse" not in shown
    # Without any terminal.
    r = subprocess.run(invite, capture_output=True, timeout=120, stdin=subprocess.DEVNULL, start_new_session=True)
    assert r.returncode == 1 and b"--passphrase-file" in r.stderr


@test
def revoke_without_a_node(fleet):
    node = fleet.create()
    other = "0123456789abcdef" * 2
    status, out, err = fleet("revoke", other)
    assert status == 0 and "policy 2" in out and other in err, (out, err)
    shown = fleet.show()
    assert shown["policy"]["revoked"] == [other] and shown["policy"]["version"] == 2
    status, out, err = fleet("revoke", other)
    assert status == 0 and "before" in err and fleet.show()["policy"]["version"] == 2, "nothing changed"
    assert fleet("revoke", "nobody")[0] == 1
    status, out, err = fleet("revoke", "dc1", "ff" * 16)
    assert status == 0 and "enroller" in err
    shown = fleet.show()
    assert shown["policy"]["revoked"] == sorted([other, node, "ff" * 16]) and shown["node"]["revoked"]
    assert shown["policy"]["enrollers"][0]["until"] is not None
    assert "REVOKED" in fleet("show")[1]
    status, _, err = fleet("invite", "--site", "s")
    assert status == 1 and "enroller add" in err


@test
def an_old_copy_of_the_authority_goes_on_from_the_newest_policy(fleet):
    fleet.create()
    authority = os.path.join(fleet.directory, "authority")
    old = open(authority, "rb").read()
    assert fleet("revoke", "aa" * 16)[0] == 0
    with open(authority, "wb") as f:
        f.write(old)
    assert fleet("revoke", "bb" * 16)[0] == 0
    shown = fleet.show()
    assert shown["policy"]["version"] == 3 and shown["policy"]["revoked"] == ["aa" * 16, "bb" * 16]


@test
def rotate_with_the_authority(fleet):
    node = fleet.create()
    key = fleet.show()["node"]["public_key"]
    authority = os.path.join(fleet.directory, "authority")
    status, out, err = fleet("rotate", "--authority", authority)
    assert status == 0 and "generation 1" in out, err
    shown = fleet.show()
    assert shown["node"]["id"] == node and shown["node"]["key_generation"] == 1
    assert shown["node"]["public_key"] != key and not shown["node"]["rotating"]
    enrollers = shown["policy"]["enrollers"]
    assert [e["public_key"] for e in enrollers] == [key, shown["node"]["public_key"]]
    assert enrollers[0]["until"] and not enrollers[1]["until"]
    assert fleet("invite", "--site", "s")[0] == 0
    # Another fleet's authority.
    place = os.path.join(fleet.place, "second")
    assert fleet("create", "--name", "x", "--site", "y", "--enrol-at", "h:1", "--cost", "interactive",
                 directory=place)[0] == 0
    status, _, err = fleet("rotate", "--authority", os.path.join(place, "authority"))
    assert status == 1 and "another fleet" in err
    # Both at once: the second is told.
    lock = os.open(fleet.directory, os.O_RDONLY)
    import fcntl
    fcntl.flock(lock, fcntl.LOCK_EX)
    status, _, err = fleet("rotate", "--authority", authority)
    os.close(lock)
    assert status == 1 and "in use" in err


@test
def enrollers(fleet):
    node = fleet.create()
    status, _, err = fleet("enroller", "add", "ab" * 16)
    assert status == 1 and "no record" in err
    status, _, err = fleet("enroller", "remove", "ab" * 16)
    assert status == 1 and "no enroller" in err
    assert fleet("enroller", "remove", "dc1")[0] == 0
    assert fleet("invite", "--site", "s")[0] == 1
    assert fleet("enroller", "add", "dc1")[0] == 0
    assert fleet("invite", "--site", "s")[0] == 0
    assert [e["until"] for e in fleet.show()["policy"]["enrollers"]] == [None]
    assert fleet("revoke", node)[0] == 0
    status, _, err = fleet("enroller", "add", "dc1")
    assert status == 1 and "revoked" in err
    assert fleet("enroller", "bless", "dc1")[0] == 2


class Node:
    """A control socket that answers with what it is told to, and remembers what it was asked."""

    def __init__(self, path, answers):
        self.answers, self.asked = answers, []
        self.listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.listener.bind(path)
        self.listener.listen(8)
        self.path = path
        threading.Thread(target=self.serve, daemon=True).start()

    def serve(self):
        while True:
            try:
                client = self.listener.accept()[0]
            except OSError:
                return
            with client:
                head = client.recv(4, socket.MSG_WAITALL)
                if len(head) < 4:
                    continue
                request = json.loads(client.recv(struct.unpack(">I", head)[0], socket.MSG_WAITALL))
                self.asked.append(request)
                answer = json.dumps(self.answers.get(request["verb"], {"error": {"code": "x", "message": "no"}}))
                client.sendall(struct.pack(">I", len(answer)) + answer.encode())

    def close(self):
        self.listener.close()
        os.remove(self.path)


@test
def a_running_node_is_told(fleet):
    fleet.create()
    member = "0a" * 16
    node = Node(fleet.socket, {
        "members": {"members": [{"name": "br7", "id": member}, {"name": "twin", "id": "01" * 16},
                                {"name": "twin", "id": "02" * 16}]},
        "policy": {"done": "taken"}, "rotate": {"done": "asked dc1 for a certificate"}})
    status, out, err = fleet("revoke", "br7")
    assert status == 0 and "told to this host's node" in out, (out, err)
    policy = base64.b64decode([r for r in node.asked if r["verb"] == "policy"][0]["data"])
    assert bytes.fromhex(member) in policy and len(policy) > 100
    status, _, err = fleet("revoke", "twin")
    assert status == 1 and "several" in err
    status, out, _ = fleet("rotate")
    assert status == 0 and "asked dc1" in out
    status, out, _ = fleet("publish")
    assert status == 0 and "policy 2" in out
    node.answers["policy"] = {"error": {"code": "old", "message": "a newer one is known"}}
    status, _, err = fleet("publish")
    assert status == 1 and "newer" in err
    node.close()
    status, out, _ = fleet("publish")
    assert status == 0 and "when it starts" in out
    assert fleet("rotate")[0] == 1


@test
def signed_where_no_node_is(fleet):
    fleet.create()
    alone = os.path.join(fleet.place, "alone")
    os.mkdir(alone, 0o700)
    authority = os.path.join(alone, "authority")
    os.rename(os.path.join(fleet.directory, "authority"), authority)
    status, out, err = fleet("revoke", "cc" * 16, "--authority", authority, directory=alone)
    assert status == 1 and "picket fleet publish" in err and not out, err
    assert fleet.show()["policy"]["version"] == 1
    assert fleet("publish", "--authority", authority)[0] == 0
    assert fleet.show()["policy"]["revoked"] == ["cc" * 16]
    status, out, _ = fleet("show", "--authority", authority, "--json", directory=alone)
    assert status == 0 and json.loads(out)["node"] is None
    second = os.path.join(fleet.place, "second")
    assert fleet("create", "--name", "x", "--site", "y", "--enrol-at", "h:1", "--cost", "interactive",
                 directory=second)[0] == 0
    status, _, err = fleet("publish", "--authority", authority, directory=second)
    assert status == 1 and "another fleet" in err
    status, _, err = fleet("show", directory=os.path.join(fleet.place, "none"))
    assert status == 1 and "no authority" in err


@test
def wrong_use(fleet):
    for arguments in ((), ("make",), ("revoke",), ("show", "x"), ("create",), ("create", "--name", "a b"),
                      ("create", "--name", "a", "--site", "s"), ("invite",), ("invite", "--mode", "x"),
                      ("invite", "--site", "a b"), ("invite", "--site", "a", "--workspace", "a b"), ("invite", "--expires", "1"), ("invite", "--expires", "8d"),
                      ("invite", "--expires", "-1h"), ("invite", "--candidate-for", "a,,b"),
                      ("invite", "--candidate-for", ",".join("d%d.x" % i for i in range(9))),
                      ("invite", "--enrol-at", "h"), ("show", "--cost", "free"), ("show", "--timeout", "0"),
                      ("show", "--frobnicate"), ("show", "--name")):
        r = subprocess.run([fleet.picket, "fleet", *arguments], capture_output=True, timeout=120)
        assert r.returncode == 2 and not r.stdout and b"picket help fleet" in r.stderr, (arguments, r)
    r = subprocess.run([fleet.picket, "fleet", "--help"], capture_output=True, timeout=120)
    assert r.returncode == 0 and r.stdout.startswith(b"usage: picket fleet")
    # Places that will not do.
    open_place = os.path.join(fleet.place, "open")
    os.mkdir(open_place)
    os.chmod(open_place, 0o777)
    status, _, err = fleet("create", "--name", "a", "--site", "b", "--enrol-at", "h:1", directory=open_place)
    assert status == 1 and "chmod 700" in err
    status, _, err = fleet("invite", "--site", "s", directory=open_place)
    assert status == 1 and "No such file" in err


@test
def damage_is_told(fleet):
    fleet.create()
    for name, command in (("authority", ("invite", "--site", "s")), ("identity", ("show",))):
        path = os.path.join(fleet.directory, name)
        content = bytearray(open(path, "rb").read())
        content[len(content) // 2] ^= 1
        with open(path, "wb") as f:
            f.write(content)
        status, _, err = fleet(*command)
        assert status == 1 and "damaged" in err and name in err, err


@test
def completion_and_manual_know_every_option(fleet):
    text = subprocess.run([fleet.picket, "help", "fleet"], capture_output=True, timeout=120).stdout.decode()
    manual = open(os.path.join(os.path.dirname(os.path.dirname(HERE)), "docs/man/picket-fleet.1")).read()
    completion = open(fleet.completion).read() if fleet.completion else None
    for option in set(re.findall(r"--([a-z-]+)", text)):
        assert ".It Fl -" + option in manual, option
        assert not completion or "--" + option in completion, option
    for verb in re.findall(r"^([a-z]+)\s", text.split("\n\n", 1)[1], re.M):
        assert ".It Cm " + verb in manual or verb in ("create",), verb


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--picket", required=True)
    p.add_argument("--completion")
    a = p.parse_args()
    failures = 0
    for one in tests:
        with tempfile.TemporaryDirectory() as place:
            fleet = Fleet(a.picket, place)
            fleet.completion = a.completion
            try:
                one(fleet)
                print("ok      " + one.__name__)
            except Exception as e:
                failures += 1
                print("FAILED  %s: %s: %s (line %d)" % (one.__name__, type(e).__name__, e,
                                                        e.__traceback__.tb_next.tb_lineno))
    return 1 if failures else 0


sys.exit(main())
