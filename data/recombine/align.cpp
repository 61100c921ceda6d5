#include "data/recombine/align.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <opencv2/imgproc.hpp>

#include "data/rectify.h"

namespace plateforge {
namespace {

// Expected ink of the text block on a grid, mean 0 and norm 1.
struct Template {
  cv::Rect2d domain;  // millimetres, on the plate
  cv::Size2d plate;   // millimetres
  cv::Mat values;     // CV_32F
};

void level(cv::Mat& values) {
  values -= cv::mean(values)[0];
  const double norm = cv::norm(values);
  if (norm > 0) values /= norm;
}

cv::Rect2d grown(const cv::Rect2d& box, double margin) {
  return {box.x - margin, box.y - margin, box.width + 2 * margin, box.height + 2 * margin};
}

Template block_template(const PlacedText& text, const InkModel& model, double step) {
  Template result{
      grown(text.block(), kCellMargin), {text.layout->width_mm, text.layout->height_mm}, {}};
  const cv::Size fine{cvCeil(result.domain.width / kCellStep),
                      cvCeil(result.domain.height / kCellStep)};
  cv::Mat canvas = cv::Mat::zeros(fine, CV_32F);
  for (const auto& character : text.characters) {
    const cv::Mat ink = model.expected(character.symbol, character.cell.size());
    const cv::Point at{cvRound((character.cell.x - kCellMargin - result.domain.x) / kCellStep),
                       cvRound((character.cell.y - kCellMargin - result.domain.y) / kCellStep)};
    const cv::Rect part = cv::Rect(at, ink.size()) & cv::Rect({0, 0}, fine);
    cv::Mat target = canvas(part);
    cv::max(target, ink(part - at), target);
  }
  const cv::Size coarse{cvRound(result.domain.width / step), cvRound(result.domain.height / step)};
  cv::GaussianBlur(canvas, canvas, {}, step / kCellStep * 0.6);
  cv::resize(canvas, result.values, coarse, 0, 0, cv::INTER_AREA);
  level(result.values);
  return result;
}

// Bilinear sample, border repeated; (x, y) with pixel centres at + 0.5.
float sample(const cv::Mat& map, float x, float y) {
  x = std::clamp(x - 0.5F, 0.0F, static_cast<float>(map.cols - 1) - 1e-3F);
  y = std::clamp(y - 0.5F, 0.0F, static_cast<float>(map.rows - 1) - 1e-3F);
  const int column = static_cast<int>(x), row = static_cast<int>(y);
  const float fx = x - static_cast<float>(column), fy = y - static_cast<float>(row);
  const float* p = map.ptr<float>(row) + column;
  const float* q = map.ptr<float>(row + 1) + column;
  return (p[0] * (1 - fx) + p[1] * fx) * (1 - fy) + (q[0] * (1 - fx) + q[1] * fx) * fy;
}

// Samples a box of the plate (millimetres) on a grid of out's size.
void sample_box(const cv::Mat& map, const Homography& plate, const cv::Size2d& size,
                const cv::Rect2d& box, cv::Mat& out) {
  for (int y = 0; y < out.rows; ++y) {
    const double v = (box.y + (y + 0.5) * box.height / out.rows) / size.height;
    float* to = out.ptr<float>(y);
    for (int x = 0; x < out.cols; ++x) {
      const double u = (box.x + (x + 0.5) * box.width / out.cols) / size.width;
      const cv::Point2f at = plate(u, v);
      to[x] = sample(map, at.x, at.y);
    }
  }
}

// Correlation of a template with the picture under a quad.
double correlation(const cv::Mat& map, const Quad& quad, const Template& wanted, cv::Mat& scratch) {
  if (!is_convex(quad)) return -1;
  scratch.create(wanted.values.size(), CV_32F);
  sample_box(map, Homography(quad), wanted.plate, wanted.domain, scratch);
  double sum = 0, squares = 0, product = 0;
  const float* seen = scratch.ptr<float>();
  const float* ink = wanted.values.ptr<float>();
  const auto count = scratch.total();
  for (size_t i = 0; i < count; ++i) {
    sum += seen[i];
    squares += static_cast<double>(seen[i]) * seen[i];
    product += static_cast<double>(seen[i]) * ink[i];
  }
  const double variance = squares - sum * sum / static_cast<double>(count);
  return variance > 1e-6 ? product / std::sqrt(variance) : -1;
}

// The eight ways in which a quad can change, per corner, in units of the plate's width or height.
constexpr int kModes = 8;
Quad moved(const Quad& quad, int mode, double amount) {
  constexpr double u[] = {-1, 1, 1, -1}, v[] = {-1, -1, 1, 1};
  const cv::Point2f across = (quad[1] + quad[2] - quad[0] - quad[3]) / 2;
  const cv::Point2f down = (quad[3] + quad[2] - quad[0] - quad[1]) / 2;
  Quad result = quad;
  for (size_t i = 0; i < 4; ++i) {
    const std::array<double, 4> shape = {1, u[i], v[i], u[i] * v[i]};
    const cv::Point2f& axis = mode < 4 ? across : down;
    result[i] += axis * (amount * shape[static_cast<size_t>(mode % 4)]);
  }
  return result;
}
constexpr double kModeStep[kModes] = {0.02, 0.02, 0.02, 0.01, 0.04, 0.06, 0.04, 0.02};

// Pattern search: each mode in turn, steps halve when nothing helps.
double improve(const cv::Mat& map, const Template& wanted, double step, double smallest, Quad& quad,
               cv::Mat& scratch) {
  double best = correlation(map, quad, wanted, scratch);
  while (step >= smallest) {
    bool better = false;
    for (int mode = 0; mode < kModes; ++mode) {
      for (const double sign : {1.0, -1.0}) {
        const Quad trial = moved(quad, mode, sign * step * kModeStep[mode]);
        const double score = correlation(map, trial, wanted, scratch);
        if (score <= best + 1e-4) continue;
        best = score;
        quad = trial;
        better = true;
        break;
      }
    }
    if (!better) step /= 2;
  }
  return best;
}

// Plates of which `box` is the tight upright box: tilted, sheared, and with some surroundings.
std::vector<Quad> starts(const Quad& box, bool wide) {
  if (!wide) return {box};
  std::vector<Quad> result;
  for (int tilt = -5; tilt <= 5; ++tilt) {
    for (const double shear : {-0.07, 0.0, 0.07}) {
      for (const double margin : {0.0, 0.07}) {
        const double t = 0.1 * tilt;
        // Mode 5 turns the long sides, mode 6 changes the height: together the box stays tight.
        Quad quad = moved(box, 5, t / 2);
        quad = moved(quad, 6, -std::abs(t) / 2);
        quad = moved(quad, 2, shear / 2);
        quad = moved(quad, 1, -(std::abs(shear) + margin) / 2);
        result.push_back(moved(quad, 6, -margin / 2));
      }
    }
  }
  return result;
}

FoundCharacter find_character(const cv::Mat& map, const Homography& plate, const PlacedText& text,
                              size_t i, const InkModel& model) {
  const auto& character = text.characters[i];
  const cv::Size2d size{text.layout->width_mm, text.layout->height_mm};
  cv::Mat wanted = model.expected(character.symbol, character.cell.size()).clone();
  level(wanted);
  // The cell and as much around it as the ink may be off.
  constexpr int kReach = 2;
  const cv::Rect2d box = grown(character.cell, kCellMargin + kReach * kCellStep);
  cv::Mat seen(wanted.rows + 2 * kReach, wanted.cols + 2 * kReach, CV_32F);
  sample_box(map, plate, size, box, seen);
  FoundCharacter found{{}, -1};
  cv::Mat scores(2 * kReach + 1, 2 * kReach + 1, CV_32F);
  cv::matchTemplate(seen, wanted, scores, cv::TM_CCOEFF_NORMED);
  cv::Point at;
  cv::minMaxLoc(scores, nullptr, &found.score, nullptr, &at);
  const auto vertex = [](float before, float here, float after) {  // of the parabola through three
    const float bend = before - 2 * here + after;
    return bend < -1e-6F ? std::clamp(0.5F * (before - after) / bend, -0.5F, 0.5F) : 0.0F;
  };
  double x = at.x, y = at.y;
  if (at.x > 0 && at.x < 2 * kReach) {
    x += vertex(scores.at<float>(at.y, at.x - 1), scores.at<float>(at),
                scores.at<float>(at.y, at.x + 1));
  }
  if (at.y > 0 && at.y < 2 * kReach) {
    y += vertex(scores.at<float>(at.y - 1, at.x), scores.at<float>(at),
                scores.at<float>(at.y + 1, at.x));
  }
  found.shift = {(x - kReach) * kCellStep, (y - kReach) * kCellStep};
  return found;
}

}  // namespace

cv::Mat InkModel::expected(int64_t symbol, const cv::Size2d& cell) const {
  const cv::Size grid{cvRound((cell.width + 2 * kCellMargin) / kCellStep),
                      cvRound((cell.height + 2 * kCellMargin) / kCellStep)};
  const auto it = learned_.find(symbol);
  if (it != learned_.end()) {
    if (it->second.size() == grid) return it->second;
    cv::Mat scaled;
    cv::resize(it->second, scaled, grid, 0, 0, cv::INTER_AREA);
    return scaled;
  }
  cv::Mat canvas = cv::Mat::zeros(grid, CV_8U), result;
  const cv::Rect2d box{kCellMargin / kCellStep, kCellMargin / kCellStep, cell.width / kCellStep,
                       cell.height / kCellStep};
  const auto& name = alphabet_[static_cast<size_t>(symbol)];
  const size_t face = fonts_.face_for(name, 0);
  if (face < fonts_.faces()) {
    paint_ink(fonts_.glyph(name, face), fonts_.ink_box(name, face, box), canvas);
  } else {
    cv::rectangle(canvas, box, cv::Scalar(255), cv::FILLED);
  }
  canvas.convertTo(result, CV_32F, 1.0 / 255);
  return result;
}

void InkModel::learn(int64_t symbol, const cv::Mat& seen) {
  auto& [sum, count] = sums_[symbol];
  if (sum.empty()) sum = cv::Mat::zeros(seen.size(), CV_32F);
  if (sum.size() != seen.size()) return;  // another layout's cell
  sum += seen;
  ++count;
}

void InkModel::finish() {
  constexpr int kEnough = 4;
  for (auto& [symbol, entry] : sums_) {
    auto& [sum, count] = entry;
    if (count < kEnough) continue;
    double low = 0, high = 0;
    cv::minMaxLoc(sum, &low, &high);
    learned_[symbol] = (sum - low) / std::max(high - low, 1e-6);
  }
  sums_.clear();
}

cv::Mat ink_map(const cv::Mat& image, const Layout& layout) {
  double axis[3], length = 0;
  for (size_t k = 0; k < 3; ++k) {  // colours are r, g, b; pixels b, g, r
    const double background = (layout.background[k] + layout.background_bottom[k]) / 2.0;
    axis[2 - k] = layout.foreground[k] - background;
    length += std::abs(axis[2 - k]);
  }
  cv::Mat ink;
  const cv::Matx13f row(static_cast<float>(axis[0] / length), static_cast<float>(axis[1] / length),
                        static_cast<float>(axis[2] / length));
  cv::transform(image, ink, row);
  ink.convertTo(ink, CV_32F);
  return ink;
}

Alignment align_plate(const cv::Mat& ink, const Quad& around, bool wide, const PlacedText& text,
                      const InkModel& model) {
  constexpr double kCoarse = 6.0, kFine = 3.0;
  constexpr size_t kKept = 4;
  Alignment result;
  if (ink.cols < 8 || ink.rows < 4) return result;
  cv::Mat scratch;
  const auto candidates = starts(around, wide);
  std::vector<std::pair<double, size_t>> order;
  const Template coarse = block_template(text, model, kCoarse);
  const double pixels_per_mm = cv::norm(around[1] - around[0]) / text.layout->width_mm;
  cv::Mat smooth;
  cv::GaussianBlur(ink, smooth, {}, std::max(0.5 * kCoarse * pixels_per_mm, 0.3));
  for (size_t i = 0; i < candidates.size(); ++i) {
    order.emplace_back(-correlation(smooth, candidates[i], coarse, scratch), i);
  }
  std::sort(order.begin(), order.end());
  result.score = -1;
  for (size_t i = 0; i < std::min(kKept, order.size()); ++i) {
    Quad quad = candidates[order[i].second];
    const double score = improve(smooth, coarse, 1.0, 0.25, quad, scratch);
    if (score > result.score) {
      result.score = score;
      result.quad = quad;
    }
  }
  const Template fine = block_template(text, model, kFine);
  cv::GaussianBlur(ink, smooth, {}, std::max(0.35 * kFine * pixels_per_mm, 0.2));
  result.score = improve(smooth, fine, 0.5, 0.06, result.quad, scratch);
  const Homography plate(result.quad);
  for (size_t i = 0; i < text.characters.size(); ++i) {
    result.characters.push_back(find_character(ink, plate, text, i, model));
  }
  return result;
}

cv::Mat cell_ink(const cv::Mat& ink, const Alignment& alignment, const PlacedText& text, size_t i) {
  cv::Rect2d box = grown(text.characters[i].cell, kCellMargin);
  box += alignment.characters[i].shift;
  cv::Mat seen(cvRound(box.height / kCellStep), cvRound(box.width / kCellStep), CV_32F);
  sample_box(ink, Homography(alignment.quad), {text.layout->width_mm, text.layout->height_mm}, box,
             seen);
  cv::Scalar mean, deviation;
  cv::meanStdDev(seen, mean, deviation);
  return (seen - mean[0]) / std::max(deviation[0], 1e-3);
}

}  // namespace plateforge
