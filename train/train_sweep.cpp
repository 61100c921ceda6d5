#include "train/train_sweep.h"

#include <torch/types.h>

#include <algorithm>
#include <cstdio>

#include "configs/atomic_file.h"
#include "configs/error.h"
#include "configs/log.h"
#include "configs/yaml.h"
#include "models/model_file.h"
#include "train/stages.h"

namespace plateforge {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::json;

constexpr const char* kDone = "done";  // in the folder of a cell that has ended

Json result_of(const SweepCell& cell, const fs::path& folder) {
  const auto model = load_model(folder / "model.safetensors");
  return {{"cell", cell.name},
          {"parameters", count_parameters(*model.network)},
          {"step", std::stoll(model.provenance.at("step"))},
          {"validation", Json::parse(model.provenance.at("validation"))}};
}

// Whether "stages.NAME.section.key=value" is meant for other cells: `config` has stages, or none,
// but not that one.
bool is_for_other_cells(const std::string& override_text, const RunConfig& config) {
  const std::string prefix = "stages.";
  if (!override_text.starts_with(prefix)) return false;
  const auto name =
      override_text.substr(prefix.size(), override_text.find('.', prefix.size()) - prefix.size());
  return std::none_of(config.stages.begin(), config.stages.end(),
                      [&](const auto& stage) { return stage.name == name; });
}

// What an earlier call wrote about cells that this one leaves alone.
std::vector<Json> other_results(const fs::path& file, const std::vector<SweepCell>& cells) {
  std::vector<Json> others;
  if (!fs::exists(file)) return others;
  for (const auto& result : Json::parse(read_file(file)))
    if (std::none_of(cells.begin(), cells.end(),
                     [&](const auto& cell) { return cell.name == result.at("cell"); }))
      others.push_back(result);
  return others;
}

void require_same_config(const SweepCell& cell, const fs::path& folder) {
  const auto saved = folder / "config.yaml";
  require(!fs::exists(saved) || read_file(saved) == write_run_config(cell.config), folder.string(),
          " was trained with another config: name another --run, or remove the "
          "folder to train the cell anew");
}

Outcome train_cell(const SweepCell& cell, const fs::path& folder) {
  const auto outcome = train_or_resume(cell.config, folder);
  if (outcome == Outcome::kFinished) write_file_atomically(folder / kDone, "");
  return outcome;
}

}  // namespace

std::vector<SweepCell> sweep_cells(const TrainSweepConfig& sweep,
                                   const std::vector<std::string>& only,
                                   const std::vector<std::string>& overrides) {
  std::string known;
  for (const auto& cell : sweep.cells) known += " " + cell.name;
  for (const auto& name : only) {
    const bool exists = std::any_of(sweep.cells.begin(), sweep.cells.end(),
                                    [&](const auto& cell) { return cell.name == name; });
    require(exists, "--only ", name, ": there is no such cell; known:", known);
  }
  std::vector<SweepCell> cells;
  for (const auto& cell : sweep.cells) {
    if (!only.empty() && std::find(only.begin(), only.end(), cell.name) == only.end()) continue;
    auto all = sweep.set;
    all.insert(all.end(), cell.set.begin(), cell.set.end());
    cells.push_back({cell.name, read_run_config(sweep.config, all)});
  }
  require(!cells.empty(), "the sweep has no cells");
  for (const auto& text : overrides) {
    const auto skips = [&](const auto& cell) { return is_for_other_cells(text, cell.config); };
    const bool nobodys = std::all_of(cells.begin(), cells.end(), skips);
    for (auto& cell : cells)
      if (nobodys || !skips(cell)) override_run_config(cell.config, {text});
  }
  return cells;
}

Outcome run_train_sweep(const std::vector<SweepCell>& cells, const fs::path& run,
                        std::vector<Json>& results) {
  for (const auto& cell : cells) require_same_config(cell, run / cell.name);
  results = other_results(run / "sweep.json", cells);
  for (const auto& cell : cells) {
    const auto folder = run / cell.name;
    if (!fs::exists(folder / kDone)) {
      log_info("cell " + cell.name);
      if (const auto outcome = train_cell(cell, folder); outcome != Outcome::kFinished)
        return outcome;
    }
    results.push_back(result_of(cell, folder));
    write_file_atomically(run / "sweep.json", Json(results).dump(2) + "\n");
  }
  return Outcome::kFinished;
}

std::string train_sweep_text(const std::vector<Json>& results) {
  std::string table = "cell                parameters    step  exact match      CER       loss\n";
  for (const auto& result : results) {
    const auto& measured = result.at("validation");
    const auto number = [&](const char* key) { return measured.value(key, 0.0); };
    char row[160];
    std::snprintf(row, sizeof row, "%-18s %11lld %7lld %12.4f %8.4f %10.4f\n",
                  result.at("cell").get<std::string>().c_str(),
                  result.at("parameters").get<long long>(), result.at("step").get<long long>(),
                  number("exact_match"), number("cer"), number("loss"));
    table += row;
  }
  return table;
}

}  // namespace plateforge
