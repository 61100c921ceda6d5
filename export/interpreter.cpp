#include "export/interpreter.h"

#include <functional>
#include <limits>
#include <map>
#include <vector>

#include "configs/error.h"

namespace plateforge {
namespace {

using torch::Tensor;

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
Tensor padded(const Call& call, double fill) {
  const auto pads = call.list("pads", {0, 0, 0, 0});
  require(pads.size() == 4, "pads must be four numbers");
  if (pads == std::vector<int64_t>{0, 0, 0, 0}) return call[0];
  return torch::constant_pad_nd(call[0], {pads[1], pads[3], pads[0], pads[2]}, fill);
}

Tensor conv(const Call& call) {
  return torch::conv2d(padded(call, 0), call[1], call.optional(2), call.list("strides", {1, 1}),
                       std::vector<int64_t>{0, 0}, call.list("dilations", {1, 1}),
                       call.get<int64_t>("group", 1));
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

Tensor max_pool(const Call& call) {
  return torch::max_pool2d(padded(call, -std::numeric_limits<double>::infinity()),
                           call.list("kernel_shape", {}), call.list("strides", {1, 1}));
}

Tensor average_pool(const Call& call) {
  const auto pool = [&](const Tensor& x) {
    return torch::avg_pool2d(x, call.list("kernel_shape", {}), call.list("strides", {1, 1}));
  };
  const auto mean = pool(padded(call, 0));
  if (call.get<int64_t>("count_include_pad", 0)) return mean;
  const auto ones = Call(OnnxNode{"", "", {}, {}, {{"pads", call.list("pads", {0, 0, 0, 0})}}},
                         {torch::ones_like(call[0])});
  return mean / pool(padded(ones, 0));
}

Tensor reduce_mean(const Call& call) {
  return call[0].mean(call.list("axes", {}), call.get<int64_t>("keepdims", 1) != 0);
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

using Operator = std::function<Tensor(const Call&)>;

const std::map<std::string, Operator>& operators() {
  static const std::map<std::string, Operator> table = {
      {"Add", [](const Call& in) { return in[0] + in[1]; }},
      {"AveragePool", average_pool},
      {"BatchNormalization", batch_normalization},
      {"Clip", clip},
      {"Concat",
       [](const Call& in) { return torch::cat(in.inputs(), in.get<int64_t>("axis", 0)); }},
      {"Conv", conv},
      {"Div", [](const Call& in) { return in[0] / in[1]; }},
      {"Gemm", gemm},
      {"GlobalAveragePool",
       [](const Call& in) {
         return in[0].mean({2, 3}, true);
       }},
      {"Identity", [](const Call& in) { return in[0]; }},
      {"LogSoftmax", [](const Call& in) { return in[0].log_softmax(in.get<int64_t>("axis", -1)); }},
      {"MatMul", [](const Call& in) { return torch::matmul(in[0], in[1]); }},
      {"MaxPool", max_pool},
      {"Mul", [](const Call& in) { return in[0] * in[1]; }},
      {"ReduceMean", reduce_mean},
      {"Relu", [](const Call& in) { return in[0].relu(); }},
      {"Reshape", reshape},
      {"Sigmoid", [](const Call& in) { return in[0].sigmoid(); }},
      {"Slice", slice},
      {"Softmax", [](const Call& in) { return in[0].softmax(in.get<int64_t>("axis", -1)); }},
      {"Sqrt", [](const Call& in) { return in[0].sqrt(); }},
      {"Sub", [](const Call& in) { return in[0] - in[1]; }},
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

Tensor run_node(const OnnxNode& node, std::vector<Tensor> inputs, const std::string& origin) {
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
  require(model_.inputs.size() == 1 && model_.outputs.size() == 1, origin_, " has ",
          model_.inputs.size(), " inputs and ", model_.outputs.size(),
          " outputs; the interpreter runs files with one of each");
  for (const auto& node : model_.nodes) {
    require(operators().count(node.op_type), origin_, ": node '", node.name,
            "' has the unknown operator '", node.op_type, "'; known:", known_operators());
  }
}

Tensor OnnxInterpreter::run(const Tensor& input) const {
  const torch::NoGradGuard no_grad;
  std::map<std::string, Tensor> values(model_.initializers.begin(), model_.initializers.end());
  values[""] = Tensor();
  values[model_.inputs[0].name] = input;
  for (const auto& node : model_.nodes) {
    std::vector<Tensor> inputs;
    for (const auto& name : node.inputs) inputs.push_back(values.at(name));
    values[node.outputs[0]] = run_node(node, std::move(inputs), origin_);
  }
  return values.at(model_.outputs[0].name);
}

}  // namespace plateforge
