#include "train/progress.h"

#include <iomanip>
#include <sstream>

#include "configs/log.h"
#include "train/runtime.h"

namespace plateforge {

struct Progress::Sinks {};

Progress::Progress(const std::filesystem::path&, const RunConfig& config)
    : sinks_(std::make_unique<Sinks>()),
      total_steps_(config.train.steps),
      last_time_(std::chrono::steady_clock::now()) {}

Progress::~Progress() = default;

void Progress::report_step(const StepReport& report) {
  const auto now = std::chrono::steady_clock::now();
  const double seconds = std::chrono::duration<double>(now - last_time_).count();
  std::ostringstream line;
  line << "step " << report.step << "/" << total_steps_ << " loss " << std::setprecision(4)
       << report.loss << " lr " << report.lr << " " << std::lround(static_cast<double>(samples_) / seconds)
       << " img/s";
  log_info(line.str());
  last_time_ = now;
  samples_ = 0;
}

void Progress::report_validation(int64_t step, const Evaluation& evaluation, bool best) {
  log_info("step " + std::to_string(step) + " validation: " + evaluation.line + (best ? " (best)" : ""));
}

void Progress::resume_at(int64_t) {}

}  // namespace plateforge
