#pragma once

#include <filesystem>
#include <optional>

#include "optim/state.h"

namespace plateforge {

// Checkpoints of a run folder: last.safetensors and the one before it, previous.safetensors. Each
// file is written whole or not at all and carries a checksum of its tensors.
class CheckpointStore {
 public:
  explicit CheckpointStore(std::filesystem::path folder) : folder_(std::move(folder)) {}

  // Throws Error (disk full, no permission); the older checkpoints stay.
  void save(const StateDict& state) const;

  // The newest checkpoint that is whole. A damaged one is reported with log_warning and the
  // previous one is used. nullopt when the folder holds none at all; Error when every one is
  // damaged.
  std::optional<StateDict> load() const;

 private:
  std::filesystem::path folder_;
};

// Adds `part` under "prefix/"; takes it out again.
void put(StateDict& whole, const std::string& prefix, const StateDict& part);
StateDict take(const StateDict& whole, const std::string& prefix);

}  // namespace plateforge
