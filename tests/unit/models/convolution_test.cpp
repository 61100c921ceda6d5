#include "models/ops/convolution.h"

#include <ATen/Parallel.h>
#include <ATen/autocast_mode.h>
#include <gtest/gtest.h>
#include <torch/nn/modules/conv.h>

#include "models/ops/depthwise.h"
#include "models/ops/layers.h"
#include "tests/support/plain_ops.h"

namespace plateforge::ops {
namespace {

// Results and gradients of a convolution at its sizes in LPRNet and others that no tile divides.
std::vector<Tensor> convolution_results(at::IntArrayRef x_sizes, int64_t out, int64_t height,
                                        int64_t width, int64_t pad_height, int64_t pad_width) {
  torch::manual_seed(7);
  const auto x = activations(x_sizes, at::kFloat).requires_grad_();
  torch::nn::Conv2d conv(
      torch::nn::Conv2dOptions(x_sizes[1], out, {height, width}).padding({pad_height, pad_width}));
  return run([&] { return std::vector{convolution(*conv, x)}; }, {x, conv->weight, conv->bias});
}

TEST(Convolution, EqualsThePlainOneForAnyNumberOfThreads) {
  const auto before = at::get_num_threads();
  const auto results = [](int which) {
    return which == 0   ? convolution_results({3, 3, 24, 94}, 64, 3, 3, 0, 0)
           : which == 1 ? convolution_results({2, 64, 18, 44}, 64, 3, 1, 1, 0)
           : which == 2 ? convolution_results({5, 13, 7, 9}, 32, 1, 3, 0, 1)
           : which == 3 ? convolution_results({1, 8, 3, 3}, 96, 1, 1, 0, 0)
                        : convolution_results({2, 7, 5, 6}, 10, 3, 2, 2, 1);
  };
  for (int which = 0; which < 5; ++which) {
    at::set_num_threads(1);
    const auto alone = results(which);
    at::set_num_threads(2);
    const auto shared = results(which);
    const PlainOps guard;
    const auto plain = results(which);
    const char* names[] = {"y", "dx", "dweight", "dbias"};
    for (size_t i = 0; i < 4; ++i) {
      expect_close(alone[i], plain[i], 2e-5, names[i]);
      if (i > 1) {
        EXPECT_TRUE(alone[i].equal(shared[i])) << names[i];
      }
    }
  }
  at::set_num_threads(before);
}

struct DepthwiseCase {
  int64_t channels, height, width, kernel, stride, padding;
};
// Those of MobileNetV4 and BiFPN; channels that fill no vector, extents that the stride does not
// divide, rows and columns that no output sees, no padding, padding wider than half the filter.
const DepthwiseCase kDepthwiseCases[] = {
    {64, 14, 14, 5, 1, 2}, {192, 14, 14, 5, 2, 2}, {160, 14, 14, 3, 2, 1}, {7, 9, 12, 5, 2, 2},
    {33, 8, 7, 3, 2, 0},   {17, 11, 6, 5, 3, 4},   {16, 5, 5, 5, 1, 0},    {20, 3, 10, 5, 4, 1}};

class Depthwise : public testing::TestWithParam<Precision> {};

TEST_P(Depthwise, EqualsThePlainOneForAnyNumberOfThreads) {
  const auto [type, tolerance] = GetParam();
  const auto before = at::get_num_threads();
  for (const auto& one : kDepthwiseCases) {
    torch::manual_seed(7);
    const auto x = activations({3, one.channels, one.height, one.width}, type).requires_grad_();
    const auto weight = torch::randn({one.channels, 1, one.kernel, one.kernel}).requires_grad_();
    const op::Conv conv{{one.stride, one.stride}, {one.padding, one.padding}, {1, 1}, one.channels};
    ASSERT_EQ(can_fuse_depthwise(conv, type, weight, {}),
              one.kernel == 5 || (type == at::kBFloat16 && one.stride > 1));
    if (!can_fuse_depthwise(conv, type, weight, {})) continue;
    const auto fused = [&] {
      return run([&] { return std::vector{depthwise_convolution(conv, x, weight)}; }, {x, weight});
    };
    at::set_num_threads(1);
    const auto alone = fused();
    at::set_num_threads(2);
    const auto shared = fused();
    const auto plain = run(
        [&] {
          return std::vector{torch::conv2d(x, weight.to(type), {}, conv.stride, conv.padding,
                                           {1, 1}, one.channels)};
        },
        {x, weight});
    const char* names[] = {"y", "dx", "dweight"};
    for (size_t i = 0; i < 3; ++i) {
      expect_close(alone[i], plain[i], tolerance, names[i]);
      EXPECT_TRUE(alone[i].equal(shared[i])) << names[i];
    }
  }
  at::set_num_threads(before);
}

INSTANTIATE_TEST_SUITE_P(Float, Depthwise, testing::Values(kFloat, kBf16));

}  // namespace
}  // namespace plateforge::ops
