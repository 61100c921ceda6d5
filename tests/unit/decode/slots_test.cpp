#include "models/decode/slots.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <map>

#include "configs/grammar.h"
#include "tests/unit/decode/brute_force.h"

namespace plateforge {
namespace {

using Text = std::vector<int64_t>;

// Probability of every text of up to `steps` symbols; what follows it says end.
std::map<Text, double> all_slot_texts(const LogProbs& log_probs, int64_t end) {
  std::map<Text, double> texts;
  std::vector<Text> open = {{}};
  for (int64_t length = 0; length <= log_probs.steps; ++length) {
    std::vector<Text> longer;
    for (const auto& text : open) {
      double sum = 0;
      for (int64_t s = 0; s < log_probs.steps; ++s)
        sum += log_probs(s, s < length ? text[static_cast<size_t>(s)] : end);
      texts[text] = std::exp(sum);
      for (int64_t c = 0; c < log_probs.classes; ++c) {
        if (c == end) continue;
        longer.push_back(text);
        longer.back().push_back(c);
      }
    }
    open = std::move(longer);
  }
  return texts;
}

TEST(Slots, GreedyStopsAtTheFirstEnd) {
  // Slots say 1, 0, end, 1 (class 2 is the end).
  const std::vector<float> values = {-5, -0.1F, -5, -0.1F, -5, -5, -5, -5, -0.1F, -5, -0.1F, -5};
  const LogProbs view{values.data(), 4, 3, 3, 1};
  const auto reading = slots_greedy(view, 2);
  EXPECT_EQ(reading.symbols, (Text{1, 0}));
  EXPECT_NEAR(reading.log_probability, -0.1 - 0.1 - 0.1 - 5, 1e-5);
}

TEST(Slots, SearchFindsTheLikeliestTexts) {
  for (uint64_t seed = 0; seed < 50; ++seed) {
    const RandomLogProbs random(seed, /*steps=*/4, /*classes=*/4, /*sharpness=*/2);
    std::vector<std::pair<double, Text>> wanted;
    for (const auto& [text, p] : all_slot_texts(random.view, 3)) wanted.emplace_back(p, text);
    std::sort(wanted.rbegin(), wanted.rend());
    const auto readings = slots_search(random.view, 3, /*n_best=*/5);
    ASSERT_EQ(readings.size(), 5U);
    for (size_t i = 0; i < readings.size(); ++i) {
      EXPECT_EQ(readings[i].symbols, wanted[i].second) << seed << " " << i;
      EXPECT_NEAR(readings[i].confidence(), wanted[i].first, 1e-6) << seed;
    }
  }
}

TEST(Slots, ConfidenceIsTheShareAmongOneCharacterSwaps) {
  for (uint64_t seed = 0; seed < 20; ++seed) {
    const RandomLogProbs random(seed, 4, 4, 2);
    const auto texts = all_slot_texts(random.view, 3);
    const auto reading = slots_search(random.view, 3, 1)[0];
    for (size_t i = 0; i < reading.symbols.size(); ++i) {
      double sum = 0;
      for (int64_t c = 0; c < 3; ++c) {
        auto other = reading.symbols;
        other[i] = c;
        sum += texts.at(other);
      }
      EXPECT_NEAR(reading.symbol_confidence[i], reading.confidence() / sum, 1e-6);
    }
  }
}

TEST(Slots, GrammarDecides) {
  const auto region = Region::load("cn");
  const auto end = region.blank();
  for (uint64_t seed = 0; seed < 20; ++seed) {
    const RandomLogProbs random(seed, region.max_length(), region.num_classes(), 3);
    const auto readings = slots_search(random.view, end, 3, &region);
    ASSERT_EQ(readings.size(), 3U);
    double last = 0;
    for (const auto& reading : readings) {
      EXPECT_TRUE(region.layout_of(region.decode(reading.symbols)).has_value());
      double p = 0;
      for (int64_t s = 0; s < random.view.steps; ++s) {
        const auto place = static_cast<size_t>(s);
        p += random.view(s, place < reading.symbols.size() ? reading.symbols[place] : end);
      }
      EXPECT_NEAR(reading.log_probability, p, 1e-6);
      EXPECT_TRUE(last == 0 || p <= last);
      last = p;
    }
  }
  // Too few slots for any plate of the region.
  const RandomLogProbs brief(1, 3, region.num_classes(), 3);
  EXPECT_TRUE(slots_search(brief.view, end, 1, &region).empty());
}

}  // namespace
}  // namespace plateforge
