#include <algorithm>
#include <iostream>
#include <sstream>
#include <thread>

#include "configs/atomic_file.h"
#include "configs/error.h"
#include "export/runtimes.h"
#include "train/commands/commands.h"

namespace po = boost::program_options;

namespace plateforge {

bool parse_options(const Args& args, const std::string& usage,
                   const po::options_description& options, po::variables_map& values,
                   const po::positional_options_description& positional) try {
  po::options_description all = options;
  all.add_options()("help,h", "this text");
  if (!args.empty() && args.back() == kDescribe) throw Description{usage, all};
  po::store(po::command_line_parser(args)
                .options(all)
                .positional(positional)
                .style(po::command_line_style::unix_style & ~po::command_line_style::allow_guessing)
                .run(),
            values);
  if (values.count("help") > 0) {
    std::cout << usage << "\n\n" << all;
    return false;
  }
  po::notify(values);
  return true;
} catch (const po::error& problem) {
  fail(problem.what(), "; usage: ", usage.substr(0, usage.find('\n')));
}

Description describe(const Command& command) try {
  command.run({kDescribe});
  throw std::logic_error(std::string(command.name) + " parsed no options");
} catch (const Description& description) {
  return description;
}

void add_runtime_options(po::options_description& options, RuntimeConfig& runtime) {
  options.add_options()("device", po::value(&runtime.device)->default_value(runtime.device),
                        "auto, cpu or cuda")(
      "precision", po::value(&runtime.precision)->default_value(runtime.precision), "fp32 or bf16")(
      "threads", po::value(&runtime.threads)->default_value(runtime.threads),
      "LibTorch threads; 0 = all cores");
}

int64_t threads_for_pictures(RuntimeConfig runtime) {
  const auto threads = runtime.threads > 0
                           ? runtime.threads
                           : std::max<int64_t>(std::thread::hardware_concurrency(), 1);
  runtime.threads = 1;
  set_up_runtime(runtime);
  return threads;
}

std::string fastest_runtime() {
  const auto& names = runtime_names();
  return std::find(names.begin(), names.end(), "openvino") != names.end() ? "openvino" : "opencv";
}

std::vector<std::string> split_list(const std::string& text) {
  std::vector<std::string> parts;
  std::istringstream in(text);
  for (std::string part; std::getline(in, part, ',');) parts.push_back(part);
  return parts;
}

void write_json(const std::string& target, const nlohmann::json& json) {
  if (target.empty()) return;
  const auto text = json.dump(2, ' ', false, nlohmann::json::error_handler_t::replace) + "\n";
  if (target == "-")
    std::cout << text;
  else
    write_file_atomically(target, text);
}

}  // namespace plateforge
