# SPDX-License-Identifier: Apache-2.0
# Completion of picket for bash.

_picket() {
    local current=${COMP_WORDS[COMP_CWORD]} previous=${COMP_WORDS[COMP_CWORD-1]}
    local commands="read capture fleet help"
    local protocols="kerberos kpasswd ldap cldap smb dcerpc dns mdns llmnr nbns dhcp radius syslog http tls rdp"
    COMPREPLY=()
    if [ "$COMP_CWORD" = 1 ]; then
        mapfile -t COMPREPLY < <(compgen -W "$commands --help --version" -- "$current")
        return
    fi
    case $previous in
    -i | --interface)
        mapfile -t COMPREPLY < <(compgen -W "$(command ls /sys/class/net 2>/dev/null)" -- "$current")
        return
        ;;
    --decode)
        mapfile -t COMPREPLY < <(compgen -W "tcp/ udp/" -- "$current")
        compopt -o nospace
        return
        ;;
    =)
        mapfile -t COMPREPLY < <(compgen -W "$protocols" -- "$current")
        return
        ;;
    --batches | --config)
        mapfile -t COMPREPLY < <(compgen -f -- "$current")
        return
        ;;
    --memory | --threads | --controller | --ports | --filter | --snaplen | --ring)
        return
        ;;
    esac
    case ${COMP_WORDS[1]} in
    fleet)
        case $previous in
        --directory | --authority | --passphrase-file | --new-passphrase-file | --socket)
            mapfile -t COMPREPLY < <(compgen -f -- "$current")
            ;;
        --mode)
            mapfile -t COMPREPLY < <(compgen -W "sensor standalone" -- "$current")
            ;;
        --cost)
            mapfile -t COMPREPLY < <(compgen -W "interactive moderate sensitive" -- "$current")
            ;;
        --name | --site | --candidate-for | --expires | --enrol-at | --enroller | --timeout) ;;
        fleet)
            mapfile -t COMPREPLY < <(compgen -W "create invite revoke rotate enroller publish passphrase show --help" -- "$current")
            ;;
        enroller)
            mapfile -t COMPREPLY < <(compgen -W "add remove" -- "$current")
            ;;
        *)
            mapfile -t COMPREPLY < <(compgen -W "--name --site --mode --candidate-for --expires --enrol-at --enroller
                --directory --authority --passphrase-file --new-passphrase-file --cost --json --socket --timeout
                --help" -- "$current")
            ;;
        esac
        ;;
    read)
        if [[ $current == -* ]]; then
            mapfile -t COMPREPLY < <(compgen -W "--json --counts --batches --stats --decode --memory --help" -- "$current")
        else
            mapfile -t COMPREPLY < <(compgen -f -- "$current")
        fi
        ;;
    capture)
        mapfile -t COMPREPLY < <(compgen -W "--config -i --interface --threads --controller --ports --filter --snaplen --ring
            --memory --json --batches --stats --decode --help" -- "$current")
        ;;
    help)
        mapfile -t COMPREPLY < <(compgen -W "$commands" -- "$current")
        ;;
    esac
}
complete -o filenames -F _picket picket
