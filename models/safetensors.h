#pragma once

#include <filesystem>
#include <map>
#include <string>
#include <string_view>

#include "models/tensor_dict.h"

namespace plateforge {

// The safetensors container (github.com/huggingface/safetensors): uint64 little-endian length of a
// JSON header, the header, then the raw little-endian tensors that it points into.
//
// The reader trusts nothing: the header may not pass kMaxSafetensorsHeader or the file, every
// tensor needs a known type and offsets that match its shape, and the tensors must cover the data
// without gap or overlap. Anything else is an Error of one sentence naming `origin` and the tensor.
constexpr size_t kMaxSafetensorsHeader = size_t{16} << 20;

struct TensorFile {
  TensorDict tensors;
  std::map<std::string, std::string> metadata;
};

TensorFile parse_safetensors(std::string_view bytes, const std::string& origin);

// Tensors are made contiguous and moved to the CPU. Types: bool, integers, half, bfloat16, float,
// double.
std::string serialize_safetensors(const TensorDict& tensors,
                                  const std::map<std::string, std::string>& metadata);

// True for content that can only be meant as safetensors: a plausible length, then '{'.
bool looks_like_safetensors(std::string_view bytes);

}  // namespace plateforge
