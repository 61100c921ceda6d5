#!/usr/bin/env bash
# The data commands do what they say, on the sample pictures.
# usage: data_test.sh PLATEFORGE REPOSITORY
set -uo pipefail
plateforge=$1 samples=$2/tests/data
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
failures=0

# expect NAME CODE PATTERN COMMAND...: exit code and a line of standard output that matches
expect() {
  local name=$1 wanted=$2 pattern=$3 said code
  shift 3
  said=$("$@" 2>"$work/stderr") && code=0 || code=$?
  if [ "$code" -ne "$wanted" ] || ! grep -Eq -- "$pattern" <<<"$said"; then
    echo "FAILED $name: exit $code, expected $wanted and /$pattern/; said: $said $(cat "$work/stderr")"
    failures=$((failures + 1))
  fi
}

data() { "$plateforge" data "$@"; }
both="crops:$samples/crops+ccpd:$samples/ccpd"

expect "verify good plates" 0 "^22 plates, 0 violations" data verify --data "$both"
cp -r "$samples/crops" "$work/bad"
: > "$work/bad/京A12345.jpg"
cp "$samples/crops/皖AZG539.jpg" "$work/bad/京A1234.jpg"
expect "verify tells a bad picture" 1 "^picture: .*京A12345.jpg is empty" data verify --data "crops:$work/bad"
expect "verify tells a bad label" 1 "^grammar: .*京A1234.jpg" data verify --data "crops:$work/bad"
expect "verify tells a leak" 1 "^leak: " data verify --data "crops:$samples/crops" --against "crops:$samples/crops"
expect "verify as JSON alone" 0 '^\{' data verify --data "$both" --json -
expect "stats" 0 "^22 plates" data stats --data "$both"
expect "preview" 0 "wrote" data preview --data "$both" --rows 2 --out "$work/sheet.png"
[ -s "$work/sheet.png" ] || { echo "FAILED preview wrote nothing"; failures=$((failures + 1)); }
frames="ccpd:$samples/ccpd"
expect "verify frames" 0 "^14 frames, 0 violations" data verify --frames --data "$frames"
expect "stats of frames" 0 "^14 frames with 14 plates" data stats --frames --data "$frames"
expect "preview of frames" 0 "wrote" \
  data preview --frames --data "$frames" --rows 2 --variants 2 --out "$work/frames.png"
[ -s "$work/frames.png" ] || { echo "FAILED preview of frames wrote nothing"; failures=$((failures + 1)); }
mkdir "$work/yolo" && cp "$samples/crops/皖AZG539.jpg" "$work/yolo/a.jpg"
echo "0 0.5 0.5 0.8 0.8" > "$work/yolo/a.txt"
expect "YOLO always is frames" 0 "^1 frames, 0 violations" data verify --data "yolo:$work/yolo"
echo "0 1.5 0.5 0.8 0.8" > "$work/yolo/a.txt"
expect "verify tells a plate outside" 1 "^annotation: .*a.txt line 1: .*outside the picture" \
  data verify --data "yolo:$work/yolo"
expect "plates and frames do not mix" 2 "" data verify --frames --data "$both"
expect "cache" 0 "8 plates, packed" data cache --data "crops:$samples/crops" --out "$work/cache"
for to in crops csv; do
  expect "convert to $to" 0 "wrote 22 plates" data convert --data "$both" --to $to --out "$work/$to"
done
expect "convert to pack" 0 "wrote 22 plates" data convert --data "$both" --to pack --out "$work/a.pack"
for spec in "crops:$work/crops" "csv:$work/csv/plates.csv" "pack:$work/a.pack"; do
  expect "read back $spec" 0 "^22 plates, 0 violations" data verify --data "$spec"
done
expect "synth" 0 "wrote 5 plates" data synth --region de --count 5 --out "$work/synth"
expect "synth reads back" 0 "^5 plates, 0 violations" \
  data verify --region de --time-steps 0 --data "csv:$work/synth/plates.csv"
expect "a folder that is not empty" 2 "" data convert --data "$both" --to crops --out "$work/crops"
expect "synth with another seed" 0 "wrote 5 plates" data synth --region de --count 5 --seed 2 --out "$work/synth2"
expect "draws other plates" 0 "^5 plates, 0 violations" \
  data verify --region de --time-steps 0 --data "csv:$work/synth2/plates.csv" --against "csv:$work/synth/plates.csv"
expect "an unknown subcommand" 2 "" data look

[ $failures = 0 ] && echo "data commands: all as they should be"
exit $((failures > 0))
