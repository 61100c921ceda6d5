#!/usr/bin/env bash
# Installs the build into an empty prefix and builds and runs a project against it.
# usage: run.sh BUILD_FOLDER REPOSITORY
set -euo pipefail
build=$1 root=$2
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

cmake --install "$build" --prefix "$work/prefix" >/dev/null
cmake -S "$root/tests/consumer" -B "$work/build" -D CMAKE_PREFIX_PATH="$work/prefix" \
  -D CMAKE_BUILD_TYPE=Release >/dev/null
cmake --build "$work/build" >/dev/null

# The program finds its configs beside itself; a library user names them.
said=$(PLATEFORGE_CONFIGS="$work/prefix/share/plateforge/configs" "$work/build/consumer")
[ "$said" = "[1, 68, 18]" ] || { echo "the consumer said '$said', expected [1, 68, 18]"; exit 1; }
[ -f "$work/prefix/share/plateforge/configs/regions/cn.yaml" ] || { echo "no region packs installed"; exit 1; }
"$work/prefix/bin/plateforge" --version | grep -q '^plateforge [0-9]' || { echo "the installed program does not start"; exit 1; }
