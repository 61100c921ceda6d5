#include "train/metrics.h"

#include <gtest/gtest.h>

#include "configs/error.h"

namespace plateforge {
namespace {

ReaderMetrics read_all(const std::vector<ReadResult>& results) {
  ReaderMetrics metrics(Region::load("cn"));
  for (const ReadResult& result : results) metrics.add(result);
  return metrics;
}

TEST(Proportion, HasTheWilsonInterval) {
  // Worked by hand: centre 0.892979, half width 0.026826.
  const auto [low, high] = Proportion{448, 500}.interval95();
  EXPECT_NEAR(low, 0.8662, 5e-5);
  EXPECT_NEAR(high, 0.9198, 5e-5);
  EXPECT_EQ((Proportion{0, 10}.interval95().first), 0);
  EXPECT_EQ((Proportion{10, 10}.interval95().second), 1);
  EXPECT_EQ((Proportion{}.interval95()), (std::pair<double, double>{0, 1}));
}

TEST(ReaderMetrics, CountsWholePlatesWithAndWithoutRegion) {
  const auto metrics = read_all({{"皖A12345", "皖A12345", "", 0.9},
                                 {"皖A12345", "苏A12345", "", 0.9},    // region only
                                 {"皖A12345", "A12345", "", 0.9},      // region lost
                                 {"皖A12345", "皖皖A12345", "", 0.9},  // region twice
                                 {"皖A12345", "皖A12346", "", 0.9},
                                 {"皖A12345", "皖A1234", "", 0.9}});
  EXPECT_EQ(metrics.samples(), 6);
  EXPECT_EQ(metrics.exact_match().hits, 1);
  EXPECT_EQ(metrics.exact_match_without_region().hits, 4);
  EXPECT_DOUBLE_EQ(metrics.value("wrong_length"), 3.0 / 6);
}

TEST(ReaderMetrics, CerIsDistanceOverCharacters) {
  const auto metrics = read_all({{"皖A12345", "皖A12345", "", 1},
                                 {"皖A12345", "A1245", "", 1},         // two lost
                                 {"皖AD12345", "皖A012345", "", 1}});  // one swapped, green
  EXPECT_DOUBLE_EQ(metrics.cer(), 3.0 / (7 + 7 + 8));
  const auto json = metrics.to_json();
  EXPECT_LE(json["interval95"]["cer"][0], metrics.cer());
  EXPECT_GE(json["interval95"]["cer"][1], metrics.cer());
}

TEST(ReaderMetrics, ListsPositionsLayoutsAndConfusions) {
  const auto json = read_all({{"皖A12345", "皖A1234S", "", 1},
                              {"皖A12345", "皖A1234S", "", 1},
                              {"皖AD12345", "皖A0D2345", "", 1},
                              {"皖A12345", "皖A123456", "", 1}})
                        .to_json();
  EXPECT_EQ(json["per_position"].size(), 8U);
  EXPECT_EQ(json["per_position"][0]["correct"], 1.0);
  EXPECT_NEAR(json["per_position"][6]["correct"].get<double>(), 0.5, 1e-12);
  EXPECT_EQ(json["per_position"][7]["samples"], 1);
  EXPECT_EQ(json["per_layout"]["blue"]["samples"], 3);
  EXPECT_EQ(json["per_layout"]["green"]["samples"], 1);
  EXPECT_EQ(json["confusion"][0], (nlohmann::json{{"truth", "5"}, {"read", "S"}, {"count", 2}}));
  EXPECT_NE(std::find(json["confusion"].begin(), json["confusion"].end(),
                      (nlohmann::json{{"truth", ""}, {"read", "6"}, {"count", 1}})),
            json["confusion"].end());
}

TEST(ReaderMetrics, CalibrationComparesConfidenceWithHits) {
  std::vector<ReadResult> results;
  for (int i = 0; i < 10; ++i) results.push_back({"皖A12345", i < 8 ? "皖A12345" : "", "", 0.85});
  for (int i = 0; i < 10; ++i) results.push_back({"皖A12345", "皖A12345", "", 1.0});
  const auto json = read_all(results).to_json()["calibration"];
  EXPECT_NEAR(json["expected_error"].get<double>(), 0.5 * 0.05, 1e-12);
  ASSERT_EQ(json["bins"].size(), 2U);
  EXPECT_EQ(json["bins"][0]["low"], 0.8);
  EXPECT_NEAR(json["bins"][0]["exact_match"].get<double>(), 0.8, 1e-12);
  EXPECT_EQ(json["bins"][1]["high"], 1.0);
}

TEST(ReaderMetrics, EmptySetIsZeroWithAnOpenInterval) {
  const auto metrics = read_all({});
  EXPECT_EQ(metrics.value("exact_match"), 0);
  EXPECT_EQ(metrics.to_json()["interval95"]["exact_match"], (nlohmann::json{0.0, 1.0}));
  EXPECT_FALSE(metrics.to_text().empty());
}

TEST(ReaderMetrics, UnknownNameListsTheKnownOnes) {
  try {
    read_all({}).value("accuracy");
    FAIL() << "no error";
  } catch (const Error& error) {
    EXPECT_NE(std::string(error.what()).find("exact_match_without_region"), std::string::npos);
  }
}

}  // namespace
}  // namespace plateforge
