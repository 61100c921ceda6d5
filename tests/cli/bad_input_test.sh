#!/usr/bin/env bash
# Every mistake of a user ends in one sentence on standard error and exit code 2, and loses nothing.
# usage: bad_input_test.sh PLATEFORGE REPOSITORY
set -uo pipefail
plateforge=$1 root=$2
work=$(mktemp -d)
trap 'umount "$work/tiny" 2>/dev/null; rm -rf "$work"' EXIT
failures=0 checks=0

# refuses NAME PATTERN COMMAND...: exit code 2, one line that matches PATTERN
refuses() {
  local name=$1 pattern=$2
  shift 2
  local said code
  said=$("$@" 2>&1 >/dev/null) && code=0 || code=$?
  local last=${said##*$'\n'}
  checks=$((checks + 1))
  if [ "$code" -ne 2 ] || ! grep -Eq -- "$pattern" <<<"$last" || [[ $last != plateforge:* ]]; then
    echo "FAILED $name: exit $code, expected 2 and /$pattern/; said: $said"
    failures=$((failures + 1))
  fi
}
train() { "$plateforge" train --set train.steps=4 --set data.batch_size=4 --set model.width_multiplier=0.25 "$@"; }

crops=$root/tests/data/crops
model=$work/model.safetensors
cp -r "$crops" "$work/crops"
base=$work/base.yaml
printf 'data: {train: "crops:%s", val_fraction: 0.3}\n' "$work/crops" > "$base"
train --config "$base" --run "$work/first" >/dev/null 2>&1 || { echo "FAILED: the plain run does not train"; exit 1; }
cp "$work/first/model.safetensors" "$model"

# configuration
printf 'optim:\n  lrr: 1.0e-3\n' > "$work/typo.yaml"
refuses "unknown key" "typo.yaml.*line 2.*optim.lrr.*known.*lr" train --config "$work/typo.yaml" --run "$work/r1"
refuses "override out of range" "optim.lr" train --config "$base" --set optim.lr=-1 --run "$work/r2"
refuses "unknown region" "unknown region.*cn" train --config "$base" --set region=atlantis --run "$work/r3"
sed 's/^alphabet:.*/&/; 0,/京/s/京/京, 京/' "$root/configs/regions/cn.yaml" > "$work/twice.yaml"
refuses "duplicate symbol" "京" train --config "$base" --set "region=$work/twice.yaml" --run "$work/r4"

# data
mkdir "$work/empty"
refuses "empty folder" "empty|no pictures|no plates|holds no" "$plateforge" eval --model "$model" --data "crops:$work/empty"
refuses "missing folder" "nowhere" "$plateforge" eval --model "$model" --data "crops:$work/nowhere"
refuses "unknown kind of SPEC" "known.*ccpd" "$plateforge" eval --model "$model" --data "zip:$work/empty"
one=$(ls "$crops" | head -1)
copy_as() { mkdir -p "$work/$1" && cp "$crops/$one" "$work/$1/$2"; }
copy_as alphabet "皖Ä12345.jpg"
refuses "label outside the alphabet" "Ä" "$plateforge" eval --model "$model" --data "crops:$work/alphabet"
copy_as long "皖AAAAAAAAAAAAAAAAAAA.jpg"
printf 'data: {train: "crops:%s", val: "crops:%s"}\n' "$work/long" "$crops" > "$work/long.yaml"
refuses "plate longer than T allows" "steps" train --config "$work/long.yaml" --run "$work/r5"
mkdir "$work/cut" && head -c 600 "$crops/$one" > "$work/cut/皖A12345.jpg"
refuses "truncated JPEG" "皖A12345.jpg" "$plateforge" eval --model "$model" --data "crops:$work/cut"
mkdir "$work/zero" && : > "$work/zero/皖A12345.jpg"
refuses "0-byte file" "皖A12345.jpg" "$plateforge" eval --model "$model" --data "crops:$work/zero"
mkdir "$work/pixel"
python3 - "$work/pixel/皖A12345.png" <<'PY'
import struct, sys, zlib
def chunk(kind, body): return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
open(sys.argv[1], "wb").write(b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", 1, 1, 8, 2, 0, 0, 0))
                              + chunk(b"IDAT", zlib.compress(b"\0\1\2\3")) + chunk(b"IEND", b""))
PY
refuses "1-pixel crop" "1 ?x ?1|small" "$plateforge" eval --model "$model" --data "crops:$work/pixel"
ccpd_name() { mkdir -p "$work/$1" && cp "$crops/$one" "$work/$1/$2.jpg"; }
ccpd_name six "025-95_113-154&383_386&473-386&473_177&454_154&383_363&402-0_0_22_27_27_33_16-37"
refuses "CCPD name with 6 fields" "6 fields|7 fields|seven" "$plateforge" eval --model "$model" --data "ccpd:$work/six"
ccpd_name letters "025-95_113-154&383_3x6&473-386&473_177&454_154&383_363&402-0_0_22_27_27_33_16-37-15"
refuses "letters in numbers" "3x6" "$plateforge" eval --model "$model" --data "ccpd:$work/letters"
ccpd_name outside "025-95_113-154&383_386&473-9386&473_177&454_154&383_363&402-0_0_22_27_27_33_16-37-15"
refuses "vertices outside the image" "outside" "$plateforge" eval --model "$model" --data "ccpd:$work/outside"
# files of weights
refuses "model file that is none" "safetensors|pickle|neither" "$plateforge" eval --model "$base" --data "crops:$crops"
head -c 3000 "$model" > "$work/cut.safetensors"
refuses "cut model file" "cut.safetensors" "$plateforge" eval --model "$work/cut.safetensors" --data "crops:$crops"
printf '\377\377\377\377\377\377\377\177{}' > "$work/huge.safetensors"
refuses "oversized safetensors header" "header" "$plateforge" eval --model "$work/huge.safetensors" --data "crops:$crops"
printf '\x80\x02cos\nsystem\nX\x04\x00\x00\x00true\x85R.' > "$work/foreign.pth"
refuses "pickle with a foreign global" "foreign.pth|global|magic|pickle" "$plateforge" import "$work/foreign.pth" --as lprnet --out "$work/x.safetensors"

# pruning
prune() { "$plateforge" prune --model "$root/models/pretrained/lprnet-cn.safetensors" --out "$work/p.safetensors" "$@"; }
refuses "ratio 1" "ratio = 1 .*\[0, 1\)" prune --ratio 1.0
refuses "unknown layer" "'backbone.7'.*known: .*backbone.0.*container.0" prune --allocation layers --layers backbone.7=0.5
refuses "ratio 1 of a layer" "backbone.0=1.0.*\[0, 1\)" prune --allocation layers --layers backbone.0=1.0
refuses "unknown allocation" "allocation = 'lmap'.*known: .*lamp" prune --allocation lmap
refuses "pattern that is none" "4:2.*N:M" prune --pattern 4:2
refuses "sensitivity without plates" "needs plates.*--calibrate" prune --allocation sensitivity
refuses "too few plates to calibrate" "at least 16 plates" prune --allocation sensitivity --calibrate "crops:$crops"
refuses "no plates to calibrate" "empty|no pictures|no plates|holds no" prune --calibrate "crops:$work/empty"
shrink() { prune --structured "$@"; }
refuses "channels: ratio 1" "ratio = 1 .*\[0, 1\)" shrink --ratio 1.0
refuses "channels: nothing asked" "nothing to remove" shrink
refuses "channels: unknown group" "'backbone.7'.*known: .*backbone.0" shrink --widths backbone.7=16
refuses "channels: empty group" "backbone.0=0 is not possible" shrink --widths backbone.0=0
refuses "channels: of the output" "container.0 must keep its 68 channels.*output" shrink --widths container.0=32
refuses "channels: target not reachable" "cannot be reached.*leave .* % of the macs" shrink --by macs --ratio 0.999
refuses "channels: unknown cost" "by = 'mac'.*did you mean 'macs'" shrink --by mac --ratio 0.5
refuses "channels: Taylor without plates" "needs plates.*--calibrate" shrink --ratio 0.5 --scores taylor
refuses "sweep without a folder" "--run" "$plateforge" prune --sweep prune_sweep
refuses "sweep that calibrates on what it measures" "overlaps" "$plateforge" prune --sweep prune_sweep --run "$work/s1" \
  --set "model=$root/models/pretrained/lprnet-cn.safetensors" --set "calibrate=ccpd:$root/tests/data/ccpd" --set "data=ccpd:$root/tests/data/ccpd"
refuses "teacher of another region" "alphabet" train --config "$base" --set region=de --set "data.train=synth:de?count=99" --set "data.val=synth:de?count=20" --set "distill.teacher=$model" --run "$work/r6"
refuses "schedule beyond the run" "prune.end|after 50 updates" train --config "$base" --set prune.allocation=lamp --set prune.end=50 --run "$work/r7"

# quantisation
quantize() { "$plateforge" quantize --model "$model" --out "$work/q.safetensors" "$@"; }
refuses "calibration set empty" "empty|no pictures|no plates|holds no" quantize --calibrate "crops:$work/empty"
copy_as single "皖A12345.jpg"
refuses "one calibration image" "at least 2 pictures.*got 1" quantize --calibrate "crops:$work/single"
refuses "calibration overlaps the evaluation" "overlaps the evaluation set.*nearly the same picture" \
  quantize --calibrate "crops:$crops" --data "crops:$work/crops"
refuses "no calibration" "--calibrate is missing" quantize
refuses "unknown observer" "unknown observer 'entropy'; known: min-max" quantize --calibrate "crops:$crops" --observer entropy
refuses "unknown quantisation profile" "unknown quantisation profile 'int4'; .*known: int8-u8" quantize --calibrate "crops:$crops" --profile int4
refuses "unknown layer" "unknown layer 'backbone.00'.*known: backbone.0, " quantize --calibrate "crops:$crops" --float-layers backbone.00
refuses "bound without data" "--max-drop needs --data" quantize --calibrate "crops:$crops" --max-drop 0.01
refuses "unknown metric" "unknown reader metric" quantize --calibrate "crops:$crops" --data "crops:$work/crops" --metric accuracy
quantize --calibrate "crops:$crops" >/dev/null 2>&1
refuses "quantised twice" "quantised already" "$plateforge" quantize --model "$work/q.safetensors" --calibrate "crops:$crops" --out "$work/qq.safetensors"

# run folders
refuses "resume of an empty folder" "nothing to resume" "$plateforge" train --run "$work/empty" --resume
refuses "run folder in use" "already holds a run" train --config "$base" --run "$work/first"
for again in "" " again"; do
  refuses "mistyped data$again" "nowhere: no such folder" train --config "$base" --run "$work/mistyped" --set "data.train=crops:$work/nowhere"
done
train --config "$base" --run "$work/mistyped" >/dev/null 2>&1 || { echo "FAILED: the mended command does not train"; failures=$((failures + 1)); }
checks=$((checks + 1))
cp -r "$work/first" "$work/other"
refuses "checkpoint of another model" "another model|in the checkpoint" "$plateforge" train --run "$work/other" --resume --set model.width_multiplier=0.5 --set train.steps=8
if [ "$(id -u)" -ne 0 ]; then
  mkdir "$work/locked" && chmod a-w "$work/locked"
  refuses "no write permission" "cannot (make|write)" train --config "$base" --run "$work/locked/run"
else
  refuses "no write permission" "cannot (make|write)" train --config "$base" --run /proc/plateforge-run
fi
# A full disk: a small tmpfs, where the system lets us mount one. The older checkpoint must survive.
mkdir "$work/tiny"
if mount -t tmpfs -o size=1500k tmpfs "$work/tiny" 2>/dev/null; then
  refuses "disk full" "cannot write .*(space|full)" train --config "$base" --run "$work/tiny/run" --set data.cache="$work/cache" --set model.width_multiplier=1
  umount "$work/tiny"
else
  echo "SKIPPED disk full: no right to mount a tmpfs"
fi

echo "$checks checks, $failures failed"
[ "$failures" -eq 0 ]
