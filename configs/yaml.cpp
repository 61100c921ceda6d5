#include "configs/yaml.h"

#include "configs/atomic_file.h"
#include "configs/error.h"
#include "configs/paths.h"
#include "configs/prune_sweep.h"
#include "configs/suggest.h"
#include "configs/train_sweep.h"
#include "configs/yaml_reader.h"
#include "configs/yaml_writer.h"

namespace plateforge {

namespace {

// "a.b=c" becomes the document {a: {b: c}}, read over the config like a second file.
template <class Config>
void apply_override(const std::string& text, Config& config) {
  const std::string origin = "--set " + text;
  const size_t equals = text.find('=');
  require(equals != std::string::npos && equals > 0, origin, ": expected section.key=value");
  YamlSource source(origin, /*has_lines=*/false);
  YAML::Node node = source.parse(text.substr(equals + 1));

  for (std::string path = text.substr(0, equals);;) {
    const size_t dot = path.rfind('.');
    const std::string key = path.substr(dot == std::string::npos ? 0 : dot + 1);
    require(!key.empty(), origin, ": expected section.key=value");
    YAML::Node parent(YAML::NodeType::Map);
    parent[key] = node;
    node.reset(parent);
    if (dot == std::string::npos) break;
    path.resize(dot);
  }
  YamlReader reader(node, "", source);
  config.visit(reader);
  reader.finish();
  source.require_no_unknown_keys();
}

// "stages.NAME.section.key=value" goes to the stage of that name; false for any other override.
bool apply_to_stage(const std::string& text, RunConfig& config) {
  const std::string prefix = "stages.";
  const auto dot = text.find('.', prefix.size());
  if (!text.starts_with(prefix) || dot == std::string::npos || dot > text.find('=')) return false;
  const auto name = text.substr(prefix.size(), dot - prefix.size());
  std::string known;
  for (auto& stage : config.stages) {
    known += " " + stage.name;
    if (stage.name != name) continue;
    stage.set.push_back(text.substr(dot + 1));
    return true;
  }
  fail("--set ", text, ": there is no stage '", name, "'; known:", known);
}
bool apply_to_stage(const std::string&, PruneSweepConfig&) { return false; }
bool apply_to_stage(const std::string&, TrainSweepConfig&) { return false; }
bool apply_to_stage(const std::string&, ModelConfig&) { return false; }

template <class Config>
void apply_overrides(const std::vector<std::string>& overrides, Config& config) {
  for (const auto& text : overrides)
    if (!apply_to_stage(text, config)) apply_override(text, config);
}

template <class Config>
Config parse(const std::string& yaml, const std::string& origin,
             const std::vector<std::string>& overrides) {
  YamlSource source(origin);
  Config config;
  read_yaml(yaml, source, config);
  apply_overrides(overrides, config);
  return config;
}

template <class Config>
Config read(const std::filesystem::path& file, const std::vector<std::string>& overrides) {
  const auto found = find_config(file.string());
  require(!found.empty(), "no config file '", file.string(),
          "'; shipped: ", known_names(file.string(), known_configs("")));
  return parse<Config>(read_file(found), found.string(), overrides);
}

}  // namespace

RunConfig read_run_config(const std::filesystem::path& file,
                          const std::vector<std::string>& overrides) {
  return read<RunConfig>(file, overrides);
}

RunConfig parse_run_config(const std::string& yaml, const std::string& origin,
                           const std::vector<std::string>& overrides) {
  return parse<RunConfig>(yaml, origin, overrides);
}

void override_run_config(RunConfig& config, const std::vector<std::string>& overrides) {
  apply_overrides(overrides, config);
}

PruneSweepConfig read_prune_sweep(const std::filesystem::path& file,
                                  const std::vector<std::string>& overrides) {
  return read<PruneSweepConfig>(file, overrides);
}

TrainSweepConfig read_train_sweep(const std::filesystem::path& file) {
  return read<TrainSweepConfig>(file, {});
}

std::string write_prune_sweep(const PruneSweepConfig& config) { return write_yaml(config); }

std::string write_run_config(const RunConfig& config) { return write_yaml(config); }

ModelConfig parse_model_config(const std::string& yaml, const std::string& origin) {
  return parse<ModelConfig>(yaml, origin, {});
}

std::string write_model_config(const ModelConfig& config) { return write_yaml(config); }

}  // namespace plateforge
