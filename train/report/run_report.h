#pragma once

#include <filesystem>
#include <nlohmann/json.hpp>

namespace plateforge {

struct ReportOptions {
  bool pictures = true;       // open the run's data: samples after augmentation, worst predictions
  int64_t most_worst = 24;    // predictions to show
  int64_t most_points = 800;  // of a curve; longer ones are thinned out evenly
};

// What a run folder tells, for the page: name, task, facts (a list of [title, text]), config
// (YAML), log (lines worth a look), training {step, loss, lr, images_per_second, ...}, validation
// (list of {step, best, metrics}), best (the metrics of the best weights), layers (rows of a
// table), pictures (list of {title, uri}), worst (list of {uri, truth, read, confidence}), notes
// (sentences on what could not be shown). Throws Error for a folder that is no run's.
nlohmann::json run_report(const std::filesystem::path& run, const ReportOptions& options);

// The folders of a run's stages, or of all runs that a folder holds, by name; the run itself when
// it has none.
std::vector<std::filesystem::path> stage_folders(const std::filesystem::path& run);

}  // namespace plateforge
