#pragma once

#include <torch/nn/modules/linear.h>

#include <memory>
#include <string>
#include <vector>

#include "models/backbone.h"
#include "models/blocks.h"
#include "models/network.h"

namespace plateforge {

// MobileNetV4 (Qin et al., arXiv 2404.10518) from its tables. Modules have the names of timm's
// state dictionaries, so weights in that form load by name.

// A row of the tables: `times` blocks, of which the first has the stride.
struct MnV4Row {
  enum class Kind {
    conv,       // conv k_mid, BN, ReLU
    fused,      // conv k_mid to expansion x in, BN, ReLU, conv 1x1, BN; input added where it fits
    uib,        // universal inverted bottleneck; k_start, k_mid: depthwise, 0 = left out
    attention,  // mobile multi-query attention, 4 heads of 64; stride is that of keys and values
  };
  Kind kind = Kind::conv;
  int64_t k_start = 0, k_mid = 0, stride = 1, expansion = 1, out = 0;
  int64_t times = 1;
};

struct MnV4Table {
  double width = 1;          // of all channels but the stem's
  bool layer_scale = false;  // learned factors at the end of every block
  std::vector<std::vector<MnV4Row>> stages;
};

// mnv4_conv_small, mnv4_conv_small_050, mnv4_conv_medium or mnv4_hybrid_medium. Throws Error for
// another name, listing them.
const MnV4Table& mobilenet_v4_table(const std::string& name);

// Channels at a width: the nearest multiple of 8, the next one where that loses more than a tenth.
int64_t round_channels(double channels);

// One block of the body.
class MnV4Block : public torch::nn::Module {
 public:
  virtual torch::Tensor forward(const torch::Tensor& x) = 0;
};

// The body. Its map of stride 32 is the narrow one of the last stage but one, not the 960 channels
// that only a classifier needs.
class MobileNetV4 : public Backbone {
 public:
  MobileNetV4(const MnV4Table& table, const std::vector<int64_t>& strides, bool whole);
  std::vector<torch::Tensor> forward(const torch::Tensor& images) override;
  void initialize(at::Generator& generator) override;
  // The last stage's output of a body built whole.
  torch::Tensor features(const torch::Tensor& images);
  int64_t features_channels() const { return channels_.back(); }

 private:
  void add_stage(const std::vector<MnV4Row>& rows, const MnV4Table& table);
  torch::Tensor run_stage(size_t stage, torch::Tensor x);

  ConvNorm stem_;
  std::shared_ptr<torch::nn::Module> blocks_;
  std::vector<std::vector<std::shared_ptr<MnV4Block>>> stages_;
  std::vector<int64_t> channels_;  // of the stem and each stage
  std::vector<size_t> taps_;
};

// The whole classifier: [N, 3, H, W] -> [N, classes] logits. For parity with published weights;
// timm's expect RGB.
class MobileNetV4Classifier : public Network {
 public:
  explicit MobileNetV4Classifier(const std::string& name, int64_t classes = 1000);
  torch::Tensor forward(const torch::Tensor& images) override;
  void initialize(uint64_t seed);
  MobileNetV4& body() { return *body_; }

 private:
  std::shared_ptr<MobileNetV4> body_;  // its children are registered here, for their names
  ConvNorm head_;
  torch::nn::Linear classifier_;
};

}  // namespace plateforge
