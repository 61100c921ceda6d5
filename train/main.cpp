#include <c10/util/Exception.h>

#include <csignal>
#include <cstring>
#include <iostream>

#include "configs/error.h"
#include "train/commands/commands.h"
#include "train/trainer.h"

namespace {

using namespace plateforge;

struct Command {
  const char* name;
  int (*run)(const Args&);
  const char* summary;
};

constexpr Command kCommands[] = {
    {"doctor", doctor_command,
     "versions, CPU, threads, memory; with --config a dry run of a training"},
    {"data", data_command,
     "verify, stats, preview, synth, cache, convert: look at plates and make them"},
    {"train", train_command, "train or fine-tune; --resume goes on exactly where it stopped"},
    {"lr-find", lr_find_command, "learning-rate range test with a plot"},
    {"eval", eval_command, "read labelled plates and report metrics with 95 % intervals"},
    {"predict", predict_command, "find and read plates in pictures, folders, videos and cameras"},
    {"prune", prune_command,
     "make weights zero, layer by layer; from a model file to a model file"},
    {"quantize", quantize_command, "int8: from a model file and plates to a quantised model file"},
    {"export", export_command, "write ONNX"},
    {"verify", verify_command, "run a written ONNX file on real plates against the model"},
    {"bench", bench_command,
     "speed of the loader, of the training step and of a model in its runtimes"},
    {"report", report_command,
     "one HTML page of one or more runs: curves, samples, mistakes, layers"},
    {"import", import_command, "take published .pth or .safetensors weights"},
};

void print_usage(std::ostream& out) {
  out << "plateforge " << PLATEFORGE_VERSION
      << ": train, measure and export licence-plate readers\n\n"
         "usage: plateforge COMMAND [options]     (plateforge COMMAND --help)\n\n";
  for (const auto& command : kCommands)
    out << "  " << command.name << std::string(10 - std::strlen(command.name), ' ')
        << command.summary << "\n";
  out << "\nexit code: 0 done, 1 a check did not hold, 2 a mistake in the input, 3 a defect of "
         "plateforge, 130 interrupted and saved\n";
}

int run(const Args& args) {
  if (args.empty() || args[0] == "--help" || args[0] == "-h" || args[0] == "help") {
    print_usage(args.empty() ? std::cerr : std::cout);
    return args.empty() ? 2 : 0;
  }
  if (args[0] == "--version") {
    std::cout << "plateforge " << PLATEFORGE_VERSION << "\n";
    return 0;
  }
  for (const auto& command : kCommands)
    if (args[0] == command.name) return command.run({args.begin() + 1, args.end()});
  std::string known;
  for (const auto& command : kCommands) known += std::string(" ") + command.name;
  fail("unknown command '", args[0], "'; known:", known);
}

}  // namespace

int main(int argc, char** argv) {
  set_memory_policy();
  try {
    return run({argv + 1, argv + argc});
  } catch (const Error& problem) {
    std::cerr << "plateforge: " << problem.what() << "\n";
    return 2;
  } catch (const c10::Error& problem) {
    std::cerr << "plateforge: internal error: " << problem.what_without_backtrace() << "\n";
  } catch (const std::exception& problem) {
    std::cerr << "plateforge: internal error: " << problem.what() << "\n";
  }
  return 3;
}
