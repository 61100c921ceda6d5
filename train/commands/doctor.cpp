#include <iomanip>
#include <iostream>

#include "configs/yaml.h"
#include "train/commands/commands.h"
#include "train/preflight.h"

namespace po = boost::program_options;

namespace plateforge {

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
  bool sound = true;
  if (!config_file.empty()) {
    const auto checked = preflight(config);
    findings.insert(findings.end(), checked.findings.begin(), checked.findings.end());
    sound = checked.sound;
  }
  nlohmann::json report;
  for (const auto& [name, value] : findings) {
    report[name] = value;
    if (json != "-") std::cout << std::left << std::setw(16) << name << value << "\n";
  }
  report["sound"] = sound;
  write_json(json, report);
  return sound ? 0 : 1;
}

}  // namespace plateforge
