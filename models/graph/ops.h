#pragma once

#include <cstdint>
#include <variant>
#include <vector>

namespace plateforge {

// Extents of a tensor. -1 stands for the batch when it is left open.
using Shape = std::vector<int64_t>;

// The operations of a graph: a struct per operation, its attributes as members, each listed once in
// `visit`. They mean what the LibTorch function of that name means on float tensors. Images are
// [N, C, H, W]; spatial attributes are {height, width}. The inputs are listed at each struct.
namespace op {

struct Conv {  // x, weight [O, I/groups, kH, kW], optional bias [O]
  static constexpr const char* kName = "conv";
  Shape stride, padding, dilation;
  int64_t groups = 1;
  template <class V>
  void visit(V&& v) {
    v("stride", stride), v("padding", padding), v("dilation", dilation), v("groups", groups);
  }
};

struct Linear {  // x [..., I], weight [O, I], optional bias [O]
  static constexpr const char* kName = "linear";
  template <class V>
  void visit(V&&) {}
};

struct MatMul {  // a [..., M, K], b [..., K, N]
  static constexpr const char* kName = "matmul";
  template <class V>
  void visit(V&&) {}
};

struct BatchNorm {  // x, weight, bias, running mean, running variance, each [C]
  static constexpr const char* kName = "batch_norm";
  double epsilon = 1e-5;
  template <class V>
  void visit(V&& v) {
    v("epsilon", epsilon);
  }
};

struct MaxPool {  // x; the padding never wins
  static constexpr const char* kName = "max_pool";
  Shape kernel, stride, padding;
  template <class V>
  void visit(V&& v) {
    v("kernel", kernel), v("stride", stride), v("padding", padding);
  }
};

struct AveragePool {  // x
  static constexpr const char* kName = "avg_pool";
  Shape kernel, stride, padding;
  bool count_padding = true;
  template <class V>
  void visit(V&& v) {
    v("kernel", kernel), v("stride", stride), v("padding", padding);
    v("count_padding", count_padding);
  }
};

struct Upsample {  // x [N, C, H, W]; every value becomes factor[0] rows of factor[1]
  static constexpr const char* kName = "upsample";
  Shape factor;
  template <class V>
  void visit(V&& v) {
    v("factor", factor);
  }
};

struct Mean {  // x
  static constexpr const char* kName = "mean";
  Shape axes;  // ascending, never negative
  bool keep_axes = false;
  template <class V>
  void visit(V&& v) {
    v("axes", axes), v("keep_axes", keep_axes);
  }
};

struct Slice {  // x; elements start, start + step, ... below stop, 0 <= start <= stop <= extent
  static constexpr const char* kName = "slice";
  int64_t axis = 0, start = 0, stop = 0, step = 1;
  template <class V>
  void visit(V&& v) {
    v("axis", axis), v("start", start), v("stop", stop), v("step", step);
  }
};

struct Concat {  // two or more
  static constexpr const char* kName = "concat";
  int64_t axis = 0;
  template <class V>
  void visit(V&& v) {
    v("axis", axis);
  }
};

struct Reshape {  // x
  static constexpr const char* kName = "reshape";
  Shape shape;
  template <class V>
  void visit(V&& v) {
    v("shape", shape);
  }
};

struct Permute {  // x
  static constexpr const char* kName = "permute";
  Shape order;
  template <class V>
  void visit(V&& v) {
    v("order", order);
  }
};

struct Clamp {  // x
  static constexpr const char* kName = "clamp";
  double low = 0, high = 0;
  template <class V>
  void visit(V&& v) {
    v("low", low), v("high", high);
  }
};

struct Softmax {  // x
  static constexpr const char* kName = "softmax";
  int64_t axis = 0;
  template <class V>
  void visit(V&& v) {
    v("axis", axis);
  }
};

struct LogSoftmax {  // x
  static constexpr const char* kName = "log_softmax";
  int64_t axis = 0;
  template <class V>
  void visit(V&& v) {
    v("axis", axis);
  }
};

// x, scale, zero point -> (clamp(round(x / scale) + zero point, low, high) - zero point) * scale,
// ties to even: what a tensor becomes that is stored as integers low..high. Scale (float) and zero
// point (int32) are [] for the whole tensor or [extent of axis], one per channel. The gradient
// passes where nothing was clamped.
struct FakeQuantize {
  static constexpr const char* kName = "fake_quantize";
  int64_t low = 0, high = 255;
  int64_t axis = -1;  // -1 = one scale for all
  template <class V>
  void visit(V&& v) {
    v("low", low), v("high", high), v("axis", axis);
  }
};

// x -> the same in 0..255 with the scale and zero point of each run's own range: ONNX's
// DynamicQuantizeLinear.
struct DynamicFakeQuantize {
  static constexpr const char* kName = "dynamic_fake_quantize";
  template <class V>
  void visit(V&&) {}
};

// Without attributes: one input, or two that broadcast. Identity is also a dropout at rest.
#define PLATEFORGE_PLAIN_OP(type, name)        \
  struct type {                                \
    static constexpr const char* kName = name; \
    template <class V>                         \
    void visit(V&&) {}                         \
  };
PLATEFORGE_PLAIN_OP(Identity, "identity")
PLATEFORGE_PLAIN_OP(Relu, "relu")
PLATEFORGE_PLAIN_OP(Sigmoid, "sigmoid")
PLATEFORGE_PLAIN_OP(Tanh, "tanh")
PLATEFORGE_PLAIN_OP(Erf, "erf")
PLATEFORGE_PLAIN_OP(Sqrt, "sqrt")
PLATEFORGE_PLAIN_OP(Add, "add")
PLATEFORGE_PLAIN_OP(Subtract, "sub")
PLATEFORGE_PLAIN_OP(Multiply, "mul")
PLATEFORGE_PLAIN_OP(Divide, "div")
#undef PLATEFORGE_PLAIN_OP

}  // namespace op

// Everything that handles operations is a std::visit over this, so a new one is a compile error
// wherever it was forgotten.
using Op = std::variant<op::Conv, op::Linear, op::MatMul, op::BatchNorm, op::MaxPool,
                        op::AveragePool, op::Upsample, op::Mean, op::Slice, op::Concat, op::Reshape,
                        op::Permute, op::Clamp, op::Softmax, op::LogSoftmax, op::Identity, op::Relu,
                        op::Sigmoid, op::Tanh, op::Erf, op::Sqrt, op::Add, op::Subtract,
                        op::Multiply, op::Divide, op::FakeQuantize, op::DynamicFakeQuantize>;

// Lambdas as one visitor.
template <class... Lambdas>
struct Overloaded : Lambdas... {
  using Lambdas::operator()...;
};
template <class... Lambdas>
Overloaded(Lambdas...) -> Overloaded<Lambdas...>;

}  // namespace plateforge
