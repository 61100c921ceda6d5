#include "data/frames/training_view.h"

#include "configs/error.h"
#include "data/frames/corners.h"

namespace plateforge {
namespace {

// Random streams of a frame, beside those of its photometric ops (0, 1, ...).
constexpr uint64_t kCrop = 1000, kMosaic = 1001, kSplit = 1002;

// Where a mosaic is divided, share of the input.
constexpr double kSplitFrom = 0.35, kSplitTo = 0.65;

Rng stream(const FramePick& pick, uint64_t name) {
  return Rng(mix_key(pick.seed, pick.key.epoch, pick.key.index, name));
}

FramePlate shifted(FramePlate plate, const cv::Point2f& by) {
  plate.box += by;
  if (plate.corners) {
    for (auto& corner : *plate.corners) corner += by;
  }
  return plate;
}

}  // namespace

TrainingView::TrainingView(const FramesConfig& frames, const AugmentConfig& augment,
                           const Region& region)
    : config_(frames), square_(frames), augment_(augment, {1, 1}, region) {
  require(!augment_.has_geometry(),
          "augment.ops of a detector may only change colours and pixels (brightness, "
          "gaussian_blur, ...); turning and tilting is frames.rotate and frames.perspective");
}

void TrainingView::crop(const FramePick& pick, const cv::Rect& part, cv::Mat& out,
                        std::vector<FramePlate>& plates) const {
  Rng rng = stream(pick, kCrop);
  ToPicture view;
  cv::Size picture;
  const Frame frame =
      pick.source->read(pick.key, [&](const cv::Size& size, const std::vector<FramePlate>& all) {
        picture = size;
        view = square_.draw(size, all, part.size(), rng);
        return view_for(view, part.size());
      });
  cv::Mat target = out(part);
  sample_frame(frame, view, part.size(), target);
  const VisiblePlates visible{config_.min_visible, config_.min_plate / 2};
  for (auto& plate : plates_in_view(frame.plates, view, part.size(), picture, visible)) {
    plates.push_back(shifted(std::move(plate), part.tl()));
  }
}

std::vector<FramePlate> TrainingView::operator()(const FramePick& pick, cv::Mat& out) const {
  std::vector<FramePlate> plates;
  crop(pick, {{0, 0}, out.size()}, out, plates);
  augment_.paint(out, pick.seed, pick.key, 1);
  return plates;
}

std::vector<FramePlate> TrainingView::mosaic(std::span<const FramePick, 4> picks,
                                             cv::Mat& out) const {
  Rng rng = stream(picks[0], kSplit);
  const int x = static_cast<int>(out.cols * rng.uniform(kSplitFrom, kSplitTo));
  const int y = static_cast<int>(out.rows * rng.uniform(kSplitFrom, kSplitTo));
  const std::array<cv::Rect, 4> parts = {cv::Rect(0, 0, x, y), cv::Rect(x, 0, out.cols - x, y),
                                         cv::Rect(0, y, x, out.rows - y),
                                         cv::Rect(x, y, out.cols - x, out.rows - y)};
  std::vector<FramePlate> plates;
  for (size_t i = 0; i < 4; ++i) crop(picks[i], parts[i], out, plates);
  augment_.paint(out, picks[0].seed, picks[0].key, 1);
  return plates;
}

bool TrainingView::is_mosaic(const FramePick& pick) const {
  return stream(pick, kMosaic).chance(config_.mosaic);
}

Letterbox letterbox_view(const FrameSource& source, const SampleKey& key, cv::Mat& out,
                         std::vector<FramePlate>& plates) {
  Letterbox box;
  ToPicture view;
  Frame frame = source.read(key, [&](const cv::Size& size, const std::vector<FramePlate>&) {
    box = Letterbox(size.width, size.height, out.cols, out.rows);
    view = to_picture(box);
    return view_for(view, out.size());
  });
  sample_frame(frame, view, out.size(), out);
  plates = std::move(frame.plates);
  const auto scale = static_cast<float>(box.scale);
  for (auto& plate : plates) {
    plate.box = {plate.box.tl() * scale, plate.box.br() * scale};
    if (plate.corners) {
      for (auto& corner : *plate.corners) corner *= scale;
    }
  }
  return box;
}

}  // namespace plateforge
