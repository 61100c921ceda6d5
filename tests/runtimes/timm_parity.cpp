// Holds our MobileNetV4 against timm's, for timm_parity.py:
//   timm_parity NAME WEIGHTS CASE  ->  prints "logits 1.2e-06 stride4 3.4e-07 ...", the largest
//                                      difference of each tensor as a share of its largest value
// WEIGHTS is timm's state dictionary, CASE holds "images", "logits" and the maps "stride4" to
// "stride32"; both are safetensors.
#include <torch/utils.h>

#include <iostream>

#include "models/mobilenet_v4.h"
#include "models/model_file.h"

namespace {

using namespace plateforge;
using torch::Tensor;

double difference(const Tensor& got, const Tensor& expected) {
  TORCH_CHECK(got.sizes() == expected.sizes(), got.sizes(), " is not ", expected.sizes());
  return (got - expected).abs().max().item<double>() / expected.abs().max().item<double>();
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 4) {
    std::cerr << "usage: timm_parity NAME WEIGHTS CASE\n";
    return 2;
  }
  const torch::NoGradGuard no_grad;
  const auto weights = read_tensors(argv[2]);
  const auto expected = read_tensors(argv[3]);
  const auto& images = expected.at("images");

  MobileNetV4Classifier classifier(argv[1]);
  load_state_dict(classifier, weights, argv[2]);
  classifier.eval();
  std::cout << "logits " << difference(classifier.forward(images), expected.at("logits"));
  const auto maps = classifier.body().forward(images);
  for (size_t i = 0; i < maps.size(); ++i) {
    const auto name = "stride" + std::to_string(4 << i);
    std::cout << " " << name << " " << difference(maps[i], expected.at(name));
  }
  std::cout << std::endl;
}
