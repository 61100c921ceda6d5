#include "models/model_file.h"

#include <torch/nn/module.h>
#include <torch/utils.h>
#include <nlohmann/json.hpp>
#include <set>
#include <type_traits>

#include "configs/atomic_file.h"
#include "configs/error.h"
#include "models/graph/graph_file.h"
#include "models/graph_network.h"
#include "models/pth.h"
#include "models/replace_tensors.h"
#include "models/safetensors.h"

namespace plateforge {
namespace {

using Json = nlohmann::json;
constexpr auto kConfigKey = "model_config";
constexpr auto kRegionKey = "region";
constexpr auto kGraphKey = "graph";  // only where the network is a graph of its own

struct ConfigWriter {
  Json json = Json::object();
  template <class T, class Constraint>
  void operator()(const char* key, T& value, const char*, const Constraint&) {
    if constexpr (Section<T>) {
      ConfigWriter section;
      value.visit(section);
      json[key] = std::move(section.json);
    } else {
      json[key] = value;
    }
  }
};

template <class T>
requires(std::is_arithmetic_v<T>) void check(T value, const Range& range,
                                             const std::string& where) {
  const auto number = static_cast<double>(value);
  require(number >= range.low && number <= range.high, where, " = ", value, " is outside [",
          range.low, ", ", range.high, "]");
}
template <class T>
void check(const std::vector<T>& values, const Range& range, const std::string& where) {
  for (const auto value : values) check(value, range, where);
}
void check(const std::string& value, const Choice& choice, const std::string& where) {
  for (const auto& allowed : choice.allowed)
    if (value == allowed) return;
  fail(where, " = '", value, "' is not one of the known choices");
}
template <class T>
void check(const T&, const Anything&, const std::string&) {}

// Keys a file lacks keep their defaults, so that files outlive new options; unknown keys mean the
// file needs a newer program.
struct ConfigReader {
  const Json& json;
  std::string origin, section;
  std::set<std::string> known = {};

  template <class T, class Constraint>
  void operator()(const char* key, T& value, const char*, const Constraint& constraint) {
    known.insert(key);
    if (!json.contains(key)) return;
    const auto name = section + "." + key;
    if constexpr (Section<T>) {
      read_section(value, json.at(key), origin, name);
    } else {
      try {
        value = json.at(key).template get<T>();
      } catch (const Json::exception&) {
        fail(origin, ": ", name, " has the wrong type: ", json.at(key).dump());
      }
      check(value, constraint, origin + ": " + name);
    }
  }

  template <class T>
  static void read_section(T& value, const Json& table, const std::string& file,
                           const std::string& name) {
    require(table.is_object(), file, ": ", name, " in the metadata is not a JSON table");
    ConfigReader reader{table, file, name};
    value.visit(reader);
    for (const auto& [key, content] : table.items())
      require(reader.known.contains(key), file, ": unknown key ", name, ".", key);
  }
};

std::string write_config(ModelConfig config) {
  ConfigWriter writer;
  config.visit(writer);
  return writer.json.dump();
}

ModelConfig parse_config(const std::string& text, const std::string& origin) {
  const auto json = Json::parse(text, nullptr, /*allow_exceptions=*/false);
  ModelConfig config;
  ConfigReader::read_section(config, json, origin, kConfigKey);
  return config;
}

std::string take(std::map<std::string, std::string>& metadata, const char* key,
                 const std::string& origin) {
  const auto found = metadata.find(key);
  require(found != metadata.end(), origin, ": no '", key,
          "' in the metadata, so this is not a plateforge model file (see `plateforge import`)");
  auto value = std::move(found->second);
  metadata.erase(found);
  return value;
}

TensorFile read_tensor_file(const std::filesystem::path& path) {
  const auto bytes = read_file(path);
  auto file = looks_like_pth(bytes) ? TensorFile{parse_pth(bytes, path.string()), {}}
                                    : parse_safetensors(bytes, path.string());
  for (auto& [name, tensor] : file.tensors)
    if (at::isReducedFloatingType(tensor.scalar_type())) tensor = tensor.to(at::kFloat);
  return file;
}

}  // namespace

TensorDict state_dict(const torch::nn::Module& module) {
  TensorDict tensors;
  for (const auto& item : module.named_parameters()) tensors[item.key()] = item.value();
  for (const auto& item : module.named_buffers()) tensors[item.key()] = item.value();
  return tensors;
}

void load_state_dict(torch::nn::Module& module, const TensorDict& tensors,
                     const std::string& origin) {
  const torch::NoGradGuard no_grad;
  const auto own = state_dict(module);
  for (const auto& [name, tensor] : own) {
    const auto found = tensors.find(name);
    require(found != tensors.end(), origin, ": lacks tensor '", name, "' ", tensor.sizes());
    const auto& given = found->second;
    require(given.sizes() == tensor.sizes(), origin, ": tensor '", name, "' is ", given.sizes(),
            ", expected ", tensor.sizes());
    require(given.scalar_type() == tensor.scalar_type(), origin, ": tensor '", name, "' is ",
            given.scalar_type(), ", expected ", tensor.scalar_type());
  }
  for (const auto& [name, tensor] : tensors)
    require(own.contains(name), origin, ": has tensor '", name, "' ", tensor.sizes(),
            ", which the network does not");
  for (auto [name, tensor] : own) tensor.copy_(tensors.at(name));
}

Model make_model(const ModelConfig& config, const Region& region, uint64_t seed) {
  const auto whole = for_region(config, region);
  return {whole, region, make_network(whole, region.num_classes(), seed), {}};
}

void save_model(const Model& model, const std::filesystem::path& path) {
  auto metadata = model.provenance;
  metadata[kConfigKey] = write_config(model.config);
  metadata[kRegionKey] = model.region.yaml();
  if (const auto* network = dynamic_cast<const GraphNetwork*>(model.network.get())) {
    metadata[kGraphKey] = write_graph(network->graph());
  } else {
    const auto usual = make_network(model.config, model.region.num_classes());
    const auto shapes = changed_shapes(*model.network, *usual);
    if (!shapes.empty()) metadata[kShapesKey] = Json(shapes).dump();
  }
  write_safetensors(path, state_dict(*model.network), metadata);
}

Model load_model(const std::filesystem::path& path) {
  const auto origin = path.string();
  auto file = read_tensor_file(path);
  const auto config = parse_config(take(file.metadata, kConfigKey, origin), origin);
  const auto region = Region::parse(take(file.metadata, kRegionKey, origin), origin);
  Model model{config, region, nullptr, {}};
  if (file.metadata.contains(kGraphKey)) {
    const auto text = take(file.metadata, kGraphKey, origin);
    model.network = std::make_shared<GraphNetwork>(read_graph(text, file.tensors, origin));
  } else {
    model.network = make_network(config, region.num_classes());
    take_shapes(*model.network, file.tensors, file.metadata, origin);
    file.metadata.erase(kShapesKey);
  }
  load_state_dict(*model.network, file.tensors, origin);
  model.provenance = std::move(file.metadata);
  return model;
}

void take_shapes(torch::nn::Module& network, const TensorDict& tensors,
                 const std::map<std::string, std::string>& metadata, const std::string& origin) {
  const auto found = metadata.find(kShapesKey);
  if (found == metadata.end()) return;
  std::map<std::string, Shape> shapes;
  try {
    shapes = Json::parse(found->second).get<std::map<std::string, Shape>>();
  } catch (const Json::exception&) {
    fail(origin, ": '", kShapesKey, "' in the metadata is not a table of shapes by tensor");
  }
  TensorDict values;
  for (const auto& [name, shape] : shapes) {
    const auto tensor = tensors.find(name);
    require(tensor != tensors.end(), origin, ": lacks tensor '", name, "' ", shape_text(shape));
    require(tensor->second.sizes() == shape, origin, ": tensor '", name, "' is ",
            tensor->second.sizes(), ", '", kShapesKey, "' in the metadata says ",
            shape_text(shape));
    values[name] = tensor->second;
  }
  replace_tensors(network, values, origin);
}

TensorDict read_tensors(const std::filesystem::path& path) {
  return read_tensor_file(path).tensors;
}

TensorDict read_tensors(const std::filesystem::path& path,
                        std::map<std::string, std::string>& metadata) {
  auto file = read_tensor_file(path);
  metadata = std::move(file.metadata);
  return std::move(file.tensors);
}

void write_safetensors(const std::filesystem::path& path, const TensorDict& tensors,
                       const std::map<std::string, std::string>& metadata) {
  write_file_atomically(path, serialize_safetensors(tensors, metadata));
}

}  // namespace plateforge
