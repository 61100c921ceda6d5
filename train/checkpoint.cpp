#include "train/checkpoint.h"

#include <torch/types.h>

#include <cinttypes>
#include <cstring>

#include "configs/error.h"
#include "configs/log.h"
#include "data/rng.h"
#include "models/model_file.h"

namespace plateforge {

namespace fs = std::filesystem;

namespace {

constexpr const char* kChecksum = "checksum";

// Order-dependent 64-bit digest of every name and byte; finds damage, not forgery.
std::string checksum(const std::map<std::string, at::Tensor>& tensors) {
  uint64_t digest = 0;
  for (const auto& [name, tensor] : tensors) {
    for (const char letter : name) digest = mix64(digest ^ static_cast<uint8_t>(letter));
    const auto dense = tensor.detach().cpu().contiguous();
    const auto* bytes = static_cast<const char*>(dense.data_ptr());
    const auto size = static_cast<size_t>(dense.nbytes());
    for (size_t at = 0; at < size; at += 8) {
      uint64_t word = 0;
      std::memcpy(&word, bytes + at, std::min<size_t>(8, size - at));
      digest = mix64(digest ^ word);
    }
  }
  char text[17];
  std::snprintf(text, sizeof text, "%016" PRIx64, digest);
  return text;
}

StateDict read_checkpoint(const fs::path& file) {
  StateDict state;
  state.tensors = read_tensors(file, state.values);
  const auto expected = state.values.extract(kChecksum);
  require(!expected.empty() && expected.mapped() == checksum(state.tensors), file.string(),
          " is damaged: its checksum does not fit its content");
  return state;
}

}  // namespace

void CheckpointStore::save(const StateDict& state) const {
  const auto last = folder_ / "last.safetensors", previous = folder_ / "previous.safetensors";
  const auto incoming = folder_ / "incoming.safetensors";
  auto values = state.values;
  values[kChecksum] = checksum(state.tensors);
  // A kill between the two renames leaves `previous` and a whole `incoming`; load() then takes
  // `previous`, which costs steps, never correctness.
  write_safetensors(incoming, state.tensors, values);
  try {
    if (fs::exists(last)) fs::rename(last, previous);
    fs::rename(incoming, last);
  } catch (const fs::filesystem_error& problem) {
    fail("cannot write ", last.string(), ": ", problem.code().message());
  }
}

std::optional<StateDict> CheckpointStore::load() const {
  std::string problems;
  for (const char* name : {"last.safetensors", "previous.safetensors"}) {
    const auto file = folder_ / name;
    if (!fs::exists(file)) continue;
    try {
      auto state = read_checkpoint(file);
      if (!problems.empty()) log_warning(problems + "; going on from " + file.string());
      return state;
    } catch (const Error& problem) {
      problems = problem.what();
    }
  }
  if (problems.empty()) return std::nullopt;
  fail("no checkpoint in ", folder_.string(), " can be used: ", problems);
}

void put(StateDict& whole, const std::string& prefix, const StateDict& part) {
  for (const auto& [name, tensor] : part.tensors) whole.tensors[prefix + "/" + name] = tensor;
  for (const auto& [name, value] : part.values) whole.values[prefix + "/" + name] = value;
}

StateDict take(const StateDict& whole, const std::string& prefix) {
  StateDict part;
  const auto key = prefix + "/";
  for (const auto& [name, tensor] : whole.tensors)
    if (name.rfind(key, 0) == 0) part.tensors[name.substr(key.size())] = tensor;
  for (const auto& [name, value] : whole.values)
    if (name.rfind(key, 0) == 0) part.values[name.substr(key.size())] = value;
  return part;
}

}  // namespace plateforge
