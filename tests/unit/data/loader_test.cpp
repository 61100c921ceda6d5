#include "data/loader.h"

#include <ATen/Functions.h>
#include <gtest/gtest.h>

#include <map>
#include <set>

#include "configs/error.h"
#include "data/masked_batches.h"
#include "data/permutation.h"
#include "data/sampler.h"

namespace plateforge {
namespace {

const Region& cn() {
  static const Region region = Region::load("cn");
  return region;
}

// Plain plates whose colour and label tell their number; `broken` cannot be read.
class ColourSource final : public PlateSource {
 public:
  explicit ColourSource(int64_t count, int64_t broken = -1, bool real = true)
      : count_(count), broken_(broken), real_(real) {}
  int64_t size() const override { return count_; }
  std::string text(int64_t index) const override {
    std::string digits = std::to_string(index);
    return "京A" + std::string(5 - digits.size(), '0') + digits;
  }
  bool is_real() const override { return real_; }
  Plate read(const SampleKey& key) const override {
    require(key.index != broken_, "plate ", key.index, " is broken");
    Plate plate;
    plate.image = cv::Mat(32, 100, CV_8UC3, cv::Scalar(double(key.index % 256), 7, 9));
    plate.quad = whole_image(plate.image.size());
    plate.text = text(key.index);
    plate.source = std::to_string(key.index);
    return plate;
  }

 private:
  int64_t count_, broken_;
  bool real_;
};

Mix colours(std::vector<std::pair<int64_t, double>> parts) {
  Mix mix;
  for (const auto& [count, weight] : parts) {
    mix.parts.push_back({std::make_shared<ColourSource>(count), weight, "colours"});
  }
  return mix;
}

AugmentConfig busy() {
  AugmentConfig config;
  config.ops = {{.op = "corner_jitter", .probability = 0.7},
                {.op = "brightness", .probability = 0.7}};
  return config;
}

std::vector<Batch> take(Loader& loader, int64_t count) {
  std::vector<Batch> batches;
  for (int64_t i = 0; i < count; ++i) {
    auto batch = loader.next();
    if (!batch) break;
    batches.push_back(std::move(*batch));
  }
  return batches;
}

void expect_same(const std::vector<Batch>& a, const std::vector<Batch>& b) {
  ASSERT_EQ(a.size(), b.size());
  for (size_t i = 0; i < a.size(); ++i) {
    EXPECT_TRUE(at::equal(a[i].images, b[i].images)) << "batch " << i;
    EXPECT_TRUE(at::equal(a[i].targets, b[i].targets)) << "batch " << i;
    EXPECT_EQ(a[i].texts, b[i].texts);
  }
}

TEST(Permutation, VisitsEverythingOnce) {
  for (const int64_t size : {1, 2, 3, 17, 1000, 1024}) {
    std::set<int64_t> seen;
    const Permutation order(size, 42);
    for (int64_t n = 0; n < size; ++n) seen.insert(order(n));
    EXPECT_EQ(static_cast<int64_t>(seen.size()), size);
    EXPECT_EQ(*seen.begin(), 0);
    EXPECT_EQ(*seen.rbegin(), size - 1);
  }
}

// Mean distance of neighbours in a random order of n is n/3; keys give different orders.
TEST(Permutation, LooksShuffled) {
  const int64_t size = 1000;
  const Permutation order(size, 1), other(size, 2);
  double distance = 0;
  int64_t equal = 0;
  for (int64_t n = 0; n + 1 < size; ++n) {
    distance += std::abs(static_cast<double>(order(n + 1) - order(n)));
    equal += order(n) == other(n);
  }
  EXPECT_NEAR(distance / double(size - 1), double(size) / 3, 30);
  EXPECT_LT(equal, 10);
}

TEST(MixSampler, WeightsHoldInEveryBlock) {
  const MixSampler sampler({3, 1, 1e-6}, {50, 7000, 20}, 5);
  std::map<size_t, int64_t> count;
  for (int64_t n = 2048; n < 3072; ++n) ++count[sampler(n).source];
  EXPECT_EQ(count[0], 767);
  EXPECT_EQ(count[1], 256);
  EXPECT_EQ(count[2], 1);
}

TEST(MixSampler, NoRepeatsUntilExhausted) {
  const MixSampler sampler({1, 1}, {512, 100}, 5);  // source 0 fills exactly its share of a block
  std::set<int64_t> first;
  std::map<std::pair<int64_t, int64_t>, int64_t> second;
  for (int64_t n = 0; n < 1024; ++n) {
    const auto [source, key] = sampler(n);
    if (source == 0) {
      EXPECT_EQ(key.epoch, 0);
      first.insert(key.index);
    } else {
      ++second[{key.epoch, key.index}];
    }
  }
  EXPECT_EQ(first.size(), 512u);
  EXPECT_EQ(second.size(), 512u) << "a plate came twice in one epoch";
}

TEST(Loader, SameBatchesForAnyNumberOfWorkers) {
  const auto load = [](int64_t workers, int64_t prefetch) {
    LoaderOptions options;
    options.batch_size = 16;
    options.workers = workers;
    options.prefetch = prefetch;
    Loader loader(colours({{40, 1}, {100, 2}}), cn(), busy(), options);
    return take(loader, 12);
  };
  const auto alone = load(0, 1);
  ASSERT_EQ(alone.size(), 12u);
  expect_same(alone, load(1, 1));
  expect_same(alone, load(4, 3));
  expect_same(alone, load(4, 16));
}

TEST(Loader, SeekContinuesAsIfNeverStopped) {
  LoaderOptions options;
  options.batch_size = 8;
  options.workers = 2;
  Loader loader(colours({{40, 1}}), cn(), busy(), options);
  const auto all = take(loader, 10);
  loader.seek(6);
  const auto tail = take(loader, 4);
  expect_same({all.begin() + 6, all.end()}, tail);
  loader.seek(0);
  expect_same({all.begin(), all.begin() + 3}, take(loader, 3));
}

TEST(Loader, OtherSeedOtherBatches) {
  LoaderOptions options;
  options.workers = 0;
  Loader one(colours({{400, 1}}), cn(), busy(), options);
  options.seed = 2;
  Loader two(colours({{400, 1}}), cn(), busy(), options);
  EXPECT_NE(one.next()->texts, two.next()->texts);
}

TEST(Loader, InOrderVisitsEachPlateOnceAndEnds) {
  LoaderOptions options;
  options.batch_size = 4;
  options.shuffle = false;
  for (const int64_t workers : {0, 2}) {
    options.workers = workers;
    Loader loader(colours({{6, 1}, {3, 9}}), cn(), {}, options);
    EXPECT_EQ(loader.batches_per_epoch(), 3);
    const auto batches = take(loader, 10);
    ASSERT_EQ(batches.size(), 3u);
    EXPECT_EQ(batches[2].size(), 1);
    EXPECT_EQ(batches[1].sources, (std::vector<std::string>{"4", "5", "0", "1"}));
    EXPECT_FALSE(loader.next());
    loader.seek(0);
    EXPECT_EQ(take(loader, 10).size(), 3u);
  }
}

TEST(Loader, BatchLayout) {
  LoaderOptions options;
  options.batch_size = 3;
  options.shuffle = false;
  options.workers = 0;
  Loader loader(colours({{3, 1}}), cn(), {}, options);
  const auto batch = *loader.next();
  EXPECT_EQ(batch.images.sizes(), (std::vector<int64_t>{3, 3, 24, 94}));
  EXPECT_TRUE(batch.images.is_contiguous(at::MemoryFormat::ChannelsLast));
  EXPECT_EQ(batch.images.scalar_type(), at::kByte);
  EXPECT_EQ(batch.images[2][0][12][50].item<int>(), 2);  // blue first
  EXPECT_EQ(batch.images[2][1][0][0].item<int>(), 7);
  EXPECT_EQ(batch.images[2][2][23][93].item<int>(), 9);
  EXPECT_EQ(batch.targets.sizes(), (std::vector<int64_t>{3, 7}));
  EXPECT_EQ(batch.target_lengths[1].item<int64_t>(), 7);
  EXPECT_EQ(
      cn().decode({batch.targets[1].data_ptr<int64_t>(), batch.targets[1].data_ptr<int64_t>() + 7}),
      "京A00001");
}

TEST(Loader, EpochLength) {
  LoaderOptions options;
  options.batch_size = 10;
  options.workers = 0;
  Mix mix = colours({{95, 1}});
  mix.parts.push_back({std::make_shared<ColourSource>(5000, -1, false), 1, "generated"});
  EXPECT_EQ(Loader(mix, cn(), {}, options).batches_per_epoch(), 10);
  options.epoch_samples = 31;
  EXPECT_EQ(Loader(mix, cn(), {}, options).batches_per_epoch(), 4);
}

TEST(Loader, ABrokenPlateIsAnErrorEveryTime) {
  LoaderOptions options;
  options.batch_size = 2;
  options.shuffle = false;
  for (const int64_t workers : {0, 3}) {
    options.workers = workers;
    Mix mix;
    mix.parts.push_back({std::make_shared<ColourSource>(6, 3), 1, "colours"});
    Loader loader(mix, cn(), {}, options);
    EXPECT_TRUE(loader.next());
    EXPECT_THROW(loader.next(), Error);
    EXPECT_THROW(loader.next(), Error);
    loader.seek(2);
    EXPECT_TRUE(loader.next());
  }
}

TEST(Loader, NoPlates) { EXPECT_THROW(Loader({}, cn(), {}, {}), Error); }

TEST(MaskedBatches, OrdersFollowFromSeedAndPosition) {
  const LoaderOptions options{.batch_size = 3, .epoch_samples = 12};
  const auto maker = [&](uint64_t seed) {
    return make_masked_batches(make_plate_batches(colours({{9, 1}}), cn(), busy(), options), 24,
                               seed);
  };
  const auto one = maker(5), same = maker(5), other = maker(6);
  const auto batch = one->make(7);
  EXPECT_EQ(batch.patch_order.sizes(), (std::vector<int64_t>{3, 24}));
  const auto sorted = std::get<0>(batch.patch_order.sort(1));
  EXPECT_TRUE(sorted.equal(at::arange(24, at::kLong).expand({3, 24})));
  EXPECT_TRUE(batch.patch_order.equal(same->make(7).patch_order));
  EXPECT_FALSE(batch.patch_order.equal(one->make(8).patch_order));
  EXPECT_FALSE(batch.patch_order.equal(other->make(7).patch_order));
  EXPECT_FALSE(batch.patch_order[0].equal(batch.patch_order[1]));
}

}  // namespace
}  // namespace plateforge
