#!/usr/bin/env bash
# The guided tour of ./dev demo, the whole road: real photographs read, a new region described in one
# file, 200 labelled pictures of it, a reader retrained, made smaller within a bound, exported, proved
# equal, and one page about it all.
# usage: demo.sh PLATEFORGE [STEPS]
set -euo pipefail
plateforge=$1 steps=${2:-400}
out=out/demo
rm -rf "$out" && mkdir -p "$out"
detector=models/pretrained/detector-s.safetensors reader=models/pretrained/lprnet-cn.safetensors
photographs=tests/data/ccpd # none of them was trained on

say() { printf '\n\033[1m%s\033[0m\n' "$*"; }
run() { printf '$ plateforge %s\n' "$*"; "$plateforge" "$@"; }

say "1. Plates found and read in real photographs, by the shipped networks"
run predict --detector "$detector" --reader "$reader" "$photographs" --csv "$out/plates.csv" --draw "$out/drawn"

say "2. A region that plateforge does not know, described in one file: $out/norway.yaml"
cat > "$out/norway.yaml" <<'YAML'
name: norway
description: Norway, one-row plates
alphabet: "0-9A-Z"
classes:
  letter: "A-Z"
  digit: "0-9"
  first: "1-9"
layouts:
  - name: one_row # AB 12345
    rows: ["letter{2} |30| first digit{4}"]
    width_mm: 520
    height_mm: 110
    char_width_mm: 46
    char_height_mm: 75
    spacing_mm: 8
    background: "#f6f6f3"
    background_bottom: "#f6f6f3"
    foreground: "#101010"
    border: "#101010"
    border_mm: 3
    band_left_mm: 40
    band_colour: "#003399"
    band_text: "N"
fonts: [OSP-DIN.ttf, RG2014D.ttf, DejaVuSansCondensed-Bold.ttf]
confusable: [0O, 8B, 5S, 2Z, 1I, 6G]
YAML
run data preview --region "$out/norway.yaml" --data "synth:$out/norway.yaml?count=32" --out "$out/norway.png"

say "3. 200 labelled pictures to learn from, and 100 others to measure on (drawn here; yours are photographs)"
run data synth --region "$out/norway.yaml" --count 200 --seed 1 --out "$out/learn"
run data synth --region "$out/norway.yaml" --count 100 --seed 2 --out "$out/measure"
learn=csv:$out/learn/plates.csv measure=csv:$out/measure/plates.csv
run data verify --region "$out/norway.yaml" --data "$measure" --against "$learn"

say "4. A reader for it, from the shipped weights: $steps steps"
run train --config configs/lprnet_new_region.yaml --run "$out/run" --set "region=$out/norway.yaml" \
  --set "data.train=$learn@0.5+synth:$out/norway.yaml?count=100000@0.5" --set data.val= --set data.val_fraction=0.2 \
  --set "train.steps=$steps" --set "train.eval_every=$((steps / 4))" --set train.minutes=4

say "5. Smaller and on integers, within a bound: each step may lose two points of exact match on 300 new plates"
unseen="synth:$out/norway.yaml?count=300&seed=3"
run prune --model "$out/run/model.safetensors" --ratio 0.5 --calibrate "$unseen" --max-drop 0.02 --out "$out/norway-sparse.safetensors"
run quantize --model "$out/norway-sparse.safetensors" --calibrate "$learn" --max-drop 0.02 --data "$unseen" --out "$out/norway-int8.safetensors"

say "6. Both as ONNX, with a C++ sample beside them, and proved equal to LibTorch"
run export --model "$out/run/model.safetensors" --out "$out/onnx" --bundle opencv --sample "$measure"
run export --model "$out/norway-int8.safetensors" --out "$out/onnx"
run verify --model "$out/run/model.safetensors" --onnx "$out/onnx/model-fp32.onnx" --data "$measure"

say "7. What each reads on the 100 plates that nothing was trained, pruned or calibrated with"
run eval --model "$out/run/model.safetensors" --data "$measure" --decoder beam --page "$out/norway.html"
run eval --model "$out/norway-int8.safetensors" --data "$measure" --decoder beam

say "8. The photographs once more, through exported files: the same text"
run export --model "$detector" --out "$out/onnx"
run export --model "$reader" --out "$out/onnx"
run predict --detector "$out/onnx/detector-s-fp32.onnx" --reader "$out/onnx/lprnet-cn-fp32.onnx" "$photographs" \
  --csv "$out/plates-onnx.csv"
cmp <(cut -d, -f1,3 "$out/plates.csv") <(cut -d, -f1,3 "$out/plates-onnx.csv")
echo "equal: $(($(wc -l < "$out/plates.csv") - 1)) plates"

say "9. One page about the run"
run report "$out/run"

say "Look at:"
printf '  %-28s %s\n' "$out/drawn/" "the photographs with what was found and read" \
  "$out/norway.yaml" "the region; norway.png: its plates" \
  "$out/norway.html" "every measured plate and what was read" \
  "$out/run/report.html" "the training: curves, samples, mistakes, layers" \
  "$out/onnx/" "files to deploy; model-fp32-opencv/: sample, proof, README"
