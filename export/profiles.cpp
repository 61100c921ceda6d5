#include "export/profiles.h"

#include "configs/error.h"

namespace plateforge {

const std::vector<Profile>& profiles() {
  // fp32: logits reach hundreds, and the order of summation alone moves them by about 1e-4.
  static const std::vector<Profile> table = {
      {"fp32", "float weights and activations, BatchNorm folded, opset 13", {2e-3, 0.0, 0.0}},
  };
  return table;
}

const Profile& find_profile(const std::string& name) {
  std::string known;
  for (const auto& profile : profiles()) {
    if (profile.name == name) return profile;
    known.append(" ").append(profile.name);
  }
  fail("no export profile '", name, "'; available:", known);
}

}  // namespace plateforge
