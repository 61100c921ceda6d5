#include <iostream>

#include "compress/allocation.h"
#include "compress/masks.h"
#include "compress/sparsity_report.h"
#include "configs/error.h"
#include "models/model_file.h"
#include "train/commands/commands.h"

namespace po = boost::program_options;

namespace plateforge {

int prune_command(const Args& args) {
  std::string model_file, out, json, layer_list;
  PruneConfig config{.allocation = "norm_global"};
  po::options_description options("options");
  options.add_options()("model", po::value(&model_file)->required(), "model file (.safetensors)")(
      "out", po::value(&out)->required(), "model file to write")(
      "allocation", po::value(&config.allocation)->default_value(config.allocation),
      "layers, uniform, global, norm_global, erk, lamp or sensitivity")(
      "ratio", po::value(&config.ratio)->default_value(config.ratio),
      "share of the weights that becomes zero")(
      "layers", po::value(&layer_list), "PREFIX=RATIO of layers with a ratio of their own, by ,")(
      "json", po::value(&json), "write the table here; - is standard output");
  po::variables_map values;
  if (!parse_options(args, "plateforge prune --model M --ratio R --out M2", options, values))
    return 0;
  config.layers = split_list(layer_list);

  set_up_runtime({.device = "cpu"});
  auto model = load_model(model_file);
  const auto layers =
      prunable_layers(*model.network, {1, 3, model.config.height, model.config.width});
  const torch::NoGradGuard no_grad;
  std::vector<torch::Tensor> weights, scores;
  for (const auto& layer : layers) {
    weights.push_back(layer.weight);
    scores.push_back(layer.weight.abs());
  }
  const auto dense_bytes = gzip_bytes(weights);
  const auto ratios = allocate(config, layers, scores);
  std::map<std::string, double> by_name;
  for (size_t i = 0; i < layers.size(); ++i) {
    auto weight = layers[i].weight;
    weight.mul_(mask_lowest(scores[i], ratios[i]));
    by_name[layers[i].name] = zero_share(weight);
  }
  model.provenance[kSparsityKey] = write_ratios(by_name);
  save_model(model, out);
  const auto report = report_sparsity(layers, dense_bytes);
  if (json != "-") std::cout << report.to_text();
  write_json(json, report.to_json());
  return 0;
}

}  // namespace plateforge
