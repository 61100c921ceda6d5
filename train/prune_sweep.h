#pragma once

#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "configs/prune_sweep.h"
#include "configs/run_config.h"

namespace plateforge {

// Prunes one model in many ways and measures each: config.yaml, results.jsonl (a finished cell per
// line), sweep.csv, sweep.json and pareto.png in the folder `run`. A second call goes on behind the
// finished cells. One JSON object per cell, the dense model first: cell, allocation, scores,
// schedule, ratio, samples, exact_match, interval95, loss, nonzero_parameters, zeros, gzip_bytes,
// dense_gzip_bytes, macs, nonzero_macs, latency_ms {min, median} of one plate. Throws Error when
// the folder holds another sweep and for SPECs and files that cannot be read.
std::vector<nlohmann::json> run_prune_sweep(const PruneSweepConfig& config,
                                            const RuntimeConfig& runtime,
                                            const std::filesystem::path& run);

// A table for people.
std::string sweep_text(const std::vector<nlohmann::json>& cells);

}  // namespace plateforge
