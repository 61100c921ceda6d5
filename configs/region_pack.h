#pragma once

#include <map>
#include <string>
#include <utility>
#include <vector>

#include "configs/region.h"
#include "configs/visit.h"

namespace plateforge {

// The region pack file as it is written; region.cpp turns it into a Region. Its option tables are
// in the README, a worked example is configs/regions/cn.yaml.
struct LayoutEntry {
  std::vector<std::string> rows;
  Layout look;  // everything but `rows`

  template <class V>
  void visit(V& v) {
    const auto length = in_range(0, 5000);
    v("name", look.name, "short name, in statistics and errors", Anything{});
    v("weight", look.weight, "share among synthetic plates", in_range(0.0, 1e6));
    v("rows", rows, "one pattern per row, top to bottom", Anything{});
    v("max_symbols", look.max_symbols, "longest text, when the rows allow more; 0 = no limit",
      in_range(0, 64));
    v("width_mm", look.width_mm, "plate width", in_range(1, 5000));
    v("height_mm", look.height_mm, "plate height", in_range(1, 5000));
    v("char_width_mm", look.char_width_mm, "cell of one character", in_range(1, 1000));
    v("char_height_mm", look.char_height_mm, "cell of one character", in_range(1, 1000));
    v("spacing_mm", look.spacing_mm, "between two cells", length);
    v("background", look.background, "plate colour, at the top", Anything{});
    v("background_bottom", look.background_bottom,
      "colour at the bottom, blended in between; the same as background = plain", Anything{});
    v("foreground", look.foreground, "characters", Anything{});
    v("border", look.border, "line around the plate", Anything{});
    v("border_mm", look.border_mm, "its thickness; 0 = none", length);
    v("band_left_mm", look.band_left_mm, "width of a strip at the left edge; 0 = none", length);
    v("band_right_mm", look.band_right_mm, "the same at the right edge", length);
    v("band_top_mm", look.band_top_mm, "height of a strip at the top; 0 = none", length);
    v("band_colour", look.band_colour, "strips", Anything{});
    v("band_text", look.band_text, "letters in the left or top strip", Anything{});
  }
};

struct RegionPack {
  std::string name, description, alphabet, region_class;
  std::map<std::string, std::string> classes;
  std::vector<LayoutEntry> layouts;
  std::vector<std::string> fonts, confusable;

  template <class V>
  void visit(V& v) {
    v("name", name, "short name of the pack", Anything{});
    v("description", description, "one line for people", Anything{});
    v("alphabet", alphabet, "every symbol once, in the order of the network's classes", Anything{});
    v("classes", classes, "class name: symbols allowed", Anything{});
    v("region_class", region_class, "class that names the place of registration; empty = none",
      Anything{});
    v("layouts", layouts, "kinds of plates", Anything{});
    v("fonts", fonts, "fonts for synthetic plates, best first: paths or file names", Anything{});
    v("confusable", confusable, "pairs that look alike: [0D, 8B]", Anything{});
  }
};

// "A-HJ" -> A B C D E F G H J. A range runs over ASCII letters or digits; '-' first or last is
// itself. Throws Error, `where` first.
std::vector<std::string> expand_symbols(const std::string& text, const std::string& where);

// One row pattern: words separated by spaces.
//   digit  digit?  digit{4}  digit{1,3}   a class: once, at most once, four times, one to three
//   'DF'                                  these very characters, one after another
//   |22|  |·:22|                          22 mm more before the next character, with "·" drawn in
//   it
// `classes` holds ascending alphabet indices, `index` those of single symbols. Throws Error naming
// the word, `where` first.
std::vector<Slot> parse_row(const std::string& pattern, const std::string& where,
                            const std::map<std::string, std::vector<int64_t>>& classes,
                            const std::map<std::string, int64_t, std::less<>>& index);

}  // namespace plateforge
