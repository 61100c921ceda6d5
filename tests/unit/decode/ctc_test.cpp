#include "models/decode/ctc.h"

#include <gtest/gtest.h>

#include "tests/unit/decode/brute_force.h"

namespace plateforge {
namespace {

// Log-probabilities whose best path is `path`.
struct Path {
  std::vector<float> values;
  LogProbs view;
  Path(const std::vector<int64_t>& path, int64_t classes)
      : values(path.size() * static_cast<size_t>(classes), -5.0F) {
    for (size_t t = 0; t < path.size(); ++t) {
      values[t * static_cast<size_t>(classes) + static_cast<size_t>(path[t])] = -0.1F;
    }
    view = {values.data(), static_cast<int64_t>(path.size()), classes, classes, 1};
  }
};

TEST(CtcGreedy, MergesRepeatsAndDropsBlanks) {
  const int64_t blank = 3;
  EXPECT_EQ(ctc_greedy(Path({0, 0, 3, 0, 1, 1, 3}, 4).view, blank).symbols,
            (std::vector<int64_t>{0, 0, 1}));
  EXPECT_EQ(ctc_greedy(Path({3, 3}, 4).view, blank).symbols, (std::vector<int64_t>{}));
  EXPECT_EQ(ctc_greedy(Path({2, 3, 3}, 4).view, blank).symbols, (std::vector<int64_t>{2}));
}

// The same values class-major, as a network's [C, T] output lies in memory.
TEST(CtcGreedy, FollowsTheStrides) {
  const Path path({0, 2, 1}, 4);
  std::vector<float> turned(12);
  for (size_t t = 0; t < 3; ++t) {
    for (size_t c = 0; c < 4; ++c) turned[c * 3 + t] = path.values[t * 4 + c];
  }
  const LogProbs view{turned.data(), 3, 4, 1, 3};
  EXPECT_EQ(ctc_greedy(view, 3).symbols, (std::vector<int64_t>{0, 2, 1}));
}

TEST(CtcGreedy, ProbabilityIsThatOfTheText) {
  for (uint64_t seed = 0; seed < 50; ++seed) {
    const RandomLogProbs random(seed, /*steps=*/5, /*classes=*/4, /*sharpness=*/3);
    const Reading reading = ctc_greedy(random.view, 3);
    const auto texts = all_texts(random.view, 3);
    EXPECT_NEAR(reading.confidence(), texts.at(reading.symbols), 1e-9) << seed;
  }
}

TEST(CtcGreedy, SymbolConfidenceIsTheShareAmongOneCharacterSwaps) {
  for (uint64_t seed = 0; seed < 50; ++seed) {
    const RandomLogProbs random(seed, 6, 4, 3);
    const Reading reading = ctc_greedy(random.view, 3);
    const auto texts = all_texts(random.view, 3);
    ASSERT_EQ(reading.symbol_confidence.size(), reading.symbols.size());
    for (size_t i = 0; i < reading.symbols.size(); ++i) {
      double sum = 0;
      for (int64_t c = 0; c < 3; ++c) {
        auto other = reading.symbols;
        other[i] = c;
        if (texts.contains(other)) sum += texts.at(other);
      }
      EXPECT_NEAR(reading.symbol_confidence[i], texts.at(reading.symbols) / sum, 1e-6) << seed;
    }
  }
}

// Logits of real networks differ by hundreds; nothing may overflow into NaN.
TEST(CtcGreedy, SurvivesExtremeLogProbabilities) {
  const RandomLogProbs random(1, 88, 68, 400);
  const Reading reading = ctc_greedy(random.view, 67);
  for (const double value : reading.symbol_confidence) {
    EXPECT_GE(value, 0);
    EXPECT_LE(value, 1);
  }
  EXPECT_FALSE(std::isnan(reading.log_probability));
}

}  // namespace
}  // namespace plateforge
