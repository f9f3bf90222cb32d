# SPDX-License-Identifier: Apache-2.0
# Completion of picket-center for bash.
_picket_center() {
    local current=${COMP_WORDS[COMP_CWORD]} previous=${COMP_WORDS[COMP_CWORD - 1]} words
    case $previous in
    --config)
        mapfile -t COMPREPLY < <(compgen -f -- "$current")
        return
        ;;
    --from)
        return
        ;;
    esac
    case ${COMP_CWORD}:${COMP_WORDS[1]} in
    1:*) words="receive key log --help --version" ;;
    *:receive) words="--config --check --help" ;;
    *:key) words="--config --help" ;;
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
