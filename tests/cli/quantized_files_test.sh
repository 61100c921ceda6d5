#!/usr/bin/env bash
# From a model file to integer files: quantise, export strictly, verify against the float model, notice an edited file.
# usage: quantized_files_test.sh PLATEFORGE REPOSITORY
set -uo pipefail
plateforge=$1 root=$2
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
model=$root/models/pretrained/lprnet-cn.safetensors
real=ccpd:$root/tests/data/ccpd crops=crops:$root/tests/data/crops
. "$(dirname "$0")/checks.sh"
quantize() { "$plateforge" quantize --model "$model" --calibrate "$crops" --out "$work/q.safetensors" "$@"; }
export_all() { "$plateforge" export --model "$work/q.safetensors" --out "$work" --json "$work/export.json" "$@"; }
verify() {
  "$plateforge" verify --model "$work/q.safetensors" --onnx "$1" --data "$real" --reference "$model" \
    --runtime "${2:-builtin}" --json "$work/verify.json"
}

ends "quantise" 0 quantize
ends "export as what it was quantised for, strictly" 0 export_all --strict --bundle ort --sample "$crops"
holds "every convolution fuses in both" json "$work/export.json" \
  'len(d["int8-u8"]["kernels"]) >= 16 and set(d["int8-u8"]["integer_kernels"].values()) == {len(d["int8-u8"]["kernels"])}'
ends "export as floats" 2 export_all --profile fp32
holds "says why" grep -q 'was quantised for int8-u8' "$work/said"
ends "export for TensorRT" 2 export_all --profile int8-s8
onnx=$work/q-int8-u8.onnx
ends "verify" 0 verify "$onnx"
holds "reads as the float model" json "$work/verify.json" \
  'd["runtimes"]["builtin"]["same_text"] >= 0.9 and d["samples"] == 14 and d["edits"] == []'
cp "$onnx" "$work/byte.onnx"
python3 - "$work/byte.onnx" <<'PY'
import sys
data = bytearray(open(sys.argv[1], "rb").read())
data[len(data) // 2] ^= 1  # among the weights of some convolution
open(sys.argv[1], "wb").write(data)
PY
ends "one bit changed" 1 verify "$work/byte.onnx"
holds "is named" grep -q '^edited: ' "$work/said"

ends "quantise for TensorRT" 0 quantize --profile int8-s8
ends "export for TensorRT" 0 export_all --strict --bundle tensorrt
holds "says whom it is for" grep -q 'TensorRT alone' "$work/said"
holds "ONNX Runtime fuses nothing of it" json "$work/export.json" 'd["int8-s8"]["integer_kernels"]["onnxruntime"] == 0'
ends "verify the TensorRT file" 0 verify "$work/q-int8-s8.onnx"
ends "bundle for a runtime that it is not for" 2 export_all --bundle ort

ends "quantise dynamically" 0 quantize --profile int8-dynamic
ends "export dynamic, strictly" 1 export_all --strict
holds "was not written" test ! -e "$work/q-int8-dynamic.onnx"
ends "export dynamic" 0 export_all --batch 0
ends "verify dynamic" 0 verify "$work/q-int8-dynamic.onnx"

ends "quantise weights" 0 quantize --profile int8-weights
ends "export weights" 0 export_all
ends "verify weights" 0 verify "$work/q-int8-weights.onnx"

echo "$checks checks, $failures failed"
[ "$failures" -eq 0 ]
