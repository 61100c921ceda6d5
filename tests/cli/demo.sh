#!/usr/bin/env bash
# The guided tour of ./dev demo: real plates read by the shipped reader, the same reader retrained for
# a region it never saw, export, and the written file proved equal on real photographs.
# usage: demo.sh PLATEFORGE [REGION [STEPS]]
set -euo pipefail
plateforge=$1 region=${2:-de} steps=${3:-450}
out=out/demo
rm -rf "$out" && mkdir -p "$out"
reader=models/pretrained/lprnet-cn.safetensors
real=ccpd:tests/data/ccpd # none of them was trained on

say() { printf '\n\033[1m%s\033[0m\n' "$*"; }
run() { printf '$ plateforge %s\n' "$*"; "$plateforge" "$@"; }

say "1. The shipped reader (region cn) on real photographs"
run eval --model "$reader" --data "$real" --decoder beam --page "$out/real-plates.html"

say "2. A region it never saw: what synthetic plates of '$region' look like"
run data preview --region "$region" --data "synth:$region?count=32" --out "$out/$region.png"

say "3. Retraining for '$region' from the shipped weights: $steps steps"
run train --config configs/lprnet_new_region.yaml --run "$out/run" --set "region=$region" \
  --set "data.train=synth:$region?count=100000" --set "data.val=synth:$region?count=300&seed=99" \
  --set "train.steps=$steps" --set "train.eval_every=$((steps / 3))" --set "train.minutes=4"

say "4. The new reader on 300 plates it was not trained on"
run eval --model "$out/run/model.safetensors" --data "synth:$region?count=300&seed=77" \
  --decoder beam --page "$out/$region-plates.html"

say "5. Both readers as ONNX, and the written file proved equal on real photographs"
run export --model "$out/run/model.safetensors" --out "$out/onnx-$region" --profile fp32
run export --model "$reader" --out "$out/onnx-cn" --profile fp32
run verify --model "$reader" --onnx "$out"/onnx-cn/*.onnx --data "$real"

say "Look at:"
printf '  %s\n' "$out/real-plates.html      real photographs and what was read" \
  "$out/$region-plates.html        the new region" "$out/onnx-$region/, $out/onnx-cn/  files to deploy"
