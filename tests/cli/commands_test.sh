#!/usr/bin/env bash
# What the commands around training promise: eval, export, verify, import, lr-find, doctor, bench.
# usage: commands_test.sh PLATEFORGE REPOSITORY
set -uo pipefail
plateforge=$1 root=$2
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
model=$root/models/pretrained/lprnet-cn.safetensors
real=ccpd:$root/tests/data/ccpd crops=crops:$root/tests/data/crops
. "$(dirname "$0")/checks.sh"

ends "eval" 0 "$plateforge" eval --model "$model" --data "$real" --decoder beam \
  --json "$work/eval.json" --page "$work/page.html"
holds "intervals hold the value" json "$work/eval.json" \
  'd["interval95"]["exact_match"][0] <= d["exact_match"] <= d["interval95"]["exact_match"][1]'
holds "the shipped reader reads the shipped photographs" json "$work/eval.json" 'd["exact_match"] == 1'
holds "the page shows pictures" grep -q 'data:image/' "$work/page.html"

ends "export" 0 "$plateforge" export --model "$model" --out "$work/onnx" --profile fp32 --json "$work/export.json"
onnx=$work/onnx/lprnet-cn-fp32.onnx
ends "verify" 0 "$plateforge" verify --model "$model" --onnx "$onnx" --data "$real" --json "$work/verify.json"
cp "$onnx" "$work/broken.onnx"
head -c 400 /dev/zero | tr '\0' 'A' | dd of="$work/broken.onnx" bs=1 seek=900000 conv=notrunc 2>/dev/null
ends "verify fails on broken weights" 1 "$plateforge" verify --model "$model" --onnx "$work/broken.onnx" --data "$real"
holds "and names the difference" grep -q 'logit difference' "$work/said"
head -c 500000 "$onnx" > "$work/cut.onnx"
ends "verify refuses a cut file" 2 "$plateforge" verify --model "$model" --onnx "$work/cut.onnx" --data "$real"
ends "export to an unknown profile" 2 "$plateforge" export --model "$model" --out "$work/onnx" --profile fp17

ends "prune" 0 "$plateforge" prune --model "$model" --ratio 0.3 --allocation norm_global --out "$work/sparse.safetensors" \
  --json "$work/sparse.json"
holds "it says that dense runtimes are no faster" grep -q 'will not be faster' "$work/said"
holds "the ratio is met" json "$work/sparse.json" 'abs(d["ratio"] - 0.3) < 0.001 and d["gzip_bytes"] < d["dense_gzip_bytes"]'
ends "eval of the pruned file" 0 "$plateforge" eval --model "$work/sparse.safetensors" --data "$real" --json "$work/eval.json"
holds "it still reads" json "$work/eval.json" 'd["exact_match"] > 0.9'
ends "export of the pruned file" 0 "$plateforge" export --model "$work/sparse.safetensors" --out "$work/onnx" --profile fp32
ends "prune with a correction of the weights that stay" 0 "$plateforge" prune --model "$model" --ratio 0.4 --allocation lamp \
  --scores second_order --calibrate "$real+$crops" --out "$work/solved.safetensors" --json "$work/solved.json"
printf 'model: %s\ndata: "%s"\nallocations: [uniform, norm_global]\nratios: [0.2]\n' \
  "$model" "$crops" > "$work/sweep.yaml"
sweep() { "$plateforge" prune --sweep "$work/sweep.yaml" --run "$work/sweep" "$@"; }
ends "sweep" 0 sweep --json "$work/cells.json"
holds "dense model and one cell each" json "$work/cells.json" '[c["cell"] for c in d][0] == "dense" and len(d) == 3'
holds "table and picture" test -s "$work/sweep/sweep.csv" -a -s "$work/sweep/pareto.png"
sed -i '$d' "$work/sweep/results.jsonl"
ends "sweep goes on" 0 sweep
holds "with the missing cell alone" grep -q 'going on behind 2 cells' "$work/said"
ends "another sweep does not mix in" 2 sweep --set "ratios=[0.9]"

int8=$work/int8.safetensors
ends "quantize" 0 "$plateforge" quantize --model "$model" --calibrate "$crops" --out "$int8" --data "$real" --json "$work/int8.json"
holds "every layer is named with its noise" json "$work/int8.json" \
  'd["profile"] == "int8-u8" and len(d["layers"]) == 16 and all(l["sqnr_db"] > 10 for l in d["layers"])'
holds "the quantised reader reads the shipped photographs" json "$work/int8.json" 'd["result"]["quantized"] == 1'
ends "eval of the quantised file" 0 "$plateforge" eval --model "$int8" --data "$real" --json "$work/int8-eval.json"
holds "eval agrees" json "$work/int8-eval.json" 'd["exact_match"] == 1'
ends "weights alone need no plates" 0 "$plateforge" quantize --model "$model" --profile int8-weights \
  --equalize none --bias-correction none --out "$int8"
ends "a bound that holds" 0 "$plateforge" quantize --model "$model" --calibrate "$crops" --out "$int8" \
  --data "$real" --max-drop 0 --json "$work/bound.json"
holds "the runtime agrees, where there is one" json "$work/bound.json" 'd.get("in_runtime", d["result"])["drop"] == 0'
holds "says so" json "$work/bound.json" 'd["bound"]["holds"] and d["result"]["drop"] <= 0'

holds "the forecast is silent on floats" json "$work/export.json" 'd["fp32"]["findings"] == [] and d["fp32"]["parity"]["holds"]'
ends "export to integers of a float model" 2 "$plateforge" export --model "$model" --out "$work/onnx" --profile int8-u8
holds "says what to type" grep -q 'plateforge quantize --model M --profile int8-u8' "$work/said"
ends "export to half" 0 "$plateforge" export --model "$model" --out "$work/onnx" --profile fp16
ends "verify half" 0 "$plateforge" verify --model "$model" --onnx "$work/onnx/lprnet-cn-fp16.onnx" --data "$real" --runtime builtin
ends "verify in a runtime that is not inside" 2 "$plateforge" verify --model "$model" --onnx "$onnx" --data "$real" --runtime tensorrt
ends "bundles" 0 "$plateforge" export --model "$model" --out "$work/onnx" --bundle ort,opencv,tensorrt --sample "$crops"
for runtime in ort opencv tensorrt; do
  holds "a bundle for $runtime" test -s "$work/onnx/lprnet-cn-fp32-$runtime/sample-logits.f32"
done
ends "a drawn sample" 0 "$plateforge" export --model "$model" --out "$work/onnx" --bundle tvm
ends "an unknown bundle" 2 "$plateforge" export --model "$model" --out "$work/onnx" --bundle caffe
ends "bench model" 0 "$plateforge" bench model --model "$model" --onnx "$onnx" --runtime libtorch,opencv --rounds 1 --runs 1 \
  --json "$work/model.json"
holds "a row per contestant" json "$work/model.json" \
  'len(d["runs"]) == 2 and all(r["latency_ms"]["min"] > 0 for r in d["runs"]) and d["roofline"]["fp32_ms"] > 0'

ends "prune of whole channels" 0 "$plateforge" prune --structured --model "$model" --ratio 0.3 --steps 2 --scores taylor \
  --widths backbone.20=68 --calibrate "$real+$crops" --out "$work/shrunk.safetensors" --json "$work/shrunk.json"
holds "the table has every group" grep -q 'backbone.11.block.6 *256 -> *176' "$work/said"
holds "parameters and MACs fall" json "$work/shrunk.json" 'd["macs"] < 0.6 * d["macs_before"] and d["parameters"] < 0.65 * d["parameters_before"]'
ends "eval of the shrunk file" 0 "$plateforge" eval --model "$work/shrunk.safetensors" --data "$real"
ends "export of the shrunk file" 0 "$plateforge" export --model "$work/shrunk.safetensors" --out "$work/onnx" --profile fp32
ends "its file computes the same" 0 "$plateforge" verify --model "$work/shrunk.safetensors" --onnx "$work/onnx/shrunk-fp32.onnx" --data "$real"

ends "import" 0 "$plateforge" import "$model" --as lprnet --out "$work/again.safetensors"
ends "eval of the imported file" 0 "$plateforge" eval --model "$work/again.safetensors" --data "$real" \
  --decoder beam --json "$work/again.json"
holds "the same texts after import" json "$work/again.json" 'd["exact_match"] == 1'

cat > "$work/tiny.yaml" <<YAML
data: {train: "$crops", val_fraction: 0.3, batch_size: 4, epoch_samples: 16, workers: 0}
model: {width_multiplier: 0.25}
train: {steps: 4}
YAML
ends "lr-find" 0 "$plateforge" lr-find --config "$work/tiny.yaml" --steps 20 \
  --plot "$work/lr.png" --json "$work/lr.json"
holds "one loss per rate" json "$work/lr.json" 'len(d["rates"]) == len(d["losses"]) > 5'
holds "the plot is a PNG" grep -q PNG <(head -c 8 "$work/lr.png")
ends "doctor of a run" 0 "$plateforge" doctor --config "$work/tiny.yaml" --json "$work/doctor.json"
holds "the run is sound" json "$work/doctor.json" '"step" in d and "whole run" in d and "peak memory" in d'
ends "bench loader" 0 "$plateforge" bench loader --data "$crops" --rounds 1 --seconds 0.01 --json "$work/loader.json"
ends "bench train" 0 "$plateforge" bench train --batch 2 --rounds 1 --precision fp32 --json "$work/train.json"
holds "shares add up" json "$work/train.json" '0.9 < sum(d["fp32"]["share"].values()) < 1.1'

for command in doctor "data verify" "data stats" "data preview" "data synth" "data cache" "data convert" \
  train lr-find eval prune "prune --structured" quantize export verify bench "bench loader" "bench train" "bench model" import; do
  ends "$command --help" 0 "$plateforge" $command --help
done

"$plateforge" manual > "$work/plateforge.1"
holds "the man page names every command" python3 - "$work/plateforge.1" <<'PY'
import subprocess, sys
page = open(sys.argv[1], encoding="utf-8").read().replace("\\-", "-")
assert all(f"\n.SS {name}\n" in page for name in ("train", "data verify", "prune --structured", "bench model"))
assert "\\fBaugment.strength\\fR (1)" in page and "\\fB--max-drop\\fR" in page
PY
if command -v groff >/dev/null; then
  holds "the man page is sound roff" test -z "$(groff -man -Tutf8 -ww -z "$work/plateforge.1" 2>&1)"
fi
"$plateforge" completion > "$work/completion.bash"
completes() { # WORDS... : what completion offers for the last one
  bash -c 'source "$1"; shift; COMP_WORDS=("$@") COMP_CWORD=$(($# - 1)); _plateforge; echo "${COMPREPLY[*]}"' \
    _ "$work/completion.bash" plateforge "$@"
}
holds "commands complete" test "$(completes data '')" = "verify stats preview cache convert synth"
holds "options complete" test "$(completes prune --struc)" = "--structured"
holds "keys of the config complete" test "$(completes train --set data.tr)" = "data.train="
ends "a mistyped command" 2 "$plateforge" data verfy
holds "is guessed" grep -q "did you mean 'data verify'" "$work/said"

echo "$checks checks, $failures failed"
[ "$failures" -eq 0 ]
