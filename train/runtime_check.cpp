#include "train/runtime_check.h"

#include <algorithm>

#include "export/onnx_export.h"
#include "export/runtimes.h"

namespace plateforge {
namespace {

struct Removed {
  const std::filesystem::path& file;
  ~Removed() {
    std::error_code ignored;
    std::filesystem::remove(file, ignored);
  }
};

}  // namespace

std::optional<RuntimeCheck> check_in_runtime(const Model& model, const Graph& exact,
                                             const Jury& jury, int64_t opset,
                                             const std::filesystem::path& scratch) {
  const auto& profile = find_profile(natural_profile(model));
  const auto runtime = std::ranges::find_first_of(profile.runtimes, runtime_names());
  if (runtime == profile.runtimes.end()) return std::nullopt;
  const Removed removed{scratch};
  write_onnx(make_onnx(model, profile, {.batch = 0, .opset = opset, .form = DetectorForm::rows}),
             scratch);
  const auto opened = open_runtime(*runtime, scratch);
  return RuntimeCheck{*runtime, compare(
                                    exact,
                                    [&](const torch::Tensor& images) {
                                      return opened->run(images.contiguous()).at(0);
                                    },
                                    jury)};
}

}  // namespace plateforge
