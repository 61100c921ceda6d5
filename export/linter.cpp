#include "export/linter.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <optional>
#include <set>

#include "export/onnx_fields.h"

namespace plateforge {
namespace {

using torch::Tensor;

constexpr const char* kOrt = "onnxruntime";
constexpr const char* kOpenVino = "openvino";
constexpr const char* kTensorRt = "tensorrt";
constexpr const char* kTvm = "tvm";

bool is_any(const OnnxNode& node, const std::set<std::string>& types) {
  return types.count(node.op_type) > 0;
}
bool multiplies(const OnnxNode& node) {
  return is_any(node, {"Conv", "Gemm", "MatMul", "ConvInteger", "MatMulInteger"});
}
bool passes_values(const OnnxNode& node) {
  return is_any(node,
                {"MaxPool", "Resize", "Slice", "Reshape", "Transpose", "Squeeze", "Unsqueeze"});
}
bool is_activation(const OnnxNode& node) { return is_any(node, {"Relu", "Clip"}); }

int64_t axis_of(const OnnxNode& node) {
  const auto found = node.attributes.find("axis");
  return found == node.attributes.end() ? 1 : std::get<int64_t>(found->second);
}

// The file as a net: who computes and who reads a tensor.
class FileView {
 public:
  explicit FileView(const OnnxModel& model) {
    for (const auto& [name, value] : model.initializers) constants_[name] = value;
    for (const auto& node : model.nodes) {
      for (const auto& output : node.outputs) producers_[output] = &node;
      for (const auto& input : node.inputs) readers_[input].push_back(&node);
    }
    for (const auto& output : model.outputs) outputs_.insert(output.name);
  }

  const OnnxNode* producer(const std::string& name) const {
    const auto found = producers_.find(name);
    return found == producers_.end() ? nullptr : found->second;
  }
  // Nodes; a node that reads the tensor twice counts twice.
  std::vector<const OnnxNode*> readers(const std::string& name) const {
    const auto found = readers_.find(name);
    return found == readers_.end() ? std::vector<const OnnxNode*>() : found->second;
  }
  const Tensor* constant(const std::string& name) const {
    const auto found = constants_.find(name);
    return found == constants_.end() ? nullptr : &found->second;
  }
  bool is_output(const std::string& name) const { return outputs_.count(name) > 0; }

  // The one node that reads a tensor, when it is of that type.
  const OnnxNode* only_reader(const std::string& name) const {
    const auto all = readers(name);
    return all.size() == 1 && !is_output(name) ? all[0] : nullptr;
  }

 private:
  std::map<std::string, const OnnxNode*> producers_;
  std::map<std::string, std::vector<const OnnxNode*>> readers_;
  std::map<std::string, Tensor> constants_;
  std::set<std::string> outputs_;
};

// What a DequantizeLinear stands for.
struct Integers {
  const OnnxNode* node = nullptr;
  torch::ScalarType type = torch::kByte;
  Tensor scale = {}, zero_point = {};
  bool constant = false;      // a weight or bias
  bool stored_float = false;  // a constant that is quantised in the file

  bool is_8_bit() const { return type == torch::kByte || type == torch::kChar; }
  bool per_channel() const { return scale.defined() && scale.numel() > 1; }
};

class Linter {
 public:
  explicit Linter(const OnnxModel& model) : model_(model), file_(model) {}

  LintReport run() {
    for (const auto& node : model_.nodes) {
      if (multiplies(node)) check_kernel(node);
      if (node.op_type == "QuantizeLinear") check_quantizer(node);
      if (is_any(node, {"AveragePool", "GlobalAveragePool", "MaxPool"})) check_pool(node);
    }
    return std::move(report_);
  }

 private:
  std::optional<Integers> integers(const std::string& name) const {
    const auto* node = file_.producer(name);
    if (!node || node->op_type != "DequantizeLinear") return std::nullopt;
    Integers result{.node = node};
    if (const auto* scale = file_.constant(node->inputs[1])) result.scale = *scale;
    const bool has_zero = node->inputs.size() > 2 && file_.constant(node->inputs[2]);
    const auto* quantizer = file_.producer(node->inputs[0]);
    result.stored_float = quantizer && file_.constant(quantizer->inputs[0]);
    result.constant = file_.constant(node->inputs[0]) || result.stored_float;
    if (const auto* stored = file_.constant(node->inputs[0]))
      result.type = stored->scalar_type();
    else if (has_zero)
      result.type = file_.constant(node->inputs[2])->scalar_type();
    result.zero_point = has_zero ? *file_.constant(node->inputs[2]) : torch::zeros({}, result.type);
    return result.scale.defined() ? std::optional(result) : std::nullopt;
  }

  // The quantiser behind a node, and whether the ReLU or clip before it stays.
  struct OutputQuantizer {
    const OnnxNode* quantizer = nullptr;
    bool kept_activation = false;
  };
  OutputQuantizer output_quantizer(const OnnxNode& node) const {
    const auto* reader = file_.only_reader(node.outputs[0]);
    const bool activated = reader && is_activation(*reader);
    if (activated) reader = file_.only_reader(reader->outputs[0]);
    if (!reader || reader->op_type != "QuantizeLinear") return {};
    return {reader, activated && !clips_alike(*file_.producer(reader->inputs[0]), *reader)};
  }

  // Gemm's own, or what a MatMul's only reader adds to its columns.
  bool has_float_bias(const OnnxNode& node) const {
    if (node.op_type == "Gemm") return node.inputs.size() > 2 && !integers(node.inputs[2]);
    const auto* add = file_.only_reader(node.outputs[0]);
    if (!add || add->op_type != "Add") return false;
    return std::any_of(add->inputs.begin(), add->inputs.end(), [&](const std::string& input) {
      const auto* value = file_.constant(input);
      return value && value->dim() <= 1;
    });
  }

  // Whether the integers end where the activation clips, which makes it superfluous.
  bool clips_alike(const OnnxNode& activation, const OnnxNode& quantizer) const {
    const auto *scale = file_.constant(quantizer.inputs[1]),
               *zero = file_.constant(quantizer.inputs.at(2));
    if (!scale || !zero || scale->numel() != 1) return false;
    const auto limits = onnx::integer_limits(zero->scalar_type());
    if (!limits) return false;
    const auto real = [&](int64_t step) {
      return scale->item<float>() *
             static_cast<float>(step - zero->to(torch::kInt).item<int64_t>());
    };
    const auto bound = [&](size_t input, float otherwise) {
      const bool given = activation.op_type == "Clip" && activation.inputs.size() > input;
      const auto* value = given ? file_.constant(activation.inputs[input]) : nullptr;
      return value ? value->item<float>() : otherwise;
    };
    return real(limits->first) >= bound(1, activation.op_type == "Relu" ? 0.0F : -INFINITY) &&
           real(limits->second) <= bound(2, INFINITY);
  }

  void add(const char* runtime, const OnnxNode& node, const std::string& text) {
    for (auto& finding : report_.findings) {
      if (finding.runtime != runtime || finding.text != text) continue;
      ++finding.more;
      return;
    }
    report_.findings.push_back({runtime, node.name, text});
  }

  void check_kernel(const OnnxNode& node) {
    KernelForecast kernel{node.name, node.op_type};
    if (is_any(node, {"ConvInteger", "MatMulInteger"})) {
      kernel.onnxruntime = true;
      if (node.op_type == "ConvInteger")
        add(kOrt, node,
            "ConvInteger is several times slower than the float convolution: it saves space, not "
            "time");
      add(kTensorRt, node, "TensorRT has no ConvInteger and no MatMulInteger");
      add(kTvm, node, "TVM has no ConvInteger");
    } else {
      const auto x = integers(node.inputs[0]), weight = integers(node.inputs[1]);
      if (x && weight) {
        kernel.onnxruntime = runs_integer_in_ort(node, *x, *weight);
        check_weight(node, *weight);
        check_for_tensorrt(node, *x);
      } else if (weight && weight->constant) {
        add(kOrt, node,
            "its weights are integers but its input is float: they are turned into floats on every "
            "run, which saves space, not time");
      }
      kernel.openvino = runs_integer_in_openvino(node, weight);
    }
    report_.kernels.push_back(kernel);
  }

  bool runs_integer_in_ort(const OnnxNode& node, const Integers& x, const Integers& weight) {
    const auto refuse = [&](const std::string& text) {
      add(kOrt, node, text);
      return false;
    };
    if (!x.is_8_bit() || !weight.is_8_bit())
      return refuse("16-bit values have no integer kernel and are computed in float");
    if (x.per_channel())
      return refuse("its input has a scale per channel, so it is computed in float");
    const auto output = output_quantizer(node);
    const bool conv = node.op_type == "Conv";
    if (!output.quantizer) {
      if (conv)
        return refuse(
            "no QuantizeLinear behind its output: computed in float, its weights turned into "
            "floats on every run");
      if (!has_float_bias(node)) return true;  // Gemm and MatMul may answer in float
      return refuse(
          "its bias is float and no QuantizeLinear is behind it: ONNX Runtime makes a float Gemm "
          "of them and its weights floats on every run; store the bias as int32 in steps of input "
          "scale times weight scale");
    }
    if (output.kept_activation)
      return refuse(
          "the integers behind its ReLU do not end where that clips (zero point not the lowest), "
          "so "
          "it stays and nothing fuses; use unsigned activations");
    if (!bias_fits(node, x, weight)) return false;
    if (x.type == torch::kChar) return signed_input_fits(node, x, *output.quantizer);
    return true;
  }

  // ORT turns signed activations into unsigned ones where exactly one edge leaves the quantiser.
  bool signed_input_fits(const OnnxNode& node, const Integers& x, const OnnxNode& output) {
    const auto* quantizer = file_.producer(x.node->inputs[0]);
    const auto one_edge = [&](const OnnxNode* q) {
      const auto* dequantizer = q ? file_.only_reader(q->outputs[0]) : nullptr;
      return dequantizer && file_.readers(dequantizer->outputs[0]).size() == 1;
    };
    if (one_edge(quantizer) && one_edge(&output)) return true;
    add(kOrt, node, "signed activations with several readers stay float; use unsigned activations");
    return false;
  }

  bool bias_fits(const OnnxNode& node, const Integers& x, const Integers& weight) {
    if (node.inputs.size() < 3 || node.inputs[2].empty()) return true;
    const auto bias = integers(node.inputs[2]);
    if (!bias) {
      add(kOrt, node,
          "its bias is float, which ONNX Runtime below 1.18 does not fuse and runs 4 to 9 times "
          "slower");
      return true;
    }
    const auto product = x.scale * weight.scale;
    if (bias->type == torch::kInt && torch::allclose(bias->scale, product.expand_as(bias->scale),
                                                     /*rtol=*/1e-5, /*atol=*/0))
      return true;
    add(kOrt, node,
        "the scale of its bias is not that of input times weight: computed in float, before "
        "version 1.24 computed wrongly");
    return false;
  }

  // Integers reach it through pools, slices and reshapes; a float bias and output are fine.
  bool runs_integer_in_openvino(const OnnxNode& node, const std::optional<Integers>& weight) {
    if (!weight || !weight->is_8_bit()) return false;
    auto name = node.inputs[0];
    for (const auto* source = file_.producer(name); source && passes_values(*source);
         source = file_.producer(name))
      name = source->inputs[0];
    const auto x = integers(name);
    if (!x || !x->is_8_bit()) return false;
    if (x->type == torch::kChar)
      add(kOpenVino, node,
          "signed activations are computed unfaithfully: 4 to 8 points of plates were lost where "
          "ONNX Runtime lost none");
    return !x->per_channel();
  }

  void check_weight(const OnnxNode& node, const Integers& weight) {
    if (weight.type == torch::kByte)
      add(kOrt, node, "unsigned weights run up to 40 % slower than signed ones");
    const auto channels = node.op_type == "Conv" ? 0 : -1;
    if (weight.per_channel() && channels == 0 && axis_of(*weight.node) != 0)
      add(kOrt, *weight.node, "the scales of a convolution's weights belong to axis 0");
  }

  void check_for_tensorrt(const OnnxNode& node, const Integers& x) {
    if (x.type != torch::kChar || x.zero_point.to(torch::kInt).ne(0).any().item<bool>())
      add(kTensorRt, node, "its input is not signed with zero point 0, which the parser refuses");
    if (node.inputs.size() > 2 && integers(node.inputs[2]))
      add(kTensorRt, node, "an integer bias is refused; leave it float");
  }

  void check_quantizer(const OnnxNode& node) {
    const auto* scale = file_.constant(node.inputs[1]);
    if (scale && scale->dim() == 1 && scale->numel() == 1)
      add(kTvm, node, "its scale has shape [1] instead of being a scalar, where TVM crashes");
    const auto readers = file_.readers(node.outputs[0]);
    if (readers.size() > 1)
      add(kOpenVino, node,
          "several DequantizeLinear read it, so the pair is not recognised; share one");
  }

  void check_pool(const OnnxNode& node) {
    const auto kernel = node.attributes.find("kernel_shape");
    if (kernel != node.attributes.end() &&
        std::get<std::vector<int64_t>>(kernel->second).size() > 2 && integers(node.inputs[0]))
      add(kOrt, node, "a pool over more than two axes on integers is 5 times slower than over two");
    if (node.op_type == "MaxPool") {
      check_max_pool(node);
    } else if (integers(node.inputs[0]) && output_quantizer(node).quantizer) {
      add(kOrt, node, "an integer average pool is slower than the float one");
    }
  }

  // On integers ORT pools fast only where the channels of a pixel lie together, which an integer
  // convolution before or behind brings about.
  void check_max_pool(const OnnxNode& node) {
    const auto x = integers(node.inputs[0]);
    if (!x || !output_quantizer(node).quantizer) return;
    const auto* quantizer = file_.producer(x->node->inputs[0]);
    auto* source = quantizer ? file_.producer(quantizer->inputs[0]) : nullptr;
    if (source && is_activation(*source)) source = file_.producer(source->inputs[0]);
    if (!source || source->op_type != "Conv") return;
    for (const auto& kernel : report_.kernels)
      if (kernel.node == source->name && !kernel.onnxruntime)
        add(kOrt, node,
            "a max-pool on integers behind a float convolution is 50 times slower than on floats");
  }

  const OnnxModel& model_;
  FileView file_;
  LintReport report_;
};

}  // namespace

int64_t LintReport::integer_kernels(const std::string& runtime) const {
  return std::count_if(kernels.begin(), kernels.end(), [&](const KernelForecast& kernel) {
    return runtime == kOrt ? kernel.onnxruntime : kernel.openvino;
  });
}

std::vector<LintFinding> LintReport::about(const std::vector<std::string>& runtimes) const {
  std::vector<LintFinding> chosen;
  for (const auto& finding : findings) {
    if (std::find(runtimes.begin(), runtimes.end(), finding.runtime) != runtimes.end())
      chosen.push_back(finding);
  }
  return chosen;
}

nlohmann::json LintReport::to_json() const {
  nlohmann::json json = {
      {"kernels", nlohmann::json::array()},
      {"findings", nlohmann::json::array()},
      {"integer_kernels",
       {{kOrt, integer_kernels(kOrt)}, {kOpenVino, integer_kernels(kOpenVino)}}}};
  for (const auto& kernel : kernels)
    json["kernels"].push_back({{"node", kernel.node},
                               {"op", kernel.op_type},
                               {kOrt, kernel.onnxruntime},
                               {kOpenVino, kernel.openvino}});
  for (const auto& finding : findings)
    json["findings"].push_back({{"runtime", finding.runtime},
                                {"node", finding.node},
                                {"text", finding.text},
                                {"nodes", finding.more + 1}});
  return json;
}

LintReport lint(const OnnxModel& model) { return Linter(model).run(); }

}  // namespace plateforge
