#include "export/profiles.h"

#include "configs/error.h"

namespace plateforge {
namespace {

// Float: logits reach hundreds, and the order of summation alone moves them by about 1e-4; boxes
// reach 700 pixels, where no plate is, and move by 2.2e-3.
constexpr ParityBounds kFloat{.logit_difference = 2e-3, .relative_logit_difference = 4e-6};
// Integers: where a value lies on the border between two steps, runtimes round it either way, and
// the following layers carry that on. Measured: 0.6 % of the largest logit (own interpreter, ONNX
// Runtime), 2 % (OpenVINO). Boxes of plates 130 pixels wide move by one to three pixels.
constexpr ParityBounds kIntegers{.relative_logit_difference = 0.05,
                                 .different_texts = 0.02,
                                 .moved_box = 4,
                                 .least_score = 0.05,
                                 .exact_match_drop = 0.01};

}  // namespace

const std::vector<Profile>& profiles() {
  static const std::vector<Profile> table = {
      {.name = "fp32",
       .description = "float, BatchNorm folded",
       .runtimes = {"onnxruntime", "openvino", "opencv", "tensorrt", "tvm"},
       .holds = "fp32",
       .portable = true,
       .bounds = kFloat},
      {.name = "fp16",
       .description = "16-bit floats inside, float input and output",
       .runtimes = {"onnxruntime", "openvino", "tensorrt", "tvm"},
       .holds = "fp32",
       .half = true,
       .bounds = {.relative_logit_difference = 0.02,
                  .different_texts = 0.02,
                  .least_score = 0.05,
                  .exact_match_drop = 0.01}},
      {.name = "int8-u8",
       .description = "unsigned 8-bit activations, signed 8-bit weights",
       .runtimes = {"onnxruntime", "openvino", "tvm"},
       .holds = "int8-u8",
       .norm_operators = true,
       .arranged = true,
       .bounds = kIntegers},
      {.name = "int8-s8",
       .description = "signed 8-bit activations, float weights that TensorRT quantises",
       .runtimes = {"tensorrt"},
       .holds = "int8-s8",
       .spelling = {.integer_weights = false, .integer_biases = false},
       .bounds = kIntegers},
      {.name = "int8-dynamic",
       .description = "activations quantised at run time by their own range",
       .runtimes = {"onnxruntime"},
       .holds = "int8-dynamic",
       .norm_operators = true,
       .bounds = kIntegers},
      {.name = "int8-weights",
       .description = "float arithmetic on weights stored as 8-bit integers: small, not faster",
       .runtimes = {"openvino", "tvm"},
       .holds = "int8-weights",
       .bounds = kFloat},
  };
  return table;
}

const Profile& find_profile(const std::string& name) {
  std::string known;
  for (const auto& profile : profiles()) {
    if (profile.name == name) return profile;
    known.append(" ").append(profile.name);
  }
  fail("no export profile '", name, "'; available:", known);
}

}  // namespace plateforge
