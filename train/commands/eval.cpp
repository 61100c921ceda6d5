#include <iostream>

#include "configs/error.h"
#include "models/model_file.h"
#include "train/commands/commands.h"
#include "train/evaluate.h"
#include "train/reading_page.h"

namespace po = boost::program_options;

namespace plateforge {

int eval_command(const Args& args) {
  std::string model_file, spec, json, page, decoder = "greedy";
  int64_t batch = 64;
  CropOptions crop;
  RuntimeConfig runtime;
  po::options_description options("options");
  options.add_options()("model", po::value(&model_file)->required(), "model file (.safetensors)")(
      "data", po::value(&spec)->required(), "SPEC of labelled plates")(
      "decoder", po::value(&decoder)->default_value(decoder),
      "greedy, or beam: the best text the region's grammar allows")(
      "batch", po::value(&batch)->default_value(batch), "plates per forward pass")(
      "crop", po::value(&crop.crop)->default_value(crop.crop), "rectify, extents or box")(
      "page", po::value(&page), "also write an HTML page with pictures and what was read")(
      "json", po::value(&json), "write the metrics here; - is standard output");
  add_runtime_options(options, runtime);
  po::variables_map values;
  if (!parse_options(args, "plateforge eval --model M --data SPEC", options, values)) return 0;
  require(decoder == "greedy" || decoder == "beam", "--decoder ", decoder,
          " is unknown; known: greedy beam");
  require(batch > 0, "--batch ", batch, " must be at least 1");

  const auto device = set_up_runtime(runtime);
  const auto model = load_model(model_file);
  model.network->to(device);
  const auto mix = open_mix(spec, model.region, crop, /*seed=*/0);
  auto plates = plain_loader(mix, model, batch);
  const auto evaluation =
      evaluate_reader(*model.network, model.region, plates,
                      {.decoder = decoder, .precision = runtime.precision, .device = device});

  auto report = evaluation.metrics.to_json();
  report["loss"] = evaluation.loss;
  report["images_per_second"] =
      static_cast<double>(evaluation.metrics.samples()) / std::max(1e-9, evaluation.seconds);
  report["data"] = spec;
  report["decoder"] = decoder;
  if (json != "-") std::cout << evaluation.metrics.to_text();
  write_json(json, report);
  if (!page.empty()) write_reading_page(page, mix, evaluation.results, spec);
  return 0;
}

}  // namespace plateforge
