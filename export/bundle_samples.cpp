#include "export/bundle_samples.h"

#include <nlohmann/json.hpp>
#include <sstream>

#include "configs/atomic_file.h"

namespace plateforge {
namespace {

namespace fs = std::filesystem;

void write_embedded(const fs::path& file, const std::string& name) {
  write_file_atomically(file, std::string(embedded_file(name)));
}

// What the parsers have to know of the model.
std::string plates_config(const Model& model, const Words& words) {
  std::ostringstream text;
  text << "#pragma once\n\n#include <string>\n#include <vector>\n\n";
  if (is_detector(model.config)) {
    text << "constexpr float kLeastScore = " << words.at("SCORE")
         << ";\nconstexpr float kMostOverlap = " << words.at("NMS")
         << ";\nconstexpr bool kSlots = false;\nconst std::vector<std::string> kLabels;\n";
    return text.str();
  }
  text << "constexpr float kLeastScore = 1;\nconstexpr float kMostOverlap = 0;\n"
       << "constexpr bool kSlots = " << (reads_slots(model.config) ? "true" : "false")
       << ";\n// The classes in order, the blank last.\nconst std::vector<std::string> kLabels = "
          "{\n";
  for (const auto& symbol : model.region.alphabet())
    text << "    " << nlohmann::json(symbol).dump() << ",\n";
  text << "    \"\",\n};\n";
  return text.str();
}

}  // namespace

void write_sample(const fs::path& folder, const BundleTexts& texts, bool reads) {
  const auto sample = folder / "sample";
  fs::create_directories(sample);
  write_file_atomically(sample / "CMakeLists.txt",
                        filled(kSampleCMake, {{"FIND", texts.find}, {"LINK", texts.link}}));
  write_embedded(sample / "main.cpp", reads ? "reader.cpp" : "detector.cpp");
  const std::string decoding = reads ? "plate_text.h" : "plate_boxes.h";
  write_embedded(sample / decoding, decoding);
  write_embedded(sample / "infer.h", "infer.h");
  write_embedded(sample / "infer.cpp", texts.infer);
}

void write_deepstream(const fs::path& folder, const Model& model, const Profile& profile,
                      Words words) {
  for (const auto* name : {"plate_text.h", "plate_boxes.h", "nvdsinfer_plates.cpp"})
    write_embedded(folder / name, name);
  write_embedded(folder / "Makefile", "nvdsinfer.mk");
  write_file_atomically(folder / "plates_config.h", plates_config(model, words));
  // nvinfer's network-mode: 0 float32, 1 int8, 2 float16.
  const int network_mode = profile.half ? 2 : profile.holds == "int8-s8" ? 1 : 0;
  words["NETWORK_MODE"] = std::to_string(network_mode);
  const auto* config = is_detector(model.config) ? "nvinfer_detector.txt" : "nvinfer_reader.txt";
  write_file_atomically(folder / "nvinfer.txt", filled(embedded_file(config), words));
}

}  // namespace plateforge
