#pragma once

#include <boost/program_options.hpp>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "train/runtime.h"

namespace plateforge {

using Args = std::vector<std::string>;

// A command of the program: one function that parses its options, builds, calls and returns the
// exit code (0 done, 1 a check did not hold). Mistakes of the user are thrown as Error.
struct Command {
  const char* name;  // one word or two: "train", "data verify"
  int (*run)(const Args&);
  const char* summary;
};
const std::vector<Command>& commands();

// Runs the command that `args` begin with; "" is the usage. Throws Error listing what is known.
int run_command(const Args& args);

int bench_loader(const Args& args);
int bench_model(const Args& args);
int bench_train(const Args& args);
int completion_command(const Args& args);
int data_cache(const Args& args);
int data_convert(const Args& args);
int data_preview(const Args& args);
int data_stats(const Args& args);
int data_synth(const Args& args);
int data_verify(const Args& args);
int doctor_command(const Args& args);
int eval_command(const Args& args);
int export_command(const Args& args);
int import_command(const Args& args);
int lr_find_command(const Args& args);
int manual_command(const Args& args);
int predict_command(const Args& args);
int prune_command(const Args& args);
int quantize_command(const Args& args);
int report_command(const Args& args);
int shrink_command(const Args& args);  // prune --structured
int train_command(const Args& args);
int verify_command(const Args& args);

// Parses `args`, printing usage and the options for --help. False when help was asked for. Throws
// Error naming an unknown or missing option; for kDescribe throws a Description.
bool parse_options(const Args& args, const std::string& usage,
                   const boost::program_options::options_description& options,
                   boost::program_options::variables_map& values,
                   const boost::program_options::positional_options_description& positional = {});

// What a command says of itself to whoever writes manuals and completions.
struct Description {
  std::string usage;  // its first line is the synopsis
  boost::program_options::options_description options;
};
inline constexpr const char* kDescribe = "\tdescribe";  // nothing that a user types
Description describe(const Command& command);

// Device, precision and threads, shared by the commands that compute.
void add_runtime_options(boost::program_options::options_description& options,
                         RuntimeConfig& runtime);

// Threads that each take a picture of their own, and one inside each network, where more would wait
// for each other: as many as configured, or a thread per core.
int64_t threads_for_pictures(RuntimeConfig runtime);
// The runtime of this build that runs exported files fastest.
std::string fastest_runtime();

// The parts of a list joined by commas.
std::vector<std::string> split_list(const std::string& text);

// --json FILE, or "-" for standard output (then nothing else belongs there).
void write_json(const std::string& target, const nlohmann::json& json);

}  // namespace plateforge
