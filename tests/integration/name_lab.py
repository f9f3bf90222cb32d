#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""name_lab.py - a real Samba domain controller (the lab) is asked for its name in every way that it answers: NTLM over RPC,
NetBIOS, and the DNS that it serves; a host without services answers nothing, and that ends too.

    name_lab.py --probe PROGRAM
"""
import argparse
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lab"))
import lab  # noqa: E402


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--probe", required=True)
    options = parser.parse_args()
    lab.enter()
    with lab.Lab() as l:
        dc, client = l.dc1.address, l.net.address("client")
        told = {}

        def asked():
            status, out, errors = l.run("client", [options.probe, dc, dc, client])
            assert status == 0, errors
            for line in out.splitlines():
                address, method, host, domain = line.split()
                told[address, method] = (host.lower(), domain.lower())
            return (dc, "netbios") in told

        # Samba registers its NetBIOS names some seconds after it has come up.
        lab.wait("its NetBIOS name", asked, 60, every=1)
        short, full = l.dc1.host_name.split(".")[0].lower(), l.dc1.host_name.lower()
        domain = full.split(".", 1)[1]
        assert told[dc, "ntlm"] == (full, domain), told
        assert told[dc, "netbios"] == (short, domain.split(".")[0]), told
        # A pointer record is there when the lab's DNS has a reverse zone.
        assert told.get((dc, "dns"), (full, domain)) == (full, domain), told
        assert not [key for key in told if key[0] == client], told
    return 0


if __name__ == "__main__":
    sys.exit(main())
