#pragma once

#include <filesystem>
#include <opencv2/core.hpp>
#include <vector>

#include "data/plate.h"
#include "data/rng.h"

namespace plateforge::scenes {

// A photograph used as a background, and the plates on it that nobody labels there.
struct Photo {
  std::filesystem::path file;
  std::vector<Quad> plates;  // pixels of the file
};

// All pictures below a folder, sorted. The plate of a picture whose name is written as CCPD's is
// known; any other picture is taken to show none. Throws Error: no such folder, no picture in it, a
// CCPD name that does not parse, a picture with labels beside it (same name, .txt or .xml), whose
// plates would stay on the picture without a label.
std::vector<Photo> list_photos(const std::filesystem::path& folder);

// What of a photograph is shown: the largest rectangle of the picture's proportions, times `zoom`
// (0..1], at (u, v) of what is left to move (0..1). Its colours are made paler or stronger, and
// blue, green and red change places `turn` times, so that no camera's cast says "plate".
struct PhotoView {
  double zoom = 1, u = 0.5, v = 0.5;
  bool flip = false;
  double saturation = 1;
  int turn = 0;  // 0, 1 or 2
};
cv::Rect photo_crop(const PhotoView& view, const cv::Size& photo, const cv::Size& picture);

// Where a quad of the photograph lies in the picture, corners in the order of what is seen.
Quad in_picture(const Quad& quad, const PhotoView& view, const cv::Size& photo,
                const cv::Size& picture);

// Pixels of a photograph, read from the file's header where it is a JPEG. Throws Error.
cv::Size photo_size(const Photo& photo);

// The picture, 8-bit BGR of `size`, its own plates covered. Throws Error naming the file.
cv::Mat read_photo(const Photo& photo, const PhotoView& view, const cv::Size& size);

// Covers a quad and its surroundings with neighbouring pixels whose colours are bent to meet the
// rim without a seam: a copied patch plus the smooth membrane that makes up the difference (in the
// manner of Perez et al., "Poisson Image Editing", 2003, filled by push and pull after Gortler et
// al., "The Lumigraph", 1996, section 3.4).
void cover(cv::Mat& image, const Quad& quad);

}  // namespace plateforge::scenes
