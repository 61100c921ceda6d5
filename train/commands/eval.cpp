#include <algorithm>
#include <iomanip>
#include <iostream>

#include "configs/error.h"
#include "data/frames/open_frames.h"
#include "export/runtimes.h"
#include "models/model_file.h"
#include "train/commands/commands.h"
#include "train/error_analysis.h"
#include "train/evaluate.h"
#include "train/evaluate_detector.h"
#include "train/evaluate_system.h"
#include "train/reading_page.h"

namespace po = boost::program_options;

namespace plateforge {

namespace {

struct Request {
  std::string model, detector, reader, spec, json, page, decoder = "greedy";
  EngineOptions engine;
  int64_t batch = 64;
  bool analyse = false;
  double score = DetectorOptions().score_threshold;
  CropOptions crop;
  RuntimeConfig runtime;
};

po::options_description describe(Request& r) {
  po::options_description options("options");
  r.engine.runtime = fastest_runtime();
  options.add_options()("model", po::value(&r.model), "model file (.safetensors)")(
      "detector", po::value(&r.detector), "with --reader: both together, as predict uses them")(
      "reader", po::value(&r.reader), "model file or exported file, as --detector")(
      "runtime", po::value(&r.engine.runtime)->default_value(r.engine.runtime),
      "what runs .onnx files of --detector and --reader")(
      "data", po::value(&r.spec)->required(), "SPEC of labelled plates, of a detector: frames")(
      "decoder", po::value(&r.decoder)->default_value(r.decoder),
      "greedy, or beam: the best text the region's grammar allows")(
      "score", po::value(&r.score)->default_value(r.score),
      "least score of a plate that a detector reports")(
      "batch", po::value(&r.batch)->default_value(r.batch), "samples per forward pass")(
      "crop", po::value(&r.crop.crop)->default_value(r.crop.crop), "rectify, extents or box")(
      "analyse", po::bool_switch(&r.analyse),
      "of a reader: also by width, light, sharpness and tilt of the plates, and labels that look "
      "wrong")("page", po::value(&r.page),
               "also write an HTML page with pictures and what was read")(
      "json", po::value(&r.json), "write the metrics here; - is standard output");
  add_runtime_options(options, r.runtime);
  return options;
}

// Whatever was measured, for people and for programs.
template <class Measured>
void report(const Request& request, const Measured& measured, const nlohmann::json& analysis = {}) {
  auto json = measured.metrics.to_json();
  if (!analysis.is_null()) json["analysis"] = analysis;
  json["loss"] = measured.loss;
  json["images_per_second"] =
      static_cast<double>(measured.metrics.samples()) / std::max(1e-9, measured.seconds);
  json["data"] = request.spec;
  if (request.json != "-")
    std::cout << measured.metrics.to_text() << (analysis.is_null() ? "" : analysis_text(analysis));
  write_json(request.json, json);
}

void eval_reader(const Request& request, const Model& model, torch::Device device) {
  time_steps(model.config);  // refuses what is no reader
  const auto mix = open_mix(request.spec, model.region, request.crop, /*seed=*/0);
  auto plates = plain_loader(mix, model, request.batch);
  const auto measured = evaluate_reader(
      model, plates,
      {.decoder = request.decoder, .precision = request.runtime.precision, .device = device});
  nlohmann::json analysis;
  if (request.analyse) analysis = error_analysis(mix, input_size(model.config), measured.results);
  report(request, measured, analysis);
  if (!request.page.empty()) write_reading_page(request.page, mix, measured.results, request.spec);
}

void eval_detector(const Request& request, const Model& model, torch::Device device) {
  require(request.page.empty(),
          "--page shows what a reader read; for a detector there is data preview");
  auto frames =
      plain_frame_loader(open_frames(request.spec, model.region, /*seed=*/0), model, request.batch);
  DetectorOptions options;
  options.score_threshold = request.score;
  options.precision = request.runtime.precision;
  options.device = device;
  options.decode.score = std::min(options.decode.score, request.score);
  report(request, evaluate_detector(*model.network, model.config, frames, options));
}

nlohmann::json seconds_json(const StageSeconds& seconds, int64_t pictures) {
  nlohmann::json json;
  for (const auto& [stage, sum] : seconds.by_stage())
    json[stage] = sum / static_cast<double>(std::max<int64_t>(pictures, 1));
  return json;
}

void eval_system(Request request) {
  require(!request.detector.empty() && !request.reader.empty() && request.model.empty(),
          "give --model for one network, or --detector and --reader for both together");
  check_runtime(request.engine.runtime);
  request.engine.precision = request.runtime.precision;
  auto models = load_plate_models(request.detector, request.reader, request.engine,
                                  {.score = request.score}, threads_for_pictures(request.runtime));
  auto& reader = models.front().reader;
  auto measured = evaluate_system(open_frames(request.spec, reader.region(), /*seed=*/0),
                                  reader.region(), models);
  const auto kinds = spec_kinds(request.spec);
  if (std::all_of(kinds.begin(), kinds.end(), [](const auto& kind) { return kind == "ccpd"; }))
    add_annotated_crops(request.spec, {"rectify", "extents", "box"}, reader, measured.metrics);
  const auto frames = measured.metrics.samples();
  auto json = measured.metrics.to_json();
  json["seconds_per_picture"] = seconds_json(measured.seconds.work, frames);
  json["images_per_second"] =
      static_cast<double>(frames) / std::max(1e-9, measured.seconds.elapsed);
  json["data"] = request.spec;
  if (request.json != "-") {
    std::cout << measured.metrics.to_text() << "milliseconds of work per frame:";
    for (const auto& [stage, sum] : measured.seconds.work.by_stage())
      std::cout << "  " << stage << " " << std::fixed << std::setprecision(1)
                << 1e3 * sum / static_cast<double>(std::max<int64_t>(frames, 1));
    std::cout << "\n" << measured.metrics.published_text();
  }
  write_json(request.json, json);
}

}  // namespace

int eval_command(const Args& args) {
  Request request;
  po::variables_map values;
  if (!parse_options(
          args, "plateforge eval --model M --data SPEC   or   --detector D --reader R --data SPEC",
          describe(request), values))
    return 0;
  require(request.decoder == "greedy" || request.decoder == "beam", "--decoder ", request.decoder,
          " is unknown; known: greedy beam");
  require(request.batch > 0, "--batch ", request.batch, " must be at least 1");
  require(request.score > 0 && request.score < 1, "--score ", request.score,
          " must lie between 0 and 1");

  if (!request.detector.empty() || !request.reader.empty()) {
    eval_system(request);
    return 0;
  }
  require(!request.model.empty(), "--model is missing (or --detector with --reader)");
  const auto device = set_up_runtime(request.runtime);
  const auto model = load_model(request.model);
  model.network->to(device);
  is_detector(model.config) ? eval_detector(request, model, device)
                            : eval_reader(request, model, device);
  return 0;
}

}  // namespace plateforge
