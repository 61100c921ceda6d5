#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>

#include "models/decode/ctc.h"
#include "tests/unit/decode/brute_force.h"

namespace plateforge {
namespace {

// Alphabet A B 1 2; plates are one or two letters, then one or two digits.
const Region& tiny_region() {
  static const Region region = Region::parse(R"(
name: tiny
description: for tests
alphabet: "AB12"
classes: {letter: "AB", digit: "12"}
layouts:
  - name: only
    rows: ["letter letter? digit digit?"]
)",
                                             "tiny.yaml");
  return region;
}

using Texts = std::vector<std::pair<std::vector<int64_t>, double>>;

// Best first, impossible ones left out.
Texts sorted_texts(const LogProbs& log_probs, int64_t blank, const Region* grammar) {
  Texts texts;
  for (const auto& text : all_texts(log_probs, blank)) {
    if (!grammar || !grammar->check(grammar->decode(text.first))) texts.push_back(text);
  }
  std::sort(texts.begin(), texts.end(), [](auto& a, auto& b) { return a.second > b.second; });
  return texts;
}

// A beam that never overflows finds every text with its exact probability.
TEST(CtcBeam, IsExactAgainstAllPaths) {
  for (const Region* grammar : {static_cast<const Region*>(nullptr), &tiny_region()}) {
    for (uint64_t seed = 0; seed < 20; ++seed) {
      const RandomLogProbs random(seed, /*steps=*/5, /*classes=*/5, /*sharpness=*/2);
      const auto truth = sorted_texts(random.view, 4, grammar);
      const auto found = ctc_beam_search(random.view, 4, {.width = 4096, .n_best = 4096}, grammar);
      ASSERT_EQ(found.size(), truth.size()) << seed;
      for (size_t i = 0; i < truth.size(); ++i) {
        EXPECT_NEAR(found[i].confidence(), truth[i].second, 1e-6 * truth[i].second) << seed;
        if (i < 5) {
          EXPECT_EQ(found[i].symbols, truth[i].first) << seed;
        }
      }
    }
  }
}

TEST(CtcBeam, ANarrowBeamStillFindsTheBestText) {
  int same = 0;
  for (uint64_t seed = 0; seed < 100; ++seed) {
    const RandomLogProbs random(seed, 6, 5, 3);
    const auto truth = sorted_texts(random.view, 4, &tiny_region());
    const auto found = ctc_beam_search(random.view, 4, {.width = 8}, &tiny_region());
    ASSERT_EQ(found.size(), 1U) << seed;
    same += found[0].symbols == truth[0].first;
  }
  EXPECT_GE(same, 98);
}

TEST(CtcBeam, ReturnsOnlyTextsOfTheGrammar) {
  for (uint64_t seed = 0; seed < 100; ++seed) {
    const RandomLogProbs random(seed, 9, 5, 6);
    for (const Reading& reading :
         ctc_beam_search(random.view, 4, {.width = 16, .n_best = 16}, &tiny_region())) {
      EXPECT_FALSE(tiny_region().check(tiny_region().decode(reading.symbols)).has_value());
    }
  }
}

// Whatever the width, the reading is at least as probable as the greedy text.
TEST(CtcBeam, IsNeverWorseThanGreedy) {
  for (uint64_t seed = 0; seed < 200; ++seed) {
    const RandomLogProbs random(seed, 18, 68, 4);
    const auto greedy = ctc_greedy(random.view, 67);
    const auto found = ctc_beam_search(random.view, 67, {.width = 1 + int64_t(seed % 16)});
    ASSERT_FALSE(found.empty());
    EXPECT_GE(found[0].log_probability, greedy.log_probability) << seed;
  }
}

TEST(CtcBeam, ReadingsAreDistinctAndOrdered) {
  const RandomLogProbs random(3, 18, 68, 3);
  const auto found = ctc_beam_search(random.view, 67, {.width = 16, .n_best = 10});
  ASSERT_EQ(found.size(), 10U);
  for (size_t i = 1; i < found.size(); ++i) {
    EXPECT_GE(found[i - 1].log_probability, found[i].log_probability);
    for (size_t j = 0; j < i; ++j) EXPECT_NE(found[i].symbols, found[j].symbols);
  }
}

// Under a grammar a character competes only with those that may stand there.
TEST(CtcBeam, SymbolConfidenceCountsTheGrammarsAlternatives) {
  for (uint64_t seed = 0; seed < 30; ++seed) {
    const RandomLogProbs random(seed, 6, 5, 2);
    const auto reading = ctc_beam_search(random.view, 4, {.width = 64}, &tiny_region()).at(0);
    const auto texts = all_texts(random.view, 4);
    for (size_t i = 0; i < reading.symbols.size(); ++i) {
      double sum = 0;
      for (int64_t c = 0; c < 4; ++c) {
        auto other = reading.symbols;
        other[i] = c;
        if (tiny_region().check(tiny_region().decode(other))) continue;
        if (texts.contains(other)) sum += texts.at(other);
      }
      EXPECT_NEAR(reading.symbol_confidence[i], texts.at(reading.symbols) / sum, 1e-6) << seed;
    }
  }
}

TEST(CtcBeam, NoPlateFitsIntoTooFewSteps) {
  const RandomLogProbs random(0, /*steps=*/1, 5, 1);
  EXPECT_TRUE(ctc_beam_search(random.view, 4, {}, &tiny_region()).empty());
}

// A plate must not cost more than a small share of the network's 5 ms.
TEST(CtcBeam, ReadsAPlateQuickly) {
  const Region region = Region::load("cn");
  const RandomLogProbs random(1, 18, region.num_classes(), 3);
  double best = 1e9;
  for (int round = 0; round < 20; ++round) {
    const auto start = std::chrono::steady_clock::now();
    ctc_beam_search(random.view, region.blank(), {.width = 16}, &region);
    best = std::min(
        best, std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - start)
                  .count());
  }
  RecordProperty("milliseconds", std::to_string(best));
  EXPECT_LT(best, 1.0);  // 0.1 in release builds; sanitizers are slower
}

}  // namespace
}  // namespace plateforge
