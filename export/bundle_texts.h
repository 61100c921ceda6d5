#pragma once

#include <string>
#include <vector>

namespace plateforge {

// The texts of a bundle for one runtime. @MODEL@, @INPUT@, @BATCH@ and the like are filled in by
// write_bundle().
struct BundleTexts {
  std::string name;     // of the bundle
  std::string runtime;  // as profiles and the linter call it
  std::string readme;   // after the part that all share
  std::string run;      // Python: `def run(images): ... return logits`
  std::vector<std::pair<std::string, std::string>> files;  // more of them
};
const std::vector<BundleTexts>& bundle_texts();

extern const char* const kBundleReadme;
extern const char* const kProveScript;

}  // namespace plateforge
