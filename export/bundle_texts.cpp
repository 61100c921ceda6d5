#include "export/bundle_texts.h"

namespace plateforge {

const char* const kReaderReadme = R"(# @MODEL@ in @RUNTIME@

`../@MODEL@` (profile @PROFILE@: @DESCRIPTION@) reads one plate per picture.

| | |
|---|---|
| input | `images`, float32 @INPUT@: the rectified plate as @WIDTH@x@HEIGHT@ pixels, channels B, G, R, each (pixel - 127.5) / 128 |
| output | `logits`, float32 @OUTPUT@: per step a score for each line of `labels.txt`; @LAST@ |
| text | @DECODING@ |

)";

const char* const kDetectorReadme = R"(# @MODEL@ in @RUNTIME@

`../@MODEL@` (profile @PROFILE@: @DESCRIPTION@) finds plates in a picture.

| | |
|---|---|
| input | `images`, float32 @INPUT@: the picture scaled to fit into @WIDTH@x@HEIGHT@ with its proportions kept, at the left-top, the rest grey 128; channels B, G, R, each (pixel - 127.5) / 128 |
| outputs | @OUTPUT@: @MEANING@ |
| after it | keep scores of @SCORE@ and more, drop of two boxes with an IoU above @NMS@ the one with the lower score, clip boxes to the input, divide by the scale |

)";

const char* const kProveReadme =
    R"(`@CONTRACT@` says the same for programs. `sample.png` is @ORIGIN@; `sample-input.f32` and
`@TENSORS@` are the raw float32 tensors before and behind the network. A port that reproduces
them within @TOLERANCE@ and @ANSWER@ is right:

    python3 prove.py

)";

const char* const kProveScript = R"PY(#!/usr/bin/env python3
"""Runs ../@MODEL@ in @RUNTIME@ on the sample and compares with what plateforge computed."""

import json
import pathlib
import sys

import numpy as np

here = pathlib.Path(__file__).resolve().parent
model = here.parent / "@MODEL@"
contract = json.loads((here / "@CONTRACT@").read_text(encoding="utf-8"))
sample = json.loads((here / "sample.json").read_text(encoding="utf-8"))
names = [output["name"] for output in contract["outputs"]]


def tensor(name):
    return np.fromfile(here / name, "<f4").reshape(sample["shapes"][name])


@JUDGE@

@RUN@

outputs = [np.asarray(output) for output in run(tensor("sample-input.f32"))]
wanted = [tensor(f"sample-{name}.f32") for name in names]
difference = max(float(np.abs(a - b).max()) for a, b in zip(outputs, wanted))
answer, expected = answer_of(outputs), sample["answer"]
print(f"{answer}, expected {expected}; largest difference {difference:.2e}, "
      f"allowed {sample['tolerance']:.2e}")
sys.exit(0 if answer == expected and difference <= sample["tolerance"] else 1)
)PY";

const char* const kJudgeText = R"PY(def answer_of(outputs):
    best = outputs[0][0].argmax(0)  # of [classes, steps]
    fresh = np.append(True, best[1:] != best[:-1]) & (best != contract["blank"])
    return "".join(contract["labels"][c] for c in best[fresh]))PY";

const char* const kJudgeSlots = R"PY(def answer_of(outputs):
    best = outputs[0][0].argmax(0)  # of [classes, slots]
    ends = np.append(best == contract["blank"], True).argmax()
    return "".join(contract["labels"][c] for c in best[:ends]))PY";

const char* const kJudgePlates = R"PY(def answer_of(outputs):
    if names == ["rows"]:
        scores = 1 / (1 + np.exp(-outputs[0][0, :, 0]))
    else:
        parts = [o[0].ravel() for o, name in zip(outputs, names) if name.startswith("score")]
        scores = np.concatenate(parts)
    return f"{int((scores >= contract['score_threshold']).sum())} anchors on plates")PY";

const char* const kSampleReadme = R"(`sample/` is the same in C++: picture in, answer out.

    cmake -S sample -B sample/build && cmake --build sample/build
    sample/build/sample .              # or: sample/build/sample . PICTURE

)";

const char* const kSampleCMake = R"(cmake_minimum_required(VERSION 3.16)
project(sample LANGUAGES CXX)
set(CMAKE_CXX_STANDARD 17)
if(NOT CMAKE_BUILD_TYPE)
  set(CMAKE_BUILD_TYPE Release)
endif()
find_package(OpenCV REQUIRED COMPONENTS core dnn imgcodecs imgproc)
@FIND@add_executable(sample main.cpp infer.cpp)
target_link_libraries(sample PRIVATE ${OpenCV_LIBS}@LINK@)
)";

namespace {

const BundleTexts kOrt = {
    "ort",
    "onnxruntime",
    R"(Needs `pip install onnxruntime numpy`. In C++: `Ort::Session(env, "@MODEL@", options)`; one thread
(`SetIntraOpNumThreads(1)`) is fastest for a network this small, serve plates in parallel by sessions.
Leave graph optimisation at its default: it is what makes integer kernels of Q/DQ pairs.
)",
    R"(def run(images):
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(
        str(model), options, providers=["CPUExecutionProvider"]
    )
    return session.run(names, {"images": images})
)",
    {},
    "infer_ort.cpp",
    "find_package(onnxruntime REQUIRED)\n",
    " onnxruntime::onnxruntime"};

const BundleTexts kOpenVino = {
    "openvino",
    "openvino",
    R"(Needs `pip install openvino numpy`. `INFERENCE_PRECISION_HINT=f32` keeps the layers that are not integers
in float32; without it recent CPUs compute them in bfloat16, which is faster and less exact. The file is
read as it is; `ovc ../@MODEL@` converts it to IR once. Speed here: `benchmark_app -m ../@MODEL@ -d CPU
-hint latency -nthreads 1 -infer_precision f32`.
)",
    R"(def run(images):
    import openvino

    config = {"INFERENCE_PRECISION_HINT": "f32", "INFERENCE_NUM_THREADS": 1}
    results = openvino.Core().compile_model(str(model), "CPU", config)({"images": images})
    return [results[name] for name in names]
)",
    {},
    "infer_openvino.cpp",
    "find_package(OpenVINO REQUIRED COMPONENTS Runtime)\n",
    " openvino::runtime"};

const BundleTexts kOpenCv = {
    "opencv",
    "opencv",
    R"(Needs OpenCV 4.6 or later with the dnn module (Python: `pip install opencv-python numpy`). In C++:
`auto net = cv::dnn::readNetFromONNX("@MODEL@"); net.setInput(blob); net.forward(outputs, names);`
with `cv::dnn::blobFromImage(picture, 1.0 / 128, {@WIDTH@, @HEIGHT@}, {127.5, 127.5, 127.5}, false)`.
)",
    R"(def run(images):
    import cv2

    network = cv2.dnn.readNetFromONNX(str(model))
    network.setInput(images)
    return network.forward(names)
)",
    {},
    "infer_opencv.cpp",
    "",
    ""};

const BundleTexts kTvm = {
    "tvm",
    "tvm",
    R"(Needs `pip install apache-tvm onnx numpy` (0.20 or later: the Relax front end). `compile.py` compiles for this
machine's CPU into `@STEM@.so`; give another LLVM target as its argument. Without tuning expect
several times the time of ONNX Runtime; TVM runs Q/DQ pairs in float, so an integer file saves space there
and not time.
)",
    R"(def run(images):
    import tvm
    from tvm import relax

    from compile import compiled

    machine = relax.VirtualMachine(compiled("llvm"), tvm.cpu())
    result = machine["main"](tvm.runtime.tensor(images))
    return [result.numpy()] if hasattr(result, "numpy") else [part.numpy() for part in result]
)",
    {{"compile.py", R"PY(#!/usr/bin/env python3
"""Compiles ../@MODEL@ with TVM: compile.py [TARGET]. Writes @STEM@.so beside this script."""

import pathlib
import sys

import onnx
import tvm
from tvm.relax.frontend.onnx import from_onnx

here = pathlib.Path(__file__).resolve().parent


def compiled(target):
    module = from_onnx(onnx.load(str(here.parent / "@MODEL@")), shape_dict={"images": @INPUT@})
    return tvm.compile(module, target=target)


if __name__ == "__main__":
    compiled(sys.argv[1] if len(sys.argv) > 1 else "llvm").export_library(str(here / "@STEM@.so"))
)PY"}}};

const BundleTexts kTensorRt = {
    "tensorrt",
    "tensorrt",
    R"(`build-engine.sh` builds an engine with `trtexec` and runs it on the sample; `prove.py` then compares. An
integer file holds its scales (explicit quantisation): no calibration, no calibration cache, and
`--int8` only lets the builder use integer kernels. Activations are signed with zero point 0, weights float
with a Q/DQ pair each, biases float, Q/DQ on inputs alone, as TensorRT 8 and later want it. For a network
this small compare with an fp16 engine of the fp32 file: it is usually as fast. The script is written after
the vendor's documentation; plateforge itself has not run TensorRT.
)",
    R"(def run(images):
    values = {o["name"]: o["values"] for o in json.loads((here / "output.json").read_text())}
    shapes = {name: sample["shapes"][f"sample-{name}.f32"] for name in names}
    return [np.array(values[name], np.float32).reshape(shapes[name]) for name in names]
)",
    {{"build-engine.sh", R"SH(#!/bin/sh
# Builds @STEM@.engine and runs it on the sample; then: python3 prove.py
cd "$(dirname "$0")" || exit 2
exec trtexec --onnx=../@MODEL@ --saveEngine=@STEM@.engine @TRTFLAGS@ \
  --loadInputs=images:sample-input.f32 --exportOutput=output.json
)SH"}}};

const BundleTexts kDeepStream = {
    "deepstream",
    "tensorrt",
    R"(`nvinfer.txt` configures DeepStream's nvinfer: the detector as primary inference, the reader as secondary on
the plates it found. `make` builds `libnvdsinfer_plates.so`, the parsers of both (`DEEPSTREAM=` names the
SDK); the work is done in two headers of plain C++, which plateforge's own tests compile and run. nvinfer
pads with black where training saw grey, and hands the reader upright boxes, not plates rectified by their
corners: measure the reader on such crops (`plateforge eval --crop extents`). An integer file needs its
engine built beforehand (`@STEM@.engine`, by the bundle for tensorrt): nvinfer itself looks for a
calibration cache. plateforge has not run DeepStream itself.
)",
    R"(def run(images):
    import onnxruntime  # stands in for nvinfer: proves the file, not the plugin

    session = onnxruntime.InferenceSession(str(model), providers=["CPUExecutionProvider"])
    return session.run(names, {"images": images})
)",
    {}};

}  // namespace

const std::vector<BundleTexts>& bundle_texts() {
  static const std::vector<BundleTexts> all = {kDeepStream, kOpenCv,   kOpenVino,
                                               kOrt,        kTensorRt, kTvm};
  return all;
}

}  // namespace plateforge
