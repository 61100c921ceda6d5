#include "train/prune_sweep.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <fstream>
#include <set>
#include <sstream>

#include "compress/prune/pruner.h"
#include "compress/prune/sparsity_report.h"
#include "compress/shrink/latency.h"
#include "configs/atomic_file.h"
#include "configs/error.h"
#include "configs/log.h"
#include "configs/yaml.h"
#include "data/plot.h"
#include "models/graph/trace.h"
#include "train/compression_data.h"
#include "train/run_setup.h"
#include "train/runtime.h"
#include "train/stages.h"

namespace plateforge {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::json;

struct Cell {
  std::string allocation = "none", scores = "magnitude", schedule = "one_shot";
  double ratio = 0;
  std::string series() const {
    return allocation + " " + scores + (schedule == "one_shot" ? "" : " " + schedule);
  }
  std::string name() const {
    char text[128];
    std::snprintf(text, sizeof text, "%s-%s-%s-%g", allocation.c_str(), scores.c_str(),
                  schedule.c_str(), ratio);
    return ratio == 0 ? "dense" : text;
  }
};

std::vector<Cell> grid(const PruneSweepConfig& config) {
  std::vector<Cell> cells = {Cell{}};  // the dense model
  const auto schedules =
      config.fine_tune.empty() ? std::vector<std::string>{"one_shot"} : config.schedules;
  for (const auto& schedule : schedules)
    for (const auto& scores : config.scores)
      for (const auto& allocation : config.allocations)
        for (const double ratio : config.ratios)
          if (ratio > 0 && (schedule == "one_shot" || scores == "magnitude"))
            cells.push_back({allocation, scores, schedule, ratio});
  return cells;
}

class Sweep {
 public:
  Sweep(const PruneSweepConfig& config, const RuntimeConfig& runtime, fs::path run)
      : config_(config), run_(std::move(run)), runtime_(runtime), device_(set_up_runtime(runtime)) {
    const auto model = load_model(config_.model);
    exam_ = open_exam(config_.data, model);
    measured_ = all_samples(*exam_);
    if (!config_.calibrate.empty()) {
      const auto calibration = open_exam(config_.calibrate, model);
      require_apart(*calibration, *exam_);
      calibration_ = take_samples(*calibration, config_.samples, config_.calibrate);
    }
    dense_bytes_ = gzip_bytes(weights_of(layers_of(model)));
  }

  Json measure(const Cell& cell) {
    log_info("cell " + cell.name());
    const auto model = cell.ratio == 0             ? load_model(config_.model)
                       : config_.fine_tune.empty() ? prune(cell)
                                                   : fine_tune(cell);
    model.network->to(device_);
    auto result = judge(model);
    const auto sparsity = report_sparsity(layers_of(model), dense_bytes_).to_json();
    for (const char* key :
         {"nonzero_parameters", "gzip_bytes", "dense_gzip_bytes", "macs", "nonzero_macs"})
      result[key] = sparsity.at(key);
    result["zeros"] = sparsity.at("ratio");
    const auto graph = trace(*model.network, {1, 3, model.config.height, model.config.width});
    result["latency_ms"]["min"] = network_microseconds(graph) / 1000;
    result.update({{"cell", cell.name()},
                   {"series", cell.series()},
                   {"allocation", cell.allocation},
                   {"scores", cell.scores},
                   {"schedule", cell.schedule},
                   {"ratio", cell.ratio}});
    return result;
  }

 private:
  static std::vector<PrunableLayer> layers_of(const Model& model) {
    return prunable_layers(*model.network, {1, 3, model.config.height, model.config.width});
  }

  PruneConfig pruning(const Cell& cell) const {
    return {.allocation = cell.allocation,
            .ratio = cell.ratio,
            .scores = cell.scores,
            .calibration = config_.samples,
            .schedule = cell.schedule};
  }

  // Ratios of one sweep share the scan of a model's sensitivity.
  Model prune(const Cell& cell) const {
    auto model = load_model(config_.model);
    model.network->to(device_);
    const auto calibration = calibration_.empty()
                                 ? Calibration{}
                                 : make_calibration(model.network, exam_, calibration_, device_);
    Pruner pruner(*model.network, {1, 3, model.config.height, model.config.width}, pruning(cell),
                  calibration, run_ / ("sensitivity-" + cell.scores + ".json"));
    pruner.prune();
    return model;
  }

  Model fine_tune(const Cell& cell) const {
    const auto folder = run_ / cell.name();
    auto config = read_run_config(config_.fine_tune);
    config.model.init_from = config_.model;
    config.train.steps = config_.steps;
    config.runtime = runtime_;
    config.prune = pruning(cell);
    require(train_or_resume(config, folder) == Outcome::kFinished,
            "the sweep was interrupted in cell ", cell.name(), ": the same command goes on there");
    return load_model(folder / "model.safetensors");
  }

  Json judge(const Model& model) const {
    const auto quality = make_calibration(model.network, exam_, measured_, device_).measure();
    const auto samples = exam_->size();
    const Proportion right{std::llround(quality.score * static_cast<double>(samples)), samples};
    return {{"samples", samples},
            {"score", quality.score},
            {"interval95", right.interval95()},
            {"loss", quality.loss}};
  }

  PruneSweepConfig config_;
  fs::path run_;
  RuntimeConfig runtime_;
  torch::Device device_;
  ExamPtr exam_;
  std::vector<Batch> measured_, calibration_;
  int64_t dense_bytes_ = 0;
};

// The finished cells of a folder that belongs to this very sweep; a line that a killed run left
// unfinished is dropped.
std::vector<Json> finished_cells(const fs::path& run, const std::string& config) {
  const auto saved = run / "config.yaml";
  fs::create_directories(run);
  require(!fs::exists(saved) || read_file(saved) == config, run.string(),
          " holds a sweep with another config: name another --run");
  write_file_atomically(saved, config);
  std::vector<Json> cells;
  std::ifstream lines(run / "results.jsonl");
  for (std::string line; std::getline(lines, line);) {
    auto cell = Json::parse(line, nullptr, /*allow_exceptions=*/false);
    if (cell.is_object() && cell.contains("cell")) cells.push_back(std::move(cell));
  }
  return cells;
}

void write_cells(const fs::path& run, const std::vector<Json>& cells) {
  std::string lines;
  for (const auto& cell : cells) lines += cell.dump() + "\n";
  write_file_atomically(run / "results.jsonl", lines);
}

std::string csv(const std::vector<Json>& cells) {
  std::ostringstream out;
  const std::vector<std::string> keys = {"allocation",
                                         "scores",
                                         "schedule",
                                         "ratio",
                                         "zeros",
                                         "score",
                                         "loss",
                                         "samples",
                                         "nonzero_parameters",
                                         "gzip_bytes",
                                         "dense_gzip_bytes",
                                         "macs",
                                         "nonzero_macs"};
  for (const auto& key : keys) out << key << ",";
  out << "low95,high95,latency_ms\n";
  for (const auto& cell : cells) {
    for (const auto& key : keys) {
      const auto& value = cell.at(key);
      out << (value.is_string() ? value.get<std::string>() : value.dump()) << ",";
    }
    out << cell.at("interval95").at(0) << "," << cell.at("interval95").at(1) << ","
        << cell.at("latency_ms").at("min") << "\n";
  }
  return out.str();
}

void draw(const fs::path& file, const std::vector<Json>& cells) {
  SeriesPlot plot{.title = "score against size, 95 % intervals",
                  .x_label = "int8 weights, gzip -9, kB",
                  .y_label = "score (exact match, IoU > 0.7)",
                  .series = {}};
  for (const auto& cell : cells) {
    const auto name = cell.at("series").get<std::string>();
    auto series = std::find_if(plot.series.begin(), plot.series.end(),
                               [&](const auto& known) { return known.name == name; });
    if (series == plot.series.end()) series = plot.series.insert(series, {.name = name});
    series->x.push_back(cell.at("gzip_bytes").get<double>() / 1000);
    series->y.push_back(cell.at("score").get<double>());
    series->low.push_back(cell.at("interval95").at(0).get<double>());
    series->high.push_back(cell.at("interval95").at(1).get<double>());
  }
  write_series_plot(file, plot);
}

}  // namespace

std::vector<Json> run_prune_sweep(const PruneSweepConfig& config, const RuntimeConfig& runtime,
                                  const fs::path& run) {
  auto cells = finished_cells(run, write_prune_sweep(config));
  std::set<std::string> known;
  for (const auto& cell : cells) known.insert(cell.at("cell").get<std::string>());
  if (!known.empty()) log_info("going on behind " + std::to_string(known.size()) + " cells");
  Sweep sweep(config, runtime, run);
  for (const auto& cell : grid(config)) {
    if (known.contains(cell.name())) continue;
    cells.push_back(sweep.measure(cell));
    write_cells(run, cells);
  }
  write_file_atomically(run / "sweep.csv", csv(cells));
  write_file_atomically(run / "sweep.json", Json(cells).dump(2) + "\n");
  draw(run / "pareto.png", cells);
  return cells;
}

std::string sweep_text(const std::vector<Json>& cells) {
  std::string table =
      "series                            zeros        score  95 % interval     "
      "nonzero  int8 gz  MACs left  latency ms\n";
  for (const auto& cell : cells) {
    char row[200];
    const auto& interval = cell.at("interval95");
    std::snprintf(
        row, sizeof row, "%-32s %5.1f%%  %10.2f %%  [%6.2f, %6.2f]  %8lld %8lld %9.1f%% %11.3f\n",
        cell.at("series").get<std::string>().c_str(), 100 * cell.at("zeros").get<double>(),
        100 * cell.at("score").get<double>(), 100 * interval.at(0).get<double>(),
        100 * interval.at(1).get<double>(), cell.at("nonzero_parameters").get<long long>(),
        cell.at("gzip_bytes").get<long long>(),
        100 * cell.at("nonzero_macs").get<double>() / cell.at("macs").get<double>(),
        cell.at("latency_ms").at("min").get<double>());
    table += row;
  }
  return table;
}

}  // namespace plateforge
