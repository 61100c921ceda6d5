#pragma once

#include <map>
#include <opencv2/core.hpp>
#include <string>
#include <vector>

namespace plateforge {

// The file of a font named by path or by file name below the system's and the user's font folders;
// empty when it is not there.
std::string find_font(const std::string& name);

// Glyphs of some symbols in several fonts, drawn once at construction; read-only afterwards.
class GlyphBook {
 public:
  // Missing fonts are passed over, as are symbols a font lacks.
  GlyphBook(const std::vector<std::string>& fonts, const std::vector<std::string>& symbols);

  // Ink of a symbol, 8-bit coverage cropped to its box, kHeight pixels high at most; empty when the
  // font lacks it. `face` counts the fonts that were found.
  const cv::Mat& glyph(const std::string& symbol, size_t face) const;
  size_t faces() const { return faces_.size(); }
  // Faces that have all of these symbols; when none does, those that have the most.
  std::vector<size_t> faces_with(const std::vector<std::string>& symbols) const;
  // The first face, from `preferred` on, that has the symbol; faces() when none has.
  size_t face_for(const std::string& symbol, size_t preferred) const;

  // Where the ink goes in a character cell: full height; ideographs fill the width, letters keep
  // their width relative to the face's wide letters.
  cv::Rect2d ink_box(const std::string& symbol, size_t face, const cv::Rect2d& cell) const;

  static constexpr int kHeight = 96;

 private:
  struct Face {
    std::map<std::string, cv::Mat> glyphs;
    double wide = 1;  // width of its wide letters, pixels
  };
  std::vector<Face> faces_;
};

// 8-bit coverage of a symbol painted into `canvas` (max of what is there and the ink), `box` in its
// pixels. Sub-pixel exact; reduction is area-like.
void paint_ink(const cv::Mat& ink, const cv::Rect2d& box, cv::Mat& canvas);

}  // namespace plateforge
