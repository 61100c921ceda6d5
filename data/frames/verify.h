#pragma once

#include "data/frame.h"
#include "data/listing.h"

namespace plateforge {

// Looks at every frame of `mix` and returns everything that is wrong, in the order of the frames:
//   picture    missing, unreadable, truncated, not of the annotated size, a plate outside it
//   duplicate  the same pixels came before
// Annotations are checked on opening (open_frames with a list of violations). `threads`: 0 = one
// per core.
std::vector<Violation> verify_frames(const FrameMix& mix, int64_t threads);

}  // namespace plateforge
