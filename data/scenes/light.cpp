#include "data/scenes/light.h"

#include <algorithm>
#include <cmath>
#include <opencv2/imgproc.hpp>

#include "data/augment/op.h"
#include "data/scenes/billboard.h"
#include "data/scenes/brush.h"
#include "data/scenes/noise.h"

namespace plateforge::scenes {
namespace {

using cv::Scalar;

double log_uniform(double low, double high, Rng& rng) {
  return std::exp(rng.uniform(std::log(low), std::log(high)));
}

// The edge of a shadow across the picture: what lies beyond it is darker.
void cast_shadow(cv::Mat& image, Rng& rng) {
  const cv::Size small(image.cols / 4 + 1, image.rows / 4 + 1);
  cv::Mat tone(small, CV_8U, Scalar(128));
  Brush brush(tone, nullptr, {0, 0, 1, 1});
  const double x = rng.uniform(), lean = rng.uniform(-0.6, 0.6), w = rng.uniform(0.15, 1.2);
  brush.polygon({{x, -0.1}, {x + w, -0.1}, {x + w + lean, 1.1}, {x + lean, 1.1}}, Scalar(0));
  if (rng.chance(0.5)) cv::transpose(tone, tone);
  cv::blur(tone, tone, {3, 3});
  cv::resize(tone, tone, image.size(), 0, 0, cv::INTER_LINEAR);
  shade(image, tone, rng.uniform(0.2, 0.65));
}

void add_fog(cv::Mat& image, double density, Rng& rng) {
  const double tone = rng.uniform(120, 225) * density;
  image.convertTo(image, -1, 1 - density, tone);
}

// Adds a disc of light that fades outwards.
void add_lamp(cv::Mat& image, const cv::Point2d& at, double radius, const Scalar& colour) {
  const cv::Rect window = cv::Rect(cvFloor(at.x - 3 * radius), cvFloor(at.y - 3 * radius),
                                   cvCeil(6 * radius), cvCeil(6 * radius)) &
                          cv::Rect({0, 0}, image.size());
  for (int y = window.y; y < window.br().y; ++y) {
    uint8_t* p = image.ptr<uint8_t>(y) + 3 * window.x;
    const double dy = (y - at.y) / radius;
    for (int x = window.x; x < window.br().x; ++x, p += 3) {
      const double dx = (x - at.x) / radius, d = dx * dx + dy * dy;
      const double power = d > 9 ? 0 : 1.6 * (1 / (1 + 1.2 * d) - 0.085);
      for (int k = 0; k < 3; ++k) {
        p[k] = static_cast<uint8_t>(std::min(p[k] + power * colour[k], 255.0));
      }
    }
  }
}

void add_lamps(cv::Mat& image, int64_t count, const std::vector<Quad>& keep, Rng& rng) {
  for (int64_t i = 0; i < count; ++i) {
    const cv::Point2d at(image.cols * rng.uniform(), image.rows * rng.uniform(0, 0.9));
    const double radius = image.cols * log_uniform(0.005, 0.05, rng);
    const Scalar colour(rng.uniform(150, 255), rng.uniform(190, 255), 255);
    const auto near = [&](const Quad& quad) {
      const cv::Rect2f box = extents(quad);
      const cv::Point2d off = cv::Point2d(box.tl() + box.br()) / 2 - at;
      return std::abs(off.x) < 0.5 * static_cast<double>(box.width) + 1.2 * radius &&
             std::abs(off.y) < 0.5 * static_cast<double>(box.height) + 1.2 * radius;
    };
    const cv::Point2d twin(at.x + radius * rng.uniform(6, 14), at.y + radius * rng.uniform(-1, 1));
    if (std::none_of(keep.begin(), keep.end(), near)) add_lamp(image, at, radius, colour);
    if (rng.chance(0.5)) add_lamp(image, twin, radius * 0.3, colour);
  }
}

void add_rain(cv::Mat& image, int64_t drops, Rng& rng) {
  cv::Mat mask = cv::Mat::zeros(image.size(), CV_8U);
  const double lean = rng.uniform(-0.4, 0.4), length = image.rows * rng.uniform(0.01, 0.06);
  for (int64_t i = 0; i < drops; ++i) {
    const cv::Point from(static_cast<int>(rng.below(image.cols)),
                         static_cast<int>(rng.below(image.rows)));
    const double l = length * rng.uniform(0.4, 1.3);
    cv::line(mask, from, from + cv::Point(cvRound(l * lean), cvRound(l)), Scalar(255), 1,
             cv::LINE_AA);
  }
  stain(Scalar::all(rng.uniform(170, 235)), mask, rng.uniform(0.15, 0.45), image);
}

void add_snow(cv::Mat& image, int64_t flakes, Rng& rng) {
  cv::Mat mask = cv::Mat::zeros(image.size(), CV_8U);
  Brush brush(mask, nullptr, {0, 0, double(image.cols), double(image.rows)});
  for (int64_t i = 0; i < flakes; ++i) {
    const double r = image.cols * log_uniform(0.0015, 0.007, rng);
    brush.ellipse({image.cols * rng.uniform(), image.rows * rng.uniform(), r, r * 1.2},
                  Scalar(rng.uniform(120, 255)));
  }
  stain(Scalar::all(245), mask, rng.uniform(0.4, 0.9), image);
}

// Darker towards the corners: by the square of the distance from the middle.
void vignette(cv::Mat& image, double depth) {
  std::vector<int> across(static_cast<size_t>(image.cols));
  for (int x = 0; x < image.cols; ++x) {
    const double u = 2.0 * x / image.cols - 1;
    across[static_cast<size_t>(x)] = cvRound(128 * depth * u * u);
  }
  for (int y = 0; y < image.rows; ++y) {
    const double v = 2.0 * y / image.rows - 1;
    const int row = 256 - cvRound(128 * depth * v * v);
    uint8_t* p = image.ptr<uint8_t>(y);
    for (int x = 0; x < image.cols; ++x, p += 3) {
      const int keep = row - across[static_cast<size_t>(x)];
      for (int k = 0; k < 3; ++k) p[k] = static_cast<uint8_t>(p[k] * keep >> 8);
    }
  }
}

// Normal noise from the fixed table, each row from another place; a part grows with brightness.
void sensor_noise(cv::Mat& image, double sigma, double shot, Rng& rng) {
  int scale[256];  // in 1/1024 of the table's values
  for (int level = 0; level < 256; ++level) {
    scale[level] = cvRound(1024 * sigma / 32 * std::sqrt(1 - shot + shot * level / 128.0));
  }
  for (int y = 0; y < image.rows; ++y) {
    const cv::Mat row = grain({3 * image.cols, 1}, rng);
    const uint8_t* n = row.ptr<uint8_t>(0);
    uint8_t* p = image.ptr<uint8_t>(y);
    for (int x = 0; x < 3 * image.cols; ++x) {
      p[x] = static_cast<uint8_t>(
          std::clamp(p[x] + (((n[x] - 128) * scale[p[x]] + 512) >> 10), 0, 255));
    }
  }
}

void blur(cv::Mat& image, const Light& light, Rng& rng) {
  const double unit = std::max(image.cols, image.rows) / 640.0;
  if (light.blur > 0) {
    cv::GaussianBlur(image, image, {}, unit * light.blur);
  } else if (rng.chance(0.16)) {  // movement, mostly along the rows
    const int length = 2 + cvRound(unit * rng.uniform(0, 5));
    cv::blur(image, image, rng.chance(0.7) ? cv::Size(length, 1) : cv::Size(1, length));
  } else if (rng.chance(0.04)) {
    augment::motion_blur(image, rng, 0.1);
  }
  if (rng.chance(0.08)) {  // a sensor with fewer pixels
    const double less = rng.uniform(0.4, 0.8);
    const cv::Size size = image.size();
    cv::resize(image, image, {}, less, less, cv::INTER_LINEAR);
    cv::resize(image, image, size, 0, 0, rng.chance(0.5) ? cv::INTER_LINEAR : cv::INTER_CUBIC);
  }
}

void print_time(cv::Mat& image, const std::vector<Quad>& keep, const Lettering& lettering,
                Rng& rng) {
  const double h = image.rows * rng.uniform(0.018, 0.05), w = h * rng.uniform(10, 16);
  const double x = rng.chance(0.5) ? h * 0.5 : image.cols - w - h * 0.5;
  const double y = rng.chance(0.5) ? h * 0.5 : image.rows - 1.6 * h;
  const cv::Rect window = cv::Rect(cvFloor(x), cvFloor(y - 0.3 * h), cvCeil(w), cvCeil(1.7 * h)) &
                          cv::Rect({0, 0}, image.size());
  for (const Quad& quad : keep) {
    if (!(cv::Rect2f(window) & extents(quad)).empty()) return;
  }
  cv::Mat part = image(window), ink = cv::Mat::zeros(window.size(), CV_8U);
  if (rng.chance(0.3)) part *= 0.2;
  lettering.write(rng.chance(0.8) ? Lettering::timestamp(rng) : lettering.phrase(rng),
                  {2, 0.3 * h, w - 4, h}, ink, rng);
  stain(rng.chance(0.7) ? Scalar::all(245) : Scalar(60, 220, 250), ink, 1, part);
}

}  // namespace

Light draw_light(Rng& rng) {
  Light light;
  light.night = rng.chance(0.2);
  light.grey = rng.chance(light.night ? 0.25 : 0.04);
  light.gain = light.night ? log_uniform(0.12, 0.5, rng) : std::exp(0.28 * rng.normal());
  light.gain = std::min(light.gain, 1.7);
  light.gamma = std::exp(rng.uniform(-0.3, 0.3));
  if (rng.chance(0.25)) light.haze = rng.uniform(0, 40);
  const double cast = light.night ? 0.3 : (rng.chance(0.3) ? 0.2 : 0.07);
  for (double& channel : light.tint) channel = std::exp(rng.uniform(-cast, cast));
  if (!light.night && rng.chance(0.07)) light.fog = rng.uniform(0.15, 0.6);
  if (rng.chance(0.5)) light.blur = log_uniform(0.35, 1.6, rng);
  if (rng.chance(0.06)) light.rain = 60 + rng.below(300);
  if (rng.chance(0.04)) light.snow = 40 + rng.below(200);
  if (rng.chance(light.night ? 0.7 : 0.08)) light.lamps = 1 + rng.below(5);
  return light;
}

void apply_light(cv::Mat& image, const Light& light) {
  cv::Mat curve(1, 256, CV_8UC3);
  for (int i = 0; i < 256; ++i) {
    const double level = 255 * std::pow(i / 255.0, light.gamma) * light.gain;
    for (size_t k = 0; k < 3; ++k) {
      curve.data[3 * static_cast<size_t>(i) + k] = cv::saturate_cast<uint8_t>(
          level * light.tint[k] + light.haze * std::min(light.gain, 1.0));
    }
  }
  cv::LUT(image, curve, image);
}

void apply_weather(cv::Mat& image, const Light& light, const std::vector<Quad>& keep, Rng& rng) {
  if (!light.night && rng.chance(0.15)) cast_shadow(image, rng);
  if (light.fog > 0) add_fog(image, light.fog, rng);
  if (light.lamps > 0) add_lamps(image, light.lamps, keep, rng);
  if (light.rain > 0) add_rain(image, light.rain, rng);
  if (light.snow > 0) add_snow(image, light.snow, rng);
}

void apply_camera(cv::Mat& image, const Light& light, const std::vector<Quad>& keep,
                  const Lettering& lettering, Rng& rng) {
  blur(image, light, rng);
  if (rng.chance(0.2)) vignette(image, rng.uniform(0.2, 1));
  if (light.grey) {
    cv::cvtColor(image, image, cv::COLOR_BGR2GRAY);
    cv::cvtColor(image, image, cv::COLOR_GRAY2BGR);
  }
  if (rng.chance(0.85)) {
    const double sigma = light.grain * log_uniform(0.7, light.night ? 14 : 8, rng);
    sensor_noise(image, sigma, rng.uniform(0, 0.8), rng);
  }
  if (rng.chance(0.1)) print_time(image, keep, lettering, rng);
  if (rng.chance(0.45)) augment::jpeg(image, rng, light.grain * rng.uniform(0.1, 1));
}

}  // namespace plateforge::scenes
