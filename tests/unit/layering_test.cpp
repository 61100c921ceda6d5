// The folders' order of dependence (README, "How the code is laid out"), read off the #include
// lines.
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <map>
#include <regex>
#include <set>
#include <string>
#include <vector>

namespace {

namespace fs = std::filesystem;
using Names = std::set<std::string>;

// What each folder may include beside itself: folders, or single headers.
const std::map<std::string, Names> kMayInclude = {
    {"configs", {}},
    {"data", {"configs"}},
    {"models", {"configs"}},
    {"losses", {"configs", "models", "data/batch.h"}},
    {"optim", {"configs"}},
    {"compress", {"configs", "models", "losses", "data/batch.h"}},
    {"export", {"configs", "models", "compress"}},
    {"train", {"configs", "data", "models", "losses", "optim", "compress", "export"}},
};

// Who may include a third-party library, by the start of its headers' names. data/batch.h is the
// one door through which tensors leave data/.
const std::map<std::string, Names> kOwners = {
    {"yaml-cpp/", {"configs"}},
    {"spdlog/", {"configs"}},
    {"torch/", {"data", "models", "losses", "optim", "compress", "export", "train"}},
    {"ATen/", {"data", "models", "losses", "optim", "compress", "export", "train"}},
    {"c10/", {"data", "models", "losses", "optim", "compress", "export", "train"}},
    {"opencv2/", {"data", "export", "train"}},
    {"jpeglib.h", {"data"}},
    {"ft2build.h", {"data"}},
    {"zlib.h", {"compress"}},
    {"protozero/", {"export", "train"}},  // ONNX files; TensorBoard events
    {"openvino/", {"export"}},
    {"boost/program_options", {"train"}},
    {"boost/property_tree", {"data"}},
};

struct Include {
  fs::path file;  // relative to the repository
  std::string name;
  bool ours = false;  // in quotes
  std::string where() const { return file.string() + " includes " + name; }
};

std::vector<Include> includes_of(const fs::path& root, const fs::path& file) {
  static const std::regex kLine(R"(^\s*#\s*include\s*([<"])([^>"]+)[>"])");
  std::vector<Include> found;
  std::ifstream text(root / file);
  std::smatch match;
  for (std::string line; std::getline(text, line);) {
    if (std::regex_search(line, match, kLine)) found.push_back({file, match[2], match[1] == "\""});
  }
  return found;
}

// Every source file of the layered folders with its includes.
std::vector<std::vector<Include>> all_files(const fs::path& root) {
  std::vector<std::vector<Include>> files;
  for (const auto& [folder, ignored] : kMayInclude) {
    if (!fs::exists(root / folder)) continue;
    for (const auto& entry : fs::recursive_directory_iterator(root / folder)) {
      const auto extension = entry.path().extension();
      // What bundles carry is for programs of others.
      if (entry.path().parent_path().filename() == "samples") continue;
      if (extension == ".h" || extension == ".cpp") {
        files.push_back(includes_of(root, fs::relative(entry.path(), root)));
      }
    }
  }
  return files;
}

// Empty when the include is allowed, else why not.
std::string complaint(const Include& include) {
  const std::string folder = include.file.begin()->string();
  if (include.ours) {
    const std::string target = fs::path(include.name).begin()->string();
    const auto& allowed = kMayInclude.at(folder);
    if (target == folder || allowed.contains(target) || allowed.contains(include.name)) return "";
    return folder + " must not depend on " + target;
  }
  for (const auto& [prefix, owners] : kOwners) {
    if (include.name.rfind(prefix, 0) == 0 && !owners.contains(folder)) {
      return "a library that " + folder + " must not use";
    }
  }
  return "";
}

TEST(Layering, IncludesPointOneWay) {
  size_t seen = 0;
  for (const auto& file : all_files(PLATEFORGE_ROOT)) {
    for (const auto& include : file) {
      EXPECT_EQ(complaint(include), "") << include.where();
      ++seen;
    }
  }
  EXPECT_GT(seen, 100U) << "the walk found hardly any includes: is PLATEFORGE_ROOT right?";
}

TEST(Layering, NothingIsIncludedTwice) {
  for (const auto& file : all_files(PLATEFORGE_ROOT)) {
    Names names;
    for (const auto& include : file)
      EXPECT_TRUE(names.insert(include.name).second) << include.where();
  }
}

// The checker itself: what it must refuse.
TEST(Layering, WrongWaysAreRefused) {
  EXPECT_NE(complaint({"data/x.cpp", "models/network.h", true}), "");
  EXPECT_NE(complaint({"configs/x.cpp", "data/plate.h", true}), "");
  EXPECT_NE(complaint({"losses/x.cpp", "data/plate.h", true}), "");
  EXPECT_NE(complaint({"models/x.cpp", "plate.h", true}), "");
  EXPECT_NE(complaint({"configs/x.cpp", "torch/torch.h", false}), "");
  EXPECT_NE(complaint({"models/x.cpp", "opencv2/core.hpp", false}), "");
  EXPECT_EQ(complaint({"losses/x.cpp", "data/batch.h", true}), "");
}

TEST(Layering, FilesStayReadable) {
  const fs::path root = PLATEFORGE_ROOT;
  for (const auto& [folder, ignored] : kMayInclude) {
    if (!fs::exists(root / folder)) continue;
    for (const auto& entry : fs::recursive_directory_iterator(root / folder)) {
      const auto extension = entry.path().extension();
      if (extension != ".h" && extension != ".cpp") continue;
      std::ifstream text(entry.path());
      size_t lines = 0;
      bool pragma = extension == ".cpp";
      for (std::string line; std::getline(text, line); ++lines) {
        pragma = pragma || line == "#pragma once";
      }
      EXPECT_LE(lines, 400U) << entry.path();
      EXPECT_TRUE(pragma) << entry.path() << " lacks #pragma once";
    }
  }
}

}  // namespace
