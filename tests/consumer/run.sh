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

picture=$(ls "$root"/tests/data/ccpd/*.jpg | head -1)
models=$work/prefix/share/plateforge/models/pretrained
said=$("$work/build/consumer" "$models/detector-n.safetensors" "$models/lprnet-cn.safetensors" "$picture" "$work/none.jpg" 2>"$work/problems")
wanted=$("$work/prefix/bin/plateforge" predict --detector "$models/detector-n.safetensors" --reader "$models/lprnet-cn.safetensors" \
  "$picture" --csv - 2>/dev/null | sed -n 2p | cut -d, -f3)
[ -n "$wanted" ] || { echo "the installed program reads nothing"; exit 1; }
case "$said" in *"$wanted"*) ;; *) echo "the consumer said '$said', the program reads $wanted"; exit 1 ;; esac
grep -q none.jpg "$work/problems" || { echo "the consumer was not told of a missing picture"; exit 1; }
[ -s "$work/prefix/share/man/man1/plateforge.1" ] || { echo "no man page installed"; exit 1; }
[ -s "$work/prefix/share/bash-completion/completions/plateforge" ] || { echo "no completion installed"; exit 1; }
[ -f "$work/prefix/share/plateforge/configs/regions/cn.yaml" ] || { echo "no region packs installed"; exit 1; }
"$work/prefix/bin/plateforge" --version | grep -q '^plateforge [0-9]' || { echo "the installed program does not start"; exit 1; }
