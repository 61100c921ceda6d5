#include "models/ops/dropout.h"

#include <ATen/CPUGeneratorImpl.h>
#include <ATen/record_function.h>
#include <torch/autograd.h>
#include <torch/types.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>
#include <mutex>

#include "models/ops/rows.h"

namespace plateforge::ops {
namespace {

using torch::Tensor;
using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

// SplitMix64 (Steele, Lea, Flood 2014): one hash holds four 16-bit uniform numbers.
uint64_t hash(uint64_t value) {
  value = (value ^ (value >> 30)) * 0xbf58476d1ce4e5b9ULL;
  value = (value ^ (value >> 27)) * 0x94d049bb133111ebULL;
  return value ^ (value >> 31);
}
constexpr uint64_t kStep = 0x9e3779b97f4a7c15ULL;

constexpr int64_t kBlock = 256;  // elements whose random numbers are made together
using Numbers = std::array<uint16_t, kBlock>;

void fill(Numbers& numbers, uint64_t seed, int64_t block) {
  std::array<uint64_t, kBlock / 4> hashes;
  const auto first = static_cast<uint64_t>(block) * hashes.size();
  for (size_t i = 0; i < hashes.size(); ++i) hashes[i] = hash(seed + (first + i) * kStep);
  std::memcpy(numbers.data(), hashes.data(), sizeof(hashes));
}

Tensor drop(const Tensor& x, uint64_t seed, int64_t threshold) {
  auto y = torch::empty_like(x);
  const float scale = 65536.F / static_cast<float>(65536 - threshold);
  const auto limit = static_cast<uint16_t>(threshold);
  const auto size = x.numel(), blocks = (size + kBlock - 1) / kBlock;
  with_element_type(x, [&]<class T>(T*) {
    const T* const in = input<T>(x);
    T* const out = output<T>(y);
    for_chunks(blocks, [&](int64_t, int64_t begin, int64_t end) {
      Numbers numbers;
      for (int64_t block = begin; block < end; ++block) {
        fill(numbers, seed, block);
        const auto from = block * kBlock, count = std::min(kBlock, size - from);
        for (int64_t i = 0; i < count; ++i)
          store(out[from + i],
                numbers[static_cast<size_t>(i)] >= limit ? load(in[from + i]) * scale : 0.F);
      }
    });
  });
  return y;
}

struct Dropout : torch::autograd::Function<Dropout> {
  static Tensor forward(AutogradContext* context, const Tensor& x, int64_t seed,
                        int64_t threshold) {
    RECORD_FUNCTION("plateforge::dropout", std::vector<c10::IValue>());
    context->saved_data["seed"] = seed;
    context->saved_data["threshold"] = threshold;
    return drop(x, static_cast<uint64_t>(seed), threshold);
  }
  static variable_list backward(AutogradContext* context, const variable_list& gradients) {
    const auto dy = gradient_like(gradients[0], gradients[0].scalar_type());
    return {drop(dy, static_cast<uint64_t>(context->saved_data["seed"].toInt()),
                 context->saved_data["threshold"].toInt()),
            Tensor(), Tensor()};
  }
};

}  // namespace

at::Tensor fused_dropout(const at::Tensor& x, double p) {
  auto generator = at::detail::getDefaultCPUGenerator();
  uint64_t seed = 0;
  {
    const std::lock_guard<std::mutex> lock(generator.mutex());
    seed = at::check_generator<at::CPUGeneratorImpl>(generator)->random64();
  }
  const auto threshold = std::clamp<int64_t>(std::llround(p * 65536), 0, 65535);
  return Dropout::apply(x, static_cast<int64_t>(seed), threshold);
}

}  // namespace plateforge::ops
