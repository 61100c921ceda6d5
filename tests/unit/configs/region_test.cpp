#include "configs/region.h"

#include <gtest/gtest.h>

#include "configs/error.h"
#include "configs/grammar.h"
#include "configs/paths.h"

namespace plateforge {
namespace {

std::string error_of(const std::function<void()>& action) {
  try {
    action();
  } catch (const Error& problem) {
    return problem.what();
  }
  return "no error";
}

std::string pack(const std::string& alphabet, const std::string& digits, const std::string& row,
                 const std::string& more = "") {
  return "name: toy\nalphabet: \"" + alphabet + "\"\nclasses: {digit: \"" + digits +
         "\", letter: A-C}\nlayouts:\n  - {name: only, rows: [\"" + row + "\"]}\n" + more;
}
Region toy(const std::string& row) { return Region::parse(pack("0-9A-C", "0-9", row), "toy.yaml"); }

TEST(Region, ChinaHasThePublishedOrder) {
  const auto cn = Region::load("cn");
  ASSERT_EQ(cn.alphabet().size(), 67U);  // and the blank makes 68
  EXPECT_EQ(cn.encode("京皖新0AZIO"), (std::vector<int64_t>{0, 12, 30, 31, 41, 64, 65, 66}));
  EXPECT_EQ(cn.decode({12, 41, 31}), "皖A0");
  EXPECT_EQ(cn.region_symbols().size(), 31U);
}

TEST(Region, ChinaLayouts) {
  const auto cn = Region::load("cn");
  EXPECT_EQ(cn.layout_of("皖A12345"), "blue");
  EXPECT_EQ(cn.layout_of("皖AD12345"), "green");
  EXPECT_EQ(cn.layout_of("皖A12345F"), "green_large");
  EXPECT_EQ(cn.layout_of("皖I12345"), std::nullopt);
  const auto& blue = cn.layouts().front();
  EXPECT_EQ(blue.rows[0][2].gap_mm, 22);
  EXPECT_EQ(blue.rows[0][2].separator, "·");
  EXPECT_EQ(blue.min_length(), 7);
  EXPECT_EQ(blue.max_length(), 7);
}

TEST(Region, ExtendedChinaStartsWithThePublishedAlphabet) {
  const auto cn = Region::load("cn"), extended = Region::load("cn-extended");
  for (size_t i = 0; i < cn.alphabet().size(); ++i) {
    EXPECT_EQ(extended.alphabet()[i], cn.alphabet()[i]);
  }
  EXPECT_EQ(extended.layout_of("京A1234警"), "police");
  EXPECT_EQ(extended.layout_of("京A1234学"), "trainer");
}

TEST(Region, EveryShippedPackLoadsAndReadsItsOwnKind) {
  const std::map<std::string, std::vector<std::string>> plates = {
      {"cn", {"京A12345"}},
      {"cn-extended", {"使123456", "粤Z1234港"}},
      {"de", {"BAB1234", "MÜXY12E", "S1A1"}},
      {"fr", {"AB123CD"}},
      {"br", {"ABC1D23", "ABC1234"}},
      {"in", {"AP02BK1084", "DL3CAB1234", "22BH1234AA"}},
      {"gb", {"AB12CDE"}},
      {"nl", {"12ABC3", "G123BB", "BB12GG"}}};
  for (const auto& name : known_configs("regions")) {
    const auto region = Region::load(name);
    EXPECT_EQ(region.name(), name);
    EXPECT_FALSE(region.description().empty()) << name;
    EXPECT_FALSE(region.fonts().empty()) << name;
    ASSERT_TRUE(plates.contains(name)) << "add sample plates of " << name;
  }
  EXPECT_EQ(Region::load("de").layout_of("MÜXY12E"), "euro");
  EXPECT_EQ(Region::load("de").layout_of("BAB0234"), std::nullopt);
  EXPECT_EQ(Region::load("fr").layout_of("AU123CD"), std::nullopt);
  EXPECT_EQ(Region::load("in").layouts()[1].rows.size(), 2U);
}

TEST(Region, PacksAcceptTheirPlates) {
  EXPECT_EQ(Region::load("fr").check("AB123CD"), std::nullopt);
  EXPECT_EQ(Region::load("br").layout_of("ABC1D23"), "mercosul");
  EXPECT_EQ(Region::load("br").layout_of("ABC1234"), "grey");
  EXPECT_EQ(Region::load("in").layout_of("AP02BK1084"), "one_row");
  EXPECT_EQ(Region::load("in").layout_of("22BH1234AA"), "bharat");
  EXPECT_EQ(Region::load("gb").layout_of("AB12CDE"), "front");
  EXPECT_EQ(Region::load("nl").layout_of("G123BB"), "side10");
}

TEST(Region, CheckNamesThePlaceWhereTheFurthestLayoutStops) {
  const auto cn = Region::load("cn");
  EXPECT_EQ(cn.check("皖A12345"), std::nullopt);
  const auto wrong = cn.check("皖A12O45");
  ASSERT_TRUE(wrong);
  EXPECT_EQ(wrong->position, 4);
  EXPECT_EQ(wrong->character, "O");
  EXPECT_NE(wrong->reason.find("layout blue expects alnum"), std::string::npos) << wrong->reason;
  const auto shorter = cn.check("皖A12");
  ASSERT_TRUE(shorter);
  EXPECT_EQ(shorter->position, 4);
  EXPECT_EQ(shorter->character, "");
  const auto longer = cn.check("皖A1234567");
  ASSERT_TRUE(longer);
  EXPECT_EQ(longer->position, 7);
  const auto foreign = cn.check("皖A1é345");
  ASSERT_TRUE(foreign);
  EXPECT_EQ(foreign->character, "é");
}

TEST(Region, EncodeNamesCharacterPositionAndLabel) {
  EXPECT_EQ(error_of([] { Region::load("cn").encode("皖Aé"); }),
            "'é' at position 3 of label '皖Aé' is not in the alphabet of region cn");
}

TEST(Region, BadPacksAreOneSentence) {
  const auto parse = [](const std::string& yaml) {
    return error_of([&] { Region::parse(yaml, "toy.yaml"); });
  };
  EXPECT_EQ(parse(pack("0-9A-C1", "0-9", "digit")),
            "toy.yaml: the alphabet has '1' twice (first at position 1, counted from 0)");
  EXPECT_EQ(parse(pack("0-8A-C", "0-9", "digit")),
            "toy.yaml: class digit: '9' is not in the alphabet");
  EXPECT_EQ(parse(pack("0-9A-C", "0-9", "digits{3}")),
            "toy.yaml: layout only, row \"digits{3}\": unknown class 'digits'; did you mean "
            "'digit'? known: digit, letter");
  EXPECT_EQ(parse(pack("0-9A-C", "0-9", "digit{3")),
            "toy.yaml: layout only, row \"digit{3\": 'digit{3' has a bad repetition; expected {n}, "
            "{n,m} or ? with n <= m <= 64");
  EXPECT_EQ(parse(pack("0-9A-C", "0-9", "digit |x| digit")),
            "toy.yaml: layout only, row \"digit |x| digit\": '|x|' is not a gap; expected |MM| or "
            "|MARK:MM| with MM from 0 to 5000");
  EXPECT_EQ(parse(pack("0-9A-C", "0-9", "digit", "font: [a]\n")),
            "toy.yaml, line 6: unknown key font; did you mean 'fonts'? known: name, description, "
            "alphabet, classes, region_class, layouts, fonts, confusable");
  EXPECT_EQ(parse(pack("0-9A-C", "0-9", "digit", "confusable: [0]\n")),
            "toy.yaml: confusable '0' is not a pair; expected like 0D");
  EXPECT_EQ(parse("name: toy\nalphabet: AB\nlayouts: [{name: a, rows: [\"'A'\"], width_mm: big}]"),
            "toy.yaml, line 3: layouts[0].width_mm expected a number, got 'big'");
  EXPECT_EQ(error_of([] { Region::load("cm"); }).substr(0, 88),
            "unknown region pack 'cm' (neither a file nor shipped); did you mean 'cn'? known: br, "
            "cn,");
}

TEST(Region, KeepsItsYaml) {
  const auto cn = Region::load("cn");
  EXPECT_EQ(Region::parse(cn.yaml(), "model").alphabet(), cn.alphabet());
}

TEST(Grammar, OptionalSlotsMakeSeveralLengths) {
  const auto region = toy("letter digit{1,3} letter?");
  const auto& grammar = region.grammar();
  EXPECT_EQ(grammar.remaining(grammar.start()), 2);
  for (const char* good : {"A1", "A12", "A123", "A1B", "A123B"}) {
    EXPECT_EQ(region.check(good), std::nullopt) << good;
  }
  for (const char* bad : {"A", "1", "A1234", "AB", "A1BB"}) EXPECT_TRUE(region.check(bad)) << bad;
}

TEST(Grammar, MaxSymbolsBoundsTheText) {
  const auto region = Region::parse(
      "name: toy\nalphabet: AB1\nclasses: {x: AB, d: \"1\"}\n"
      "layouts:\n  - {name: a, rows: [\"x{1,3} d x?\"], max_symbols: 3}\n"
      "  - {name: b, rows: [\"d{5}\"]}\n",
      "toy");
  const auto& grammar = region.grammar();
  EXPECT_EQ(region.max_length(), 5);
  for (const char* good : {"A1", "AB1", "A1B", "11111"}) {
    EXPECT_EQ(region.check(good), std::nullopt) << good;
    EXPECT_TRUE(region.layouts()[0].fit(region.encode(good)) ||
                region.layouts()[1].fit(region.encode(good)));
  }
  for (const char* bad : {"ABA1", "AB1A", "ABA", "1111"}) EXPECT_TRUE(region.check(bad)) << bad;
  // After two letters only the digit is left: a third letter would leave it no place.
  int64_t state = grammar.start();
  for (const int64_t symbol : region.encode("AB")) state = grammar.next(state, symbol);
  EXPECT_EQ(grammar.next(state, region.encode("A")[0]), Grammar::kDead);
  EXPECT_EQ(grammar.remaining(state), 1);
  EXPECT_EQ(error_of([] {
              Region::parse(
                  "name: t\nalphabet: AB\nclasses: {x: AB}\n"
                  "layouts: [{name: a, rows: [\"x{3}\"], max_symbols: 2}]\n",
                  "t.yaml");
            }),
            "t.yaml: layout a: max_symbols 2 is less than the 3 characters that are always there");
}

// Against a plain recursive matcher over every text of up to four symbols.
TEST(Grammar, AgreesWithBruteForce) {
  const auto region = Region::parse(
      "name: toy\nalphabet: ABC1\nclasses: {x: AB, y: BC, d: \"1\"}\n"
      "layouts:\n  - {name: a, rows: [\"x{1,2} y? d{0,2}\"]}\n  - {name: b, rows: [\"d? y\", x]}\n",
      "toy");
  const std::function<bool(const std::vector<Slot>&, size_t, const std::vector<int64_t>&, size_t)>
      matches = [&](const auto& slots, size_t slot, const auto& text, size_t at) -> bool {
    if (slot == slots.size()) return at == text.size();
    if (slots[slot].optional && matches(slots, slot + 1, text, at)) return true;
    const auto& allowed = slots[slot].symbols;
    return at < text.size() &&
           std::find(allowed.begin(), allowed.end(), text[at]) != allowed.end() &&
           matches(slots, slot + 1, text, at + 1);
  };
  int64_t accepted = 0;
  for (int64_t code = 0; code < 4 * 4 * 4 * 4 * 5; ++code) {
    std::vector<int64_t> text;
    for (int64_t rest = code / 5, n = code % 5; n > 0; --n, rest /= 4) text.push_back(rest % 4);
    std::string expected;
    for (const auto& layout : region.layouts()) {
      std::vector<Slot> slots;
      for (const auto& row : layout.rows) slots.insert(slots.end(), row.begin(), row.end());
      if (expected.empty() && matches(slots, 0, text, 0)) expected = layout.name;
    }
    EXPECT_EQ(region.layout_of(region.decode(text)).value_or(""), expected) << region.decode(text);
    accepted += expected.empty() ? 0 : 1;
  }
  EXPECT_GT(accepted, 10);
}

}  // namespace
}  // namespace plateforge
