#include "export/onnx_writer.h"

#include <protozero/pbf_writer.hpp>

#include "export/onnx_fields.h"

namespace plateforge {
namespace {

using protozero::pbf_writer;
using torch::Tensor;

void write_message(pbf_writer& parent, uint32_t field, const auto& fill) {
  pbf_writer message(parent, field);
  fill(message);
}

void write_tensor(pbf_writer& out, const std::string& name, const Tensor& value) {
  const auto bytes = value.detach().cpu().contiguous();
  for (const auto extent : bytes.sizes()) out.add_int64(onnx::tensor::kDims, extent);
  out.add_int32(onnx::tensor::kDataType, onnx::data_type(bytes.scalar_type()));
  if (!name.empty()) out.add_string(onnx::tensor::kName, name);
  out.add_bytes(onnx::tensor::kRawData, static_cast<const char*>(bytes.data_ptr()), bytes.nbytes());
}

void write_attribute(pbf_writer& out, const std::string& name, const OnnxAttribute& attribute) {
  out.add_string(onnx::attribute::kName, name);
  const auto type = [&](int32_t code) { out.add_int32(onnx::attribute::kType, code); };
  std::visit(
      Overloaded{[&](int64_t value) {
                   out.add_int64(onnx::attribute::kInt, value), type(onnx::attribute::kIntType);
                 },
                 [&](float value) {
                   out.add_float(onnx::attribute::kFloat, value), type(onnx::attribute::kFloatType);
                 },
                 [&](const std::string& value) {
                   out.add_string(onnx::attribute::kString, value);
                   type(onnx::attribute::kStringType);
                 },
                 [&](const std::vector<int64_t>& values) {
                   for (const auto value : values) out.add_int64(onnx::attribute::kInts, value);
                   type(onnx::attribute::kIntsType);
                 },
                 [&](const std::vector<float>& values) {
                   for (const auto value : values) out.add_float(onnx::attribute::kFloats, value);
                   type(onnx::attribute::kFloatsType);
                 },
                 [&](const Tensor& value) {
                   write_message(out, onnx::attribute::kTensor,
                                 [&](pbf_writer& t) { write_tensor(t, "", value); });
                   type(onnx::attribute::kTensorType);
                 }},
      attribute);
}

void write_node(pbf_writer& out, const OnnxNode& node) {
  for (const auto& input : node.inputs) out.add_string(onnx::node::kInput, input);
  for (const auto& output : node.outputs) out.add_string(onnx::node::kOutput, output);
  out.add_string(onnx::node::kName, node.name);
  out.add_string(onnx::node::kOpType, node.op_type);
  for (const auto& [name, value] : node.attributes) {
    write_message(out, onnx::node::kAttribute,
                  [&](pbf_writer& a) { write_attribute(a, name, value); });
  }
}

// Open extents of one name are equal to runtimes.
std::string open_extent(const OnnxValue& value, size_t axis) {
  if (axis == 0) return "N";
  if (value.shape.size() == 4 && axis >= 2) return axis == 2 ? "height" : "width";
  return value.name + "_anchors";
}

void write_value(pbf_writer& out, const OnnxValue& value) {
  out.add_string(onnx::value_info::kName, value.name);
  write_message(out, onnx::value_info::kType, [&](pbf_writer& type) {
    write_message(type, onnx::type::kTensorType, [&](pbf_writer& tensor) {
      tensor.add_int32(onnx::type::kElemType, onnx::data_type(torch::kFloat));
      write_message(tensor, onnx::type::kShape, [&](pbf_writer& shape) {
        for (size_t axis = 0; axis < value.shape.size(); ++axis) {
          write_message(shape, onnx::shape::kDim, [&](pbf_writer& dim) {
            if (value.shape[axis] < 0) {
              dim.add_string(onnx::shape::kDimParam, open_extent(value, axis));
            } else {
              dim.add_int64(onnx::shape::kDimValue, value.shape[axis]);
            }
          });
        }
      });
    });
  });
}

void write_graph(pbf_writer& out, const OnnxModel& model) {
  for (const auto& node : model.nodes) {
    write_message(out, onnx::graph::kNode, [&](pbf_writer& n) { write_node(n, node); });
  }
  out.add_string(onnx::graph::kName, model.graph_name);
  for (const auto& [name, value] : model.initializers) {
    write_message(out, onnx::graph::kInitializer,
                  [&](pbf_writer& t) { write_tensor(t, name, value); });
  }
  for (const auto& value : model.inputs) {
    write_message(out, onnx::graph::kInput, [&](pbf_writer& v) { write_value(v, value); });
  }
  for (const auto& value : model.outputs) {
    write_message(out, onnx::graph::kOutput, [&](pbf_writer& v) { write_value(v, value); });
  }
}

// Integers of a node's attribute: ONNX wants begin pads, then end pads.
Shape both_ends(const Shape& padding) {
  auto pads = padding;
  pads.insert(pads.end(), padding.begin(), padding.end());
  return pads;
}

std::map<std::string, OnnxAttribute> conv_attributes(const Shape& kernel, const op::Conv& conv) {
  // kernel_shape could be inferred from the weight, but OpenCV 4.6 demands it.
  return {{"kernel_shape", kernel},
          {"strides", conv.stride},
          {"pads", both_ends(conv.padding)},
          {"dilations", conv.dilation},
          {"group", conv.groups}};
}

std::map<std::string, OnnxAttribute> axis_attribute(int64_t axis) {
  if (axis < 0) return {};
  return {{"axis", axis}};
}

}  // namespace

std::string encode_onnx(const OnnxModel& model) {
  std::string bytes;
  pbf_writer out(bytes);
  out.add_int64(onnx::model::kIrVersion, model.ir_version);
  out.add_string(onnx::model::kProducerName, model.producer_name);
  out.add_string(onnx::model::kProducerVersion, model.producer_version);
  if (!model.doc_string.empty()) out.add_string(onnx::model::kDocString, model.doc_string);
  write_message(out, onnx::model::kGraph, [&](pbf_writer& g) { write_graph(g, model); });
  write_message(out, onnx::model::kOpsetImport, [&](pbf_writer& opset) {
    opset.add_string(onnx::opset::kDomain, "");
    opset.add_int64(onnx::opset::kVersion, model.opset);
  });
  for (const auto& [key, value] : model.metadata) {
    write_message(out, onnx::model::kMetadataProps, [&](pbf_writer& entry) {
      entry.add_string(onnx::entry::kKey, key);
      entry.add_string(onnx::entry::kValue, value);
    });
  }
  return bytes;
}

void set_opset(OnnxModel& model, int64_t opset) {
  model.opset = opset;
  model.ir_version = opset >= 21 ? 10 : opset >= 19 ? 9 : opset >= 15 ? 8 : 7;
}

OnnxBuilder::OnnxBuilder(int64_t opset) { set_opset(model_, opset); }

Edge OnnxBuilder::input(const std::string& name, const Shape& shape) {
  model_.inputs.push_back({name, shape});
  return {name};
}

void OnnxBuilder::output(const Edge& edge, const Shape& shape) {
  model_.outputs.push_back({edge.name, shape});
}

Edge OnnxBuilder::initializer(const std::string& name, const Tensor& value) {
  model_.initializers.emplace_back(name, value);
  return {name};
}

Edge OnnxBuilder::conv(const std::string& name, const Edge& x, const Edge& weight, const Edge* bias,
                       const Shape& kernel, const op::Conv& conv) {
  std::vector<Edge> inputs{x, weight};
  if (bias) inputs.push_back(*bias);
  return append("Conv", name, inputs, conv_attributes(kernel, conv));
}

Edge OnnxBuilder::gemm(const std::string& name, const Edge& x, const Edge& weight,
                       const Edge* bias) {
  std::vector<Edge> inputs{x, weight};
  if (bias) inputs.push_back(*bias);
  return append("Gemm", name, inputs, {{"transB", int64_t{1}}});
}

Edge OnnxBuilder::matmul(const std::string& name, const Edge& a, const Edge& b) {
  return append("MatMul", name, {a, b});
}

Edge OnnxBuilder::batch_normalization(const std::string& name, const std::vector<Edge>& inputs,
                                      double epsilon) {
  return append("BatchNormalization", name, inputs, {{"epsilon", static_cast<float>(epsilon)}});
}

Edge OnnxBuilder::max_pool(const std::string& name, const Edge& x, const op::MaxPool& pool) {
  return append(
      "MaxPool", name, {x},
      {{"kernel_shape", pool.kernel}, {"strides", pool.stride}, {"pads", both_ends(pool.padding)}});
}

Edge OnnxBuilder::average_pool(const std::string& name, const Edge& x,
                               const op::AveragePool& pool) {
  return append("AveragePool", name, {x},
                {{"kernel_shape", pool.kernel},
                 {"strides", pool.stride},
                 {"pads", both_ends(pool.padding)},
                 {"count_include_pad", int64_t{pool.count_padding}}});
}

Edge OnnxBuilder::global_average_pool(const std::string& name, const Edge& x) {
  return append("GlobalAveragePool", name, {x});
}

// Scales with these attributes are what every runtime reads alike; the region of interest is left
// out, which OpenCV 4.6 and TVM accept as an empty name.
Edge OnnxBuilder::resize_nearest(const std::string& name, const Edge& x, const Shape& factor) {
  const auto scales = torch::tensor(
      {1.0F, 1.0F, static_cast<float>(factor.at(0)), static_cast<float>(factor.at(1))});
  return append("Resize", name, {x, {""}, initializer(name + ".scales", scales)},
                {{"mode", std::string("nearest")},
                 {"coordinate_transformation_mode", std::string("asymmetric")},
                 {"nearest_mode", std::string("floor")}});
}

Edge OnnxBuilder::reduce_mean(const std::string& name, const Edge& x, const op::Mean& mean) {
  std::map<std::string, OnnxAttribute> attributes{{"keepdims", int64_t{mean.keep_axes}}};
  if (model_.opset >= 18) {
    return append("ReduceMean", name, {x, integers(name + ".axes", mean.axes)}, attributes);
  }
  attributes["axes"] = mean.axes;
  return append("ReduceMean", name, {x}, attributes);
}

Edge OnnxBuilder::slice(const std::string& name, const Edge& x, const op::Slice& slice) {
  return append(
      "Slice", name,
      {x, integers(name + ".starts", {slice.start}), integers(name + ".ends", {slice.stop}),
       integers(name + ".axes", {slice.axis}), integers(name + ".steps", {slice.step})});
}

Edge OnnxBuilder::concat(const std::string& name, const std::vector<Edge>& parts, int64_t axis) {
  return append("Concat", name, parts, {{"axis", axis}});
}

Edge OnnxBuilder::reshape(const std::string& name, const Edge& x, const Shape& shape) {
  return append("Reshape", name, {x, integers(name + ".shape", shape)});
}

Edge OnnxBuilder::transpose(const std::string& name, const Edge& x, const Shape& order) {
  return append("Transpose", name, {x}, {{"perm", order}});
}

Edge OnnxBuilder::clip(const std::string& name, const Edge& x, double low, double high) {
  const auto bound = [&](const char* suffix, double value) {
    return initializer(name + suffix, torch::tensor(static_cast<float>(value)));
  };
  return append("Clip", name, {x, bound(".low", low), bound(".high", high)});
}

Edge OnnxBuilder::softmax(const std::string& name, const Edge& x, int64_t axis) {
  return append("Softmax", name, {x}, {{"axis", axis}});
}

Edge OnnxBuilder::log_softmax(const std::string& name, const Edge& x, int64_t axis) {
  return append("LogSoftmax", name, {x}, {{"axis", axis}});
}

Edge OnnxBuilder::identity(const std::string& name, const Edge& x) {
  return append("Identity", name, {x});
}

Edge OnnxBuilder::relu(const std::string& name, const Edge& x) { return append("Relu", name, {x}); }

Edge OnnxBuilder::sigmoid(const std::string& name, const Edge& x) {
  return append("Sigmoid", name, {x});
}

Edge OnnxBuilder::erf(const std::string& name, const Edge& x) { return append("Erf", name, {x}); }
Edge OnnxBuilder::tanh(const std::string& name, const Edge& x) { return append("Tanh", name, {x}); }

Edge OnnxBuilder::sqrt(const std::string& name, const Edge& x) { return append("Sqrt", name, {x}); }

Edge OnnxBuilder::add(const std::string& name, const Edge& a, const Edge& b) {
  return append("Add", name, {a, b});
}

Edge OnnxBuilder::sub(const std::string& name, const Edge& a, const Edge& b) {
  return append("Sub", name, {a, b});
}

Edge OnnxBuilder::mul(const std::string& name, const Edge& a, const Edge& b) {
  return append("Mul", name, {a, b});
}

Edge OnnxBuilder::div(const std::string& name, const Edge& a, const Edge& b) {
  return append("Div", name, {a, b});
}

Edge OnnxBuilder::quantize_linear(const std::string& name, const Edge& x, const Edge& scale,
                                  const Edge& zero_point, int64_t axis) {
  return append("QuantizeLinear", name, {x, scale, zero_point}, axis_attribute(axis));
}

Edge OnnxBuilder::dequantize_linear(const std::string& name, const Edge& x, const Edge& scale,
                                    const Edge& zero_point, int64_t axis) {
  return append("DequantizeLinear", name, {x, scale, zero_point}, axis_attribute(axis));
}

OnnxBuilder::DynamicallyQuantized OnnxBuilder::dynamic_quantize_linear(const std::string& name,
                                                                       const Edge& x) {
  const DynamicallyQuantized result{{name}, {name + ".scale"}, {name + ".zero_point"}};
  append("DynamicQuantizeLinear", name, {x});
  model_.nodes.back().outputs = {result.values.name, result.scale.name, result.zero_point.name};
  return result;
}

Edge OnnxBuilder::conv_integer(const std::string& name, const DynamicallyQuantized& x,
                               const Edge& weight, const Shape& kernel, const op::Conv& conv) {
  return append("ConvInteger", name, {x.values, weight, x.zero_point},
                conv_attributes(kernel, conv));
}

Edge OnnxBuilder::matmul_integer(const std::string& name, const DynamicallyQuantized& a,
                                 const Edge& b) {
  return append("MatMulInteger", name, {a.values, b, a.zero_point});
}

Edge OnnxBuilder::cast(const std::string& name, const Edge& x, torch::ScalarType type) {
  return append("Cast", name, {x}, {{"to", int64_t{onnx::data_type(type)}}});
}

Edge OnnxBuilder::append(const char* op_type, const std::string& name,
                         const std::vector<Edge>& inputs,
                         std::map<std::string, OnnxAttribute> attributes) {
  OnnxNode node{op_type, name, {}, {name}, std::move(attributes)};
  for (const auto& edge : inputs) node.inputs.push_back(edge.name);
  model_.nodes.push_back(std::move(node));
  return {name};
}

Edge OnnxBuilder::integers(const std::string& name, const Shape& values) {
  return initializer(name, torch::tensor(values, torch::kLong));
}

}  // namespace plateforge
