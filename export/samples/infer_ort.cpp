#include "infer.h"

#include <onnxruntime_cxx_api.h>

std::vector<cv::Mat> infer(const std::string& file, const cv::Mat& images,
                           const std::vector<std::string>& names) {
  const Ort::Env environment;
  Ort::SessionOptions options;
  options.SetIntraOpNumThreads(1);  // fastest for networks this small
  Ort::Session session(environment, file.c_str(), options);
  const std::vector<int64_t> shape(images.size.p, images.size.p + images.dims);
  const auto memory = Ort::MemoryInfo::CreateCpu(OrtArenaAllocator, OrtMemTypeDefault);
  const auto input = Ort::Value::CreateTensor<float>(
      memory, const_cast<float*>(images.ptr<float>()), images.total(), shape.data(), shape.size());
  const char* input_name = "images";
  std::vector<const char*> output_names;
  for (const auto& name : names) output_names.push_back(name.c_str());
  auto values = session.Run({}, &input_name, &input, 1, output_names.data(), output_names.size());
  std::vector<cv::Mat> outputs;
  for (auto& value : values) {
    const auto sizes = value.GetTensorTypeAndShapeInfo().GetShape();
    outputs.push_back(cv::Mat(std::vector<int>(sizes.begin(), sizes.end()), CV_32F,
                              value.GetTensorMutableData<float>())
                          .clone());
  }
  return outputs;
}
