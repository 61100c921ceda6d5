#include "export/norm_operator.h"

#include <algorithm>
#include <optional>
#include <set>

#include "export/onnx_writer.h"

namespace plateforge {
namespace {

constexpr int64_t kOpsetOfOperator = 17;
constexpr int64_t kTokenAxis = 2;  // the last of [N, T, D]

// A LayerNorm in steps: where its result is computed, and what the operator needs.
struct Norm {
  std::string x, scale, shift;  // shift may be empty
  float epsilon;
  size_t last;  // the node that gives the result
};

class Matcher {
 public:
  explicit Matcher(const OnnxModel& model) : model_(model) {
    for (size_t i = 0; i < model.nodes.size(); ++i) {
      for (const auto& output : model.nodes[i].outputs) producers_[output] = i;
      for (const auto& input : model.nodes[i].inputs) readers_[input].push_back(i);
    }
    for (const auto& output : model.outputs) outputs_.insert(output.name);
    for (const auto& [name, value] : model.initializers) constants_[name] = value;
  }

  // The LayerNorm whose quotient is node `index`.
  std::optional<Norm> match(size_t index) const {
    const auto& quotient = model_.nodes[index];
    if (quotient.op_type != "Div") return std::nullopt;
    const auto* difference = producer(quotient, 0, "Sub");
    const auto* root = producer(quotient, 1, "Sqrt");
    const auto* sum = root ? producer(*root, 0, "Add") : nullptr;
    const auto* variance = sum ? mean_of(*sum, 0) : nullptr;
    const auto* square = variance ? producer(*variance, 0, "Mul") : nullptr;
    const auto* mean = difference ? mean_of(*difference, 1) : nullptr;
    if (!mean || !square || mean->inputs[0] != difference->inputs[0]) return std::nullopt;
    const auto& centred = difference->outputs[0];
    const auto* epsilon = constant(sum->inputs[1]);
    if (square->inputs[0] != centred || square->inputs[1] != centred || !epsilon ||
        epsilon->numel() != 1)
      return std::nullopt;

    const auto scaled = only_reader(quotient, "Mul");
    if (!scaled) return std::nullopt;
    const auto& scaling = model_.nodes[*scaled];
    Norm norm{difference->inputs[0], scaling.inputs[1], "", epsilon->item<float>(), *scaled};
    if (const auto shifted = only_reader(scaling, "Add")) {
      norm.shift = model_.nodes[*shifted].inputs[1];
      norm.last = *shifted;
    }
    return norm;
  }

 private:
  const torch::Tensor* constant(const std::string& name) const {
    const auto found = constants_.find(name);
    return found == constants_.end() ? nullptr : &found->second;
  }

  const OnnxNode* producer(const OnnxNode& node, size_t input, const char* type) const {
    const auto found = producers_.find(node.inputs.at(input));
    if (found == producers_.end()) return nullptr;
    const auto& made = model_.nodes[found->second];
    return made.op_type == type ? &made : nullptr;
  }

  // Over the last axis of tokens; the axes are an attribute below opset 18, then an input.
  const OnnxNode* mean_of(const OnnxNode& node, size_t input) const {
    const auto* mean = producer(node, input, "ReduceMean");
    if (!mean) return nullptr;
    const auto* axes = mean->inputs.size() > 1 ? constant(mean->inputs[1]) : nullptr;
    const auto given = mean->attributes.find("axes");
    const bool last =
        axes ? axes->numel() == 1 && axes->item<int64_t>() == kTokenAxis
             : given != mean->attributes.end() &&
                   std::get<std::vector<int64_t>>(given->second) == std::vector{kTokenAxis};
    return last ? mean : nullptr;
  }

  // The node of that type that alone reads `node`, with a constant per channel.
  std::optional<size_t> only_reader(const OnnxNode& node, const char* type) const {
    const auto& name = node.outputs[0];
    const auto found = readers_.find(name);
    if (outputs_.contains(name) || found == readers_.end() || found->second.size() != 1)
      return std::nullopt;
    const auto& reader = model_.nodes[found->second[0]];
    const auto* value = reader.inputs.size() == 2 ? constant(reader.inputs[1]) : nullptr;
    const bool fits =
        reader.op_type == type && reader.inputs[0] == name && value && value->dim() == 1;
    return fits ? std::optional(found->second[0]) : std::nullopt;
  }

  const OnnxModel& model_;
  std::map<std::string, size_t> producers_;
  std::map<std::string, std::vector<size_t>> readers_;
  std::map<std::string, torch::Tensor> constants_;
  std::set<std::string> outputs_;
};

// Nodes whose results nobody reads, from the last to the first, and constants likewise.
void remove_unread(OnnxModel& model) {
  std::set<std::string> read;
  for (const auto& output : model.outputs) read.insert(output.name);
  std::vector<OnnxNode> kept;
  for (auto node = model.nodes.rbegin(); node != model.nodes.rend(); ++node) {
    const bool wanted = std::any_of(node->outputs.begin(), node->outputs.end(),
                                    [&](const auto& name) { return read.contains(name); });
    if (!wanted) continue;
    read.insert(node->inputs.begin(), node->inputs.end());
    kept.push_back(std::move(*node));
  }
  std::reverse(kept.begin(), kept.end());
  model.nodes = std::move(kept);
  std::erase_if(model.initializers, [&](const auto& item) { return !read.contains(item.first); });
}

}  // namespace

void write_norm_operators(OnnxModel& model) {
  std::vector<Norm> norms;
  const Matcher matcher(model);
  for (size_t i = 0; i < model.nodes.size(); ++i)
    if (auto norm = matcher.match(i)) norms.push_back(std::move(*norm));
  for (const auto& norm : norms) {
    auto& node = model.nodes[norm.last];
    node.op_type = "LayerNormalization";
    node.inputs = {norm.x, norm.scale};
    if (!norm.shift.empty()) node.inputs.push_back(norm.shift);
    node.attributes = {{"axis", int64_t{-1}}, {"epsilon", norm.epsilon}};
  }
  if (norms.empty()) return;
  // What else is written means the same in every opset from 13 to 17.
  set_opset(model, std::max(model.opset, kOpsetOfOperator));
  remove_unread(model);
}

}  // namespace plateforge
