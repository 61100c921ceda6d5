#pragma once

#include <torch/types.h>

#include <functional>
#include <string>
#include <vector>

#include "compress/quantize/quantize.h"

namespace plateforge {

// What one picture's output is worth: a score of 0..1, higher is better, and what was answered: a
// text, places in pixels or both.
struct Judgement {
  double score = 0;
  std::string answer;
  std::vector<float> places;
};
// The same text, and as many places, each within so many pixels.
bool same_answer(const Judgement& a, const Judgement& b, double within = 1);

// Pictures with a measure. `judge` gets outputs of the network and the numbers of their pictures,
// counted through all batches.
struct Jury {
  std::vector<torch::Tensor> batches;  // network inputs [n, 3, H, W] float
  std::function<std::vector<Judgement>(const torch::Tensor& outputs,
                                       const std::vector<int64_t>& pictures)>
      judge;
};

// How a quantised network's answers compare with the float network's, picture by picture.
struct Comparison {
  int64_t pictures = 0;
  double exact_score = 0, score = 0;  // means
  double same = 0;                    // share answered alike
  double distance = 0;                // mean of |output - float output|^2 / |float output|^2
  // 95 % interval of the drop from the paired differences, with half a picture added to each cell
  // of the 2 x 2 table (Agresti and Min 2005).
  double drop_low = 0, drop_high = 0;

  double drop() const { return exact_score - score; }
};

// From images [n, 3, H, W] to outputs: a graph, or a file in a runtime.
using Forward = std::function<torch::Tensor(const torch::Tensor& images)>;

Comparison compare(const Graph& exact, const Forward& quantized, const Jury& jury);
Comparison compare(const Graph& exact, const Graph& quantized, const Jury& jury);

// The options whose all-int8 network answers most pictures like the float one (then: whose outputs
// are nearest), of `options` with the observers mse, mean_min_max and min_max, the equalisations
// group, all and none, and the bias corrections sequential and none.
QuantizeOptions search_options(const Graph& graph, const std::vector<torch::Tensor>& calibration,
                               const QuantizeOptions& options, const Jury& jury);

struct BoundOptions {
  double max_drop = 0.005;
  int64_t ranking_pictures = 300;  // those whose answers changed most
};

// One thing that was tried on the way.
struct BoundStep {
  std::string layer, decision;  // adaround, int16 or float
  double drop = 0;
  bool kept = false;
};

struct BoundResult {
  Graph graph;  // the best that was found
  LayerChoices choices;
  Comparison first, best;  // everything int8; what `graph` gives
  bool holds = false;
  std::map<std::string, double> layer_drops;  // what each layer alone costs, when it was ranked
  std::vector<BoundStep> steps;
};

// Quantises everything that `choices` leaves int8, and as long as the mean score drops by more than
// the bound takes the layer back whose return to float restores most answers (then: comes nearest)
// on the pictures that changed most: first with learned rounding, then with 16-bit activations,
// then in float. What does not lower the drop is undone (float is kept where it brings the outputs
// nearer at the same drop), and after two layers without success the remaining ones are ranked
// again. The loop is that of OpenVINO's accuracy control, whose only remedy is float.
BoundResult quantize_within(PostTrainingQuantizer& quantizer, LayerChoices choices,
                            const Jury& jury, const BoundOptions& options);

}  // namespace plateforge
