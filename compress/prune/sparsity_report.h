#pragma once

#include <cstdint>
#include <map>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "compress/layers.h"

namespace plateforge {

// What the weights of these layers weigh in a deployed file: int8, symmetric with one scale per
// output channel, packed by gzip -9.
int64_t gzip_bytes(const std::vector<torch::Tensor>& weights);

struct LayerSparsity {
  std::string name;
  Shape shape;
  int64_t weights = 0, nonzero = 0, gzip_bytes = 0;
  int64_t macs = 0;          // multiply-accumulates per image
  int64_t nonzero_macs = 0;  // of them those that read no zero weight
  double ratio() const { return 1 - static_cast<double>(nonzero) / static_cast<double>(weights); }
};

// Where a network's zeros are.
struct SparsityReport {
  std::vector<LayerSparsity> layers;
  int64_t gzip_bytes = 0;        // all weights in one file
  int64_t dense_gzip_bytes = 0;  // the same before pruning; 0 = not known

  LayerSparsity total() const;
  // layers by name {shape, ratio, weights, nonzero_parameters, macs, nonzero_macs, gzip_bytes};
  // ratio, weights, nonzero_parameters, macs, nonzero_macs, gzip_bytes, dense_gzip_bytes of all;
  // note.
  nlohmann::json to_json() const;
  std::string to_text() const;  // a table for people
};

SparsityReport report_sparsity(const std::vector<PrunableLayer>& layers,
                               int64_t dense_gzip_bytes = 0);

// Layer name -> ratio, the form in which a model file's metadata keeps it under kSparsityKey.
inline constexpr const char* kSparsityKey = "sparsity";
std::string write_ratios(const std::map<std::string, double>& ratios);
// Throws Error naming `origin` for text that is no such table.
std::map<std::string, double> read_ratios(const std::string& text, const std::string& origin);

}  // namespace plateforge
