#include <torch/utils.h>

#include <cstdio>
#include <iostream>

#include "configs/atomic_file.h"
#include "configs/log.h"
#include "configs/yaml.h"
#include "data/loader.h"
#include "data/plot.h"
#include "optim/lr_find.h"
#include "optim/optimizer.h"
#include "train/commands/commands.h"
#include "train/console.h"
#include "train/scratch_folder.h"
#include "train/training.h"

namespace po = boost::program_options;
namespace fs = std::filesystem;

namespace plateforge {

namespace {

// Trains with growing rates until the loss diverges. The weights are thrown away.
void run_test(LrRangeTest& test, const RunConfig& config, Task& task, Loader& train,
              torch::Device device, int64_t steps) {
  const auto groups = make_param_groups(task.network(), config.optim);
  const auto optimizer = make_optimizer(groups, config.optim);
  Console console;
  task.network().train();
  train.seek(0);
  for (bool more = true; more;) {
    const auto batch = to_device(train.next().value(), device);
    const double lr = test.lr();
    optimizer->zero_grad();
    const auto loss = task.loss(batch);
    loss.backward();
    if (config.optim.clip_norm > 0) clip_grad_norm(groups, config.optim.clip_norm);
    optimizer->step(lr, config.optim.beta1);
    const double value = loss.item<double>();  // the stop rule needs every loss
    more = test.add(value);
    const auto step = static_cast<int64_t>(test.rates().size());
    console.show(
        {.epoch = static_cast<double>(step) / static_cast<double>(train.batches_per_epoch()),
         .step = step,
         .steps = steps,
         .loss = value,
         .lr = lr});
  }
}

std::string short_number(double value) {
  char text[32];
  std::snprintf(text, sizeof text, "%.2e", value);
  return text;
}

std::vector<std::pair<std::string, double>> named(const LrSuggestions& suggestions) {
  std::vector<std::pair<std::string, double>> names = {{"valley", suggestions.valley},
                                                       {"steep", suggestions.steep},
                                                       {"minimum", suggestions.minimum}};
  if (suggestions.slide) names.emplace_back("slide", *suggestions.slide);
  return names;
}

void draw(const fs::path& file, const LrRangeTest& test, const LrSuggestions& suggestions) {
  LinePlot plot{.title = "learning-rate range test",
                .x_label = "learning rate",
                .y_label = "smoothed loss",
                .log_x = true,
                .x = test.rates(),
                .y = test.losses()};
  for (const auto& [name, rate] : named(suggestions)) {
    plot.marks.emplace_back(name + " " + short_number(rate), rate);
  }
  write_line_plot(file, plot);
}

}  // namespace

int lr_find_command(const Args& args) {
  fs::path config_file, plot = "lr_find.png";
  std::vector<std::string> overrides;
  std::string json;
  LrRange range;
  po::options_description options("options");
  options.add_options()("config", po::value(&config_file)->required(), "run config (.yaml)")(
      "set", po::value(&overrides)->composing(), "override, section.key=value; repeatable")(
      "start", po::value(&range.start)->default_value(range.start, "1e-7"), "first rate")(
      "end", po::value(&range.end)->default_value(range.end), "last rate")(
      "steps", po::value(&range.steps)->default_value(range.steps), "updates")(
      "plot", po::value(&plot)->default_value(plot, plot.string()), "PNG to draw")(
      "json", po::value(&json), "rates, losses and suggestions; - = standard output");
  po::variables_map values;
  if (!parse_options(args, "plateforge lr-find --config F [--set key=value]... [--plot PNG]",
                     options, values))
    return 0;

  const auto config = read_run_config(config_file, overrides);
  if (!config.stages.empty())
    log_info(
        "the config's own keys are tested, from fresh weights; a stage's rate: give its keys with "
        "--set");
  LrRangeTest test(range);
  const auto device = set_up_runtime(config.runtime);
  torch::manual_seed(static_cast<uint64_t>(config.seed));
  const ScratchFolder scratch;
  const auto training = open_training(config, device, scratch.path());
  run_test(test, config, *training.task, *training.train, device, range.steps);

  const auto suggestions = suggest_lr(test, range.steps);
  draw(plot, test, suggestions);
  nlohmann::json report = {{"rates", test.rates()}, {"losses", test.losses()}};
  for (const auto& [name, rate] : named(suggestions)) report["suggestions"][name] = rate;
  write_json(json, report);
  if (json != "-") {
    for (const auto& [name, rate] : named(suggestions)) {
      std::cout << name << std::string(10 - name.size(), ' ') << short_number(rate) << "\n";
    }
    std::cout << "take valley: --set optim.lr=" << short_number(suggestions.valley)
              << "   (plot: " << plot.string() << ")\n";
  }
  return 0;
}

}  // namespace plateforge
