#include "data/scenes/mount.h"

#include <algorithm>
#include <cmath>
#include <opencv2/imgproc.hpp>

#include "data/augment/op.h"
#include "data/geometry.h"
#include "data/scenes/billboard.h"
#include "data/scenes/brush.h"
#include "data/scenes/noise.h"

namespace plateforge::scenes {
namespace {

using cv::Scalar;

double luma(const Scalar& bgr) { return 0.114 * bgr[0] + 0.587 * bgr[1] + 0.299 * bgr[2]; }

// A cut-out of one colour with rounded corners that fade over `soft` of its height.
Billboard rounded_board(const cv::Rect2d& place, double pixels, const Scalar& colour, double radius,
                        double soft) {
  const double scale = std::clamp(pixels, 24.0, 400.0) / place.width;
  const cv::Size size(std::max(cvRound(place.width * scale), 8),
                      std::max(cvRound(place.height * scale), 8));
  Billboard board{cv::Mat(size, CV_8UC3, colour), cv::Mat::zeros(size, CV_8U), place};
  cv::Mat image = board.image;
  const double in = soft * place.height;
  Brush(image, &board.alpha, place)
      .rounded({place.x + in, place.y + in, place.width - 2 * in, place.height - 2 * in}, radius,
               colour);
  if (in * scale > 0.5) cv::GaussianBlur(board.alpha, board.alpha, {}, in * scale / 2);
  return board;
}

// A piece of bodywork behind the plate, in colours of its surroundings.
void put_panel(const PlannedPlate& planned, const Scalar& around, Rng& rng, cv::Mat& picture) {
  const cv::Size2d& size = planned.panel;
  const Scalar colour = rng.chance(0.5) ? around * rng.uniform(0.3, 1.3)
                                        : Scalar::all(luma(around) * rng.uniform(0.1, 1));
  Billboard board =
      rounded_board({-size.width / 2, -size.height / 2, size.width, size.height},
                    planned.view.scale() * size.width, colour, rng.uniform(0, 0.4) * size.height,
                    rng.chance(0.5) ? rng.uniform(0.02, 0.12) : 0.01);
  shade(board.image, clouds(board.image.size(), board.image.cols, 0.6, rng), rng.uniform(0.1, 0.7));
  put(board, planned.view, planned.soften, picture);
}

// A frame around the plate, sometimes with a dealer's name below.
void put_holder(const PlannedPlate& planned, const Scalar& around, const Lettering& lettering,
                Rng& rng, cv::Mat& picture) {
  const double side = rng.uniform(3, 20), below = side + (rng.chance(0.5) ? rng.uniform(5, 22) : 0);
  cv::Rect2d place = planned.place();
  place = {place.x - side, place.y - side, place.width + 2 * side, place.height + side + below};
  const double light = std::max(luma(around), 12.0);
  const Scalar colour =
      Scalar::all(rng.chance(0.75) ? light * rng.uniform(0.05, 0.4) : std::min(light * 1.6, 230.0));
  Billboard board =
      rounded_board(place, planned.view.scale() * place.width, colour, rng.uniform(0, 15), 0);
  if (below > side + 8) {
    const double scale = board.image.cols / place.width, h = (below - 4) * scale * 0.6;
    cv::Mat ink = cv::Mat::zeros(board.image.size(), CV_8U);
    lettering.write(
        lettering.phrase(rng),
        {board.image.cols * 0.25, board.image.rows - h - 3 * scale, board.image.cols * 0.5, h}, ink,
        rng);
    stain(Scalar::all(std::min(light * 1.4, 240.0)), ink, 1, board.image);
  }
  put(board, planned.view, planned.soften, picture);
}

// How bright the plate is: that of its surroundings, or thrown back at night.
void light_plate(cv::Mat& plate, bool photographed, const Scalar& around, const Light& light,
                 Rng& rng) {
  double gain =
      std::clamp(0.45 + 0.6 * luma(around) / 130, 0.4, 1.15) * std::exp(0.16 * rng.normal());
  if (photographed) gain = std::sqrt(gain);  // its own light is in its pixels
  if (light.night) gain = rng.chance(0.5) ? rng.uniform(0.7, 1.9) : rng.uniform(0.3, 0.8);
  const double top = rng.uniform(0.8, 1.2), bottom = rng.uniform(0.8, 1.2);
  cv::Mat tone(plate.rows, 1, CV_8U);
  for (int y = 0; y < plate.rows; ++y) {
    tone.data[y] = cv::saturate_cast<uint8_t>(128 * (top + (bottom - top) * y / plate.rows));
  }
  if (rng.chance(0.2)) {  // the shadow of the edge above it
    const double depth = rng.uniform(0.2, 0.7);
    tone.rowRange(0, std::max(cvRound(plate.rows * rng.uniform(0.08, 0.5)), 1)) *= depth;
    cv::blur(tone, tone, {1, std::max(plate.rows / 24, 1)});
  }
  cv::Mat everywhere;
  cv::repeat(tone, 1, plate.cols, everywhere);
  shade(plate, everywhere, 1);
  Scalar balance;
  for (int k = 0; k < 3; ++k) balance[k] = gain * light.tint[static_cast<size_t>(k)];
  cv::multiply(plate, balance, plate);
  if (light.haze > 0) plate += Scalar::all(light.haze * std::min(light.gain, 1.0));
}

void weather_plate(cv::Mat& plate, Rng& rng) {
  if (rng.chance(0.2)) augment::dirt(plate, rng, rng.uniform(0.4, 1.2));
  if (rng.chance(0.12)) augment::shadow(plate, rng, rng.uniform(0.5, 1.3));
  if (rng.chance(0.1)) augment::glare(plate, rng, rng.uniform(0.5, 2));
  if (rng.chance(0.07)) {
    cv::blur(plate, plate, {1 + cvRound(plate.cols * rng.uniform(0.01, 0.05)), 1});
  }
}

// Mud, snow or a part of the vehicle over one side, with a ragged or an even edge.
void hide_side(cv::Mat& plate, const PlannedPlate& planned, const Scalar& around, Rng& rng) {
  const double rough = rng.chance(0.5) ? 0 : rng.uniform(0.02, 0.12);
  const double kind = rng.uniform();
  const Scalar colour = kind < 0.3   ? Scalar(50, 75, 95) * rng.uniform(0.5, 1.3)
                        : kind < 0.5 ? Scalar::all(rng.uniform(190, 245))
                                     : around * rng.uniform(0.2, 1.2);
  const cv::Mat noise = clouds(plate.size(), 12, 0.7, rng);
  cv::Mat mask(plate.size(), CV_8U);
  for (int y = 0; y < plate.rows; ++y) {
    for (int x = 0; x < plate.cols; ++x) {
      const double u = (x + 0.5) / plate.cols, v = (y + 0.5) / plate.rows;
      const double from = planned.cover == Cover::left    ? u
                          : planned.cover == Cover::right ? 1 - u
                          : planned.cover == Cover::top   ? v
                                                          : 1 - v;
      const double edge = planned.covered + rough * (noise.at<uint8_t>(y, x) - 128) / 128.0;
      mask.at<uint8_t>(y, x) = cv::saturate_cast<uint8_t>(128 + 255 * 40 * (edge - from));
    }
  }
  stain(colour, mask, 1, plate);
}

// A tow ball before the lower edge.
void put_ball(const PlannedPlate& planned, const Scalar& around, Rng& rng, cv::Mat& picture) {
  const double radius = rng.uniform(22, 30) * planned.design.size.height / 140;
  const double x = rng.uniform(-0.25, 0.25) * planned.design.size.width;
  const double y = planned.design.size.height / 2 - radius * rng.uniform(0, 0.9);
  const cv::Rect2d place(x - radius, y - radius, 2 * radius, 4 * radius);
  const cv::Size size(48, 96);
  Billboard board{cv::Mat(size, CV_8UC3, Scalar::all(luma(around) * 0.3)),
                  cv::Mat::zeros(size, CV_8U), place};
  const Scalar steel = Scalar::all(luma(around) * rng.uniform(0.15, 0.8));
  Brush brush(board.image, &board.alpha, place);
  brush.rectangle({x - radius * 0.4, y, radius * 0.8, 3 * radius}, steel * 0.7);
  brush.ellipse({x - radius, y - radius, 2 * radius, 2 * radius}, steel);
  brush.ellipse({x - radius * 0.5, y - radius * 0.6, radius * 0.6, radius * 0.5}, steel * 1.7);
  put(board, planned.view, planned.soften, picture);
}

}  // namespace

void mount_plate(const PlannedPlate& planned, const Plates& plates, const Light& light,
                 const Lettering& lettering, cv::Mat& picture) {
  Rng rng(planned.key);
  const Quad quad = planned.quad();
  const cv::Rect window = pixels_of(quad, picture.size(), 2);
  if (window.empty()) return;
  const Scalar around = cv::mean(picture(window));
  if (planned.mount == Mount::panel) put_panel(planned, around, rng, picture);
  if (planned.mount == Mount::holder || (planned.mount == Mount::vehicle && rng.chance(0.4))) {
    put_holder(planned, around, lettering, rng, picture);
  }
  const double pixels = 1.1 * static_cast<double>(side_lengths(quad).width);
  Billboard board{plates.paint(planned.design, pixels, rng), {}, planned.place()};
  weather_plate(board.image, rng);
  light_plate(board.image, planned.design.photograph >= 0, around, light, rng);
  if (planned.cover != Cover::none && planned.cover != Cover::ball) {
    hide_side(board.image, planned, around, rng);
  }
  if (rng.chance(0.4)) {  // pressed plates have round corners
    board.alpha = cv::Mat::zeros(board.image.size(), CV_8U);
    cv::Mat unused = board.image.clone();
    Brush(unused, &board.alpha, board.place).rounded(board.place, rng.uniform(3, 14), {});
  }
  put(board, planned.view, planned.soften, picture);
  if (planned.cover == Cover::ball) put_ball(planned, around, rng, picture);
}

}  // namespace plateforge::scenes
