#include "configs/error.h"
#include "configs/log.h"
#include "data/frames/corners.h"
#include "data/frames/listing.h"
#include "data/image.h"

namespace plateforge {
namespace {

cv::Point2f scaled(const cv::Point2f& point, const cv::Size& size) {
  return {point.x * static_cast<float>(size.width), point.y * static_cast<float>(size.height)};
}

FramePlate in_pixels(FramePlate plate, const cv::Size& size) {
  plate.box = {scaled(plate.box.tl(), size), scaled(plate.box.br(), size)};
  if (plate.corners) {
    for (auto& corner : *plate.corners) corner = scaled(corner, size);
  }
  return plate;
}

class FrameFileSource final : public FrameSource {
 public:
  explicit FrameFileSource(FrameListing listing) : listing_(std::move(listing)) {}

  int64_t size() const override { return static_cast<int64_t>(listing_.items.size()); }
  std::string name(int64_t index) const override {
    return (listing_.root / item(index).path).string();
  }
  bool is_real() const override { return true; }

  std::vector<FramePlate> plates(int64_t index) const override {
    const auto& found = item(index).plates;
    if (!listing_.shares || found.empty()) return found;
    return plates_in(read_image_size(name(index), listing_.upright), index);
  }

  Frame read(const SampleKey& key, const ChooseView& choose) const override {
    Frame frame;
    frame.source = name(key.index);
    auto view = read_image_view(frame.source, listing_.upright, [&](const cv::Size& size) {
      check(size, key.index);
      frame.plates = plates_in(size, key.index);
      return choose ? choose(size, frame.plates) : FrameView{{{0, 0}, size}, 1};
    });
    frame.image = std::move(view.image);
    frame.region = view.region;
    frame.reduction = view.reduction;
    return frame;
  }

 private:
  const FrameItem& item(int64_t index) const {
    return listing_.items.at(static_cast<size_t>(index));
  }

  std::vector<FramePlate> plates_in(const cv::Size& size, int64_t index) const {
    auto plates = item(index).plates;
    if (listing_.shares) {
      for (auto& plate : plates) plate = in_pixels(std::move(plate), size);
    }
    return plates;
  }

  // What an annotation in pixels says must fit the picture.
  void check(const cv::Size& size, int64_t index) const {
    const auto& [path, plates, told] = item(index);
    require(told.empty() || told == size, name(index), " has ", size.width, " x ", size.height,
            " pixels, its annotation says ", told.width, " x ", told.height);
    if (listing_.shares) return;
    try {
      for (const auto& plate : plates) check_inside(plate, size);
    } catch (const Error& problem) {
      fail(name(index), ": ", problem.what());
    }
  }

  FrameListing listing_;
};

}  // namespace

FrameSourcePtr make_frame_file_source(FrameListing listing, const std::string& where) {
  if (listing.repaired > 0) {
    log_warning(where + ": " + std::to_string(listing.repaired) +
                " plates had their corners in another order than left-top, right-top, "
                "right-bottom, left-bottom; they were put in order (corners=refuse refuses them)");
  }
  return std::make_shared<FrameFileSource>(std::move(listing));
}

}  // namespace plateforge
