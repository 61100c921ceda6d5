#include <algorithm>
#include <cstring>
#include <iostream>

#include "configs/error.h"
#include "configs/suggest.h"
#include "train/commands/commands.h"

namespace plateforge {
namespace {

void print_commands(std::ostream& out, const std::string& group) {
  size_t width = 0;
  for (const auto& command : commands()) width = std::max(width, std::strlen(command.name));
  for (const auto& command : commands())
    if (std::string(command.name).starts_with(group))
      out << "  " << command.name << std::string(width + 2 - std::strlen(command.name), ' ')
          << command.summary << "\n";
}

void print_usage(std::ostream& out) {
  out << "plateforge " << PLATEFORGE_VERSION
      << ": train, measure and export licence-plate readers and detectors\n\n"
         "usage: plateforge COMMAND [options]     (plateforge COMMAND --help)\n\n";
  print_commands(out, "");
  out << "\nexit code: 0 done, 1 a check did not hold, 2 a mistake in the input, 3 a defect of "
         "plateforge, 130 interrupted and saved\n";
}

bool is_help(const std::string& word) { return word == "--help" || word == "-h"; }

// Commands whose first of two words is `word`.
bool is_group(const std::string& word) {
  return std::any_of(commands().begin(), commands().end(), [&](const Command& command) {
    return std::string(command.name).starts_with(word + " ");
  });
}

std::vector<std::string> names(const std::string& group) {
  std::vector<std::string> all;
  for (const auto& command : commands())
    if (const std::string name = command.name; name.starts_with(group)) all.push_back(name);
  return all;
}

}  // namespace

const std::vector<Command>& commands() {
  static const std::vector<Command> all = {
      {"doctor", doctor_command,
       "versions, CPU, threads, memory; with --config a dry run of a training"},
      {"data verify", data_verify, "every bad label, picture and duplicate"},
      {"data stats", data_stats, "counts of characters, layouts and sizes"},
      {"data preview", data_preview, "plates as they are and as training sees them"},
      {"data cache", data_cache, "pack plates for the fastest training"},
      {"data convert", data_convert, "from any kind of source to crops, a table or a pack"},
      {"data synth", data_synth, "draw plates of a region with labels and corners"},
      {"train", train_command, "train or fine-tune; --resume goes on exactly where it stopped"},
      {"lr-find", lr_find_command, "learning-rate range test with a plot"},
      {"eval", eval_command, "measure a reader, a detector or both, with 95 % intervals"},
      {"predict", predict_command, "find and read plates in pictures, folders, videos and cameras"},
      {"prune", prune_command, "make weights zero, layer by layer, or compare ways to (--sweep)"},
      {"prune --structured", shrink_command, "remove whole channels"},
      {"quantize", quantize_command,
       "int8: from a model file and plates to a quantised model file"},
      {"export", export_command, "write ONNX, and what a runtime needs beside it"},
      {"verify", verify_command, "run a written ONNX file on real plates against the model"},
      {"bench loader", bench_loader, "samples per second and core of the data path"},
      {"bench train", bench_train, "images per second of the training step, by its parts"},
      {"bench model", bench_model, "latency of a model and of its files in the runtimes here"},
      {"report", report_command,
       "one HTML page of one or more runs: curves, samples, mistakes, layers"},
      {"import", import_command, "take published .pth or .safetensors weights"},
      {"manual", manual_command, "this program's man page: plateforge manual | man -l -"},
      {"completion", completion_command, "for bash: source <(plateforge completion)"},
  };
  return all;
}

int run_command(const Args& args) {
  if (args.empty() || is_help(args[0]) || args[0] == "help") {
    print_usage(args.empty() ? std::cerr : std::cout);
    return args.empty() ? 2 : 0;
  }
  if (args[0] == "--version") {
    std::cout << "plateforge " << PLATEFORGE_VERSION << "\n";
    return 0;
  }
  for (const auto& command : commands()) {
    if (args.size() > 1 && args[0] + " " + args[1] == command.name)
      return command.run({args.begin() + 2, args.end()});
    if (args[0] == command.name) return command.run({args.begin() + 1, args.end()});
  }
  if (is_group(args[0])) {
    const auto group = args[0] + " ";
    if (args.size() > 1 && is_help(args[1])) {
      std::cout << "usage: plateforge " << group << "...     (each takes --help)\n\n";
      print_commands(std::cout, group);
      return 0;
    }
    require(args.size() > 1, args[0], " needs to know what; ", known_names(args[0], names(group)));
    const auto name = group + args[1];
    fail("unknown command '", name, "'; ", known_names(name, names(group)));
  }
  fail("unknown command '", args[0], "'; ", known_names(args[0], names("")));
}

}  // namespace plateforge
