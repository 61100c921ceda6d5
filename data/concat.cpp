#include "data/concat.h"

#include <algorithm>

namespace plateforge {
namespace {

class Concat final : public PlateSource {
 public:
  explicit Concat(const Mix& mix) : is_real_(mix.real_size() == mix.size()) {
    for (const auto& part : mix.parts) {
      sources_.push_back(part.source);
      ends_.push_back(size() + part.source->size());
    }
  }

  int64_t size() const override { return ends_.empty() ? 0 : ends_.back(); }
  Plate read(const SampleKey& key) const override {
    const auto [source, index] = locate(key.index);
    return source->read({key.epoch, index});
  }
  std::string text(int64_t index) const override {
    const auto [source, local] = locate(index);
    return source->text(local);
  }
  std::string name(int64_t index) const override {
    const auto [source, local] = locate(index);
    return source->name(local);
  }
  bool is_real() const override { return is_real_; }

 private:
  std::pair<const PlateSource*, int64_t> locate(int64_t index) const {
    const auto end = std::upper_bound(ends_.begin(), ends_.end(), index);
    const auto part = static_cast<size_t>(end - ends_.begin());
    return {sources_.at(part).get(), index - (part == 0 ? 0 : ends_[part - 1])};
  }

  std::vector<PlateSourcePtr> sources_;
  std::vector<int64_t> ends_;  // ends_[k]: first index behind source k
  bool is_real_;
};

}  // namespace

PlateSourcePtr concat(const Mix& mix) { return std::make_shared<Concat>(mix); }

}  // namespace plateforge
