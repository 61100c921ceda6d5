#pragma once

#include <gtest/gtest.h>

#include <cstdlib>

#include "configs/atomic_file.h"

namespace plateforge {

inline const std::string kReadme = PLATEFORGE_ROOT "/README.md";

// Tables of the README that code writes: `text` must stand between <!-- MARKER:begin --> and
// <!-- MARKER:end -->. With PLATEFORGE_UPDATE_README=1 in the environment it is put there.
inline void expect_in_readme(const std::string& marker, const std::string& text) {
  const std::string begin = "<!-- " + marker + ":begin -->\n", end = "<!-- " + marker + ":end -->";
  auto readme = read_file(kReadme);
  const size_t from = readme.find(begin), to = readme.find(end);
  ASSERT_TRUE(from != std::string::npos && to != std::string::npos && from < to)
      << "README.md has no " << begin;
  const size_t start = from + begin.size();
  if (std::getenv("PLATEFORGE_UPDATE_README") != nullptr) {
    write_file_atomically(kReadme, readme.replace(start, to - start, text));
    return;
  }
  EXPECT_EQ(readme.substr(start, to - start), text)
      << "the README's tables are stale; run PLATEFORGE_UPDATE_README=1 ./dev test -R "
         "'configs|data'";
}

}  // namespace plateforge
