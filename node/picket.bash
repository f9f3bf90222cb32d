# SPDX-License-Identifier: Apache-2.0
# Completion of picket for bash.

# A column of what the running node shows; nothing when none runs.
_picket_column() {
    command picket "$1" --no-header --timeout 1 2>/dev/null | awk -v column="$2" '{ print $column }' | sort -u
}

# The commands that ask the node.
_picket_node() {
    local current=$1 previous=$2 words="--json --socket --timeout --help"
    case $previous in
    --socket)
        mapfile -t COMPREPLY < <(compgen -f -- "$current")
        return
        ;;
    --timeout | --limit | --every)
        return
        ;;
    --site)
        mapfile -t COMPREPLY < <(compgen -W "$(_picket_column members 3)" -- "$current")
        return
        ;;
    --mode)
        mapfile -t COMPREPLY < <(compgen -W "sensor standalone" -- "$current")
        return
        ;;
    --state)
        words="online late offline unheard left revoked"
        [ "${COMP_WORDS[1]}" = synchronizer ] && words="held silent electing released unassigned starting"
        mapfile -t COMPREPLY < <(compgen -W "$words" -- "$current")
        return
        ;;
    --domain | why | yield | pin | unpin | on | off | reconcile)
        [[ $current == -* ]] || mapfile -t COMPREPLY < <(compgen -W "$(_picket_column synchronizer 1)" -- "$current")
        [ ${#COMPREPLY[@]} = 0 ] || return
        ;;
    esac
    case ${COMP_WORDS[1]} in
    status | peers) words+=" --no-header" ;;
    health) words+=" --no-header --center --config --workspace" ;;
    quota) words+=" --no-header --wide" ;;
    members) words+=" --no-header --site --state --domain --mode --wide" ;;
    reach) words+=" --no-header --site --state --domain --mode --probe" ;;
    synchronizer) words+=" --no-header --domain --state --wide yield pin unpin" ;;
    history) words+=" --no-header --domain --limit" ;;
    candidate) words+=" on off" ;;
    watch) words+=" --every" ;;
    events) words+=" --domain" ;;
    sync) words+=" --no-header --domain --limit reconcile tail" ;;
    directory) words="--config --json --help check" ;;
    inputs) words+=" --no-header --quarantine --limit" ;;
    activities) words+=" --no-header --limit --follow" ;;
    search) words+=" --no-header --limit --wide" ;;
    esac
    mapfile -t COMPREPLY < <(compgen -W "$words" -- "$current")
}

# The commands that ask the center.
_picket_center() {
    local current=$1 previous=$2 words="--json --no-header --config --workspace --timeout --help"
    case $previous in
    --workspace | --timeout | --limit | --search | --user | --days | --domain | --detector)
        return
        ;;
    --out | --password-file)
        mapfile -t COMPREPLY < <(compgen -f -- "$current")
        return
        ;;
    --role)
        words="viewer user administrator"
        ;;
    --kind)
        words="account computer group"
        ;;
    --status)
        words="open closed suppressed"
        ;;
    --severity)
        words="informational low medium high"
        ;;
    --as | classify)
        words="none true-positive benign-true-positive false-positive"
        ;;
    *)
        case ${COMP_WORDS[1]} in
        alerts) words="$words --status --severity --search --limit" ;;
        alert) words="$words --as close reopen suppress delete classify" ;;
        entities | audit) words="$words --limit" ;;
        sensors)
            words="$words settings set place unplace"
            [ "${COMP_WORDS[2]} $COMP_CWORD" = "set 4" ] && mapfile -t COMPREPLY < <(compgen -f -- "$current") && return
            ;;
        settings) words="$words set reset off on" ;;
        exclusions) words="$words --detector add remove" ;;
        tags)
            words="$words --kind --domain add remove"
            [ "$previous" = add ] && words="sensitive honeytoken synchronizer dns-server"
            ;;
        workspaces) words="$words add" ;;
        users) words="$words --role --all-workspaces --password --password-file add set password disable enable remove" ;;
        tokens) words="$words --user --role --all-workspaces --days --out add remove" ;;
        esac
        ;;
    esac
    mapfile -t COMPREPLY < <(compgen -W "$words" -- "$current")
}

_picket() {
    local current=${COMP_WORDS[COMP_CWORD]} previous=${COMP_WORDS[COMP_CWORD-1]}
    local commands="status members synchronizer why peers reach history candidate watch events activities inputs quota health reload sync entity search lookup directory alerts alert entities sensors detectors settings exclusions tags workspaces users tokens audit center fleet read capture help"
    local protocols="kerberos kpasswd ldap cldap smb dcerpc dns mdns llmnr nbns dhcp radius syslog http tls rdp"
    COMPREPLY=()
    if [ "$COMP_CWORD" = 1 ]; then
        mapfile -t COMPREPLY < <(compgen -W "$commands --json --no-header --socket --timeout --help --version" -- "$current")
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
    --batches | --config | --store | --keytab)
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
        --name | --site | --candidate-for | --workspace | --expires | --enrol-at | --enroller | --timeout) ;;
        fleet)
            mapfile -t COMPREPLY < <(compgen -W "create invite revoke rotate enroller publish passphrase show --help" -- "$current")
            ;;
        enroller)
            mapfile -t COMPREPLY < <(compgen -W "add remove" -- "$current")
            ;;
        *)
            mapfile -t COMPREPLY < <(compgen -W "--name --site --mode --candidate-for --workspace --expires --enrol-at --enroller
                --directory --authority --passphrase-file --new-passphrase-file --cost --json --socket --timeout
                --help" -- "$current")
            ;;
        esac
        ;;
    status | members | synchronizer | why | peers | reach | history | candidate | watch | events | quota | health | reload)
        _picket_node "$current" "$previous"
        ;;
    alerts | alert | entities | sensors | detectors | settings | exclusions | tags | workspaces | users | tokens | audit | center)
        _picket_center "$current" "$previous"
        ;;
    read)
        if [[ $current == -* ]]; then
            mapfile -t COMPREPLY < <(compgen -W "--json --counts --batches --stats --resolve --store --decode --keytab --memory --help" -- "$current")
        else
            mapfile -t COMPREPLY < <(compgen -f -- "$current")
        fi
        ;;
    capture)
        mapfile -t COMPREPLY < <(compgen -W "--config -i --interface --threads --controller --ports --filter --snaplen --ring
            --memory --json --batches --stats --decode --keytab --help" -- "$current")
        ;;
    help)
        mapfile -t COMPREPLY < <(compgen -W "$commands" -- "$current")
        ;;
    esac
}
complete -o filenames -F _picket picket
