#pragma once

#include <string>
#include <vector>

namespace plateforge {

// How far a written file may be from the network it came from.
struct ParityBounds {
  double logit_difference = 0;  // largest |logit - LibTorch logit|, absolute
  double different_texts = 0;   // share of plates that read otherwise
  double exact_match_drop = 0;  // exact match of LibTorch minus that of the file
};

// A kind of file that `export` writes.
struct Profile {
  std::string name, description;
  ParityBounds bounds;
};

const std::vector<Profile>& profiles();
// Throws Error listing the available profiles.
const Profile& find_profile(const std::string& name);

}  // namespace plateforge
