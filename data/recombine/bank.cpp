#include "data/recombine/bank.h"

#include <algorithm>
#include <atomic>
#include <cmath>
#include <exception>
#include <opencv2/imgproc.hpp>
#include <optional>
#include <stdexcept>
#include <thread>

#include "data/recombine/align.h"
#include "data/rectify.h"
#include "data/rng.h"

namespace plateforge {
namespace {

constexpr double kTrusted = 0.6;       // a cell that scores less is neither learned nor pasted
constexpr double kLeastContrast = 18;  // grey levels between ink and background of a donor
constexpr float kWidestPlate = 360;    // pixels; larger photographs are reduced

// Calls work(i) for i in [0, count) on all cores; the error of the lowest i is thrown again.
template <class Work>
void for_all(int64_t count, const Work& work) {
  std::atomic<int64_t> next{0};
  std::vector<std::exception_ptr> errors(static_cast<size_t>(count));
  const auto run = [&] {
    for (int64_t i = next++; i < count; i = next++) {
      try {
        work(i);
      } catch (...) {
        errors[static_cast<size_t>(i)] = std::current_exception();
      }
    }
  };
  std::vector<std::thread> threads;
  const int64_t cores = std::max<int64_t>(std::thread::hardware_concurrency(), 1);
  for (int64_t t = 1; t < std::min(cores, count); ++t) threads.emplace_back(run);
  run();
  for (auto& thread : threads) thread.join();
  for (const auto& error : errors) {
    if (error) std::rethrow_exception(error);
  }
}

struct Candidate {
  Plate plate;
  std::optional<PlacedText> text;
  cv::Mat ink;
  Alignment alignment;
  bool whole = false;  // the source gave no corners of its own
};

// Plate `index` counted over all sources.
Plate read(const std::vector<PlateSourcePtr>& real, int64_t index) {
  for (const auto& source : real) {
    if (index < source->size()) return source->read({0, index});
    index -= source->size();
  }
  throw std::logic_error("plate index beyond the sources");
}

Candidate prepare(Plate&& photograph, const Region& region) {
  Candidate candidate;
  candidate.plate = std::move(photograph);
  candidate.text = place_text(region, candidate.plate.text);
  if (!candidate.text) return candidate;
  Plate& plate = candidate.plate;
  const Quad whole = whole_image(plate.image.size());
  double distance = 0;
  for (size_t i = 0; i < 4; ++i) distance += cv::norm(whole[i] - plate.quad[i]);
  candidate.whole = distance < 4;
  const auto width = static_cast<float>(cv::norm(plate.quad[1] - plate.quad[0]));
  if (width > kWidestPlate) {
    const float factor = kWidestPlate / width;
    cv::resize(plate.image, plate.image, {}, factor, factor, cv::INTER_AREA);
    for (auto& corner : plate.quad) corner *= factor;
  }
  candidate.ink = ink_map(plate.image, *candidate.text->layout);
  return candidate;
}

void learn_ink(const std::vector<Candidate>& candidates, double min_score, InkModel& model) {
  for (const auto& candidate : candidates) {
    if (!candidate.text || candidate.alignment.score < min_score) continue;
    for (size_t i = 0; i < candidate.text->characters.size(); ++i) {
      if (candidate.alignment.characters[i].score < kTrusted) continue;
      model.learn(candidate.text->characters[i].symbol,
                  cell_ink(candidate.ink, candidate.alignment, *candidate.text, i));
    }
  }
  model.finish();
}

// Colour without ink and what ink adds, by least squares of each channel on the expected ink.
void measure_levels(const cv::Mat& image, const cv::Mat& expected, Cell& cell) {
  const double width = cell.size.width + 2 * kCellMargin;
  const double height = cell.size.height + 2 * kCellMargin;
  double count = 0, t_sum = 0, tt_sum = 0;
  cv::Vec3d c_sum(0, 0, 0), tc_sum(0, 0, 0);
  for (int y = 0; y < expected.rows; ++y) {
    for (int x = 0; x < expected.cols; ++x) {
      const cv::Vec3d local((x + 0.5) / expected.cols * width - width / 2,
                            (y + 0.5) / expected.rows * height - height / 2, 1);
      const cv::Vec3d at = cell.to_pixel * local;
      const int column = cvFloor(at[0] / at[2]), row = cvFloor(at[1] / at[2]);
      if (column < 0 || row < 0 || column >= image.cols || row >= image.rows) continue;
      const double t = expected.at<float>(y, x);
      const cv::Vec3d colour = image.at<cv::Vec3b>(row, column);
      count += 1;
      t_sum += t;
      tt_sum += t * t;
      c_sum += colour;
      tc_sum += colour * t;
    }
  }
  const double spread = tt_sum - t_sum * t_sum / std::max(count, 1.0);
  if (spread < 1e-6) return;
  const cv::Vec3d slope = (tc_sum - c_sum * (t_sum / count)) * (1 / spread);
  cell.contrast = slope;
  cell.background = c_sum * (1 / count) - slope * (t_sum / count);
  cell.strength = cv::norm(slope);
}

Cell make_cell(const Candidate& candidate, size_t i, const InkModel& model) {
  const auto& character = candidate.text->characters[i];
  const Layout& layout = *candidate.text->layout;
  const Homography h(candidate.alignment.quad);
  const cv::Point2d centre =
      (character.cell.tl() + character.cell.br()) / 2 + candidate.alignment.characters[i].shift;
  const cv::Matx33d unit_to_pixel(h.a, h.b, h.c, h.d, h.e, h.f, h.g, h.h, 1);
  const cv::Matx33d local_to_unit(1 / layout.width_mm, 0, centre.x / layout.width_mm,  //
                                  0, 1 / layout.height_mm, centre.y / layout.height_mm, 0, 0, 1);
  Cell cell;
  cell.symbol = character.symbol;
  cell.size = character.cell.size();
  cell.to_pixel = unit_to_pixel * local_to_unit;
  cell.to_local = cell.to_pixel.inv();
  cell.score = candidate.alignment.characters[i].score;
  const Quad& q = candidate.alignment.quad;
  cell.scale = cv::norm(q[1] + q[2] - q[0] - q[3]) / 2 / layout.width_mm;
  measure_levels(candidate.plate.image, model.expected(cell.symbol, cell.size), cell);
  return cell;
}

// A cell that was hardly recognised takes the levels of its plate's better ones.
void repair_levels(std::vector<Cell>& cells) {
  cv::Vec3f background(0, 0, 0), contrast(0, 0, 0);
  float good = 0;
  for (const Cell& cell : cells) {
    if (cell.score < kTrusted) continue;
    background += cell.background;
    contrast += cell.contrast;
    good += 1;
  }
  if (good == 0) return;
  for (Cell& cell : cells) {
    if (cell.score >= kTrusted) continue;
    cell.background = background / good;
    cell.contrast = contrast / good;
    cell.strength = cv::norm(cell.contrast);
  }
}

// Is the cell itself (not the space around it) within the picture?
bool is_complete(const Cell& cell, const cv::Size& image) {
  for (const auto& [x, y] : {std::pair{-0.5, -0.5}, {0.5, -0.5}, {0.5, 0.5}, {-0.5, 0.5}}) {
    const cv::Vec3d p = cell.to_pixel * cv::Vec3d(x * cell.size.width, y * cell.size.height, 1);
    if (p[0] < -p[2] || p[1] < -p[2]) return false;
    if (p[0] > (image.width + 1) * p[2] || p[1] > (image.height + 1) * p[2]) return false;
  }
  return true;
}

Picture with_half(const cv::Mat& image) {
  Picture picture{image, {}};
  if (image.cols >= 8 && image.rows >= 8) {
    cv::resize(image, picture.half, {image.cols / 2, image.rows / 2}, 0, 0, cv::INTER_AREA);
  }
  return picture;
}

}  // namespace

Bank::Bank(const std::vector<PlateSourcePtr>& real, const Region& region, double min_score,
           int64_t max_plates, bool rendered) {
  const GlyphBook fonts(region.fonts(), region.alphabet());
  InkModel model(fonts, region.alphabet());
  int64_t size = 0;
  for (const auto& source : real) size += source->size();
  tried_ = std::min(size, max_plates);
  std::vector<Candidate> candidates(static_cast<size_t>(tried_));
  for_all(tried_, [&](int64_t i) {
    auto& candidate = candidates[static_cast<size_t>(i)];
    candidate = prepare(read(real, i * size / tried_), region);
    if (!candidate.text) return;
    candidate.alignment =
        align_plate(candidate.ink, candidate.plate.quad, candidate.whole, *candidate.text, model);
  });
  // Fonts only resemble plates: look again with the ink of the plates themselves.
  const double first_score = 0.8 * min_score;
  learn_ink(candidates, first_score, model);
  for_all(tried_, [&](int64_t i) {
    auto& candidate = candidates[static_cast<size_t>(i)];
    if (!candidate.text) return;
    const bool found = candidate.alignment.score >= first_score;
    candidate.alignment =
        align_plate(candidate.ink, found ? candidate.alignment.quad : candidate.plate.quad,
                    candidate.whole && !found, *candidate.text, model);
  });
  for (auto& candidate : candidates) {
    if (!candidate.text) continue;
    best_score_ = std::max(best_score_, candidate.alignment.score);
    if (candidate.alignment.score < min_score) continue;
    BankPlate plate{with_half(candidate.plate.image),
                    candidate.plate.quad,
                    candidate.alignment.quad,
                    *candidate.text,
                    {},
                    candidate.plate.source,
                    candidate.alignment.score};
    for (size_t i = 0; i < plate.text.characters.size(); ++i) {
      plate.cells.push_back(make_cell(candidate, i, model));
    }
    repair_levels(plate.cells);
    plates_.push_back(std::move(plate));
    candidate = {};
  }
  collect_donors();
  if (rendered) render_missing(region, fonts);
}

void Bank::collect_donors() {
  for (const BankPlate& plate : plates_) {
    for (const Cell& cell : plate.cells) {
      if (cell.score < kTrusted || cell.strength < kLeastContrast) continue;
      if (!is_complete(cell, plate.picture.full.size())) continue;
      photographed_[{plate.text.layout, cell.symbol}].push_back({&plate.picture, &cell});
    }
  }
}

void Bank::render_missing(const Region& region, const GlyphBook& fonts) {
  constexpr int kVariants = 24;
  constexpr double kMargin = 12, kScale = 1.0;  // millimetres, pixels per millimetre
  if (fonts.faces() == 0) return;
  std::vector<std::pair<const Layout*, int64_t>> places;
  for (const Layout& layout : region.layouts()) {
    const bool seen = std::any_of(plates_.begin(), plates_.end(),
                                  [&](const auto& plate) { return plate.text.layout == &layout; });
    for (const auto& row : layout.rows) {
      for (const Slot& slot : row) {
        for (const int64_t symbol : slot.symbols) {
          if (seen && photographed(&layout, symbol).empty()) places.emplace_back(&layout, symbol);
        }
      }
    }
  }
  std::sort(places.begin(), places.end());
  places.erase(std::unique(places.begin(), places.end()), places.end());
  for (const auto& [layout, symbol] : places) {
    const auto& name = region.alphabet()[static_cast<size_t>(symbol)];
    const auto faces = fonts.faces_with({name});
    for (int variant = 0; variant < kVariants && !faces.empty(); ++variant) {
      Rng rng(mix_key(static_cast<uint64_t>(symbol), variant));
      const size_t face = faces[static_cast<size_t>(rng.below(static_cast<int64_t>(faces.size())))];
      const cv::Size2d size{layout->char_width_mm, layout->char_height_mm};
      cv::Mat ink = cv::Mat::zeros(cvRound(size.height + 2 * kMargin),
                                   cvRound(size.width + 2 * kMargin), CV_8U);
      paint_ink(fonts.glyph(name, face),
                fonts.ink_box(name, face, {kMargin, kMargin, size.width, size.height}), ink);
      const int weight = static_cast<int>(rng.below(3));  // strokes of plates are bold
      if (weight > 0) cv::dilate(ink, ink, cv::Mat::ones(weight + 1, weight + 1, CV_8U));
      cv::GaussianBlur(ink, ink, {}, rng.uniform(1.0, 3.5));
      Picture picture;
      cv::cvtColor(ink, picture.full, cv::COLOR_GRAY2BGR);
      Cell cell;
      cell.symbol = symbol;
      cell.size = size;
      cell.to_pixel = {kScale, 0, ink.cols / 2.0, 0, kScale, ink.rows / 2.0, 0, 0, 1};
      cell.to_local = cell.to_pixel.inv();
      cell.scale = kScale;
      cell.contrast = {255, 255, 255};  // black without ink, white with it: levelled when pasted
      cell.strength = cv::norm(cell.contrast);
      cell.score = 1;
      drawn_.emplace_back(std::move(picture), cell);
    }
  }
  for (const auto& place : places) {
    for (const auto& [picture, cell] : drawn_) {
      const bool fits =
          cell.symbol == place.second &&
          cell.size == cv::Size2d(place.first->char_width_mm, place.first->char_height_mm);
      if (fits) rendered_[place].push_back({&picture, &cell});
    }
  }
}

namespace {
const std::vector<Bank::Donor>& find(
    const std::map<std::pair<const Layout*, int64_t>, std::vector<Bank::Donor>>& index,
    const Layout* layout, int64_t symbol) {
  static const std::vector<Bank::Donor> none;
  const auto it = index.find({layout, symbol});
  return it == index.end() ? none : it->second;
}
}  // namespace

const std::vector<Bank::Donor>& Bank::photographed(const Layout* layout, int64_t symbol) const {
  return find(photographed_, layout, symbol);
}

const std::vector<Bank::Donor>& Bank::rendered(const Layout* layout, int64_t symbol) const {
  return find(rendered_, layout, symbol);
}

}  // namespace plateforge
