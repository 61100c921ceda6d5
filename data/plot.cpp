#include "data/plot.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>
#include <opencv2/imgcodecs.hpp>
#include <opencv2/imgproc.hpp>
#include <stdexcept>

#include "data/image.h"

namespace plateforge {
namespace {

const cv::Size kSize(900, 560);
const cv::Rect kArea(80, 50, 790, 440);  // inside the axes
const cv::Scalar kInk(40, 40, 40), kGrid(225, 225, 225), kLine(160, 90, 20), kMark(40, 40, 200);

// Maps values to pixels; logarithmic when asked.
class Axis {
 public:
  Axis(std::vector<double> values, bool log, int first, int last) : log_(log) {
    const auto [low, high] = std::minmax_element(values.begin(), values.end());
    low_ = place(*low);
    high_ = place(*high);
    if (high_ - low_ < 1e-12) high_ = low_ + 1;  // a flat line
    first_ = first;
    scale_ = (last - first) / (high_ - low_);
  }
  int pixel(double value) const {
    return first_ + static_cast<int>(std::lround((place(value) - low_) * scale_));
  }
  // Round numbers inside the range: decades, or 1, 2 and 5 times a power of ten.
  std::vector<double> ticks() const {
    const double raw = (high_ - low_) / 6, power = std::pow(10, std::floor(std::log10(raw)));
    double step = 10 * power;
    for (const double factor : {5.0, 2.0, 1.0}) {
      if (factor * power >= raw) step = factor * power;
    }
    if (log_) step = std::max(1.0, std::ceil(raw));
    std::vector<double> ticks;
    for (double tick = std::ceil(low_ / step - 1e-9) * step; tick <= high_ + 1e-9 * step;
         tick += step) {
      ticks.push_back(log_ ? std::pow(10, std::round(tick)) : std::abs(tick) < step / 2 ? 0 : tick);
    }
    return ticks;
  }

 private:
  double place(double value) const { return log_ ? std::log10(value) : value; }
  bool log_;
  double low_, high_, scale_;
  int first_;
};

std::string number(double value) {
  char text[32];
  std::snprintf(text, sizeof text, "%.3g", value);
  return text;
}

enum class Align { kLeft, kCentre, kRight };

void put_text(cv::Mat& image, const std::string& text, cv::Point at, Align align,
              const cv::Scalar& colour = kInk) {
  constexpr double kScale = 0.45;
  const auto size = cv::getTextSize(text, cv::FONT_HERSHEY_SIMPLEX, kScale, 1, nullptr);
  if (align == Align::kCentre) at.x -= size.width / 2;
  if (align == Align::kRight) at.x -= size.width;
  cv::putText(image, text, at, cv::FONT_HERSHEY_SIMPLEX, kScale, colour, 1, cv::LINE_AA);
}

void draw_axes(cv::Mat& image, const auto& plot, const Axis& x, const Axis& y) {
  for (const double tick : x.ticks()) {
    const int at = x.pixel(tick);
    cv::line(image, {at, kArea.y}, {at, kArea.br().y}, kGrid);
    put_text(image, number(tick), {at, kArea.br().y + 20}, Align::kCentre);
  }
  for (const double tick : y.ticks()) {
    const int at = y.pixel(tick);
    cv::line(image, {kArea.x, at}, {kArea.br().x, at}, kGrid);
    put_text(image, number(tick), {kArea.x - 8, at + 5}, Align::kRight);
  }
  cv::rectangle(image, kArea, kInk);
  put_text(image, plot.title, {kArea.x + kArea.width / 2, 28}, Align::kCentre);
  put_text(image, plot.x_label, {kArea.x + kArea.width / 2, kSize.height - 18}, Align::kCentre);
  put_text(image, plot.y_label, {8, kArea.y - 12}, Align::kLeft);
}

void draw_marks(cv::Mat& image, const LinePlot& plot, const Axis& x) {
  int row = 0;  // texts of neighbouring marks stand under each other
  for (const auto& [text, value] : plot.marks) {
    const int at = x.pixel(value);
    if (at < kArea.x || at > kArea.br().x) continue;
    cv::line(image, {at, kArea.y}, {at, kArea.br().y}, kMark, 1, cv::LINE_AA);
    const bool near_edge = at > kArea.br().x - 150;
    put_text(image, text, {near_edge ? at - 5 : at + 5, kArea.y + 18 + 18 * row++},
             near_edge ? Align::kRight : Align::kLeft, kMark);
  }
}

const std::array<cv::Scalar, 8> kPalette = {
    cv::Scalar(180, 119, 31), {14, 127, 255}, {44, 160, 44},   {40, 39, 214},
    {189, 103, 148},          {75, 86, 140},  {194, 119, 227}, {127, 127, 127}};

void draw_series(cv::Mat& image, const SeriesPlot::Series& series, const cv::Scalar& colour,
                 const Axis& x, const Axis& y) {
  std::vector<cv::Point> points;
  for (size_t i = 0; i < series.x.size(); ++i) {
    points.emplace_back(x.pixel(series.x[i]), y.pixel(series.y[i]));
    cv::circle(image, points[i], 4, colour, cv::FILLED, cv::LINE_AA);
    if (series.low.empty()) continue;
    cv::line(image, {points[i].x, y.pixel(series.low[i])}, {points[i].x, y.pixel(series.high[i])},
             colour, 1, cv::LINE_AA);
  }
  cv::polylines(image, points, false, colour, 1, cv::LINE_AA);
}

}  // namespace

void write_series_plot(const std::filesystem::path& file, const SeriesPlot& plot) {
  std::vector<double> all_x, all_y;
  for (const auto& series : plot.series) {
    all_x.insert(all_x.end(), series.x.begin(), series.x.end());
    for (const auto* values : {&series.y, &series.low, &series.high})
      all_y.insert(all_y.end(), values->begin(), values->end());
    if (series.x.size() != series.y.size() || series.low.size() != series.high.size() ||
        (!series.low.empty() && series.low.size() != series.y.size()))
      throw std::logic_error("write_series_plot: lists of one series differ in length");
  }
  const auto finite = [](double value) { return std::isfinite(value); };
  if (all_x.empty() || !std::all_of(all_x.begin(), all_x.end(), finite) ||
      !std::all_of(all_y.begin(), all_y.end(), finite))
    throw std::logic_error("write_series_plot: nothing to draw, or values that are not finite");
  const Axis x(all_x, false, kArea.x + 12, kArea.br().x - 12);
  const Axis y(all_y, false, kArea.br().y - 12, kArea.y + 12);
  cv::Mat image(kSize, CV_8UC3, cv::Scalar::all(255));
  draw_axes(image, plot, x, y);
  int row = 0;
  for (const auto& series : plot.series) {
    const auto& colour = kPalette[static_cast<size_t>(row) % kPalette.size()];
    draw_series(image, series, colour, x, y);
    put_text(image, series.name, {kArea.br().x - 12, kArea.br().y - 12 - 18 * row++}, Align::kRight,
             colour);
  }
  write_png(file, image);
}

void write_line_plot(const std::filesystem::path& file, const LinePlot& plot) {
  const auto drawable = [&](const std::vector<double>& values, bool positive) {
    return std::all_of(values.begin(), values.end(),
                       [&](double v) { return std::isfinite(v) && (!positive || v > 0); });
  };
  if (plot.x.size() != plot.y.size() || plot.x.size() < 2 || !drawable(plot.x, plot.log_x) ||
      !drawable(plot.y, false)) {
    throw std::logic_error("write_line_plot: x and y must be finite, equally long, two or more");
  }
  const Axis x(plot.x, plot.log_x, kArea.x, kArea.br().x);
  const Axis y(plot.y, false, kArea.br().y - 12, kArea.y + 12);
  cv::Mat image(kSize, CV_8UC3, cv::Scalar::all(255));
  draw_axes(image, plot, x, y);
  std::vector<cv::Point> points;
  for (size_t i = 0; i < plot.x.size(); ++i) {
    points.emplace_back(x.pixel(plot.x[i]), y.pixel(plot.y[i]));
  }
  cv::polylines(image, points, false, kLine, 2, cv::LINE_AA);
  draw_marks(image, plot, x);
  write_png(file, image);
}

}  // namespace plateforge
