#pragma once

#include <string>
#include <string_view>

#include "models/tensor_dict.h"

namespace plateforge {

// Weight files of torch.save, zip (since PyTorch 1.6) or the pickle sequence before it. The object
// must be a dict of tensors, or hold one under "state_dict". Nothing in the file is executed
// (models/pickle.h). Anything else is an Error of one sentence naming `origin`.
TensorDict parse_pth(std::string_view bytes, const std::string& origin);

// True for content that starts like one of the two.
bool looks_like_pth(std::string_view bytes);

}  // namespace plateforge
