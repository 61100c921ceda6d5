#include <iomanip>
#include <iostream>

#include "configs/yaml.h"
#include "train/commands/commands.h"
#include "train/preflight.h"

namespace po = boost::program_options;

namespace plateforge {
namespace {

constexpr int kColumn = 22;

}  // namespace

int doctor_command(const Args& args) {
  std::string config_file, json;
  std::vector<std::string> overrides;
  po::options_description options("options");
  options.add_options()("config", po::value(&config_file), "also check what this run would do")(
      "set", po::value(&overrides)->composing(), "override, section.key=value")(
      "json", po::value(&json), "write the findings here; - is standard output");
  po::variables_map values;
  if (!parse_options(args, "plateforge doctor [--config F]", options, values)) return 0;

  RunConfig config;
  if (!config_file.empty()) config = read_run_config(config_file, overrides);
  auto findings = describe_runtime(config.runtime);
  if (!config_file.empty())
    for (auto& finding : preflight(config)) findings.push_back(std::move(finding));
  nlohmann::json report;
  for (const auto& [name, value] : findings) {
    report[name] = value;
    if (json != "-") std::cout << std::left << std::setw(kColumn) << name << value << "\n";
  }
  write_json(json, report);
  return 0;
}

}  // namespace plateforge
