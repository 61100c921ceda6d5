#include "export/onnx_reader.h"

#include <cstring>
#include <protozero/pbf_reader.hpp>
#include <set>

#include "configs/atomic_file.h"
#include "configs/error.h"
#include "export/onnx_fields.h"
#include "models/graph/graph.h"

namespace plateforge {
namespace {

using protozero::pbf_reader;
using protozero::pbf_wire_type;
using torch::Tensor;

constexpr auto kBytes = pbf_wire_type::length_delimited;
constexpr auto kVarint = pbf_wire_type::varint;
constexpr auto kFixed32 = pbf_wire_type::fixed32;

// Walks one message. A field of another wire type than expected is not the field we know, so it is
// passed over like an unknown one; what it should have said is then missed by the checks.
class Fields {
 public:
  explicit Fields(pbf_reader message) : message_(message) {}

  bool next() {
    if (fresh_ && !used_) message_.skip();
    used_ = false;
    return fresh_ = message_.next();
  }
  bool is(uint32_t field, pbf_wire_type type) {
    const bool matches = message_.tag_and_type() == protozero::tag_and_type(field, type);
    used_ = used_ || matches;
    return matches;
  }
  pbf_reader message() { return message_.get_message(); }
  std::string text() { return message_.get_string(); }
  std::string_view view() {
    const auto view = message_.get_view();
    return {view.data(), view.size()};
  }
  int64_t integer() { return message_.get_int64(); }
  float real() { return message_.get_float(); }
  void packed_integers(std::vector<int64_t>& into) {
    for (const auto value : message_.get_packed_int64()) into.push_back(value);
  }
  void packed_reals(std::vector<float>& into) {
    for (const auto value : message_.get_packed_float()) into.push_back(value);
  }

  // Repeated numbers, one by one or packed.
  bool integers(uint32_t field, std::vector<int64_t>& into) {
    if (is(field, kVarint)) return into.push_back(integer()), true;
    if (is(field, kBytes)) return packed_integers(into), true;
    return false;
  }
  bool reals(uint32_t field, std::vector<float>& into) {
    if (is(field, kFixed32)) return into.push_back(real()), true;
    if (is(field, kBytes)) return packed_reals(into), true;
    return false;
  }

 private:
  pbf_reader message_;
  bool fresh_ = false, used_ = false;
};

struct TensorParts {
  std::string name;
  int64_t type = 0;
  Shape dims;
  std::string_view raw;
  std::vector<float> reals;
  std::vector<int64_t> integers;
};

// Elements of a shape, or nullopt when that overflows or an extent is negative.
std::optional<int64_t> safe_elements(const Shape& dims) {
  int64_t count = 1;
  for (const auto extent : dims) {
    if (extent < 0 || __builtin_mul_overflow(count, extent, &count)) return std::nullopt;
  }
  return count;
}

Tensor assemble(const TensorParts& parts) {
  const auto type = onnx::scalar_type(static_cast<int32_t>(parts.type));
  require(type.has_value(), "tensor '", parts.name, "' has the unknown type code ", parts.type);
  const auto count = safe_elements(parts.dims);
  require(count.has_value(), "tensor '", parts.name, "' has an impossible shape");
  const auto size = static_cast<int64_t>(c10::elementSize(*type));
  const auto check = [&](size_t came, int64_t expected, const char* unit) {
    require(static_cast<int64_t>(came) == expected, "tensor '", parts.name, "' of shape ",
            shape_text(parts.dims), " needs ", expected, " ", unit, ", the file has ", came);
  };
  if (parts.raw.empty() && !parts.reals.empty()) {
    check(parts.reals.size(), *count, "numbers");
    return torch::tensor(parts.reals).reshape(parts.dims).to(*type);
  }
  if (parts.raw.empty() && !parts.integers.empty()) {
    check(parts.integers.size(), *count, "numbers");
    return torch::tensor(parts.integers, torch::kLong).reshape(parts.dims).to(*type);
  }
  require(*count <= static_cast<int64_t>(parts.raw.size()), "tensor '", parts.name, "' of shape ",
          shape_text(parts.dims), " has only ", parts.raw.size(), " bytes in the file");
  check(parts.raw.size(), *count * size, "bytes");
  auto value = torch::empty(parts.dims, *type);
  if (*count) std::memcpy(value.data_ptr(), parts.raw.data(), parts.raw.size());
  return value;
}

Tensor read_tensor(Fields in, std::string* name) {
  TensorParts parts;
  while (in.next()) {
    if (in.integers(onnx::tensor::kDims, parts.dims) ||
        in.reals(onnx::tensor::kFloatData, parts.reals) ||
        in.integers(onnx::tensor::kInt32Data, parts.integers) ||
        in.integers(onnx::tensor::kInt64Data, parts.integers)) {
      continue;
    }
    if (in.is(onnx::tensor::kDataType, kVarint))
      parts.type = in.integer();
    else if (in.is(onnx::tensor::kName, kBytes))
      parts.name = in.text();
    else if (in.is(onnx::tensor::kRawData, kBytes))
      parts.raw = in.view();
  }
  if (name) *name = parts.name;
  return assemble(parts);
}

struct AttributeParts {
  std::string name, text;
  int64_t type = 0, integer = 0;
  float real = 0;
  std::vector<int64_t> integers;
  std::vector<float> reals;
  std::optional<Tensor> tensor;
};

OnnxAttribute assemble(const AttributeParts& parts) {
  switch (parts.type) {
    case onnx::attribute::kIntType:
      return parts.integer;
    case onnx::attribute::kFloatType:
      return parts.real;
    case onnx::attribute::kStringType:
      return parts.text;
    case onnx::attribute::kIntsType:
      return parts.integers;
    case onnx::attribute::kFloatsType:
      return parts.reals;
    case onnx::attribute::kTensorType:
      require(parts.tensor.has_value(), "attribute '", parts.name, "' lacks its tensor");
      return *parts.tensor;
    default:
      fail("attribute '", parts.name, "' has the unknown type code ", parts.type);
  }
}

void read_attribute(Fields in, OnnxNode& node) {
  AttributeParts parts;
  while (in.next()) {
    if (in.integers(onnx::attribute::kInts, parts.integers) ||
        in.reals(onnx::attribute::kFloats, parts.reals)) {
      continue;
    }
    if (in.is(onnx::attribute::kName, kBytes))
      parts.name = in.text();
    else if (in.is(onnx::attribute::kType, kVarint))
      parts.type = in.integer();
    else if (in.is(onnx::attribute::kInt, kVarint))
      parts.integer = in.integer();
    else if (in.is(onnx::attribute::kFloat, kFixed32))
      parts.real = in.real();
    else if (in.is(onnx::attribute::kString, kBytes))
      parts.text = in.text();
    else if (in.is(onnx::attribute::kTensor, kBytes)) {
      parts.tensor = read_tensor(Fields(in.message()), nullptr);
    }
  }
  node.attributes[parts.name] = assemble(parts);
}

OnnxNode read_node(Fields in) {
  OnnxNode node;
  while (in.next()) {
    if (in.is(onnx::node::kInput, kBytes))
      node.inputs.push_back(in.text());
    else if (in.is(onnx::node::kOutput, kBytes))
      node.outputs.push_back(in.text());
    else if (in.is(onnx::node::kName, kBytes))
      node.name = in.text();
    else if (in.is(onnx::node::kOpType, kBytes))
      node.op_type = in.text();
    else if (in.is(onnx::node::kAttribute, kBytes))
      read_attribute(Fields(in.message()), node);
  }
  return node;
}

int64_t read_dim(Fields in) {
  int64_t extent = -1;  // dim_param or nothing: open
  while (in.next()) {
    if (in.is(onnx::shape::kDimValue, kVarint)) extent = in.integer();
  }
  return extent;
}

// TypeProto { tensor_type { elem_type, shape { dim* } } }
void read_type(Fields in, OnnxValue& value) {
  int64_t type = 0;
  while (in.next()) {
    if (!in.is(onnx::type::kTensorType, kBytes)) continue;
    Fields tensor(in.message());
    while (tensor.next()) {
      if (tensor.is(onnx::type::kElemType, kVarint)) type = tensor.integer();
      if (!tensor.is(onnx::type::kShape, kBytes)) continue;
      Fields shape(tensor.message());
      while (shape.next()) {
        if (shape.is(onnx::shape::kDim, kBytes)) {
          value.shape.push_back(read_dim(Fields(shape.message())));
        }
      }
    }
  }
  require(type == onnx::data_type(torch::kFloat), "'", value.name,
          "' must be a float tensor, its type code is ", type);
}

OnnxValue read_value(Fields in) {
  OnnxValue value;
  while (in.next()) {
    if (in.is(onnx::value_info::kName, kBytes))
      value.name = in.text();
    else if (in.is(onnx::value_info::kType, kBytes))
      read_type(Fields(in.message()), value);
  }
  return value;
}

void read_graph(Fields in, OnnxModel& model) {
  while (in.next()) {
    if (in.is(onnx::graph::kName, kBytes))
      model.graph_name = in.text();
    else if (in.is(onnx::graph::kNode, kBytes))
      model.nodes.push_back(read_node(Fields(in.message())));
    else if (in.is(onnx::graph::kInitializer, kBytes)) {
      std::string name;
      auto value = read_tensor(Fields(in.message()), &name);
      model.initializers.emplace_back(std::move(name), std::move(value));
    } else if (in.is(onnx::graph::kInput, kBytes)) {
      model.inputs.push_back(read_value(Fields(in.message())));
    } else if (in.is(onnx::graph::kOutput, kBytes)) {
      model.outputs.push_back(read_value(Fields(in.message())));
    }
  }
}

int64_t read_opset(Fields in) {
  std::string domain;
  int64_t version = 0;
  while (in.next()) {
    if (in.is(onnx::opset::kDomain, kBytes))
      domain = in.text();
    else if (in.is(onnx::opset::kVersion, kVarint))
      version = in.integer();
  }
  require(domain.empty(), "the operator domain '", domain, "' is unknown");
  return version;
}

void read_entry(Fields in, OnnxModel& model) {
  std::string key, value;
  while (in.next()) {
    if (in.is(onnx::entry::kKey, kBytes))
      key = in.text();
    else if (in.is(onnx::entry::kValue, kBytes))
      value = in.text();
  }
  model.metadata[key] = value;
}

OnnxModel read_model(Fields in) {
  OnnxModel model;
  model.ir_version = model.opset = 0;
  while (in.next()) {
    if (in.is(onnx::model::kIrVersion, kVarint))
      model.ir_version = in.integer();
    else if (in.is(onnx::model::kProducerName, kBytes))
      model.producer_name = in.text();
    else if (in.is(onnx::model::kProducerVersion, kBytes))
      model.producer_version = in.text();
    else if (in.is(onnx::model::kDocString, kBytes))
      model.doc_string = in.text();
    else if (in.is(onnx::model::kGraph, kBytes))
      read_graph(Fields(in.message()), model);
    else if (in.is(onnx::model::kOpsetImport, kBytes))
      model.opset = read_opset(Fields(in.message()));
    else if (in.is(onnx::model::kMetadataProps, kBytes))
      read_entry(Fields(in.message()), model);
  }
  return model;
}

void check(const OnnxModel& model) {
  require(model.ir_version > 0 && model.opset > 0, "IR version or opset is missing");
  require(!model.nodes.empty() && !model.inputs.empty() && !model.outputs.empty(), "it has ",
          model.nodes.size(), " nodes, ", model.inputs.size(), " inputs and ", model.outputs.size(),
          " outputs, at least one of each is needed");
  std::set<std::string> known;
  for (const auto& input : model.inputs) known.insert(input.name);
  for (const auto& [name, value] : model.initializers) known.insert(name);
  for (const auto& node : model.nodes) {
    for (const auto& input : node.inputs) {
      require(input.empty() || known.count(input), "node '", node.name, "' (", node.op_type,
              ") reads '", input, "', which nothing before it computes");
    }
    require(!node.outputs.empty(), "node '", node.name, "' (", node.op_type, ") has no outputs");
    known.insert(node.outputs.begin(), node.outputs.end());
  }
  for (const auto& output : model.outputs) {
    require(known.count(output.name), "the output '", output.name, "' is computed by no node");
  }
}

}  // namespace

OnnxModel decode_onnx(std::string_view bytes, const std::string& origin) {
  try {
    auto model = read_model(Fields(pbf_reader(bytes.data(), bytes.size())));
    check(model);
    return model;
  } catch (const protozero::exception& error) {
    fail(origin, " is not a whole ONNX file (", error.what(), " in ", bytes.size(),
         " bytes): it is cut or corrupt");
  } catch (const Error& error) {
    fail(origin, " is not an ONNX file this program can read: ", error.what());
  }
}

OnnxModel read_onnx(const std::filesystem::path& file) {
  return decode_onnx(read_file(file), file.string());
}

}  // namespace plateforge
