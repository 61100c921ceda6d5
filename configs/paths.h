#pragma once

#include <filesystem>
#include <string>
#include <vector>

namespace plateforge {

// Folders that may hold the shipped configs, in the order they are tried: $PLATEFORGE_CONFIGS,
// ../share/plateforge/configs beside the running program, the source tree it was built from.
std::vector<std::filesystem::path> config_folders();

// The file as given when it exists, else `name` (with .yaml added when it has no extension) below
// `folder` of the config folders: find_config("cn", "regions"). Empty path when there is none.
std::filesystem::path find_config(const std::string& name, const std::string& folder = "");

// Names (without .yaml) of the files below `folder` of all config folders, sorted, for errors.
std::vector<std::string> known_configs(const std::string& folder);

}  // namespace plateforge
