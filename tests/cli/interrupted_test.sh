#!/usr/bin/env bash
# plateforge predict over a large folder, killed once and terminated once on the way: afterwards no
# picture is missing, none is there twice, and each was read as it is when nothing interrupts.
# usage: interrupted_test.sh PLATEFORGE ROOT PICTURES
set -euo pipefail
program=$1 root=$2 pictures=$3
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
# shellcheck source=tests/cli/checks.sh
. "$root/tests/cli/checks.sh"

frames=$root/tests/data/ccpd
predict() {
  "$program" predict --detector "$root/models/pretrained/detector-n.safetensors" \
    --reader "$root/models/pretrained/lprnet-cn.safetensors" "$@"
}

mkdir "$work/many"
mapfile -t originals < <(find "$frames" -name '*.jpg' | sort)
cp "${originals[@]}" "$work"
for ((i = 0; i < pictures; ++i)); do
  ln "$work/${originals[i % ${#originals[@]}]##*/}" "$work/many/$(printf '%06d' "$i").jpg"
done

list=$work/list.json
# stopped_at LINES SIGNAL: a run that gets the signal once the list has that many lines
stopped_at() {
  predict "$work/many" --json "$list" --resume > "$work/said" 2>&1 &
  local run=$!
  until [ "$(cat "$list" 2> /dev/null | wc -l)" -ge "$1" ]; do
    kill -0 "$run" 2> /dev/null || {
      fail "the run ended before line $1: $(tail -3 "$work/said")"
      return 0
    }
    sleep 0.05
  done
  kill "-$2" "$run"
  wait "$run" 2> /dev/null || true
}
stopped_at $((pictures / 4)) KILL
holds "killed on the way" test "$(wc -l < "$list")" -lt "$pictures"
stopped_at $((pictures / 2)) TERM
holds "terminated on the way" test "$(wc -l < "$list")" -lt "$pictures"
ends "the rest" 0 predict "$work/many" --json "$list" --resume
predict "$frames" --json "$work/alone.json" > /dev/null 2>&1
holds "nothing twice, nothing lost, everything the same" python3 - "$list" "$work/alone.json" "$pictures" <<'PY'
import json, pathlib, sys
alone = [json.loads(line)["plates"] for line in open(sys.argv[2])]
many = [json.loads(line) for line in open(sys.argv[1])]
names = [pathlib.Path(one["source"]).name for one in many]
assert sorted(names) == [f"{i:06d}.jpg" for i in range(int(sys.argv[3]))], "missing or twice"
for name, one in zip(names, many):
    expected = alone[int(name[:6]) % len(alone)]
    texts = [[p["text"] for p in plates] for plates in (one["plates"], expected)]
    assert texts[0] == texts[1], (name, texts)
PY

echo "$checks checks, $failures failed"
[ "$failures" -eq 0 ]
