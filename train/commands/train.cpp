#include <csignal>
#include <iostream>

#include "configs/atomic_file.h"
#include "configs/error.h"
#include "configs/log.h"
#include "configs/yaml.h"
#include "train/commands/commands.h"
#include "train/stages.h"
#include "train/train_sweep.h"

namespace po = boost::program_options;
namespace fs = std::filesystem;

namespace plateforge {

namespace {

constexpr int kExitInterrupted = 130;

struct Request {
  fs::path config_file, sweep, run;
  std::vector<std::string> overrides;
  std::string only;
  bool resume = false;
};

// The run folder is claimed before anything slow starts: a fresh one is made, an old one is only
// touched by --resume.
RunConfig open_run_folder(Request& request) {
  if (request.resume) {
    require(!request.run.empty(), "--resume needs --run DIR, the folder of the run to go on with");
    const auto saved = request.run / "config.yaml";
    require(fs::exists(saved), "nothing to resume in ", request.run.string(),
            ": it holds no config.yaml");
    return read_run_config(saved, request.overrides);
  }
  require(!request.config_file.empty(),
          "train needs --config FILE (start from configs/lprnet_cn.yaml), or --run DIR --resume");
  const auto config = read_run_config(request.config_file, request.overrides);
  if (request.run.empty()) request.run = fs::path("runs") / request.config_file.stem();
  require(!fs::exists(request.run / "config.yaml"), request.run.string(),
          " already holds a run: add --resume to go on with it, or name another --run");
  std::error_code problem;
  fs::create_directories(request.run / "checkpoints", problem);
  require(!problem, "cannot make the run folder ", request.run.string(), ": ", problem.message());
  write_file_atomically(request.run / "config.yaml", write_run_config(config));
  return config;
}

bool holds_checkpoint(const fs::path& run) {
  for (const auto& entry : fs::recursive_directory_iterator(run))
    if (entry.path().parent_path().filename() == "checkpoints") return true;
  return false;
}

// What the user reads at the end, and the exit code.
int tell(Outcome outcome, const std::string& again) {
  switch (outcome) {
    case Outcome::kFinished:
      return 0;
    case Outcome::kOutOfTime:
      log_info("train.minutes are over; go on with: " + again + " --set train.minutes=0");
      return 0;
    case Outcome::kInterrupted:
      log_info("interrupted and saved; go on with: " + again);
      return kExitInterrupted;
  }
  return 3;
}

int train_one(Request& request) {
  const auto config = open_run_folder(request);
  log_to_file((request.run / "log.txt").string());
  try {
    return tell(train_run(config, request.run, request.resume),
                "plateforge train --run " + request.run.string() + " --resume");
  } catch (const Error&) {
    // A mistyped path, say: the mended command may have the folder.
    if (!holds_checkpoint(request.run)) fs::remove(request.run / "config.yaml");
    throw;
  }
}

int train_all(const Request& request) {
  require(request.config_file.empty() && !request.resume,
          "--sweep names its config itself and goes on where it stopped: leave out --config and "
          "--resume");
  require(!request.run.empty(), "--sweep needs --run DIR, the folder for its runs");
  const auto cells =
      sweep_cells(read_train_sweep(request.sweep), split_list(request.only), request.overrides);
  fs::create_directories(request.run);
  log_to_file((request.run / "log.txt").string());
  std::vector<nlohmann::json> results;
  const auto outcome = run_train_sweep(cells, request.run, results);
  std::cout << train_sweep_text(results);
  return tell(outcome, "the same command");
}

}  // namespace

int train_command(const Args& args) {
  Request request;
  po::options_description options("options");
  options.add_options()("config", po::value(&request.config_file), "run config (.yaml)")(
      "set", po::value(&request.overrides)->composing(), "override, section.key=value; repeatable")(
      "run", po::value(&request.run), "run folder; default runs/<name of the config>")(
      "resume", po::bool_switch(&request.resume), "go on exactly where --run stopped")(
      "sweep", po::value(&request.sweep),
      "config of a sweep (configs/maskocr_search.yaml) in place of one run; the same command goes "
      "on")("only", po::value(&request.only), "cells of the sweep, joined by commas");
  po::variables_map values;
  if (!parse_options(args,
                     "plateforge train --config F [--set key=value]... [--run DIR] [--resume]\n"
                     "plateforge train --sweep F --run DIR [--only CELL,CELL] [--set key=value]...",
                     options, values))
    return 0;
  std::signal(SIGINT, [](int) { request_interrupt(); });
  std::signal(SIGTERM, [](int) { request_interrupt(); });
  return request.sweep.empty() ? train_one(request) : train_all(request);
}

}  // namespace plateforge
