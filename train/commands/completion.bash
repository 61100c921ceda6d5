# bash completion for plateforge @VERSION@
_plateforge() {
  local current=${COMP_WORDS[COMP_CWORD]} previous=${COMP_WORDS[COMP_CWORD - 1]}
  local first=${COMP_WORDS[1]} second=${COMP_WORDS[2]} words='' command
  local commands='@COMMANDS@'
  local keys='@KEYS@'
  COMPREPLY=()
  if ((COMP_CWORD == 1)); then
    mapfile -t COMPREPLY < <(compgen -W "$(cut -d' ' -f1 <<<"$commands" | sort -u)" -- "$current")
    return
  fi
  if [[ $previous == --set ]]; then
    compopt -o nospace 2>/dev/null
    mapfile -t COMPREPLY < <(compgen -W "$keys" -- "$current")
    return
  fi
  command=$first
  if grep -qxF -- "$first $second" <<<"$commands"; then command="$first $second"; fi
  case "$command" in
@CASES@    *) words=$(sed -n "s/^$first //p" <<<"$commands") ;; # the second of two words
  esac
  if [[ $current == -* || $words != -* ]]; then
    mapfile -t COMPREPLY < <(compgen -W "$words" -- "$current")
  fi
}
complete -o default -F _plateforge plateforge
