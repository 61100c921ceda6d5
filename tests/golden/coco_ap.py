"""Writes coco_ap.h: random plates and detections with the average precisions that pycocotools
computes for them, for tests/unit/train/average_precision_test.cpp.

    pip install pycocotools numpy; python coco_ap.py > coco_ap.h

Coordinates are quarters of a pixel, exact in float and double in either corner form; scores have
two digits, so that many are equal.
"""
import contextlib
import importlib.metadata
import io
import random

from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval


def quarter(value):
    return round(value * 4) / 4


def box(rng):
    width, height = rng.uniform(10, 60), rng.uniform(5, 30)
    left, top = rng.uniform(0, 140), rng.uniform(0, 90)
    return [quarter(v) for v in (left, top, left + width, top + height)]


def near(rng, plate):
    spread = rng.choice([0.5, 1.5, 4])
    moved = [quarter(v + rng.gauss(0, spread)) for v in plate]
    return [moved[0], moved[1], max(moved[2], moved[0] + 1), max(moved[3], moved[1] + 1)]


def frame(rng, most):
    plates = [(box(rng), rng.random() < 0.2) for _ in range(rng.randint(0, 4))]
    found = []
    for plate, _ in plates:
        found += [near(rng, plate) for _ in range(rng.choice([0, 1, 1, 1, 2, 3]))]
    found += [box(rng) for _ in range(rng.randint(0, most))]
    rng.shuffle(found)
    return plates, [(detection, rng.randint(1, 99)) for detection in found]


def as_coco(corners):
    left, top, right, bottom = corners
    return [left, top, right - left, bottom - top]


def judge(frames):
    """pycocotools' AP50, AP75 and AP50-95."""
    plates, found = [], []
    for image, (truths, detections) in enumerate(frames):
        for corners, ignore in truths:
            sides = as_coco(corners)
            plates.append({"id": len(plates) + 1, "image_id": image, "category_id": 1, "bbox": sides,
                           "area": sides[2] * sides[3], "iscrowd": int(ignore)})
        for corners, score in detections:
            found.append({"image_id": image, "category_id": 1, "bbox": as_coco(corners),
                          "score": score / 100})
    truth = COCO()
    truth.dataset = {"images": [{"id": i} for i in range(len(frames))],
                     "categories": [{"id": 1}], "annotations": plates}
    with contextlib.redirect_stdout(io.StringIO()):
        truth.createIndex()
        evaluation = COCOeval(truth, truth.loadRes(found), "bbox")
        evaluation.evaluate()
        evaluation.accumulate()
        evaluation.summarize()
    return evaluation.stats[1], evaluation.stats[2], evaluation.stats[0]


def write(number, frames):
    ap50, ap75, mean = judge(frames)
    print(f"    {{{ap50:.17g}, {ap75:.17g}, {mean:.17g},\n     {{")
    for plates, detections in frames:
        truths = ", ".join("{{{:g}, {:g}, {:g}, {:g}, {}}}".format(*b, int(i)) for b, i in plates)
        found = ", ".join("{{{:g}, {:g}, {:g}, {:g}, {}}}".format(*b, s) for b, s in detections)
        print(f"         {{{{{truths}}}, {{{found}}}}},")
    print("     }},")


def main():
    version = importlib.metadata.version("pycocotools")
    print(f"""// Written by coco_ap.py with pycocotools {version}.
#pragma once

#include <array>
#include <vector>

namespace plateforge {{

struct CocoFrame {{
  std::vector<std::array<double, 5>> plates;      // left, top, right, bottom, ignored
  std::vector<std::array<double, 5>> detections;  // left, top, right, bottom, 100 x score
}};
struct CocoGolden {{
  double ap50, ap75, ap50_95;
  std::vector<CocoFrame> frames;
}};

// clang-format off
inline const std::vector<CocoGolden> kCocoGolden = {{""")
    rng = random.Random(1)
    write(0, [frame(rng, 2) for _ in range(12)])
    write(1, [frame(rng, 8) for _ in range(20)])
    write(2, [frame(rng, 150) for _ in range(3)])  # more than 100 detections in a frame
    print("""};
// clang-format on

}  // namespace plateforge""")


if __name__ == "__main__":
    main()
