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

// A block with a few known pixels counts as known: `sums` are values times `known`.
void trust(cv::Mat& sums, cv::Mat& known) {
  cv::Mat share;
  cv::min(known * 3, 1.0F, share);
  cv::divide(sums, cv::max(known, 1e-6F), sums);
  sums = sums.mul(share);
  known = share;
}

// Fills what is unknown smoothly from the known around it: means of ever coarser blocks. `sums` are
// values times `known` (CV_32FC3), `known` is 0 to 1 in three equal channels.
cv::Mat push_pull(const cv::Mat& sums, const cv::Mat& known) {
  cv::Mat coarse;
  if (std::min(sums.cols, sums.rows) <= 2) {
    const double share = std::max(cv::sum(known)[0], 1e-6);
    coarse = cv::Mat(sums.size(), CV_32FC3, cv::sum(sums) / share);
  } else {
    const cv::Size half((sums.cols + 1) / 2, (sums.rows + 1) / 2);
    cv::Mat half_sums, half_known;
    cv::resize(sums, half_sums, half, 0, 0, cv::INTER_AREA);
    cv::resize(known, half_known, half, 0, 0, cv::INTER_AREA);
    trust(half_sums, half_known);
    cv::resize(push_pull(half_sums, half_known), coarse, sums.size(), 0, 0, cv::INTER_LINEAR);
  }
  return sums + coarse.mul(cv::Scalar::all(1) - known);
}

// The smooth membrane over `hole` that meets `target` - `clone` around it, in blocks of 4 pixels.
cv::Mat membrane(const cv::Mat& target, const cv::Mat& clone, const cv::Mat& hole) {
  const cv::Size small(std::max(target.cols / 4, 2), std::max(target.rows / 4, 2));
  const auto reduced = [&](const cv::Mat& whole) {
    cv::Mat masked = whole.clone(), result;
    masked.setTo(0, hole);
    cv::resize(masked, result, small, 0, 0, cv::INTER_AREA);
    return result;
  };
  cv::Mat sums, known, result;
  cv::subtract(reduced(target), reduced(clone), sums, {}, CV_32F);
  cv::cvtColor(reduced(cv::Mat(hole.size(), CV_8U, cv::Scalar(255))), known, cv::COLOR_GRAY2BGR);
  known.convertTo(known, CV_32F, 1.0 / 255);
  trust(sums, known);
  push_pull(sums, known).convertTo(sums, CV_16S);
  cv::resize(sums, result, target.size(), 0, 0, cv::INTER_LINEAR);
  return result;
}

// The pixels that `window` would show if the picture were moved by `offset`; empty when they reach
// beyond it.
cv::Mat neighbour(const cv::Mat& image, const cv::Rect& window, const cv::Point& offset) {
  const cv::Rect at = window + offset;
  return (at & cv::Rect({0, 0}, image.size())) == at ? image(at) : cv::Mat();
}

// The neighbour that differs least along the rim; one even colour when none fits into the picture.
// Every fourth pixel is looked at.
cv::Mat best_neighbour(const cv::Mat& image, const cv::Rect& window, const Quad& quad,
                       const cv::Mat& rim) {
  const auto thinned = [](const cv::Mat& whole) {
    cv::Mat thin;
    cv::resize(whole, thin, {}, 0.25, 0.25, cv::INTER_NEAREST);
    return thin;
  };
  const cv::Rect2f box = extents(quad);
  const cv::Mat here = thinned(image(window)), where = thinned(rim);
  cv::Mat best;
  double least = std::numeric_limits<double>::max();
  for (const double far : {1.35, 1.7, 2.4}) {
    const int dx = cvCeil(box.width * far), dy = cvCeil(box.height * far);
    for (const cv::Point& offset :
         {cv::Point(0, -dy), {0, dy}, {-dx, 0}, {dx, 0}, {-dx, -dy}, {dx, dy}}) {
      const cv::Mat other = neighbour(image, window, offset);
      if (other.empty()) continue;
      const double rimmed = cv::norm(here, thinned(other), cv::NORM_L1, where);
      if (rimmed * (0.8 + 0.2 * far) < least) least = rimmed * (0.8 + 0.2 * far), best = other;
    }
  }
  return best.empty() ? cv::Mat(window.size(), CV_8UC3, cv::mean(image(window), rim)) : best;
}

void recolour(cv::Mat& image, double saturation, int turn) {
  if (saturation == 1 && turn == 0) return;
  constexpr float kLuma[] = {0.114F, 0.587F, 0.299F};
  const auto keep = static_cast<float>(saturation);
  cv::Matx33f mix;
  for (int to = 0; to < 3; ++to) {
    for (int from = 0; from < 3; ++from) {
      mix(to, from) = (1 - keep) * kLuma[from] + ((to + turn) % 3 == from ? keep : 0.0F);
    }
  }
  cv::transform(image, image, mix);
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
  recolour(image, view.saturation, view.turn);
  for (const Quad& plate : photo.plates) cover(image, in_picture(plate, view, whole, size));
  return image;
}

void cover(cv::Mat& image, const Quad& quad) {
  // Annotations are a few pixels off, and holders and shadows would still say "plate".
  const Quad wide = widen(quad, 0.12, 0.3);
  const cv::Rect2f box = extents(wide);
  const int margin = 12 + cvRound(0.2F * std::min(box.width, box.height));
  if (pixels_of(wide, image.size(), 0).empty()) return;
  cv::Rect window = pixels_of(wide, image.size(), margin);
  // Whole blocks of 4 pixels are reduced several times as fast.
  const cv::Point to((window.br().x + 3) & ~3, (window.br().y + 3) & ~3);
  window = cv::Rect({window.x & ~3, window.y & ~3}, to) & cv::Rect({0, 0}, image.size());
  const cv::Mat hole = coverage(wide, window) > 0;
  cv::Mat soft, rim;
  cv::dilate(hole, soft, cv::Mat::ones(9, 9, CV_8U));
  rim = soft - hole;
  cv::blur(soft, soft, {9, 9});
  const cv::Mat clone = best_neighbour(image, window, wide, rim);
  cv::Mat target = image(window), filled;
  cv::add(clone, membrane(target, clone, hole), filled, {}, CV_8UC3);
  blend(filled, soft, target);
}

}  // namespace plateforge::scenes
