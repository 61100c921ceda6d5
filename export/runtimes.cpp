#include "export/runtimes.h"

#include <algorithm>
#include <cstring>
#include <map>
#include <opencv2/dnn.hpp>

#include "configs/error.h"
#include "export/interpreter.h"
#include "export/onnx_reader.h"
#include "export/openvino_runtime.h"

namespace plateforge {
namespace {

using torch::Tensor;

class Builtin : public Runtime {
 public:
  explicit Builtin(const std::filesystem::path& file)
      : interpreter_(read_onnx(file), file.string()) {}
  std::vector<Tensor> run(const Tensor& images) override {
    auto outputs = interpreter_.run(images);
    for (auto& output : outputs) output = output.contiguous();
    return outputs;
  }

 private:
  OnnxInterpreter interpreter_;
};

// OpenCV's own words without its source location.
std::string short_text(const std::exception& problem) {
  const auto* own = dynamic_cast<const cv::Exception*>(&problem);
  const std::string text = own && !own->err.empty() ? own->err : problem.what();
  return text.substr(0, text.find('\n'));
}

class OpenCv : public Runtime {
 public:
  explicit OpenCv(const std::filesystem::path& file) try
      : file_(file), net_(cv::dnn::readNetFromONNX(file.string())) {
    for (const auto& output : read_onnx(file).outputs) outputs_.push_back(output.name);
    net_.setPreferableBackend(cv::dnn::DNN_BACKEND_OPENCV);
    net_.setPreferableTarget(cv::dnn::DNN_TARGET_CPU);
  } catch (const std::exception& problem) {
    fail("OpenCV cannot load ", file.string(), ": ", short_text(problem));
  }

  std::vector<Tensor> run(const Tensor& images) override try {
    std::vector<int> shape(images.sizes().begin(), images.sizes().end());
    cv::Mat blob(shape, CV_32F);
    std::memcpy(blob.data, images.data_ptr<float>(), images.nbytes());
    net_.setInput(blob);
    std::vector<cv::Mat> results;
    net_.forward(results, outputs_);
    std::vector<Tensor> outputs;
    for (const auto& result : results) {
      outputs.push_back(torch::empty(Shape(result.size.p, result.size.p + result.dims)));
      std::memcpy(outputs.back().data_ptr<float>(), result.data, outputs.back().nbytes());
    }
    return outputs;
  } catch (const std::exception& problem) {
    fail("OpenCV cannot run ", file_.string(), ": ", short_text(problem));
  }

 private:
  std::filesystem::path file_;
  cv::dnn::Net net_;
  std::vector<cv::String> outputs_;
};

template <class T>
RuntimePtr open(const std::filesystem::path& file) {
  return std::make_unique<T>(file);
}

const std::map<std::string, RuntimePtr (*)(const std::filesystem::path&)>& table() {
  static const std::map<std::string, RuntimePtr (*)(const std::filesystem::path&)> runtimes = {
      {"builtin", open<Builtin>},
      {"opencv", open<OpenCv>},
#ifdef PLATEFORGE_OPENVINO
      {"openvino", open_openvino},
#endif
  };
  return runtimes;
}

}  // namespace

const std::vector<std::string>& runtime_names() {
  static const auto names = [] {
    std::vector<std::string> all;
    for (const auto& [name, open] : table()) all.push_back(name);
    return all;
  }();
  return names;
}

void check_runtime(const std::string& name) {
  if (table().count(name)) return;
  require(name != "openvino",
          "runtime 'openvino' is not in this build, which found no OpenVINO: `./dev test` installs "
          "it, then build again");
  require(name != "onnxruntime" && name != "tvm", "runtime '", name,
          "' does not run inside plateforge: tests/bench/runtimes.py runs files "
          "in it");
  require(name != "tensorrt",
          "runtime 'tensorrt' does not run inside plateforge: export --bundle tensorrt writes the "
          "trtexec line and a sample to prove the engine with");
  std::string known;
  for (const auto& runtime : runtime_names()) known.append(" ").append(runtime);
  fail("no runtime '", name, "' in this build; known:", known);
}

RuntimePtr open_runtime(const std::string& name, const std::filesystem::path& file) {
  check_runtime(name);
  return table().at(name)(file);
}

}  // namespace plateforge
