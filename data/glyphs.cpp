#include "data/glyphs.h"

#include <ft2build.h>
#include FT_FREETYPE_H

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <filesystem>
#include <memory>
#include <opencv2/imgproc.hpp>

#include "configs/utf8.h"

namespace plateforge {
namespace {

namespace fs = std::filesystem;

std::map<std::string, std::string> font_files() {
  std::vector<fs::path> roots = {"/usr/share/fonts", "/usr/local/share/fonts"};
  if (const char* home = std::getenv("HOME")) {
    roots.push_back(fs::path(home) / ".fonts");
    roots.push_back(fs::path(home) / ".local/share/fonts");
  }
  std::map<std::string, std::string> files;
  for (const auto& root : roots) {
    std::error_code error;
    fs::recursive_directory_iterator it(root, fs::directory_options::skip_permission_denied, error);
    for (; !error && it != fs::recursive_directory_iterator(); it.increment(error)) {
      files.emplace(it->path().filename().string(), it->path().string());
    }
  }
  return files;
}

char32_t code_point(const std::string& symbol) {
  const auto lead = static_cast<unsigned char>(symbol[0]);
  if (symbol.size() == 1) return lead;
  char32_t code = lead & (0x7FU >> symbol.size());
  for (size_t i = 1; i < symbol.size(); ++i) {
    code = code << 6 | (static_cast<unsigned char>(symbol[i]) & 0x3FU);
  }
  return code;
}

bool is_ideograph(const std::string& symbol) { return code_point(symbol) >= 0x2E80; }

using Library = std::unique_ptr<FT_LibraryRec_, decltype(&FT_Done_FreeType)>;
using FontFace = std::unique_ptr<FT_FaceRec_, decltype(&FT_Done_Face)>;

cv::Mat draw(FT_Face face, const std::string& symbol) {
  const FT_UInt index = FT_Get_Char_Index(face, code_point(symbol));
  if (index == 0 || FT_Load_Glyph(face, index, FT_LOAD_RENDER | FT_LOAD_NO_HINTING) != 0) return {};
  const FT_Bitmap& bitmap = face->glyph->bitmap;
  if (bitmap.width == 0 || bitmap.rows == 0 || bitmap.pixel_mode != FT_PIXEL_MODE_GRAY) return {};
  return cv::Mat(static_cast<int>(bitmap.rows), static_cast<int>(bitmap.width), CV_8UC1,
                 bitmap.buffer, static_cast<size_t>(bitmap.pitch))
      .clone();
}

}  // namespace

std::string find_font(const std::string& name) {
  if (fs::exists(name)) return name;
  static const auto files = font_files();
  const auto it = files.find(fs::path(name).filename().string());
  return it == files.end() ? std::string() : it->second;
}

GlyphBook::GlyphBook(const std::vector<std::string>& fonts,
                     const std::vector<std::string>& symbols) {
  FT_Library raw = nullptr;
  if (FT_Init_FreeType(&raw) != 0) return;
  const Library library(raw, &FT_Done_FreeType);
  for (const auto& name : fonts) {
    const std::string path = find_font(name);
    FT_Face raw_face = nullptr;
    if (path.empty() || FT_New_Face(library.get(), path.c_str(), 0, &raw_face) != 0) continue;
    const FontFace face(raw_face, &FT_Done_Face);
    // Capitals are about 0.72 of the em: this makes them kHeight pixels high.
    if (FT_Set_Pixel_Sizes(face.get(), 0, kHeight * 4 / 3) != 0) continue;
    Face drawn;
    std::vector<int> widths;
    for (const auto& symbol : symbols) {
      cv::Mat ink = draw(face.get(), symbol);
      if (ink.empty()) continue;
      if (!is_ideograph(symbol)) widths.push_back(ink.cols);
      drawn.glyphs.emplace(symbol, std::move(ink));
    }
    if (drawn.glyphs.empty()) continue;
    std::sort(widths.begin(), widths.end());
    if (!widths.empty()) drawn.wide = widths[widths.size() * 7 / 10];
    faces_.push_back(std::move(drawn));
  }
}

const cv::Mat& GlyphBook::glyph(const std::string& symbol, size_t face) const {
  static const cv::Mat none;
  if (face >= faces_.size()) return none;
  const auto it = faces_[face].glyphs.find(symbol);
  return it == faces_[face].glyphs.end() ? none : it->second;
}

std::vector<size_t> GlyphBook::faces_with(const std::vector<std::string>& symbols) const {
  std::vector<size_t> best;
  size_t most = 0;
  for (size_t face = 0; face < faces_.size(); ++face) {
    const auto known =
        static_cast<size_t>(std::count_if(symbols.begin(), symbols.end(), [&](const auto& symbol) {
          return !glyph(symbol, face).empty();
        }));
    if (known > most) best.clear();
    if (known >= most && known > 0) best.push_back(face);
    most = std::max(most, known);
  }
  return best;
}

size_t GlyphBook::face_for(const std::string& symbol, size_t preferred) const {
  for (size_t i = 0; i < faces_.size(); ++i) {
    const size_t face = (preferred + i) % faces_.size();
    if (!glyph(symbol, face).empty()) return face;
  }
  return faces_.size();
}

cv::Rect2d GlyphBook::ink_box(const std::string& symbol, size_t face,
                              const cv::Rect2d& cell) const {
  const cv::Mat& ink = glyph(symbol, face);
  if (ink.empty() || is_ideograph(symbol)) return cell;
  const double width = std::min(1.0, ink.cols / faces_[face].wide) * cell.width;
  return {cell.x + (cell.width - width) / 2, cell.y, width, cell.height};
}

void paint_ink(const cv::Mat& ink, const cv::Rect2d& box, cv::Mat& canvas) {
  if (ink.empty() || box.width < 0.5 || box.height < 0.5) return;
  const cv::Rect part =
      cv::Rect(cvFloor(box.x), cvFloor(box.y), cvCeil(box.width) + 1, cvCeil(box.height) + 1) &
      cv::Rect({0, 0}, canvas.size());
  if (part.empty()) return;
  // An area reduction to about the target's size, then a sub-pixel placement.
  cv::Mat small = ink;
  const cv::Size near{std::min(ink.cols, std::max(cvRound(box.width), 1)),
                      std::min(ink.rows, std::max(cvRound(box.height), 1))};
  if (near != ink.size()) cv::resize(ink, small, near, 0, 0, cv::INTER_AREA);
  const double sx = box.width / small.cols, sy = box.height / small.rows;
  const cv::Matx23d map(sx, 0, box.x - part.x + 0.5 * sx - 0.5,  //
                        0, sy, box.y - part.y + 0.5 * sy - 0.5);
  cv::Mat placed;
  cv::warpAffine(small, placed, map, part.size(), cv::INTER_LINEAR, cv::BORDER_CONSTANT);
  cv::Mat target = canvas(part);
  cv::max(target, placed, target);
}

}  // namespace plateforge
