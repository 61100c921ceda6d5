#pragma once

#include <torch/types.h>

#include <filesystem>
#include <string>
#include <vector>

#include "export/profiles.h"
#include "models/model_file.h"

namespace plateforge {

// A picture to prove a port with.
struct BundleSample {
  torch::Tensor image;  // [3, H, W] uint8 BGR, as large as the model's input
  std::string text;     // what is written on a reader's plate
  std::string origin;   // where it comes from, for people
};

// Runtimes with a bundle: deepstream opencv openvino ort tensorrt tvm.
const std::vector<std::string>& bundle_names();

// Throws Error listing the known names for an unknown one, and when no profile of the list is for
// that runtime.
void check_bundle(const std::string& runtime, const std::vector<std::string>& profiles);
bool bundle_fits(const std::string& runtime, const Profile& profile);

// What an integrator needs beside a written file, in the folder FILE-RUNTIME next to it:
//   README.md          how to load and run it there
//   labels.txt         of a reader: one symbol per class in order, the blank last
//   reader.json or detector.json
//                      input, preprocessing, outputs, decoding
//   sample.png, sample-input.f32, sample-OUTPUT.f32 (raw little-endian float32), sample.json
//                      a picture, the tensors before and behind the network, shapes, answer,
//                      tolerance
//   prove.py           runs the file there on the sample, compares, exits with 1 on a difference
//   sample/            (opencv, openvino, ort) the same as a C++ program, of readers and of
//                      detectors with decoded outputs
//   compile.py (tvm), build-engine.sh (tensorrt)
//   nvinfer.txt, Makefile and the parsers' sources (deepstream)
// The outputs are those of our interpreter on the file. Returns the folder; throws Error when it
// cannot be written.
std::filesystem::path write_bundle(const std::string& runtime, const Model& model,
                                   const Profile& profile, const std::filesystem::path& file,
                                   const BundleSample& sample);

}  // namespace plateforge
