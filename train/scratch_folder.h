#pragma once

#include <cstdlib>
#include <filesystem>
#include <string>

#include "configs/error.h"

namespace plateforge {

// A folder of the system's temporary one that goes away with this object.
class ScratchFolder {
 public:
  ScratchFolder() {
    auto name = (std::filesystem::temp_directory_path() / "plateforge-XXXXXX").string();
    require(mkdtemp(name.data()) != nullptr, "cannot make ", name);
    path_ = name;
  }
  ~ScratchFolder() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  ScratchFolder(const ScratchFolder&) = delete;
  ScratchFolder& operator=(const ScratchFolder&) = delete;

  const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
};

}  // namespace plateforge
