#pragma once

#include <gtest/gtest.h>
#include <torch/autograd.h>
#include <torch/utils.h>

#include <functional>

// What the tests of fused kernels share: each kernel's results and gradients are compared with
// those of the plain composition.
namespace plateforge::ops {

using torch::Tensor;

struct Precision {
  at::ScalarType type;
  double tolerance;  // of the largest element
};
inline constexpr Precision kFloat = {at::kFloat, 2e-5}, kBf16 = {at::kBFloat16, 2e-2};

inline Tensor activations(at::IntArrayRef sizes, at::ScalarType type) {
  return torch::randn(sizes).to(type).contiguous(at::MemoryFormat::ChannelsLast);
}

inline void expect_close(const Tensor& fused, const Tensor& plain, double tolerance,
                         const char* what) {
  ASSERT_EQ(fused.sizes(), plain.sizes()) << what;
  ASSERT_EQ(fused.scalar_type(), plain.scalar_type()) << what;
  const auto scale = plain.to(at::kFloat).abs().max().item<double>();
  const auto worst = (fused.to(at::kFloat) - plain.to(at::kFloat)).abs().max().item<double>();
  EXPECT_LE(worst, tolerance * std::max(scale, 1e-3)) << what;
}

// Outputs, then the gradients of `leaves` for random output gradients.
inline std::vector<Tensor> run(const std::function<std::vector<Tensor>()>& forward,
                               const std::vector<Tensor>& leaves) {
  auto results = forward();
  std::vector<Tensor> directions;
  torch::manual_seed(99);
  for (const auto& result : results)
    directions.push_back(torch::randn(result.sizes(), result.options()));
  const auto gradients = torch::autograd::grad(results, leaves, directions);
  results.insert(results.end(), gradients.begin(), gradients.end());
  return results;
}

}  // namespace plateforge::ops
