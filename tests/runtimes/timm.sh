#!/bin/sh
# Runs timm_parity.py with the interpreter of the judges' environment and, where that has no torch
# of its own, the one that came with LibTorch. Exits 77, which ctest reports as skipped, where timm
# is missing.
root=$(cd "$(dirname "$0")/../.." && pwd)
python="$root/.deps/judges/bin/python"
[ -x "$python" ] || { echo "no $python: ./dev test installs it"; exit 77; }
"$python" -c 'import torch' 2>/dev/null || export PYTHONPATH="$root/.deps/libtorch-py"
exec "$python" "$root/tests/runtimes/timm_parity.py" "$@"
