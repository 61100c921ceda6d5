#!/usr/bin/env python3
"""Quantises a float file with NNCF, to be read and timed beside ours by runtimes.py.

    nncf_ptq.py FP32.onnx PLATES.safetensors OUT.onnx [--samples 300]

PLATES comes from `plateforge verify --write-plates`, of training plates. NNCF's mixed preset, the
samples drawn at random. Needs a Python with nncf, onnx and numpy (NNCF 2.19 made the README's rows).
"""

import argparse
import pathlib
import random

import nncf
import onnx

from runtimes import plates_of


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model", type=pathlib.Path)
    parser.add_argument("plates", type=pathlib.Path)
    parser.add_argument("out", type=pathlib.Path)
    parser.add_argument("--samples", type=int, default=300)
    options = parser.parse_args()

    images, _ = plates_of(options.plates)
    chosen = random.Random(0).sample(range(len(images)), options.samples)
    model = onnx.load(str(options.model))
    quantized = nncf.quantize(
        model,
        nncf.Dataset([{"images": images[i : i + 1]} for i in chosen]),
        subset_size=options.samples,
        preset=nncf.QuantizationPreset.MIXED,
    )
    del quantized.metadata_props[:]
    quantized.metadata_props.extend(model.metadata_props)  # alphabet and preprocessing
    onnx.save(quantized, str(options.out))


if __name__ == "__main__":
    main()
