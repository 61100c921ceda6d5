#include "models/graph/aten_table.h"

#include <algorithm>
#include <numeric>

#include "configs/error.h"
#include "models/graph/aten_composites.h"

namespace plateforge {
namespace {

TensorId convolution(AtenCall& call) {
  const bool has_kind_flags = call.kind() != "aten::conv2d";
  call.expect(!has_kind_flags || !call.flag("transposed"), "a transposed convolution");
  const auto x = call.tensor("input"), weight = call.tensor("weight");
  call.expect(call.shape(weight).size() == 4, "a convolution that is not two-dimensional");
  std::vector<TensorId> inputs{x, weight};
  if (call.has("bias")) inputs.push_back(call.tensor("bias"));
  return call.emit(op::Conv{call.pair("stride"), call.pair("padding"), call.pair("dilation"),
                            call.integer("groups")},
                   inputs);
}

TensorId linear(AtenCall& call) {
  std::vector<TensorId> inputs{call.tensor("input"), call.tensor("weight")};
  if (call.has("bias")) inputs.push_back(call.tensor("bias"));
  return call.emit(op::Linear{}, inputs);
}

TensorId batch_norm(AtenCall& call) {
  call.expect(!call.flag("training"), "batch statistics: the module is not in eval mode");
  const auto x = call.tensor("input"), mean = call.tensor("running_mean");
  const auto& channels = call.shape(mean);
  const auto given = [&](const char* name, double otherwise) {
    return call.has(name) ? call.tensor(name)
                          : call.graph().add_literal(name, torch::full(channels, otherwise));
  };
  const auto weight = given("weight", 1.0), bias = given("bias", 0.0);
  return call.emit(op::BatchNorm{call.number("eps")},
                   {x, weight, bias, mean, call.tensor("running_var")});
}

Shape pool_stride(const AtenCall& call) {  // an empty stride means the kernel
  return call.integers("stride").empty() ? call.pair("kernel_size") : call.pair("stride");
}

TensorId max_pool(AtenCall& call) {
  call.expect(call.pair("dilation") == Shape{1, 1}, "dilation in a pooling");
  call.expect(!call.flag("ceil_mode"), "ceil_mode in a pooling");
  return call.emit(op::MaxPool{call.pair("kernel_size"), pool_stride(call), call.pair("padding")},
                   {call.tensor("self")});
}

TensorId average_pool(AtenCall& call) {
  call.expect(!call.flag("ceil_mode"), "ceil_mode in a pooling");
  call.expect(!call.has("divisor_override"), "divisor_override in a pooling");
  return call.emit(op::AveragePool{call.pair("kernel_size"), pool_stride(call),
                                   call.pair("padding"), call.flag("count_include_pad")},
                   {call.tensor("self")});
}

// Only where the windows tile the input evenly; anything else is no pooling of one kernel.
TensorId adaptive_average_pool(AtenCall& call) {
  const auto x = call.tensor("self");
  const auto out = call.pair("output_size");
  Shape kernel;
  for (size_t i = 0; i < 2; ++i) {
    const auto extent = call.shape(x).at(call.shape(x).size() - 2 + i);
    call.expect(extent % out[i] == 0, "adaptive windows of unequal size");
    kernel.push_back(extent / out[i]);
  }
  return call.emit(op::AveragePool{kernel, kernel, {0, 0}, true}, {x});
}

// Only by whole factors; anything else is one of them and a slice.
TensorId upsample(AtenCall& call) {
  const auto x = call.tensor(call.has("self") ? "self" : "input");
  op::Upsample upsample;
  for (const size_t axis : {2, 3}) {
    const auto from = call.shape(x).at(axis), to = call.shape().at(axis);
    call.expect(to % from == 0, "up-sampling by a factor that is not whole");
    upsample.factor.push_back(to / from);
  }
  return call.emit(upsample, {x});
}

TensorId mean(AtenCall& call) {
  const auto x = call.tensor("self");
  const auto rank = static_cast<int64_t>(call.shape(x).size());
  op::Mean mean;
  if (call.has("dim") && !call.integers("dim").empty()) {
    for (const auto axis : call.integers("dim")) mean.axes.push_back(axis < 0 ? axis + rank : axis);
    std::sort(mean.axes.begin(), mean.axes.end());
  } else {
    mean.axes.resize(static_cast<size_t>(rank));
    std::iota(mean.axes.begin(), mean.axes.end(), 0);
  }
  mean.keep_axes = call.has("keepdim") && call.flag("keepdim");
  return call.emit(mean, {x});
}

TensorId slice(AtenCall& call) {
  const auto x = call.tensor("self");
  op::Slice slice;
  slice.axis = call.axis("dim", x);
  const auto extent = call.shape(x)[static_cast<size_t>(slice.axis)];
  const auto bounded = [&](const char* name, int64_t otherwise) {
    if (!call.has(name)) return otherwise;
    const auto given = call.integer(name);
    return std::clamp<int64_t>(given < 0 ? given + extent : given, 0, extent);
  };
  slice.start = bounded("start", 0);
  slice.stop = std::max(slice.start, bounded("end", extent));
  slice.step = call.integer("step");
  if (slice.start == 0 && slice.stop == extent && slice.step == 1) return x;
  return call.emit(slice, {x});
}

TensorId select(AtenCall& call) {
  const auto x = call.tensor("self");
  const auto axis = call.axis("dim", x);
  auto shape = call.shape(x);
  const auto extent = shape[static_cast<size_t>(axis)];
  const auto given = call.integer("index");
  const auto index = given < 0 ? given + extent : given;
  shape[static_cast<size_t>(axis)] = 1;
  const auto kept = call.emit(op::Slice{axis, index, index + 1, 1}, {x}, shape);
  return call.emit(op::Reshape{call.shape()}, {kept});
}

TensorId concat(AtenCall& call) {
  const auto parts = call.tensors("tensors");
  return call.emit(op::Concat{call.axis("dim", parts.at(0))}, parts);
}

// view, flatten, squeeze and their kin: the recorded result says the shape.
TensorId reshape(AtenCall& call) {
  return call.emit(op::Reshape{call.shape()}, {call.tensor("self")});
}

TensorId permute(AtenCall& call) {
  const auto x = call.tensor("self");
  const auto rank = static_cast<int64_t>(call.shape(x).size());
  op::Permute permute;
  for (const auto axis : call.integers("dims")) {
    permute.order.push_back(axis < 0 ? axis + rank : axis);
  }
  return call.emit(permute, {x});
}

TensorId swap_axes(AtenCall& call, int64_t a, int64_t b) {
  const auto x = call.tensor("self");
  op::Permute permute;
  permute.order.resize(call.shape(x).size());
  std::iota(permute.order.begin(), permute.order.end(), 0);
  std::swap(permute.order.at(static_cast<size_t>(a)), permute.order.at(static_cast<size_t>(b)));
  return call.emit(permute, {x});
}

TensorId transpose(AtenCall& call) {
  const auto x = call.tensor("self");
  return swap_axes(call, call.axis("dim0", x), call.axis("dim1", x));
}

TensorId matrix_transpose(AtenCall& call) {
  return call.shape().size() < 2 ? call.tensor("self") : swap_axes(call, 0, 1);
}

template <class T>
TensorId unary(AtenCall& call) {
  return call.emit(T{}, {call.tensor("self")});
}

template <class T>
TensorId binary(AtenCall& call) {
  call.expect(!call.has("rounding_mode"), "a rounding division");
  return call.emit(T{}, {call.operand("self"), call.operand("other")});
}

// a + alpha * b
template <class T>
TensorId scaled_binary(AtenCall& call) {
  auto other = call.operand("other");
  if (const auto alpha = call.number("alpha"); alpha != 1) {
    const auto factor = call.graph().add_literal("alpha", torch::tensor(alpha, torch::kFloat));
    const auto shape = call.shape(other);
    other = call.emit(op::Multiply{}, {other, factor}, shape);
  }
  return call.emit(T{}, {call.operand("self"), other});
}

TensorId power(AtenCall& call) {
  const auto x = call.tensor("self");
  const auto exponent = call.number("exponent");
  call.expect(exponent == 2 || exponent == 0.5, "a power other than 2 and 0.5");
  if (exponent == 2) return call.emit(op::Multiply{}, {x, x});
  return call.emit(op::Sqrt{}, {x});
}

TensorId square(AtenCall& call) {
  const auto x = call.tensor("self");
  return call.emit(op::Multiply{}, {x, x});
}

TensorId clamp(AtenCall& call) {
  const bool hard_tanh = call.kind() == "aten::hardtanh";
  const auto low = hard_tanh ? "min_val" : "min", high = hard_tanh ? "max_val" : "max";
  call.expect(call.has(low) && call.has(high), "clamping on one side only");
  return call.emit(op::Clamp{call.number(low), call.number(high)}, {call.tensor("self")});
}

TensorId relu6(AtenCall& call) { return call.emit(op::Clamp{0, 6}, {call.tensor("self")}); }

template <class T>
TensorId softmax(AtenCall& call) {
  const auto x = call.tensor("self");
  return call.emit(T{call.axis("dim", x)}, {x});
}

// The [O, I] weight whose transpose `id` is: linear() is recorded as a product with weight.t().
std::optional<TensorId> transposed_weight(const Graph& graph, TensorId id) {
  const auto* node = graph.producer(id);
  const auto* permute = node ? node->as<op::Permute>() : nullptr;
  const bool matches =
      permute && permute->order == Shape{1, 0} && graph.tensor(node->inputs[0]).is_constant();
  return matches ? std::optional(node->inputs[0]) : std::nullopt;
}

TensorId matmul(AtenCall& call) {
  const auto x = call.tensor("self");
  const auto other = call.tensor(call.kind() == "aten::matmul" ? "other" : "mat2");
  if (const auto weight = transposed_weight(call.graph(), other)) {
    return call.emit(op::Linear{}, {x, *weight});
  }
  return call.emit(op::MatMul{}, {x, other});
}

// bias + a b
TensorId product_and_bias(AtenCall& call) {
  call.expect(call.number("alpha") == 1 && call.number("beta") == 1, "a scaled product");
  const auto bias = call.tensor("self"), a = call.tensor("mat1"), b = call.tensor("mat2");
  const auto weight = transposed_weight(call.graph(), b);
  if (weight && call.shape(bias).size() == 1) return call.emit(op::Linear{}, {a, *weight, bias});
  return call.emit(op::Add{}, {call.emit(op::MatMul{}, {a, b}), bias});
}

// Dropout at rest, copies and layout changes: the value stays.
TensorId identity(AtenCall& call) {
  call.expect(!call.has("train") || !call.flag("train"), "an active dropout");
  return call.emit(op::Identity{}, {call.tensor(call.has("self") ? "self" : "input")});
}

TensorId to(AtenCall& call) {
  const auto type = call.has("dtype") ? call.integer("dtype") : static_cast<int64_t>(torch::kFloat);
  call.expect(type == static_cast<int64_t>(torch::kFloat),
              "a conversion to another type than float");
  return call.emit(op::Identity{}, {call.tensor("self")});
}

}  // namespace

bool AtenCall::has(const std::string& name) const {
  const auto found = arguments_.find(name);
  if (found == arguments_.end()) return false;
  const auto& argument = found->second;
  return argument.tensor || !argument.tensors.empty() || !argument.constant.isNone();
}

TensorId AtenCall::tensor(const std::string& name) const {
  const auto& found = argument(name).tensor;
  expect(found.has_value(), "argument " + name + " is not a tensor");
  return *found;
}

std::vector<TensorId> AtenCall::tensors(const std::string& name) const {
  expect(!argument(name).tensors.empty(), "argument " + name + " is not a list of tensors");
  return argument(name).tensors;
}

TensorId AtenCall::operand(const std::string& name) {
  if (argument(name).tensor) return *argument(name).tensor;
  return graph_.add_literal("literal", torch::tensor(number(name), torch::kFloat));
}

double AtenCall::number(const std::string& name) const {
  return argument(name).constant.toScalar().toDouble();
}

Shape AtenCall::pair(const std::string& name) const {
  const auto& constant = argument(name).constant;
  expect(constant.isList(), "argument " + name + " is not a list of numbers");
  const auto values = constant.toIntVector();
  expect(values.size() == 1 || values.size() == 2,
         "argument " + name + " is not one or two numbers");
  return values.size() == 1 ? Shape{values[0], values[0]} : values;
}

int64_t AtenCall::axis(const std::string& name, TensorId of) const {
  const auto given = integer(name);
  return given < 0 ? given + static_cast<int64_t>(shape(of).size()) : given;
}

TensorId AtenCall::emit(Op op, std::vector<TensorId> inputs) {
  return emit(std::move(op), std::move(inputs), shape_);
}

TensorId AtenCall::emit(Op op, std::vector<TensorId> inputs, Shape shape) {
  std::string name = std::visit([](const auto& o) { return o.kName; }, op);
  for (size_t i = 1; i < inputs.size(); ++i) {
    const auto& parameter = graph_.tensor(inputs[i]);
    const auto dot = parameter.name.rfind('.');
    if (parameter.origin != Origin::parameter || dot == std::string::npos) continue;
    name = parameter.name.substr(0, dot);
    break;
  }
  return graph_.add_node(std::move(op), name, std::move(inputs), std::move(shape));
}

void AtenCall::expect(bool holds, const std::string& reason) const {
  require(holds, "cannot trace ", kind_, ": ", reason);
}

const std::map<std::string, AtenHandler>& aten_table() {
  static const std::map<std::string, AtenHandler> table = {
      {"aten::_convolution", convolution},
      {"aten::_unsafe_view", reshape},
      {"aten::adaptive_avg_pool2d", adaptive_average_pool},
      {"aten::add", scaled_binary<op::Add>},
      {"aten::addmm", product_and_bias},
      {"aten::alias", identity},
      {"aten::avg_pool2d", average_pool},
      {"aten::batch_norm", batch_norm},
      {"aten::bmm", matmul},
      {"aten::cat", concat},
      {"aten::clamp", clamp},
      {"aten::clone", identity},
      {"aten::contiguous", identity},
      {"aten::conv2d", convolution},
      {"aten::detach", identity},
      {"aten::div", binary<op::Divide>},
      {"aten::dropout", identity},
      {"aten::feature_dropout", identity},
      {"aten::erf", unary<op::Erf>},
      {"aten::flatten", reshape},
      {"aten::gelu", gelu},
      {"aten::group_norm", group_norm},
      {"aten::hardswish", hard_swish},
      {"aten::hardtanh", clamp},
      {"aten::layer_norm", layer_norm},
      {"aten::linear", linear},
      {"aten::log_softmax", softmax<op::LogSoftmax>},
      {"aten::matmul", matmul},
      {"aten::max_pool2d", max_pool},
      {"aten::mean", mean},
      {"aten::mm", matmul},
      {"aten::mul", binary<op::Multiply>},
      {"aten::permute", permute},
      {"aten::pow", power},
      {"aten::relu", unary<op::Relu>},
      {"aten::relu6", relu6},
      {"aten::reshape", reshape},
      {"aten::select", select},
      {"aten::sigmoid", unary<op::Sigmoid>},
      {"aten::silu", silu},
      {"aten::slice", slice},
      {"aten::softmax", softmax<op::Softmax>},
      {"aten::sqrt", unary<op::Sqrt>},
      {"aten::square", square},
      {"aten::squeeze", reshape},
      {"aten::sub", scaled_binary<op::Subtract>},
      {"aten::t", matrix_transpose},
      {"aten::tanh", unary<op::Tanh>},
      {"aten::to", to},
      {"aten::transpose", transpose},
      {"aten::unsqueeze", reshape},
      {"aten::upsample_nearest2d", upsample},
      {"aten::view", reshape},
  };
  return table;
}

}  // namespace plateforge
