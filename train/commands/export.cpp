#include <iostream>

#include "configs/error.h"
#include "export/onnx_export.h"
#include "export/profiles.h"
#include "export/verify.h"
#include "train/commands/commands.h"

namespace po = boost::program_options;

namespace plateforge {
namespace {

constexpr int64_t kRandomPlates = 8;

}  // namespace

int export_command(const Args& args) {
  std::string model_file, out, profile_list = "fp32";
  ExportOptions exporting;
  po::options_description options("options");
  options.add_options()("model", po::value(&model_file)->required(), "model file (.safetensors)")(
      "out", po::value(&out)->required(), "folder for the files")(
      "profile", po::value(&profile_list)->default_value(profile_list),
      "kinds of file, joined by ,")(
      "batch", po::value(&exporting.batch)->default_value(exporting.batch),
      "plates per inference; 0 = open (OpenCV 4.6 wants a fixed batch)");
  po::variables_map values;
  if (!parse_options(args, "plateforge export --model M --out DIR --profile fp32", options, values))
    return 0;
  require(exporting.batch >= 0, "--batch ", exporting.batch, " must not be negative");
  const auto names = split_list(profile_list);
  require(!names.empty(), "--profile names nothing");
  for (const auto& name : names) find_profile(name);  // all of them before the first is written

  set_up_runtime({.device = "cpu"});
  const auto model = load_model(model_file);
  std::filesystem::create_directories(out);
  bool holds = true;
  for (const auto& name : names) {
    const auto file = std::filesystem::path(out) /
                      (std::filesystem::path(model_file).stem().string() + "-" + name + ".onnx");
    const auto written = export_onnx(model, file, exporting);
    std::cout << file.string() << ": " << written.bytes << " bytes, " << written.nodes
              << " nodes, opset " << exporting.opset << "\n";
    const auto parity = verify_onnx(model, file, random_plates(model.config, kRandomPlates, 1),
                                    {"builtin"}, find_profile(name).bounds);
    std::cout << "read back and run on " << parity.samples << " random plates:\n"
              << parity.to_text();
    holds = holds && parity.holds();
  }
  return holds ? 0 : 1;
}

}  // namespace plateforge
