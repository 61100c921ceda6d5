#pragma once

#include <cstdint>
#include <string>

#include "configs/visit.h"

namespace plateforge {

// The parts of a MaskOCR reader (`model.name: maskocr`): patches, encoder and what reads from it.
// Dropout in encoder and decoder: `model.dropout`.
struct MaskOcrConfig {
  std::string form = "mended";
  int64_t patch_height = 0;
  int64_t patch_width = 8;
  bool overlap = false;
  int64_t stem = 0;
  int64_t dim = 624;
  int64_t encoder_layers = 8;
  int64_t encoder_heads = 12;
  int64_t encoder_head_dim = 64;
  int64_t encoder_feed = 624;
  double embedding_dropout = 0.25;
  std::string activation = "gelu";
  std::string head = "slots";
  int64_t slots = 0;
  int64_t decoder_layers = 6;
  int64_t decoder_heads = 12;
  int64_t decoder_feed = 2496;

  template <class V>
  void visit(V& v) {
    v("form", form,
      "reference = the public code's parameters: an unused class token, fixed sines beside the "
      "queries, no final norm in the decoder",
      one_of({"mended", "reference"}));
    v("patch_height", patch_height, "rows of a patch; 0 = the whole height, strips",
      in_range(0, 4096));
    v("patch_width", patch_width, "columns of a patch", in_range(1, 4096));
    v("overlap", overlap, "patches start every half patch width", Anything{});
    v("stem", stem,
      "channels of the first of the convolutions in front of the patches, each with stride 2 and "
      "twice as many as the one before; 0 = none, patches of pixels",
      in_range(0, 1024));
    v("dim", dim, "channels of a token", in_range(8, 4096));
    v("encoder_layers", encoder_layers, "layers of the encoder", in_range(1, 64));
    v("encoder_heads", encoder_heads, "attention heads of the encoder", in_range(1, 64));
    v("encoder_head_dim", encoder_head_dim, "channels of one of them", in_range(1, 512));
    v("encoder_feed", encoder_feed, "hidden channels of the encoder's feed-forward part",
      in_range(1, 16384));
    v("embedding_dropout", embedding_dropout, "drop probability behind the patch embedding",
      in_range(0.0, 0.95));
    v("activation", activation, "of the feed-forward parts; gelu needs Erf in the runtime",
      one_of({"gelu", "gelu_tanh", "silu", "relu"}));
    v("head", head, "slots = a decoder with a query per character; ctc = classes of every patch",
      one_of({"slots", "ctc"}));
    v("slots", slots, "characters a plate may have; 0 = the region's longest plate",
      in_range(0, 64));
    v("decoder_layers", decoder_layers, "layers of the decoder", in_range(1, 64));
    v("decoder_heads", decoder_heads, "attention heads of the decoder; they divide dim",
      in_range(1, 64));
    v("decoder_feed", decoder_feed, "hidden channels of the decoder's feed-forward part",
      in_range(1, 16384));
  }
};

// What pre-training adds to the encoder of MaskOcrConfig (`model.name: mae`).
struct MaeConfig {
  double mask_ratio = 0.7;
  int64_t layers = 4;
  int64_t feed = 2496;
  bool normalize_target = true;
  int64_t regressor_layers = 0;
  double alignment = 0.05;

  template <class V>
  void visit(V& v) {
    v("mask_ratio", mask_ratio, "share of the patches that the encoder does not see",
      in_range(0.05, 0.95));
    v("layers", layers, "layers of the decoder that paints them", in_range(1, 64));
    v("feed", feed, "hidden channels of its feed-forward parts", in_range(1, 16384));
    v("normalize_target", normalize_target, "pixels of a patch as deviations from its mean",
      Anything{});
    v("regressor_layers", regressor_layers,
      "layers that predict the hidden patches' features first (MaskOCR's latent contextual "
      "regressor); 0 = none",
      in_range(0, 64));
    v("alignment", alignment, "weight of those features' error beside that of the pixels",
      in_range(0.0, 100.0));
  }
};

}  // namespace plateforge
