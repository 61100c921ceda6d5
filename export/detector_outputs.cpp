#include "export/detector_outputs.h"

#include <algorithm>

#include "configs/error.h"
#include "models/decode/boxes.h"

namespace plateforge {
namespace {

using torch::Tensor;

Shape with_extent(Shape shape, int64_t axis, int64_t extent) {
  shape[static_cast<size_t>(axis)] = extent;
  return shape;
}

// What a file's outputs are computed by, appended to a network's graph.
class OutputBuilder {
 public:
  OutputBuilder(Graph& graph, const ModelConfig& config)
      : graph_(graph),
        layout_(config.detector),
        anchors_(make_anchors(config.detector, config.height, config.width)),
        rows_(graph.outputs.at(0)),
        batch_(graph.shape(rows_)[0]) {}

  std::vector<TensorId> heads() {
    std::vector<TensorId> scores, boxes, corners;
    int64_t first = 0;
    for (const int64_t size : anchors_.level_sizes) {
      const auto level = slice(rows_, 1, first, first + size);
      scores.push_back(add(op::Sigmoid{}, "score", {values(level, 0, 1)}));
      boxes.push_back(distances(values(level, layout_.box(), layout_.corners())));
      corners.push_back(values(level, layout_.corners(), layout_.size()));
      first += size;
    }
    scores.insert(scores.end(), boxes.begin(), boxes.end());
    scores.insert(scores.end(), corners.begin(), corners.end());
    return scores;
  }

  std::vector<TensorId> decoded() {
    const auto count = anchors_.centers.size(0);
    const auto strides = anchors_.strides.reshape({1, count, 1});
    const auto centers = anchors_.centers.unsqueeze(0);  // [1, A, 2]
    const auto scores = add(op::Sigmoid{}, "probability", {values(rows_, 0, 1)});
    const auto sides = distances(values(rows_, layout_.box(), layout_.corners()));
    const auto corners = values(rows_, layout_.corners(), layout_.size());
    return {reshape(scores, "score", {batch_, count}),
            place(sides, "box", strides * torch::tensor({-1, -1, 1, 1}), centers.repeat({1, 1, 2})),
            place(corners, "corner", strides.repeat({1, 1, 8}), centers.repeat({1, 1, 4}))};
  }

 private:
  // The last axis of a [N, n, K].
  TensorId values(TensorId x, int64_t start, int64_t stop) { return slice(x, 2, start, stop); }

  // A stretch of a tensor; of a concatenation, what is left of its parts.
  TensorId slice(TensorId x, int64_t axis, int64_t start, int64_t stop) {
    const auto shape = graph_.shape(x);
    if (start == 0 && stop == shape[static_cast<size_t>(axis)]) return x;
    const auto* node = graph_.producer(x);
    const auto* concat = node ? node->as<op::Concat>() : nullptr;
    if (!concat) {
      return graph_.add_node(op::Slice{axis, start, stop, 1}, "part", {x},
                             with_extent(shape, axis, stop - start));
    }
    const auto joined = concat->axis;
    const auto inputs = node->inputs;  // a copy: adding nodes moves them
    std::vector<TensorId> parts;
    int64_t offset = 0;
    for (const auto input : inputs) {
      if (joined != axis) {
        parts.push_back(slice(input, axis, start, stop));
        continue;
      }
      const auto extent = graph_.shape(input)[static_cast<size_t>(axis)];
      const auto from = std::max(start - offset, int64_t{0}), to = std::min(stop - offset, extent);
      if (from < to) parts.push_back(slice(input, axis, from, to));
      offset += extent;
    }
    if (parts.size() == 1) return parts[0];
    return graph_.add_node(op::Concat{joined}, "parts", parts,
                           with_extent(shape, axis, stop - start));
  }

  // [N, n, 4 R] -> [N, n, 4] distances in strides.
  TensorId distances(TensorId sides) {
    if (layout_.bins == 1) return sides;
    const auto count = graph_.shape(sides)[1], bins = layout_.bins;
    const auto logits = reshape(sides, "bins", {batch_, 4 * count, bins});
    const auto shares = add(op::Softmax{2}, "bin_share", {logits});
    const auto steps = torch::arange(bins, torch::kFloat).reshape({bins, 1});
    const auto means = graph_.add_node(op::MatMul{}, "distance",
                                       {shares, graph_.add_literal("distances_of_bins", steps)},
                                       {batch_, 4 * count, 1});
    return reshape(means, "distances", {batch_, count, 4});
  }

  // x * scale + origin, both [1, A, values of x].
  TensorId place(TensorId x, const std::string& name, const Tensor& scale, const Tensor& origin) {
    const auto factor = graph_.add_literal(name + "_strides", scale.contiguous());
    const auto center = graph_.add_literal(name + "_centers", origin.contiguous());
    const auto scaled = add(op::Multiply{}, name + "_offset", {x, factor});
    return add(op::Add{}, name, {scaled, center});
  }

  TensorId reshape(TensorId x, const std::string& name, const Shape& shape) {
    return graph_.add_node(op::Reshape{shape}, name, {x}, shape);
  }
  // A node whose result has the shape of its first input.
  TensorId add(Op op, const std::string& name, const std::vector<TensorId>& inputs) {
    return graph_.add_node(std::move(op), name, inputs, graph_.shape(inputs[0]));
  }

  Graph& graph_;
  DetectorOutput layout_;
  Anchors anchors_;
  TensorId rows_;
  int64_t batch_;
};

}  // namespace

const std::vector<std::string>& detector_form_names() {
  static const std::vector<std::string> names = {"rows", "heads", "decoded"};
  return names;
}

DetectorForm find_detector_form(const std::string& name) {
  const auto& names = detector_form_names();
  for (size_t i = 0; i < names.size(); ++i)
    if (names[i] == name) return static_cast<DetectorForm>(i);
  fail("a detector's file has no outputs '", name, "'; known: rows heads decoded");
}

const std::string& detector_form_name(DetectorForm form) {
  return detector_form_names()[static_cast<size_t>(form)];
}

std::vector<std::string> output_names(const DetectorConfig& config, DetectorForm form) {
  if (form == DetectorForm::rows) return {"rows"};
  if (form == DetectorForm::decoded) return {"scores", "boxes", "corners"};
  std::vector<std::string> names;
  for (const auto* kind : {"score_", "bbox_", "kps_"})
    for (const int64_t stride : config.strides) names.push_back(kind + std::to_string(stride));
  return names;
}

Graph with_outputs(Graph graph, const ModelConfig& config, DetectorForm form) {
  if (form == DetectorForm::rows) return graph;
  OutputBuilder builder(graph, config);
  graph.outputs = form == DetectorForm::heads ? builder.heads() : builder.decoded();
  graph.remove_dead();
  return graph;
}

Tensor plates_of(const std::vector<Tensor>& outputs, const ModelConfig& config, DetectorForm form) {
  const auto anchors = make_anchors(config.detector, config.height, config.width);
  if (form == DetectorForm::rows) return decode_rows(outputs.at(0), anchors, config.detector);
  if (form == DetectorForm::decoded)
    return torch::cat({outputs.at(0).unsqueeze(2), outputs.at(1), outputs.at(2)}, 2);
  const auto joined = [&](size_t kind) {
    const auto levels = config.detector.strides.size();
    const auto* first = outputs.data() + kind * levels;
    return torch::cat(std::vector<Tensor>(first, first + levels), 1);
  };
  return decode_distances(joined(0), joined(1), joined(2), anchors);
}

}  // namespace plateforge
