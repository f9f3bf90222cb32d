# SPDX-License-Identifier: Apache-2.0
# Completion of picket-center for bash.
_picket_center() {
    local current=${COMP_WORDS[COMP_CWORD]} previous=${COMP_WORDS[COMP_CWORD - 1]} words
    case $previous in
    --config | --out)
        mapfile -t COMPREPLY < <(compgen -f -- "$current")
        return
        ;;
    --learn | --entities | --geo)
        mapfile -t COMPREPLY < <(compgen -f -- "$current")
        return
        ;;
    --sensitivity)
        mapfile -t COMPREPLY < <(compgen -W "low medium high" -- "$current")
        return
        ;;
    --state)
        mapfile -t COMPREPLY < <(compgen -d -- "$current")
        return
        ;;
    --from | --exclude | --workspace)
        return
        ;;
    esac
    case ${COMP_CWORD}:${COMP_WORDS[1]} in
    1:*) words="run receive key log token replay sensors backup restore --help --version" ;;
    *:run | *:receive) words="--config --check --help" ;;
    *:token)
        words="create list remove --config --name --user --role --workspace --all-workspaces --days --out --help"
        [ "$previous" = --role ] && words="viewer user administrator"
        ;;
    *:key) words="--config --help" ;;
    *:backup | *:restore)
        words="--config --help"
        if [[ $current != -* ]]; then
            mapfile -t COMPREPLY < <(compgen -d -- "$current")
            return
        fi
        ;;
    *:sensors) words="--config --show --set --help" ;;
    *:replay)
        words="--json --sensitivity --set --exclude --entities --geo --workspace --state --learned --activities --learn --stats --help"
        if [[ $current != -* ]]; then
            mapfile -t COMPREPLY < <(compgen -f -- "$current")
            return
        fi
        ;;
    *:log)
        words="--config --from --follow --help"
        if [[ $current != -* ]]; then
            mapfile -t COMPREPLY < <(compgen -d -- "$current")
            return
        fi
        ;;
    esac
    mapfile -t COMPREPLY < <(compgen -W "$words" -- "$current")
}
complete -F _picket_center picket-center
