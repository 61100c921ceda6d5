#include "export/open_size.h"

#include <algorithm>

#include "configs/error.h"

namespace plateforge {
namespace {

constexpr int64_t kCopied = 0, kCounted = -1;  // extents in the shape of a Reshape
constexpr int64_t kFloatType = 1;              // onnx.TensorProto.FLOAT

using Names = std::vector<std::string>;

torch::Tensor integers(const Shape& values) {
  return torch::tensor(at::IntArrayRef(values), torch::kLong);
}

// Nodes that compute the anchors of an input of any size, in front of the network.
class AnchorNodes {
 public:
  explicit AnchorNodes(OnnxModel& onnx) : onnx_(onnx) {
    const auto shape = node("Shape", {onnx.inputs.at(0).name});
    for (const int64_t axis : {2, 3})
      extents_.push_back(node("Gather", {shape, scalar(axis)}, {{"axis", int64_t{0}}}));
  }

  // Centres [1, A, 2] and strides [1, A, 1] of all levels.
  std::pair<std::string, std::string> anchors(const DetectorConfig& config) {
    Names centers, strides;
    const auto scales = config.anchor_scales.size();
    for (const int64_t stride : config.strides) {
      const auto y = positions(extents_[0], stride, {-1, 1}),
                 x = positions(extents_[1], stride, {1, -1});
      const auto zero = constant(torch::tensor(0.F)),
                 step = constant(torch::tensor(static_cast<float>(stride)));
      const auto rows = column(node("Add", {y, node("Mul", {x, zero})}));
      const auto columns = column(node("Add", {node("Mul", {y, zero}), x}));
      const auto same = node("Add", {node("Mul", {rows, zero}), step});
      Names center;  // once for every scale
      for (size_t i = 0; i < scales; ++i) center.insert(center.end(), {columns, rows});
      centers.push_back(reshape(concat(center, 1), {-1, 2}));
      strides.push_back(scales == 1 ? same : column(concat(Names(scales, same), 1)));
    }
    return {reshape(concat(centers, 0), {1, -1, 2}), reshape(concat(strides, 0), {1, -1, 1})};
  }

  std::string concat(const Names& parts, int64_t axis) {
    return node("Concat", parts, {{"axis", axis}});
  }
  std::string constant(const torch::Tensor& value) {
    onnx_.initializers.emplace_back(fresh("constant"), value);
    return onnx_.initializers.back().first;
  }
  std::string node(const std::string& type, Names inputs,
                   std::map<std::string, OnnxAttribute> attributes = {}) {
    const auto name = fresh(type);
    nodes_.push_back({type, name, std::move(inputs), {name}, std::move(attributes)});
    return name;
  }
  void put_in_front() { onnx_.nodes.insert(onnx_.nodes.begin(), nodes_.begin(), nodes_.end()); }

 private:
  // stride * (0, 1, ... below extent / stride) in the given shape.
  std::string positions(const std::string& extent, int64_t stride, const Shape& shape) {
    const auto count = node("Div", {extent, scalar(stride)});
    const auto steps = node("Range", {scalar(0), count, scalar(1)});
    const auto reals = node("Cast", {steps}, {{"to", kFloatType}});
    const auto scaled = node("Mul", {reals, constant(torch::tensor(static_cast<float>(stride)))});
    return reshape(scaled, shape);
  }
  std::string reshape(const std::string& x, const Shape& shape) {
    return node("Reshape", {x, constant(integers(shape))});
  }
  std::string column(const std::string& x) { return reshape(x, {-1, 1}); }
  std::string scalar(int64_t value) { return constant(torch::tensor(value, torch::kLong)); }
  std::string fresh(const std::string& what) {
    return "anchors." + what + "." + std::to_string(count_++);
  }

  OnnxModel& onnx_;
  std::vector<OnnxNode> nodes_;
  Names extents_;  // height, width
  int64_t count_ = 0;
};

auto find_initializer(OnnxModel& onnx, const std::string& name) {
  return std::find_if(onnx.initializers.begin(), onnx.initializers.end(),
                      [&](const auto& entry) { return entry.first == name; });
}

// Whoever reads the constant `name` reads `computed`; a file without it is left alone.
void replace_constant(OnnxModel& onnx, const std::string& name, const std::string& computed) {
  const auto found = find_initializer(onnx, name);
  TORCH_CHECK(found != onnx.initializers.end(), "the file lacks '", name, "'");
  onnx.initializers.erase(found);
  for (auto& node : onnx.nodes)
    std::replace(node.inputs.begin(), node.inputs.end(), name, computed);
}

// The constants that with_outputs() made of the anchors of one size.
void compute_anchors(OnnxModel& onnx, const DetectorConfig& config) {
  AnchorNodes nodes(onnx);
  const auto [centers, strides] = nodes.anchors(config);
  const auto outwards = nodes.constant(torch::tensor({-1.F, -1.F, 1.F, 1.F}).reshape({1, 1, 4}));
  const auto box_strides = nodes.node("Mul", {strides, outwards});
  const auto box_centers = nodes.concat({centers, centers}, 2);
  const auto corner_centers = nodes.concat(Names(4, centers), 2);
  nodes.put_in_front();
  replace_constant(onnx, "box_strides", box_strides);
  replace_constant(onnx, "box_centers", box_centers);
  replace_constant(onnx, "corner_strides", strides);
  replace_constant(onnx, "corner_centers", corner_centers);
}

// [N, anchors, values] and [N, anchors] are what a detector without attention reshapes to.
void count_anchors(OnnxModel& onnx, const OnnxNode& reshape) {
  auto& shape = find_initializer(onnx, reshape.inputs.at(1))->second;
  require(shape.numel() == 2 || shape.numel() == 3, "the size cannot be open: '", reshape.name,
          "' is written for one size, as attention is; export it with --size static");
  Shape open{kCopied, kCounted};
  if (shape.numel() == 3) open.push_back(shape[2].item<int64_t>());
  shape = integers(open);
}

}  // namespace

void open_size(OnnxModel& onnx, const ModelConfig& config, DetectorForm form) {
  const auto coarsest = config.detector.strides.back();
  require(config.width % coarsest == 0 && config.height % coarsest == 0,
          "the size cannot be open: the model's own, ", config.width, "x", config.height,
          ", must be a multiple of its coarsest stride ", coarsest);
  for (const auto& node : onnx.nodes)
    if (node.op_type == "Reshape") count_anchors(onnx, node);
  if (form == DetectorForm::decoded) compute_anchors(onnx, config.detector);
  auto& input = onnx.inputs.at(0).shape;
  input.at(2) = input.at(3) = -1;
  for (auto& output : onnx.outputs) output.shape.at(1) = -1;
}

}  // namespace plateforge
