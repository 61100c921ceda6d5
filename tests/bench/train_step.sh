#!/bin/bash
# Training step: this program beside eager PyTorch (tests/bench/*_step.py) under the same memory policy,
# in turns; prints the fastest rate of each over all turns and the ratio. Needs a Python with torch
# 2.13: PYTHON=python3 PYTHONPATH=... tests/bench/train_step.sh [TURNS] [THREADS] [lprnet|maskocr|mae]
set -euo pipefail
cd "$(dirname "$0")/../.."
turns=${1:-3} threads=${2:-2} network=${3:-lprnet}
plateforge=${PLATEFORGE:-build/release/plateforge}
case $network in
  lprnet) ours=() python=(lprnet_step.py) ;;
  maskocr) ours=(--batch 32 --config configs/maskocr_reference.yaml) python=(maskocr_step.py) ;;
  mae)
    ours=(--batch 32 --config configs/maskocr_reference.yaml --set task=mae --set model.name=mae)
    python=(maskocr_step.py --task mae)
    ;;
  *)
    echo "unknown network '$network'; known: lprnet maskocr mae" >&2
    exit 2
    ;;
esac
out=$(mktemp -d)
trap 'rm -rf "$out"' EXIT
for turn in $(seq "$turns"); do
  "$plateforge" bench train --threads "$threads" "${ours[@]}" --json "$out/ours.$turn" >/dev/null
  MALLOC_MMAP_MAX_=0 MALLOC_TRIM_THRESHOLD_=20000000000 MALLOC_TOP_PAD_=268435456 \
    THP_MEM_ALLOC_ENABLE=1 "${PYTHON:-python3}" "tests/bench/${python[0]}" "${python[@]:1}" \
    --threads "$threads" >"$out/python.$turn"
done
"${PYTHON:-python3}" - "$out" "$turns" <<'PY'
import json, sys
folder, turns = sys.argv[1], int(sys.argv[2])
read = lambda who: [json.load(open(f"{folder}/{who}.{t}")) for t in range(1, turns + 1)]
ours, python = read("ours"), read("python")
for precision in ("fp32", "bf16"):
    best = lambda runs, key="images_per_second": max(run[precision].get(key, 0) for run in runs)
    roofline = best(ours, "roofline_images_per_second")
    print(f"{precision}: ours {best(ours):.1f} img/s, eager PyTorch {best(python):.1f} img/s, "
          f"ratio {best(ours) / best(python):.2f}"
          + (f"; convolutions alone {roofline:.1f} img/s" if roofline else ""))
PY
