#include "infer.h"

#include <openvino/openvino.hpp>

std::vector<cv::Mat> infer(const std::string& file, const cv::Mat& images,
                           const std::vector<std::string>& names) {
  ov::Core core;
  // Without the hint recent processors compute in bfloat16: faster and less exact.
  auto model = core.compile_model(file, "CPU", ov::hint::inference_precision(ov::element::f32));
  auto request = model.create_infer_request();
  const ov::Shape shape(images.size.p, images.size.p + images.dims);
  request.set_input_tensor(ov::Tensor(ov::element::f32, shape, images.data));
  request.infer();
  std::vector<cv::Mat> outputs;
  for (const auto& name : names) {
    auto tensor = request.get_tensor(name);
    const std::vector<int> sizes(tensor.get_shape().begin(), tensor.get_shape().end());
    outputs.push_back(cv::Mat(sizes, CV_32F, tensor.data<float>()).clone());
  }
  return outputs;
}
