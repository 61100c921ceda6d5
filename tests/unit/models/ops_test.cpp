#include "models/ops/layers.h"

#include <ATen/Parallel.h>
#include <ATen/autocast_mode.h>
#include <gtest/gtest.h>
#include <torch/nn/modules/batchnorm.h>
#include <torch/nn/modules/conv.h>
#include <torch/utils.h>

#include <tuple>

#include "models/lprnet.h"
#include "models/ops/attention.h"
#include "models/ops/dropout.h"
#include "tests/support/plain_ops.h"

namespace plateforge::ops {
namespace {

using torch::Tensor;

class BatchNormRelu : public testing::TestWithParam<Precision> {};

TEST_P(BatchNormRelu, EqualsThePlainComposition) {
  torch::manual_seed(1);
  const auto [type, tolerance] = GetParam();
  for (const int64_t channels : {64, 68, 7}) {
    const auto x = (activations({5, channels, 6, 9}, type) * 3 + 10).detach().requires_grad_();
    torch::nn::BatchNorm2d fused(channels), plain(channels);
    for (auto* norm : {&fused, &plain}) {
      const torch::NoGradGuard no_grad;
      (*norm)->weight.copy_(torch::linspace(-1, 2, channels));
      (*norm)->bias.copy_(torch::linspace(1, -1, channels));
    }
    const auto mine = run([&] { return std::vector{batch_norm_relu(*fused, x)}; },
                          {x, fused->weight, fused->bias});
    std::vector<Tensor> reference;
    {
      const PlainOps guard;
      reference = run([&] { return std::vector{batch_norm_relu(*plain, x)}; },
                      {x, plain->weight, plain->bias});
    }
    const char* names[] = {"y", "dx", "dweight", "dbias"};
    for (size_t i = 0; i < 4; ++i) expect_close(mine[i], reference[i], 2 * tolerance, names[i]);
    expect_close(fused->running_mean, plain->running_mean, tolerance, "running mean");
    expect_close(fused->running_var, plain->running_var, tolerance, "running variance");
    EXPECT_EQ(fused->num_batches_tracked.item<int64_t>(), 1);
  }
}

class GroupNormRelu : public testing::TestWithParam<Precision> {};

TEST_P(GroupNormRelu, EqualsThePlainCompositionForAnyNumberOfThreads) {
  const auto [type, tolerance] = GetParam();
  const auto before = at::get_num_threads();
  for (const auto& [channels, groups] : {std::pair{64, 32}, {68, 4}, {21, 7}, {5, 1}}) {
    torch::manual_seed(2);
    const auto x = (activations({5, channels, 17, 19}, type) * 3 + 10).detach().requires_grad_();
    torch::nn::GroupNorm norm(groups, channels);
    {
      const torch::NoGradGuard no_grad;
      norm->weight.copy_(torch::linspace(-1, 2, channels));
      norm->bias.copy_(torch::linspace(1, -1, channels));
    }
    const auto results = [&] {
      return run([&] { return std::vector{group_norm_relu(*norm, x)}; },
                 {x, norm->weight, norm->bias});
    };
    at::set_num_threads(1);
    const auto alone = results();
    at::set_num_threads(2);
    const auto shared = results();
    const PlainOps guard;
    const auto plain = results();
    const char* names[] = {"y", "dx", "dweight", "dbias"};
    for (size_t i = 0; i < 4; ++i) {
      expect_close(alone[i], plain[i], 2 * tolerance, names[i]);
      EXPECT_TRUE(alone[i].equal(shared[i])) << names[i];
    }
  }
  at::set_num_threads(before);
}

TEST(BatchNormReluKernel, KeepsNan) {
  auto x = activations({2, 16, 4, 4}, at::kFloat);
  x[0][3][1][1] = std::numeric_limits<float>::quiet_NaN();
  x.requires_grad_();
  torch::nn::BatchNorm2d norm(16);
  const auto y = batch_norm_relu(*norm, x);
  EXPECT_TRUE(y.select(1, 3).isnan().all().item<bool>());
  EXPECT_FALSE(y.select(1, 4).isnan().any().item<bool>());
}

struct PoolCase {
  PoolStride stride;
  AverageWindow window;
  std::vector<int64_t> sizes;
};
// The three of LPRNet; no channel count, extent or step a round number, windows that overlap; one
// channel; rows that no window reaches.
const PoolCase kPoolCases[] = {
    {{}, {5, 5, 5, 5}, {3, 64, 22, 92}},
    {{.channels = 2, .width = 2}, {5, 5, 5, 5}, {2, 128, 20, 90}},
    {{.channels = 4, .width = 2}, {4, 10, 4, 2}, {2, 256, 18, 44}},
    {{.channels = 3, .height = 2}, {2, 3, 1, 4}, {1, 10, 7, 11}},
    {{.channels = 4}, {4, 4, 2, 3}, {5, 7, 9, 13}},
    {{.channels = 2, .height = 3, .width = 3}, {3, 2, 3, 2}, {70, 5, 8, 8}},
    {{}, {1, 1, 1, 1}, {2, 1, 3, 3}}};

// Both outputs, the gradients of x, weight and bias, and the running statistics.
std::vector<Tensor> norm_relu_pool_results(const PoolCase& one, at::ScalarType type) {
  torch::manual_seed(2);
  const auto x = (activations(one.sizes, type) * 2 + 1).detach().requires_grad_();
  torch::nn::BatchNorm2d norm(one.sizes[1]);
  {
    const torch::NoGradGuard no_grad;
    norm->weight.copy_(torch::linspace(-1, 2, one.sizes[1]));
    norm->bias.copy_(torch::linspace(1, -0.5, one.sizes[1]));
  }
  auto results = run(
      [&] {
        const auto [pooled, average] = norm_relu_pool(*norm, x, one.stride, one.window);
        return std::vector{pooled, average};
      },
      {x, norm->weight, norm->bias});
  results.push_back(norm->running_mean);
  results.push_back(norm->running_var);
  return results;
}

class NormReluPool : public testing::TestWithParam<Precision> {};

TEST_P(NormReluPool, EqualsThePlainComposition) {
  const auto [type, tolerance] = GetParam();
  for (const auto& one : kPoolCases) {
    const auto mine = norm_relu_pool_results(one, type);
    const PlainOps guard;
    const auto reference = norm_relu_pool_results(one, type);
    const char* names[] = {"maxima",       "averages",        "dx", "dweight", "dbias",
                           "running mean", "running variance"};
    for (size_t i = 0; i < std::size(names); ++i)
      expect_close(mine[i], reference[i], 2 * tolerance, names[i]);
  }
}

TEST_P(NormReluPool, IsBitEqualForAnyNumberOfThreads) {
  const auto before = at::get_num_threads();
  for (const auto& one : kPoolCases) {
    at::set_num_threads(1);
    const auto alone = norm_relu_pool_results(one, GetParam().type);
    at::set_num_threads(2);
    const auto shared = norm_relu_pool_results(one, GetParam().type);
    for (size_t i = 0; i < alone.size(); ++i) EXPECT_TRUE(alone[i].equal(shared[i])) << i;
  }
  at::set_num_threads(before);
}

// Equal maxima: the first in reading order gets the gradient, as in PyTorch.
TEST(NormReluPoolKernel, GivesTiesToTheFirst) {
  const auto gradient = [] {
    auto x = torch::zeros({1, 2, 4, 5}).contiguous(at::MemoryFormat::ChannelsLast);
    x.select(2, 1).fill_(1);
    x.requires_grad_();
    torch::nn::BatchNorm2d norm(2);
    norm->bias.data().fill_(2);  // everything is above zero
    const auto y = norm_relu_pool(*norm, x, {}, {2, 2, 2, 2});
    const auto direction = torch::arange(12, torch::kFloat).reshape(y.pooled.sizes());
    return torch::autograd::grad({y.pooled}, {x}, {direction})[0];
  };
  const auto mine = gradient();
  const PlainOps guard;
  expect_close(mine, gradient(), 1e-5, "dx");
}

TEST(NormReluPoolKernel, KeepsNan) {
  auto x = activations({2, 16, 4, 4}, at::kFloat);
  x[0][4][1][1] = std::numeric_limits<float>::quiet_NaN();
  x.requires_grad_();
  torch::nn::BatchNorm2d norm(16);
  const auto y = norm_relu_pool(*norm, x, {.channels = 2}, {2, 2, 2, 2});
  EXPECT_TRUE(y.pooled.select(1, 2).isnan().all().item<bool>());
  EXPECT_TRUE(y.average.select(1, 4).isnan().all().item<bool>());
  EXPECT_FALSE(y.pooled.select(1, 3).isnan().any().item<bool>());
  EXPECT_FALSE(y.average.select(1, 5).isnan().any().item<bool>());
}

INSTANTIATE_TEST_SUITE_P(Float, GroupNormRelu, testing::Values(kFloat, kBf16));
INSTANTIATE_TEST_SUITE_P(Float, BatchNormRelu, testing::Values(kFloat, kBf16));
INSTANTIATE_TEST_SUITE_P(Float, NormReluPool, testing::Values(kFloat, kBf16));

class FusedDropout : public testing::TestWithParam<Precision> {};

TEST_P(FusedDropout, DropsItsShareAndPassesTheSameGradient) {
  for (const double p : {0.25, 0.5}) {
    torch::manual_seed(3);
    const auto x = torch::ones({4, 64, 16, 21})
                       .to(GetParam().type)
                       .contiguous(at::MemoryFormat::ChannelsLast)
                       .requires_grad_();
    const auto y = fused_dropout(x, p);
    const auto kept = (y != 0).to(at::kFloat).mean().item<double>();
    EXPECT_NEAR(kept, 1 - p, 0.005);
    EXPECT_NEAR(y.to(at::kFloat).max().item<double>(), 1 / (1 - p), 0.01);
    const auto gradient = torch::autograd::grad({y}, {x}, {torch::ones_like(y)})[0];
    EXPECT_TRUE(gradient.equal(y.detach()));
    // The next draw differs, the same generator state repeats.
    EXPECT_FALSE(fused_dropout(x, p).equal(y));
    torch::manual_seed(3);
    EXPECT_TRUE(fused_dropout(x, p).equal(y));
  }
}

// Neighbours, in memory and a channel apart, are dropped independently.
TEST(FusedDropoutMask, HasNoVisiblePattern) {
  torch::manual_seed(4);
  const auto kept = (fused_dropout(torch::ones({1 << 20}), 0.5) != 0).to(at::kFloat) - 0.5;
  for (const int64_t lag : {1, 2, 3, 4, 64, 256, 1024}) {
    const auto product = (kept.slice(0, lag) * kept.slice(0, 0, kept.numel() - lag)).mean();
    EXPECT_LT(std::abs(product.item<double>()), 0.0015) << lag;
  }
}
INSTANTIATE_TEST_SUITE_P(Float, FusedDropout, testing::Values(kFloat, kBf16));

std::vector<Tensor> step_gradients(int64_t threads) {
  const auto before = at::get_num_threads();
  at::set_num_threads(static_cast<int>(threads));
  torch::manual_seed(5);
  const auto network = make_network({}, 68, 5);
  const auto images = activations({4, 3, 24, 94}, at::kFloat);
  const auto loss = network->forward(images).square().mean();
  std::vector<Tensor> results = torch::autograd::grad({loss}, network->parameters());
  results.push_back(loss.detach());
  at::set_num_threads(before);
  return results;
}

// Exact resume rests on this.
TEST(TrainingStep, IsBitEqualFromRunToRun) {
  for (const int64_t threads : {1, 2}) {
    const auto first = step_gradients(threads), again = step_gradients(threads);
    for (size_t i = 0; i < first.size(); ++i) EXPECT_TRUE(first[i].equal(again[i])) << i;
  }
}

// The whole network: fused and plain steps agree as far as rounding allows.
TEST(TrainingStep, FusedEqualsPlain) {
  const auto gradients = [](bool plain) {
    std::optional<PlainOps> guard;
    if (plain) guard.emplace();
    torch::manual_seed(6);
    const auto network = make_network({.dropout = 0}, 68, 5);
    const auto images = activations({4, 3, 24, 94}, at::kFloat);
    const auto logits = network->forward(images);
    auto results = torch::autograd::grad({logits.square().mean()}, network->parameters());
    results.push_back(logits.detach());
    return results;
  };
  const auto fused = gradients(false), plain = gradients(true);
  expect_close(fused.back(), plain.back(), 1e-3, "logits");
  expect_close(fused[fused.size() - 3], plain[plain.size() - 3], 1e-3, "head gradient");
}

TEST(TrainingStep, RunsUnderAutocast) {
  const auto network = make_network({}, 68, 5);
  at::autocast::set_autocast_enabled(at::kCPU, true);
  at::autocast::set_autocast_dtype(at::kCPU, at::kBFloat16);
  const auto loss = network->forward(activations({2, 3, 24, 94}, at::kFloat)).square().mean();
  at::autocast::clear_cache();
  at::autocast::set_autocast_enabled(at::kCPU, false);
  loss.backward();
  for (const auto& parameter : network->parameters())
    EXPECT_TRUE(parameter.grad().defined() && parameter.grad().isfinite().all().item<bool>());
}

// Fused and plain attention with all gradients; lengths and widths that fill no vector.
TEST(Attention, EqualsThePlainComposition) {
  torch::manual_seed(7);
  for (const auto& [type, tolerance] : {kFloat, kBf16}) {
    for (const auto& [queries, keys, width] : {std::tuple{24, 24, 64}, {7, 24, 52}, {5, 3, 17}}) {
      const int64_t heads = 3, inner = heads * width;
      const auto leaf = [&](int64_t length, int64_t parts) {
        return torch::randn({2, length, parts * inner}).to(type).detach().requires_grad_();
      };
      const auto tokens = leaf(keys, 3), query = leaf(queries, 1), memory = leaf(keys, 2);
      const auto both = [&] {
        return std::vector<Tensor>{self_attention(tokens, width, 0),
                                   cross_attention(query, memory, width, 0)};
      };
      const auto fused = run(both, {tokens, query, memory});
      const PlainOps plain_ops;
      const auto plain = run(both, {tokens, query, memory});
      for (size_t i = 0; i < fused.size(); ++i)
        expect_close(fused[i], plain[i], tolerance, "attention");
    }
  }
}

// With one key all weights are 1, so the result shows which were dropped; the gradient of the
// values must be dropped alike.
TEST(Attention, DropsWeightsAndTheirGradients) {
  torch::manual_seed(7);
  const int64_t heads = 4, width = 8, queries = 50;
  const auto query = torch::randn({40, queries, heads * width}).requires_grad_();
  const auto memory = torch::ones({40, 1, 2 * heads * width}).requires_grad_();
  const auto result = cross_attention(query, memory, width, 0.25);
  const auto kept = result.detach().gt(0);
  EXPECT_NEAR(kept.to(torch::kFloat).mean().item<double>(), 0.75, 0.02);
  EXPECT_TRUE(result.detach().masked_select(kept).allclose(torch::tensor(4.0F / 3)));
  result.sum().backward();
  EXPECT_TRUE(memory.grad().slice(2, heads * width).allclose(result.detach().sum(1, true)));
  EXPECT_TRUE(query.grad().abs().max().item<double>() < 1e-6);
}

}  // namespace
}  // namespace plateforge::ops
