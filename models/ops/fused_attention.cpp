#include "models/ops/fused_attention.h"

#include <ATen/record_function.h>
#include <torch/autograd.h>
#include <torch/types.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <cstring>
#include <memory>

#include "models/ops/hash_bits.h"
#include "models/ops/rows.h"

namespace plateforge::ops {
namespace {

using torch::Tensor;
using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

// N plates, S queries, T keys, W channels of a head.

constexpr int64_t kLongest = 64, kWidest = 128;
constexpr int64_t kLanes = 32;     // columns of a product whose sums stay in registers,
constexpr int64_t kBlockRows = 4;  // and rows

constexpr int64_t rounded_up(int64_t size, int64_t to) { return (size + to - 1) / to * to; }
constexpr int64_t padded(int64_t size) { return rounded_up(size, kLanes); }

// A matrix in the first cache. Rows and columns behind the used ones, up to a multiple of
// kBlockRows and kLanes, may be read and written.
template <int64_t Rows, int64_t Stride>
struct Buffer {
  alignas(64) std::array<float, static_cast<size_t>(Rows* Stride)> values{};
  static constexpr int64_t stride = Stride;
  float* row(int64_t i) { return values.data() + i * Stride; }
  const float* row(int64_t i) const { return values.data() + i * Stride; }
};
using Matrix = Buffer<kLongest, kWidest>;
using Turned = Buffer<kWidest, kLongest>;

// Where element (row, inner) of a product's left side lies.
struct Left {
  const float* data;
  int64_t row, inner;
};
Left plain(const Matrix& m) { return {m.row(0), Matrix::stride, 1}; }
Left transposed(const Matrix& m) { return {m.row(0), 1, Matrix::stride}; }

// out [rows, columns] = a [rows, inner] b [inner, columns]; rows and columns are rounded up.
template <class Right>
void product(const Left& a, const Right& b, int64_t rows, int64_t inner, int64_t columns,
             Matrix& out) {
  for (int64_t row = 0; row < rows; row += kBlockRows)
    for (int64_t column = 0; column < columns; column += kLanes) {
      float sums[kBlockRows][kLanes] = {};
      for (int64_t k = 0; k < inner; ++k) {
        const float* const left = a.data + row * a.row + k * a.inner;
        const float* const right = b.row(k) + column;
        for (int64_t r = 0; r < kBlockRows; ++r)
          for (int64_t lane = 0; lane < kLanes; ++lane)
            sums[r][lane] += left[r * a.row] * right[lane];
      }
      for (int64_t r = 0; r < kBlockRows; ++r)
        std::copy_n(sums[r], kLanes, out.row(row + r) + column);
    }
}

// e^x for x <= 0, within 2 units in the last place: 2^n times a polynomial on [-ln 2 / 2, ln 2 /
// 2]. Plain arithmetic, so that the compiler vectorises it.
inline float exp_of(float x) {
  constexpr float kLog2E = 1.44269504F, kLn2High = 0.693359375F, kLn2Low = -2.12194440e-4F;
  x = std::max(x, -87.F);
  const float n = std::floor(x * kLog2E + 0.5F);
  const float r = (x - n * kLn2High) - n * kLn2Low;
  float p = 1.9875691500e-4F;
  p = p * r + 1.3981999507e-3F;
  p = p * r + 8.3334519073e-3F;
  p = p * r + 4.1665795894e-2F;
  p = p * r + 1.6666665459e-1F;
  p = p * r + 5.0000001201e-1F;
  p = p * r * r + r + 1;
  return p * std::bit_cast<float>((static_cast<int32_t>(n) + 127) << 23);
}

// Rows of a head in a tensor [N, length, stride].
template <class T>
struct HeadRows {
  T* data;
  int64_t stride;
  T* row(int64_t i) const { return data + i * stride; }
};

template <class T>
void load_rows(const HeadRows<const T>& from, int64_t length, int64_t width, Matrix& to) {
  for (int64_t i = 0; i < length; ++i) {
    for (int64_t w = 0; w < width; ++w) to.row(i)[w] = load(from.row(i)[w]);
    for (int64_t w = width; w < padded(width); ++w) to.row(i)[w] = 0;
  }
}

template <class T>
void load_turned(const HeadRows<const T>& from, int64_t length, int64_t width, Turned& to) {
  for (int64_t w = 0; w < width; ++w) {
    for (int64_t i = 0; i < length; ++i) to.row(w)[i] = load(from.row(i)[w]);
    for (int64_t i = length; i < padded(length); ++i) to.row(w)[i] = 0;
  }
}

template <class T>
void store_rows(const Matrix& from, int64_t length, int64_t width, float factor,
                const HeadRows<T>& to) {
  for (int64_t i = 0; i < length; ++i)
    for (int64_t w = 0; w < width; ++w) store(to.row(i)[w], factor * from.row(i)[w]);
}

struct Sizes {
  int64_t plates, queries, keys, heads, width;
  int64_t channels() const { return heads * width; }
  float scale() const { return 1 / std::sqrt(static_cast<float>(width)); }
};

// Softmax of each row's first `length` values; zeros behind them.
void softmax_rows(Matrix& scores, int64_t rows, int64_t length, float scale) {
  for (int64_t s = 0; s < rows; ++s) {
    float* const row = scores.row(s);
    float top = row[0], sum = 0;
    for (int64_t t = 1; t < length; ++t) top = std::max(top, row[t]);
    for (int64_t t = 0; t < length; ++t) row[t] = exp_of(scale * (row[t] - top));
    for (int64_t t = 0; t < length; ++t) sum += row[t];
    const float share = 1 / sum;
    for (int64_t t = 0; t < length; ++t) row[t] *= share;
    std::fill(row + length, row + padded(length), 0.F);
  }
}

// Factors of the dropped weights of one plate and head: 0, or the scale.
void drop_factors(const DropRule& rule, uint64_t seed, int64_t item, int64_t rows, int64_t length,
                  Matrix& factors) {
  const auto quads = (length + 3) / 4;
  for (int64_t s = 0; s < rows; ++s) {
    std::array<uint64_t, kLongest / 4> bits;
    std::array<uint16_t, kLongest> numbers;
    const auto first = static_cast<uint64_t>((item * rows + s) * quads);
    for (int64_t q = 0; q < quads; ++q)
      bits[static_cast<size_t>(q)] = hash_bits(seed, first + static_cast<uint64_t>(q));
    std::memcpy(numbers.data(), bits.data(), sizeof(numbers));
    rule.factors(numbers.data(), 4 * quads, factors.row(s));
  }
}

void multiply(const Matrix& a, const Matrix& b, int64_t rows, int64_t length, Matrix& out) {
  for (int64_t s = 0; s < rows; ++s)
    for (int64_t t = 0; t < length; ++t) out.row(s)[t] = a.row(s)[t] * b.row(s)[t];
}

// One plate's and head's rows of a tensor [plates, queries, channels].
template <class T>
HeadRows<T> result_rows(T* result, const Sizes& size, int64_t item) {
  const auto plate = item / size.heads, offset = item % size.heads * size.width;
  return {result + plate * size.queries * size.channels() + offset, size.channels()};
}

// The pieces of one plate and head in the tensors of a call. Without a `query` of its own, the
// memory holds queries, keys and values side by side, else keys and values.
template <class T>
struct Views {
  HeadRows<T> query, key, value;
};

template <class T>
Views<T> views(T* query, T* memory, const Sizes& size, int64_t item) {
  const auto plate = item / size.heads, offset = item % size.heads * size.width;
  const auto stride = (query ? 2 : 3) * size.channels();
  T* const own = memory + plate * size.keys * stride + offset;
  T* const keys = query ? own : own + size.channels();
  return {query ? result_rows(query, size, item) : HeadRows<T>{own, stride},
          {keys, stride},
          {keys + size.channels(), stride}};
}

Sizes sizes_of(const Tensor& query, const Tensor& memory, int64_t heads) {
  const bool packed = !query.defined();
  const auto channels = memory.size(2) / (packed ? 3 : 2);
  return {memory.size(0), packed ? memory.size(1) : query.size(1), memory.size(1), heads,
          channels / heads};
}

struct Buffers {
  Matrix rows, scores, flow, factors, out_rows, sums;
  Turned turned;
};

// One set for each thread, so that nothing has to be cleared.
Buffers& buffers() {
  static thread_local const auto own = std::make_unique<Buffers>();
  return *own;
}

// Calls work(item, buffers) for every head of every plate, on all threads.
template <class Work>
void for_heads(const Sizes& size, const Work& work) {
  for_chunks(size.plates * size.heads, [&](int64_t, int64_t begin, int64_t end) {
    auto& own = buffers();
    for (int64_t item = begin; item < end; ++item) work(item, own);
  });
}

void forward_kernel(const Tensor& query, const Tensor& memory, const Sizes& size, uint64_t seed,
                    const DropRule& rule, Tensor& weights, Tensor& result) {
  with_element_type(memory, [&]<class T>(T*) {
    for_heads(size, [&](int64_t item, Buffers& own) {
      auto& [rows, scores, flow, factors, out_rows, sums, turned] = own;
      const auto in =
          views<const T>(query.defined() ? input<T>(query) : nullptr, input<T>(memory), size, item);
      load_rows(in.query, size.queries, size.width, rows);
      load_turned(in.key, size.keys, size.width, turned);
      product(plain(rows), turned, size.queries, size.width, size.keys, scores);
      softmax_rows(scores, size.queries, size.keys, size.scale());
      float* const kept = weights.data_ptr<float>() + item * size.queries * size.keys;
      for (int64_t s = 0; s < size.queries; ++s)
        std::copy_n(scores.row(s), size.keys, kept + s * size.keys);
      if (rule.threshold > 0) {
        drop_factors(rule, seed, item, size.queries, size.keys, factors);
        multiply(scores, factors, size.queries, size.keys, scores);
      }
      load_rows(in.value, size.keys, size.width, rows);
      product(plain(scores), rows, size.queries, size.keys, size.width, flow);
      store_rows(flow, size.queries, size.width, 1, result_rows(output<T>(result), size, item));
    });
  });
}

void backward_kernel(const Tensor& query, const Tensor& memory, const Sizes& size, uint64_t seed,
                     const DropRule& rule, const Tensor& weights, const Tensor& gradient,
                     Tensor query_gradient, Tensor memory_gradient) {
  with_element_type(memory, [&]<class T>(T*) {
    const bool apart = query.defined();
    for_heads(size, [&](int64_t item, Buffers& own) {
      auto& [rows, scores, flow, factors, out_rows, sums, turned] = own;
      const auto in =
          views<const T>(apart ? input<T>(query) : nullptr, input<T>(memory), size, item);
      const auto out = views<T>(apart ? output<T>(query_gradient) : nullptr,
                                output<T>(memory_gradient), size, item);
      load_rows(result_rows(input<T>(gradient), size, item), size.queries, size.width, out_rows);
      const float* const kept = weights.const_data_ptr<float>() + item * size.queries * size.keys;
      for (int64_t s = 0; s < size.queries; ++s) {
        std::copy_n(kept + s * size.keys, size.keys, scores.row(s));
        std::fill(scores.row(s) + size.keys, scores.row(s) + padded(size.keys), 0.F);
      }
      const bool dropped = rule.threshold > 0;
      if (dropped) drop_factors(rule, seed, item, size.queries, size.keys, factors);

      // of the values: dropped weights^T times the result's gradient
      if (dropped) multiply(scores, factors, size.queries, size.keys, flow);
      product(transposed(dropped ? flow : scores), out_rows, size.keys, size.queries, size.width,
              sums);
      store_rows(sums, size.keys, size.width, 1, out.value);

      // of the scores
      load_turned(in.value, size.keys, size.width, turned);
      product(plain(out_rows), turned, size.queries, size.width, size.keys, flow);
      if (dropped) multiply(flow, factors, size.queries, size.keys, flow);
      for (int64_t s = 0; s < size.queries; ++s) {
        float sum = 0;
        for (int64_t t = 0; t < size.keys; ++t) sum += flow.row(s)[t] * scores.row(s)[t];
        for (int64_t t = 0; t < size.keys; ++t)
          flow.row(s)[t] = scores.row(s)[t] * (flow.row(s)[t] - sum);
      }

      load_rows(in.key, size.keys, size.width, rows);
      product(plain(flow), rows, size.queries, size.keys, size.width, sums);
      store_rows(sums, size.queries, size.width, size.scale(), out.query);
      load_rows(in.query, size.queries, size.width, rows);
      product(transposed(flow), rows, size.keys, size.queries, size.width, sums);
      store_rows(sums, size.keys, size.width, size.scale(), out.key);
    });
  });
}

Tensor run_forward(AutogradContext* context, const Tensor& query, const Tensor& memory,
                   int64_t heads, double dropout) {
  RECORD_FUNCTION("plateforge::attention", std::vector<c10::IValue>());
  const auto size = sizes_of(query, memory, heads);
  const DropRule rule(dropout);
  const auto seed = rule.threshold > 0 ? draw_seed() : 0;
  auto weights = torch::empty({size.plates * heads, size.queries, size.keys},
                              memory.options().dtype(torch::kFloat));
  auto result = torch::empty({size.plates, size.queries, size.channels()}, memory.options());
  forward_kernel(query, memory, size, seed, rule, weights, result);
  context->save_for_backward({query, memory, weights});
  context->saved_data["heads"] = heads;
  context->saved_data["dropout"] = dropout;
  context->saved_data["seed"] = static_cast<int64_t>(seed);
  return result;
}

// Gradients of the query, undefined where it is part of the memory, and of the memory.
std::pair<Tensor, Tensor> run_backward(AutogradContext* context, const Tensor& gradient) {
  const auto saved = context->get_saved_variables();
  const auto& query = saved[0];
  const auto& memory = saved[1];
  const auto of_memory = torch::empty_like(memory);
  const auto of_query = query.defined() ? torch::empty_like(query) : Tensor();
  backward_kernel(query, memory, sizes_of(query, memory, context->saved_data["heads"].toInt()),
                  static_cast<uint64_t>(context->saved_data["seed"].toInt()),
                  DropRule(context->saved_data["dropout"].toDouble()), saved[2],
                  gradient.to(memory.scalar_type()).contiguous(), of_query, of_memory);
  return {of_query, of_memory};
}

struct SelfAttention : torch::autograd::Function<SelfAttention> {
  static Tensor forward(AutogradContext* context, const Tensor& tokens, int64_t heads,
                        double dropout) {
    return run_forward(context, {}, tokens, heads, dropout);
  }
  static variable_list backward(AutogradContext* context, const variable_list& gradients) {
    return {run_backward(context, gradients[0]).second, Tensor(), Tensor()};
  }
};

struct CrossAttention : torch::autograd::Function<CrossAttention> {
  static Tensor forward(AutogradContext* context, const Tensor& query, const Tensor& memory,
                        int64_t heads, double dropout) {
    return run_forward(context, query, memory, heads, dropout);
  }
  static variable_list backward(AutogradContext* context, const variable_list& gradients) {
    const auto [query, memory] = run_backward(context, gradients[0]);
    return {query, memory, Tensor(), Tensor()};
  }
};

}  // namespace

bool fits_attention(int64_t queries, int64_t keys, int64_t width) {
  return queries <= kLongest && keys <= kLongest && width <= kWidest;
}

at::Tensor fused_self_attention(const at::Tensor& tokens, int64_t heads, double dropout) {
  return SelfAttention::apply(tokens.contiguous(), heads, dropout);
}

at::Tensor fused_cross_attention(const at::Tensor& query, const at::Tensor& memory, int64_t heads,
                                 double dropout) {
  return CrossAttention::apply(query.contiguous(), memory.contiguous(), heads, dropout);
}

}  // namespace plateforge::ops
