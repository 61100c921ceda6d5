#include "data/scenes/photos.h"

#include <algorithm>
#include <limits>
#include <opencv2/imgproc.hpp>

#include "configs/atomic_file.h"
#include "configs/error.h"
#include "data/ccpd.h"
#include "data/geometry.h"
#include "data/image.h"
#include "data/jpeg.h"
#include "data/listing.h"
#include "data/scenes/billboard.h"

namespace plateforge::scenes {
namespace {

namespace fs = std::filesystem;

void refuse_labels(const fs::path& file) {
  for (const char* extension : {".txt", ".xml"}) {
    fs::path labels = file;
    labels.replace_extension(extension);
    std::error_code none;
    require(!fs::exists(labels) || fs::file_size(labels, none) == 0, "backgrounds: ", file.string(),
            " has labels in ", labels.filename().string(),
            ", which are not read: its plates would stay in the picture without a label; use "
            "pictures without plates, or frames named as CCPD's");
  }
}

// Fills where `known` is 0 with what lies around it, smoothly: means of ever coarser blocks.
void push_pull(cv::Mat& values, cv::Mat& known) {
  if (std::min(values.cols, values.rows) <= 2) {
    values.setTo(cv::mean(values, known > 0.001F), known < 0.001F);
    return;
  }
  cv::Mat weights, small, small_known;
  cv::cvtColor(known, weights, cv::COLOR_GRAY2BGR);
  const cv::Size half((values.cols + 1) / 2, (values.rows + 1) / 2);
  cv::resize(values.mul(weights), small, half, 0, 0, cv::INTER_AREA);
  cv::resize(known, small_known, half, 0, 0, cv::INTER_AREA);
  cv::Mat divisor;
  cv::cvtColor(cv::max(small_known, 1e-6F), divisor, cv::COLOR_GRAY2BGR);
  cv::divide(small, divisor, small);
  cv::min(small_known * 2, 1.0F, small_known);
  push_pull(small, small_known);
  cv::resize(small, small, values.size(), 0, 0, cv::INTER_LINEAR);
  values = values.mul(weights) + small.mul(cv::Scalar::all(1) - weights);
}

// The pixels that `window` would show if the picture were moved by `offset`; empty when they reach
// beyond it.
cv::Mat neighbour(const cv::Mat& image, const cv::Rect& window, const cv::Point& offset) {
  const cv::Rect at = window + offset;
  return (at & cv::Rect({0, 0}, image.size())) == at ? image(at) : cv::Mat();
}

// The neighbour that differs least along the rim; an even grey when none fits into the picture.
cv::Mat best_neighbour(const cv::Mat& image, const cv::Rect& window, const Quad& quad,
                       const cv::Mat& rim) {
  const cv::Rect2f box = extents(quad);
  const cv::Mat here = image(window);
  cv::Mat best(window.size(), CV_8UC3, cv::mean(here, rim));
  double least = std::numeric_limits<double>::max();
  for (const double far : {1.3, 1.7, 2.4}) {
    const int dx = cvCeil(box.width * far), dy = cvCeil(box.height * far);
    for (const cv::Point& offset :
         {cv::Point(0, -dy), {0, dy}, {-dx, 0}, {dx, 0}, {-dx, -dy}, {dx, dy}}) {
      const cv::Mat other = neighbour(image, window, offset);
      if (other.empty()) continue;
      const double difference = cv::norm(here, other, cv::NORM_L1, rim) * (0.8 + 0.2 * far);
      if (difference < least) least = difference, best = other.clone();
    }
  }
  return best;
}

}  // namespace

std::vector<Photo> list_photos(const fs::path& folder) {
  const std::string where = "backgrounds=" + folder.string();
  require(fs::is_directory(folder), where, ": no such folder");
  std::vector<Photo> photos;
  for (const auto& entry : fs::recursive_directory_iterator(folder)) {
    const std::string name = entry.path().filename().string();
    if (name.starts_with('.') || !is_picture_name(name) || entry.is_directory()) continue;
    Photo photo{entry.path(), {}};
    if (std::count(name.begin(), name.end(), '-') == 6) {
      photo.plates.push_back(parse_ccpd_name(name).vertices);
    } else {
      refuse_labels(entry.path());
    }
    photos.push_back(std::move(photo));
  }
  require(!photos.empty(), where,
          ": the folder holds no pictures (known: .jpg .jpeg .png .bmp .webp .tif .tiff)");
  std::sort(photos.begin(), photos.end(),
            [](const Photo& a, const Photo& b) { return a.file < b.file; });
  return photos;
}

cv::Rect photo_crop(const PhotoView& view, const cv::Size& photo, const cv::Size& picture) {
  const double fit = std::min(static_cast<double>(photo.width) / picture.width,
                              static_cast<double>(photo.height) / picture.height);
  const int w = std::clamp(cvRound(picture.width * fit * view.zoom), 1, photo.width);
  const int h = std::clamp(cvRound(picture.height * fit * view.zoom), 1, photo.height);
  return {cvFloor((photo.width - w) * view.u), cvFloor((photo.height - h) * view.v), w, h};
}

Quad in_picture(const Quad& quad, const PhotoView& view, const cv::Size& photo,
                const cv::Size& picture) {
  const cv::Rect crop = photo_crop(view, photo, picture);
  const float sx = static_cast<float>(picture.width) / static_cast<float>(crop.width);
  const float sy = static_cast<float>(picture.height) / static_cast<float>(crop.height);
  Quad seen;
  for (size_t i = 0; i < 4; ++i) {
    seen[i] = {(quad[i].x - static_cast<float>(crop.x)) * sx,
               (quad[i].y - static_cast<float>(crop.y)) * sy};
    if (view.flip) seen[i].x = static_cast<float>(picture.width) - seen[i].x;
  }
  // What was left is right now.
  if (view.flip) std::swap(seen[0], seen[1]), std::swap(seen[2], seen[3]);
  return seen;
}

cv::Size photo_size(const Photo& photo) {
  const std::string bytes = read_file(photo.file);
  if (bytes.starts_with("\xff\xd8")) return JpegReader(bytes, photo.file.string()).size();
  return read_image_region(photo.file,
                           [](const cv::Size& size) {
                             return cv::Rect({0, 0}, size);
                           })
      .image.size();
}

cv::Mat read_photo(const Photo& photo, const PhotoView& view, const cv::Size& size) {
  cv::Size whole;
  const ImageRegion part = read_image_region(photo.file, [&](const cv::Size& found) {
    whole = found;
    return photo_crop(view, found, size);
  });
  cv::Mat image;
  const bool smaller = part.image.cols > size.width;
  cv::resize(part.image, image, size, 0, 0, smaller ? cv::INTER_AREA : cv::INTER_LINEAR);
  if (view.flip) cv::flip(image, image, 1);
  for (const Quad& plate : photo.plates) cover(image, in_picture(plate, view, whole, size));
  return image;
}

void cover(cv::Mat& image, const Quad& quad) {
  // Annotations are a few pixels off, and holders and shadows would still say "plate".
  const Quad wide = widen(quad, 0.12, 0.3);
  const cv::Rect2f box = extents(wide);
  const int margin = 4 + cvRound(0.25F * std::min(box.width, box.height));
  const cv::Rect window = pixels_of(wide, image.size(), margin);
  const cv::Rect touched = pixels_of(wide, image.size(), 0);
  if (touched.empty()) return;
  const cv::Mat hole = coverage(wide, window) > 0;
  cv::Mat rim;
  cv::dilate(hole, rim, cv::Mat::ones(5, 5, CV_8U));
  rim -= hole;
  const cv::Mat clone = best_neighbour(image, window, wide, rim);
  cv::Mat target = image(window), difference, known;
  cv::subtract(target, clone, difference, {}, CV_32FC3);
  cv::Mat(~hole).convertTo(known, CV_32F, 1.0 / 255);
  push_pull(difference, known);
  cv::Mat filled;
  cv::add(clone, difference, filled, {}, CV_8UC3);
  filled.copyTo(target, hole);
}

}  // namespace plateforge::scenes
