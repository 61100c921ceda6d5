#include "export/interpreter.h"

#include <torch/utils.h>

#include <functional>
#include <limits>
#include <map>
#include <vector>

#include "configs/error.h"
#include "export/onnx_fields.h"
#include "models/graph/graph.h"

namespace plateforge {
namespace {

using torch::Tensor;

// What a node computes: mostly one tensor.
struct Results : std::vector<Tensor> {
  Results(Tensor only) : vector{std::move(only)} {}
  Results(std::initializer_list<Tensor> all) : vector(all) {}
};

// One node at work: its inputs and typed access to its attributes.
class Call {
 public:
  Call(const OnnxNode& node, std::vector<Tensor> inputs)
      : node_(node), inputs_(std::move(inputs)) {}

  const Tensor& operator[](size_t index) const {
    require(has(index), "input ", index, " is missing");
    return inputs_[index];
  }
  bool has(size_t index) const { return index < inputs_.size() && inputs_[index].defined(); }
  Tensor optional(size_t index) const { return has(index) ? inputs_[index] : Tensor(); }
  const std::vector<Tensor>& inputs() const { return inputs_; }
  std::vector<int64_t> integers(size_t index) const {  // of a constant input
    const auto values = (*this)[index].to(torch::kLong).contiguous();
    return {values.data_ptr<int64_t>(), values.data_ptr<int64_t>() + values.numel()};
  }

  template <class T>
  T get(const std::string& name, T otherwise) const {
    const auto found = node_.attributes.find(name);
    if (found == node_.attributes.end()) return otherwise;
    const auto* value = std::get_if<T>(&found->second);
    require(value != nullptr, "attribute ", name, " has the wrong type");
    return *value;
  }
  std::vector<int64_t> list(const std::string& name, std::vector<int64_t> otherwise) const {
    return get<std::vector<int64_t>>(name, std::move(otherwise));
  }

 private:
  const OnnxNode& node_;
  std::vector<Tensor> inputs_;
};

// Begin pads then end pads, {top, left, bottom, right}; torch::pad wants the last axis first.
Tensor padded(const Tensor& x, const Call& call, double fill) {
  const auto pads = call.list("pads", {0, 0, 0, 0});
  require(pads.size() == 4, "pads must be four numbers");
  if (pads == std::vector<int64_t>{0, 0, 0, 0}) return x;
  return torch::constant_pad_nd(x, {pads[1], pads[3], pads[0], pads[2]}, fill);
}

Tensor convolve(const Call& call, const Tensor& padded_x, const Tensor& weight,
                const Tensor& bias) {
  return torch::conv2d(padded_x, weight, bias, call.list("strides", {1, 1}),
                       std::vector<int64_t>{0, 0}, call.list("dilations", {1, 1}),
                       call.get<int64_t>("group", 1));
}

Tensor conv(const Call& call) {
  return convolve(call, padded(call[0], call, 0), call[1], call.optional(2));
}

Tensor gemm(const Call& call) {
  const auto a = call.get<int64_t>("transA", 0) ? call[0].t() : call[0];
  const auto b = call.get<int64_t>("transB", 0) ? call[1].t() : call[1];
  const auto product = torch::matmul(a, b) * call.get<float>("alpha", 1);
  return call.has(2) ? product + call[2] * call.get<float>("beta", 1) : product;
}

Tensor batch_normalization(const Call& call) {
  return torch::batch_norm(call[0], call[1], call[2], call[3], call[4], /*training=*/false, 0,
                           call.get<float>("epsilon", 1e-5F), false);
}

Tensor layer_normalization(const Call& call) {
  require(call.get<int64_t>("axis", -1) == -1, "only the last axis is known");
  return torch::layer_norm(call[0], {call[0].size(-1)}, call[1], call.optional(2),
                           call.get<float>("epsilon", 1e-5F));
}

Tensor max_pool(const Call& call) {
  return torch::max_pool2d(padded(call[0], call, -std::numeric_limits<double>::infinity()),
                           call.list("kernel_shape", {}), call.list("strides", {1, 1}));
}

Tensor average_pool(const Call& call) {
  const auto pool = [&](const Tensor& x) {
    return torch::avg_pool2d(x, call.list("kernel_shape", {}), call.list("strides", {1, 1}));
  };
  const auto mean = pool(padded(call[0], call, 0));
  if (call.get<int64_t>("count_include_pad", 0)) return mean;
  return mean / pool(padded(torch::ones_like(call[0]), call, 0));
}

// Nearest by whole factors, each value where its block begins.
Tensor resize(const Call& call) {
  const auto expect = [&](const char* name, const std::string& value, const char* otherwise) {
    const auto given = call.get<std::string>(name, otherwise);
    require(given == value, name, " '", given, "' is not known; known: ", value);
  };
  expect("mode", "nearest", "nearest");
  expect("coordinate_transformation_mode", "asymmetric", "half_pixel");
  expect("nearest_mode", "floor", "round_prefer_floor");
  const auto scales = call.integers(2);
  require(call[2].eq(call[2].round()).all().item<bool>() && scales.size() == 4 && scales[0] == 1 &&
              scales[1] == 1,
          "only whole scales of the last two of four axes are known");
  const Shape extents{call[0].size(2) * scales[2], call[0].size(3) * scales[3]};
  return torch::upsample_nearest2d(call[0], extents);
}

Tensor reduce_mean(const Call& call) {  // axes are an attribute below opset 18
  const auto axes = call.has(1) ? call.integers(1) : call.list("axes", {});
  return call[0].mean(axes, call.get<int64_t>("keepdims", 1) != 0);
}

Tensor slice(const Call& call) {
  const auto starts = call.integers(1), ends = call.integers(2), axes = call.integers(3);
  const auto steps = call.has(4) ? call.integers(4) : std::vector<int64_t>(starts.size(), 1);
  require(
      ends.size() == starts.size() && axes.size() == starts.size() && steps.size() == starts.size(),
      "starts, ends, axes and steps differ in length");
  auto x = call[0];
  for (size_t i = 0; i < starts.size(); ++i) {
    x = x.slice(axes[i], starts[i], ends[i], steps[i]);
  }
  return x;
}

Tensor reshape(const Call& call) {
  auto shape = call.integers(1);
  for (size_t i = 0; i < shape.size(); ++i) {  // 0 copies the input's extent
    if (shape[i] == 0) shape[i] = call[0].size(static_cast<int64_t>(i));
  }
  return call[0].reshape(shape);
}

Tensor transpose(const Call& call) { return call[0].permute(call.list("perm", {})); }

Tensor clip(const Call& call) {
  auto x = call[0];
  if (call.has(1)) x = torch::maximum(x, call[1]);
  if (call.has(2)) x = torch::minimum(x, call[2]);
  return x;
}

// A scale or zero point along the axis that it belongs to.
Tensor along_axis(const Tensor& values, const Call& call) {
  if (values.dim() == 0 || values.numel() == 1) return values.reshape({});
  Shape shape(static_cast<size_t>(call[0].dim()), 1);
  const auto axis = call.get<int64_t>("axis", 1);
  require(axis >= 0 && axis < call[0].dim() && call[0].size(axis) == values.size(0), "a scale of ",
          values.numel(), " values does not fit axis ", axis, " of ",
          shape_text(call[0].sizes().vec()));
  shape[static_cast<size_t>(axis)] = -1;
  return values.reshape(shape);
}

Tensor quantize_linear(const Call& call) {  // round() takes ties to even
  const auto type = call.has(2) ? call[2].scalar_type() : torch::kByte;
  const auto limits = onnx::integer_limits(type);
  require(limits.has_value(), "values cannot be quantised to ", c10::toString(type));
  const auto zero = call.has(2) ? along_axis(call[2], call).to(torch::kFloat) : torch::zeros({});
  return ((call[0] / along_axis(call[1], call)).round() + zero)
      .clamp(limits->first, limits->second)
      .to(type);
}

Tensor dequantize_linear(const Call& call) {
  auto steps = call[0].to(torch::kInt);
  if (call.has(2)) steps = steps - along_axis(call[2].to(torch::kInt), call);
  return steps.to(torch::kFloat) * along_axis(call[1], call);
}

Results dynamic_quantize_linear(const Call& call) {
  const auto low = call[0].min().clamp_max(0), high = call[0].max().clamp_min(0);
  const auto range = high - low;
  const auto scale = torch::where(range == 0, torch::ones_like(range), range / 255);
  const auto zero = (-low / scale).round().clamp(0, 255);
  const auto steps = ((call[0] / scale).round() + zero).clamp(0, 255);
  return {steps.to(torch::kByte), scale, zero.to(torch::kByte)};
}

// Integers of input `index` less their zero point, in double: sums of products stay exact.
Tensor centred(const Call& call, size_t index, size_t zero_point) {
  const auto steps = call[index].to(torch::kDouble);
  if (!call.has(zero_point)) return steps;
  require(call[zero_point].numel() == 1, "only one zero point for all is known");
  return steps - call[zero_point].to(torch::kDouble).reshape({});
}

Tensor conv_integer(const Call& call) {
  const auto x = padded(centred(call, 0, 2), call, 0);
  return convolve(call, x, centred(call, 1, 3), {}).to(torch::kInt);
}

Tensor matmul_integer(const Call& call) {
  return torch::matmul(centred(call, 0, 2), centred(call, 1, 3)).to(torch::kInt);
}

Tensor cast(const Call& call) {
  const auto type = onnx::scalar_type(static_cast<int32_t>(call.get<int64_t>("to", 0)));
  require(type.has_value(), "cast to the unknown type code ", call.get<int64_t>("to", 0));
  return call[0].to(*type);
}

// One element of an axis, without the axis.
Tensor gather(const Call& call) {
  require(call[1].dim() == 0, "only one index is known");
  return call[0].select(call.get<int64_t>("axis", 0), call[1].item<int64_t>());
}

Tensor range(const Call& call) {
  return torch::arange(call[0].item(), call[1].item(), call[2].item(), call[0].options());
}

Tensor divide(const Call& call) {  // integers towards zero
  if (!c10::isIntegralType(call[0].scalar_type(), false)) return call[0] / call[1];
  return torch::div(call[0], call[1], "trunc");
}

using Operator = std::function<Results(const Call&)>;

const std::map<std::string, Operator>& operators() {
  static const std::map<std::string, Operator> table = {
      {"Add", [](const Call& in) { return in[0] + in[1]; }},
      {"AveragePool", average_pool},
      {"BatchNormalization", batch_normalization},
      {"Cast", cast},
      {"Clip", clip},
      {"Concat",
       [](const Call& in) { return torch::cat(in.inputs(), in.get<int64_t>("axis", 0)); }},
      {"Conv", conv},
      {"ConvInteger", conv_integer},
      {"DequantizeLinear", dequantize_linear},
      {"Div", divide},
      {"DynamicQuantizeLinear", dynamic_quantize_linear},
      {"Gather", gather},
      {"Gemm", gemm},
      {"GlobalAveragePool",
       [](const Call& in) {
         return in[0].mean({2, 3}, true);
       }},
      {"Identity", [](const Call& in) { return in[0]; }},
      {"LayerNormalization", layer_normalization},
      {"LogSoftmax", [](const Call& in) { return in[0].log_softmax(in.get<int64_t>("axis", -1)); }},
      {"MatMul", [](const Call& in) { return torch::matmul(in[0], in[1]); }},
      {"MatMulInteger", matmul_integer},
      {"MaxPool", max_pool},
      {"Mul", [](const Call& in) { return in[0] * in[1]; }},
      {"QuantizeLinear", quantize_linear},
      {"Range", range},
      {"ReduceMean", reduce_mean},
      {"Relu", [](const Call& in) { return in[0].relu(); }},
      {"Reshape", reshape},
      {"Resize", resize},
      {"Shape", [](const Call& in) { return torch::tensor(in[0].sizes(), torch::kLong); }},
      {"Sigmoid", [](const Call& in) { return in[0].sigmoid(); }},
      {"Slice", slice},
      {"Softmax", [](const Call& in) { return in[0].softmax(in.get<int64_t>("axis", -1)); }},
      {"Sqrt", [](const Call& in) { return in[0].sqrt(); }},
      {"Sub", [](const Call& in) { return in[0] - in[1]; }},
      {"Erf", [](const Call& in) { return in[0].erf(); }},
      {"Tanh", [](const Call& in) { return in[0].tanh(); }},
      {"Transpose", transpose},
  };
  return table;
}

std::string known_operators() {
  std::string known;
  for (const auto& [name, run] : operators()) known.append(" ").append(name);
  return known;
}

Results run_node(const OnnxNode& node, std::vector<Tensor> inputs, const std::string& origin) {
  const auto where = [&] { return origin + ": node '" + node.name + "' (" + node.op_type + "): "; };
  try {
    return operators().at(node.op_type)(Call(node, std::move(inputs)));
  } catch (const Error& error) {
    fail(where(), error.what());
  } catch (const c10::Error& error) {
    fail(where(), error.what_without_backtrace());
  }
}

}  // namespace

OnnxInterpreter::OnnxInterpreter(OnnxModel model, std::string origin)
    : model_(std::move(model)), origin_(std::move(origin)) {
  require(model_.inputs.size() == 1, origin_, " has ", model_.inputs.size(),
          " inputs; the interpreter runs files with one");
  for (const auto& node : model_.nodes) {
    require(operators().count(node.op_type), origin_, ": node '", node.name,
            "' has the unknown operator '", node.op_type, "'; known:", known_operators());
  }
}

std::vector<Tensor> OnnxInterpreter::run(const Tensor& input) const {
  const torch::NoGradGuard no_grad;
  std::map<std::string, Tensor> values(model_.initializers.begin(), model_.initializers.end());
  values[""] = Tensor();
  values[model_.inputs[0].name] = input;
  for (const auto& node : model_.nodes) {
    std::vector<Tensor> inputs;
    for (const auto& name : node.inputs) inputs.push_back(values.at(name));
    const auto results = run_node(node, std::move(inputs), origin_);
    require(node.outputs.size() <= results.size(), origin_, ": node '", node.name, "' (",
            node.op_type, ") names ", node.outputs.size(), " outputs, it has ", results.size());
    for (size_t i = 0; i < node.outputs.size(); ++i) values[node.outputs[i]] = results[i];
  }
  std::vector<Tensor> outputs;
  for (const auto& output : model_.outputs) outputs.push_back(values.at(output.name));
  return outputs;
}

}  // namespace plateforge
