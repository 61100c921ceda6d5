#!/usr/bin/env bash
# ./dev with everything around it replaced: what it would install, build and run.
# usage: dev_test.sh REPOSITORY
set -uo pipefail
root=$1
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
failures=0

# A copy of the script in an empty project, and tools that only say how they were called.
mkdir -p "$work/project" "$work/bin" "$work/torch/lib"
cp "$root/dev" "$work/project/dev"
mkdir -p "$work/project/tests/cli" && ln -s /bin/true "$work/project/tests/cli/demo.sh"
header=include/torch/csrc/api/include/torch/torch.h
mkdir -p "$work/torch/$(dirname $header)" && touch "$work/torch/$header"
tool() { printf '#!/bin/bash\n%s\n' "$2" > "$work/bin/$1" && chmod +x "$work/bin/$1"; }
tool cmake 'echo "cmake $*" >> "$CALLS"'
tool ctest 'echo "ctest $*"'
tool apt-get 'echo "apt-get $*" >> "$CALLS"'
tool python3 'echo "python3 $*" >> "$CALLS"; exit 1'
tool dpkg-query 'case " $MISSING " in *" ${!#} "*) exit 1;; *) echo -n installed;; esac'
tool id 'echo "$FAKE_UID"'
export CALLS=$work/calls MISSING= FAKE_UID=0 PATH=$work/bin:$PATH
unset LIBTORCH CMAKE_PREFIX_PATH

# expect NAME CODE PATTERN COMMAND...: the exit code, and a line of its words that matches
expect() {
  local name=$1 code=$2 pattern=$3 said got
  shift 3
  : > "$CALLS"
  said=$("$@" 2>&1) && got=0 || got=$?
  if [ "$got" -ne "$code" ] || ! grep -Eq -- "$pattern" <<<"$said"$'\n'"$(cat "$CALLS")"; then
    echo "FAILED $name: exit $got, expected $code and /$pattern/; said: $said; called: $(cat "$CALLS")"
    failures=$((failures + 1))
  fi
}
installed_nothing() {
  ! grep -E '^(apt-get|python3)' "$CALLS" || { echo "FAILED $1: it installed that"; failures=$((failures + 1)); }
}
dev=$work/project/dev

expect "unknown command" 2 "unknown command 'tset'" "$dev" tset
expect "help" 0 "LIBTORCH=/path" "$dev" --help

FAKE_UID=1000 MISSING="ninja-build ccache" expect "no root" 2 \
  "^dev: packages are missing; run: sudo apt-get install -y --no-install-recommends ccache ninja-build$" "$dev" test
installed_nothing "no root"
LIBTORCH=$work/torch MISSING=ninja-build expect "root installs what is missing" 0 \
  "^apt-get install -y --no-install-recommends ninja-build " "$dev" build
LIBTORCH=$work/torch MISSING=ninja-build expect "and says so" 0 "installing Debian packages: ninja-build" "$dev" build

LIBTORCH=$work/torch expect "LIBTORCH wins" 0 "cmake --preset release .*LIBTORCH_ROOT:PATH=$work/torch" "$dev" build
LIBTORCH=$work/torch expect "nothing to install" 0 "everything is installed \(LibTorch: $work/torch\)" "$dev" build
installed_nothing "nothing to install"
LIBTORCH=$work/nowhere expect "LIBTORCH without LibTorch" 2 "$work/nowhere holds no LibTorch" "$dev" build
CMAKE_PREFIX_PATH=/usr:$work expect "CMAKE_PREFIX_PATH wins" 0 "LibTorch: $work/torch" "$dev" build
expect "LibTorch cannot be had" 2 "name a LibTorch with LIBTORCH=" "$dev" build
rm -rf "$work/project/.deps" && ln -s "$work" "$work/project/.deps" && ln -s torch "$work/libtorch"
expect "LibTorch of an earlier run" 0 "LibTorch: $work/project/.deps/" "$dev" build asan
installed_nothing "LibTorch of an earlier run"
expect "tests run without the judges" 0 "^ctest --test-dir build/release -LE slow .* -R configs$" "$dev" test -R configs
expect "the judges' tests are skipped aloud" 0 "skipped" "$dev" test
expect "the demo waits for the program alone" 0 "cmake --build build/release .*--target plateforge$" "$dev" demo

[ $failures -eq 0 ] && echo "all well" || exit 1
