#pragma once

#include <torch/types.h>

#include <cstdint>
#include <optional>
#include <utility>

// Field numbers and codes of onnx.proto that we write and read.
namespace plateforge::onnx {

namespace model {
enum Field : uint32_t {
  kIrVersion = 1,
  kProducerName = 2,
  kProducerVersion = 3,
  kDocString = 6,
  kGraph = 7,
  kOpsetImport = 8,
  kMetadataProps = 14
};
}
namespace opset {
enum Field : uint32_t { kDomain = 1, kVersion = 2 };
}
namespace entry {
enum Field : uint32_t { kKey = 1, kValue = 2 };
}
namespace graph {
enum Field : uint32_t { kNode = 1, kName = 2, kInitializer = 5, kInput = 11, kOutput = 12 };
}
namespace node {
enum Field : uint32_t { kInput = 1, kOutput = 2, kName = 3, kOpType = 4, kAttribute = 5 };
}
namespace attribute {
enum Field : uint32_t {
  kName = 1,
  kFloat = 2,
  kInt = 3,
  kString = 4,
  kTensor = 5,
  kFloats = 7,
  kInts = 8,
  kType = 20
};
enum Type : int32_t {
  kFloatType = 1,
  kIntType = 2,
  kStringType = 3,
  kTensorType = 4,
  kFloatsType = 6,
  kIntsType = 7
};
}  // namespace attribute
namespace tensor {
enum Field : uint32_t {
  kDims = 1,
  kDataType = 2,
  kFloatData = 4,
  kInt32Data = 5,
  kInt64Data = 7,
  kName = 8,
  kRawData = 9
};
}
namespace value_info {
enum Field : uint32_t { kName = 1, kType = 2 };
}
namespace type {
enum Field : uint32_t { kTensorType = 1, kElemType = 1, kShape = 2 };
}
namespace shape {
enum Field : uint32_t { kDim = 1, kDimValue = 1, kDimParam = 2 };
}

// TensorProto.DataType
struct DataType {
  torch::ScalarType torch_type;
  int32_t code;
};
inline constexpr DataType kDataTypes[] = {
    {torch::kFloat, 1}, {torch::kByte, 2}, {torch::kChar, 3}, {torch::kUInt16, 4},
    {torch::kShort, 5}, {torch::kInt, 6},  {torch::kLong, 7}, {torch::kHalf, 10}};

inline int32_t data_type(torch::ScalarType type) {
  for (const auto& known : kDataTypes) {
    if (known.torch_type == type) return known.code;
  }
  TORCH_CHECK(false, "no ONNX tensor of type ", type);
}

inline std::optional<torch::ScalarType> scalar_type(int32_t code) {
  for (const auto& known : kDataTypes) {
    if (known.code == code) return known.torch_type;
  }
  return std::nullopt;
}

// Smallest and largest value of an integer type that tensors are quantised to; nullopt for others.
inline std::optional<std::pair<int64_t, int64_t>> integer_limits(torch::ScalarType type) {
  using Limits = std::pair<int64_t, int64_t>;
  if (type == torch::kByte) return Limits{0, 255};
  if (type == torch::kChar) return Limits{-128, 127};
  if (type == torch::kUInt16) return Limits{0, 65535};
  if (type == torch::kShort) return Limits{-32768, 32767};
  return std::nullopt;
}

}  // namespace plateforge::onnx
