#include "export/emitter.h"

#include <torch/utils.h>

#include <map>
#include <optional>
#include <set>

#include "configs/error.h"
#include "export/onnx_writer.h"
#include "export/quantizers.h"

namespace plateforge {
namespace {

using torch::Tensor;

constexpr int64_t kOldestOpset = 13, kNewestOpset = 21;  // of the spellings in OnnxBuilder

// The integer type of an activation. QuantizeLinear clips to the whole type.
torch::ScalarType activation_type(const Grid& grid, const std::string& name) {
  if (grid.low == 0 && grid.high == 255) return torch::kByte;
  if (grid.low == -128 && grid.high == 127) return torch::kChar;
  if (grid.low == 0 && grid.high == 65535) return torch::kUInt16;
  if (grid.low == -32768 && grid.high == 32767) return torch::kShort;
  fail("'", name, "' is quantised to ", grid.low, "..", grid.high,
       ", which no ONNX type has; known: 0..255 -128..127 0..65535 -32768..32767");
}

// The smallest type that holds a weight, which is stored as integers and never clipped.
torch::ScalarType weight_type(const Grid& grid) {
  if (grid.low >= -128 && grid.high <= 127) return torch::kChar;
  if (grid.low >= 0 && grid.high <= 255) return torch::kByte;
  return torch::kShort;
}

bool is_8_bit(const Grid& grid) { return grid.high - grid.low < 256; }

// By way of int: 16-bit unsigned tensors know few operations.
Tensor to_integers(const Tensor& values, torch::ScalarType type) {
  return values.to(torch::kDouble).round().to(torch::kInt).to(type);
}

class Emitter {
 public:
  Emitter(const Graph& graph, int64_t opset, const QuantizedSpelling& spelling)
      : graph_(graph), builder_(opset), spelling_(spelling) {}

  OnnxModel run() {
    for (const auto id : graph_.inputs) builder_.input(name(id), graph_.shape(id));
    for (const auto& node : graph_.nodes) emit(node);
    for (const auto id : graph_.outputs) builder_.output({name(id)}, graph_.shape(id));
    return std::move(builder_.model());
  }

 private:
  const std::string& name(TensorId id) const { return graph_.tensor(id).name; }
  const Tensor& value(TensorId id) const { return graph_.tensor(id).value; }

  Edge initializer_once(const std::string& as, const Tensor& content) {
    return written_.insert(as).second ? builder_.initializer(as, content) : Edge{as};
  }

  // What a node reads. Constants and quantised constants enter the file where they are first read.
  Edge edge(TensorId id) {
    if (const auto grid = constant_grid(id)) return quantized_constant(id, *grid, false);
    if (!graph_.tensor(id).is_constant()) return {name(id)};
    return initializer_once(name(id), value(id));
  }
  std::vector<Edge> edges(const Node& node) {
    std::vector<Edge> all;
    for (const auto id : node.inputs) all.push_back(edge(id));
    return all;
  }

  std::optional<Grid> constant_grid(TensorId id) const {
    const auto grid = grid_of(graph_, id);
    return grid && graph_.tensor(graph_.producer(id)->inputs[0]).is_constant() ? grid
                                                                               : std::nullopt;
  }

  Edge scale(const Grid& grid) { return initializer_once(name(grid.scale), value(grid.scale)); }
  Edge zero_point(const Grid& grid, torch::ScalarType type) {
    const auto& known = zero_point_types_.try_emplace(grid.zero_point, type).first->second;
    const auto suffix = known == type ? "" : std::string("_") + c10::toString(type);
    return initializer_once(name(grid.zero_point) + suffix, value(grid.zero_point).to(type));
  }

  // The stored integers of a quantised constant.
  Tensor steps(TensorId id, const Grid& grid) const {
    const auto& source = value(graph_.producer(id)->inputs[0]);
    const auto along = [&](const Tensor& values) {
      if (grid.axis < 0) return values.to(torch::kDouble).reshape({});
      Shape shape(static_cast<size_t>(source.dim()), 1);
      shape[static_cast<size_t>(grid.axis)] = -1;
      return values.to(torch::kDouble).reshape(shape);
    };
    // As the simulation divides: in float.
    const auto rounded = (source / along(value(grid.scale)).to(torch::kFloat)).round();
    return (rounded + along(value(grid.zero_point)))
        .clamp(static_cast<double>(grid.low), static_cast<double>(grid.high));
  }

  // Integers and a DequantizeLinear, or floats and a pair; `transposed` for MatMul.
  Edge quantized_constant(TensorId id, const Grid& grid, bool transposed) {
    const auto out = name(id) + (transposed ? ".transposed" : "");
    if (!written_.insert(out).second) return {out};
    const auto type = weight_type(grid);
    const auto axis = grid.axis < 0 ? -1 : transposed ? 1 - grid.axis : grid.axis;
    const auto turned = [&](const Tensor& t) { return transposed ? t.t() : t; };
    const auto source = graph_.producer(id)->inputs[0];
    const auto source_name = name(source) + (transposed ? ".transposed" : "");
    if (spelling_.integer_weights) {
      const auto stored = initializer_once(source_name, turned(to_integers(steps(id, grid), type)));
      return builder_.dequantize_linear(out, stored, scale(grid), zero_point(grid, type), axis);
    }
    const auto stored = initializer_once(source_name, turned(value(source)));
    const auto pair = builder_.quantize_linear(out + "_quantized", stored, scale(grid),
                                               zero_point(grid, type), axis);
    return builder_.dequantize_linear(out, pair, scale(grid), zero_point(grid, type), axis);
  }

  void quantize(const Node& node) {
    const auto grid = *grid_of(graph_, node.output);
    if (graph_.tensor(node.inputs[0]).is_constant()) return;  // where it is read
    const auto type = activation_type(grid, node.name);
    const bool wide = type == torch::kUInt16 || type == torch::kShort;
    require(!wide || builder_.model().opset >= kOpsetOf16Bits, "'", node.name,
            "' is quantised to 16 bits, which needs opset ", kOpsetOf16Bits, ", not ",
            builder_.model().opset);
    const auto& out = name(node.output);
    const auto q = builder_.quantize_linear(out + "_quantized", edge(node.inputs[0]), scale(grid),
                                            zero_point(grid, type), grid.axis);
    builder_.dequantize_linear(out, q, scale(grid), zero_point(grid, type), grid.axis);
  }

  // The bias of a convolution or linear layer as its kernel wants it.
  std::optional<Edge> bias(const Node& node) {
    if (node.inputs.size() < 3) return std::nullopt;
    const auto x = grid_of(graph_, node.inputs[0]), weight = constant_grid(node.inputs[1]);
    const bool integer = spelling_.integer_biases && x && weight && x->axis < 0 &&
                         weight->axis <= 0 && is_8_bit(*x) && is_8_bit(*weight) &&
                         graph_.tensor(node.inputs[2]).is_constant();
    if (!integer) return edge(node.inputs[2]);
    const auto product = value(x->scale) * value(weight->scale);  // float32, as runtimes multiply
    const auto values =
        (value(node.inputs[2]).to(torch::kDouble) / product.to(torch::kDouble)).round();
    require(values.abs().max().item<double>() <= 2147483647.0, "the bias of '", node.name,
            "' does not fit int32 at the scale of its products, ", product.min().item<float>(),
            ": a channel's weights are (nearly) all zero and its scale has no floor");
    const auto& out = name(node.output);
    const auto stored = builder_.initializer(out + ".bias_quantized", values.to(torch::kInt));
    const auto bias_scale = builder_.initializer(out + ".bias_scale", product);
    const auto zero =
        builder_.initializer(out + ".bias_zero_point", torch::zeros(product.sizes(), torch::kInt));
    return builder_.dequantize_linear(out + ".bias_dequantized", stored, bias_scale, zero,
                                      product.dim() ? 0 : -1);
  }

  Edge transposed(TensorId weight) {
    if (const auto grid = constant_grid(weight)) return quantized_constant(weight, *grid, true);
    return initializer_once(name(weight) + ".transposed", value(weight).t());
  }

  void linear(const Node& node) {
    if (is_dynamic(node)) return dynamic_product(node);
    const auto& out = name(node.output);
    const auto x = edge(node.inputs[0]);
    if (graph_.shape(node.inputs[0]).size() == 2) {
      const auto weight = edge(node.inputs[1]);
      const auto offset = bias(node);
      builder_.gemm(out, x, weight, offset ? &*offset : nullptr);
      return;
    }
    const auto weight = transposed(node.inputs[1]);
    if (const auto offset = bias(node)) {
      builder_.add(out, builder_.matmul(out + ".product", x, weight), *offset);
    } else {
      builder_.matmul(out, x, weight);
    }
  }

  void matmul(const Node& node) {
    if (is_dynamic(node)) return dynamic_product(node);
    const auto a = edge(node.inputs[0]), b = edge(node.inputs[1]);
    builder_.matmul(name(node.output), a, b);
  }

  void conv(const Node& node, const op::Conv& o) {
    if (is_dynamic(node)) return dynamic_product(node);
    const auto& shape = graph_.shape(node.inputs[1]);
    const auto x = edge(node.inputs[0]), weight = edge(node.inputs[1]);
    const auto offset = bias(node);
    builder_.conv(name(node.output), x, weight, offset ? &*offset : nullptr, {shape[2], shape[3]},
                  o);
  }

  bool is_dynamic(const Node& node) const {
    const auto* producer = graph_.producer(node.inputs[0]);
    if (!producer || !producer->as<op::DynamicFakeQuantize>()) return false;
    require(constant_grid(node.inputs[1]).has_value(), "'", node.name,
            "' reads a dynamically quantised tensor, but its weight is not quantised");
    return true;
  }

  // The integers of x times those of the weight, times both scales, plus the bias.
  void dynamic_product(const Node& node) {
    const auto& out = name(node.output);
    const auto& x = dynamic_.at(node.inputs[0]);
    const auto id = node.inputs[1];
    const auto grid = *constant_grid(id);
    const auto weight = to_integers(steps(id, grid), weight_type(grid));
    require(torch::count_nonzero(value(grid.zero_point)).item<int64_t>() == 0, "the weight of '",
            node.name, "' is quantised with a zero point, which int8-dynamic has no place for");
    const auto stored_name = name(graph_.producer(id)->inputs[0]);
    const auto* o = node.as<op::Conv>();
    const auto product =
        o ? builder_.conv_integer(out + ".product", x, initializer_once(stored_name, weight),
                                  {weight.size(2), weight.size(3)}, *o)
          : builder_.matmul_integer(
                out + ".product", x,
                initializer_once(stored_name, node.as<op::Linear>() ? weight.t() : weight));
    // Channels of a convolution are axis 1, those of a linear layer the last.
    const auto spread = [&](const Tensor& t) { return o && t.dim() ? t.reshape({-1, 1, 1}) : t; };
    const auto weight_scale = initializer_once(out + ".weight_scale", spread(value(grid.scale)));
    const auto step = builder_.mul(out + ".scale", x.scale, weight_scale);
    const auto real = builder_.cast(out + ".real", product, torch::kFloat);
    if (node.inputs.size() < 3) {
      builder_.mul(out, real, step);
      return;
    }
    const auto scaled = builder_.mul(out + ".scaled", real, step);
    builder_.add(out, scaled,
                 initializer_once(name(node.inputs[2]), spread(value(node.inputs[2]))));
  }

  void dynamic_quantize(const Node& node) {
    for (const auto reader : graph_.readers(node.output)) {
      const auto& read = graph_.nodes[reader];
      require(read.as<op::Conv>() || read.as<op::Linear>() || read.as<op::MatMul>(), "'", read.name,
              "' reads a dynamically quantised tensor; known: conv linear matmul");
    }
    dynamic_[node.output] =
        builder_.dynamic_quantize_linear(name(node.output), edge(node.inputs[0]));
  }

  void emit(const Node& node) {
    const auto& out = name(node.output);
    auto& b = builder_;
    const auto in = [&](size_t index) { return edge(node.inputs.at(index)); };
    std::visit(
        Overloaded{
            [&](const op::Conv& o) { conv(node, o); },
            [&](const op::Linear&) { linear(node); },
            [&](const op::MatMul&) { matmul(node); },
            [&](const op::BatchNorm& o) { b.batch_normalization(out, edges(node), o.epsilon); },
            [&](const op::MaxPool& o) { b.max_pool(out, in(0), o); },
            [&](const op::AveragePool& o) { b.average_pool(out, in(0), o); },
            [&](const op::Upsample& o) { b.resize_nearest(out, in(0), o.factor); },
            [&](const op::Mean& o) {
              const bool global =
                  o.keep_axes && o.axes == Shape{2, 3} && graph_.shape(node.inputs[0]).size() == 4;
              global ? b.global_average_pool(out, in(0)) : b.reduce_mean(out, in(0), o);
            },
            [&](const op::Slice& o) { b.slice(out, in(0), o); },
            [&](const op::Concat& o) { b.concat(out, edges(node), o.axis); },
            [&](const op::Reshape& o) { b.reshape(out, in(0), o.shape); },
            [&](const op::Permute& o) { b.transpose(out, in(0), o.order); },
            [&](const op::Clamp& o) { b.clip(out, in(0), o.low, o.high); },
            [&](const op::Softmax& o) { b.softmax(out, in(0), o.axis); },
            [&](const op::LogSoftmax& o) { b.log_softmax(out, in(0), o.axis); },
            [&](const op::Identity&) { b.identity(out, in(0)); },
            [&](const op::Relu&) { b.relu(out, in(0)); },
            [&](const op::Sigmoid&) { b.sigmoid(out, in(0)); },
            [&](const op::Tanh&) { b.tanh(out, in(0)); },
            [&](const op::Erf&) { b.erf(out, in(0)); },
            [&](const op::Sqrt&) { b.sqrt(out, in(0)); },
            [&](const op::Add&) { b.add(out, in(0), in(1)); },
            [&](const op::Subtract&) { b.sub(out, in(0), in(1)); },
            [&](const op::Multiply&) { b.mul(out, in(0), in(1)); },
            [&](const op::Divide&) { b.div(out, in(0), in(1)); },
            [&](const op::FakeQuantize&) { quantize(node); },
            [&](const op::DynamicFakeQuantize&) { dynamic_quantize(node); }},
        node.op);
  }

  const Graph& graph_;
  OnnxBuilder builder_;
  QuantizedSpelling spelling_;
  std::set<std::string> written_;  // constants by their names in the file
  std::map<TensorId, torch::ScalarType> zero_point_types_;
  std::map<TensorId, OnnxBuilder::DynamicallyQuantized> dynamic_;
};

}  // namespace

OnnxModel emit(Graph graph, const std::vector<std::string>& outputs, int64_t opset,
               const QuantizedSpelling& spelling) {
  require(opset >= kOldestOpset && opset <= kNewestOpset, "opset ", opset,
          " cannot be written; known: ", kOldestOpset, " to ", kNewestOpset);
  const torch::NoGradGuard no_grad;
  graph.tensors.at(graph.inputs.at(0)).name = "images";
  TORCH_CHECK(graph.outputs.size() == outputs.size(), "the graph has ", graph.outputs.size(),
              " outputs, ", outputs.size(), " names were given");
  for (size_t i = 0; i < outputs.size(); ++i) graph.tensors.at(graph.outputs[i]).name = outputs[i];
  return Emitter(graph, opset, spelling).run();
}

}  // namespace plateforge
