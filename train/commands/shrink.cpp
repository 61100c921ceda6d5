#include <iostream>

#include "compress/prune/masks.h"
#include "compress/prune/sparsity_report.h"
#include "compress/shrink/shrink.h"
#include "configs/check.h"
#include "configs/error.h"
#include "train/commands/commands.h"
#include "train/compression_data.h"

namespace po = boost::program_options;

namespace plateforge {
namespace {

struct Request {
  std::string model, out, widths, calibrate, json;
  bool structured = false;
  ShrinkConfig config;
  RuntimeConfig runtime{.device = "cpu"};
};

po::options_description describe(Request& r) {
  auto& config = r.config;
  po::options_description options("options");
  options.add_options()("structured", po::bool_switch(&r.structured), "remove whole channels")(
      "model", po::value(&r.model), "model file (.safetensors)")(
      "out", po::value(&r.out), "model file to write")("ratio", po::value(&config.ratio),
                                                       "share that goes, of what --by counts")(
      "by", po::value(&config.by)->default_value(config.by),
      "channels: every group loses that share; macs or latency (measured here): greedily where it "
      "costs least")("widths", po::value(&r.widths),
                     "GROUP=CHANNELS of groups with their own width, joined by ,")(
      "multiple", po::value(&config.multiple)->default_value(config.multiple),
      "widths are multiples of this; below 8 nothing gets faster")(
      "scores", po::value(&config.scores)->default_value(config.scores),
      "norm, lamp, or taylor, which needs --calibrate")(
      "steps", po::value(&config.steps)->default_value(config.steps),
      "rounds, with new scores and BatchNorm statistics in each")(
      "exact", po::bool_switch(&config.exact),
      "leave channels alone that a mean over channels sees")(
      "calibrate", po::value(&r.calibrate),
      "SPEC of labelled samples of the training half; never those you measure on")(
      "samples", po::value(&config.calibration)->default_value(config.calibration),
      "samples taken from it")("json", po::value(&r.json),
                               "write the table here; - is standard output");
  add_runtime_options(options, r.runtime);
  return options;
}

// The shares of zeros that the file speaks of are others now.
void update_sparsity(Model& model, const Shape& image_shape, const std::string& file) {
  const auto found = model.provenance.find(kSparsityKey);
  if (found == model.provenance.end()) return;
  auto ratios = read_ratios(found->second, file);
  for (const auto& layer : prunable_layers(*model.network, image_shape))
    if (ratios.contains(layer.name)) ratios[layer.name] = zero_share(layer.weight);
  found->second = write_ratios(ratios);
}

}  // namespace

int shrink_command(const Args& args) {
  Request request;
  const auto options = describe(request);
  po::variables_map values;
  if (!parse_options(
          args, "plateforge prune --structured --model M --ratio R --out M2 [--calibrate SPEC]",
          options, values))
    return 0;
  require(!request.model.empty() && !request.out.empty(),
          "prune --structured needs --model M and --out M2");
  request.config.widths = split_list(request.widths);
  check_constraints(request.config, "prune");

  const auto device = set_up_runtime(request.runtime);
  auto model = load_model(request.model);
  model.network->to(device);
  std::vector<Batch> samples;
  Calibration calibration;
  Shrinker::Gradients gradients;
  if (!request.calibrate.empty()) {
    const auto exam = open_exam(request.calibrate, model);
    samples = take_samples(*exam, request.config.calibration, request.calibrate);
    calibration = make_calibration(model.network, exam, samples, device);
    gradients = [&, exam] { return mean_gradients(*model.network, *exam, samples, device); };
  }
  const Shape image_shape{1, 3, model.config.height, model.config.width};
  Shrinker shrinker(*model.network, image_shape, request.config, calibration, gradients);
  const auto report = shrinker.shrink();
  model.provenance[kWidthsKey] = report.widths();
  update_sparsity(model, image_shape, request.model);
  save_model(model, request.out);
  if (request.json != "-") std::cout << report.to_text();
  write_json(request.json, report.to_json());
  return 0;
}

}  // namespace plateforge
