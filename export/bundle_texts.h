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
  std::string run;  // Python: `def run(images): ...` returns the outputs in the order of `names`
  std::vector<std::pair<std::string, std::string>> files = {};  // more of them
  // The C++ sample: what of export/samples runs the network, and what CMake finds and links for it;
  // empty without one.
  std::string infer = {}, find = {}, link = {};
};
const std::vector<BundleTexts>& bundle_texts();

// The parts that all runtimes share. A script gets @RUN@ and @JUDGE@, what its model is for.
extern const char* const kReaderReadme;
extern const char* const kDetectorReadme;
extern const char* const kProveReadme;
extern const char* const kProveScript;
extern const char* const kJudgeText;  // of CTC steps
extern const char* const kJudgeSlots;
extern const char* const kJudgePlates;
extern const char* const kSampleReadme;
extern const char* const kSampleCMake;

}  // namespace plateforge
