#include "train/report/run_report.h"

#include <algorithm>
#include <opencv2/imgcodecs.hpp>
#include <optional>
#include <sstream>

#include "compress/prune/sparsity_report.h"
#include "configs/atomic_file.h"
#include "configs/error.h"
#include "configs/yaml.h"
#include "data/concat.h"
#include "data/frames/preview.h"
#include "data/preview.h"
#include "data/stats.h"
#include "models/model_file.h"
#include "train/detector_data.h"
#include "train/error_analysis.h"
#include "train/evaluate.h"
#include "train/html.h"
#include "train/reader_data.h"
#include "train/reading_page.h"

namespace plateforge {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::json;

constexpr const char *kMetrics = "metrics.jsonl", *kModel = "model.safetensors";

// The lines of a run's metrics; one that a kill cut off is left out.
std::vector<Json> metric_lines(const fs::path& run) {
  std::vector<Json> lines;
  std::istringstream text(read_file(run / kMetrics));
  for (std::string line; std::getline(text, line);) {
    auto json = Json::parse(line, nullptr, /*allow_exceptions=*/false);
    if (json.is_object() && json.contains("step")) lines.push_back(std::move(json));
  }
  return lines;
}

// Columns of the training lines, thinned out to about `most` rows.
Json curves(const std::vector<Json>& lines, int64_t most) {
  std::vector<const Json*> rows;
  for (const auto& line : lines)
    if (line.contains("loss")) rows.push_back(&line);
  const auto step =
      std::max<size_t>(1, rows.size() / static_cast<size_t>(std::max<int64_t>(most, 1)));
  Json columns = Json::object();
  for (size_t i = 0; i < rows.size(); i += step)
    for (const auto& [key, value] : rows[i]->items())
      if (value.is_number() || value.is_null()) columns[key].push_back(value);
  return columns;
}

Json validations(const std::vector<Json>& lines) {
  Json all = Json::array();
  for (const auto& line : lines) {
    if (!line.contains("validation")) continue;
    Json metrics = Json::object();
    for (const auto& [key, value] : line["validation"].items())
      if (value.is_number()) metrics[key] = value;
    all.push_back(
        {{"step", line["step"]}, {"best", line.value("best", false)}, {"metrics", metrics}});
  }
  return all;
}

// What happened, beside validations: the plateau's reasons, interruptions, warnings.
Json events(const fs::path& run) {
  Json lines = Json::array();
  if (!fs::exists(run / "log.txt")) return lines;
  std::istringstream text(read_file(run / "log.txt"));
  for (std::string line; std::getline(text, line);)
    if (line.find(" validation: ") == std::string::npos &&
        line.find("packing ") == std::string::npos)
      lines.push_back(line);
  return lines;
}

// Weights, zeros and arithmetic by layer.
Json layer_rows(const Model& model) {
  Json rows = Json::array();
  const auto sparsity = report_sparsity(
      prunable_layers(*model.network, {1, 3, model.config.height, model.config.width}));
  for (const auto& layer : sparsity.layers)
    rows.push_back({{"layer", layer.name},
                    {"shape", shape_text(layer.shape)},
                    {"weights", layer.weights},
                    {"zeros", layer.ratio()},
                    {"multiplications", layer.macs}});
  return rows;
}

// Bits and signal-to-noise by layer of a quantised model.
Json quantized_rows(const Model& model) {
  const auto made = model.provenance.find("quantization");
  if (made == model.provenance.end()) return Json::array();
  const auto report = Json::parse(made->second, nullptr, /*allow_exceptions=*/false);
  return report.is_object() ? report.value("layers", Json::array()) : Json::array();
}

void add_fact(Json& report, const char* title, const std::string& text) {
  report["facts"].push_back(Json::array({title, text}));  // two strings alone would be an object
}

void add_model(const Model& model, int64_t bytes, Json& report) {
  const auto parameters = count_parameters(*model.network);
  report["parameters"] = parameters;
  report["bytes"] = bytes;
  add_fact(report, "network",
           model.config.name + ", " + std::to_string(parameters) + " parameters, input " +
               std::to_string(model.config.width) + " x " + std::to_string(model.config.height));
  if (const auto step = model.provenance.find("step"); step != model.provenance.end())
    add_fact(report, "best weights of step", step->second);
  if (const auto measured = model.provenance.find("validation"); measured != model.provenance.end())
    report["best"] = Json::parse(measured->second, nullptr, /*allow_exceptions=*/false);
  if (!is_autoencoder(model.config)) report["layers"] = layer_rows(model);
  report["quantized"] = quantized_rows(model);
}

void add_picture(Json& report, const std::string& title, const cv::Mat& image) {
  report["pictures"].push_back({{"title", title}, {"uri", picture_uri(image)}});
}

// What validations drew: the newest picture of each kind.
void add_drawn(const fs::path& run, Json& report) {
  if (!fs::is_directory(run / "pictures")) return;
  std::map<std::string, std::pair<int64_t, fs::path>> newest;
  for (const auto& entry : fs::directory_iterator(run / "pictures")) {
    const auto stem = entry.path().stem().string();
    const auto dash = stem.rfind('-');
    if (dash == std::string::npos || stem.find_first_not_of("0123456789", dash + 1) != stem.npos)
      continue;
    const auto step = std::stoll("0" + stem.substr(dash + 1));
    auto& kept = newest[stem.substr(0, dash)];
    if (step >= kept.first) kept = {step, entry.path()};
  }
  for (const auto& [kind, picture] : newest)
    add_picture(report, kind + " at step " + std::to_string(picture.first),
                cv::imread(picture.second.string()));
}

void add_mistakes(const Model& model, const Mix& val, const ReportOptions& options, Json& report) {
  auto loader = plain_loader(val, model, LoaderOptions().batch_size);
  const auto results = evaluate_reader(model, loader, {}).results;
  report["analysis"] = error_analysis(val, input_size(model.config), results);
  std::vector<size_t> wrong;
  for (size_t i = 0; i < results.size(); ++i)
    if (results[i].read != results[i].truth) wrong.push_back(i);
  // The surest mistakes first: among them are wrong labels.
  std::stable_sort(wrong.begin(), wrong.end(), [&](size_t a, size_t b) {
    return results[a].confidence > results[b].confidence;
  });
  wrong.resize(std::min(wrong.size(), static_cast<size_t>(options.most_worst)));
  const auto plates = concat(val);
  for (const auto i : wrong)
    report["worst"].push_back({{"uri", plate_uri(plates->read({0, static_cast<int64_t>(i)}))},
                               {"truth", results[i].truth},
                               {"read", results[i].read},
                               {"confidence", results[i].confidence}});
}

// The photographs of a mix; all of it where there are none.
Mix real_part(const Mix& mix) {
  Mix real;
  for (const auto& part : mix.parts)
    if (part.source->is_real()) real.parts.push_back(part);
  return real.parts.empty() ? mix : real;
}

// Samples as training sees them, and what the best weights, when there are some, read wrong.
void add_data(RunConfig config, const fs::path& run, const Model* model,
              const ReportOptions& options, Json& report) {
  const auto region = Region::load(config.region);
  config.model = for_region(config.model, region);
  const auto size = input_size(config.model);
  if (config.task == "detector") {
    const auto data = open_detector_data(config, region);
    const auto side = static_cast<int>(config.frames.size);
    add_picture(
        report, "frames: as evaluated, then as trained on",
        preview_frames(data.train, region, config.frames, config.augment,
                       {.rows = 4, .variants = 3, .size = side > 0 ? cv::Size(side, side) : size}));
    return;
  }
  const auto cache = run / "cache";
  const bool pretraining = config.task == "mae";
  const auto data = pretraining ? open_pretraining_data(config, region, cache)
                                : open_reader_data(config, region, cache);
  report["data"] = data_stats(real_part(data.train), region, /*with_sizes=*/false);
  add_picture(
      report, "plates: as they are, then as trained on",
      preview_sheet(data.train, region, config.augment, {.rows = 8, .variants = 4, .size = size}));
  if (!pretraining && model != nullptr) add_mistakes(*model, data.val, options, report);
}

}  // namespace

std::vector<fs::path> stage_folders(const fs::path& run) {
  std::vector<fs::path> stages;
  if (fs::is_directory(run) && !fs::exists(run / kMetrics))
    for (const auto& entry : fs::directory_iterator(run))
      if (fs::exists(entry.path() / kMetrics)) stages.push_back(entry.path());
  std::sort(stages.begin(), stages.end());
  return stages.empty() ? std::vector{run} : stages;
}

Json run_report(const fs::path& run, const ReportOptions& options) {
  require(fs::exists(run / kMetrics) && fs::exists(run / "config.yaml"), run.string(),
          " is no run folder: expected ", kMetrics, " and config.yaml in it");
  const auto config = read_run_config((run / "config.yaml").string());
  const auto lines = metric_lines(run);
  Json report = {{"name", run.filename().empty() ? run.parent_path().filename().string()
                                                 : run.filename().string()},
                 {"folder", run.string()},
                 {"config", read_file(run / "config.yaml")},
                 {"log", events(run)},
                 {"training", curves(lines, options.most_points)},
                 {"validation", validations(lines)},
                 {"best", nullptr},
                 {"analysis", nullptr},
                 {"data", nullptr},
                 {"layers", Json::array()},
                 {"quantized", Json::array()},
                 {"pictures", Json::array()},
                 {"worst", Json::array()},
                 {"notes", Json::array()}};
  add_fact(report, "task", config.task);
  add_fact(report, "region", config.region);
  add_fact(report, "trained on", config.data.train);
  add_fact(report, "seed", std::to_string(config.seed));
  const auto weights = run / kModel;
  std::optional<Model> model;
  if (fs::exists(weights)) {
    model = load_model(weights);
    add_model(*model, static_cast<int64_t>(fs::file_size(weights)), report);
  } else {
    report["notes"].push_back("no weights yet: " + weights.string());
  }
  add_drawn(run, report);
  if (options.pictures) {
    try {
      add_data(config, run, model ? &*model : nullptr, options, report);
    } catch (const Error& problem) {
      report["notes"].push_back(
          std::string("no samples are shown, for the data cannot be opened: ") + problem.what());
    }
  }
  return report;
}

}  // namespace plateforge
