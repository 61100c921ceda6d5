#include "export/openvino_runtime.h"

#include <cstring>
#include <openvino/openvino.hpp>

#include "configs/error.h"
#include "models/graph/ops.h"

namespace plateforge {
namespace {

class OpenVino : public Runtime {
 public:
  explicit OpenVino(const std::filesystem::path& file) try
      : file_(file),
        request_(core()
                     .compile_model(file.string(), "CPU",
                                    ov::hint::inference_precision(ov::element::f32),
                                    ov::inference_num_threads(1),
                                    // Two files in two threads would be pinned to one core.
                                    ov::hint::enable_cpu_pinning(false))
                     .create_infer_request()) {
  } catch (const std::exception& problem) {
    fail("OpenVINO cannot load ", file.string(), ": ", short_text(problem));
  }

  std::vector<torch::Tensor> run(const torch::Tensor& images) override try {
    const ov::Shape shape(images.sizes().begin(), images.sizes().end());
    ov::Tensor blob(ov::element::f32, shape);
    std::memcpy(blob.data<float>(), images.data_ptr<float>(), images.nbytes());
    request_.set_input_tensor(blob);
    request_.infer();
    std::vector<torch::Tensor> outputs;
    for (size_t i = 0; i < request_.get_compiled_model().outputs().size(); ++i) {
      const auto result = request_.get_output_tensor(i);
      const auto extents = result.get_shape();  // by value: two calls give two vectors
      outputs.push_back(torch::empty(Shape(extents.begin(), extents.end()), torch::kFloat));
      std::memcpy(outputs.back().data_ptr<float>(), result.data<float>(), outputs.back().nbytes());
    }
    return outputs;
  } catch (const std::exception& problem) {
    fail("OpenVINO cannot run ", file_.string(), ": ", short_text(problem));
  }

 private:
  // One core for the process: making one takes longer than running a small network.
  static ov::Core& core() {
    static ov::Core instance;
    return instance;
  }
  // The last line of its message says what went wrong; the lines before say where in its source.
  static std::string short_text(const std::exception& problem) {
    std::string text = problem.what();
    while (!text.empty() && text.back() == '\n') text.pop_back();
    return text.substr(text.rfind('\n') + 1);
  }

  std::filesystem::path file_;
  ov::InferRequest request_;
};

}  // namespace

RuntimePtr open_openvino(const std::filesystem::path& file) {
  return std::make_unique<OpenVino>(file);
}

}  // namespace plateforge
