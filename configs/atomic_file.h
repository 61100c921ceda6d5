#pragma once

#include <filesystem>
#include <functional>
#include <iosfwd>
#include <string_view>

namespace plateforge {

// Writes a file so that readers see the old content or the new one, never a part: temporary file in
// the same folder, fsync, rename, fsync of the folder. Throws Error (disk full, no permission) and
// then leaves the old file as it was and no temporary behind.
void write_file_atomically(const std::filesystem::path& path, std::string_view bytes);
void write_file_atomically(const std::filesystem::path& path,
                           const std::function<void(std::ostream&)>& write);

// The whole file. Throws Error when it cannot be read.
std::string read_file(const std::filesystem::path& path);

}  // namespace plateforge
