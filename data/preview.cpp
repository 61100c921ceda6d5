#include "data/preview.h"

#include <opencv2/imgproc.hpp>

#include "configs/error.h"
#include "configs/log.h"
#include "configs/utf8.h"
#include "data/augment.h"
#include "data/glyphs.h"
#include "data/sampler.h"

namespace plateforge {
namespace {

constexpr int kGap = 6;
const cv::Scalar kPaper(245, 245, 245), kInk(40, 40, 40);

// Dark text on the sheet, one cell of equal width per character.
void draw_label(const GlyphBook& book, const std::string& text, const cv::Rect& area,
                cv::Mat& sheet) {
  cv::Mat ink = cv::Mat::zeros(area.size(), CV_8U);
  const double height = 0.8 * area.height, width = 0.6 * height, step = 1.2 * width;
  double x = 0;
  for (const auto& symbol : split_utf8(text)) {
    const size_t face = book.face_for(symbol, 0);
    const cv::Rect2d cell(x, (area.height - height) / 2, width, height);
    if (face < book.faces()) {
      paint_ink(book.glyph(symbol, face), book.ink_box(symbol, face, cell), ink);
    }
    x += step;
  }
  sheet(area).setTo(kInk, ink > 96);
}

void place(const cv::Mat& picture, int scale, const cv::Point& at, cv::Mat& sheet) {
  cv::Mat large;
  cv::resize(picture, large, picture.size() * scale, 0, 0, cv::INTER_NEAREST);
  large.copyTo(sheet({at, large.size()}));
}

}  // namespace

cv::Mat preview_sheet(const Mix& mix, const Region& region, const AugmentConfig& augment,
                      const PreviewOptions& options) {
  require(mix.size() > 0, "there are no plates to preview");
  const Augmenter as_is({}, options.size, region), augmented(augment, options.size, region);
  const GlyphBook book(region.fonts(), region.alphabet());
  if (book.faces() == 0) {
    log_warning("none of the fonts of region " + region.name() +
                " is installed: the preview has no labels");
  }
  std::vector<double> weights;
  std::vector<int64_t> sizes;
  for (const auto& part : mix.parts) {
    weights.push_back(part.weight);
    sizes.push_back(part.source->size());
  }
  const MixSampler sampler(weights, sizes, options.seed);

  const cv::Size cell = options.size * options.scale;
  const int label_width = cell.height * static_cast<int>(region.max_length());
  const auto rows = static_cast<int>(options.rows), variants = static_cast<int>(options.variants);
  cv::Mat sheet(rows * (cell.height + kGap) + kGap,
                label_width + (variants + 1) * (cell.width + kGap) + 2 * kGap, CV_8UC3, kPaper);
  for (int row = 0; row < rows; ++row) {
    auto [part, key] = sampler(row);
    const Plate plate = mix.parts[part].source->read(key);
    const int y = kGap + row * (cell.height + kGap);
    draw_label(book, plate.text, {kGap, y, label_width, cell.height}, sheet);
    cv::Mat view;
    for (int column = 0; column <= variants; ++column) {
      if (column == 0) {
        as_is(plate, options.seed, key, view);
      } else {
        key.epoch = column;
        augmented(plate, mix_key(options.seed, part), key, view);
      }
      place(view, options.scale, {label_width + 2 * kGap + column * (cell.width + kGap), y}, sheet);
    }
  }
  return sheet;
}

}  // namespace plateforge
