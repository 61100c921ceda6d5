// Writes exported files with inputs and LibTorch's answers for the judges in judge.py:
//   write_cases DIR  ->  DIR/<case>.onnx, DIR/<case>.safetensors (images, logits)
#include <filesystem>
#include <iostream>

#include "configs/atomic_file.h"
#include "export/onnx_export.h"
#include "export/onnx_writer.h"
#include "export/portable.h"
#include "export/runtimes.h"
#include "models/graph/trace.h"
#include "models/model_file.h"
#include "tests/support/small_nets.h"

namespace {

using namespace plateforge;

struct Case {
  std::string name;
  NetworkPtr network;
  int64_t height, width;
};

NetworkPtr lprnet(const ModelConfig& config) { return make_network(config, 68); }

ModelConfig narrow() {
  ModelConfig config;
  config.width_multiplier = 0.375;
  return config;
}

ModelConfig wide_head() {
  ModelConfig config;
  config.head = "t88";
  return config;
}

std::vector<Case> cases() {
  return {{"lprnet", lprnet({}), 24, 94},
          {"lprnet-narrow", lprnet(narrow()), 24, 94},
          {"lprnet-t88", lprnet(wide_head()), 24, 94},
          {"odd-channels", std::make_shared<ContextCnn>(7), 13, 21},
          {"odd-everything", std::make_shared<ContextCnn>(5), 9, 19},
          {"plain", std::make_shared<PlainCnn>(), 12, 20}};
}

void write_case(const Case& item, int64_t batch, bool open, const std::filesystem::path& folder) {
  auto graph = trace(*item.network, {open ? -1 : batch, 3, item.height, item.width});
  prepare_for_export(graph);
  const auto name = item.name + (open ? "-open" : "-batch") + std::to_string(batch);
  write_file_atomically(folder / (name + ".onnx"),
                        encode_onnx(to_onnx(std::move(graph), 13, {{"blank", "67"}})));
  const auto images = torch::randn({batch, 3, item.height, item.width});
  write_safetensors(folder / (name + ".safetensors"),
                    {{"images", images}, {"logits", item.network->forward(images).contiguous()}},
                    {});
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2) {
    std::cerr << "usage: write_cases DIR\n";
    return 2;
  }
  const torch::NoGradGuard no_grad;
  std::filesystem::create_directories(argv[1]);
  for (const auto& item : cases()) {
    randomize(*item.network, 11);
    item.network->eval();
    write_case(item, 1, false, argv[1]);
    write_case(item, 3, false, argv[1]);
    write_case(item, 2, true, argv[1]);
  }
}
