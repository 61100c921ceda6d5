#pragma once

#include "data/open.h"

namespace plateforge {

// The plates of all parts, one after the other, without weights; real when all parts are.
PlateSourcePtr concat(const Mix& mix);

}  // namespace plateforge
