// The README's option tables come from the same visit() as the reader.
#include "tests/unit/readme.h"

#include <sstream>

#include "configs/region.h"
#include "configs/yaml.h"

namespace plateforge {
namespace {

TEST(Readme, OptionTablesAreCurrent) { expect_in_readme("options", option_tables()); }
TEST(Readme, SweepTablesAreCurrent) { expect_in_readme("sweep-options", sweep_tables()); }
TEST(Readme, RegionTablesAreCurrent) { expect_in_readme("region-options", region_tables()); }

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
