#include "export/onnx_export.h"

#include <nlohmann/json.hpp>
#include <set>

#include "configs/atomic_file.h"
#include "configs/error.h"
#include "export/onnx_writer.h"
#include "export/portable.h"
#include "models/graph/trace.h"

namespace plateforge {
namespace {

constexpr int64_t kOldestOpset = 13, kNewestOpset = 17;  // of the spellings in OnnxBuilder

// Walks the graph and calls the builder's method for each node.
class Emitter {
 public:
  Emitter(const Graph& graph, OnnxBuilder& builder) : graph_(graph), builder_(builder) {}

  void emit() {
    for (const auto id : graph_.inputs) builder_.input(name(id), graph_.shape(id));
    for (const auto& node : graph_.nodes) emit(node);
    for (const auto id : graph_.outputs) builder_.output({name(id)}, graph_.shape(id));
  }

 private:
  const std::string& name(TensorId id) const { return graph_.tensor(id).name; }

  // A constant enters the file where it is first read.
  Edge edge(TensorId id) {
    const auto& tensor = graph_.tensor(id);
    if (tensor.is_constant() && written_.insert(id).second) {
      return builder_.initializer(tensor.name, tensor.value);
    }
    return {tensor.name};
  }
  std::vector<Edge> edges(const Node& node) {
    std::vector<Edge> all;
    for (const auto id : node.inputs) all.push_back(edge(id));
    return all;
  }

  Edge linear(const Node& node, const std::string& out) {
    const auto x = edge(node.inputs[0]);
    const bool has_bias = node.inputs.size() > 2;
    if (graph_.shape(node.inputs[0]).size() == 2) {
      const auto weight = edge(node.inputs[1]);
      const auto bias = has_bias ? edge(node.inputs[2]) : Edge{};
      return builder_.gemm(out, x, weight, has_bias ? &bias : nullptr);
    }
    const auto& weight = graph_.tensor(node.inputs[1]);
    const auto transposed = builder_.initializer(out + ".weight_t", weight.value.t());
    if (!has_bias) return builder_.matmul(out, x, transposed);
    return builder_.add(out, builder_.matmul(out + ".product", x, transposed),
                        edge(node.inputs[2]));
  }

  [[noreturn]] static void refuse(const Node& node) {
    fail("profile fp32 cannot hold ", node.name, ": the model is quantised");
  }

  void emit(const Node& node) {
    const auto& out = name(node.output);
    auto& b = builder_;
    if (node.as<op::Linear>()) {
      linear(node, out);
      return;
    }
    const auto in = edges(node);
    std::visit(
        Overloaded{[&](const op::Conv& o) {
                     const auto& weight = graph_.shape(node.inputs[1]);
                     b.conv(out, in[0], in[1], in.size() > 2 ? &in[2] : nullptr,
                            {weight[2], weight[3]}, o);
                   },
                   [&](const op::Linear&) {},
                   [&](const op::MatMul&) { b.matmul(out, in[0], in[1]); },
                   [&](const op::BatchNorm& o) { b.batch_normalization(out, in, o.epsilon); },
                   [&](const op::MaxPool& o) { b.max_pool(out, in[0], o); },
                   [&](const op::AveragePool& o) { b.average_pool(out, in[0], o); },
                   [&](const op::Mean& o) {
                     const bool global = o.keep_axes && o.axes == Shape{2, 3} &&
                                         graph_.shape(node.inputs[0]).size() == 4;
                     global ? b.global_average_pool(out, in[0]) : b.reduce_mean(out, in[0], o);
                   },
                   [&](const op::Slice& o) { b.slice(out, in[0], o); },
                   [&](const op::Concat& o) { b.concat(out, in, o.axis); },
                   [&](const op::Reshape& o) { b.reshape(out, in[0], o.shape); },
                   [&](const op::Permute& o) { b.transpose(out, in[0], o.order); },
                   [&](const op::Clamp& o) { b.clip(out, in[0], o.low, o.high); },
                   [&](const op::Softmax& o) { b.softmax(out, in[0], o.axis); },
                   [&](const op::LogSoftmax& o) { b.log_softmax(out, in[0], o.axis); },
                   [&](const op::Identity&) { b.identity(out, in[0]); },
                   [&](const op::Relu&) { b.relu(out, in[0]); },
                   [&](const op::Sigmoid&) { b.sigmoid(out, in[0]); },
                   [&](const op::Tanh&) { b.tanh(out, in[0]); },
                   [&](const op::Sqrt&) { b.sqrt(out, in[0]); },
                   [&](const op::Add&) { b.add(out, in[0], in[1]); },
                   [&](const op::Subtract&) { b.sub(out, in[0], in[1]); },
                   [&](const op::Multiply&) { b.mul(out, in[0], in[1]); },
                   [&](const op::Divide&) { b.div(out, in[0], in[1]); },
                   [&](const op::FakeQuantize&) { refuse(node); },
                   [&](const op::DynamicFakeQuantize&) { refuse(node); }},
        node.op);
  }

  const Graph& graph_;
  OnnxBuilder& builder_;
  std::set<TensorId> written_;
};

}  // namespace

OnnxModel to_onnx(Graph graph, int64_t opset, const std::map<std::string, std::string>& metadata) {
  require(opset >= kOldestOpset && opset <= kNewestOpset, "opset ", opset,
          " cannot be written; known: ", kOldestOpset, " to ", kNewestOpset);
  graph.tensors.at(graph.inputs.at(0)).name = "images";
  graph.tensors.at(graph.outputs.at(0)).name = "logits";
  OnnxBuilder builder(opset);
  Emitter(graph, builder).emit();
  auto& model = builder.model();
  model.producer_name = "plateforge";
  model.producer_version = PLATEFORGE_VERSION;
  model.graph_name = "network";
  model.metadata = metadata;
  return std::move(model);
}

std::map<std::string, std::string> onnx_metadata(const Model& model, const std::string& profile) {
  const nlohmann::json preprocessing = {{"channels", "BGR"},
                                        {"layout", "NCHW"},
                                        {"width", model.config.width},
                                        {"height", model.config.height},
                                        {"mean", 127.5},
                                        {"scale", 1.0 / 128}};
  return {{"region", model.region.name()},
          {"alphabet", nlohmann::json(model.region.alphabet()).dump()},
          {"blank", std::to_string(model.region.blank())},
          {"decoder", "ctc_greedy"},
          {"input", "images"},
          {"output", "logits"},
          {"preprocessing", preprocessing.dump()},
          {"profile", profile},
          {"tool", "plateforge"},
          {"tool_version", PLATEFORGE_VERSION}};
}

ExportedFile export_onnx(const Model& model, const std::filesystem::path& file,
                         const ExportOptions& options) {
  auto graph = trace(*model.network, {options.batch > 0 ? options.batch : -1, 3,
                                      model.config.height, model.config.width});
  prepare_for_export(graph);
  const auto onnx = to_onnx(std::move(graph), options.opset, onnx_metadata(model, "fp32"));
  const auto bytes = encode_onnx(onnx);
  write_file_atomically(file, bytes);
  return {file, static_cast<int64_t>(bytes.size()), static_cast<int64_t>(onnx.nodes.size())};
}

}  // namespace plateforge
