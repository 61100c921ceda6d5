#include "data/split.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <set>

#include "configs/error.h"
#include "data/hash.h"

namespace plateforge {
namespace {

class Subset final : public PlateSource {
 public:
  Subset(PlateSourcePtr source, std::vector<int64_t> indices)
      : source_(std::move(source)), indices_(std::move(indices)) {}

  int64_t size() const override { return static_cast<int64_t>(indices_.size()); }
  Plate read(const SampleKey& key) const override {
    return source_->read({key.epoch, at(key.index)});
  }
  std::string text(int64_t index) const override { return source_->text(at(index)); }
  std::string name(int64_t index) const override { return source_->name(at(index)); }
  bool is_real() const override { return source_->is_real(); }
  std::optional<uint64_t> fingerprint() const override {
    const auto whole = source_->fingerprint();
    if (!whole) return std::nullopt;
    uint64_t hash = *whole;
    for (const auto index : indices_) hash = mix_key(hash, index);
    return hash;
  }

 private:
  int64_t at(int64_t index) const { return indices_.at(static_cast<size_t>(index)); }

  PlateSourcePtr source_;
  std::vector<int64_t> indices_;
};

// The texts that are held out.
std::set<std::string> held_out_texts(const Mix& mix, double val_fraction, uint64_t seed) {
  std::map<uint64_t, std::string> by_hash;
  for (const auto& part : mix.parts) {
    if (!part.source->is_real()) continue;
    for (int64_t i = 0; i < part.source->size(); ++i) {
      std::string text = part.source->text(i);
      by_hash.emplace(mix_key(seed, hash_bytes(text)), std::move(text));
    }
  }
  const auto count = std::ceil(val_fraction * static_cast<double>(by_hash.size()));
  std::set<std::string> texts;
  for (const auto& [hash, text] : by_hash) {
    if (static_cast<double>(texts.size()) >= count) break;
    texts.insert(text);
  }
  return texts;
}

}  // namespace

PlateSourcePtr subset(PlateSourcePtr source, std::vector<int64_t> indices) {
  return std::make_shared<Subset>(std::move(source), std::move(indices));
}

Split split_mix(const Mix& mix, double val_fraction, uint64_t seed) {
  if (val_fraction <= 0) return {mix, {}};
  const auto held_out = held_out_texts(mix, val_fraction, seed);
  Split split;
  for (const auto& part : mix.parts) {
    if (!part.source->is_real()) {
      split.train.parts.push_back(part);
      continue;
    }
    std::vector<int64_t> train, val;
    for (int64_t i = 0; i < part.source->size(); ++i) {
      (held_out.contains(part.source->text(i)) ? val : train).push_back(i);
    }
    const auto add = [&](Mix& side, std::vector<int64_t> indices) {
      if (indices.empty()) return;
      side.parts.push_back({subset(part.source, std::move(indices)), part.weight, part.name});
    };
    add(split.train, std::move(train));
    add(split.val, std::move(val));
  }
  require(split.val.size() > 0, "no real plates to hold out for validation (val_fraction ",
          val_fraction, "): name a validation spec or add photographs to the training spec");
  require(split.train.size() > 0, "holding out ", val_fraction,
          " of the plates for validation leaves none for training (", held_out.size(),
          " different texts in all)");
  return split;
}

}  // namespace plateforge
