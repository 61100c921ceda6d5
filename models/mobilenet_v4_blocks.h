#pragma once

#include <memory>

#include "models/mobilenet_v4.h"

namespace plateforge {

// The first block of a table's row for `in` input channels, `out` = the row's at the table's width.
struct MnV4BlockSpec {
  MnV4Row row;
  int64_t in, out, stride;
  bool layer_scale;
};
std::shared_ptr<MnV4Block> make_mnv4_block(const MnV4BlockSpec& spec);

// Attention layers start Xavier-uniform; all others keep their weights.
void initialize_attention(MnV4Block& block, at::Generator& generator);

}  // namespace plateforge
