// The README's option tables come from the same visit() as the reader.
// PLATEFORGE_UPDATE_README=1 build/release/test_configs --gtest_filter='Readme.*' writes them anew.
#include <gtest/gtest.h>

#include <cstdlib>
#include <sstream>

#include "configs/atomic_file.h"
#include "configs/region.h"
#include "configs/yaml.h"

namespace plateforge {
namespace {

const std::string kReadme = PLATEFORGE_ROOT "/README.md";

void expect_between_markers(const std::string& marker, const std::string& tables) {
  const std::string begin = "<!-- " + marker + ":begin -->\n", end = "<!-- " + marker + ":end -->";
  auto readme = read_file(kReadme);
  const size_t from = readme.find(begin), to = readme.find(end);
  ASSERT_TRUE(from != std::string::npos && to != std::string::npos && from < to)
      << "README.md has no " << begin;
  const size_t start = from + begin.size();
  if (std::getenv("PLATEFORGE_UPDATE_README") != nullptr) {
    write_file_atomically(kReadme, readme.replace(start, to - start, tables));
    return;
  }
  EXPECT_EQ(readme.substr(start, to - start), tables)
      << "the README's tables are stale; run PLATEFORGE_UPDATE_README=1 "
         "build/release/test_configs --gtest_filter='Readme.*'";
}

TEST(Readme, OptionTablesAreCurrent) { expect_between_markers("options", option_tables()); }
TEST(Readme, RegionTablesAreCurrent) { expect_between_markers("region-options", region_tables()); }

// The pack that "A new region in one file" puts together, step by step.
TEST(Readme, ExampleRegionIsAPack) {
  std::istringstream readme(read_file(kReadme));
  std::string pack;
  bool in_block = false;
  for (std::string line; std::getline(readme, line);) {
    if (line == "   ```yaml" || line == "   ```") {
      in_block = line == "   ```yaml";
    } else if (in_block) {
      pack += line.substr(std::min<size_t>(3, line.size())) + "\n";
    }
  }
  const auto toyland = Region::parse(pack, "README.md");
  EXPECT_EQ(toyland.layout_of("TL123AB"), "car");
  EXPECT_TRUE(toyland.check("TL123OB"));
}

}  // namespace
}  // namespace plateforge
