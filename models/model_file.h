#pragma once

#include <torch/nn/module.h>

#include <filesystem>
#include <map>
#include <string>

#include "models/network.h"
#include "models/tensor_dict.h"

namespace plateforge {

// A network with what is needed to use it anywhere: config, region pack, provenance.
struct Model {
  ModelConfig config;
  Region region;
  NetworkPtr network;
  // Free text by key: command, config hash, data SPEC, metrics (JSON text). Written to
  // `__metadata__` beside "model_config" and "region".
  std::map<std::string, std::string> provenance;
};

// A fresh, randomly initialised model. The weights follow from `seed`.
Model make_model(const ModelConfig& config, const Region& region, uint64_t seed);

// .safetensors, atomic. Parameters and buffers by their module names; a GraphNetwork's graph goes
// into the metadata as "graph", shapes that are not those of the configured network (channels were
// removed) as kShapesKey.
inline constexpr const char* kShapesKey = "shapes";
void save_model(const Model& model, const std::filesystem::path& path);

// Strict: every tensor of the network must be present with the same shape and type and nothing may
// be left over; otherwise Error naming the tensor, both shapes and the file.
Model load_model(const std::filesystem::path& path);

// Parameters and buffers by name; the tensors share the module's memory.
TensorDict state_dict(const torch::nn::Module& module);
// Copies into the module, strictly as load_model does. `origin` names the source in errors.
void load_state_dict(torch::nn::Module& module, const TensorDict& tensors,
                     const std::string& origin);

// Gives a network as it is configured the shapes (and values) of the tensors listed in a file's
// metadata under kShapesKey, if there are any. Throws Error for a table that does not fit.
void take_shapes(torch::nn::Module& network, const TensorDict& tensors,
                 const std::map<std::string, std::string>& metadata, const std::string& origin);

// Named tensors of a safetensors or .pth file (zip or legacy pickle), by content, not by suffix.
// Files may store 16-bit floats to be small; here they are 32-bit ones.
TensorDict read_tensors(const std::filesystem::path& path);
// The same with the safetensors `__metadata__` (empty for .pth).
TensorDict read_tensors(const std::filesystem::path& path,
                        std::map<std::string, std::string>& metadata);
void write_safetensors(const std::filesystem::path& path, const TensorDict& tensors,
                       const std::map<std::string, std::string>& metadata);

// Copies what fits by name and shape into the model (fine-tuning, another alphabet). Rows and
// columns that count classes are moved by symbol, so shared characters keep their weights and new
// ones start fresh; without a source region the file is taken to have the model's own alphabet.
// A file with the names of a detector's backbone alone (timm's MobileNetV4 state dictionaries, say)
// goes into that, its first convolution turned from RGB to BGR: all of it, or Error naming the
// tensor that is missing or has another shape; its classifier is left out. Returns a report: how
// many classes are shared, then the tensors taken, fresh and skipped.
std::string take_weights(Model& model, const TensorDict& tensors, const Region* source_region);

}  // namespace plateforge
