#pragma once

#include <string>
#include <vector>

#include "export/onnx_model.h"

namespace plateforge {

// The bytes of an .onnx file.
std::string encode_onnx(const OnnxModel& model);

// The opset, and with it the oldest format that may hold it: old runtimes refuse newer ones than
// they know.
void set_opset(OnnxModel& model, int64_t opset);

// A tensor inside an ONNX graph under construction; not to be confused with a node's name.
struct Edge {
  std::string name;
};

// Builds an OnnxModel with one method per operator: each appends a node called `name` and returns
// its output. Constant operands go in as initializers. What an operator looks like at the model's
// opset, and which spellings some runtime insists on, is decided here and nowhere else.
class OnnxBuilder {
 public:
  explicit OnnxBuilder(int64_t opset = 13);

  Edge input(const std::string& name, const Shape& shape);
  void output(const Edge& edge, const Shape& shape);
  Edge initializer(const std::string& name, const torch::Tensor& value);

  // weight [O, I/groups, kH, kW]; bias [O] or no edge.
  Edge conv(const std::string& name, const Edge& x, const Edge& weight, const Edge* bias,
            const Shape& kernel, const op::Conv& conv);
  Edge gemm(const std::string& name, const Edge& x, const Edge& weight, const Edge* bias);
  Edge matmul(const std::string& name, const Edge& a, const Edge& b);
  Edge batch_normalization(const std::string& name, const std::vector<Edge>& inputs,
                           double epsilon);
  Edge max_pool(const std::string& name, const Edge& x, const op::MaxPool& pool);
  Edge average_pool(const std::string& name, const Edge& x, const op::AveragePool& pool);
  Edge global_average_pool(const std::string& name, const Edge& x);
  Edge resize_nearest(const std::string& name, const Edge& x, const Shape& factor);
  Edge reduce_mean(const std::string& name, const Edge& x, const op::Mean& mean);
  Edge slice(const std::string& name, const Edge& x, const op::Slice& slice);
  Edge concat(const std::string& name, const std::vector<Edge>& parts, int64_t axis);
  Edge reshape(const std::string& name, const Edge& x, const Shape& shape);
  Edge transpose(const std::string& name, const Edge& x, const Shape& order);
  Edge clip(const std::string& name, const Edge& x, double low, double high);
  Edge softmax(const std::string& name, const Edge& x, int64_t axis);
  Edge log_softmax(const std::string& name, const Edge& x, int64_t axis);
  Edge identity(const std::string& name, const Edge& x);
  Edge relu(const std::string& name, const Edge& x);
  Edge sigmoid(const std::string& name, const Edge& x);
  Edge erf(const std::string& name, const Edge& x);
  Edge tanh(const std::string& name, const Edge& x);
  Edge sqrt(const std::string& name, const Edge& x);
  Edge add(const std::string& name, const Edge& a, const Edge& b);
  Edge sub(const std::string& name, const Edge& a, const Edge& b);
  Edge mul(const std::string& name, const Edge& a, const Edge& b);
  Edge div(const std::string& name, const Edge& a, const Edge& b);

  // Scale and zero point []: no axis; [extent of axis]: that axis. The zero point's type is that of
  // the integers.
  Edge quantize_linear(const std::string& name, const Edge& x, const Edge& scale,
                       const Edge& zero_point, int64_t axis = -1);
  Edge dequantize_linear(const std::string& name, const Edge& x, const Edge& scale,
                         const Edge& zero_point, int64_t axis = -1);
  struct DynamicallyQuantized {
    Edge values, scale, zero_point;  // 0..255; two scalars
  };
  // The outputs are called `name`, name.scale and name.zero_point.
  DynamicallyQuantized dynamic_quantize_linear(const std::string& name, const Edge& x);
  // Integer products of dynamically quantised x and signed integers without a zero point -> int32.
  Edge conv_integer(const std::string& name, const DynamicallyQuantized& x, const Edge& weight,
                    const Shape& kernel, const op::Conv& conv);
  Edge matmul_integer(const std::string& name, const DynamicallyQuantized& a, const Edge& b);
  Edge cast(const std::string& name, const Edge& x, torch::ScalarType type);

  OnnxModel& model() { return model_; }

 private:
  Edge append(const char* op_type, const std::string& name, const std::vector<Edge>& inputs,
              std::map<std::string, OnnxAttribute> attributes = {});
  Edge integers(const std::string& name, const Shape& values);

  OnnxModel model_;
};

}  // namespace plateforge
