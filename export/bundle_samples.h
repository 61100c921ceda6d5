#pragma once

#include <filesystem>

#include "configs/embedded.h"
#include "export/bundle_texts.h"
#include "export/profiles.h"
#include "models/model_file.h"

namespace plateforge {

// sample/ of a bundle: a C++ program that runs the file on a picture, with its CMakeLists.txt.
void write_sample(const std::filesystem::path& folder, const BundleTexts& texts, bool reads);

// What DeepStream's nvinfer takes: nvinfer.txt, the parsers and their Makefile. `words` are those
// of the bundle's texts.
void write_deepstream(const std::filesystem::path& folder, const Model& model,
                      const Profile& profile, Words words);

}  // namespace plateforge
