#pragma once

#include <torch/nn/modules/batchnorm.h>
#include <torch/nn/modules/conv.h>
#include <torch/nn/modules/linear.h>

#include <memory>

#include "models/network.h"

namespace plateforge {

// LPRNet (Zherzdev & Gruzdev, arXiv 1806.10447). Two bodies, chosen by ModelConfig::head:
//
//   t18  the published PyTorch port (sirius-ai/LPRNet_Pytorch), whose weights load by name: 94x24
//        in, 18 steps out, 446,976 parameters for 68 classes;
//   t88  the wide head of the paper as Intel released it, with the port's blocks: pooling halves
//   the
//        height only, so 94 columns leave 88 steps; the context is one vector for the whole plate.
//        All channels stay (Intel's pools are two-dimensional).
//
// Options of both: any input size that the pools can take, dropout, a width multiplier (channels
// rounded to multiples of 8), a spatial transformer in front (xuexingyu24's, 55,430 parameters).
NetworkPtr make_lprnet(const ModelConfig& config, int64_t num_classes, uint64_t seed);

// Output columns. Throws Error for an input size that is too small.
int64_t lprnet_time_steps(const ModelConfig& config);

// 1x1, 3x1, 1x3, 1x1 with ReLU between: four times fewer channels inside, no BN, no residual.
class SmallBasicBlock : public torch::nn::Module {
 public:
  SmallBasicBlock(int64_t in, int64_t out);
  torch::Tensor forward(const torch::Tensor& x);

 private:
  // Registered under "block" with the indices that ReLU leaves free, as in the published files.
  std::shared_ptr<torch::nn::Module> block_;
  torch::nn::Conv2d reduce_, vertical_, horizontal_, expand_;
};

// Each tensor divided by the mean of its squares: over its own plate, or over the whole batch as
// the published code does (only equal at batch 1; a plate's text then depends on its neighbours).
enum class ContextNorm { kPerSample, kWholeBatch };
torch::Tensor normalize_context(const torch::Tensor& x, ContextNorm norm);

// Predicts a 2x3 affine map from the picture and resamples it. Starts as the identity.
class SpatialTransformer : public torch::nn::Module {
 public:
  SpatialTransformer(int64_t height, int64_t width);
  torch::Tensor forward(const torch::Tensor& images);
  void reset_to_identity();

 private:
  std::shared_ptr<torch::nn::Module> localization_, fc_loc_;
  torch::nn::Conv2d conv1_, conv2_;
  torch::nn::Linear fc1_, fc2_;
};

// Channel counts of the three stages: 64, 128, 256 at multiplier 1.
struct Widths {
  int64_t low, middle, high;
};

class LprNet : public Network {
 public:
  LprNet(const ModelConfig& config, int64_t num_classes);
  torch::Tensor forward(const torch::Tensor& images) override;  // [N, 3, H, W] -> [N, C, T]

 private:
  LprNet(const ModelConfig& config, int64_t classes, const Widths& width);

  double dropout_;
  ContextNorm context_;
  std::shared_ptr<SpatialTransformer> stn_;  // null unless asked for
  std::shared_ptr<torch::nn::Module> backbone_, container_;
  torch::nn::Conv2d conv0_;
  torch::nn::BatchNorm2d norm1_;
  std::shared_ptr<SmallBasicBlock> block4_;
  torch::nn::BatchNorm2d norm5_;
  std::shared_ptr<SmallBasicBlock> block8_;
  torch::nn::BatchNorm2d norm9_;
  std::shared_ptr<SmallBasicBlock> block11_;
  torch::nn::BatchNorm2d norm12_;
  torch::nn::Conv2d conv16_;
  torch::nn::BatchNorm2d norm17_;
  torch::nn::Conv2d conv20_;
  torch::nn::BatchNorm2d norm21_;
  torch::nn::Conv2d head_;
};

// The wide head. Names follow the port's where the layer is the same.
class WideLprNet : public Network {
 public:
  WideLprNet(const ModelConfig& config, int64_t num_classes);
  torch::Tensor forward(const torch::Tensor& images) override;  // [N, 3, H, W] -> [N, C, T]

 private:
  WideLprNet(const ModelConfig& config, int64_t classes, const Widths& width);

  double dropout_;
  std::shared_ptr<SpatialTransformer> stn_;
  std::shared_ptr<torch::nn::Module> backbone_, container_;
  torch::nn::Conv2d conv0_;
  torch::nn::BatchNorm2d norm1_;
  std::shared_ptr<SmallBasicBlock> block4_;
  torch::nn::BatchNorm2d norm5_;
  std::shared_ptr<SmallBasicBlock> block8_;
  torch::nn::BatchNorm2d norm9_;
  std::shared_ptr<SmallBasicBlock> block11_;
  torch::nn::BatchNorm2d norm12_;
  torch::nn::Conv2d conv16_;
  torch::nn::BatchNorm2d norm17_;
  torch::nn::Conv2d conv20_;
  torch::nn::BatchNorm2d norm21_;
  torch::nn::Conv2d context_;  // the whole class map -> 128
  torch::nn::BatchNorm2d context_norm_;
  torch::nn::Conv2d head_, context_head_;
};

}  // namespace plateforge
