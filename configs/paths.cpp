#include "configs/paths.h"

#include <cstdlib>
#include <set>

namespace plateforge {

namespace fs = std::filesystem;

std::vector<fs::path> config_folders() {
  std::vector<fs::path> folders;
  if (const char* named = std::getenv("PLATEFORGE_CONFIGS"); named && *named) {
    folders.emplace_back(named);
  }
  std::error_code problem;
  const fs::path program = fs::read_symlink("/proc/self/exe", problem);
  if (!problem) folders.push_back(program.parent_path() / "../share/plateforge/configs");
  folders.emplace_back(PLATEFORGE_SOURCE_CONFIGS);
  return folders;
}

fs::path find_config(const std::string& name, const std::string& folder) {
  std::error_code problem;
  if (fs::is_regular_file(name, problem)) return name;
  const fs::path file = fs::path(name).has_extension() ? name : name + ".yaml";
  for (const auto& base : config_folders()) {
    fs::path candidate = (base / folder / file).lexically_normal();
    if (fs::is_regular_file(candidate, problem)) return candidate;
  }
  return {};
}

std::vector<std::string> known_configs(const std::string& folder) {
  std::set<std::string> names;
  for (const auto& base : config_folders()) {
    std::error_code problem;
    for (const auto& entry : fs::directory_iterator(base / folder, problem)) {
      if (entry.path().extension() == ".yaml") names.insert(entry.path().stem().string());
    }
  }
  return {names.begin(), names.end()};
}

}  // namespace plateforge
