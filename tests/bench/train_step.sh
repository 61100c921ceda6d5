#!/bin/bash
# Training step: this program beside eager PyTorch (tests/bench/lprnet_step.py) under the same memory
# policy, in turns; prints the fastest rate of each over all turns and the ratio. Needs a Python with
# torch 2.13: PYTHON=python3 PYTHONPATH=... tests/bench/train_step.sh [TURNS] [THREADS]
set -euo pipefail
cd "$(dirname "$0")/../.."
turns=${1:-3} threads=${2:-2}
plateforge=${PLATEFORGE:-build/release/plateforge}
out=$(mktemp -d)
trap 'rm -rf "$out"' EXIT
for turn in $(seq "$turns"); do
  "$plateforge" bench train --threads "$threads" --json "$out/ours.$turn" >/dev/null
  MALLOC_MMAP_MAX_=0 MALLOC_TRIM_THRESHOLD_=20000000000 MALLOC_TOP_PAD_=268435456 \
    THP_MEM_ALLOC_ENABLE=1 "${PYTHON:-python3}" tests/bench/lprnet_step.py --threads "$threads" \
    >"$out/python.$turn"
done
"${PYTHON:-python3}" - "$out" "$turns" <<'PY'
import json, sys
folder, turns = sys.argv[1], int(sys.argv[2])
read = lambda who: [json.load(open(f"{folder}/{who}.{t}")) for t in range(1, turns + 1)]
ours, python = read("ours"), read("python")
for precision in ("fp32", "bf16"):
    best = lambda runs, key="images_per_second": max(run[precision][key] for run in runs)
    print(f"{precision}: ours {best(ours):.1f} img/s, eager PyTorch {best(python):.1f} img/s, "
          f"ratio {best(ours) / best(python):.2f}; convolutions alone "
          f"{best(ours, 'roofline_images_per_second'):.1f} img/s")
PY
