#include "configs/region_pack.h"

#include <algorithm>
#include <cctype>
#include <charconv>
#include <sstream>

#include "configs/error.h"
#include "configs/suggest.h"
#include "configs/utf8.h"

namespace plateforge {

namespace {

constexpr int64_t kLongestRow = 64;

// Both ends in one of 0-9, A-Z, a-z, and in order.
bool is_range(const std::string& low, const std::string& high) {
  if (low.size() != 1 || high.size() != 1 || low[0] > high[0]) return false;
  const auto both = [&](int (*kind)(int)) { return kind(low[0]) != 0 && kind(high[0]) != 0; };
  return static_cast<signed char>(low[0]) > 0 && static_cast<signed char>(high[0]) > 0 &&
         (both(std::isdigit) || both(std::isupper) || both(std::islower));
}

template <class Number>
bool parse_number(std::string_view text, Number& value) {
  const auto [stop, problem] = std::from_chars(text.data(), text.data() + text.size(), value);
  return problem == std::errc() && stop == text.data() + text.size();
}

// How often a class may stand: {n}, {n,m}, ? or once.
struct Repeat {
  int64_t least = 1, most = 1;
};

class RowParser {
 public:
  RowParser(const std::string& where, const std::map<std::string, std::vector<int64_t>>& classes,
            const std::map<std::string, int64_t, std::less<>>& index)
      : where_(where), classes_(classes), index_(index) {}

  std::vector<Slot> parse(const std::string& pattern) {
    std::istringstream words(pattern);
    for (std::string word; words >> word;) {
      switch (word.front()) {
        case '|':
          add_gap(word);
          break;
        case '\'':
          add_literal(word);
          break;
        default:
          add_class(word);
      }
    }
    require(!slots_.empty(), where_,
            ": the row is empty; expected class names as in \"letter digit{3}\"");
    require(gap_mm_ == 0 && separator_.empty(), where_, ": a gap must stand before a character");
    return std::move(slots_);
  }

 private:
  void add_gap(const std::string& word) {
    const size_t colon = word.rfind(':');
    const size_t number = colon == std::string::npos ? 1 : colon + 1;
    const bool closed = word.size() > number + 1 && word.back() == '|';
    const bool good =
        closed &&
        parse_number(std::string_view(word).substr(number, word.size() - number - 1), gap_mm_);
    require(good && gap_mm_ >= 0 && gap_mm_ <= 5000, where_, ": '", word,
            "' is not a gap; expected |MM| or |MARK:MM| with MM from 0 to 5000");
    if (colon != std::string::npos) separator_ = word.substr(1, colon - 1);
  }

  void add_literal(const std::string& word) {
    require(word.size() > 2 && word.back() == '\'', where_, ": ", word,
            " is not closed; expected 'CHARACTERS' without spaces");
    for (const auto& symbol : split_utf8(word.substr(1, word.size() - 2))) {
      const auto found = index_.find(symbol);
      require(found != index_.end(), where_, ": '", symbol, "' is not in the alphabet");
      add_slot({symbol, {found->second}, false, 0, ""});
    }
  }

  void add_class(const std::string& word) {
    const size_t end = std::min(word.find_first_of("?{"), word.size());
    const std::string name = word.substr(0, end);
    const auto found = classes_.find(name);
    if (found == classes_.end()) {
      std::vector<std::string> known;
      for (const auto& [known_name, symbols] : classes_) known.push_back(known_name);
      fail(where_, ": unknown class '", name, "'; ", known_names(name, known));
    }
    const Repeat repeat = parse_repeat(word, end);
    for (int64_t i = 0; i < repeat.most; ++i) {
      add_slot({name, found->second, i >= repeat.least, 0, ""});
    }
  }

  Repeat parse_repeat(const std::string& word, size_t at) const {
    const std::string_view text = std::string_view(word).substr(at);
    if (text.empty()) return {};
    if (text == "?") return {0, 1};
    Repeat repeat;
    const size_t comma = text.find(',');
    bool good = text.size() > 2 && text.front() == '{' && text.back() == '}';
    if (good && comma == std::string_view::npos) {
      good = parse_number(text.substr(1, text.size() - 2), repeat.most);
      repeat.least = repeat.most;
    } else if (good) {
      good = parse_number(text.substr(1, comma - 1), repeat.least) &&
             parse_number(text.substr(comma + 1, text.size() - comma - 2), repeat.most);
    }
    require(good && repeat.least >= 0 && repeat.most >= 1 && repeat.least <= repeat.most &&
                repeat.most <= kLongestRow,
            where_, ": '", word,
            "' has a bad repetition; expected {n}, {n,m} or ? with n <= m <= ", kLongestRow);
    return repeat;
  }

  void add_slot(Slot slot) {
    slot.gap_mm = std::exchange(gap_mm_, 0);
    slot.separator = std::exchange(separator_, "");
    slots_.push_back(std::move(slot));
    require(static_cast<int64_t>(slots_.size()) <= kLongestRow, where_, ": more than ", kLongestRow,
            " characters");
  }

  const std::string& where_;
  const std::map<std::string, std::vector<int64_t>>& classes_;
  const std::map<std::string, int64_t, std::less<>>& index_;
  std::vector<Slot> slots_;
  double gap_mm_ = 0;
  std::string separator_;
};

}  // namespace

std::vector<std::string> expand_symbols(const std::string& text, const std::string& where) {
  const auto characters = split_utf8(text);
  std::vector<std::string> symbols;
  for (size_t i = 0; i < characters.size(); ++i) {
    const bool between = characters[i] == "-" && i > 0 && i + 1 < characters.size();
    if (!between) {
      symbols.push_back(characters[i]);
      continue;
    }
    const auto &low = characters[i - 1], &high = characters[i + 1];
    require(is_range(low, high), where, ": '", low, "-", high,
            "' is not a range; expected like 0-9 or A-Z (a '-' itself stands first or last)");
    for (char c = static_cast<char>(low[0] + 1); c < high[0]; ++c) symbols.emplace_back(1, c);
  }
  return symbols;
}

std::vector<Slot> parse_row(const std::string& pattern, const std::string& where,
                            const std::map<std::string, std::vector<int64_t>>& classes,
                            const std::map<std::string, int64_t, std::less<>>& index) {
  return RowParser(where, classes, index).parse(pattern);
}

}  // namespace plateforge
