#include "train/progress.h"

#include "configs/log.h"
#include "data/image.h"
#include "train/console.h"
#include "train/run_log.h"
#include "train/runtime.h"
#include "train/tensorboard.h"

namespace plateforge {

struct Progress::Sinks {
  explicit Sinks(const std::filesystem::path& run)
      : lines(run / "metrics.jsonl"), events(run / "tensorboard") {}
  RunLog lines;
  TensorBoardWriter events;
  Console console;
};

Progress::Progress(const std::filesystem::path& run, const RunConfig& config)
    : sinks_(std::make_unique<Sinks>(run)),
      pictures_(run / "pictures"),
      total_steps_(config.train.steps),
      last_time_(std::chrono::steady_clock::now()) {}

Progress::~Progress() = default;

void Progress::report_step(const StepReport& report) {
  const auto now = std::chrono::steady_clock::now();
  const double seconds = std::chrono::duration<double>(now - last_time_).count();
  const auto steps = static_cast<double>(report.step - last_step_);
  const double rate = static_cast<double>(samples_) / seconds;
  const int64_t memory = resident_bytes();

  sinks_->lines.append({{"step", report.step},
                        {"epoch", report.epoch},
                        {"loss", report.loss},
                        {"lr", report.lr},
                        {"images_per_second", rate},
                        {"memory_bytes", memory}});
  sinks_->events.scalar("train/loss", report.step, report.loss);
  sinks_->events.scalar("train/lr", report.step, report.lr);
  sinks_->events.scalar("train/images_per_second", report.step, rate);
  const double left = static_cast<double>(total_steps_ - report.step) * seconds / steps;
  sinks_->console.show({.epoch = report.epoch,
                        .step = report.step,
                        .steps = total_steps_,
                        .loss = report.loss,
                        .lr = report.lr,
                        .images_per_second = rate,
                        .seconds_left = steps > 0 ? left : -1,
                        .memory_bytes = memory});
  last_time_ = now;
  last_step_ = report.step;
  samples_ = 0;
}

void Progress::report_validation(int64_t step, const Evaluation& evaluation, bool best) {
  sinks_->lines.append({{"step", step}, {"validation", evaluation.json}, {"best", best}});
  for (const auto& [name, value] : evaluation.json.items()) {
    if (value.is_number()) sinks_->events.scalar("validation/" + name, step, value.get<double>());
  }
  for (const auto& [name, picture] : evaluation.pictures) {
    std::filesystem::create_directories(pictures_);
    write_png(pictures_ / (name + "-" + std::to_string(step) + ".png"), picture);
  }
  sinks_->console.end_line();
  log_info("step " + std::to_string(step) + " validation: " + evaluation.line +
           (best ? " (best)" : ""));
  // The time spent here is not training speed.
  last_time_ = std::chrono::steady_clock::now();
  last_step_ = step;
  samples_ = 0;
}

void Progress::resume_at(int64_t step) {
  sinks_->console.end_line();
  sinks_->lines.truncate_after(step);
  sinks_->events.restart_after(step);
  last_time_ = std::chrono::steady_clock::now();
  last_step_ = step;
  samples_ = 0;
}

}  // namespace plateforge
