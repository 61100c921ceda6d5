#pragma once

#include <string>
#include <vector>

#include "data/open.h"

namespace plateforge {

struct VerifyOptions {
  int64_t time_steps = 18;  // CTC steps of the network; 0 = do not check
  int64_t threads = 0;      // 0 = one per core
};

// Looks at every plate of `mix` and returns everything that is wrong, in the order of the plates:
//   picture    missing, unreadable, truncated, corners outside, too small (see read_image)
//   grammar    no layout of the region allows the label
//   steps      CTC needs more steps than there are: characters plus one between equal neighbours
//   duplicate  the same pixels came before
// Labels and names are checked on opening (open_mix with a list of violations).
std::vector<Violation> verify_plates(const Mix& mix, const Region& region,
                                     const VerifyOptions& options);

// What two sets that must be apart share:
//   leak       a plate text of `val` that also is in `train`
//   near       a picture of `val` that nearly is one of `train`
// One violation per plate of `val` and kind. Pictures that cannot be read are passed over here.
std::vector<Violation> verify_apart(const Mix& val, const Mix& train, const VerifyOptions& options);

}  // namespace plateforge
