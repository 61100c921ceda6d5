#pragma once

#include <array>
#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace plateforge {

class Grammar;

// One character position of a layout.
struct Slot {
  std::string char_class;        // name of the class in the region file, e.g. "province"
  std::vector<int64_t> symbols;  // alphabet indices allowed here, ascending
  bool optional = false;         // the position may be absent (always trailing within its group)
  double gap_mm = 0;             // extra space before this character, beside spacing_mm
  std::string separator;         // drawn in that space, never part of the text ("·", "-", "")
};

using Rgb = std::array<uint8_t, 3>;

// One kind of plate: what may be written on it and how it looks. Lengths are millimetres.
struct Layout {
  std::string name;                     // "blue", "green"
  double weight = 1;                    // share among synthetic plates
  int64_t max_symbols = 0;              // longest text, when the slots allow more; 0 = their count
  std::vector<std::vector<Slot>> rows;  // top to bottom; the text is their concatenation
  double width_mm = 440, height_mm = 140;
  double char_width_mm = 45, char_height_mm = 90;
  double spacing_mm = 12;                                     // between two characters
  Rgb background{0, 60, 160}, background_bottom{0, 60, 160};  // vertical gradient, equal = plain
  Rgb foreground{255, 255, 255}, border{255, 255, 255};
  double border_mm = 2;
  // A strip at the left, right or top edge (the blue EU band, Mercosul's head): 0 = none.
  double band_left_mm = 0, band_right_mm = 0, band_top_mm = 0;
  Rgb band_colour{0, 51, 153};
  std::string band_text;

  int64_t min_length() const;
  int64_t max_length() const;
  double aspect() const { return width_mm / height_mm; }
  // All slots in reading order, rows joined.
  std::vector<const Slot*> slots() const;
  // The slot of each symbol; nullopt when the text does not fit. Optional slots are used as early
  // as they can be.
  std::optional<std::vector<const Slot*>> fit(const std::vector<int64_t>& symbols) const;
};

// Where a label leaves the grammar, for people.
struct LabelProblem {
  int64_t position = 0;   // 0-based character position
  std::string character;  // offending character; empty when the text ends too early
  std::string reason;     // "'I' does not fit: layout blue expects letter (ABC...)"
};

// A region pack: one YAML file that drives head size, label checks, synthetic plates, the decoder's
// grammar and export metadata. The CTC blank is implied and is the last class: index
// alphabet().size().
class Region {
 public:
  // `name_or_path` is a path to a .yaml file or the name of a shipped pack ("cn").
  // Throws Error: unknown pack (lists the known ones), duplicate symbol, unknown class, bad number.
  static Region load(const std::string& name_or_path);
  // The same from text, as kept in model files. `origin` names the source in errors.
  static Region parse(const std::string& yaml, const std::string& origin);

  const std::string& name() const { return name_; }
  const std::string& description() const { return description_; }
  const std::vector<std::string>& alphabet() const { return alphabet_; }
  const std::vector<Layout>& layouts() const { return layouts_; }
  // Fonts to render with, best first: file paths or file names of Debian font packages.
  const std::vector<std::string>& fonts() const { return fonts_; }
  // Pairs of symbols that look alike (0/D, 8/B), alphabet indices.
  const std::vector<std::pair<int64_t, int64_t>>& confusable() const { return confusable_; }
  // Symbols of the class that names the place of registration; empty when the region has none.
  // "exact match without region" leaves out characters at slots of this class.
  const std::vector<int64_t>& region_symbols() const { return region_symbols_; }

  int64_t blank() const { return static_cast<int64_t>(alphabet_.size()); }
  int64_t num_classes() const { return blank() + 1; }
  int64_t max_length() const;

  // Rows of the layout whose proportions are nearest to those of a plate of this width / height.
  int64_t rows_at(double aspect) const;
  // Alphabet index of each character. Throws Error naming the character, its position and the
  // label.
  std::vector<int64_t> encode(std::string_view text) const;
  std::string decode(const std::vector<int64_t>& symbols) const;

  // The first layout that the text fits, if any.
  std::optional<std::string> layout_of(std::string_view text) const;
  // nullopt when some layout accepts the text; else the problem of the layout that got furthest.
  std::optional<LabelProblem> check(std::string_view text) const;

  // All layouts as one prefix automaton, for decoding under the grammar.
  const Grammar& grammar() const { return *grammar_; }

  // The YAML this pack was read from, kept verbatim in model files.
  const std::string& yaml() const { return yaml_; }

 private:
  std::string name_, description_, yaml_;
  std::vector<std::string> alphabet_, fonts_;
  std::map<std::string, int64_t, std::less<>> index_;
  std::vector<Layout> layouts_;
  std::vector<std::pair<int64_t, int64_t>> confusable_;
  std::vector<int64_t> region_symbols_;
  std::shared_ptr<const Grammar> grammar_;  // immutable, shared by copies
};

}  // namespace plateforge
