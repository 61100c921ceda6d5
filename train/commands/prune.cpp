#include <algorithm>
#include <iostream>

#include "compress/prune/pruner.h"
#include "compress/prune/sparsity_report.h"
#include "configs/check.h"
#include "configs/error.h"
#include "configs/prune_sweep.h"
#include "train/commands/commands.h"
#include "train/compression_data.h"
#include "train/prune_sweep.h"

namespace po = boost::program_options;

namespace plateforge {
namespace {

struct Request {
  std::string model, out, layers, calibrate, scan, json;
  std::filesystem::path sweep, run;
  std::vector<std::string> overrides;
  PruneConfig config{.allocation = "norm_global"};
  RuntimeConfig runtime{.device = "cpu"};
};

po::options_description describe(Request& r) {
  auto& config = r.config;
  po::options_description options("options");
  options.add_options()("model", po::value(&r.model), "model file (.safetensors)")(
      "out", po::value(&r.out), "model file to write")(
      "ratio", po::value(&config.ratio)->default_value(config.ratio),
      "share of the weights that becomes zero")(
      "allocation", po::value(&config.allocation)->default_value(config.allocation),
      "layers, uniform, global, norm_global, erk, lamp, sensitivity")(
      "layers", po::value(&r.layers), "PREFIX=RATIO of layers with their own ratio, joined by ,")(
      "scores", po::value(&config.scores)->default_value(config.scores),
      "magnitude, wanda, or second_order, which also corrects the weights that stay")(
      "pattern", po::value(&config.pattern), "N:M along the input channels instead of a ratio")(
      "calibrate", po::value(&r.calibrate),
      "SPEC of plates of the training half; never those you measure on")(
      "samples", po::value(&config.calibration)->default_value(config.calibration),
      "plates taken from it")(
      "max-drop", po::value(&config.max_drop),
      "lower the ratio until exact match on these plates falls no further than this")(
      "max-bytes", po::value(&config.max_bytes),
      "raise the ratio until the packed int8 weights are this small")(
      "scan", po::value(&r.scan),
      "JSON that keeps the sensitivity scan, to go on with or use again")(
      "sweep", po::value(&r.sweep),
      "config of a sweep (configs/prune_sweep.yaml) in place of one model")(
      "set", po::value(&r.overrides)->composing(), "override of the sweep's config, key=value")(
      "run", po::value(&r.run), "folder of the sweep; the same one goes on where it stopped")(
      "json", po::value(&r.json), "write the table here; - is standard output");
  add_runtime_options(options, r.runtime);
  return options;
}

Calibration open_calibration(const Request& request, const Model& model, torch::Device device) {
  if (request.calibrate.empty()) return {};
  const auto exam = open_exam(request.calibrate, model);
  return make_calibration(model.network, exam,
                          take_samples(*exam, request.config.calibration, request.calibrate),
                          device);
}

int prune_one(Request& request) {
  require(!request.model.empty() && !request.out.empty(),
          "prune needs --model M and --out M2, or --sweep CONFIG --run DIR");
  request.config.layers = split_list(request.layers);
  check_constraints(request.config, "prune");
  require(request.config.allocation != "none", "--allocation none prunes nothing");

  const auto device = set_up_runtime(request.runtime);
  auto model = load_model(request.model);
  model.network->to(device);
  Pruner pruner(*model.network, {1, 3, model.config.height, model.config.width}, request.config,
                open_calibration(request, model, device), request.scan);
  const auto dense_bytes = gzip_bytes(weights_of(pruner.layers()));
  model.provenance[kSparsityKey] = write_ratios(pruner.prune());
  save_model(model, request.out);
  const auto report = report_sparsity(pruner.layers(), dense_bytes);
  if (request.json != "-") std::cout << report.to_text();
  write_json(request.json, report.to_json());
  return 0;
}

int prune_sweep(const Request& request) {
  require(!request.run.empty(), "--sweep needs --run DIR, the folder for its results");
  const auto config = read_prune_sweep(request.sweep, request.overrides);
  const auto cells = run_prune_sweep(config, request.runtime, request.run);
  if (request.json != "-")
    std::cout << sweep_text(cells) << "picture: " << (request.run / "pareto.png").string() << "\n";
  write_json(request.json, cells);
  return 0;
}

}  // namespace

int prune_command(const Args& args) {
  if (std::find(args.begin(), args.end(), "--structured") != args.end())
    return shrink_command(args);
  Request request;
  const auto options = describe(request);
  po::variables_map values;
  if (!parse_options(args,
                     "plateforge prune --model M --ratio R --out M2 [--calibrate SPEC]\n"
                     "plateforge prune --structured ... (see prune --structured --help)\n"
                     "plateforge prune --sweep CONFIG --run DIR",
                     options, values))
    return 0;
  return request.sweep.empty() ? prune_one(request) : prune_sweep(request);
}

}  // namespace plateforge
