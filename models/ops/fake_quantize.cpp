#include "models/ops/fake_quantize.h"

#include <ATen/record_function.h>
#include <torch/autograd.h>

#include <cmath>

#include "models/ops/rows.h"

namespace plateforge::ops {
namespace {

using torch::Tensor;
using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

// Adding 1.5 * 2^23 leaves no bits for a fraction: rounds to the nearest integer, ties to even, any
// float below 2^22. Ranges of 16 bits and less stay far below.
float round_to_even(float value) { return (value + 12582912.0F) - 12582912.0F; }

// The grid of one scale, in units of the scale. Handed over by value: behind a reference the
// compiler would fear that a store changes it.
struct Grid {
  float scale, low, high;  // bounds less the zero point

  float nearest(float v) const { return round_to_even(std::min(std::max(v, low), high)); }
  float lower_edge() const { return low == 0 ? 0 : low - 0.5F; }
  float upper_edge() const { return high + 0.5F; }
};

template <class T>
void quantize(const T* x, T* y, int64_t count, Grid grid) {
  for (int64_t i = 0; i < count; ++i)
    store(y[i], grid.nearest(load(x[i]) / grid.scale) * grid.scale);
}

template <class T>
void pass_gradient(const T* x, const T* dy, T* dx, int64_t count, Grid grid) {
  for (int64_t i = 0; i < count; ++i) {
    const float v = load(x[i]) / grid.scale;
    const bool inside = v > grid.lower_edge() && v <= grid.upper_edge();
    store(dx[i], inside ? load(dy[i]) : 0.0F);
  }
}

// Sixteen running sums in turn, so that the loop vectorises.
double sum_of(const float* terms, int64_t count) {
  constexpr int64_t kSums = 16;
  float sums[kSums] = {};
  int64_t i = 0;
  for (; i + kSums <= count; i += kSums)
    for (int64_t lane = 0; lane < kSums; ++lane) sums[lane] += terms[i + lane];
  for (; i < count; ++i) sums[0] += terms[i];
  double total = 0;
  for (const float sum : sums) total += sum;
  return total;
}

// The same and the sum of dy * d y / d scale. A block's terms are written first and summed then:
// in one loop the compiler leaves both scalar, at a seventh of the speed.
template <class T>
double pass_both_gradients(const T* x, const T* dy, T* dx, int64_t count, Grid grid) {
  constexpr int64_t kBlock = 1024;  // stays in the first cache; floats hold its sum well
  const float scale = grid.scale, lower = grid.lower_edge(), upper = grid.upper_edge();
  float terms[kBlock];
  double total = 0;
  for (int64_t begin = 0; begin < count; begin += kBlock) {
    const int64_t block = std::min(count - begin, kBlock);
    for (int64_t i = 0; i < block; ++i) {
      const float v = load(x[begin + i]) / scale, g = load(dy[begin + i]);
      const bool inside = (v > lower) & (v <= upper);
      terms[i] = g * (grid.nearest(v) - (inside ? v : 0.0F));
      store(dx[begin + i], inside ? g : 0.0F);
    }
    total += sum_of(terms, block);
  }
  return total;
}

std::vector<Grid> grids(const op::FakeQuantize& op, const Tensor& scale, const Tensor& zero_point) {
  const auto scales = scale.to(torch::kFloat).contiguous();
  const auto zeros = zero_point.to(torch::kFloat).contiguous();
  std::vector<Grid> all;
  for (int64_t i = 0; i < scales.numel(); ++i) {
    const float zero = zeros.const_data_ptr<float>()[i];
    all.push_back({scales.const_data_ptr<float>()[i], static_cast<float>(op.low) - zero,
                   static_cast<float>(op.high) - zero});
  }
  return all;
}

// Calls body(first element, count, grid index) for stretches of memory that share a scale: whole
// blocks of a weight's output channel, or chunks of the whole tensor.
template <class Body>
void for_stretches(int64_t elements, size_t scales, const Body& body) {
  if (scales == 1) {
    for_chunks(elements, [&](int64_t chunk, int64_t begin, int64_t end) {
      body(chunk, begin, end - begin, 0);
    });
    return;
  }
  const auto block = elements / static_cast<int64_t>(scales);
  at::parallel_for(0, static_cast<int64_t>(scales), 16, [&](int64_t first, int64_t last) {
    for (int64_t i = first; i < last; ++i) body(i, i * block, block, static_cast<size_t>(i));
  });
}

struct FakeQuantize : torch::autograd::Function<FakeQuantize> {
  static Tensor forward(AutogradContext* context, const Tensor& x, const Tensor& scale,
                        const Tensor& zero_point, const op::FakeQuantize* op) {
    RECORD_FUNCTION("plateforge::fake_quantize", std::vector<c10::IValue>());
    const auto all = grids(*op, scale, zero_point);
    auto y = torch::empty_like(x);
    with_element_type(x, [&]<class T>(T*) {
      for_stretches(x.numel(), all.size(), [&](int64_t, int64_t at, int64_t count, size_t grid) {
        quantize(input<T>(x) + at, output<T>(y) + at, count, all[grid]);
      });
    });
    context->save_for_backward({x, scale, zero_point});
    context->saved_data["low"] = op->low;
    context->saved_data["high"] = op->high;
    return y;
  }

  static variable_list backward(AutogradContext* context, const variable_list& gradients) {
    RECORD_FUNCTION("plateforge::fake_quantize_backward", std::vector<c10::IValue>());
    const auto saved = context->get_saved_variables();
    const auto &x = saved[0], &scale = saved[1];
    const op::FakeQuantize op{context->saved_data["low"].toInt(),
                              context->saved_data["high"].toInt(), -1};
    const auto all = grids(op, scale, saved[2]);
    const auto dy = gradients[0].to(x.scalar_type()).contiguous(x.suggest_memory_format());
    auto dx = torch::empty_like(x);
    if (!context->needs_input_grad(1)) {
      with_element_type(x, [&]<class T>(T*) {
        for_stretches(x.numel(), all.size(), [&](int64_t, int64_t at, int64_t count, size_t grid) {
          pass_gradient(input<T>(x) + at, input<T>(dy) + at, output<T>(dx) + at, count, all[grid]);
        });
      });
      return {dx, Tensor(), Tensor(), Tensor()};
    }
    std::vector<double> sums(std::max<size_t>(all.size(), kChunks));
    with_element_type(x, [&]<class T>(T*) {
      for_stretches(
          x.numel(), all.size(), [&](int64_t slot, int64_t at, int64_t count, size_t grid) {
            sums[static_cast<size_t>(slot)] = pass_both_gradients(
                input<T>(x) + at, input<T>(dy) + at, output<T>(dx) + at, count, all[grid]);
          });
    });
    return {dx, scale_gradient(scale, all, sums, x.numel()), Tensor(), Tensor()};
  }

  static Tensor scale_gradient(const Tensor& scale, const std::vector<Grid>& all,
                               const std::vector<double>& sums, int64_t elements) {
    auto gradient = torch::empty_like(scale, torch::MemoryFormat::Contiguous);
    auto* out = gradient.mutable_data_ptr<float>();
    const auto per_scale = static_cast<double>(elements) / static_cast<double>(all.size());
    for (size_t i = 0; i < all.size(); ++i) {
      double sum = sums[i];
      for (size_t chunk = 1; all.size() == 1 && chunk < sums.size(); ++chunk) sum += sums[chunk];
      out[i] = static_cast<float>(sum / std::sqrt(per_scale * static_cast<double>(all[i].high)));
    }
    return gradient;
  }
};

bool one_pass(const op::FakeQuantize& op, const Tensor& x, const Tensor& scale) {
  const bool dense = x.is_contiguous() || x.is_contiguous(torch::MemoryFormat::ChannelsLast);
  const bool known = x.scalar_type() == torch::kFloat || x.scalar_type() == torch::kBFloat16;
  return x.is_cpu() && known && dense && x.numel() > 0 && op.high - op.low <= 65535 &&
         (scale.numel() == 1 || (op.axis == 0 && scale.numel() == x.size(0)));
}

}  // namespace

Tensor fake_quantize(const op::FakeQuantize& op, const Tensor& x, const Tensor& scale,
                     const Tensor& zero_point) {
  if (one_pass(op, x, scale)) return FakeQuantize::apply(x, scale, zero_point, &op);
  const auto factor = [&](int64_t elements) {
    return 1.0 / std::sqrt(static_cast<double>(elements) * static_cast<double>(op.high));
  };
  if (op.axis < 0) {
    return scale.requires_grad()
               ? torch::_fake_quantize_learnable_per_tensor_affine(
                     x, scale.reshape(1), zero_point.reshape(1).to(torch::kFloat), op.low, op.high,
                     factor(x.numel()))
               : torch::fake_quantize_per_tensor_affine(x, scale, zero_point, op.low, op.high);
  }
  return scale.requires_grad() ? torch::_fake_quantize_learnable_per_channel_affine(
                                     x, scale, zero_point.to(torch::kFloat), op.axis, op.low,
                                     op.high, factor(x.numel() / scale.numel()))
                               : torch::fake_quantize_per_channel_affine(x, scale, zero_point,
                                                                         op.axis, op.low, op.high);
}

}  // namespace plateforge::ops
