#pragma once

#include <bit>
#include <cmath>
#include <cstdint>

namespace plateforge {

// Counter-based random numbers (SplitMix64): a value depends on its key alone, never on threads,
// workers or what was drawn elsewhere.
inline uint64_t mix64(uint64_t x) {
  x += 0x9e3779b97f4a7c15ULL;
  x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9ULL;
  x = (x ^ (x >> 27)) * 0x94d049bb133111ebULL;
  return x ^ (x >> 31);
}

// Folds the parts of a key (seed, epoch, index, operation) into one seed; order matters.
template <class... Parts>
uint64_t mix_key(uint64_t first, Parts... rest) {
  uint64_t key = mix64(first);
  // The rotation keeps two parts from changing places, and two equal ones from vanishing.
  ((key = mix64(std::rotl(key, 23) ^ mix64(static_cast<uint64_t>(rest)))), ...);
  return key;
}

// A small stream for one sample and one operation; cheap to make.
class Rng {
 public:
  explicit Rng(uint64_t key) : state_(key) {}

  uint64_t next() { return mix64(state_++); }
  // [0, 1)
  double uniform() { return static_cast<double>(next() >> 11) * 0x1.0p-53; }
  double uniform(double low, double high) { return low + (high - low) * uniform(); }
  // [0, n), n > 0
  int64_t below(int64_t n) { return static_cast<int64_t>(uniform() * static_cast<double>(n)); }
  bool chance(double probability) { return uniform() < probability; }
  // Standard normal (Box-Muller, one value kept back).
  double normal() {
    if (has_spare_) {
      has_spare_ = false;
      return spare_;
    }
    const double radius = std::sqrt(-2.0 * std::log(1.0 - uniform()));
    const double angle = 6.283185307179586 * uniform();
    spare_ = radius * std::sin(angle);
    has_spare_ = true;
    return radius * std::cos(angle);
  }

 private:
  uint64_t state_;
  double spare_ = 0;
  bool has_spare_ = false;
};

}  // namespace plateforge
