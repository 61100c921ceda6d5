#pragma once

#include <cstdint>
#include <string_view>

#include "data/rng.h"

namespace plateforge {

// 64-bit hash of bytes, the same on every machine: FNV-1a, finished by SplitMix64.
inline uint64_t hash_bytes(std::string_view bytes) {
  uint64_t hash = 0xcbf29ce484222325ULL;
  for (const char c : bytes) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3ULL;
  return mix64(hash);
}

}  // namespace plateforge
