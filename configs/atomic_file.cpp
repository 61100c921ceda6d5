#include "configs/atomic_file.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <fstream>
#include <sstream>

#include "configs/error.h"

namespace plateforge {

namespace fs = std::filesystem;

namespace {

void sync_to_disk(const fs::path& path, int flags) {
  const int descriptor = ::open(path.c_str(), flags);
  if (descriptor < 0) return;  // a folder that cannot be opened for reading is not fatal
  const int result = ::fsync(descriptor);
  const int problem = errno;
  ::close(descriptor);
  // Some file systems refuse fsync on folders with EINVAL; their rename is durable by other means.
  require(result == 0 || problem == EINVAL, "cannot write ", path.string(), ": ",
          std::strerror(problem));
}

}  // namespace

void write_file_atomically(const fs::path& path, const std::function<void(std::ostream&)>& write) {
  const fs::path folder = path.has_parent_path() ? path.parent_path() : fs::path(".");
  const fs::path temporary = path.string() + ".tmp" + std::to_string(::getpid());
  try {
    errno = 0;
    std::ofstream file(temporary, std::ios::binary | std::ios::trunc);
    require(file.good(), "cannot write ", path.string(), ": ", std::strerror(errno));
    write(file);
    file.close();
    require(!file.fail(), "cannot write ", path.string(), ": ",
            errno ? std::strerror(errno) : "the disk may be full");
    sync_to_disk(temporary, O_WRONLY);
    fs::rename(temporary, path);
    sync_to_disk(folder, O_RDONLY | O_DIRECTORY);
  } catch (const fs::filesystem_error& problem) {
    std::error_code ignored;
    fs::remove(temporary, ignored);
    fail("cannot write ", path.string(), ": ", problem.code().message());
  } catch (...) {
    std::error_code ignored;
    fs::remove(temporary, ignored);
    throw;
  }
}

void write_file_atomically(const fs::path& path, std::string_view bytes) {
  write_file_atomically(path, [&](std::ostream& out) {
    out.write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
  });
}

std::string read_file(const fs::path& path) {
  std::error_code ignored;
  require(!fs::is_directory(path, ignored), "cannot read ", path.string(), ": it is a folder");
  std::ifstream file(path, std::ios::binary);
  require(file.good(), "cannot read ", path.string(), ": ", std::strerror(errno));
  std::ostringstream bytes;
  bytes << file.rdbuf();
  require(!file.bad(), "cannot read ", path.string(), ": ", std::strerror(errno));
  return std::move(bytes).str();
}

}  // namespace plateforge
