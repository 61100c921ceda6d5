#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "configs/run_config.h"

namespace plateforge {

// Reads a config file, then applies overrides of the form "section.key=value" in order; a list is
// given in YAML's flow syntax: "augment.ops=[{op: blur, strength: 2}]".
// Strict: an unknown key, a wrong type, a value out of range or outside its choices throws Error
// naming file, line, dotted key, what was expected and the known keys. Everything is read first,
// unknown keys are reported after. `file` is a path or the name of a shipped config.
RunConfig read_run_config(const std::filesystem::path& file,
                          const std::vector<std::string>& overrides = {});
RunConfig parse_run_config(const std::string& yaml, const std::string& origin,
                           const std::vector<std::string>& overrides = {});

// Applies overrides to a config that was read. "stages.NAME.section.key=value" is added to the
// overrides of that stage.
void override_run_config(RunConfig& config, const std::vector<std::string>& overrides);

// Every key with its resolved value; reading it again gives the same config, doubles to the bit.
std::string write_run_config(const RunConfig& config);

// The same for the part that travels in model files.
ModelConfig parse_model_config(const std::string& yaml, const std::string& origin);
std::string write_model_config(const ModelConfig& config);

// A key of a run config as --set names it.
struct OptionKey {
  std::string key, value, doc;  // value: the default
};
std::vector<OptionKey> option_keys();

// The README's option tables: one Markdown table per section (key, default, allowed, meaning).
std::string option_tables();
// The same for region packs (configs/regions/*.yaml).
std::string region_tables();
// The same for `prune --sweep` (configs/prune_sweep.yaml).
std::string sweep_tables();

}  // namespace plateforge
