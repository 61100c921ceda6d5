#pragma once

#include <torch/types.h>

#include <cstdint>
#include <map>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "models/graph/ops.h"

namespace plateforge {

// The part of the ONNX format that we write and read, as plain structs: what
// https://github.com/onnx/onnx/blob/main/onnx/onnx.proto calls ModelProto and GraphProto.

using OnnxAttribute = std::variant<int64_t, float, std::string, std::vector<int64_t>,
                                   std::vector<float>, torch::Tensor>;

struct OnnxNode {
  std::string op_type, name;
  std::vector<std::string> inputs, outputs;  // an empty name is an input left out
  std::map<std::string, OnnxAttribute> attributes;
};

struct OnnxValue {  // a float input or output of the graph
  std::string name;
  Shape shape;  // -1 = open: the batch, a dim_param in the file, or height, width and what follows
};

struct OnnxModel {
  int64_t ir_version = 7, opset = 13;
  std::string producer_name, producer_version, graph_name, doc_string;
  std::map<std::string, std::string> metadata;  // metadata_props
  std::vector<OnnxValue> inputs, outputs;
  std::vector<std::pair<std::string, torch::Tensor>> initializers;  // of a type in onnx::kDataTypes
  std::vector<OnnxNode> nodes;
};

}  // namespace plateforge
