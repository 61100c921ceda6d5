#!/usr/bin/env bash
# plateforge predict as a user calls it: what it prints and writes, resume, mistakes.
# usage: predict_test.sh PLATEFORGE ROOT
set -euo pipefail
program=$1 root=$2
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
# shellcheck source=tests/cli/checks.sh
. "$root/tests/cli/checks.sh"

frames=$root/tests/data/ccpd
detector=$root/models/pretrained/detector-n.safetensors
reader=$root/models/pretrained/lprnet-cn.safetensors
predict() { "$program" predict --detector "$detector" --reader "$reader" "$@"; }
# lines FILE EXPRESSION: a Python expression over the list d of the objects in a JSON Lines file
lines() {
  python3 -c 'import json, sys; d = [json.loads(l) for l in open(sys.argv[1])]; sys.exit(not eval(sys.argv[2]))' "$@"
}

# --- what is written --------------------------------------------------------------------------------
ends "a folder" 0 predict "$frames" --json "$work/all.json" --csv "$work/all.csv" \
  --draw "$work/drawn" --crops "$work/crops" --best 3
holds "a line per plate for people" grep -q '皖A.*score' "$work/said"
holds "an object per frame" lines "$work/all.json" 'len(d) == 14 and all(o["width"] == 720 for o in d)'
holds "plates where they are" lines "$work/all.json" \
  'all(0 <= p["box"][0] < p["box"][2] <= 720 and len(p["corners"]) == 4 for o in d for p in o["plates"])'
holds "readings, best first" lines "$work/all.json" \
  'all(1 <= len(p["readings"]) <= 3 and p["readings"][0]["text"] == p["text"] for o in d for p in o["plates"])'
# The names of CCPD's files say what is right: 7 indices into its alphabets behind the corners.
holds "most are read exactly" python3 - "$work/all.json" <<'PY'
import json, pathlib, sys
provinces = "皖沪津渝冀晋蒙辽吉黑苏浙京闽赣鲁豫鄂湘粤桂琼川贵云藏陕甘青宁新警学"
letters = "ABCDEFGHJKLMNPQRSTUVWXYZO"
others = letters[:-1] + "0123456789O"
right = 0
for line in open(sys.argv[1]):
    item = json.loads(line)
    a = [int(i) for i in pathlib.Path(item["source"]).name.split("-")[4].split("_")]
    text = provinces[a[0]] + letters[a[1]] + "".join(others[i] for i in a[2:])
    right += any(plate["text"] == text for plate in item["plates"])
sys.exit(right < 13)
PY
holds "a table" test "$(wc -l < "$work/all.csv")" -ge 14
holds "with its columns" grep -q '^source,frame,text,confidence,score,left' "$work/all.csv"
holds "drawn pictures" test "$(find "$work/drawn" -name '*.jpg' | wc -l)" -eq 14
holds "crops" test "$(find "$work/crops" -name '*.jpg' | wc -l)" -ge 13

predict "$frames" --json - > "$work/stdout.json" 2> /dev/null
holds "standard output is JSON alone" lines "$work/stdout.json" 'len(d) == 14'

# --- the shipped reader of 7 and 8 characters --------------------------------------------------------
slots=$root/models/pretrained/maskocr-cn.safetensors
ends "frames, by slots" 0 "$program" eval --model "$slots" --data "ccpd:$frames" --json "$work/slots.json"
holds "all read" json "$work/slots.json" 'd["samples"] == 14 and d["exact_match"] == 1'
ends "drawn plates, by slots" 0 "$program" eval --model "$slots" --data "synth:cn?count=200&seed=5" \
  --json "$work/drawn.json"
holds "eight characters too" json "$work/drawn.json" 'd["per_layout"]["green"]["exact_match"] > 0.9'

# --- both networks judged together ------------------------------------------------------------------
ends "a system" 0 "$program" eval --detector "$detector" --reader "$reader" --data "ccpd:$frames" \
  --json "$work/system.json"
holds "CCPD's rules" json "$work/system.json" \
  'd["samples"] == d["plates"] == 14 and d["end_to_end"]["end_to_end"] >= 13 / 14 and d["iou70"]["iou70"] == 1'
holds "the reader alone on annotated crops" json "$work/system.json" \
  'd["crops"]["rectify"]["exact_match"]["exact_match"] == 1 and set(d["crops"]) == {"rectify", "extents", "box"}'
holds "where the time goes" json "$work/system.json" \
  'set(d["seconds_per_picture"]) == {"load", "fit", "detect", "pick", "rectify", "read", "text"}'

# --- an interrupted folder goes on: nothing twice, nothing lost -------------------------------------
predict "$frames" --json "$work/part.json" > /dev/null 2>&1
head -c "$(($(wc -c < "$work/part.json") / 2))" "$work/part.json" > "$work/torn.json"
ends "resume" 0 predict "$frames" --json "$work/torn.json" --resume
holds "the same list" cmp -s "$work/part.json" "$work/torn.json"
ends "nothing left" 0 predict "$frames" --json "$work/torn.json" --resume
holds "still the same list" cmp -s "$work/part.json" "$work/torn.json"
ends "results are not overwritten" 2 predict "$frames" --json "$work/part.json"
holds "and the way out is told" grep -q -- --resume "$work/said"

# --- exported files read the same -------------------------------------------------------------------
"$program" export --model "$detector" --out "$work/onnx" > /dev/null
"$program" export --model "$reader" --out "$work/onnx" > /dev/null
ends "files in OpenCV" 0 "$program" predict --detector "$work/onnx/detector-n-fp32.onnx" \
  --reader "$work/onnx/lprnet-cn-fp32.onnx" --runtime opencv --json "$work/files.json" "$frames"
holds "the same texts" python3 - "$work/all.json" "$work/files.json" <<'PY'
import json, sys
texts = lambda f: [[p["text"] for p in json.loads(l)["plates"]] for l in open(f)]
sys.exit(texts(sys.argv[1]) != texts(sys.argv[2]))
PY

# --- mistakes ---------------------------------------------------------------------------------------
one=$(find "$frames" -name '*.jpg' | sort | head -1)
mkdir "$work/mixed"
cp "$one" "$work/mixed/good.jpg"
head -c 9000 "$one" > "$work/mixed/cut.jpg"
echo text > "$work/mixed/video.mp4"
ends "unreadable pictures do not stop the others" 1 predict "$work/mixed" --json "$work/mixed.json"
holds "they are told" grep -q 'cut.jpg' "$work/said"
holds "and kept in the list" lines "$work/mixed.json" \
  'len(d) == 3 and "problem" in d[0] and d[1]["plates"] and "problem" in d[2]'

refuses() { # NAME PATTERN COMMAND...
  local name=$1 pattern=$2
  shift 2
  ends "$name" 2 "$@"
  holds "$name: says why" grep -q -- "$pattern" "$work/said"
}
refuses "no such picture" "no file" predict "$work/nowhere.jpg"
refuses "no input" "name pictures" predict
refuses "an empty folder" "no picture" predict "$(mktemp -d -p "$work")"
refuses "a reader for a detector" "expected a detector" \
  "$program" predict --detector "$reader" --reader "$reader" "$one"
refuses "a detector for a reader" "expected a reader" \
  "$program" predict --detector "$detector" --reader "$detector" "$one"
refuses "exported files exchanged" "expected a detector" \
  "$program" predict --detector "$work/onnx/lprnet-cn-fp32.onnx" --reader "$reader" "$one"
head -c 5000 "$work/onnx/lprnet-cn-fp32.onnx" > "$work/cut.onnx"
refuses "a corrupt file" "cut.onnx" \
  "$program" predict --detector "$detector" --reader "$work/cut.onnx" "$one"
refuses "a folder that cannot be made" "cannot be made" predict "$one" --draw "$work/said/drawn"
refuses "a list that cannot be written" "cannot be written" predict "$one" --json "$work/no/list.json"
refuses "an absent camera" "is not there" predict camera:97
refuses "half a system" "both together" \
  "$program" eval --detector "$detector" --data "ccpd:$frames"
refuses "no model at all" "--model is missing" "$program" eval --data "ccpd:$frames"
refuses "a threshold" "between 0 and 1" predict "$one" --score 1.5

# A reader of another region is allowed and told.
"$program" train --config "$root/configs/lprnet_new_region.yaml" --run "$work/de" --set region=de \
  --set "data.train=synth:de?count=64" --set "data.val=synth:de?count=4" --set train.steps=1 \
  --set model.init_from= > /dev/null 2>&1
ends "another region" 0 "$program" predict --detector "$detector" \
  --reader "$work/de/model.safetensors" "$one"
holds "is told" grep -q 'the detector was trained for region' "$work/said"

echo "$checks checks, $failures failed"
[ "$failures" -eq 0 ]
