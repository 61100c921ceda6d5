# What the tests of commands share; sourced by them. Needs $work, a folder of the test's own.
failures=0 checks=0

# ends NAME CODE COMMAND...: the exit code, and what was said goes to $work/said
ends() {
  local name=$1 expected=$2 code
  shift 2
  "$@" > "$work/said" 2>&1 && code=0 || code=$?
  checks=$((checks + 1))
  [ "$code" -eq "$expected" ] || fail "$name: exit $code, expected $expected: $(tail -5 "$work/said")"
}
holds() { # NAME CONDITION...: the condition, a command, succeeds
  local name=$1
  shift
  checks=$((checks + 1))
  "$@" || fail "$name: not so: $*"
}
fail() {
  echo "FAILED $1"
  failures=$((failures + 1))
}
# json FILE EXPRESSION: a Python expression over the document d
json() { python3 -c 'import json, sys; d = json.load(open(sys.argv[1])); sys.exit(not eval(sys.argv[2]))' "$@"; }
