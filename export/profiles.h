#pragma once

#include <string>
#include <vector>

#include "export/emitter.h"

namespace plateforge {

// How far a written file may be from the network it came from.
struct ParityBounds {
  double logit_difference = 0;           // largest |logit - LibTorch logit|; detectors: pixels
  double relative_logit_difference = 0;  // the same as a share of the largest |logit|; either holds
  double different_texts = 0;  // share of plates that read, or frames that find, otherwise
  double moved_box = 1;        // pixels by which a box that is still the same may move
  // Of a detector's anchors with a lower score in both answers only the scores are compared: where
  // no plate is, a box means nothing, and coarse arithmetic moves it far. 0 compares all.
  double least_score = 0;
  double exact_match_drop = 0;  // exact match of LibTorch minus that of the file
};

// How a file spells GELU, x Phi(x): exactly, with erf, or by one of the two approximations of
// Hendrycks and Gimpel, 2016.
enum class Gelu { exact, tanh, sigmoid };

// A kind of file that `export` writes.
struct Profile {
  std::string name, description;
  std::vector<std::string> runtimes;  // that it is made for
  std::string holds;                  // what natural_profile() says of the graphs it takes
  bool portable = false;              // spelled for OpenCV 4.6 too
  // LayerNorms as one operation, which opset 17 brought and OpenCV 4.6 lacks, instead of its
  // steps; export --layer-norm.
  bool norm_operators = false;
  Gelu gelu = Gelu::exact;  // export --gelu
  bool arranged = false;    // quantisers arranged for integer kernels
  bool half = false;        // weights and arithmetic in 16-bit floats
  QuantizedSpelling spelling = {};
  ParityBounds bounds = {};
};

const std::vector<Profile>& profiles();
// Throws Error listing the available profiles.
const Profile& find_profile(const std::string& name);

}  // namespace plateforge
