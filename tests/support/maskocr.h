#pragma once

#include "configs/run_config.h"

namespace plateforge {

// A MaskOCR of two layers each: 24 x 8 pixels, six strips, five slots.
inline ModelConfig tiny_maskocr() {
  ModelConfig config;
  config.name = "maskocr";
  config.width = 24, config.height = 8;
  config.dropout = 0.1;
  config.maskocr = {.patch_width = 4,
                    .dim = 24,
                    .encoder_layers = 2,
                    .encoder_heads = 2,
                    .encoder_head_dim = 16,
                    .encoder_feed = 20,
                    .embedding_dropout = 0.1,
                    .slots = 5,
                    .decoder_layers = 2,
                    .decoder_heads = 3,
                    .decoder_feed = 40};
  config.mae = {.layers = 1, .feed = 30};
  return config;
}

}  // namespace plateforge
