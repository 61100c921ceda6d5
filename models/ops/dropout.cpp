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

#include "models/ops/hash_bits.h"
#include "models/ops/rows.h"

namespace plateforge::ops {
namespace {

using torch::Tensor;
using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

constexpr int64_t kBlock = 256;  // elements whose random numbers are made together
using Numbers = std::array<uint16_t, kBlock>;

void fill(Numbers& numbers, uint64_t seed, int64_t block) {
  std::array<uint64_t, kBlock / 4> hashes;
  const auto first = static_cast<uint64_t>(block) * hashes.size();
  for (size_t i = 0; i < hashes.size(); ++i) hashes[i] = hash_bits(seed, first + i);
  std::memcpy(numbers.data(), hashes.data(), sizeof(hashes));
}

Tensor drop(const Tensor& x, uint64_t seed, const DropRule& rule) {
  auto y = torch::empty_like(x);
  const auto size = x.numel(), blocks = (size + kBlock - 1) / kBlock;
  with_element_type(x, [&]<class T>(T*) {
    const T* const in = input<T>(x);
    T* const out = output<T>(y);
    for_chunks(blocks, [&](int64_t, int64_t begin, int64_t end) {
      Numbers numbers;
      std::array<float, kBlock> factors;
      for (int64_t block = begin; block < end; ++block) {
        fill(numbers, seed, block);
        rule.factors(numbers.data(), kBlock, factors.data());
        const auto from = block * kBlock, count = std::min(kBlock, size - from);
        for (int64_t i = 0; i < count; ++i)
          store(out[from + i], load(in[from + i]) * factors[static_cast<size_t>(i)]);
      }
    });
  });
  return y;
}

struct Dropout : torch::autograd::Function<Dropout> {
  static Tensor forward(AutogradContext* context, const Tensor& x, double p) {
    RECORD_FUNCTION("plateforge::dropout", std::vector<c10::IValue>());
    const auto seed = draw_seed();
    context->saved_data["seed"] = static_cast<int64_t>(seed);
    context->saved_data["p"] = p;
    context->saved_data["channels_last"] = !x.is_contiguous();
    return drop(x, seed, DropRule(p));
  }
  static variable_list backward(AutogradContext* context, const variable_list& gradients) {
    const auto dy = gradients[0].contiguous(context->saved_data["channels_last"].toBool()
                                                ? at::MemoryFormat::ChannelsLast
                                                : at::MemoryFormat::Contiguous);
    return {drop(dy, static_cast<uint64_t>(context->saved_data["seed"].toInt()),
                 DropRule(context->saved_data["p"].toDouble())),
            Tensor()};
  }
};

}  // namespace

DropRule::DropRule(double p) : threshold(std::clamp<int64_t>(std::llround(p * 65536), 0, 65535)) {}

uint64_t draw_seed() {
  auto generator = at::detail::getDefaultCPUGenerator();
  const std::lock_guard<std::mutex> lock(generator.mutex());
  return at::check_generator<at::CPUGeneratorImpl>(generator)->random64();
}

at::Tensor fused_dropout(const at::Tensor& x, double p) { return Dropout::apply(x, p); }

}  // namespace plateforge::ops
