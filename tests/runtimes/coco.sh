#!/bin/sh
# pycocotools computes the average precisions of tests/golden/coco_ap.h anew: random plates, ignored
# regions, equal scores, more than 100 detections in a frame. average_precision_test compares ours
# with that file. Exits 77, which ctest reports as skipped, where pycocotools is missing.
root=$(cd "$(dirname "$0")/../.." && pwd)
python="$root/.deps/judges/bin/python"
[ -x "$python" ] || { echo "no $python: ./dev test installs it"; exit 77; }
"$python" -c 'import pycocotools' 2>/dev/null || { echo "no pycocotools in .deps/judges"; exit 77; }
written=$(mktemp) && trap 'rm -f "$written"' EXIT
"$python" "$root/tests/golden/coco_ap.py" | tail -n +2 >"$written" # the first line has the version
tail -n +2 "$root/tests/golden/coco_ap.h" | diff - "$written" >&2 || {
  echo "tests/golden/coco_ap.h is not what pycocotools computes: python coco_ap.py > coco_ap.h" >&2
  exit 1
}
