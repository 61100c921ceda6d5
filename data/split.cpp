#include "data/split.h"

#include "data/rng.h"

namespace plateforge {

namespace {

class Subset final : public PlateSource {
 public:
  Subset(PlateSourcePtr source, std::vector<int64_t> indices)
      : source_(std::move(source)), indices_(std::move(indices)) {}

  int64_t size() const override { return static_cast<int64_t>(indices_.size()); }
  Plate read(const SampleKey& key) const override {
    return source_->read({.epoch = key.epoch, .index = at(key.index)});
  }
  std::string text(int64_t index) const override { return source_->text(at(index)); }
  std::string name(int64_t index) const override { return source_->name(at(index)); }
  std::optional<uint64_t> fingerprint() const override {
    const auto whole = source_->fingerprint();
    if (!whole) return std::nullopt;
    uint64_t hash = *whole;
    for (const auto index : indices_) hash = mix_key(hash, index);
    return hash;
  }
  bool is_real() const override { return source_->is_real(); }

 private:
  int64_t at(int64_t index) const { return indices_.at(static_cast<size_t>(index)); }

  PlateSourcePtr source_;
  std::vector<int64_t> indices_;
};

}  // namespace

bool held_out(const std::string& text, double val_fraction, uint64_t seed) {
  uint64_t key = mix64(seed);
  for (const char letter : text) key = mix_key(key, static_cast<uint8_t>(letter));
  return Rng(key).uniform() < val_fraction;
}

PlateSourcePtr subset(PlateSourcePtr source, std::vector<int64_t> indices) {
  return std::make_shared<Subset>(std::move(source), std::move(indices));
}

TrainVal split_mix(const Mix& mix, double val_fraction, uint64_t seed) {
  TrainVal result;
  for (const auto& part : mix.parts) {
    if (!part.source->is_real()) {
      result.train.parts.push_back(part);
      continue;
    }
    std::vector<int64_t> train, val;
    for (int64_t i = 0; i < part.source->size(); ++i) {
      const auto text = part.source->text(i);  // the same plate stays on one side
      (held_out(text.empty() ? part.source->name(i) : text, val_fraction, seed) ? val : train)
          .push_back(i);
    }
    const auto view = [&](std::vector<int64_t> indices) {
      return Mix::Part{.source = subset(part.source, std::move(indices)),
                       .weight = part.weight,
                       .name = part.name};
    };
    if (!train.empty()) result.train.parts.push_back(view(std::move(train)));
    if (!val.empty()) result.val.parts.push_back(view(std::move(val)));
  }
  return result;
}

}  // namespace plateforge
