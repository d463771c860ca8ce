# To be sourced by launchers. Where the locale knows ASCII only (LANG=C, none at all, or one that is not
# installed), Java cannot name a file with any other letter: takes an installed locale in UTF-8 for letters
# (LC_CTYPE), the same language's first. The language of messages and the form of numbers and dates stay, and so
# does every other encoding, in which file names may be written.
secateur_utf8_locale() {
  local now found="" known name category
  command -v locale > /dev/null || return 0
  [[ $(locale charmap 2> /dev/null) == ANSI_X3.4-1968 ]] || return 0
  now=${LC_ALL:-${LC_CTYPE:-${LANG:-C}}}
  known=$(locale -a 2> /dev/null || true)
  for name in "${now%%[.@]*}" C en_US '.*'; do
    found=$(grep -i -m 1 -x -E -- "$name\.utf-?8" <<< "$known" || true)
    [[ -z $found ]] || break
  done
  [[ -n $found ]] || return 0
  if [[ -n $(locale charmap 2>&1 > /dev/null) ]]; then # one is not installed, and so none is in force
    export LC_ALL=$found
    return 0
  fi
  if [[ -n ${LC_ALL:-} ]]; then # it goes before all others: they take its place
    for category in LC_NUMERIC LC_TIME LC_COLLATE LC_MONETARY LC_MESSAGES; do
      export "$category=$LC_ALL"
    done
    unset LC_ALL
  fi
  export LC_CTYPE=$found
}
secateur_utf8_locale
