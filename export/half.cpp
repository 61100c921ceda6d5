#include "export/half.h"

#include <algorithm>
#include <map>
#include <set>
#include <string>

#include "export/onnx_fields.h"

namespace plateforge {
namespace {

using torch::ScalarType;

const std::set<std::string> kStayFloat = {"BatchNormalization", "Div",        "GlobalAveragePool",
                                          "LayerNormalization", "LogSoftmax", "Mul",
                                          "ReduceMean",         "Softmax",    "Sqrt"};
const std::set<std::string> kKeepType = {"Concat", "Identity", "Reshape", "Slice", "Transpose"};

class HalfPass {
 public:
  explicit HalfPass(OnnxModel& model) : model_(model) {
    for (auto& [name, value] : model_.initializers) {
      if (value.scalar_type() == torch::kFloat) constants_[name] = value;
    }
    for (const auto& input : model_.inputs) types_[input.name] = torch::kFloat;
  }

  void run() {
    auto nodes = std::exchange(model_.nodes, {});
    for (auto& node : nodes) convert(node);
    for (auto& output : model_.outputs) finish(output.name);
    std::erase_if(model_.initializers,
                  [&](const auto& item) { return constants_.count(item.first); });
    for (const auto& name : used_) {  // in the order of the names
      const auto type = name.second;
      model_.initializers.emplace_back(constant_name(name.first, type),
                                       constants_.at(name.first).to(type));
    }
  }

 private:
  void convert(OnnxNode node) {
    const auto type = type_for(node);
    for (size_t i = 0; i < node.inputs.size(); ++i) {
      const bool scales = node.op_type == "Resize" && i > 0;  // which ONNX has in float alone
      node.inputs[i] = as(node.inputs[i], scales ? torch::kFloat : type);
    }
    types_[node.outputs[0]] = type;
    model_.nodes.push_back(std::move(node));
  }

  ScalarType type_for(const OnnxNode& node) const {
    if (kStayFloat.count(node.op_type)) return torch::kFloat;
    if (!kKeepType.count(node.op_type)) return torch::kHalf;
    const bool any_float =
        std::any_of(node.inputs.begin(), node.inputs.end(), [&](const std::string& input) {
          return types_.count(input) && types_.at(input) == torch::kFloat;
        });
    return any_float ? torch::kFloat : torch::kHalf;
  }

  static std::string constant_name(const std::string& name, ScalarType type) {
    return type == torch::kFloat ? name : name + "_half";
  }

  // The name of a tensor in that type; a cast is made once.
  std::string as(const std::string& name, ScalarType type) {
    if (constants_.count(name)) {
      used_.insert({name, type});
      return constant_name(name, type);
    }
    const auto known = types_.find(name);
    if (known == types_.end() || known->second == type)
      return name;  // integers are no business of ours
    const auto cast = name + (type == torch::kHalf ? "_half" : "_float");
    if (types_.try_emplace(cast, type).second) {
      model_.nodes.push_back(
          {"Cast", cast, {name}, {cast}, {{"to", int64_t{onnx::data_type(type)}}}});
    }
    return cast;
  }

  // An output keeps its name and is float.
  void finish(const std::string& name) {
    if (types_.at(name) == torch::kFloat) return;
    const auto inner = name + "_half";
    for (auto& node : model_.nodes) {
      std::replace(node.inputs.begin(), node.inputs.end(), name, inner);
      std::replace(node.outputs.begin(), node.outputs.end(), name, inner);
      if (node.name == name) node.name = inner;
    }
    model_.nodes.push_back(
        {"Cast", name, {inner}, {name}, {{"to", int64_t{onnx::data_type(torch::kFloat)}}}});
  }

  OnnxModel& model_;
  std::map<std::string, torch::Tensor> constants_;     // float initializers by name
  std::set<std::pair<std::string, ScalarType>> used_;  // in which type they are read
  std::map<std::string, ScalarType> types_;            // of computed float tensors
};

}  // namespace

void to_half(OnnxModel& model) { HalfPass(model).run(); }

}  // namespace plateforge
