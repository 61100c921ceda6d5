#include "compress/shrink/channel_scores.h"

#include <torch/utils.h>

#include <cmath>
#include <map>

namespace plateforge {
namespace {

using torch::Tensor;

ChannelScores zeros(const ChannelGroups& groups) {
  ChannelScores scores;
  for (const auto& group : groups.groups())
    scores.emplace_back(static_cast<size_t>(group.channels), 0.0);
  return scores;
}

// body(group, element, index) for every index that belongs to a group.
template <class Body>
void for_members(const ChannelGroups& groups, TensorId id, size_t axis, const Body& body) {
  const auto& members = groups.members(id, axis);
  for (size_t i = 0; i < members.size(); ++i)
    if (members[i].group >= 0)
      body(static_cast<size_t>(members[i].group), static_cast<size_t>(members[i].element), i);
}

// Sums of `values` over all axes but one.
std::vector<double> sums_along(const Tensor& values, size_t axis) {
  const auto sums = values.to(torch::kCPU, torch::kDouble)
                        .movedim(static_cast<int64_t>(axis), 0)
                        .reshape({values.size(static_cast<int64_t>(axis)), -1})
                        .sum(1)
                        .contiguous();
  return {sums.const_data_ptr<double>(), sums.const_data_ptr<double>() + sums.numel()};
}

bool is_weight(const GraphTensor& tensor) {
  return tensor.origin == Origin::parameter && !tensor.name.ends_with("bias");
}

// One weight's share in the scores: norms along an axis, 1 on average in each group.
void add_norms(const GraphTensor& weight, const ChannelGroups& groups, TensorId id, size_t axis,
               ChannelScores& scores, ChannelScores& shares) {
  const auto sums = sums_along(weight.value.square(), axis);
  std::map<size_t, std::map<size_t, double>> squares;  // by group and element
  for_members(groups, id, axis,
              [&](size_t group, size_t element, size_t i) { squares[group][element] += sums[i]; });
  for (const auto& [group, elements] : squares) {
    double total = 0;
    for (const auto& [element, square] : elements) total += std::sqrt(square);
    const auto mean = total / static_cast<double>(elements.size());
    for (const auto& [element, square] : elements) {
      shares[group][element] += 1;
      if (mean > 0) scores[group][element] += std::sqrt(square) / mean;
    }
  }
}

ChannelScores norm_scores(const Graph& graph, const ChannelGroups& groups) {
  auto scores = zeros(groups), shares = zeros(groups);
  for (TensorId id = 0; id < graph.tensors.size(); ++id)
    if (is_weight(graph.tensor(id)))
      for (size_t axis = 0; axis < graph.shape(id).size(); ++axis)
        add_norms(graph.tensor(id), groups, id, axis, scores, shares);
  for (size_t g = 0; g < scores.size(); ++g)
    for (size_t e = 0; e < scores[g].size(); ++e)
      if (shares[g][e] > 0) scores[g][e] /= shares[g][e];
  return scores;
}

ChannelScores taylor_scores(const Graph& graph, const ChannelGroups& groups,
                            const TensorDict& gradients) {
  auto scores = zeros(groups);
  for (TensorId id = 0; id < graph.tensors.size(); ++id) {
    const auto& tensor = graph.tensor(id);
    if (tensor.origin != Origin::parameter) continue;
    const auto gradient = gradients.find(tensor.name);
    TORCH_CHECK(gradient != gradients.end(), "no gradient of ", tensor.name);
    const auto products = (tensor.value * gradient->second).abs();
    for (size_t axis = 0; axis < tensor.shape.size(); ++axis) {
      const auto sums = sums_along(products, axis);
      for_members(groups, id, axis, [&](size_t group, size_t element, size_t i) {
        scores[group][element] += sums[i];
      });
    }
  }
  return scores;
}

}  // namespace

ChannelScores channel_scores(const Graph& graph, const ChannelGroups& groups,
                             const std::string& kind, const TensorDict& gradients) {
  const torch::NoGradGuard no_grad;
  if (kind == "taylor") return taylor_scores(graph, groups, gradients);
  TORCH_CHECK(kind == "norm" || kind == "lamp", "scores '", kind, "'");
  auto scores = norm_scores(graph, groups);
  if (kind == "lamp")
    for (auto& group : scores)
      for (auto& score : group) score *= score;
  return scores;
}

}  // namespace plateforge
