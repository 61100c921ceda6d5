#include "data/frames/split.h"

#include <algorithm>
#include <numeric>

#include "data/split.h"

namespace plateforge {
namespace {

// Frames of several sources by one number each.
class Selection final : public FrameSource {
 public:
  struct Item {
    const FrameSource* source;
    int64_t index;
  };
  Selection(std::vector<FrameSourcePtr> sources, std::vector<Item> items)
      : sources_(std::move(sources)), items_(std::move(items)) {}

  int64_t size() const override { return static_cast<int64_t>(items_.size()); }
  Frame read(const SampleKey& key, const ChooseView& choose) const override {
    const auto& item = at(key.index);
    return item.source->read({.epoch = key.epoch, .index = item.index}, choose);
  }
  std::vector<FramePlate> plates(int64_t index) const override {
    return at(index).source->plates(at(index).index);
  }
  std::string name(int64_t index) const override { return at(index).source->name(at(index).index); }
  bool is_real() const override {
    return std::all_of(sources_.begin(), sources_.end(),
                       [](const auto& source) { return source->is_real(); });
  }

 private:
  const Item& at(int64_t index) const { return items_.at(static_cast<size_t>(index)); }

  std::vector<FrameSourcePtr> sources_;
  std::vector<Item> items_;
};

std::string hashed_text(const FrameSource& source, int64_t index) {
  const auto plates = source.plates(index);
  return plates.empty() || plates[0].text.empty() ? source.name(index) : plates[0].text;
}

}  // namespace

FrameSourcePtr subset(FrameSourcePtr source, std::vector<int64_t> indices) {
  std::vector<Selection::Item> items;
  for (const auto index : indices) items.push_back({source.get(), index});
  return std::make_shared<Selection>(std::vector{std::move(source)}, std::move(items));
}

FrameSourcePtr concat(const FrameMix& mix) {
  std::vector<FrameSourcePtr> sources;
  std::vector<Selection::Item> items;
  for (const auto& part : mix.parts) {
    sources.push_back(part.source);
    for (int64_t i = 0; i < part.source->size(); ++i) items.push_back({part.source.get(), i});
  }
  return std::make_shared<Selection>(std::move(sources), std::move(items));
}

FrameSplit split_frames(const FrameMix& mix, double val_fraction, uint64_t seed) {
  FrameSplit split;
  for (const auto& part : mix.parts) {
    if (!part.source->is_real()) {
      split.train.parts.push_back(part);
      continue;
    }
    std::vector<int64_t> train, val;
    for (int64_t i = 0; i < part.source->size(); ++i)
      (held_out(hashed_text(*part.source, i), val_fraction, seed) ? val : train).push_back(i);
    const auto view = [&](std::vector<int64_t> indices) {
      return FrameMix::Part{.source = subset(part.source, std::move(indices)),
                            .weight = part.weight,
                            .name = part.name};
    };
    if (!train.empty()) split.train.parts.push_back(view(std::move(train)));
    if (!val.empty()) split.val.parts.push_back(view(std::move(val)));
  }
  return split;
}

}  // namespace plateforge
