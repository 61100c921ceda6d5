#include "configs/region.h"

#include <algorithm>
#include <cmath>

#include "configs/atomic_file.h"
#include "configs/error.h"
#include "configs/grammar.h"
#include "configs/paths.h"
#include "configs/region_pack.h"
#include "configs/suggest.h"
#include "configs/utf8.h"
#include "configs/yaml_reader.h"

namespace plateforge {

namespace {

using SymbolIndex = std::map<std::string, int64_t, std::less<>>;
using ClassTable = std::map<std::string, std::vector<int64_t>>;

SymbolIndex index_alphabet(const std::vector<std::string>& alphabet, const std::string& origin) {
  require(!alphabet.empty(), origin, ": the alphabet is empty");
  SymbolIndex index;
  for (const auto& symbol : alphabet) {
    const auto [first, is_new] = index.emplace(symbol, static_cast<int64_t>(index.size()));
    require(is_new, origin, ": the alphabet has '", symbol, "' twice (first at position ",
            first->second, ", counted from 0)");
  }
  return index;
}

ClassTable read_classes(const RegionPack& pack, const SymbolIndex& index,
                        const std::string& origin) {
  ClassTable classes;
  for (const auto& [name, text] : pack.classes) {
    const std::string where = origin + ": class " + name;
    require(name.find_first_of(" ?{}|'") == std::string::npos, where,
            ": a class name has no spaces, quotes or ? { } |");
    auto& symbols = classes[name];
    for (const auto& symbol : expand_symbols(text, where)) {
      const auto found = index.find(symbol);
      require(found != index.end(), where, ": '", symbol, "' is not in the alphabet");
      symbols.push_back(found->second);
    }
    require(!symbols.empty(), where, " has no symbols");
    std::sort(symbols.begin(), symbols.end());
    const auto twice = std::adjacent_find(symbols.begin(), symbols.end());
    require(twice == symbols.end(), where, " has a symbol twice");
  }
  return classes;
}

Layout read_layout(const LayoutEntry& entry, const ClassTable& classes, const SymbolIndex& index,
                   const std::string& origin) {
  Layout layout = entry.look;
  require(!layout.name.empty(), origin, ": a layout has no name");
  const std::string where = origin + ": layout " + layout.name;
  require(!entry.rows.empty(), where, " has no rows");
  for (const auto& pattern : entry.rows) {
    layout.rows.push_back(parse_row(pattern, where + ", row \"" + pattern + "\"", classes, index));
  }
  require(layout.min_length() > 0, where, ": every character is optional");
  require(layout.min_length() <= layout.max_length(), where, ": max_symbols ", layout.max_symbols,
          " is less than the ", layout.min_length(), " characters that are always there");
  return layout;
}

std::pair<int64_t, int64_t> read_pair(const std::string& pair, const SymbolIndex& index,
                                      const std::string& origin) {
  const auto symbols = split_utf8(pair);
  require(symbols.size() == 2, origin, ": confusable '", pair, "' is not a pair; expected like 0D");
  for (const auto& symbol : symbols) {
    require(index.contains(symbol), origin, ": confusable '", pair, "': '", symbol,
            "' is not in the alphabet");
  }
  return {index.find(symbols[0])->second, index.find(symbols[1])->second};
}

// Gives symbols[used.size()...] to the slots from `slot` on; true when all fit.
bool fits(const std::vector<const Slot*>& slots, size_t slot, const std::vector<int64_t>& symbols,
          std::vector<const Slot*>& used) {
  if (slot == slots.size()) return used.size() == symbols.size();
  const auto& allowed = slots[slot]->symbols;
  if (used.size() < symbols.size() &&
      std::binary_search(allowed.begin(), allowed.end(), symbols[used.size()])) {
    used.push_back(slots[slot]);
    if (fits(slots, slot + 1, symbols, used)) return true;
    used.pop_back();
  }
  return slots[slot]->optional && fits(slots, slot + 1, symbols, used);
}

// "a digit of layout blue (one of 0123)", joined by "or" where the layout has a choice.
std::string expectation(const Region& region, int64_t state) {
  const Layout* layout = nullptr;
  std::string slots;
  for (const auto& place : region.grammar().places(state)) {
    const auto& here = region.layouts()[static_cast<size_t>(place.layout)];
    if (layout && layout != &here) break;  // the first layout that got this far speaks
    layout = &here;
    slots += slots.empty() ? "" : " or ";
    const int64_t length = region.grammar().slots(place.layout);
    if (place.slot == length) {
      slots += "the end";
    } else {
      const Slot& slot = *here.slots()[static_cast<size_t>(place.slot)];
      slots += slot.char_class + " (" + region.decode(slot.symbols) + ")";
    }
  }
  return "layout " + layout->name + " expects " + slots;
}

}  // namespace

int64_t Layout::min_length() const {
  int64_t length = 0;
  for (const auto& row : rows) {
    length += std::count_if(row.begin(), row.end(), [](const Slot& s) { return !s.optional; });
  }
  return length;
}

int64_t Layout::max_length() const {
  const auto length = static_cast<int64_t>(slots().size());
  return max_symbols > 0 ? std::min(length, max_symbols) : length;
}

std::vector<const Slot*> Layout::slots() const {
  std::vector<const Slot*> all;
  for (const auto& row : rows) {
    for (const Slot& slot : row) all.push_back(&slot);
  }
  return all;
}

std::optional<std::vector<const Slot*>> Layout::fit(const std::vector<int64_t>& symbols) const {
  std::vector<const Slot*> used;
  if (static_cast<int64_t>(symbols.size()) > max_length()) return std::nullopt;
  if (!fits(slots(), 0, symbols, used)) return std::nullopt;
  return used;
}

int64_t Region::max_length() const {
  int64_t length = 0;
  for (const auto& layout : layouts_) length = std::max(length, layout.max_length());
  return length;
}

int64_t Region::rows_at(double aspect) const {
  const auto distance = [&](const Layout& layout) {
    return std::abs(std::log(aspect / layout.aspect()));
  };
  const auto nearest =
      std::min_element(layouts_.begin(), layouts_.end(),
                       [&](const Layout& a, const Layout& b) { return distance(a) < distance(b); });
  return static_cast<int64_t>(nearest->rows.size());
}

Region Region::load(const std::string& name_or_path) {
  const auto file = find_config(name_or_path, "regions");
  require(!file.empty(), "unknown region pack '", name_or_path, "' (neither a file nor shipped); ",
          known_names(name_or_path, known_configs("regions")));
  return parse(read_file(file), file.string());
}

Region Region::parse(const std::string& yaml, const std::string& origin) {
  YamlSource source(origin);
  RegionPack pack;
  read_yaml(yaml, source, pack);

  Region region;
  region.name_ = pack.name;
  region.description_ = pack.description;
  region.yaml_ = yaml;
  region.fonts_ = pack.fonts;
  require(!pack.name.empty(), origin, ": the pack has no name");
  region.alphabet_ = expand_symbols(pack.alphabet, origin + ": alphabet");
  region.index_ = index_alphabet(region.alphabet_, origin);
  const ClassTable classes = read_classes(pack, region.index_, origin);
  require(!pack.layouts.empty(), origin, ": the pack has no layouts");
  for (const auto& entry : pack.layouts) {
    const auto& layout =
        region.layouts_.emplace_back(read_layout(entry, classes, region.index_, origin));
    const auto same = std::find_if(region.layouts_.begin(), region.layouts_.end(),
                                   [&](const Layout& other) { return other.name == layout.name; });
    require(&*same == &layout, origin, ": two layouts are named ", layout.name);
  }
  for (const auto& pair : pack.confusable) {
    region.confusable_.push_back(read_pair(pair, region.index_, origin));
  }
  if (!pack.region_class.empty()) {
    const auto found = classes.find(pack.region_class);
    require(found != classes.end(), origin, ": region_class names the unknown class '",
            pack.region_class, "'");
    region.region_symbols_ = found->second;
  }
  region.grammar_ = std::make_shared<const Grammar>(region.layouts_,
                                                    static_cast<int64_t>(region.alphabet_.size()));
  return region;
}

std::vector<int64_t> Region::encode(std::string_view text) const {
  std::vector<int64_t> symbols;
  for (const auto& character : split_utf8(text)) {
    const auto found = index_.find(character);
    require(found != index_.end(), "'", character, "' at position ", symbols.size() + 1,
            " of label '", text, "' is not in the alphabet of region ", name_);
    symbols.push_back(found->second);
  }
  return symbols;
}

std::string Region::decode(const std::vector<int64_t>& symbols) const {
  std::string text;
  for (const int64_t symbol : symbols) text += alphabet_.at(static_cast<size_t>(symbol));
  return text;
}

std::optional<std::string> Region::layout_of(std::string_view text) const {
  int64_t state = grammar_->start();
  for (const auto& character : split_utf8(text)) {
    const auto found = index_.find(character);
    if (found == index_.end()) return std::nullopt;
    state = grammar_->next(state, found->second);
    if (state == Grammar::kDead) return std::nullopt;
  }
  const auto layout = grammar_->layout(state);
  if (!layout) return std::nullopt;
  return layouts_[static_cast<size_t>(*layout)].name;
}

std::optional<LabelProblem> Region::check(std::string_view text) const {
  int64_t state = grammar_->start(), position = 0;
  for (const auto& character : split_utf8(text)) {
    const auto found = index_.find(character);
    if (found == index_.end()) {
      return LabelProblem{position, character,
                          "'" + character + "' is not in the alphabet of region " + name_};
    }
    const int64_t next = grammar_->next(state, found->second);
    if (next == Grammar::kDead) {
      return LabelProblem{position, character,
                          "'" + character + "' does not fit: " + expectation(*this, state)};
    }
    state = next;
    ++position;
  }
  if (grammar_->accepts(state)) return std::nullopt;
  return LabelProblem{position, "", "the text ends too early: " + expectation(*this, state)};
}

}  // namespace plateforge
