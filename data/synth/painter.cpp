#include "data/synth/painter.h"

#include <algorithm>
#include <cmath>
#include <opencv2/imgproc.hpp>
#include <set>

#include "configs/error.h"
#include "configs/utf8.h"

namespace plateforge {
namespace {

cv::Scalar bgr(const Rgb& colour) {
  return {double(colour[2]), double(colour[1]), double(colour[0])};
}

// A colour as paint shops, age and white balance make it.
cv::Scalar jittered(const Rgb& colour, double amount, Rng& rng) {
  const double gain = std::exp(rng.uniform(-amount, amount));
  cv::Scalar result = bgr(colour);
  for (int k = 0; k < 3; ++k) {
    result[k] = std::clamp(result[k] * gain + 255 * amount * rng.uniform(-0.25, 0.25), 0.0, 255.0);
  }
  return result;
}

cv::Scalar blend(const cv::Scalar& a, const cv::Scalar& b, double t) { return a * (1 - t) + b * t; }

// Every symbol that may have to be drawn: the alphabet, the marks and the letters of the bands.
std::vector<std::string> drawn_symbols(const Region& region) {
  std::vector<std::string> symbols = region.alphabet();
  std::set<std::string> known(symbols.begin(), symbols.end());
  const auto add = [&](const std::string& text) {
    for (const auto& symbol : split_utf8(text)) {
      if (known.insert(symbol).second) symbols.push_back(symbol);
    }
  };
  for (const Layout& layout : region.layouts()) {
    add(layout.band_text);
    for (const auto& row : layout.rows) {
      for (const Slot& slot : row) add(slot.separator);
    }
  }
  return symbols;
}

// Car body or bumper behind the plate: one colour, a slope of light, an edge, grain.
void paint_surround(cv::Mat& image, Rng& rng) {
  const double tone = rng.chance(0.5) ? rng.uniform(5, 70) : rng.uniform(40, 235);
  cv::Scalar top(tone * rng.uniform(0.8, 1.2), tone * rng.uniform(0.85, 1.15), tone);
  cv::Scalar bottom = top * rng.uniform(0.4, 1.4);
  const double edge = rng.chance(0.5) ? rng.uniform(0.0, 1.0) : 2.0;
  const cv::Scalar beyond = cv::Scalar::all(rng.uniform(0, 200));
  for (int y = 0; y < image.rows; ++y) {
    const double t = static_cast<double>(y) / image.rows;
    image.row(y).setTo(t > edge ? blend(beyond, bottom, t / 2) : blend(top, bottom, t));
  }
  const double grain = rng.uniform(0, 12);
  for (int y = 0; y < image.rows; ++y) {
    uint8_t* p = image.ptr<uint8_t>(y);
    for (int x = 0; x < image.cols; ++x, p += 3) {
      const int n = static_cast<int>(grain * (rng.uniform() - 0.5));
      for (int k = 0; k < 3; ++k) p[k] = static_cast<uint8_t>(std::clamp(p[k] + n, 0, 255));
    }
  }
}

// A holder around the plate that may cover its very edge.
void paint_frame(cv::Mat& image, const cv::Rect2d& plate, double scale, Rng& rng) {
  const double outside = scale * rng.uniform(3, 14), inside = scale * rng.uniform(0, 2.5);
  const cv::Scalar colour =
      cv::Scalar::all(rng.chance(0.75) ? rng.uniform(5, 60) : rng.uniform(120, 220));
  const cv::Rect2d outer(plate.x - outside, plate.y - outside, plate.width + 2 * outside,
                         plate.height + outside * rng.uniform(2, 3.5));
  const cv::Rect2d inner(plate.x + inside, plate.y + inside, plate.width - 2 * inside,
                         plate.height - 2 * inside);
  const cv::Mat kept = image(cv::Rect(inner)).clone();
  cv::rectangle(image, outer, colour, cv::FILLED);
  kept.copyTo(image(cv::Rect(inner)));
}

void paint_screws(cv::Mat& plate, const Layout& layout, double scale, Rng& rng) {
  const double x = rng.uniform(0.2, 0.3), radius = scale * rng.uniform(4, 7);
  const double y = rng.uniform(5.0, 13.0) / layout.height_mm;
  const bool bottom = rng.chance(0.6);
  const cv::Scalar colour = cv::Scalar::all(rng.uniform(40, 220));
  for (const double column : {x, 1 - x}) {
    for (const double row : {y, 1 - y}) {
      if (row > 0.5 && !bottom) continue;
      const cv::Point centre(cvRound(column * plate.cols + scale * rng.uniform(-4, 4)),
                             cvRound(row * plate.rows));
      cv::circle(plate, centre, std::max(cvRound(radius), 1), colour, cv::FILLED, cv::LINE_AA);
      const cv::Point light(cvRound(radius / 3), cvRound(radius / 3));
      cv::circle(plate, centre - light, std::max(cvRound(radius / 2), 1),
                 colour * rng.uniform(0.6, 1.6), cv::FILLED, cv::LINE_AA);
    }
  }
}

void paint_border(cv::Mat& plate, const Layout& layout, double scale, Rng& rng) {
  if (layout.border_mm <= 0) return;
  const double inset = rng.uniform(1.5, 4.5) + layout.border_mm / 2;
  const int line = std::max(cvRound(scale * layout.border_mm), 1);
  const cv::Rect box(cvRound(inset * scale), cvRound(inset * scale),
                     plate.cols - 2 * cvRound(inset * scale),
                     plate.rows - 2 * cvRound(inset * scale));
  cv::rectangle(plate, box, jittered(layout.border, 0.1, rng), line, cv::LINE_AA);
}

// Registration seals, emblems and holograms stand in wide gaps that have no mark.
void paint_seals(const PlacedText& text, double scale, cv::Mat& plate, Rng& rng) {
  for (size_t i = 1; i < text.characters.size(); ++i) {
    const auto& before = text.characters[i - 1].cell;
    const auto& after = text.characters[i].cell;
    const double gap = after.x - before.br().x - text.layout->spacing_mm;
    if (gap < 25 || !text.characters[i].slot->separator.empty() || rng.chance(0.15)) continue;
    const cv::Point2d centre((before.br().x + after.x) / 2, before.y + before.height / 2);
    const int count = gap > 30 && rng.chance(0.7) ? 2 : 1;
    for (int k = 0; k < count; ++k) {
      const double y = count == 1 ? 0 : (k == 0 ? -0.28 : 0.28) * before.height;
      const cv::Scalar colour(rng.uniform(40, 230), rng.uniform(60, 230), rng.uniform(40, 230));
      const cv::Point at(cvRound(centre.x * scale), cvRound((centre.y + y) * scale));
      const int radius = std::max(cvRound(scale * gap * rng.uniform(0.28, 0.4)), 1);
      cv::circle(plate, at, radius, colour, cv::FILLED, cv::LINE_AA);
      cv::circle(plate, at, radius / 2, colour * 0.6, 1, cv::LINE_AA);
    }
  }
}

// Pressed characters: ink colour where the mask says, and light on the edges that face it.
void press(const cv::Mat& ink, const cv::Scalar& colour, double relief, cv::Mat& plate) {
  for (int y = 0; y < plate.rows; ++y) {
    const uint8_t* mask = ink.ptr<uint8_t>(y);
    const uint8_t* lower = ink.ptr<uint8_t>(std::min(y + 1, plate.rows - 1));
    uint8_t* p = plate.ptr<uint8_t>(y);
    for (int x = 0; x < plate.cols; ++x, p += 3) {
      const int right = std::min(x + 1, plate.cols - 1);
      if (mask[x] == 0 && lower[right] == 0) continue;
      const double share = mask[x] / 255.0, slope = relief * (lower[right] - mask[x]) / 255.0;
      for (int k = 0; k < 3; ++k) {
        const double value = p[k] + share * (colour[k] - p[k]) + slope;
        p[k] = static_cast<uint8_t>(std::clamp(value, 0.0, 255.0));
      }
    }
  }
}

}  // namespace

PlatePainter::PlatePainter(const Region& region)
    : alphabet_(region.alphabet()), glyphs_(region.fonts(), drawn_symbols(region)) {
  std::string wanted;
  for (const auto& font : region.fonts()) wanted += (wanted.empty() ? "" : ", ") + font;
  require(glyphs_.faces() > 0, "region '", region.name(), "': none of its fonts is installed (",
          wanted.empty() ? "it names none" : wanted, ")");
  for (const auto& symbol : alphabet_) {
    require(glyphs_.face_for(symbol, 0) < glyphs_.faces(), "region '", region.name(),
            "': no installed font of the pack has '", symbol, "' (fonts: ", wanted, ")");
  }
}

void PlatePainter::paint_characters(const PlacedText& text, double scale, cv::Mat& ink,
                                    Rng& rng) const {
  // One face for the plate as far as it reaches; symbols it lacks come from the next one.
  const size_t preferred = static_cast<size_t>(rng.below(static_cast<int64_t>(glyphs_.faces())));
  const double shrink = rng.uniform(0.94, 1.02), widen = rng.uniform(0.92, 1.06);
  for (const auto& character : text.characters) {
    const auto& name = alphabet_[static_cast<size_t>(character.symbol)];
    const size_t face = glyphs_.face_for(name, preferred);
    cv::Rect2d box = glyphs_.ink_box(name, face, character.cell);
    const cv::Point2d centre =
        (box.tl() + box.br()) / 2 + cv::Point2d(rng.uniform(-0.8, 0.8), rng.uniform(-0.8, 0.8));
    const cv::Size2d size(box.width * shrink * widen * scale, box.height * shrink * scale);
    box = {centre.x * scale - size.width / 2, centre.y * scale - size.height / 2, size.width,
           size.height};
    paint_ink(glyphs_.glyph(name, face), box, ink);
  }
  for (const auto& mark : text.marks) {
    const cv::Point2d centre = (mark.space.tl() + mark.space.br()) * (scale / 2);
    if (mark.text == "-") {
      const cv::Size2d size(scale * std::min(14.0, mark.space.width * 0.6), scale * 9);
      cv::rectangle(
          ink,
          cv::Rect(cvRound(centre.x - size.width / 2), cvRound(centre.y - size.height / 2),
                   std::max(cvRound(size.width), 1), std::max(cvRound(size.height), 1)),
          cv::Scalar(255), cv::FILLED);
    } else {
      cv::circle(ink, centre, std::max(cvRound(scale * 5), 1), cv::Scalar(255), cv::FILLED,
                 cv::LINE_AA);
    }
  }
  // Strokes of presses and stencils vary more than those of fonts.
  const int change = static_cast<int>(rng.below(4));
  if (change == 0) cv::dilate(ink, ink, cv::Mat::ones(2, 2, CV_8U));
  if (change == 1 && scale > 0.5) cv::erode(ink, ink, cv::Mat::ones(1, 2, CV_8U));
}

void PlatePainter::paint_word(const std::string& word, const cv::Rect2d& box, cv::Mat& ink) const {
  const auto symbols = split_utf8(word);
  const double step = box.width / static_cast<double>(symbols.size());
  for (size_t i = 0; i < symbols.size(); ++i) {
    const size_t face = glyphs_.face_for(symbols[i], 0);
    if (face == glyphs_.faces()) continue;
    const cv::Rect2d cell(box.x + (static_cast<double>(i) + 0.1) * step, box.y, step * 0.8,
                          box.height);
    paint_ink(glyphs_.glyph(symbols[i], face), glyphs_.ink_box(symbols[i], face, cell), ink);
  }
}

void PlatePainter::paint_bands(const Layout& layout, double scale, cv::Mat& plate) const {
  const cv::Scalar colour = bgr(layout.band_colour);
  const double width = layout.width_mm * scale, height = layout.height_mm * scale;
  const double left = layout.band_left_mm * scale, right = layout.band_right_mm * scale;
  const double top = layout.band_top_mm * scale;
  if (left > 0) cv::rectangle(plate, cv::Rect2d(0, 0, left, height), colour, cv::FILLED);
  if (right > 0)
    cv::rectangle(plate, cv::Rect2d(width - right, 0, right, height), colour, cv::FILLED);
  if (top > 0) cv::rectangle(plate, cv::Rect2d(0, 0, width, top), colour, cv::FILLED);
  cv::Mat ink = cv::Mat::zeros(plate.size(), CV_8U);
  const bool dark = colour[0] + colour[1] + colour[2] < 450;
  if (!layout.band_text.empty() && top > 0) {
    paint_word(layout.band_text, {width * 0.3, top * 0.25, width * 0.4, top * 0.5}, ink);
  } else if (!layout.band_text.empty() && left > 0) {
    paint_word(layout.band_text, {left * 0.15, height * 0.68, left * 0.7, height * 0.18}, ink);
    // The ring of stars of European plates, as far as it can be seen.
    if (dark) {
      cv::circle(ink, {cvRound(left / 2), cvRound(height * 0.3)}, std::max(cvRound(left * 0.28), 1),
                 cv::Scalar(170), 1, cv::LINE_AA);
    }
  }
  press(ink, dark ? cv::Scalar(240, 240, 240) : cv::Scalar(120, 60, 20), 0, plate);
}

Painting PlatePainter::paint(const PlacedText& text, double scale, Rng& rng) const {
  const Layout& layout = *text.layout;
  const cv::Size size(cvRound(layout.width_mm * scale), cvRound(layout.height_mm * scale));
  const int margin_x = size.width / 4, margin_y = size.height / 2;
  Painting painting;
  painting.image.create(size.height + 2 * margin_y, size.width + 2 * margin_x, CV_8UC3);
  painting.plate = cv::Rect2d(margin_x, margin_y, size.width, size.height);
  paint_surround(painting.image, rng);
  cv::Mat plate = painting.image(cv::Rect(cv::Point(margin_x, margin_y), size));
  const cv::Scalar top = jittered(layout.background, 0.18, rng);
  const cv::Scalar bottom = layout.background == layout.background_bottom
                                ? top * rng.uniform(0.85, 1.1)
                                : jittered(layout.background_bottom, 0.18, rng);
  for (int y = 0; y < size.height; ++y) {
    plate.row(y).setTo(blend(top, bottom, static_cast<double>(y) / size.height));
  }
  paint_bands(layout, scale, plate);
  paint_border(plate, layout, scale, rng);
  paint_seals(text, scale, plate, rng);
  if (rng.chance(0.7)) paint_screws(plate, layout, scale, rng);
  cv::Mat ink = cv::Mat::zeros(size, CV_8U);
  paint_characters(text, scale, ink, rng);
  press(ink, jittered(layout.foreground, 0.12, rng), rng.uniform(-60, 60), plate);
  if (rng.chance(0.4)) paint_frame(painting.image, painting.plate, scale, rng);
  return painting;
}

}  // namespace plateforge
